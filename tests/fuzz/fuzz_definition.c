/* Definitions and statuses as hostile bytes: as YAML or JSON, and as protobuf. What is taken comes back the
 * same. */
#include "common/base/mem.h"
#include "common/base/yaml.h"
#include "common/model/definition.h"
#include "common/model/selector.h"
#include "common/model/status.h"

#include "fleetcap/v1/types.pb-c.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
    if (!holds)
        abort();
}

/* From domain to message and back, compared as JSON. */
static void
through_protobuf(const fc_definition *definition)
{
    Fcpb__Definition *message = fc_definition_to_pb(definition);
    fc_definition back;
    fc_fail fail = {0};
    must(fc_definition_from_pb(message, &back, &fail) == FC_OK);
    json_t *one = fc_definition_to_json(definition), *two = fc_definition_to_json(&back);
    must(json_equal(one, two));
    json_decref(one);
    json_decref(two);
    fc_definition_fini(&back);
    fcpb__definition__free_unpacked(message, NULL);
}

/* Only for what has been checked: limits that JSON does not know, such as 0 seconds, do not survive it. */
static void
through_json(const fc_definition *definition)
{
    json_t *one = fc_definition_to_json(definition);
    fc_definition back;
    fc_fail fail = {0};
    must(fc_definition_from_json(one, &back, &fail) == FC_OK);
    json_t *two = fc_definition_to_json(&back);
    must(json_equal(one, two));
    json_decref(one);
    json_decref(two);
    fc_definition_fini(&back);
}

static void
use(const fc_definition *definition)
{
    fc_fail fail = {0};
    if (fc_definition_check(definition, &fail) != FC_OK) {
        must(*fail.text != '\0' && *fail.field != '\0');
        return;
    }
    through_json(definition);
    through_protobuf(definition);
    fc_matcher *matcher;
    must(fc_matcher_new(&definition->target, &matcher, NULL) == FC_OK);
    const fc_instance_facts instance = {"i-1", "web-1", "web", "eu", "1", &definition->governance.tags};
    (void)fc_matcher_match(matcher, &instance);
    (void)fc_matcher_unmatched(matcher);
    fc_matcher_free(matcher);
}

static void
as_text(const uint8_t *data, size_t size)
{
    json_t *tree = NULL;
    fc_definition definition;
    fc_fail fail = {0};
    if (fc_yaml_parse((const char *)data, size, &tree, &fail) != FC_OK)
        return;
    if (fc_definition_from_json(tree, &definition, &fail) == FC_OK) {
        use(&definition);
        fc_definition_fini(&definition);
    } else {
        must(*fail.text != '\0');
    }
    json_decref(tree);
}

static void
as_definition(const uint8_t *data, size_t size)
{
    Fcpb__Definition *message = fcpb__definition__unpack(NULL, size, data);
    if (message == NULL)
        return;
    fc_definition definition;
    if (fc_definition_from_pb(message, &definition, NULL) == FC_OK) {
        use(&definition);
        fc_definition_fini(&definition);
    }
    fcpb__definition__free_unpacked(message, NULL);
}

static void
as_status(const uint8_t *data, size_t size)
{
    Fcpb__InstanceCapture *message = fcpb__instance_capture__unpack(NULL, size, data);
    if (message == NULL)
        return;
    fc_status status, back, copy = {0};
    if (fc_status_from_pb(message, &status, NULL) == FC_OK) {
        Fcpb__InstanceCapture *again = fc_status_to_pb(&status);
        must(fc_status_from_pb(again, &back, NULL) == FC_OK);
        fc_status_copy(&copy, &back);
        json_t *one = fc_status_to_json(&status), *two = fc_status_to_json(&copy);
        must(json_equal(one, two));
        json_decref(one);
        json_decref(two);
        fcpb__instance_capture__free_unpacked(again, NULL);
        fc_status_fini(&status);
        fc_status_fini(&back);
        fc_status_fini(&copy);
    }
    fcpb__instance_capture__free_unpacked(message, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 65536)
        return 0;
    as_text(data, size);
    as_definition(data, size);
    as_status(data, size);
    return 0;
}
