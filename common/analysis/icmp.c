#include "common/analysis/icmp.h"

#include "common/analysis/packet.h"
#include "common/base/mem.h"

#include <string.h>

enum {
    HEADER_SIZE = 8,
    IPV4_HEADER = 20,
    IPV6_HEADER = 40,
    NEIGHBOUR_SIZE = 24, /* RFC 4861 section 4.3, 4.4: with the target address */
    PROTOCOL_ICMP = 1,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    PROTOCOL_DCCP = 33,
    PROTOCOL_FRAGMENT = 44,
    PROTOCOL_AUTHENTICATION = 51,
    PROTOCOL_ICMP6 = 58,
    PROTOCOL_SCTP = 132,
    PROTOCOL_UDP_LITE = 136,
    ANY_CODE = 256,
};

// clang-format off
/* The first row that fits. */
static const struct {
    uint8_t family, type;
    uint16_t code;
    fc_icmp_kind kind;
    const char *text;
} messages[] = {
    {4,  0, ANY_CODE, FC_ICMP_ECHO_REPLY, "echo reply"},
    {4,  3,  0, FC_ICMP_UNREACHABLE, "network unreachable"},
    {4,  3,  1, FC_ICMP_UNREACHABLE, "host unreachable"},
    {4,  3,  2, FC_ICMP_UNREACHABLE, "protocol unreachable"},
    {4,  3,  3, FC_ICMP_UNREACHABLE, "port unreachable"},
    {4,  3,  4, FC_ICMP_TOO_BIG,     "fragmentation needed"},
    {4,  3,  5, FC_ICMP_UNREACHABLE, "source route failed"},
    {4,  3,  6, FC_ICMP_UNREACHABLE, "network unknown"},
    {4,  3,  7, FC_ICMP_UNREACHABLE, "host unknown"},
    {4,  3,  8, FC_ICMP_UNREACHABLE, "source host isolated"},
    {4,  3,  9, FC_ICMP_PROHIBITED,  "network administratively prohibited"},
    {4,  3, 10, FC_ICMP_PROHIBITED,  "host administratively prohibited"},
    {4,  3, 11, FC_ICMP_UNREACHABLE, "network unreachable for this type of service"},
    {4,  3, 12, FC_ICMP_UNREACHABLE, "host unreachable for this type of service"},
    {4,  3, 13, FC_ICMP_PROHIBITED,  "administratively prohibited"},
    {4,  3, 14, FC_ICMP_UNREACHABLE, "host precedence violation"},
    {4,  3, 15, FC_ICMP_UNREACHABLE, "precedence cutoff in effect"},
    {4,  3, ANY_CODE, FC_ICMP_UNREACHABLE, "destination unreachable"},
    {4,  4, ANY_CODE, FC_ICMP_OTHER, "source quench"},
    {4,  5, ANY_CODE, FC_ICMP_REDIRECT, "redirect"},
    {4,  8, ANY_CODE, FC_ICMP_ECHO_REQUEST, "echo request"},
    {4,  9, ANY_CODE, FC_ICMP_OTHER, "router advertisement"},
    {4, 10, ANY_CODE, FC_ICMP_OTHER, "router solicitation"},
    {4, 11,  0, FC_ICMP_TIME_EXCEEDED, "time to live exceeded"},
    {4, 11,  1, FC_ICMP_TIME_EXCEEDED, "fragment reassembly time exceeded"},
    {4, 11, ANY_CODE, FC_ICMP_TIME_EXCEEDED, "time exceeded"},
    {4, 12, ANY_CODE, FC_ICMP_PARAMETER, "parameter problem"},
    {4, 13, ANY_CODE, FC_ICMP_OTHER, "timestamp request"},
    {4, 14, ANY_CODE, FC_ICMP_OTHER, "timestamp reply"},
    {6,  1,  0, FC_ICMP_UNREACHABLE, "no route to destination"},
    {6,  1,  1, FC_ICMP_PROHIBITED,  "administratively prohibited"},
    {6,  1,  2, FC_ICMP_UNREACHABLE, "beyond scope of source address"},
    {6,  1,  3, FC_ICMP_UNREACHABLE, "address unreachable"},
    {6,  1,  4, FC_ICMP_UNREACHABLE, "port unreachable"},
    {6,  1,  5, FC_ICMP_PROHIBITED,  "source address failed policy"},
    {6,  1,  6, FC_ICMP_PROHIBITED,  "reject route to destination"},
    {6,  1, ANY_CODE, FC_ICMP_UNREACHABLE, "destination unreachable"},
    {6,  2, ANY_CODE, FC_ICMP_TOO_BIG, "packet too big"},
    {6,  3,  0, FC_ICMP_TIME_EXCEEDED, "hop limit exceeded"},
    {6,  3,  1, FC_ICMP_TIME_EXCEEDED, "fragment reassembly time exceeded"},
    {6,  3, ANY_CODE, FC_ICMP_TIME_EXCEEDED, "time exceeded"},
    {6,  4, ANY_CODE, FC_ICMP_PARAMETER, "parameter problem"},
    {6, 128, ANY_CODE, FC_ICMP_ECHO_REQUEST, "echo request"},
    {6, 129, ANY_CODE, FC_ICMP_ECHO_REPLY, "echo reply"},
    {6, 130, ANY_CODE, FC_ICMP_OTHER, "multicast listener query"},
    {6, 131, ANY_CODE, FC_ICMP_OTHER, "multicast listener report"},
    {6, 132, ANY_CODE, FC_ICMP_OTHER, "multicast listener done"},
    {6, 133, ANY_CODE, FC_ICMP_OTHER, "router solicitation"},
    {6, 134, ANY_CODE, FC_ICMP_OTHER, "router advertisement"},
    {6, 135, ANY_CODE, FC_ICMP_NEIGHBOUR_SOLICITATION, "neighbour solicitation"},
    {6, 136, ANY_CODE, FC_ICMP_NEIGHBOUR_ADVERTISEMENT, "neighbour advertisement"},
    {6, 137, ANY_CODE, FC_ICMP_REDIRECT, "redirect"},
    {6, 143, ANY_CODE, FC_ICMP_OTHER, "multicast listener report"},
};
// clang-format on

/* Index into messages; FC_COUNT(messages) when there is none. */
static size_t
find_row(uint8_t family, uint8_t type, uint8_t code)
{
    size_t row = 0;
    while (row < FC_COUNT(messages) && (messages[row].family != family || messages[row].type != type ||
                                        (messages[row].code != code && messages[row].code != ANY_CODE)))
        row++;
    return row;
}

const char *
fc_icmp_text(uint8_t family, uint8_t type, uint8_t code)
{
    size_t row = find_row(family, type, code);
    return row < FC_COUNT(messages) ? messages[row].text : "other";
}

static void
get_address(uint8_t family, const uint8_t *at, fc_address *ret_address)
{
    *ret_address = (fc_address){.family = family};
    memcpy(ret_address->bytes, at, family == 4 ? 4 : 16);
}

/* What stands for ports in the quoted packet: ports, or the type and code of ICMP. */
static void
read_ports(const uint8_t *data, size_t size, fc_icmp_message *message)
{
    switch (message->protocol) {
    case PROTOCOL_TCP:
    case PROTOCOL_UDP:
    case PROTOCOL_DCCP:
    case PROTOCOL_SCTP:
    case PROTOCOL_UDP_LITE:
        if (size >= 4) {
            message->source_port = fc_read_be16(data);
            message->destination_port = fc_read_be16(data + 2);
        }
        break;
    case PROTOCOL_ICMP:
    case PROTOCOL_ICMP6:
        if (size >= 2) {
            message->source_port = data[0];
            message->destination_port = data[1];
        }
        break;
    default:
        break;
    }
}

static void
read_original4(const uint8_t *data, size_t size, fc_icmp_message *message)
{
    if (size < IPV4_HEADER || data[0] >> 4 != 4 || (data[0] & 0x0f) < IPV4_HEADER / 4)
        return;
    size_t header = (data[0] & 0x0fu) * 4;
    message->has_original = true;
    message->protocol = data[9];
    get_address(4, data + 12, &message->source);
    get_address(4, data + 16, &message->destination);
    bool is_first_fragment = (fc_read_be16(data + 6) & 0x1fff) == 0;
    if (is_first_fragment && size > header)
        read_ports(data + header, size - header, message);
}

/* RFC 8200 section 4: headers that are followed by another one. */
static bool
is_extension(uint8_t protocol)
{
    static const uint8_t extensions[] = {0,   43, PROTOCOL_FRAGMENT, PROTOCOL_AUTHENTICATION, 60, 135,
                                         139, 140};
    return memchr(extensions, protocol, sizeof extensions) != NULL;
}

static void
read_original6(const uint8_t *data, size_t size, fc_icmp_message *message)
{
    if (size < IPV6_HEADER || data[0] >> 4 != 6)
        return;
    message->has_original = true;
    get_address(6, data + 8, &message->source);
    get_address(6, data + 24, &message->destination);
    message->protocol = data[6];
    size_t at = IPV6_HEADER;
    while (is_extension(message->protocol)) {
        if (size - at < 8)
            return;
        uint8_t protocol = message->protocol;
        bool is_later_fragment = protocol == PROTOCOL_FRAGMENT && (fc_read_be16(data + at + 2) & 0xfff8) != 0;
        size_t length = 8;
        if (protocol == PROTOCOL_AUTHENTICATION)
            length = (data[at + 1] + 2u) * 4;
        else if (protocol != PROTOCOL_FRAGMENT)
            length = (data[at + 1] + 1u) * 8;
        message->protocol = data[at];
        if (is_later_fragment || length > size - at)
            return;
        at += length;
    }
    read_ports(data + at, size - at, message);
}

static void
read_mtu(uint8_t family, const uint8_t *data, fc_icmp_message *message)
{
    /* RFC 1191 section 4: the low 16 bits; RFC 4443 section 3.2: all 32. */
    message->mtu = family == 4 ? fc_read_be16(data + 6)
                               : (uint32_t)fc_read_be16(data + 4) << 16 | fc_read_be16(data + 6);
}

fc_err
fc_icmp_parse(uint8_t family, const uint8_t *data, size_t size, fc_icmp_message *ret_message)
{
    if (size < 4)
        return FC_ERR_CORRUPT;
    fc_icmp_message message = {.type = data[0], .code = data[1]};
    size_t row = find_row(family, message.type, message.code);
    message.kind = row < FC_COUNT(messages) ? messages[row].kind : FC_ICMP_OTHER;
    if (message.kind != FC_ICMP_OTHER && size < HEADER_SIZE)
        return FC_ERR_CORRUPT;
    switch (message.kind) {
    case FC_ICMP_OTHER:
        break;
    case FC_ICMP_ECHO_REQUEST:
    case FC_ICMP_ECHO_REPLY:
        message.id = fc_read_be16(data + 4);
        message.sequence = fc_read_be16(data + 6);
        break;
    case FC_ICMP_NEIGHBOUR_SOLICITATION:
    case FC_ICMP_NEIGHBOUR_ADVERTISEMENT:
        if (size < NEIGHBOUR_SIZE)
            return FC_ERR_CORRUPT;
        get_address(6, data + 8, &message.target);
        break;
    case FC_ICMP_TOO_BIG:
        read_mtu(family, data, &message);
        /* fallthrough */
    case FC_ICMP_UNREACHABLE:
    case FC_ICMP_PROHIBITED:
    case FC_ICMP_TIME_EXCEEDED:
    case FC_ICMP_PARAMETER:
    case FC_ICMP_REDIRECT:
        if (family == 4)
            read_original4(data + HEADER_SIZE, size - HEADER_SIZE, &message);
        else if (message.kind != FC_ICMP_REDIRECT)
            read_original6(data + HEADER_SIZE, size - HEADER_SIZE, &message);
        break;
    }
    *ret_message = message;
    return FC_OK;
}
