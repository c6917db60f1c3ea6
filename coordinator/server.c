#include "coordinator/server.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/rpc/rpc.h"
#include "common/tls/tls.h"
#include "coordinator/coordinator.h"
#include "coordinator/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WATCH_CREDENTIALS_MS = 1000,
    CHECK_EXPIRY_MS = 30000, /* certificates end without anybody changing a file */
};

struct co_server {
    fc_loop *loop;           /* borrowed */
    const co_config *config; /* borrowed */
    int lock_fd;
    fc_tls *tls;
    co_store *store;
    struct co *co;
    fc_rpc_server *rpc;
    co_service service;
    fc_rpc_service services[5];
    fc_issuer *issuer; /* NULL without ca_key */
    struct timespec
        issuer_read[2]; /* modification times of the CA's certificate and key, when they were read */
    fc_timer credentials_timer;
    fc_timer expiry_timer;
};

/* ---- credentials ---- */

static fc_err
open_tls(const co_config *config, bool running, fc_tls **ret_tls, fc_fail *fail)
{
    char *tickets = fc_sprintf("%s/ticket.keys", config->state_dir);
    char *own_crl = fc_sprintf("%s/crl.pem", config->state_dir);
    fc_tls_files files = {
        .ca = config->ca,
        .certificate = config->certificate,
        .key = config->key,
        .crl = config->crl,
        .own_crl = running && config->ca_key != NULL ? own_crl : NULL,
        .enrolment = config->ca_key != NULL,
        .ticket_keys = running ? tickets : NULL,
    };
    fc_tls *tls = NULL;
    fc_err err = fc_tls_new(FC_TLS_SERVER, &files, &tls, fail);
    free(tickets);
    free(own_crl);
    if (err == FC_OK && fc_tls_own(tls)->role != FC_ROLE_COORDINATOR) {
        err = fc_fail_set(fail, FC_ERR_INVALID, "%s is the certificate of %s/%s, not of a coordinator",
                          config->certificate, fc_role_name(fc_tls_own(tls)->role), fc_tls_own(tls)->name);
        fc_tls_free(tls);
    }
    if (err == FC_OK)
        *ret_tls = tls;
    return err;
}

static void
check_peer(fc_rpc_conn *conn, void *user)
{
    co_server *server = user;
    const fc_principal *peer = fc_rpc_conn_peer(conn);
    fc_fail why = {0};
    if (peer->role == FC_ROLE_NONE || peer->role == FC_ROLE_ANONYMOUS ||
        fc_tls_check(server->tls, peer, &why) == FC_OK)
        return;
    char who[FC_PRINCIPAL_TEXT_SIZE];
    fc_principal_text(peer, who);
    server->co->counters.connections_revoked++;
    fc_log(FC_LOG_WARNING, "connection of %s (%s) closed: %s", who, fc_rpc_conn_address(conn), why.text);
    co_persist_audit(server->co, who, "connection", who, "UNAUTHENTICATED", why.text);
    fc_rpc_conn_close(conn, FC_CODE_UNAUTHENTICATED, why.text);
}

static void
check_peers(co_server *server)
{
    fc_rpc_server_each(server->rpc, check_peer, server);
}

static void
on_crl_changed(void *user)
{
    co_server *server = user;
    fc_fail fail = {0};
    if (fc_tls_reload(server->tls, &fail) == FC_OK)
        check_peers(server);
    else
        fc_log(FC_LOG_ERROR, "the revocation list is not in force, the credentials stay as they are: %s",
               fail.text);
}

/* ---- the issuer ---- */

static void
stamp_issuer(const co_config *config, struct timespec ret_times[2])
{
    const char *const paths[2] = {config->ca, config->ca_key};
    for (size_t i = 0; i < FC_COUNT(paths); i++) {
        struct stat st;
        ret_times[i] = stat(paths[i], &st) == 0 ? st.st_mtim : (struct timespec){0};
    }
}

static fc_err
open_issuer(co_server *server, fc_fail *fail)
{
    const co_config *config = server->config;
    fc_issuer *issuer = NULL;
    if (config->ca_key == NULL)
        return FC_OK;
    stamp_issuer(config, server->issuer_read);
    fc_err err = fc_issuer_open(config->ca, config->ca_key, &issuer, fail);
    if (err != FC_OK)
        return err;
    fc_issuer_close(server->issuer);
    server->issuer = issuer;
    if (server->co != NULL)
        server->co->enrolment.issuer = issuer;
    return FC_OK;
}

/* The CA changes hands: certificates come from the new one from now on, and it signs the revocation list,
 * before the credentials are read (which may no longer hold the old one). */
static void
reopen_issuer(co_server *server)
{
    fc_fail fail = {0};
    if (server->issuer == NULL)
        return;
    fc_err err = open_issuer(server, &fail);
    if (err == FC_OK)
        err = co_enrolment_write_crl(server->co, &fail);
    if (err == FC_OK)
        return;
    server->co->enrolment.crl_due = true;
    fc_log(FC_LOG_ERROR, "the CA's key or the revocation list stays as it is: %s", fail.text);
}

static bool
issuer_changed(const co_server *server)
{
    struct timespec now[2];
    if (server->issuer == NULL)
        return false;
    stamp_issuer(server->config, now);
    for (size_t i = 0; i < FC_COUNT(now); i++)
        if (now[i].tv_sec != server->issuer_read[i].tv_sec ||
            now[i].tv_nsec != server->issuer_read[i].tv_nsec)
            return true;
    return false;
}

void
co_server_reload(co_server *server)
{
    fc_fail fail = {0};
    reopen_issuer(server);
    if (fc_tls_reload(server->tls, &fail) != FC_OK) {
        fc_log(FC_LOG_ERROR, "the credentials stay as they are: %s", fail.text);
        return;
    }
    fc_log(FC_LOG_NOTICE, "credentials read again");
    check_peers(server);
}

static void
on_credentials(fc_timer *timer)
{
    co_server *server = FC_CONTAINER(timer, co_server, credentials_timer);
    bool changed = false;
    fc_fail fail = {0};
    if (issuer_changed(server))
        reopen_issuer(server);
    if (fc_tls_reload_if_changed(server->tls, &changed, &fail) != FC_OK)
        fc_log(FC_LOG_ERROR, "the credentials stay as they are: %s", fail.text);
    else if (changed) {
        fc_log(FC_LOG_NOTICE, "credentials changed and read again");
        check_peers(server);
    }
    fc_loop_timer_after_ms(server->loop, timer, WATCH_CREDENTIALS_MS);
}

static void
on_expiry(fc_timer *timer)
{
    co_server *server = FC_CONTAINER(timer, co_server, expiry_timer);
    check_peers(server);
    fc_loop_timer_after_ms(server->loop, timer, CHECK_EXPIRY_MS);
}

/* ---- opening ---- */

static fc_err
lock_state(const char *directory, int *ret_fd, fc_fail *fail)
{
    if (mkdir(directory, 0750) != 0 && errno != EEXIST)
        return fc_fail_errno(fail, errno, "cannot make the state directory %s", directory);
    char *path = fc_sprintf("%s/lock", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    fc_err err = FC_OK;
    if (fd < 0)
        err = fc_fail_errno(fail, errno, "cannot open %s", path);
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        err = fc_fail_set(fail, FC_ERR_STATE, "another coordinator uses the state directory %s", directory);
    free(path);
    if (err != FC_OK && fd >= 0)
        close(fd);
    if (err == FC_OK)
        *ret_fd = fd;
    return err;
}

static fc_err
open_state(co_server *server, fc_fail *fail)
{
    const co_config *config = server->config;
    char *path = fc_sprintf("%s/fleetcap.db", config->state_dir);
    fc_err err = co_store_open(path, &server->store, fail);
    free(path);
    if (err == FC_OK)
        err = co_open(server->loop, config, server->store, &co_rpc_link_ops, &server->co, fail);
    if (err != FC_OK)
        return err;
    server->co->enrolment.issuer = server->issuer;
    return server->issuer != NULL ? co_enrolment_write_crl(server->co, fail) : FC_OK;
}

/* Who we are stands in our certificate. */
static void
take_name(co_server *server)
{
    const co_config *config = server->config;
    const fc_principal *own = fc_tls_own(server->tls);
    memcpy(server->co->fleet, own->fleet, sizeof server->co->fleet);
    (void)snprintf(server->co->name, sizeof server->co->name, "%s",
                   config->name != NULL ? config->name : own->name);
    server->service = (co_service){.co = server->co, .tls = server->tls};
    server->co->enrolment.crl_changed = on_crl_changed;
    server->co->enrolment.user = server;
}

static fc_err
listen_on(co_server *server, fc_fail *fail)
{
    server->services[0] = (fc_rpc_service){co_node_handlers, co_node_handler_count, &server->service};
    server->services[1] = (fc_rpc_service){co_capture_handlers, co_capture_handler_count, &server->service};
    server->services[2] = (fc_rpc_service){co_fleet_handlers, co_fleet_handler_count, &server->service};
    server->services[3] = (fc_rpc_service){co_enrol_handlers, co_enrol_handler_count, &server->service};
    server->services[4] =
        (fc_rpc_service){co_admission_handlers, co_admission_handler_count, &server->service};
    fc_rpc_options options = {
        .loop = server->loop,
        .tls = fc_tls_config(server->tls),
        .identify = fc_tls_identify,
        .services = server->services,
        .service_count = FC_COUNT(server->services),
        .ops = &co_conn_ops,
        .user = &server->service,
    };
    fc_err err = fc_rpc_server_new(&options, server->config->listen, &server->rpc, fail);
    server->service.server = server->rpc;
    return err;
}

fc_err
co_server_open(fc_loop *loop, const co_config *config, co_server **ret_server, fc_fail *fail)
{
    co_server *server = FC_NEW(co_server);
    server->loop = loop;
    server->config = config;
    server->lock_fd = -1;
    server->credentials_timer.fire = on_credentials;
    server->expiry_timer.fire = on_expiry;
    fc_err err = lock_state(config->state_dir, &server->lock_fd, fail);
    if (err == FC_OK)
        err = open_issuer(server, fail);
    if (err == FC_OK)
        err = open_state(server, fail);
    if (err == FC_OK)
        err = open_tls(config, true, &server->tls, fail);
    if (err == FC_OK) {
        take_name(server);
        err = listen_on(server, fail);
    }
    if (err != FC_OK) {
        co_server_close(server);
        return err;
    }
    fc_loop_timer_after_ms(loop, &server->credentials_timer, WATCH_CREDENTIALS_MS);
    fc_loop_timer_after_ms(loop, &server->expiry_timer, CHECK_EXPIRY_MS);
    fc_log(FC_LOG_NOTICE, "coordinator %s of fleet %s listens on %s", server->co->name, server->co->fleet,
           config->listen);
    *ret_server = server;
    return FC_OK;
}

fc_err
co_server_check(const co_config *config, fc_fail *fail)
{
    fc_tls *tls = NULL;
    fc_issuer *issuer = NULL;
    fc_err err = open_tls(config, false, &tls, fail);
    fc_tls_free(tls);
    if (err == FC_OK && config->ca_key != NULL)
        err = fc_issuer_open(config->ca, config->ca_key, &issuer, fail);
    fc_issuer_close(issuer);
    if (err == FC_OK && access(config->state_dir, W_OK) != 0 && errno != ENOENT)
        err = fc_fail_errno(fail, errno, "the state directory %s cannot be written", config->state_dir);
    return err;
}

void
co_server_close(co_server *server)
{
    if (server == NULL)
        return;
    fc_loop_timer_clear(server->loop, &server->credentials_timer);
    fc_loop_timer_clear(server->loop, &server->expiry_timer);
    if (server->rpc != NULL)
        fc_rpc_server_free(server->rpc);
    co_close(server->co);
    co_store_close(server->store);
    fc_tls_free(server->tls);
    fc_issuer_close(server->issuer);
    if (server->lock_fd >= 0)
        close(server->lock_fd);
    free(server);
}

uint16_t
co_server_port(const co_server *server)
{
    return fc_rpc_server_port(server->rpc);
}
