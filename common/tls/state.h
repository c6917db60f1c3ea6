/* state.h: what an fc_tls is made of; for tls.c, connection.c and engine.c alone.
 *
 * Two hold it: the program (until fc_tls_free) and NNG's configuration object, which every connection holds.
 * The mutex is a leaf: nothing is called under it that takes another lock or waits.
 */
#ifndef FC_TLS_STATE_H
#define FC_TLS_STATE_H

#include "common/tls/compat.h"
#include "common/tls/credentials.h"
#include "common/tls/tls.h"

#include <pthread.h>
#include <stdatomic.h>

typedef enum fc_tls_counter {
#define X(name, help) FC_TLS_COUNTER_##name,
    FC_TLS_COUNTERS(X)
#undef X
        FC_TLS_COUNTER_COUNT
} fc_tls_counter;

struct fc_tls {
    atomic_uint references;
    fc_tls_mode mode;
    fc_tls_files files;            /* strings owned */
    fc_tickets *tickets;           /* owned; NULL on a client */
    struct nng_tls_config *config; /* owned: one reference */
    atomic_uint_fast64_t counters[FC_TLS_COUNTER_COUNT];
    pthread_mutex_t mutex;       /* guards what follows */
    fc_credentials *current;     /* owned: one reference */
    mbedtls_ssl_session session; /* client: the last one, to resume */
    bool has_session;
    fc_fail last_failure;
    bool refused; /* it was the peer that refused our certificate */
};

void
fc_state_hold(fc_tls *tls);
void
fc_state_drop(fc_tls *tls);
/* The credentials for a new handshake; the caller drops them. */
fc_credentials *
fc_state_credentials(fc_tls *tls);
void
fc_state_count(fc_tls *tls, fc_tls_counter counter);
/* refused: by the peer, for our certificate. */
void
fc_state_failed(fc_tls *tls, const fc_fail *why, bool refused);
/* Gives ssl the session to resume, when there is one that was made under these credentials and whose
 * certificate would still be admitted. */
void
fc_state_session_use(fc_tls *tls, const fc_credentials *credentials, mbedtls_ssl_context *ssl);
/* Keeps ssl's session, unless the credentials have been replaced since. */
void
fc_state_session_keep(fc_tls *tls, const fc_credentials *credentials, const mbedtls_ssl_context *ssl);
void
fc_state_session_forget(fc_tls *tls);

#endif
