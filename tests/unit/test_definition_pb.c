/* The capture definition as a protobuf message: carried whole, refused when its shape is not good. */
#include "common/base/mem.h"
#include "definition_rig.h"

#include "fleetcap/v1/types.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Packed, because equal bytes are equal definitions. */
static uint8_t *
packed(const fc_definition *definition, size_t *ret_size)
{
    Fcpb__Definition *message = fc_definition_to_pb(definition);
    *ret_size = fcpb__definition__get_packed_size(message);
    uint8_t *bytes = fc_alloc(*ret_size);
    (void)fcpb__definition__pack(message, bytes);
    fcpb__definition__free_unpacked(message, NULL);
    return bytes;
}

static void
protobuf_round_trips(const char *text)
{
    fc_definition d = definition_of(text), back;
    size_t size, back_size;
    uint8_t *bytes = packed(&d, &size);
    Fcpb__Definition *message = fcpb__definition__unpack(NULL, size, bytes);
    assert_non_null(message);
    fc_fail fail = {0};
    if (fc_definition_from_pb(message, &back, &fail) != FC_OK)
        fail_msg("%s", fail.text);
    uint8_t *back_bytes = packed(&back, &back_size);
    assert_int_equal(size, back_size);
    assert_memory_equal(bytes, back_bytes, size);
    json_t *one = fc_definition_to_json(&d), *two = fc_definition_to_json(&back);
    assert_true(json_equal(one, two));
    json_decref(one);
    json_decref(two);
    free(bytes);
    free(back_bytes);
    fcpb__definition__free_unpacked(message, NULL);
    fc_definition_fini(&d);
    fc_definition_fini(&back);
}

static const char *const samples[] = {
    everything,
    "name: all",
    "{}",
    "{name: b, filters: [{}, {protocol: ICMP, localIPAddress: '::1'}], totalBytesPerSession: 0}",
    "{name: c, continuousCapture: true}",
    "{name: d, interfaces: [any], governance: {deleteAfter: 2027-01-01}}",
};

static void
definitions_survive_protobuf(void **state)
{
    (void)state;
    for (size_t i = 0; i < FC_COUNT(samples); i++)
        protobuf_round_trips(samples[i]);
}

/* A good message, spoilt in one place by the caller. */
static Fcpb__Definition *
message_of(const char *text)
{
    fc_definition d = definition_of(text);
    Fcpb__Definition *message = fc_definition_to_pb(&d);
    fc_definition_fini(&d);
    return message;
}

static void
refuse_message(Fcpb__Definition *message, const char *says)
{
    fc_definition d = {.name = (char *)"untouched"};
    fc_fail fail = {0};
    assert_int_equal(fc_definition_from_pb(message, &d, &fail), FC_ERR_INVALID);
    assert_string_equal(d.name, "untouched");
    if (strstr(fail.text, says) == NULL)
        fail_msg("%s", fail.text);
    fcpb__definition__free_unpacked(message, NULL);
}

static void
messages_that_have_no_good_shape_are_refused(void **state)
{
    (void)state;
    Fcpb__Definition *m = message_of(everything);
    m->spec->raw_filter[0] = (char)0xff;
    refuse_message(m, "rawFilter: is not UTF-8");
    m = message_of(everything);
    m->governance->owner[0] = '\x1b';
    refuse_message(m, "governance.owner: is not UTF-8 or has control");
    m = message_of(everything);
    m->spec->storage = (Fcpb__StorageKind)7;
    refuse_message(m, "storageLocation: kind 7");
    m = message_of(everything);
    m->target->include[1][0] = '\0';
    refuse_message(m, "target.include: has an empty item");
    m = message_of(everything);
    m->governance->tags[0]->key[0] = '/';
    refuse_message(m, "governance.tags");
    m = message_of(everything);
    memcpy(m->governance->tags[1]->key, "team", 5);
    refuse_message(m, "given twice");
    m = message_of(everything);
    free(m->name);
    m->name = fc_alloc(100000);
    memset(m->name, 'a', 99999);
    refuse_message(m, "name: has more than 63 bytes");
    m = message_of(everything);
    fcpb__capture_spec__free_unpacked(m->spec, NULL);
    m->spec = NULL;
    refuse_message(m, "does not say what to capture");
}

static void
counts_of_a_message_are_bounded_before_anything_is_allocated(void **state)
{
    (void)state;
    Fcpb__Definition *m = message_of("name: a");
    fc_definition d;
    m->spec->n_filters = SIZE_MAX / 8;
    assert_int_equal(fc_definition_from_pb(m, &d, NULL), FC_ERR_INVALID);
    m->spec->n_filters = 0;
    size_t *counts[] = {&m->spec->n_interfaces, &m->target->n_regions, &m->target->n_zones,
                        &m->target->n_include,  &m->target->n_exclude, &m->governance->n_tags};
    for (size_t i = 0; i < FC_COUNT(counts); i++) {
        *counts[i] = SIZE_MAX / 8;
        assert_int_equal(fc_definition_from_pb(m, &d, NULL), FC_ERR_INVALID);
        *counts[i] = 0;
    }
    fcpb__definition__free_unpacked(m, NULL);
}

static void
an_unknown_protocol_number_is_no_filter(void **state)
{
    (void)state;
    Fcpb__Definition *m = message_of("{name: a, filters: [{protocol: TCP}]}");
    fc_spec spec;
    m->spec->filters[0]->protocol = (Fcpb__Protocol)9;
    assert_int_equal(fc_spec_from_pb(m->spec, &spec, NULL), FC_OK);
    fc_fail fail = {0};
    assert_int_equal(fc_spec_check(&spec, &fail), FC_ERR_INVALID);
    assert_string_equal(fail.field, "filters[0].protocol");
    fc_spec_fini(&spec);
    m->spec->filters[0]->protocol = FCPB__PROTOCOL__PROTOCOL_UNSPECIFIED;
    assert_int_equal(fc_spec_from_pb(m->spec, &spec, NULL), FC_OK);
    assert_int_equal(spec.filters[0].protocol, FC_PROTOCOL_ANY);
    fc_spec_fini(&spec);
    fcpb__definition__free_unpacked(m, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions_survive_protobuf),
        cmocka_unit_test(messages_that_have_no_good_shape_are_refused),
        cmocka_unit_test(counts_of_a_message_are_bounded_before_anything_is_allocated),
        cmocka_unit_test(an_unknown_protocol_number_is_no_filter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
