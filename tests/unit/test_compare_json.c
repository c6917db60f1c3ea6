/* The comparison as JSON: every key and id of it is documented. */
#include "compare_fleet.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
documented(const char *document, const char *key)
{
    char *quoted = NULL;
    if (asprintf(&quoted, "`%s`", key) < 0)
        return false;
    bool found = strstr(document, quoted) != NULL;
    free(quoted);
    return found;
}

static void
check_keys(const json_t *value, const char *document)
{
    const char *key;
    json_t *inner;
    size_t i;
    if (json_is_object(value)) {
        json_object_foreach ((json_t *)(uintptr_t)value, key, inner) {
            if (!documented(document, key))
                fail_msg("%s is not in docs/compare.md", key);
            check_keys(inner, document);
        }
    } else if (json_is_array(value)) {
        json_array_foreach (value, i, inner)
            check_keys(inner, document);
    }
}

static char *
read_document(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    size_t size = fread(text, 1, (1 << 20) - 1, file);
    assert_true(size > 0);
    (void)fclose(file);
    return text;
}

static void
every_key_and_id_of_the_json_is_documented(void **state)
{
    (void)state;
    fleet all;
    fleet_init(&all, 6, 21, 1);
    fleet_add_contexts(&all);
    fleet_set_fact(&all.instances[0].stop, FC_SECTION_LINK, "eth0 mtu", "1400");
    fleet_trouble(all.instances[3].profile, FC_TROUBLE_TLS_ALERT_BY_LOCAL, 10, 6, "10.0.9.5", 443,
                  "unknown_ca after certificate");
    fleet_connections(all.instances[2].profile, "203.0.113.9", 4444, 5, 20000);
    fc_comparison *comparison = fleet_compare(&all);
    json_t *json = fc_comparison_to_json(comparison);
    char *document = read_document(FC_SOURCE_DIR "/docs/compare.md");
    check_keys(json, document);
    for (size_t i = 0; i < comparison->finding_count; i++)
        assert_true(documented(document, comparison->findings[i].id));
    for (size_t i = 0; i < comparison->metric_count; i++)
        assert_true(documented(document, comparison->metrics[i].id));
    assert_string_equal(json_string_value(json_object_get(json, "verdict")), comparison->verdict);
    assert_int_equal(json_array_size(json_object_get(json, "metrics")), comparison->metric_count);
    free(document);
    json_decref(json);
    fc_comparison_free(comparison);
    fleet_fini(&all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_and_id_of_the_json_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
