#include "common/profile/address.h"

#include <arpa/inet.h>
#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* inet_ntop(3) prints v4 by way of printf: every conversation that ends is worth more than that. */
static void
put_ipv4(const uint8_t *bytes, char *text)
{
    for (size_t i = 0; i < 4; i++) {
        unsigned value = bytes[i];
        if (value >= 100)
            *text++ = (char)('0' + value / 100);
        if (value >= 10)
            *text++ = (char)('0' + value / 10 % 10);
        *text++ = (char)('0' + value % 10);
        *text++ = i < 3 ? '.' : '\0';
    }
}

const char *
fc_address_text(const fc_address *address, char text[FC_ADDRESS_TEXT])
{
    if (address->family == 4) {
        put_ipv4(address->bytes, text);
        return text;
    }
    if (address->family != 6 || inet_ntop(AF_INET6, address->bytes, text, FC_ADDRESS_TEXT) == NULL)
        (void)snprintf(text, FC_ADDRESS_TEXT, "-");
    return text;
}

bool
fc_address_parse(const char *text, fc_address *ret_address)
{
    fc_address address = {0};
    if (inet_pton(AF_INET, text, address.bytes) == 1)
        address.family = 4;
    else if (inet_pton(AF_INET6, text, address.bytes) == 1)
        address.family = 6;
    else
        return false;
    *ret_address = address;
    return true;
}

int
fc_address_compare(const fc_address *a, const fc_address *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

bool
fc_address_is_multicast(const fc_address *address)
{
    static const uint8_t broadcast[4] = {255, 255, 255, 255};
    if (address->family == 4)
        return (address->bytes[0] & 0xf0) == 0xe0 || memcmp(address->bytes, broadcast, sizeof broadcast) == 0;
    return address->family == 6 && address->bytes[0] == 0xff;
}

bool
fc_address_is_loopback(const fc_address *address)
{
    static const uint8_t one[16] = {[15] = 1};
    if (address->family == 4)
        return address->bytes[0] == 127;
    return address->family == 6 && memcmp(address->bytes, one, sizeof one) == 0;
}

bool
fc_address_is_unspecified(const fc_address *address)
{
    static const uint8_t zero[16];
    return memcmp(address->bytes, zero, sizeof zero) == 0;
}

/* The types of ICMP that come in pairs, by the Community ID specification; -1: one way. */
static int
icmp_counterpart(uint8_t protocol, uint16_t type)
{
    static const uint8_t v4[][2] = {{8, 0}, {10, 9}, {13, 14}, {15, 16}, {17, 18}};
    static const uint8_t v6[][2] = {{128, 129}, {130, 131}, {133, 134}, {135, 136}, {139, 140}, {144, 145}};
    const uint8_t(*pairs)[2] = protocol == IPPROTO_ICMP ? v4 : v6;
    size_t count = protocol == IPPROTO_ICMP ? sizeof v4 / sizeof v4[0] : sizeof v6 / sizeof v6[0];
    for (size_t i = 0; i < count; i++) {
        if (pairs[i][0] == type)
            return pairs[i][1];
        if (pairs[i][1] == type)
            return pairs[i][0];
    }
    return -1;
}

static size_t
put_address(uint8_t *at, const fc_address *address)
{
    size_t size = address->family == 6 ? 16 : 4;
    memcpy(at, address->bytes, size);
    return size;
}

void
fc_community_id(uint8_t protocol, const fc_address *a, uint16_t a_port, const fc_address *b, uint16_t b_port,
                char *ret_text)
{
    bool icmp = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
    bool ports = icmp || protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
    int counterpart = icmp ? icmp_counterpart(protocol, a_port) : -1;
    bool one_way = icmp && counterpart < 0;
    if (counterpart >= 0)
        b_port = (uint16_t)counterpart;
    int order = fc_address_compare(a, b);
    if (!one_way && (order > 0 || (order == 0 && ports && a_port > b_port))) {
        const fc_address *address = a;
        a = b;
        b = address;
        uint16_t port = a_port;
        a_port = b_port;
        b_port = port;
    }
    uint8_t bytes[2 + 16 + 16 + 2 + 4] = {0}, digest[20];
    size_t size = 2; /* the seed, 0 */
    size += put_address(bytes + size, a);
    size += put_address(bytes + size, b);
    bytes[size] = protocol;
    size += 2;
    if (ports) {
        const uint8_t both[4] = {(uint8_t)(a_port >> 8), (uint8_t)a_port, (uint8_t)(b_port >> 8),
                                 (uint8_t)b_port};
        memcpy(bytes + size, both, sizeof both);
        size += sizeof both;
    }
    unsigned char text[29];
    size_t length = 0;
    ret_text[0] = '\0';
    if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1), bytes, size, digest) != 0 ||
        mbedtls_base64_encode(text, sizeof text, &length, digest, sizeof digest) != 0)
        return;
    memcpy(ret_text, "1:", 2);
    memcpy(ret_text + 2, text, length);
    ret_text[2 + length] = '\0';
}
