#include "node/node.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "node/reconcile.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct nd_node {
    nd_env env;                     /* first: instance captures' `changed` comes back through it */
    nd_instance_capture **captures; /* owned */
    size_t count, capacity;
    uint64_t generation;
    uint32_t lease_ms;
    fc_timer lease_timer;
    fc_task sweep_task;
    bool connected;

    bool shutting_down;
    void (*shutdown_done)(void *user); /* NULL once called */
    void *shutdown_user;

    void (*link_changed)(void *link, bool urgent);
    size_t (*link_own)(void *link, fc_endpoint *ret_endpoints, size_t max);
    void *link; /* borrowed */
};

/* ---- what instance captures need of us ---- */

static uint32_t
active_count(const nd_env *env, const nd_instance_capture *but)
{
    const nd_node *node = FC_CONTAINER(env, const nd_node, env);
    uint32_t active = 0;
    for (size_t i = 0; i < node->count; i++)
        active += node->captures[i] != but && !nd_state_final(node->captures[i]->state);
    return active;
}

static size_t
own_endpoints(void *user, fc_endpoint *ret_endpoints, size_t max)
{
    const nd_node *node = user;
    return node->link_own != NULL ? node->link_own(node->link, ret_endpoints, max) : 0;
}

static void
capture_changed(nd_env *env, nd_instance_capture *capture, bool urgent)
{
    nd_node *node = FC_CONTAINER(env, nd_node, env);
    if (nd_state_final(capture->state))
        nd_node_sweep_later(node);
    if (node->link_changed != NULL)
        node->link_changed(node->link, urgent);
}

static void
storage_recovered(void *user, const char *uid, const nd_recovery *recovery)
{
    nd_instance_capture *capture = nd_node_find(user, uid);
    if (capture != NULL)
        nd_instance_capture_recovered(capture, recovery);
}

static void
storage_hashed(void *user, const char *uid, uint32_t sequence, uint64_t size_bytes, const uint8_t sha256[32],
               const fc_fail *fail)
{
    nd_instance_capture *capture = nd_node_find(user, uid);
    if (capture == NULL)
        return;
    if (fail->err == FC_OK)
        nd_instance_capture_hashed(capture, sequence, size_bytes, sha256);
    else if (fail->err != FC_ERR_NOT_FOUND) /* a ring may have turned meanwhile */
        fc_log(FC_LOG_WARNING, "capture %s: segment %" PRIu32 " was not hashed: %s", capture->want.name,
               sequence, fail->text);
}

static const nd_storage_events storage_events = {storage_recovered, storage_hashed};

/* ---- forgetting, and the end ---- */

static bool
forgettable(const nd_node *node, const nd_instance_capture *capture)
{
    return capture->disposal != ND_ACTION_NONE && nd_state_final(capture->state) &&
           (!node->connected || capture->mark.acked >= capture->mark.revision);
}

static void
sweep(fc_task *task)
{
    nd_node *node = FC_CONTAINER(task, nd_node, sweep_task);
    size_t kept = 0, unfinished = 0;
    for (size_t i = 0; i < node->count; i++) {
        nd_instance_capture *capture = node->captures[i];
        if (!forgettable(node, capture)) {
            unfinished += !nd_state_final(capture->state);
            node->captures[kept++] = capture;
            continue;
        }
        if (capture->directory[0] != '\0')
            node->env.storage->ops->forget(node->env.storage, capture->directory,
                                           capture->disposal == ND_ACTION_PURGE);
        fc_log(FC_LOG_INFO, "capture %s (%.8s): forgotten, files %s", capture->want.name, capture->want.uid,
               capture->disposal == ND_ACTION_PURGE ? "deleted" : "kept");
        nd_instance_capture_free(capture);
    }
    node->count = kept;
    if (node->shutting_down && unfinished == 0 && node->shutdown_done != NULL) {
        void (*done)(void *user) = node->shutdown_done;
        node->shutdown_done = NULL;
        done(node->shutdown_user);
    }
}

void
nd_node_sweep_later(nd_node *node)
{
    fc_loop_post(node->env.loop, &node->sweep_task);
}

static void
stop_all(nd_node *node, fc_stop_reason reason)
{
    for (size_t i = 0; i < node->count; i++)
        nd_instance_capture_stop(node->captures[i], reason);
}

void
nd_node_shutdown(nd_node *node, void (*done)(void *user), void *user)
{
    node->shutting_down = true;
    node->shutdown_done = done;
    node->shutdown_user = user;
    stop_all(node, FC_STOP_NODE_SHUTDOWN);
    nd_node_sweep_later(node);
}

/* ---- lease ---- */

static void
lease_fire(fc_timer *timer)
{
    nd_node *node = FC_CONTAINER(timer, nd_node, lease_timer);
    if (active_count(&node->env, NULL) > 0)
        fc_log(FC_LOG_WARNING, "the lease ran out: nobody renewed it for %" PRIu32 " s",
               node->lease_ms / 1000);
    stop_all(node, FC_STOP_LEASE_EXPIRED);
}

static void
lease_run(nd_node *node, int64_t ms)
{
    fc_loop_timer_after_ms(node->env.loop, &node->lease_timer, ms);
}

void
nd_node_renew_lease(nd_node *node, uint32_t lease_ms)
{
    if (lease_ms > 0)
        node->lease_ms = lease_ms;
    lease_run(node, node->lease_ms);
    if (active_count(&node->env, NULL) > 0) {
        fc_wall now = fc_clock_wall(fc_loop_clock(node->env.loop));
        node->env.storage->ops->lease_put(node->env.storage,
                                          (fc_wall){now.ns + (int64_t)node->lease_ms * FC_NS_PER_MS});
    }
}

/* ---- reconcile ---- */

static nd_instance_capture *
add(nd_node *node, nd_desired_capture *want)
{
    if (node->count == node->capacity) {
        node->capacity = node->capacity > 0 ? 2 * node->capacity : 4;
        node->captures = fc_grow_array(node->captures, node->capacity, sizeof node->captures[0]);
    }
    nd_instance_capture *capture = nd_instance_capture_new(&node->env, want);
    node->captures[node->count++] = capture;
    return capture;
}

static void
do_step(nd_node *node, const nd_step *step)
{
    nd_instance_capture *capture = nd_node_find(node, step->uid);
    switch (step->kind) {
    case ND_STEP_ADMIT:
        nd_instance_capture_admit(add(node, step->want));
        break;
    case ND_STEP_RECORD:
        nd_instance_capture_stop(add(node, step->want), step->reason);
        break;
    case ND_STEP_GO:
        nd_instance_capture_go(capture, step->want->start, step->want->window_end);
        break;
    case ND_STEP_STOP:
        nd_instance_capture_stop(capture, step->reason);
        break;
    case ND_STEP_DISPOSE:
        capture->disposal = step->disposal;
        nd_node_sweep_later(node);
        break;
    case ND_STEP_KEEP:
        capture->disposal = ND_ACTION_NONE;
        break;
    }
}

fc_err
nd_node_apply(nd_node *node, nd_desired *desired, fc_fail *fail)
{
    if (node->shutting_down)
        return fc_fail_set(fail, FC_ERR_UNAVAILABLE, "instance %s is shutting down", node->env.identity->id);
    nd_observed *observed = fc_alloc_array(node->count, sizeof observed[0]);
    for (size_t i = 0; i < node->count; i++) {
        const nd_instance_capture *capture = node->captures[i];
        observed[i] = (nd_observed){capture->want.uid, capture->state, capture->go_known, capture->disposal};
    }
    nd_step *steps = NULL;
    size_t step_count = 0;
    nd_reconcile(desired, observed, node->count, fc_clock_wall(fc_loop_clock(node->env.loop)), &steps,
                 &step_count);
    node->generation = desired->generation;
    for (size_t i = 0; i < node->count; i++)
        node->captures[i]->status.generation = desired->generation;
    for (size_t i = 0; i < step_count; i++)
        do_step(node, &steps[i]);
    for (size_t i = 0; i < node->count; i++)
        node->captures[i]->status.generation = desired->generation;
    free(steps);
    free(observed);
    nd_node_renew_lease(node, desired->lease_ms);
    return FC_OK;
}

/* ---- life ---- */

nd_node *
nd_node_new(const nd_node_options *options)
{
    nd_node *node = FC_NEW(nd_node);
    node->env = (nd_env){
        .loop = options->loop,
        .backend = options->backend,
        .storage = options->storage,
        .identity = options->identity,
        .policy = options->policy,
        .captures_dir = options->captures_dir,
        .ring_bytes = options->ring_bytes,
        .interfaces = options->interfaces,
        .context = options->context,
        .own = own_endpoints,
        .own_user = node,
        .active = active_count,
        .changed = capture_changed,
    };
    node->lease_ms = ND_LEASE_DEFAULT_MS;
    node->lease_timer.fire = lease_fire;
    node->sweep_task.run = sweep;
    options->storage->events = &storage_events;
    options->storage->user = node;
    return node;
}

void
nd_node_free(nd_node *node)
{
    if (node == NULL)
        return;
    node->env.storage->events = NULL;
    for (size_t i = 0; i < node->count; i++)
        nd_instance_capture_free(node->captures[i]);
    fc_loop_timer_clear(node->env.loop, &node->lease_timer);
    fc_loop_withdraw(node->env.loop, &node->sweep_task);
    free(node->captures);
    free(node);
}

typedef struct restore {
    nd_node *node;
    fc_wall lease_end;
} restore;

static void
restore_one(const char *directory, nd_desired_capture *want, fc_status *status, void *user)
{
    const restore *r = user;
    (void)directory;
    if (nd_node_find(r->node, want->uid) != NULL)
        return;
    nd_instance_capture_restore(add(r->node, want), status, r->lease_end);
}

fc_err
nd_node_start(nd_node *node, fc_fail *fail)
{
    nd_storage *storage = node->env.storage;
    fc_wall now = fc_clock_wall(fc_loop_clock(node->env.loop));
    restore r = {.node = node, .lease_end = storage->ops->lease_get(storage)};
    fc_err err = storage->ops->scan(storage, restore_one, &r, fail);
    int64_t left_ms = (r.lease_end.ns - now.ns) / FC_NS_PER_MS;
    /* What nobody has renewed for a while is not renewed by a restart. */
    lease_run(node,
              r.lease_end.ns != 0 && left_ms < node->lease_ms ? (left_ms > 0 ? left_ms : 0) : node->lease_ms);
    return err;
}

void
nd_node_set_link(nd_node *node, void (*changed)(void *link, bool urgent),
                 size_t (*own)(void *link, fc_endpoint *ret_endpoints, size_t max), void *link)
{
    node->link_changed = changed;
    node->link_own = own;
    node->link = link;
}

void
nd_node_set_connected(nd_node *node, bool connected)
{
    node->connected = connected;
    nd_node_sweep_later(node);
}

uint64_t
nd_node_generation(const nd_node *node)
{
    return node->generation;
}

const nd_identity *
nd_node_identity(const nd_node *node)
{
    return node->env.identity;
}

nd_storage *
nd_node_storage(const nd_node *node)
{
    return node->env.storage;
}

fc_loop *
nd_node_loop(const nd_node *node)
{
    return node->env.loop;
}

size_t
nd_node_capture_count(const nd_node *node)
{
    return node->count;
}

nd_instance_capture *
nd_node_capture(const nd_node *node, size_t index)
{
    return node->captures[index];
}

nd_instance_capture *
nd_node_find(const nd_node *node, const char *uid)
{
    for (size_t i = 0; i < node->count; i++)
        if (strcmp(node->captures[i]->want.uid, uid) == 0)
            return node->captures[i];
    return NULL;
}
