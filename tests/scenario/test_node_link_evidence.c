/* Evidence on its way from the node: stored once, told again when it was not, never waited for. */
#include "common/base/log.h"
#include "link_rig.h"
#include "node/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
the_last_profile_follows_the_end_and_what_is_stored_is_not_told_again(void **state)
{
    world *w = *state;
    run_and_stop(w);
    UNTIL(w, !nd_report_evidence_pending(w->node));
    assert_true(w->evidence >= 1);
    /* What was acknowledged while it ran is told once more, and stored now. */
    fc_rpc_conn_close(w->node_conn, FC_CODE_UNAVAILABLE, "test");
    UNTIL(w, w->hellos == 2 && nd_link_ready(w->link));
    UNTIL(w, !nd_report_evidence_pending(w->node));
    size_t before = w->evidence;
    fc_rpc_conn_close(w->node_conn, FC_CODE_UNAVAILABLE, "test");
    UNTIL(w, w->hellos == 3);
    go_on(w, 1200);
    assert_int_equal(w->evidence, before);
}

static void
evidence_that_was_not_taken_is_sent_again_and_states_do_not_wait_for_it(void **state)
{
    world *w = *state;
    w->refuse_evidence = FC_ERR_LIMIT;
    run_and_stop(w);
    UNTIL(w, w->evidence_refused >= 2);
    assert_true(w->evidence_refused < 10); /* not hammered */
    w->refuse_evidence = FC_OK;
    UNTIL(w, w->evidence == 1);
    UNTIL(w, !nd_report_evidence_pending(w->node));
}

static void
evidence_that_nobody_will_ever_take_is_given_up(void **state)
{
    world *w = *state;
    w->refuse_evidence = FC_ERR_NOT_FOUND;
    run_and_stop(w);
    UNTIL(w, !nd_report_evidence_pending(w->node));
    assert_true(w->evidence_refused >= 1);
}

static void
an_old_coordinator_is_not_asked_again(void **state)
{
    world *w = *state;
    w->refuse_evidence = FC_ERR_UNSUPPORTED; /* as a method that is not served */
    run_and_stop(w);
    UNTIL(w, w->evidence_refused == 1);
    go_on(w, 1500);
    assert_int_equal(w->evidence_refused, 1);
    assert_true(nd_report_evidence_pending(w->node));
    size_t done = 0;
    nd_link_flush(w->link, 2 * PATIENCE_MS, count_done, &done); /* and nobody waits for it */
    UNTIL(w, done == 1);
}

static void
a_coordinator_that_does_not_announce_evidence_is_sent_none(void **state)
{
    world *w = *state;
    w->features = "teleport";
    run_and_stop(w);
    go_on(w, 1500);
    assert_int_equal(w->evidence, 0);
    assert_true(nd_report_evidence_pending(w->node));
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    fc_log_open("test", (fc_log_level)0);
    const struct CMUnitTest tests[] = {
        IN_WORLD(the_last_profile_follows_the_end_and_what_is_stored_is_not_told_again),
        IN_WORLD(evidence_that_was_not_taken_is_sent_again_and_states_do_not_wait_for_it),
        IN_WORLD(evidence_that_nobody_will_ever_take_is_given_up),
        IN_WORLD(an_old_coordinator_is_not_asked_again),
        IN_WORLD(a_coordinator_that_does_not_announce_evidence_is_sent_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
