#include "common/pcapng/format.h"
#include "common/pcapng/pcapng.h"

enum { TEXT_MAX = 65535 };

static void
put_u16(fc_buf *out, uint16_t value)
{
    const uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    fc_buf_append(out, bytes, sizeof bytes);
}

static void
put_u32(fc_buf *out, uint32_t value)
{
    put_u16(out, (uint16_t)value);
    put_u16(out, (uint16_t)(value >> 16));
}

static void
put_u64(fc_buf *out, uint64_t value)
{
    put_u32(out, (uint32_t)value);
    put_u32(out, (uint32_t)(value >> 32));
}

/* Times go as two words, the high one first, in either byte order. */
static void
put_time(fc_buf *out, fc_wall time)
{
    put_u32(out, (uint32_t)((uint64_t)time.ns >> 32));
    put_u32(out, (uint32_t)time.ns);
}

static void
put_padding(fc_buf *out, size_t size)
{
    static const uint8_t zero[3];
    fc_buf_append(out, zero, (4 - size % 4) % 4);
}

static void
put_option(fc_buf *out, uint16_t code, const void *value, uint16_t size)
{
    put_u16(out, code);
    put_u16(out, size);
    fc_buf_append(out, value, size);
    put_padding(out, size);
}

/* A text longer than an option holds is cut, at a character of UTF-8. */
static size_t
text_length(const char *text, size_t limit)
{
    size_t length = strnlen(text, limit + 1);
    if (length <= limit)
        return length;
    length = limit;
    while (length > 0 && ((uint8_t)text[length] & 0xc0) == 0x80)
        length--;
    return length;
}

static void
put_text(fc_buf *out, uint16_t code, const char *text)
{
    if (text != NULL)
        put_option(out, code, text, (uint16_t)text_length(text, TEXT_MAX));
}

/* if_filter: a leading 0 says that the filter is text as libpcap compiles it. */
static void
put_filter(fc_buf *out, const char *filter)
{
    if (filter == NULL)
        return;
    size_t length = text_length(filter, TEXT_MAX - 1);
    put_u16(out, IDB_FILTER);
    put_u16(out, (uint16_t)(length + 1));
    fc_buf_append(out, "", 1);
    fc_buf_append(out, filter, length);
    put_padding(out, length + 1);
}

static void
put_count(fc_buf *out, uint16_t code, uint64_t value)
{
    put_u16(out, code);
    put_u16(out, sizeof value);
    put_u64(out, value);
}

static void
put_instant(fc_buf *out, uint16_t code, fc_wall time)
{
    if (time.ns == 0)
        return;
    put_u16(out, code);
    put_u16(out, 8);
    put_time(out, time);
}

/* Returns where the block starts; block_end fills in both lengths. */
static size_t
block_begin(fc_buf *out, uint32_t type)
{
    size_t at = fc_buf_size(out);
    put_u32(out, type);
    put_u32(out, 0);
    return at;
}

static void
block_end(fc_buf *out, size_t at)
{
    put_u32(out, OPTION_END);
    uint32_t size = (uint32_t)(fc_buf_size(out) - at + 4);
    put_u32(out, size);
    uint8_t *length = out->data + out->start + at + 4;
    for (unsigned i = 0; i < 4; i++)
        length[i] = (uint8_t)(size >> (8 * i));
}

void
fc_pcapng_put_section(fc_buf *out, const fc_pcapng_section *section)
{
    size_t at = block_begin(out, FC_PCAPNG_SHB);
    put_u32(out, BYTE_ORDER_MAGIC);
    put_u16(out, 1); /* version 1.0 */
    put_u16(out, 0);
    put_u64(out, UINT64_MAX); /* section length: not given */
    put_text(out, SHB_HARDWARE, section->hardware);
    put_text(out, SHB_OS, section->os);
    put_text(out, SHB_APPLICATION, section->application);
    put_text(out, OPTION_COMMENT, section->comment);
    block_end(out, at);
}

void
fc_pcapng_put_interface(fc_buf *out, const fc_pcapng_interface *interface)
{
    static const uint8_t nanoseconds = 9; /* 10^-9 s */
    size_t at = block_begin(out, FC_PCAPNG_IDB);
    put_u16(out, interface->link_type);
    put_u16(out, 0);
    put_u32(out, interface->snaplen_bytes);
    put_text(out, IDB_NAME, interface->name);
    put_text(out, IDB_DESCRIPTION, interface->description);
    if (interface->has_mac)
        put_option(out, IDB_MAC, interface->mac, sizeof interface->mac);
    if (interface->speed_bps != 0)
        put_count(out, IDB_SPEED, interface->speed_bps);
    put_option(out, IDB_TSRESOL, &nanoseconds, 1);
    put_filter(out, interface->filter);
    put_text(out, IDB_OS, interface->os);
    put_text(out, OPTION_COMMENT, interface->comment);
    block_end(out, at);
}

void
fc_pcapng_put_statistics(fc_buf *out, const fc_pcapng_statistics *statistics)
{
    size_t at = block_begin(out, FC_PCAPNG_ISB);
    put_u32(out, statistics->interface);
    put_time(out, statistics->at);
    put_instant(out, ISB_START, statistics->start);
    put_instant(out, ISB_END, statistics->end);
    put_count(out, ISB_RECEIVED, statistics->received);
    put_count(out, ISB_INTERFACE_DROPPED, statistics->interface_dropped);
    put_count(out, ISB_FILTER_ACCEPTED, statistics->filter_accepted);
    put_count(out, ISB_OS_DROPPED, statistics->os_dropped);
    put_count(out, ISB_DELIVERED, statistics->delivered);
    block_end(out, at);
}

void
fc_pcapng_put_padding(uint8_t *out, uint32_t size)
{
    const uint32_t head[2] = {FC_PCAPNG_PADDING, size};
    memset(out, 0, size);
    memcpy(out, head, sizeof head);
    memcpy(out + size - sizeof size, &size, sizeof size);
}
