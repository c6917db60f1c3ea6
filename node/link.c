#include "node/link.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/model/protocol.h"
#include "common/tls/tls.h"
#include "node/endpoint.h"
#include "node/refusal.h"
#include "node/report.h"
#include "node/service.h"
#include "node/worker.h"

#include <fleetcap/v1/coordinator_service.pb-c.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { INTERVAL_MIN_MS = 100, INTERVAL_MAX_MS = 3600000 };

struct nd_link {
    fc_loop *loop;         /* borrowed */
    nd_node *node;         /* borrowed */
    fc_rpc_client *client; /* owned */
    fc_rpc_backoff backoff;
    fc_rpc_service service;
    fc_rpc_conn *conn; /* weak: cleared by on_close */
    bool ready;
    fc_rpc_call *hello, *report, *heartbeat, *evidence; /* weak: cleared by their on_closed */
    fc_protocol_peer peer;                              /* the coordinator, since Hello */
    bool no_evidence;                                   /* it takes none */
    fc_mono evidence_from; /* not before: a fleet that is back at once must not tell all at once */

    uint32_t heartbeat_ms, report_interval_ms;
    fc_timer heartbeat_timer, report_timer, refused_timer, evidence_timer;
    fc_task report_task; /* changes of one round of the loop go in one Report */
    fc_mono reported_at;
    bool urgent;

    bool hello_refused; /* on this connection */
    nd_refusal refusal;

    char *host; /* owned */
    uint16_t port;
    bool numeric;
    nd_worker *worker; /* owned; NULL when the coordinator's address is a number */
    fc_endpoint own[ND_ENDPOINTS_MAX];
    size_t own_count;

    void (*flushed)(void *user); /* NULL = nobody waits */
    void *flushed_user;          /* borrowed */
    fc_timer flush_timer;
};

static uint32_t
clamp_ms(uint32_t ms, uint32_t otherwise)
{
    return ms == 0                ? otherwise
           : ms < INTERVAL_MIN_MS ? INTERVAL_MIN_MS
           : ms > INTERVAL_MAX_MS ? INTERVAL_MAX_MS
                                  : ms;
}

static uint32_t
random_below(uint32_t limit)
{
    uint32_t number = 0;
    if (limit == 0 || getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return 0;
    return number % limit;
}

/* ---- reports ---- */

static void
send_report(nd_link *link);
static void
send_evidence(nd_link *link);

static void
flush_done(nd_link *link)
{
    void (*done)(void *user) = link->flushed;
    if (done == NULL)
        return;
    link->flushed = NULL;
    fc_loop_timer_clear(link->loop, &link->flush_timer);
    done(link->flushed_user);
}

static void
report_later(nd_link *link)
{
    fc_mono now = fc_loop_now(link->loop);
    fc_mono due = fc_mono_after_ms(link->reported_at, link->report_interval_ms);
    fc_mono soonest = fc_mono_after_ms(now, ND_COALESCE_MS);
    if (link->report_timer.slot == 0)
        fc_loop_timer_set(link->loop, &link->report_timer, due.ns > soonest.ns ? due : soonest);
}

static void
node_changed(void *user, bool urgent)
{
    nd_link *link = user;
    if (!link->ready)
        return;
    if (urgent) {
        link->urgent = true;
        fc_loop_post(link->loop, &link->report_task);
    } else {
        report_later(link);
    }
}

static void
report_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    nd_link *link = fc_rpc_call_user(call);
    link->report = NULL;
    if (status->code != FC_CODE_OK) {
        nd_report_lost(link->node);
        if (link->ready && status->code != FC_CODE_UNAVAILABLE) {
            fc_log(FC_LOG_WARNING, "a report was not taken: %s", status->message);
            report_later(link);
        }
        return;
    }
    nd_report_acked(link->node);
    if (!link->ready)
        return;
    if (link->urgent)
        send_report(link);
    else if (nd_report_pending(link->node))
        report_later(link);
    else
        send_evidence(link);
}

static const fc_rpc_call_ops report_ops = {.on_closed = report_closed};

static void
send_report(nd_link *link)
{
    if (!link->ready || link->report != NULL)
        return; /* the answer to the one under way brings us back */
    Fcpb__ReportRequest *report = nd_report_next(link->node);
    link->urgent = false;
    if (report == NULL) {
        send_evidence(link);
        return;
    }
    fc_loop_timer_clear(link->loop, &link->report_timer);
    link->reported_at = fc_loop_now(link->loop);
    link->report =
        fc_rpc_call_new(link->conn, FC_METHOD_REPORT, &report->base, ND_HELLO_MS, &report_ops, link);
    protobuf_c_message_free_unpacked(&report->base, NULL);
    send_evidence(link);
}

static void
report_run(fc_task *task)
{
    send_report(FC_CONTAINER(task, nd_link, report_task));
}

static void
report_fire(fc_timer *timer)
{
    send_report(FC_CONTAINER(timer, nd_link, report_timer));
}

/* ---- evidence ---- */

/* What a coordinator says to an item that it will not take however often it comes. */
static bool
refused_for_good(fc_code code)
{
    return code == FC_CODE_NOT_FOUND || code == FC_CODE_INVALID_ARGUMENT || code == FC_CODE_PERMISSION_DENIED;
}

static void
evidence_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    nd_link *link = fc_rpc_call_user(call);
    link->evidence = NULL;
    bool for_good = refused_for_good(status->code);
    if (for_good)
        fc_log(FC_LOG_WARNING, "evidence was not taken: %s", status->message);
    if (status->code == FC_CODE_OK || for_good)
        nd_report_evidence_acked(link->node);
    else
        nd_report_evidence_lost(link->node);
    if (status->code == FC_CODE_UNIMPLEMENTED) {
        fc_log(FC_LOG_NOTICE, "this coordinator takes no evidence");
        link->no_evidence = true;
    }
    if (status->code == FC_CODE_OK || for_good || link->no_evidence)
        send_evidence(link);
    else if (link->ready)
        fc_loop_timer_after_ms(link->loop, &link->evidence_timer, ND_EVIDENCE_MS);
}

static const fc_rpc_call_ops evidence_ops = {.on_closed = evidence_closed};

/* The next item, behind whatever is to be reported: so the last profile of a capture arrives with its end. */
static void
send_evidence(nd_link *link)
{
    if (!link->ready || link->evidence != NULL || link->urgent)
        return;
    if (link->no_evidence || !nd_report_evidence_pending(link->node)) {
        if (link->report == NULL && !nd_report_pending(link->node))
            flush_done(link);
        return;
    }
    fc_mono now = fc_loop_now(link->loop);
    bool wait = now.ns < link->evidence_from.ns && link->flushed == NULL;
    Fcpb__ReportEvidenceRequest *request = wait ? NULL : nd_report_evidence_next(link->node, now);
    if (request == NULL) { /* not yet */
        fc_loop_timer_after_ms(link->loop, &link->evidence_timer, ND_EVIDENCE_MS);
        return;
    }
    link->evidence = fc_rpc_call_new(link->conn, FC_METHOD_REPORT_EVIDENCE, &request->base, ND_HELLO_MS,
                                     &evidence_ops, link);
    protobuf_c_message_free_unpacked(&request->base, NULL);
}

static void
evidence_fire(fc_timer *timer)
{
    send_evidence(FC_CONTAINER(timer, nd_link, evidence_timer));
}

/* ---- heartbeats ---- */

static void
heartbeat_message(fc_rpc_call *call, const ProtobufCMessage *message)
{
    nd_link *link = fc_rpc_call_user(call);
    nd_node_renew_lease(link->node, ((const Fcpb__HeartbeatResponse *)message)->lease_ms);
}

static void
heartbeat_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    nd_link *link = fc_rpc_call_user(call);
    link->heartbeat = NULL;
    if (status->code != FC_CODE_OK && status->code != FC_CODE_UNAVAILABLE)
        fc_log(FC_LOG_WARNING, "a heartbeat was not answered: %s", status->message);
}

static const fc_rpc_call_ops heartbeat_ops = {.on_message = heartbeat_message, .on_closed = heartbeat_closed};

static void
heartbeat_fire(fc_timer *timer)
{
    nd_link *link = FC_CONTAINER(timer, nd_link, heartbeat_timer);
    fc_loop_timer_after_ms(link->loop, &link->heartbeat_timer, link->heartbeat_ms);
    if (link->heartbeat != NULL)
        return;
    Fcpb__HeartbeatRequest request = FCPB__HEARTBEAT_REQUEST__INIT;
    request.generation = nd_node_generation(link->node);
    link->heartbeat =
        fc_rpc_call_new(link->conn, FC_METHOD_HEARTBEAT, &request.base, ND_HELLO_MS, &heartbeat_ops, link);
}

/* ---- hello ---- */

static void
try_later(nd_link *link, fc_code code)
{
    uint32_t random = random_below(UINT32_MAX);
    link->hello_refused = true;
    fc_loop_timer_after_ms(link->loop, &link->refused_timer,
                           nd_refusal_wait_ms(&link->refusal, code, random));
}

static void
hello_message(fc_rpc_call *call, const ProtobufCMessage *message)
{
    nd_link *link = fc_rpc_call_user(call);
    const Fcpb__HelloResponse *hello = (const Fcpb__HelloResponse *)message;
    fc_fail fail = {0};
    if (fc_protocol_accept(hello->protocol_version, &fail) != FC_OK) {
        if (nd_refusal_is_news(&link->refusal, fail.text))
            fc_log(FC_LOG_ERROR, "%s", fail.text);
        try_later(link, FC_CODE_FAILED_PRECONDITION);
        return;
    }
    fc_protocol_meet(hello->protocol_version, hello->features, hello->n_features, &link->peer);
    link->heartbeat_ms = clamp_ms(hello->heartbeat_ms, ND_HEARTBEAT_MS);
    link->report_interval_ms = clamp_ms(hello->report_interval_ms, ND_REPORT_INTERVAL_MS);
    link->ready = true;
    link->refusal = (nd_refusal){0};
    link->no_evidence = !nd_link_can(link, FC_FEATURE_EVIDENCE);
    link->evidence_from = fc_mono_after_ms(fc_loop_now(link->loop), random_below(ND_EVIDENCE_SPREAD_MS));
    nd_node_renew_lease(link->node, hello->lease_ms);
    nd_node_set_connected(link->node, true);
    nd_report_all(link->node);
    /* The first heartbeats of a fleet that came back at once are spread. */
    fc_loop_timer_after_ms(link->loop, &link->heartbeat_timer, 1 + random_below(link->heartbeat_ms));
    fc_log(FC_LOG_INFO, "connected to coordinator %s of fleet %.63s", fc_rpc_conn_address(link->conn),
           hello->fleet_id);
    if (link->no_evidence)
        fc_log(FC_LOG_NOTICE, "this coordinator takes no evidence");
    send_report(link);
}

static void
hello_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    nd_link *link = fc_rpc_call_user(call);
    link->hello = NULL;
    if (status->code == FC_CODE_OK || link->conn == NULL || status->code == FC_CODE_UNAVAILABLE)
        return; /* on_close follows, where it was the connection */
    if (nd_refusal_is_news(&link->refusal, status->message))
        fc_log(FC_LOG_ERROR, "the coordinator refuses this instance: %s", status->message);
    try_later(link, status->code);
}

static const fc_rpc_call_ops hello_ops = {.on_message = hello_message, .on_closed = hello_closed};

static void
refused_fire(fc_timer *timer)
{
    nd_link *link = FC_CONTAINER(timer, nd_link, refused_timer);
    if (link->conn != NULL)
        fc_rpc_conn_close(link->conn, FC_CODE_UNAVAILABLE, "Hello was refused");
}

/* Copies: the message owns them. */
static void
announce(Fcpb__HelloRequest *hello)
{
    char *names[FC_FEATURES_MAX];
    hello->n_features = fc_protocol_announce(names);
    hello->features = fc_alloc_array(hello->n_features + 1, sizeof hello->features[0]);
    for (size_t i = 0; i < hello->n_features; i++)
        hello->features[i] = fc_strdup(names[i]);
}

static void
say_hello(nd_link *link)
{
    if (link->conn == NULL || link->hello != NULL || link->ready)
        return;
    Fcpb__HelloRequest *hello = nd_report_hello(link->node);
    hello->protocol_version = fc_protocol_here.version;
    hello->protocol_version_min = fc_protocol_here.version_min;
    announce(hello);
    link->hello = fc_rpc_call_new(link->conn, FC_METHOD_HELLO, &hello->base, ND_HELLO_MS, &hello_ops, link);
    protobuf_c_message_free_unpacked(&hello->base, NULL);
}

/* ---- the coordinator's addresses ---- */

typedef struct resolve_job {
    nd_job job; /* first */
    nd_link *link;
    char *host; /* owned */
    fc_endpoint endpoints[ND_ENDPOINTS_MAX];
    size_t count;
    fc_fail fail;
} resolve_job;

static void
resolve_work(nd_job *job, const atomic_bool *giving_up)
{
    resolve_job *r = FC_CONTAINER(job, resolve_job, job);
    (void)giving_up;
    if (nd_endpoint_resolve(r->host, r->link->port, false, r->endpoints, &r->count, &r->fail) != FC_OK)
        r->count = 0;
}

static void
resolve_done(nd_job *job)
{
    resolve_job *r = FC_CONTAINER(job, resolve_job, job);
    if (r->count == 0)
        fc_log(FC_LOG_WARNING, "captures may see our own traffic: %s", r->fail.text);
    nd_endpoint_merge(r->link->own, &r->link->own_count, r->endpoints, r->count);
    say_hello(r->link);
}

static void
resolve_drop(nd_job *job)
{
    resolve_job *r = FC_CONTAINER(job, resolve_job, job);
    free(r->host);
    free(r);
}

/* Before Hello, so that no capture is told to start before we know what to leave out. */
static void
resolve_then_hello(nd_link *link)
{
    if (link->numeric) {
        say_hello(link);
        return;
    }
    resolve_job *r = FC_NEW(resolve_job);
    r->job = (nd_job){.work = resolve_work, .done = resolve_done, .drop = resolve_drop};
    r->link = link;
    r->host = fc_strdup(link->host);
    nd_worker_submit(link->worker, &r->job);
}

static size_t
own_endpoints(void *user, fc_endpoint *ret_endpoints, size_t max)
{
    const nd_link *link = user;
    size_t count = link->own_count < max ? link->own_count : max;
    memcpy(ret_endpoints, link->own, count * sizeof ret_endpoints[0]);
    return count;
}

/* ---- connections ---- */

static void
on_open(fc_rpc_conn *conn, void *user)
{
    nd_link *link = user;
    link->conn = conn;
    link->hello_refused = false;
    resolve_then_hello(link);
}

static void
on_close(fc_rpc_conn *conn, const fc_rpc_status *why, void *user)
{
    nd_link *link = user;
    (void)conn;
    if (link->ready || (!link->hello_refused && nd_refusal_is_news(&link->refusal, why->message)))
        fc_log(FC_LOG_NOTICE, "connection to the coordinator lost: %s", why->message);
    link->conn = NULL;
    link->peer = (fc_protocol_peer){0};
    link->ready = false;
    link->urgent = false;
    fc_loop_timer_clear(link->loop, &link->heartbeat_timer);
    fc_loop_timer_clear(link->loop, &link->report_timer);
    fc_loop_timer_clear(link->loop, &link->refused_timer);
    fc_loop_timer_clear(link->loop, &link->evidence_timer);
    nd_report_lost(link->node);
    nd_report_evidence_lost(link->node);
    nd_node_set_connected(link->node, false);
    flush_done(link);
}

static void
on_connect_failed(const fc_fail *why, uint64_t retry_ms, void *user)
{
    nd_link *link = user;
    fc_log_level level = nd_refusal_is_news(&link->refusal, why->text) ? FC_LOG_WARNING : FC_LOG_DEBUG;
    fc_log(level, "%s; trying again in %" PRIu64 " ms", why->text, retry_ms);
}

static const fc_rpc_conn_ops conn_ops = {
    .on_open = on_open, .on_close = on_close, .on_connect_failed = on_connect_failed};

/* ---- life ---- */

static void
flush_fire(fc_timer *timer)
{
    flush_done(FC_CONTAINER(timer, nd_link, flush_timer));
}

void
nd_link_flush(nd_link *link, uint32_t wait_ms, void (*done)(void *user), void *user)
{
    bool told = link->report == NULL && !nd_report_pending(link->node) &&
                (link->no_evidence || !nd_report_evidence_pending(link->node));
    bool nothing = !link->ready || told;
    link->flushed = done;
    link->flushed_user = user;
    fc_loop_timer_after_ms(link->loop, &link->flush_timer, nothing ? 0 : wait_ms);
    if (!nothing)
        node_changed(link, true);
}

static fc_err
find_coordinator(nd_link *link, const char *coordinator, fc_fail *fail)
{
    fc_fail why = {0};
    fc_err err = nd_endpoint_split(coordinator, &link->host, &link->port, fail);
    if (err != FC_OK)
        return err;
    link->numeric =
        nd_endpoint_resolve(link->host, link->port, true, link->own, &link->own_count, NULL) == FC_OK;
    if (link->numeric)
        return FC_OK;
    /* Captures that go on after a restart need to know it before there is a connection. */
    if (nd_endpoint_resolve(link->host, link->port, false, link->own, &link->own_count, &why) != FC_OK)
        fc_log(FC_LOG_WARNING, "%s", why.text);
    return nd_worker_new(link->loop, &link->worker, fail);
}

fc_err
nd_link_new(const nd_link_options *options, nd_link **ret_link, fc_fail *fail)
{
    nd_link *link = FC_NEW(nd_link);
    link->loop = options->loop;
    link->node = options->node;
    link->heartbeat_ms = ND_HEARTBEAT_MS;
    link->report_interval_ms = ND_REPORT_INTERVAL_MS;
    link->heartbeat_timer.fire = heartbeat_fire;
    link->report_timer.fire = report_fire;
    link->refused_timer.fire = refused_fire;
    link->evidence_timer.fire = evidence_fire;
    link->flush_timer.fire = flush_fire;
    link->report_task.run = report_run;
    link->service = (fc_rpc_service){nd_service_handlers, nd_service_handler_count, options->node};
    fc_rpc_options rpc = {.loop = options->loop,
                          .tls = options->tls,
                          .identify = options->identify != NULL ? options->identify : fc_tls_identify,
                          .services = &link->service,
                          .service_count = 1,
                          .ops = &conn_ops,
                          .user = link,
                          .explain = options->explain_tls != NULL ? fc_tls_last_failure : NULL,
                          .refused = options->explain_tls != NULL ? fc_tls_refused : NULL,
                          .explain_tls = options->explain_tls};
    link->backoff = options->backoff;
    if (link->backoff.first_ms == 0)
        link->backoff.first_ms = ND_BACKOFF_FIRST_MS;
    if (link->backoff.max_ms == 0)
        link->backoff.max_ms = ND_BACKOFF_MAX_MS;
    fc_err err = find_coordinator(link, options->coordinator, fail);
    if (err == FC_OK) {
        nd_node_set_link(options->node, node_changed, own_endpoints, link);
        err = fc_rpc_client_new(&rpc, options->coordinator, &link->backoff, &link->client, fail);
    }
    if (err != FC_OK)
        nd_link_free(link);
    else
        *ret_link = link;
    return err;
}

void
nd_link_free(nd_link *link)
{
    if (link == NULL)
        return;
    link->ready = false;
    fc_rpc_client_free(link->client);
    nd_node_set_link(link->node, NULL, NULL, NULL);
    nd_worker_free(link->worker);
    fc_loop_withdraw(link->loop, &link->report_task);
    fc_loop_timer_clear(link->loop, &link->heartbeat_timer);
    fc_loop_timer_clear(link->loop, &link->report_timer);
    fc_loop_timer_clear(link->loop, &link->refused_timer);
    fc_loop_timer_clear(link->loop, &link->evidence_timer);
    fc_loop_timer_clear(link->loop, &link->flush_timer);
    free(link->host);
    free(link);
}

bool
nd_link_ready(const nd_link *link)
{
    return link->ready;
}

void
nd_link_rest(nd_link *link, bool rest)
{
    static const fc_rpc_backoff resting = {.first_ms = ND_BACKOFF_REST_MS, .max_ms = ND_BACKOFF_REST_MS};
    fc_rpc_client_set_backoff(link->client, rest ? &resting : &link->backoff);
}

void
nd_link_retry(nd_link *link)
{
    link->refusal = (nd_refusal){0};
    if (link->refused_timer.slot != 0)
        refused_fire(&link->refused_timer);
    fc_rpc_client_retry(link->client);
}

fc_rpc_call *
nd_link_call(nd_link *link, fc_method_id method, const ProtobufCMessage *message, uint32_t timeout_ms,
             const fc_rpc_call_ops *ops, void *user)
{
    return link->ready ? fc_rpc_call_new(link->conn, method, message, timeout_ms, ops, user) : NULL;
}

bool
nd_link_can(const nd_link *link, fc_feature feature)
{
    return fc_protocol_can(&link->peer, feature);
}
