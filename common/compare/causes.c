/* causes.c: which suspicion explains which: the report names the cause, and its symptoms below it. */
#include "common/base/mem.h"
#include "common/compare/internal.h"

#include <stdlib.h>
#include <string.h>

typedef enum relation_needs {
    ALWAYS,
    SAME_PEER, /* both are about the same remote address, or the symptom about none in particular */
    MINOR,     /* the symptom is the lesser part: below half of all */
    LESSER,    /* the symptom's value is below the cause's */
    MOST,      /* most of the connections with retransmissions are the cause's */
    LEAST,     /* they are not */
    WITHIN,    /* the symptom has at most twice the cause's events */
} relation_needs;

typedef struct relation {
    const char *cause, *symptom; /* ids; "x*" = all that begin with x */
    relation_needs needs;
} relation;

/* Read from the top: the first relation by which something explains a suspicion is taken, so deeper causes
 * come first. */
// clang-format off
static const relation relations[] = {
    /* nothing gets there at all */
    {"silent",              "traffic*",            ALWAYS},
    {"silent",              "*NotHere",            ALWAYS},
    {"neighbourUnanswered", "silent",              ALWAYS},
    {"neighbourUnanswered", "tcpNoAnswer",         ALWAYS},
    {"neighbourUnanswered", "tcpSynRetried",       ALWAYS},
    {"neighbourUnanswered", "tcpHalfOpen",         ALWAYS},
    {"neighbourUnanswered", "tcpLoss*",            ALWAYS},
    {"neighbourUnanswered", "tcpRetransmits",      ALWAYS},
    {"neighbourUnanswered", "dnsUnanswered",       ALWAYS},
    {"neighbourUnanswered", "dnsRetried",          ALWAYS},
    {"neighbourUnanswered", "udpNoAnswer",         ALWAYS},
    {"neighbourUnanswered", "icmp*",               ALWAYS},
    {"neighbourUnanswered", "echoUnanswered",      ALWAYS},
    {"neighbourUnanswered", "traffic*",            ALWAYS},
    {"neighbourUnanswered", "*NotHere",            ALWAYS},
    {"neighbourUnanswered", "*Slow",               ALWAYS},
    /* a firewall or router says why */
    {"icmpProhibited",      "icmpUnreachable",     ALWAYS},
    {"icmpProhibited",      "tcpNoAnswer",         SAME_PEER},
    {"icmpProhibited",      "tcpRefused",          SAME_PEER},
    {"icmpProhibited",      "tcpSynRetried",       SAME_PEER},
    {"icmpProhibited",      "udpNoAnswer",         SAME_PEER},
    {"icmpProhibited",      "dnsUnanswered",       SAME_PEER},
    {"icmpProhibited",      "dnsRetried",          SAME_PEER},
    {"icmpProhibited",      "echoUnanswered",      SAME_PEER},
    {"icmpUnreachable",     "tcpNoAnswer",         SAME_PEER},
    {"icmpUnreachable",     "tcpRefused",          SAME_PEER},
    {"icmpUnreachable",     "tcpSynRetried",       SAME_PEER},
    {"icmpUnreachable",     "udpNoAnswer",         SAME_PEER},
    {"icmpUnreachable",     "dnsUnanswered",       SAME_PEER},
    {"icmpUnreachable",     "dnsRetried",          SAME_PEER},
    {"icmpUnreachable",     "echoUnanswered",      SAME_PEER},
    {"icmpTimeExceeded",    "tcpNoAnswer",         SAME_PEER},
    {"icmpTimeExceeded",    "udpNoAnswer",         SAME_PEER},
    {"icmpTimeExceeded",    "dnsUnanswered",       SAME_PEER},
    {"icmpTooBig",          "tcpBlackHole",        ALWAYS},
    {"icmpTooBig",          "tcpLoss*",            ALWAYS},
    {"icmpTooBig",          "tcpRetransmits",      ALWAYS},
    {"icmpTooBig",          "tcpHalfOpen",         ALWAYS},
    {"icmpTooBig",          "tcpReorder*",         ALWAYS},
    {"icmpTooBig",          "icmpUnreachable",     ALWAYS},
    {"icmpTooBig",          "*Slow",               ALWAYS},
    /* only what is large is lost */
    {"tcpBlackHole",        "tcpHalfOpen",         ALWAYS},
    {"tcpBlackHole",        "tcpLoss*",            MOST},
    {"tcpBlackHole",        "tcpRetransmits",      MOST},
    {"tcpBlackHole",        "tcpReset*",           ALWAYS},
    {"tcpBlackHole",        "tcpReorder*",         ALWAYS},
    {"tcpBlackHole",        "tls*",                ALWAYS},
    {"tcpBlackHole",        "*Slow",               ALWAYS},
    {"tcpBlackHole",        "tcpZeroWindow*",      MINOR},
    /* nobody reads */
    {"tcpZeroWindowLocal",  "tcpLoss*",            ALWAYS},
    {"tcpZeroWindowLocal",  "tcpRetransmits",      ALWAYS},
    {"tcpZeroWindowLocal",  "tcpHalfOpen",         ALWAYS},
    {"tcpZeroWindowLocal",  "tcpReset*",           ALWAYS},
    {"tcpZeroWindowLocal",  "*Slow",               ALWAYS},
    {"tcpZeroWindowLocal",  "tcpRttLong",          ALWAYS},
    {"tcpZeroWindowRemote", "tcpLoss*",            ALWAYS},
    {"tcpZeroWindowRemote", "tcpRetransmits",      ALWAYS},
    {"tcpZeroWindowRemote", "tcpHalfOpen",         ALWAYS},
    {"tcpZeroWindowRemote", "tcpReset*",           ALWAYS},
    {"tcpZeroWindowRemote", "*Slow",               ALWAYS},
    {"tcpZeroWindowRemote", "tcpRttLong",          ALWAYS},
    /* the other side vanished: what was sent again went to it */
    {"tcpHalfOpen",         "tcpLoss*",            MOST},
    {"tcpHalfOpen",         "tcpRetransmits",      MOST},
    {"tcpHalfOpen",         "tcpReset*",           ALWAYS},
    {"tcpHalfOpen",         "tlsSilent",           ALWAYS},
    {"tcpHalfOpen",         "tcpSynRetried",       SAME_PEER},
    {"tcpHalfOpen",         "tcpNoAnswer",         SAME_PEER},
    /* packets get lost */
    {"tcpLoss*",            "tcpBlackHole",        LEAST},
    {"tcpLoss*",            "tcpHalfOpen",         LEAST},
    {"tcpLossOut",          "tcpLossIn",           LESSER},
    {"tcpLossIn",           "tcpLossOut",          LESSER},
    {"tcpLoss*",            "tcpRetransmits",      ALWAYS},
    {"tcpLoss*",            "tcpSynRetried",       MINOR},
    {"tcpLoss*",            "tcpNoAnswer",         MINOR},
    {"tcpLoss*",            "dnsRetried",          MINOR},
    {"tcpLoss*",            "dnsUnanswered",       MINOR},
    {"tcpLoss*",            "dnsSlow",             MINOR},
    {"tcpLoss*",            "udpNoAnswer",         MINOR},
    {"tcpLoss*",            "echoUnanswered",      MINOR},
    {"tcpLoss*",            "neighbourUnanswered", MINOR},
    {"tcpLoss*",            "tcpReset*",           MINOR},
    {"tcpLoss*",            "tlsSilent",           MINOR},
    {"tcpLoss*",            "tlsClosed*",          MINOR},
    {"tcpLoss*",            "*Slow",               ALWAYS},
    {"tcpLoss*",            "tcpRttLong",          ALWAYS},
    {"tcpLoss*",            "dnsLatency",          ALWAYS},
    {"tcpLossIn",           "tcpReordered",        ALWAYS},
    {"tcpLossIn",           "tcpReorderingIn",     WITHIN},
    {"tcpLossOut",          "tcpReordered",        ALWAYS},
    {"tcpLossOut",          "tcpReorderingOut",    WITHIN},
    {"tcpReorderingIn",     "tcpLoss*",            ALWAYS},
    {"tcpReorderingOut",    "tcpLoss*",            ALWAYS},
    {"tcpReordering*",      "tcpRetransmits",      ALWAYS},
    {"tcpReordering*",      "tcpReordered",        ALWAYS},
    {"tcpRetransmits",      "tcpReordered",        ALWAYS},
    /* the path is slow: everything over it is */
    {"tcpHandshakeSlow",    "tcpHandshakeInSlow",  ALWAYS},
    {"tcpHandshakeSlow",    "tcpRttLong",          ALWAYS},
    {"tcpHandshakeSlow",    "echoSlow",            ALWAYS},
    {"tcpHandshakeSlow",    "tlsHandshakeSlow",    ALWAYS},
    {"tcpHandshakeSlow",    "tcpFirstByteSlow",    ALWAYS},
    {"tcpHandshakeSlow",    "dnsLatency",          ALWAYS},
    {"tcpHandshakeSlow",    "udpResponseSlow",     ALWAYS},
    {"tcpHandshakeSlow",    "neighbourSlow",       ALWAYS},
    {"tcpHandshakeSlow",    "tcpSynRetried",       ALWAYS},
    {"tcpHandshakeSlow",    "tcpReordering*",      ALWAYS},
    {"tcpHandshakeInSlow",  "tcpRttLong",          ALWAYS},
    {"tcpHandshakeInSlow",  "neighbourSlow",       ALWAYS},
    {"echoSlow",            "tcpRttLong",          ALWAYS},
    {"echoSlow",            "dnsLatency",          ALWAYS},
    {"echoSlow",            "udpResponseSlow",     ALWAYS},
    {"tcpRttLong",          "tlsHandshakeSlow",    ALWAYS},
    {"tcpRttLong",          "tcpFirstByteSlow",    ALWAYS},
    {"tcpRttLong",          "udpResponseSlow",     ALWAYS},
    {"tlsHandshakeSlow",    "tcpRttLong",          ALWAYS},
    /* names */
    {"dnsUnanswered",       "dnsRetried",          ALWAYS},
    {"dnsUnanswered",       "dnsSlow",             ALWAYS},
    {"dnsUnanswered",       "dnsLatency",          ALWAYS},
    {"dnsUnanswered",       "dnsServfail",         MINOR},
    {"dnsUnanswered",       "resolverOnlyHere",    ALWAYS},
    {"dnsUnanswered",       "icmpSent",            ALWAYS},
    {"dnsServfail",         "dnsRetried",          ALWAYS},
    {"dnsServfail",         "dnsLatency",          ALWAYS},
    {"dnsServfail",         "resolverOnlyHere",    ALWAYS},
    {"dnsRefused",          "dnsRetried",          ALWAYS},
    {"dnsRefused",          "dnsLatency",          ALWAYS},
    {"dnsRefused",          "resolverOnlyHere",    ALWAYS},
    {"dnsOtherError",       "dnsRetried",          ALWAYS},
    {"dnsOtherError",       "resolverOnlyHere",    ALWAYS},
    {"dnsSlow",             "dnsLatency",          ALWAYS},
    {"dnsSlow",             "dnsRetried",          ALWAYS},
    {"dnsSlow",             "resolverOnlyHere",    SAME_PEER},
    {"dnsSlow",             "icmpSent",            ALWAYS},
    {"dnsLatency",          "dnsRetried",          ALWAYS},
    {"dnsLatency",          "resolverOnlyHere",    SAME_PEER},
    {"dnsNxdomain",         "dnsNameOnlyHere",     ALWAYS},
    {"dnsNxdomain",         "dnsQuestion*",        ALWAYS},
    {"dnsNxdomain",         "resolverOnlyHere",    SAME_PEER},
    {"dnsTruncated",        "dnsLatency",          ALWAYS},
    {"dnsTruncated",        "dnsRetried",          ALWAYS},
    {"dnsTruncated",        "serviceOnlyHere",     SAME_PEER},
    {"dns*",                "traffic*",            ALWAYS},
    {"dnsUnanswered",       "*NotHere",            ALWAYS},
    {"dnsServfail",         "*NotHere",            ALWAYS},
    {"dnsNxdomain",         "*NotHere",            ALWAYS},
    {"dnsRefused",          "*NotHere",            ALWAYS},
    {"resolverOnlyHere",    "resolverNotHere",     ALWAYS},
    {"resolverOnlyHere",    "dnsLatency",          SAME_PEER},
    {"resolverOnlyHere",    "serviceOnlyHere",     SAME_PEER},
    /* connections */
    {"tls*",                "tcpReset*",           ALWAYS},
    {"tlsAlert*",           "tlsClosed*",          ALWAYS},
    {"tlsAlert*",           "tlsReset*",           ALWAYS},
    {"tlsAlert*",           "tlsHandshakeSlow",    ALWAYS},
    {"tlsAlert*",           "tlsChoice*",          ALWAYS},
    {"tlsAlert*",           "alpn*",               ALWAYS},
    {"tlsReset*",           "tlsClosed*",          ALWAYS},
    {"tlsReset*",           "tlsHandshakeSlow",    ALWAYS},
    {"tls*",                "serviceOnlyHere",     SAME_PEER},
    {"tls*",                "tlsServerOnlyHere",   ALWAYS},
    {"tls*",                "traffic*",            ALWAYS},
    {"tls*",                "*NotHere",            ALWAYS},
    {"tcpNoAnswer",         "tcpSynRetried",       ALWAYS},
    {"tcpNoAnswer",         "tcpHandshakeSlow",    ALWAYS},
    {"tcpNoAnswer",         "tcpReset*",           MINOR},
    {"tcpRefused",          "tcpSynRetried",       ALWAYS},
    {"tcpRefused",          "tcpReset*",           ALWAYS},
    {"tcpNoAnswer",         "serviceOnlyHere",     SAME_PEER},
    {"tcpRefused",          "serviceOnlyHere",     SAME_PEER},
    {"udpNoAnswer",         "serviceOnlyHere",     SAME_PEER},
    {"icmpProhibited",      "serviceOnlyHere",     SAME_PEER},
    {"icmpUnreachable",     "serviceOnlyHere",     SAME_PEER},
    {"tcpReset*",           "serviceOnlyHere",     SAME_PEER},
    {"serviceOnlyHere",     "peerOnlyHere",        SAME_PEER},
    {"serviceOnlyHere",     "serviceNotHere",      ALWAYS},
    {"serviceOnlyHere",     "tlsServerOnlyHere",   ALWAYS},
    {"serviceOnlyHere",     "tcpHandshakeSlow",    SAME_PEER},
    {"tcp*",                "traffic*",            ALWAYS},
    {"tcpNoAnswer",         "*NotHere",            ALWAYS},
    {"tcpRefused",          "*NotHere",            ALWAYS},
    {"icmp*",               "traffic*",            ALWAYS},
    {"icmp*",               "*NotHere",            ALWAYS},
    {"tcpLoss*",            "*NotHere",            ALWAYS},
    {"tcpServiceSlow",      "tcpRttLong",          ALWAYS},
    {"tcpServiceSlow",      "traffic*",            ALWAYS},
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
    {FC_SECTION_LINK,     "mtu",        "tcpLoss*"},
    {FC_SECTION_LINK,     "state",      "silent"},
    {FC_SECTION_LINK,     "duplex",     "tcpLoss*"},
    {FC_SECTION_LINK,     "qdisc",      "tcpLoss*"},
    {FC_SECTION_LINK,     "qdisc",      "*Slow"},
    {FC_SECTION_LINK,     "qdisc",      "tcpReorder*"},
    {FC_SECTION_FIREWALL, "",           "tcpNoAnswer"},
    {FC_SECTION_FIREWALL, "",           "tcpRefused"},
    {FC_SECTION_FIREWALL, "",           "icmpProhibited"},
    {FC_SECTION_FIREWALL, "",           "icmpUnreachable"},
    {FC_SECTION_FIREWALL, "",           "dnsUnanswered"},
    {FC_SECTION_FIREWALL, "",           "udpNoAnswer"},
    {FC_SECTION_FIREWALL, "",           "tcpLoss*"},
    {FC_SECTION_FIREWALL, "",           "tcpHalfOpen"},
    {FC_SECTION_FIREWALL, "",           "silent"},
    {FC_SECTION_SYSCTL,   "mtu",        "tcpBlackHole"},
    {FC_SECTION_SYSCTL,   "rmem",       "tcpZeroWindow*"},
    {FC_SECTION_SYSCTL,   "syn_backlog", "tcpNoAnswerLocal"},
    {FC_SECTION_LINK_COUNTER, "",       "tcpLoss*"},
    {FC_SECTION_CLOCK,    "",           "tlsAlert*"},
};
// clang-format on

static bool
id_matches(const char *pattern, const char *id)
{
    size_t length = strlen(pattern), id_length = strlen(id);
    if (*pattern == '*')
        return id_length >= length - 1 && strcmp(id + id_length - (length - 1), pattern + 1) == 0;
    return pattern[length - 1] == '*' ? strncmp(pattern, id, length - 1) == 0 : strcmp(pattern, id) == 0;
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

/* Are the connections of this trouble most of those on which something was sent again? */
static bool
is_most(const fc_comparer *comparer, const fc_suspicion *suspicion)
{
    const fc_feature_trouble *troubles = comparer->features[suspicion->instance].troubles;
    uint64_t out = troubles[FC_TROUBLE_TCP_RETRANSMITS].count, in = troubles[FC_TROUBLE_TCP_LOSS_IN].count;
    return suspicion->x >= (out > in ? out : in) / 2;
}

static bool
holds(const fc_comparer *comparer, const relation *rule, const fc_suspicion *cause,
      const fc_suspicion *symptom)
{
    if (!id_matches(rule->cause, cause->id) || !id_matches(rule->symptom, symptom->id))
        return false;
    switch (rule->needs) {
    case ALWAYS:
        return true;
    case SAME_PEER:
        return symptom->peer == NULL || (cause->peer != NULL && same_address(cause->peer, symptom->peer));
    case MINOR:
        return symptom->n == 0 || symptom->x <= symptom->n / 2 || symptom->surprise * 2 < cause->surprise;
    case LESSER:
        return symptom->value <= cause->value;
    case MOST:
        return is_most(comparer, cause);
    case LEAST:
        return !is_most(comparer, symptom);
    case WITHIN:
        return symptom->x / 2 <= cause->x;
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

/* The first relation that fits decides. first, end: the suspicions of one instance. */
static void
find_cause(fc_comparer *comparer, const size_t *own, size_t count, size_t symptom)
{
    fc_suspicion *suspicions = comparer->suspicions;
    for (size_t r = 0; r < FC_COUNT(relations); r++) {
        if (!id_matches(relations[r].symptom, suspicions[symptom].id))
            continue;
        for (size_t c = 0; c < count; c++) {
            if (own[c] == symptom || !may_be_cause(&suspicions[own[c]]) ||
                !holds(comparer, &relations[r], &suspicions[own[c]], &suspicions[symptom]) ||
                !explains(comparer, own[c], symptom))
                continue;
            suspicions[symptom].cause = own[c];
            return;
        }
    }
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

static void
attach_facts(fc_comparer *comparer, const size_t *own, size_t count)
{
    for (size_t f = 0; f < count; f++) {
        fc_suspicion *fact = &comparer->suspicions[own[f]];
        if ((fact->kind != FC_SUSPICION_FACT && fact->kind != FC_SUSPICION_GROWTH &&
             fact->kind != FC_SUSPICION_CHANGED) ||
            fact->severity == FC_SEVERITY_INFO)
            continue;
        size_t best = SIZE_MAX;
        for (size_t r = 0; r < FC_COUNT(fact_relations); r++) {
            const fact_relation *rule = &fact_relations[r];
            if ((int)rule->section != fact->index || strstr(fact->subject, rule->word) == NULL)
                continue;
            for (size_t s = 0; s < count; s++) {
                const fc_suspicion *symptom = &comparer->suspicions[own[s]];
                if (own[s] != own[f] && symptom->severity > FC_SEVERITY_INFO && symptom->cause == SIZE_MAX &&
                    symptom->because == NULL && id_matches(rule->symptom, symptom->id) &&
                    (best == SIZE_MAX || symptom->severity > comparer->suspicions[best].severity))
                    best = own[s];
            }
        }
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
    for (size_t s = 0; s < count; s++)
        if (!comparer->suspicions[own[s]].shared)
            find_cause(comparer, own, count, own[s]);
    mark_own_peers(comparer, own, count);
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
