/* The coordinator against a fleet of simulated nodes on a fake clock: connections break, nodes and the
 * coordinator are killed, the store fails, operators create, stop and delete; when all is well again,
 * everything has converged.
 *
 * Arguments: [first seed [count]]. A failing seed is printed; run it alone with that seed and count 1.
 */
#include "test_coordinator_world.h"

#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { NAMES = 5, STEPS = 150, SEEDS_DEFAULT = 400 };

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
    fixture_kill(&w->f, &world_link_ops);
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
                 ":memory:", &world_link_ops);
    for (int i = 0; i < NODES; i++)
        start_node(&w->nodes[i], w, i);
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
    random_seed(seed);
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
