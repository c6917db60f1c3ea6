/* What `fleetcap path` says around its table, also about one of something. */
#include "cli/path_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A result whose near end dropped so many packets, and so many conversations of which `elsewhere` were not
 * between the two. Owned. */
static json_t *
result_of(json_int_t dropped, json_int_t elsewhere, json_int_t conversations)
{
    json_t *result =
        json_pack("{s:s, s:{s:s, s:I, s:b}, s:{s:s, s:b}, s:I, s:I}", "verdict", "Nothing", "a", "name",
                  "web-1", "droppedKernel", dropped, "dropsKnown", 1, "b", "name", "db-1", "dropsKnown", 1,
                  "elsewhere", elsewhere, "conversationCount", conversations);
    assert_non_null(result);
    return result;
}

static void
assert_says(json_int_t dropped, json_int_t elsewhere, json_int_t conversations, const char *words)
{
    const cli_out out = {0};
    const fc_strings notes = {0};
    json_t *result = result_of(dropped, elsewhere, conversations);
    fc_buf text = {0};
    cli_path_head(&out, result, false, &text);
    cli_path_tail(&out, result, false, &notes, &text);
    if (strstr(fc_buf_text(&text), words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, fc_buf_text(&text));
    fc_buf_fini(&text);
    json_decref(result);
}

static void
numbers_of_one_are_told_in_the_singular(void **state)
{
    (void)state;
    assert_says(1, 0, 0, "The capture of web-1 dropped 1 packet: nothing of it is called lost.");
    assert_says(2, 0, 0, "The capture of web-1 dropped 2 packets: nothing of them is called lost.");
    assert_says(0, 0, 21, "1 conversation more is not worse than these: --all lists it.");
    assert_says(0, 0, 22, "2 conversations more are not worse than these: --all lists them.");
    assert_says(0, 1, 1,
                "1 conversation was not between the two (seen at one end only, or received by both): --all "
                "lists it.");
    assert_says(0, 2, 2,
                "2 conversations were not between the two (seen at one end only, or received by both): --all "
                "lists them.");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_one_are_told_in_the_singular),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
