/* credentials.h: one reading of a program's CA, certificate, key and revocation list, ready for handshakes.
 *
 * Life: load -> shared by fc_tls (as the current ones) and by every connection that began under them -> the
 * last drop frees. Nothing in it changes after load, so no lock guards it: Mbed TLS copies the curve of a key
 * that it signs or verifies with (pk_wrap.c, eckey_sign_wrap), and random bytes come from the kernel.
 */
#ifndef FC_TLS_CREDENTIALS_H
#define FC_TLS_CREDENTIALS_H

#include "common/base/principal.h"
#include "common/tls/compat.h"
#include "common/tls/tickets.h"
#include "common/tls/tls.h"

#include <stdatomic.h>
#include <sys/stat.h>

enum { FC_CREDENTIALS_FILES = 5 };

/* What a file looked like when it was read: rename, rewrite and touch all show. */
typedef struct fc_credentials_stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
} fc_credentials_stamp;

typedef char fc_serial[FC_SERIAL_TEXT_SIZE];

typedef struct fc_credentials {
    atomic_uint references;
    fc_tls_mode mode;
    bool enrolment;  /* server: lets in who has no certificate */
    bool pinned;     /* client without any: `pin` is all that it has, and every file is missing */
    uint8_t pin[32]; /* SHA-256 of the CA certificate that the peer must have */
    fc_principal own;
    char *server_name; /* owned; client: the DNS name the peer must carry */
    mbedtls_x509_crt ca;
    mbedtls_x509_crt chain;       /* own certificate first */
    mbedtls_x509_crt enrol_chain; /* server with enrolment: the same and the CAs, see enrol.h */
    mbedtls_pk_context key;
    fc_serial *revoked; /* owned; sorted serial numbers from all revocation lists */
    size_t revoked_count;
    uint8_t ca_digest[32]; /* SHA-256 over the CA certificates: a ticket is worth nothing under other ones */
    fc_tickets *tickets;   /* borrowed from fc_tls; NULL on a client */
    mbedtls_ssl_config config;
    fc_credentials_stamp stamps[FC_CREDENTIALS_FILES];
} fc_credentials;

FC_MUST_USE fc_err
fc_credentials_load(fc_tls_mode mode, const fc_tls_files *files, fc_tickets *tickets,
                    fc_credentials **ret_credentials, fc_fail *fail);
/* A client's without files, for enrolment. */
FC_MUST_USE fc_err
fc_credentials_pinned(const uint8_t pin[32], fc_credentials **ret_credentials, fc_fail *fail);
fc_credentials *
fc_credentials_hold(fc_credentials *credentials); /* returns its argument */
void
fc_credentials_drop(fc_credentials *credentials);

/* Have the files changed since they were loaded? A file that is gone has. */
bool
fc_credentials_changed(const fc_credentials *credentials, const fc_tls_files *files);

/* SHA-256 (DER) of the CA certificate that signed our own. FC_ERR_STATE when none of the CA file did so
 * itself. */
FC_MUST_USE fc_err
fc_credentials_pin(const fc_credentials *credentials, uint8_t ret_pin[32], fc_fail *fail);

bool
fc_credentials_revoked(const fc_credentials *credentials, const char *serial);
/* Not revoked, not expired. FC_ERR_DENIED when revoked, FC_ERR_UNAUTHENTICATED when expired. */
FC_MUST_USE fc_err
fc_credentials_check(const fc_credentials *credentials, const fc_principal *peer, fc_fail *fail);
/* All that a peer's leaf must be, apart from its signature: the other side's role and usage, our fleet,
 * inside its dates, not revoked. Used for full handshakes and for resumed ones. */
FC_MUST_USE fc_err
fc_credentials_admit(const fc_credentials *credentials, const mbedtls_x509_crt *leaf, fc_principal *ret_peer,
                     fc_fail *fail);

#endif
