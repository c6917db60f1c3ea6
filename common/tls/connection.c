#include "common/tls/connection.h"

#include "common/base/mem.h"
#include "common/tls/enrol.h"
#include "common/tls/identity.h"
#include "common/tls/state.h"

#include <mbedtls/net_sockets.h>
#include <string.h>

/* Records are shorter than TLS allows (16 KiB), so that of Mbed TLS's two buffers no more than two pages
 * become resident; it costs less CPU than can be measured. */
enum { RECORD_MAX = 4096 };

/* More than what follows a client's certificate in a handshake: about 300 bytes. */
enum { LINGER_BYTES = 4096 };

/* NNG hands it out zeroed, and calls fini also for a connection that was never started. */
struct nng_tls_engine_conn {
    mbedtls_ssl_context ssl;
    void *nng;                   /* borrowed: NNG's side of the connection */
    fc_tls *tls;                 /* borrowed from the configuration, which NNG keeps for as long as us */
    fc_credentials *credentials; /* held: those of the moment it began */
    fc_principal peer;           /* once done */
    int error;        /* the first failure, told again ever after: Mbed TLS must not be called past one */
    size_t held_back; /* of a record in Mbed TLS's buffer that has not gone out whole */
    size_t skip;      /* bytes that went out so and will be offered again */
    size_t patience_bytes; /* refused: how much more is swallowed, see linger */
    bool started;
    bool done;
    bool closing; /* close_notify is wanted */
    bool close_notified;
    bool counted;
    bool saw_certificate; /* else the session was resumed */
    bool revoked;
    bool enrolling; /* server: the client asked for FC_TLS_ENROL_NAME; stays so whatever else it says */
};

/* ---- errors ---- */

static const struct {
    int mbedtls;
    int nng;
} errors[] = {
    {MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE, NNG_EPEERAUTH},
    {MBEDTLS_ERR_SSL_CA_CHAIN_REQUIRED, NNG_EPEERAUTH},
    {MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE, NNG_EPEERAUTH},
    {MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY, NNG_ECONNSHUT},
    {MBEDTLS_ERR_SSL_CONN_EOF, NNG_ECONNSHUT},
    {MBEDTLS_ERR_NET_RECV_FAILED, NNG_ECLOSED},
    {MBEDTLS_ERR_NET_SEND_FAILED, NNG_ECLOSED},
    {MBEDTLS_ERR_SSL_ALLOC_FAILED, NNG_ENOMEM},
};

static int
nng_error(int status)
{
    for (size_t i = 0; i < FC_COUNT(errors); i++)
        if (errors[i].mbedtls == status)
            return errors[i].nng;
    return NNG_ECRYPTO;
}

/* Of TLS 1.2 (RFC 5246, 7.2.2), those that say what is wrong with a certificate. */
static const struct {
    int alert;
    const char *text;
} alerts[] = {
    {MBEDTLS_SSL_ALERT_MSG_NO_CERT, "no certificate"},
    {MBEDTLS_SSL_ALERT_MSG_BAD_CERT, "bad certificate"},
    {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT, "certificate not for this use"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED, "certificate revoked"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED, "certificate expired"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN, "certificate not acceptable"},
    {MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA, "certificate of an unknown CA"},
    {MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED, "access denied"},
};

static void
note_alert(nng_tls_engine_conn *conn)
{
    fc_fail why = {0};
    int alert = fc_compat_alert(&conn->ssl);
    const char *text = NULL;
    for (size_t i = 0; i < FC_COUNT(alerts); i++)
        if (alerts[i].alert == alert)
            text = alerts[i].text;
    bool certificate = text != NULL;
    if (!certificate)
        text = "handshake refused";
    /* Who has no certificate is refused so, unsaid by Mbed TLS otherwise (handshake_failed). */
    if (conn->credentials->pinned && alert == MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE)
        text = "it wants a certificate, enrolment is switched off there";
    (void)fc_fail_set(&why, FC_ERR_UNAUTHENTICATED, "the peer refused us: %s (TLS alert %d)", text, alert);
    fc_state_failed(conn->tls, &why, certificate);
}

static void
count(nng_tls_engine_conn *conn, fc_tls_counter counter)
{
    if (!conn->counted)
        fc_state_count(conn->tls, counter);
    conn->counted = true;
}

static int
fail_with(nng_tls_engine_conn *conn, int nng)
{
    conn->error = nng;
    return nng;
}

/* A server that closes at once often takes its alert back: NNG may not have handed it to the kernel yet, and
 * what the client had on the way is answered with a reset that overtakes it. So the refused connection
 * swallows what still comes until the client, which knows now, has gone, or whoever waits for the handshake
 * has waited long enough. */
static int
linger(nng_tls_engine_conn *conn)
{
    uint8_t waste[512];
    for (;;) {
        size_t size = sizeof waste;
        int status = nng_tls_engine_recv(conn->nng, waste, &size);
        if (status == NNG_EAGAIN)
            return NNG_EAGAIN;
        if (status != 0 || size >= conn->patience_bytes)
            return fail_with(conn, NNG_EPEERAUTH);
        conn->patience_bytes -= size;
    }
}

static int
refuse(nng_tls_engine_conn *conn)
{
    if (conn->tls->mode == FC_TLS_CLIENT)
        return fail_with(conn, NNG_EPEERAUTH);
    conn->patience_bytes = LINGER_BYTES;
    return linger(conn);
}

static int
handshake_failed(nng_tls_engine_conn *conn, int status)
{
    fc_fail why = {0};
    /* Whatever went wrong, the next attempt starts from nothing. */
    fc_state_session_forget(conn->tls);
    if (conn->revoked) {
        count(conn, FC_TLS_COUNTER_refused_revoked);
    } else if (status == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE) {
        (void)fc_fail_set(&why, FC_ERR_UNAUTHENTICATED, "the peer has no certificate");
        count(conn, FC_TLS_COUNTER_refused_certificate);
        /* The one refusal that Mbed TLS leaves unsaid. */
        (void)mbedtls_ssl_send_alert_message(&conn->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                             MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
    } else if (fc_compat_is_refusal(status)) {
        count(conn, FC_TLS_COUNTER_refused_certificate);
    } else if (status == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
        note_alert(conn);
        count(conn, FC_TLS_COUNTER_handshakes_failed);
    } else {
        (void)fc_fail_set(&why, FC_ERR_UNAVAILABLE, "the TLS handshake failed (Mbed TLS -0x%04x)",
                          (unsigned int)-status);
        count(conn, FC_TLS_COUNTER_handshakes_failed);
    }
    if (why.err != FC_OK)
        fc_state_failed(conn->tls, &why, false);
    return fc_compat_is_refusal(status) ? refuse(conn) : fail_with(conn, nng_error(status));
}

/* ---- the handshake ---- */

/* What is wrong with a certificate of the peer's chain as far as Mbed TLS knows, in a sentence. */
static void
note_flags(nng_tls_engine_conn *conn, const mbedtls_x509_crt *crt, uint32_t flags)
{
    fc_fail why = {0};
    fc_principal peer;
    char who[FC_PRINCIPAL_TEXT_SIZE] = "the peer";
    char when[FC_TIME_TEXT_SIZE];
    if (fc_identity_read(crt, &peer, NULL) == FC_OK)
        (void)fc_principal_text(&peer, who);
    if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
        (void)fc_fail_set(&why, FC_ERR_UNAUTHENTICATED, "the certificate of %s is not from our CA", who);
    else if ((flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0)
        (void)fc_fail_set(&why, FC_ERR_UNAUTHENTICATED, "the certificate of %s expired at %s", who,
                          fc_wall_text(fc_identity_time(&crt->valid_to), when));
    else if ((flags & MBEDTLS_X509_BADCERT_FUTURE) != 0)
        (void)fc_fail_set(&why, FC_ERR_UNAUTHENTICATED,
                          "the certificate of %s is not valid yet: is the clock right?", who);
    else if ((flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0)
        (void)fc_fail_set(&why, FC_ERR_UNAUTHENTICATED, "the certificate of %s is not for %s", who,
                          conn->credentials->server_name);
    else
        (void)fc_fail_set(&why, FC_ERR_UNAUTHENTICATED,
                          "the certificate of %s is not acceptable (flags 0x%x)", who, (unsigned int)flags);
    fc_state_failed(conn->tls, &why, false);
}

/* Mbed TLS calls it for each certificate of the peer's chain, the CA's first and the leaf (depth 0) last. */
static int
verify(void *context, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    nng_tls_engine_conn *conn = context;
    char serial[FC_SERIAL_TEXT_SIZE];
    if (depth > 0) {
        if (fc_identity_serial(crt->serial.p, crt->serial.len, serial) != FC_OK ||
            fc_credentials_revoked(conn->credentials, serial)) {
            conn->revoked = true;
            *flags |= MBEDTLS_X509_BADCERT_REVOKED;
        }
        return 0;
    }
    conn->saw_certificate = true;
    fc_fail why = {0};
    fc_principal peer;
    fc_err err = fc_credentials_admit(conn->credentials, crt, &peer, &why);
    if (*flags != 0) {
        note_flags(conn, crt, *flags);
    } else if (err == FC_ERR_DENIED) {
        conn->revoked = true;
        *flags |= MBEDTLS_X509_BADCERT_REVOKED;
        fc_state_failed(conn->tls, &why, false);
    } else if (err != FC_OK) {
        *flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
        fc_state_failed(conn->tls, &why, false);
    }
    return 0;
}

/* Mbed TLS calls it when a client names the server that it wants. */
int
fc_connection_name_server(void *unused, mbedtls_ssl_context *ssl, const unsigned char *name, size_t size)
{
    (void)unused;
    nng_tls_engine_conn *conn = FC_CONTAINER(ssl, nng_tls_engine_conn, ssl);
    if (conn->enrolling || !fc_enrol_is_name(name, size))
        return 0;
    conn->enrolling = true;
    mbedtls_ssl_set_hs_authmode(ssl, MBEDTLS_SSL_VERIFY_NONE);
    return mbedtls_ssl_set_hs_own_cert(ssl, &conn->credentials->enrol_chain, &conn->credentials->key);
}

/* Who the peer is, by what it showed. A client that enrols is asked for nothing: if there is a certificate,
 * it comes out of a ticket of a connection that was somebody's. */
static fc_err
who_is_it(const nng_tls_engine_conn *conn, const fc_credentials *credentials, fc_principal *ret_peer,
          fc_fail *fail)
{
    const mbedtls_x509_crt *leaf = mbedtls_ssl_get_peer_cert(&conn->ssl);
    if (credentials->pinned)
        return fc_enrol_admit(leaf, credentials->pin, ret_peer, fail);
    if (conn->enrolling && leaf != NULL)
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED, "a connection to enrol resumes a session");
    if (conn->enrolling) {
        fc_enrol_anonymous(credentials->own.fleet, ret_peer);
        return FC_OK;
    }
    if (leaf == NULL)
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED, "the peer has no certificate");
    return fc_credentials_admit(credentials, leaf, ret_peer, fail);
}

static fc_tls_counter
outcome(const nng_tls_engine_conn *conn)
{
    if (conn->enrolling)
        return FC_TLS_COUNTER_handshakes_anonymous;
    return conn->saw_certificate || conn->credentials->pinned ? FC_TLS_COUNTER_handshakes_full
                                                              : FC_TLS_COUNTER_handshakes_resumed;
}

/* The handshake is over for Mbed TLS. The peer is looked at once more, by the credentials of now: a full
 * handshake may have begun before a reload, and a client's resumed one has not shown it to `verify`. */
static int
admit(nng_tls_engine_conn *conn)
{
    fc_fail why = {0};
    fc_credentials *now = fc_state_credentials(conn->tls);
    fc_err err = who_is_it(conn, now, &conn->peer, &why);
    fc_credentials_drop(now);
    if (err != FC_OK) {
        fc_state_session_forget(conn->tls);
        fc_state_failed(conn->tls, &why, false);
        count(conn,
              err == FC_ERR_DENIED ? FC_TLS_COUNTER_refused_revoked : FC_TLS_COUNTER_refused_certificate);
        (void)mbedtls_ssl_send_alert_message(&conn->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                             err == FC_ERR_DENIED ? MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED
                                                                  : MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT);
        return refuse(conn);
    }
    conn->done = true;
    count(conn, outcome(conn));
    if (conn->tls->mode == FC_TLS_CLIENT && conn->saw_certificate)
        fc_state_session_keep(conn->tls, conn->credentials, &conn->ssl);
    return 0;
}

static bool
wants_io(int status)
{
    return status == MBEDTLS_ERR_SSL_WANT_READ || status == MBEDTLS_ERR_SSL_WANT_WRITE;
}

static int
conn_handshake(nng_tls_engine_conn *conn)
{
    if (conn->error != 0 || conn->done)
        return conn->error;
    if (conn->patience_bytes > 0)
        return linger(conn);
    int status = mbedtls_ssl_handshake(&conn->ssl);
    if (status == 0)
        return admit(conn);
    return wants_io(status) ? NNG_EAGAIN : handshake_failed(conn, status);
}

/* ---- a connection ---- */

static int
net_send(void *nng, const unsigned char *bytes, size_t size)
{
    size_t sent = size;
    int status = nng_tls_engine_send(nng, bytes, &sent);
    if (status == NNG_EAGAIN)
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    return status == 0 ? (int)sent : MBEDTLS_ERR_NET_SEND_FAILED;
}

static int
net_recv(void *nng, unsigned char *bytes, size_t size)
{
    size_t got = size;
    int status = nng_tls_engine_recv(nng, bytes, &got);
    if (status == NNG_EAGAIN)
        return MBEDTLS_ERR_SSL_WANT_READ;
    return status == 0 ? (int)got : MBEDTLS_ERR_NET_RECV_FAILED;
}

static int
conn_init(nng_tls_engine_conn *conn, void *nng, nng_tls_engine_config *config)
{
    /* Nobody gave this configuration credentials: there is nothing to authenticate with. */
    if (config->tls == NULL)
        return NNG_EPEERAUTH;
    conn->nng = nng;
    conn->tls = config->tls;
    conn->credentials = fc_state_credentials(conn->tls);
    mbedtls_ssl_init(&conn->ssl);
    conn->started = true;
    int status = mbedtls_ssl_setup(&conn->ssl, &conn->credentials->config);
    if (status == 0 && conn->tls->mode == FC_TLS_CLIENT)
        status = mbedtls_ssl_set_hostname(&conn->ssl, conn->credentials->server_name);
    if (status != 0)
        return fail_with(conn, nng_error(status));
    mbedtls_ssl_set_bio(&conn->ssl, nng, net_send, net_recv, NULL);
    mbedtls_ssl_set_verify(&conn->ssl, verify, conn);
    if (conn->tls->mode == FC_TLS_CLIENT)
        fc_state_session_use(conn->tls, conn->credentials, &conn->ssl);
    return 0;
}

static void
conn_fini(nng_tls_engine_conn *conn)
{
    if (!conn->started)
        return;
    count(conn, FC_TLS_COUNTER_handshakes_failed);
    mbedtls_ssl_free(&conn->ssl);
    fc_credentials_drop(conn->credentials);
}

/* A record that NNG's buffer had no room for stays with Mbed TLS, encrypted, and goes out before anything
 * else. Its bytes have not been reported as sent: the caller offers them again, and they are skipped then. */
static int
flush_record(nng_tls_engine_conn *conn)
{
    if (conn->held_back == 0)
        return 0;
    static const uint8_t unread;
    int status = mbedtls_ssl_write(&conn->ssl, &unread, conn->held_back);
    if (wants_io(status))
        return NNG_EAGAIN;
    if (status < 0)
        return fail_with(conn, nng_error(status));
    conn->skip = conn->held_back;
    conn->held_back = 0;
    return 0;
}

/* close_notify goes behind what was sent before; when NNG's buffer is full, with a later call. */
static void
notify_close(nng_tls_engine_conn *conn)
{
    bool writable = conn->error == 0 || conn->error == NNG_ECONNSHUT;
    if (conn->closing && !conn->close_notified && writable && flush_record(conn) == 0)
        conn->close_notified = mbedtls_ssl_close_notify(&conn->ssl) == 0;
}

/* NNG drops what it still holds, and it is not for us to wait. */
static void
conn_close(nng_tls_engine_conn *conn)
{
    if (!conn->started)
        return;
    conn->closing = conn->done;
    notify_close(conn);
    conn->error = NNG_ECLOSED;
}

static int
conn_recv(nng_tls_engine_conn *conn, uint8_t *bytes, size_t *size)
{
    int error = conn_handshake(conn);
    if (error != 0)
        return error;
    notify_close(conn);
    int status = mbedtls_ssl_read(&conn->ssl, bytes, *size);
    if (wants_io(status))
        return NNG_EAGAIN;
    if (status > 0) {
        *size = (size_t)status;
        return 0;
    }
    if (status == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        /* To be answered in kind (RFC 5246, 7.2.1). */
        conn->closing = true;
        notify_close(conn);
    } else if (status == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE && conn->tls->mode == FC_TLS_CLIENT) {
        /* A resumed handshake ends with us: a server that looks at our certificate only then says so here. */
        fc_state_session_forget(conn->tls);
        note_alert(conn);
    }
    return fail_with(conn, nng_error(status == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : status));
}

static int
conn_send(nng_tls_engine_conn *conn, const uint8_t *bytes, size_t *size)
{
    int error = conn_handshake(conn);
    if (error == 0)
        error = conn->closing ? NNG_ECLOSED : flush_record(conn);
    if (error != 0)
        return error;
    size_t sent = conn->skip < *size ? conn->skip : *size;
    conn->skip -= sent;
    while (sent < *size) {
        size_t length = *size - sent < RECORD_MAX ? *size - sent : RECORD_MAX;
        int status = mbedtls_ssl_write(&conn->ssl, bytes + sent, length);
        if (wants_io(status)) {
            conn->held_back = length;
            break;
        }
        if (status <= 0)
            return fail_with(conn, nng_error(status));
        sent += (size_t)status;
    }
    if (sent == 0)
        return NNG_EAGAIN;
    *size = sent;
    return 0;
}

/* NNG calls it on the thread of nng_stream_get_bool's caller, under the connection's lock: the way by which
 * the program and the engine's side of a stream get to speak. */
static _Thread_local struct {
    bool shut_down; /* asked: send close_notify */
    bool set;       /* answered: who the peer is */
    fc_principal peer;
} exchange;

static bool
conn_verified(nng_tls_engine_conn *conn)
{
    if (!conn->done)
        return false;
    if (exchange.shut_down) {
        conn->closing = true;
        notify_close(conn);
    }
    exchange.peer = conn->peer;
    exchange.set = true;
    return true;
}

static bool
ask_engine(struct nng_stream *stream, bool shut_down)
{
    bool verified = false;
    exchange.set = false;
    exchange.shut_down = shut_down;
    int status = nng_stream_get_bool(stream, NNG_OPT_TLS_VERIFIED, &verified);
    exchange.shut_down = false;
    return status == 0 && verified && exchange.set;
}

bool
fc_connection_identify(struct nng_stream *stream, fc_principal *ret_peer)
{
    if (!ask_engine(stream, false))
        return false;
    *ret_peer = exchange.peer;
    return true;
}

bool
fc_connection_shutdown(struct nng_stream *stream)
{
    return ask_engine(stream, true);
}

/* ---- what NNG calls ---- */

#if FC_NNG_ENGINE_V2
static char *
conn_peer_cn(nng_tls_engine_conn *conn)
{
    (void)conn;
    return NULL;
}

static char **
conn_peer_alt_names(nng_tls_engine_conn *conn)
{
    (void)conn;
    return NULL;
}
#endif

nng_tls_engine_conn_ops fc_connection_ops = {
    .size = sizeof(struct nng_tls_engine_conn),
    .init = conn_init,
    .fini = conn_fini,
    .close = conn_close,
    .handshake = conn_handshake,
    .recv = conn_recv,
    .send = conn_send,
    .verified = conn_verified,
#if FC_NNG_ENGINE_V2
    .peer_cn = conn_peer_cn,
    .peer_alt_names = conn_peer_alt_names,
#endif
};
