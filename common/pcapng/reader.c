#include "common/base/mem.h"
#include "common/pcapng/pcapng.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    BYTE_ORDER_MAGIC = 0x1A2B3C4D,
    MAGIC_SWAPPED = 0x4D3C2B1A,
    BLOCK_OLD_PACKET = 2, /* Packet Block, obsolete but still met */
    BLOCK_SIMPLE_PACKET = 3,
    BLOCK_MIN = 12,
    INTERFACES_MAX = 4096, /* of one section; each costs 40 bytes of memory */
    READ_SIZE = 1 << 18,

    OPTION_END = 0,
    IDB_TSRESOL = 9,
    IDB_TSOFFSET = 14,
    EPB_FLAGS = 2,
};

/* What an Interface Description Block says about timestamps and links. */
typedef struct source {
    uint16_t link_type;
    uint32_t snaplen_bytes;
    uint8_t resolution; /* if_tsresol: 10^-n, or 2^-n with the high bit */
    int64_t offset_s;
} source;

struct fc_pcapng_reader {
    int fd;       /* borrowed */
    bool swapped; /* this section has the other byte order */
    bool in_section;
    bool at_end;       /* read(2) returned 0 */
    uint64_t good;     /* offset past the last whole block */
    fc_buf input;      /* owned; starts with the block that is looked at */
    size_t last_block; /* bytes at its start that the next call consumes */
    source *sources;   /* owned */
    uint32_t source_count, source_capacity;
};

/* One block's body, or one option's value: every read is checked against its end. */
typedef struct span {
    const uint8_t *at;
    size_t size;
} span;

static uint16_t
get_u16(const fc_pcapng_reader *reader, const uint8_t *at)
{
    uint16_t value = (uint16_t) (at[0] | at[1] << 8);
    return reader->swapped ? __builtin_bswap16(value) : value;
}

static uint32_t
get_u32(const fc_pcapng_reader *reader, const uint8_t *at)
{
    uint32_t value =
        (uint32_t) at[0] | (uint32_t) at[1] << 8 | (uint32_t) at[2] << 16 | (uint32_t) at[3] << 24;
    return reader->swapped ? __builtin_bswap32(value) : value;
}

static fc_err
corrupt(const fc_pcapng_reader *reader, fc_fail *fail, const char *why)
{
    return fc_fail_set(fail, FC_ERR_CORRUPT, "block at byte %" PRIu64 ": %s", reader->good, why);
}

/* Makes `size` bytes of input present. FC_ERR_NOT_FOUND when the file ends before the first, FC_ERR_CORRUPT
 * when it ends in between. */
static fc_err
need(fc_pcapng_reader *reader, size_t size, fc_fail *fail)
{
    while (fc_buf_size(&reader->input) < size) {
        size_t missing = size - fc_buf_size(&reader->input);
        size_t room = missing > READ_SIZE ? missing : READ_SIZE;
        ssize_t got = reader->at_end ? 0 : read(reader->fd, fc_buf_reserve(&reader->input, room), room);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fc_fail_errno(fail, errno, "cannot read the capture file");
        if (got == 0) {
            reader->at_end = true;
            if (fc_buf_size(&reader->input) == 0)
                return fc_fail_set(fail, FC_ERR_NOT_FOUND, "end of file");
            return corrupt(reader, fail, "the file ends within it");
        }
        fc_buf_commit(&reader->input, (size_t) got);
    }
    return FC_OK;
}

/* The next option of a block, or false at the end of options. A list that runs out without opt_endofopt is
 * legal; an option that is longer than the block is not. */
static fc_err
next_option(const fc_pcapng_reader *reader, span *options, uint16_t *ret_code, span *ret_value, fc_fail *fail)
{
    *ret_code = OPTION_END;
    if (options->size == 0)
        return FC_OK;
    if (options->size < 4)
        return corrupt(reader, fail, "an option is not whole");
    uint16_t code = get_u16(reader, options->at);
    size_t size = get_u16(reader, options->at + 2);
    size_t padded = (size + 3) & ~(size_t) 3;
    if (code == OPTION_END)
        return FC_OK;
    if (padded > options->size - 4)
        return corrupt(reader, fail, "an option is longer than its block");
    *ret_code = code;
    *ret_value = (span){options->at + 4, size};
    options->at += 4 + padded;
    options->size -= 4 + padded;
    return FC_OK;
}

static fc_err
read_interface(fc_pcapng_reader *reader, span body, fc_fail *fail)
{
    if (body.size < 8)
        return corrupt(reader, fail, "an interface description is too short");
    if (reader->source_count == INTERFACES_MAX)
        return corrupt(reader, fail, "more interfaces than a section may have");
    source new = {.link_type = get_u16(reader, body.at),
                  .snaplen_bytes = get_u32(reader, body.at + 4),
                  .resolution = 6};
    span options = {body.at + 8, body.size - 8};
    for (;;) {
        uint16_t code;
        span value;
        fc_err err = next_option(reader, &options, &code, &value, fail);
        if (err != FC_OK)
            return err;
        if (code == OPTION_END)
            break;
        if (code == IDB_TSRESOL && value.size == 1)
            new.resolution = value.at[0];
        if (code == IDB_TSOFFSET && value.size == 8) {
            uint32_t first = get_u32(reader, value.at), second = get_u32(reader, value.at + 4);
            uint64_t high = reader->swapped ? first : second, low = reader->swapped ? second : first;
            new.offset_s = (int64_t) (high << 32 | low);
        }
    }
    if (reader->source_count == reader->source_capacity) {
        reader->source_capacity = reader->source_capacity == 0 ? 4 : 2 * reader->source_capacity;
        reader->sources = fc_grow_array(reader->sources, reader->source_capacity, sizeof *reader->sources);
    }
    reader->sources[reader->source_count++] = new;
    return FC_OK;
}

/* Units of 10^-n or 2^-n s since 1970 to nanoseconds; what does not fit 64 bits is clamped. */
static int64_t
to_unix_ns(const source *from, uint64_t units)
{
    __extension__ typedef __int128 wide;
    wide ns = (wide) units;
    unsigned power = from->resolution & 0x7f;
    if (from->resolution & 0x80) {
        ns = power < 96 ? (ns * 1000000000) >> power : 0;
    } else {
        for (; power > 9 && ns > 0; power--)
            ns /= 10;
        for (; power < 9; power++)
            ns *= 10;
    }
    ns += (wide) from->offset_s * 1000000000;
    if (ns > INT64_MAX)
        return INT64_MAX;
    return ns < INT64_MIN ? INT64_MIN : (int64_t) ns;
}

static fc_err
read_flags(const fc_pcapng_reader *reader, span options, fc_pcapng_packet *packet, fc_fail *fail)
{
    for (;;) {
        uint16_t code;
        span value;
        fc_err err = next_option(reader, &options, &code, &value, fail);
        if (err != FC_OK || code == OPTION_END)
            return err;
        if (code == EPB_FLAGS && value.size == 4)
            packet->flags = get_u32(reader, value.at);
    }
}

/* Enhanced Packet Block, and the obsolete Packet Block, which differs in the first words only. */
static fc_err
read_packet(const fc_pcapng_reader *reader, uint32_t type, span body, fc_pcapng_packet *packet, fc_fail *fail)
{
    if (body.size < 20)
        return corrupt(reader, fail, "a packet is too short");
    uint32_t interface = type == FC_PCAPNG_EPB ? get_u32(reader, body.at) : get_u16(reader, body.at);
    if (interface >= reader->source_count)
        return corrupt(reader, fail, "a packet names an interface that was not described");
    uint32_t captured = get_u32(reader, body.at + 12);
    size_t padded = ((size_t) captured + 3) & ~(size_t) 3;
    if (padded > body.size - 20)
        return corrupt(reader, fail, "a packet is longer than its block");
    const source *from = &reader->sources[interface];
    *packet = (fc_pcapng_packet){
        .interface = interface,
        .unix_ns =
            to_unix_ns(from, (uint64_t) get_u32(reader, body.at + 4) << 32 | get_u32(reader, body.at + 8)),
        .data = body.at + 20,
        .captured_bytes = captured,
        .original_bytes = get_u32(reader, body.at + 16),
        .link_type = from->link_type,
    };
    return read_flags(reader, (span){body.at + 20 + padded, body.size - 20 - padded}, packet, fail);
}

/* A Simple Packet Block has neither time nor interface: it is of the first, and its time is 0. */
static fc_err
read_simple_packet(const fc_pcapng_reader *reader, span body, fc_pcapng_packet *packet, fc_fail *fail)
{
    if (body.size < 4)
        return corrupt(reader, fail, "a packet is too short");
    if (reader->source_count == 0)
        return corrupt(reader, fail, "a packet names an interface that was not described");
    uint32_t original = get_u32(reader, body.at);
    uint32_t captured = original, snaplen = reader->sources[0].snaplen_bytes;
    if (snaplen != 0 && captured > snaplen)
        captured = snaplen;
    if (captured > body.size - 4)
        return corrupt(reader, fail, "a packet is longer than its block");
    *packet = (fc_pcapng_packet){.data = body.at + 4,
                                 .captured_bytes = captured,
                                 .original_bytes = original,
                                 .link_type = reader->sources[0].link_type};
    return FC_OK;
}

/* Looks at the header of the next block: its type and length, and the byte order when it starts a section. */
static fc_err
read_header(fc_pcapng_reader *reader, uint32_t *ret_type, uint32_t *ret_size, fc_fail *fail)
{
    fc_err err = need(reader, 8, fail);
    if (err != FC_OK)
        return err;
    const uint8_t *at = fc_buf_bytes(&reader->input);
    uint32_t type = get_u32(reader, at);
    if (type == FC_PCAPNG_SHB) { /* the same in both byte orders */
        if ((err = need(reader, 12, fail)) != FC_OK)
            return err;
        at = fc_buf_bytes(&reader->input);
        bool was_swapped = reader->swapped;
        reader->swapped = false;
        uint32_t magic = get_u32(reader, at + 8);
        reader->swapped = magic == MAGIC_SWAPPED;
        if (magic != BYTE_ORDER_MAGIC && magic != MAGIC_SWAPPED) {
            reader->swapped = was_swapped;
            return corrupt(reader, fail, "not a section header of pcapng");
        }
    } else if (!reader->in_section) {
        return corrupt(reader, fail, "not a section header of pcapng");
    }
    uint32_t size = get_u32(reader, at + 4);
    if (size < BLOCK_MIN || size % 4 != 0 || size > FC_PCAPNG_BLOCK_MAX)
        return corrupt(reader, fail, "its length cannot be");
    *ret_type = type;
    *ret_size = size;
    return FC_OK;
}

static fc_err
read_section(fc_pcapng_reader *reader, span body, fc_fail *fail)
{
    if (body.size < 16)
        return corrupt(reader, fail, "a section header is too short");
    if (get_u16(reader, body.at + 4) != 1)
        return corrupt(reader, fail, "a major version other than 1");
    reader->in_section = true;
    reader->source_count = 0;
    return FC_OK;
}

fc_err
fc_pcapng_reader_block(fc_pcapng_reader *reader, bool *ret_is_packet, fc_pcapng_packet *ret_packet,
                       fc_fail *fail)
{
    uint32_t type, size;
    fc_buf_consume(&reader->input, reader->last_block);
    reader->last_block = 0;
    fc_err err = read_header(reader, &type, &size, fail);
    if (err == FC_OK)
        err = need(reader, size, fail);
    if (err != FC_OK)
        return err;
    const uint8_t *at = fc_buf_bytes(&reader->input);
    if (get_u32(reader, at + size - 4) != size)
        return corrupt(reader, fail, "its two lengths differ");
    span body = {at + 8, size - BLOCK_MIN};
    bool is_packet = false;
    fc_pcapng_packet packet = {0};
    switch (type) {
    case FC_PCAPNG_SHB:
        err = read_section(reader, body, fail);
        break;
    case FC_PCAPNG_IDB:
        err = read_interface(reader, body, fail);
        break;
    case FC_PCAPNG_EPB:
    case BLOCK_OLD_PACKET:
        err = read_packet(reader, type, body, &packet, fail);
        is_packet = true;
        break;
    case BLOCK_SIMPLE_PACKET:
        err = read_simple_packet(reader, body, &packet, fail);
        is_packet = true;
        break;
    default:
        break;
    }
    if (err != FC_OK)
        return err;
    reader->last_block = size;
    reader->good += size;
    *ret_is_packet = is_packet;
    *ret_packet = packet;
    return FC_OK;
}

fc_err
fc_pcapng_reader_new(int fd, fc_pcapng_reader **ret_reader, fc_fail *fail)
{
    fc_pcapng_reader *reader = FC_NEW(fc_pcapng_reader);
    reader->fd = fd;
    uint32_t type, size;
    fc_err err = read_header(reader, &type, &size, fail);
    if (err == FC_ERR_NOT_FOUND)
        err = fc_fail_set(fail, FC_ERR_CORRUPT, "the file is empty");
    if (err != FC_OK) {
        fc_pcapng_reader_free(reader);
        return err;
    }
    *ret_reader = reader;
    return FC_OK;
}

void
fc_pcapng_reader_free(fc_pcapng_reader *reader)
{
    if (reader == NULL)
        return;
    fc_buf_fini(&reader->input);
    free(reader->sources);
    free(reader);
}

fc_err
fc_pcapng_reader_next(fc_pcapng_reader *reader, fc_pcapng_packet *ret_packet, fc_fail *fail)
{
    for (;;) {
        bool is_packet;
        fc_pcapng_packet packet;
        fc_err err = fc_pcapng_reader_block(reader, &is_packet, &packet, fail);
        if (err != FC_OK)
            return err;
        if (is_packet) {
            *ret_packet = packet;
            return FC_OK;
        }
    }
}

uint64_t
fc_pcapng_reader_good_offset(const fc_pcapng_reader *reader)
{
    return reader->good;
}

uint32_t
fc_pcapng_reader_interface_count(const fc_pcapng_reader *reader)
{
    return reader->source_count;
}
