/* DNS messages, RFC 1035 section 4: from bytes to a header and a name; and from a TCP stream to messages. */
#include "common/analysis/dns.h"

#include "common/analysis/packet.h"

#include <stdio.h>
#include <string.h>

enum {
    HEADER_SIZE = 12,
    LABEL_MAX = 63,
    WIRE_NAME_MAX = 255, /* RFC 1035 section 2.3.4, the root's length octet included */
    POINTER = 0xc0,
};

/* Appends one byte of a label in presentation form; false when it does not fit. */
static bool
put_byte(char *name, size_t *used, uint8_t byte)
{
    char text[5] = {(char)byte};
    if (byte >= 'A' && byte <= 'Z')
        text[0] = (char)(byte - 'A' + 'a');
    else if (byte == '.' || byte == '\\')
        (void)snprintf(text, sizeof text, "\\%c", byte);
    else if (byte <= ' ' || byte >= 0x7f)
        (void)snprintf(text, sizeof text, "\\%03u", byte);
    size_t length = strlen(text);
    if (*used + length > FC_DNS_NAME_MAX)
        return false;
    memcpy(name + *used, text, length);
    *used += length;
    return true;
}

/* Appends a label, after a dot when it is not the first. What does not fit is left out: *full. */
static void
put_label(char *name, size_t *used, const uint8_t *label, size_t size, bool *full)
{
    size_t before = *used;
    if (before > 0 && before < FC_DNS_NAME_MAX && !*full)
        name[(*used)++] = '.';
    for (size_t i = 0; i < size && !*full; i++) {
        *full = !put_byte(name, used, label[i]);
        if (*full && i == 0)
            *used = before;
    }
}

/* Reads the name at `at`; *ret_end is where what follows it begins. A pointer must lead back behind nothing
 * that was read through it (RFC 1035 section 4.1.4: to a prior occurrence), so that every name ends. */
static fc_err
read_name(const uint8_t *data, size_t size, size_t at, char *ret_name, size_t *ret_end)
{
    size_t used = 0, wire = 1, limit = at;
    bool jumped = false, full = false;
    for (;;) {
        if (at >= size)
            return FC_ERR_CORRUPT;
        uint8_t length = data[at];
        if ((length & POINTER) == POINTER) {
            if (size - at < 2)
                return FC_ERR_CORRUPT;
            size_t target = fc_read_be16(data + at) & 0x3fff;
            if (!jumped)
                *ret_end = at + 2;
            if (target >= limit)
                return FC_ERR_CORRUPT;
            jumped = true;
            at = limit = target;
            continue;
        }
        wire += length + 1u;
        if (length > LABEL_MAX || wire - (length == 0) > WIRE_NAME_MAX || size - at - 1 < length)
            return FC_ERR_CORRUPT;
        if (length == 0)
            break;
        put_label(ret_name, &used, data + at + 1, length, &full);
        at += length + 1u;
    }
    if (!jumped)
        *ret_end = at + 1;
    if (used == 0)
        ret_name[used++] = '.';
    ret_name[used] = '\0';
    return FC_OK;
}

fc_err
fc_dns_parse(const uint8_t *data, size_t size, fc_dns_message *ret_message)
{
    if (size < HEADER_SIZE)
        return FC_ERR_CORRUPT;
    fc_dns_message message = {
        .id = fc_read_be16(data),
        .is_response = (data[2] & 0x80) != 0,
        .opcode = (data[2] >> 3) & 0x0f,
        .truncated = (data[2] & 0x02) != 0,
        .recursion_desired = (data[2] & 0x01) != 0,
        .rcode = data[3] & 0x0f,
        .question_count = fc_read_be16(data + 4),
        .answer_count = fc_read_be16(data + 6),
    };
    if (message.question_count > 0) {
        size_t end;
        fc_err err = read_name(data, size, HEADER_SIZE, message.name, &end);
        if (err != FC_OK)
            return err;
        if (size - end < 4)
            return FC_ERR_CORRUPT;
        message.type = fc_read_be16(data + end);
        message.class = fc_read_be16(data + end + 2);
    }
    *ret_message = message;
    return FC_OK;
}

static void
end_message(fc_dns_stream *stream, fc_dns_stream_each *each, void *user)
{
    if (stream->kept > 0)
        each(user, stream->bytes, stream->kept);
    stream->prefix_count = 0;
    stream->length = stream->seen = stream->kept = 0;
    stream->cut = false;
}

void
fc_dns_stream_push(fc_dns_stream *stream, const uint8_t *data, size_t size, fc_dns_stream_each *each,
                   void *user)
{
    while (size > 0 && !stream->lost) {
        if (stream->prefix_count < 2) {
            stream->length = (uint16_t)(stream->length << 8 | *data);
            stream->prefix_count++;
            data++;
            size--;
        } else {
            size_t part = (size_t)(stream->length - stream->seen);
            part = part < size ? part : size;
            size_t keep = stream->cut ? 0 : (size_t)(FC_DNS_STREAM_KEPT - stream->kept);
            keep = keep < part ? keep : part;
            memcpy(stream->bytes + stream->kept, data, keep);
            stream->kept = (uint16_t)(stream->kept + keep);
            stream->seen = (uint16_t)(stream->seen + part);
            data += part;
            size -= part;
        }
        if (stream->prefix_count == 2 && stream->seen == stream->length)
            end_message(stream, each, user);
    }
}

void
fc_dns_stream_gap(fc_dns_stream *stream, size_t missing_bytes, fc_dns_stream_each *each, void *user)
{
    if (missing_bytes == 0 || stream->lost)
        return;
    if (stream->prefix_count < 2 || missing_bytes > (size_t)(stream->length - stream->seen)) {
        stream->lost = true;
        if (stream->prefix_count == 2)
            end_message(stream, each, user);
        return;
    }
    stream->cut = true;
    stream->seen = (uint16_t)(stream->seen + missing_bytes);
    if (stream->seen == stream->length)
        end_message(stream, each, user);
}
