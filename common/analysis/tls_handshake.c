/* What records and handshake messages tell: RFC 8446, RFC 5246 section 7. */
#include "common/analysis/tls_state.h"

enum {
    CLIENT_HELLO = 1,
    SERVER_HELLO = 2,
    CERTIFICATE = 11,
    SERVER_KEY_EXCHANGE = 12,
    CERTIFICATE_REQUEST = 13,
    SERVER_HELLO_DONE = 14,
    MESSAGE_MAX =
        1
        << 18, /* a certificate chain of 256 KiB: more is no message, but a mistake about where one begins */
    LEVEL_FATAL = 2,
    CLOSE_NOTIFY = 0,
    USER_CANCELED = 90,
    TLS_1_3 = 0x0304,
    AES_256_GCM_SHA384 = 0x1302,
    AES_128_CCM_8_SHA256 = 0x1305,
};

/* TLS 1.3 hides the type of what it encrypts, but not its length (RFC 8446 section 5.2): content, one byte of
 * type, the tag. */
enum {
    SEAL = 1 + 16,
    SEAL_CCM_8 = 1 + 8,
    ALERT_SIZE = 2,
    EARLY_DATA_END_SIZE = FC_TLS_MESSAGE_HEADER,
    FINISHED_SHA256 = FC_TLS_MESSAGE_HEADER + 32,
    FINISHED_SHA384 = FC_TLS_MESSAGE_HEADER + 48,
};

static bool
is_old(uint16_t version)
{
    return version != 0 && version < TLS_1_3;
}

/* Drafts of TLS 1.3 have versions of their own: 0x7f... */
static bool
is_new(uint16_t version)
{
    return version >= TLS_1_3;
}

static void
advance(fc_tls_reader *tls, fc_tls_stage stage)
{
    if (stage > tls->summary.stage)
        tls->summary.stage = stage;
}

static void
reach_data(fc_tls_reader *tls, int64_t unix_ns)
{
    advance(tls, FC_TLS_DATA);
    tls->summary.data_ns = unix_ns;
    tls->summary.end = FC_TLS_END_NONE;
}

/* The connection is closed, and its handshake was complete. */
static void
close_properly(fc_tls_reader *tls)
{
    tls->closing = true;
    tls->summary.over = true;
    tls->summary.end = FC_TLS_END_NONE;
}

static void
alert_seen(fc_tls_reader *tls, const fc_tls_sighting *at, uint8_t level, uint8_t description, bool encrypted)
{
    fc_tls_summary *summary = &tls->summary;
    summary->has_alert = true;
    summary->encrypted_alert = encrypted;
    summary->alert_role = (uint8_t)at->from;
    summary->alert_level = level;
    summary->alert_description = description;
    summary->alert_frame = at->frame;
    tls->alert_pushed = true;
    /* RFC 8446 section 6: the level no longer means anything in TLS 1.3. */
    bool ends = encrypted || level == LEVEL_FATAL || description == CLOSE_NOTIFY ||
                (is_new(summary->version) && description != USER_CANCELED);
    if (ends) {
        summary->over = false;
        summary->end = FC_TLS_END_ALERT;
        summary->end_role = (uint8_t)at->from;
    }
}

bool
fc_tls_is_complete(const fc_tls_reader *tls, fc_tls_role by)
{
    const fc_tls_side *client = &tls->sides[FC_TLS_ROLE_CLIENT], *server = &tls->sides[FC_TLS_ROLE_SERVER];
    if (client->missed_records || server->missed_records)
        return true;
    if (is_new(tls->summary.version))
        return tls->client_finished && by == FC_TLS_ROLE_CLIENT;
    return client->changed_cipher && server->changed_cipher;
}

bool
fc_tls_is_encrypted(const fc_tls_reader *tls, fc_tls_role from, uint8_t type, uint16_t length)
{
    uint16_t version = tls->summary.version;
    if (type == FC_TLS_ALERT && length != ALERT_SIZE)
        return true; /* RFC 8446 section 5.1: alerts are neither cut nor put together */
    if (is_new(version) || !tls->sides[from].changed_cipher)
        return false;
    return is_old(version) || type != FC_TLS_ALERT;
}

static void
change_cipher_seen(fc_tls_reader *tls, fc_tls_role from)
{
    /* In TLS 1.3 it means nothing (RFC 8446 appendix D.4), and before the ServerHello the version is not
     * known. */
    if (is_new(tls->summary.version))
        return;
    tls->sides[from].changed_cipher = true;
    if (tls->sides[1 - from].changed_cipher)
        tls->summary.end = FC_TLS_END_NONE; /* what came before a FIN, and later than it */
    if (from == FC_TLS_ROLE_CLIENT && is_old(tls->summary.version))
        advance(tls, FC_TLS_CLIENT_FINISHED);
    if (from == FC_TLS_ROLE_SERVER && is_old(tls->summary.version)) {
        advance(tls, FC_TLS_SERVER_FINISHED);
        if (!tls->server_flight && !tls->sides[from].has_gaps)
            tls->summary.resumed = true;
    }
}

/* Only TLS 1.2 and before does what was just seen. */
static void
learn_old(fc_tls_reader *tls)
{
    /* What looks like a ServerHello, and was cut early, may have been a HelloRetryRequest of TLS 1.3. */
    if (tls->summary.version != 0 || !tls->server_hello || !tls->sides[FC_TLS_ROLE_SERVER].hello.random_read)
        return;
    uint16_t legacy = tls->sides[FC_TLS_ROLE_SERVER].hello.legacy_version;
    tls->summary.version = legacy;
    if (tls->sides[FC_TLS_ROLE_CLIENT].changed_cipher && is_old(legacy))
        advance(tls, FC_TLS_CLIENT_FINISHED);
}

/* TLS 1.2 and before: application data may come when both have changed to encryption; the client's a little
 * before (RFC 7918). A side that was not seen wholly has changed too when it sends data. */
static void
old_data(fc_tls_reader *tls, const fc_tls_sighting *at)
{
    const fc_tls_side *own = &tls->sides[at->from];
    const fc_tls_side *other =
        &tls->sides[at->from == FC_TLS_ROLE_CLIENT ? FC_TLS_ROLE_SERVER : FC_TLS_ROLE_CLIENT];
    if ((own->changed_cipher || own->missed_records) && (other->changed_cipher || other->missed_records))
        reach_data(tls, at->unix_ns);
}

static size_t
seal_size(const fc_tls_reader *tls)
{
    return tls->summary.suite == AES_128_CCM_8_SHA256 ? SEAL_CCM_8 : SEAL;
}

static bool
is_finished_size(const fc_tls_reader *tls, size_t content)
{
    uint16_t suite = tls->summary.suite;
    return (content == FINISHED_SHA256 && suite != AES_256_GCM_SHA384) ||
           (content == FINISHED_SHA384 && (suite == AES_256_GCM_SHA384 || suite == 0));
}

/* The client, until its Finished is seen. */
static void
new_client_flight(fc_tls_reader *tls, const fc_tls_sighting *at, size_t content)
{
    bool missed = tls->sides[FC_TLS_ROLE_CLIENT].missed_records;
    if (content == ALERT_SIZE && missed) {
        close_properly(tls);
    } else if (content == ALERT_SIZE && !tls->client_certificate) {
        alert_seen(tls, at, 0, 0, true);
    } else if (content == ALERT_SIZE) {
        /* Its Finished was in one record with its certificate; this is its close_notify. */
        tls->client_finished = true;
        advance(tls, FC_TLS_CLIENT_FINISHED);
    } else if (is_finished_size(tls, content)) {
        tls->client_finished = true;
        advance(tls, FC_TLS_CLIENT_FINISHED);
    } else if (tls->early_data && !tls->early_data_ended) {
        tls->early_data_ended = content == EARLY_DATA_END_SIZE;
    } else if (missed) {
        tls->client_finished = true;
        tls->waiting_data_ns = at->unix_ns;
    } else {
        tls->client_certificate = true;
        tls->summary.certificate_requested = true;
        advance(tls, FC_TLS_CLIENT_CERTIFICATE);
    }
}

static void
new_client_data(fc_tls_reader *tls, const fc_tls_sighting *at, size_t content)
{
    if (tls->client_certificate || tls->sides[FC_TLS_ROLE_CLIENT].missed_records) {
        /* The server may still refuse its certificate: what it says next tells. */
        if (content != ALERT_SIZE && tls->waiting_data_ns == 0)
            tls->waiting_data_ns = at->unix_ns;
    } else if (content == ALERT_SIZE) {
        close_properly(tls);
    } else {
        reach_data(tls, at->unix_ns);
    }
}

static void
new_server_data(fc_tls_reader *tls, const fc_tls_sighting *at, size_t content)
{
    bool client_answered = tls->client_finished || tls->client_certificate;
    if (!client_answered) {
        /* Its flight, from EncryptedExtensions to Finished: no message of it is as short as an alert. */
        if (content == ALERT_SIZE && tls->sides[FC_TLS_ROLE_CLIENT].missed_records)
            close_properly(tls);
        else if (content == ALERT_SIZE)
            alert_seen(tls, at, 0, 0, true);
        return;
    }
    /* A client that puts its certificate and its Finished into one record is done when the server goes on. */
    tls->client_finished = true;
    advance(tls, FC_TLS_CLIENT_FINISHED);
    if (content != ALERT_SIZE)
        reach_data(tls, tls->waiting_data_ns != 0 ? tls->waiting_data_ns : at->unix_ns);
    else if (tls->client_certificate && !tls->sides[FC_TLS_ROLE_SERVER].missed_records)
        alert_seen(tls, at, 0, 0, true);
    else
        close_properly(tls);
}

static void
application_data_seen(fc_tls_reader *tls, const fc_tls_sighting *at, uint16_t length)
{
    fc_tls_summary *summary = &tls->summary;
    if (is_old(summary->version)) {
        if (length > 0)
            old_data(tls, at);
        return;
    }
    if (!tls->server_hello && !tls->sides[FC_TLS_ROLE_SERVER].missed_records) {
        tls->early_data = true;
        return;
    }
    /* No older server encrypts before the client does. */
    if (summary->version == 0 && tls->server_hello && at->from == FC_TLS_ROLE_SERVER &&
        !tls->sides[FC_TLS_ROLE_CLIENT].changed_cipher && !tls->sides[FC_TLS_ROLE_CLIENT].missed_records)
        summary->version = TLS_1_3;
    size_t seal = seal_size(tls);
    if (length <= seal)
        return;
    if (at->from == FC_TLS_ROLE_SERVER)
        new_server_data(tls, at, length - seal);
    else if (tls->client_finished)
        new_client_data(tls, at, length - seal);
    else
        new_client_flight(tls, at, length - seal);
}

void
fc_tls_record_seen(fc_tls_reader *tls, const fc_tls_sighting *at, uint8_t type, uint16_t length)
{
    fc_tls_side *side = &tls->sides[at->from];
    bool encrypted = fc_tls_is_encrypted(tls, at->from, type, length);
    switch (type) {
    case FC_TLS_CHANGE_CIPHER_SPEC:
        change_cipher_seen(tls, at->from);
        break;
    case FC_TLS_ALERT:
        side->has_alert_level = false;
        if (encrypted && fc_tls_is_complete(tls, at->from))
            close_properly(tls);
        else if (encrypted)
            alert_seen(tls, at, 0, 0, true);
        break;
    case FC_TLS_HANDSHAKE:
        if (encrypted)
            learn_old(tls);
        if (side->message_lost) {
            side->message_lost = false;
            side->message_header_size = 0;
            side->message_left = 0;
        }
        break;
    case FC_TLS_APPLICATION_DATA:
        application_data_seen(tls, at, length);
        break;
    default:
        break;
    }
}

void
fc_tls_alert_push(fc_tls_reader *tls, const fc_tls_sighting *at, const uint8_t *data, size_t size)
{
    fc_tls_side *side = &tls->sides[at->from];
    for (size_t i = 0; i < size && tls->summary.end != FC_TLS_END_ALERT; i++) {
        if (side->has_alert_level)
            alert_seen(tls, at, side->alert_level, data[i], false);
        else
            side->alert_level = data[i];
        side->has_alert_level = !side->has_alert_level;
    }
}

static void
server_hello_ended(fc_tls_reader *tls, bool whole)
{
    fc_tls_summary *summary = &tls->summary;
    const fc_tls_hello *hello = &tls->sides[FC_TLS_ROLE_SERVER].hello;
    if (whole || hello->version != 0)
        summary->version = fc_tls_hello_version(hello);
    if (hello->suite != 0)
        summary->suite = hello->suite;
    if (hello->is_retry) {
        summary->hello_retry = true;
        return;
    }
    tls->server_hello = true;
    advance(tls, FC_TLS_SERVER_HELLO);
    if (is_new(summary->version)) {
        summary->resumed = hello->has_psk;
        tls->sides[FC_TLS_ROLE_CLIENT].changed_cipher = false;
    } else if (whole) {
        if (!hello->has_alpn)
            summary->alpn[0] = '\0';
        if (tls->sides[FC_TLS_ROLE_CLIENT].changed_cipher)
            advance(tls, FC_TLS_CLIENT_FINISHED);
    }
}

/* A hello is over, or what is left of it is missing. */
static void
hello_ended(fc_tls_reader *tls, fc_tls_role from, bool whole)
{
    const fc_tls_hello *hello = &tls->sides[from].hello;
    if (from == FC_TLS_ROLE_SERVER)
        server_hello_ended(tls, whole);
    else if (whole || hello->version != 0)
        tls->summary.client_version = fc_tls_hello_version(hello);
}

static bool
is_hello(fc_tls_role from, uint8_t type)
{
    return type == (from == FC_TLS_ROLE_CLIENT ? CLIENT_HELLO : SERVER_HELLO);
}

static void
hello_began(fc_tls_reader *tls, const fc_tls_sighting *at)
{
    fc_tls_summary *summary = &tls->summary;
    fc_tls_hello_init(&tls->sides[at->from].hello, at->from == FC_TLS_ROLE_SERVER);
    if (at->from == FC_TLS_ROLE_SERVER)
        return;
    summary->server_name[0] = '\0';
    summary->alpn[0] = '\0';
    summary->client_version = 0;
    if (summary->hello_ns == 0)
        summary->hello_ns = at->unix_ns;
    advance(tls, FC_TLS_CLIENT_HELLO);
}

static void
server_message_began(fc_tls_reader *tls, uint8_t type)
{
    switch (type) {
    case CERTIFICATE:
        advance(tls, FC_TLS_CERTIFICATE);
        break;
    case SERVER_KEY_EXCHANGE:
        break;
    case CERTIFICATE_REQUEST:
        tls->summary.certificate_requested = true;
        advance(tls, FC_TLS_CERTIFICATE_REQUEST);
        break;
    case SERVER_HELLO_DONE:
        advance(tls, FC_TLS_SERVER_DONE);
        break;
    default:
        return;
    }
    learn_old(tls);
    tls->server_flight = true;
}

/* RFC 8446 section 4 and IANA's list: what may stand at the beginning of a message. */
static bool
is_message(const fc_tls_side *side)
{
    static const uint8_t types[] = {0,  1,  2,  3,  4,  5,  6,  8,  11, 12, 13,
                                    14, 15, 16, 20, 21, 22, 23, 24, 25, 67};
    bool known = false;
    for (size_t i = 0; i < sizeof types; i++)
        known = known || types[i] == side->message_type;
    return known && side->message_left <= MESSAGE_MAX;
}

static void
message_began(fc_tls_reader *tls, const fc_tls_sighting *at)
{
    fc_tls_side *side = &tls->sides[at->from];
    const uint8_t *header = side->message_header;
    side->message_type = header[0];
    side->message_left = (uint32_t)(header[1] << 16 | header[2] << 8 | header[3]);
    if (!is_message(side)) {
        side->message_lost = true;
        return;
    }
    if (is_hello(at->from, side->message_type))
        hello_began(tls, at);
    else if (at->from == FC_TLS_ROLE_SERVER)
        server_message_began(tls, side->message_type);
    else if (side->message_type == CERTIFICATE)
        advance(tls, FC_TLS_CLIENT_CERTIFICATE);
}

static void
message_ended(fc_tls_reader *tls, fc_tls_role from)
{
    fc_tls_side *side = &tls->sides[from];
    side->message_header_size = 0;
    if (is_hello(from, side->message_type))
        hello_ended(tls, from, true);
}

void
fc_tls_handshake_push(fc_tls_reader *tls, const fc_tls_sighting *at, const uint8_t *data, size_t size)
{
    fc_tls_side *side = &tls->sides[at->from];
    while (size > 0 && !side->message_lost) {
        size_t part = 1;
        if (side->message_header_size < FC_TLS_MESSAGE_HEADER) {
            side->message_header[side->message_header_size++] = *data;
            if (side->message_header_size == FC_TLS_MESSAGE_HEADER)
                message_began(tls, at);
        } else {
            part = size < side->message_left ? size : side->message_left;
            if (is_hello(at->from, side->message_type))
                fc_tls_hello_push(&side->hello, data, part, &tls->summary);
            side->message_left -= (uint32_t)part;
        }
        data += part;
        size -= part;
        if (side->message_header_size == FC_TLS_MESSAGE_HEADER && side->message_left == 0 &&
            !side->message_lost)
            message_ended(tls, at->from);
    }
}

void
fc_tls_handshake_gap(fc_tls_reader *tls, fc_tls_role from, size_t missing_bytes)
{
    fc_tls_side *side = &tls->sides[from];
    bool in_message = side->message_header_size == FC_TLS_MESSAGE_HEADER && !side->message_lost;
    if (in_message && is_hello(from, side->message_type))
        hello_ended(tls, from, false);
    if (missing_bytes > side->left) {
        side->message_lost = true;
        return;
    }
    if (in_message && missing_bytes < side->message_left) {
        side->message_left -= (uint32_t)missing_bytes;
        /* Nothing more is read of it. */
        side->message_type = 0;
        return;
    }
    if (in_message && missing_bytes == side->message_left) {
        side->message_header_size = 0;
        side->message_left = 0;
        return;
    }
    side->message_lost = true;
}
