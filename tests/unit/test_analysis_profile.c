/* From packets to the profile: who is local, whose capture it is, what is bounded, and what a snapshot is. */
#include "analysis_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SYN = FC_TCP_SYN, ACK = FC_TCP_ACK, FIN = FC_TCP_FIN };

/* A question for www.example.net A; 33 bytes. */
static const uint8_t question[33] = {0,   7,   1,   0,   0,   1,   0,   0,   0,   0,   0,
                                     0,   3,   'w', 'w', 'w', 7,   'e', 'x', 'a', 'm', 'p',
                                     'l', 'e', 3,   'n', 'e', 't', 0,   0,   1,   0,   1};

static uint64_t
counter(const packet_rig *rig, fc_counter id)
{
    return rig->profile->counters[id];
}

static uint64_t
trouble(const packet_rig *rig, fc_trouble_id id)
{
    return rig->profile->troubles[id].count;
}

static void
section(packet_rig *rig, const char *comment)
{
    fc_analyzer_block(rig->analyzer, &(fc_block){.kind = FC_BLOCK_SECTION, .comment = comment});
}

static void
the_identity_is_what_the_capture_wrote(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    section(&rig, "fleetcap capture dns (0123456789abcdef0123456789abcdef), instance web-1 (i-17), scale set "
                  "web, region eu, incident X");
    section(&rig, "fleetcap capture other (0123456789abcdef0123456789abcdef), instance web-2 (i-18)");
    rig_judge(&rig);
    const fc_profile_subject *subject = &rig.profile->subject;
    assert_string_equal(subject->capture_name, "dns");
    assert_string_equal(subject->capture_uid, "0123456789abcdef0123456789abcdef");
    assert_string_equal(subject->instance_name, "web-1");
    assert_string_equal(subject->instance_id, "i-17");
    assert_string_equal(subject->scale_set, "web");
    assert_string_equal(subject->region, "eu");
    rig_fini(&rig);
}

static void
hostile_identities_are_not_taken(void **state)
{
    (void)state;
    static const char *const comments[] = {
        "",
        "fleetcap capture ",
        "fleetcap capture dns (0123456789abcdef0123456789abcde), instance web-1 (i-17)",
        "fleetcap capture ../dns (0123456789abcdef0123456789abcdef), instance web-1 (i-17)",
        "fleetcap capture dns (0123456789abcdef0123456789abcdef), instance <b> (i-17)",
        "fleetcap capture dns (0123456789abcdef0123456789abcdef), instance web-1 (",
        ("fleetcap capture dns (0123456789abcdef0123456789abcdef), instance "
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa (i-17)"),
    };
    packet_rig rig;
    rig_init(&rig, 0);
    for (size_t i = 0; i < sizeof comments / sizeof comments[0]; i++)
        section(&rig, comments[i]);
    rig_judge(&rig);
    assert_string_equal(rig.profile->subject.instance_name, "rig");
    assert_string_equal(rig.profile->subject.instance_id, "");
    rig_fini(&rig);
}

static void
a_foreign_file_names_its_instance(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"/tmp/web-1.pcapng.zst", "web-1"},
        {"web.2.pcap", "web.2"},
        {"plain", "plain"},
        {"..", "capture"},
        {"a b;c.pcap", "a_b_c"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fc_analyzer *analyzer = fc_analyzer_new(NULL);
        fc_profile *profile = fc_profile_new();
        fc_analyzer_file(analyzer, names[i][0]);
        fc_analyzer_profile(analyzer, profile);
        assert_string_equal(profile->subject.instance_name, names[i][1]);
        fc_profile_free(profile);
        fc_analyzer_free(analyzer);
    }
}

static void
statistics(packet_rig *rig, uint32_t interface, const char *name, int64_t start_ns, uint64_t received,
           uint64_t dropped)
{
    fc_capture_interface of = {.index = interface};
    (void)snprintf(of.name, sizeof of.name, "%s", name);
    const fc_block block = {
        .kind = FC_BLOCK_STATISTICS,
        .interface = &of,
        .statistics = {.interface = interface,
                       .start_ns = start_ns,
                       .end_ns = start_ns + RIG_S,
                       .received = received,
                       .os_dropped = dropped,
                       .has_received = true,
                       .has_os_dropped = true},
    };
    fc_analyzer_block(rig->analyzer, &block);
}

static void
statistics_of_several_files_are_not_added_but_those_of_a_restart_are(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    statistics(&rig, 0, "eth0", RIG_START_NS, 100, 1);
    statistics(&rig, 1, "eth1", RIG_START_NS, 50, 0);
    statistics(&rig, 0, "eth0", RIG_START_NS, 250, 3); /* the next file */
    statistics(&rig, 1, "eth1", RIG_START_NS, 60, 0);
    statistics(&rig, 0, "eth0", RIG_START_NS + 9 * RIG_S, 10, 2); /* another life of the program */
    rig_judge(&rig);
    assert_int_equal(counter(&rig, FC_COUNTER_CAPTURE_MATCHED), 320);
    assert_int_equal(counter(&rig, FC_COUNTER_CAPTURE_DROPPED), 5);
    assert_int_equal(rig.profile->subject.start_ns, RIG_START_NS);
    assert_int_equal(rig.profile->subject.end_ns, RIG_START_NS + 10 * RIG_S);
    rig_fini(&rig);
}

static void
the_end_that_the_statistics_name_is_when_silence_is_judged(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig_tcp(&rig, (rig_segment){.out = true, .flags = SYN});
    statistics(&rig, 0, "eth0", RIG_START_NS + 5 * RIG_S, 1, 0);
    rig_judge(&rig);
    assert_int_equal(trouble(&rig, FC_TROUBLE_TCP_NO_ANSWER), 1);
    rig_fini(&rig);
}

static void
directions_come_from_flags_else_from_addresses_else_they_are_not_known(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        packet_rig rig;
        rig_init(&rig, 0);
        rig.flagged = how == 0;
        fc_address own;
        assert_true(fc_address_parse("10.0.0.1", &own));
        if (how == 1)
            fc_analyzer_local_address(rig.analyzer, &own);
        rig_udp(&rig, false, 5000, 4000, "ab", 2);
        rig_udp(&rig, true, 5000, 4000, "abcd", 4);
        rig_judge(&rig);
        bool known = how < 2;
        assert_int_equal(counter(&rig, FC_COUNTER_PACKETS_IN), known);
        assert_int_equal(counter(&rig, FC_COUNTER_PACKETS_OUT), known);
        assert_int_equal(counter(&rig, FC_COUNTER_PACKETS_UNORIENTED), known ? 0 : 2);
        assert_int_equal(rig.told[0].oriented, known);
        /* Not known: who began counts as local. */
        assert_int_equal(rig.told[0].initiator, known ? FC_SIDE_REMOTE : FC_SIDE_LOCAL);
        assert_int_equal(rig.told[0].local_port, known ? 5000 : 4000);
        assert_int_equal(rig.profile->series.rows[FC_SERIES_BYTES_OUT][0], known ? 46 : 0);
        rig_fini(&rig);
    }
}

static void
a_datagram_without_answer_is_a_trouble_but_not_to_a_group(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig_udp(&rig, true, 5000, 4000, "ask", 3);
    rig_udp(&rig, true, 5001, 4000, "ask", 3);
    rig_after(&rig, 20 * RIG_MS);
    rig_udp(&rig, false, 5001, 4000, "answer", 6);
    uint8_t frame[] = {1, 0, 0x5e, 0, 0, 251, 2, 0, 0, 0,   0, 1, 8,   0,  0x45, 0,  0,    28, 0, 0, 0,
                       0, 1, 17,   0, 0, 10,  0, 0, 1, 224, 0, 0, 251, 20, 0xe9, 20, 0xe9, 0,  8, 0, 0};
    rig_frame(&rig, 1, FC_DIRECTION_OUTBOUND, frame, sizeof frame);
    rig_after(&rig, 4 * RIG_S);
    rig_tcp(&rig, (rig_segment){.out = true, .flags = SYN});
    rig_judge(&rig);
    assert_int_equal(counter(&rig, FC_COUNTER_UDP_CONVERSATIONS), 3);
    assert_int_equal(trouble(&rig, FC_TROUBLE_UDP_NO_ANSWER), 1);
    assert_int_equal(rig.profile->troubles[FC_TROUBLE_UDP_NO_ANSWER].exemplars[0].local_port, 5000);
    assert_int_equal(rig.profile->sketches[FC_SKETCH_UDP_RESPONSE].count, 1);
    assert_int_equal(rig.profile->sketches[FC_SKETCH_UDP_RESPONSE].max, 20 * RIG_MS);
    rig_fini(&rig);
}

static void
dns_is_read_over_udp(void **state)
{
    (void)state;
    uint8_t answer[sizeof question];
    memcpy(answer, question, sizeof answer);
    answer[2] = 0x81;
    answer[3] = 0x83; /* NXDOMAIN */
    packet_rig rig;
    rig_init(&rig, 0);
    rig_udp(&rig, true, 5000, 53, question, sizeof question);
    rig_after(&rig, 30 * RIG_MS);
    rig_udp(&rig, false, 5000, 53, answer, sizeof answer);
    rig_after(&rig, 9 * RIG_S);
    rig_udp(&rig, true, 5001, 53, question, sizeof question);
    rig_judge(&rig);
    assert_int_equal(counter(&rig, FC_COUNTER_DNS_QUERIES), 2);
    assert_int_equal(counter(&rig, FC_COUNTER_DNS_ANSWERED), 1);
    assert_int_equal(counter(&rig, FC_COUNTER_DNS_OPEN), 1);
    assert_int_equal(counter(&rig, FC_COUNTER_UDP_CONVERSATIONS), 0);
    assert_int_equal(trouble(&rig, FC_TROUBLE_DNS_NXDOMAIN), 1);
    assert_int_equal(trouble(&rig, FC_TROUBLE_DNS_UNANSWERED), 0);
    assert_string_equal(rig.profile->troubles[FC_TROUBLE_DNS_NXDOMAIN].exemplars[0].detail,
                        "www.example.net A");
    assert_int_equal(rig.profile->sketches[FC_SKETCH_DNS_LATENCY].max, 30 * RIG_MS);
    assert_non_null(fc_table_find(&rig.profile->tables[FC_TABLE_RESOLVERS], "10.0.0.2"));
    assert_non_null(fc_table_find(&rig.profile->tables[FC_TABLE_DNS_NAMES], "example.net"));
    assert_int_equal(rig.dns_count, 2);
    assert_int_equal(rig.dns[0].answer_frame, 2);
    rig_fini(&rig);
}

static void
an_answer_in_the_next_file_is_shown_there(void **state)
{
    (void)state;
    uint8_t answer[sizeof question];
    memcpy(answer, question, sizeof answer);
    answer[2] = 0x81;
    answer[3] = 0x83; /* NXDOMAIN */
    packet_rig rig;
    rig_init(&rig, 0);
    fc_analyzer_file(rig.analyzer, "first.pcapng");
    rig_udp(&rig, true, 5000, 53, question, sizeof question);
    rig_after(&rig, 1500 * RIG_MS);
    fc_analyzer_file(rig.analyzer, "second.pcapng");
    rig_udp(&rig, false, 5000, 53, answer, sizeof answer);
    rig_judge(&rig);
    const fc_exemplar *slow = &rig.profile->troubles[FC_TROUBLE_DNS_SLOW].exemplars[0];
    const fc_exemplar *wrong = &rig.profile->troubles[FC_TROUBLE_DNS_NXDOMAIN].exemplars[0];
    assert_int_equal(trouble(&rig, FC_TROUBLE_DNS_SLOW), 1);
    assert_int_equal(trouble(&rig, FC_TROUBLE_DNS_NXDOMAIN), 1);
    assert_string_equal(rig.profile->subject.files[slow->file], "first.pcapng");
    assert_string_equal(rig.profile->subject.files[wrong->file], "second.pcapng");
    assert_int_equal(wrong->frame, 1);
    rig_fini(&rig);
}

static void
an_alert_in_the_next_file_is_shown_there(void **state)
{
    (void)state;
    /* A ClientHello that says nothing, and handshake_failure. */
    static const uint8_t hello[5 + 4 + 38] = {22, 3, 1, 0, 42, 1, 0, 0, 38, 3, 3};
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 40};
    packet_rig rig;
    rig_init(&rig, 0);
    fc_analyzer_file(rig.analyzer, "first.pcapng");
    rig_handshake(&rig);
    rig_tcp(
        &rig,
        (rig_segment){
            .out = true, .flags = ACK, .sequence = 1, .ack = 1, .length = sizeof hello, .payload = hello});
    fc_analyzer_file(rig.analyzer, "second.pcapng");
    rig_tcp(
        &rig,
        (rig_segment){
            .flags = ACK, .sequence = 1, .ack = 1 + sizeof hello, .length = sizeof alert, .payload = alert});
    rig_judge(&rig);
    assert_int_equal(trouble(&rig, FC_TROUBLE_TLS_ALERT_BY_REMOTE), 1);
    const fc_exemplar *end = &rig.profile->troubles[FC_TROUBLE_TLS_ALERT_BY_REMOTE].exemplars[0];
    assert_string_equal(end->detail, "handshake_failure after clientHello");
    assert_string_equal(rig.profile->subject.files[end->file], "second.pcapng");
    assert_int_equal(end->frame, 1);
    rig_fini(&rig);
}

/* DNS over TCP from port 40000 to 53: the rig's connection goes to 443, so these segments are made here. */
static void
dns_tcp(packet_rig *rig, bool out, uint8_t flags, uint32_t sequence, uint32_t ack, const uint8_t *payload,
        uint32_t size)
{
    uint8_t data[256] = {0};
    rig_put_be16(data, out ? 40000 : 53);
    rig_put_be16(data + 2, out ? 53 : 40000);
    rig_put_be32(data + 4, sequence);
    rig_put_be32(data + 8, ack);
    data[12] = 0x50;
    data[13] = flags;
    rig_put_be16(data + 14, 1000);
    if (size > 0)
        memcpy(data + 20, payload, size);
    rig_ip(rig, out, FC_IP_TCP, data, 20 + size);
}

static void
segments_out_of_order_are_put_in_order_for_dns(void **state)
{
    (void)state;
    uint8_t framed[2 + sizeof question] = {0, sizeof question};
    memcpy(framed + 2, question, sizeof question);
    packet_rig rig;
    rig_init(&rig, 0);
    dns_tcp(&rig, true, SYN, 0, 0, NULL, 0);
    dns_tcp(&rig, false, SYN | ACK, 0, 1, NULL, 0);
    dns_tcp(&rig, true, ACK, 1, 1, NULL, 0);
    dns_tcp(&rig, true, ACK, 21, 1, framed + 20, sizeof framed - 20);
    dns_tcp(&rig, true, ACK, 11, 1, framed + 10, 15); /* overlaps */
    dns_tcp(&rig, true, ACK, 1, 1, framed, 10);
    rig_after(&rig, 5 * RIG_MS);
    framed[2 + 2] = 0x81;
    dns_tcp(&rig, false, ACK, 1, 1 + sizeof framed, framed, sizeof framed);
    rig_judge(&rig);
    assert_int_equal(counter(&rig, FC_COUNTER_DNS_OVER_TCP), 1);
    assert_int_equal(counter(&rig, FC_COUNTER_DNS_ANSWERED), 1);
    assert_int_equal(rig.dns[0].protocol, FC_IP_TCP);
    assert_int_equal(rig.dns[0].answered_ns - rig.dns[0].asked_ns, 5 * RIG_MS);
    rig_fini(&rig);
}

static void
an_icmp_error_belongs_to_the_conversation_that_it_quotes(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig_udp(&rig, true, 5000, 4000, "ask", 3);
    uint8_t error[8 + 28] = {3, 13}; /* administratively prohibited */
    static const uint8_t quoted[8] = {5000 >> 8, 5000 & 255, 4000 >> 8, 4000 & 255, 0, 11, 0, 0};
    (void)rig_put_ipv4(error + 8, true, FC_IP_UDP, 0, quoted, sizeof quoted);
    rig_ip(&rig, false, FC_IP_ICMP, error, sizeof error);
    rig_after(&rig, 5 * RIG_S);
    rig_udp(&rig, true, 9, 9, "x", 1);
    rig_judge(&rig);
    assert_int_equal(rig.told[0].icmp_prohibited, 1);
    assert_int_equal(rig.told[0].icmp_frame, 2);
    assert_int_equal(trouble(&rig, FC_TROUBLE_ICMP_PROHIBITED), 1);
    assert_int_equal(rig.profile->troubles[FC_TROUBLE_ICMP_PROHIBITED].exemplars[0].frame, 2);
    assert_int_equal(rig.profile->troubles[FC_TROUBLE_ICMP_PROHIBITED].exemplars[0].remote_port, 4000);
    assert_int_equal(trouble(&rig, FC_TROUBLE_UDP_NO_ANSWER), 0); /* it got this answer */
    assert_int_equal(counter(&rig, FC_COUNTER_CONVERSATIONS), 2);
    rig_fini(&rig);
}

static void
neighbours_that_do_not_answer_are_told(void **state)
{
    (void)state;
    uint8_t arp[14 + 28] = {255, 255, 255, 255, 255, 255, 2, 0,  0, 0, 0, 1, 8, 6, 0, 1, 8, 0,  6, 4, 0,
                            1,   2,   0,   0,   0,   0,   1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 9};
    packet_rig rig;
    rig_init(&rig, 0);
    rig_frame(&rig, 1, FC_DIRECTION_OUTBOUND, arp, sizeof arp);
    arp[31] = 7; /* somebody else asks: not ours */
    rig_frame(&rig, 1, FC_DIRECTION_INBOUND, arp, sizeof arp);
    rig_after(&rig, 5 * RIG_S);
    rig_udp(&rig, true, 9, 9, "x", 1);
    rig_judge(&rig);
    assert_int_equal(counter(&rig, FC_COUNTER_ARP_PACKETS), 2);
    assert_int_equal(counter(&rig, FC_COUNTER_NEIGHBOUR_REQUESTS), 1);
    assert_int_equal(trouble(&rig, FC_TROUBLE_NEIGHBOUR_UNANSWERED), 1);
    rig_fini(&rig);
}

static void
echoes_are_matched_with_their_replies_even_in_a_foreign_file(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig.flagged = false;
    for (uint8_t number = 0; number < 3; number++) {
        const uint8_t request[16] = {8, 0, 0, 0, 0, 7, 0, number}, reply[16] = {0, 0, 0, 0, 0, 7, 0, number};
        rig_ip(&rig, true, FC_IP_ICMP, request, sizeof request);
        rig_after(&rig, 2 * RIG_MS);
        if (number != 1)
            rig_ip(&rig, false, FC_IP_ICMP, reply, sizeof reply);
    }
    rig_after(&rig, 5 * RIG_S);
    rig_udp(&rig, true, 9, 9, "x", 1);
    rig_judge(&rig);
    assert_int_equal(counter(&rig, FC_COUNTER_ECHO_REQUESTS), 3);
    assert_int_equal(counter(&rig, FC_COUNTER_ECHO_REPLIES), 2);
    assert_int_equal(trouble(&rig, FC_TROUBLE_ECHO_UNANSWERED), 1);
    assert_int_equal(rig.profile->sketches[FC_SKETCH_ECHO_LATENCY].max, 2 * RIG_MS);
    assert_int_equal(rig.told[0].protocol, FC_IP_ICMP);
    assert_int_equal(rig.told[0].out.packets, 3);
    assert_int_equal(rig.told[0].in.packets, 2);
    rig_fini(&rig);
}

static void
fragments_that_do_not_all_come_are_told(void **state)
{
    (void)state;
    uint8_t part[24] = {5000 >> 8, 5000 & 255, 4000 >> 8, 4000 & 255, 0, 48}, frame[64];
    packet_rig rig;
    rig_init(&rig, 0);
    for (unsigned datagram = 0; datagram < 2; datagram++) {
        size_t size = rig_put_ipv4(frame, false, FC_IP_UDP, 0x2000, part, sizeof part);
        rig_put_be16(frame + 4, 100 + datagram);
        rig_frame(&rig, 101, FC_DIRECTION_INBOUND, frame, (uint32_t)size);
        size = rig_put_ipv4(frame, false, FC_IP_UDP, 3, part, sizeof part);
        rig_put_be16(frame + 4, 100 + datagram);
        if (datagram == 0)
            rig_frame(&rig, 101, FC_DIRECTION_INBOUND, frame, (uint32_t)size);
    }
    rig_after(&rig, 5 * RIG_S);
    rig_udp(&rig, true, 9, 9, "x", 1);
    rig_judge(&rig);
    assert_int_equal(counter(&rig, FC_COUNTER_IP_FRAGMENTS), 3);
    assert_int_equal(trouble(&rig, FC_TROUBLE_FRAGMENTS_LOST), 1);
    assert_int_equal(rig.told[0].in.packets + rig.told[1].in.packets, 3);
    rig_fini(&rig);
}

static void
conversations_are_bounded_and_what_gives_way_is_counted(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 16);
    for (unsigned i = 0; i < 40; i++) {
        rig_after(&rig, RIG_MS);
        rig_udp(&rig, true, (uint16_t)(1000 + i), 4000, "x", 1);
    }
    rig_judge(&rig);
    assert_int_equal(counter(&rig, FC_COUNTER_CONVERSATIONS), 40);
    assert_true(counter(&rig, FC_COUNTER_CONVERSATIONS_EVICTED) >= 24);
    assert_int_equal(rig.told_count, 40);
    rig_fini(&rig);
}

static void
silent_conversations_are_summed_up(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig_udp(&rig, true, 5000, 4000, "x", 1);
    rig_after(&rig, 200 * RIG_S);
    rig_udp(&rig, true, 5000, 4000, "x", 1);
    assert_int_equal(rig.told_count, 1);
    rig_judge(&rig);
    assert_int_equal(counter(&rig, FC_COUNTER_CONVERSATIONS), 2);
    assert_int_equal(counter(&rig, FC_COUNTER_CONVERSATIONS_EVICTED), 0);
    rig_fini(&rig);
}

static void
some_traffic(packet_rig *rig, fc_profile *snapshot)
{
    for (unsigned i = 0; i < 30; i++) {
        rig_tcp(rig, (rig_segment){.out = true, .flags = SYN, .local_port = (uint16_t)(2000 + i)});
        rig_after(rig, 300 * RIG_MS);
        if (i % 2 == 0)
            rig_tcp(rig, (rig_segment){.flags = SYN | ACK, .ack = 1, .local_port = (uint16_t)(2000 + i)});
        rig_udp(rig, true, (uint16_t)(5000 + i), 53, question, sizeof question);
        if (snapshot != NULL)
            fc_analyzer_profile(rig->analyzer, snapshot);
    }
}

static void
snapshots_change_nothing(void **state)
{
    (void)state;
    packet_rig watched, alone;
    rig_init(&watched, 0);
    rig_init(&alone, 0);
    fc_profile *snapshot = fc_profile_new();
    some_traffic(&watched, snapshot);
    some_traffic(&alone, NULL);
    rig_judge(&watched);
    rig_judge(&alone);
    fc_buf one = {0}, other = {0};
    fc_profile_pack(watched.profile, &one);
    fc_profile_pack(alone.profile, &other);
    assert_true(trouble(&alone, FC_TROUBLE_TCP_NO_ANSWER) > 0);
    assert_int_equal(fc_buf_size(&one), fc_buf_size(&other));
    assert_memory_equal(fc_buf_bytes(&one), fc_buf_bytes(&other), fc_buf_size(&one));
    fc_buf_fini(&one);
    fc_buf_fini(&other);
    fc_profile_free(snapshot);
    rig_fini(&watched);
    rig_fini(&alone);
}

static void
times_from_nowhere_do_no_harm(void **state)
{
    (void)state;
    static const int64_t times[] = {INT64_MAX, INT64_MIN,           0, RIG_START_NS, -1,
                                    INT64_MAX, RIG_START_NS + RIG_S};
    packet_rig rig;
    rig_init(&rig, 0);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        rig.now_ns = times[i];
        rig_udp(&rig, i % 2 == 0, 5000, 53, question, sizeof question);
        rig_tcp(&rig, (rig_segment){.out = i % 2 == 0, .flags = ACK, .sequence = 1, .ack = 1, .length = 10});
    }
    for (uint32_t i = 0; i < 8; i++) { /* round trips of a century */
        rig.now_ns = 0;
        rig_tcp(&rig,
                (rig_segment){.out = true, .flags = ACK, .sequence = 100 + 10 * i, .ack = 1, .length = 10});
        rig.now_ns = INT64_MAX;
        rig_tcp(&rig, (rig_segment){.flags = ACK, .sequence = 1, .ack = 110 + 10 * i});
    }
    rig_judge(&rig);
    assert_int_equal(counter(&rig, FC_COUNTER_IPV4_PACKETS), 2 * sizeof times / sizeof times[0] + 16);
    rig_fini(&rig);
}

static void
conversations_and_questions_have_a_json_form(void **state)
{
    (void)state;
    packet_rig rig;
    rig_init(&rig, 0);
    rig_handshake(&rig);
    rig_tcp(&rig, (rig_segment){.flags = FC_TCP_RST, .sequence = 1});
    rig_udp(&rig, true, 5000, 53, question, sizeof question);
    rig_judge(&rig);
    const char *protocol, *local, *initiator, *first, *outcome, *reset_by, *phase;
    json_int_t handshake, frame, out_packets;
    json_t *json = NULL;
    for (size_t i = 0; i < rig.told_count; i++)
        if (rig.told[i].protocol == FC_IP_TCP)
            json = fc_conversation_summary_to_json(&rig.told[i]);
    assert_int_equal(json_unpack(json, "{s:s, s:{s:s}, s:s, s:s, s:{s:I}, s:{s:s, s:I, s:s, s:s, s:I}}",
                                 "protocol", &protocol, "local", "address", &local, "initiator", &initiator,
                                 "firstPacket", &first, "out", "packets", &out_packets, "tcp", "outcome",
                                 &outcome, "handshakeNs", &handshake, "resetBy", &reset_by, "resetPhase",
                                 &phase, "resetFrame", &frame),
                     0);
    assert_string_equal(protocol, "tcp");
    assert_string_equal(local, "10.0.0.1");
    assert_string_equal(initiator, "local");
    assert_string_equal(first, "2025-11-24T16:00:00.000000000Z");
    assert_string_equal(outcome, "reset");
    assert_string_equal(reset_by, "remote");
    assert_string_equal(phase, "idle");
    assert_int_equal(out_packets, 2);
    assert_int_equal(handshake, 10 * RIG_MS);
    assert_int_equal(frame, 4);
    json_decref(json);
    json = fc_dns_transaction_to_json(&rig.dns[0]);
    assert_true(json_is_null(json_object_get(json, "latencyNs")));
    assert_true(json_is_null(json_object_get(json, "rcode")));
    assert_true(json_is_true(json_object_get(json, "open")));
    assert_string_equal(json_string_value(json_object_get(json, "name")), "www.example.net");
    json_decref(json);
    rig_fini(&rig);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_identity_is_what_the_capture_wrote),
        cmocka_unit_test(hostile_identities_are_not_taken),
        cmocka_unit_test(a_foreign_file_names_its_instance),
        cmocka_unit_test(statistics_of_several_files_are_not_added_but_those_of_a_restart_are),
        cmocka_unit_test(the_end_that_the_statistics_name_is_when_silence_is_judged),
        cmocka_unit_test(directions_come_from_flags_else_from_addresses_else_they_are_not_known),
        cmocka_unit_test(a_datagram_without_answer_is_a_trouble_but_not_to_a_group),
        cmocka_unit_test(dns_is_read_over_udp),
        cmocka_unit_test(an_answer_in_the_next_file_is_shown_there),
        cmocka_unit_test(an_alert_in_the_next_file_is_shown_there),
        cmocka_unit_test(segments_out_of_order_are_put_in_order_for_dns),
        cmocka_unit_test(an_icmp_error_belongs_to_the_conversation_that_it_quotes),
        cmocka_unit_test(neighbours_that_do_not_answer_are_told),
        cmocka_unit_test(echoes_are_matched_with_their_replies_even_in_a_foreign_file),
        cmocka_unit_test(fragments_that_do_not_all_come_are_told),
        cmocka_unit_test(conversations_are_bounded_and_what_gives_way_is_counted),
        cmocka_unit_test(silent_conversations_are_summed_up),
        cmocka_unit_test(snapshots_change_nothing),
        cmocka_unit_test(times_from_nowhere_do_no_harm),
        cmocka_unit_test(conversations_and_questions_have_a_json_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
