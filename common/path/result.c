/* path.h: the result as words. */
#include "common/analysis/packet.h"
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/path/path.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *
fc_path_verdict_name(fc_path_verdict verdict)
{
    static const char *const names[] = {
#define X(name, text, meaning) text,
        FC_PATH_VERDICTS(X)
#undef X
    };
    return verdict < FC_COUNT(names) ? names[verdict] : "-";
}

const char *
fc_path_reason_name(fc_path_reason reason)
{
    static const char *const names[] = {
#define X(name, text, meaning) text,
        FC_PATH_REASONS(X)
#undef X
    };
    return reason < FC_COUNT(names) ? names[reason] : "-";
}

const char *
fc_path_reason_text(fc_path_reason reason)
{
    static const char *const texts[] = {
#define X(name, text, meaning) meaning,
        FC_PATH_REASONS(X)
#undef X
    };
    return reason < FC_COUNT(texts) ? texts[reason] : "-";
}

void
fc_path_result_free(fc_path_result *result)
{
    if (result == NULL)
        return;
    for (int end = 0; end < 2; end++) {
        fc_path_side *side = &result->sides[end];
        for (size_t i = 0; i < side->file_count; i++)
            free(side->files[i]);
        free(side->files);
        free(side->name);
        free(side->filter);
    }
    for (size_t i = 0; i < result->count; i++)
        for (int way = 0; way < 2; way++)
            free(result->conversations[i].flows[way].lost_first);
    free(result->conversations);
    free(result);
}

/* "4,096" */
static void
put_count(fc_buf *text, uint64_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count);
    for (int i = 0; i < length; i++)
        fc_buf_printf(text, "%s%c", i > 0 && (length - i) % 3 == 0 ? "," : "", digits[i]);
}

static void
put_lost(fc_buf *text, const fc_path_result *result, fc_path_way way)
{
    const fc_path_flow *total = &result->totals[way];
    uint64_t examined = total->lost + total->arrived;
    put_count(text, total->lost);
    fc_buf_printf(text, " of ");
    put_count(text, examined);
    fc_buf_printf(text, " packet%s from %s to %s (%.2g %%)", examined == 1 ? "" : "s",
                  result->sides[way].name, result->sides[way ^ 1].name,
                  100.0 * (double)total->lost / (double)examined);
}

static void
put_losses(fc_buf *text, const fc_path_result *result)
{
    const fc_path_flow *there = &result->totals[FC_PATH_A_TO_B], *back = &result->totals[FC_PATH_B_TO_A];
    const char *a = result->sides[0].name, *b = result->sides[1].name;
    fc_buf_printf(text, "Between %s and %s ", a, b);
    if (there->lost + back->lost > 0) {
        fc_buf_printf(text, "the network lost ");
        put_lost(text, result, there->lost > 0 ? FC_PATH_A_TO_B : FC_PATH_B_TO_A);
        if (there->lost > 0 && back->lost > 0) {
            fc_buf_printf(text, " and ");
            put_lost(text, result, FC_PATH_B_TO_A);
        } else if ((there->lost > 0 ? back : there)->arrived > 0) {
            fc_buf_printf(text, ", none %s", there->lost > 0 ? "back" : "the other way");
        }
    } else if (there->arrived + back->arrived == 0) {
        fc_buf_printf(text, "no packet was recognized at both ends");
    } else {
        fc_buf_printf(text, "no loss is proven: ");
        put_count(text, there->arrived);
        fc_buf_printf(text, " packet%s from %s to %s and ", there->arrived == 1 ? "" : "s", a, b);
        put_count(text, back->arrived);
        fc_buf_printf(text, " back arrived");
    }
}

static void
put_doubts(fc_buf *text, const fc_path_result *result)
{
    uint64_t doubts = 0, reasons[FC_PATH_REASON_COUNT] = {0};
    size_t most = 0;
    for (int way = 0; way < 2; way++) {
        for (size_t i = 0; i < FC_PATH_REASON_COUNT; i++) {
            if (i == FC_PATH_REASON_MULTICAST) /* nobody expects them all here */
                continue;
            doubts += result->totals[way].reasons[i];
            reasons[i] += result->totals[way].reasons[i];
        }
    }
    for (size_t i = 1; i < FC_PATH_REASON_COUNT; i++)
        most = reasons[i] > reasons[most] ? i : most;
    if (doubts == 0)
        return;
    fc_buf_printf(text, "; of ");
    put_count(text, doubts);
    fc_buf_printf(text, " more it cannot be said (%s%s)", reasons[most] < doubts ? "mostly: " : "",
                  fc_path_reason_text((fc_path_reason)most));
}

/* Both in the same unit: "-3.214 ms ± 0.041 ms". */
static void
put_offset(fc_buf *text, int64_t offset_ns, int64_t bound_ns)
{
    bool small = llabs(offset_ns) < FC_NS_PER_MS && bound_ns < FC_NS_PER_MS;
    double unit = small ? 1e3 : 1e6;
    const char *name = small ? "µs" : "ms";
    fc_buf_printf(text, "%+.3f %s ± %.3f %s", (double)offset_ns / unit, name, (double)bound_ns / unit, name);
}

static void
put_clock(fc_buf *text, const fc_path_clock *clock)
{
    if (clock->known) {
        fc_buf_printf(text, "; clock offset ");
        put_offset(text, clock->offset_ns, clock->bound_ns);
        if (clock->skew_bound_ppm >= 0)
            fc_buf_printf(text, ", skew %.1f ± %.1f ppm", clock->skew_ppm, clock->skew_bound_ppm);
    } else if (!clock->linear) {
        fc_buf_printf(text, "; a clock was stepped meanwhile, so that delays are not known");
    } else if (clock->samples[0] + clock->samples[1] > 0) {
        fc_buf_printf(text, "; clock offset not known: packets in one direction only");
    }
}

char *
fc_path_result_sentence(const fc_path_result *result)
{
    fc_buf text = {0};
    put_losses(&text, result);
    uint64_t altered = result->totals[0].altered + result->totals[1].altered;
    if (altered > 0) {
        fc_buf_printf(&text, "; ");
        put_count(&text, altered);
        fc_buf_printf(&text, " arrived with other bytes");
    }
    put_doubts(&text, result);
    put_clock(&text, &result->clock);
    char *sentence = fc_buf_take_text(&text);
    fc_buf_fini(&text);
    return sentence;
}

char *
fc_path_flow_filter(const fc_path_conversation *conversation, const fc_path_flow *flow)
{
    char source[FC_ADDRESS_TEXT], destination[FC_ADDRESS_TEXT];
    const char *ip = flow->source.family == 6 ? "ipv6" : "ip";
    (void)fc_address_text(&flow->source, source);
    (void)fc_address_text(&flow->destination, destination);
    if (conversation->protocol == FC_IP_TCP || conversation->protocol == FC_IP_UDP) {
        const char *transport = conversation->protocol == FC_IP_TCP ? "tcp" : "udp";
        return fc_sprintf("%s.src == %s && %s.dst == %s && %s.srcport == %u && %s.dstport == %u", ip, source,
                          ip, destination, transport, flow->source_port, transport, flow->destination_port);
    }
    if (conversation->protocol == FC_IP_ICMP || conversation->protocol == FC_IP_ICMPV6)
        return fc_sprintf("%s.src == %s && %s.dst == %s && %s", ip, source, ip, destination,
                          conversation->protocol == FC_IP_ICMP ? "icmp" : "icmpv6");
    return fc_sprintf("%s.src == %s && %s.dst == %s && %s == %u", ip, source, ip, destination,
                      flow->source.family == 6 ? "ipv6.nxt" : "ip.proto", conversation->protocol);
}
