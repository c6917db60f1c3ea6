/* test_coordinator_enrolment_fixture.h: a coordinator with a CA of its own, machines that ask to join, and
 * openssl(1) to judge what comes out. */
#ifndef TEST_COORDINATOR_ENROLMENT_FIXTURE_H
#define TEST_COORDINATOR_ENROLMENT_FIXTURE_H

#include "test_coordinator_fixture.h"

#include "common/base/mem.h"
#include "common/tls/csr.h"
#include "common/tls/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOUR_MS = 3600 * 1000, LIFE_H = 72 };

extern fixture f;          /* with its database in a file, and its own clock */
extern char output[16384]; /* of the last command */

typedef struct machine {
    fc_key *key;
    char *csr;
} machine;

/* Runs a shell command in the test's directory. */
int
run(const char *command);
void
save(const char *name, const void *bytes, size_t size);
/* What openssl thinks of a certificate at the time of our clock, with our revocation list; 0 = good. */
int
judge(const fc_buf *pem);
void
switch_on(void);
int
set_up(void **state);
int
tear_down(void **state);
machine
machine_named(const char *id);
void
scrap(machine *m);
fc_token
token_of(const char *scale_set, const char *region, uint32_t uses, uint64_t ttl_ms, bool approval);
fc_token
plain_token(uint32_t uses);
co_enrol
request_of(const fc_token *token, const char *id, const char *csr);
fc_err
ask(const fc_token *token, const char *id, const machine *m, co_enrolled *ret, fc_fail *fail);
/* It must work, at once; the caller finishes what comes back. */
co_enrolled
enrol(const fc_token *token, const char *id, const machine *m);
/* It must not. Returns the sentence. */
const char *
refused(const fc_token *token, const char *id, const machine *m, fc_err want);
uint32_t
uses_of(const fc_token *token);
unsigned
audited(const char *action, const char *outcome);
/* The serial number of a certificate as openssl reads it, in lower case. */
void
principal_of(const fc_buf *pem, const char *id, fc_principal *ret);
fc_err
remove_instance(const char *id, bool force, co_removed *ret, fc_fail *fail);
fc_err
decide(const char *id, bool approve, fc_fail *fail);
fc_err
renew(const fc_principal *peer, const machine *m, fc_buf *pem, fc_principal *next, fc_fail *fail);

#endif
