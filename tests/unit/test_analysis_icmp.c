/* ICMP and ICMPv6: which error, and which conversation it is about. */
#include "common/analysis/icmp.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* IPv4 from 10.0.0.1 to 10.0.0.2; options, fragment offset and protocol differ. */
#define IP4(first, fragment, protocol)                                                                       \
    first "\x00\x00\x28\x00\x00" fragment "\x40" protocol "\x00\x00\x0a\x00\x00\x01\x0a\x00\x00\x02"
#define IP6(next)                                                                                            \
    "\x60\x00\x00\x00\x00\x20" next "\x40"                                                                   \
    "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"                                       \
    "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02"
#define PORTS       "\x9c\x40\x01\xbb"
#define TEXT(bytes) (const uint8_t *)(bytes), sizeof(bytes) - 1

// clang-format off
static const struct {
    const char *what;
    uint8_t family;
    const uint8_t *bytes;
    size_t size;
    fc_icmp_kind kind;
    uint32_t mtu;
    bool has_original;
    uint8_t protocol;
    uint16_t source_port, destination_port;
    const char *text;
} rows[] = {
    {"port unreachable for UDP", 4, TEXT("\x03\x03\0\0\0\0\0\0" IP4("\x45", "\x00\x00", "\x11") PORTS "\0\x08\0\0"),
     FC_ICMP_UNREACHABLE, 0, true, 17, 40000, 443, "port unreachable"},
    {"an IP header with options", 4, TEXT("\x03\x01\0\0\0\0\0\0" IP4("\x46", "\x40\x00", "\x06") "\1\1\1\0" PORTS),
     FC_ICMP_UNREACHABLE, 0, true, 6, 40000, 443, "host unreachable"},
    {"ports cut off by the snap length", 4, TEXT("\x03\x0d\0\0\0\0\0\0" IP4("\x45", "\x00\x00", "\x06") "\x9c\x40"),
     FC_ICMP_PROHIBITED, 0, true, 6, 0, 0, "administratively prohibited"},
    {"options cut off", 4, TEXT("\x03\x09\0\0\0\0\0\0" IP4("\x4f", "\x00\x00", "\x06")),
     FC_ICMP_PROHIBITED, 0, true, 6, 0, 0, "network administratively prohibited"},
    {"an IP header cut off", 4, TEXT("\x0b\x00\0\0\0\0\0\0" "\x45\x00\x00\x28"),
     FC_ICMP_TIME_EXCEEDED, 0, false, 0, 0, 0, "time to live exceeded"},
    {"an IP header with a lying length", 4, TEXT("\x0b\x01\0\0\0\0\0\0" IP4("\x44", "\x00\x00", "\x06") PORTS),
     FC_ICMP_TIME_EXCEEDED, 0, false, 0, 0, 0, "fragment reassembly time exceeded"},
    {"a later fragment", 4, TEXT("\x0b\x01\0\0\0\0\0\0" IP4("\x45", "\x20\x10", "\x11") PORTS),
     FC_ICMP_TIME_EXCEEDED, 0, true, 17, 0, 0, "fragment reassembly time exceeded"},
    {"fragmentation needed, RFC 1191", 4, TEXT("\x03\x04\0\0\0\0\x05\x14" IP4("\x45", "\x40\x00", "\x06") PORTS),
     FC_ICMP_TOO_BIG, 1300, true, 6, 40000, 443, "fragmentation needed"},
    {"fragmentation needed, RFC 792", 4, TEXT("\x03\x04\0\0\0\0\0\0" IP4("\x45", "\x40\x00", "\x06") PORTS),
     FC_ICMP_TOO_BIG, 0, true, 6, 40000, 443, "fragmentation needed"},
    {"an echo request that nobody answers", 4, TEXT("\x03\x01\0\0\0\0\0\0" IP4("\x45", "\x00\x00", "\x01") "\x08\x00\0\0"),
     FC_ICMP_UNREACHABLE, 0, true, 1, 8, 0, "host unreachable"},
    {"redirect", 4, TEXT("\x05\x01\0\0\x0a\0\0\x09" IP4("\x45", "\x00\x00", "\x11") PORTS),
     FC_ICMP_REDIRECT, 0, true, 17, 40000, 443, "redirect"},
    {"parameter problem", 4, TEXT("\x0c\x00\0\0\0\0\0\0" IP4("\x45", "\x00\x00", "\x32") PORTS),
     FC_ICMP_PARAMETER, 0, true, 50, 0, 0, "parameter problem"},
    {"a code of the future", 4, TEXT("\x03\x63\0\0\0\0\0\0"),
     FC_ICMP_UNREACHABLE, 0, false, 0, 0, 0, "destination unreachable"},
    {"a type of the future", 4, TEXT("\xfd\x00\0\0"), FC_ICMP_OTHER, 0, false, 0, 0, 0, "other"},
    {"port unreachable, IPv6", 6, TEXT("\x01\x04\0\0\0\0\0\0" IP6("\x11") PORTS),
     FC_ICMP_UNREACHABLE, 0, true, 17, 40000, 443, "port unreachable"},
    {"rejected by a route, IPv6", 6, TEXT("\x01\x06\0\0\0\0\0\0" IP6("\x06") PORTS),
     FC_ICMP_PROHIBITED, 0, true, 6, 40000, 443, "reject route to destination"},
    {"packet too big", 6, TEXT("\x02\x00\0\0\0\x01\x05\x14" IP6("\x06") PORTS),
     FC_ICMP_TOO_BIG, 66836, true, 6, 40000, 443, "packet too big"},
    {"hop-by-hop and destination options", 6,
     TEXT("\x03\x00\0\0\0\0\0\0" IP6("\x00") "\x3c\x00\0\0\0\0\0\0" "\x06\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0" PORTS),
     FC_ICMP_TIME_EXCEEDED, 0, true, 6, 40000, 443, "hop limit exceeded"},
    {"a first fragment behind an authentication header", 6,
     TEXT("\x03\x01\0\0\0\0\0\0" IP6("\x33") "\x2c\x01\0\0\0\0\0\0\0\0\0\0" "\x11\x00\x00\x01\0\0\0\0" PORTS),
     FC_ICMP_TIME_EXCEEDED, 0, true, 17, 40000, 443, "fragment reassembly time exceeded"},
    {"a later fragment, IPv6", 6, TEXT("\x03\x01\0\0\0\0\0\0" IP6("\x2c") "\x11\x00\x05\xa8\0\0\0\0" PORTS),
     FC_ICMP_TIME_EXCEEDED, 0, true, 17, 0, 0, "fragment reassembly time exceeded"},
    {"an extension header longer than the packet", 6, TEXT("\x03\x00\0\0\0\0\0\0" IP6("\x00") "\x06\xff\0\0\0\0\0\0" PORTS),
     FC_ICMP_TIME_EXCEEDED, 0, true, 6, 0, 0, "hop limit exceeded"},
    {"IPv4 quoted by ICMPv6", 6, TEXT("\x01\x04\0\0\0\0\0\0" IP4("\x45", "\x00\x00", "\x11") PORTS "0123456789abcdefghij"),
     FC_ICMP_UNREACHABLE, 0, false, 0, 0, 0, "port unreachable"},
    {"router advertisement", 6, TEXT("\x86\x00\0\0"), FC_ICMP_OTHER, 0, false, 0, 0, 0, "router advertisement"},
};
// clang-format on

static void
errors_say_which_conversation_they_are_about(void **state)
{
    (void)state;
    for (size_t i = 0; i < FC_COUNT(rows); i++) {
        fc_icmp_message message;
        print_message("%s\n", rows[i].what);
        assert_int_equal(fc_icmp_parse(rows[i].family, rows[i].bytes, rows[i].size, &message), FC_OK);
        assert_int_equal(message.kind, rows[i].kind);
        assert_int_equal(message.mtu, rows[i].mtu);
        assert_int_equal(message.has_original, rows[i].has_original);
        assert_int_equal(message.protocol, rows[i].protocol);
        assert_int_equal(message.source_port, rows[i].source_port);
        assert_int_equal(message.destination_port, rows[i].destination_port);
        assert_string_equal(fc_icmp_text(rows[i].family, message.type, message.code), rows[i].text);
        if (!message.has_original)
            continue;
        assert_int_equal(message.source.family, rows[i].family);
        assert_int_equal(message.source.bytes[rows[i].family == 4 ? 3 : 15], 1);
        assert_int_equal(message.destination.bytes[rows[i].family == 4 ? 3 : 15], 2);
    }
}

static void
every_cut_is_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < FC_COUNT(rows); i++) {
        for (size_t size = 0; size < rows[i].size; size++) {
            uint8_t *exact = fc_alloc(size);
            memcpy(exact, rows[i].bytes, size);
            fc_icmp_message message;
            fc_err err = fc_icmp_parse(rows[i].family, exact, size, &message);
            size_t needed = rows[i].kind == FC_ICMP_OTHER ? 4 : 8;
            assert_int_equal(err, size < needed ? FC_ERR_CORRUPT : FC_OK);
            free(exact);
        }
    }
}

static void
echoes_have_an_id_and_a_sequence(void **state)
{
    (void)state;
    static const struct {
        uint8_t family;
        const char *bytes;
        fc_icmp_kind kind;
    } echoes[] = {
        {4, "\x08\x00\xff\xff\x12\x34\x00\x07", FC_ICMP_ECHO_REQUEST},
        {4, "\x00\x00\xff\xff\x12\x34\x00\x07", FC_ICMP_ECHO_REPLY},
        {6, "\x80\x00\xff\xff\x12\x34\x00\x07", FC_ICMP_ECHO_REQUEST},
        {6, "\x81\x00\xff\xff\x12\x34\x00\x07", FC_ICMP_ECHO_REPLY},
    };
    for (size_t i = 0; i < FC_COUNT(echoes); i++) {
        fc_icmp_message message;
        assert_int_equal(fc_icmp_parse(echoes[i].family, (const uint8_t *)echoes[i].bytes, 8, &message),
                         FC_OK);
        assert_int_equal(message.kind, echoes[i].kind);
        assert_int_equal(message.id, 0x1234);
        assert_int_equal(message.sequence, 7);
        assert_false(message.has_original);
    }
}

static void
neighbour_discovery_has_a_target(void **state)
{
    (void)state;
    static const uint8_t solicitation[24] = {135, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0x80, [23] = 9};
    uint8_t advertisement[24];
    memcpy(advertisement, solicitation, sizeof advertisement);
    advertisement[0] = 136;
    const fc_address target = {.family = 6, .bytes = {0xfe, 0x80, [15] = 9}};
    fc_icmp_message message;
    assert_int_equal(fc_icmp_parse(6, solicitation, sizeof solicitation, &message), FC_OK);
    assert_int_equal(message.kind, FC_ICMP_NEIGHBOUR_SOLICITATION);
    assert_int_equal(fc_address_compare(&message.target, &target), 0);
    assert_int_equal(fc_icmp_parse(6, advertisement, sizeof advertisement, &message), FC_OK);
    assert_int_equal(message.kind, FC_ICMP_NEIGHBOUR_ADVERTISEMENT);
    assert_int_equal(fc_address_compare(&message.target, &target), 0);
    assert_int_equal(fc_icmp_parse(6, solicitation, 23, &message), FC_ERR_CORRUPT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_say_which_conversation_they_are_about),
        cmocka_unit_test(every_cut_is_read_or_refused),
        cmocka_unit_test(echoes_have_an_id_and_a_sequence),
        cmocka_unit_test(neighbour_discovery_has_a_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
