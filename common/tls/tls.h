/* tls.h: the Mbed TLS engine for NNG, and who the peer is.
 *
 * fc_tls holds a program's credentials (CA, own certificate and key, revocation list) and, for a server, the
 * session ticket keys. TLS 1.2, ECDHE-ECDSA, AES-GCM, P-256. The client side sets the server name and refuses
 * a peer whose certificate is not a coordinator's of the same fleet; the server side demands a certificate,
 * of everybody but a machine that comes to enrol, where that is switched on (FC_TLS_ENROL_NAME). Every
 * handshake and every resumption checks the peer's dates and the revocation lists.
 *
 * The handshake begins with the first send or receive. Whoever uses the streams
 * 1. sets NNG_OPT_TCP_NODELAY on dialers and listeners, which NNG's streams leave off: else a handshake waits
 *    40 ms for a delayed acknowledgement;
 * 2. has a timer of its own for the handshake and closes the stream after it: a peer may be silent, and a
 *    server holds on to one that it refused until that one has heard why. A client's first transfer ends with
 *    NNG_EPEERAUTH when either side refused the other, and fc_tls_last_failure says why;
 * 3. offers again what a send left over: a record is 4 KiB, and transfers are often partial;
 * 4. keeps a receive waiting, and has a timer for silence: when a connection breaks while no receive waits,
 *    NNG 1.5.2 never ends the next one, not even at its timeout. nng_stream_close does.
 */
#ifndef FC_TLS_TLS_H
#define FC_TLS_TLS_H

#include "common/base/err.h"
#include "common/base/principal.h"

#include <stdbool.h>
#include <stdint.h>

struct nng_stream;
struct nng_tls_config;

typedef struct fc_tls fc_tls;

typedef enum fc_tls_mode { FC_TLS_CLIENT, FC_TLS_SERVER } fc_tls_mode;

typedef struct fc_tls_files {
    const char *ca;          /* PEM, one or more CA certificates */
    const char *certificate; /* PEM, own chain */
    const char *key;         /* PEM, P-256; must not be readable by others */
    const char *crl;         /* PEM X.509 CRL of the CA; NULL = none; a missing file is an error */
    const char *own_crl;     /* PEM, likewise: what this program itself has revoked; NULL = none */
    bool enrolment;          /* server: lets in who asks for FC_TLS_ENROL_NAME, without a certificate */
    const char *ticket_keys; /* server: made (0600) when missing, rotated; NULL = kept in memory only */
    const char *server_name; /* client: DNS name the coordinator's certificate must carry; NULL or a numeric
                              * address = coordinator.<fleet>, which every coordinator of the fleet carries */
} fc_tls_files;

/* The server name (RFC 6066, 3) by which a client says that it has no certificate and wants one. Such a
 * connection is asked for none, whoever it is, and its peer has the role anonymous; the server shows its CA
 * certificates beside its own. No session is kept of it, and none resumed on it. */
#define FC_TLS_ENROL_NAME "enrol.fleetcap.invalid"

/* Loads everything; the sentence names the file and what is wrong with it. Strings are copied. */
FC_MUST_USE fc_err
fc_tls_new(fc_tls_mode mode, const fc_tls_files *files, fc_tls **ret_tls, fc_fail *fail);
/* A client without credentials, for enrolment: takes for its coordinator whoever shows a CA certificate with
 * this SHA-256 (of its DER form) and a coordinator's own that it has signed, and nobody else. */
FC_MUST_USE fc_err
fc_tls_new_enrolment(const uint8_t pin[32], fc_tls **ret_tls, fc_fail *fail);
/* Server: SHA-256 of the CA certificate that issued our own, for tokens. */
FC_MUST_USE fc_err
fc_tls_pin(const fc_tls *tls, uint8_t ret_pin[32], fc_fail *fail);
void
fc_tls_free(fc_tls *tls);
/* Reads the files again (a client for enrolment has none); new handshakes use them. On failure the old
 * credentials stay. Any thread. */
FC_MUST_USE fc_err
fc_tls_reload(fc_tls *tls, fc_fail *fail);
/* Reloads when a file's inode, size or modification time differ. *ret_changed tells. */
FC_MUST_USE fc_err
fc_tls_reload_if_changed(fc_tls *tls, bool *ret_changed, fc_fail *fail);
/* For nng_stream_{dialer,listener}_set_ptr(…, NNG_OPT_TLS_CONFIG, …). Borrowed. */
struct nng_tls_config *
fc_tls_config(const fc_tls *tls);
/* Our own principal; role none of a client for enrolment. Borrowed; valid until the next reload. */
const fc_principal *
fc_tls_own(const fc_tls *tls);
/* Who is at the other end of an established stream; false before the handshake is done. */
bool
fc_tls_identify(struct nng_stream *stream, fc_principal *ret_peer);
/* Tells the peer that nothing more comes, after all that was sent; sending fails from now on, receiving goes
 * on. For an orderly end: shut down, receive until NNG_ECONNSHUT (or a timer), then close. nng_stream_close
 * by itself discards what NNG has not handed to the kernel yet. False before the handshake is done. */
bool
fc_tls_shutdown(struct nng_stream *stream);
/* Is this (connected) peer still welcome: not revoked, not expired? With the sentence why not. */
FC_MUST_USE fc_err
fc_tls_check(fc_tls *tls, const fc_principal *peer, fc_fail *fail);

/* Why the last handshake under this fc_tls failed or was refused, in a sentence that names the peer; FC_OK
 * when none did. For a client, which has one connection at a time: "the peer refused us: certificate revoked
 * (…)". */
fc_err
fc_tls_last_failure(const fc_tls *tls, fc_fail *ret_fail);
/* Whether that was the peer's refusal of our certificate: revoked, expired, of another CA, not for this use.
 * Not when we refused the peer. */
bool
fc_tls_refused(const fc_tls *tls);

/* For main(), before the first connection, of a program with many. Has malloc(3) take every block of 16 KiB
 * and more from mmap(2): of a connection's four record buffers (two of NNG's, two of Mbed TLS's, 16 KiB each)
 * then only the pages are resident that data went through, and they are given back when it ends. */
void
fc_tls_tune_memory(void);

/* Counters since start: handshakes by outcome. */
#define FC_TLS_COUNTERS(X)                                                                                   \
    X(handshakes_full, "full handshakes completed")                                                          \
    X(handshakes_resumed, "handshakes resumed from a session ticket")                                        \
    X(refused_certificate, "handshakes refused: no certificate, another CA, expired or of the wrong kind")   \
    X(refused_revoked, "handshakes refused: certificate revoked")                                            \
    X(handshakes_failed, "handshakes that ended otherwise: reset, silence, not TLS")                         \
    X(handshakes_anonymous, "handshakes completed with a peer that has no certificate, to enrol")
typedef struct fc_tls_counters {
#define X(name, help) uint64_t name;
    FC_TLS_COUNTERS(X)
#undef X
} fc_tls_counters;
void
fc_tls_counters_get(const fc_tls *tls, fc_tls_counters *ret_counters);

#endif
