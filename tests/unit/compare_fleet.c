#include "compare_fleet.h"

#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US 1000ULL

uint64_t
fleet_random(uint64_t *state)
{
    /* splitmix64 (S. Vigna, public domain) */
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

uint64_t
fleet_below(uint64_t *state, uint64_t limit)
{
    return limit > 0 ? fleet_random(state) % limit : 0;
}

/* ---- pieces ---- */

static int64_t
moment(uint64_t i, uint64_t of)
{
    return FLEET_START_NS + (int64_t)((i + 1) * FLEET_SECONDS * 1000000000ULL / (of + 1));
}

static fc_address
address_of(const char *text)
{
    fc_address address;
    if (!fc_address_parse(text, &address)) {
        fprintf(stderr, "compare_fleet: %s is no address\n", text);
        abort();
    }
    return address;
}

void
fleet_trouble(fc_profile *profile, fc_trouble_id id, uint64_t times, uint8_t protocol, const char *address,
              uint16_t port, const char *detail)
{
    for (uint64_t i = 0; i < times; i++) {
        fc_exemplar exemplar = {.at_ns = moment(i, times),
                                .file = fc_profile_file(profile, "web_00_00_00_1.pcapng"),
                                .frame = 100 + 7 * i,
                                .protocol = protocol,
                                .local = profile->subject.local_addresses[0],
                                .remote = address_of(address),
                                .local_port = (uint16_t)(40000 + i),
                                .remote_port = port};
        (void)snprintf(exemplar.detail, sizeof exemplar.detail, "%s", detail != NULL ? detail : "");
        fc_profile_trouble(profile, id, &exemplar);
    }
}

void
fleet_dns(fc_profile *profile, const char *resolver, const char *name, uint64_t times, uint64_t latency_us,
          bool failed)
{
    for (uint64_t i = 0; i < times; i++) {
        int64_t at = moment(i, times);
        uint64_t ns = latency_us * US;
        fc_table_values values = {.count = 1, .failed = failed, .first_ns = at, .last_ns = at};
        profile->counters[FC_COUNTER_DNS_QUERIES]++;
        fc_series_add(&profile->series, FC_SERIES_DNS_QUERIES, at, 1);
        if (latency_us > 0) {
            profile->counters[FC_COUNTER_DNS_ANSWERED]++;
            fc_sketch_add(&profile->sketches[FC_SKETCH_DNS_LATENCY], ns);
            fc_series_add(&profile->series, FC_SERIES_DNS_ANSWERED, at, 1);
            fc_series_add(&profile->series, FC_SERIES_DNS_LATENCY_NS, at, ns);
            values.latency_count = 1;
            values.latency_sum_ns = values.latency_max_ns = ns;
        }
        fc_table_add(&profile->tables[FC_TABLE_RESOLVERS], resolver, &values);
        fc_table_add(&profile->tables[FC_TABLE_DNS_NAMES], name, &values);
    }
}

void
fleet_connections(fc_profile *profile, const char *address, uint16_t port, uint64_t times,
                  uint64_t handshake_us)
{
    char key[FC_ENDPOINT_TEXT];
    fc_address remote = address_of(address);
    for (uint64_t i = 0; i < times; i++) {
        int64_t at = moment(i, times);
        uint64_t ns = handshake_us * US;
        fc_table_values values = {
            .count = 1, .packets = 12, .bytes = 6000, .first_ns = at, .last_ns = at + 1000000};
        profile->counters[FC_COUNTER_CONVERSATIONS]++;
        profile->counters[FC_COUNTER_TCP_CONVERSATIONS]++;
        profile->counters[FC_COUNTER_TCP_OPENED_OUT]++;
        if (handshake_us > 0) {
            profile->counters[FC_COUNTER_TCP_ESTABLISHED]++;
            fc_sketch_add(&profile->sketches[FC_SKETCH_TCP_HANDSHAKE], ns);
            fc_series_add(&profile->series, FC_SERIES_HANDSHAKES, at, 1);
            fc_series_add(&profile->series, FC_SERIES_HANDSHAKE_NS, at, ns);
            values.latency_count = 1;
            values.latency_sum_ns = values.latency_max_ns = ns;
        }
        fc_table_add(&profile->tables[FC_TABLE_SERVICES], fc_endpoint_text(6, &remote, port, key), &values);
        fc_table_add(&profile->tables[FC_TABLE_PEERS], address, &values);
    }
}

void
fleet_set_fact(fc_context *context, fc_section section, const char *key, const char *value)
{
    for (size_t i = 0; i < context->fact_count; i++)
        if (context->facts[i].section == section && strcmp(context->facts[i].key, key) == 0) {
            free(context->facts[i].value);
            context->facts[i].value = fc_strdup(value);
            return;
        }
    fc_context_add(context, section, key, value);
    fc_context_sort(context);
}

/* ---- a healthy instance ---- */

static void
add_packets(fc_profile *profile, uint64_t *random, uint64_t scale)
{
    uint64_t *counters = profile->counters, data = scale * (600 + fleet_below(random, 400));
    counters[FC_COUNTER_TCP_DATA_PACKETS_OUT] = data;
    counters[FC_COUNTER_TCP_DATA_PACKETS_IN] = data + fleet_below(random, 200);
    counters[FC_COUNTER_TCP_DATA_BYTES_OUT] = data * 700;
    counters[FC_COUNTER_TCP_DATA_BYTES_IN] = data * 900;
    counters[FC_COUNTER_PACKETS_OUT] = 2 * data;
    counters[FC_COUNTER_PACKETS_IN] = 2 * data + fleet_below(random, 300);
    counters[FC_COUNTER_BYTES_OUT] = data * 900;
    counters[FC_COUNTER_BYTES_IN] = data * 1100;
    counters[FC_COUNTER_TCP_OUT_OF_ORDER_IN] = fleet_below(random, 2 + data / 2000);
    counters[FC_COUNTER_TCP_RETRANSMITTED_OUT] = fleet_below(random, 3 + data / 2000);
    counters[FC_COUNTER_TCP_RETRANSMITTED_IN] = fleet_below(random, 3 + data / 2000);
    counters[FC_COUNTER_TCP_PACKETS] = counters[FC_COUNTER_PACKETS_OUT] + counters[FC_COUNTER_PACKETS_IN];
    counters[FC_COUNTER_CAPTURE_MATCHED] = counters[FC_COUNTER_PACKETS_OUT] + counters[FC_COUNTER_PACKETS_IN];
    for (int64_t s = 0; s < FLEET_SECONDS; s++)
        fc_series_add(&profile->series, FC_SERIES_PACKETS_IN, FLEET_START_NS + s * 1000000000LL,
                      counters[FC_COUNTER_PACKETS_IN] / FLEET_SECONDS);
}

/* Jitter of a busy machine: mostly `base`, one in twenty far more. */
static uint64_t
jitter(uint64_t *random, uint64_t base_us)
{
    uint64_t value = base_us / 2 + fleet_below(random, base_us + 1);
    return fleet_below(random, 20) == 0 ? value + fleet_below(random, 30000) : value;
}

static void
add_clients(fc_profile *profile, uint64_t *random, uint64_t scale)
{
    uint64_t clients = scale * (10 + fleet_below(random, 30));
    char address[FC_ADDRESS_TEXT];
    for (uint64_t i = 0; i < clients; i++) {
        fc_table_values values = {.count = 1, .packets = 10, .bytes = 5000, .first_ns = moment(i, clients)};
        (void)snprintf(address, sizeof address, "198.51.%u.%u", (unsigned)fleet_below(random, 4),
                       (unsigned)(1 + fleet_below(random, 250)));
        profile->counters[FC_COUNTER_CONVERSATIONS]++;
        profile->counters[FC_COUNTER_TCP_CONVERSATIONS]++;
        profile->counters[FC_COUNTER_TCP_OPENED_IN]++;
        fc_table_add(&profile->tables[FC_TABLE_PEERS], address, &values);
        fc_table_add(&profile->tables[FC_TABLE_LISTENERS], "tcp 443", &values);
        fc_sketch_add(&profile->sketches[FC_SKETCH_TCP_SERVICE], jitter(random, 3000) * US);
        fc_sketch_add(&profile->sketches[FC_SKETCH_TCP_HANDSHAKE_IN], jitter(random, 400) * US);
    }
}

static void
add_noise(fc_profile *profile, uint64_t *random, uint64_t scale)
{
    uint64_t resets = fleet_below(random, 3 + scale / 4);
    fleet_trouble(profile, FC_TROUBLE_TCP_RESET_BY_REMOTE, resets, 6, "198.51.1.9", 50000,
                  "while data flowed");
    fleet_trouble(profile, FC_TROUBLE_TCP_SYN_RETRIED, fleet_below(random, 2), 6, "10.0.9.5", 443, NULL);
    fleet_trouble(profile, FC_TROUBLE_DNS_RETRIED, fleet_below(random, 2), 17, "10.0.9.2", 53, "a.example A");
    fleet_trouble(profile, FC_TROUBLE_TCP_RETRANSMITS, fleet_below(random, 4), 6, "10.0.9.5", 443, NULL);
    fleet_trouble(profile, FC_TROUBLE_TCP_LOSS_IN, fleet_below(random, 4), 6, "10.0.9.5", 443, NULL);
    fleet_trouble(profile, FC_TROUBLE_TCP_REORDERED, fleet_below(random, 4), 6, "10.0.9.5", 443, NULL);
    if (fleet_below(random, 4) == 0)
        fleet_connections(profile, "192.0.2.77", 80, 1, 300); /* a package list, now and then */
}

void
fleet_fill_profile(fc_profile *profile, size_t index, uint64_t *random, uint64_t scale)
{
    fc_address own = address_of("10.0.0.0");
    own.bytes[2] = (uint8_t)(index >> 8);
    own.bytes[3] = (uint8_t)(10 + index % 240);
    fc_profile_add_local_address(profile, &own);
    fc_profile_subject *subject = &profile->subject;
    (void)snprintf(subject->instance_name, sizeof subject->instance_name, "web-%zu", index + 1);
    subject->start_ns = subject->first_packet_ns = FLEET_START_NS;
    subject->end_ns = subject->last_packet_ns = FLEET_START_NS + FLEET_SECONDS * 1000000000LL;
    add_packets(profile, random, scale);
    uint64_t names = scale * (20 + fleet_below(random, 15)),
             connections = scale * (20 + fleet_below(random, 15));
    for (uint64_t i = 0; i < names; i++) {
        fleet_dns(profile, "10.0.9.2", "service.example", 1, jitter(random, 1500), false);
        if (fleet_below(random, 2) == 0) { /* the search list's first try */
            fleet_dns(profile, "10.0.9.2", "corp.example", 1, jitter(random, 1500), false);
            fleet_trouble(profile, FC_TROUBLE_DNS_NXDOMAIN, 1, 17, "10.0.9.2", 53, "service.corp.example A");
        }
    }
    for (uint64_t i = 0; i < connections; i++) {
        fleet_connections(profile, i % 3 == 0 ? "10.0.9.6" : "10.0.9.5", i % 3 == 0 ? 5432 : 443, 1,
                          jitter(random, 300));
        fc_sketch_add(&profile->sketches[FC_SKETCH_TCP_RTT], jitter(random, 400) * US);
        fc_sketch_add(&profile->sketches[FC_SKETCH_TCP_FIRST_BYTE], jitter(random, 4000) * US);
        if (i % 3 != 0) {
            fc_table_values values = {.count = 1};
            profile->counters[FC_COUNTER_TLS_HELLOS]++;
            profile->counters[FC_COUNTER_TLS_COMPLETED]++;
            fc_sketch_add(&profile->sketches[FC_SKETCH_TLS_HANDSHAKE], jitter(random, 5000) * US);
            fc_table_add(&profile->tables[FC_TABLE_TLS_CHOICES], "TLS 1.3 TLS_AES_256_GCM_SHA384", &values);
        }
    }
    profile->counters[FC_COUNTER_UDP_CONVERSATIONS] += 3;
    profile->counters[FC_COUNTER_CONVERSATIONS] += 3;
    profile->counters[FC_COUNTER_NEIGHBOUR_REQUESTS] += 2;
    add_clients(profile, random, scale);
    add_noise(profile, random, scale);
}

void
fleet_init(fleet *all, size_t count, uint64_t seed, unsigned scale)
{
    uint64_t random = seed;
    all->count = count;
    all->seed = seed;
    all->instances = fc_alloc_array(count, sizeof *all->instances);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(all->instances[i].name, sizeof all->instances[i].name, "web-%zu", i + 1);
        all->instances[i].profile = fc_profile_new();
        fleet_fill_profile(all->instances[i].profile, i, &random, scale);
    }
}

void
fleet_fini(fleet *all)
{
    for (size_t i = 0; i < all->count; i++) {
        fc_profile_free(all->instances[i].profile);
        fc_context_fini(&all->instances[i].start);
        fc_context_fini(&all->instances[i].stop);
    }
    free(all->instances);
    all->instances = NULL;
    all->count = 0;
}

void
fleet_fill_context(fc_context *context, size_t index, int64_t at_ns, uint64_t grown)
{
    context->at.ns = at_ns;
    char key[64];
    unsigned host = (unsigned)(10 + index % 240), net = (unsigned)(index >> 8);
    fc_context_add(context, FC_SECTION_RESOLVER, "nameserver 1", "10.0.9.2");
    fc_context_add(context, FC_SECTION_RESOLVER, "search", "corp.example");
    fc_context_addf(context, FC_SECTION_ADDRESS, "eth0", "10.0.%u.%u/16 scope global", net, host);
    fc_context_add(context, FC_SECTION_LINK, "eth0 mtu", "1500");
    fc_context_add(context, FC_SECTION_LINK, "eth0 state", "up");
    fc_context_add(context, FC_SECTION_LINK, "eth0 tso", "on");
    fc_context_add(context, FC_SECTION_ROUTE, "default", "unicast via 10.0.0.1 dev eth0");
    fc_context_addf(context, FC_SECTION_ROUTE, "10.0.0.0/16", "unicast dev eth0 src 10.0.%u.%u", net, host);
    fc_context_add(context, FC_SECTION_LISTENER, "tcp 0.0.0.0:443", "uid 33");
    (void)snprintf(key, sizeof key, "tcp 127.0.0.1:%u", (unsigned)(33000 + index));
    fc_context_add(context, FC_SECTION_LISTENER, key, "uid 0");
    fc_context_add(context, FC_SECTION_FIREWALL, "inet filter input 4", "[ ct state established accept ]");
    fc_context_add(context, FC_SECTION_SYSCTL, "net.ipv4.tcp_mtu_probing", "0");
    fc_context_add(context, FC_SECTION_SYSCTL, "net.ipv4.tcp_sack", "1");
    fc_context_addf(context, FC_SECTION_LINK_COUNTER, "eth0 rx_dropped", "%llu",
                    (unsigned long long)(5 + grown));
    fc_context_add(context, FC_SECTION_CLOCK, "synchronised", "yes");
    fc_context_addf(context, FC_SECTION_HOST, "web-self", "10.0.%u.%u", net, host);
    fc_context_sort(context);
}

void
fleet_add_contexts(fleet *all)
{
    for (size_t i = 0; i < all->count; i++) {
        fleet_fill_context(&all->instances[i].start, i, FLEET_START_NS, 0);
        fleet_fill_context(&all->instances[i].stop, i, FLEET_START_NS + FLEET_SECONDS * 1000000000LL, 1);
        all->instances[i].has_context = true;
    }
}

fc_comparison *
fleet_compare(fleet *all)
{
    fc_comparison *comparison = NULL;
    fc_comparer *comparer = fc_comparer_new();
    for (size_t i = 0; i < all->count; i++) {
        fleet_instance *instance = &all->instances[i];
        fc_comparer_add(
            comparer, &(fc_compare_instance){.name = instance->name,
                                             .region = "north",
                                             .cohort = instance->cohort,
                                             .profile = instance->profile,
                                             .context_start = instance->has_context ? &instance->start : NULL,
                                             .context_stop = instance->has_context ? &instance->stop : NULL,
                                             .problem = instance->problem});
    }
    if (fc_comparer_finish(comparer, &comparison, NULL) != FC_OK)
        comparison = NULL;
    fc_comparer_free(comparer);
    return comparison;
}
