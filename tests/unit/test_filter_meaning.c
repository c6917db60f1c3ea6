/* Does the compiled filter mean what was written? Random filters and packets, judged twice: by an oracle that
 * knows ranges and directions and nothing of BPF, and by the compiled program, run by the small interpreter
 * below (libpcap's bpf_filter() does not know the kernel's packet type, which `inbound` and `outbound` read).
 *
 *     unit_filter_meaning [SEED]
 */
#include "common/base/mem.h"
#include "common/filter/filter.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CASES = 1000, PACKETS_PER_CASE = 40, ITEMS = 3, FILTERS = 2 };

static uint64_t random_state = 20261121;

/* xorshift64* (Vigna 2016). */
static uint64_t
next_random(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 2685821657736338717u;
}

static uint64_t
below(uint64_t limit)
{
    return (next_random() >> 8) % limit;
}

/* ---- the interpreter ---- */

/* linux/filter.h, which does not go together with pcap/bpf.h */
#define SKF_AD_PKTTYPE_AT 0xfffff004u
enum { HOST = 0, OUTGOING = 4 };

typedef struct machine {
    const uint8_t *packet;
    uint32_t length, packet_type;
    uint32_t a, x, memory[BPF_MEMWORDS];
    bool fault; /* read past the end: the kernel rejects the packet */
} machine;

static uint32_t
load(machine *m, uint32_t at, uint16_t code)
{
    if (at == SKF_AD_PKTTYPE_AT)
        return m->packet_type;
    uint32_t size = BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
    if (at > m->length || m->length - at < size) {
        m->fault = true;
        return 0;
    }
    uint32_t value = 0;
    for (uint32_t i = 0; i < size; i++)
        value = value << 8 | m->packet[at + i];
    return value;
}

static uint32_t
calculate(machine *m, uint16_t code, uint32_t right)
{
    switch (BPF_OP(code)) {
    case BPF_ADD:
        return m->a + right;
    case BPF_SUB:
        return m->a - right;
    case BPF_MUL:
        return m->a * right;
    case BPF_AND:
        return m->a & right;
    case BPF_OR:
        return m->a | right;
    case BPF_XOR:
        return m->a ^ right;
    case BPF_LSH:
        return right < 32 ? m->a << right : 0;
    case BPF_RSH:
        return right < 32 ? m->a >> right : 0;
    case BPF_NEG:
        return 0u - m->a;
    default:
        m->fault = m->fault || right == 0;
        return right == 0 ? 0 : BPF_OP(code) == BPF_DIV ? m->a / right : m->a % right;
    }
}

static bool
compare(const machine *m, uint16_t code, uint32_t right)
{
    switch (BPF_OP(code)) {
    case BPF_JEQ:
        return m->a == right;
    case BPF_JGT:
        return m->a > right;
    case BPF_JGE:
        return m->a >= right;
    default:
        return (m->a & right) != 0;
    }
}

static void
load_register(machine *m, const struct bpf_insn *in)
{
    uint32_t *to = BPF_CLASS(in->code) == BPF_LD ? &m->a : &m->x;
    switch (BPF_MODE(in->code)) {
    case BPF_IMM:
        *to = in->k;
        break;
    case BPF_ABS:
        *to = load(m, in->k, in->code);
        break;
    case BPF_IND:
        *to = load(m, m->x + in->k, in->code);
        break;
    case BPF_MEM:
        *to = m->memory[in->k];
        break;
    case BPF_LEN:
        *to = m->length;
        break;
    case BPF_MSH:
        *to = (load(m, in->k, BPF_B) & 15) * 4;
        break;
    default:
        fail_msg("instruction %#x", in->code);
    }
}

/* What the kernel would return for the packet: 0, or how much to keep. */
static uint32_t
run(const struct bpf_program *program, machine *m)
{
    for (uint32_t at = 0; at < program->bf_len && !m->fault; at++) {
        const struct bpf_insn *in = &program->bf_insns[at];
        uint32_t right = BPF_SRC(in->code) == BPF_X ? m->x : in->k;
        switch (BPF_CLASS(in->code)) {
        case BPF_LD:
        case BPF_LDX:
            load_register(m, in);
            break;
        case BPF_ST:
            m->memory[in->k] = m->a;
            break;
        case BPF_STX:
            m->memory[in->k] = m->x;
            break;
        case BPF_ALU:
            m->a = calculate(m, in->code, right);
            break;
        case BPF_JMP:
            at += BPF_OP(in->code) == BPF_JA ? in->k : compare(m, in->code, right) ? in->jt : in->jf;
            break;
        case BPF_RET:
            return BPF_RVAL(in->code) == BPF_A ? m->a : in->k;
        default:
            if (BPF_MISCOP(in->code) == BPF_TAX)
                m->x = m->a;
            else
                m->a = m->x;
        }
    }
    return 0;
}

/* ---- packets ---- */

typedef unsigned __int128 u128;
enum { ICMP = 1, TCP = 6, UDP = 17, ICMP6 = 58, SCTP = 132 };

typedef struct packet {
    unsigned bits; /* 32 or 128 */
    u128 local, remote;
    uint16_t local_port, remote_port;
    int protocol; /* ICMP also stands for ICMP6 here */
    bool outgoing;
} packet;

static uint8_t *
put(uint8_t *at, u128 value, unsigned bits)
{
    for (unsigned shift = bits; shift > 0; shift -= 8)
        *at++ = (uint8_t)(value >> (shift - 8));
    return at;
}

/* As it lies on an Ethernet; returns its length. */
static uint32_t
write_packet(const packet *p, uint8_t *bytes)
{
    memset(bytes, 0, 128);
    u128 source = p->outgoing ? p->local : p->remote, destination = p->outgoing ? p->remote : p->local;
    uint8_t *at = bytes + 12;
    if (p->bits == 32) {
        at = put(at, 0x0800, 16);
        at[0] = 0x45;
        at[9] = (uint8_t)p->protocol;
        at = put(put(at + 12, source, 32), destination, 32);
    } else {
        at = put(at, 0x86dd, 16);
        at[0] = 0x60;
        at[6] = p->protocol == ICMP ? ICMP6 : (uint8_t)p->protocol;
        at = put(put(at + 8, source, 128), destination, 128);
    }
    if (p->protocol != ICMP) {
        at = put(at, p->outgoing ? p->local_port : p->remote_port, 16);
        at = put(at, p->outgoing ? p->remote_port : p->local_port, 16);
    }
    return (uint32_t)(at - bytes) + 16;
}

/* ---- filters, and the oracle ---- */

typedef struct range {
    unsigned bits;
    u128 low, high;
} range;

typedef struct set {
    range items[ITEMS];
    size_t count; /* 0 = any */
    char text[512];
} set;

typedef struct tuple {
    fc_protocol protocol;
    set local, remote, local_port, remote_port;
} tuple;

/* What a raw expression means; its text is beside it. */
static const struct {
    const char *text;
    int protocol; /* 0 = any */
    bool wanted;
} raws[] = {{NULL, 0, true}, {"udp", UDP, true}, {"not tcp", TCP, false}, {"icmp or icmp6", ICMP, true}};

typedef struct question {
    tuple tuples[FILTERS];
    size_t count;
    size_t raw;
    fc_endpoint own;
    u128 own_address;
    bool has_own;
} question;

static bool
in_set(const set *s, unsigned bits, u128 value)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].bits == bits && value >= s->items[i].low && value <= s->items[i].high)
            return true;
    return s->count == 0;
}

static bool
tuple_matches(const tuple *t, const packet *p)
{
    bool ports = t->local_port.count + t->remote_port.count > 0;
    if ((t->protocol == FC_PROTOCOL_TCP && p->protocol != TCP) ||
        (t->protocol == FC_PROTOCOL_UDP && p->protocol != UDP) ||
        (t->protocol == FC_PROTOCOL_ICMP && p->protocol != ICMP) || (ports && p->protocol == ICMP))
        return false;
    return in_set(&t->local, p->bits, p->local) && in_set(&t->remote, p->bits, p->remote) &&
           in_set(&t->local_port, 16, p->local_port) && in_set(&t->remote_port, 16, p->remote_port);
}

static bool
is_own(const question *q, const packet *p)
{
    unsigned bits = strchr(q->own.address, ':') != NULL ? 128 : 32;
    return q->has_own && p->protocol == TCP && p->bits == bits &&
           (p->local == q->own_address || p->remote == q->own_address) &&
           (p->local_port == q->own.port || p->remote_port == q->own.port);
}

static bool
expected(const question *q, const packet *p)
{
    bool any = q->count == 0;
    for (size_t i = 0; i < q->count; i++)
        any |= tuple_matches(&q->tuples[i], p);
    bool raw = raws[q->raw].protocol == 0 || (p->protocol == raws[q->raw].protocol) == raws[q->raw].wanted;
    return any && raw && !is_own(q, p);
}

/* ---- making both up ---- */

static u128
all_ones(unsigned bits)
{
    return bits == 0 ? 0 : ~(u128)0 >> (128 - bits);
}

/* Few enough networks that filters and packets meet; the ends of the address space are among them. */
static u128
random_address(unsigned bits)
{
    if (below(20) == 0)
        return below(2) == 0 ? 0 : all_ones(bits);
    if (bits == 32)
        return (u128)0x0a000000 + below(4) * 0x10000 + below(1 << (1 + below(12)));
    return ((u128)0x20010db8 << 96) + ((u128)below(3) << (32 + below(60))) +
           below(UINT64_C(1) << (1 + below(62)));
}

static void
address_text(unsigned bits, u128 address, char text[INET6_ADDRSTRLEN])
{
    uint8_t bytes[16];
    (void)put(bytes, address, bits);
    assert_non_null(inet_ntop(bits == 32 ? AF_INET : AF_INET6, bytes, text, INET6_ADDRSTRLEN));
}

static void
append_address_item(set *s, unsigned bits)
{
    range *r = &s->items[s->count++];
    unsigned host_bits = (unsigned)below(bits == 32 ? 20 : 100);
    u128 address = random_address(bits);
    /* Wide ranges are rare: each takes hundreds of networks, and libpcap its time. */
    u128 other = below(20) == 0 ? random_address(bits) : (address + below(600)) & all_ones(bits);
    char low[INET6_ADDRSTRLEN], high[INET6_ADDRSTRLEN], item[2 * INET6_ADDRSTRLEN + 2];
    int form = (int)below(3);
    if (form == 0)
        *r = (range){bits, address, address};
    else if (form == 1)
        *r = (range){bits, address < other ? address : other, address < other ? other : address};
    else
        *r = (range){bits, address & ~all_ones(host_bits), address | all_ones(host_bits)};
    address_text(bits, r->low, low);
    address_text(bits, r->high, high);
    if (form == 0)
        (void)snprintf(item, sizeof item, "%s", low);
    else if (form == 1)
        (void)snprintf(item, sizeof item, "%s%s%s", low, below(2) == 0 ? "-" : " - ", high);
    else
        (void)snprintf(item, sizeof item, "%s/%u", low, bits - host_bits);
    size_t used = strlen(s->text);
    (void)snprintf(s->text + used, sizeof s->text - used, "%s%s",
                   used == 0       ? ""
                   : below(2) == 0 ? ";"
                                   : ", ",
                   item);
}

static void
append_port_item(set *s)
{
    range *r = &s->items[s->count++];
    u128 low = 1 + below(below(2) == 0 ? 100 : 65535), high = low + below(40);
    high = high > 65535 ? 65535 : below(3) == 0 ? low : high;
    *r = (range){16, low, high};
    size_t used = strlen(s->text);
    const char *before = used == 0 ? "" : below(2) == 0 ? ";" : ", ";
    if (low == high)
        (void)snprintf(s->text + used, sizeof s->text - used, "%s%u", before, (unsigned)low);
    else
        (void)snprintf(s->text + used, sizeof s->text - used, "%s%u-%u", before, (unsigned)low,
                       (unsigned)high);
}

static void
random_tuple(tuple *t)
{
    *t = (tuple){.protocol = (fc_protocol)(1 + below(4))};
    /* bit 0: IPv4, bit 1: IPv6; the same for both sides, so that they do not contradict each other */
    unsigned families = 1 + (unsigned)below(3);
    set *addresses[] = {&t->local, &t->remote};
    for (size_t side = 0; side < 2; side++)
        for (uint64_t items = below(2) == 0 ? 0 : 1 + below(ITEMS); items > 0; items--)
            append_address_item(addresses[side], families == 1   ? 32
                                                 : families == 2 ? 128
                                                 : items % 2     ? 32
                                                                 : 128);
    set *ports[] = {&t->local_port, &t->remote_port};
    for (size_t side = 0; side < 2 && t->protocol != FC_PROTOCOL_ICMP; side++)
        for (uint64_t items = below(2) == 0 ? 0 : 1 + below(ITEMS); items > 0; items--)
            append_port_item(ports[side]);
    if (t->local.count > 0 && below(4) == 0)
        strcat(t->local.text, ";");
}

static void
random_question(question *q)
{
    *q = (question){.count = below(FILTERS + 1), .raw = below(2) == 0 ? 0 : below(FC_COUNT(raws))};
    for (size_t i = 0; i < q->count; i++)
        random_tuple(&q->tuples[i]);
    q->has_own = below(3) == 0;
    unsigned bits = below(2) == 0 ? 32 : 128;
    q->own_address = random_address(bits);
    address_text(bits, q->own_address, q->own.address);
    q->own.port = (uint16_t)(1 + below(100));
}

/* A value in, at or just outside a range of the set: where mistakes are. */
static u128
near(const set *s, unsigned bits, u128 otherwise)
{
    if (s->count == 0 || below(8) == 0)
        return otherwise;
    const range *r = &s->items[below(s->count)];
    if (r->bits != bits)
        return otherwise;
    u128 values[] = {
        r->low, r->high, r->low - 1, r->high + 1, r->low + (r->high - r->low) / 2, r->low + below(256)};
    return values[below(FC_COUNT(values))] & all_ones(bits);
}

static void
random_packet(const question *q, packet *p)
{
    static const int protocols[] = {TCP, TCP, UDP, UDP, ICMP, SCTP};
    static const tuple anything;
    const tuple *t = q->count > 0 ? &q->tuples[below(q->count)] : &anything;
    p->bits = t->local.count > 0    ? t->local.items[0].bits
              : t->remote.count > 0 ? t->remote.items[0].bits
                                    : 32;
    if (below(4) == 0)
        p->bits = below(2) == 0 ? 32 : 128;
    p->protocol = protocols[below(FC_COUNT(protocols))];
    p->outgoing = below(2) == 0;
    p->local = near(&t->local, p->bits, random_address(p->bits));
    p->remote = near(&t->remote, p->bits, random_address(p->bits));
    p->local_port = (uint16_t)near(&t->local_port, 16, 1 + below(200));
    p->remote_port = (uint16_t)near(&t->remote_port, 16, 1 + below(200));
    if (q->has_own && below(3) == 0 && (p->bits == 32) == (strchr(q->own.address, ':') == NULL)) {
        p->remote = q->own_address;
        p->remote_port = q->own.port;
        p->protocol = TCP;
    }
}

/* ---- the tests ---- */

typedef struct tally {
    unsigned compiled, never, too_long, matches, packets;
} tally;

static void
judge(const question *q, const char *expression, const struct bpf_program *program, tally *counts)
{
    for (int i = 0; i < PACKETS_PER_CASE; i++) {
        packet p;
        uint8_t bytes[128];
        random_packet(q, &p);
        machine m = {.packet = bytes, .packet_type = p.outgoing ? OUTGOING : HOST};
        m.length = write_packet(&p, bytes);
        bool wanted = expected(q, &p), got = run(program, &m) > 0;
        counts->packets++;
        counts->matches += wanted;
        if (wanted != got) {
            char local[INET6_ADDRSTRLEN], remote[INET6_ADDRSTRLEN];
            address_text(p.bits, p.local, local);
            address_text(p.bits, p.remote, remote);
            fail_msg("%s protocol %d, local %s %u, remote %s %u: expected %d, the program says %d\n%s",
                     p.outgoing ? "outgoing" : "incoming", p.protocol, local, p.local_port, remote,
                     p.remote_port, wanted, got, expression);
        }
    }
}

static void
ask(const question *q, tally *counts)
{
    fc_filter filters[FILTERS];
    for (size_t i = 0; i < q->count; i++) {
        const tuple *t = &q->tuples[i];
        filters[i] = (fc_filter){t->protocol, (char *)t->local.text, (char *)t->local_port.text,
                                 (char *)t->remote.text, (char *)t->remote_port.text};
    }
    fc_buf text = {0};
    fc_fail fail = {0};
    struct bpf_program program;
    fc_err err =
        fc_filter_expression(filters, q->count, raws[q->raw].text, &q->own, q->has_own, &text, &fail);
    if (err == FC_OK) {
        assert_int_equal(fc_filter_compile(fc_buf_text(&text), DLT_EN10MB, 0, &program, &fail), FC_OK);
        judge(q, fc_buf_text(&text), &program, counts);
        pcap_freecode(&program);
        counts->compiled++;
    } else if (strstr(fail.text, "can never match") != NULL) {
        counts->never++; /* such as TCP with the raw expression "udp" */
    } else if (strstr(fail.text, "whole networks instead of ranges") != NULL) {
        counts->too_long++;
    } else {
        fail_msg("%s: %s", fail.field, fail.text);
    }
    fc_buf_fini(&text);
}

static void
compiled_filters_mean_what_is_written(void **state)
{
    (void)state;
    tally counts = {0};
    for (int i = 0; i < CASES; i++) {
        question q;
        random_question(&q);
        ask(&q, &counts);
    }
    print_message("%u programs, %u that can never match, %u too long, %u packets of which %u match\n",
                  counts.compiled, counts.never, counts.too_long, counts.packets, counts.matches);
    /* The oracle is of use only when both answers come often. */
    assert_in_range(counts.compiled, CASES / 2, CASES);
    assert_in_range(counts.matches, counts.packets / 10, counts.packets / 10 * 9);
}

int
main(int argc, char **argv)
{
    if (argc > 1)
        random_state = strtoull(argv[1], NULL, 10);
    print_message("seed %" PRIu64 "\n", random_state);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compiled_filters_mean_what_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
