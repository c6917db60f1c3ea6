/* The coordinator against a fleet of simulated nodes on a fake clock: connections break, nodes and the
 * coordinator are killed, the store fails, operators create, stop and delete; when all is well again,
 * everything has converged.
 *
 * Arguments: [first seed [count]]. A failing seed is printed; run it alone with that seed and count 1.
 */
#include "../unit/test_coordinator_fixture.h"

#include "common/base/mem.h"
#include "coordinator/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    NODES = 6,
    NODE_CAPTURES = 16,
    NAMES = 5,
    WATCHERS = 4,
    STARTS = 4096,
    STEPS = 150,
    SEEDS_DEFAULT = 400,
};

static uint64_t random_state;

static uint32_t
random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % limit;
}

static bool
one_in(uint32_t n)
{
    return random_below(n) == 0;
}

/* ---- a node, as ARCHITECTURE.md describes it ---- */

typedef struct node_capture {
    bool used;
    char uid[FC_UID_LENGTH + 1];
    fc_state state;
    fc_stop_reason reason;
    bool armed;
    co_action disposal; /* 0 = none */
    int64_t start_ns, end_ns;
    int64_t due_ns; /* when the next thing happens to it; 0 = nothing */
    bool stopping;
    uint64_t revision, sent, acked;
    uint64_t packets;
    uint32_t segments;
    bool segment_sealed;
} node_capture;

typedef struct world world;

typedef struct node {
    world *w;
    char id[16];
    bool up;
    struct link *link; /* owned by the world's list; NULL = not connected */
    uint64_t generation;
    node_capture captures[NODE_CAPTURES];
    char over[STARTS / 8][FC_UID_LENGTH + 1]; /* whose end the coordinator has taken */
    size_t over_count;
    fc_timer work; /* looks after its captures */
    fc_timer heartbeat;
} node;

/* A connection: messages are on their way for a while, and lost when it breaks. */
struct link {
    node *node;
    co_instance *instance;
    bool dead; /* broken, or closed by the coordinator */
    bool coordinator_gone;
    uint64_t pushed_generation;
    told told[NODE_CAPTURES * 2];
    size_t told_count;
    fc_timer push_timer, ack_timer, report_timer, answer_timer;
    bool report_under_way;
    fc_status report; /* what is under way */
    bool waits;
    co_flush_wait wait;
    bool answer_ok;
    struct link *next;
};

typedef struct start_seen {
    char uid[FC_UID_LENGTH + 1];
    int64_t start_ns;
} start_seen;

typedef struct watcher {
    co_watch watch;
    world *w;
    bool used;
} watcher;

typedef struct deletion {
    co_delete operation;
    world *w;
    struct deletion *next, *prev;
} deletion;

struct world {
    fixture f;
    node nodes[NODES];
    struct link *links; /* owned: all that ever were */
    start_seen starts[STARTS];
    size_t start_count;
    watcher watchers[WATCHERS];
    deletion *deletions; /* owned: under way */
    bool store_broken;
    unsigned created;
};

static int64_t
now_ns(void)
{
    return fixture_clock.wall_now(&fixture_clock).ns;
}

static node_capture *
find(node *n, const char *uid)
{
    for (int i = 0; i < NODE_CAPTURES; i++)
        if (n->captures[i].used && strcmp(n->captures[i].uid, uid) == 0)
            return &n->captures[i];
    return NULL;
}

static bool
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

static void
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

static const co_link_ops ops = {link_push, link_clock, link_close};

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

static void
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

/* The process dies and comes back: what ran is resumed, or over. With `wiped` it has forgotten everything. */
static void
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

/* ---- operators ---- */

static co_capture *
random_capture(world *w)
{
    char name[16];
    (void)snprintf(name, sizeof name, "c%u", random_below(NAMES));
    return co_capture_find(&w->f.co->captures, name);
}

static void
op_create(world *w)
{
    static const char *const targets[] = {"{scaleSet: web}", "{regions: [eu]}", "{include: [web0, web4]}",
                                          "{scaleSet: web, exclude: [web1]}"};
    char json[160], request[32];
    co_created created = {0};
    (void)snprintf(json, sizeof json, "{name: c%u, target: %s, timeLimitInSeconds: %u}", random_below(NAMES),
                   targets[random_below(4)], 1 + random_below(30));
    (void)snprintf(request, sizeof request, "r%u", w->created++);
    fc_fail fail = {0};
    fc_err err = fixture_create(&w->f, request, json, &created, &fail);
    if (err == FC_OK)
        co_created_fini(&created);
    else if (!w->store_broken && err != FC_ERR_EXISTS && err != FC_ERR_LIMIT && err != FC_ERR_NOT_FOUND)
        fail_msg("create: %s", fail.text);
}

static void
op_stop(world *w)
{
    co_capture *capture = random_capture(w);
    co_stop request = {.principal = "operator/alice", .request_id = ""};
    co_stopped stopped = {0};
    if (capture == NULL || one_in(6))
        request.all = true;
    else
        request.names = (fc_strings){&capture->definition.name, 1};
    if (one_in(3))
        fc_strings_add(&request.target.include, w->nodes[random_below(NODES)].id);
    if (co_stop_captures(w->f.co, &request, &stopped, NULL) == FC_OK)
        co_stopped_fini(w->f.co, &stopped);
    fc_strings_fini(&request.target.include);
}

static void
on_deleted(co_delete *operation, fc_err err, const fc_fail *fail, const co_deleted *result)
{
    (void)err;
    (void)fail;
    (void)result;
    deletion *d = FC_CONTAINER(operation, deletion, operation);
    DL_DELETE(d->w->deletions, d);
    free(d);
}

static void
abandon(deletion *d)
{
    co_delete_abandon(&d->operation);
    DL_DELETE(d->w->deletions, d);
    free(d);
}

static void
op_delete(world *w)
{
    co_capture *capture = random_capture(w);
    if (capture == NULL)
        return;
    deletion *d = FC_NEW(deletion);
    co_delete *operation = &d->operation;
    d->w = w;
    operation->principal = "operator/alice";
    operation->request_id = "";
    operation->name = capture->definition.name;
    operation->delete_files = one_in(2);
    operation->stop_first = one_in(2);
    operation->done = on_deleted;
    if (co_delete_start(w->f.co, operation, NULL) != FC_OK) {
        free(d);
        return;
    }
    DL_APPEND(w->deletions, d);
    if (one_in(4))
        abandon(d);
}

static void
on_deliver(co_watch *watch)
{
    const co_part *part = co_watch_first(watch);
    for (uint64_t last = watch->seen; part != NULL; last = part->change, part = part->newer)
        assert_true(part->change > last);
    watch->seen = watch->capture->change;
    watch->blocked = one_in(10);
}

static void
op_watch(world *w)
{
    watcher *v = &w->watchers[random_below(WATCHERS)];
    co_capture *capture = random_capture(w);
    if (v->used) {
        co_watch_unblock(&v->watch);
        if (one_in(2))
            return;
        co_watch_stop(&v->watch);
        v->used = false;
    } else if (capture != NULL) {
        *v = (watcher){.w = w, .used = true, .watch.deliver = on_deliver};
        assert_int_equal(co_watch_start(w->f.co, &v->watch, capture, 0, NULL), FC_OK);
    }
}

static void
stop_watches(world *w)
{
    for (int i = 0; i < WATCHERS; i++)
        if (w->watchers[i].used)
            co_watch_stop(&w->watchers[i].watch);
    memset(w->watchers, 0, sizeof w->watchers);
}

static void
op_kill(world *w)
{
    if (w->store_broken)
        return;
    stop_watches(w);
    /* From here on nothing is stored: what is still done to the state is lost with it. */
    assert_int_equal(co_store_begin(w->f.store, NULL), FC_OK);
    while (w->deletions != NULL)
        abandon(w->deletions);
    for (struct link *l = w->links; l != NULL; l = l->next) {
        if (l->dead)
            continue;
        co_persist_unwait(w->f.co, &l->wait);
        l->coordinator_gone = true;
        break_link(l);
    }
    co_store_rollback(w->f.store);
    fixture_kill(&w->f, &ops);
    /* What was answered is known for ever, but of captures that are only waiting to be forgotten. */
    for (const co_capture *c = w->f.co->captures.by_uid; c != NULL; c = c->hh.next)
        for (size_t i = 0; i < c->part_count && !c->deleted; i++)
            if (is_over(&w->nodes[c->parts[i].instance->id[3] - '0'], c->uid))
                assert_true(fc_state_final(c->parts[i].status.state));
}

static void
op_store(world *w)
{
    if (w->store_broken)
        co_store_rollback(w->f.store);
    else
        assert_int_equal(co_store_begin(w->f.store, NULL), FC_OK);
    w->store_broken = !w->store_broken;
}

static void
step(world *w)
{
    node *n = &w->nodes[random_below(NODES)];
    switch (random_below(16)) {
    case 0:
    case 1:
    case 2:
        op_create(w);
        break;
    case 3:
        op_stop(w);
        break;
    case 4:
        op_delete(w);
        break;
    case 5:
        if (n->link != NULL)
            break_link(n->link);
        break;
    case 6:
        restart_node(n, one_in(8));
        n->up = !one_in(4);
        break;
    case 7:
        n->up = true;
        break;
    case 8:
        if (one_in(3))
            op_kill(w);
        break;
    case 9:
        if (w->store_broken || one_in(4))
            op_store(w);
        break;
    case 10:
        op_watch(w);
        break;
    default:
        connect_node(n);
    }
}

/* ---- when all is well again ---- */

static void
show(const co_capture *c)
{
    for (size_t i = 0; i < c->part_count; i++) {
        const co_part *p = &c->parts[i];
        print_message(
            "%s on %s: %s, action %d, generation %llu, told %d forgotten %d gone %d, acked %llu of %llu\n",
            c->definition.name, p->instance->id, fc_state_name(p->status.state), (int)p->action,
            (unsigned long long)p->generation, p->told, p->forgotten, p->gone,
            (unsigned long long)p->instance->acked, (unsigned long long)p->instance->generation);
    }
    fail_msg("capture %s: deleted %d, held by %u, start %lld, window end %lld", c->definition.name,
             c->deleted, c->references, (long long)c->start.ns, (long long)c->window_end.ns);
}

static void
check_converged(world *w)
{
    struct co *co = w->f.co;
    for (const co_capture *c = co->captures.by_uid; c != NULL; c = c->hh.next) {
        if (c->deleted || c->unfinished > 0)
            show(c);
        for (size_t i = 0; i < c->part_count; i++) {
            const co_part *part = &c->parts[i];
            node *n = &w->nodes[part->instance->id[3] - '0'];
            const node_capture *known = find(n, c->uid);
            if (known == NULL)
                continue;
            assert_int_equal(known->state, part->status.state);
            assert_int_equal(known->reason, part->status.stop_reason);
            assert_int_equal(known->packets, part->status.counters.written_packets);
            /* A node that was wiped does not know any more what it had. */
            assert_true(known->segments <= part->status.segment_count);
        }
    }
    for (int i = 0; i < NODES; i++)
        for (int k = 0; k < NODE_CAPTURES; k++)
            if (w->nodes[i].captures[k].used)
                assert_non_null(co_capture_find_uid(&co->captures, w->nodes[i].captures[k].uid));
    for (const co_instance *i = co->registry.by_id; i != NULL; i = i->hh.next)
        assert_int_equal(i->acked, i->generation);
}

static void
open_world(world *w)
{
    fixture_open(&w->f,
                 "max_running_per_region: 4\nmax_running_per_instance: 4\nheartbeat: 2s\nsilent_after: 5s\n",
                 ":memory:", &ops);
    for (int i = 0; i < NODES; i++) {
        node *n = &w->nodes[i];
        n->w = w;
        n->up = true;
        n->work.fire = on_work;
        n->heartbeat.fire = on_heartbeat;
        (void)snprintf(n->id, sizeof n->id, "web%d", i);
        fc_loop_timer_after_ms(w->f.loop, &n->heartbeat, 1 + random_below(1500));
    }
}

static void
close_world(world *w)
{
    stop_watches(w);
    while (w->deletions != NULL)
        abandon(w->deletions);
    for (int i = 0; i < NODES; i++)
        if (w->nodes[i].link != NULL)
            break_link(w->nodes[i].link);
    fixture_close(&w->f);
    while (w->links != NULL) {
        struct link *l = w->links;
        w->links = l->next;
        free(l);
    }
    free(w);
}

static void
run_seed(uint64_t seed)
{
    random_state = seed * 0x9e3779b97f4a7c15u + 1;
    fixture_now_ns = 1000000000;
    world *w = FC_NEW(world);
    open_world(w);
    for (int i = 0; i < STEPS; i++) {
        step(w);
        fixture_check_folds(&w->f);
        fixture_run_ms(&w->f, random_below(one_in(8) ? 5000 : 200));
        fixture_check_folds(&w->f);
    }
    if (w->store_broken)
        op_store(w);
    stop_watches(w);
    for (int i = 0; i < NODES; i++) {
        w->nodes[i].up = true;
        if (w->nodes[i].link == NULL)
            connect_node(&w->nodes[i]);
    }
    fixture_run_ms(&w->f, 60000);
    fixture_check_folds(&w->f);
    check_converged(w);
    close_world(w);
}

static uint64_t seed_now;

static int
say_seed(void **state)
{
    (void)state;
    print_message("the last seed was %llu\n", (unsigned long long)seed_now);
    return 0;
}

static uint64_t first_seed = 1;
static uint64_t seed_count = SEEDS_DEFAULT;

static void
the_fleet_converges_whatever_happens(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + seed_count; seed++) {
        seed_now = seed;
        run_seed(seed);
    }
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_fleet_converges_whatever_happens, say_seed),
    };
    if (argc > 1)
        first_seed = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        seed_count = strtoull(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
