/* A node's identity: files of state_dir, configuration over them, instance metadata, when a certificate is
 * renewed. */
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/yaml.h"
#include "common/tls/key.h"
#include "node/config.h"
#include "node/enroll_options.h"
#include "node/identity.h"
#include "node/metadata.h"
#include "node/renewal_plan.h"
#include "tests/temp_dir.h"

#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a directory of its own for each test ---- */

typedef struct place {
    char root[TEMP_DIR_BYTES];
    int dir_fd;
} place;

static int
set_up(void **state)
{
    place *p = FC_NEW(place);
    temp_dir_make(p->root);
    assert_int_equal(nd_identity_open(p->root, &p->dir_fd, NULL), FC_OK);
    *state = p;
    return 0;
}

static int
tear_down(void **state)
{
    place *p = *state;
    close(p->dir_fd);
    (void)temp_dir_remove(p->root);
    free(p);
    return 0;
}

static void
put(const place *p, const char *name, const char *text)
{
    assert_int_equal(fc_file_write_atomic(p->dir_fd, name, text, strlen(text), 0644, NULL), FC_OK);
}

static fc_err
load_config(const place *p, const char *text, nd_config *ret, fc_fail *fail)
{
    char *path = fc_sprintf("%s/node.yaml", p->root), *with = fc_sprintf("state_dir: %s\n%s", p->root, text);
    put(p, "node.yaml", with);
    fc_err err = nd_config_load(path, ret, fail);
    free(with);
    free(path);
    return err;
}

/* ---- config.c ---- */

static void
credentials_of_a_state_directory_need_not_be_named(void **state)
{
    const place *p = *state;
    nd_config config = {0};
    char *pem = nd_identity_path(p->root, "node.pem"), *ca = nd_identity_path(p->root, "ca.crt");
    assert_int_equal(load_config(p, "coordinator: c:7443\n", &config, NULL), FC_OK);
    assert_string_equal(config.certificate, pem);
    assert_string_equal(config.key, pem);
    assert_string_equal(config.ca, ca);
    assert_string_equal(config.scale_set, "default");
    nd_config_fini(&config);
    free(pem);
    free(ca);
}

static void
the_configuration_file_goes_before_what_was_found_at_enrolment(void **state)
{
    const place *p = *state;
    nd_config config = {0};
    put(p, "identity.yaml",
        "coordinator: \"found:7443\"\nname: \"found\"\nscale_set: \"web\"\nregion: \"eu\"\nzone: \"2\"\n"
        "labels:\n  \"role\": \"web\"\n  \"tier\": \"1\"\n");
    assert_int_equal(load_config(p, "name: said\nlabels: {tier: 2, own: x}\n", &config, NULL), FC_OK);
    assert_string_equal(config.coordinator, "found:7443");
    assert_string_equal(config.server_name, "found");
    assert_string_equal(config.name, "said");
    assert_string_equal(config.scale_set, "web");
    assert_string_equal(config.region, "eu");
    assert_string_equal(config.zone, "2");
    assert_string_equal(fc_labels_find(&config.labels, "role"), "web");
    assert_string_equal(fc_labels_find(&config.labels, "tier"), "2");
    assert_string_equal(fc_labels_find(&config.labels, "own"), "x");
    nd_config_fini(&config);
}

static void
a_configuration_that_cannot_work_yet_says_what_to_do(void **state)
{
    const place *p = *state;
    static const struct {
        const char *identity, *text, *said;
    } cases[] = {
        {NULL, "", "fleetcap-node enroll"},
        {"helper: /bin/sh\n", "coordinator: c:1\n", "identity.yaml: unknown key 'helper'"},
        {"- a\n", "coordinator: c:1\n", "not a map"},
        {"name: [a]\n", "coordinator: c:1\n", "name: one value"},
        {"name: \"../x\"\n", "coordinator: c:1\n", "is not a name"},
    };
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        nd_config config = {0};
        fc_fail fail = {0};
        if (cases[i].identity != NULL)
            put(p, "identity.yaml", cases[i].identity);
        assert_int_not_equal(load_config(p, cases[i].text, &config, &fail), FC_OK);
        if (strstr(fail.text, cases[i].said) == NULL)
            fail_msg("'%s' does not say '%s'", fail.text, cases[i].said);
        nd_config_fini(&config);
    }
}

static void
without_state_directory_the_credentials_are_asked_for_by_name(void **state)
{
    static const char *const texts[] = {"coordinator: c:1\n", "coordinator: c:1\nca: a\n",
                                        "coordinator: c:1\nca: a\ncertificate: b\n"};
    static const char *const named[] = {"ca is missing", "certificate is missing", "key is missing"};
    (void)state;
    for (size_t i = 0; i < FC_COUNT(texts); i++) {
        json_t *tree = NULL;
        nd_config config = {0};
        fc_fail fail = {0};
        assert_int_equal(fc_yaml_parse(texts[i], strlen(texts[i]), &tree, &fail), FC_OK);
        assert_int_equal(nd_config_from_tree(tree, &config, &fail), FC_ERR_INVALID);
        assert_non_null(strstr(fail.text, named[i]));
        assert_non_null(strstr(fail.text, "state_dir"));
        nd_config_fini(&config);
        json_decref(tree);
    }
}

static void
an_enrolment_reads_a_file_that_is_not_complete_or_not_there(void **state)
{
    const place *p = *state;
    char *path = fc_sprintf("%s/node.yaml", p->root);
    nd_config config = {0};
    fc_fail fail = {0};
    assert_int_equal(nd_config_load_before(path, true, &config, &fail), FC_OK);
    assert_null(config.coordinator);
    nd_config_fini(&config);
    config = (nd_config){0};
    assert_int_equal(nd_config_load_before(path, false, &config, &fail), FC_ERR_NOT_FOUND);
    nd_config_fini(&config);
    put(p, "node.yaml", "state_dir: /var/lib/x\nregion: eu\n");
    config = (nd_config){0};
    assert_int_equal(nd_config_load_before(path, true, &config, &fail), FC_OK);
    assert_string_equal(config.state_dir, "/var/lib/x");
    assert_string_equal(config.region, "eu");
    assert_null(config.scale_set);
    nd_config_fini(&config);
    put(p, "node.yaml", "state_dir: relative\n");
    config = (nd_config){0};
    assert_int_equal(nd_config_load_before(path, true, &config, &fail), FC_ERR_INVALID);
    nd_config_fini(&config);
    free(path);
}

/* ---- identity.c ---- */

static void
what_is_written_is_read_again(void **state)
{
    const place *p = *state;
    json_t *again = NULL;
    json_t *tree =
        json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:s}}", "coordinator", "[fd00::1]:7443", "name", "web-1",
                  "zone", "007", "labels", "true", "yes: \"no\" # not a comment", "1.5", "~", "back", "a\\b");
    assert_non_null(tree);
    assert_int_equal(nd_identity_write(p->dir_fd, tree, NULL), FC_OK);
    assert_int_equal(nd_identity_read(p->dir_fd, &again, NULL), FC_OK);
    assert_true(json_equal(tree, again));
    json_decref(tree);
    json_decref(again);
}

static void
keys_are_for_their_owner_alone(void **state)
{
    const place *p = *state;
    struct stat st;
    fc_buf key = {0}, both = {0};
    fc_buf_printf(&key, "key\n");
    assert_int_equal(nd_identity_put_key(p->dir_fd, &key, NULL), FC_OK);
    assert_int_equal(fstatat(p->dir_fd, ND_IDENTITY_KEY, &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(nd_identity_put_node(p->dir_fd, "certificate", 11, &key, NULL), FC_OK);
    assert_int_equal(fstatat(p->dir_fd, ND_IDENTITY_NODE, &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(nd_identity_get(p->dir_fd, ND_IDENTITY_NODE, &both, NULL), FC_OK);
    assert_string_equal(fc_buf_text(&both), "certificate\nkey\n");
    nd_identity_drop_key(p->dir_fd);
    assert_int_not_equal(fstatat(p->dir_fd, ND_IDENTITY_KEY, &st, 0), 0);
    fc_buf_fini(&key);
    fc_buf_fini(&both);
}

static void
an_unchanged_ca_is_not_written_again(void **state)
{
    const place *p = *state;
    struct stat first, second, third;
    assert_int_equal(nd_identity_put_ca(p->dir_fd, "one", 3, NULL), FC_OK);
    assert_int_equal(fstatat(p->dir_fd, ND_IDENTITY_CA, &first, 0), 0);
    assert_int_equal(nd_identity_put_ca(p->dir_fd, "one", 3, NULL), FC_OK);
    assert_int_equal(fstatat(p->dir_fd, ND_IDENTITY_CA, &second, 0), 0);
    assert_true(first.st_ino == second.st_ino && first.st_mtim.tv_nsec == second.st_mtim.tv_nsec);
    assert_int_equal(nd_identity_put_ca(p->dir_fd, "one two", 7, NULL), FC_OK);
    assert_int_equal(fstatat(p->dir_fd, ND_IDENTITY_CA, &third, 0), 0);
    assert_int_equal(third.st_size, 7);
}

static void
a_state_directory_that_others_write_in_is_refused(void **state)
{
    const place *p = *state;
    fc_fail fail = {0};
    int fd = -1;
    assert_int_equal(chmod(p->root, 0770), 0);
    assert_int_equal(nd_identity_open(p->root, &fd, &fail), FC_ERR_DENIED);
    assert_int_equal(chmod(p->root, 0700), 0);
    assert_int_equal(nd_identity_open("/nonexistent/place", &fd, &fail), FC_ERR_NOT_FOUND);
}

static void
two_writers_do_not_write_at_once(void **state)
{
    const place *p = *state;
    int other = -1;
    assert_int_equal(nd_identity_open(p->root, &other, NULL), FC_OK);
    assert_int_equal(nd_identity_lock(p->dir_fd, NULL), FC_OK);
    assert_int_equal(nd_identity_lock(other, NULL), FC_ERR_AGAIN);
    close(other);
}

static void
a_state_directory_is_made_for_its_owner(void **state)
{
    const place *p = *state;
    struct stat st;
    int fd = -1;
    char *path = nd_identity_path(p->root, "made");
    assert_int_equal(nd_identity_make(path, NULL, &fd, NULL), FC_OK);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    close(fd);
    assert_int_equal(nd_identity_make(path, NULL, &fd, NULL), FC_OK); /* there already */
    close(fd);
    free(path);
}

/* ---- renewal_plan.c ---- */

static const fc_wall START = {1700000000 * FC_NS_PER_S};

static fc_wall
after_s(int64_t s)
{
    return (fc_wall){START.ns + s * FC_NS_PER_S};
}

/* SplitMix64 (Steele, Lea, Flood, 2014): a number from a number. */
static uint64_t
mixed(uint64_t seed)
{
    uint64_t z = (seed + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void
renewal_is_between_30_and_10_percent_of_life_left(void **state)
{
    (void)state;
    enum { SEEDS = 10000, LIFE_S = 72 * 3600, TENTHS = 10 };
    unsigned tenths[TENTHS] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        nd_renewal_plan plan = nd_renewal_plan_make(START, after_s(LIFE_S), START, mixed(seed));
        double left = (double)(plan.end.ns - plan.due.ns) / ((double)LIFE_S * (double)FC_NS_PER_S);
        assert_true(left >= 0.0999999 && left <= 0.3000001);
        tenths[(int)((left - 0.0999999) / 0.20001 * TENTHS)]++;
        assert_int_equal(nd_renewal_plan_state(&plan, START), ND_RENEWAL_WAITS);
        assert_int_equal(nd_renewal_plan_state(&plan, plan.due), ND_RENEWAL_DUE);
    }
    for (size_t i = 0; i < TENTHS; i++) /* spread evenly: 1000 each, 5 standard deviations */
        assert_in_range(tenths[i], 850, 1150);
}

static void
a_certificate_that_is_late_is_renewed_at_once_but_not_in_a_loop(void **state)
{
    (void)state;
    nd_renewal_plan plan = nd_renewal_plan_make(START, after_s(100), after_s(95), 0);
    assert_int_equal(plan.due.ns, after_s(96).ns);
    plan = nd_renewal_plan_make(START, START, START, 7); /* no life at all */
    assert_int_equal(nd_renewal_plan_state(&plan, START), ND_RENEWAL_ENDED);
    plan = nd_renewal_plan_make(after_s(10), START, START, 7); /* ends before it begins */
    assert_int_equal(nd_renewal_plan_state(&plan, START), ND_RENEWAL_ENDED);
    plan = nd_renewal_plan_make((fc_wall){INT64_MIN / 2}, (fc_wall){INT64_MAX / 2 - 1}, START,
                                7); /* as hostile */
    assert_true(plan.due.ns > START.ns);
}

static void
after_an_outage_those_that_are_due_spread_without_losing_their_time(void **state)
{
    (void)state;
    enum { SEEDS = 10000, TENTHS = 10 };
    static const struct {
        int64_t left_s, within_s;
    } cases[] = {{10 * 86400, ND_RENEWAL_SPREAD_MAX_MS / 1000}, {800, 100}, {8, 1}, {1, 0}, {0, 0}, {-5, 0}};
    for (size_t i = 0; i < FC_COUNT(cases); i++) {
        unsigned tenths[TENTHS + 1] = {0};
        fc_wall end = after_s(cases[i].left_s);
        int64_t within_ns = cases[i].within_s * FC_NS_PER_S;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            nd_renewal_plan plan = {.end = end, .due = after_s(-1)};
            nd_renewal_plan_spread(&plan, START, mixed(seed));
            int64_t wait_ns = plan.due.ns - START.ns;
            assert_in_range(wait_ns, 0, cases[i].left_s == 1 ? FC_NS_PER_S / ND_RENEWAL_RETRIES : within_ns);
            tenths[within_ns > 0 ? wait_ns * TENTHS / within_ns : 0]++;
        }
        for (size_t tenth = 0; tenth < TENTHS && within_ns > 0;
             tenth++) /* 1000 each, 5 standard deviations */
            assert_in_range(tenths[tenth], 850, 1150);
    }
}

/* A coordinator that is away from the first attempt to the end. */
static void
failed_renewals_go_on_until_the_end_and_end(void **state)
{
    (void)state;
    static const int64_t lives_s[] = {10, 3600, 72 * 3600, 90 * 86400};
    for (size_t life = 0; life < FC_COUNT(lives_s); life++)
        for (uint64_t seed = 0; seed < 100; seed++) {
            fc_wall now = START;
            unsigned attempts = 0;
            uint64_t draws = seed * 1000000;
            nd_renewal_plan plan = nd_renewal_plan_make(START, after_s(lives_s[life]), now, mixed(draws++));
            for (nd_renewal_state is; (is = nd_renewal_plan_state(&plan, now)) != ND_RENEWAL_ENDED;) {
                int64_t before = now.ns;
                if (is == ND_RENEWAL_DUE) {
                    nd_renewal_plan_failed(&plan, now, mixed(draws++));
                    assert_true(plan.due.ns - now.ns >= ND_RENEWAL_FLOOR_MS * FC_NS_PER_MS / 2);
                    assert_true(plan.due.ns - now.ns <= ND_RENEWAL_RETRY_MAX_MS * FC_NS_PER_MS);
                    attempts++;
                }
                now.ns += nd_renewal_plan_wait_ms(&plan, now, 60000) * FC_NS_PER_MS;
                assert_true(now.ns > before && now.ns - before <= 60 * FC_NS_PER_S);
            }
            assert_true(now.ns >= plan.end.ns && now.ns < plan.end.ns + FC_NS_PER_S);
            assert_in_range(attempts, lives_s[life] == 10 ? 1 : ND_RENEWAL_RETRIES, 6000);
        }
}

static void
a_clock_that_is_set_is_noticed(void **state)
{
    (void)state;
    nd_renewal_plan plan = nd_renewal_plan_make(START, after_s(86400), START, 0);
    assert_int_equal(nd_renewal_plan_wait_ms(&plan, START, 60000), 60000);
    assert_int_equal(nd_renewal_plan_state(&plan, after_s(86400 * 9 / 10)), ND_RENEWAL_DUE);
    assert_int_equal(nd_renewal_plan_state(&plan, START), ND_RENEWAL_WAITS); /* and back */
    assert_int_equal(nd_renewal_plan_state(&plan, after_s(86400)), ND_RENEWAL_ENDED);
}

/* ---- enroll_options.c ---- */

static fc_exit
read_options(nd_enroll_options *ret, const char *const *words)
{
    char *argv[16] = {0};
    int argc = 0;
    bool done = false;
    optind = 0; /* getopt(3): begins anew */
    argv[argc++] = (char *)"enroll";
    for (; words[argc - 1] != NULL; argc++)
        argv[argc] = (char *)words[argc - 1];
    return nd_enroll_options_read(argc, argv, ret, &done);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
options_of_an_enrolment_are_checked(void **state)
{
    (void)state;
    static const char *const wrong[][3] = {
        {"--id", "../x"},   {"--name", ""},       {"--zone", "a b"},       {"--label", "a"},
        {"--label", "=b"},  {"--label", "a b=c"}, {"--label", "a=\x1b[m"}, {"--metadata", "aws"},
        {"--wait", "soon"}, {"--wait", "2d"},     {"--state-dir", "rel"},  {"--surprise", "x"},
        {"operand", NULL}};
    nd_enroll_options options;
    for (size_t i = 0; i < FC_COUNT(wrong); i++) {
        assert_int_equal(read_options(&options, wrong[i]), FC_EXIT_USAGE);
        nd_enroll_options_fini(&options);
    }
    assert_int_equal(read_options(&options, WORDS("--token", "a", "--token-file", "b")), FC_EXIT_USAGE);
    nd_enroll_options_fini(&options);
    assert_int_equal(
        read_options(&options, WORDS("--label", "role=a=b", "--wait", "30s", "--metadata", "none")),
        FC_EXIT_OK);
    assert_string_equal(fc_labels_find(&options.labels, "role"), "a=b");
    assert_int_equal(options.wait_ms, 30000);
    assert_int_equal(options.metadata, ND_METADATA_NONE);
    nd_enroll_options_fini(&options);
}

static void
a_token_is_found_and_wiped(void **state)
{
    const place *p = *state;
    char text[FC_TOKEN_TEXT_SIZE], copy[FC_TOKEN_TEXT_SIZE];
    const uint8_t pin[FC_TOKEN_PIN_SIZE] = {1, 2, 3};
    fc_token made, read;
    fc_fail fail = {0};
    fc_token_make(pin, &made);
    fc_token_text(&made, text);
    memcpy(copy, text, sizeof copy);

    nd_enroll_options given = {.token = copy};
    assert_int_equal(nd_enroll_options_token(&given, &read, &fail), FC_OK);
    assert_memory_equal(&read, &made, sizeof made);
    for (size_t i = 0; i < sizeof copy; i++)
        assert_int_equal(copy[i], 0);

    char *path = nd_identity_path(p->root, "token"), *line = fc_sprintf("  %s\n", text);
    put(p, "token", line);
    nd_enroll_options file = {.token_file = path};
    assert_int_equal(nd_enroll_options_token(&file, &read, &fail), FC_OK);
    assert_memory_equal(&read, &made, sizeof made);

    nd_enroll_options nothing = {0};
    assert_int_equal(setenv("FLEETCAP_TOKEN", text, 1), 0);
    assert_int_equal(nd_enroll_options_token(&nothing, &read, &fail), FC_OK);
    assert_null(getenv("FLEETCAP_TOKEN"));
    assert_int_equal(nd_enroll_options_token(&nothing, &read, &fail), FC_ERR_INVALID);
    assert_non_null(strstr(fail.text, "fleetcap token create"));
    put(p, "token", "fct1.no");
    assert_int_equal(nd_enroll_options_token(&file, &read, &fail), FC_ERR_INVALID);
    free(path);
    free(line);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(credentials_of_a_state_directory_need_not_be_named),
        IN_PLACE(the_configuration_file_goes_before_what_was_found_at_enrolment),
        IN_PLACE(a_configuration_that_cannot_work_yet_says_what_to_do),
        cmocka_unit_test(without_state_directory_the_credentials_are_asked_for_by_name),
        IN_PLACE(an_enrolment_reads_a_file_that_is_not_complete_or_not_there),
        IN_PLACE(what_is_written_is_read_again),
        IN_PLACE(keys_are_for_their_owner_alone),
        IN_PLACE(an_unchanged_ca_is_not_written_again),
        IN_PLACE(a_state_directory_that_others_write_in_is_refused),
        IN_PLACE(two_writers_do_not_write_at_once),
        IN_PLACE(a_state_directory_is_made_for_its_owner),
        cmocka_unit_test(renewal_is_between_30_and_10_percent_of_life_left),
        cmocka_unit_test(a_certificate_that_is_late_is_renewed_at_once_but_not_in_a_loop),
        cmocka_unit_test(after_an_outage_those_that_are_due_spread_without_losing_their_time),
        IN_PLACE(failed_renewals_go_on_until_the_end_and_end),
        cmocka_unit_test(a_clock_that_is_set_is_noticed),
        cmocka_unit_test(options_of_an_enrolment_are_checked),
        IN_PLACE(a_token_is_found_and_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
