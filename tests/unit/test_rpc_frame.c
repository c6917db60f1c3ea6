/* Frames from bytes: limits before allocation, any chunking, nothing bigger than its bytes deserve. */
#include "common/base/mem.h"
#include "common/rpc/frame.h"
#include "common/rpc/rpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
feed(fc_rpc_decoder *decoder, const void *bytes, size_t size, uint32_t limit_bytes)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        size_t room;
        uint8_t *space = fc_rpc_decoder_space(decoder, limit_bytes, &room);
        size_t part = room < size ? room : size;
        memcpy(space, at, part);
        fc_rpc_decoder_commit(decoder, part);
        at += part;
        size -= part;
    }
}

static fc_rpc_decode
decode(const void *bytes, size_t size, uint32_t limit_bytes)
{
    fc_rpc_decoder decoder = {0};
    fc_rpc_arena arena;
    Fcpb__Frame *frame;
    feed(&decoder, bytes, size, limit_bytes);
    fc_rpc_decode result = fc_rpc_decoder_next(&decoder, limit_bytes, &arena, &frame);
    if (result == FC_RPC_DECODE_FRAME)
        fc_rpc_arena_fini(&arena);
    fc_rpc_decoder_fini(&decoder);
    return result;
}

static void
lengths_past_the_limit_are_refused_before_anything_is_allocated(void **state)
{
    (void)state;
    static const struct {
        uint32_t length;
        uint32_t limit;
    } cases[] = {
        {FC_RPC_FRAME_BEFORE_ADMISSION + 1, FC_RPC_FRAME_BEFORE_ADMISSION},
        {FC_RPC_FRAME_MAX, FC_RPC_FRAME_BEFORE_ADMISSION},
        {FC_RPC_FRAME_MAX + 1, FC_RPC_FRAME_MAX},
        {FC_RPC_FRAME_BULK_MAX + 1, FC_RPC_FRAME_BULK_MAX},
        {0x7fffffff, FC_RPC_FRAME_MAX},
        {0x80000000, FC_RPC_FRAME_MAX},
        {0xfffffffb, FC_RPC_FRAME_MAX},
        {0xffffffff, FC_RPC_FRAME_BULK_MAX},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        uint32_t n = cases[i].length;
        const uint8_t header[] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
        fc_rpc_decoder decoder = {0};
        fc_rpc_arena arena;
        Fcpb__Frame *frame;
        size_t room;
        feed(&decoder, header, sizeof header, cases[i].limit);
        assert_int_equal(fc_rpc_decoder_next(&decoder, cases[i].limit, &arena, &frame),
                         FC_RPC_DECODE_OVERSIZED);
        (void)fc_rpc_decoder_space(&decoder, cases[i].limit, &room);
        assert_true(decoder.in.capacity <= FC_RPC_DECODER_IDLE);
        fc_rpc_decoder_fini(&decoder);
    }
}

static void
a_frame_of_exactly_the_limit_is_taken(void **state)
{
    (void)state;
    static uint8_t payload[FC_RPC_FRAME_MAX];
    Fcpb__Message body = FCPB__MESSAGE__INIT;
    body.payload.data = payload;
    body.payload.len = FC_RPC_FRAME_MAX;
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.stream_id = 1;
    frame.body_case = FCPB__FRAME__BODY_MESSAGE;
    frame.message = &body;
    body.payload.len -= fcpb__frame__get_packed_size(&frame) - FC_RPC_FRAME_MAX;
    assert_int_equal(fcpb__frame__get_packed_size(&frame), FC_RPC_FRAME_MAX);
    fc_buf out = {0};
    fc_rpc_frame_put(&out, &frame);
    assert_int_equal(decode(fc_buf_bytes(&out), fc_buf_size(&out), FC_RPC_FRAME_MAX), FC_RPC_DECODE_FRAME);
    assert_int_equal(decode(fc_buf_bytes(&out), fc_buf_size(&out), FC_RPC_FRAME_MAX - 1),
                     FC_RPC_DECODE_OVERSIZED);
    fc_buf_fini(&out);
}

static void
the_longest_message_fits_its_frame(void **state)
{
    (void)state;
    static uint8_t payload[FC_RPC_MESSAGE_BULK_MAX];
    static const struct {
        size_t payload;
        size_t frame;
    } cases[] = {{FC_RPC_MESSAGE_MAX, FC_RPC_FRAME_MAX}, {FC_RPC_MESSAGE_BULK_MAX, FC_RPC_FRAME_BULK_MAX}};
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        Fcpb__Message body = FCPB__MESSAGE__INIT;
        body.payload.data = payload;
        body.payload.len = cases[i].payload;
        body.end_of_stream = true;
        Fcpb__Frame frame = FCPB__FRAME__INIT;
        frame.stream_id = UINT32_MAX;
        frame.body_case = FCPB__FRAME__BODY_MESSAGE;
        frame.message = &body;
        assert_true(fcpb__frame__get_packed_size(&frame) <= cases[i].frame);
    }
}

static void
any_chunking_gives_the_same_frames(void **state)
{
    (void)state;
    fc_buf out = {0};
    for (uint32_t i = 0; i < 20; i++) {
        uint8_t payload[3000];
        memset(payload, (int)i, sizeof payload);
        Fcpb__Message body = FCPB__MESSAGE__INIT;
        body.payload.data = payload;
        body.payload.len = i * 150;
        Fcpb__Frame frame = FCPB__FRAME__INIT;
        frame.stream_id = i + 1;
        frame.body_case = FCPB__FRAME__BODY_MESSAGE;
        frame.message = &body;
        fc_rpc_frame_put(&out, &frame);
    }
    for (size_t chunk = 1; chunk < 5000; chunk = chunk * 3 / 2 + 1) {
        fc_rpc_decoder decoder = {0};
        uint32_t next = 0;
        for (size_t at = 0; at < fc_buf_size(&out); at += chunk) {
            size_t left = fc_buf_size(&out) - at;
            feed(&decoder, fc_buf_bytes(&out) + at, left < chunk ? left : chunk, FC_RPC_FRAME_MAX);
            fc_rpc_arena arena;
            Fcpb__Frame *frame;
            while (fc_rpc_decoder_next(&decoder, FC_RPC_FRAME_MAX, &arena, &frame) == FC_RPC_DECODE_FRAME) {
                assert_int_equal(frame->stream_id, next + 1);
                assert_int_equal(frame->message->payload.len, next * 150);
                next++;
                fc_rpc_arena_fini(&arena);
            }
        }
        assert_int_equal(next, 20);
        fc_rpc_decoder_fini(&decoder);
    }
    fc_buf_fini(&out);
}

static void
a_quiet_decoder_gives_its_memory_back(void **state)
{
    (void)state;
    static uint8_t payload[60000];
    Fcpb__Message body = FCPB__MESSAGE__INIT;
    body.payload.data = payload;
    body.payload.len = sizeof payload;
    Fcpb__Frame frame = FCPB__FRAME__INIT;
    frame.stream_id = 1;
    frame.body_case = FCPB__FRAME__BODY_MESSAGE;
    frame.message = &body;
    fc_buf out = {0};
    fc_rpc_frame_put(&out, &frame);
    fc_rpc_decoder decoder = {0};
    fc_rpc_arena arena;
    Fcpb__Frame *got;
    size_t room;
    feed(&decoder, fc_buf_bytes(&out), fc_buf_size(&out), FC_RPC_FRAME_MAX);
    assert_int_equal(fc_rpc_decoder_next(&decoder, FC_RPC_FRAME_MAX, &arena, &got), FC_RPC_DECODE_FRAME);
    fc_rpc_arena_fini(&arena);
    (void)fc_rpc_decoder_space(&decoder, FC_RPC_FRAME_MAX, &room);
    fc_rpc_decoder_commit(&decoder, 1);
    decoder.in.start = decoder.in.end = 0;
    (void)fc_rpc_decoder_space(&decoder, FC_RPC_FRAME_MAX, &room);
    assert_int_equal(decoder.in.capacity, FC_RPC_DECODER_IDLE);
    fc_rpc_decoder_fini(&decoder);
    fc_buf_fini(&out);
}

static void
bytes_that_are_no_frame_are_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"\0\0\0\0", 4},                 /* no body */
        {"\0\0\0\2\x08\x01", 6},         /* a stream and no body */
        {"\0\0\0\1\xff", 5},             /* half a tag */
        {"\0\0\0\3\x12\x7f\x00", 7},     /* a length past the end */
        {"\0\0\0\3\x12\x01\x0a", 7},     /* inside a Request too */
        {"\0\0\0\2\x0a\x00", 6},         /* stream_id of the wrong wire type */
        {"\0\0\0\2\x10\x01", 6},         /* a Request that is a number */
        {"\0\0\0\4\x1a\x02\x0a\x05", 8}, /* a payload past the end */
        {"\0\0\0\2\x82\x06", 6},         /* an unknown field without content */
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++)
        assert_int_equal(decode(cases[i].bytes, cases[i].size, FC_RPC_FRAME_MAX), FC_RPC_DECODE_MALFORMED);
}

static void
more_metadata_than_allowed_is_malformed(void **state)
{
    (void)state;
    for (uint8_t count = FC_RPC_METADATA_MAX; count <= FC_RPC_METADATA_MAX + 1; count++) {
        uint8_t bytes[64] = {0, 0, 0, (uint8_t)(2 + 2 * count), 0x12, (uint8_t)(2 * count)};
        for (size_t i = 0; i < count; i++)
            bytes[6 + 2 * i] = 0x22;
        assert_int_equal(decode(bytes, 6 + (size_t)(2 * count), FC_RPC_FRAME_MAX),
                         count <= FC_RPC_METADATA_MAX ? FC_RPC_DECODE_FRAME : FC_RPC_DECODE_MALFORMED);
    }
}

/* 32,000 empty Metadata in one Request: each would be an allocation of its own. */
static void
a_frame_cannot_take_much_more_memory_than_it_is_long(void **state)
{
    (void)state;
    enum { COUNT = 32000 };
    static uint8_t bytes[4 + 4 + 2 * COUNT] = {0, 0, (2 * COUNT + 4) >> 8, (2 * COUNT + 4) & 0xff, 0x12};
    bytes[5] = (uint8_t)(2 * COUNT) | 0x80;
    bytes[6] = (uint8_t)((2 * COUNT) >> 7) | 0x80;
    bytes[7] = (2 * COUNT) >> 14;
    for (size_t i = 0; i < COUNT; i++)
        bytes[8 + 2 * i] = 0x22;
    assert_int_equal(decode(bytes, sizeof bytes, FC_RPC_FRAME_MAX), FC_RPC_DECODE_MALFORMED);
}

static void
an_arena_stops_at_its_limit_and_aligns(void **state)
{
    (void)state;
    fc_rpc_arena arena;
    fc_rpc_arena_init(&arena, 100);
    size_t limit = FC_RPC_ARENA_EXTRA + FC_RPC_ARENA_FACTOR * 100, taken = 0;
    ProtobufCAllocator *allocator = &arena.allocator;
    assert_null(allocator->alloc(allocator->allocator_data, SIZE_MAX));
    assert_null(allocator->alloc(allocator->allocator_data, limit + 1));
    for (size_t size = 1;; size = size * 2 % 4099) {
        uint8_t *piece = allocator->alloc(allocator->allocator_data, size);
        if (piece == NULL)
            break;
        assert_int_equal((uintptr_t)piece % 16, 0);
        memset(piece, 0xa5, size);
        taken += size;
        allocator->free(allocator->allocator_data, piece);
    }
    assert_true(taken <= limit && taken > limit / 2);
    fc_rpc_arena_fini(&arena);
}

static void
a_peers_text_is_cut_and_cleaned(void **state)
{
    (void)state;
    char text[8];
    fc_rpc_frame_text(text, sizeof text,
                      "a\x1b[2J\nb\x7f"
                      "c");
    assert_string_equal(text, "a?[2J?b");
    fc_rpc_frame_text(text, sizeof text, "\xc3\xa4");
    assert_string_equal(text, "\xc3\xa4");
    fc_rpc_frame_text(text, sizeof text, "");
    assert_string_equal(text, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_past_the_limit_are_refused_before_anything_is_allocated),
        cmocka_unit_test(a_frame_of_exactly_the_limit_is_taken),
        cmocka_unit_test(the_longest_message_fits_its_frame),
        cmocka_unit_test(any_chunking_gives_the_same_frames),
        cmocka_unit_test(a_quiet_decoder_gives_its_memory_back),
        cmocka_unit_test(bytes_that_are_no_frame_are_malformed),
        cmocka_unit_test(more_metadata_than_allowed_is_malformed),
        cmocka_unit_test(a_frame_cannot_take_much_more_memory_than_it_is_long),
        cmocka_unit_test(an_arena_stops_at_its_limit_and_aligns),
        cmocka_unit_test(a_peers_text_is_cut_and_cleaned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
