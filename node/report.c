#include "node/report.h"

#include "common/base/mem.h"

#include <fleetcap/v1/coordinator_service.pb-c.h>
#include <stdlib.h>
#include <string.h>

static bool
dirty(const nd_mark *mark)
{
    return mark->revision > mark->acked;
}

static bool
capture_dirty(const nd_instance_capture *capture)
{
    bool any = dirty(&capture->mark);
    for (size_t i = 0; i < capture->status.segment_count && !any; i++)
        any = dirty(&capture->segment_marks[i]);
    return any;
}

/* The capture's head with its first segments that are news; `picked` are their indexes. */
static Fcpb__InstanceCapture *
build_one(nd_instance_capture *capture, size_t picked[ND_REPORT_SEGMENTS_MAX], size_t *ret_count)
{
    fc_status *status = &capture->status;
    fc_segment segments[ND_REPORT_SEGMENTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < status->segment_count && count < ND_REPORT_SEGMENTS_MAX; i++) {
        if (!dirty(&capture->segment_marks[i]))
            continue;
        segments[count] = status->segments[i];
        picked[count++] = i;
    }
    if (status->revision <= capture->told_revision) {
        status->revision = capture->told_revision + 1;
        capture->mark.revision = status->revision;
    }
    fc_status view = *status;
    view.segments = segments;
    view.segment_count = count;
    view.connected = true;
    *ret_count = count;
    return fc_status_to_pb(&view);
}

Fcpb__ReportRequest *
nd_report_next(nd_node *node)
{
    Fcpb__ReportRequest *report = fc_alloc(sizeof *report);
    fcpb__report_request__init(report);
    report->generation = nd_node_generation(node);
    report->captures = fc_alloc_array(nd_node_capture_count(node), sizeof report->captures[0]);
    size_t used = 0;
    for (size_t i = 0; i < nd_node_capture_count(node); i++) {
        nd_instance_capture *capture = nd_node_capture(node, i);
        if (!capture_dirty(capture))
            continue;
        size_t picked[ND_REPORT_SEGMENTS_MAX], count = 0;
        Fcpb__InstanceCapture *one = build_one(capture, picked, &count);
        size_t size = fcpb__instance_capture__get_packed_size(one) + 8;
        if (report->n_captures > 0 && used + size > ND_REPORT_BYTES_MAX) {
            fcpb__instance_capture__free_unpacked(one, NULL);
            break;
        }
        used += size;
        report->captures[report->n_captures++] = one;
        capture->told_revision = capture->status.revision;
        capture->mark.sent = capture->mark.revision;
        for (size_t p = 0; p < count; p++)
            capture->segment_marks[picked[p]].sent = capture->segment_marks[picked[p]].revision;
    }
    if (report->n_captures > 0)
        return report;
    fcpb__report_request__free_unpacked(report, NULL);
    return NULL;
}

bool
nd_report_pending(const nd_node *node)
{
    for (size_t i = 0; i < nd_node_capture_count(node); i++)
        if (capture_dirty(nd_node_capture(node, i)))
            return true;
    return false;
}

static void
settle(nd_mark *mark, bool acked)
{
    if (acked && mark->sent > mark->acked)
        mark->acked = mark->sent;
    mark->sent = 0;
}

static void
settle_all(nd_node *node, bool acked)
{
    for (size_t i = 0; i < nd_node_capture_count(node); i++) {
        nd_instance_capture *capture = nd_node_capture(node, i);
        settle(&capture->mark, acked);
        for (size_t s = 0; s < capture->status.segment_count; s++)
            settle(&capture->segment_marks[s], acked);
        if (acked)
            nd_instance_capture_prune(capture);
    }
}

void
nd_report_acked(nd_node *node)
{
    settle_all(node, true);
    nd_node_sweep_later(node);
}

void
nd_report_lost(nd_node *node)
{
    settle_all(node, false);
}

void
nd_report_all(nd_node *node)
{
    for (size_t i = 0; i < nd_node_capture_count(node); i++) {
        nd_instance_capture *capture = nd_node_capture(node, i);
        capture->told_revision = 0;
        capture->mark.sent = capture->mark.acked = 0;
        if (capture->mark.revision == 0)
            capture->mark.revision = 1;
        for (size_t s = 0; s < capture->status.segment_count; s++)
            capture->segment_marks[s].sent = capture->segment_marks[s].acked = 0;
        for (int kind = 0; kind < ND_EVIDENCE_COUNT; kind++)
            if (!capture->evidence.items[kind].kept)
                capture->evidence.items[kind].mark.sent = capture->evidence.items[kind].mark.acked = 0;
    }
}

/* ---- evidence ---- */

static bool
evidence_due(const nd_instance_capture *capture, int kind, fc_mono now)
{
    const nd_evidence_item *item = &capture->evidence.items[kind];
    if (!dirty(&item->mark) || item->mark.sent != 0)
        return false;
    return kind != ND_EVIDENCE_PROFILE || nd_state_final(capture->state) || item->told.ns == 0 ||
           now.ns >= fc_mono_after_ms(item->told, ND_REPORT_PROFILE_MS).ns;
}

static nd_instance_capture *
find_evidence(const nd_node *node, fc_mono now, nd_evidence_kind *ret_kind)
{
    nd_instance_capture *found = NULL;
    int64_t told_ns = INT64_MAX;
    for (size_t i = 0; i < nd_node_capture_count(node); i++) {
        nd_instance_capture *capture = nd_node_capture(node, i);
        for (int kind = 0; kind < ND_EVIDENCE_COUNT; kind++) {
            if (!evidence_due(capture, kind, now) || capture->evidence.items[kind].told.ns >= told_ns)
                continue;
            found = capture;
            told_ns = capture->evidence.items[kind].told.ns;
            *ret_kind = (nd_evidence_kind)kind;
        }
    }
    return found;
}

static ProtobufCBinaryData
copy_bytes(const fc_buf *packed)
{
    ProtobufCBinaryData bytes = {.len = fc_buf_size(packed), .data = fc_alloc(fc_buf_size(packed))};
    memcpy(bytes.data, fc_buf_bytes(packed), bytes.len);
    return bytes;
}

Fcpb__ReportEvidenceRequest *
nd_report_evidence_next(nd_node *node, fc_mono now)
{
    static const Fcpb__ReportEvidenceRequest__EvidenceCase cases[ND_EVIDENCE_COUNT] = {
        [ND_EVIDENCE_PROFILE] = FCPB__REPORT_EVIDENCE_REQUEST__EVIDENCE_PROFILE,
        [ND_EVIDENCE_CONTEXT_START] = FCPB__REPORT_EVIDENCE_REQUEST__EVIDENCE_CONTEXT_START,
        [ND_EVIDENCE_CONTEXT_STOP] = FCPB__REPORT_EVIDENCE_REQUEST__EVIDENCE_CONTEXT_STOP,
    };
    nd_evidence_kind kind = ND_EVIDENCE_PROFILE;
    nd_instance_capture *capture = find_evidence(node, now, &kind);
    if (capture == NULL)
        return NULL;
    nd_evidence_item *item = &capture->evidence.items[kind];
    Fcpb__ReportEvidenceRequest *request = fc_alloc(sizeof *request);
    fcpb__report_evidence_request__init(request);
    request->capture_uid = fc_strdup(capture->want.uid);
    request->revision = item->mark.revision;
    request->evidence_case = cases[kind];
    request->profile = copy_bytes(&item->packed); /* one place for all: they are a union */
    item->mark.sent = item->mark.revision;
    item->told = now;
    return request;
}

bool
nd_report_evidence_pending(const nd_node *node)
{
    for (size_t i = 0; i < nd_node_capture_count(node); i++)
        for (int kind = 0; kind < ND_EVIDENCE_COUNT; kind++)
            if (dirty(&nd_node_capture(node, i)->evidence.items[kind].mark))
                return true;
    return false;
}

static void
settle_evidence(nd_node *node, bool acked)
{
    for (size_t i = 0; i < nd_node_capture_count(node); i++) {
        nd_instance_capture *capture = nd_node_capture(node, i);
        for (int kind = 0; kind < ND_EVIDENCE_COUNT; kind++) {
            nd_evidence_item *item = &capture->evidence.items[kind];
            if (item->mark.sent == 0)
                continue;
            settle(&item->mark, acked);
            item->kept = nd_state_final(capture->state) && !dirty(&item->mark);
        }
    }
}

void
nd_report_evidence_acked(nd_node *node)
{
    settle_evidence(node, true);
}

void
nd_report_evidence_lost(nd_node *node)
{
    settle_evidence(node, false);
}

static Fcpb__Instance *
build_instance(const nd_identity *me)
{
    Fcpb__Instance *instance = fc_alloc(sizeof *instance);
    fcpb__instance__init(instance);
    instance->id = fc_strdup(me->id);
    instance->name = fc_strdup(me->name);
    instance->scale_set = fc_strdup(me->scale_set);
    instance->region = fc_strdup(me->region);
    instance->zone = fc_strdup(me->zone);
    instance->version = fc_strdup(FC_VERSION);
    instance->boot_id = fc_strdup(me->boot_id);
    instance->labels = fc_alloc_array(me->labels->count, sizeof instance->labels[0]);
    for (size_t i = 0; i < me->labels->count; i++) {
        Fcpb__Label *label = fc_alloc(sizeof *label);
        fcpb__label__init(label);
        label->key = fc_strdup(me->labels->items[i].key);
        label->value = fc_strdup(me->labels->items[i].value);
        instance->labels[instance->n_labels++] = label;
    }
    return instance;
}

Fcpb__HelloRequest *
nd_report_hello(const nd_node *node)
{
    Fcpb__HelloRequest *hello = fc_alloc(sizeof *hello);
    fcpb__hello_request__init(hello);
    hello->protocol_version = 1;
    hello->version = fc_strdup(FC_VERSION);
    hello->generation = nd_node_generation(node);
    hello->instance = build_instance(nd_node_identity(node));
    hello->captures = fc_alloc_array(nd_node_capture_count(node), sizeof hello->captures[0]);
    for (size_t i = 0; i < nd_node_capture_count(node); i++) {
        const fc_status *status = &nd_node_capture(node, i)->status;
        Fcpb__InstanceCapture *digest = fc_alloc(sizeof *digest);
        fcpb__instance_capture__init(digest);
        digest->capture_uid = fc_strdup(status->capture_uid);
        digest->state = (Fcpb__State)status->state;
        digest->revision = status->revision;
        hello->captures[hello->n_captures++] = digest;
    }
    return hello;
}
