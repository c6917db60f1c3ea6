#include "test_coordinator_world.h"

#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* ---- chance ---- */

static uint64_t random_state;

void
random_seed(uint64_t seed)
{
    random_state = seed * 0x9e3779b97f4a7c15u + 1;
}

uint32_t
random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % limit;
}

bool
one_in(uint32_t n)
{
    return random_below(n) == 0;
}

/* ---- what a node has ---- */

int64_t
now_ns(void)
{
    return fixture_clock.wall_now(&fixture_clock).ns;
}

node_capture *
find(node *n, const char *uid)
{
    for (int i = 0; i < NODE_CAPTURES; i++)
        if (n->captures[i].used && strcmp(n->captures[i].uid, uid) == 0)
            return &n->captures[i];
    return NULL;
}

bool
is_over(const node *n, const char *uid)
{
    for (size_t i = 0; i < n->over_count; i++)
        if (strcmp(n->over[i], uid) == 0)
            return true;
    return false;
}

static void
note_over(node *n, const char *uid)
{
    assert_true(n->over_count < FC_COUNT(n->over));
    if (!is_over(n, uid))
        memcpy(n->over[n->over_count++], uid, FC_UID_LENGTH + 1);
}

static void
changed(node *n, node_capture *c, fc_state state)
{
    c->state = state;
    c->revision++;
    fc_loop_timer_after_ms(n->w->f.loop, &n->work, 0);
}

static void
end(node *n, node_capture *c, fc_state state, fc_stop_reason reason)
{
    c->reason = reason;
    c->due_ns = 0;
    c->segment_sealed = c->segments > 0;
    changed(n, c, state);
}

static void
work_later(node *n)
{
    int64_t first = 0;
    for (int i = 0; i < NODE_CAPTURES; i++) {
        const node_capture *c = &n->captures[i];
        if (c->used && c->due_ns != 0 && (first == 0 || c->due_ns < first))
            first = c->due_ns;
    }
    if (first != 0)
        fc_loop_timer_after_ms(n->w->f.loop, &n->work,
                               first > now_ns() ? (first - now_ns()) / FC_NS_PER_MS + 1 : 0);
}

static void
send_report(node *n);

static void
advance(node *n, node_capture *c)
{
    if (c->due_ns == 0 || now_ns() < c->due_ns)
        return;
    c->due_ns = 0;
    if (c->stopping) {
        end(n, c, FC_STATE_STOPPED, c->reason);
    } else if (c->state == FC_STATE_PROVISIONING && !c->armed) {
        c->armed = true;
        if (one_in(20))
            end(n, c, FC_STATE_FAILED, FC_STOP_INTERFACE_GONE);
        else
            changed(n, c, FC_STATE_PROVISIONING);
        if (c->start_ns != 0 && !fc_state_final(c->state))
            c->due_ns = c->start_ns;
    } else if (c->state == FC_STATE_PROVISIONING) {
        c->segments = 1;
        c->due_ns = c->end_ns;
        changed(n, c, FC_STATE_RUNNING);
    } else if (c->state == FC_STATE_RUNNING) {
        end(n, c, FC_STATE_STOPPED, FC_STOP_TIME_LIMIT);
    }
}

static void
dispose(node *n, node_capture *c)
{
    bool reported = c->acked >= c->revision;
    if (c->used && c->disposal != 0 && fc_state_final(c->state) && (n->link == NULL || reported))
        memset(c, 0, sizeof *c);
}

static void
on_work(fc_timer *timer)
{
    node *n = FC_CONTAINER(timer, node, work);
    for (int i = 0; i < NODE_CAPTURES; i++) {
        if (n->captures[i].used)
            advance(n, &n->captures[i]);
        if (n->captures[i].state == FC_STATE_RUNNING && one_in(3)) {
            n->captures[i].packets += random_below(100);
            n->captures[i].revision++;
        }
        dispose(n, &n->captures[i]);
    }
    send_report(n);
    work_later(n);
}

/* ---- the node is told ---- */

static void
begin_stop(node *n, node_capture *c, fc_stop_reason reason)
{
    if (c->stopping || fc_state_final(c->state))
        return;
    c->stopping = true;
    c->reason = reason;
    c->due_ns = now_ns() + random_below(30) * FC_NS_PER_MS;
    changed(n, c, FC_STATE_STOPPING);
}

static void
check_start(world *w, const told *t)
{
    if (t->desired.start_unix_ns == 0)
        return;
    for (size_t i = 0; i < w->start_count; i++) {
        if (strcmp(w->starts[i].uid, t->uid) != 0)
            continue;
        assert_int_equal(w->starts[i].start_ns, t->desired.start_unix_ns);
        return;
    }
    assert_true(w->start_count < STARTS);
    memcpy(w->starts[w->start_count].uid, t->uid, sizeof t->uid);
    w->starts[w->start_count++].start_ns = t->desired.start_unix_ns;
}

static void
apply(node *n, const told *t)
{
    const co_desired *want = &t->desired;
    node_capture *c = find(n, t->uid);
    check_start(n->w, t);
    if (c == NULL) {
        bool over = want->start_unix_ns != 0 && now_ns() >= want->window_end_unix_ns;
        if (want->action >= CO_ACTION_FORGET)
            return;
        /* Over is over, also on an instance that lost its memory. */
        assert_false(want->action == CO_ACTION_RUN && is_over(n, t->uid));
        for (c = n->captures; c->used; c++)
            assert_true(c + 1 < n->captures + NODE_CAPTURES);
        *c =
            (node_capture){.used = true, .start_ns = want->start_unix_ns, .end_ns = want->window_end_unix_ns};
        memcpy(c->uid, t->uid, sizeof c->uid);
        if (want->action == CO_ACTION_STOP || over) {
            end(n, c, FC_STATE_STOPPED, over ? FC_STOP_WINDOW_CLOSED : want->stop_reason);
            return;
        }
        assert_true(want->with_spec);
        c->due_ns = now_ns() + random_below(60) * FC_NS_PER_MS;
        changed(n, c, FC_STATE_PROVISIONING);
        return;
    }
    if (want->action >= CO_ACTION_FORGET) {
        if (c->disposal != CO_ACTION_PURGE)
            c->disposal = want->action;
        begin_stop(n, c, FC_STOP_CAPTURE_DELETED);
        return;
    }
    if (c->disposal == CO_ACTION_FORGET)
        c->disposal = 0;
    if (want->action == CO_ACTION_STOP) {
        begin_stop(n, c, want->stop_reason);
    } else if (want->start_unix_ns != 0 && c->start_ns == 0) {
        c->start_ns = want->start_unix_ns;
        c->end_ns = want->window_end_unix_ns;
        if (c->armed && !c->stopping && !fc_state_final(c->state))
            c->due_ns = c->start_ns;
    }
}

static void
on_pushed(fc_timer *timer)
{
    struct link *l = FC_CONTAINER(timer, struct link, push_timer);
    node *n = l->node;
    if (l->dead)
        return;
    assert_true(l->pushed_generation >= n->generation);
    n->generation = l->pushed_generation;
    for (int i = 0; i < NODE_CAPTURES; i++) {
        node_capture *c = &n->captures[i];
        bool wanted = false;
        for (size_t k = 0; k < l->told_count && !wanted; k++)
            wanted = c->used && strcmp(l->told[k].uid, c->uid) == 0;
        if (!c->used || wanted)
            continue;
        if (c->disposal == 0)
            c->disposal = CO_ACTION_FORGET;
        begin_stop(n, c, FC_STOP_CAPTURE_DELETED);
    }
    for (size_t k = 0; k < l->told_count; k++)
        apply(n, &l->told[k]);
    fc_loop_timer_after_ms(n->w->f.loop, &n->work, 0);
    fc_loop_timer_after_ms(n->w->f.loop, &l->ack_timer, 1 + random_below(20));
}

static void
on_acked(fc_timer *timer)
{
    struct link *l = FC_CONTAINER(timer, struct link, ack_timer);
    if (l->dead || l->instance->link != l)
        return;
    if (one_in(30))
        co_reconcile_push_failed(l->node->w->f.co, l->instance);
    else
        co_reconcile_acked(l->node->w->f.co, l->instance, l->pushed_generation);
}

static void
link_push(void *user, co_instance *instance)
{
    struct link *l = user;
    assert_false(l->coordinator_gone);
    l->pushed_generation = instance->generation;
    l->told_count = 0;
    const co_link_clock clock = {0, 1000, 2000};
    for (co_part *part = instance->parts; part != NULL; part = part->next) {
        assert_true(l->told_count < FC_COUNT(l->told));
        told *t = &l->told[l->told_count];
        if (!co_reconcile_tell(part, &clock, &t->desired))
            continue;
        memcpy(t->uid, part->capture->uid, sizeof t->uid);
        l->told_count++;
    }
    fc_loop_timer_after_ms(l->node->w->f.loop, &l->push_timer, 1 + random_below(40));
}

static co_link_clock
link_clock(const void *link)
{
    (void)link;
    return (co_link_clock){0, 1000, 2000};
}

void
break_link(struct link *l)
{
    fc_loop *loop = l->node->w->f.loop;
    if (l->dead)
        return;
    l->dead = true;
    fc_loop_timer_clear(loop, &l->push_timer);
    fc_loop_timer_clear(loop, &l->ack_timer);
    fc_loop_timer_clear(loop, &l->report_timer);
    fc_loop_timer_clear(loop, &l->answer_timer);
    fc_status_fini(&l->report);
    l->report = (fc_status){0};
    if (l->node->link == l)
        l->node->link = NULL;
    if (l->coordinator_gone)
        return;
    co_persist_unwait(l->node->w->f.co, &l->wait);
    co_registry_leave(l->node->w->f.co, l->instance, l);
}

static void
link_close(void *link, const char *reason)
{
    (void)reason;
    break_link(link);
}

const co_link_ops world_link_ops = {link_push, link_clock, link_close};

/* ---- the node reports ---- */

static void
answer(struct link *l, bool ok)
{
    l->answer_ok = ok;
    fc_loop_timer_after_ms(l->node->w->f.loop, &l->answer_timer, 1 + random_below(20));
}

static void
on_stored(co_flush_wait *wait, fc_err err, const fc_fail *fail)
{
    (void)fail;
    answer(FC_CONTAINER(wait, struct link, wait), err == FC_OK);
}

static void
on_reported(fc_timer *timer)
{
    struct link *l = FC_CONTAINER(timer, struct link, report_timer);
    struct co *co = l->node->w->f.co;
    if (l->dead)
        return;
    co_registry_heard(co, l->instance);
    co_part *part = co_part_find(l->instance, l->report.capture_uid);
    bool durable = false;
    if (part == NULL)
        fc_status_fini(&l->report);
    else
        co_part_report(co, part, &l->report, &durable);
    l->report = (fc_status){0};
    if (durable)
        co_persist_wait(co, &l->wait);
    else
        answer(l, true);
}

static void
on_answered(fc_timer *timer)
{
    struct link *l = FC_CONTAINER(timer, struct link, answer_timer);
    l->report_under_way = false;
    for (int i = 0; i < NODE_CAPTURES && !l->dead; i++) {
        node_capture *c = &l->node->captures[i];
        if (c->sent > 0 && l->answer_ok) {
            c->acked = c->sent;
            if (fc_state_final(c->state) && c->acked >= c->revision)
                note_over(l->node, c->uid);
        }
        c->sent = 0;
    }
    if (!l->dead)
        fc_loop_timer_after_ms(l->node->w->f.loop, &l->node->work, 1);
}

static void
send_report(node *n)
{
    struct link *l = n->link;
    if (l == NULL || l->report_under_way)
        return;
    for (int i = 0; i < NODE_CAPTURES; i++) {
        node_capture *c = &n->captures[i];
        if (!c->used || c->acked >= c->revision)
            continue;
        fc_status status = {.state = c->state,
                            .stop_reason = fc_state_final(c->state) ? c->reason : FC_STOP_NONE,
                            .revision = c->revision,
                            .armed = c->armed,
                            .start.ns = c->state >= FC_STATE_RUNNING ? c->start_ns : 0,
                            .counters = {.matched_packets = c->packets, .written_packets = c->packets}};
        memcpy(status.capture_uid, c->uid, sizeof status.capture_uid);
        if (c->segments > 0) {
            fc_segment segment = {.sequence = 1, .sealed = c->segment_sealed, .packets = c->packets};
            (void)snprintf(segment.path, sizeof segment.path, "2026/11/21/x/%s_1.pcapng", n->id);
            fc_status_put_segment(&status, &segment);
        }
        l->report = status;
        l->report_under_way = true;
        c->sent = c->revision;
        fc_loop_timer_after_ms(n->w->f.loop, &l->report_timer, 1 + random_below(20));
        return;
    }
}

static void
on_heartbeat(fc_timer *timer)
{
    node *n = FC_CONTAINER(timer, node, heartbeat);
    fc_loop_timer_after_ms(n->w->f.loop, &n->heartbeat, 1500);
    if (n->link == NULL || n->link->coordinator_gone)
        return;
    co_registry_heard(n->w->f.co, n->link->instance);
    co_reconcile_applied(n->w->f.co, n->link->instance, n->generation);
}

/* ---- it comes and goes ---- */

void
start_node(node *n, world *w, int number)
{
    n->w = w;
    n->up = true;
    n->work.fire = on_work;
    n->heartbeat.fire = on_heartbeat;
    (void)snprintf(n->id, sizeof n->id, "web%d", number);
    fc_loop_timer_after_ms(w->f.loop, &n->heartbeat, 1 + random_below(1500));
}

void
connect_node(node *n)
{
    if (!n->up || (n->link != NULL && !one_in(10)))
        return;
    struct co *co = n->w->f.co;
    struct link *l = FC_NEW(struct link);
    l->node = n;
    l->push_timer.fire = on_pushed;
    l->ack_timer.fire = on_acked;
    l->report_timer.fire = on_reported;
    l->answer_timer.fire = on_answered;
    l->wait.done = on_stored;
    LL_PREPEND(n->w->links, l);
    fc_labels none = {0};
    co_facts facts = {n->id, n->id, "web", n->id[3] < '3' ? "eu" : "us", "", "1", "", "", &none};
    assert_int_equal(co_registry_admit(co, &facts, &l->instance, NULL), FC_OK);
    co_registry_join(co, l->instance, l);
    n->link = l;
    co_reconcile_hello(co, l->instance, n->generation);
    for (int i = 0; i < NODE_CAPTURES; i++) {
        node_capture *c = &n->captures[i];
        if (!c->used)
            continue;
        co_reconcile_digest(co, l->instance, c->uid);
        c->acked = c->sent = 0;
    }
    co_reconcile_joined(co, l->instance);
    fc_loop_timer_after_ms(n->w->f.loop, &n->work, 1);
}

void
restart_node(node *n, bool wiped)
{
    if (n->link != NULL)
        break_link(n->link);
    for (int i = 0; i < NODE_CAPTURES; i++) {
        node_capture *c = &n->captures[i];
        if (wiped)
            memset(c, 0, sizeof *c);
        if (!c->used || fc_state_final(c->state))
            continue;
        c->revision++;
        if (c->state == FC_STATE_RUNNING && one_in(3))
            end(n, c, FC_STATE_STOPPED, FC_STOP_NODE_RESTARTED);
    }
    if (wiped)
        n->generation = 0;
}
