/* What is concluded from both sides of a TLS connection. */
#include "../fuzz/tls_recording.h"
#include "common/base/file.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

typedef struct fixture {
    fc_tls_reader *tls;
    char text[512];
    fc_buf recording;
} fixture;

static int
setup(void **state)
{
    fixture *f = FC_NEW(fixture);
    f->tls = fc_alloc(fc_tls_size());
    fc_tls_init(f->tls);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    fixture *f = *state;
    fc_buf_fini(&f->recording);
    free(f->tls);
    free(f);
    return 0;
}

static void
load(fixture *f, const char *name)
{
    int dir = open(FC_CORPUS_DIR "/tls", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(dir >= 0);
    fc_buf_clear(&f->recording);
    assert_int_equal(fc_file_read(dir, name, 1 << 20, &f->recording, NULL), FC_OK);
    (void)close(dir);
}

static const char *
play(fixture *f, size_t chunk, size_t snap)
{
    (void)tls_recording_play(f->tls, fc_buf_bytes(&f->recording), fc_buf_size(&f->recording), chunk, snap);
    tls_recording_text(f->tls, f->text);
    return f->text;
}

// clang-format off
#define EC_256 "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"
static const struct {
    const char *name;
    const char *expected; /* tshark and the programs' own messages say the same */
} recordings[] = {
    {"alpn-1.2",
     "serverFinished | TLS 1.2, TLS 1.2, " EC_256 " | \"server.test\" \"http/1.1\" | hello 1 data 0"},
    {"alpn-1.3",
     "data | TLS 1.3, TLS 1.3, TLS_AES_256_GCM_SHA384 | \"server.test\" \"h2\" | hello 1 data 4"},
    {"ccm8-1.3",
     "data | TLS 1.3, TLS 1.3, TLS_AES_128_CCM_8_SHA256 | \"server.test\" \"\" | hello 1 data 4"},
    {"client-certificate-1.2",
     "data | TLS 1.2, TLS 1.2, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 | \"server.test\" \"\" certificate-requested | hello 1 data 5"},
    {"client-certificate-1.3",
     "data | TLS 1.3, TLS 1.3, TLS_AES_256_GCM_SHA384 | \"server.test\" \"\" certificate-requested | hello 1 data 4"},
    {"client-rejects-1.2",
     "serverDone | TLS 1.2, TLS 1.2, " EC_256 " | \"server.test\" \"\""
     " | alert by client | unknown_ca(2) by client in 3 | hello 1 data 0"},
    {"client-rejects-1.3",
     "serverHello | TLS 1.3, TLS 1.3, TLS_AES_256_GCM_SHA384 | \"server.test\" \"\""
     " | alert by client | certificate_expired(2) by client in 3 | hello 1 data 0"},
    {"client-rejects-encrypted-1.3",
     "serverHello | TLS 1.3, TLS 1.3, TLS_AES_128_GCM_SHA256 | \"server.test\" \"h2\""
     " | alert by client | encrypted(0) by client in 3 | hello 1 data 0"},
    {"closed-1.2",
     "serverFinished | TLS 1.2, TLS 1.2, " EC_256 " | \"server.test\" \"\" | hello 1 data 0"},
    {"closed-1.3",
     "clientFinished | TLS 1.3, TLS 1.3, TLS_AES_256_GCM_SHA384 | \"server.test\" \"\" | hello 1 data 0"},
    {"data-1.2",
     "data | TLS 1.2, TLS 1.2, " EC_256 " | \"server.test\" \"\" | hello 1 data 5"},
    {"data-1.3",
     "data | TLS 1.3, TLS 1.3, TLS_AES_256_GCM_SHA384 | \"server.test\" \"\" | hello 1 data 4"},
    {"early-data-1.3",
     "data | TLS 1.3, TLS 1.3, TLS_AES_256_GCM_SHA384 | \"server.test\" \"\" resumed | hello 1 data 4"},
    {"hello-retry-1.3",
     "data | TLS 1.3, TLS 1.3, TLS_AES_256_GCM_SHA384 | \"server.test\" \"\" hello-retry | hello 1 data 6"},
    {"no-application-protocol-1.2",
     "clientHello | TLS 1.2, 0x0000, 0x0000 | \"server.test\" \"h2\""
     " | alert by server | no_application_protocol(2) by server in 2 | hello 1 data 0"},
    {"no-application-protocol-encrypted-1.3",
     "serverHello | TLS 1.3, TLS 1.3, TLS_AES_128_GCM_SHA256 | \"server.test\" \"h2\""
     " | alert by server | encrypted(0) by server in 2 | hello 1 data 0"},
    {"no-client-certificate-1.2",
     "clientFinished | TLS 1.2, TLS 1.2, " EC_256 " | \"server.test\" \"\" certificate-requested"
     " | alert by server | handshake_failure(2) by server in 4 | hello 1 data 0"},
    {"no-client-certificate-1.3",
     "clientFinished | TLS 1.3, TLS 1.3, TLS_AES_256_GCM_SHA384 | \"server.test\" \"\" certificate-requested"
     " | alert by server | encrypted(0) by server in 4 | hello 1 data 0"},
    {"no-shared-cipher-1.2",
     "clientHello | TLS 1.2, 0x0000, 0x0000 | \"server.test\" \"\""
     " | alert by server | handshake_failure(2) by server in 2 | hello 1 data 0"},
    {"old-1.0",
     "serverFinished | TLS 1.0, TLS 1.0, TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA | \"server.test\" \"\" | hello 1 data 0"},
    {"protocol-version",
     "clientHello | TLS 1.3, 0x0000, 0x0000 | \"server.test\" \"\""
     " | alert by server | protocol_version(2) by server in 2 | hello 1 data 0"},
    {"psk-1.3",
     "data | TLS 1.3, TLS 1.3, TLS_AES_256_GCM_SHA384 | \"server.test\" \"\" resumed | hello 1 data 4"},
    {"session-1.2",
     "data | TLS 1.2, TLS 1.2, " EC_256 " | \"server.test\" \"\" resumed | hello 1 data 4"},
    {"ticket-1.2",
     "data | TLS 1.2, TLS 1.2, " EC_256 " | \"server.test\" \"\" resumed | hello 1 data 4"},
    {"unrecognized-name-1.2",
     "clientHello | TLS 1.2, 0x0000, 0x0000 | \"server.test\" \"\""
     " | alert by server"
     " | unrecognized_name(2) by server in 2 | hello 1 data 0"},
    {"unrecognized-name-warning-1.2",
     "serverFinished | TLS 1.2, TLS 1.2, " EC_256 " | \"server.test\" \"\""
     " | unrecognized_name(1) by server in 2 | hello 1 data 0"},
    {"untrusted-client-1.2",
     "clientFinished | TLS 1.2, TLS 1.2, " EC_256 " | \"server.test\" \"\" certificate-requested"
     " | alert by server | unknown_ca(2) by server in 4 | hello 1 data 0"},
    {"untrusted-client-1.3",
     "clientFinished | TLS 1.3, TLS 1.3, TLS_AES_128_GCM_SHA256 | \"server.test\" \"h2\" certificate-requested"
     " | alert by server | encrypted(0) by server in 5 | hello 1 data 0"},
};
// clang-format on

static void
recordings_of_openssl_and_go_are_understood_however_they_are_cut(void **state)
{
    static const size_t chunks[] = {0, 1, 2, 3, 7};
    for (size_t i = 0; i < FC_COUNT(recordings); i++) {
        load(*state, recordings[i].name);
        for (size_t j = 0; j < FC_COUNT(chunks); j++) {
            (void)play(*state, chunks[j], 0);
            fixture *f = *state;
            if (strcmp(f->text, recordings[i].expected) != 0)
                print_error("%s in chunks of %zu\n", recordings[i].name, chunks[j]);
            assert_string_equal(f->text, recordings[i].expected);
        }
    }
}

/* The size of the first `pieces` pieces of the recording. */
static size_t
size_of_pieces(const fixture *f, int pieces)
{
    const uint8_t *data = fc_buf_bytes(&f->recording);
    size_t at = 0;
    for (int i = 0; i < pieces; i++)
        at += 3 + (data[at] <= TLS_PIECE_SERVER ? (size_t)(data[at + 1] << 8 | data[at + 2]) : 0);
    return at;
}

static void
whoever_breaks_off_a_handshake_is_named_with_the_stage(void **state)
{
    static const struct {
        const char *name;
        int pieces; /* of the recording, before the end */
        fc_tls_stage stage;
        bool counts_by_client, counts_by_server, counts_silence;
    } rows[] = {
        {"data-1.2", 1, FC_TLS_CLIENT_HELLO, true, true, true},
        {"data-1.2", 2, FC_TLS_SERVER_DONE, true, true, true},
        {"data-1.2", 3, FC_TLS_CLIENT_FINISHED, true, true, true},
        {"data-1.2", 4, FC_TLS_SERVER_FINISHED, false, false, false},
        {"data-1.2", 5, FC_TLS_DATA, false, false, false},
        {"client-certificate-1.2", 2, FC_TLS_SERVER_DONE, true, true, true},
        {"data-1.3", 1, FC_TLS_CLIENT_HELLO, true, true, true},
        {"data-1.3", 2, FC_TLS_SERVER_HELLO, true, true, true},
        {"data-1.3", 3, FC_TLS_CLIENT_FINISHED, false, true, false},
        {"data-1.3", 4, FC_TLS_DATA, false, false, false},
        {"client-certificate-1.3", 3, FC_TLS_CLIENT_FINISHED, false, true, false},
    };
    static const fc_tls_end ends[] = {FC_TLS_END_RST, FC_TLS_END_FIN, FC_TLS_END_SILENCE};
    fixture *f = *state;
    for (size_t i = 0; i < FC_COUNT(rows) * FC_COUNT(ends) * 2; i++) {
        size_t row = i / FC_COUNT(ends) / 2;
        fc_tls_end how = ends[i / 2 % FC_COUNT(ends)];
        fc_tls_role by = i % 2 == 0 ? FC_TLS_ROLE_CLIENT : FC_TLS_ROLE_SERVER;
        load(f, rows[row].name);
        (void)tls_recording_play(f->tls, fc_buf_bytes(&f->recording), size_of_pieces(f, rows[row].pieces), 0,
                                 0);
        fc_tls_ended(f->tls, how, by);
        fc_tls_summary summary;
        fc_tls_get(f->tls, &summary);
        bool counts = how == FC_TLS_END_SILENCE  ? rows[row].counts_silence
                      : by == FC_TLS_ROLE_CLIENT ? rows[row].counts_by_client
                                                 : rows[row].counts_by_server;
        assert_int_equal(summary.stage, rows[row].stage);
        assert_int_equal(summary.end, counts ? how : FC_TLS_END_NONE);
        if (counts)
            assert_int_equal(summary.end_role, by);
    }
}

static void
a_short_snap_length_hides_failures_but_invents_none(void **state)
{
    for (size_t i = 0; i < FC_COUNT(recordings); i++) {
        load(*state, recordings[i].name);
        bool ended = strstr(recordings[i].expected, " by ") != NULL;
        for (size_t snap = 9; snap < 300; snap++) {
            const char *text = play(*state, 0, snap);
            assert_non_null(strstr(text, "| hello 1 data"));
            if (!ended)
                assert_null(strstr(text, " by "));
            assert_null(strstr(text, "alert 1"));
        }
    }
}

static void
records_are_found_again_after_missing_bytes(void **state)
{
    fixture *f = *state;
    load(f, "data-1.2");
    const uint8_t *data = fc_buf_bytes(&f->recording);
    size_t hello = size_of_pieces(f, 1), flight = size_of_pieces(f, 2), total = fc_buf_size(&f->recording);
    fc_tls_init(f->tls);
    fc_tls_push(f->tls, FC_TLS_ROLE_CLIENT, 1, 1, data + 3, hello - 3);
    /* 60 bytes of the server's flight, the rest of it not, then everything. */
    fc_tls_push(f->tls, FC_TLS_ROLE_SERVER, 2, 2, data + hello + 3, 60);
    fc_tls_gap(f->tls, FC_TLS_ROLE_SERVER, flight - hello - 3 - 60);
    for (size_t at = flight; at < total && data[at] <= TLS_PIECE_SERVER;) {
        size_t length = (size_t)(data[at + 1] << 8 | data[at + 2]);
        fc_tls_push(f->tls, (fc_tls_role)data[at], 3, 3, data + at + 3, length);
        at += 3 + length;
    }
    fc_tls_summary summary;
    fc_tls_get(f->tls, &summary);
    assert_int_equal(summary.version, 0x0303);
    assert_int_equal(summary.stage, FC_TLS_DATA);
    assert_false(summary.resumed);
    assert_int_equal(summary.end, FC_TLS_END_NONE);
}

/* A record of TLS 1.3 whose content has this size, as far as anybody can see. */
static void
push_sealed(fc_tls_reader *tls, fc_tls_role from, int64_t unix_ns, size_t content)
{
    size_t length = content + 1 + 16;
    uint8_t *record = fc_alloc(5 + length);
    memcpy(record, "\x17\x03\x03", 3);
    record[3] = (uint8_t)(length >> 8);
    record[4] = (uint8_t)length;
    fc_tls_push(tls, from, unix_ns, (uint64_t)unix_ns, record, 5 + length);
    free(record);
}

/* BoringSSL puts Certificate, CertificateVerify and Finished into one record. */
static void
a_client_flight_in_one_record_is_judged_by_the_servers_answer(void **state)
{
    static const struct {
        size_t client, server; /* content of what follows the flight; 0 = nothing */
        fc_tls_stage stage;
        fc_tls_end end;
    } rows[] = {
        {0, 0, FC_TLS_CLIENT_CERTIFICATE, FC_TLS_END_NONE},
        {0, 2, FC_TLS_CLIENT_FINISHED, FC_TLS_END_ALERT},
        {100, 2, FC_TLS_CLIENT_FINISHED, FC_TLS_END_ALERT},
        {100, 200, FC_TLS_DATA, FC_TLS_END_NONE},
        {2, 200, FC_TLS_DATA, FC_TLS_END_NONE},
        {0, 200, FC_TLS_DATA, FC_TLS_END_NONE},
    };
    fixture *f = *state;
    load(f, "data-1.3");
    for (size_t i = 0; i < FC_COUNT(rows); i++) {
        (void)tls_recording_play(f->tls, fc_buf_bytes(&f->recording), size_of_pieces(f, 2), 0, 0);
        push_sealed(f->tls, FC_TLS_ROLE_CLIENT, 10, 900);
        if (rows[i].client != 0)
            push_sealed(f->tls, FC_TLS_ROLE_CLIENT, 11, rows[i].client);
        if (rows[i].server != 0)
            push_sealed(f->tls, FC_TLS_ROLE_SERVER, 12, rows[i].server);
        fc_tls_summary summary;
        fc_tls_get(f->tls, &summary);
        assert_int_equal(summary.stage, rows[i].stage);
        assert_int_equal(summary.end, rows[i].end);
        assert_true(summary.certificate_requested);
        assert_int_equal(summary.encrypted_alert, rows[i].end == FC_TLS_END_ALERT);
    }
}

static void
a_connection_closed_after_its_handshake_is_over(void **state)
{
    static const char *const names[] = {"closed-1.2", "closed-1.3"};
    fixture *f = *state;
    for (size_t i = 0; i < FC_COUNT(names); i++) {
        load(f, names[i]);
        (void)tls_recording_play(f->tls, fc_buf_bytes(&f->recording), size_of_pieces(f, 2), 0, 0);
        fc_tls_summary summary;
        fc_tls_get(f->tls, &summary);
        assert_false(summary.over);
        (void)play(f, 0, 0);
        fc_tls_get(f->tls, &summary);
        assert_true(summary.over);
    }
}

static void
an_alert_counts_after_missing_records_and_a_fin(void **state)
{
    fixture *f = *state;
    load(f, "client-rejects-1.2");
    const uint8_t *data = fc_buf_bytes(&f->recording);
    size_t before = size_of_pieces(f, 2), after = size_of_pieces(f, 3);
    (void)tls_recording_play(f->tls, data, before, 0, 70);
    fc_tls_ended(f->tls, FC_TLS_END_FIN, FC_TLS_ROLE_SERVER);
    fc_tls_summary summary;
    fc_tls_get(f->tls, &summary);
    assert_int_equal(summary.end, FC_TLS_END_NONE);
    fc_tls_push(f->tls, FC_TLS_ROLE_CLIENT, 9, 9, data + before + 3, after - before - 3);
    fc_tls_get(f->tls, &summary);
    assert_int_equal(summary.end, FC_TLS_END_ALERT);
    assert_int_equal(summary.alert_description, 48);
}

static void
a_version_is_not_guessed_where_records_are_missing(void **state)
{
    fixture *f = *state;
    for (size_t i = 0; i < FC_COUNT(recordings); i++) {
        load(f, recordings[i].name);
        for (size_t snap = 9; snap < 300; snap++) {
            (void)play(f, 0, snap);
            fc_tls_summary summary;
            fc_tls_get(f->tls, &summary);
            bool is_new = strstr(recordings[i].expected, ", TLS 1.3, ") != NULL;
            if (summary.version != 0)
                assert_int_equal(summary.version == 0x0304, is_new);
        }
    }
}

static void
put16(fc_buf *out, size_t value)
{
    const uint8_t bytes[] = {(uint8_t)(value >> 8), (uint8_t)value};
    fc_buf_append(out, bytes, sizeof bytes);
}

static void
put_extension(fc_buf *out, unsigned type, const void *bytes, size_t size)
{
    put16(out, type);
    put16(out, size);
    fc_buf_append(out, bytes, size);
}

/* A ClientHello as browsers send it: values without meaning first, a key share larger than a packet, and the
 * names after it. */
static void
put_large_client_hello(fc_buf *out)
{
    static const uint8_t zeros[1500];
    fc_buf extensions = {0}, body = {0};
    put_extension(&extensions, 0x5a5a, NULL, 0);
    put_extension(&extensions, 51, zeros, 1400);
    put_extension(&extensions, 43, "\x06\x2a\x2a\x03\x04\x03\x03", 7);
    put_extension(&extensions, 16, "\x00\x0f\x02\x0a\x0a\x02h2\x08http/1.1", 17);
    put_extension(&extensions, 0, "\x00\x0e\x00\x00\x0bWWW.Ex\xc3mple", 16);
    put16(&body, 0x0303);
    fc_buf_append(&body, zeros, 32);
    fc_buf_append(&body, "\x00\x00\x04\x3a\x3a\x13\x01\x01\x00", 9);
    put16(&body, fc_buf_size(&extensions));
    fc_buf_append(&body, fc_buf_bytes(&extensions), fc_buf_size(&extensions));
    fc_buf_append(out, "\x16\x03\x01", 3);
    put16(out, fc_buf_size(&body) + 4);
    fc_buf_append(out, "\x01\x00", 2);
    put16(out, fc_buf_size(&body));
    fc_buf_append(out, fc_buf_bytes(&body), fc_buf_size(&body));
    fc_buf_fini(&extensions);
    fc_buf_fini(&body);
}

static void
names_after_a_large_key_share_are_read(void **state)
{
    fixture *f = *state;
    put_large_client_hello(&f->recording);
    const uint8_t *data = fc_buf_bytes(&f->recording);
    size_t size = fc_buf_size(&f->recording);
    assert_true(size > 1460);
    assert_true(fc_tls_looks_like(data, size));
    fc_tls_push(f->tls, FC_TLS_ROLE_CLIENT, 1, 1, data, 1000);
    fc_tls_push(f->tls, FC_TLS_ROLE_CLIENT, 2, 2, data + 1000, size - 1000);
    fc_tls_summary summary;
    fc_tls_get(f->tls, &summary);
    assert_string_equal(summary.server_name, "www.ex?mple");
    assert_string_equal(summary.alpn, "h2");
    assert_int_equal(summary.client_version, 0x0304);
    assert_int_equal(summary.hello_ns, 1);
}

static void
only_a_client_hello_looks_like_tls(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        bool looks_like;
    } rows[] = {
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11, true},
        {"\x16\x03\x01\x02\x00\x01", 6, true},
        {"\x16\x03\x00", 3, true},
        {"\x16\x03", 2, false},
        {"", 0, false},
        {"\x16\x03\x01\x02\x00\x02\x00\x01\xfc", 9, false},
        {"\x16\x03\x01\x00\x02\x01\x00\x01\xfc", 9, false},
        {"\x16\x03\x01\xff\xff\x01\x00\x01\xfc", 9, false},
        {"\x16\x03\x01\x02\x00\x01\x01\x01\xfc", 9, false},
        {"\x16\x03\x01\x02\x00\x01\x00\x00\x10", 9, false},
        {"\x17\x03\x03\x02\x00", 5, false},
        {"\x16\x05\x01\x02\x00\x01", 6, false},
        {"\x16\x03\x09\x02\x00\x01", 6, false},
        {"GET / HTTP/1.1", 14, false},
        {"SSH-2.0-OpenSSH", 15, false},
    };
    for (size_t i = 0; i < FC_COUNT(rows); i++)
        assert_int_equal(fc_tls_looks_like((const uint8_t *)rows[i].bytes, rows[i].size), rows[i].looks_like);
}

static void
what_is_no_tls_is_not_read_further(void **state)
{
    fixture *f = *state;
    load(f, "data-1.2");
    size_t hello = size_of_pieces(f, 1);
    (void)tls_recording_play(f->tls, fc_buf_bytes(&f->recording), hello, 0, 0);
    static const uint8_t answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    fc_tls_push(f->tls, FC_TLS_ROLE_SERVER, 2, 2, answer, sizeof answer);
    assert_false(fc_tls_is_done(f->tls));
    fc_tls_push(f->tls, FC_TLS_ROLE_CLIENT, 3, 3, answer, sizeof answer);
    assert_true(fc_tls_is_done(f->tls));
    tls_recording_text(f->tls, f->text);
    assert_ptr_equal(strstr(f->text, "clientHello | TLS 1.2, 0x0000, 0x0000"), f->text);
}

static void
what_was_lost_before_a_fin_and_sent_again_counts(void **state)
{
    static const char *const names[] = {"client-rejects-1.2", "no-client-certificate-1.3", "data-1.3"};
    static const fc_tls_role by[] = {FC_TLS_ROLE_CLIENT, FC_TLS_ROLE_SERVER, FC_TLS_ROLE_SERVER};
    static const fc_tls_end ends[] = {FC_TLS_END_ALERT, FC_TLS_END_ALERT, FC_TLS_END_NONE};
    fixture *f = *state;
    for (size_t i = 0; i < FC_COUNT(names); i++) {
        load(f, names[i]);
        const uint8_t *data = fc_buf_bytes(&f->recording);
        int last = i == 0 ? 3 : 4; /* the piece that ends it */
        size_t before = size_of_pieces(f, last - 1), after = size_of_pieces(f, last);
        (void)tls_recording_play(f->tls, data, before, 0, 0);
        fc_tls_ended(f->tls, FC_TLS_END_FIN, by[i]);
        fc_tls_summary summary;
        fc_tls_get(f->tls, &summary);
        assert_int_equal(summary.end, FC_TLS_END_FIN);
        assert_false(fc_tls_is_done(f->tls));
        fc_tls_push(f->tls, by[i], 9, 9, data + before + 3, after - before - 3);
        fc_tls_get(f->tls, &summary);
        assert_int_equal(summary.end, ends[i]);
        assert_int_equal(summary.end_role, by[i]);
        assert_true(fc_tls_is_done(f->tls));
    }
}

static void
a_copy_goes_its_own_way(void **state)
{
    fixture *f = *state;
    load(f, "data-1.3");
    (void)tls_recording_play(f->tls, fc_buf_bytes(&f->recording), size_of_pieces(f, 2), 0, 0);
    fc_tls_reader *copy = fc_alloc(fc_tls_size());
    memcpy(copy, f->tls, fc_tls_size());
    fc_tls_ended(copy, FC_TLS_END_SILENCE, FC_TLS_ROLE_SERVER);
    assert_true(fc_tls_is_done(copy));
    assert_false(fc_tls_is_done(f->tls));
    free(copy);
}

static void
numbers_have_their_names(void **state)
{
    (void)state;
    char text[48];
    assert_string_equal(fc_tls_alert_name(48, text), "unknown_ca");
    assert_string_equal(fc_tls_alert_name(116, text), "certificate_required");
    assert_string_equal(fc_tls_alert_name(200, text), "alert 200");
    assert_string_equal(fc_tls_version_name(0x0300, text), "SSL 3.0");
    assert_string_equal(fc_tls_version_name(0x0304, text), "TLS 1.3");
    assert_string_equal(fc_tls_version_name(0x7f12, text), "0x7f12");
    assert_string_equal(fc_tls_suite_name(0xcca8, text), "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256");
    assert_string_equal(fc_tls_suite_name(0x1234, text), "0x1234");
    assert_string_equal(fc_tls_stage_name(FC_TLS_CERTIFICATE_REQUEST), "certificateRequest");
    assert_string_equal(fc_tls_stage_name((fc_tls_stage)99), "none");
    assert_string_equal(fc_tls_end_name(FC_TLS_END_SILENCE), "silence");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(recordings_of_openssl_and_go_are_understood_however_they_are_cut,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(whoever_breaks_off_a_handshake_is_named_with_the_stage, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_short_snap_length_hides_failures_but_invents_none, setup, teardown),
        cmocka_unit_test_setup_teardown(records_are_found_again_after_missing_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_client_flight_in_one_record_is_judged_by_the_servers_answer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_connection_closed_after_its_handshake_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(an_alert_counts_after_missing_records_and_a_fin, setup, teardown),
        cmocka_unit_test_setup_teardown(a_version_is_not_guessed_where_records_are_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(names_after_a_large_key_share_are_read, setup, teardown),
        cmocka_unit_test(only_a_client_hello_looks_like_tls),
        cmocka_unit_test_setup_teardown(what_is_no_tls_is_not_read_further, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_lost_before_a_fin_and_sent_again_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_goes_its_own_way, setup, teardown),
        cmocka_unit_test(numbers_have_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
