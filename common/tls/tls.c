#include "common/tls/tls.h"

#include "common/base/mem.h"
#include "common/tls/connection.h"
#include "common/tls/engine.h"
#include "common/tls/state.h"

#include <malloc.h>
#include <nng/supplemental/tls/tls.h>
#include <stdlib.h>
#include <string.h>

/* NNG_TLS_MAX_SEND_SIZE and _RECV_SIZE; Mbed TLS's are this and a few hundred bytes. */
enum { RECORD_BUFFER_BYTES = 16 * 1024 };

/* ---- what the engine needs ---- */

void
fc_state_hold(fc_tls *tls)
{
    atomic_fetch_add(&tls->references, 1);
}

void
fc_state_drop(fc_tls *tls)
{
    if (tls == NULL || atomic_fetch_sub(&tls->references, 1) != 1)
        return;
    fc_credentials_drop(tls->current);
    fc_tickets_free(tls->tickets);
    mbedtls_ssl_session_free(&tls->session);
    pthread_mutex_destroy(&tls->mutex);
    free((char *)tls->files.ca);
    free((char *)tls->files.certificate);
    free((char *)tls->files.key);
    free((char *)tls->files.crl);
    free((char *)tls->files.own_crl);
    free((char *)tls->files.ticket_keys);
    free((char *)tls->files.server_name);
    free(tls);
}

fc_credentials *
fc_state_credentials(fc_tls *tls)
{
    pthread_mutex_lock(&tls->mutex);
    fc_credentials *credentials = fc_credentials_hold(tls->current);
    pthread_mutex_unlock(&tls->mutex);
    return credentials;
}

void
fc_state_count(fc_tls *tls, fc_tls_counter counter)
{
    atomic_fetch_add_explicit(&tls->counters[counter], 1, memory_order_relaxed);
}

void
fc_state_failed(fc_tls *tls, const fc_fail *why, bool refused)
{
    pthread_mutex_lock(&tls->mutex);
    tls->last_failure = *why;
    tls->refused = refused;
    pthread_mutex_unlock(&tls->mutex);
}

static void
forget_session(fc_tls *tls)
{
    mbedtls_ssl_session_free(&tls->session);
    mbedtls_ssl_session_init(&tls->session);
    tls->has_session = false;
}

void
fc_state_session_use(fc_tls *tls, const fc_credentials *credentials, mbedtls_ssl_context *ssl)
{
    fc_principal peer;
    pthread_mutex_lock(&tls->mutex);
    if (tls->has_session && tls->current == credentials) {
        const mbedtls_x509_crt *leaf = fc_compat_session_peer(&tls->session);
        if (leaf == NULL || fc_credentials_admit(credentials, leaf, &peer, NULL) != FC_OK ||
            mbedtls_ssl_set_session(ssl, &tls->session) != 0)
            forget_session(tls);
    }
    pthread_mutex_unlock(&tls->mutex);
}

void
fc_state_session_keep(fc_tls *tls, const fc_credentials *credentials, const mbedtls_ssl_context *ssl)
{
    pthread_mutex_lock(&tls->mutex);
    if (tls->current == credentials) {
        forget_session(tls);
        tls->has_session = mbedtls_ssl_get_session(ssl, &tls->session) == 0;
    }
    pthread_mutex_unlock(&tls->mutex);
}

void
fc_state_session_forget(fc_tls *tls)
{
    pthread_mutex_lock(&tls->mutex);
    forget_session(tls);
    pthread_mutex_unlock(&tls->mutex);
}

/* ---- what programs call ---- */

static fc_tls *
tls_alloc(fc_tls_mode mode)
{
    fc_tls *tls = FC_NEW(fc_tls);
    atomic_init(&tls->references, 1);
    tls->mode = mode;
    mbedtls_ssl_session_init(&tls->session);
    pthread_mutex_init(&tls->mutex, NULL);
    return tls;
}

/* Gives it away, ready for NNG, when all went well so far; else frees it. */
static fc_err
hand_out(fc_tls *tls, fc_err err, fc_tls **ret_tls, fc_fail *fail)
{
    if (err == FC_OK)
        err = fc_engine_config(tls, tls->mode, &tls->config, fail);
    if (err == FC_OK)
        *ret_tls = tls;
    else
        fc_tls_free(tls);
    return err;
}

fc_err
fc_tls_new(fc_tls_mode mode, const fc_tls_files *files, fc_tls **ret_tls, fc_fail *fail)
{
    fc_tls *tls = tls_alloc(mode);
    tls->files = (fc_tls_files){
        .ca = fc_strdup(files->ca),
        .certificate = fc_strdup(files->certificate),
        .key = fc_strdup(files->key),
        .crl = fc_strdup(files->crl),
        .own_crl = fc_strdup(files->own_crl),
        .enrolment = files->enrolment,
        .ticket_keys = fc_strdup(files->ticket_keys),
        .server_name = fc_strdup(files->server_name),
    };
    fc_err err = FC_OK;
    if (mode == FC_TLS_SERVER)
        err = fc_tickets_new(files->ticket_keys, &tls->tickets, fail);
    if (err == FC_OK)
        err = fc_credentials_load(mode, &tls->files, tls->tickets, &tls->current, fail);
    return hand_out(tls, err, ret_tls, fail);
}

fc_err
fc_tls_new_enrolment(const uint8_t pin[32], fc_tls **ret_tls, fc_fail *fail)
{
    fc_tls *tls = tls_alloc(FC_TLS_CLIENT);
    return hand_out(tls, fc_credentials_pinned(pin, &tls->current, fail), ret_tls, fail);
}

void
fc_tls_free(fc_tls *tls)
{
    if (tls == NULL)
        return;
    if (tls->config != NULL)
        nng_tls_config_free(tls->config);
    fc_state_drop(tls);
}

fc_err
fc_tls_reload(fc_tls *tls, fc_fail *fail)
{
    fc_credentials *fresh = NULL;
    if (tls->files.ca == NULL) /* for enrolment: there is nothing to read */
        return FC_OK;
    fc_err err = fc_credentials_load(tls->mode, &tls->files, tls->tickets, &fresh, fail);
    if (err != FC_OK)
        return err;
    pthread_mutex_lock(&tls->mutex);
    fc_credentials *old = tls->current;
    tls->current = fresh;
    /* A resumed session would show the server our old certificate for as long as it lasts. */
    forget_session(tls);
    pthread_mutex_unlock(&tls->mutex);
    fc_credentials_drop(old);
    return FC_OK;
}

fc_err
fc_tls_reload_if_changed(fc_tls *tls, bool *ret_changed, fc_fail *fail)
{
    fc_credentials *current = fc_state_credentials(tls);
    bool changed = fc_credentials_changed(current, &tls->files);
    fc_credentials_drop(current);
    if (changed) {
        fc_err err = fc_tls_reload(tls, fail);
        if (err != FC_OK)
            return err;
    }
    *ret_changed = changed;
    return FC_OK;
}

struct nng_tls_config *
fc_tls_config(const fc_tls *tls)
{
    return tls->config;
}

const fc_principal *
fc_tls_own(const fc_tls *tls)
{
    fc_tls *shared = (fc_tls *)tls;
    pthread_mutex_lock(&shared->mutex);
    const fc_principal *own = &shared->current->own;
    pthread_mutex_unlock(&shared->mutex);
    return own;
}

bool
fc_tls_identify(struct nng_stream *stream, fc_principal *ret_peer)
{
    return fc_connection_identify(stream, ret_peer);
}

bool
fc_tls_shutdown(struct nng_stream *stream)
{
    return fc_connection_shutdown(stream);
}

fc_err
fc_tls_check(fc_tls *tls, const fc_principal *peer, fc_fail *fail)
{
    fc_credentials *current = fc_state_credentials(tls);
    fc_err err = fc_credentials_check(current, peer, fail);
    fc_credentials_drop(current);
    return err;
}

fc_err
fc_tls_last_failure(const fc_tls *tls, fc_fail *ret_fail)
{
    fc_tls *shared = (fc_tls *)tls;
    pthread_mutex_lock(&shared->mutex);
    *ret_fail = shared->last_failure;
    pthread_mutex_unlock(&shared->mutex);
    return ret_fail->err;
}

bool
fc_tls_refused(const fc_tls *tls)
{
    fc_tls *shared = (fc_tls *)tls;
    pthread_mutex_lock(&shared->mutex);
    bool refused = shared->refused;
    pthread_mutex_unlock(&shared->mutex);
    return refused;
}

void
fc_tls_counters_get(const fc_tls *tls, fc_tls_counters *ret_counters)
{
#define X(name, help)                                                                                        \
    ret_counters->name = atomic_load_explicit(&tls->counters[FC_TLS_COUNTER_##name], memory_order_relaxed);
    FC_TLS_COUNTERS(X)
#undef X
}

void
fc_tls_tune_memory(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, RECORD_BUFFER_BYTES);
}

fc_err
fc_tls_pin(const fc_tls *tls, uint8_t ret_pin[32], fc_fail *fail)
{
    fc_credentials *current = fc_state_credentials((fc_tls *)tls);
    fc_err err = fc_credentials_pin(current, ret_pin, fail);
    fc_credentials_drop(current);
    return err;
}
