/* CoordinatorService, and the coordinator's side of NodeService/SetDesired: a node's link. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/model/protocol.h"
#include "coordinator/service.h"

#include "fleetcap/v1/coordinator_service.pb-c.h"
#include "fleetcap/v1/node_service.pb-c.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PUSH_TIMEOUT_MS = 10000 };

/* No node gets there by counting; one that says so would end the counting. */
#define GENERATION_MAX (UINT64_C(1) << 62)

/* A node's connection. */
typedef struct co_link {
    co_service *service;   /* borrowed */
    fc_rpc_conn *conn;     /* borrowed: outlives it */
    co_instance *instance; /* borrowed from the registry; NULL before Hello */
    uint64_t acked;        /* of the push under way: what the node answered */
    fc_protocol_peer peer; /* what was agreed in Hello */
} co_link;

fc_rpc_conn *
co_link_conn(const void *link)
{
    return ((const co_link *)link)->conn;
}

bool
co_link_can(const void *link, fc_feature feature)
{
    return fc_protocol_can(&((const co_link *)link)->peer, feature);
}

co_instance *
co_speaker(fc_rpc_call *call, co_service *service)
{
    co_link *link = fc_rpc_conn_user(fc_rpc_call_conn(call));
    if (link != NULL && link->instance != NULL && link->instance->link == link) {
        co_registry_heard(service->co, link->instance);
        return link->instance;
    }
    service->co->counters.calls_before_hello++;
    fc_fail fail = {0};
    (void)fc_fail_set(&fail, FC_ERR_STATE, "Hello has to be the first call of a connection");
    fc_rpc_call_fail(call, &fail);
    return NULL;
}

/* ---- Hello ---- */

static fc_err
check_hello(co_service *service, const fc_principal *peer, const Fcpb__HelloRequest *request,
            uint32_t *ret_version, fc_fail *fail)
{
    co_counters *counters = &service->co->counters;
    fc_err err =
        fc_protocol_agree(request->protocol_version_min, request->protocol_version, ret_version, fail);
    if (err != FC_OK) {
        counters->hellos_version++;
        return err;
    }
    if (request->instance == NULL || request->generation > GENERATION_MAX ||
        request->instance->n_labels > CO_LABELS_MAX) {
        counters->hellos_invalid++;
        return fc_fail_set(fail, FC_ERR_INVALID, "Hello without an instance, or with more than %d labels",
                           CO_LABELS_MAX);
    }
    if (strcmp(request->instance->id, peer->name) != 0) {
        counters->hellos_denied++;
        return fc_fail_set(fail, FC_ERR_DENIED, "the certificate is of node/%s, not of '%.80s'", peer->name,
                           request->instance->id);
    }
    return co_enrolment_check_peer(service->co, peer, fail);
}

static fc_err
admit(co_service *service, co_link *link, const Fcpb__HelloRequest *request, co_instance **ret_instance,
      fc_fail *fail)
{
    const Fcpb__Instance *said = request->instance;
    const fc_principal *peer = fc_rpc_conn_peer(link->conn);
    fc_labels labels = {0};
    for (size_t i = 0; i < said->n_labels; i++)
        fc_labels_set(&labels, said->labels[i]->key, said->labels[i]->value);
    co_facts facts = {
        .id = said->id,
        .name = said->name[0] != '\0' ? said->name : said->id,
        .scale_set = peer->scale_set[0] != '\0' ? peer->scale_set : said->scale_set,
        .region = peer->region[0] != '\0' ? peer->region : said->region,
        .zone = said->zone,
        .version = request->version,
        .boot_id = said->boot_id,
        .address = fc_rpc_conn_address(link->conn),
        .labels = &labels,
    };
    fc_err err = co_registry_admit(service->co, &facts, ret_instance, fail);
    if (err == FC_ERR_INVALID)
        service->co->counters.hellos_invalid++;
    if (err == FC_OK)
        co_enrolment_seen(service->co, *ret_instance, peer);
    fc_labels_fini(&labels);
    return err;
}

/* What the node can do, for as long as this connection lives. */
static void
meet(co_service *service, co_link *link, uint32_t version, const Fcpb__HelloRequest *request)
{
    fc_protocol_meet(version, request->features, request->n_features, &link->peer);
    service->co->counters.features_unknown += link->peer.unknown;
}

static void
answer_hello(co_service *service, const co_link *link, fc_rpc_call *call)
{
    const co_config *config = service->co->config;
    char *features[FC_FEATURES_MAX];
    Fcpb__HelloResponse answer = FCPB__HELLO_RESPONSE__INIT;
    answer.protocol_version = link->peer.version;
    answer.n_features = fc_protocol_announce(features);
    answer.features = features;
    answer.version = (char *)FC_VERSION;
    answer.fleet_id = service->co->fleet;
    answer.lease_ms = (uint32_t)config->lease_ms;
    answer.heartbeat_ms = (uint32_t)config->heartbeat_ms;
    answer.report_interval_ms = (uint32_t)config->report_interval_ms;
    answer.scale_set = link->instance->scale_set;
    answer.region = link->instance->region;
    fc_rpc_call_reply(call, &answer.base);
}

static void
refuse_hello(co_service *service, fc_rpc_call *call, const fc_fail *fail)
{
    char who[FC_PRINCIPAL_TEXT_SIZE];
    co_caller(call, who);
    co_refused_log(service->co, CO_REFUSED_HELLO, "%s (%s) refused: %s", who,
                   fc_rpc_conn_address(fc_rpc_call_conn(call)), fail->text);
    co_persist_refusal(service->co, who, "hello", "-", fail->err, fail->text);
    fc_rpc_call_fail(call, fail);
}

static void
on_hello(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__HelloRequest *request = (const Fcpb__HelloRequest *)message;
    co_service *service = user;
    struct co *co = service->co;
    co_link *link = fc_rpc_conn_user(fc_rpc_call_conn(call));
    co_instance *instance = NULL;
    uint32_t version = 0;
    fc_fail fail = {0};
    fc_err err = check_hello(service, fc_rpc_conn_peer(link->conn), request, &version, &fail);
    if (err == FC_OK)
        err = admit(service, link, request, &instance, &fail);
    if (err != FC_OK) {
        refuse_hello(service, call, &fail);
        return;
    }
    bool again = link->instance != NULL;
    link->instance = instance;
    co->counters.hellos_accepted++;
    meet(service, link, version, request);
    answer_hello(service, link, call);
    co_registry_join(co, instance, link);
    co_reconcile_hello(co, instance, request->generation);
    for (size_t i = 0; i < request->n_captures; i++)
        if (fc_uid_check(request->captures[i]->capture_uid))
            co_reconcile_digest(co, instance, request->captures[i]->capture_uid);
    co_reconcile_joined(co, instance);
    if (!again)
        fc_log(FC_LOG_INFO, "instance %s is online from %s", instance->id, instance->address);
}

/* ---- Report ---- */

typedef struct report_wait {
    co_flush_wait wait;
    struct co *co;     /* borrowed */
    fc_rpc_call *call; /* borrowed */
} report_wait;

static void
on_report_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    (void)status;
    report_wait *waiting = fc_rpc_call_user(call);
    co_persist_unwait(waiting->co, &waiting->wait);
    free(waiting);
}

static const fc_rpc_call_ops report_ops = {.on_closed = on_report_closed};

static void
answer_report(fc_rpc_call *call)
{
    Fcpb__ReportResponse answer = FCPB__REPORT_RESPONSE__INIT;
    fc_rpc_call_reply(call, &answer.base);
}

static void
on_report_stored(co_flush_wait *wait, fc_err err, const fc_fail *fail)
{
    report_wait *waiting = FC_CONTAINER(wait, report_wait, wait);
    if (err == FC_OK)
        answer_report(waiting->call);
    else
        fc_rpc_call_fail(waiting->call, fail);
}

static void
answer_when_stored(struct co *co, fc_rpc_call *call)
{
    report_wait *waiting = FC_NEW(report_wait);
    waiting->wait.done = on_report_stored;
    waiting->co = co;
    waiting->call = call;
    fc_rpc_call_set(call, &report_ops, waiting);
    co_persist_wait(co, &waiting->wait);
}

static fc_err
take_report(struct co *co, co_instance *instance, const Fcpb__InstanceCapture *said, bool *ret_durable,
            fc_fail *fail)
{
    fc_status status;
    fc_err err = fc_status_from_pb(said, &status, fail);
    if (err == FC_OK && (status.state < FC_STATE_PENDING || status.state > FC_STATE_FAILED)) {
        err = fc_fail_set(fail, FC_ERR_INVALID, "a node cannot report state %s", fc_state_name(status.state));
        fc_status_fini(&status);
    }
    if (err != FC_OK) {
        co->counters.reports_invalid++;
        return err;
    }
    co_part *part = co_part_find(instance, status.capture_uid);
    if (part == NULL) {
        /* The next push does not name it, so that the node forgets it. */
        co->counters.reports_unknown++;
        fc_status_fini(&status);
        return FC_OK;
    }
    co_part_report(co, part, &status, ret_durable);
    return FC_OK;
}

static void
on_report(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__ReportRequest *request = (const Fcpb__ReportRequest *)message;
    co_service *service = user;
    co_instance *instance = co_speaker(call, service);
    if (instance == NULL)
        return;
    fc_fail fail = {0};
    bool must_store = false;
    for (size_t i = 0; i < request->n_captures; i++) {
        fc_fail why = {0};
        bool durable = false;
        if (take_report(service->co, instance, request->captures[i], &durable, &why) != FC_OK)
            fail = why;
        must_store = must_store || durable;
    }
    if (fail.err != FC_OK) {
        co_refused_log(service->co, CO_REFUSED_REPORT, "instance %s: report refused: %s", instance->id,
                       fail.text);
        fc_rpc_call_fail(call, &fail);
    } else if (must_store) {
        answer_when_stored(service->co, call);
    } else {
        answer_report(call);
    }
}

/* ---- Heartbeat ---- */

static void
on_heartbeat(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__HeartbeatRequest *request = (const Fcpb__HeartbeatRequest *)message;
    co_service *service = user;
    co_instance *instance = co_speaker(call, service);
    if (instance == NULL)
        return;
    co_reconcile_applied(service->co, instance, request->generation);
    Fcpb__HeartbeatResponse answer = FCPB__HEARTBEAT_RESPONSE__INIT;
    answer.lease_ms = (uint32_t)service->co->config->lease_ms;
    fc_rpc_call_reply(call, &answer.base);
}

const fc_rpc_handler co_node_handlers[] = {
    {.method = FC_METHOD_HELLO, .request = on_hello},
    {.method = FC_METHOD_REPORT, .request = on_report},
    {.method = FC_METHOD_HEARTBEAT, .request = on_heartbeat},
    {.method = FC_METHOD_REPORT_EVIDENCE, .request = co_rpc_report_evidence},
};
const size_t co_node_handler_count = FC_COUNT(co_node_handlers);

/* ---- SetDesired ---- */

static void
on_push_message(fc_rpc_call *call, const ProtobufCMessage *message)
{
    co_link *link = fc_rpc_call_user(call);
    link->acked = ((const Fcpb__DesiredAck *)message)->generation;
}

static void
on_push_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    co_link *link = fc_rpc_call_user(call);
    co_instance *instance = link->instance;
    if (instance == NULL || instance->link != link)
        return; /* a newer connection has its own push */
    if (status->code == FC_CODE_OK) {
        co_reconcile_acked(link->service->co, instance, link->acked);
        return;
    }
    co_refused_log(link->service->co, CO_REFUSED_DESIRED, "instance %s did not take its desired state: %s",
                   instance->id, status->message);
    co_reconcile_push_failed(link->service->co, instance);
}

static const fc_rpc_call_ops push_ops = {.on_message = on_push_message, .on_closed = on_push_closed};

static Fcpb__DesiredCapture *
desired_message(const co_part *part, const co_desired *desired)
{
    const co_capture *capture = part->capture;
    Fcpb__DesiredCapture *message = FC_NEW(Fcpb__DesiredCapture);
    fcpb__desired_capture__init(message);
    message->capture_uid = fc_strdup(capture->uid);
    message->capture_name = fc_strdup(capture->definition.name);
    message->action = (Fcpb__DesiredAction)desired->action;
    message->created_unix_ns = capture->created.ns;
    message->start_unix_ns = desired->start_unix_ns;
    message->window_end_unix_ns = desired->window_end_unix_ns;
    message->stop_reason = (Fcpb__StopReason)desired->stop_reason;
    if (!desired->with_spec)
        return message;
    message->spec = fc_spec_to_pb(&capture->definition.spec);
    if (capture->definition.governance.incident_id != NULL)
        message->incident_id = fc_strdup(capture->definition.governance.incident_id);
    return message;
}

static void
push(void *user, co_instance *instance)
{
    co_link *link = user;
    co_link_clock clock = co_rpc_link_ops.clock(link);
    Fcpb__DesiredState *state = FC_NEW(Fcpb__DesiredState);
    fcpb__desired_state__init(state);
    state->generation = instance->generation;
    state->lease_ms = (uint32_t)link->service->co->config->lease_ms;
    state->captures = fc_alloc_array(instance->part_count + 1, sizeof state->captures[0]);
    for (co_part *part = instance->parts; part != NULL; part = part->next) {
        co_desired desired;
        if (co_reconcile_tell(part, &clock, &desired))
            state->captures[state->n_captures++] = desired_message(part, &desired);
    }
    link->acked = 0;
    (void)fc_rpc_call_new(link->conn, FC_METHOD_SET_DESIRED, &state->base, PUSH_TIMEOUT_MS, &push_ops, link);
    fcpb__desired_state__free_unpacked(state, NULL);
}

static co_link_clock
link_clock(const void *link)
{
    fc_rpc_clock clock = fc_rpc_conn_clock(co_link_conn(link));
    return (co_link_clock){clock.offset_ns, clock.bound_ns, clock.round_trip_ns};
}

static void
link_close(void *link, const char *reason)
{
    ((co_link *)link)->instance = NULL; /* it may be gone before the connection is */
    fc_rpc_conn_close(co_link_conn(link), FC_CODE_ABORTED, reason);
}

const co_link_ops co_rpc_link_ops = {.push = push, .clock = link_clock, .close = link_close};

/* ---- connections ---- */

static void
on_open(fc_rpc_conn *conn, void *user)
{
    co_service *service = user;
    const fc_principal *peer = fc_rpc_conn_peer(conn);
    if (strcmp(peer->fleet, service->co->fleet) != 0) {
        service->co->counters.connections_foreign++;
        co_refused_log(service->co, CO_REFUSED_FOREIGN, "%s refused: it belongs to fleet '%s'",
                       fc_rpc_conn_address(conn), peer->fleet);
        fc_rpc_conn_close(conn, FC_CODE_UNAUTHENTICATED, "the certificate is of another fleet");
        return;
    }
    if (peer->role != FC_ROLE_NODE)
        return;
    co_link *link = FC_NEW(co_link);
    link->service = service;
    link->conn = conn;
    fc_rpc_conn_set_user(conn, link);
}

static void
on_close(fc_rpc_conn *conn, const fc_rpc_status *why, void *user)
{
    co_service *service = user;
    co_link *link = fc_rpc_conn_user(conn);
    if (link == NULL)
        return;
    if (link->instance != NULL && link->instance->link == link) {
        fc_log(FC_LOG_INFO, "instance %s is away: %s", link->instance->id, why->message);
        co_registry_leave(service->co, link->instance, link);
    }
    fc_rpc_conn_set_user(conn, NULL);
    free(link);
}

static void
on_denied(fc_rpc_conn *conn, const fc_rpc_method *method, void *user)
{
    co_service *service = user;
    char who[FC_PRINCIPAL_TEXT_SIZE];
    fc_principal_text(fc_rpc_conn_peer(conn), who);
    co_persist_refusal(service->co, who, "call", method->path, FC_ERR_DENIED, fc_rpc_conn_address(conn));
}

static void
on_newer(fc_rpc_conn *conn, const fc_rpc_method *method, const fc_fail *why, void *user)
{
    co_service *service = user;
    char who[FC_PRINCIPAL_TEXT_SIZE];
    fc_principal_text(fc_rpc_conn_peer(conn), who);
    co_persist_refusal(service->co, who, "call", method->path, why->err, why->text);
}

const fc_rpc_conn_ops co_conn_ops = {
    .on_open = on_open, .on_close = on_close, .on_denied = on_denied, .on_newer = on_newer};
