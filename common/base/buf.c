#include "common/base/buf.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
fc_buf_fini(fc_buf *buf)
{
    free(buf->data);
    memset(buf, 0, sizeof *buf);
}

void
fc_buf_clear(fc_buf *buf)
{
    buf->start = buf->end = 0;
}

uint8_t *
fc_buf_reserve(fc_buf *buf, size_t size)
{
    if (buf->capacity - buf->end < size && buf->start > 0) {
        memmove(buf->data, buf->data + buf->start, fc_buf_size(buf));
        buf->end -= buf->start;
        buf->start = 0;
    }
    if (buf->capacity - buf->end < size || buf->data == NULL) {
        size_t capacity = buf->capacity > 0 ? buf->capacity : 256;
        while (capacity - buf->end < size)
            capacity *= 2;
        buf->data = fc_grow_array(buf->data, capacity, 1);
        buf->capacity = capacity;
    }
    return buf->data + buf->end;
}

void
fc_buf_commit(fc_buf *buf, size_t size)
{
    assert(size <= buf->capacity - buf->end);
    buf->end += size;
}

void
fc_buf_append(fc_buf *buf, const void *bytes, size_t size)
{
    if (size == 0)
        return;
    memcpy(fc_buf_reserve(buf, size), bytes, size);
    buf->end += size;
}

void
fc_buf_printf(fc_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length > 0) {
        uint8_t *at = fc_buf_reserve(buf, (size_t)length + 1);
        (void)vsnprintf((char *)at, (size_t)length + 1, format, again);
        buf->end += (size_t)length;
    }
    va_end(again);
}

void
fc_buf_consume(fc_buf *buf, size_t size)
{
    assert(size <= fc_buf_size(buf));
    buf->start += size;
    if (buf->start == buf->end)
        fc_buf_clear(buf);
}

const char *
fc_buf_text(fc_buf *buf)
{
    *fc_buf_reserve(buf, 1) = '\0';
    return (const char *)buf->data + buf->start;
}

char *
fc_buf_take_text(fc_buf *buf)
{
    char *text = fc_strdup(fc_buf_text(buf));
    fc_buf_clear(buf);
    return text;
}
