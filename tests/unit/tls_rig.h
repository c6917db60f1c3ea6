/* tls_rig.h: real TLS over loopback, for tests: a fleet's files, a server that answers one connection at a
 * time on a thread of its own, a client, and openssl(1) as either. */
#ifndef FC_TESTS_TLS_RIG_H
#define FC_TESTS_TLS_RIG_H

#include "common/base/principal.h"
#include "common/tls/tls.h"
#include "tests/temp_dir.h"

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATIENCE_MS = 20000 };

/* ---- a fleet's files ---- */

/* The test's own, with a PKI in pki/, its ca.crt, coordinator-c1 and node-web-1. */
extern char dir[TEMP_DIR_BYTES];
extern char output[65536]; /* of the last run() */

/* Runs a shell command in `dir`; returns its exit status. */
int
run(const char *format, ...);
void
assert_text(const char *text, const char *part);
/* A file in `dir`; eight at a time. */
const char *
path(const char *name);
void
issue(const char *pki, fc_role role, const char *name, int64_t not_before, int64_t not_after);
void
revoke_one(const char *target);
int
set_up(void **state);
int
tear_down(void **state);
fc_err
new_tls(fc_tls_mode mode, const char *who, fc_tls **ret_tls, fc_fail *fail);
fc_tls *
make_tls(fc_tls_mode mode, const char *who);

/* ---- two ends ---- */

typedef struct server {
    fc_tls *tls;
    nng_stream_listener *listener;
    int port;
    pthread_t thread;
    bool hang_up;        /* after the answer */
    atomic_bool accepts; /* the connection that comes next is this one's */
    /* of the last connection */
    nng_stream *stream;
    int status; /* NNG's, of the first receive, which drives the handshake */
    bool identified;
    fc_principal peer;
} server;

int
transfer(nng_stream *stream, bool send, void *bytes, size_t size, size_t *ret_count);
void
server_start(server *s);
void
server_drop(server *s);
/* Frees its fc_tls too. */
void
server_stop(server *s);
/* Takes one connection, on a thread of its own: receives a byte, asks who it is, sends the byte back. */
void
serve_one(server *s);
/* Waits for that. */
void
served(server *s);
nng_stream *
dial(fc_tls *tls, int port);
/* A byte there and back; *ret_peer is who answered. */
int
client_talk(nng_stream *stream, fc_principal *ret_peer);
int
client_once(fc_tls *tls, server *s, fc_principal *ret_peer);
/* The client has heard why, and hung up. */
void
assert_refused(const server *s);
fc_tls_counters
counters(const fc_tls *tls);
const char *
last_failure(const fc_tls *tls);

/* The common case: a coordinator c1 and a node web-1. */
typedef struct pair {
    server server;
    fc_tls *client;
    fc_principal peer;
} pair;

void
pair_start(pair *p);
void
pair_stop(pair *p);
/* openssl(1) as a client, of TLS 1.2 where the options say nothing else. */
int
openssl_client(server *s, const char *options);
/* openssl(1) as a server with these options, on a port that it chooses and this returns; then its end. */
int
openssl_serve(const char *options);
void
openssl_serve_end(void);
/* A server that does not mind whose certificate it shows, and our client that meets it. */
int
meet_impostor(const char *who, fc_tls *client);

#endif
