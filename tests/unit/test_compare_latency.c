/* When do few, wide or double samples prove that an instance is slower? */
#include "common/base/mem.h"
#include "compare_fleet.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include <math.h>
#include <string.h>

enum { SEEDS = 500, INSTANCES = 6 };
#define ALPHA 0.01 /* docs/compare.md: the chance that equal instances give a finding */

static const fc_finding *
find(const fc_comparison *comparison, const char *id)
{
    for (size_t i = 0; i < comparison->finding_count; i++)
        if (strcmp(comparison->findings[i].id, id) == 0)
            return &comparison->findings[i];
    return NULL;
}

/* Samples, all of them: whatever the fleet had is gone. */
typedef struct shape {
    uint64_t count;
    double low_ms, high_ms; /* evenly spread between them; of those that are slow, slow_ms is added */
    double slow_part, slow_ms;
} shape;

static void
set_sketch(fc_sketch *sketch, const shape *is)
{
    memset(sketch, 0, sizeof *sketch);
    for (uint64_t i = 0; i < is->count; i++) {
        double at = ((double)i + 0.5) / (double)is->count;
        double ms = is->low_ms + (is->high_ms - is->low_ms) * at + (at > 1 - is->slow_part ? is->slow_ms : 0);
        fc_sketch_add(sketch, (uint64_t)(ms * 1e6));
    }
}

/* Is the first instance, alone, said to be slow? */
static bool
is_named(size_t instances, fc_sketch_id sketch, const char *id, const shape *first, const shape *others)
{
    fleet all;
    fleet_init(&all, instances, 11, 1);
    for (size_t i = 0; i < instances; i++)
        set_sketch(&all.instances[i].profile->sketches[sketch], i == 0 ? first : others);
    fc_comparison *comparison = fleet_compare(&all);
    const fc_finding *finding = find(comparison, id);
    bool named = finding != NULL && finding->severity >= FC_SEVERITY_NOTE && finding->instance_count == 1 &&
                 finding->instances[0] == 0;
    fc_comparison_free(comparison);
    fleet_fini(&all);
    return named;
}

// clang-format off
static const struct {
    const char *what;
    size_t instances;
    fc_sketch_id sketch;
    const char *id;
    shape first, others;
    bool named;
} cases[] = {
    {"all are slower, ten samples",
        6, FC_SKETCH_TCP_HANDSHAKE, "tcpHandshakeSlow", {10, 14, 16, 0, 0}, {10, 6, 8, 0, 0}, true},
    {"all are slower, of two instances with five samples",
        2, FC_SKETCH_DNS_LATENCY, "dnsLatency", {5, 250, 260, 0, 0}, {5, 1, 9, 0, 0}, true},
    {"somewhat slower, of two with five wide samples",
        2, FC_SKETCH_DNS_LATENCY, "dnsLatency", {5, 2, 60, 0, 0}, {5, 1, 30, 0, 0}, false},
    {"half are a quarter of a second slower",
        6, FC_SKETCH_TCP_FIRST_BYTE, "tcpFirstByteSlow", {92, 4, 90, 0.52, 250}, {92, 2, 60, 0, 0}, true},
    {"half are slower, of eight",
        6, FC_SKETCH_TCP_FIRST_BYTE, "tcpFirstByteSlow", {8, 4, 90, 0.52, 60}, {8, 2, 60, 0, 0}, false},
    {"twice as slow, wide, many samples",
        6, FC_SKETCH_TLS_HANDSHAKE, "tlsHandshakeSlow", {400, 20, 200, 0, 0}, {400, 10, 100, 0, 0}, true},
    {"twice as slow, wide, few samples",
        6, FC_SKETCH_TLS_HANDSHAKE, "tlsHandshakeSlow", {8, 20, 200, 0, 0}, {8, 10, 100, 0, 0}, false},
};
// clang-format on

static void
slower_is_told_when_it_is_proven(void **state)
{
    (void)state;
    for (size_t i = 0; i < FC_COUNT(cases); i++)
        if (is_named(cases[i].instances, cases[i].sketch, cases[i].id, &cases[i].first, &cases[i].others) !=
            cases[i].named)
            fail_msg("%s: %s", cases[i].what, cases[i].named ? "not named" : "named");
}

/* Exponential, as waiting times are. */
static double
wait_ms(uint64_t *random, double mean_ms)
{
    return -mean_ms * log(((double)fleet_below(random, 1000000) + 1) / 1000001);
}

/* A starved machine: each instance looks up some names, A and AAAA of each together, and begins some TLS. */
static void
starve(fc_profile *profile, uint64_t *random)
{
    fc_sketch *dns = &profile->sketches[FC_SKETCH_DNS_LATENCY];
    fc_sketch *tls = &profile->sketches[FC_SKETCH_TLS_HANDSHAKE];
    memset(dns, 0, sizeof *dns);
    memset(tls, 0, sizeof *tls);
    for (int i = 0; i < 13; i++) {
        uint64_t ns = (uint64_t)(1e6 * (8 + wait_ms(random, 40)));
        fc_sketch_add(dns, ns);
        fc_sketch_add(dns, ns + 20000);
        fc_sketch_add(tls, (uint64_t)(1e6 * (20 + wait_ms(random, 60))));
    }
}

static void
waiting_times_of_a_starved_machine_are_as_good_as_no_finding(void **state)
{
    (void)state;
    unsigned loud = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        fleet all;
        uint64_t random = seed;
        fleet_init(&all, INSTANCES, seed, 1);
        for (size_t i = 0; i < INSTANCES; i++)
            starve(all.instances[i].profile, &random);
        fc_comparison *comparison = fleet_compare(&all);
        for (size_t i = 0; i < comparison->finding_count; i++)
            if (comparison->findings[i].severity > FC_SEVERITY_INFO) {
                print_message("seed %llu: %s\n", (unsigned long long)seed, comparison->findings[i].title);
                loud++;
            }
        fc_comparison_free(comparison);
        fleet_fini(&all);
    }
    assert_true(loud <= ALPHA * SEEDS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slower_is_told_when_it_is_proven),
        cmocka_unit_test(waiting_times_of_a_starved_machine_are_as_good_as_no_finding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
