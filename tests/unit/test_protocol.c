/* Two builds agree on a version, and each knows what the other can do. */
#include "common/base/mem.h"
#include "common/model/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* In front of the library's: this program is of a release that speaks 3 to 5. */
static const char *const announced[] = {"evidence", "teleport", NULL};
const fc_protocol_build fc_protocol_here = {.version_min = 3, .version = 5, .features = announced};

typedef struct agreement {
    uint32_t min, max;
    uint32_t spoken; /* 0 = refused */
    fc_err err;
    const char *why; /* what the sentence has in it */
} agreement;

static const agreement agreements[] = {
    {3, 5, 5, FC_OK, NULL},
    {1, 3, 3, FC_OK, NULL},
    {5, 9, 5, FC_OK, NULL},
    {4, 4, 4, FC_OK, NULL},
    {0, 4, 4, FC_OK, NULL},
    {0, 5, 5, FC_OK, NULL},
    {1, UINT32_MAX, 5, FC_OK, NULL},
    {1, 2, 0, FC_ERR_STATE, "protocol versions 1 to 2, this coordinator 3 to 5: upgrade the node"},
    {0, 2, 0, FC_ERR_STATE, "protocol version 2, this coordinator 3 to 5: upgrade the node"},
    {6, 7, 0, FC_ERR_STATE, "protocol versions 6 to 7, this coordinator 3 to 5: upgrade the coordinator"},
    {6, 6, 0, FC_ERR_STATE, "protocol version 6, this coordinator 3 to 5: upgrade the coordinator"},
    {0, UINT32_MAX, 0, FC_ERR_STATE, "upgrade the coordinator"},
    {0, 0, 0, FC_ERR_INVALID, "0 to 0"},
    {5, 4, 0, FC_ERR_INVALID, "5 to 4"},
    {UINT32_MAX, 0, 0, FC_ERR_INVALID, "protocol versions"},
};

static void
the_newest_version_that_both_speak_is_spoken(void **state)
{
    (void)state;
    for (size_t i = 0; i < FC_COUNT(agreements); i++) {
        const agreement *a = &agreements[i];
        uint32_t spoken = 77;
        fc_fail fail = {0};
        assert_int_equal(fc_protocol_agree(a->min, a->max, &spoken, &fail), a->err);
        assert_int_equal(spoken, a->err == FC_OK ? a->spoken : 77);
        if (a->why != NULL && strstr(fail.text, a->why) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", fail.text, a->why);
    }
}

static void
a_node_speaks_only_what_it_offered(void **state)
{
    (void)state;
    fc_fail fail = {0};
    for (uint32_t version = 3; version <= 5; version++)
        assert_int_equal(fc_protocol_accept(version, &fail), FC_OK);
    assert_int_equal(fc_protocol_accept(6, &fail), FC_ERR_STATE);
    assert_non_null(strstr(fail.text, "version 6, this node speaks 3 to 5: upgrade the node"));
    assert_int_equal(fc_protocol_accept(2, &fail), FC_ERR_STATE);
    assert_non_null(strstr(fail.text, "upgrade the coordinator"));
    assert_int_equal(fc_protocol_accept(0, &fail), FC_ERR_STATE);
}

static void
known_features_count_and_others_are_ignored(void **state)
{
    (void)state;
    static char longest[100000];
    memset(longest, 'a', sizeof longest - 1);
    char *names[] = {"teleport", longest, "", "renewal", "evidences", "renewal"};
    fc_protocol_peer peer;
    fc_protocol_meet(4, names, FC_COUNT(names), &peer);
    assert_int_equal(peer.version, 4);
    assert_true(fc_protocol_can(&peer, FC_FEATURE_RENEWAL));
    assert_false(fc_protocol_can(&peer, FC_FEATURE_EVIDENCE));
    assert_int_equal(peer.unknown, 4);
}

static void
who_says_nothing_can_what_there_was_before_the_list(void **state)
{
    (void)state;
    fc_protocol_peer peer;
    fc_protocol_meet(1, NULL, 0, &peer);
    for (int i = 0; i < FC_FEATURE_COUNT; i++)
        assert_int_equal(fc_protocol_can(&peer, (fc_feature)i), fc_feature_get((fc_feature)i)->silent);
    const fc_protocol_peer nobody = {0};
    assert_false(fc_protocol_can(&nobody, FC_FEATURE_EVIDENCE));
}

static void
no_more_names_are_looked_at_than_the_bound(void **state)
{
    (void)state;
    char *names[FC_FEATURES_MAX + 10];
    for (size_t i = 0; i < FC_COUNT(names); i++)
        names[i] = i == FC_FEATURES_MAX - 1 ? "renewal" : i == FC_FEATURES_MAX ? "evidence" : "x";
    fc_protocol_peer peer;
    fc_protocol_meet(1, names, FC_COUNT(names), &peer);
    assert_true(fc_protocol_can(&peer, FC_FEATURE_RENEWAL));
    assert_false(fc_protocol_can(&peer, FC_FEATURE_EVIDENCE));
    assert_int_equal(peer.unknown, FC_COUNT(names) - 1);
}

static void
what_is_announced_is_this_build(void **state)
{
    (void)state;
    char *names[FC_FEATURES_MAX];
    assert_int_equal(fc_protocol_announce(names), 2);
    assert_string_equal(names[1], "teleport");
}

static void
every_feature_has_a_name_that_fits_and_a_sentence(void **state)
{
    (void)state;
    for (int i = 0; i < FC_FEATURE_COUNT; i++) {
        const fc_feature_row *row = fc_feature_get((fc_feature)i);
        assert_in_range(strlen(row->name), 1, FC_FEATURE_NAME_MAX);
        assert_in_range(row->since, 1, FC_PROTOCOL_VERSION);
        assert_true(strlen(row->text) > 10);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(row->name, fc_feature_get((fc_feature)j)->name);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_version_that_both_speak_is_spoken),
        cmocka_unit_test(a_node_speaks_only_what_it_offered),
        cmocka_unit_test(known_features_count_and_others_are_ignored),
        cmocka_unit_test(who_says_nothing_can_what_there_was_before_the_list),
        cmocka_unit_test(no_more_names_are_looked_at_than_the_bound),
        cmocka_unit_test(what_is_announced_is_this_build),
        cmocka_unit_test(every_feature_has_a_name_that_fits_and_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
