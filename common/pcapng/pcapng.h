/* pcapng.h: write, read and repair pcapng (draft-ietf-opsawg-pcapng).
 *
 * The writer formats blocks into memory that the caller owns and does no I/O, so that the capture path
 * allocates nothing. The reader walks a file's blocks and trusts no length. Little-endian, nanosecond
 * timestamps.
 */
#ifndef FC_PCAPNG_PCAPNG_H
#define FC_PCAPNG_PCAPNG_H

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    FC_PCAPNG_SHB = 0x0A0D0D0A,
    FC_PCAPNG_IDB = 1,
    FC_PCAPNG_ISB = 5,
    FC_PCAPNG_EPB = 6,
    FC_PCAPNG_BLOCK_MAX = 16 << 20, /* what the reader accepts */
};

/* A block type for local use, which readers skip (draft-ietf-opsawg-pcapng, section 11.1). */
#define FC_PCAPNG_PADDING 0x80000001u
enum { FC_PCAPNG_PADDING_MIN = 12 };

typedef enum fc_direction {
    FC_DIRECTION_UNKNOWN = 0,
    FC_DIRECTION_INBOUND = 1,
    FC_DIRECTION_OUTBOUND = 2
} fc_direction;

typedef struct fc_pcapng_section {
    const char *hardware, *os, *application, *comment; /* borrowed; NULL = left out */
} fc_pcapng_section;

typedef struct fc_pcapng_interface {
    const char *name, *description, *filter, *os, *comment; /* borrowed; NULL = left out */
    uint16_t link_type;
    uint32_t snaplen_bytes;
    uint8_t mac[6];
    bool has_mac;
    uint64_t speed_bps; /* 0 = left out */
} fc_pcapng_interface;

typedef struct fc_pcapng_statistics {
    uint32_t interface;
    fc_wall at, start, end;
    uint64_t received, interface_dropped, filter_accepted, os_dropped, delivered;
} fc_pcapng_statistics;

void
fc_pcapng_put_section(fc_buf *out, const fc_pcapng_section *section);
void
fc_pcapng_put_interface(fc_buf *out, const fc_pcapng_interface *interface);
void
fc_pcapng_put_statistics(fc_buf *out, const fc_pcapng_statistics *statistics);

/* Formats a block of exactly `size` bytes (a multiple of 4, at least FC_PCAPNG_PADDING_MIN) that says
 * nothing. */
void
fc_pcapng_put_padding(uint8_t *out, uint32_t size);

/* Bytes of the Enhanced Packet Block for a packet of which captured_bytes are kept. */
static inline size_t
fc_pcapng_packet_size(uint32_t captured_bytes)
{
    return 32u + ((captured_bytes + 3u) & ~3u) +
           12u; /* header and trailer, data, flags option, end of options */
}

/* Formats one Enhanced Packet Block at `out` (at least fc_pcapng_packet_size bytes); returns its size. In the
 * header to be inlined: it runs once a packet. */
static inline size_t
fc_pcapng_put_packet(uint8_t *out, uint32_t interface, int64_t unix_ns, const uint8_t *data,
                     uint32_t captured_bytes, uint32_t original_bytes, uint32_t flags)
{
    uint32_t padded = (captured_bytes + 3u) & ~3u;
    uint32_t size = 32u + padded + 12u;
    uint64_t ns = (uint64_t)unix_ns;
    uint32_t head[7] = {FC_PCAPNG_EPB, size,           interface,     (uint32_t)(ns >> 32),
                        (uint32_t)ns,  captured_bytes, original_bytes};
    memcpy(out, head, sizeof head);
    memcpy(out + 28, data, captured_bytes);
    memset(out + 28 + captured_bytes, 0, padded - captured_bytes);
    uint32_t tail[4] = {2u | 4u << 16, flags, 0,
                        size}; /* option epb_flags, 4 bytes; end of options; length */
    memcpy(out + 28 + padded, tail, sizeof tail);
    return size;
}

/* ---- reading ---- */

typedef struct fc_pcapng_packet {
    uint32_t interface;
    int64_t unix_ns;
    const uint8_t *data; /* borrowed from the reader until the next call */
    uint32_t captured_bytes, original_bytes, flags;
    uint16_t link_type;
} fc_pcapng_packet;

typedef struct fc_pcapng_reader fc_pcapng_reader;
/* Borrows fd, reads from its position on. */
FC_MUST_USE fc_err
fc_pcapng_reader_new(int fd, fc_pcapng_reader **ret_reader, fc_fail *fail);
void
fc_pcapng_reader_free(fc_pcapng_reader *reader);
/* The next block of any kind; *ret_packet is set when it is a packet, else zero. Errors as for _next. */
FC_MUST_USE fc_err
fc_pcapng_reader_block(fc_pcapng_reader *reader, bool *ret_is_packet, fc_pcapng_packet *ret_packet,
                       fc_fail *fail);
/* The next packet. FC_ERR_NOT_FOUND at the end of the file, FC_ERR_CORRUPT at a block that is not whole or
 * lies. */
FC_MUST_USE fc_err
fc_pcapng_reader_next(fc_pcapng_reader *reader, fc_pcapng_packet *ret_packet, fc_fail *fail);
/* Offset in the file up to which every block was whole. */
uint64_t
fc_pcapng_reader_good_offset(const fc_pcapng_reader *reader);
/* Interfaces described in the section so far. */
uint32_t
fc_pcapng_reader_interface_count(const fc_pcapng_reader *reader);

typedef struct fc_pcapng_summary {
    uint64_t packets, captured_bytes, good_bytes, cut_bytes;
    fc_wall first_packet, last_packet;
} fc_pcapng_summary;
/* Cuts the file (open for reading and writing) at the last whole block and makes it durable. What is left
 * opens without a complaint. FC_ERR_CORRUPT, and the file untouched, when it does not begin with a whole
 * section header and interface description: there is nothing in it to keep. */
FC_MUST_USE fc_err
fc_pcapng_repair(int fd, fc_pcapng_summary *ret_summary, fc_fail *fail);

#endif
