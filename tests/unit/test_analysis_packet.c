/* Frames taken apart: every link type, options, extension headers, fragments, and lies. */
#include "analysis_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ETHER = 14, UDP = 8 };

static const uint8_t udp_datagram[12] = {0x12, 0x34, 0, 80, 0, 12, 0, 0, 'd', 'a', 't', 'a'};

/* Parses a copy of exactly that size, so that a read past the end is seen. */
static fc_packet
parse(uint16_t link_type, const uint8_t *data, size_t captured, size_t original)
{
    static uint8_t *exact; /* the packet points into it until the next call */
    free(exact);
    exact = malloc(captured > 0 ? captured : 1);
    assert_non_null(exact);
    memcpy(exact, data, captured);
    fc_packet packet;
    fc_packet_parse(link_type, exact, (uint32_t)captured, (uint32_t)original, &packet);
    return packet;
}

static void
assert_is_the_datagram(const fc_packet *packet, uint8_t family)
{
    assert_int_equal(packet->kind, FC_PACKET_IP);
    assert_int_equal(packet->family, family);
    assert_int_equal(packet->protocol, FC_IP_UDP);
    assert_true(packet->has_ports);
    assert_int_equal(packet->source_port, 0x1234);
    assert_int_equal(packet->destination_port, 80);
    assert_int_equal(packet->payload_bytes, 4);
    assert_int_equal(packet->payload_captured, 4);
    assert_memory_equal(packet->payload, "data", 4);
}

static size_t
put_ipv6(uint8_t *out, uint8_t next, const uint8_t *data, size_t size)
{
    memset(out, 0, 40);
    out[0] = 0x60;
    rig_put_be16(out + 4, (unsigned)size);
    out[6] = next;
    out[8] = out[24] = 0xfd;
    out[23] = 1;
    out[39] = 2;
    memcpy(out + 40, data, size);
    return 40 + size;
}

static void
every_link_type_leads_to_the_packet(void **state)
{
    (void)state;
    static const struct {
        uint16_t link_type;
        uint8_t v4[24], v6[24];
        size_t size;
        fc_direction direction;
        unsigned vlans;
    } links[] = {
        {1, {[12] = 0x08, 0x00}, {[12] = 0x86, 0xdd}, 14, FC_DIRECTION_UNKNOWN, 0},
        {1,
         {[12] = 0x81, 0, 0, 5, 0x08, 0x00},
         {[12] = 0x81, 0, 0, 5, 0x86, 0xdd},
         18,
         FC_DIRECTION_UNKNOWN,
         1},
        {1,
         {[12] = 0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x08, 0x00},
         {[12] = 0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x86, 0xdd},
         22,
         FC_DIRECTION_UNKNOWN,
         2},
        {113, {0, 4, [14] = 0x08, 0x00}, {0, 4, [14] = 0x86, 0xdd}, 16, FC_DIRECTION_OUTBOUND, 0},
        {113,
         {0, 0, [14] = 0x81, 0x00, 0, 9, 0x08, 0x00},
         {0, 0, [14] = 0x81, 0x00, 0, 9, 0x86, 0xdd},
         20,
         FC_DIRECTION_INBOUND,
         1},
        {276, {0x08, 0x00, [10] = 4}, {0x86, 0xdd, [10] = 4}, 20, FC_DIRECTION_OUTBOUND, 0},
        {101, {0}, {0}, 0, FC_DIRECTION_UNKNOWN, 0},
        {12, {0}, {0}, 0, FC_DIRECTION_UNKNOWN, 0},
        {14, {0}, {0}, 0, FC_DIRECTION_UNKNOWN, 0},
        {228, {0}, {0}, 0, FC_DIRECTION_UNKNOWN, 0},
        {229, {0}, {0}, 0, FC_DIRECTION_UNKNOWN, 0},
        {0, {2, 0, 0, 0}, {10, 0, 0, 0}, 4, FC_DIRECTION_UNKNOWN, 0},
        {0, {0, 0, 0, 2}, {0, 0, 0, 30}, 4, FC_DIRECTION_UNKNOWN, 0},
        {108, {0, 0, 0, 2}, {0, 0, 0, 24}, 4, FC_DIRECTION_UNKNOWN, 0},
    };
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        uint8_t frame[128];
        memcpy(frame, links[i].v4, links[i].size);
        size_t size = links[i].size + rig_put_ipv4(frame + links[i].size, true, FC_IP_UDP, 0, udp_datagram,
                                                   sizeof udp_datagram);
        fc_packet packet = parse(links[i].link_type, frame, size, size);
        assert_is_the_datagram(&packet, 4);
        assert_int_equal(packet.direction, links[i].direction);
        assert_int_equal(packet.vlan_count, links[i].vlans);
        for (size_t cut = 0; cut < size; cut++) /* the snap length may lie anywhere */
            (void)parse(links[i].link_type, frame, cut, size);
        memcpy(frame, links[i].v6, links[i].size);
        size = links[i].size + put_ipv6(frame + links[i].size, FC_IP_UDP, udp_datagram, sizeof udp_datagram);
        packet = parse(links[i].link_type, frame, size, size);
        assert_is_the_datagram(&packet, 6);
        assert_int_equal(parse(links[i].link_type, frame, links[i].size, links[i].size).kind,
                         FC_PACKET_UNDECODED);
    }
}

static void
other_protocols_are_not_ip_and_unknown_links_are_not_decoded(void **state)
{
    (void)state;
    uint8_t frame[60] = {[12] = 0x88, 0xcc};
    assert_int_equal(parse(1, frame, sizeof frame, sizeof frame).kind, FC_PACKET_NOT_IP);
    rig_put_be16(frame + 12, 0x0806);
    assert_int_equal(parse(1, frame, sizeof frame, sizeof frame).kind, FC_PACKET_ARP);
    assert_int_equal(parse(105, frame, sizeof frame, sizeof frame).kind, FC_PACKET_UNDECODED);
    assert_int_equal(parse(1, frame, 13, 60).kind, FC_PACKET_UNDECODED);
}

static void
the_ethernet_padding_is_no_payload(void **state)
{
    (void)state;
    uint8_t frame[60] = {[12] = 0x08, 0x00};
    (void)rig_put_ipv4(frame + ETHER, true, FC_IP_UDP, 0, udp_datagram, sizeof udp_datagram);
    fc_packet packet = parse(1, frame, sizeof frame, sizeof frame);
    assert_is_the_datagram(&packet, 4);
}

static void
ipv4_options_are_skipped(void **state)
{
    (void)state;
    uint8_t packet_bytes[64] = {0x46, 0, 0, 36, 0,  0, 0, 0, 64,   17, 0, 0,
                                10,   0, 0, 1,  10, 0, 0, 2, 0x94, 4,  0, 0};
    memcpy(packet_bytes + 24, udp_datagram, sizeof udp_datagram);
    fc_packet packet = parse(101, packet_bytes, 36, 36);
    assert_is_the_datagram(&packet, 4);
}

static void
ipv6_extension_headers_are_walked(void **state)
{
    (void)state;
    uint8_t payload[128] = {0}, frame[200];
    static const uint8_t chain[] = {
        43, 0, 1, 4, 0, 0, 0, 0,                         /* hop-by-hop, then routing */
        60, 0, 0, 0, 0, 0, 0, 0,                         /* routing, then destination options */
        51, 1, 1, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 16 bytes of them, then authentication */
        17, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0,  0, 0, 0, 0, 0, 0, 0, /* (4 + 2) * 4 bytes, then UDP */
    };
    memcpy(payload, chain, sizeof chain);
    memcpy(payload + sizeof chain, udp_datagram, sizeof udp_datagram);
    size_t size = put_ipv6(frame, 0, payload, sizeof chain + sizeof udp_datagram);
    fc_packet packet = parse(229, frame, size, size);
    assert_is_the_datagram(&packet, 6);
    assert_true(parse(229, frame, 60, size).cut);
    assert_false(parse(229, frame, 60, size).has_ports);
    frame[41] = 200; /* the first header claims more than there is */
    assert_int_equal(parse(229, frame, size, size).kind, FC_PACKET_UNDECODED);
}

static void
extension_headers_without_end_are_given_up(void **state)
{
    (void)state;
    uint8_t payload[8 * 100] = {0}, frame[900]; /* hop-by-hop headers that follow each other */
    size_t size = put_ipv6(frame, 0, payload, sizeof payload);
    assert_int_equal(parse(229, frame, size, size).kind, FC_PACKET_UNDECODED);
}

static void
fragments_are_told_and_only_the_first_has_ports(void **state)
{
    (void)state;
    uint8_t frame[128];
    size_t size = rig_put_ipv4(frame, true, FC_IP_UDP, 0x2000, udp_datagram, sizeof udp_datagram);
    fc_packet packet = parse(228, frame, size, size);
    assert_true(packet.fragment && packet.more_fragments && packet.has_ports);
    size = rig_put_ipv4(frame, true, FC_IP_UDP, 2, udp_datagram, sizeof udp_datagram);
    packet = parse(228, frame, size, size);
    assert_true(packet.fragment && !packet.more_fragments && !packet.has_ports);
    assert_int_equal(packet.fragment_offset, 16);
    uint8_t payload[8 + sizeof udp_datagram] = {17, 0, 0, 1, 0, 0, 0, 77};
    memcpy(payload + 8, udp_datagram, sizeof udp_datagram);
    size = put_ipv6(frame, 44, payload, sizeof payload);
    packet = parse(229, frame, size, size);
    assert_true(packet.fragment && packet.more_fragments && packet.has_ports);
    assert_int_equal(packet.id, 77);
    rig_put_be16(payload + 2, 16);
    size = put_ipv6(frame, 44, payload, sizeof payload);
    packet = parse(229, frame, size, size);
    assert_true(packet.fragment && !packet.more_fragments && !packet.has_ports);
    assert_int_equal(packet.fragment_offset, 16);
}

static void
lying_lengths_are_not_believed(void **state)
{
    (void)state;
    uint8_t frame[64];
    size_t size = rig_put_ipv4(frame, true, FC_IP_UDP, 0, udp_datagram, sizeof udp_datagram);
    rig_put_be16(frame + 2, 1500); /* more than there was on the wire */
    assert_int_equal(parse(228, frame, size, size).kind, FC_PACKET_UNDECODED);
    assert_int_equal(parse(228, frame, size, 1500).kind, FC_PACKET_IP);
    rig_put_be16(frame + 2, 19); /* less than its own header */
    assert_int_equal(parse(228, frame, size, size).kind, FC_PACKET_UNDECODED);
    rig_put_be16(frame + 2, (unsigned)size);
    rig_put_be16(frame + 20 + 4, 4000); /* UDP length */
    assert_int_equal(parse(228, frame, size, size).kind, FC_PACKET_UNDECODED);
    rig_put_be16(frame + 20 + 4, 7);
    assert_int_equal(parse(228, frame, size, size).kind, FC_PACKET_UNDECODED);
    uint8_t tcp[20] = {[12] = 0xf0}; /* a header of 60 bytes in 20 */
    size = rig_put_ipv4(frame, true, FC_IP_TCP, 0, tcp, sizeof tcp);
    assert_int_equal(parse(228, frame, size, size).kind, FC_PACKET_UNDECODED);
    frame[20 + 12] = 0x40; /* of 16 */
    assert_int_equal(parse(228, frame, size, size).kind, FC_PACKET_UNDECODED);
    frame[0] = 0x44; /* an IP header of 16 */
    assert_int_equal(parse(228, frame, size, size).kind, FC_PACKET_UNDECODED);
}

static void
a_total_length_of_zero_is_a_super_segment(void **state)
{
    (void)state;
    uint8_t frame[64];
    size_t size = rig_put_ipv4(frame, true, FC_IP_UDP, 0, udp_datagram, sizeof udp_datagram);
    rig_put_be16(frame + 2, 0);
    fc_packet packet = parse(228, frame, size, size);
    assert_is_the_datagram(&packet, 4);
}

static void
tcp_options_are_read(void **state)
{
    (void)state;
    uint8_t tcp[56] = {0, 80, 0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 2, 0xe0, 0x12, 0x10, 0};
    static const uint8_t options[] = {2, 4, 5, 0xb4, 1, 3,  3, 7, 4, 2, 8, 10, 0, 0, 0, 9,
                                      0, 0, 0, 8,    5, 10, 0, 0, 0, 3, 0, 0,  0, 4, 0, 99};
    memcpy(tcp + 20, options, sizeof options);
    uint8_t frame[128];
    size_t size = rig_put_ipv4(frame, true, FC_IP_TCP, 0, tcp, sizeof tcp);
    fc_packet packet = parse(228, frame, size, size);
    fc_tcp_options found;
    fc_packet_tcp_options(&packet, &found);
    assert_int_equal(found.mss, 1460);
    assert_true(found.has_window_shift && found.window_shift == 7);
    assert_true(found.sack_permitted);
    assert_true(found.has_timestamps && found.timestamp == 9 && found.timestamp_echo == 8);
    assert_int_equal(found.sack_count, 1);
    assert_true(found.sack[0].start == 3 && found.sack[0].end == 4);
    assert_int_equal(packet.payload_bytes, 0);
    for (size_t cut = 40; cut < size; cut++) {
        packet = parse(228, frame, cut, size);
        fc_packet_tcp_options(&packet, &found);
        assert_true(packet.has_tcp);
    }
    frame[20 + 20 + 1] = 0; /* an option of no length */
    packet = parse(228, frame, size, size);
    fc_packet_tcp_options(&packet, &found);
    assert_int_equal(found.mss, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_link_type_leads_to_the_packet),
        cmocka_unit_test(other_protocols_are_not_ip_and_unknown_links_are_not_decoded),
        cmocka_unit_test(the_ethernet_padding_is_no_payload),
        cmocka_unit_test(ipv4_options_are_skipped),
        cmocka_unit_test(ipv6_extension_headers_are_walked),
        cmocka_unit_test(extension_headers_without_end_are_given_up),
        cmocka_unit_test(fragments_are_told_and_only_the_first_has_ports),
        cmocka_unit_test(lying_lengths_are_not_believed),
        cmocka_unit_test(a_total_length_of_zero_is_a_super_segment),
        cmocka_unit_test(tcp_options_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
