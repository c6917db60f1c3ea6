/* causes.c: which suspicion explains which: the report names the cause, and its symptoms below it. */
#include "common/base/mem.h"
#include "common/compare/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LOST_DATAGRAMS_MIN = 2 }; /* one may be chance */

typedef enum relation_needs {
    ALWAYS,
    SAME_PEER, /* both are about the same remote address, or the symptom about none in particular */
    MINOR,     /* the symptom is the lesser part: below half of all */
    LESSER,    /* the symptom's value is below the cause's */
    MOST,      /* most of the connections with retransmissions, beyond the peers', are the cause's */
    LEAST,     /* they are not */
    FEWER,     /* the symptom has less than a fifth of the cause's events */
    ROUGHLY,   /* the symptom has at most five times the cause's events, and nothing else is lost */
} relation_needs;

typedef struct relation {
    const char *cause; /* id; "x*" = all that begin with x, "*x" = all that end with it */
    relation_needs needs;
    const char *symptoms; /* the same, with | between */
} relation;

/* Read from the top: the first relation by which something explains a suspicion is taken, so deeper causes
 * come first. */
// clang-format off
static const relation relations[] = {
    /* nothing gets there at all */
    {"silent",               ALWAYS,   "traffic*|*NotHere"},
    {"neighbourUnanswered",  ALWAYS,   "silent|tcpNoAnswer|tcpSynRetried|tcpHalfOpen|loss*|tcpLossIn|"
                                       "tcpRetransmits|dnsUnanswered|dnsRetried|udpNoAnswer|icmp*|"
                                       "echoUnanswered|traffic*|*NotHere|*Slow"},
    /* a firewall or router says why */
    {"icmpProhibited",       ALWAYS,   "icmpUnreachable"},
    {"icmp*",                SAME_PEER, "tcpNoAnswer|tcpRefused|tcpSynRetried|udpNoAnswer|"
                                       "dnsUnanswered|dnsRetried|echoUnanswered|serviceOnlyHere"},
    {"icmpTooBig",           ALWAYS,   "tcpBlackHole|loss*|tcpLossIn|tcpRetransmits|tcpHalfOpen|"
                                       "reordering*|tcpReordered|icmpUnreachable|*Slow|tlsSilent"},
    /* only what is large is lost */
    {"tcpBlackHole",         MOST,     "loss*|tcpLossIn|tcpRetransmits"},
    {"tcpBlackHole",         ALWAYS,   "tcpHalfOpen|tcpReset*|reordering*|tcpReordered|tls*|*Slow"},
    {"tcpBlackHole",         MINOR,    "tcpZeroWindow*"},
    /* nobody reads */
    {"tcpZeroWindow*",       ALWAYS,   "loss*|tcpLossIn|tcpRetransmits|tcpHalfOpen|tcpReset*|*Slow|"
                                       "tcpRttLong"},
    {"tcpZeroWindowLocal",    LESSER,     "tcpZeroWindowRemote"},
    {"tcpZeroWindowRemote",   LESSER,     "tcpZeroWindowLocal"},
    /* the other side vanished: what was sent again went to it */
    {"tcpHalfOpen",          MOST,     "loss*|tcpLossIn|tcpRetransmits"},
    {"tcpHalfOpen",          ALWAYS,   "tcpReset*|tlsSilent"},
    {"tcpHalfOpen",          SAME_PEER, "tcpSynRetried|tcpNoAnswer"},
    /* packets get lost */
    {"loss*",                LEAST,    "tcpBlackHole|tcpHalfOpen"},
    /* What comes late makes its sender send again: one in five late is more than loss alone has (measured: one in ten). */
    {"reorderingIn",          ROUGHLY, "lossIn|lossOut"},
    {"reorderingOut",         ROUGHLY, "lossOut|lossIn"},
    {"reorderingIn",          LESSER,  "reorderingOut"},
    {"reorderingOut",         LESSER,  "reorderingIn"},
    {"lossIn",                FEWER,   "reorderingIn"},
    {"lossOut",               FEWER,   "reorderingOut"},
    {"lossOut",               LESSER,  "lossIn"},
    {"lossIn",                LESSER,  "lossOut"},
    {"loss*",                ALWAYS,   "tcpLossIn|tcpRetransmits|tcpReordered|*Slow|tcpRttLong|"
                                       "dnsLatency"},
    {"loss*",                MINOR,    "tcpSynRetried|tcpNoAnswer|dnsRetried|dnsUnanswered|dnsSlow|"
                                       "udpNoAnswer|echoUnanswered|neighbourUnanswered|tcpReset*|"
                                       "tlsSilent|tlsClosed*|tlsReset*"},
    {"reordering*",          ALWAYS,   "tcpRetransmits|tcpLossIn|tcpReordered|tcpFirstByteSlow|"
                                       "tcpServiceSlow"},
    {"tcpRetransmits",       ALWAYS,   "tcpReordered"},
    {"tcpLossIn",            ALWAYS,   "tcpReordered"},
    /* the path is slow: everything over it is */
    {"tcpHandshakeSlow",     ALWAYS,   "tcpHandshakeInSlow|tcpRttLong|echoSlow|tlsHandshakeSlow|"
                                       "tcpFirstByteSlow|dnsLatency|udpResponseSlow|neighbourSlow|"
                                       "tcpSynRetried|dnsRetried"},
    {"tcpHandshakeInSlow",   ALWAYS,   "tcpRttLong|neighbourSlow|tcpServiceSlow"},
    {"echoSlow",             ALWAYS,   "tcpRttLong|dnsLatency|udpResponseSlow"},
    {"tcpRttLong",           ALWAYS,   "tlsHandshakeSlow|udpResponseSlow"},
    {"tcpServiceSlow",       ALWAYS,   "tcpRttLong|traffic*"},
    {"tcpFirstByteSlow",     ALWAYS,   "tlsHandshakeSlow|tcpRttLong"},
    {"tlsHandshakeSlow",     ALWAYS,   "tcpRttLong|tcpFirstByteSlow"},
    /* names */
    {"dnsUnanswered",        ALWAYS,   "dnsRetried|dnsSlow|dnsLatency|resolverOnlyHere|icmpSent"},
    {"dnsUnanswered",        MINOR,    "dnsServfail"},
    {"dnsServfail",          ALWAYS,   "dnsRetried|dnsLatency|dnsSlow|resolverOnlyHere"},
    {"dnsRefused",           ALWAYS,   "dnsRetried|dnsLatency|dnsSlow|resolverOnlyHere"},
    {"dnsOtherError",        ALWAYS,   "dnsRetried|dnsLatency|resolverOnlyHere"},
    {"dnsSlow",              ALWAYS,   "dnsLatency|dnsRetried|icmpSent"},
    {"dnsLatency",           ALWAYS,   "dnsRetried"},
    {"dns*",                 SAME_PEER, "resolverOnlyHere"},
    {"dnsNxdomain",          ALWAYS,   "dnsNameOnlyHere|dnsQuestion*"},
    {"dnsTruncated",         ALWAYS,   "dnsLatency|dnsRetried"},
    {"dnsTruncated",         SAME_PEER, "serviceOnlyHere"},
    {"resolverOnlyHere",     ALWAYS,   "resolverNotHere"},
    {"resolverOnlyHere",     SAME_PEER, "dnsLatency|serviceOnlyHere"},
    {"dns*",                 ALWAYS,   "traffic*|*NotHere|icmpSent"},
    /* connections */
    {"tls*",                 ALWAYS,   "tcpReset*|tlsServerOnlyHere|traffic*|*NotHere"},
    {"tlsAlert*",            ALWAYS,   "tlsClosed*|tlsReset*|tlsHandshakeSlow|tlsChoice*|alpn*"},
    {"tlsReset*",            ALWAYS,   "tlsClosed*|tlsHandshakeSlow"},
    {"tls*",                 SAME_PEER, "serviceOnlyHere"},
    {"tcpNoAnswer",          ALWAYS,   "tcpSynRetried|tcpHandshakeSlow"},
    {"tcpNoAnswer",          MINOR,    "tcpReset*"},
    {"tcpRefused",           ALWAYS,   "tcpSynRetried|tcpReset*"},
    {"tcp*",                 SAME_PEER, "serviceOnlyHere"},
    {"udpNoAnswer",          SAME_PEER, "serviceOnlyHere"},
    {"serviceOnlyHere",      SAME_PEER, "peerOnlyHere|tcpHandshakeSlow"},
    {"serviceOnlyHere",      ALWAYS,   "serviceNotHere|tlsServerOnlyHere|dnsNameOnlyHere|traffic*"},
    {"tcp*",                 ALWAYS,   "traffic*|*NotHere"},
    {"icmp*",                ALWAYS,   "traffic*|*NotHere"},
    {"udpNoAnswer",          ALWAYS,   "traffic*|*NotHere"},
    {"loss*",                ALWAYS,   "traffic*|*NotHere"},
    {"reordering*",          ALWAYS,   "traffic*|*NotHere"},
};
// clang-format on

/* Facts that go with a trouble, by section and a word of the key ("" = any): named in its sentence. */
typedef struct fact_relation {
    fc_section section;
    const char *word, *symptom;
} fact_relation;

// clang-format off
static const fact_relation fact_relations[] = {
    {FC_SECTION_RESOLVER, "nameserver", "dns*"},
    {FC_SECTION_RESOLVER, "nameserver", "resolver*"},
    {FC_SECTION_RESOLVER, "search",     "dnsNxdomain"},
    {FC_SECTION_RESOLVER, "options",    "dns*"},
    {FC_SECTION_HOST,     "",           "service*"},
    {FC_SECTION_HOST,     "nsswitch",   "dns*"},
    {FC_SECTION_ROUTE,    "",           "neighbourUnanswered"},
    {FC_SECTION_ROUTE,    "",           "icmp*"},
    {FC_SECTION_ROUTE,    "",           "tcpNoAnswer"},
    {FC_SECTION_ROUTE,    "",           "tcpBlackHole"},
    {FC_SECTION_ROUTE,    "",           "tcpHandshakeSlow"},
    {FC_SECTION_ROUTE,    "",           "silent"},
    {FC_SECTION_RULE,     "",           "icmp*"},
    {FC_SECTION_RULE,     "",           "tcpNoAnswer"},
    {FC_SECTION_LINK,     "mtu",        "tcpBlackHole"},
    {FC_SECTION_LINK,     "mtu",        "icmpTooBig"},
    {FC_SECTION_LINK,     "mtu",        "loss*"},
    {FC_SECTION_LINK,     "state",      "silent"},
    {FC_SECTION_LINK,     "duplex",     "loss*"},
    {FC_SECTION_LINK,     "qdisc",      "loss*"},
    {FC_SECTION_LINK,     "qdisc",      "*Slow"},
    {FC_SECTION_LINK,     "qdisc",      "reordering*"},
    {FC_SECTION_FIREWALL, "",           "tcpNoAnswer"},
    {FC_SECTION_FIREWALL, "",           "tcpRefused"},
    {FC_SECTION_FIREWALL, "",           "icmpProhibited"},
    {FC_SECTION_FIREWALL, "",           "icmpUnreachable"},
    {FC_SECTION_FIREWALL, "",           "dnsUnanswered"},
    {FC_SECTION_FIREWALL, "",           "udpNoAnswer"},
    {FC_SECTION_FIREWALL, "",           "loss*"},
    {FC_SECTION_FIREWALL, "",           "tcpHalfOpen"},
    {FC_SECTION_FIREWALL, "",           "silent"},
    {FC_SECTION_SYSCTL,   "mtu",        "tcpBlackHole"},
    {FC_SECTION_SYSCTL,   "rmem",       "tcpZeroWindow*"},
    {FC_SECTION_SYSCTL,   "syn_backlog", "tcpNoAnswerLocal"},
    {FC_SECTION_LINK_COUNTER, "",       "loss*"},
    {FC_SECTION_CLOCK,    "",           "tlsAlert*"},
};
// clang-format on

static bool
one_matches(const char *pattern, size_t length, const char *id)
{
    size_t id_length;
    if (*pattern != '*' && *pattern != *id)
        return false;
    id_length = strlen(id);
    if (*pattern == '*')
        return id_length >= length - 1 && memcmp(id + id_length - (length - 1), pattern + 1, length - 1) == 0;
    if (pattern[length - 1] == '*')
        return strncmp(pattern, id, length - 1) == 0;
    return id_length == length && memcmp(pattern, id, length) == 0;
}

static bool
id_matches(const char *patterns, const char *id)
{
    for (const char *at = patterns;;) {
        const char *end = strchr(at, '|');
        size_t length = end != NULL ? (size_t)(end - at) : strlen(at);
        if (one_matches(at, length, id))
            return true;
        if (end == NULL)
            return false;
        at = end + 1;
    }
}

static bool
same_address(const char *a, const char *b)
{
    fc_address x, y;
    uint16_t port;
    if (strcmp(a, b) == 0)
        return true;
    return fc_endpoint_parse(a, &x, &port) && fc_endpoint_parse(b, &y, &port) &&
           fc_address_compare(&x, &y) == 0;
}

/* x of n: how many of what an instance did. */
typedef double
count_fn(const fc_instance_features *features);

static double
sending_again(const fc_instance_features *features)
{
    return (double)features->troubles[FC_TROUBLE_TCP_RETRANSMITS].count;
}

static double
sent_to_again(const fc_instance_features *features)
{
    return (double)features->troubles[FC_TROUBLE_TCP_LOSS_IN].count;
}

static double
connections(const fc_instance_features *features)
{
    return (double)features->counters[FC_COUNTER_TCP_CONVERSATIONS];
}

static double
asked_again(const fc_instance_features *features)
{
    return (double)features->counters[FC_COUNTER_DNS_RETRIES] +
           (double)features->counters[FC_COUNTER_TCP_SYN_RETRANSMITTED];
}

static double
asked(const fc_instance_features *features)
{
    return (double)features->counters[FC_COUNTER_DNS_QUERIES] +
           (double)features->counters[FC_COUNTER_TCP_CONVERSATIONS];
}

/* What an instance has of x less what its peers would have of it, had they done as much: what all have
 * explains nothing about one. */
static double
beyond_peers(const fc_comparer *comparer, size_t instance, count_fn *x, count_fn *n)
{
    double peers_x = 0, peers_n = 0;
    for (size_t k = 0; k < comparer->norm_count; k++) {
        const fc_instance_features *peer = &comparer->features[comparer->norms[k]];
        if (comparer->norms[k] == instance)
            continue;
        peers_x += x(peer);
        peers_n += n(peer);
    }
    const fc_instance_features *own = &comparer->features[instance];
    return x(own) - (peers_n > 0 ? peers_x / peers_n * n(own) : 0);
}

/* Are the connections of this trouble most of those, beyond the peers', on which something was sent again? */
static bool
is_most(const fc_comparer *comparer, const fc_suspicion *suspicion)
{
    double out = beyond_peers(comparer, suspicion->instance, sending_again, connections);
    double in = beyond_peers(comparer, suspicion->instance, sent_to_again, connections);
    return (double)suspicion->x >= floor(fmax(out, in) / 2);
}

/* What has no sequence numbers is asked again when it is lost, not when it is late. */
static bool
loses_datagrams(const fc_comparer *comparer, const fc_suspicion *suspicion)
{
    return beyond_peers(comparer, suspicion->instance, asked_again, asked) >= LOST_DATAGRAMS_MIN;
}

static bool
holds(const fc_comparer *comparer, const relation *rule, const fc_suspicion *cause,
      const fc_suspicion *symptom)
{
    if (!id_matches(rule->cause, cause->id) || !id_matches(rule->symptoms, symptom->id))
        return false;
    switch (rule->needs) {
    case ALWAYS:
        return true;
    case SAME_PEER:
        return symptom->peer == NULL || (cause->peer != NULL && same_address(cause->peer, symptom->peer));
    case MINOR:
        /* All connections to one remote end failed, or all failed: a part of the packets does not do that. */
        return symptom->x <= symptom->n / 2 &&
               (symptom->peer_total == 0 || symptom->peer_hits <= symptom->peer_total / 2);
    case LESSER:
        return symptom->value <= cause->value;
    case MOST:
        return is_most(comparer, cause);
    case LEAST:
        return !is_most(comparer, symptom);
    case FEWER:
        return symptom->x < cause->x / 5;
    case ROUGHLY:
        return symptom->x / 5 <= cause->x && !loses_datagrams(comparer, cause);
    }
    return false;
}

static bool
explains(const fc_comparer *comparer, size_t cause, size_t symptom)
{
    /* Never in a circle. */
    for (size_t at = cause; at != SIZE_MAX; at = comparer->suspicions[at].cause)
        if (at == symptom)
            return false;
    return true;
}

static bool
may_be_cause(const fc_suspicion *suspicion)
{
    return !suspicion->shared && (suspicion->severity > FC_SEVERITY_INFO || suspicion->deep);
}

/* The first relation that fits decides. causes: those of the same instance that may be one. */
static void
find_cause(fc_comparer *comparer, const size_t *causes, size_t count, size_t symptom)
{
    fc_suspicion *suspicions = comparer->suspicions;
    for (size_t r = 0; r < FC_COUNT(relations); r++) {
        if (!id_matches(relations[r].symptoms, suspicions[symptom].id))
            continue;
        for (size_t c = 0; c < count; c++) {
            if (causes[c] == symptom ||
                !holds(comparer, &relations[r], &suspicions[causes[c]], &suspicions[symptom]) ||
                !explains(comparer, causes[c], symptom))
                continue;
            suspicions[symptom].cause = causes[c];
            return;
        }
    }
}

/* What comes from packets: facts and captures are in no relation. */
static bool
is_traffic(const fc_suspicion *suspicion)
{
    return suspicion->category != FC_CATEGORY_CONTEXT && suspicion->category != FC_CATEGORY_CAPTURE;
}

static void
find_causes(fc_comparer *comparer, const size_t *own, size_t count)
{
    size_t *causes = fc_alloc_array(count + 1, sizeof *causes), found = 0;
    for (size_t s = 0; s < count; s++)
        if (is_traffic(&comparer->suspicions[own[s]]) && may_be_cause(&comparer->suspicions[own[s]]))
            causes[found++] = own[s];
    for (size_t s = 0; s < count && found > 0; s++)
        if (is_traffic(&comparer->suspicions[own[s]]) && !comparer->suspicions[own[s]].shared)
            find_cause(comparer, causes, found, own[s]);
    free(causes);
}

/* An exclusive remote end belongs into the sentence of what goes wrong with it. */
static void
mark_own_peers(fc_comparer *comparer, const size_t *own, size_t count)
{
    for (size_t t = 0; t < count; t++) {
        fc_suspicion *trouble = &comparer->suspicions[own[t]];
        if (trouble->kind != FC_SUSPICION_TROUBLE && trouble->kind != FC_SUSPICION_LATENCY)
            continue;
        for (size_t s = 0; s < count && trouble->peer != NULL; s++) {
            fc_suspicion *set = &comparer->suspicions[own[s]];
            if (set->kind != FC_SUSPICION_SET_ONLY || set->peer_count < 2 || set->peer == NULL ||
                (set->index != FC_TABLE_RESOLVERS && set->index != FC_TABLE_SERVICES &&
                 set->index != FC_TABLE_PEERS))
                continue;
            bool dns = trouble->category == FC_CATEGORY_DNS;
            if (dns == (set->index == FC_TABLE_RESOLVERS) && same_address(set->peer, trouble->peer))
                trouble->peer_is_own = true;
        }
    }
}

/* Names that do not exist and that nobody else asks for: a wrong search list. */
static void
mark_own_names(fc_comparer *comparer, const size_t *own, size_t count)
{
    for (size_t t = 0; t < count; t++) {
        fc_suspicion *trouble = &comparer->suspicions[own[t]];
        if (trouble->kind != FC_SUSPICION_TROUBLE || trouble->index != FC_TROUBLE_DNS_NXDOMAIN)
            continue;
        for (size_t s = 0; s < count && trouble->names_under == NULL; s++) {
            const fc_suspicion *set = &comparer->suspicions[own[s]];
            if (set->kind == FC_SUSPICION_SET_ONLY && set->index == FC_TABLE_DNS_NAMES &&
                set->entry != NULL && set->entry->sum.count * 2 >= trouble->x)
                trouble->names_under = set->entry->key;
        }
    }
}

/* "10.0.0.0/8 is …": is the address in it? A subject that does not begin with a prefix is about all
 * addresses. */
static bool
prefix_has(const char *subject, const char *peer)
{
    char host[FC_ADDRESS_TEXT];
    size_t length = strcspn(subject, "/ ");
    fc_address network, address;
    uint16_t port;
    if (subject[length] != '/' || length >= sizeof host || peer == NULL ||
        !fc_endpoint_parse(peer, &address, &port))
        return true;
    memcpy(host, subject, length);
    host[length] = '\0';
    unsigned long bits = strtoul(subject + length + 1, NULL, 10);
    if (!fc_address_parse(host, &network))
        return true;
    if (network.family != address.family || bits > (network.family == 4 ? 32 : 128))
        return false;
    for (unsigned long bit = 0; bit < bits; bit++)
        if (((network.bytes[bit / 8] ^ address.bytes[bit / 8]) >> (7 - bit % 8) & 1) != 0)
            return false;
    return true;
}

static bool
fact_tells(const fact_relation *rule, const fc_suspicion *fact, const fc_suspicion *symptom)
{
    return is_traffic(symptom) && symptom->severity > FC_SEVERITY_INFO && symptom->cause == SIZE_MAX &&
           symptom->because == NULL && !symptom->shared && id_matches(rule->symptom, symptom->id) &&
           (rule->section != FC_SECTION_ROUTE || prefix_has(fact->subject, symptom->peer));
}

/* The worst trouble that the fact goes with; SIZE_MAX = none. */
static size_t
find_symptom(const fc_comparer *comparer, const fc_suspicion *fact, const size_t *own, size_t count)
{
    size_t best = SIZE_MAX;
    for (size_t r = 0; r < FC_COUNT(fact_relations); r++) {
        const fact_relation *rule = &fact_relations[r];
        if ((int)rule->section != fact->index || strstr(fact->subject, rule->word) == NULL)
            continue;
        for (size_t s = 0; s < count; s++)
            if (fact_tells(rule, fact, &comparer->suspicions[own[s]]) &&
                (best == SIZE_MAX ||
                 comparer->suspicions[own[s]].severity > comparer->suspicions[best].severity))
                best = own[s];
    }
    return best;
}

static void
attach_facts(fc_comparer *comparer, const size_t *own, size_t count)
{
    for (size_t f = 0; f < count; f++) {
        fc_suspicion *fact = &comparer->suspicions[own[f]];
        bool is_fact = fact->kind == FC_SUSPICION_FACT || fact->kind == FC_SUSPICION_GROWTH ||
                       fact->kind == FC_SUSPICION_CHANGED;
        size_t best = is_fact && fact->severity > FC_SEVERITY_INFO ? find_symptom(comparer, fact, own, count)
                                                                   : SIZE_MAX;
        if (best == SIZE_MAX)
            continue;
        comparer->suspicions[best].because = fact->usual != NULL
                                                 ? fc_sprintf("%s; its peers: %s", fact->subject, fact->usual)
                                                 : fc_strdup(fact->subject);
        fact->cause = best; /* told there: it is the reason, but the symptom is what hurts */
    }
}

/* Symptoms of a symptom belong to the first cause; what was not proven by itself is by what it explains. */
static void
link_symptoms(fc_comparer *comparer, const size_t *own, size_t count)
{
    for (size_t s = count; s-- > 0;) {
        fc_suspicion *symptom = &comparer->suspicions[own[s]];
        if (symptom->cause == SIZE_MAX)
            continue;
        size_t root = symptom->cause;
        while (comparer->suspicions[root].cause != SIZE_MAX)
            root = comparer->suspicions[root].cause;
        fc_suspicion *cause = &comparer->suspicions[root];
        if (cause->deep && cause->severity < symptom->severity)
            cause->severity = (fc_severity)fc_trouble_names[cause->index].severity;
        symptom->cause = root;
        symptom->next_symptom = cause->first_symptom;
        cause->first_symptom = own[s];
        cause->symptom_count++;
    }
    for (size_t s = 0; s < count; s++)
        if (comparer->suspicions[own[s]].cause != SIZE_MAX)
            comparer->suspicions[own[s]].severity = FC_SEVERITY_INFO;
}

static void
fold_instance(fc_comparer *comparer, const size_t *own, size_t count)
{
    find_causes(comparer, own, count);
    mark_own_peers(comparer, own, count);
    mark_own_names(comparer, own, count);
    attach_facts(comparer, own, count);
    link_symptoms(comparer, own, count);
}

static int
compare_owners(const void *a, const void *b, void *user)
{
    const fc_suspicion *suspicions = user;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    if (suspicions[x].instance != suspicions[y].instance)
        return suspicions[x].instance < suspicions[y].instance ? -1 : 1;
    return x < y ? -1 : x > y;
}

void
fc_causes_fold(fc_comparer *comparer)
{
    size_t *order = fc_alloc_array(comparer->suspicion_count + 1, sizeof *order);
    for (size_t i = 0; i < comparer->suspicion_count; i++)
        order[i] = i;
    qsort_r(order, comparer->suspicion_count, sizeof *order, compare_owners, comparer->suspicions);
    for (size_t first = 0, end; first < comparer->suspicion_count; first = end) {
        for (end = first + 1;
             end < comparer->suspicion_count &&
             comparer->suspicions[order[end]].instance == comparer->suspicions[order[first]].instance;)
            end++;
        fold_instance(comparer, order + first, end - first);
    }
    free(order);
}
