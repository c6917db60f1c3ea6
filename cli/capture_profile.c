/* fleetcap capture profile: the fleet's profiles and contexts, as they are now. */
#include "cli/capture_wait.h"
#include "cli/rpc_evidence.h"
#include "cli/run.h"
#include "cli/table.h"
#include "common/base/mem.h"
#include "common/profile/context.h"
#include "common/profile/profile.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PROFILE_TIMEOUT_MS = 60000 };

/* One instance: everything owned. */
typedef struct entry {
    char id[FC_NAME_MAX + 1];
    char name[FC_NAME_MAX + 1];
    fc_state state;
    uint64_t revision;
    fc_profile *profile; /* NULL = none (yet) */
    json_t *context_start, *context_stop;
    fc_fail fail; /* what came was no profile or no context */
} entry;

typedef struct listing {
    entry *items; /* owned */
    size_t count;
    const fc_strings *chosen; /* borrowed; empty = all */
} listing;

static void
entry_fini(entry *item)
{
    fc_profile_free(item->profile);
    json_decref(item->context_start);
    json_decref(item->context_stop);
}

static entry *
place_of(listing *list, const char *id)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].id, id) == 0) {
            entry_fini(&list->items[i]);
            return &list->items[i];
        }
    list->items = fc_grow_array(list->items, list->count + 1, sizeof list->items[0]);
    return &list->items[list->count++];
}

/* null for none. */
static json_t *
context_json(cli_bytes bytes, fc_fail *fail)
{
    fc_context context = {0};
    if (bytes.size == 0 || fc_context_unpack(bytes.data, bytes.size, &context, fail) != FC_OK)
        return json_null();
    json_t *tree = fc_context_to_json(&context);
    fc_context_fini(&context);
    return tree;
}

static void
take(const cli_evidence *evidence, void *user)
{
    listing *list = user;
    const fc_status *status = &evidence->status;
    if (list->chosen->count > 0 && !fc_strings_have(list->chosen, status->instance_id) &&
        !fc_strings_have(list->chosen, status->instance_name))
        return;
    entry *item = place_of(list, status->instance_id);
    *item = (entry){.state = status->state, .revision = evidence->revision};
    memcpy(item->id, status->instance_id, sizeof item->id);
    memcpy(item->name, status->instance_name, sizeof item->name);
    if (evidence->profile.size > 0)
        (void)!fc_profile_unpack(evidence->profile.data, evidence->profile.size, &item->profile, &item->fail);
    item->context_start = context_json(evidence->context_start, &item->fail);
    item->context_stop = context_json(evidence->context_stop, &item->fail);
}

static int
by_name(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    int order = strverscmp(a->name, b->name);
    return order != 0 ? order : strcmp(a->id, b->id);
}

static json_t *
listing_json(const listing *list)
{
    json_t *tree = json_array();
    for (size_t i = 0; i < list->count; i++) {
        const entry *item = &list->items[i];
        json_t *one = json_object();
        json_object_set_new(one, "instance", json_string(item->name));
        json_object_set_new(one, "instanceId", json_string(item->id));
        json_object_set_new(one, "state", json_string(fc_state_name(item->state)));
        json_object_set_new(one, "revision", json_integer((json_int_t)item->revision));
        if (item->profile != NULL)
            json_object_set_new(one, "profile", fc_profile_to_json(item->profile));
        fc_json_set(one, "contextStart", json_incref(item->context_start));
        fc_json_set(one, "contextStop", json_incref(item->context_stop));
        json_array_append_new(tree, one);
    }
    return tree;
}

static uint64_t
troubles_of(const fc_profile *profile)
{
    uint64_t sum = 0;
    for (int id = 0; id < FC_TROUBLE_COUNT; id++)
        sum += profile->troubles[id].count;
    return sum;
}

static cli_table *
listing_table(const listing *list)
{
    static const cli_column columns[] = {
        {"INSTANCE", 0, 0},
        {"STATE", 0, 1},
        {"PACKETS IN", CLI_RIGHT, 0},
        {"PACKETS OUT", CLI_RIGHT, 0},
        {"CONVERSATIONS", CLI_RIGHT, 2},
        {"DNS QUERIES", CLI_RIGHT, 4},
        {"TLS HELLOS", CLI_RIGHT, 5},
        {"TROUBLES", CLI_RIGHT, 0},
        {"UNPROFILED", CLI_RIGHT | CLI_WHEN_SET, 3},
    };
    static const fc_counter counters[FC_COUNT(columns)] = {
        [2] = FC_COUNTER_PACKETS_IN,  [3] = FC_COUNTER_PACKETS_OUT, [4] = FC_COUNTER_CONVERSATIONS,
        [5] = FC_COUNTER_DNS_QUERIES, [6] = FC_COUNTER_TLS_HELLOS,  [8] = FC_COUNTER_CAPTURE_UNPROFILED,
    };
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    for (size_t i = 0; i < list->count; i++) {
        const entry *item = &list->items[i];
        cli_table_row(table);
        cli_table_cell(table, 0, "%s", item->name);
        cli_table_cell(table, 1, "%s", fc_state_name(item->state));
        for (size_t column = 2; column < FC_COUNT(columns); column++) {
            if (item->profile == NULL)
                cli_table_cell(table, column, "-");
            else if (column == 7)
                cli_table_cell(table, column, "%" PRIu64, troubles_of(item->profile));
            else
                cli_table_cell(table, column, "%" PRIu64, item->profile->counters[counters[column]]);
        }
    }
    return table;
}

static void
say_what_is_missing(const cli_run *run, const listing *list)
{
    size_t without = 0;
    for (size_t i = 0; i < list->count; i++) {
        const entry *item = &list->items[i];
        without += item->profile == NULL && item->fail.err == FC_OK;
        if (item->fail.err != FC_OK)
            cli_note(&run->out, "%s: what it sent cannot be used: %s", item->name, item->fail.text);
    }
    if (without > 0)
        cli_note(&run->out, "%zu of %zu instances have sent no profile yet", without, list->count);
}

fc_err
cli_capture_profile(cli_run *run, fc_fail *fail)
{
    const char *name = NULL;
    uint32_t timeout_ms = 0;
    fc_strings chosen = {0};
    listing list = {.chosen = &chosen};
    cli_args_list(&run->args, CLI_INSTANCE, &chosen);
    fc_err err = cli_name_of(&run->args, &name, fail);
    if (err == FC_OK)
        err = cli_run_connect(run, PROFILE_TIMEOUT_MS, &timeout_ms, fail);
    if (err == FC_OK)
        err = cli_rpc_evidence(run->session, name, timeout_ms, take, &list, fail);
    if (err == FC_OK && list.count == 0 && chosen.count > 0)
        err = fc_fail_set(fail, FC_ERR_NOT_FOUND, "capture %s has no instance \"%.80s\"", name,
                          chosen.items[0]);
    if (err == FC_OK) {
        if (list.count > 1)
            qsort(list.items, list.count, sizeof list.items[0], by_name);
        if (run->out.format == CLI_JSON)
            cli_out_json(listing_json(&list), false);
        else
            cli_out_table(&run->out, listing_table(&list));
        say_what_is_missing(run, &list);
    }
    for (size_t i = 0; i < list.count; i++)
        entry_fini(&list.items[i]);
    free(list.items);
    fc_strings_fini(&chosen);
    return err;
}
