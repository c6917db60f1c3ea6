/* rates.c: troubles and packet rates, judged against the peers' with a test that respects small numbers. */
#include "common/compare/internal.h"
#include "common/compare/rules.h"

#include <math.h>

/* Rates count as far when their odds are this many times the odds of the peers' median. */
#define ODDS_RATIO 3.0
/* Spreads (of the peers' rates) that a rate must be above their median. */
#define SPREADS 4.0
/* Two that go to the same place are soon found, where many do. */
enum { PEERS_LOOKED_AT = 64 };
/* Seen this strongly, and on this part of all, a mere note becomes a warning. */
#define STRONG_SURPRISE 6.0
#define STRONG_RATE     0.5

/* What is counted: a trouble or a rate rule. */
typedef struct counted {
    int trouble; /* fc_trouble_id; FC_COMPARE_NONE */
    const fc_rate_rule *rate;
} counted;

/* SYNs sent again are counted apart, but for both directions together: they are shared out as the connections
 * are that needed them, or else as all connections are. */
static uint64_t
syns_sent_again(const fc_instance_features *features, fc_counter opened)
{
    double out = (double)features->troubles[FC_TROUBLE_TCP_NO_ANSWER].count +
                 (double)features->troubles[FC_TROUBLE_TCP_SYN_RETRIED].count;
    double in = (double)features->troubles[FC_TROUBLE_TCP_NO_ANSWER_LOCAL].count;
    if (out + in == 0) {
        out = (double)features->counters[FC_COUNTER_TCP_OPENED_OUT];
        in = (double)features->counters[FC_COUNTER_TCP_OPENED_IN];
    }
    double part = opened == FC_COUNTER_TCP_OPENED_OUT ? out : in;
    return out + in > 0 ? (uint64_t)((double)features->counters[FC_COUNTER_TCP_SYN_RETRANSMITTED] *
                                     (part / (out + in)))
                        : 0;
}

static void
count_of(const fc_instance_features *features, const counted *what, uint64_t *ret_x, uint64_t *ret_n)
{
    uint64_t x, n;
    if (what->rate != NULL) {
        uint64_t less =
            what->rate->less != FC_COUNTER_COUNT ? syns_sent_again(features, what->rate->less) : 0;
        x = features->counters[what->rate->hits];
        x = x > less ? x - less : 0;
        n = features->counters[what->rate->total];
    } else {
        x = features->troubles[what->trouble].count;
        n = features->counters[fc_trouble_names[what->trouble].per];
    }
    *ret_x = x;
    *ret_n = n > x ? n : x; /* profiles may lie; a rate is at most 1 */
}

/* The events that count as proof. */
static uint64_t
independent(const fc_instance_features *features, const counted *what, uint64_t x)
{
    if (what->rate == NULL)
        return x;
    uint64_t connections = features->troubles[what->rate->trouble].count, most;
    if (__builtin_mul_overflow(connections, what->rate->per_connection, &most))
        return x;
    return x < most ? x : most;
}

static double
rate_of(const fc_comparer *comparer, size_t instance, const void *what)
{
    uint64_t x, n;
    count_of(&comparer->features[instance], what, &x, &n);
    return n > 0 ? (double)x / (double)n : NAN;
}

static double
odds(double rate)
{
    return rate < 1 ? rate / (1 - rate) : INFINITY;
}

/* Is it far, whatever chance says? */
static bool
is_far(double rate, const fc_spread *peers, double effect)
{
    double median = isfinite(peers->median) ? peers->median : 0;
    double spread = isfinite(peers->mad) ? peers->mad : 0;
    return rate - median >= effect && rate - median >= SPREADS * spread &&
           odds(rate) >= ODDS_RATIO * odds(median);
}

static bool
enough_events(uint64_t x, uint64_t n, uint64_t events_min)
{
    return x >= events_min || (x >= 2 && x == n && events_min <= FC_RULES_EVENTS_MIN);
}

typedef struct pooled {
    uint64_t x, n;
    size_t instances;
} pooled;

static pooled
pool_norm(const fc_comparer *comparer, const counted *what, size_t without)
{
    pooled sum = {0};
    for (size_t k = 0; k < comparer->norm_count; k++) {
        uint64_t x, n;
        if (comparer->norms[k] == without)
            continue;
        count_of(&comparer->features[comparer->norms[k]], what, &x, &n);
        x = independent(&comparer->features[comparer->norms[k]], what, x);
        /* Profiles come from outside: sums of their counters may not wrap. */
        sum.x = __builtin_add_overflow(sum.x, x, &sum.x) ? UINT64_MAX / 2 : sum.x;
        sum.n = __builtin_add_overflow(sum.n, n, &sum.n) ? UINT64_MAX / 2 : sum.n;
        sum.instances += n > 0;
    }
    if (sum.n < sum.x)
        sum.n = sum.x;
    return sum;
}

/* How sure it is that it is no chance. */
typedef enum proof {
    PROOF_NONE,
    PROOF_WEAK, /* shown as info; may be the cause of something proven */
    PROOF_RARE, /* a note */
    PROOF_CERTAIN
} proof;

static fc_severity
severity_of(const counted *what, double rate, double surprise, proof proven)
{
    fc_severity severity =
        what->rate != NULL ? what->rate->severity : (fc_severity)fc_trouble_names[what->trouble].severity;
    if (proven <= PROOF_WEAK)
        return FC_SEVERITY_INFO;
    if (proven == PROOF_RARE)
        return FC_SEVERITY_NOTE;
    if (severity < FC_SEVERITY_WARNING && rate >= STRONG_RATE && surprise >= STRONG_SURPRISE)
        severity = FC_SEVERITY_WARNING;
    return severity;
}

/* Two peers at least go to the remote end that this is about, and nothing happens to them. */
static bool
peers_go_there(const fc_comparer *comparer, size_t instance, const fc_feature_trouble *trouble)
{
    fc_address wanted, address;
    uint16_t port;
    size_t found = 0;
    if (trouble->peers.count == 0 || !fc_endpoint_parse(trouble->peers.entries[0].key, &wanted, &port))
        return false;
    for (size_t k = 0; k < comparer->norm_count && k < PEERS_LOOKED_AT && found < 2; k++) {
        const fc_feature_table *services = &comparer->features[comparer->norms[k]].tables[FC_TABLE_SERVICES];
        bool there = false;
        for (size_t i = 0; i < services->count && !there && comparer->norms[k] != instance; i++)
            there = fc_endpoint_parse(services->entries[i].key, &address, &port) &&
                    fc_address_compare(&address, &wanted) == 0;
        found += there;
    }
    return found >= 2;
}

static proof
prove(const fc_comparer *comparer, const counted *what, size_t instance, const pooled *own,
      const pooled *others, double tests, double *ret_surprise)
{
    unsigned flags = what->rate != NULL ? 0 : fc_trouble_rules[what->trouble].flags;
    uint64_t events_min = what->rate != NULL ? what->rate->events_min : FC_RULES_EVENTS_MIN;
    double chance = fc_robust_more(own->x, own->n, others->x, others->n);
    bool nobody = others->x == 0;
    /* Peers that never do what could go wrong (no TLS at all) do not contradict, but do not prove either. */
    *ret_surprise = others->n > 0 ? -log10(chance > 1e-300 ? chance : 1e-300) : 3;
    if (enough_events(own->x, own->n, events_min)) {
        if (others->n > 0 ? chance * tests < FC_RULES_ALPHA
                          : own->x >= 2 * events_min && comparer->norm_count > 0)
            return PROOF_CERTAIN;
        if ((flags & FC_RULE_RARE) != 0 && nobody && others->n > 0 && chance < FC_RULES_ALPHA_RARE)
            return PROOF_RARE;
    }
    /* Routes remember the MTU that they were told: once is all one sees. */
    if (what->rate == NULL && what->trouble == FC_TROUBLE_ICMP_TOO_BIG && nobody &&
        peers_go_there(comparer, instance, &comparer->features[instance].troubles[what->trouble]))
        return PROOF_RARE;
    if ((flags & FC_RULE_DEEP) != 0 && nobody && (own->x >= 2 || (flags & FC_RULE_RARE) != 0))
        return PROOF_WEAK;
    return own->x >= events_min && *ret_surprise >= 3 ? PROOF_WEAK : PROOF_NONE;
}

static fc_suspicion *
suspect(fc_comparer *comparer, const counted *what, size_t instance)
{
    if (what->rate != NULL)
        return fc_suspicion_add(comparer, FC_SUSPICION_RATE, (int)(what->rate - fc_rate_rules),
                                what->rate->id, instance);
    return fc_suspicion_add(comparer, FC_SUSPICION_TROUBLE, what->trouble,
                            fc_trouble_names[what->trouble].name, instance);
}

static void
judge_one(fc_comparer *comparer, const counted *what, size_t instance, fc_peer_values *values, pooled all,
          double tests)
{
    const fc_instance_features *features = &comparer->features[instance];
    fc_trouble_id trouble = what->rate != NULL ? what->rate->trouble : (fc_trouble_id)what->trouble;
    double effect = what->rate != NULL ? what->rate->effect : fc_trouble_rules[trouble].effect;
    bool in_norm = comparer->norm[instance];
    pooled own = {0}, others = all, proof_of;
    fc_spread peers;
    double surprise;
    count_of(features, what, &own.x, &own.n);
    if (own.x == 0)
        return;
    proof_of = (pooled){independent(features, what, own.x), own.n, 1};
    if (in_norm) {
        others.x -= proof_of.x < all.x ? proof_of.x : all.x;
        others.n -= own.n < all.n ? own.n : all.n;
    }
    if (others.n < others.x)
        others.n = others.x;
    fc_peer_values_without(values, instance, &peers);
    double rate = (double)own.x / (double)own.n;
    bool unheard_of =
        what->rate == NULL && (fc_trouble_rules[trouble].flags & FC_RULE_RARE) != 0 && others.x == 0;
    if (!unheard_of && !is_far(rate, &peers, effect))
        return;
    proof proven = prove(comparer, what, instance, &proof_of, &others, tests, &surprise);
    if (proven == PROOF_NONE)
        return;
    fc_suspicion *suspicion = suspect(comparer, what, instance);
    suspicion->category = what->rate != NULL ? what->rate->category : fc_trouble_rules[trouble].category;
    suspicion->severity = severity_of(what, rate, surprise, proven);
    suspicion->deep = what->rate == NULL && (fc_trouble_rules[trouble].flags & FC_RULE_DEEP) != 0;
    suspicion->x = own.x;
    suspicion->n = own.n;
    suspicion->peer_x = others.x;
    suspicion->peer_n = others.n;
    suspicion->peer_count = comparer->norm_count - in_norm;
    suspicion->value = 100 * rate;
    suspicion->median = 100 * peers.median;
    suspicion->spread = 100 * peers.mad;
    suspicion->unit = "%";
    suspicion->surprise = surprise;
    suspicion->confidence = proven < PROOF_CERTAIN ? FC_CONFIDENCE_LOW
                                                   : fc_cohort_confidence(comparer, instance, surprise, own.n,
                                                                          suspicion->peer_count);
    suspicion->since_ns = fc_since_trouble(features, &features->troubles[trouble]);
    fc_suspicion_focus(comparer, suspicion, &features->troubles[trouble]);
}

static void
judge_counted(fc_comparer *comparer, const counted *what, bool distorted, double tests)
{
    fc_peer_values values;
    bool any = false;
    for (size_t i = 0; i < comparer->count && !any; i++) {
        uint64_t x, n;
        count_of(&comparer->features[i], what, &x, &n);
        any = comparer->judged[i] && x > 0;
    }
    if (!any)
        return;
    fc_peer_values_init(&values, comparer, rate_of, what);
    pooled all = pool_norm(comparer, what, SIZE_MAX);
    for (size_t i = 0; i < comparer->count; i++)
        if (comparer->judged[i] && fc_cohort_trusts(comparer, i, distorted))
            judge_one(comparer, what, i, &values, all, tests);
    fc_peer_values_fini(&values);
}

void
fc_judge_rates(fc_comparer *comparer)
{
    double tests = (double)(FC_TROUBLE_COUNT + fc_rate_rule_count) * (double)comparer->judged_count;
    for (int trouble = 0; trouble < FC_TROUBLE_COUNT; trouble++)
        judge_counted(comparer, &(counted){trouble, NULL},
                      (fc_trouble_rules[trouble].flags & FC_RULE_DISTORTED) != 0, tests);
    for (size_t i = 0; i < fc_rate_rule_count; i++)
        judge_counted(comparer, &(counted){FC_COMPARE_NONE, &fc_rate_rules[i]}, true, tests);
}
