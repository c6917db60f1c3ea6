/* --healthy and --suspect: who is meant. */
#include "cli/evidence.h"

#include "common/base/mem.h"
#include "common/model/selector.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* Reads digits; *at is moved behind them. False when there are none, or too many. */
static bool
read_number(const char **at, uint64_t *ret_number)
{
    const char *end = *at;
    uint64_t number = 0;
    while (isdigit((unsigned char)*end) && end - *at < 18)
        number = number * 10 + (uint64_t)(*end++ - '0');
    if (end == *at || isdigit((unsigned char)*end))
        return false;
    *at = end;
    *ret_number = number;
    return true;
}

/* Is number one of "1-3,7"? *ret_valid: whether the list is one at all. */
static bool
in_ranges(const char *list, size_t length, uint64_t number, bool *ret_valid)
{
    const char *at = list, *end = list + length;
    bool found = false;
    *ret_valid = false;
    while (at < end) {
        uint64_t first, last;
        if (!read_number(&at, &first))
            return false;
        last = first;
        if (at < end && *at == '-') {
            at++;
            if (!read_number(&at, &last))
                return false;
        }
        found = found || (number >= first && number <= last);
        if (at < end && *at++ != ',')
            return false;
    }
    *ret_valid = true;
    return found;
}

/* "web-[1-3,7]" against "web-2"; without brackets a pattern of fnmatch(3), which a plain name is too. */
static bool
name_matches(const char *pattern, const char *name)
{
    const char *open = strchr(pattern, '['), *close = open != NULL ? strchr(open, ']') : NULL;
    bool valid = false;
    if (close == NULL || close[1] != '\0')
        return strcmp(pattern, name) == 0 || fnmatch(pattern, name, 0) == 0;
    size_t stem = (size_t)(open - pattern);
    if (strncmp(pattern, name, stem) != 0)
        return false;
    const char *digits = name + stem;
    uint64_t number;
    if (!read_number(&digits, &number) || *digits != '\0')
        return false;
    return in_ranges(open + 1, (size_t)(close - open - 1), number, &valid) && valid;
}

static bool
item_is_named(const cli_evidence_item *item, const char *pattern)
{
    return name_matches(pattern, item->name) || (*item->id != '\0' && name_matches(pattern, item->id));
}

/* Commas part names, but not inside brackets. */
static void
split_names(const char *text, fc_strings *ret_names)
{
    const char *from = text;
    bool inside = false;
    for (const char *at = text;; at++) {
        inside = *at == '[' || (inside && *at != ']');
        if (*at != '\0' && (*at != ',' || inside))
            continue;
        char *name = fc_strndup(from, (size_t)(at - from));
        if (*name != '\0')
            fc_strings_add(ret_names, name);
        free(name);
        from = at + 1;
        if (*at == '\0')
            break;
    }
}

/* "web-[1-3], db-1": who is there, for sentences. Owned. */
static char *
everyone(const cli_evidence_set *evidence)
{
    const char **names = fc_alloc_array(evidence->count, sizeof *names);
    for (size_t i = 0; i < evidence->count; i++)
        names[i] = evidence->items[i].name;
    char *text = fc_names_fold(names, evidence->count);
    free(names);
    return text;
}

static fc_err
put_into(cli_evidence_item *item, fc_cohort cohort, fc_fail *fail)
{
    if (item->cohort != FC_COHORT_NONE && item->cohort != cohort)
        return fc_fail_set(fail, FC_ERR_INVALID, "%.80s is in --healthy and in --suspect", item->name);
    item->cohort = cohort;
    return FC_OK;
}

static fc_err
choose_by_labels(cli_evidence_set *evidence, const char *option, const char *text, fc_cohort cohort,
                 fc_fail *fail)
{
    if (!evidence->with_labels)
        return fc_fail_set(fail, FC_ERR_INVALID, "--%s \"%.80s\": files have no labels, only names", option,
                           text);
    fc_selector *selector = NULL;
    fc_fail why = {0};
    if (fc_selector_parse(text, &selector, &why) != FC_OK)
        return fc_fail_set(fail, FC_ERR_INVALID, "--%s: %.200s", option, why.text);
    fc_err err = FC_OK;
    size_t found = 0;
    for (size_t i = 0; i < evidence->count && err == FC_OK; i++) {
        if (!fc_selector_match(selector, &evidence->items[i].labels))
            continue;
        found++;
        err = put_into(&evidence->items[i], cohort, fail);
    }
    fc_selector_free(selector);
    if (err == FC_OK && found == 0)
        err = fc_fail_set(fail, FC_ERR_NOT_FOUND, "--%s: no instance here has the labels \"%.80s\"", option,
                          text);
    return err;
}

static fc_err
choose_by_names(cli_evidence_set *evidence, const char *option, const char *text, fc_cohort cohort,
                fc_fail *fail)
{
    fc_strings names = {0};
    fc_err err = FC_OK;
    split_names(text, &names);
    if (names.count == 0)
        err = fc_fail_set(fail, FC_ERR_INVALID, "--%s is empty", option);
    for (size_t n = 0; n < names.count && err == FC_OK; n++) {
        size_t found = 0;
        for (size_t i = 0; i < evidence->count && err == FC_OK; i++) {
            if (!item_is_named(&evidence->items[i], names.items[n]))
                continue;
            found++;
            err = put_into(&evidence->items[i], cohort, fail);
        }
        if (err == FC_OK && found == 0) {
            char *all = everyone(evidence);
            err = fc_fail_set(fail, FC_ERR_NOT_FOUND,
                              "--%s: there is no instance \"%.60s\" here; there is %.120s", option,
                              names.items[n], all);
            free(all);
        }
    }
    fc_strings_fini(&names);
    return err;
}

/* What no name has: role=web, !canary, zone in (a,b). */
static bool
is_selector(const char *text)
{
    return strpbrk(text, "=!(") != NULL;
}

fc_err
cli_evidence_cohorts(cli_evidence_set *evidence, const fc_strings *healthy, const fc_strings *suspect,
                     fc_fail *fail)
{
    const struct {
        const fc_strings *values;
        const char *option;
        fc_cohort cohort;
    } sides[] = {{healthy, "healthy", FC_COHORT_HEALTHY}, {suspect, "suspect", FC_COHORT_SUSPECT}};
    fc_err err = FC_OK;
    for (size_t side = 0; side < FC_COUNT(sides); side++)
        for (size_t i = 0; i < sides[side].values->count && err == FC_OK; i++) {
            const char *text = sides[side].values->items[i];
            err = is_selector(text)
                      ? choose_by_labels(evidence, sides[side].option, text, sides[side].cohort, fail)
                      : choose_by_names(evidence, sides[side].option, text, sides[side].cohort, fail);
        }
    return err;
}
