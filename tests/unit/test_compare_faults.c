/* One fault on one of six otherwise equal instances: the verdict names the instance and the cause. */
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

enum { FAULTY = 3, SEEDS = 5 };

/* The comparison of six with the fault on web-4, for several seeds; every verdict must have all the words
 * (separated by '|'). */
static void
expect(void (*fault)(fleet *all, fc_profile *profile), const char *words)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        fleet six;
        fleet_init(&six, 6, seed, 1);
        fleet_add_contexts(&six);
        fault(&six, six.instances[FAULTY].profile);
        fc_comparison *comparison = fleet_compare(&six);
        assert_non_null(comparison);
        bool named = strncmp(comparison->verdict, "web-4", 5) == 0;
        char *copy = strdup(words), *rest = NULL;
        for (char *word = strtok_r(copy, "|", &rest); word != NULL; word = strtok_r(NULL, "|", &rest))
            named = named && strstr(comparison->verdict, word) != NULL;
        if (!named || seed == 1)
            print_message("seed %llu: %s\n", (unsigned long long)seed, comparison->verdict);
        for (size_t i = 0; (!named || getenv("FC_SHOW") != NULL) && i < comparison->finding_count; i++)
            print_message(
                "   %-8s %.0f %s: %s [%s]\n", fc_severity_name(comparison->findings[i].severity),
                comparison->findings[i].score, comparison->findings[i].id, comparison->findings[i].title,
                comparison->findings[i].explanation != NULL ? comparison->findings[i].explanation : "");
        free(copy);
        assert_true(named);
        assert_int_equal(comparison->standings[FAULTY], FC_STANDING_OUTLIER);
        assert_true(comparison->severity >= FC_SEVERITY_NOTE);
        fc_comparison_free(comparison);
        fleet_fini(&six);
    }
}

#define FAULT(name, words)                                                                                   \
    static void name(fleet *all, fc_profile *profile);                                                       \
    static void a_##name##_is_named(void **state)                                                            \
    {                                                                                                        \
        (void)state;                                                                                         \
        expect(name, words);                                                                                 \
    }                                                                                                        \
    static void name(fleet *all, fc_profile *profile)

/* ---- names ---- */

FAULT(stale_resolver,
      "10.99.0.53|nobody else asks|answers none of its 20 questions|nameserver 1 is 10.99.0.53")
{
    fleet_dns(profile, "10.99.0.53", "service.example", 20, 0, true);
    fleet_trouble(profile, FC_TROUBLE_DNS_UNANSWERED, 20, 17, "10.99.0.53", 53, "a.service.example A");
    fleet_trouble(profile, FC_TROUBLE_DNS_RETRIED, 20, 17, "10.99.0.53", 53, "a.service.example A");
    fleet_set_fact(&all->instances[FAULTY].start, FC_SECTION_RESOLVER, "nameserver 1", "10.99.0.53");
    fleet_set_fact(&all->instances[FAULTY].stop, FC_SECTION_RESOLVER, "nameserver 1", "10.99.0.53");
}

FAULT(slow_resolver, "DNS|10.0.9.2|300 ms|slow")
{
    (void)all;
    memset(&profile->sketches[FC_SKETCH_DNS_LATENCY], 0, sizeof(fc_sketch));
    memset(profile->tables[FC_TABLE_RESOLVERS].entries, 0,
           sizeof profile->tables[FC_TABLE_RESOLVERS].entries);
    profile->tables[FC_TABLE_RESOLVERS].count = 0;
    fleet_dns(profile, "10.0.9.2", "service.example", 40, 300000, false);
    fleet_trouble(profile, FC_TROUBLE_DNS_RETRIED, 9, 17, "10.0.9.2", 53, "a.service.example A");
}

FAULT(servfail, "SERVFAIL|10.0.9.2")
{
    (void)all;
    fleet_dns(profile, "10.0.9.2", "service.example", 15, 2000, true);
    fleet_trouble(profile, FC_TROUBLE_DNS_SERVFAIL, 15, 17, "10.0.9.2", 53, "a.service.example A");
}

FAULT(nxdomain_storm, "NXDOMAIN")
{
    (void)all;
    fleet_dns(profile, "10.0.9.2", "wrong.example", 200, 2000, false);
    fleet_trouble(profile, FC_TROUBLE_DNS_NXDOMAIN, 200, 17, "10.0.9.2", 53, "a.wrong.example A");
}

FAULT(truncating_resolver, "truncated|TCP")
{
    (void)all;
    fleet_trouble(profile, FC_TROUBLE_DNS_TRUNCATED, 15, 17, "10.0.9.2", 53, "big.service.example TXT");
    profile->counters[FC_COUNTER_DNS_OVER_TCP] += 15;
}

/* ---- connections ---- */

FAULT(refused_port, "refused|10.0.9.7:8080")
{
    for (size_t i = 0; i < all->count; i++)
        fleet_connections(all->instances[i].profile, "10.0.9.7", 8080, 12, i == FAULTY ? 0 : 300);
    fleet_trouble(profile, FC_TROUBLE_TCP_REFUSED, 12, 6, "10.0.9.7", 8080, NULL);
}

FAULT(filtered_port, "no answer|12 of 12|10.0.9.7:8080")
{
    for (size_t i = 0; i < all->count; i++)
        fleet_connections(all->instances[i].profile, "10.0.9.7", 8080, 12, i == FAULTY ? 0 : 300);
    fleet_trouble(profile, FC_TROUBLE_TCP_NO_ANSWER, 12, 6, "10.0.9.7", 8080, NULL);
    profile->counters[FC_COUNTER_TCP_SYN_RETRANSMITTED] += 50;
    profile->counters[FC_COUNTER_TCP_RETRANSMITTED_OUT] += 50;
}

FAULT(tls_reset_by_the_server, "TLS|reset|other side|10.0.9.5:443")
{
    (void)all;
    fleet_trouble(profile, FC_TROUBLE_TLS_RESET_BY_REMOTE, 8, 6, "10.0.9.5", 443, "after clientHello");
    fleet_trouble(profile, FC_TROUBLE_TCP_RESET_BY_REMOTE, 8, 6, "10.0.9.5", 443, NULL);
}

FAULT(certificate_rejected_by_the_client, "TLS|alert of its own|unknown_ca|10.0.9.5:443")
{
    (void)all;
    fleet_trouble(profile, FC_TROUBLE_TLS_ALERT_BY_LOCAL, 8, 6, "10.0.9.5", 443,
                  "unknown_ca after certificate");
}

FAULT(certificate_rejected_by_the_server, "TLS|alert of the other side|unknown_ca|10.0.9.5:443")
{
    (void)all;
    fleet_trouble(profile, FC_TROUBLE_TLS_ALERT_BY_REMOTE, 8, 6, "10.0.9.5", 443,
                  "unknown_ca after clientFinished");
    fleet_trouble(profile, FC_TROUBLE_TCP_RESET_BY_REMOTE, 5, 6, "10.0.9.5", 443, NULL);
}

FAULT(version_mismatch, "TLS|protocol_version|10.0.9.5:443")
{
    (void)all;
    fleet_trouble(profile, FC_TROUBLE_TLS_ALERT_BY_REMOTE, 8, 6, "10.0.9.5", 443,
                  "protocol_version after clientHello");
}

/* What web-4's first finding means when a server ends its handshakes with this alert. */
static void
expect_meaning(fc_trouble_id by, const char *detail, const char *words)
{
    fleet six;
    fleet_init(&six, 6, 1, 1);
    fleet_trouble(six.instances[FAULTY].profile, by, 8, 6, "10.0.9.5", 443, detail);
    fc_comparison *comparison = fleet_compare(&six);
    assert_non_null(comparison);
    assert_true(comparison->finding_count > 0);
    const char *meaning = comparison->findings[0].explanation;
    assert_non_null(meaning);
    if (strstr(meaning, words) == NULL)
        fail_msg("%s: %s", detail, meaning);
    fc_comparison_free(comparison);
    fleet_fini(&six);
}

static void
an_alert_is_explained_by_its_name(void **state)
{
    (void)state;
    const fc_trouble_id remote = FC_TROUBLE_TLS_ALERT_BY_REMOTE, local = FC_TROUBLE_TLS_ALERT_BY_LOCAL;
    expect_meaning(remote, "certificate_unknown after clientFinished",
                   "not accept the certificate that this");
    expect_meaning(remote, "bad_certificate after clientFinished", "not accept the certificate that this");
    expect_meaning(remote, "unknown_ca after clientFinished", "not know the CA of the certificate that this");
    expect_meaning(remote, "certificate_required after clientFinished", "wants a certificate, and gets none");
    expect_meaning(remote, "handshake_failure after certificate", "versions or cipher suites");
    expect_meaning(remote, "an encrypted alert after clientCertificate", "versions or cipher suites");
    expect_meaning(local, "certificate_expired after certificate",
                   "not accept the certificate that the other");
    expect_meaning(local, "unknown_ca after serverHello",
                   "not know the CA of the certificate that the other");
    expect_meaning(local, "protocol_version after serverHello", "versions or cipher suites");
}

/* ---- the path ---- */

FAULT(one_percent_loss, "loses|retransmi|1.")
{
    (void)all;
    profile->counters[FC_COUNTER_TCP_DATA_PACKETS_OUT] = 4000;
    profile->counters[FC_COUNTER_TCP_RETRANSMITTED_OUT] = 41;
    fleet_trouble(profile, FC_TROUBLE_TCP_RETRANSMITS, 15, 6, "10.0.9.5", 443, NULL);
}

FAULT(ten_percent_loss, "loses|10 %|retransmi")
{
    (void)all;
    profile->counters[FC_COUNTER_TCP_DATA_PACKETS_OUT] = 4100;
    profile->counters[FC_COUNTER_TCP_RETRANSMITTED_OUT] = 412;
    profile->counters[FC_COUNTER_TCP_RETRANSMITTED_IN] = 60;
    fleet_trouble(profile, FC_TROUBLE_TCP_RETRANSMITS, 25, 6, "10.0.9.5", 443, NULL);
    fleet_trouble(profile, FC_TROUBLE_TCP_SYN_RETRIED, 6, 6, "10.0.9.5", 443, NULL);
    fleet_trouble(profile, FC_TROUBLE_DNS_RETRIED, 6, 17, "10.0.9.2", 53, NULL);
    fleet_trouble(profile, FC_TROUBLE_DNS_UNANSWERED, 3, 17, "10.0.9.2", 53, NULL);
}

FAULT(inbound_loss, "sent to it|retransmi|10 %")
{
    (void)all;
    profile->counters[FC_COUNTER_TCP_DATA_PACKETS_IN] = 4100;
    profile->counters[FC_COUNTER_TCP_RETRANSMITTED_IN] = 412;
    profile->counters[FC_COUNTER_TCP_OUT_OF_ORDER_IN] = 40;
    fleet_trouble(profile, FC_TROUBLE_TCP_LOSS_IN, 25, 6, "10.0.9.5", 443, NULL);
}

FAULT(added_latency, "handshakes|40 ms|latency")
{
    (void)all;
    static const fc_sketch_id slowed[] = {FC_SKETCH_TCP_HANDSHAKE, FC_SKETCH_TCP_RTT, FC_SKETCH_DNS_LATENCY,
                                          FC_SKETCH_TLS_HANDSHAKE, FC_SKETCH_TCP_FIRST_BYTE};
    for (size_t s = 0; s < sizeof slowed / sizeof slowed[0]; s++) {
        memset(&profile->sketches[slowed[s]], 0, sizeof(fc_sketch));
        for (uint64_t i = 0; i < 30; i++)
            fc_sketch_add(&profile->sketches[slowed[s]], 40000000 + i * 1000 + (s == 3 ? 60000000 : 0));
    }
}

FAULT(reordering, "out of order|reordering")
{
    (void)all;
    profile->counters[FC_COUNTER_TCP_OUT_OF_ORDER_IN] = 60;
    profile->counters[FC_COUNTER_TCP_RETRANSMITTED_IN] = 110; /* what its sender thinks was lost */
    profile->counters[FC_COUNTER_TCP_RETRANSMITTED_OUT] = 40;
    fleet_trouble(profile, FC_TROUBLE_TCP_LOSS_IN, 25, 6, "10.0.9.5", 443, NULL);
    fleet_trouble(profile, FC_TROUBLE_TCP_RETRANSMITS, 12, 6, "10.0.9.5", 443, NULL);
    fleet_trouble(profile, FC_TROUBLE_TCP_REORDERED, 20, 6, "10.0.9.5", 443, NULL);
}

/* Little loss both ways: what fills a hole comes late, but questions are lost too. */
FAULT(loss_both_ways, "loses|sent again")
{
    (void)all;
    profile->counters[FC_COUNTER_TCP_OUT_OF_ORDER_IN] = 60;
    profile->counters[FC_COUNTER_TCP_RETRANSMITTED_IN] = 110;
    profile->counters[FC_COUNTER_TCP_RETRANSMITTED_OUT] = 120;
    profile->counters[FC_COUNTER_DNS_RETRIES] = 3;
    fleet_trouble(profile, FC_TROUBLE_TCP_LOSS_IN, 25, 6, "10.0.9.5", 443, NULL);
    fleet_trouble(profile, FC_TROUBLE_TCP_RETRANSMITS, 12, 6, "10.0.9.5", 443, NULL);
    fleet_trouble(profile, FC_TROUBLE_TCP_REORDERED, 20, 6, "10.0.9.5", 443, NULL);
}

FAULT(mtu_black_hole, "MTU black hole")
{
    (void)all;
    fleet_trouble(profile, FC_TROUBLE_TCP_BLACK_HOLE, 6, 6, "10.0.9.5", 443, NULL);
    fleet_trouble(profile, FC_TROUBLE_TCP_RETRANSMITS, 6, 6, "10.0.9.5", 443, NULL);
    fleet_trouble(profile, FC_TROUBLE_TLS_SILENT, 4, 6, "10.0.9.5", 443, "after clientHello");
    profile->counters[FC_COUNTER_TCP_RETRANSMITTED_OUT] += 40;
}

/* On a machine that has to wait for its processor, all send again now and then what was not lost. */
static void
all_send_again(fleet *all)
{
    for (size_t i = 0; i < all->count; i++) {
        fc_profile *profile = all->instances[i].profile;
        fleet_trouble(profile, FC_TROUBLE_TCP_RETRANSMITS, 20, 6, "10.0.9.5", 443, NULL);
        fleet_trouble(profile, FC_TROUBLE_TCP_LOSS_IN, 20, 6, "10.0.9.5", 443, NULL);
        profile->counters[FC_COUNTER_TCP_RETRANSMITTED_OUT] += 25;
        profile->counters[FC_COUNTER_TCP_RETRANSMITTED_IN] += 25;
        profile->counters[FC_COUNTER_DNS_RETRIES] += 4;
    }
}

FAULT(mtu_black_hole_where_all_send_again, "MTU black hole")
{
    all_send_again(all);
    mtu_black_hole(all, profile);
    profile->counters[FC_COUNTER_TCP_RETRANSMITTED_OUT] += 60;
}

FAULT(half_open_peer_where_all_send_again, "half-open")
{
    all_send_again(all);
    fleet_trouble(profile, FC_TROUBLE_TCP_HALF_OPEN, 8, 6, "10.0.9.5", 443, NULL);
    fleet_trouble(profile, FC_TROUBLE_TCP_RETRANSMITS, 8, 6, "10.0.9.5", 443, NULL);
    profile->counters[FC_COUNTER_TCP_RETRANSMITTED_OUT] += 100;
}

FAULT(reordering_where_all_send_again, "out of order|reordering")
{
    all_send_again(all);
    reordering(all, profile);
}

FAULT(small_mtu_with_icmp, "too big|MTU")
{
    (void)all;
    fleet_trouble(profile, FC_TROUBLE_ICMP_TOO_BIG, 1, 6, "10.0.9.5", 443, "fragmentation needed");
}

FAULT(slow_reader, "does not read|zero window")
{
    (void)all;
    fleet_trouble(profile, FC_TROUBLE_TCP_ZERO_WINDOW_LOCAL, 8, 6, "10.0.9.5", 443, NULL);
    fleet_trouble(profile, FC_TROUBLE_TCP_LOSS_IN, 8, 6, "10.0.9.5", 443, NULL);
    profile->counters[FC_COUNTER_TCP_RETRANSMITTED_IN] += 30;
}

FAULT(half_open_peer, "half-open|10.0.9.6:5432")
{
    (void)all;
    fleet_trouble(profile, FC_TROUBLE_TCP_HALF_OPEN, 6, 6, "10.0.9.6", 5432, NULL);
    fleet_trouble(profile, FC_TROUBLE_TCP_RETRANSMITS, 6, 6, "10.0.9.6", 5432, NULL);
    profile->counters[FC_COUNTER_TCP_RETRANSMITTED_OUT] += 50;
}

FAULT(few_half_open_peers, "half-open|10.0.9.6:5432")
{
    (void)all;
    fleet_trouble(profile, FC_TROUBLE_TCP_HALF_OPEN, 1, 6, "10.0.9.6", 5432, NULL);
    profile->troubles[FC_TROUBLE_TCP_RETRANSMITS].count = 0;
    fleet_trouble(profile, FC_TROUBLE_TCP_RETRANSMITS, 3, 6, "10.0.9.6", 5432, NULL);
    profile->counters[FC_COUNTER_TCP_RETRANSMITTED_OUT] += 30;
}

FAULT(prohibiting_firewall, "prohibited|10.0.9.7:8080")
{
    for (size_t i = 0; i < all->count; i++)
        fleet_connections(all->instances[i].profile, "10.0.9.7", 8080, 12, i == FAULTY ? 0 : 300);
    fleet_trouble(profile, FC_TROUBLE_ICMP_PROHIBITED, 12, 6, "10.0.9.7", 8080,
                  "administratively prohibited");
    fleet_trouble(profile, FC_TROUBLE_TCP_SYN_RETRIED, 5, 6, "10.0.9.7", 8080, NULL);
}

FAULT(unreachable_host, "unreachable|10.0.9.7:8080")
{
    for (size_t i = 0; i < all->count; i++)
        fleet_connections(all->instances[i].profile, "10.0.9.7", 8080, 12, i == FAULTY ? 0 : 300);
    fleet_trouble(profile, FC_TROUBLE_ICMP_UNREACHABLE, 12, 6, "10.0.9.7", 8080, "host unreachable");
}

FAULT(unexpected_destination, "203.0.113.9:4444|nobody else talks to")
{
    (void)all;
    fleet_connections(profile, "203.0.113.9", 4444, 5, 20000);
}

FAULT(unusual_suite, "agrees on TLS 1.2 TLS_RSA_WITH_AES_128_CBC_SHA, which nobody else uses")
{
    (void)all;
    fc_table_values values = {.count = 8};
    profile->counters[FC_COUNTER_TLS_HELLOS] += 8;
    profile->counters[FC_COUNTER_TLS_COMPLETED] += 8;
    fc_table_add(&profile->tables[FC_TABLE_TLS_CHOICES], "TLS 1.2 TLS_RSA_WITH_AES_128_CBC_SHA", &values);
}

FAULT(resolver_at_another_port, "asks the resolver 10.0.9.3 port 5353, which nobody else asks")
{
    (void)all;
    fleet_dns(profile, "10.0.9.3 port 5353", "service.example", 20, 1500, false);
}

FAULT(neighbour_failure, "ARP|10.0.0.1")
{
    (void)all;
    fleet_trouble(profile, FC_TROUBLE_NEIGHBOUR_UNANSWERED, 5, 0, "10.0.0.1", 0, "10.0.0.1");
    profile->counters[FC_COUNTER_NEIGHBOUR_REQUESTS] += 5;
    fleet_dns(profile, "10.0.9.2", "service.example", 20, 0, true);
    fleet_trouble(profile, FC_TROUBLE_DNS_UNANSWERED, 20, 17, "10.0.9.2", 53, NULL);
    fleet_trouble(profile, FC_TROUBLE_TCP_NO_ANSWER, 12, 6, "10.0.9.5", 443, NULL);
}

FAULT(silent_instance, "silent|no traffic")
{
    fc_profile_clear(profile);
    fc_profile_subject *subject = &profile->subject;
    subject->start_ns = FLEET_START_NS;
    subject->end_ns = FLEET_START_NS + FLEET_SECONDS * 1000000000LL;
    (void)all;
}

FAULT(slow_server, "slow to answer its own clients|251 ms")
{
    (void)all;
    memset(&profile->sketches[FC_SKETCH_TCP_SERVICE], 0, sizeof(fc_sketch));
    for (uint64_t i = 0; i < 20; i++)
        fc_sketch_add(&profile->sketches[FC_SKETCH_TCP_SERVICE], 250000000 + i * 100000);
}

FAULT(nothing_that_comes_back, "silent|nothing comes back|5 packets in")
{
    (void)all;
    profile->counters[FC_COUNTER_PACKETS_IN] = 5;
}

FAULT(partly_slow_server, "first byte|257 ms|the slowest")
{
    (void)all;
    for (uint64_t i = 0; i < 12; i++)
        fc_sketch_add(&profile->sketches[FC_SKETCH_TCP_FIRST_BYTE], 257000000);
}

FAULT(dead_time_service, "UDP|no answer|10.0.9.3:123")
{
    for (size_t i = 0; i < all->count; i++)
        all->instances[i].profile->counters[FC_COUNTER_UDP_CONVERSATIONS] += 8;
    fleet_trouble(profile, FC_TROUBLE_UDP_NO_ANSWER, 8, 17, "10.0.9.3", 123, NULL);
}

/* ---- the context alone ---- */

static void
set_both(fleet *all, fc_section section, const char *key, const char *value)
{
    fleet_set_fact(&all->instances[FAULTY].start, section, key, value);
    fleet_set_fact(&all->instances[FAULTY].stop, section, key, value);
}

FAULT(different_mtu, "eth0 mtu is 1400|5 peers: 1500")
{
    (void)profile;
    set_both(all, FC_SECTION_LINK, "eth0 mtu", "1400");
}

FAULT(route_that_leads_nowhere,
      "no answer|10.0.9.7:8080|in its configuration: 10.0.9.0/24 is unicast via 10.0.0.66")
{
    for (size_t i = 0; i < all->count; i++)
        fleet_connections(all->instances[i].profile, "10.0.9.7", 8080, 12, i == FAULTY ? 0 : 300);
    fleet_trouble(profile, FC_TROUBLE_TCP_NO_ANSWER, 12, 6, "10.0.9.7", 8080, NULL);
    set_both(all, FC_SECTION_ROUTE, "10.77.0.0/24", "unicast via 10.0.0.67 dev eth0");
    set_both(all, FC_SECTION_ROUTE, "10.0.9.0/24", "unicast via 10.0.0.66 dev eth0");
}

FAULT(different_sysctl, "net.ipv4.tcp_sack is 0|5 peers: 1")
{
    (void)profile;
    set_both(all, FC_SECTION_SYSCTL, "net.ipv4.tcp_sack", "0");
}

FAULT(different_route, "route|default is unicast via 10.0.0.254|10.0.0.1")
{
    (void)profile;
    set_both(all, FC_SECTION_ROUTE, "default", "unicast via 10.0.0.254 dev eth0");
}

FAULT(different_firewall, "firewall rule|drop")
{
    (void)profile;
    fleet_set_fact(&all->instances[FAULTY].start, FC_SECTION_FIREWALL, "inet filter output 9",
                   "[ udp dport 53 drop ]");
    fleet_set_fact(&all->instances[FAULTY].stop, FC_SECTION_FIREWALL, "inet filter output 9",
                   "[ udp dport 53 drop ]");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stale_resolver_is_named),
        cmocka_unit_test(a_slow_resolver_is_named),
        cmocka_unit_test(a_servfail_is_named),
        cmocka_unit_test(a_nxdomain_storm_is_named),
        cmocka_unit_test(a_truncating_resolver_is_named),
        cmocka_unit_test(a_refused_port_is_named),
        cmocka_unit_test(a_filtered_port_is_named),
        cmocka_unit_test(a_tls_reset_by_the_server_is_named),
        cmocka_unit_test(a_certificate_rejected_by_the_client_is_named),
        cmocka_unit_test(a_certificate_rejected_by_the_server_is_named),
        cmocka_unit_test(a_version_mismatch_is_named),
        cmocka_unit_test(an_alert_is_explained_by_its_name),
        cmocka_unit_test(a_one_percent_loss_is_named),
        cmocka_unit_test(a_ten_percent_loss_is_named),
        cmocka_unit_test(a_inbound_loss_is_named),
        cmocka_unit_test(a_added_latency_is_named),
        cmocka_unit_test(a_reordering_is_named),
        cmocka_unit_test(a_loss_both_ways_is_named),
        cmocka_unit_test(a_mtu_black_hole_is_named),
        cmocka_unit_test(a_mtu_black_hole_where_all_send_again_is_named),
        cmocka_unit_test(a_half_open_peer_where_all_send_again_is_named),
        cmocka_unit_test(a_reordering_where_all_send_again_is_named),
        cmocka_unit_test(a_small_mtu_with_icmp_is_named),
        cmocka_unit_test(a_slow_reader_is_named),
        cmocka_unit_test(a_half_open_peer_is_named),
        cmocka_unit_test(a_few_half_open_peers_is_named),
        cmocka_unit_test(a_prohibiting_firewall_is_named),
        cmocka_unit_test(a_unreachable_host_is_named),
        cmocka_unit_test(a_unexpected_destination_is_named),
        cmocka_unit_test(a_unusual_suite_is_named),
        cmocka_unit_test(a_resolver_at_another_port_is_named),
        cmocka_unit_test(a_neighbour_failure_is_named),
        cmocka_unit_test(a_silent_instance_is_named),
        cmocka_unit_test(a_slow_server_is_named),
        cmocka_unit_test(a_partly_slow_server_is_named),
        cmocka_unit_test(a_nothing_that_comes_back_is_named),
        cmocka_unit_test(a_dead_time_service_is_named),
        cmocka_unit_test(a_different_mtu_is_named),
        cmocka_unit_test(a_route_that_leads_nowhere_is_named),
        cmocka_unit_test(a_different_sysctl_is_named),
        cmocka_unit_test(a_different_route_is_named),
        cmocka_unit_test(a_different_firewall_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
