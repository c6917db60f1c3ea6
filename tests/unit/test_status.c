/* What an instance says of its part of a capture: carried whole, believed only when it can be true. */
#include "common/base/mem.h"
#include "common/model/definition.h"
#include "common/model/status.h"

#include "fleetcap/v1/types.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define UID "0123456789abcdef0123456789abcdef"

static fc_segment
segment_of(uint32_t sequence)
{
    fc_segment segment = {.sequence = sequence,
                          .size_bytes = 1000 + sequence,
                          .packets = 10,
                          .sealed = true,
                          .first_packet = {1795230000000000000},
                          .last_packet = {1795230001000000001}};
    (void)snprintf(segment.path, sizeof segment.path, "2026/11/21/dns-01234567/web-1_02_45_37_%u.pcapng",
                   sequence);
    segment.hashed = sequence % 2 == 1;
    if (segment.hashed)
        memset(segment.sha256, (int)sequence, sizeof segment.sha256);
    return segment;
}

static fc_status
status_of(size_t segments)
{
    fc_status status = {
        .capture_uid = UID,
        .capture_name = "dns",
        .instance_id = "i-1",
        .instance_name = "web-1",
        .region = "eu",
        .scale_set = "web",
        .state = FC_STATE_STOPPED,
        .stop_reason = FC_STOP_DISK_FULL,
        .armed = true,
        .connected = true,
        .start = {1795230000123456789},
        .stop = {1795230009000000000},
        .first_packet = {1795230000200000000},
        .last_packet = {1795230008000000000},
        .generation = 7,
        .revision = 42,
        .ring_bytes = 64 << 20,
        .gap_count = 2,
        .compiled_filter = fc_strdup("tcp"),
        .directory = fc_strdup("/var/captures/2026/11/21/dns-01234567"),
        .error = fc_strdup("write: No space left"),
    };
    status.counters = (fc_counters){100, 90, 9000, 4, 3, 2, 1, 5, 9100, 6};
    status.gaps = fc_alloc_array(2, sizeof(fc_gap));
    status.gaps[0] = (fc_gap){{10}, {20}};
    status.gaps[1] = (fc_gap){{30}, {30}};
    for (size_t i = 0; i < segments; i++) {
        fc_segment segment = segment_of((uint32_t)i + 1);
        fc_status_put_segment(&status, &segment);
    }
    return status;
}

static void
assert_same_text(const char *a, const char *b)
{
    assert_string_equal(a != NULL ? a : "(none)", b != NULL ? b : "(none)");
}

static void
assert_same(const fc_status *a, const fc_status *b)
{
    assert_string_equal(a->capture_uid, b->capture_uid);
    assert_string_equal(a->capture_name, b->capture_name);
    assert_string_equal(a->instance_id, b->instance_id);
    assert_string_equal(a->instance_name, b->instance_name);
    assert_string_equal(a->region, b->region);
    assert_string_equal(a->scale_set, b->scale_set);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->stop_reason, b->stop_reason);
    assert_true(a->armed == b->armed && a->connected == b->connected);
    assert_memory_equal(&a->counters, &b->counters, sizeof a->counters);
    assert_true(a->start.ns == b->start.ns && a->stop.ns == b->stop.ns);
    assert_true(a->first_packet.ns == b->first_packet.ns && a->last_packet.ns == b->last_packet.ns);
    assert_true(a->generation == b->generation && a->revision == b->revision &&
                a->ring_bytes == b->ring_bytes);
    assert_int_equal(a->gap_count, b->gap_count);
    for (size_t i = 0; i < a->gap_count; i++)
        assert_true(a->gaps[i].from.ns == b->gaps[i].from.ns && a->gaps[i].to.ns == b->gaps[i].to.ns);
    assert_int_equal(a->segment_count, b->segment_count);
    for (size_t i = 0; i < a->segment_count; i++) {
        const fc_segment *left = &a->segments[i], *right = &b->segments[i];
        assert_int_equal(left->sequence, right->sequence);
        assert_string_equal(left->path, right->path);
        assert_true(left->size_bytes == right->size_bytes && left->packets == right->packets);
        assert_memory_equal(left->sha256, right->sha256, sizeof left->sha256);
        assert_true(left->hashed == right->hashed && left->sealed == right->sealed &&
                    left->repaired == right->repaired && left->removed == right->removed);
        assert_true(left->first_packet.ns == right->first_packet.ns &&
                    left->last_packet.ns == right->last_packet.ns);
    }
    assert_same_text(a->compiled_filter, b->compiled_filter);
    assert_same_text(a->directory, b->directory);
    assert_same_text(a->error, b->error);
}

/* Through the wire's bytes and back. */
static fc_err
carried(const fc_status *status, fc_status *ret)
{
    Fcpb__InstanceCapture *message = fc_status_to_pb(status);
    size_t size = fcpb__instance_capture__get_packed_size(message);
    uint8_t *bytes = fc_alloc(size);
    assert_int_equal(fcpb__instance_capture__pack(message, bytes), size);
    fcpb__instance_capture__free_unpacked(message, NULL);
    message = fcpb__instance_capture__unpack(NULL, size, bytes);
    assert_non_null(message);
    free(bytes);
    fc_err err = fc_status_from_pb(message, ret, NULL);
    fcpb__instance_capture__free_unpacked(message, NULL);
    return err;
}

static void
a_status_survives_the_wire(void **state)
{
    (void)state;
    for (size_t segments = 0; segments < 4; segments++) {
        fc_status status = status_of(segments), back = {0};
        assert_int_equal(carried(&status, &back), FC_OK);
        assert_same(&status, &back);
        fc_status_fini(&back);
        fc_status_fini(&status);
    }
}

static void
the_shortest_status_survives_the_wire(void **state)
{
    (void)state;
    fc_status status = {.capture_uid = UID, .state = FC_STATE_PENDING}, back = {0};
    assert_int_equal(carried(&status, &back), FC_OK);
    assert_same(&status, &back);
    fc_status_fini(&back);
    const fc_status zero = {0};
    json_t *tree = fc_status_to_json(&zero);
    assert_true(json_is_object(tree));
    json_decref(tree);
    assert_int_equal(carried(&zero, &back), FC_ERR_INVALID);
}

static void
a_copy_is_deep_and_may_be_repeated(void **state)
{
    (void)state;
    fc_status one = status_of(3), two = {0};
    fc_status_copy(&two, &one);
    assert_same(&one, &two);
    const char *filter = two.compiled_filter;
    one.counters.written_packets++;
    one.segments[2].packets = 99;
    free(one.error);
    one.error = NULL;
    fc_segment more = segment_of(4);
    fc_status_put_segment(&one, &more);
    fc_status_copy(&two, &one);
    assert_same(&one, &two);
    assert_ptr_equal(two.compiled_filter, filter); /* the text is the same, and so is its memory */
    fc_status_copy(&two, &two);
    assert_same(&one, &two);
    const fc_status zero = {0};
    fc_status_copy(&two, &zero);
    assert_same(&zero, &two);
    fc_status_fini(&two);
    fc_status_fini(&one);
    fc_status_fini(&one);
}

static void
segments_stay_in_order_and_are_replaced_by_sequence(void **state)
{
    (void)state;
    fc_status status = {0};
    static const uint32_t order[] = {3, 1, 5, 2, 4, 3, 5, 1};
    for (size_t i = 0; i < FC_COUNT(order); i++) {
        fc_segment segment = segment_of(order[i]);
        segment.packets = i;
        fc_status_put_segment(&status, &segment);
    }
    assert_int_equal(status.segment_count, 5);
    static const uint64_t packets[] = {7, 3, 5, 4, 6};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(status.segments[i].sequence, i + 1);
        assert_int_equal(status.segments[i].packets, packets[i]);
    }
    fc_status_put_segment(&status, &status.segments[0]);
    assert_int_equal(status.segment_count, 5);
    fc_status_fini(&status);
}

/* One lie each. */
typedef void (*lie)(Fcpb__InstanceCapture *message);

static char long_text[70000];

#define LIE(name, statement)                                                                                 \
    static void name(Fcpb__InstanceCapture *m)                                                               \
    {                                                                                                        \
        statement;                                                                                           \
    }
LIE(no_uid, m->capture_uid[0] = '\0')
LIE(uid_not_hex, m->capture_uid[5] = '/')
LIE(uid_upper, m->capture_uid[5] = 'A')
LIE(name_with_slash, m->capture_name[1] = '/')
LIE(name_hidden, m->instance_id[0] = '.')
LIE(name_with_escape, m->instance_name[1] = '\x1b')
LIE(region_space, m->region[1] = ' ')
LIE(scale_set_colon, m->scale_set[1] = ':')
LIE(state_none, m->state = FCPB__STATE__STATE_UNSPECIFIED)
LIE(state_unheard_of, m->state = (Fcpb__State)8)
LIE(state_negative, m->state = (Fcpb__State)-1)
LIE(reason_negative, m->stop_reason = (Fcpb__StopReason)-5)
LIE(start_before_1970, m->start_unix_ns = -1)
LIE(last_packet_before_1970, m->last_packet_unix_ns = INT64_MIN)
LIE(gap_reversed, m->gaps[0]->to_unix_ns = 5)
LIE(gap_negative, m->gaps[0]->from_unix_ns = -5)
LIE(sequence_zero, m->segments[0]->sequence = 0)
LIE(sequence_twice, m->segments[1]->sequence = 1)
LIE(sequence_falls, m->segments[2]->sequence = 1)
LIE(path_absolute, m->segments[0]->path[0] = '/')
LIE(path_up, memcpy(m->segments[0]->path, "../.", 4))
LIE(path_up_inside, memcpy(m->segments[0]->path + 4, "/../", 4))
LIE(path_hidden, m->segments[0]->path[5] = '.')
LIE(path_empty_part, m->segments[0]->path[5] = '/')
LIE(path_empty, m->segments[0]->path[0] = '\0')
LIE(path_newline, m->segments[0]->path[6] = '\n')
LIE(hash_short, m->segments[0]->sha256.len = 31)
LIE(segment_before_1970, m->segments[0]->first_packet_unix_ns = -1)
LIE(directory_relative, m->directory[0] = 'x')
LIE(directory_up, memcpy(m->directory + 4, "/../", 4))
LIE(directory_control, m->directory[3] = '\n')
LIE(directory_not_utf8, m->directory[3] = (char)0xff)

static void
lies_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        lie tell;
    } lies[] = {
#define L(name) {#name, name}
        L(no_uid),
        L(uid_not_hex),
        L(uid_upper),
        L(name_with_slash),
        L(name_hidden),
        L(name_with_escape),
        L(region_space),
        L(scale_set_colon),
        L(state_none),
        L(state_unheard_of),
        L(state_negative),
        L(reason_negative),
        L(start_before_1970),
        L(last_packet_before_1970),
        L(gap_reversed),
        L(gap_negative),
        L(sequence_zero),
        L(sequence_twice),
        L(sequence_falls),
        L(path_absolute),
        L(path_up),
        L(path_up_inside),
        L(path_hidden),
        L(path_empty_part),
        L(path_empty),
        L(path_newline),
        L(hash_short),
        L(segment_before_1970),
        L(directory_relative),
        L(directory_up),
        L(directory_control),
        L(directory_not_utf8),
    };
    for (size_t i = 0; i < FC_COUNT(lies); i++) {
        fc_status status = status_of(3), back = {.revision = 12345};
        Fcpb__InstanceCapture *message = fc_status_to_pb(&status);
        lies[i].tell(message);
        fc_fail fail = {0};
        if (fc_status_from_pb(message, &back, &fail) != FC_ERR_INVALID || *fail.text == '\0')
            fail_msg("%s was believed", lies[i].name);
        assert_int_equal(back.revision, 12345);
        assert_null(back.segments);
        fcpb__instance_capture__free_unpacked(message, NULL);
        fc_status_fini(&status);
    }
}

static void
a_reason_of_a_newer_node_is_an_end_all_the_same(void **state)
{
    (void)state;
    static const char *const errors[] = {NULL, "the moon is in the way"};
    for (size_t i = 0; i < FC_COUNT(errors); i++) {
        fc_status status = status_of(3), back = {0};
        status.state = FC_STATE_STOPPED;
        free(status.error);
        status.error = errors[i] != NULL ? fc_strdup(errors[i]) : NULL;
        Fcpb__InstanceCapture *message = fc_status_to_pb(&status);
        message->stop_reason = (Fcpb__StopReason)9000;
        assert_int_equal(fc_status_from_pb(message, &back, NULL), FC_OK);
        assert_int_equal(back.state, FC_STATE_STOPPED);
        assert_int_equal(back.stop_reason, FC_STOP_INTERNAL);
        assert_non_null(strstr(back.error, errors[i] != NULL ? errors[i] : "9000"));
        assert_int_equal(back.counters.written_packets, status.counters.written_packets);
        assert_int_equal(back.segment_count, status.segment_count);
        fcpb__instance_capture__free_unpacked(message, NULL);
        fc_status_fini(&back);
        fc_status_fini(&status);
    }
}

static void
counts_are_bounded_before_anything_is_allocated(void **state)
{
    (void)state;
    fc_status status = {.capture_uid = UID, .state = FC_STATE_RUNNING}, back = {0};
    Fcpb__InstanceCapture *message = fc_status_to_pb(&status);
    message->n_segments = FC_RING_FILES_MAX + 1; /* the list itself must not be looked at */
    assert_int_equal(fc_status_from_pb(message, &back, NULL), FC_ERR_INVALID);
    message->n_segments = 0;
    message->n_gaps = FC_GAPS_MAX + 1;
    assert_int_equal(fc_status_from_pb(message, &back, NULL), FC_ERR_INVALID);
    message->n_gaps = 0;
    memset(long_text, 'x', sizeof long_text - 1);
    message->compiled_filter = long_text;
    assert_int_equal(fc_status_from_pb(message, &back, NULL), FC_ERR_INVALID);
    message->compiled_filter = (char *)protobuf_c_empty_string;
    message->capture_name = long_text;
    assert_int_equal(fc_status_from_pb(message, &back, NULL), FC_ERR_INVALID);
    message->capture_name = (char *)protobuf_c_empty_string;
    message->directory = long_text;
    assert_int_equal(fc_status_from_pb(message, &back, NULL), FC_ERR_INVALID);
    message->directory = (char *)protobuf_c_empty_string;
    assert_int_equal(fc_status_from_pb(message, &back, NULL), FC_OK);
    fc_status_fini(&back);
    fcpb__instance_capture__free_unpacked(message, NULL);
}

static void
free_text_of_a_node_is_made_fit_to_be_shown(void **state)
{
    (void)state;
    fc_status status = {.capture_uid = UID, .state = FC_STATE_FAILED}, back = {0};
    Fcpb__InstanceCapture *message = fc_status_to_pb(&status);
    char error[] = "disk \xff\x1b[31m full\n\xc3\xa4\xc2\x9b\xe2\x82";
    message->error = error;
    assert_int_equal(fc_status_from_pb(message, &back, NULL), FC_OK);
    assert_string_equal(back.error, "disk ??[31m full?\xc3\xa4????");
    json_t *tree = fc_status_to_json(&back);
    assert_string_equal(json_string_value(json_object_get(tree, "error")), back.error);
    json_decref(tree);
    fc_status_fini(&back);
    memset(long_text, 'x', sizeof long_text - 1);
    message->error = long_text;
    assert_int_equal(fc_status_from_pb(message, &back, NULL), FC_OK);
    assert_int_equal(strlen(back.error), FC_ERROR_TEXT - 1);
    fc_status_fini(&back);
    message->error = (char *)protobuf_c_empty_string;
    fcpb__instance_capture__free_unpacked(message, NULL);
}

static void
segment_paths_are_names_all_the_way(void **state)
{
    (void)state;
    assert_true(fc_segment_path_check("2026/11/21/dns-01234567/web-1_02_45_37_1.pcapng"));
    assert_true(fc_segment_path_check("a"));
    char longest[257];
    memset(longest, 'a', 256);
    longest[256] = '\0';
    assert_false(fc_segment_path_check(longest));
    longest[255] = '\0';
    assert_true(fc_segment_path_check(longest));
    static const char *const bad[] = {"",     "/",     "/a",       "a/",   "a//b", ".",   "..",
                                      "a/..", "../a",  "a/../b",   "a/.b", "-a",   "a b", "a\\b",
                                      "a\nb", "a/./b", "\xc3\xa4", "a:b",  "a/-b"};
    for (size_t i = 0; i < FC_COUNT(bad); i++)
        if (fc_segment_path_check(bad[i]))
            fail_msg("%s", bad[i]);
}

static void
counters_add_up(void **state)
{
    (void)state;
    fc_counters exact = {.matched_packets = 100,
                         .written_packets = 90,
                         .dropped_kernel = 4,
                         .dropped_writer = 3,
                         .dropped_before_start = 2,
                         .dropped_after_stop = 1,
                         .interface_dropped = 1000};
    assert_int_equal(fc_counters_unaccounted(&exact), 0);
    exact.written_packets = 80;
    assert_int_equal(fc_counters_unaccounted(&exact), 10);
    exact.written_packets = 95;
    assert_int_equal(fc_counters_unaccounted(&exact), -5);
    fc_counters sum = {0};
    fc_counters_add(&sum, &exact);
    fc_counters_add(&sum, &exact);
    assert_int_equal(sum.matched_packets, 200);
    assert_int_equal(sum.interface_dropped, 2000);
    fc_counters back;
    fc_counters_from_pb(NULL, &back);
    assert_int_equal(back.matched_packets, 0);
    Fcpb__Counters message;
    fc_counters_to_pb(&sum, &message);
    fc_counters_from_pb(&message, &back);
    assert_memory_equal(&sum, &back, sizeof sum);
}

static void
states_and_reasons_have_one_name_each(void **state)
{
    (void)state;
    for (int i = FC_STATE_PENDING; i <= FC_STATE_UNKNOWN; i++) {
        fc_state parsed = FC_STATE_NONE;
        assert_int_equal(fc_state_parse(fc_state_name((fc_state)i), &parsed), FC_OK);
        assert_int_equal(parsed, i);
        char expected[64];
        (void)snprintf(expected, sizeof expected, "STATE_%s", fc_state_name((fc_state)i));
        assert_string_equal(protobuf_c_enum_descriptor_get_value(&fcpb__state__descriptor, i)->name,
                            expected);
    }
    fc_state parsed = FC_STATE_RUNNING;
    assert_int_equal(fc_state_parse("running", &parsed), FC_OK);
    assert_int_equal(fc_state_parse("UNSPECIFIED", &parsed), FC_ERR_INVALID);
    for (int i = FC_STOP_TIME_LIMIT; i <= FC_STOP_INTERNAL; i++) {
        char expected[64];
        (void)snprintf(expected, sizeof expected, "STOP_REASON_%s", fc_stop_reason_name((fc_stop_reason)i));
        assert_string_equal(protobuf_c_enum_descriptor_get_value(&fcpb__stop_reason__descriptor, i)->name,
                            expected);
        assert_true(*fc_stop_reason_text((fc_stop_reason)i) != '\0');
    }
    assert_string_equal(fc_stop_reason_name(FC_STOP_NONE), "");
    assert_string_equal(fc_stop_reason_name((fc_stop_reason)99), "");
}

static const char *
text_of(const json_t *tree, const char *key)
{
    const char *text = json_string_value(json_object_get(tree, key));
    return text != NULL ? text : "(none)";
}

static void
json_has_the_reference_names_and_ours(void **state)
{
    (void)state;
    fc_status status = status_of(1);
    json_t *tree = fc_status_to_json(&status);
    assert_string_equal(text_of(tree, "state"), "STOPPED");
    assert_string_equal(text_of(tree, "packetCaptureStatus"), "Stopped");
    assert_string_equal(text_of(tree, "stopReason"), "DISK_FULL");
    assert_string_equal(text_of(tree, "stopReasonText"), "disk full");
    assert_string_equal(text_of(tree, "captureStartTime"), "2026-11-21T03:00:00.123456789Z");
    const json_t *errors = json_object_get(tree, "packetCaptureError");
    assert_string_equal(json_string_value(json_array_get(errors, 0)), "LocalFileFailed");
    const json_t *counters = json_object_get(tree, "counters");
    assert_int_equal(json_integer_value(json_object_get(counters, "matchedPackets")), 100);
    assert_int_equal(json_integer_value(json_object_get(counters, "unaccountedPackets")), 0);
    const json_t *segment = json_array_get(json_object_get(tree, "segments"), 0);
    assert_string_equal(text_of(segment, "sha256"),
                        "0101010101010101010101010101010101010101010101010101010101010101");
    assert_int_equal(json_array_size(json_object_get(tree, "gaps")), 2);
    json_decref(tree);
    status.counters.matched_packets = UINT64_MAX;
    tree = fc_status_to_json(&status);
    counters = json_object_get(tree, "counters");
    assert_true(json_integer_value(json_object_get(counters, "matchedPackets")) == INT64_MAX);
    json_decref(tree);
    fc_status_fini(&status);
}

static char *
read_document(const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/docs/%s", FC_SOURCE_DIR, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    static char text[65536];
    size_t size = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[size] = '\0';
    return text;
}

static void
every_counter_is_in_the_documentation(void **state)
{
    (void)state;
    const char *text = read_document("counters.md");
#define X(name, unit, in_sum, sentence)                                                                      \
    if (strstr(text, "| `" #name "` | " unit " | ") == NULL || strstr(text, "| " sentence " |") == NULL)     \
        fail_msg("docs/counters.md lacks the row of " #name);
    FC_STATUS_COUNTERS(X)
#undef X
}

static void
every_key_of_the_json_is_in_the_documentation(void **state)
{
    (void)state;
    fc_status status = status_of(1);
    json_t *tree = fc_status_to_json(&status);
    const char *text = read_document("json.md");
    const json_t *objects[] = {tree, json_object_get(tree, "counters"),
                               json_array_get(json_object_get(tree, "segments"), 0),
                               json_array_get(json_object_get(tree, "gaps"), 0)};
    for (size_t i = 0; i < FC_COUNT(objects); i++) {
        const char *key;
        json_t *value;
        json_object_foreach ((json_t *)objects[i], key, value) {
            char quoted[64];
            (void)snprintf(quoted, sizeof quoted, "`%s`", key);
            if (strstr(text, quoted) == NULL)
                fail_msg("docs/json.md lacks %s", key);
        }
    }
    json_decref(tree);
    fc_status_fini(&status);
}

static void
thousands_of_reports_a_second_cost_little(void **state)
{
    (void)state;
    enum { ROUNDS = 20000 };
    fc_status status = status_of(3), kept = {0};
    struct timespec from, to;
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < ROUNDS; i++) {
        fc_status back = {0};
        status.revision++;
        Fcpb__InstanceCapture *message = fc_status_to_pb(&status);
        assert_int_equal(fc_status_from_pb(message, &back, NULL), FC_OK);
        fc_status_copy(&kept, &back);
        fc_status_fini(&back);
        fcpb__instance_capture__free_unpacked(message, NULL);
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    double seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    print_message("to message, back and copied: %.2f us each\n", 1e6 * seconds / ROUNDS);
    assert_same(&status, &kept);
    fc_status_fini(&kept);
    fc_status_fini(&status);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_survives_the_wire),
        cmocka_unit_test(the_shortest_status_survives_the_wire),
        cmocka_unit_test(a_copy_is_deep_and_may_be_repeated),
        cmocka_unit_test(segments_stay_in_order_and_are_replaced_by_sequence),
        cmocka_unit_test(lies_are_refused),
        cmocka_unit_test(a_reason_of_a_newer_node_is_an_end_all_the_same),
        cmocka_unit_test(counts_are_bounded_before_anything_is_allocated),
        cmocka_unit_test(free_text_of_a_node_is_made_fit_to_be_shown),
        cmocka_unit_test(segment_paths_are_names_all_the_way),
        cmocka_unit_test(counters_add_up),
        cmocka_unit_test(states_and_reasons_have_one_name_each),
        cmocka_unit_test(json_has_the_reference_names_and_ours),
        cmocka_unit_test(every_counter_is_in_the_documentation),
        cmocka_unit_test(every_key_of_the_json_is_in_the_documentation),
        cmocka_unit_test(thousands_of_reports_a_second_cost_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
