/* The bytes of every frame and of the main messages, as they were released: a node of last year still speaks
 * them.
 *
 * Each case is built from the generated types, packed, compared with the golden bytes, and the golden bytes
 * are unpacked and packed again.
 */
#include "common/base/mem.h"
#include "common/rpc/frame.h"

#include "fleetcap/v1/capture_service.pb-c.h"
#include "fleetcap/v1/coordinator_service.pb-c.h"
#include "fleetcap/v1/fleet_service.pb-c.h"
#include "fleetcap/v1/helper.pb-c.h"
#include "fleetcap/v1/node_service.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT(literal) ((char *)(uintptr_t)(literal))
#define UID           TEXT("00112233445566778899aabbccddeeff")

static void
compare(const char *name, const uint8_t *bytes, size_t size, const char *golden)
{
    char *hex = fc_alloc(2 * size + 1);
    for (size_t i = 0; i < size; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    if (strcmp(hex, golden) != 0)
        fail_msg("%s is now\n%s\nand was released as\n%s", name, hex, golden);
    free(hex);
}

static void
message_is(const char *name, const ProtobufCMessage *message, const char *golden)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = fc_alloc(size);
    (void)protobuf_c_message_pack(message, bytes);
    compare(name, bytes, size, golden);
    ProtobufCMessage *again = protobuf_c_message_unpack(message->descriptor, NULL, size, bytes);
    assert_non_null(again);
    assert_int_equal(protobuf_c_message_pack(again, bytes), size);
    compare(name, bytes, size, golden);
    protobuf_c_message_free_unpacked(again, NULL);
    free(bytes);
}

static void
frame_is(const char *name, Fcpb__Frame *frame, uint32_t stream_id, Fcpb__Frame__BodyCase kind, void *body,
         const char *golden)
{
    frame->stream_id = stream_id;
    frame->body_case = kind;
    frame->request = body; /* any member of the union */
    fc_buf out = {0};
    fc_rpc_frame_put(&out, frame);
    compare(name, fc_buf_bytes(&out), fc_buf_size(&out), golden);
    fc_buf_fini(&out);
}

static void
every_kind_of_frame_is_as_released(void **state)
{
    (void)state;
    Fcpb__Frame frame = FCPB__FRAME__INIT;

    Fcpb__Metadata metadata = FCPB__METADATA__INIT, *all[] = {&metadata};
    metadata.key = TEXT("k");
    metadata.value = TEXT("v");
    Fcpb__Request request = FCPB__REQUEST__INIT;
    request.method = TEXT("/fleetcap.v1.FleetService/GetFleet");
    request.timeout_ms = 5000;
    request.window_bytes = 262144;
    request.metadata = all;
    request.n_metadata = 1;
    frame_is("Request", &frame, 1, FCPB__FRAME__BODY_REQUEST, &request,
             "00000037080112330a222f666c6565746361702e76312e466c656574536572766963652f476574466c656574"
             "1088271880801022060a016b120176");

    Fcpb__Message message = FCPB__MESSAGE__INIT;
    message.payload.data = (uint8_t *)TEXT("abc");
    message.payload.len = 3;
    message.end_of_stream = true;
    frame_is("Message", &frame, 300, FCPB__FRAME__BODY_MESSAGE, &message, "0000000c08ac021a070a036162631001");
    Fcpb__Message nothing = FCPB__MESSAGE__INIT;
    frame_is("Message without anything", &frame, 2, FCPB__FRAME__BODY_MESSAGE, &nothing, "0000000408021a00");

    Fcpb__ErrorDetail detail = FCPB__ERROR_DETAIL__INIT, *details[] = {&detail};
    detail.field = TEXT("filters[2].remotePort");
    detail.value = TEXT("70000");
    detail.instance = TEXT("web-1");
    detail.reason = TEXT("range");
    Fcpb__Status status = FCPB__STATUS__INIT;
    status.code = 3;
    status.message = TEXT("70000 is no port");
    status.details = details;
    status.n_details = 1;
    frame_is("Status", &frame, 1, FCPB__FRAME__BODY_STATUS, &status,
             "0000004608012242080312103730303030206973206e6f20706f72741a2c0a1566696c746572735b325d2e72"
             "656d6f7465506f7274120537303030301a057765622d31220572616e6765");
    Fcpb__Status ok = FCPB__STATUS__INIT;
    frame_is("Status OK", &frame, 1, FCPB__FRAME__BODY_STATUS, &ok, "0000000408012200");

    Fcpb__Cancel cancel = FCPB__CANCEL__INIT;
    frame_is("Cancel", &frame, 1, FCPB__FRAME__BODY_CANCEL, &cancel, "0000000408012a00");
    Fcpb__WindowUpdate window = FCPB__WINDOW_UPDATE__INIT;
    window.bytes = 131072;
    frame_is("WindowUpdate", &frame, 1, FCPB__FRAME__BODY_WINDOW_UPDATE, &window, "000000080801320408808008");
    Fcpb__Ping ping = FCPB__PING__INIT;
    ping.origin_unix_ns = 1700000000000000000;
    frame_is("Ping", &frame, 0, FCPB__FRAME__BODY_PING, &ping, "0000000c3a0a088080a8b1e39fe7cb17");
    Fcpb__Pong pong = FCPB__PONG__INIT;
    pong.origin_unix_ns = 1700000000000000000;
    pong.receive_unix_ns = 1700000000000000001;
    pong.transmit_unix_ns = -1;
    frame_is("Pong", &frame, 0, FCPB__FRAME__BODY_PONG, &pong,
             "00000021421f088080a8b1e39fe7cb17108180a8b1e39fe7cb1718ffffffffffffffffff01");
    Fcpb__GoAway go_away = FCPB__GO_AWAY__INIT;
    go_away.reason = TEXT("bye");
    frame_is("GoAway", &frame, 0, FCPB__FRAME__BODY_GO_AWAY, &go_away, "000000074a050a03627965");
}

/* ---- the nouns, filled in completely ---- */

typedef struct nouns {
    Fcpb__Filter filter, *filters[1];
    Fcpb__Ring ring;
    Fcpb__Label label, *labels[1];
    Fcpb__CaptureSpec spec;
    Fcpb__Target target;
    Fcpb__Governance governance;
    Fcpb__Definition definition;
    Fcpb__Counters counters;
    Fcpb__Segment segment, *segments[1];
    Fcpb__Gap gap, *gaps[1];
    Fcpb__InstanceCapture instance_capture, *instance_captures[1];
    Fcpb__Instance instance;
    Fcpb__StateCount state_count, *states[1];
    Fcpb__Capture capture;
    char *texts[2];
} nouns;

static void
fill_spec(nouns *n)
{
    n->texts[0] = TEXT("one");
    n->texts[1] = TEXT("two");
    n->filter = (Fcpb__Filter)FCPB__FILTER__INIT;
    n->filter.protocol = FCPB__PROTOCOL__PROTOCOL_TCP;
    n->filter.local_address = TEXT("10.0.0.0/8");
    n->filter.local_port = TEXT("80-85;443");
    n->filter.remote_address = TEXT("fd00::1");
    n->filter.remote_port = TEXT("1024-");
    n->filters[0] = &n->filter;
    n->ring = (Fcpb__Ring)FCPB__RING__INIT;
    n->ring.file_count = 10;
    n->ring.file_size_bytes = 104857600;
    n->spec = (Fcpb__CaptureSpec)FCPB__CAPTURE_SPEC__INIT;
    n->spec.filters = n->filters;
    n->spec.n_filters = 1;
    n->spec.raw_filter = TEXT("tcp");
    n->spec.bytes_per_packet = 96;
    n->spec.session_bytes = 1073741824;
    n->spec.time_limit_s = 18000;
    n->spec.packet_limit = 1000;
    n->spec.ring = &n->ring;
    n->spec.interfaces = n->texts;
    n->spec.n_interfaces = 2;
    n->spec.include_own_traffic = true;
    n->spec.storage = FCPB__STORAGE_KIND__STORAGE_KIND_FILE;
    n->label = (Fcpb__Label)FCPB__LABEL__INIT;
    n->label.key = TEXT("role");
    n->label.value = TEXT("web");
    n->labels[0] = &n->label;
    n->target = (Fcpb__Target)FCPB__TARGET__INIT;
    n->target.scale_set = TEXT("web");
    n->target.regions = n->target.zones = n->target.include = n->target.exclude = n->texts;
    n->target.n_regions = n->target.n_zones = n->target.n_include = n->target.n_exclude = 1;
    n->target.selector = TEXT("role=web");
    n->governance = (Fcpb__Governance)FCPB__GOVERNANCE__INIT;
    n->governance.reason = TEXT("r");
    n->governance.owner = TEXT("o");
    n->governance.incident_id = TEXT("i");
    n->governance.delete_after_unix_s = 1800000000;
    n->governance.tags = n->labels;
    n->governance.n_tags = 1;
    n->definition = (Fcpb__Definition)FCPB__DEFINITION__INIT;
    n->definition.name = TEXT("cap");
    n->definition.target = &n->target;
    n->definition.spec = &n->spec;
    n->definition.governance = &n->governance;
}

static void
fill_observed(nouns *n)
{
    n->counters = (Fcpb__Counters)FCPB__COUNTERS__INIT;
    n->counters.matched_packets = 1;
    n->counters.written_packets = 2;
    n->counters.written_bytes = 3;
    n->counters.dropped_kernel = 4;
    n->counters.dropped_writer = 5;
    n->counters.dropped_before_start = 6;
    n->counters.dropped_after_stop = 7;
    n->counters.interface_dropped = 8;
    n->counters.file_bytes = 9;
    n->segment = (Fcpb__Segment)FCPB__SEGMENT__INIT;
    n->segment.sequence = 1;
    n->segment.path = TEXT("p");
    n->segment.size_bytes = 2;
    n->segment.sha256.data = (uint8_t *)TEXT("\x01\x02");
    n->segment.sha256.len = 2;
    n->segment.packets = 3;
    n->segment.first_packet_unix_ns = 4;
    n->segment.last_packet_unix_ns = 5;
    n->segment.sealed = n->segment.repaired = n->segment.removed = true;
    n->segments[0] = &n->segment;
    n->gap = (Fcpb__Gap)FCPB__GAP__INIT;
    n->gap.from_unix_ns = 1;
    n->gap.to_unix_ns = 2;
    n->gaps[0] = &n->gap;
    Fcpb__InstanceCapture *c = &n->instance_capture;
    *c = (Fcpb__InstanceCapture)FCPB__INSTANCE_CAPTURE__INIT;
    c->capture_uid = UID;
    c->capture_name = TEXT("cap");
    c->instance_id = TEXT("web-1");
    c->instance_name = TEXT("w1");
    c->state = FCPB__STATE__STATE_STOPPED;
    c->stop_reason = FCPB__STOP_REASON__STOP_REASON_TIME_LIMIT;
    c->error = TEXT("e");
    c->counters = &n->counters;
    c->segments = n->segments;
    c->n_segments = 1;
    c->start_unix_ns = 10;
    c->stop_unix_ns = 11;
    c->first_packet_unix_ns = 12;
    c->last_packet_unix_ns = 13;
    c->compiled_filter = TEXT("tcp");
    c->gaps = n->gaps;
    c->n_gaps = 1;
    c->generation = 16;
    c->armed = true;
    c->revision = 18;
    c->region = TEXT("eu");
    c->scale_set = TEXT("web");
    c->connected = true;
    c->ring_bytes = 22;
    c->directory = TEXT("/d");
    n->instance_captures[0] = c;
}

static void
fill_instance(nouns *n)
{
    Fcpb__Instance *i = &n->instance;
    *i = (Fcpb__Instance)FCPB__INSTANCE__INIT;
    i->id = TEXT("web-1");
    i->name = TEXT("w1");
    i->scale_set = TEXT("web");
    i->region = TEXT("eu");
    i->zone = TEXT("1");
    i->labels = n->labels;
    i->n_labels = 1;
    i->online = true;
    i->last_seen_unix_ns = 8;
    i->version = TEXT("0.1.0");
    i->address = TEXT("10.0.0.2:1");
    i->clock_offset_ns = -11;
    i->clock_bound_ns = 12;
    i->round_trip_ns = 13;
    i->captures = n->instance_captures;
    i->n_captures = 1;
    i->boot_id = TEXT("b");
    n->state_count = (Fcpb__StateCount)FCPB__STATE_COUNT__INIT;
    n->state_count.state = FCPB__STATE__STATE_RUNNING;
    n->state_count.count = 3;
    n->states[0] = &n->state_count;
    Fcpb__Capture *c = &n->capture;
    *c = (Fcpb__Capture)FCPB__CAPTURE__INIT;
    c->uid = UID;
    c->name = TEXT("cap");
    c->definition = &n->definition;
    c->state = FCPB__STATE__STATE_RUNNING;
    c->states = n->states;
    c->n_states = 1;
    c->instance_count = 6;
    c->region_count = 7;
    c->created_unix_ns = 8;
    c->start_unix_ns = 9;
    c->window_end_unix_ns = 10;
    c->totals = &n->counters;
    c->created_by = TEXT("operator/olga");
    c->stop_requested = true;
    c->compiled_filter = TEXT("tcp");
    c->lead_time_ms = 200;
}

static void
fill(nouns *n)
{
    fill_spec(n);
    fill_observed(n);
    fill_instance(n);
}

static void
the_definition_is_as_released(void **state)
{
    (void)state;
    nouns n;
    fill(&n);
    message_is("Definition", &n.definition.base,
               "0a0363617012230a0377656212036f6e651a036f6e6522036f6e652a036f6e653208726f6c653d7765621a56"
               "0a290802120a31302e302e302e302f381a0938302d38353b3434332207666430303a3a312a05313032342d12"
               "03746370186020808080800428d08c0130e8073a07080a108080803242036f6e65420374776f48015001221c"
               "0a017212016f1a01692080a4a7da062a0b0a04726f6c651203776562");
}

static void
what_nodes_say_is_as_released(void **state)
{
    (void)state;
    nouns n;
    fill(&n);
    Fcpb__HelloRequest hello = FCPB__HELLO_REQUEST__INIT;
    hello.protocol_version = 1;
    hello.features = n.texts;
    hello.n_features = 1;
    hello.version = TEXT("0.1.0");
    hello.instance = &n.instance;
    hello.generation = 5;
    hello.captures = n.instance_captures;
    hello.n_captures = 1;
    message_is("HelloRequest", &hello.base,
               "080112036f6e651a05302e312e3022e8010a057765622d31120277311a03776562220265752a0131320b0a04"
               "726f6c651203776562380140084a05302e312e30520a31302e302e302e323a3158f5ffffffffffffffff0160"
               "0c680d7298010a20303031313232333334343535363637373838393961616262636364646565666612036361"
               "701a057765622d3122027731280530013a016542120801100218032004280530063807400848094a17080112"
               "0170180222020102280330043805400148015001500a580b600c680d72037463707a04080110028001108801"
               "019001129a01026575a20103776562a80101b00116ba01022f647a016228053298010a203030313132323333"
               "34343535363637373838393961616262636364646565666612036361701a057765622d312202773128053001"
               "3a016542120801100218032004280530063807400848094a1708011201701802220201022803300438054001"
               "48015001500a580b600c680d72037463707a04080110028001108801019001129a01026575a20103776562a8"
               "0101b00116ba01022f64");
    Fcpb__ReportRequest report = FCPB__REPORT_REQUEST__INIT;
    report.generation = 1;
    report.captures = n.instance_captures;
    report.n_captures = 1;
    message_is("ReportRequest", &report.base,
               "08011298010a2030303131323233333434353536363737383839396161626263636464656566661203636170"
               "1a057765622d3122027731280530013a016542120801100218032004280530063807400848094a1708011201"
               "70180222020102280330043805400148015001500a580b600c680d72037463707a0408011002800110880101"
               "9001129a01026575a20103776562a80101b00116ba01022f64");
    Fcpb__HeartbeatRequest beat = FCPB__HEARTBEAT_REQUEST__INIT;
    beat.generation = 300;
    message_is("HeartbeatRequest", &beat.base, "08ac02");
    Fcpb__DesiredAck ack = FCPB__DESIRED_ACK__INIT;
    ack.generation = 1;
    message_is("DesiredAck", &ack.base, "0801");
    Fcpb__FileChunk chunk = FCPB__FILE_CHUNK__INIT;
    chunk.offset = 1;
    chunk.data.data = (uint8_t *)TEXT("xyz");
    chunk.data.len = 3;
    message_is("FileChunk", &chunk.base, "0801120378797a");
}

static void
what_the_coordinator_says_to_nodes_is_as_released(void **state)
{
    (void)state;
    nouns n;
    fill(&n);
    Fcpb__HelloResponse welcome = FCPB__HELLO_RESPONSE__INIT;
    welcome.protocol_version = 1;
    welcome.features = n.texts;
    welcome.n_features = 1;
    welcome.version = TEXT("0.1.0");
    welcome.fleet_id = TEXT("f");
    welcome.lease_ms = 300000;
    welcome.heartbeat_ms = 15000;
    welcome.report_interval_ms = 1000;
    message_is("HelloResponse", &welcome.base, "080112036f6e651a05302e312e3022016628e0a71230987538e807");
    Fcpb__HeartbeatResponse lease = FCPB__HEARTBEAT_RESPONSE__INIT;
    lease.lease_ms = 300000;
    message_is("HeartbeatResponse", &lease.base, "08e0a712");
    Fcpb__DesiredCapture wanted = FCPB__DESIRED_CAPTURE__INIT, *all[] = {&wanted};
    wanted.capture_uid = UID;
    wanted.capture_name = TEXT("cap");
    wanted.action = FCPB__DESIRED_ACTION__DESIRED_ACTION_RUN;
    wanted.spec = &n.spec;
    wanted.created_unix_ns = 5;
    wanted.start_unix_ns = 6;
    wanted.window_end_unix_ns = 7;
    wanted.stop_reason = FCPB__STOP_REASON__STOP_REASON_STOP_REQUESTED;
    wanted.incident_id = TEXT("i");
    Fcpb__DesiredState desired = FCPB__DESIRED_STATE__INIT;
    desired.generation = 1;
    desired.lease_ms = 300000;
    desired.captures = all;
    desired.n_captures = 1;
    message_is("DesiredState", &desired.base,
               "080110e0a7121a8c010a20303031313232333334343535363637373838393961616262636364646565666612"
               "03636170180122560a290802120a31302e302e302e302f381a0938302d38353b3434332207666430303a3a31"
               "2a05313032342d1203746370186020808080800428d08c0130e8073a07080a108080803242036f6e65420374"
               "776f4801500128053006380740044a0169");
    Fcpb__ReadSegmentRequest read = FCPB__READ_SEGMENT_REQUEST__INIT;
    read.capture_uid = UID;
    read.sequence = 2;
    read.offset = 3;
    message_is("ReadSegmentRequest", &read.base,
               "0a20303031313232333334343535363637373838393961616262636364646565666610021803");
}

static void
what_operators_ask_is_as_released(void **state)
{
    (void)state;
    nouns n;
    fill(&n);
    Fcpb__CreateCaptureRequest create = FCPB__CREATE_CAPTURE_REQUEST__INIT;
    create.request_id = UID;
    create.definition = &n.definition;
    create.dry_run = true;
    message_is("CreateCaptureRequest", &create.base,
               "0a20303031313232333334343535363637373838393961616262636364646565666612a0010a036361701223"
               "0a0377656212036f6e651a036f6e6522036f6e652a036f6e653208726f6c653d7765621a560a290802120a31"
               "302e302e302e302f381a0938302d38353b3434332207666430303a3a312a05313032342d1203746370186020"
               "808080800428d08c0130e8073a07080a108080803242036f6e65420374776f48015001221c0a017212016f1a"
               "01692080a4a7da062a0b0a04726f6c6512037765621801");
    Fcpb__StopCapturesRequest stop = FCPB__STOP_CAPTURES_REQUEST__INIT;
    stop.request_id = UID;
    stop.names = stop.regions = stop.instances = n.texts;
    stop.n_names = stop.n_regions = stop.n_instances = 1;
    stop.all = true;
    stop.scale_set = TEXT("web");
    stop.selector = TEXT("s");
    stop.wait_ms = 8;
    message_is("StopCapturesRequest", &stop.base,
               "0a20303031313232333334343535363637373838393961616262636364646565666612036f6e651801220377"
               "65622a036f6e653201733a036f6e654008");
    Fcpb__DeleteCaptureRequest del = FCPB__DELETE_CAPTURE_REQUEST__INIT;
    del.request_id = UID;
    del.name = TEXT("cap");
    del.delete_files = del.stop_first = true;
    message_is("DeleteCaptureRequest", &del.base,
               "0a203030313132323333343435353636373738383939616162626363646465656666120363617018012001");
    Fcpb__ReadFileRequest read = FCPB__READ_FILE_REQUEST__INIT;
    read.capture_name = TEXT("cap");
    read.instance_id = TEXT("web-1");
    read.sequence = 3;
    read.offset = 4;
    message_is("ReadFileRequest", &read.base, "0a0363617012057765622d3118032004");
    Fcpb__CaptureEvent event = FCPB__CAPTURE_EVENT__INIT;
    event.capture = &n.capture;
    event.changed = n.instance_captures;
    event.n_changed = 1;
    message_is("CaptureEvent", &event.base,
               "0a89020a20303031313232333334343535363637373838393961616262636364646565666612036361701aa0"
               "010a0363617012230a0377656212036f6e651a036f6e6522036f6e652a036f6e653208726f6c653d7765621a"
               "560a290802120a31302e302e302e302f381a0938302d38353b3434332207666430303a3a312a05313032342d"
               "1203746370186020808080800428d08c0130e8073a07080a108080803242036f6e65420374776f4801500122"
               "1c0a017212016f1a01692080a4a7da062a0b0a04726f6c65120377656220032a040803100330063807400848"
               "09500a5a12080110021803200428053006380740084809620d6f70657261746f722f6f6c6761680172037463"
               "7078c8011298010a203030313132323333343435353636373738383939616162626363646465656666120363"
               "61701a057765622d3122027731280530013a016542120801100218032004280530063807400848094a170801"
               "120170180222020102280330043805400148015001500a580b600c680d72037463707a040801100280011088"
               "01019001129a01026575a20103776562a80101b00116ba01022f64");
    Fcpb__FileLocation file = FCPB__FILE_LOCATION__INIT;
    file.capture_name = TEXT("cap");
    file.instance_id = TEXT("web-1");
    file.instance_name = TEXT("w1");
    file.segment = &n.segment;
    file.path = TEXT("/d/p");
    file.online = true;
    message_is("FileLocation", &file.base,
               "0a0363617012057765622d311a027731221708011201701802220201022803300438054001480150012a042f"
               "642f703001");
    message_is("Instance", &n.instance.base,
               "0a057765622d31120277311a03776562220265752a0131320b0a04726f6c651203776562380140084a05302e"
               "312e30520a31302e302e302e323a3158f5ffffffffffffffff01600c680d7298010a20303031313232333334"
               "343535363637373838393961616262636364646565666612036361701a057765622d3122027731280530013a"
               "016542120801100218032004280530063807400848094a170801120170180222020102280330043805400148"
               "015001500a580b600c680d72037463707a04080110028001108801019001129a01026575a20103776562a801"
               "01b00116ba01022f647a0162");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_frame_is_as_released),
        cmocka_unit_test(the_definition_is_as_released),
        cmocka_unit_test(what_nodes_say_is_as_released),
        cmocka_unit_test(what_the_coordinator_says_to_nodes_is_as_released),
        cmocka_unit_test(what_operators_ask_is_as_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
