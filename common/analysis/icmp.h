/* icmp.h: ICMP and ICMPv6 (RFC 792, 1122, 1191, 4443): which error, and which conversation it is about. */
#ifndef FC_ANALYSIS_ICMP_H
#define FC_ANALYSIS_ICMP_H

#include "common/base/err.h"
#include "common/profile/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum fc_icmp_kind {
    FC_ICMP_OTHER,
    FC_ICMP_ECHO_REQUEST,
    FC_ICMP_ECHO_REPLY,
    FC_ICMP_UNREACHABLE, /* net, host, protocol, port … */
    FC_ICMP_PROHIBITED,  /* administratively */
    FC_ICMP_TOO_BIG,     /* fragmentation needed (type 3 code 4), packet too big */
    FC_ICMP_TIME_EXCEEDED,
    FC_ICMP_PARAMETER,
    FC_ICMP_REDIRECT,
    FC_ICMP_NEIGHBOUR_SOLICITATION,
    FC_ICMP_NEIGHBOUR_ADVERTISEMENT,
} fc_icmp_kind;

typedef struct fc_icmp_message {
    fc_icmp_kind kind;
    uint8_t type, code;
    uint16_t id, sequence; /* of an echo */
    uint32_t mtu;          /* with TOO_BIG; 0 = not said */
    fc_address target;     /* of neighbour discovery */
    bool has_original;     /* the packet that the error quotes: */
    uint8_t protocol;
    fc_address source, destination;
    uint16_t source_port,
        destination_port; /* type and code when it was ICMP; 0 = not quoted, or a later fragment */
} fc_icmp_message;

/* data: the ICMP message; family: 4 or 6. FC_ERR_CORRUPT when it is too short for its type; a quoted packet
 * that is cut off (snap length) is used as far as it goes: without its whole IP header there is no original.
 */
FC_MUST_USE fc_err
fc_icmp_parse(uint8_t family, const uint8_t *data, size_t size, fc_icmp_message *ret_message);
/* "port unreachable", "host unreachable", "administratively prohibited" … */
const char *
fc_icmp_text(uint8_t family, uint8_t type, uint8_t code);

#endif
