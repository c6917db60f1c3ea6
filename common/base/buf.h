/* buf.h: a growing byte buffer with a read position; text goes in with printf.
 *
 * {0} is an empty buffer. data is owned; fc_buf_fini releases it. Not for the capture path.
 */
#ifndef FC_BASE_BUF_H
#define FC_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

typedef struct fc_buf {
    uint8_t *data; /* owned */
    size_t start;  /* first unread byte */
    size_t end;    /* one past the last byte */
    size_t capacity;
} fc_buf;

void
fc_buf_fini(fc_buf *buf);
void
fc_buf_clear(fc_buf *buf); /* keeps the memory */
/* Room for `size` more bytes; returns where they go. Follow with fc_buf_commit. */
uint8_t *
fc_buf_reserve(fc_buf *buf, size_t size);
void
fc_buf_commit(fc_buf *buf, size_t size);
void
fc_buf_append(fc_buf *buf, const void *bytes, size_t size);
void
fc_buf_printf(fc_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void
fc_buf_consume(fc_buf *buf, size_t size);
/* NUL-terminates (the NUL is not counted) and lends the unread part as text. */
const char *
fc_buf_text(fc_buf *buf);
/* The unread part as an owned string; the buffer is empty after. */
char *
fc_buf_take_text(fc_buf *buf);

static inline size_t
fc_buf_size(const fc_buf *buf)
{
    return buf->end - buf->start;
}

static inline const uint8_t *
fc_buf_bytes(const fc_buf *buf)
{
    return buf->data + buf->start;
}

#endif
