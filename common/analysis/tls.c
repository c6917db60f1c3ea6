/* The record layer: RFC 8446 section 5.1, RFC 5246 section 6.2. */
#include "common/analysis/tls.h"

#include "common/analysis/tls_state.h"

enum {
    VERSION_MAJOR = 3,
    VERSION_MINOR_MAX = 4,
    RECORD_MAX = (1 << 14) + 2048, /* RFC 5246 section 6.2.3 */
    CLIENT_HELLO = 1,
    CLIENT_HELLO_MIN = 38, /* version, random and three empty lists */
};

/* Checks as much of a record header as there is. */
static bool
looks_like_record(const uint8_t *header, size_t size)
{
    if (size >= 1 && (header[0] < FC_TLS_CHANGE_CIPHER_SPEC || header[0] > FC_TLS_HEARTBEAT))
        return false;
    if (size >= 2 && header[1] != VERSION_MAJOR)
        return false;
    if (size >= 3 && header[2] > VERSION_MINOR_MAX)
        return false;
    return size < FC_TLS_RECORD_HEADER || (header[3] << 8 | header[4]) <= RECORD_MAX;
}

bool
fc_tls_looks_like(const uint8_t *data, size_t size)
{
    if (size < 3 || data[0] != FC_TLS_HANDSHAKE || !looks_like_record(data, size))
        return false;
    if (size >= 5 && (data[3] << 8 | data[4]) < FC_TLS_MESSAGE_HEADER)
        return false;
    if (size >= 6 && data[5] != CLIENT_HELLO)
        return false;
    return size < 9 || (data[6] == 0 && (data[7] << 8 | data[8]) >= CLIENT_HELLO_MIN);
}

size_t
fc_tls_size(void)
{
    return sizeof(fc_tls_reader);
}

void
fc_tls_init(fc_tls_reader *tls)
{
    *tls = (fc_tls_reader){0};
}

bool
fc_tls_is_done(const fc_tls_reader *tls)
{
    /* What was sent before a FIN may still come: it was lost on the way, and is sent again. */
    bool ended = tls->summary.end != FC_TLS_END_NONE && tls->summary.end != FC_TLS_END_FIN;
    return ended || tls->summary.stage == FC_TLS_DATA || tls->closing ||
           (tls->sides[FC_TLS_ROLE_CLIENT].stopped && tls->sides[FC_TLS_ROLE_SERVER].stopped);
}

void
fc_tls_get(const fc_tls_reader *tls, fc_tls_summary *ret_summary)
{
    *ret_summary = tls->summary;
}

/* The next byte of a header; a record begins when it is complete. */
static void
header_byte(fc_tls_reader *tls, const fc_tls_sighting *at, uint8_t byte)
{
    fc_tls_side *side = &tls->sides[at->from];
    side->header[side->header_size++] = byte;
    if (!looks_like_record(side->header, side->header_size)) {
        side->stopped = true;
        return;
    }
    if (side->header_size < FC_TLS_RECORD_HEADER)
        return;
    side->header_size = 0;
    side->type = side->header[0];
    side->left = (uint16_t)(side->header[3] << 8 | side->header[4]);
    fc_tls_record_seen(tls, at, side->type, side->left);
}

static void
content(fc_tls_reader *tls, const fc_tls_sighting *at, const uint8_t *data, size_t size)
{
    fc_tls_side *side = &tls->sides[at->from];
    uint16_t length = (uint16_t)(side->header[3] << 8 | side->header[4]);
    side->left = (uint16_t)(side->left - size);
    if (fc_tls_is_encrypted(tls, at->from, side->type, length))
        return;
    if (side->type == FC_TLS_HANDSHAKE)
        fc_tls_handshake_push(tls, at, data, size);
    else if (side->type == FC_TLS_ALERT)
        fc_tls_alert_push(tls, at, data, size);
}

bool
fc_tls_push(fc_tls_reader *tls, fc_tls_role from, int64_t unix_ns, uint64_t frame, const uint8_t *data,
            size_t size)
{
    const fc_tls_sighting at = {.from = from, .unix_ns = unix_ns, .frame = frame};
    fc_tls_side *side = &tls->sides[from];
    tls->alert_pushed = false;
    if (side->lost && size >= FC_TLS_RECORD_HEADER && looks_like_record(data, size))
        side->lost = false;
    while (size > 0 && !side->lost && !side->stopped && !fc_tls_is_done(tls)) {
        size_t part = 1;
        if (side->left == 0) {
            header_byte(tls, &at, *data);
        } else {
            part = size < side->left ? size : side->left;
            content(tls, &at, data, part);
        }
        data += part;
        size -= part;
    }
    return tls->alert_pushed;
}

void
fc_tls_gap(fc_tls_reader *tls, fc_tls_role from, size_t missing_bytes)
{
    fc_tls_side *side = &tls->sides[from];
    if (missing_bytes == 0 || side->stopped || fc_tls_is_done(tls))
        return;
    side->has_gaps = true;
    if (side->lost)
        return;
    if (side->type == FC_TLS_HANDSHAKE)
        fc_tls_handshake_gap(tls, from, missing_bytes);
    side->has_alert_level = false;
    if (missing_bytes <= side->left) {
        side->left = (uint16_t)(side->left - missing_bytes);
        return;
    }
    side->lost = true;
    side->missed_records = true;
    side->message_lost = true;
    side->left = 0;
    side->header_size = 0;
}

void
fc_tls_ended(fc_tls_reader *tls, fc_tls_end how, fc_tls_role by)
{
    fc_tls_summary *summary = &tls->summary;
    if (summary->stage == FC_TLS_NONE || summary->end != FC_TLS_END_NONE || fc_tls_is_done(tls))
        return;
    if (how == FC_TLS_END_NONE || how == FC_TLS_END_ALERT)
        return;
    /* A client that has finished a TLS 1.3 handshake need not hear of the server again. */
    if (fc_tls_is_complete(tls, by) || (how == FC_TLS_END_SILENCE && tls->client_finished)) {
        bool knows =
            !tls->sides[FC_TLS_ROLE_CLIENT].missed_records && !tls->sides[FC_TLS_ROLE_SERVER].missed_records;
        summary->over = how != FC_TLS_END_SILENCE;
        tls->closing = how == FC_TLS_END_RST || (how == FC_TLS_END_FIN && knows);
        return;
    }
    summary->end = how;
    summary->end_role = (uint8_t)by;
}
