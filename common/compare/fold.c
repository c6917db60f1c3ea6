/* fold.c: many names in few characters: "web-[1-3,7]". */
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/compare/compare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* More digits are no counter but an id: such a name stands alone. */
enum { DIGITS_MAX = 15 };

typedef struct folded_name {
    const char *text; /* borrowed */
    size_t stem;      /* length before the number; the whole length without one */
    size_t digits;    /* 0 = no number */
    uint64_t number;
} folded_name;

static folded_name
split(const char *text)
{
    size_t length = strlen(text), digits = 0;
    while (digits < length && text[length - digits - 1] >= '0' && text[length - digits - 1] <= '9')
        digits++;
    if (digits == 0 || digits == length || digits > DIGITS_MAX)
        return (folded_name){text, length, 0, 0};
    return (folded_name){text, length - digits, digits, strtoull(text + length - digits, NULL, 10)};
}

static int
compare_names(const void *a, const void *b)
{
    const folded_name *x = a, *y = b;
    size_t shared = x->stem < y->stem ? x->stem : y->stem;
    int order = strncmp(x->text, y->text, shared);
    if (order != 0)
        return order;
    if (x->stem != y->stem)
        return x->stem < y->stem ? -1 : 1;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return strcmp(x->text, y->text);
}

/* "001" and "1" do not fold together: the width of a number with zeros in front is part of its stem. */
static bool
alike(const folded_name *a, const folded_name *b)
{
    if (a->digits == 0 || b->digits == 0 || a->stem != b->stem || strncmp(a->text, b->text, a->stem) != 0)
        return false;
    bool padded = a->text[a->stem] == '0' || b->text[b->stem] == '0';
    return !padded || a->digits == b->digits;
}

static void
put_run(fc_buf *out, const folded_name *first, const folded_name *last)
{
    int width = (int)first->digits;
    if (first == last)
        fc_buf_printf(out, "%0*" PRIu64, width, first->number);
    else
        fc_buf_printf(out, "%0*" PRIu64 "%s%0*" PRIu64, width, first->number,
                      last->number - first->number == 1 ? "," : "-", (int)last->digits, last->number);
}

static void
put_stem(fc_buf *out, const folded_name *names, size_t count)
{
    if (count == 1) {
        fc_buf_printf(out, "%s", names->text);
        return;
    }
    fc_buf_printf(out, "%.*s[", (int)names->stem, names->text);
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && names[end].number == names[end - 1].number + 1)
            end++;
        if (i > 0)
            fc_buf_printf(out, ",");
        put_run(out, &names[i], &names[end - 1]);
        i = end;
    }
    fc_buf_printf(out, "]");
}

char *
fc_names_fold(const char *const *names, size_t count)
{
    fc_buf out = {0};
    folded_name *sorted = fc_alloc_array(count + 1, sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = split(names[i] != NULL ? names[i] : "");
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && alike(&sorted[i], &sorted[end]))
            end++;
        if (i > 0)
            fc_buf_printf(&out, ", ");
        put_stem(&out, &sorted[i], end - i);
        i = end;
    }
    free(sorted);
    char *text = fc_buf_take_text(&out);
    fc_buf_fini(&out);
    return text;
}
