#include "node/service.h"

#include "common/base/log.h"
#include "common/base/mem.h"

#include <errno.h>
#include <fleetcap/v1/node_service.pb-c.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- SetDesired ---- */

static void
set_desired(fc_rpc_call *call, const ProtobufCMessage *request, void *service)
{
    nd_node *node = service;
    nd_desired desired = {0};
    fc_fail fail = {0};
    fc_err err = nd_desired_from_pb((const Fcpb__DesiredState *)request, &desired, &fail);
    if (err == FC_OK)
        err = nd_node_apply(node, &desired, &fail);
    if (err == FC_OK) {
        Fcpb__DesiredAck ack = FCPB__DESIRED_ACK__INIT;
        ack.generation = desired.generation;
        fc_rpc_call_reply(call, &ack.base);
    } else {
        fc_log(FC_LOG_WARNING, "a desired state was refused: %s", fail.text);
        fc_rpc_call_fail(call, &fail);
    }
    nd_desired_fini(&desired);
}

/* ---- ReadSegment ---- */

/* One segment on its way. */
typedef struct reading {
    int fd; /* owned */
    uint64_t offset;
    uint8_t *chunk; /* owned, ND_CHUNK_BYTES */
} reading;

static void
send_some(fc_rpc_call *call)
{
    reading *r = fc_rpc_call_user(call);
    fc_fail fail = {0};
    while (fc_rpc_call_writable(call)) {
        ssize_t got = pread(r->fd, r->chunk, ND_CHUNK_BYTES, (off_t)r->offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            fc_fail_errno(&fail, errno, "cannot read the segment at offset %" PRIu64, r->offset);
            fc_rpc_call_fail(call, &fail);
            return;
        }
        if (got == 0) {
            fc_rpc_call_finish(call, &fc_rpc_ok);
            return;
        }
        Fcpb__FileChunk message = FCPB__FILE_CHUNK__INIT;
        message.offset = r->offset;
        message.data = (ProtobufCBinaryData){.len = (size_t)got, .data = r->chunk};
        r->offset += (uint64_t)got;
        (void)fc_rpc_call_send(call, &message.base);
    }
}

static void
reading_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    reading *r = fc_rpc_call_user(call);
    (void)status;
    close(r->fd);
    free(r->chunk);
    free(r);
}

static const fc_rpc_call_ops reading_ops = {.on_writable = send_some, .on_closed = reading_closed};

/* Only what this node lists: the peer names a capture and a number, never a path. */
static fc_err
find_segment(const nd_node *node, const Fcpb__ReadSegmentRequest *request, const fc_segment **ret_segment,
             fc_fail *fail)
{
    const nd_instance_capture *capture =
        fc_uid_check(request->capture_uid) ? nd_node_find(node, request->capture_uid) : NULL;
    if (capture == NULL)
        return fc_fail_field(fail, FC_ERR_NOT_FOUND, "capture_uid", "instance %s has no capture %.40s",
                             nd_node_identity(node)->id, request->capture_uid);
    for (size_t i = 0; i < capture->status.segment_count; i++) {
        const fc_segment *segment = &capture->status.segments[i];
        if (segment->sequence != request->sequence || segment->removed)
            continue;
        if (!segment->sealed)
            return fc_fail_field(fail, FC_ERR_STATE, "sequence", "segment %" PRIu32 " is still being written",
                                 request->sequence);
        *ret_segment = segment;
        return FC_OK;
    }
    return fc_fail_field(fail, FC_ERR_NOT_FOUND, "sequence",
                         "capture %s has no segment %" PRIu32 " on instance %s", capture->want.name,
                         request->sequence, nd_node_identity(node)->id);
}

static void
read_segment(fc_rpc_call *call, const ProtobufCMessage *message, void *service)
{
    nd_node *node = service;
    const Fcpb__ReadSegmentRequest *request = (const Fcpb__ReadSegmentRequest *)message;
    nd_storage *storage = nd_node_storage(node);
    const fc_segment *segment = NULL;
    fc_fail fail = {0};
    struct stat st;
    int fd = -1;
    fc_err err = find_segment(node, request, &segment, &fail);
    if (err == FC_OK)
        err = storage->ops->open_segment(storage, segment->path, &fd, &fail);
    if (err == FC_OK && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)))
        err = fc_fail_set(&fail, FC_ERR_IO, "segment %" PRIu32 " is no file", request->sequence);
    if (err == FC_OK && request->offset > (uint64_t)st.st_size)
        err = fc_fail_field(&fail, FC_ERR_RANGE, "offset",
                            "offset %" PRIu64 " is past the end of %" PRIu64 " bytes", request->offset,
                            (uint64_t)st.st_size);
    if (err != FC_OK) {
        if (fd >= 0)
            close(fd);
        fc_rpc_call_fail(call, &fail);
        return;
    }
    reading *r = FC_NEW(reading);
    r->fd = fd;
    r->offset = request->offset;
    r->chunk = fc_alloc(ND_CHUNK_BYTES);
    fc_rpc_call_set(call, &reading_ops, r);
    send_some(call);
}

const fc_rpc_handler nd_service_handlers[] = {
    {.method = FC_METHOD_SET_DESIRED, .request = set_desired},
    {.method = FC_METHOD_READ_SEGMENT, .request = read_segment},
};
const size_t nd_service_handler_count = FC_COUNT(nd_service_handlers);
