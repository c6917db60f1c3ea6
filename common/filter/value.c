#include "common/filter/value.h"

#include "common/base/mem.h"
#include "common/base/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* One field being read: where it stands, for the sentence. */
typedef struct reading {
    const char *field;
    fc_fail *fail;
} reading;

const char *
fc_shown(const char *text, char shown[FC_SHOWN_TEXT])
{
    size_t length = strnlen(text, FC_SHOWN_TEXT - 4);
    for (size_t i = 0; i < length; i++)
        shown[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
    memcpy(shown + length, text[length] != '\0' ? "..." : "", text[length] != '\0' ? 4 : 1);
    return shown;
}

static fc_err
refuse(const reading *r, const char *value, const char *why)
{
    char shown[FC_SHOWN_TEXT];
    return fc_fail_field(r->fail, FC_ERR_INVALID, r->field, "%s \"%s\": %s", r->field, fc_shown(value, shown),
                         why);
}

/* Cuts white space off both ends, in place. */
static char *
trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    text[length] = '\0';
    return text;
}

/* ---- addresses ---- */

/* Why a text of digits and dots is not an IPv4 address. */
static const char *
ipv4_reason(const char *text)
{
    unsigned dots = 0;
    for (const char *at = text; *at != '\0'; at++)
        dots += *at == '.';
    if (dots < 3)
        return "an IPv4 address has four octets";
    for (const char *at = text; at != NULL; at = strchr(at, '.')) {
        at += *at == '.';
        if (at[0] == '0' && isdigit((unsigned char)at[1]))
            return "leading zeros are ambiguous (octal or decimal); leave them out";
    }
    return "not an IPv4 address (four octets of 0 to 255)";
}

static const char *
word_reason(const char *text)
{
    if (*text == '\0')
        return "an address is missing";
    if (strcmp(text, "*") == 0 || strcasecmp(text, "any") == 0 || strcasecmp(text, "all") == 0)
        return "to match any address, leave the field empty";
    if (strchr(text, '%') != NULL)
        return "an address with a zone id cannot be matched in packets; leave \"%...\" out";
    if (strchr(text, '[') != NULL)
        return "write the address without brackets; ports go into the port field";
    if (strspn(text, "0123456789.") == strlen(text))
        return ipv4_reason(text);
    if (strspn(text, "0123456789.:") == strlen(text) && strchr(text, '.') != NULL)
        return "not an address; ports go into the port field";
    if (strchr(text, ':') != NULL)
        return "not an IPv6 address";
    return "not an IPv4 or IPv6 address (names are not looked up)";
}

const char *
fc_ip_parse(const char *text, unsigned *ret_bits, fc_u128 *ret_address)
{
    uint8_t bytes[16];
    size_t size = 0;
    /* glibc's inet_pton refuses leading zeros, short forms and zone ids, as we want it. */
    if (inet_pton(AF_INET, text, bytes) == 1)
        size = 4;
    else if (inet_pton(AF_INET6, text, bytes) == 1)
        size = 16;
    else
        return word_reason(text);
    fc_u128 address = 0;
    for (size_t i = 0; i < size; i++)
        address = address << 8 | bytes[i];
    if (size == 16 && address >> 32 == 0xffff)
        return "no packet carries an IPv4-mapped address; write the IPv4 address";
    *ret_bits = size == 4 ? 32 : 128;
    *ret_address = address;
    return NULL;
}

const char *
fc_ip_text(unsigned bits, fc_u128 address, char text[FC_IP_TEXT])
{
    uint8_t bytes[16];
    size_t size = bits / 8;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(address >> (bits - 8 - 8 * i));
    if (inet_ntop(bits == 32 ? AF_INET : AF_INET6, bytes, text, FC_IP_TEXT) == NULL)
        abort();
    if (bits == 128 && strchr(text, '.') != NULL) /* ::a.b.c.d */
        (void)snprintf(text, FC_IP_TEXT, "0:0:0:0:0:0:%x:%x", (unsigned)(address >> 16 & 0xffff),
                       (unsigned)(address & 0xffff));
    return text;
}

static fc_u128
all_ones(unsigned count)
{
    return count == 0 ? 0 : ~(fc_u128)0 >> (128 - count);
}

static fc_err
cidr_parse(const reading *r, const char *item, char *network, const char *length, fc_ip_range *ret)
{
    unsigned bits;
    fc_u128 address;
    uint64_t prefix;
    const char *why = fc_ip_parse(network, &bits, &address);
    if (why != NULL)
        return refuse(r, item, why);
    if (fc_u64_parse(length, bits, &prefix) != FC_OK || (length[0] == '0' && length[1] != '\0'))
        return refuse(r, item, bits == 32 ? "the prefix length is 0 to 32" : "the prefix length is 0 to 128");
    fc_u128 host = all_ones(bits - (unsigned)prefix);
    if ((address & host) != 0) {
        char text[FC_IP_TEXT], sentence[128];
        (void)snprintf(sentence, sizeof sentence, "the address has host bits set; the network is %s/%u",
                       fc_ip_text(bits, address & ~host, text), (unsigned)prefix);
        return refuse(r, item, sentence);
    }
    *ret = (fc_ip_range){bits, address, address | host};
    return FC_OK;
}

static fc_err
ip_range_parse(const reading *r, const char *item, char *low, char *high, fc_ip_range *ret)
{
    unsigned low_bits, high_bits;
    fc_u128 from, to;
    if (*low == '\0' || *high == '\0')
        return refuse(r, item, "a range has a first and a last address");
    const char *why = fc_ip_parse(low, &low_bits, &from);
    if (why != NULL)
        return refuse(r, strspn(low, "0123456789abcdefABCDEF.:") == strlen(low) ? low : item, why);
    if ((why = fc_ip_parse(high, &high_bits, &to)) != NULL)
        return refuse(r, high, why);
    if (low_bits != high_bits)
        return refuse(r, item, "the range mixes IPv4 and IPv6");
    if (from > to)
        return refuse(r, item, "the range is reversed: its first address is above its last");
    *ret = (fc_ip_range){low_bits, from, to};
    return FC_OK;
}

static fc_err
address_item(const reading *r, char *item, fc_ip_range *ret)
{
    char whole[FC_FILTER_TEXT_MAX + 1];
    (void)snprintf(whole, sizeof whole, "%s", item);
    char *slash = strchr(item, '/');
    char *dash = strchr(item, '-');
    if (slash != NULL && dash != NULL)
        return refuse(r, whole, "a range has two addresses, not networks");
    if (slash != NULL) {
        *slash = '\0';
        return cidr_parse(r, whole, trim(item), trim(slash + 1), ret);
    }
    if (dash != NULL) {
        *dash = '\0';
        return ip_range_parse(r, whole, trim(item), trim(dash + 1), ret);
    }
    const char *why = fc_ip_parse(item, &ret->bits, &ret->low);
    if (why != NULL)
        return refuse(r, whole, why);
    ret->high = ret->low;
    return FC_OK;
}

static int
compare_ip_ranges(const void *a, const void *b)
{
    const fc_ip_range *left = a, *right = b;
    if (left->bits != right->bits)
        return left->bits < right->bits ? -1 : 1;
    return left->low < right->low ? -1 : left->low > right->low;
}

static void
merge_ip_ranges(fc_ip_ranges *ranges)
{
    if (ranges->count == 0)
        return;
    qsort(ranges->items, ranges->count, sizeof ranges->items[0], compare_ip_ranges);
    size_t last = 0;
    for (size_t i = 1; i < ranges->count; i++) {
        fc_ip_range *into = &ranges->items[last];
        const fc_ip_range *next = &ranges->items[i];
        bool joined = next->bits == into->bits && (next->low <= into->high || next->low - 1 == into->high);
        if (!joined)
            ranges->items[++last] = *next;
        else if (next->high > into->high)
            into->high = next->high;
    }
    ranges->count = last + 1;
}

bool
fc_ip_next_block(fc_ip_rest *rest, fc_ip_block *ret_block)
{
    if (rest->done)
        return false;
    const fc_ip_range *range = &rest->range;
    unsigned free_bits = 0;
    while (free_bits < range->bits && (range->low & all_ones(free_bits + 1)) == 0 &&
           (range->low | all_ones(free_bits + 1)) <= range->high)
        free_bits++;
    fc_u128 last = range->low | all_ones(free_bits);
    *ret_block = (fc_ip_block){range->bits, range->bits - free_bits, range->low};
    rest->done = last == range->high;
    rest->range.low = last + 1;
    return true;
}

/* ---- ports ---- */

static const char *
port_parse(const char *text, uint16_t *ret_port)
{
    uint64_t port;
    if (*text == '\0')
        return "a port is missing";
    if (strcmp(text, "*") == 0 || strcasecmp(text, "any") == 0 || strcasecmp(text, "all") == 0)
        return "to match any port, leave the field empty";
    fc_err err = fc_u64_parse(text, UINT16_MAX, &port);
    if (err == FC_ERR_RANGE)
        return "a port is at most 65535";
    if (err != FC_OK)
        return "a port is a number of 1 to 65535 (names are not looked up)";
    if (port == 0)
        return "port 0 is used by no conversation; to match any port, leave the field empty";
    if (text[0] == '0')
        return "leading zeros are ambiguous; leave them out";
    *ret_port = (uint16_t)port;
    return NULL;
}

static fc_err
port_item(const reading *r, char *item, fc_port_range *ret)
{
    char whole[FC_FILTER_TEXT_MAX + 1];
    (void)snprintf(whole, sizeof whole, "%s", item);
    char *dash = strchr(item, '-');
    const char *why;
    if (dash == NULL) {
        why = port_parse(item, &ret->low);
        ret->high = ret->low;
        return why == NULL ? FC_OK : refuse(r, whole, why);
    }
    *dash = '\0';
    const char *low = trim(item), *high = trim(dash + 1);
    if (*low == '\0' || *high == '\0')
        return refuse(r, whole, "a range has a first and a last port");
    if ((why = port_parse(low, &ret->low)) != NULL || (why = port_parse(high, &ret->high)) != NULL)
        return refuse(r, whole, why);
    if (ret->low > ret->high)
        return refuse(r, whole, "the range is reversed: its first port is above its last");
    return FC_OK;
}

static int
compare_port_ranges(const void *a, const void *b)
{
    const fc_port_range *left = a, *right = b;
    return (int)left->low - (int)right->low;
}

static void
merge_port_ranges(fc_port_ranges *ranges)
{
    if (ranges->count == 0)
        return;
    qsort(ranges->items, ranges->count, sizeof ranges->items[0], compare_port_ranges);
    size_t last = 0;
    for (size_t i = 1; i < ranges->count; i++) {
        fc_port_range *into = &ranges->items[last];
        const fc_port_range *next = &ranges->items[i];
        if (next->low > into->high + 1)
            ranges->items[++last] = *next;
        else if (next->high > into->high)
            into->high = next->high;
    }
    ranges->count = last + 1;
}

/* ---- lists ---- */

/* Copies the field's text; *ret_items is where its first item starts, NULL when there is none. */
static fc_err
list_start(const reading *r, const char *text, char copy[FC_FILTER_TEXT_MAX + 1], char **ret_items)
{
    *ret_items = NULL;
    if (text == NULL)
        return FC_OK;
    size_t length = strnlen(text, FC_FILTER_TEXT_MAX + 1);
    if (length > FC_FILTER_TEXT_MAX)
        return refuse(r, text, "a field has at most 1024 characters");
    memcpy(copy, text, length + 1);
    char *items = trim(copy);
    length = strlen(items);
    if (length == 0)
        return FC_OK;
    if (length > 1 && items[length - 1] == ';')
        items[length - 1] = '\0';
    *ret_items = items;
    return FC_OK;
}

/* Cuts the next item off *items; NULL when the list has ended. */
static char *
list_next(char **items)
{
    char *item = *items;
    if (item == NULL)
        return NULL;
    char *separator = item + strcspn(item, ";,");
    *items = *separator != '\0' ? separator + 1 : NULL;
    *separator = '\0';
    return trim(item);
}

static fc_err
list_item_check(const reading *r, const char *text, const char *item, size_t count)
{
    if (*item == '\0')
        return refuse(r, text, "the list has an empty item");
    if (count == FC_FILTER_ITEMS_MAX)
        return refuse(r, text, "a list has at most 64 items");
    return FC_OK;
}

fc_err
fc_value_addresses(const char *text, const char *field, fc_ip_ranges *ret_ranges, fc_fail *fail)
{
    const reading r = {field, fail};
    char copy[FC_FILTER_TEXT_MAX + 1];
    char *items;
    fc_ip_ranges ranges = {.count = 0};
    fc_err err = list_start(&r, text, copy, &items);
    for (char *item; err == FC_OK && (item = list_next(&items)) != NULL;) {
        err = list_item_check(&r, text, item, ranges.count);
        if (err == FC_OK)
            err = address_item(&r, item, &ranges.items[ranges.count++]);
    }
    if (err != FC_OK)
        return err;
    merge_ip_ranges(&ranges);
    *ret_ranges = ranges;
    return FC_OK;
}

fc_err
fc_value_ports(const char *text, const char *field, fc_port_ranges *ret_ranges, fc_fail *fail)
{
    const reading r = {field, fail};
    char copy[FC_FILTER_TEXT_MAX + 1];
    char *items;
    fc_port_ranges ranges = {.count = 0};
    fc_err err = list_start(&r, text, copy, &items);
    for (char *item; err == FC_OK && (item = list_next(&items)) != NULL;) {
        err = list_item_check(&r, text, item, ranges.count);
        if (err == FC_OK)
            err = port_item(&r, item, &ranges.items[ranges.count++]);
    }
    if (err != FC_OK)
        return err;
    merge_port_ranges(&ranges);
    *ret_ranges = ranges;
    return FC_OK;
}
