/* value.h: the value grammar of filter.h, parsed: address ranges and port ranges.
 *
 * Ranges come out sorted and merged, so that what overlaps or touches is one range. Within fc_filter only.
 */
#ifndef FC_FILTER_VALUE_H
#define FC_FILTER_VALUE_H

#include "common/base/err.h"
#include "common/filter/filter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef unsigned __int128 fc_u128;

/* Instructions of a program before it is optimised. libpcap's time grows with the square of it: 8192 take up
 * to 0.7 s on two cores of 2020's make, 2000 take 0.03 s. */
enum { FC_COMPILE_WEIGHT_MAX = 8192 };

/* Both families as numbers: an IPv4 address has 32 bits, an IPv6 address 128. */
typedef struct fc_ip_range {
    unsigned bits; /* 32 or 128 */
    fc_u128 low, high;
} fc_ip_range;

typedef struct fc_ip_ranges {
    fc_ip_range items[FC_FILTER_ITEMS_MAX];
    size_t count; /* 0 = any */
} fc_ip_ranges;

typedef struct fc_port_range {
    uint16_t low, high;
} fc_port_range;

typedef struct fc_port_ranges {
    fc_port_range items[FC_FILTER_ITEMS_MAX];
    size_t count; /* 0 = any */
} fc_port_ranges;

/* text NULL, empty or blank = any. `field` is where the text stands, for the sentence. */
FC_MUST_USE fc_err
fc_value_addresses(const char *text, const char *field, fc_ip_ranges *ret_ranges, fc_fail *fail);
FC_MUST_USE fc_err
fc_value_ports(const char *text, const char *field, fc_port_ranges *ret_ranges, fc_fail *fail);

/* Takes the largest CIDR block that *rest starts with off it (RFC 4632, section 3.1: aligned powers of two);
 * at most 62 blocks make an IPv4 range, 254 an IPv6 range. False when nothing is left. */
typedef struct fc_ip_block {
    unsigned bits, prefix;
    fc_u128 network;
} fc_ip_block;
typedef struct fc_ip_rest {
    fc_ip_range range;
    bool done;
} fc_ip_rest;
bool
fc_ip_next_block(fc_ip_rest *rest, fc_ip_block *ret_block);

#define FC_IP_TEXT 46
/* "10.0.0.1", "2001:db8::1"; never the dotted form of an IPv6 address, which libpcap does not read. Returns
 * text. */
const char *
fc_ip_text(unsigned bits, fc_u128 address, char text[FC_IP_TEXT]);
/* One numeric address, strictly; NULL or a reason (static text). */
const char *
fc_ip_parse(const char *text, unsigned *ret_bits, fc_u128 *ret_address);

#define FC_SHOWN_TEXT 72
/* What a person typed, fit for a sentence: cut, and without control characters. Returns shown. */
const char *
fc_shown(const char *text, char shown[FC_SHOWN_TEXT]);

#endif
