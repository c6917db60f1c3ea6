/* DNS questions with their answers: which belong together, which never came, and what was asked again. */
#include "common/analysis/dns.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TYPE_A = 1, TYPE_AAAA = 28, SEEN_MAX = 8192 };

typedef struct fixture {
    fc_dns *dns;
    fc_dns_transaction seen[SEEN_MAX];
    size_t count;
    uint64_t frame;
} fixture;

static void
note(void *user, const fc_dns_transaction *transaction)
{
    fixture *f = user;
    assert_true(f->count < SEEN_MAX);
    f->seen[f->count++] = *transaction;
}

static int
setup(void **state)
{
    fixture *f = FC_NEW(fixture);
    f->dns = fc_dns_new(note, f);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    fixture *f = *state;
    fc_dns_free(f->dns);
    free(f);
    return 0;
}

typedef struct packet {
    int64_t ms;
    uint16_t id, port;
    const char *name;
    uint16_t type;  /* 0 = A */
    uint8_t server; /* the last byte of its address; 0 = 53 */
    uint8_t rcode;
    uint8_t opcode;
    bool tcp, truncated, bare; /* bare: without a question */
} packet;

static fc_address
address(uint8_t last)
{
    return (fc_address){.family = 4, .bytes = {10, 0, 0, last}};
}

static void
say(fixture *f, const packet *p, bool response)
{
    fc_dns_message message = {
        .id = p->id,
        .type = p->type != 0 ? p->type : TYPE_A,
        .class = 1,
        .opcode = p->opcode,
        .rcode = p->rcode,
        .is_response = response,
        .truncated = p->truncated,
        .question_count = p->bare ? 0 : 1,
    };
    if (p->bare)
        message.type = 0;
    else
        (void)snprintf(message.name, sizeof message.name, "%s", p->name);
    fc_dns_sighting sighting = {
        .source = address(1),
        .destination = address(p->server != 0 ? p->server : 53),
        .source_port = p->port,
        .destination_port = 53,
        .protocol = p->tcp ? 6 : 17,
        .from_local = !response,
        .unix_ns = p->ms * FC_NS_PER_MS,
        .file = 3,
        .frame = ++f->frame,
    };
    if (response) {
        fc_address client = sighting.source;
        sighting.source = sighting.destination;
        sighting.destination = client;
        sighting.source_port = 53;
        sighting.destination_port = p->port;
    }
    fc_dns_message_seen(f->dns, &message, &sighting);
}

#define PACKET(ms_, id_, port_, name_, ...)                                                                  \
    &(packet)                                                                                                \
    {                                                                                                        \
        .ms = (ms_), .id = (id_), .port = (port_), .name = (name_), __VA_ARGS__                              \
    }
#define ASK(f, ...)    say(f, PACKET(__VA_ARGS__), false)
#define ANSWER(f, ...) say(f, PACKET(__VA_ARGS__), true)

static void
an_answer_ends_its_question(void **state)
{
    fixture *f = *state;
    ASK(f, 1000, 7, 4000, "a.org");
    ANSWER(f, 1025, 7, 4000, "a.org", .rcode = 2);
    assert_int_equal(f->count, 1);
    const fc_dns_transaction *seen = &f->seen[0];
    assert_string_equal(seen->name, "a.org");
    assert_int_equal(seen->answered_ns - seen->asked_ns, 25 * FC_NS_PER_MS);
    assert_int_equal(seen->rcode, 2);
    assert_int_equal(seen->asked_count, 1);
    assert_int_equal(seen->frame, 1);
    assert_int_equal(seen->answer_frame, 2);
    assert_int_equal(seen->file, 3);
    assert_int_equal(seen->client_port, 4000);
    assert_int_equal(seen->server_port, 53);
    assert_true(seen->client_is_local);
    assert_false(seen->open);
}

static void
an_answer_to_something_else_is_no_answer(void **state)
{
    fixture *f = *state;
    ASK(f, 1000, 7, 4000, "a.org");
    ANSWER(f, 1001, 8, 4000, "a.org");
    ANSWER(f, 1001, 7, 4001, "a.org");
    ANSWER(f, 1001, 7, 4000, "b.org");
    ANSWER(f, 1001, 7, 4000, "a.org", .type = TYPE_AAAA);
    ANSWER(f, 1001, 7, 4000, "a.org", .server = 54);
    ANSWER(f, 1001, 7, 4000, "a.org", .tcp = true);
    ANSWER(f, 1001, 7, 4000, "a.org", .opcode = 6);
    assert_int_equal(f->count, 0);
    ANSWER(f, 1002, 7, 4000, NULL, .bare = true, .rcode = 1);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->seen[0].rcode, 1);
    ANSWER(f, 1003, 7, 4000, "a.org");
    assert_int_equal(f->count, 1);
}

static void
a_and_aaaa_are_two_questions(void **state)
{
    fixture *f = *state;
    ASK(f, 1000, 7, 4000, "a.org");
    ASK(f, 1000, 8, 4000, "a.org", .type = TYPE_AAAA);
    ANSWER(f, 1002, 8, 4000, "a.org", .type = TYPE_AAAA);
    ANSWER(f, 1003, 7, 4000, "a.org");
    assert_int_equal(f->count, 2);
    assert_int_equal(f->seen[0].type, TYPE_AAAA);
    assert_int_equal(f->seen[1].asked_count, 1);
}

static void
asking_again_is_a_retry_with_any_id_and_port(void **state)
{
    fixture *f = *state;
    ASK(f, 0, 7, 4000, "a.org");
    ASK(f, 5000, 7, 4000, "a.org");
    ASK(f, 10000, 9, 4001, "a.org");
    ANSWER(f, 10020, 7, 4000, "a.org");
    assert_int_equal(f->count, 1);
    assert_int_equal(f->seen[0].asked_count, 3);
    assert_int_equal(f->seen[0].asked_ns, 0);
    assert_int_equal(f->seen[0].last_asked_ns, 10000 * FC_NS_PER_MS);
    assert_int_equal(f->seen[0].answered_ns, 10020 * FC_NS_PER_MS);
}

static void
another_server_is_another_question(void **state)
{
    fixture *f = *state;
    ASK(f, 1000, 7, 4000, "a.org");
    ASK(f, 3000, 7, 4000, "a.org", .server = 54);
    ANSWER(f, 3001, 7, 4000, "a.org", .server = 54);
    fc_dns_expire(f->dns, 60000 * FC_NS_PER_MS);
    assert_int_equal(f->count, 2);
    assert_int_equal(f->seen[0].server.bytes[3], 54);
    assert_int_equal(f->seen[1].server.bytes[3], 53);
    assert_int_equal(f->seen[1].answered_ns, 0);
    assert_int_equal(f->seen[1].asked_count, 1);
}

static void
two_askers_at_once_are_two_questions(void **state)
{
    fixture *f = *state;
    ASK(f, 1000, 7, 4000, "a.org");
    ASK(f, 1010, 8, 4001, "a.org");
    ANSWER(f, 1030, 7, 4000, "a.org");
    ANSWER(f, 1040, 8, 4001, "a.org");
    assert_int_equal(f->count, 2);
    assert_int_equal(f->seen[0].asked_count, 1);
    assert_int_equal(f->seen[1].asked_count, 1);
    assert_int_equal(f->seen[1].answered_ns - f->seen[1].asked_ns, 30 * FC_NS_PER_MS);
}

static void
a_datagram_seen_on_two_interfaces_is_one(void **state)
{
    fixture *f = *state;
    ASK(f, 1000, 7, 4000, "a.org");
    ASK(f, 1000, 7, 4000, "a.org");
    ANSWER(f, 1001, 7, 4000, "a.org");
    ANSWER(f, 1001, 7, 4000, "a.org");
    assert_int_equal(f->count, 1);
    assert_int_equal(f->seen[0].asked_count, 1);
}

static void
a_truncated_answer_is_asked_for_again_over_tcp(void **state)
{
    fixture *f = *state;
    ASK(f, 1000, 7, 4000, "a.org");
    ANSWER(f, 1001, 7, 4000, "a.org", .truncated = true);
    ASK(f, 1003, 7, 4444, "a.org", .tcp = true);
    ANSWER(f, 1004, 7, 4444, "a.org", .tcp = true);
    assert_int_equal(f->count, 2);
    assert_true(f->seen[0].truncated);
    assert_int_equal(f->seen[0].protocol, 17);
    assert_int_equal(f->seen[1].protocol, 6);
    assert_false(f->seen[1].truncated);
}

static void
a_late_answer_is_none(void **state)
{
    fixture *f = *state;
    ASK(f, 1000, 7, 4000, "a.org");
    ANSWER(f, 1000 + FC_DNS_TIMEOUT_NS / FC_NS_PER_MS, 7, 4000, "a.org");
    assert_int_equal(f->count, 1);
    assert_int_equal(f->seen[0].answered_ns, 0);
    assert_false(f->seen[0].open);
    ASK(f, 9000, 7, 4000, "a.org");
    ANSWER(f, 9000 + FC_DNS_TIMEOUT_NS / FC_NS_PER_MS - 1, 7, 4000, "a.org");
    assert_int_equal(f->count, 2);
    assert_int_equal(f->seen[1].asked_ns, 9000 * FC_NS_PER_MS);
    assert_int_not_equal(f->seen[1].answered_ns, 0);
}

static void
a_question_asked_for_ever_is_judged_in_between(void **state)
{
    fixture *f = *state;
    for (int64_t ms = 0; ms < 60000; ms += 4000)
        ASK(f, ms, 7, 4000, "a.org");
    assert_int_equal(f->count, 1);
    assert_int_equal(f->seen[0].asked_count, 8);
    assert_int_equal(f->seen[0].answered_ns, 0);
}

typedef struct open_count {
    size_t unanswered, open;
} open_count;

static void
count_open(void *user, const fc_dns_transaction *transaction)
{
    open_count *counts = user;
    assert_int_equal(transaction->answered_ns, 0);
    counts->unanswered += !transaction->open;
    counts->open += transaction->open;
}

static void
looking_at_what_is_open_changes_nothing(void **state)
{
    fixture *f = *state;
    ASK(f, 1000, 7, 4000, "a.org");
    ASK(f, 4000, 8, 4001, "b.org");
    for (int i = 0; i < 2; i++) {
        open_count counts = {0};
        fc_dns_each_open(f->dns, 7000 * FC_NS_PER_MS, count_open, &counts);
        assert_int_equal(counts.unanswered, 1);
        assert_int_equal(counts.open, 1);
        assert_int_equal(f->count, 0);
    }
    ANSWER(f, 4001, 7, 4000, "a.org");
    assert_int_equal(f->count, 1);
    assert_int_not_equal(f->seen[0].answered_ns, 0);
}

/* A stub that goes on to its next server has given the first one up; one that asks both at once has not. */
static void
asked_of_another_server_later_is_not_open(void **state)
{
    fixture *f = *state;
    ASK(f, 1000, 7, 4000, "a.org");
    ASK(f, 2000, 9, 4001, "a.org", .server = 54);
    ASK(f, 2000, 7, 4002, "b.org");
    ASK(f, 2010, 9, 4003, "b.org", .server = 54);
    open_count counts = {0};
    fc_dns_each_open(f->dns, 2500 * FC_NS_PER_MS, count_open, &counts);
    assert_int_equal(counts.unanswered, 1);
    assert_int_equal(counts.open, 3);
    ANSWER(f, 2600, 7, 4000, "a.org");
    assert_int_equal(f->count, 1);
    assert_int_not_equal(f->seen[0].answered_ns, 0);
}

static void
asked_again_and_old_is_not_open(void **state)
{
    fixture *f = *state;
    ASK(f, 1000, 7, 4000, "a.org");
    ASK(f, 2500, 7, 4000, "a.org");
    for (int64_t seconds = 2; seconds <= 3; seconds++) {
        open_count counts = {0};
        fc_dns_each_open(f->dns, seconds * FC_NS_PER_S, count_open, &counts);
        assert_int_equal(counts.unanswered, seconds == 3);
        assert_int_equal(counts.open, seconds != 3);
    }
}

static void
more_than_the_limit_judges_the_oldest(void **state)
{
    fixture *f = *state;
    char name[32];
    for (int i = 0; i < FC_DNS_OPEN_MAX + 10; i++) {
        (void)snprintf(name, sizeof name, "n%d.org", i);
        ASK(f, 1000, (uint16_t)i, 4000, name);
    }
    assert_int_equal(f->count, 10);
    assert_string_equal(f->seen[9].name, "n9.org");
    ANSWER(f, 1001, FC_DNS_OPEN_MAX + 9, 4000, name);
    assert_int_equal(f->count, 11);
    assert_int_not_equal(f->seen[10].answered_ns, 0);
    fc_dns_expire(f->dns, 60000 * FC_NS_PER_MS);
    assert_int_equal(f->count, FC_DNS_OPEN_MAX + 10);
}

static void
only_the_last_attempts_of_many_are_answered(void **state)
{
    fixture *f = *state;
    for (uint16_t i = 0; i < 6; i++)
        ASK(f, 1000 + 1000 * i, (uint16_t)(100 + i), (uint16_t)(4000 + i), "a.org");
    ANSWER(f, 6001, 100, 4000, "a.org");
    assert_int_equal(f->count, 0);
    ANSWER(f, 6002, 103, 4003, "a.org");
    assert_int_equal(f->count, 1);
    assert_int_equal(f->seen[0].asked_count, 6);
}

static void
questions_to_a_group_are_not_followed(void **state)
{
    fixture *f = *state;
    const fc_dns_message message = {.question_count = 1, .name = "printer.local", .type = TYPE_A};
    const fc_dns_sighting sighting = {.source = address(1),
                                      .destination = {.family = 4, .bytes = {224, 0, 0, 251}},
                                      .source_port = 5353,
                                      .destination_port = 5353,
                                      .protocol = 17,
                                      .unix_ns = 1};
    fc_dns_message_seen(f->dns, &message, &sighting);
    fc_dns_expire(f->dns, INT64_MAX);
    assert_int_equal(f->count, 0);
}

static void
clocks_that_jump_do_no_harm(void **state)
{
    fixture *f = *state;
    static const int64_t times[] = {INT64_MIN / FC_NS_PER_MS, INT64_MAX / FC_NS_PER_MS, 0, -1, 1000};
    for (size_t i = 0; i < FC_COUNT(times) * FC_COUNT(times); i++) {
        ASK(f, times[i / FC_COUNT(times)], (uint16_t)i, 4000, "a.org");
        ANSWER(f, times[i % FC_COUNT(times)], (uint16_t)i, 4000, "a.org");
    }
    fc_dns_expire(f->dns, INT64_MAX);
    for (size_t i = 0; i < f->count; i++)
        assert_true(f->seen[i].answered_ns == 0 || f->seen[i].answered_ns >= f->seen[i].asked_ns);
    assert_true(f->count > 0);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(an_answer_ends_its_question),
        WITH_FIXTURE(an_answer_to_something_else_is_no_answer),
        WITH_FIXTURE(a_and_aaaa_are_two_questions),
        WITH_FIXTURE(asking_again_is_a_retry_with_any_id_and_port),
        WITH_FIXTURE(another_server_is_another_question),
        WITH_FIXTURE(two_askers_at_once_are_two_questions),
        WITH_FIXTURE(a_datagram_seen_on_two_interfaces_is_one),
        WITH_FIXTURE(a_truncated_answer_is_asked_for_again_over_tcp),
        WITH_FIXTURE(a_late_answer_is_none),
        WITH_FIXTURE(a_question_asked_for_ever_is_judged_in_between),
        WITH_FIXTURE(looking_at_what_is_open_changes_nothing),
        WITH_FIXTURE(asked_of_another_server_later_is_not_open),
        WITH_FIXTURE(asked_again_and_old_is_not_open),
        WITH_FIXTURE(more_than_the_limit_judges_the_oldest),
        WITH_FIXTURE(only_the_last_attempts_of_many_are_answered),
        WITH_FIXTURE(questions_to_a_group_are_not_followed),
        WITH_FIXTURE(clocks_that_jump_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
