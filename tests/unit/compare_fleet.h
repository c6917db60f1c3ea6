/* compare_fleet.h: fleets of synthetic profiles with the noise that healthy instances have, and faults to put
 * on one of them. */
#ifndef TESTS_UNIT_COMPARE_FLEET_H
#define TESTS_UNIT_COMPARE_FLEET_H

#include "common/compare/compare.h"

#include <stdbool.h>
#include <stdint.h>

#define FLEET_START_NS (1795000000LL * 1000000000LL)
#define FLEET_SECONDS  30

typedef struct fleet_instance {
    char name[32];
    fc_profile *profile; /* owned */
    fc_context start, stop;
    bool has_context;
    fc_cohort cohort;
    const char *problem; /* borrowed */
} fleet_instance;

typedef struct fleet {
    fleet_instance *instances; /* owned */
    size_t count;
    uint64_t seed;
} fleet;

/* web-1 … web-<count>: DNS, HTTPS to two services, NTP, clients of their own; as busy as `scale` (1: some 60
 * connections). */
void
fleet_init(fleet *all, size_t count, uint64_t seed, unsigned scale);
void
fleet_fini(fleet *all);
/* One instance of such a fleet into an empty profile, and its context at a moment. random: state of
 * fleet_random. */
void
fleet_fill_profile(fc_profile *profile, size_t index, uint64_t *random, uint64_t scale);
void
fleet_fill_context(fc_context *context, size_t index, int64_t at_ns, uint64_t grown);
/* The contexts of an equal fleet in one subnet. */
void
fleet_add_contexts(fleet *all);
/* The comparison; owned by the caller. */
fc_comparison *
fleet_compare(fleet *all);

/* Pseudo-random, the same on every machine. */
uint64_t
fleet_random(uint64_t *state);
uint64_t
fleet_below(uint64_t *state, uint64_t limit);

/* Pieces of traffic: `times` troubles with that peer and detail. */
void
fleet_trouble(fc_profile *profile, fc_trouble_id id, uint64_t times, uint8_t protocol, const char *address,
              uint16_t port, const char *detail);
void
fleet_dns(fc_profile *profile, const char *resolver, const char *name, uint64_t times, uint64_t latency_us,
          bool failed);
void
fleet_connections(fc_profile *profile, const char *address, uint16_t port, uint64_t times,
                  uint64_t handshake_us);
void
fleet_set_fact(fc_context *context, fc_section section, const char *key, const char *value);

#endif
