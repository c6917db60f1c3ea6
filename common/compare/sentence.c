/* sentence.c: templates of rules.c into sentences for a person. */
#include "common/base/mem.h"
#include "common/compare/internal.h"
#include "common/compare/rules.h"
#include "common/profile/agree.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
fc_sentence_count(fc_buf *out, uint64_t value)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, value);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            fc_buf_printf(out, ",");
        fc_buf_printf(out, "%c", digits[i]);
    }
}

/* Two digits that matter, no exponent. */
void
fc_sentence_number(fc_buf *out, double value)
{
    double size = fabs(value);
    if (!isfinite(value))
        fc_buf_printf(out, "-");
    else if (size >= 1000)
        fc_sentence_count(out, (uint64_t)fmin(size, 1e18));
    else
        fc_buf_printf(out, size == 0 ? "%.0f" : size < 0.1 ? "%.2g" : size < 10 ? "%.1f" : "%.0f", value);
}

static void
put_duration(fc_buf *out, double ms)
{
    bool seconds = ms >= 1000, micros = ms < 0.1;
    fc_sentence_number(out, seconds ? ms / 1000 : micros ? ms * 1000 : ms);
    fc_buf_printf(out, seconds ? " s" : micros ? " us" : " ms");
}

static void
put_value(fc_buf *out, const char *unit, double value)
{
    if (strcmp(unit, "ms") == 0) {
        put_duration(out, value);
        return;
    }
    fc_sentence_number(out, value);
    fc_buf_printf(out, "%s%s", *unit != '\0' ? " " : "", unit);
}

/* ---- sums over the instances of one finding ---- */

typedef struct sums {
    uint64_t x, n, peer_x, peer_n;
    bool focused; /* all of them are about the remote end alone */
} sums;

static sums
add_up(const fc_suspicion *const *parts, size_t count)
{
    sums sum = {.peer_x = parts[0]->peer_x, .peer_n = parts[0]->peer_n, .focused = true};
    for (size_t i = 0; i < count; i++)
        sum.focused = sum.focused && parts[i]->peer != NULL && parts[i]->peer_total > 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t x = sum.focused ? parts[i]->peer_hits : parts[i]->x,
                 n = sum.focused ? parts[i]->peer_total : parts[i]->n;
        sum.x = __builtin_add_overflow(sum.x, x, &sum.x) ? UINT64_MAX : sum.x;
        sum.n = __builtin_add_overflow(sum.n, n, &sum.n) ? UINT64_MAX : sum.n;
    }
    return sum;
}

/* "tcp 10.0.0.5:443" -> "10.0.0.5:443": what it is about says the protocol; a resolver's port goes without
 * saying. What is no such endpoint ("example.com A", "10.0.0.2 port 5353") is told whole. */
static void
put_endpoint(fc_buf *out, const fc_suspicion *suspicion)
{
    char text[FC_ADDRESS_TEXT];
    fc_address address;
    uint16_t port;
    const char *blank = strchr(suspicion->peer, ' ');
    bool endpoint = fc_endpoint_parse(suspicion->peer, &address, &port);
    bool protocol = endpoint && blank != NULL && strstr(suspicion->peer, " port ") == NULL;
    if (suspicion->category == FC_CATEGORY_DNS && endpoint && port == 53)
        fc_buf_printf(out, "%s", fc_address_text(&address, text));
    else
        fc_buf_printf(out, "%s", protocol ? blank + 1 : suspicion->peer);
}

/* ---- the words of a template ---- */

typedef struct telling {
    const fc_comparer *comparer;
    const fc_suspicion *const *parts;
    size_t count;
    const fc_suspicion *first;
    sums sum;
    fc_agree agree; /* with the counts that were just told */
} telling;

static void
put_names(fc_buf *out, const telling *t)
{
    size_t *which = fc_alloc_array(t->count, sizeof *which);
    for (size_t i = 0; i < t->count; i++)
        which[i] = t->parts[i]->instance;
    char *names = fc_instances_fold(t->comparer->instances, which, t->count);
    bool all = t->first->shared && t->count == t->comparer->count && t->count > 1;
    if (all)
        fc_buf_printf(out, "all %zu instances (%s)", t->count, names);
    else
        fc_buf_printf(out, "%s", names);
    free(names);
    free(which);
}

static void
put_peer(fc_buf *out, const telling *t, const char *word)
{
    const fc_suspicion *first = t->first;
    if (first->peer == NULL)
        return;
    bool mostly = !t->sum.focused && first->peer_hits < first->x;
    bool dns = first->category == FC_CATEGORY_DNS;
    fc_buf_printf(out, " %s%s ", mostly ? "(mostly) " : "", word);
    put_endpoint(out, first);
    if (first->peer_is_own)
        fc_buf_printf(out, ", which nobody else %s,", dns ? "asks" : "talks to");
}

static void
put_detail(fc_buf *out, const telling *t)
{
    if (t->first->names_under != NULL)
        fc_buf_printf(out, " (names under %s, for which nobody else asks)", t->first->names_under);
    else if (t->first->detail != NULL)
        fc_buf_printf(out, " (%s)", t->first->detail);
}

static void
put_alert(fc_buf *out, const telling *t)
{
    const char *detail = t->first->detail;
    if (detail != NULL)
        fc_buf_printf(out, ": %s%s", strstr(detail, "alert") == NULL ? "alert " : "", detail);
}

/* "its 5 peers" */
static void
put_whose(fc_buf *out, const telling *t)
{
    size_t peers = t->first->peer_count;
    const char *whose = t->count == 1 ? "its" : "their";
    if (peers == 1)
        fc_buf_printf(out, "%s peer", whose);
    else
        fc_buf_printf(out, "%s %zu peers", whose, peers);
}

/* "; its 5 peers: none of 2,340" */
static void
put_peers(fc_buf *out, const telling *t)
{
    if (t->first->shared || t->comparer->mode == FC_MODE_ALONE || t->first->peer_count == 0)
        return;
    fc_buf_printf(out, "; ");
    put_whose(out, t);
    if (t->sum.peer_n == 0) {
        fc_buf_printf(out, ": nothing of the kind");
    } else if (t->sum.peer_x == 0) {
        fc_buf_printf(out, ": none of ");
        fc_sentence_count(out, t->sum.peer_n);
    } else {
        fc_buf_printf(out, ": ");
        fc_sentence_count(out, t->sum.peer_x);
        fc_buf_printf(out, " of ");
        fc_sentence_count(out, t->sum.peer_n);
    }
}

static void
put_usual(fc_buf *out, const telling *t)
{
    if (t->comparer->mode == FC_MODE_ALONE)
        return;
    put_whose(out, t);
    fc_buf_printf(out, ": ");
    put_value(out, t->first->unit, t->first->median);
}

static void
put_word(fc_buf *out, telling *t, const char *word, size_t length)
{
    bool one = t->count == 1;
    static const struct {
        const char *word, *one, *many;
    } forms[] = {{"s", "s", ""},          {"has", "has", "have"}, {"does", "does", "do"}, {"is", "is", "are"},
                 {"its", "its", "their"}, {"it", "it", "they"},   {"it2", "it", "them"}};
    static const struct {
        const char *word, *preposition;
    } peers[] = {{"to", "to"}, {"with", "with"}, {"from", "from"}, {"for", "for"}};
    char name[16] = {0};
    memcpy(name, word, length < sizeof name ? length : sizeof name - 1);
    for (size_t i = 0; i < FC_COUNT(forms); i++)
        if (strcmp(name, forms[i].word) == 0) {
            fc_buf_printf(out, "%s", one ? forms[i].one : forms[i].many);
            return;
        }
    for (size_t i = 0; i < FC_COUNT(peers); i++)
        if (strcmp(name, peers[i].word) == 0) {
            put_peer(out, t, peers[i].preposition);
            return;
        }
    if (strcmp(name, "I") == 0)
        put_names(out, t);
    else if (strcmp(name, "x") == 0)
        fc_sentence_count(out, t->sum.x);
    else if (strcmp(name, "n") == 0) {
        fc_sentence_count(out, t->sum.n);
        t->agree = fc_agree_with(t->sum.x, t->sum.n);
    } else if (strcmp(name, "hits") == 0) {
        fc_sentence_count(out, t->sum.x);
        t->agree = fc_agree_with(t->sum.x, t->sum.x);
    } else if (strcmp(name, "detail") == 0)
        put_detail(out, t);
    else if (strcmp(name, "alert") == 0)
        put_alert(out, t);
    else if (strcmp(name, "peers") == 0)
        put_peers(out, t);
    else if (strcmp(name, "usual") == 0)
        put_usual(out, t);
    else if (strcmp(name, "value") == 0)
        put_value(out, t->first->unit, t->first->value);
    else if (strcmp(name, "key") == 0 && t->first->peer != NULL)
        put_endpoint(out, t->first);
    else if (strcmp(name, "key") == 0)
        fc_buf_printf(out, "%s", t->first->subject);
}

static void
put_template(fc_buf *out, telling *t, const char *text)
{
    for (const char *at = text; *at != '\0';) {
        const char *open = strchr(at, '{'), *close = open != NULL ? strchr(open, '}') : NULL;
        if (close == NULL) {
            fc_agree_put(&t->agree, out, at, strlen(at));
            return;
        }
        fc_agree_put(&t->agree, out, at, (size_t)(open - at));
        put_word(out, t, open + 1, (size_t)(close - open - 1));
        at = close + 1;
    }
}

/* ---- what has no template in a table ---- */

/* "web-4 asks the resolver 10.99.0.53, which nobody else asks and which answers none of its 20 questions" */
static const char *
own_resolver_template(const telling *t)
{
    if (!t->first->peer_is_own || t->first->kind != FC_SUSPICION_TROUBLE ||
        t->first->category != FC_CATEGORY_DNS)
        return NULL;
    bool all = t->sum.x == t->sum.n;
    switch (t->first->index) {
    case FC_TROUBLE_DNS_UNANSWERED:
        return all ? "{I} ask{s} the resolver {key}, which nobody else asks and which answers none of {its} "
                     "{n} questions (no answer at all){peers}"
                   : "{I} ask{s} the resolver {key}, which nobody else asks and which gives no answer to {x} "
                     "of {its} {n} "
                     "questions{peers}";
    case FC_TROUBLE_DNS_SERVFAIL:
        return "{I} ask{s} the resolver {key}, which nobody else asks and which answers {x} of {its} {n} "
               "questions with "
               "SERVFAIL{peers}";
    case FC_TROUBLE_DNS_REFUSED:
        return "{I} ask{s} the resolver {key}, which nobody else asks and which answers {x} of {its} {n} "
               "questions with "
               "REFUSED{peers}";
    case FC_TROUBLE_DNS_SLOW:
        return "{I} ask{s} the resolver {key}, which nobody else asks and which takes more than a second for "
               "{x} of {its} {n} "
               "answers (slow resolver){peers}";
    default:
        return NULL;
    }
}

static void
put_fact(fc_buf *out, const telling *t)
{
    const fc_suspicion *first = t->first;
    const fc_fact_rule *rule = &fc_fact_rules[first->index];
    put_names(out, t);
    if (first->kind == FC_SUSPICION_GROWTH) {
        fc_buf_printf(out, ": the %s %s grew by ", rule->phrase, first->subject);
        fc_sentence_number(out, first->value);
        fc_buf_printf(out, " while the capture ran; ");
        put_whose(out, t);
        fc_buf_printf(out, ": ");
        fc_sentence_number(out, first->median);
    } else if (first->kind == FC_SUSPICION_CHANGED) {
        fc_buf_printf(out, ": the %s %s changed while the capture ran", rule->phrase, first->subject);
    } else if (rule->elements) {
        bool here = first->usual != NULL && strcmp(first->usual, "absent") == 0;
        fc_buf_printf(out, " %s%s the %s %s, ",
                      t->count == 1 ? (here ? "has" : "lacks")
                      : here        ? "have"
                                    : "lack",
                      "", rule->phrase, first->subject);
        fc_buf_printf(out, here ? "which " : "that ");
        put_whose(out, t);
        fc_buf_printf(out, here ? " %s not have" : " %s",
                      !here                    ? (first->peer_count == 1 ? "has" : "have")
                      : first->peer_count == 1 ? "does"
                                               : "do");
    } else {
        fc_buf_printf(out, ": the %s %s; ", rule->phrase, first->subject);
        put_whose(out, t);
        fc_buf_printf(out, ": %s", first->usual != NULL ? first->usual : "absent");
    }
}

static void
put_silence(fc_buf *out, telling *t)
{
    const fc_suspicion *first = t->first;
    bool mute = first->index == FC_SILENT_MUTE;
    const char *what = mute ? " TCP and UDP packets); " : " packets in, ";
    fc_agree agree = fc_agree_with(first->x, first->x);
    put_template(out, t, mute ? "{I} {is} silent: no traffic (" : "{I} {is} silent: nothing comes back (");
    fc_sentence_count(out, first->x);
    fc_agree_put(&agree, out, what, strlen(what));
    if (!mute) {
        fc_sentence_count(out, first->n);
        fc_buf_printf(out, " out); ");
    }
    put_whose(out, t);
    fc_buf_printf(out, mute ? " had about " : " got about ");
    fc_sentence_number(out, first->median);
    fc_buf_printf(out, t->first->peer_count == 1 ? "" : " each");
}

static void
put_traffic(fc_buf *out, const telling *t)
{
    const fc_traffic_rule *rule = &fc_traffic_rules[t->first->index];
    double ratio = t->first->median > 0 ? t->first->value / t->first->median : INFINITY;
    put_names(out, t);
    fc_buf_printf(out, " %s ", t->count == 1 ? "has" : "have");
    fc_sentence_number(out, ratio >= 1 ? ratio : 1 / fmax(ratio, 1e-9));
    fc_buf_printf(out, " times %s %s than ", ratio >= 1 ? "more" : "fewer", rule->what);
    put_whose(out, t);
    fc_buf_printf(out, " (");
    put_value(out, t->first->unit, t->first->value);
    fc_buf_printf(out, ", theirs ");
    put_value(out, t->first->unit, t->first->median);
    fc_buf_printf(out, ")");
}

static void
put_latency(fc_buf *out, telling *t)
{
    fc_buf text = {0};
    put_template(&text, t, fc_latency_rules[t->first->index].title);
    const char *title = fc_buf_text(&text),
               *median = t->first->detail != NULL ? strstr(title, "median") : NULL;
    if (median != NULL) /* the tail */
        fc_buf_printf(out, "%.*s%s%s", (int)(median - title), title, t->first->detail,
                      median + strlen("median"));
    else
        fc_buf_printf(out, "%s", title);
    fc_buf_fini(&text);
}

static void
put_title(fc_buf *out, telling *t)
{
    const fc_set_rule *set =
        t->first->index >= 0 && t->first->index < FC_TABLE_COUNT ? &fc_set_rules[t->first->index] : NULL;
    const char *special;
    switch (t->first->kind) {
    case FC_SUSPICION_TROUBLE:
        special = own_resolver_template(t);
        put_template(out, t, special != NULL ? special : fc_trouble_rules[t->first->index].title);
        break;
    case FC_SUSPICION_RATE:
        put_template(out, t, fc_rate_rules[t->first->index].title);
        break;
    case FC_SUSPICION_LATENCY:
        put_latency(out, t);
        break;
    case FC_SUSPICION_TRAFFIC:
        put_traffic(out, t);
        break;
    case FC_SUSPICION_SILENT:
        put_silence(out, t);
        break;
    case FC_SUSPICION_SET_ONLY:
        put_template(out, t, set->only_title);
        break;
    case FC_SUSPICION_SET_MISSING:
        put_template(out, t, set->missing_title);
        break;
    case FC_SUSPICION_FACT:
    case FC_SUSPICION_CHANGED:
    case FC_SUSPICION_GROWTH:
        put_fact(out, t);
        break;
    case FC_SUSPICION_DISTRUST:
        put_names(out, t);
        fc_buf_printf(out,
                      strcmp(t->first->id, "noProfile") == 0 ? ": nothing to compare: %s"
                                                             : ": capture not trustworthy: %s",
                      t->first->subject);
        break;
    }
}

char *
fc_sentence_title(const fc_comparer *comparer, const fc_suspicion *const *parts, size_t count)
{
    fc_buf out = {0};
    telling t = {comparer, parts, count, parts[0], add_up(parts, count), {0}};
    put_title(&out, &t);
    if (parts[0]->because != NULL)
        fc_buf_printf(&out, " (in its configuration: %s)", parts[0]->because);
    char *text = fc_buf_take_text(&out);
    fc_buf_fini(&out);
    return text;
}

/* ---- what it means, what else it brings with it, since when ---- */

/* The first row that fits; detail: what the finding's detail has to hold, for alerts their name (RFC
 * 8446, 6.2). */
typedef struct meaning {
    const char *id, *detail, *text;
} meaning;

// clang-format off
static const meaning meanings[] = {
    {"dnsUnanswered", NULL, "Nobody answers at that address, or a firewall drops the questions or the answers"},
    {"tcpNoAnswer", NULL, "A firewall drops the SYNs or their answers, or nobody has that address"},
    {"tcpRefused", NULL, "Nobody listens on that port, or a firewall rejects with a reset"},
    {"tcpBlackHole", NULL,
     "A link on the path has a smaller MTU and its ICMP messages do not arrive: look at MTU, MSS clamping and ICMP filters"},
    {"icmpTooBig", NULL,
     "A link on the path has a smaller MTU than the instance believes: look at tunnels and at the MTU of its link"},
    {"tcpZeroWindowLocal", NULL, "The program on this instance does not read from its socket: look there, not at the network"},
    {"tcpHalfOpen", NULL, "The other end, or a firewall's state in between, vanished without a word"},
    {"tlsAlertByRemote", "certificate_required", "The other side wants a certificate, and gets none"},
    {"tlsAlertByRemote", "certificate_", "The other side does not accept the certificate that this instance shows"},
    {"tlsAlertByRemote", "_certificate", "The other side does not accept the certificate that this instance shows"},
    {"tlsAlertByRemote", "unknown_ca", "The other side does not know the CA of the certificate that this instance shows"},
    {"tlsAlertByRemote", NULL, "The other side rejects what this instance offers: its certificate, versions or cipher suites"},
    {"tlsAlertByLocal", "certificate_required", "This instance wants a certificate, and gets none"},
    {"tlsAlertByLocal", "certificate_", "This instance does not accept the certificate that the other side shows"},
    {"tlsAlertByLocal", "_certificate", "This instance does not accept the certificate that the other side shows"},
    {"tlsAlertByLocal", "unknown_ca", "This instance does not know the CA of the certificate that the other side shows"},
    {"tlsAlertByLocal", NULL, "This instance rejects what the other side offers: its certificate, versions or cipher suites"},
    {"neighbourUnanswered", NULL,
     "Without the neighbour's hardware address nothing leaves: look at the gateway's address, VLAN and link"},
    {"icmpProhibited", NULL, "A firewall rejects and says so"},
    {"dnsNxdomain", NULL, "Look at the search list and at the names that the program asks for"},
    {"dnsTruncated", NULL, "Answers do not fit: each such question costs a TCP connection as well"},
    {"tcpServiceSlow", NULL, "The request is here and the answer is not: look at the program on this instance"},
    {"untrusted", NULL, "Counts of this instance are not compared: what its capture missed looks like loss"},
};
// clang-format on

static const meaning *
find_meaning(const fc_suspicion *suspicion)
{
    for (size_t i = 0; i < FC_COUNT(meanings); i++)
        if (strcmp(meanings[i].id, suspicion->id) == 0 &&
            (meanings[i].detail == NULL ||
             (suspicion->detail != NULL && strstr(suspicion->detail, meanings[i].detail) != NULL)))
            return &meanings[i];
    return NULL;
}

char *
fc_sentence_explanation(const fc_comparer *comparer, const fc_suspicion *const *parts, size_t count)
{
    fc_buf out = {0};
    const char *seen[32];
    size_t seen_count = 0;
    const meaning *found = find_meaning(parts[0]);
    if (found != NULL)
        fc_buf_printf(&out, "%s.", found->text);
    for (size_t i = 0; i < count; i++)
        for (size_t s = parts[i]->first_symptom; s != SIZE_MAX; s = comparer->suspicions[s].next_symptom) {
            bool told = seen_count == FC_COUNT(seen);
            for (size_t k = 0; k < seen_count && !told; k++)
                told = strcmp(seen[k], comparer->suspicions[s].id) == 0;
            if (told)
                continue;
            fc_buf_printf(&out, "%s%s",
                          seen_count > 0          ? ", "
                          : fc_buf_size(&out) > 0 ? " It explains: "
                                                  : "It explains: ",
                          comparer->suspicions[s].id);
            seen[seen_count++] = comparer->suspicions[s].id;
        }
    if (seen_count > 0)
        fc_buf_printf(&out, ".");
    char *text = fc_buf_size(&out) > 0 ? fc_buf_take_text(&out) : NULL;
    fc_buf_fini(&out);
    return text;
}
