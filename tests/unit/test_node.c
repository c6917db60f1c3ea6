/* The pure parts of the node: what is desired, what follows from it by the state table, and what policy says.
 */
#include "common/base/mem.h"
#include "node/desired.h"
#include "node/policy.h"
#include "node/reconcile.h"
#include "node/state.h"

#include <fleetcap/v1/node_service.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- state.c ---- */

static void
every_state_answers_every_event(void **state)
{
    (void)state;
    for (int from = 0; from < ND_STATE_COUNT; from++)
        for (int event = 0; event < ND_EVENT_COUNT; event++) {
            nd_transition next = nd_state_next((nd_state)from, (nd_event)event);
            assert_in_range(next.to, 0, ND_STATE_COUNT - 1);
            if (!next.known) {
                assert_int_equal(next.to, from);
                assert_int_equal(next.effects, 0);
            }
            /* Who reaches the end is finished, written down and reported at once. */
            if (!nd_state_final((nd_state)from) && nd_state_final(next.to))
                assert_int_equal(next.effects & (ND_EFFECT_FINISH | ND_EFFECT_SAVE | ND_EFFECT_REPORT),
                                 ND_EFFECT_FINISH | ND_EFFECT_SAVE | ND_EFFECT_REPORT);
            /* A visible change is told. */
            if (nd_state_reported((nd_state)from) != nd_state_reported(next.to))
                assert_true((next.effects & (ND_EFFECT_REPORT | ND_EFFECT_REPORT_LATER)) != 0);
        }
}

static void
the_end_is_for_ever(void **state)
{
    (void)state;
    for (int event = 0; event < ND_EVENT_COUNT; event++) {
        assert_int_equal(nd_state_next(ND_STATE_STOPPED, (nd_event)event).to, ND_STATE_STOPPED);
        assert_int_equal(nd_state_next(ND_STATE_FAILED, (nd_event)event).to, ND_STATE_FAILED);
        assert_int_equal(nd_state_next(ND_STATE_STOPPED, (nd_event)event).effects, 0);
    }
}

static void
only_an_admission_starts_a_helper(void **state)
{
    (void)state;
    for (int from = 0; from < ND_STATE_COUNT; from++)
        for (int event = 0; event < ND_EVENT_COUNT; event++)
            if ((nd_state_next((nd_state)from, (nd_event)event).effects & ND_EFFECT_START) != 0) {
                assert_int_equal(from, ND_STATE_PENDING);
                assert_int_equal(event, ND_EVENT_ADMIT);
            }
}

static void
a_stop_is_understood_in_every_state(void **state)
{
    (void)state;
    for (int from = 0; from < ND_STATE_COUNT; from++)
        assert_true(nd_state_next((nd_state)from, ND_EVENT_STOP).known);
}

static void
a_dead_helper_leads_through_recovery(void **state)
{
    (void)state;
    static const nd_state with_helper[] = {ND_STATE_PROVISIONING, ND_STATE_ARMED, ND_STATE_RUNNING,
                                           ND_STATE_STOPPING};
    for (size_t i = 0; i < FC_COUNT(with_helper); i++) {
        nd_transition next = nd_state_next(with_helper[i], ND_EVENT_HELPER_DIED);
        assert_int_equal(next.to, ND_STATE_RECOVERING);
        assert_true((next.effects & ND_EFFECT_RELEASE) != 0);
        assert_true((next.effects & ND_EFFECT_RECOVER) != 0);
    }
}

static void
states_and_events_have_names(void **state)
{
    (void)state;
    assert_string_equal(nd_state_name(ND_STATE_ARMED), "ARMED");
    assert_int_equal(nd_state_reported(ND_STATE_ARMED), FC_STATE_PROVISIONING);
    assert_int_equal(nd_state_reported(ND_STATE_RECOVERING), FC_STATE_STOPPING);
    assert_string_equal(nd_event_name(ND_EVENT_HELPER_DIED), "HELPER_DIED");
    assert_string_equal(nd_state_name((nd_state)99), "?");
}

/* ---- reconcile.c ---- */

static const char UID_A[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char UID_B[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

static nd_desired_capture
desired(const char *uid, nd_action action, int64_t start, int64_t end)
{
    nd_desired_capture capture = {.action = action, .start = {start}, .window_end = {end}};
    (void)snprintf(capture.uid, sizeof capture.uid, "%s", uid);
    (void)snprintf(capture.name, sizeof capture.name, "c");
    if (action == ND_ACTION_STOP)
        capture.stop_reason = FC_STOP_STOP_REQUESTED;
    return capture;
}

typedef struct reconcile_case {
    const char *what;
    bool wanted; /* in the desired set */
    nd_action action;
    int64_t start, end;
    bool known; /* on the node */
    nd_state have;
    bool go_known;
    nd_action disposal;
    int steps[3]; /* nd_step_kind + 1; 0 = no more */
    fc_stop_reason reason;
} reconcile_case;

enum { NOW = 1000 };

// clang-format off
#define S(kind) (ND_STEP_##kind + 1)
static const reconcile_case reconcile_cases[] = {
    {"new", true, ND_ACTION_RUN, 0, 0, false, 0, false, 0, {S(ADMIT)}, 0},
    {"new with a start that is past", true, ND_ACTION_RUN, 900, 2000, false, 0, false, 0, {S(ADMIT)}, 0},
    {"new, window over", true, ND_ACTION_RUN, 500, 1000, false, 0, false, 0, {S(RECORD)}, FC_STOP_WINDOW_CLOSED},
    {"stopped while away", true, ND_ACTION_STOP, 0, 0, false, 0, false, 0, {S(RECORD)}, FC_STOP_STOP_REQUESTED},
    {"forget unknown", true, ND_ACTION_FORGET, 0, 0, false, 0, false, 0, {0}, 0},
    {"purge unknown", true, ND_ACTION_PURGE, 0, 0, false, 0, false, 0, {0}, 0},
    {"armed, still waiting", true, ND_ACTION_RUN, 0, 0, true, ND_STATE_ARMED, false, 0, {0}, 0},
    {"armed, start known", true, ND_ACTION_RUN, 1200, 2000, true, ND_STATE_ARMED, false, 0, {S(GO)}, 0},
    {"arming, start known", true, ND_ACTION_RUN, 1200, 2000, true, ND_STATE_PROVISIONING, false, 0, {S(GO)}, 0},
    {"armed too late", true, ND_ACTION_RUN, 500, 900, true, ND_STATE_ARMED, false, 0,
        {S(STOP)}, FC_STOP_WINDOW_CLOSED},
    {"already running", true, ND_ACTION_RUN, 900, 2000, true, ND_STATE_RUNNING, true, 0, {0}, 0},
    {"already over", true, ND_ACTION_RUN, 900, 2000, true, ND_STATE_STOPPED, true, 0, {0}, 0},
    {"to be stopped", true, ND_ACTION_STOP, 0, 0, true, ND_STATE_RUNNING, true, 0, {S(STOP)}, FC_STOP_STOP_REQUESTED},
    {"stopping already", true, ND_ACTION_STOP, 0, 0, true, ND_STATE_STOPPING, true, 0, {0}, 0},
    {"stopped already", true, ND_ACTION_STOP, 0, 0, true, ND_STATE_STOPPED, true, 0, {0}, 0},
    {"absent, running", false, 0, 0, 0, true, ND_STATE_RUNNING, true, 0,
        {S(STOP), S(DISPOSE)}, FC_STOP_CAPTURE_DELETED},
    {"absent, stopped", false, 0, 0, 0, true, ND_STATE_STOPPED, true, 0, {S(DISPOSE)}, FC_STOP_CAPTURE_DELETED},
    {"absent, being forgotten", false, 0, 0, 0, true, ND_STATE_STOPPING, true, ND_ACTION_FORGET, {0}, 0},
    {"purge, running", true, ND_ACTION_PURGE, 0, 0, true, ND_STATE_RUNNING, true, 0,
        {S(STOP), S(DISPOSE)}, FC_STOP_CAPTURE_DELETED},
    {"purge after forget", true, ND_ACTION_PURGE, 0, 0, true, ND_STATE_STOPPED, true, ND_ACTION_FORGET,
        {S(DISPOSE)}, FC_STOP_CAPTURE_DELETED},
    {"forget after purge", true, ND_ACTION_FORGET, 0, 0, true, ND_STATE_STOPPED, true, ND_ACTION_PURGE, {0}, 0},
    {"wanted again", true, ND_ACTION_RUN, 900, 2000, true, ND_STATE_STOPPED, true, ND_ACTION_FORGET, {S(KEEP)}, 0},
};
#undef S
// clang-format on

static void
reconcile_does_what_is_missing_and_no_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < FC_COUNT(reconcile_cases); i++) {
        const reconcile_case *c = &reconcile_cases[i];
        nd_desired_capture want = desired(UID_A, c->action, c->start, c->end);
        nd_desired set = {.captures = &want, .count = c->wanted};
        nd_observed have = {UID_A, c->have, c->go_known, c->disposal};
        nd_step *steps = NULL;
        size_t count = 0, expected = 0;
        nd_reconcile(&set, &have, c->known, (fc_wall){NOW}, &steps, &count);
        while (expected < 3 && c->steps[expected] != 0)
            expected++;
        if (count != expected)
            fail_msg("%s: %zu steps, not %zu", c->what, count, expected);
        for (size_t s = 0; s < count; s++) {
            if ((int)steps[s].kind + 1 != c->steps[s] || (c->reason != 0 && steps[s].reason != c->reason))
                fail_msg("%s: step %zu is %d for reason %d", c->what, s, steps[s].kind, steps[s].reason);
            assert_string_equal(steps[s].uid, UID_A);
        }
        free(steps);
    }
}

static void
what_must_end_comes_before_what_begins(void **state)
{
    (void)state;
    nd_desired_capture want = desired(UID_B, ND_ACTION_RUN, 0, 0);
    nd_desired set = {.captures = &want, .count = 1};
    nd_observed have = {UID_A, ND_STATE_RUNNING, true, ND_ACTION_NONE};
    nd_step *steps = NULL;
    size_t count = 0;
    nd_reconcile(&set, &have, 1, (fc_wall){1}, &steps, &count);
    assert_int_equal(count, 3);
    assert_int_equal(steps[0].kind, ND_STEP_STOP);
    assert_int_equal(steps[1].kind, ND_STEP_DISPOSE);
    assert_int_equal(steps[1].disposal, ND_ACTION_FORGET);
    assert_int_equal(steps[2].kind, ND_STEP_ADMIT);
    free(steps);
}

/* ---- desired.c ---- */

static void
a_desired_state_with_a_bad_name_is_refused_whole(void **state)
{
    (void)state;
    static const struct {
        const char *uid, *name;
        int action;
    } bad[] = {
        {"short", "c", 1}, {UID_A, "../../etc", 1}, {UID_A, "", 1},
        {UID_A, "c", 0},   {UID_A, "c", 5},         {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "c", 1},
    };
    for (size_t i = 0; i < FC_COUNT(bad); i++) {
        Fcpb__DesiredCapture one = FCPB__DESIRED_CAPTURE__INIT, *list[] = {&one};
        Fcpb__DesiredState message = FCPB__DESIRED_STATE__INIT;
        nd_desired got = {0};
        fc_fail fail = {0};
        one.capture_uid = (char *)(uintptr_t)bad[i].uid;
        one.capture_name = (char *)(uintptr_t)bad[i].name;
        one.action = (Fcpb__DesiredAction)bad[i].action;
        message.captures = list;
        message.n_captures = 1;
        assert_int_equal(nd_desired_from_pb(&message, &got, &fail), FC_ERR_INVALID);
        assert_true(fail.text[0] != '\0');
    }
}

static void
a_capture_that_stands_twice_is_refused(void **state)
{
    (void)state;
    Fcpb__DesiredCapture one = FCPB__DESIRED_CAPTURE__INIT, *list[] = {&one, &one};
    Fcpb__DesiredState message = FCPB__DESIRED_STATE__INIT;
    nd_desired got = {0};
    fc_fail fail = {0};
    one.capture_uid = (char *)(uintptr_t)UID_A;
    one.capture_name = "c";
    one.action = FCPB__DESIRED_ACTION__DESIRED_ACTION_RUN;
    message.captures = list;
    message.n_captures = 2;
    assert_int_equal(nd_desired_from_pb(&message, &got, &fail), FC_ERR_INVALID);
}

static void
a_spec_survives_the_disk(void **state)
{
    (void)state;
    nd_desired_capture want = desired(UID_A, ND_ACTION_RUN, 5, 6), back = {0};
    fc_buf bytes = {0};
    fc_fail fail = {0};
    want.created.ns = 4;
    (void)snprintf(want.incident_id, sizeof want.incident_id, "INC-7");
    want.has_spec = true;
    want.spec.raw_filter = fc_strdup("tcp port 443");
    want.spec.time_limit_s = 60;
    nd_desired_capture_pack(&want, &bytes);
    assert_int_equal(nd_desired_capture_unpack(fc_buf_bytes(&bytes), fc_buf_size(&bytes), &back, &fail),
                     FC_OK);
    assert_string_equal(back.uid, UID_A);
    assert_string_equal(back.incident_id, "INC-7");
    assert_int_equal(back.created.ns, 4);
    assert_int_equal(back.start.ns, 5);
    assert_int_equal(back.window_end.ns, 6);
    assert_true(back.has_spec);
    assert_string_equal(back.spec.raw_filter, "tcp port 443");
    assert_int_equal(back.spec.time_limit_s, 60);
    nd_desired_capture_fini(&want);
    nd_desired_capture_fini(&back);
    fc_buf_fini(&bytes);
}

/* ---- policy.c ---- */

static void
policy_refuses_with_both_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        nd_policy policy;
        fc_spec spec;
        nd_policy_facts facts;
        fc_stop_reason reason;
        const char *asked, *allowed;
    } cases[] = {
        {"bytes",
         {.session_bytes_max = 1 << 20},
         {.session_bytes = 2 << 20},
         {0},
         FC_STOP_POLICY_REFUSED,
         "2097152",
         "1048576"},
        {"no limit of bytes",
         {.session_bytes_max = 1 << 20},
         {0},
         {0},
         FC_STOP_POLICY_REFUSED,
         "no limit",
         "1048576"},
        {"a ring's bytes",
         {.session_bytes_max = 1 << 20},
         {.ring_files = 4, .ring_file_bytes = 1 << 20},
         {0},
         FC_STOP_POLICY_REFUSED,
         "4194304",
         "1048576"},
        {"time",
         {.time_limit_max_ms = 60000},
         {.time_limit_s = 61},
         {0},
         FC_STOP_POLICY_REFUSED,
         "61 s",
         "60 s"},
        {"packet bytes",
         {.bytes_per_packet_max = 96},
         {.bytes_per_packet = 97},
         {0},
         FC_STOP_POLICY_REFUSED,
         "97",
         "96"},
        {"whole packets", {.bytes_per_packet_max = 96}, {0}, {0}, FC_STOP_POLICY_REFUSED, "all", "96"},
        {"count",
         {.captures_max = 2},
         {0},
         {.captures_active = 2},
         FC_STOP_POLICY_REFUSED,
         "2 captures",
         "allows 2"},
        {"disk",
         {.disk_floor_bytes = 2 << 20},
         {0},
         {.free_bytes = 1 << 20},
         FC_STOP_DISK_FLOOR,
         "1.0 MiB",
         "2.0 MiB"},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        fc_fail fail = {0};
        fc_stop_reason reason = FC_STOP_NONE;
        assert_int_equal(nd_policy_check(&cases[i].policy, &cases[i].spec, &cases[i].facts, &reason, &fail),
                         FC_ERR_DENIED);
        assert_int_equal(reason, cases[i].reason);
        if (strstr(fail.text, cases[i].asked) == NULL || strstr(fail.text, cases[i].allowed) == NULL)
            fail_msg("%s: '%s'", cases[i].what, fail.text);
    }
}

static void
policy_allows_what_is_within_it(void **state)
{
    (void)state;
    nd_policy policy = {.session_bytes_max = 4 << 20,
                        .time_limit_max_ms = 60000,
                        .bytes_per_packet_max = 96,
                        .disk_floor_bytes = 1,
                        .captures_max = 1};
    fc_spec spec = {.session_bytes = 4 << 20, .time_limit_s = 60, .bytes_per_packet = 96};
    nd_policy_facts facts = {.free_bytes = 1};
    fc_stop_reason reason = FC_STOP_NONE;
    fc_fail fail = {0};
    fc_strings_add(&policy.interfaces, "eth0");
    fc_strings_add(&spec.interfaces, "eth0");
    assert_int_equal(nd_policy_check(&policy, &spec, &facts, &reason, &fail), FC_OK);
    fc_strings_add(&spec.interfaces, "eth1");
    assert_int_equal(nd_policy_check(&policy, &spec, &facts, &reason, &fail), FC_ERR_DENIED);
    assert_non_null(strstr(fail.text, "eth1"));
    fc_strings_fini(&spec.interfaces);
    nd_policy_fini(&policy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_answers_every_event),
        cmocka_unit_test(the_end_is_for_ever),
        cmocka_unit_test(only_an_admission_starts_a_helper),
        cmocka_unit_test(a_stop_is_understood_in_every_state),
        cmocka_unit_test(a_dead_helper_leads_through_recovery),
        cmocka_unit_test(states_and_events_have_names),
        cmocka_unit_test(reconcile_does_what_is_missing_and_no_more),
        cmocka_unit_test(what_must_end_comes_before_what_begins),
        cmocka_unit_test(a_desired_state_with_a_bad_name_is_refused_whole),
        cmocka_unit_test(a_capture_that_stands_twice_is_refused),
        cmocka_unit_test(a_spec_survives_the_disk),
        cmocka_unit_test(policy_refuses_with_both_numbers),
        cmocka_unit_test(policy_allows_what_is_within_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
