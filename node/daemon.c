#include "node/daemon.h"

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/notify.h"
#include "common/tls/tls.h"
#include "node/context.h"
#include "node/helper_backend.h"
#include "node/identity.h"
#include "node/interfaces.h"
#include "node/journal.h"
#include "node/link.h"
#include "node/renewal.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct daemon_state {
    const nd_config *config; /* borrowed */
    nd_identity identity;
    char id[FC_NAME_MAX + 1];
    char scale_set[FC_NAME_MAX + 1], region[FC_NAME_MAX + 1]; /* of the certificate, or configured */
    fc_loop *loop;                                            /* owned, as all below */
    fc_tls *tls;
    nd_storage *storage;
    nd_backend *backend;
    nd_node *node;
    nd_link *link;
    nd_renewal *renewal; /* NULL without state_dir */
    fc_watch signals;    /* fd -1 = none */
    fc_timer tls_timer;
    bool ending;
    bool handing_over; /* helpers seal; the next daemon goes on with their captures */
    bool monitor_lost;
} daemon_state;

static fc_err
open_tls(const nd_config *config, fc_tls **ret_tls, fc_fail *fail)
{
    if (config->state_dir != NULL && access(config->certificate, F_OK) != 0 && errno == ENOENT)
        return fc_fail_set(fail, FC_ERR_NOT_FOUND,
                           "this machine is not enrolled: there is no %.120s yet (fleetcap-node enroll)",
                           config->certificate);
    fc_tls_files files = {.ca = config->ca,
                          .certificate = config->certificate,
                          .key = config->key,
                          .crl = config->crl,
                          .server_name = config->server_name};
    fc_err err = fc_tls_new(FC_TLS_CLIENT, &files, ret_tls, fail);
    if (err != FC_OK)
        return err;
    if (fc_tls_own(*ret_tls)->role != FC_ROLE_NODE) {
        char text[FC_PRINCIPAL_TEXT_SIZE];
        err = fc_fail_field(fail, FC_ERR_DENIED, "certificate", "%s is the certificate of %s, not of a node",
                            config->certificate, fc_principal_text(fc_tls_own(*ret_tls), text));
        fc_tls_free(*ret_tls);
        *ret_tls = NULL;
    }
    return err;
}

/* What the certificate binds goes before what the configuration says, as it does at the coordinator. */
static void
choose(const char *what, const char *bound, const char *configured, char ret_name[FC_NAME_MAX + 1])
{
    (void)snprintf(ret_name, FC_NAME_MAX + 1, "%s", *bound != '\0' ? bound : configured);
    if (strcmp(ret_name, configured) != 0 && strcmp(configured, "default") != 0)
        fc_log(FC_LOG_WARNING, "%s: the configuration says %s, the certificate %s: the certificate decides",
               what, configured, bound);
}

static void
find_identity(daemon_state *d)
{
    const nd_config *config = d->config;
    const fc_principal *own = fc_tls_own(d->tls);
    fc_buf boot = {0};
    (void)snprintf(d->id, sizeof d->id, "%s", own->name);
    choose("scale_set", own->scale_set, config->scale_set, d->scale_set);
    choose("region", own->region, config->region, d->region);
    d->identity = (nd_identity){.id = d->id,
                                .name = config->name,
                                .scale_set = d->scale_set,
                                .region = d->region,
                                .zone = config->zone,
                                .labels = &config->labels};
    if (fc_file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &boot, NULL) == FC_OK)
        (void)snprintf(d->identity.boot_id, sizeof d->identity.boot_id, "%.36s", fc_buf_text(&boot));
    fc_buf_fini(&boot);
}

/* ---- the end ---- */

static void
flushed(void *user)
{
    fc_loop_stop(((daemon_state *)user)->loop);
}

static void
all_stopped(void *user)
{
    daemon_state *d = user;
    nd_link_flush(d->link, ND_FLUSH_MS, flushed, d);
}

static void
end(daemon_state *d, const char *why)
{
    if (d->ending) {
        fc_log(FC_LOG_WARNING, "%s again: leaving at once", why);
        fc_loop_stop(d->loop);
        return;
    }
    d->ending = true;
    fc_notify_ending();
    fc_log(FC_LOG_NOTICE, "%s: stopping all captures", why);
    nd_node_shutdown(d->node, all_stopped, d);
}

/* A restart (RestartKillSignal= of the unit): no capture ends by it, so nothing is stopped or saved, as in a
 * crash. */
static void
hand_over(daemon_state *d)
{
    if (d->ending)
        return;
    d->ending = d->handing_over = true;
    fc_notify_ending();
    fc_log(FC_LOG_NOTICE, "SIGUSR2: leaving; captures go on with the next start");
    fc_loop_stop(d->loop);
}

static void
monitor_lost(void *user)
{
    daemon_state *d = user;
    d->monitor_lost = true;
    if (!d->ending)
        end(d, "capture helpers can no longer be started");
}

/* ---- signals and credentials ---- */

static void
reload(daemon_state *d)
{
    fc_fail fail = {0};
    fc_notify_reloading();
    if (fc_tls_reload(d->tls, &fail) == FC_OK)
        fc_log(FC_LOG_NOTICE, "credentials read again");
    else
        fc_log(FC_LOG_ERROR, "the credentials stay as they were: %s", fail.text);
    nd_renewal_look(d->renewal);
    nd_link_retry(d->link);
    fc_notify_reloaded();
}

static void
renewed(void *user)
{
    daemon_state *d = user;
    fc_fail fail = {0};
    if (fc_tls_reload(d->tls, &fail) != FC_OK)
        fc_log(FC_LOG_ERROR, "the renewed certificate is not used yet: %s", fail.text);
}

static void
tls_fire(fc_timer *timer)
{
    daemon_state *d = FC_CONTAINER(timer, daemon_state, tls_timer);
    fc_fail fail = {0};
    bool changed = false;
    fc_loop_timer_after_ms(d->loop, &d->tls_timer, ND_TLS_CHECK_MS);
    if (fc_tls_reload_if_changed(d->tls, &changed, &fail) != FC_OK)
        fc_log(FC_LOG_ERROR, "the credentials stay as they were: %s", fail.text);
    else if (changed)
        fc_log(FC_LOG_NOTICE, "credentials changed on the disk, read again");
    if (changed) {
        nd_renewal_look(d->renewal);
        nd_link_retry(d->link);
    }
}

static void
signals_ready(fc_watch *watch, uint32_t events)
{
    daemon_state *d = FC_CONTAINER(watch, daemon_state, signals);
    struct signalfd_siginfo info;
    (void)events;
    while (read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP)
            reload(d);
        else if (info.ssi_signo == SIGUSR1)
            nd_renewal_hasten(d->renewal);
        else if (info.ssi_signo == SIGUSR2)
            hand_over(d);
        else
            end(d, info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
    }
}

static fc_err
watch_signals(daemon_state *d, fc_fail *fail)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    sigaddset(&mask, SIGUSR1);
    sigaddset(&mask, SIGUSR2);
    (void)signal(SIGPIPE, SIG_IGN);
    /* Blocked before any thread is made, so that all of them inherit it. */
    if (sigprocmask(SIG_BLOCK, &mask, NULL) != 0)
        return fc_fail_errno(fail, errno, "cannot block signals");
    d->signals = (fc_watch){.fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK), .ready = signals_ready};
    if (d->signals.fd < 0)
        return fc_fail_errno(fail, errno, "cannot watch signals");
    return fc_loop_watch(d->loop, &d->signals, EPOLLIN);
}

/* ---- life ---- */

static fc_err
start_renewal(daemon_state *d, fc_fail *fail)
{
    nd_renewal_options options = {
        .loop = d->loop, .link = d->link, .state_dir = d->config->state_dir, .renewed = renewed, .user = d};
    char *node_pem = nd_identity_path(d->config->state_dir, ND_IDENTITY_NODE);
    bool ours = strcmp(node_pem, d->config->certificate) == 0 && strcmp(node_pem, d->config->key) == 0;
    free(node_pem);
    if (ours)
        return nd_renewal_new(&options, &d->renewal, fail);
    fc_log(FC_LOG_NOTICE, "certificate and key are not those of state_dir: nothing here renews them");
    return FC_OK;
}

static fc_err
start(daemon_state *d, int *monitor_fd, fc_fail *fail)
{
    const nd_config *config = d->config;
    if (fc_loop_new(&fc_clock_system, &d->loop) != FC_OK)
        return fc_fail_set(fail, FC_ERR_IO, "cannot make the loop");
    fc_err err = watch_signals(d, fail);
    if (err == FC_OK)
        err = open_tls(config, &d->tls, fail);
    if (err == FC_OK)
        err = nd_journal_open(d->loop, config->captures_dir, &d->storage, fail);
    if (err == FC_OK)
        err = nd_helper_backend_new(d->loop, *monitor_fd, monitor_lost, d, &d->backend, fail);
    if (err != FC_OK)
        return err;
    *monitor_fd = -1;
    find_identity(d);
    nd_node_options node = {.loop = d->loop,
                            .backend = d->backend,
                            .storage = d->storage,
                            .identity = &d->identity,
                            .policy = &config->policy,
                            .captures_dir = config->captures_dir,
                            .ring_bytes = config->ring_bytes,
                            .interfaces = nd_interfaces_resolve,
                            .context = nd_context_read};
    d->node = nd_node_new(&node);
    nd_link_options link = {.loop = d->loop,
                            .node = d->node,
                            .tls = fc_tls_config(d->tls),
                            .explain_tls = d->tls,
                            .coordinator = config->coordinator};
    err = nd_link_new(&link, &d->link, fail);
    if (err == FC_OK && config->state_dir != NULL)
        err = start_renewal(d, fail);
    if (err == FC_OK)
        err = nd_node_start(d->node, fail);
    d->tls_timer.fire = tls_fire;
    fc_loop_timer_after_ms(d->loop, &d->tls_timer, ND_TLS_CHECK_MS);
    return err;
}

static void
fini(daemon_state *d)
{
    nd_link_free(d->link);
    nd_renewal_free(d->renewal);
    nd_node_free(d->node);
    nd_helper_backend_free(d->backend);
    nd_journal_close(d->storage);
    fc_tls_free(d->tls);
    if (d->loop == NULL)
        return;
    fc_loop_timer_clear(d->loop, &d->tls_timer);
    if (d->signals.fd >= 0) {
        fc_loop_unwatch(d->loop, &d->signals);
        close(d->signals.fd);
    }
    fc_loop_free(d->loop);
}

static fc_err
check_helper(const nd_config *config, fc_fail *fail)
{
    if (access(config->helper, X_OK) != 0)
        return fc_fail_errno(fail, errno, "the capture helper %.120s cannot be executed", config->helper);
    return FC_OK;
}

fc_err
nd_daemon_run(const nd_config *config, int monitor_fd, fc_fail *fail)
{
    daemon_state d = {.config = config, .signals.fd = -1};
    fc_fail helper;
    fc_err err = start(&d, &monitor_fd, fail);
    if (err == FC_OK) {
        if (check_helper(config, &helper) != FC_OK)
            fc_log(FC_LOG_ERROR, "no capture can begin: %s", helper.text);
        fc_log(FC_LOG_NOTICE, "instance %s (%s) of scale set %s in %s, fleetcap %s", d.identity.id,
               d.identity.name, d.identity.scale_set, d.identity.region, FC_VERSION);
        fc_notify notify;
        fc_notify_start(&notify, d.loop);
        fc_loop_run(d.loop);
        fc_notify_stop(&notify);
        if (d.handing_over && !nd_helper_backend_let_go(d.backend, ND_LET_GO_MS))
            fc_log(FC_LOG_WARNING, "a capture helper has not sealed its files in %d s", ND_LET_GO_MS / 1000);
        if (d.monitor_lost)
            err = fc_fail_set(fail, FC_ERR_UNAVAILABLE, "the process that starts capture helpers died");
    }
    fini(&d);
    if (monitor_fd >= 0)
        close(monitor_fd);
    return err;
}

/* Not an error: a daemon that runs takes a new certificate as soon as there is one. */
static void
check_end(const fc_principal *own)
{
    char at[FC_TIME_TEXT_SIZE];
    if (fc_clock_wall(&fc_clock_system).ns >= own->not_after.ns)
        fc_log(FC_LOG_WARNING, "the certificate ended at %s: enrol again: fleetcap-node enroll",
               fc_wall_text(own->not_after, at));
}

/* What renewing needs. */
static fc_err
check_state_dir(const nd_config *config, fc_fail *fail)
{
    int dir_fd = -1;
    if (config->state_dir == NULL)
        return FC_OK;
    fc_err err = nd_identity_open(config->state_dir, &dir_fd, fail);
    if (err != FC_OK)
        return err;
    if (faccessat(dir_fd, ".", W_OK | X_OK, 0) != 0)
        err = fc_fail_errno(fail, errno,
                            "certificates could not be renewed: state_dir %.120s cannot be written",
                            config->state_dir);
    close(dir_fd);
    return err;
}

fc_err
nd_daemon_check(const nd_config *config, fc_fail *fail)
{
    fc_tls *tls = NULL;
    struct stat st;
    fc_err err = open_tls(config, &tls, fail);
    if (err == FC_OK)
        check_end(fc_tls_own(tls));
    fc_tls_free(tls);
    if (err == FC_OK)
        err = check_state_dir(config, fail);
    if (err != FC_OK)
        return err;
    if (config->user != NULL && getpwnam(config->user) == NULL)
        return fc_fail_field(fail, FC_ERR_NOT_FOUND, "user", "there is no user %.60s here", config->user);
    if ((err = check_helper(config, fail)) != FC_OK)
        return err;
    if (stat(config->captures_dir, &st) == 0 && !S_ISDIR(st.st_mode))
        return fc_fail_set(fail, FC_ERR_INVALID, "captures_dir %s is no directory", config->captures_dir);
    return FC_OK;
}
