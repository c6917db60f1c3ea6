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
    }
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
