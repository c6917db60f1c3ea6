/* What fleetcap prints: texts, tables, JSON. */
#include "cli/capture_view.h"
#include "cli/capture_wait.h"
#include "cli/output.h"
#include "cli/table.h"
#include "common/base/mem.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
same(char *owned, const char *expected)
{
    assert_string_equal(owned, expected);
    free(owned);
}

static void
texts_say_amounts_and_causes(void **state)
{
    (void)state;
    same(cli_count_text(1, "instance"), "1 instance");
    same(cli_count_text(0, "instance"), "0 instances");
    same(cli_bytes_text(0, "no limit"), "no limit");
    same(cli_bytes_text(104857600, NULL), "104857600 bytes (100.0 MiB)");
    same(cli_bytes_text(128, NULL), "128 bytes");
    same(cli_seconds_text(30), "30 s");
    same(cli_seconds_text(5400), "5400 s (1h30m)");
    same(cli_seconds_text(90061), "90061 s (1d1h1m1s)");
    same(cli_clock_text(1500000, 0), "-");
    same(cli_clock_text(-1500000, 200000), "-1.500 ms ± 0.200 ms");
    fc_counters counters = {.dropped_kernel = 12, .interface_dropped = 3, .dropped_before_start = 5};
    same(cli_drops_text(&counters), "12 kernel, 3 interface");
    same(cli_not_written_text(&counters), "5 before start");
    char *names[] = {"a", "b", "c"};
    same(cli_names_text(names, 3, 3), "a, b and c");
    same(cli_names_text(names, 3, 1), "a and 2 more");
    same(cli_names_text(names, 0, 1), "none");
}

static void
control_characters_never_reach_a_terminal(void **state)
{
    (void)state;
    same(cli_safe_text("a\033[31mb\nc\td\x7f"), "a?[31mb?c?d?");
    same(cli_safe_text("\xc2\x9b"
                       "31m"),
         "??31m");
    same(cli_safe_text("größe ±"), "größe ±");
    same(cli_safe_text("\xc2"), "\xc2");
    same(cli_safe_text(NULL), "");
}

static const cli_column columns[] = {
    {"NAME", 0, 0},
    {"BYTES", CLI_RIGHT, 0},
    {"LAST PACKET", 0, 1},
    {"NOTE", CLI_TABLE_ONLY, 2},
    {"EXACT", CLI_TSV_ONLY, 0},
};

static cli_table *
small_table(void)
{
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    for (int i = 0; i < 2; i++) {
        cli_table_row(table);
        cli_table_cell(table, 0, "web-%d", i);
        cli_table_cell(table, 1, "%d", i * 1000);
        cli_table_cell(table, 2, "2026-11-21T02:45:37.123Z");
        cli_table_cell(table, 3, "a\tb");
        cli_table_cell(table, 4, "%d", i);
    }
    return table;
}

static void
tables_drop_columns_that_do_not_fit_and_say_so(void **state)
{
    (void)state;
    cli_table *table = small_table();
    fc_buf text = {0}, hidden = {0};
    cli_table_text(table, 0, false, &text, &hidden);
    assert_string_equal(fc_buf_text(&text), "NAME  BYTES LAST PACKET              NOTE\n"
                                            "web-0     0 2026-11-21T02:45:37.123Z a?b\n"
                                            "web-1  1000 2026-11-21T02:45:37.123Z a?b\n");
    assert_int_equal(fc_buf_size(&hidden), 0);
    fc_buf_clear(&text);
    cli_table_text(table, 38, false, &text, &hidden);
    assert_null(strstr(fc_buf_text(&text), "NOTE"));
    assert_non_null(strstr(fc_buf_text(&text), "LAST PACKET"));
    assert_string_equal(fc_buf_text(&hidden), "NOTE");
    fc_buf_clear(&text);
    fc_buf_clear(&hidden);
    cli_table_text(table, 5, false, &text, &hidden);
    assert_string_equal(fc_buf_text(&hidden), "LAST PACKET, NOTE");
    assert_null(strchr(fc_buf_text(&text), '\033'));
    fc_buf_fini(&text);
    fc_buf_fini(&hidden);
    cli_table_free(table);
}

static void
tsv_has_a_header_and_every_column(void **state)
{
    (void)state;
    cli_table *table = small_table();
    fc_buf text = {0};
    cli_table_tsv(table, &text);
    assert_string_equal(fc_buf_text(&text), "name\tbytes\tlast_packet\texact\n"
                                            "web-0\t0\t2026-11-21T02:45:37.123Z\t0\n"
                                            "web-1\t1000\t2026-11-21T02:45:37.123Z\t1\n");
    fc_buf_fini(&text);
    cli_table_free(table);
}

static void
an_empty_table_is_its_header(void **state)
{
    (void)state;
    cli_table *table = cli_table_new(columns, FC_COUNT(columns));
    fc_buf text = {0};
    cli_table_text(table, 80, false, &text, NULL);
    assert_string_equal(fc_buf_text(&text), "NAME BYTES LAST PACKET NOTE\n");
    fc_buf_fini(&text);
    cli_table_free(table);
}

static fc_status
status_of(const char *name, fc_state status_state, bool connected, uint64_t dropped)
{
    fc_status status = {.state = status_state, .connected = connected};
    (void)strcpy(status.instance_id, name);
    (void)strcpy(status.instance_name, name);
    status.counters.dropped_kernel = dropped;
    return status;
}

static void
fill(cli_statuses *statuses)
{
    const fc_status all[] = {
        status_of("web-10", FC_STATE_RUNNING, true, 0), status_of("web-2", FC_STATE_RUNNING, true, 0),
        status_of("web-3", FC_STATE_FAILED, true, 0),   status_of("web-4", FC_STATE_PENDING, false, 0),
        status_of("web-5", FC_STATE_RUNNING, true, 17),
    };
    for (size_t i = 0; i < FC_COUNT(all); i++)
        cli_statuses_put(statuses, &all[i]);
}

static void
the_instances_that_need_attention_come_first(void **state)
{
    (void)state;
    static const char *const expected[] = {"web-3", "web-4", "web-5", "web-2", "web-10"};
    cli_statuses statuses = {0};
    fill(&statuses);
    cli_statuses_sort(&statuses);
    for (size_t i = 0; i < FC_COUNT(expected); i++)
        assert_string_equal(statuses.items[i].instance_name, expected[i]);
    fc_buf text = {0};
    cli_table *table = cli_statuses_table(&statuses, NULL, false);
    cli_table_text(table, 80, false, &text, NULL);
    for (const char *at = fc_buf_text(&text); *at != '\0'; at += strcspn(at, "\n") + 1)
        assert_true(strcspn(at, "\n") <= 80);
    assert_non_null(strstr(fc_buf_text(&text), "PENDING (offline)"));
    assert_non_null(strstr(fc_buf_text(&text), "17 kernel"));
    cli_table_free(table);
    fc_buf_fini(&text);
    cli_statuses_fini(&statuses);
}

static void
goals_do_not_wait_for_who_is_offline_or_has_failed(void **state)
{
    (void)state;
    cli_statuses statuses = {0};
    assert_false(cli_goal_reached(CLI_GOAL_RUNNING, &statuses, 5));
    fill(&statuses);
    cli_tally tally = cli_tally_of(&statuses);
    same(cli_tally_text(&tally), "3 running, 1 offline, 1 failed");
    assert_true(cli_goal_reached(CLI_GOAL_RUNNING, &statuses, 5));
    assert_false(cli_goal_reached(CLI_GOAL_RUNNING, &statuses, 6));
    assert_false(cli_goal_reached(CLI_GOAL_STOPPED, &statuses, 5));
    fc_status late = status_of("web-4", FC_STATE_PROVISIONING, true, 0);
    cli_statuses_put(&statuses, &late);
    assert_int_equal(statuses.count, 5);
    assert_false(cli_goal_reached(CLI_GOAL_RUNNING, &statuses, 5));
    for (size_t i = 0; i < statuses.count; i++)
        statuses.items[i].state = i == 0 ? FC_STATE_FAILED : FC_STATE_STOPPED;
    assert_true(cli_goal_reached(CLI_GOAL_STOPPED, &statuses, 5));
    cli_statuses_fini(&statuses);
}

static void
failed_instances_are_named_with_the_first_reason(void **state)
{
    (void)state;
    cli_statuses statuses = {0};
    fc_fail fail = {0};
    fill(&statuses);
    assert_int_equal(cli_failed_instances("dns", &statuses, &fail), FC_ERR_PARTIAL);
    assert_non_null(strstr(fail.text, "dns failed on 1 of 5 instances (web-3)"));
    cli_statuses_fini(&statuses);
    assert_int_equal(cli_failed_instances("dns", &statuses, &fail), FC_OK);
}

static void
json_of_a_capture_has_the_reference_names(void **state)
{
    (void)state;
    cli_capture capture = {.state = FC_STATE_RUNNING, .instance_count = 5, .start = {1500000000123456789}};
    cli_statuses statuses = {0};
    (void)strcpy(capture.name, "dns");
    capture.states[FC_STATE_RUNNING] = 3;
    fill(&statuses);
    json_t *tree = cli_capture_whole_json(&capture, &statuses, NULL);
    assert_string_equal(json_string_value(json_object_get(tree, "packetCaptureStatus")), "Running");
    assert_string_equal(json_string_value(json_object_get(tree, "captureStartTime")),
                        "2017-07-14T02:40:00.123456789Z");
    assert_null(json_object_get(tree, "windowEndTime"));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(tree, "states"), "RUNNING")), 3);
    const json_t *instances = json_object_get(tree, "instances");
    assert_int_equal(json_array_size(instances), 5);
    assert_string_equal(json_string_value(json_object_get(json_array_get(instances, 0), "instance")),
                        "web-10");
    json_decref(tree);
    cli_statuses_fini(&statuses);
    cli_capture_fini(&capture);
}

int
main(void)
{
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_say_amounts_and_causes),
        cmocka_unit_test(control_characters_never_reach_a_terminal),
        cmocka_unit_test(tables_drop_columns_that_do_not_fit_and_say_so),
        cmocka_unit_test(tsv_has_a_header_and_every_column),
        cmocka_unit_test(an_empty_table_is_its_header),
        cmocka_unit_test(the_instances_that_need_attention_come_first),
        cmocka_unit_test(goals_do_not_wait_for_who_is_offline_or_has_failed),
        cmocka_unit_test(failed_instances_are_named_with_the_first_reason),
        cmocka_unit_test(json_of_a_capture_has_the_reference_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
