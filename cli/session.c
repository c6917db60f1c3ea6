#include "cli/session.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/tls/tls.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Someone waits at the terminal: a silent connection is noticed sooner than a daemon would. */
enum { KEEPALIVE_MS = 5000 };
enum { RETRY_FIRST_MS = 250, RETRY_MAX_MS = 2000, LONG_WAIT_MS = 1000 };

struct cli_session {
    cli_context context; /* owned */
    fc_loop *loop;
    fc_tls *tls;
    fc_rpc_client *client; /* owned; NULL between two connections */
    fc_rpc_conn *conn;     /* weak: cleared by on_close */
    fc_watch interrupt;
    bool interrupted;
    bool refused; /* the last connection attempt failed: why */
    fc_fail why;
    char fleet[FC_NAME_MAX + 1];
    char request_id[FC_UID_LENGTH + 1];
};

/* ---- Ctrl-C ---- */

static int interrupt_fd = -1; /* an eventfd; the signal handler's only way out */

static void
note_signal(int number)
{
    (void)number;
    int kept = errno;
    uint64_t one = 1;
    ssize_t written = write(interrupt_fd, &one, sizeof one);
    (void)written;
    errno = kept;
}

static void
on_interrupt(fc_watch *watch, uint32_t events)
{
    (void)events;
    cli_session *session = FC_CONTAINER(watch, cli_session, interrupt);
    uint64_t count;
    ssize_t got = read(watch->fd, &count, sizeof count);
    (void)got;
    session->interrupted = true;
    /* A second Ctrl-C ends the program at once. */
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
}

static fc_err
catch_interrupts(cli_session *session, fc_fail *fail)
{
    interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (interrupt_fd < 0)
        return fc_fail_errno(fail, errno, "cannot make an eventfd");
    session->interrupt = (fc_watch){.fd = interrupt_fd, .ready = on_interrupt};
    fc_err err = fc_loop_watch(session->loop, &session->interrupt, EPOLLIN);
    if (err != FC_OK)
        return fc_fail_set(fail, err, "cannot watch for Ctrl-C");
    struct sigaction action = {.sa_handler = note_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    return FC_OK;
}

static fc_err
interrupted(fc_fail *fail)
{
    return fc_fail_set(fail, FC_ERR_CANCELLED, "interrupted");
}

/* ---- the connection ---- */

static void
on_open(fc_rpc_conn *conn, void *user)
{
    cli_session *session = user;
    const fc_principal *peer = fc_rpc_conn_peer(conn);
    const char *pinned = session->context.values[CLI_VALUE_FLEET];
    (void)strcpy(session->fleet, peer->fleet);
    if (pinned != NULL && strcmp(pinned, peer->fleet) != 0) {
        session->refused = true;
        (void)fc_fail_set(&session->why, FC_ERR_DENIED,
                          "the coordinator at %s is of fleet %s, but context %s is for fleet %s",
                          session->context.values[CLI_VALUE_COORDINATOR], peer->fleet,
                          cli_context_label(&session->context), pinned);
        return;
    }
    session->conn = conn;
}

static void
on_close(fc_rpc_conn *conn, const fc_rpc_status *why, void *user)
{
    cli_session *session = user;
    if (session->conn == conn)
        session->conn = NULL;
    if (!session->refused) {
        session->refused = true;
        (void)fc_fail_set(&session->why, FC_ERR_UNAVAILABLE,
                          "the connection to the coordinator at %s was lost: %s",
                          session->context.values[CLI_VALUE_COORDINATOR], why->message);
    }
}

static void
on_connect_failed(const fc_fail *why, uint64_t retry_ms, void *user)
{
    (void)retry_ms;
    cli_session *session = user;
    session->refused = true;
    session->why = *why;
    /* When it was the certificates, TLS knows better why. */
    fc_fail tls_why = {0};
    if (fc_tls_last_failure(session->tls, &tls_why) != FC_OK)
        session->why = tls_why;
}

static const fc_rpc_conn_ops conn_ops = {
    .on_open = on_open, .on_close = on_close, .on_connect_failed = on_connect_failed};

/* One step of the loop, no longer than until due. */
static void
step(cli_session *session, fc_mono due)
{
    int64_t left_ms = fc_mono_until_ms(fc_loop_now(session->loop), due);
    fc_loop_step(session->loop, (int)(left_ms < LONG_WAIT_MS ? left_ms : LONG_WAIT_MS));
}

static bool
over(const cli_session *session, fc_mono due)
{
    return fc_loop_now(session->loop).ns >= due.ns;
}

static void
disconnect(cli_session *session)
{
    fc_rpc_client_free(session->client);
    session->client = NULL;
    session->conn = NULL;
}

static fc_err
connect_once(cli_session *session, fc_mono due, fc_fail *fail)
{
    static const fc_rpc_backoff once = {.once = true};
    const char *address = session->context.values[CLI_VALUE_COORDINATOR];
    disconnect(session);
    session->refused = false;
    fc_rpc_options options = {.loop = session->loop,
                              .tls = fc_tls_config(session->tls),
                              .identify = fc_tls_identify,
                              .ops = &conn_ops,
                              .user = session,
                              .keepalive_ms = KEEPALIVE_MS};
    fc_err err = fc_rpc_client_new(&options, address, &once, &session->client, fail);
    if (err != FC_OK)
        return err;
    while (session->conn == NULL && !session->refused && !session->interrupted && !over(session, due))
        step(session, due);
    if (session->conn != NULL)
        return FC_OK;
    if (session->interrupted)
        err = interrupted(fail);
    else if (session->refused)
        err = fc_fail_copy(fail, &session->why);
    else
        err = fc_fail_set(fail, FC_ERR_TIMEOUT, "the coordinator at %s does not answer", address);
    disconnect(session);
    return err;
}

fc_err
cli_session_reconnect(cli_session *session, fc_mono due, fc_fail *fail)
{
    int64_t pause_ms = RETRY_FIRST_MS;
    for (;;) {
        fc_err err = connect_once(session, due, fail);
        if (err != FC_ERR_UNAVAILABLE || over(session, due))
            return err;
        fc_mono again = fc_mono_after_ms(fc_loop_now(session->loop), pause_ms);
        while (!over(session, again) && !over(session, due) && !session->interrupted)
            step(session, again);
        pause_ms = 2 * pause_ms < RETRY_MAX_MS ? 2 * pause_ms : RETRY_MAX_MS;
    }
}

fc_err
cli_session_open(cli_context *context, uint32_t timeout_ms, cli_session **ret_session, fc_fail *fail)
{
    cli_session *session = FC_NEW(cli_session);
    session->context = *context;
    memset(context, 0, sizeof *context);
    fc_uid_make(session->request_id);
    char *server_name = cli_context_server_name(&session->context);
    fc_tls_files files = {.ca = session->context.values[CLI_VALUE_CA],
                          .certificate = session->context.values[CLI_VALUE_CERTIFICATE],
                          .key = session->context.values[CLI_VALUE_KEY],
                          .server_name = server_name};
    fc_err err = fc_loop_new(&fc_clock_system, &session->loop);
    if (err != FC_OK)
        (void)fc_fail_set(fail, err, "cannot make an event loop");
    if (err == FC_OK)
        err = catch_interrupts(session, fail);
    if (err == FC_OK)
        err = fc_tls_new(FC_TLS_CLIENT, &files, &session->tls, fail);
    /* "Not found" is for what a fleet lacks: a file of ours that is missing is an error of this side. */
    if (err == FC_ERR_NOT_FOUND && session->tls == NULL) {
        err = FC_ERR_IO;
        if (fail != NULL)
            fail->err = err;
    }
    if (err == FC_OK)
        err = connect_once(session, fc_mono_after_ms(fc_loop_now(session->loop), timeout_ms), fail);
    free(server_name);
    if (err == FC_OK)
        *ret_session = session;
    else
        cli_session_close(session);
    return err;
}

void
cli_session_close(cli_session *session)
{
    if (session == NULL)
        return;
    disconnect(session);
    fc_tls_free(session->tls);
    if (interrupt_fd >= 0) {
        (void)signal(SIGINT, SIG_DFL);
        (void)signal(SIGTERM, SIG_DFL);
        if (session->interrupt.watched)
            fc_loop_unwatch(session->loop, &session->interrupt);
        close(interrupt_fd);
        interrupt_fd = -1;
    }
    fc_loop_free(session->loop);
    cli_context_fini(&session->context);
    free(session);
}

const char *
cli_session_context(const cli_session *session)
{
    return cli_context_label(&session->context);
}

const char *
cli_session_coordinator(const cli_session *session)
{
    return session->context.values[CLI_VALUE_COORDINATOR];
}

const char *
cli_session_fleet(const cli_session *session)
{
    return session->fleet;
}

const char *
cli_session_request_id(const cli_session *session)
{
    return session->request_id;
}

fc_loop *
cli_session_loop(cli_session *session)
{
    return session->loop;
}

fc_rpc_conn *
cli_session_conn(cli_session *session)
{
    return session->conn;
}

bool
cli_session_interrupted(const cli_session *session)
{
    return session->interrupted;
}

/* ---- calls ---- */

typedef struct running_call {
    const cli_request *request; /* borrowed */
    bool answered;              /* at least one message came */
    bool ended_early;           /* `each` had enough */
    bool cancelled;
    bool closed;
    fc_rpc_status status;
} running_call;

static void
cancel(running_call *running, fc_rpc_call *call)
{
    if (!running->cancelled)
        fc_rpc_call_cancel(call);
    running->cancelled = true;
}

static void
on_message(fc_rpc_call *call, const ProtobufCMessage *message)
{
    running_call *running = fc_rpc_call_user(call);
    if (running->ended_early)
        return;
    running->answered = true;
    if (running->request->each == NULL || running->request->each(message, running->request->user))
        return;
    running->ended_early = true;
    cancel(running, call);
}

static void
on_closed(fc_rpc_call *call, const fc_rpc_status *status)
{
    running_call *running = fc_rpc_call_user(call);
    running->closed = true;
    running->status = *status;
}

static const fc_rpc_call_ops call_ops = {.on_message = on_message, .on_closed = on_closed};

/* One attempt on the present connection. */
static fc_err
call_once(cli_session *session, running_call *running, fc_mono due, fc_fail *fail)
{
    const cli_request *request = running->request;
    int64_t left_ms = fc_mono_until_ms(fc_loop_now(session->loop), due);
    uint32_t timeout_ms = request->timeout_ms == 0 ? 0 : (uint32_t)(left_ms > 0 ? left_ms : 1);
    running->closed = running->cancelled = false;
    fc_rpc_call *call =
        fc_rpc_call_new(session->conn, request->method, request->message, timeout_ms, &call_ops, running);
    while (!running->closed) {
        fc_loop_step(session->loop, LONG_WAIT_MS);
        if (session->interrupted && !running->closed)
            cancel(running, call);
    }
    if (running->ended_early || running->status.code == FC_CODE_OK)
        return FC_OK;
    if (session->interrupted)
        return interrupted(fail);
    return fc_rpc_status_fail(&running->status, fail);
}

fc_err
cli_session_call(cli_session *session, const cli_request *request, fc_fail *fail)
{
    running_call running = {.request = request};
    /* Without a limit of its own, a call outlives a coordinator's restart by this much. */
    const int64_t patience_ms = request->timeout_ms != 0 ? request->timeout_ms : 60000;
    fc_mono due = fc_mono_after_ms(fc_loop_now(session->loop), patience_ms);
    for (;;) {
        fc_err err = session->conn != NULL ? call_once(session, &running, due, fail)
                                           : fc_fail_copy(fail, &session->why);
        /* The end of the call comes before the end of its connection. */
        if (err != FC_OK)
            fc_loop_step(session->loop, 0);
        bool lost = session->conn == NULL && (err == FC_ERR_UNAVAILABLE || err == FC_ERR_CANCELLED);
        if (!lost || session->interrupted || (running.answered && !request->repeatable))
            return err;
        if (request->timeout_ms == 0)
            due = fc_mono_after_ms(fc_loop_now(session->loop), patience_ms);
        err = cli_session_reconnect(session, due, fail);
        if (err != FC_OK)
            return err;
    }
}
