/* clean.h: text that came from a packet or a peer, made fit to be shown; and sums that cannot wrap. For
 * this library. */
#ifndef FC_PROFILE_CLEAN_H
#define FC_PROFILE_CLEAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Times outside are moved to the nearest: differences and offsets cannot overflow. The end is in the year
 * 2116. */
#define FC_PROFILE_TIME_MAX (INT64_C(1) << 62)

/* Copies at most size - 1 bytes of `from`. Control characters, what is not UTF-8, line separators and marks
 * that turn the direction of writing become '?'; a character that has no room whole ends the copy. Cleaning
 * twice changes nothing. Returns the length. */
size_t
fc_clean_text(char *to, size_t size, const char *from);
/* Length of the printable character at text (not at its end); 0 when there is none: then the first byte is to
 * be replaced. */
size_t
fc_clean_character(const char *text);
/* Would cleaning into `size` bytes leave it as it is? */
bool
fc_clean_check(const char *text, size_t size);

static inline uint64_t
fc_sum(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static inline int64_t
fc_clean_time(int64_t ns)
{
    return ns < 0 ? 0 : ns > FC_PROFILE_TIME_MAX ? FC_PROFILE_TIME_MAX : ns;
}

/* The earlier and the later of two times of which 0 means none. */
static inline int64_t
fc_earlier(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static inline int64_t
fc_later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
