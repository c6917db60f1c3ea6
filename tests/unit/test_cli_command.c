/* fleetcap's command line: the tables, the parser, the help pages, the definition that options make. */
#include "cli/command.h"
#include "cli/definition.h"
#include "cli/help.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { WORDS_MAX = 32 };

/* Parses a line of words separated by single blanks; "_" in a word stands for a blank. */
static fc_err
parse(const char *line, cli_args *args, fc_fail *fail)
{
    char *copy = fc_strdup(line), *rest = copy;
    const char *words[WORDS_MAX];
    size_t count = 0;
    memset(args, 0, sizeof *args);
    memset(fail, 0, sizeof *fail);
    for (char *word; (word = strsep(&rest, " ")) != NULL && count < WORDS_MAX;) {
        for (char *at = word; *at != '\0'; at++)
            *at = *at == '_' ? ' ' : *at;
        words[count++] = word;
    }
    fc_err err = cli_args_parse(words, *line == '\0' ? 0 : count, args, fail);
    free(copy);
    return err;
}

static void
every_command_has_a_help_page(void **state)
{
    (void)state;
    for (size_t i = 0; i < cli_command_count; i++) {
        const cli_command *command = &cli_commands[i];
        cli_args args;
        fc_fail fail;
        fc_buf page = {0};
        char *line = fc_sprintf("%s --help", command->path);
        assert_int_equal(parse(line, &args, &fail), FC_OK);
        assert_true(args.help);
        assert_ptr_equal(args.command, command);
        cli_help_page(&args, &page);
        const char *text = fc_buf_text(&page);
        assert_non_null(strstr(text, command->summary));
        assert_non_null(strstr(text, "Usage: fleetcap "));
        for (const cli_option_id *id = command->options; *id != CLI_OPTION_NONE; id++) {
            char *name = fc_sprintf("--%s", cli_options[*id].name);
            assert_non_null(strstr(text, name));
            free(name);
        }
        for (const char *at = text; *at != '\0'; at += strcspn(at, "\n") + 1)
            assert_true(strcspn(at, "\n") <= 110);
        free(line);
        fc_buf_fini(&page);
        cli_args_fini(&args);
    }
}

static void
every_option_is_complete_and_used(void **state)
{
    (void)state;
    for (int id = CLI_OPTION_NONE + 1; id < CLI_OPTION_COUNT; id++) {
        assert_non_null(cli_options[id].name);
        assert_non_null(cli_options[id].help);
        bool used = false;
        for (size_t i = 0; i < cli_command_count; i++)
            used = used || cli_command_takes(&cli_commands[i], (cli_option_id)id);
        assert_true(used);
    }
}

static void
no_command_has_two_options_of_one_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < cli_command_count; i++)
        for (int a = 1; a < CLI_OPTION_COUNT; a++)
            for (int b = a + 1; b < CLI_OPTION_COUNT; b++) {
                if (!cli_command_takes(&cli_commands[i], (cli_option_id)a) ||
                    !cli_command_takes(&cli_commands[i], (cli_option_id)b))
                    continue;
                assert_string_not_equal(cli_options[a].name, cli_options[b].name);
                assert_true(cli_options[a].letter == 0 || cli_options[a].letter != cli_options[b].letter);
            }
}

static void
help_wins_over_everything_else_on_the_line(void **state)
{
    (void)state;
    static const char *const lines[] = {"--help",
                                        "help",
                                        "-h",
                                        "capture --help",
                                        "help capture",
                                        "capture show --bogus --help",
                                        "capture stop -h a b c"};
    for (size_t i = 0; i < FC_COUNT(lines); i++) {
        cli_args args;
        fc_fail fail;
        fc_buf page = {0};
        assert_int_equal(parse(lines[i], &args, &fail), FC_OK);
        assert_true(args.help);
        cli_help_page(&args, &page);
        assert_true(fc_buf_size(&page) > 100);
        fc_buf_fini(&page);
        cli_args_fini(&args);
    }
}

static void
wrong_lines_get_a_sentence_that_names_the_word(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"", "capture, instance"},
        {"captur list", "did you mean \"capture\"?"},
        {"capture", "create, list, show"},
        {"capture lst", "did you mean \"list\"?"},
        {"capture zebra", "see fleetcap capture --help"},
        {"instance list --colour", "did you mean --color?"},
        {"capture create x --time-limt 3", "did you mean --time-limit?"},
        {"capture create x --limit 3", "did you mean --capture-limit?"},
        {"capture list --filter a=b", "no option --filter"},
        {"capture list -x", "no option -x"},
        {"--filter a=b capture create", "--filter is not known before the command"},
        {"capture create x --region", "--region needs a value"},
        {"capture create x --reason --yes", "--reason needs a value"},
        {"capture list --active=yes", "takes no value, but was given \"yes\""},
        {"capture list extra", "takes no operand, but was given \"extra\""},
        {"capture show a b", "was given \"b\" as well"},
        {"pki issue node", "needs ROLE NAME"},
        {"instance remove", "needs INSTANCE"},
        {"token crate", "did you mean \"create\"?"},
        {"token create --use 3", "did you mean --uses?"},
        {"token create --zone eu-1", "no option --zone"},
        {"enrolment approve", "needs ID|INSTANCE"},
        {"pki init --coordinator a:1", "no option --coordinator"},
        {"--coordinator a:1 pki init", "no option --coordinator"},
        {"zebra --help", "no command \"zebra\""},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        cli_args args;
        fc_fail fail;
        assert_int_equal(parse(cases[i].line, &args, &fail), FC_ERR_INVALID);
        if (strstr(fail.text, cases[i].says) == NULL)
            fail_msg("\"%s\" says \"%s\", without \"%s\"", cases[i].line, fail.text, cases[i].says);
        assert_null(strchr(fail.text, '\n'));
        cli_args_fini(&args);
    }
}

static void
options_may_stand_anywhere_and_be_joined(void **state)
{
    (void)state;
    cli_args args;
    fc_fail fail;
    assert_int_equal(
        parse("-o json --context prod capture create -qn dns --region=eu,us --region ap -lrole=web -- -x",
              &args, &fail),
        FC_OK);
    assert_string_equal(args.command->path, "capture create");
    assert_string_equal(cli_args_text(&args, CLI_OUTPUT), "json");
    assert_string_equal(cli_args_text(&args, CLI_CONTEXT), "prod");
    assert_string_equal(cli_args_text(&args, CLI_NAME), "dns");
    assert_string_equal(cli_args_text(&args, CLI_SELECTOR), "role=web");
    assert_true(cli_args_has(&args, CLI_QUIET));
    fc_strings regions = {0};
    cli_args_list(&args, CLI_REGION, &regions);
    assert_int_equal(regions.count, 3);
    assert_string_equal(regions.items[2], "ap");
    assert_int_equal(args.operands.count, 1);
    assert_string_equal(args.operands.items[0], "-x");
    fc_strings_fini(&regions);
    cli_args_fini(&args);
}

static void
distances_count_edits(void **state)
{
    (void)state;
    assert_int_equal(cli_word_distance("", ""), 0);
    assert_int_equal(cli_word_distance("list", "list"), 0);
    assert_int_equal(cli_word_distance("lsit", "list"), 1);
    assert_int_equal(cli_word_distance("lst", "list"), 1);
    assert_int_equal(cli_word_distance("abc", ""), 3);
    static const char *const words[] = {"show", "stop"};
    assert_null(cli_word_nearest("zebra", words, 2));
    assert_string_equal(cli_word_nearest("sho", words, 2), "show");
    char longest[300];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_null(cli_word_nearest(longest, words, 2));
}

/* ---- definitions ---- */

static const fc_wall now = {1700000000 * FC_NS_PER_S};

static fc_err
define(const char *line, fc_definition *ret, fc_fail *fail)
{
    cli_args args;
    fc_err err = parse(line, &args, fail);
    assert_int_equal(err, FC_OK);
    err = cli_definition_from_args(&args, now, ret, fail);
    cli_args_fini(&args);
    return err;
}

static void
options_make_a_definition(void **state)
{
    (void)state;
    fc_definition d;
    fc_fail fail;
    assert_int_equal(define("capture create dns --scale-set web --region eu,us --exclude web-3 -l role=web "
                            "--filter protocol=UDP,remotePort=53 --capture-size 128 --capture-limit 100MiB "
                            "--time-limit 15m --packet-limit 1000 --interface eth0 --include-own-traffic "
                            "--reason why_not --incident INC-1 --delete-after 2026-12-31 --tag a=b",
                            &d, &fail),
                     FC_OK);
    assert_string_equal(d.name, "dns");
    assert_string_equal(d.target.scale_set, "web");
    assert_int_equal(d.target.regions.count, 2);
    assert_string_equal(d.target.exclude.items[0], "web-3");
    assert_int_equal(d.spec.filter_count, 1);
    assert_string_equal(d.spec.filters[0].remote_port, "53");
    assert_int_equal(d.spec.bytes_per_packet, 128);
    assert_int_equal(d.spec.session_bytes, 104857600);
    assert_int_equal(d.spec.time_limit_s, 900);
    assert_int_equal(d.spec.packet_limit, 1000);
    assert_true(d.spec.include_own_traffic);
    assert_string_equal(d.governance.reason, "why not");
    assert_int_equal(d.governance.delete_after_unix_s, 1798675200);
    assert_string_equal(fc_labels_find(&d.governance.tags, "a"), "b");
    fc_definition_fini(&d);
}

static void
a_ring_goes_on_unless_it_is_limited(void **state)
{
    (void)state;
    fc_definition d;
    fc_fail fail;
    assert_int_equal(define("capture create dns --ring 10:100MiB --delete-after 30d", &d, &fail), FC_OK);
    assert_int_equal(d.spec.ring_files, 10);
    assert_int_equal(d.spec.ring_file_bytes, 104857600);
    assert_int_equal(d.spec.session_bytes, 0);
    assert_int_equal(d.spec.time_limit_s, 86400);
    assert_int_equal(d.governance.delete_after_unix_s, 1700000000 + 30 * 86400);
    fc_definition_fini(&d);
    assert_int_equal(
        define("capture create dns --ring 10:100MiB --capture-limit 5GiB --time-limit 60", &d, &fail), FC_OK);
    assert_int_equal(d.spec.session_bytes, 5ull << 30);
    assert_int_equal(d.spec.time_limit_s, 60);
    fc_definition_fini(&d);
}

static void
options_override_the_file_and_filters_as_a_whole(void **state)
{
    (void)state;
    char path[] = "/tmp/fc-cli-XXXXXX";
    int fd = mkstemp(path);
    static const char text[] =
        "name: file\nbytesToCapturePerPacket: 64\ntarget: {scaleSet: web, regions: [eu, us]}\n"
        "filters: [{protocol: TCP, remotePort: \"443\"}, {protocol: UDP}]\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    fc_definition d;
    fc_fail fail;
    char *line = fc_sprintf("capture create -f %s", path);
    assert_int_equal(define(line, &d, &fail), FC_OK);
    assert_string_equal(d.name, "file");
    assert_int_equal(d.spec.filter_count, 2);
    assert_int_equal(d.spec.bytes_per_packet, 64);
    fc_definition_fini(&d);
    free(line);
    line = fc_sprintf("capture create other -f %s --region ap --filter protocol=ICMP", path);
    assert_int_equal(define(line, &d, &fail), FC_OK);
    assert_string_equal(d.name, "other");
    assert_string_equal(d.target.scale_set, "web");
    assert_int_equal(d.target.regions.count, 1);
    assert_string_equal(d.target.regions.items[0], "ap");
    assert_int_equal(d.spec.filter_count, 1);
    assert_int_equal(d.spec.filters[0].protocol, FC_PROTOCOL_ICMP);
    fc_definition_fini(&d);
    free(line);
    unlink(path);
}

static void
bad_values_are_refused_with_the_value(void **state)
{
    (void)state;
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"capture create", "needs a name"},
        {"capture create a/b", "a/b"},
        {"capture create a -n b", "give one name"},
        {"capture create x --capture-limit 12parsecs", "12parsecs"},
        {"capture create x --capture-limit 99999999999TiB", "99999999999TiB"},
        {"capture create x --capture-size 5GiB", "5GiB"},
        {"capture create x --capture-size 1 --bytes-per-packet 2", "differ"},
        {"capture create x --time-limit soon", "soon"},
        {"capture create x --time-limit 1500ms", "1500ms"},
        {"capture create x --time-limit 30d", "30d"},
        {"capture create x --packet-limit many", "many"},
        {"capture create x --packet-limit -1", "-1"},
        {"capture create x --ring 10", "10"},
        {"capture create x --ring :1MiB", ":1MiB"},
        {"capture create x --ring 20000:1MiB", "20000:1MiB"},
        {"capture create x --tag a", "\"a\""},
        {"capture create x --delete-after someday", "someday"},
        {"capture create x --filter remoteport", "remoteport"},
        {"capture create x --filter remotePort=80,remoteport=81", "given twice"},
        {"capture create x --filter remotePort=70000", "70000"},
        {"capture create x --filter remotePrt=7", "remotePrt"},
        {"capture create x --filters [{", "not JSON"},
        {"capture create x --filters {}", "not a JSON list"},
        {"capture create x --filters @/nonexistent", "/nonexistent"},
        {"capture create -f /nonexistent.yaml", "/nonexistent.yaml"},
        {"capture create x -l role_in_web", "selector"},
        {"capture create x --region .hidden", ".hidden"},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        fc_definition d;
        fc_fail fail;
        if (define(cases[i].line, &d, &fail) == FC_OK)
            fail_msg("\"%s\" was accepted", cases[i].line);
        if (strstr(fail.text, cases[i].says) == NULL)
            fail_msg("\"%s\" says \"%s\", without \"%s\"", cases[i].line, fail.text, cases[i].says);
    }
}

static void
a_filters_commas_may_separate_values_too(void **state)
{
    (void)state;
    fc_spec spec = {0};
    fc_fail fail = {0};
    assert_int_equal(
        cli_filter_parse("protocol=TCP, remotePort=80,443;8080,remoteIPAddress=10.0.0.0/8,fd00::/8", &spec,
                         &fail),
        FC_OK);
    assert_int_equal(spec.filter_count, 1);
    assert_int_equal(spec.filters[0].protocol, FC_PROTOCOL_TCP);
    assert_string_equal(spec.filters[0].remote_port, "80,443;8080");
    assert_string_equal(spec.filters[0].remote_address, "10.0.0.0/8,fd00::/8");
    assert_null(spec.filters[0].local_port);
    assert_int_equal(cli_filter_parse("REMOTEPORT=53", &spec, &fail), FC_OK);
    assert_int_equal(spec.filter_count, 2);
    static const char *const bad[] = {
        "", ",", "=", "a=b", "remotePort", ",remotePort=1", "remotePort=1,,,protocol=x"};
    for (size_t i = 0; i < FC_COUNT(bad); i++)
        assert_int_not_equal(cli_filter_parse(bad[i], &spec, &fail), FC_OK);
    assert_int_equal(spec.filter_count, 2);
    fc_spec_fini(&spec);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_a_help_page),
        cmocka_unit_test(every_option_is_complete_and_used),
        cmocka_unit_test(no_command_has_two_options_of_one_name),
        cmocka_unit_test(help_wins_over_everything_else_on_the_line),
        cmocka_unit_test(wrong_lines_get_a_sentence_that_names_the_word),
        cmocka_unit_test(options_may_stand_anywhere_and_be_joined),
        cmocka_unit_test(distances_count_edits),
        cmocka_unit_test(options_make_a_definition),
        cmocka_unit_test(a_ring_goes_on_unless_it_is_limited),
        cmocka_unit_test(options_override_the_file_and_filters_as_a_whole),
        cmocka_unit_test(bad_values_are_refused_with_the_value),
        cmocka_unit_test(a_filters_commas_may_separate_values_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
