#include "common/model/status.h"

#include "common/base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const states[] = {[FC_STATE_NONE] = "UNSPECIFIED",
#define X(name, number, text, order) [number] = text,
                                     FC_STATES(X)
#undef X
};

static const struct {
    const char *name, *text;
} reasons[] = {[FC_STOP_NONE] = {"", ""},
#define X(name, number, text) [number] = {#name, text},
               FC_STOP_REASONS(X)
#undef X
};

const char *
fc_state_name(fc_state state)
{
    return (size_t)state < FC_COUNT(states) ? states[state] : "UNKNOWN";
}

fc_err
fc_state_parse(const char *text, fc_state *ret_state)
{
    for (size_t i = FC_STATE_NONE + 1; i < FC_COUNT(states); i++) {
        if (strcasecmp(states[i], text) == 0) {
            *ret_state = (fc_state)i;
            return FC_OK;
        }
    }
    return FC_ERR_INVALID;
}

const char *
fc_stop_reason_name(fc_stop_reason reason)
{
    return (size_t)reason < FC_COUNT(reasons) ? reasons[reason].name : "";
}

const char *
fc_stop_reason_text(fc_stop_reason reason)
{
    return (size_t)reason < FC_COUNT(reasons) ? reasons[reason].text : "";
}

int64_t
fc_counters_unaccounted(const fc_counters *counters)
{
    uint64_t accounted = 0;
#define X(name, unit, in_sum, text) accounted += (in_sum) ? counters->name : 0;
    FC_STATUS_COUNTERS(X)
#undef X
    return (int64_t)(counters->matched_packets - accounted);
}

void
fc_counters_add(fc_counters *sum, const fc_counters *more)
{
#define X(name, unit, in_sum, text) sum->name += more->name;
    FC_STATUS_COUNTERS(X)
#undef X
}

void
fc_status_fini(fc_status *status)
{
    free(status->gaps);
    free(status->segments);
    free(status->compiled_filter);
    free(status->directory);
    free(status->error);
    *status = (fc_status){0};
}

/* Keeps the memory when the text is the same, which it is in nearly every report. */
static void
put_text(char **to, const char *from)
{
    if (*to != NULL && from != NULL && strcmp(*to, from) == 0)
        return;
    free(*to);
    *to = fc_strdup(from);
}

static void *
put_array(void *to, size_t to_count, const void *from, size_t from_count, size_t size)
{
    if (from_count == 0) {
        free(to);
        return NULL;
    }
    if (to == NULL || to_count != from_count)
        to = fc_grow_array(to, from_count, size);
    memcpy(to, from, from_count * size);
    return to;
}

void
fc_status_copy(fc_status *to, const fc_status *from)
{
    if (to == from)
        return;
    put_text(&to->compiled_filter, from->compiled_filter);
    put_text(&to->directory, from->directory);
    put_text(&to->error, from->error);
    fc_status copy = *from;
    copy.gaps = put_array(to->gaps, to->gap_count, from->gaps, from->gap_count, sizeof(fc_gap));
    copy.segments =
        put_array(to->segments, to->segment_count, from->segments, from->segment_count, sizeof(fc_segment));
    copy.compiled_filter = to->compiled_filter;
    copy.directory = to->directory;
    copy.error = to->error;
    *to = copy;
}

void
fc_status_put_segment(fc_status *status, const fc_segment *segment)
{
    size_t at = status->segment_count;
    while (at > 0 && status->segments[at - 1].sequence > segment->sequence)
        at--;
    if (at > 0 && status->segments[at - 1].sequence == segment->sequence) {
        status->segments[at - 1] = *segment;
        return;
    }
    const fc_segment copy = *segment; /* it may lie in the array that moves */
    status->segments = fc_grow_array(status->segments, status->segment_count + 1, sizeof(fc_segment));
    memmove(&status->segments[at + 1], &status->segments[at],
            (status->segment_count - at) * sizeof(fc_segment));
    status->segments[at] = copy;
    status->segment_count++;
}

bool
fc_segment_path_check(const char *path)
{
    enum { PATH_SIZE = sizeof((fc_segment *)0)->path };
    if (strnlen(path, PATH_SIZE) >= PATH_SIZE)
        return false;
    for (const char *at = path;; at++) {
        if (!isalnum((unsigned char)*at)) /* so neither empty, nor ".", "..", hidden or an option */
            return false;
        while (isalnum((unsigned char)*at) || *at == '.' || *at == '_' || *at == '-')
            at++;
        if (*at == '\0')
            return true;
        if (*at != '/')
            return false;
    }
}
