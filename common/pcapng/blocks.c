#include "common/pcapng/blocks.h"

#include "common/base/mem.h"
#include "common/pcapng/format.h"

#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_MIN = 12,
    PACKET_HEAD = 28,    /* bytes before the data of an Enhanced Packet Block */
    TEXTS_MAX = 4 << 20, /* of all interfaces of a section; what has no room is left out */
};

typedef struct source {
    fc_capture_interface interface; /* what callers see; its texts are owned */
    uint8_t resolution;             /* if_tsresol: 10^-n, or 2^-n with the high bit */
    uint64_t ns_per_tick;           /* 0 = not a whole number, or there is an offset */
} source;

struct fc_blocks {
    bool swapped; /* this section is big-endian */
    bool in_section;
    source **sources; /* owned, each owned: their addresses are lent out */
    uint32_t source_count, source_capacity;
    size_t text_bytes; /* of the section's interfaces */
    char *comment;     /* owned; of the section; NULL = none */
};

/* A block's body, or an option's value: every read is checked against its end. */
typedef struct span {
    const uint8_t *at;
    size_t size;
} span;

/* What the parsers return: NULL, or what is wrong with the block. */
typedef const char *complaint;

/* The next option, or OPTION_END. A list that runs out without opt_endofopt is legal; an option that is
 * longer than its block is not. */
static complaint
next_option(bool swapped, span *options, uint16_t *ret_code, span *ret_value)
{
    *ret_code = OPTION_END;
    if (options->size == 0)
        return NULL;
    if (options->size < 4)
        return "an option is not whole";
    uint16_t code = get_u16(swapped, options->at);
    size_t size = get_u16(swapped, options->at + 2);
    size_t padded = (size + 3) & ~(size_t)3;
    if (code == OPTION_END)
        return NULL;
    if (padded > options->size - 4)
        return "an option is longer than its block";
    *ret_code = code;
    *ret_value = (span){options->at + 4, size};
    options->at += 4 + padded;
    options->size -= 4 + padded;
    return NULL;
}

/* ---- time ---- */

/* Units of 10^-n or 2^-n s since 1970, and an offset in s, to nanoseconds; what does not fit 64 bits is
 * clamped. */
static int64_t
to_unix_ns_slowly(const source *from, uint64_t ticks)
{
    __extension__ typedef __int128 wide;
    wide ns = (wide)ticks;
    unsigned power = from->resolution & 0x7f;
    if (from->resolution & 0x80) {
        ns = power < 96 ? (ns * 1000000000) >> power : 0;
    } else {
        for (; power > 9 && ns > 0; power--)
            ns /= 10;
        for (; power < 9; power++)
            ns *= 10;
    }
    ns += (wide)from->interface.offset_s * 1000000000;
    if (ns > INT64_MAX)
        return INT64_MAX;
    return ns < INT64_MIN ? INT64_MIN : (int64_t)ns;
}

static inline int64_t
to_unix_ns(const source *from, uint64_t ticks)
{
    uint64_t ns;
    if (from->ns_per_tick != 0 && !__builtin_mul_overflow(ticks, from->ns_per_tick, &ns) && ns <= INT64_MAX)
        return (int64_t)ns;
    return to_unix_ns_slowly(from, ticks);
}

/* Fills what follows from the resolution and the offset. */
static void
set_clock(source *new)
{
    unsigned power = new->resolution & 0x7f;
    uint64_t ticks = 1, per_tick = 1;
    if (new->resolution & 0x80) {
        ticks = power < 64 ? 1ULL << power : UINT64_MAX;
        per_tick = 0;
    } else {
        for (unsigned i = 0; i < power && ticks != UINT64_MAX; i++)
            if (__builtin_mul_overflow(ticks, 10u, &ticks))
                ticks = UINT64_MAX;
        for (unsigned i = power; i < 9; i++)
            per_tick *= 10;
    }
    new->interface.ticks_per_second = ticks;
    new->ns_per_tick = power <= 9 && new->interface.offset_s == 0 ? per_tick : 0;
}

/* ---- sections and interfaces ---- */

static void
forget_section(fc_blocks *blocks)
{
    for (uint32_t i = 0; i < blocks->source_count; i++) {
        fc_capture_interface *interface = &blocks->sources[i]->interface;
        free(interface->description);
        free(interface->filter);
        free(interface->comment);
        free(blocks->sources[i]);
    }
    blocks->source_count = 0;
    blocks->text_bytes = 0;
    free(blocks->comment);
    blocks->comment = NULL;
}

fc_blocks *
fc_blocks_new(void)
{
    return FC_NEW(fc_blocks);
}

void
fc_blocks_free(fc_blocks *blocks)
{
    if (blocks == NULL)
        return;
    forget_section(blocks);
    free(blocks->sources);
    free(blocks);
}

const fc_capture_interface *
fc_blocks_interface(const fc_blocks *blocks, uint32_t index)
{
    return index < blocks->source_count ? &blocks->sources[index]->interface : NULL;
}

/* Keeps the first text of its kind. */
static void
keep_text(fc_blocks *blocks, char **text, span value)
{
    if (*text != NULL || blocks->text_bytes + value.size > TEXTS_MAX)
        return;
    *text = fc_strndup((const char *)value.at, value.size);
    blocks->text_bytes += value.size;
}

static void
keep_address(fc_capture_interface *interface, uint16_t code, span value)
{
    if (code == IDB_IPV4 && value.size == 8 && interface->ipv4_count < FC_CAPTURE_ADDRESSES_MAX)
        memcpy(interface->ipv4[interface->ipv4_count++], value.at, 4);
    if (code == IDB_IPV6 && value.size == 17 && interface->ipv6_count < FC_CAPTURE_ADDRESSES_MAX)
        memcpy(interface->ipv6[interface->ipv6_count++], value.at, 16);
}

static void
keep_interface_option(fc_blocks *blocks, source *new, uint16_t code, span value)
{
    fc_capture_interface *interface = &new->interface;
    switch (code) {
    case OPTION_COMMENT:
        keep_text(blocks, &interface->comment, value);
        break;
    case IDB_NAME: {
        size_t length = value.size < sizeof interface->name ? value.size : sizeof interface->name - 1;
        memcpy(interface->name, value.at, length);
        interface->name[length] = '\0';
        break;
    }
    case IDB_DESCRIPTION:
        keep_text(blocks, &interface->description, value);
        break;
    case IDB_IPV4:
    case IDB_IPV6:
        keep_address(interface, code, value);
        break;
    case IDB_MAC:
        interface->has_mac = value.size == sizeof interface->mac;
        if (interface->has_mac)
            memcpy(interface->mac, value.at, sizeof interface->mac);
        break;
    case IDB_TSRESOL:
        if (value.size == 1)
            new->resolution = value.at[0];
        break;
    case IDB_FILTER: /* a leading 0 says text */
        if (value.size > 1 && value.at[0] == 0)
            keep_text(blocks, &interface->filter, (span){value.at + 1, value.size - 1});
        break;
    case IDB_TSOFFSET:
        if (value.size == 8)
            interface->offset_s = (int64_t)get_u64(blocks->swapped, value.at);
        break;
    default:
        break;
    }
}

static complaint
check_options(bool swapped, span options)
{
    uint16_t code = 1;
    span value;
    complaint wrong = NULL;
    while (wrong == NULL && code != OPTION_END)
        wrong = next_option(swapped, &options, &code, &value);
    return wrong;
}

static complaint
read_interface(fc_blocks *blocks, span body, fc_block *ret_block)
{
    if (body.size < 8)
        return "an interface description is too short";
    if (blocks->source_count == FC_CAPTURE_INTERFACES_MAX)
        return "more interfaces than a section may have";
    span options = {body.at + 8, body.size - 8}, value;
    complaint wrong = check_options(blocks->swapped, options);
    if (wrong != NULL)
        return wrong;
    if (blocks->source_count == blocks->source_capacity) {
        blocks->source_capacity = blocks->source_capacity == 0 ? 4 : 2 * blocks->source_capacity;
        blocks->sources = fc_grow_array(blocks->sources, blocks->source_capacity, sizeof *blocks->sources);
    }
    source *new = FC_NEW(source);
    new->resolution = 6;
    new->interface.index = blocks->source_count;
    new->interface.link_type = get_u16(blocks->swapped, body.at);
    new->interface.snaplen_bytes = get_u32(blocks->swapped, body.at + 4);
    uint16_t code;
    while (next_option(blocks->swapped, &options, &code, &value) == NULL && code != OPTION_END)
        keep_interface_option(blocks, new, code, value);
    set_clock(new);
    blocks->sources[blocks->source_count++] = new;
    ret_block->kind = FC_BLOCK_INTERFACE;
    ret_block->interface = &new->interface;
    return NULL;
}

static complaint
read_section(fc_blocks *blocks, bool swapped, span body, fc_block *ret_block)
{
    if (body.size < 16)
        return "a section header is too short";
    if (get_u16(swapped, body.at + 4) != 1)
        return "a major version other than 1";
    span options = {body.at + 16, body.size - 16}, value;
    complaint wrong = check_options(swapped, options);
    if (wrong != NULL)
        return wrong;
    forget_section(blocks);
    blocks->swapped = swapped;
    blocks->in_section = true;
    uint16_t code;
    while (next_option(swapped, &options, &code, &value) == NULL && code != OPTION_END)
        if (code == OPTION_COMMENT && blocks->comment == NULL)
            blocks->comment = fc_strndup((const char *)value.at, value.size);
    ret_block->kind = FC_BLOCK_SECTION;
    ret_block->comment = blocks->comment;
    return NULL;
}

/* ---- statistics ---- */

static complaint
read_statistics(const fc_blocks *blocks, span body, fc_block *ret_block)
{
    bool swapped = blocks->swapped;
    if (body.size < 12)
        return "an interface statistics block is too short";
    fc_capture_statistics told = {.interface = get_u32(swapped, body.at)};
    if (told.interface >= blocks->source_count)
        return NULL; /* of nobody: skipped like a block of another kind */
    const source *from = blocks->sources[told.interface];
    const struct {
        uint16_t code;
        uint64_t *count;
        bool *has;
    } counts[] = {
        {ISB_RECEIVED, &told.received, &told.has_received},
        {ISB_INTERFACE_DROPPED, &told.interface_dropped, &told.has_interface_dropped},
        {ISB_FILTER_ACCEPTED, &told.filter_accepted, &told.has_filter_accepted},
        {ISB_OS_DROPPED, &told.os_dropped, &told.has_os_dropped},
        {ISB_DELIVERED, &told.delivered, &told.has_delivered},
    };
    span options = {body.at + 12, body.size - 12}, value;
    for (;;) {
        uint16_t code;
        complaint wrong = next_option(swapped, &options, &code, &value);
        if (wrong != NULL)
            return wrong;
        if (code == OPTION_END)
            break;
        if (value.size != 8)
            continue;
        if (code == ISB_START)
            told.start_ns = to_unix_ns(from, get_ticks(swapped, value.at));
        if (code == ISB_END)
            told.end_ns = to_unix_ns(from, get_ticks(swapped, value.at));
        for (size_t i = 0; i < FC_COUNT(counts); i++)
            if (code == counts[i].code) {
                *counts[i].count = get_u64(swapped, value.at);
                *counts[i].has = true;
            }
    }
    ret_block->kind = FC_BLOCK_STATISTICS;
    ret_block->interface = &from->interface;
    ret_block->statistics = told;
    return NULL;
}

/* ---- packets ---- */

static complaint
read_flags(bool swapped, span options, uint32_t *ret_flags)
{
    /* What most writers put there: the flags alone. */
    if (!swapped && options.size >= 12 && get_u32(false, options.at) == (EPB_FLAGS | 4u << 16) &&
        get_u32(false, options.at + 8) == OPTION_END) {
        *ret_flags = get_u32(false, options.at + 4);
        return NULL;
    }
    for (;;) {
        uint16_t code;
        span value;
        complaint wrong = next_option(swapped, &options, &code, &value);
        if (wrong != NULL || code == OPTION_END)
            return wrong;
        if (code == EPB_FLAGS && value.size == 4)
            *ret_flags = get_u32(swapped, value.at);
    }
}

/* Enhanced Packet Block, and the obsolete Packet Block, which differs in the first words only. */
__attribute__((always_inline)) static inline complaint
read_packet(const fc_blocks *blocks, bool swapped, uint32_t type, span body, fc_block *ret_block)
{
    if (body.size < 20)
        return "a packet is too short";
    uint32_t index = type == FC_PCAPNG_EPB ? get_u32(swapped, body.at) : get_u16(swapped, body.at);
    if (index >= blocks->source_count)
        return "a packet names an interface that was not described";
    uint32_t captured = get_u32(swapped, body.at + 12), original = get_u32(swapped, body.at + 16);
    size_t padded = ((size_t)captured + 3) & ~(size_t)3;
    if (padded > body.size - 20)
        return "a packet is longer than its block";
    uint32_t flags = 0;
    if (body.size - 20 > padded) {
        complaint wrong = read_flags(swapped, (span){body.at + 20 + padded, body.size - 20 - padded}, &flags);
        if (wrong != NULL)
            return wrong;
    }
    const source *from = blocks->sources[index];
    ret_block->kind = FC_BLOCK_FRAME;
    ret_block->interface = &from->interface;
    ret_block->frame = (fc_frame){
        .unix_ns = to_unix_ns(from, get_ticks(swapped, body.at + 4)),
        .data = body.at + 20,
        .captured_bytes = captured,
        .original_bytes = original > captured ? original : captured,
        .interface = index,
        .link_type = from->interface.link_type,
        .flags = (uint16_t)flags,
        .direction = (flags & 3) == 3 ? FC_DIRECTION_UNKNOWN : (fc_direction)(flags & 3),
    };
    return NULL;
}

/* A Simple Packet Block has neither time nor interface: it is of the first, and its time is 0. */
static complaint
read_simple_packet(const fc_blocks *blocks, span body, fc_block *ret_block)
{
    if (body.size < 4)
        return "a packet is too short";
    if (blocks->source_count == 0)
        return "a packet names an interface that was not described";
    const fc_capture_interface *interface = &blocks->sources[0]->interface;
    uint32_t original = get_u32(blocks->swapped, body.at), captured = original;
    if (interface->snaplen_bytes != 0 && captured > interface->snaplen_bytes)
        captured = interface->snaplen_bytes;
    if (captured > body.size - 4)
        return "a packet is longer than its block";
    ret_block->kind = FC_BLOCK_FRAME;
    ret_block->interface = interface;
    ret_block->frame = (fc_frame){.data = body.at + 4,
                                  .captured_bytes = captured,
                                  .original_bytes = original,
                                  .link_type = interface->link_type};
    return NULL;
}

/* ---- blocks ---- */

static complaint
read_body(fc_blocks *blocks, bool swapped, uint32_t type, span body, fc_block *ret_block)
{
    ret_block->kind = FC_BLOCK_OTHER;
    switch (type) {
    case FC_PCAPNG_SHB:
        return read_section(blocks, swapped, body, ret_block);
    case FC_PCAPNG_IDB:
        return read_interface(blocks, body, ret_block);
    case FC_PCAPNG_ISB:
        return read_statistics(blocks, body, ret_block);
    case FC_PCAPNG_EPB:
    case BLOCK_OLD_PACKET:
        return read_packet(blocks, swapped, type, body, ret_block);
    case BLOCK_SIMPLE_PACKET:
        return read_simple_packet(blocks, body, ret_block);
    default:
        return NULL;
    }
}

/* Type, length and byte order of the block at data; *ret_need: how many bytes must be there to say more. */
static complaint
read_header(const fc_blocks *blocks, const uint8_t *data, size_t size, uint32_t *ret_type, bool *ret_swapped,
            size_t *ret_need)
{
    *ret_swapped = blocks->swapped;
    *ret_need = 8;
    if (size < 8)
        return NULL;
    *ret_type = get_u32(blocks->swapped, data);
    if (*ret_type == FC_PCAPNG_SHB) { /* the same in both byte orders */
        *ret_need = BLOCK_MIN;
        if (size < BLOCK_MIN)
            return NULL;
        uint32_t magic = get_u32(false, data + 8);
        if (magic != BYTE_ORDER_MAGIC && magic != MAGIC_SWAPPED)
            return "not a section header of pcapng";
        *ret_swapped = magic == MAGIC_SWAPPED;
    } else if (!blocks->in_section) {
        return "not a section header of pcapng";
    }
    uint32_t length = get_u32(*ret_swapped, data + 4);
    if (length < BLOCK_MIN || length % 4 != 0 || length > FC_PCAPNG_BLOCK_MAX)
        return "its length cannot be";
    *ret_need = length;
    return NULL;
}

/* Not inlined: its stack frame would be paid for with every packet. */
__attribute__((noinline)) static void
next_of_any_kind(fc_blocks *blocks, const uint8_t *data, size_t size, fc_block *ret_block, fc_fail *why)
{
    uint32_t type = 0;
    bool swapped;
    size_t need;
    complaint wrong = read_header(blocks, data, size, &type, &swapped, &need);
    if (wrong == NULL && size < need) {
        ret_block->kind = FC_BLOCK_MORE;
        ret_block->size = need;
        return;
    }
    if (wrong == NULL && get_u32(swapped, data + need - 4) != need)
        wrong = "its two lengths differ";
    if (wrong == NULL)
        wrong = read_body(blocks, swapped, type, (span){data + 8, need - BLOCK_MIN}, ret_block);
    ret_block->size = need;
    if (wrong != NULL) {
        ret_block->kind = FC_BLOCK_CORRUPT;
        ret_block->size = 0;
        (void)fc_fail_set(why, FC_ERR_CORRUPT, "%s", wrong);
    }
}

/* A packet as fc_pcapng_put_packet writes it: little-endian, in nanoseconds, with the flags as its only
 * option. False when it is anything else; then nothing has been decided. */
static inline bool
read_our_packet(const fc_blocks *blocks, const uint8_t *data, size_t size, fc_block *ret_block)
{
    uint32_t length = get_u32(false, data + 4), index = get_u32(false, data + 8);
    uint32_t captured = get_u32(false, data + 20), original = get_u32(false, data + 24);
    uint64_t ns = (uint64_t)get_u32(false, data + 12) << 32 | get_u32(false, data + 16);
    uint64_t tail = PACKET_HEAD + (((uint64_t)captured + 3) & ~(uint64_t)3);
    if (length != tail + 16 || length > size || length > FC_PCAPNG_BLOCK_MAX ||
        index >= blocks->source_count || ns > INT64_MAX)
        return false;
    const source *from = blocks->sources[index];
    const uint8_t *options = data + tail;
    uint32_t flags = get_u32(false, options + 4);
    if (from->ns_per_tick != 1 || get_u32(false, options) != (EPB_FLAGS | 4u << 16) ||
        get_u32(false, options + 8) != OPTION_END || get_u32(false, options + 12) != length)
        return false;
    ret_block->kind = FC_BLOCK_FRAME;
    ret_block->size = length;
    ret_block->interface = &from->interface;
    ret_block->frame = (fc_frame){
        .unix_ns = (int64_t)ns,
        .data = data + PACKET_HEAD,
        .captured_bytes = captured,
        .original_bytes = original > captured ? original : captured,
        .interface = index,
        .link_type = from->interface.link_type,
        .flags = (uint16_t)flags,
        .direction = (flags & 3) == 3 ? FC_DIRECTION_UNKNOWN : (fc_direction)(flags & 3),
    };
    return true;
}

/* Not inlined, for its stack frame. A whole Enhanced Packet Block of a little-endian section, without a
 * fault; everything else, and every complaint, goes the way of any kind. */
__attribute__((noinline)) static void
next_of_others(fc_blocks *blocks, const uint8_t *data, size_t size, fc_block *ret_block, fc_fail *why)
{
    if (size >= PACKET_HEAD + 4 && !blocks->swapped && blocks->in_section &&
        get_u32(false, data) == FC_PCAPNG_EPB) {
        uint32_t length = get_u32(false, data + 4);
        if (length >= PACKET_HEAD + 4 && length % 4 == 0 && length <= size && length <= FC_PCAPNG_BLOCK_MAX &&
            get_u32(false, data + length - 4) == length &&
            read_packet(blocks, false, FC_PCAPNG_EPB, (span){data + 8, length - BLOCK_MIN}, ret_block) ==
                NULL) {
            ret_block->size = length;
            return;
        }
    }
    next_of_any_kind(blocks, data, size, ret_block, why);
}

void
fc_blocks_next(fc_blocks *blocks, const uint8_t *data, size_t size, fc_block *ret_block, fc_fail *why)
{
    if (size >= PACKET_HEAD + 4 && !blocks->swapped && blocks->in_section &&
        get_u32(false, data) == FC_PCAPNG_EPB && read_our_packet(blocks, data, size, ret_block))
        return;
    next_of_others(blocks, data, size, ret_block, why);
}
