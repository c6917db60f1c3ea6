#include "tls_recording.h"

#include <stdio.h>

enum { PIECE_HEADER = 3, NS_PER_PIECE = 1000000 };

static void
push(fc_tls_reader *tls, fc_tls_role from, uint64_t frame, const uint8_t *data, size_t size, size_t chunk)
{
    while (size > 0) {
        size_t part = chunk > 0 && chunk < size ? chunk : size;
        fc_tls_push(tls, from, (int64_t)frame * NS_PER_PIECE, frame, data, part);
        data += part;
        size -= part;
    }
}

static void
end(fc_tls_reader *tls, uint8_t kind)
{
    if (kind == TLS_PIECE_SILENCE) {
        fc_tls_ended(tls, FC_TLS_END_SILENCE, FC_TLS_ROLE_SERVER);
        return;
    }
    fc_tls_end how =
        kind == TLS_PIECE_CLIENT_RST || kind == TLS_PIECE_SERVER_RST ? FC_TLS_END_RST : FC_TLS_END_FIN;
    fc_tls_role by = kind == TLS_PIECE_CLIENT_RST || kind == TLS_PIECE_CLIENT_FIN ? FC_TLS_ROLE_CLIENT
                                                                                  : FC_TLS_ROLE_SERVER;
    fc_tls_ended(tls, how, by);
}

bool
tls_recording_play(fc_tls_reader *tls, const uint8_t *data, size_t size, size_t chunk, size_t snap)
{
    bool has_gap = false;
    fc_tls_init(tls);
    for (uint64_t frame = 1; size >= PIECE_HEADER; frame++) {
        uint8_t kind = data[0] % TLS_PIECE_KINDS;
        size_t length = (size_t)(data[1] << 8 | data[2]);
        data += PIECE_HEADER;
        size -= PIECE_HEADER;
        if (kind == TLS_PIECE_CLIENT_GAP || kind == TLS_PIECE_SERVER_GAP) {
            has_gap = true;
            fc_tls_gap(tls, kind == TLS_PIECE_CLIENT_GAP ? FC_TLS_ROLE_CLIENT : FC_TLS_ROLE_SERVER, length);
        } else if (kind > TLS_PIECE_SERVER_GAP) {
            end(tls, kind);
        } else {
            fc_tls_role from = kind == TLS_PIECE_CLIENT ? FC_TLS_ROLE_CLIENT : FC_TLS_ROLE_SERVER;
            length = length < size ? length : size;
            size_t seen = snap > 0 && snap < length ? snap : length;
            push(tls, from, frame, data, seen, chunk);
            if (seen < length) {
                has_gap = true;
                fc_tls_gap(tls, from, length - seen);
            }
            data += length;
            size -= length;
        }
    }
    return has_gap;
}

void
tls_recording_text(const fc_tls_reader *tls, char *text)
{
    fc_tls_summary s;
    char client[16], version[16], suite[48], alert[32];
    fc_tls_get(tls, &s);
    static const char *const roles[] = {"client", "server"};
    int used = snprintf(
        text, 512, "%s | %s, %s, %s | \"%s\" \"%s\"%s%s%s", fc_tls_stage_name(s.stage),
        fc_tls_version_name(s.client_version, client), fc_tls_version_name(s.version, version),
        fc_tls_suite_name(s.suite, suite), s.server_name, s.alpn, s.resumed ? " resumed" : "",
        s.certificate_requested ? " certificate-requested" : "", s.hello_retry ? " hello-retry" : "");
    if (s.end != FC_TLS_END_NONE)
        used += snprintf(text + used, 512 - (size_t)used, " | %s by %s", fc_tls_end_name(s.end),
                         roles[s.end_role % 2]);
    if (s.has_alert)
        used += snprintf(text + used, 512 - (size_t)used, " | %s(%u) by %s in %llu",
                         s.encrypted_alert ? "encrypted" : fc_tls_alert_name(s.alert_description, alert),
                         s.alert_level, roles[s.alert_role % 2], (unsigned long long)s.alert_frame);
    (void)snprintf(text + used, 512 - (size_t)used, " | hello %lld data %lld",
                   (long long)s.hello_ns / NS_PER_PIECE, (long long)s.data_ns / NS_PER_PIECE);
}
