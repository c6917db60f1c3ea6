/* What the programs make of messages of a later release: what does no harm is ignored, an order that would be
 * understood by half is refused, with a sentence. */
#include "golden.h"

#include "common/base/mem.h"
#include "common/rpc/frame.h"
#include "common/rpc/known.h"
#include "common/rpc/methods.h"
#include "common/rpc/rpc.h"
#include "node/desired.h"

#include <fleetcap/v1/node_service.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CASES_MAX = 256 };

static golden_case cases[CASES_MAX];
static size_t case_count;
static fc_strings today;

static void
what_is_known_is_known_and_one_field_more_is_seen_wherever_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < case_count; i++) {
        ProtobufCMessage *message = golden_make(&cases[i], &today);
        fc_fail fail = {0};
        assert_int_equal(fc_rpc_known_check(message, &fail), FC_OK);
        size_t places = golden_add_fields(message);
        /* One place after the other loses its addition: as long as one is left, it is found. */
        for (size_t left = places; left > 0; left--) {
            assert_int_equal(fc_rpc_known_check(message, &fail), FC_ERR_UNSUPPORTED);
            assert_non_null(strstr(fail.text, "does not know field 2000 of "));
            golden_drop_first_addition(message);
        }
        assert_int_equal(fc_rpc_known_check(message, &fail), FC_OK);
        protobuf_c_message_free_unpacked(message, NULL);
    }
}

/* Orders of operators; what nodes tell, what anybody asks, and desired states (each capture for itself) are
 * not. */
static void
orders_are_strict_and_nothing_else(void **state)
{
    (void)state;
    static const fc_method_id strict[] = {FC_METHOD_CREATE_CAPTURE, FC_METHOD_STOP_CAPTURES,
                                          FC_METHOD_DELETE_CAPTURE, FC_METHOD_CREATE_TOKEN,
                                          FC_METHOD_REVOKE_TOKEN,   FC_METHOD_DECIDE_ENROLMENT,
                                          FC_METHOD_REMOVE_INSTANCE};
    for (int id = 0; id < FC_METHOD_COUNT; id++) {
        bool expected = false;
        for (size_t i = 0; i < FC_COUNT(strict); i++)
            expected = expected || strict[i] == (fc_method_id)id;
        assert_int_equal((fc_rpc_method_get((fc_method_id)id)->kind & FC_RPC_STRICT) != 0, expected);
    }
}

/* Which is why a new kind of frame needs a new protocol version. */
static void
a_kind_of_frame_that_we_do_not_know_is_none(void **state)
{
    (void)state;
    static const uint8_t frame[] = {0, 0, 0, 8, 0x08, 0x01, 0xfa, 0x7f, 3, 'n', 'e', 'w'};
    fc_rpc_decoder decoder = {0};
    fc_rpc_arena arena;
    Fcpb__Frame *read = NULL;
    fc_buf_append(&decoder.in, frame, sizeof frame);
    assert_int_equal(fc_rpc_decoder_next(&decoder, FC_RPC_FRAME_MAX, &arena, &read), FC_RPC_DECODE_MALFORMED);
    fc_rpc_decoder_fini(&decoder);
}

/* ---- a desired state ---- */

enum { CAPTURES = 3 };

typedef struct desired {
    Fcpb__DesiredState state;
    Fcpb__DesiredCapture captures[CAPTURES], *list[CAPTURES];
    Fcpb__CaptureSpec specs[CAPTURES];
    char uids[CAPTURES][33];
} desired;

static void
desired_init(desired *d)
{
    fcpb__desired_state__init(&d->state);
    d->state.generation = 7;
    d->state.captures = d->list;
    d->state.n_captures = CAPTURES;
    for (int i = 0; i < CAPTURES; i++) {
        fcpb__desired_capture__init(&d->captures[i]);
        fcpb__capture_spec__init(&d->specs[i]);
        (void)snprintf(d->uids[i], sizeof d->uids[i], "%032x", i + 1);
        d->specs[i].time_limit_s = 60;
        d->captures[i].capture_uid = d->uids[i];
        d->captures[i].capture_name = "checkout";
        d->captures[i].action = FCPB__DESIRED_ACTION__DESIRED_ACTION_RUN;
        d->captures[i].spec = &d->specs[i];
        d->list[i] = &d->captures[i];
    }
}

static void
a_spec_that_asks_for_more_than_we_know_is_not_run_and_the_others_are(void **state)
{
    (void)state;
    uint8_t one = 1;
    ProtobufCMessageUnknownField unknown = {11, PROTOBUF_C_WIRE_TYPE_VARINT, 1, &one};
    desired d;
    nd_desired read = {0};
    desired_init(&d);
    d.specs[1].base.unknown_fields = &unknown;
    d.specs[1].base.n_unknown_fields = 1;
    d.captures[2].base.unknown_fields = &unknown; /* beside it, it is no part of the order */
    d.captures[2].base.n_unknown_fields = 1;
    d.captures[2].stop_reason = (Fcpb__StopReason)9000;
    assert_int_equal(nd_desired_from_pb(&d.state, &read, NULL), FC_OK);
    assert_int_equal(read.count, CAPTURES);
    assert_true(read.captures[0].has_spec);
    assert_false(read.captures[1].has_spec);
    assert_non_null(
        strstr(read.captures[1].spec_fail.text, "does not know field 11 of CaptureSpec: upgrade it"));
    assert_true(read.captures[2].has_spec);
    assert_int_equal(read.captures[2].stop_reason, FC_STOP_STOP_REQUESTED);
    nd_desired_fini(&read);
}

static void
an_action_that_we_do_not_know_is_refused_with_a_sentence(void **state)
{
    (void)state;
    desired d;
    nd_desired read = {0};
    fc_fail fail = {0};
    desired_init(&d);
    d.captures[1].action = (Fcpb__DesiredAction)9000;
    assert_int_equal(nd_desired_from_pb(&d.state, &read, &fail), FC_ERR_INVALID);
    assert_non_null(strstr(fail.text, "9000 is not an action this node knows"));
}

int
main(void)
{
    case_count = golden_cases(cases, CASES_MAX);
    if (case_count > CASES_MAX)
        return 1;
    golden_list(&today);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_is_known_and_one_field_more_is_seen_wherever_it_is),
        cmocka_unit_test(orders_are_strict_and_nothing_else),
        cmocka_unit_test(a_kind_of_frame_that_we_do_not_know_is_none),
        cmocka_unit_test(a_spec_that_asks_for_more_than_we_know_is_not_run_and_the_others_are),
        cmocka_unit_test(an_action_that_we_do_not_know_is_refused_with_a_sentence),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fc_strings_fini(&today);
    return failed;
}
