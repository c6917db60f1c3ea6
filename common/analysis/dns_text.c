/* DNS types and response codes: iana.org/assignments/dns-parameters. */
#include "common/analysis/dns.h"
#include "common/base/mem.h"

#include <stdio.h>
#include <string.h>

// clang-format off
static const struct {
    uint16_t type;
    const char *name;
} types[] = {
    {1, "A"}, {2, "NS"}, {3, "MD"}, {4, "MF"}, {5, "CNAME"}, {6, "SOA"}, {7, "MB"}, {8, "MG"}, {9, "MR"}, {10, "NULL"}, {11, "WKS"},
    {12, "PTR"}, {13, "HINFO"}, {14, "MINFO"}, {15, "MX"}, {16, "TXT"}, {17, "RP"}, {18, "AFSDB"}, {19, "X25"}, {20, "ISDN"},
    {21, "RT"}, {22, "NSAP"}, {23, "NSAP-PTR"}, {24, "SIG"}, {25, "KEY"}, {26, "PX"}, {27, "GPOS"}, {28, "AAAA"}, {29, "LOC"},
    {30, "NXT"}, {31, "EID"}, {32, "NIMLOC"}, {33, "SRV"}, {34, "ATMA"}, {35, "NAPTR"}, {36, "KX"}, {37, "CERT"}, {38, "A6"},
    {39, "DNAME"}, {40, "SINK"}, {41, "OPT"}, {42, "APL"}, {43, "DS"}, {44, "SSHFP"}, {45, "IPSECKEY"}, {46, "RRSIG"}, {47, "NSEC"},
    {48, "DNSKEY"}, {49, "DHCID"}, {50, "NSEC3"}, {51, "NSEC3PARAM"}, {52, "TLSA"}, {53, "SMIMEA"}, {55, "HIP"}, {56, "NINFO"},
    {57, "RKEY"}, {58, "TALINK"}, {59, "CDS"}, {60, "CDNSKEY"}, {61, "OPENPGPKEY"}, {62, "CSYNC"}, {63, "ZONEMD"}, {64, "SVCB"},
    {65, "HTTPS"}, {99, "SPF"}, {104, "NID"}, {105, "L32"}, {106, "L64"}, {107, "LP"}, {108, "EUI48"}, {109, "EUI64"},
    {249, "TKEY"}, {250, "TSIG"}, {251, "IXFR"}, {252, "AXFR"}, {253, "MAILB"}, {254, "MAILA"}, {255, "ANY"}, {256, "URI"},
    {257, "CAA"}, {258, "AVC"}, {259, "DOA"}, {260, "AMTRELAY"}, {32768, "TA"}, {32769, "DLV"},
};

static const char *const rcodes[] = {
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE",
    "DSOTYPENI",
};
// clang-format on

const char *
fc_dns_type_name(uint16_t type, char text[16])
{
    for (size_t i = 0; i < FC_COUNT(types); i++) {
        if (types[i].type == type)
            return types[i].name;
    }
    (void)snprintf(text, 16, "TYPE%u", type);
    return text;
}

const char *
fc_dns_rcode_name(uint8_t rcode, char text[16])
{
    if (rcode < FC_COUNT(rcodes))
        return rcodes[rcode];
    (void)snprintf(text, 16, "RCODE%u", rcode);
    return text;
}

/* A dot between labels, not one inside a label ("\."). */
static bool
is_separator(const char *name, size_t at)
{
    size_t slashes = 0;
    while (slashes < at && name[at - 1 - slashes] == '\\')
        slashes++;
    return name[at] == '.' && slashes % 2 == 0;
}

const char *
fc_dns_suffix(const char *name)
{
    int separators = 0;
    for (size_t at = strlen(name); at-- > 0;) {
        if (is_separator(name, at) && ++separators == 2)
            return name + at + 1;
    }
    return name;
}
