/* What a machine's cloud says about it: read, made into names and labels, asked for. */
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "node/metadata.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void
put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* ---- metadata.c ---- */

static fc_err
azure(const char *text, nd_metadata *ret)
{
    return nd_metadata_parse_azure(text, strlen(text), ret, NULL);
}

static void
azure_tells_id_name_zone_and_tags(void **state)
{
    (void)state;
    nd_metadata m = {0};
    assert_int_equal(
        azure("{\"compute\": {\"vmId\": \"02aab8a4-74ef-476e-8182-f6d2ba4166a6\", \"name\": \"web_17\","
              "\"zone\": \"2\", \"location\": \"westeurope\", \"vmScaleSetName\": \"web\", \"tagsList\": ["
              "{\"name\": \"role\", \"value\": \"web\"}, {\"name\": \"Cost centre\", \"value\": \"4711\"},"
              "{\"name\": \"role\", \"value\": \"db\"}, {\"name\": \"note\", \"value\": \"a\\u001b[2Jb\"},"
              "{\"name\": \"???\", \"value\": \"x\"}, {\"value\": \"x\"}, 7]}}",
              &m),
        FC_OK);
    assert_string_equal(m.id, "02aab8a4-74ef-476e-8182-f6d2ba4166a6");
    assert_string_equal(m.name, "web_17");
    assert_string_equal(m.zone, "2");
    assert_int_equal(m.labels.count, 2);
    assert_string_equal(fc_labels_find(&m.labels, "role"), "web");
    assert_string_equal(fc_labels_find(&m.labels, "Cost-centre"), "4711");
    assert_int_equal(m.labels_left, 5);
    nd_metadata_fini(&m);
}

static void
cloud_init_tells_the_standardised_keys(void **state)
{
    (void)state;
    static const char text[] =
        "{\"v1\": {\"instance_id\": \"i-0abc\", \"availability_zone\": \"eu-west-1b\", "
        "\"local_hostname\": \"ip-10-0-0-7\", \"cloud_name\": \"aws\"}}";
    nd_metadata m = {0};
    assert_int_equal(nd_metadata_parse_cloud_init(text, sizeof text - 1, &m, NULL), FC_OK);
    assert_string_equal(m.id, "i-0abc");
    assert_string_equal(m.name, "ip-10-0-0-7");
    assert_string_equal(m.zone, "eu-west-1b");
    nd_metadata_fini(&m);
}

static void
metadata_that_is_none_is_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const texts[] = {"",         "{",   "[]", "{\"compute\": 7}", "{\"v1\": []}",
                                        "\xff\xfe", "null"};
    for (size_t i = 0; i < FC_COUNT(texts); i++) {
        nd_metadata m = {0};
        fc_fail fail = {0};
        assert_int_equal(nd_metadata_parse_azure(texts[i], strlen(texts[i]), &m, &fail), FC_ERR_INVALID);
        assert_non_null(strstr(fail.text, "instance metadata"));
        assert_int_equal(nd_metadata_parse_cloud_init(texts[i], strlen(texts[i]), &m, &fail), FC_ERR_INVALID);
        nd_metadata_fini(&m);
    }
}

static void
tags_past_the_limit_are_counted(void **state)
{
    (void)state;
    nd_metadata m = {0};
    fc_buf text = {0};
    fc_buf_printf(&text, "{\"compute\": {\"tagsList\": [");
    for (int i = 0; i < 100; i++)
        fc_buf_printf(&text, "%s{\"name\": \"t%d\", \"value\": \"v\"}", i > 0 ? "," : "", i);
    fc_buf_printf(&text, "]}}");
    assert_int_equal(azure(fc_buf_text(&text), &m), FC_OK);
    assert_int_equal(m.labels.count, ND_METADATA_LABELS_MAX);
    assert_int_equal(m.labels_left, 100 - ND_METADATA_LABELS_MAX);
    nd_metadata_fini(&m);
    fc_buf_fini(&text);
}

static void
any_text_becomes_a_name_or_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name; /* NULL = none */
    } cases[] = {
        {"web-1", "web-1"},
        {"../../etc", "etc"},
        {"a b\tc", "a-b-c"},
        {"", NULL},
        {"---", NULL},
        {"\xc3\xa9t\xc3\xa9", "t"},
        {"-web-", "web"},
        {"a///b", "a-b"},
        {"web_", "web"},
        {".hidden", "hidden"},
        {"host.example.", "host.example"},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        char name[FC_NAME_MAX + 1] = "untouched";
        assert_int_equal(nd_metadata_name(cases[i].text, name), cases[i].name != NULL);
        assert_string_equal(name, cases[i].name != NULL ? cases[i].name : "untouched");
    }
    char text[200] = {0}, name[FC_NAME_MAX + 1];
    memset(text, 'x', sizeof text - 1);
    assert_true(nd_metadata_name(text, name));
    assert_int_equal(strlen(name), FC_NAME_MAX);
}

/* ---- asking: an HTTP server that answers once ---- */

typedef struct server {
    int fd;
    char base[64], asked[1024];
    const char *head;  /* status line and headers */
    size_t body_bytes; /* of 'x', when not 0; else `body` */
    const char *body;
    pthread_t thread;
} server;

static void *
serve(void *user)
{
    server *s = user;
    char part[4096];
    bool gone = false;
    int fd = accept(s->fd, NULL, NULL);
    if (fd < 0)
        return NULL;
    ssize_t got = read(fd, s->asked, sizeof s->asked - 1);
    s->asked[got > 0 ? got : 0] = '\0';
    if (s->head != NULL) {
        dprintf(fd, "%s\r\n\r\n", s->head);
        if (s->body != NULL)
            dprintf(fd, "%s", s->body);
        memset(part, 'x', sizeof part);
        for (size_t left = s->body_bytes; left > 0 && !gone;) {
            ssize_t sent = send(fd, part, left < sizeof part ? left : sizeof part, MSG_NOSIGNAL);
            gone = sent <= 0;
            left -= gone ? 0 : (size_t)sent;
        }
    } else {
        (void)sleep(2); /* says nothing */
    }
    close(fd);
    return NULL;
}

static void
start_server(server *s)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(s->fd >= 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s->fd, 1), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(s->base, sizeof s->base, "http://127.0.0.1:%d", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void
stop_server(server *s)
{
    (void)shutdown(s->fd, SHUT_RDWR); /* nobody may have come in the time that there is for an answer */
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    close(s->fd);
}

/* Asks such a service; again where a slow machine took all the time that there is for an answer. */
static fc_err
ask(server *s, fc_err want, nd_metadata *m, fc_fail *fail)
{
    fc_err err;
    int attempts = 0;
    do {
        start_server(s);
        nd_metadata_places places = {s->base, "/nonexistent"};
        err = nd_metadata_read(ND_METADATA_AZURE, &places, m, fail);
        stop_server(s);
    } while (err == FC_ERR_UNAVAILABLE && err != want && ++attempts < 10);
    return err;
}

static void
the_service_is_asked_as_it_wants_to_be(void **state)
{
    (void)state;
    server s = {.head = "HTTP/1.1 200 OK\r\nConnection: close",
                .body = "{\"compute\": {\"vmId\": \"vm-1\", \"name\": \"web-1\"}}"};
    nd_metadata m = {0};
    fc_fail fail = {0};
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(ask(&s, FC_OK, &m, &fail), FC_OK);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_non_null(strstr(s.asked, "GET /metadata/instance?api-version=2021-02-01 HTTP/1.1\r\n"));
    assert_non_null(strstr(s.asked, "\r\nMetadata: true\r\n"));
    assert_string_equal(m.id, "vm-1");
    assert_int_equal(m.source, ND_METADATA_AZURE);
    nd_metadata_fini(&m);
}

static void
a_service_that_does_not_answer_well_is_not_believed(void **state)
{
    (void)state;
    static const struct {
        const char *head, *body;
        size_t bytes;
        fc_err err;
    } cases[] = {
        {"HTTP/1.1 404 Not Found\r\nConnection: close", "{\"compute\": {}}", 0, FC_ERR_UNAVAILABLE},
        {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nConnection: close", "", 0, FC_ERR_UNAVAILABLE},
        {"HTTP/1.1 200 OK\r\nConnection: close", NULL, ND_METADATA_AZURE_BYTES_MAX + 100, FC_ERR_LIMIT},
        {"HTTP/1.1 200 OK\r\nConnection: close", "<html>", 0, FC_ERR_INVALID},
        {NULL, NULL, 0, FC_ERR_UNAVAILABLE}, /* silence: a second, no longer */
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        server s = {.head = cases[i].head, .body = cases[i].body, .body_bytes = cases[i].bytes};
        nd_metadata m = {0};
        fc_fail fail = {0};
        assert_int_equal(ask(&s, cases[i].err, &m, &fail), cases[i].err);
        nd_metadata_fini(&m);
    }
}

static void
whatever_there_is_is_used_and_nothing_is_fine_too(void **state)
{
    (void)state;
    char file[] = "/tmp/fleetcap-metadata.XXXXXX";
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    assert_int_equal(unlink(file), 0);
    nd_metadata_places places = {"http://127.0.0.1:1", file};
    nd_metadata m = {0};
    fc_fail fail = {0};
    assert_int_equal(nd_metadata_read(ND_METADATA_AUTO, &places, &m, &fail), FC_OK);
    assert_int_equal(m.source, ND_METADATA_NONE);
    assert_int_equal(nd_metadata_read(ND_METADATA_CLOUD_INIT, &places, &m, &fail), FC_ERR_NOT_FOUND);
    put(file, "{\"v1\": {\"instance_id\": \"i-7\"}}");
    assert_int_equal(nd_metadata_read(ND_METADATA_AUTO, &places, &m, &fail), FC_OK);
    assert_int_equal(m.source, ND_METADATA_CLOUD_INIT);
    assert_string_equal(m.id, "i-7");
    assert_int_equal(nd_metadata_read(ND_METADATA_NONE, &places, &m, &fail), FC_OK);
    assert_string_equal(m.id, "");
    nd_metadata_fini(&m);
    assert_int_equal(unlink(file), 0);
    close(fd);
}

int
main(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* who has waited long enough hangs up on the server */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(azure_tells_id_name_zone_and_tags),
        cmocka_unit_test(cloud_init_tells_the_standardised_keys),
        cmocka_unit_test(metadata_that_is_none_is_refused_with_a_sentence),
        cmocka_unit_test(tags_past_the_limit_are_counted),
        cmocka_unit_test(any_text_becomes_a_name_or_nothing),
        cmocka_unit_test(the_service_is_asked_as_it_wants_to_be),
        cmocka_unit_test(a_service_that_does_not_answer_well_is_not_believed),
        cmocka_unit_test(whatever_there_is_is_used_and_nothing_is_fine_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
