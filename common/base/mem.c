#include "common/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
or_abort(void *memory)
{
    if (memory == NULL) {
        (void)fputs("fleetcap: out of memory\n", stderr);
        abort();
    }
    return memory;
}

void *
fc_alloc(size_t size)
{
    return or_abort(calloc(1, size > 0 ? size : 1));
}

void *
fc_alloc_array(size_t count, size_t size)
{
    return or_abort(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *
fc_grow_array(void *array, size_t count, size_t size)
{
    return or_abort(reallocarray(array, count > 0 ? count : 1, size > 0 ? size : 1));
}

void *
fc_grow_room(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    *capacity = *capacity == 0 ? 16 : 2 * *capacity;
    return fc_grow_array(array, *capacity, size);
}

char *
fc_strdup(const char *text)
{
    return text == NULL ? NULL : or_abort(strdup(text));
}

char *
fc_strndup(const char *text, size_t length)
{
    return or_abort(strndup(text, length));
}

char *
fc_sprintf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int length = vasprintf(&text, format, args);
    va_end(args);
    return or_abort(length < 0 ? NULL : text);
}
