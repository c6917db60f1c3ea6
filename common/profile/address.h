/* address.h: an IP address, v4 or v6, as a value; and the Community ID of a conversation. */
#ifndef FC_PROFILE_ADDRESS_H
#define FC_PROFILE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fc_address {
    uint8_t family;    /* 4, 6; 0 = none */
    uint8_t bytes[16]; /* network order; the first 4 for v4, the rest zero */
} fc_address;

#define FC_ADDRESS_TEXT 46
/* RFC 5952 text; "-" for none. Returns text. */
const char *
fc_address_text(const fc_address *address, char text[FC_ADDRESS_TEXT]);
/* False when the text is no address. */
bool
fc_address_parse(const char *text, fc_address *ret_address);
/* <0, 0, >0: by family, then bytes. */
int
fc_address_compare(const fc_address *a, const fc_address *b);
bool
fc_address_is_multicast(const fc_address *address); /* or broadcast 255.255.255.255 */
bool
fc_address_is_loopback(const fc_address *address);
bool
fc_address_is_unspecified(const fc_address *address); /* 0.0.0.0, :: */

/* Community ID v1 (github.com/corelight/community-id-spec) with seed 0; for ICMP the ports are type and code.
 * The caller's text holds FC_COMMUNITY_ID_SIZE bytes. */
void
fc_community_id(uint8_t protocol, const fc_address *a, uint16_t a_port, const fc_address *b, uint16_t b_port,
                char *ret_text);

#endif
