#include "common/pcapng/input.h"

#include "common/base/mem.h"
#include "common/pcapng/format.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

enum {
    READ_SIZE = 1 << 20,
    BUFFER_SIZE = 2 * READ_SIZE, /* grows to hold one block of FC_PCAPNG_BLOCK_MAX */
    UNZSTD_SIZE = 1 << 17,       /* what is decompressed at a time: the most that one block of zstd holds */
    WINDOW_LOG_MAX = 27,         /* 128 MiB: what libzstd keeps of a compressed file's output */

    PCAP_HEADER = 24,
    PCAP_RECORD = 16,
    LINK_RAW = 101, /* LINKTYPE_RAW; some programs wrote their system's DLT_RAW: */
    DLT_RAW_LINUX = 12,
    DLT_RAW_OPENBSD = 14,

    ZSTD_MAGIC = 0xFD2FB528,
    ZSTD_SKIPPABLE = 0x184D2A50, /* the low four bits are free */
};

/* The words that a pcap file begins with (pcap-savefile(5)), read little-endian. */
static const struct {
    uint32_t magic;
    bool swapped;
    uint32_t ns_per_tick;
} pcap_magics[] = {
    {0xa1b2c3d4, false, 1000},
    {0xd4c3b2a1, true, 1000},
    {0xa1b23c4d, false, 1},
    {0x4d3cb2a1, true, 1},
};

/* What is known and not read, and why: a sentence for a person. */
static const struct {
    uint8_t bytes[4];
    uint8_t size;
    const char *why;
} refused_magics[] = {
    {{0x34, 0xcd, 0xb2, 0xa1}, 4, "a pcap file of the \"modified\" kind; convert it with editcap"},
    {{0xa1, 0xb2, 0xcd, 0x34}, 4, "a pcap file of the \"modified\" kind; convert it with editcap"},
    {{0x4d, 0x3c, 0x2b, 0xa1}, 4, "a pcap file of Navtel's kind; convert it with editcap"},
    {{0xa1, 0x2b, 0x3c, 0x4d}, 4, "a pcap file of Navtel's kind; convert it with editcap"},
    {{0xac, 0x01, 0x00, 0x1c}, 4, "a pcap file of IXIA's kind; convert it with editcap"},
    {{0xab, 0x01, 0x00, 0x1c}, 4, "a pcap file of IXIA's kind; convert it with editcap"},
    {{0x1f, 0x8b}, 2, "compressed with gzip; decompress it first"},
    {{0xfd, '7', 'z', 'X'}, 4, "compressed with xz; decompress it first"},
    {{0x04, 0x22, 0x4d, 0x18}, 4, "compressed with lz4; decompress it first"},
    {{'s', 'n', 'o', 'o'}, 4, "a snoop file; convert it with editcap"},
};

typedef enum stage {
    STAGE_SECTION,   /* pcap: its section is still to be told of */
    STAGE_INTERFACE, /* pcap: its interface is */
    STAGE_PACKETS,
    STAGE_END,
} stage;

struct fc_input {
    int fd;      /* owned */
    char *name;  /* owned */
    bool at_end; /* of the bytes; what is in the buffer is all there is */
    bool was_cut;
    bool torn;    /* compressed, and the last frame of zstd is not whole */
    bool looking; /* nothing is let go: from `first` on it will be read again */
    size_t first;
    fc_fail broken; /* what ended the reading; said again after a rewind */
    stage stage;
    uint64_t frames;
    uint64_t offset; /* of buffer[start] in what the file holds, decompressed */

    uint8_t *buffer; /* owned */
    size_t start, end, capacity;

    ZSTD_DStream *zstd;  /* owned; NULL = not compressed */
    uint8_t *compressed; /* owned; READ_SIZE bytes */
    ZSTD_inBuffer compressed_in;
    bool in_zstd_frame;

    fc_blocks *blocks; /* owned; NULL = pcap */
    bool swapped;
    uint32_t ns_per_tick;
    fc_capture_interface interface; /* of a pcap file */
    fc_block block;                 /* what was told last */
    fc_fail why;                    /* what is wrong with it */
};

/* ---- bytes ---- */

static fc_err
read_some(fc_input *input, uint8_t *at, size_t size, size_t *ret_got, fc_fail *fail)
{
    ssize_t got;
    do
        got = read(input->fd, at, size);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return fc_fail_errno(fail, errno, "%s: cannot read", input->name);
    *ret_got = (size_t)got;
    return FC_OK;
}

/* Decompresses into [at, at + size). *ret_got is 0 at the end of the file only. A fault costs what libzstd
 * had decompressed in the same call: so not much at a time. */
static fc_err
decompress_some(fc_input *input, uint8_t *at, size_t size, size_t *ret_got, fc_fail *fail)
{
    ZSTD_outBuffer out = {at, size < UNZSTD_SIZE ? size : UNZSTD_SIZE, 0};
    ZSTD_inBuffer *in = &input->compressed_in;
    bool file_ends = false;
    for (;;) {
        size_t before = in->pos;
        if (in->pos < in->size || input->in_zstd_frame) {
            size_t left = ZSTD_decompressStream(input->zstd, &out, in);
            if (ZSTD_isError(left))
                return fc_fail_set(fail, FC_ERR_CORRUPT, "%s: cannot be decompressed: %s", input->name,
                                   ZSTD_getErrorName(left));
            input->in_zstd_frame = left != 0;
        }
        if (out.pos > 0)
            break;
        if (in->pos < in->size && in->pos > before)
            continue;
        if (file_ends) {
            input->torn = input->in_zstd_frame;
            break;
        }
        fc_err err = read_some(input, input->compressed, READ_SIZE, &in->size, fail);
        if (err != FC_OK)
            return err;
        in->pos = 0;
        file_ends = in->size == 0;
    }
    *ret_got = out.pos;
    return FC_OK;
}

/* Makes `size` bytes (at most one block) present, unless the file ends before: look at available(). What is
 * left moves to the buffer's beginning, so that blocks, whose sizes are multiples of 4, stay aligned. */
static fc_err
need(fc_input *input, size_t size, fc_fail *fail)
{
    while (input->end - input->start < size && !input->at_end) {
        if (input->broken.err != FC_OK)
            return fc_fail_copy(fail, &input->broken);
        if (input->start > 0 && !input->looking) {
            memmove(input->buffer, input->buffer + input->start, input->end - input->start);
            input->end -= input->start;
            input->start = 0;
        }
        if (input->capacity < input->start + size + READ_SIZE) {
            input->capacity = input->start + size + READ_SIZE;
            input->buffer = fc_grow_array(input->buffer, input->capacity, 1);
        }
        size_t got;
        fc_err err =
            input->zstd == NULL
                ? read_some(input, input->buffer + input->end, READ_SIZE, &got, &input->broken)
                : decompress_some(input, input->buffer + input->end, READ_SIZE, &got, &input->broken);
        if (err != FC_OK)
            return fc_fail_copy(fail, &input->broken);
        input->at_end = got == 0;
        input->end += got;
    }
    return FC_OK;
}

static size_t
available(const fc_input *input)
{
    return input->end - input->start;
}

static void
consume(fc_input *input, size_t size)
{
    input->start += size;
    input->offset += size;
}

/* ---- which kind of file ---- */

static fc_err
refuse(const fc_input *input, fc_fail *fail)
{
    const uint8_t *at = input->buffer + input->start;
    size_t size = available(input);
    if (size == 0)
        return fc_fail_set(fail, FC_ERR_INVALID, "%s: is empty: not a capture", input->name);
    for (size_t i = 0; i < FC_COUNT(refused_magics); i++)
        if (size >= refused_magics[i].size &&
            memcmp(at, refused_magics[i].bytes, refused_magics[i].size) == 0)
            return fc_fail_set(fail, FC_ERR_INVALID, "%s: %s", input->name, refused_magics[i].why);
    if (size < PCAP_HEADER)
        return fc_fail_set(fail, FC_ERR_INVALID, "%s: %zu bytes are not a capture", input->name, size);
    return fc_fail_set(fail, FC_ERR_INVALID, "%s: not a capture: it begins with %02x %02x %02x %02x",
                       input->name, at[0], at[1], at[2], at[3]);
}

static bool
begin_pcap(fc_input *input)
{
    if (available(input) < PCAP_HEADER)
        return false;
    const uint8_t *at = input->buffer + input->start;
    uint32_t magic = get_u32(input->swapped, at);
    for (size_t i = 0; i < FC_COUNT(pcap_magics); i++) {
        if (magic != pcap_magics[i].magic)
            continue;
        input->swapped = pcap_magics[i].swapped;
        input->ns_per_tick = pcap_magics[i].ns_per_tick;
        uint32_t link =
            get_u32(input->swapped, at + 20) & 0xffff; /* above it: the length of the frame check sequence */
        if (link == DLT_RAW_LINUX || link == DLT_RAW_OPENBSD)
            link = LINK_RAW;
        input->interface.link_type = (uint16_t)link;
        input->interface.snaplen_bytes = get_u32(input->swapped, at + 16);
        input->interface.ticks_per_second = 1000000000 / input->ns_per_tick;
        consume(input, PCAP_HEADER);
        return true;
    }
    return false;
}

/* Version 2.4 is what everybody has written since 1998; before, the two lengths of a record were the other
 * way around. */
static fc_err
check_pcap_version(fc_input *input, fc_fail *fail)
{
    uint32_t word = get_u32(input->swapped, input->buffer + input->start - PCAP_HEADER + 4);
    unsigned major = input->swapped ? word >> 16 : word & 0xffff;
    unsigned minor = input->swapped ? word & 0xffff : word >> 16;
    if (major != 2 || minor != 4)
        return fc_fail_set(fail, FC_ERR_INVALID, "%s: version %u.%u of pcap; only 2.4 is read", input->name,
                           major, minor);
    return FC_OK;
}

static fc_err
begin_zstd(fc_input *input, fc_fail *fail)
{
    input->zstd = ZSTD_createDStream();
    if (input->zstd == NULL)
        return fc_fail_set(fail, FC_ERR_INTERNAL, "%s: no memory to decompress it", input->name);
    size_t status = ZSTD_DCtx_setParameter(input->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    if (ZSTD_isError(status))
        return fc_fail_set(fail, FC_ERR_INTERNAL, "%s: %s", input->name, ZSTD_getErrorName(status));
    size_t size = available(input);
    input->compressed = fc_alloc(size > READ_SIZE ? size : READ_SIZE);
    memcpy(input->compressed, input->buffer + input->start, size);
    input->compressed_in = (ZSTD_inBuffer){input->compressed, size, 0};
    input->start = input->end = 0;
    input->at_end = false;
    return FC_OK;
}

/* Looks at the first bytes; once more inside when they are compressed. */
static fc_err
begin(fc_input *input, fc_fail *fail)
{
    fc_err err = need(input, PCAP_HEADER, fail);
    if (err != FC_OK)
        return err;
    uint32_t magic = available(input) >= 4 ? get_u32(input->swapped, input->buffer + input->start) : 0;
    if ((magic == ZSTD_MAGIC || (magic & ~0xfu) == ZSTD_SKIPPABLE) && input->zstd == NULL) {
        err = begin_zstd(input, fail);
        return err == FC_OK ? begin(input, fail) : err;
    }
    if (magic == FC_PCAPNG_SHB) {
        input->blocks = fc_blocks_new();
        input->stage = STAGE_PACKETS;
        fc_blocks_next(input->blocks, input->buffer + input->start, available(input), &input->block, NULL);
        return input->block.kind == FC_BLOCK_CORRUPT ? refuse(input, fail) : FC_OK;
    }
    return begin_pcap(input) ? check_pcap_version(input, fail) : refuse(input, fail);
}

fc_err
fc_input_open(int fd, const char *name, fc_input **ret_input, fc_fail *fail)
{
    fc_input *input = FC_NEW(fc_input);
    input->fd = fd;
    input->name = fc_strdup(name);
    input->capacity = BUFFER_SIZE;
    input->buffer = fc_grow_array(NULL, input->capacity, 1);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a pipe knows no advice */
    fc_err err = begin(input, fail);
    if (err != FC_OK) {
        fc_input_free(input);
        return err;
    }
    *ret_input = input;
    return FC_OK;
}

void
fc_input_free(fc_input *input)
{
    if (input == NULL)
        return;
    fc_blocks_free(input->blocks);
    ZSTD_freeDStream(input->zstd);
    free(input->compressed);
    free(input->buffer);
    free(input->name);
    close(input->fd);
    free(input);
}

/* ---- events ---- */

/* No more of this file: said once, then only FC_INPUT_END. */
static fc_err
corrupt(fc_input *input, fc_fail *fail, const char *why)
{
    input->stage = STAGE_END;
    return fc_fail_set(fail, FC_ERR_CORRUPT, "%s: byte %" PRIu64 ": %s", input->name, input->offset, why);
}

static fc_err
end(fc_input *input, fc_input_event *ret_event)
{
    input->stage = STAGE_END;
    input->block.kind = FC_BLOCK_MORE;
    input->block.size = 0;
    *ret_event = FC_INPUT_END;
    return FC_OK;
}

/* What a file that was made larger in advance, or a torn write, ends with. */
static bool
only_zeros(const uint8_t *at, size_t size)
{
    size_t zeros = 0;
    while (zeros < size && zeros < 16 && at[zeros] == 0)
        zeros++;
    return zeros == size || zeros == 16;
}

static fc_err
next_in_pcapng(fc_input *input, fc_input_event *ret_event, fc_fail *fail)
{
    static const fc_input_event events[] = {
        [FC_BLOCK_SECTION] = FC_INPUT_SECTION,
        [FC_BLOCK_INTERFACE] = FC_INPUT_INTERFACE,
        [FC_BLOCK_FRAME] = FC_INPUT_FRAME,
        [FC_BLOCK_STATISTICS] = FC_INPUT_STATISTICS,
    };
    fc_block *block = &input->block;
    for (;;) {
        size_t left = available(input);
        fc_blocks_next(input->blocks, input->buffer + input->start, left, block, &input->why);
        if (block->kind == FC_BLOCK_MORE && !input->at_end) {
            fc_err err = need(input, block->size, fail);
            if (err != FC_OK)
                return err;
            continue;
        }
        if (block->kind == FC_BLOCK_CORRUPT && !only_zeros(input->buffer + input->start, left))
            return corrupt(input, fail, input->why.text);
        if (block->kind == FC_BLOCK_MORE || block->kind == FC_BLOCK_CORRUPT) {
            input->was_cut = input->was_cut || left > 0;
            return end(input, ret_event);
        }
        consume(input, block->size);
        if (block->kind == FC_BLOCK_OTHER)
            continue;
        input->frames += block->kind == FC_BLOCK_FRAME;
        *ret_event = events[block->kind];
        return FC_OK;
    }
}

/* A pcap file's header told as pcapng would: a section, then its one interface. */
static fc_err
tell_header(fc_input *input, fc_input_event *ret_event)
{
    bool section = input->stage == STAGE_SECTION;
    input->block.kind = section ? FC_BLOCK_SECTION : FC_BLOCK_INTERFACE;
    input->block.comment = NULL;
    input->block.interface = section ? NULL : &input->interface;
    *ret_event = section ? FC_INPUT_SECTION : FC_INPUT_INTERFACE;
    input->stage = section ? STAGE_INTERFACE : STAGE_PACKETS;
    return FC_OK;
}

static fc_err
next_in_pcap(fc_input *input, fc_input_event *ret_event, fc_fail *fail)
{
    fc_err err = need(input, PCAP_RECORD, fail);
    if (err != FC_OK)
        return err;
    size_t left = available(input);
    const uint8_t *at = input->buffer + input->start;
    if (left < PCAP_RECORD || (left >= PCAP_RECORD && only_zeros(at, PCAP_RECORD))) {
        input->was_cut = input->was_cut || left > 0;
        return end(input, ret_event);
    }
    uint32_t captured = get_u32(input->swapped, at + 8), original = get_u32(input->swapped, at + 12);
    if (captured > FC_PCAPNG_BLOCK_MAX)
        return corrupt(input, fail, "the length of a packet cannot be");
    if ((err = need(input, PCAP_RECORD + (size_t)captured, fail)) != FC_OK)
        return err;
    if (available(input) < PCAP_RECORD + (size_t)captured) {
        input->was_cut = true;
        return end(input, ret_event);
    }
    at = input->buffer + input->start;
    input->block.kind = FC_BLOCK_FRAME;
    input->block.size = PCAP_RECORD + (size_t)captured;
    input->block.interface = &input->interface;
    input->block.frame = (fc_frame){
        .unix_ns = (int64_t)get_u32(input->swapped, at) * 1000000000 +
                   (int64_t)get_u32(input->swapped, at + 4) * input->ns_per_tick,
        .data = at + PCAP_RECORD,
        .captured_bytes = captured,
        .original_bytes = original > captured ? original : captured,
        .link_type = input->interface.link_type,
    };
    consume(input, input->block.size);
    input->frames++;
    *ret_event = FC_INPUT_FRAME;
    return FC_OK;
}

fc_err
fc_input_next(fc_input *input, fc_input_event *ret_event, const fc_block **ret_block, fc_fail *fail)
{
    *ret_block = &input->block;
    if (input->stage == STAGE_END)
        return end(input, ret_event);
    if (input->stage != STAGE_PACKETS)
        return tell_header(input, ret_event);
    fc_err err =
        input->blocks != NULL ? next_in_pcapng(input, ret_event, fail) : next_in_pcap(input, ret_event, fail);
    if (err != FC_OK)
        input->stage = STAGE_END;
    return err;
}

void
fc_input_look(fc_input *input)
{
    input->looking = true;
    input->first = input->start;
}

size_t
fc_input_looked_bytes(const fc_input *input)
{
    return input->start - input->first;
}

void
fc_input_rewind(fc_input *input)
{
    if (!input->looking)
        return;
    input->offset -= fc_input_looked_bytes(input);
    input->start = input->first;
    input->looking = false;
    input->was_cut = false;
    input->frames = 0;
    input->stage = input->blocks != NULL ? STAGE_PACKETS : STAGE_SECTION;
    if (input->blocks != NULL) {
        fc_blocks_free(input->blocks);
        input->blocks = fc_blocks_new();
    }
}

bool
fc_input_was_cut(const fc_input *input)
{
    return input->was_cut || input->torn;
}

uint64_t
fc_input_frames(const fc_input *input)
{
    return input->frames;
}
