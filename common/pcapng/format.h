/* format.h: the numbers of the format (draft-ietf-opsawg-pcapng, sections 3.5, 4 and appendix A), and how its
 * words are read. Within fc_pcapng only: the names are short.
 */
#ifndef FC_PCAPNG_FORMAT_H
#define FC_PCAPNG_FORMAT_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    BYTE_ORDER_MAGIC = 0x1A2B3C4D,
    MAGIC_SWAPPED = 0x4D3C2B1A,
    BLOCK_OLD_PACKET = 2, /* Packet Block, obsolete but still met */
    BLOCK_SIMPLE_PACKET = 3,

    OPTION_END = 0,
    OPTION_COMMENT = 1,
    SHB_HARDWARE = 2,
    SHB_OS = 3,
    SHB_APPLICATION = 4,
    IDB_NAME = 2,
    IDB_DESCRIPTION = 3,
    IDB_IPV4 = 4,
    IDB_IPV6 = 5,
    IDB_MAC = 6,
    IDB_SPEED = 8,
    IDB_TSRESOL = 9,
    IDB_FILTER = 11,
    IDB_OS = 12,
    IDB_TSOFFSET = 14,
    ISB_START = 2,
    ISB_END = 3,
    ISB_RECEIVED = 4,
    ISB_INTERFACE_DROPPED = 5,
    ISB_FILTER_ACCEPTED = 6,
    ISB_OS_DROPPED = 7,
    ISB_DELIVERED = 8,
    EPB_FLAGS = 2,
};

/* Words stand in the byte order of who wrote them; swapped: big-endian. */
static inline uint16_t
get_u16(bool swapped, const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    value = le16toh(value);
    return swapped ? __builtin_bswap16(value) : value;
}

static inline uint32_t
get_u32(bool swapped, const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    value = le32toh(value);
    return swapped ? __builtin_bswap32(value) : value;
}

static inline uint64_t
get_u64(bool swapped, const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    value = le64toh(value);
    return swapped ? __builtin_bswap64(value) : value;
}

/* Times are two words, the high one first, in either byte order. */
static inline uint64_t
get_ticks(bool swapped, const uint8_t *at)
{
    return (uint64_t)get_u32(swapped, at) << 32 | get_u32(swapped, at + 4);
}

#endif
