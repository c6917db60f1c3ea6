/* CoordinatorService/ReportEvidence and CaptureService/ListEvidence: profiles and contexts, from the
 * instances to whoever compares them. */
#include "common/base/mem.h"
#include "coordinator/evidence.h"
#include "coordinator/rpc_message.h"
#include "coordinator/service.h"

#include "fleetcap/v1/coordinator_service.pb-c.h"

#include <stdlib.h>

/* ---- ReportEvidence ---- */

typedef struct reporting {
    co_evidence_wait wait;
    fc_rpc_call *call; /* borrowed */
} reporting;

static void
answer(fc_rpc_call *call)
{
    Fcpb__ReportEvidenceResponse response = FCPB__REPORT_EVIDENCE_RESPONSE__INIT;
    fc_rpc_call_reply(call, &response.base);
}

static void
on_stored(co_evidence_wait *wait, fc_err err, const fc_fail *fail)
{
    reporting *r = FC_CONTAINER(wait, reporting, wait);
    if (err == FC_OK)
        answer(r->call);
    else
        fc_rpc_call_fail(r->call, fail);
}

static void
on_report_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    (void)status;
    reporting *r = fc_rpc_call_user(call);
    co_evidence_unwait(&r->wait);
    free(r);
}

static const fc_rpc_call_ops report_ops = {.on_closed = on_report_closed};

static fc_err
read_item(const Fcpb__ReportEvidenceRequest *request, co_evidence_kind *ret_kind, fc_fail *fail)
{
    switch (request->evidence_case) {
    case FCPB__REPORT_EVIDENCE_REQUEST__EVIDENCE_PROFILE:
        *ret_kind = CO_EVIDENCE_PROFILE;
        return FC_OK;
    case FCPB__REPORT_EVIDENCE_REQUEST__EVIDENCE_CONTEXT_START:
        *ret_kind = CO_EVIDENCE_CONTEXT_START;
        return FC_OK;
    case FCPB__REPORT_EVIDENCE_REQUEST__EVIDENCE_CONTEXT_STOP:
        *ret_kind = CO_EVIDENCE_CONTEXT_STOP;
        return FC_OK;
    default:
        return fc_fail_field(fail, FC_ERR_INVALID, "evidence", "evidence of no kind that is known here");
    }
}

void
co_rpc_report_evidence(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__ReportEvidenceRequest *request = (const Fcpb__ReportEvidenceRequest *)message;
    co_service *service = user;
    struct co *co = service->co;
    co_instance *instance = co_speaker(call, service);
    if (instance == NULL)
        return;
    fc_fail fail = {0};
    co_evidence_kind kind = CO_EVIDENCE_PROFILE;
    fc_err err = read_item(request, &kind, &fail);
    if (err != FC_OK)
        co->counters.evidence_invalid++;
    /* Only among the parts of the instance that speaks: no other's can be named. */
    co_part *part = err == FC_OK ? co_part_find(instance, request->capture_uid) : NULL;
    if (err == FC_OK && (part == NULL || part->capture->deleted)) {
        co->counters.evidence_unknown++;
        err = fc_fail_set(&fail, FC_ERR_NOT_FOUND, "instance %s has no capture %.40s", instance->id,
                          request->capture_uid);
    }
    reporting *r = FC_NEW(reporting);
    bool stored = true;
    r->wait.done = on_stored;
    r->call = call;
    if (err == FC_OK)
        err = co_evidence_put(co, part, kind, request->revision, request->profile.data, request->profile.len,
                              &r->wait, &stored, &fail); /* one place for all: they are a union */
    if (err != FC_OK) {
        co_refused_log(co, CO_REFUSED_EVIDENCE, "instance %s: evidence refused: %s", instance->id, fail.text);
        fc_rpc_call_fail(call, &fail);
    } else if (stored) {
        answer(call);
    } else {
        fc_rpc_call_set(call, &report_ops, r);
        return;
    }
    free(r);
}

/* ---- ListEvidence ---- */

static ProtobufCBinaryData
take_bytes(fc_buf *buf)
{
    ProtobufCBinaryData bytes = {.len = fc_buf_size(buf)};
    if (bytes.len > 0) {
        bytes.data = fc_alloc(bytes.len);
        memcpy(bytes.data, fc_buf_bytes(buf), bytes.len);
    }
    fc_buf_clear(buf);
    return bytes;
}

static fc_err
make_evidence(struct co *co, const co_part *part, Fcpb__Evidence **ret_evidence, fc_fail *fail)
{
    Fcpb__Evidence *evidence = FC_NEW(Fcpb__Evidence);
    fcpb__evidence__init(evidence);
    ProtobufCBinaryData *const items[CO_EVIDENCE_KINDS] = {
        [CO_EVIDENCE_PROFILE] = &evidence->profile,
        [CO_EVIDENCE_CONTEXT_START] = &evidence->context_start,
        [CO_EVIDENCE_CONTEXT_STOP] = &evidence->context_stop,
    };
    fc_buf bytes = {0};
    fc_err err = FC_OK;
    for (int kind = 0; kind < CO_EVIDENCE_KINDS && err == FC_OK; kind++) {
        uint64_t revision = 0;
        err = co_evidence_get(co, part, (co_evidence_kind)kind, &bytes, &revision, fail);
        if (kind == CO_EVIDENCE_PROFILE)
            evidence->revision = revision;
        *items[kind] = take_bytes(&bytes);
    }
    fc_buf_fini(&bytes);
    if (err != FC_OK)
        co_message_free(&evidence->base);
    else
        *ret_evidence = evidence;
    return err;
}

static void
put_clock(const struct co *co, const co_instance *instance, Fcpb__InstanceEvidence *message)
{
    if (instance->link == NULL)
        return;
    co_link_clock clock = co->link_ops->clock(instance->link);
    message->clock_offset_ns = clock.offset_ns;
    message->clock_bound_ns = clock.bound_ns;
}

static bool
next_evidence(co_stream *stream)
{
    struct co *co = stream->service->co;
    if (stream->at >= stream->capture->part_count)
        return false;
    const co_part *part = &stream->capture->parts[stream->at++];
    Fcpb__Evidence *evidence = NULL;
    fc_fail fail = {0};
    if (make_evidence(co, part, &evidence, &fail) != FC_OK) {
        stream->over = true;
        fc_rpc_call_fail(stream->call, &fail);
        return true;
    }
    Fcpb__InstanceEvidence *message = FC_NEW(Fcpb__InstanceEvidence);
    fcpb__instance_evidence__init(message);
    message->instance = co_message_part(part, CO_PART_SEGMENTS_MAX);
    message->evidence = evidence;
    message->labels = co_message_labels(&part->instance->labels, &message->n_labels);
    message->zone = co_message_text(part->instance->zone);
    put_clock(co, part->instance, message);
    (void)fc_rpc_call_send(stream->call, &message->base);
    co_message_free(&message->base);
    return true;
}

void
co_rpc_list_evidence(fc_rpc_call *call, const ProtobufCMessage *message, void *user)
{
    const Fcpb__ListEvidenceRequest *request = (const Fcpb__ListEvidenceRequest *)message;
    co_stream_capture(user, call, request->name, next_evidence);
}
