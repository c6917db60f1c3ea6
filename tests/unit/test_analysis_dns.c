/* DNS messages, and the streams that carry them over TCP. */
#include "common/analysis/dns.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TYPE_A = 1, TYPE_AAAA = 28 };

#define QUERY    "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
#define RESPONSE "\x12\x34\x81\x83\x00\x01\x00\x02\x00\x00\x00\x00"

#define PARSE(bytes, message) fc_dns_parse((const uint8_t *)(bytes), sizeof(bytes) - 1, message)

static void
a_query_is_read(void **state)
{
    (void)state;
    fc_dns_message message;
    assert_int_equal(PARSE(QUERY "\x03WwW\x07"
                                 "eXample\x03org\x00\x00\x1c\x00\x01",
                           &message),
                     FC_OK);
    assert_string_equal(message.name, "www.example.org");
    assert_int_equal(message.id, 0x1234);
    assert_int_equal(message.type, TYPE_AAAA);
    assert_int_equal(message.class, 1);
    assert_int_equal(message.question_count, 1);
    assert_true(message.recursion_desired);
    assert_false(message.is_response);
    assert_false(message.truncated);
}

static void
an_answer_is_read(void **state)
{
    (void)state;
    fc_dns_message message;
    assert_int_equal(PARSE("\x12\x34\xab\x83\x00\x01\x00\x02\x00\x00\x00\x00"
                           "\x01x\x00\x00\x01\x00\x01 rest",
                           &message),
                     FC_OK);
    assert_true(message.is_response);
    assert_true(message.truncated);
    assert_int_equal(message.opcode, 5);
    assert_int_equal(message.rcode, 3);
    assert_int_equal(message.answer_count, 2);
    assert_string_equal(message.name, "x");
}

static void
names_are_written_as_zone_files_write_them(void **state)
{
    (void)state;
    fc_dns_message message;
    assert_int_equal(PARSE(QUERY "\x00\x00\x02\x00\x01", &message), FC_OK);
    assert_string_equal(message.name, ".");
    assert_int_equal(PARSE(QUERY "\x06"
                                 "a.b\\ \xc3\x02\x00\x7f\x00\x00\x01\x00\x01",
                           &message),
                     FC_OK);
    assert_string_equal(message.name, "a\\.b\\\\\\032\\195.\\000\\127");
    assert_int_equal(PARSE("\x12\x34\x81\x81\x00\x00\x00\x00\x00\x00\x00\x00", &message), FC_OK);
    assert_string_equal(message.name, "");
    assert_int_equal(message.type, 0);
}

/* A name of 255 bytes on the wire: three labels of 63 and one of `last`. */
static size_t
put_long_name(uint8_t *at, uint8_t last, uint8_t byte)
{
    size_t size = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t length = i < 3 ? 63 : last;
        at[size++] = length;
        memset(at + size, byte, length);
        size += length;
    }
    at[size++] = 0;
    memcpy(at + size, "\x00\x01\x00\x01", 4);
    return size + 4;
}

static void
the_longest_name_fits_and_a_longer_one_is_corrupt(void **state)
{
    (void)state;
    fc_dns_message message;
    uint8_t bytes[512];
    memcpy(bytes, QUERY, 12);
    size_t size = 12 + put_long_name(bytes + 12, 61, 'x');
    assert_int_equal(fc_dns_parse(bytes, size, &message), FC_OK);
    assert_int_equal(strlen(message.name), 253);
    size = 12 + put_long_name(bytes + 12, 62, 'x');
    assert_int_equal(fc_dns_parse(bytes, size, &message), FC_ERR_CORRUPT);
}

static void
a_name_that_grows_by_escapes_is_cut_between_them(void **state)
{
    (void)state;
    fc_dns_message message;
    uint8_t bytes[512];
    memcpy(bytes, QUERY, 12);
    size_t size = 12 + put_long_name(bytes + 12, 61, 0xff);
    assert_int_equal(fc_dns_parse(bytes, size, &message), FC_OK);
    assert_int_equal(strlen(message.name), 252);
    assert_string_equal(message.name + 248, "\\255");
}

static void
every_cut_of_a_question_is_corrupt(void **state)
{
    (void)state;
    static const char bytes[] = QUERY "\x03www\x07"
                                      "example\x03org\x00\x00\x01\x00\x01";
    fc_dns_message message;
    for (size_t size = 0; size < sizeof bytes - 1; size++) {
        uint8_t *exact = fc_alloc(size);
        memcpy(exact, bytes, size);
        assert_int_equal(fc_dns_parse(exact, size, &message), FC_ERR_CORRUPT);
        free(exact);
    }
}

static void
pointers_lead_back_only(void **state)
{
    (void)state;
    fc_dns_message message;
    /* Into the header, where a label "4" and the root stand. */
    assert_int_equal(PARSE("\x01\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01"
                           "a\xc0\x00\x00\x01\x00\x01",
                           &message),
                     FC_OK);
    assert_string_equal(message.name, "a.4");
    assert_int_equal(message.type, TYPE_A);
    assert_int_equal(PARSE(QUERY "\xc0\x0c\x00\x01\x00\x01", &message), FC_ERR_CORRUPT);
    assert_int_equal(PARSE(QUERY "\x01"
                                 "a\xc0\x0c\x00\x01\x00\x01",
                           &message),
                     FC_ERR_CORRUPT);
    assert_int_equal(PARSE(QUERY "\x01"
                                 "a\xc0\x20\x00\x01\x00\x01",
                           &message),
                     FC_ERR_CORRUPT);
    assert_int_equal(
        PARSE("\xc0\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x00\x00\x01\x00\x01", &message),
        FC_ERR_CORRUPT);
    assert_int_equal(PARSE(QUERY "\x40"
                                 "a\x00\x00\x01\x00\x01",
                           &message),
                     FC_ERR_CORRUPT);
    assert_int_equal(PARSE(QUERY "\x80"
                                 "a\x00\x00\x01\x00\x01",
                           &message),
                     FC_ERR_CORRUPT);
}

static void
a_suffix_is_the_last_two_labels(void **state)
{
    (void)state;
    assert_string_equal(fc_dns_suffix("www.example.org"), "example.org");
    assert_string_equal(fc_dns_suffix("example.org"), "example.org");
    assert_string_equal(fc_dns_suffix("localhost"), "localhost");
    assert_string_equal(fc_dns_suffix("."), ".");
    assert_string_equal(fc_dns_suffix(""), "");
    assert_string_equal(fc_dns_suffix("a.b\\.c.org"), "b\\.c.org");
    assert_string_equal(fc_dns_suffix("a.b\\\\.c.org"), "c.org");
    assert_string_equal(fc_dns_suffix("4.0.0.10.in-addr.arpa"), "in-addr.arpa");
}

static void
types_and_codes_have_names(void **state)
{
    (void)state;
    char text[16];
    assert_string_equal(fc_dns_type_name(TYPE_AAAA, text), "AAAA");
    assert_string_equal(fc_dns_type_name(65, text), "HTTPS");
    assert_string_equal(fc_dns_type_name(65280, text), "TYPE65280");
    assert_string_equal(fc_dns_rcode_name(0, text), "NOERROR");
    assert_string_equal(fc_dns_rcode_name(2, text), "SERVFAIL");
    assert_string_equal(fc_dns_rcode_name(12, text), "RCODE12");
}

/* Streams */

static void
note_message(void *user, const uint8_t *data, size_t size)
{
    fc_buf *seen = user;
    fc_buf_printf(seen, "%zu:%.*s ", size, size < 4 ? (int)size : 4, (const char *)data);
}

static void
messages_of_a_stream_come_whole_however_it_is_cut(void **state)
{
    (void)state;
    uint8_t bytes[2 + 4 + 2 + 2 + 600 + 2 + 1];
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes,
           "\x00\x04"
           "abcd"
           "\x00\x00"
           "\x02\x58",
           10);
    memcpy(bytes + 10 + 600, "\x00\x01z", 3);
    for (size_t chunk = 1; chunk <= sizeof bytes; chunk++) {
        fc_dns_stream stream = {0};
        fc_buf seen = {0};
        for (size_t at = 0; at < sizeof bytes; at += chunk)
            fc_dns_stream_push(&stream, bytes + at, chunk < sizeof bytes - at ? chunk : sizeof bytes - at,
                               note_message, &seen);
        assert_string_equal(fc_buf_text(&seen), "4:abcd 512:xxxx 1:z ");
        fc_buf_fini(&seen);
    }
}

static void
a_gap_inside_a_message_keeps_what_came_before(void **state)
{
    (void)state;
    fc_dns_stream stream = {0};
    fc_buf seen = {0};
    fc_dns_stream_push(&stream,
                       (const uint8_t *)"\x00\x0a"
                                        "abcd",
                       6, note_message, &seen);
    fc_dns_stream_gap(&stream, 4, note_message, &seen);
    fc_dns_stream_push(&stream, (const uint8_t *)"yy\x00\x02", 4, note_message, &seen);
    fc_dns_stream_gap(&stream, 2, note_message, &seen);
    fc_dns_stream_push(&stream, (const uint8_t *)"\x00\x01z", 3, note_message, &seen);
    assert_string_equal(fc_buf_text(&seen), "4:abcd 1:z ");
    fc_buf_fini(&seen);
}

static void
a_gap_past_a_message_ends_the_stream(void **state)
{
    (void)state;
    fc_dns_stream stream = {0};
    fc_buf seen = {0};
    fc_dns_stream_push(&stream,
                       (const uint8_t *)"\x00\x0a"
                                        "abcd",
                       6, note_message, &seen);
    fc_dns_stream_gap(&stream, 7, note_message, &seen);
    fc_dns_stream_push(&stream, (const uint8_t *)"\x00\x01z", 3, note_message, &seen);
    assert_true(stream.lost);
    assert_string_equal(fc_buf_text(&seen), "4:abcd ");
    fc_dns_stream half = {0};
    fc_dns_stream_push(&half, (const uint8_t *)"\x00", 1, note_message, &seen);
    fc_dns_stream_gap(&half, 1, note_message, &seen);
    assert_true(half.lost);
    fc_buf_fini(&seen);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_is_read),
        cmocka_unit_test(an_answer_is_read),
        cmocka_unit_test(names_are_written_as_zone_files_write_them),
        cmocka_unit_test(the_longest_name_fits_and_a_longer_one_is_corrupt),
        cmocka_unit_test(a_name_that_grows_by_escapes_is_cut_between_them),
        cmocka_unit_test(every_cut_of_a_question_is_corrupt),
        cmocka_unit_test(pointers_lead_back_only),
        cmocka_unit_test(a_suffix_is_the_last_two_labels),
        cmocka_unit_test(types_and_codes_have_names),
        cmocka_unit_test(messages_of_a_stream_come_whole_however_it_is_cut),
        cmocka_unit_test(a_gap_inside_a_message_keeps_what_came_before),
        cmocka_unit_test(a_gap_past_a_message_ends_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
