#include "test_coordinator_fixture.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t fixture_now_ns;

static fc_mono
mono_now(const fc_clock *clock)
{
    (void)clock;
    return (fc_mono){fixture_now_ns};
}

/* In January 2027; from then on tomorrow: a CA that a test makes is as old as the machine's clock says. */
static int64_t
epoch_s(void)
{
    static int64_t epoch;
    if (epoch == 0) {
        int64_t tomorrow = (int64_t)time(NULL) + 86400;
        epoch = tomorrow > 1800000000 ? tomorrow : 1800000000;
    }
    return epoch;
}

static fc_wall
wall_now(const fc_clock *clock)
{
    (void)clock;
    return (fc_wall){fixture_now_ns + epoch_s() * FC_NS_PER_S};
}

const fc_clock fixture_clock = {mono_now, wall_now};

/* ---- links that remember ---- */

static void
push(void *user, co_instance *instance)
{
    fake_link *link = user;
    link->generation = instance->generation;
    link->pushes++;
    link->told_count = 0;
    for (co_part *part = instance->parts; part != NULL && link->told_count < TOLD_MAX; part = part->next) {
        told *t = &link->told[link->told_count];
        if (!co_reconcile_tell(part, &link->clock, &t->desired))
            continue;
        memcpy(t->uid, part->capture->uid, sizeof t->uid);
        link->told_count++;
    }
}

static co_link_clock
link_clock(const void *link)
{
    return ((const fake_link *)link)->clock;
}

static void
link_close(void *link, const char *reason)
{
    (void)reason;
    ((fake_link *)link)->closed = true;
}

const co_link_ops fake_link_ops = {push, link_clock, link_close};

/* ---- life ---- */

static void
open_co(fixture *f, const co_link_ops *ops)
{
    fc_fail fail = {0};
    if (co_open(f->loop, &f->config, f->store, ops, &f->co, &fail) != FC_OK)
        fail_msg("%s", fail.text);
}

void
fixture_open(fixture *f, const char *settings, const char *path, const co_link_ops *ops)
{
    static const char credentials[] = "ca: a\ncertificate: b\nkey: c\n";
    fc_log_open("test", (fc_log_level)0);
    memset(f, 0, sizeof *f);
    json_t *tree = NULL;
    fc_fail fail = {0};
    char *text = fc_sprintf("%s%s", credentials, settings);
    assert_int_equal(fc_yaml_parse(text, strlen(text), &tree, &fail), FC_OK);
    if (co_config_from_tree(tree, &f->config, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    json_decref(tree);
    free(text);
    assert_int_equal(fc_loop_new(&fixture_clock, &f->loop), FC_OK);
    if (co_store_open(path, &f->store, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    open_co(f, ops);
}

void
fixture_close(fixture *f)
{
    co_close(f->co);
    co_store_close(f->store);
    fc_loop_free(f->loop);
    co_config_fini(&f->config);
}

void
fixture_kill(fixture *f, const co_link_ops *ops)
{
    /* With a transaction open the last flush cannot begin its own: what waits is lost, as with kill -9. */
    assert_int_equal(co_store_begin(f->store, NULL), FC_OK);
    co_close(f->co);
    co_store_rollback(f->store);
    open_co(f, ops);
}

void
fixture_run_ms(fixture *f, int64_t ms)
{
    int64_t end = fixture_now_ns + ms * FC_NS_PER_MS;
    while (fc_loop_run_due(f->loop)) {
    }
    fc_mono due;
    while (fc_loop_next_due(f->loop, &due) && due.ns <= end) {
        if (due.ns > fixture_now_ns)
            fixture_now_ns = due.ns;
        while (fc_loop_run_due(f->loop)) {
        }
    }
    fixture_now_ns = end;
}

/* ---- operations ---- */

const char *
fixture_all_of(const char *name)
{
    static char text[256];
    (void)snprintf(text, sizeof text, "{name: %s, target: {scaleSet: web}, timeLimitInSeconds: 60}", name);
    return text;
}

fc_definition
fixture_definition(const char *json)
{
    json_t *tree = NULL;
    fc_fail fail = {0};
    fc_definition definition = {0};
    if (fc_yaml_parse(json, strlen(json), &tree, &fail) != FC_OK ||
        fc_definition_from_json(tree, &definition, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    json_decref(tree);
    return definition;
}

fc_err
fixture_create(fixture *f, const char *request_id, const char *json, co_created *ret, fc_fail *fail)
{
    fc_definition definition = fixture_definition(json);
    co_create request = {"operator/alice", request_id, &definition, false};
    fc_err err = co_create_capture(f->co, &request, ret, fail);
    fc_definition_fini(&definition);
    return err;
}

co_capture *
fixture_capture(fixture *f, const char *json)
{
    co_created created = {0};
    fc_fail fail = {0};
    if (fixture_create(f, "", json, &created, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    co_capture *capture = created.capture;
    co_created_fini(&created);
    return capture;
}

co_instance *
fixture_join(fixture *f, const char *id, const char *region, fake_link *link)
{
    fc_labels labels = {0};
    co_facts facts = {id, id, "web", region, "", "1.0", "", "10.0.0.1:4000", &labels};
    co_instance *instance = NULL;
    fc_fail fail = {0};
    if (co_registry_admit(f->co, &facts, &instance, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    link->instance = instance;
    co_registry_join(f->co, instance, link);
    co_reconcile_hello(f->co, instance, 0);
    co_reconcile_joined(f->co, instance);
    fixture_run_ms(f, 0);
    return instance;
}

void
fixture_leave(fixture *f, fake_link *link)
{
    co_registry_leave(f->co, link->instance, link);
}

void
fixture_ack(fixture *f, fake_link *link)
{
    co_reconcile_acked(f->co, link->instance, link->generation);
    fixture_run_ms(f, 0);
}

bool
fixture_report(fixture *f, co_part *part, fc_state state, uint64_t revision)
{
    fc_status status = {.state = state, .revision = revision, .armed = state == FC_STATE_PROVISIONING};
    if (state == FC_STATE_STOPPED)
        status.stop_reason = FC_STOP_STOP_REQUESTED;
    bool durable = false;
    co_part_report(f->co, part, &status, &durable);
    fixture_run_ms(f, 0);
    return durable;
}

const told *
fixture_told(const fake_link *link, const co_capture *capture)
{
    for (size_t i = 0; i < link->told_count; i++)
        if (strcmp(link->told[i].uid, capture->uid) == 0)
            return &link->told[i];
    return NULL;
}

void
fixture_put_segment(fc_status *status, uint32_t sequence, bool sealed, bool removed)
{
    fc_segment segment = {.sequence = sequence, .size_bytes = 100, .sealed = sealed, .removed = removed};
    (void)snprintf(segment.path, sizeof segment.path, "2026/11/21/job-1/web-1_%u.pcapng", sequence);
    fc_status_put_segment(status, &segment);
}

/* ---- the audit log ---- */

typedef struct audit {
    size_t count;
    char last[512];
} audit;

static void
note_audit(const co_audit_row *row, void *user)
{
    audit *a = user;
    if (a->count++ == 0)
        (void)snprintf(a->last, sizeof a->last, "%s %s %s %s", row->principal, row->action, row->object,
                       row->outcome);
}

const char *
fixture_last_audit(fixture *f, size_t *ret_count)
{
    static audit a;
    a = (audit){0};
    fixture_run_ms(f, 100);
    assert_int_equal(co_store_each_audit(f->store, 100, note_audit, &a, NULL), FC_OK);
    if (ret_count != NULL)
        *ret_count = a.count;
    return a.last;
}

/* ---- what is folded ---- */

static void
check_capture(const co_capture *capture)
{
    uint32_t counts[CO_STATE_COUNT] = {0}, unfinished = 0, kept = 0;
    fc_counters totals = {0};
    for (size_t i = 0; i < capture->part_count; i++) {
        const co_part *part = &capture->parts[i];
        counts[part->shown]++;
        unfinished += !fc_state_final(part->shown);
        kept += !part->gone;
        fc_counters_add(&totals, &part->status.counters);
        assert_int_equal(fc_state_final(part->shown), fc_state_final(part->status.state));
    }
    assert_memory_equal(counts, capture->counts, sizeof counts);
    assert_memory_equal(&totals, &capture->totals, sizeof totals);
    assert_int_equal(unfinished, capture->unfinished);
    assert_int_equal(kept, capture->kept);
    uint32_t in_regions = 0;
    for (size_t i = 0; i < capture->region_count; i++)
        in_regions += capture->regions[i].unfinished;
    assert_int_equal(in_regions, unfinished);
    size_t listed = 0;
    uint64_t last = UINT64_MAX;
    for (const co_part *part = capture->newest; part != NULL; part = part->older, listed++) {
        assert_true(part->change < last);
        last = part->change;
    }
    assert_int_equal(listed, capture->part_count);
}

void
fixture_check_folds(const fixture *f)
{
    size_t online = 0, captures = 0;
    for (const co_capture *c = f->co->captures.by_uid; c != NULL; c = c->hh.next, captures++)
        check_capture(c);
    assert_int_equal(captures, f->co->captures.count);
    for (const co_instance *i = f->co->registry.by_id; i != NULL; i = i->hh.next) {
        uint32_t unfinished = 0, count = 0;
        for (const co_part *part = i->parts; part != NULL; part = part->next, count++) {
            unfinished += !fc_state_final(part->shown);
            assert_false(part->gone);
        }
        assert_int_equal(unfinished, i->unfinished);
        assert_int_equal(count, i->part_count);
        online += i->link != NULL;
    }
    assert_int_equal(online, f->co->registry.online);
}
