#include "common/filter/raw.h"

#include "common/base/mem.h"
#include "common/filter/value.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* pcap-filter(7) without what is refused below and without what needs other link types. Sorted, for bsearch.
 */
// clang-format off
static const char *const keywords[] = {
    "aarp", "ah", "and", "arp", "atalk", "broadcast", "carp", "clnp", "csnp", "decnet", "dst", "es-is",
    "esis", "esp", "ether", "greater", "host", "icmp", "icmp-echo", "icmp-echoreply", "icmp-ireq",
    "icmp-ireqreply", "icmp-maskreply", "icmp-maskreq", "icmp-paramprob", "icmp-redirect",
    "icmp-routeradvert", "icmp-routersolicit", "icmp-sourcequench", "icmp-timxceed", "icmp-tstamp",
    "icmp-tstampreply", "icmp-unreach", "icmp6", "icmp6-destinationunreach", "icmp6-echo", "icmp6-echoreply",
    "icmp6-multicastlistenerdone", "icmp6-multicastlistenerquery", "icmp6-multicastlistenerreportv1",
    "icmp6-neighboradvert", "icmp6-neighborsolicit", "icmp6-packettoobig", "icmp6-parameterproblem",
    "icmp6-redirect", "icmp6-routeradvert", "icmp6-routersolicit", "icmp6-timeexceeded", "icmp6code",
    "icmp6type", "icmpcode", "icmptype", "igmp", "igrp", "iih", "inbound", "ip", "ip6", "ipx", "is-is",
    "isis", "iso", "l1", "l2", "lat", "len", "length", "less", "link", "lsp", "mask", "mopdl", "moprc",
    "multicast", "net", "netbeui", "not", "or", "outbound", "pim", "port", "portrange", "proto", "psnp",
    "rarp", "sca", "sctp", "snp", "src", "stp", "tcp", "tcp-ack", "tcp-cwr", "tcp-ece", "tcp-fin", "tcp-push",
    "tcp-rst", "tcp-syn", "tcp-urg", "tcpflags", "udp", "vrrp",
};
// clang-format on

/* Words that libpcap knows and that would not do here what they say. */
static const struct {
    const char *word, *why;
} refused[] = {
    {"vlan", "cannot match: Linux takes the VLAN tag off before the filter sees the packet; leave it out, "
             "tagged packets match as untagged ones do"},
    {"protochain", "needs a loop, which the kernel does not run"},
    {"gateway", "needs a host name, and names are not looked up"},
    {"mpls", "changes what the rest of the expression looks at"},
    {"pppoed", "changes what the rest of the expression looks at"},
    {"pppoes", "changes what the rest of the expression looks at"},
    {"geneve", "changes what the rest of the expression looks at"},
};

static fc_err
refuse(fc_fail *fail, const char *word, const char *why)
{
    char shown[FC_SHOWN_TEXT];
    return fc_fail_field(fail, FC_ERR_INVALID, "rawFilter", "rawFilter \"%s\": %s", fc_shown(word, shown),
                         why);
}

static int
compare_words(const void *key, const void *element)
{
    const char *const *word = element;
    return strcmp(key, *word);
}

/* A decimal number as libpcap reads it too: it takes a leading zero for octal. */
static bool
is_decimal(const char *text, size_t length)
{
    return length > 0 && strspn(text, "0123456789") >= length && (text[0] != '0' || length == 1);
}

static bool
is_number(const char *word)
{
    if (strncmp(word, "0x", 2) == 0)
        return word[2] != '\0' && strspn(word + 2, "0123456789abcdefABCDEF") == strlen(word + 2);
    return is_decimal(word, strlen(word));
}

static bool
is_number_range(const char *word)
{
    size_t first = strspn(word, "0123456789");
    return word[first] == '-' && is_decimal(word, first) &&
           is_decimal(word + first + 1, strlen(word + first + 1));
}

/* Six groups of one or two hexadecimal digits. */
static bool
is_mac(const char *word)
{
    for (int group = 0; group < 6; group++) {
        size_t digits = strspn(word, "0123456789abcdefABCDEF");
        if (digits < 1 || digits > 2 || word[digits] != (group < 5 ? ':' : '\0'))
            return false;
        word += digits + 1;
    }
    return true;
}

static fc_err
word_check(const char *word, fc_fail *fail)
{
    unsigned bits;
    fc_u128 address;
    if (bsearch(word, keywords, FC_COUNT(keywords), sizeof keywords[0], compare_words) != NULL ||
        is_number(word) || is_number_range(word) || is_mac(word))
        return FC_OK;
    for (size_t i = 0; i < FC_COUNT(refused); i++)
        if (strcmp(word, refused[i].word) == 0)
            return refuse(fail, word, refused[i].why);
    const char *why = fc_ip_parse(word, &bits, &address);
    if (why == NULL)
        return FC_OK;
    if (strspn(word, "0123456789.:") == strlen(word))
        return refuse(fail, word, strpbrk(word, ".:") != NULL ? why : "a number has no leading zeros");
    return refuse(fail, word,
                  "not a word of pcap-filter(7), and names are not looked up: write numbers, and keywords "
                  "in lower case");
}

/* Copies the word at `at` and checks it; returns its length in *ret_length. Inside [ ] a colon divides offset
 * and size; elsewhere it belongs to an address. */
static fc_err
take_word(const char *at, bool in_brackets, size_t *ret_length, fc_fail *fail)
{
    size_t length = 0;
    while (isalnum((unsigned char)at[length]) || (at[length] != '\0' && strchr("-._", at[length]) != NULL) ||
           (at[length] == ':' && !in_brackets))
        length++;
    char word[FC_FILTER_TEXT_MAX + 1];
    memcpy(word, at, length);
    word[length] = '\0';
    *ret_length = length;
    return word_check(word, fail);
}

fc_err
fc_raw_check(const char *raw, fc_fail *fail)
{
    if (strnlen(raw, FC_FILTER_TEXT_MAX + 1) > FC_FILTER_TEXT_MAX)
        return refuse(fail, raw, "an expression has at most 1024 characters");
    int parentheses = 0, brackets = 0;
    for (const char *at = raw; *at != '\0';) {
        if (isalnum((unsigned char)*at) || (*at == ':' && brackets == 0)) {
            size_t length;
            fc_err err = take_word(at, brackets > 0, &length, fail);
            if (err != FC_OK)
                return err;
            at += length;
            continue;
        }
        if (strchr(" \t\r\n()[]:+-*/%&|^<>=!", *at) == NULL) {
            const char character[2] = {*at, '\0'};
            return refuse(fail, character,
                          "this character has no meaning in pcap-filter(7), or names something");
        }
        parentheses += (*at == '(') - (*at == ')');
        brackets += (*at == '[') - (*at == ']');
        if (parentheses < 0 || brackets < 0)
            return refuse(fail, at, "closes what was not opened");
        at++;
    }
    if (parentheses != 0 || brackets != 0)
        return refuse(fail, raw,
                      parentheses != 0 ? "a parenthesis is not closed" : "a bracket is not closed");
    return FC_OK;
}
