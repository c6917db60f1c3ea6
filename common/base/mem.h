/* mem.h: allocation that cannot fail quietly.
 *
 * Sizes that a peer names are checked against a limit before they come here, so running out of memory is the
 * machine's end, not an input's doing: these functions say so on stderr and abort.
 */
#ifndef FC_BASE_MEM_H
#define FC_BASE_MEM_H

#include <stddef.h>

void *
fc_alloc(size_t size); /* zeroed */
void *
fc_alloc_array(size_t count, size_t size); /* zeroed; aborts on overflow */
void *
fc_grow_array(void *array, size_t count, size_t size); /* realloc; new part not zeroed */
/* Room for one more item than `count`: array, or where it is now; *capacity, in items, doubles when it is
 * full. */
void *
fc_grow_room(void *array, size_t count, size_t *capacity, size_t size);
char *
fc_strdup(const char *text); /* NULL stays NULL */
char *
fc_strndup(const char *text, size_t length);
char *
fc_sprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define FC_NEW(type)                    ((type *)fc_alloc(sizeof(type)))
#define FC_COUNT(array)                 (sizeof(array) / sizeof((array)[0]))
#define FC_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
