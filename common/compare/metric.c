/* metric.c: a number per instance: the rows of the fleet matrix. */
#include "common/base/mem.h"
#include "common/compare/internal.h"

#include <math.h>
#include <stdlib.h>

typedef enum metric_kind {
    PER_SECOND, /* sum of up to three counters over the window */
    PART,       /* counter or trouble as a part of a counter, in % */
    COUNT,      /* sum of up to three troubles */
    QUANTILE,   /* of a sketch, ms */
} metric_kind;

typedef struct metric_rule {
    const char *id, *title, *unit;
    fc_category category;
    metric_kind kind;
    int a, b, c;     /* counters, troubles or a sketch; FC_COMPARE_NONE */
    bool is_trouble; /* PART: a is a trouble, of its own `per` */
    fc_quantile quantile;
    double floor; /* the least spread that counts as one */
} metric_rule;

#define C(id) FC_COUNTER_##id
#define T(id) FC_TROUBLE_##id
#define NO    FC_COMPARE_NONE
#define RATE(id, title, unit, category, a, b, c, floor)                                                      \
    {                                                                                                        \
        id, title, unit, FC_CATEGORY_##category, PER_SECOND, a, b, c, false, FC_QUANTILE_50, floor           \
    }
#define OF(id, title, category, a, b, floor)                                                                 \
    {                                                                                                        \
        id, title, "%", FC_CATEGORY_##category, PART, a, b, NO, false, FC_QUANTILE_50, floor                 \
    }
#define BAD(id, title, category, trouble, floor)                                                             \
    {                                                                                                        \
        id, title, "%", FC_CATEGORY_##category, PART, T(trouble), NO, NO, true, FC_QUANTILE_50, floor        \
    }
#define SUM(id, title, category, a, b, c)                                                                    \
    {                                                                                                        \
        id, title, "connections", FC_CATEGORY_##category, COUNT, a, b, c, true, FC_QUANTILE_50, 2            \
    }
#define MS(id, title, category, sketch, q, floor)                                                            \
    {                                                                                                        \
        id, title, "ms", FC_CATEGORY_##category, QUANTILE, FC_SKETCH_##sketch, NO, NO, false,                \
            FC_QUANTILE_##q, floor                                                                           \
    }

// clang-format off
static const metric_rule metric_rules[] = {
    RATE("packetsPerSecond", "packets", "1/s", TRAFFIC, C(PACKETS_IN), C(PACKETS_OUT), C(PACKETS_UNORIENTED), 1),
    RATE("bytesPerSecond", "bytes", "B/s", TRAFFIC, C(BYTES_IN), C(BYTES_OUT), C(BYTES_UNORIENTED), 1000),
    RATE("conversationsPerSecond", "conversations", "1/s", TRAFFIC, C(CONVERSATIONS), NO, NO, 0.2),
    MS("handshakeP50", "TCP handshake, median", TCP, TCP_HANDSHAKE, 50, 1),
    MS("handshakeP95", "TCP handshake, 95 %", TCP, TCP_HANDSHAKE, 95, 4),
    MS("rttP50", "TCP round trip, median", TCP, TCP_RTT, 50, 1),
    OF("retransmittedOut", "sent again", TCP, C(TCP_RETRANSMITTED_OUT), C(TCP_DATA_PACKETS_OUT), 0.1),
    OF("retransmittedIn", "came again", TCP, C(TCP_RETRANSMITTED_IN), C(TCP_DATA_PACKETS_IN), 0.1),
    OF("outOfOrderIn", "out of order in", TCP, C(TCP_OUT_OF_ORDER_IN), C(TCP_DATA_PACKETS_IN), 0.1),
    BAD("noAnswer", "connections without answer", TCP, TCP_NO_ANSWER, 0.5),
    BAD("refused", "connections refused", TCP, TCP_REFUSED, 0.5),
    SUM("resets", "resets", TCP, T(TCP_RESET_BY_REMOTE), T(TCP_RESET_BY_LOCAL), NO),
    SUM("zeroWindows", "zero windows", TCP, T(TCP_ZERO_WINDOW_LOCAL), T(TCP_ZERO_WINDOW_REMOTE), NO),
    SUM("halfOpen", "half-open, black hole", TCP, T(TCP_HALF_OPEN), T(TCP_BLACK_HOLE), NO),
    MS("firstByteP50", "first byte, median", TCP, TCP_FIRST_BYTE, 50, 5),
    MS("firstByteP95", "first byte, 95 %", TCP, TCP_FIRST_BYTE, 95, 20),
    MS("serviceP50", "own service, median", TCP, TCP_SERVICE, 50, 5),
    MS("serviceP95", "own service, 95 %", TCP, TCP_SERVICE, 95, 20),
    RATE("dnsPerSecond", "DNS questions", "1/s", DNS, C(DNS_QUERIES), NO, NO, 0.2),
    MS("dnsP50", "DNS answer, median", DNS, DNS_LATENCY, 50, 2),
    MS("dnsP95", "DNS answer, 95 %", DNS, DNS_LATENCY, 95, 10),
    BAD("dnsUnanswered", "DNS unanswered", DNS, DNS_UNANSWERED, 0.5),
    BAD("dnsRetried", "DNS asked again", DNS, DNS_RETRIED, 0.5),
    BAD("dnsServfail", "DNS SERVFAIL", DNS, DNS_SERVFAIL, 0.5),
    BAD("dnsNxdomain", "DNS NXDOMAIN", DNS, DNS_NXDOMAIN, 2),
    BAD("tlsAlerts", "TLS ended by the other side's alert", TLS, TLS_ALERT_BY_REMOTE, 0.5),
    BAD("tlsOwnAlerts", "TLS ended by an alert of its own", TLS, TLS_ALERT_BY_LOCAL, 0.5),
    BAD("tlsResets", "TLS reset by the other side", TLS, TLS_RESET_BY_REMOTE, 0.5),
    MS("tlsHandshakeP50", "TLS handshake, median", TLS, TLS_HANDSHAKE, 50, 3),
    BAD("udpNoAnswer", "UDP without answer", TRAFFIC, UDP_NO_ANSWER, 1),
    BAD("icmpErrors", "answered with ICMP unreachable", IP, ICMP_UNREACHABLE, 0.5),
    BAD("icmpProhibited", "answered with ICMP prohibited", IP, ICMP_PROHIBITED, 0.5),
    BAD("neighbourUnanswered", "neighbours without answer", IP, NEIGHBOUR_UNANSWERED, 2),
    OF("dropped", "packets dropped by the capture", CAPTURE, C(CAPTURE_DROPPED), C(CAPTURE_MATCHED), 0.1),
};
// clang-format on

static double
part_of(double x, double n)
{
    return n > 0 || x > 0 ? 100 * x / (n > x ? n : x) : NAN;
}

static double
metric_value(const fc_comparer *comparer, size_t instance, const void *what)
{
    const metric_rule *rule = what;
    const fc_instance_features *features = &comparer->features[instance];
    const int ids[] = {rule->a, rule->b, rule->c};
    double sum = 0;
    if (!features->has_profile)
        return NAN;
    switch (rule->kind) {
    case PER_SECOND:
        for (size_t i = 0; i < FC_COUNT(ids) && ids[i] != NO; i++)
            sum += (double)features->counters[ids[i]];
        return features->seconds > 0 ? sum / features->seconds : NAN;
    case COUNT:
        for (size_t i = 0; i < FC_COUNT(ids) && ids[i] != NO; i++)
            sum += (double)features->troubles[ids[i]].count;
        return sum;
    case PART:
        if (!rule->is_trouble)
            return part_of((double)features->counters[rule->a], (double)features->counters[rule->b]);
        return part_of((double)features->troubles[rule->a].count,
                       (double)features->counters[fc_trouble_names[rule->a].per]);
    case QUANTILE:
        return fc_features_quantile_ms(&features->sketches[rule->a], rule->quantile);
    }
    return NAN;
}

static void
fill_row(fc_comparer *comparer, const metric_rule *rule, fc_metric_row *row)
{
    fc_peer_values peers;
    fc_peer_values_init(&peers, comparer, metric_value, rule);
    *row = (fc_metric_row){.id = rule->id,
                           .title = rule->title,
                           .unit = rule->unit,
                           .category = rule->category,
                           .median = peers.all.median,
                           .spread = peers.all.mad,
                           .values = fc_alloc_array(comparer->count, sizeof(double)),
                           .deviations = fc_alloc_array(comparer->count, sizeof(double))};
    for (size_t i = 0; i < comparer->count; i++) {
        fc_spread others;
        row->values[i] = metric_value(comparer, i, rule);
        fc_peer_values_without(&peers, i, &others);
        double spread = fmax(others.mad, fmax(rule->floor, 0.1 * fabs(others.median)));
        double deviation = others.count > 0 ? (row->values[i] - others.median) / spread : 0;
        row->deviations[i] = isfinite(deviation) && !fc_cohort_leaves_out(comparer, i) ? deviation : 0;
    }
    fc_peer_values_fini(&peers);
}

static double
largest(const fc_metric_row *row, size_t count)
{
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs(row->deviations[i]));
    return most;
}

typedef struct sorted_row {
    fc_metric_row row;
    double most;
    size_t place;
} sorted_row;

static int
compare_rows(const void *a, const void *b)
{
    const sorted_row *x = a, *y = b;
    if (x->most != y->most)
        return x->most < y->most ? 1 : -1;
    return x->place < y->place ? -1 : 1;
}

void
fc_metrics_make(fc_comparer *comparer, fc_comparison *comparison)
{
    size_t count = FC_COUNT(metric_rules);
    sorted_row *rows = fc_alloc_array(count, sizeof *rows);
    for (size_t i = 0; i < count; i++) {
        fill_row(comparer, &metric_rules[i], &rows[i].row);
        rows[i].most = largest(&rows[i].row, comparer->count);
        rows[i].place = i;
    }
    qsort(rows, count, sizeof *rows, compare_rows);
    comparison->metrics = fc_alloc_array(count, sizeof *comparison->metrics);
    comparison->metric_count = count;
    for (size_t i = 0; i < count; i++)
        comparison->metrics[i] = rows[i].row;
    free(rows);
}
