/* enrolment.h: who may join the fleet: tokens, enrolments, the certificates issued for them, and who is out
 * again.
 *
 * A machine that shows a token (id and secret) and a signing request is enrolled: that is one token, one key
 * and one instance id. Asking again is the same enrolment. What the certificate says comes from the token,
 * nothing from the machine but its id and its key. The state machine is a table (co_enrolment_step).
 *
 * Everything is in the store and nowhere else, so that a restart changes nothing; each step is one
 * transaction with its audit record. All of it happens on the coordinator's loop. Secrets are kept as their
 * SHA-256 only.
 */
#ifndef CO_ENROLMENT_H
#define CO_ENROLMENT_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/loop.h"
#include "common/base/principal.h"
#include "common/tls/issuer.h"
#include "common/tls/token.h"
#include "coordinator/registry.h"
#include "coordinator/store_enrolment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct co;

enum {
    CO_TOKEN_USES_MAX = 10000,
    CO_TOKEN_TTL_MIN_MS = 1000,
    CO_TOKENS_MAX = 100000,
    CO_ENROLMENTS_MAX = 200000,
    CO_ENROLMENTS_WAITING_MAX = 10000,
    CO_CERTIFICATES_MAX = 500000,
    CO_CERTIFICATES_PER_INSTANCE_MAX = 512, /* valid at once */
    CO_REMOVED_MAX = 1000000,
    CO_ENROL_RETRY_MIN_MS =
        2000, /* how soon one that waits for approval asks again: the more wait, the later */
    CO_ENROL_RETRY_MAX_MS = 60000,
    CO_ENROL_BACKDATE_MAX_S = 300, /* certificates begin in the past: clocks of new machines are late */
    CO_CRL_ENTRIES_MAX = 200000,   /* what our own reader takes (CRL_FILE_MAX of common/tls/credentials.c) */
    CO_CRL_LIFE_S = 14 * 24 * 3600,
    CO_ENROLMENT_TICK_MS = 5000,
    CO_ENROLMENT_PRUNE_TICKS = 720, /* once an hour, and at the start */
    CO_ENROLMENT_PRUNE_ROWS = 5000, /* of each table at once; what is left goes with the next ticks */
};
#define CO_TOKEN_TTL_MAX_MS (INT64_C(30) * 24 * 3600 * 1000)

/* Numbers are those of fleetcap.v1.EnrolmentState, and in the database. */
typedef enum co_enrolment_state {
    CO_ENROLMENT_NONE = 0, /* nothing yet, or one whose certificate has ended */
    CO_ENROLMENT_PENDING = 1,
    CO_ENROLMENT_APPROVED = 2,
    CO_ENROLMENT_ISSUED = 3,
    CO_ENROLMENT_DENIED = 4,
    CO_ENROLMENT_STATES = 5,
} co_enrolment_state;

typedef enum co_enrolment_event {
    CO_ENROLMENT_ASK,       /* the machine, with a token that lets in by itself */
    CO_ENROLMENT_ASK_GATED, /* the machine, with a token that needs an operator's approval */
    CO_ENROLMENT_APPROVE,   /* an operator */
    CO_ENROLMENT_DENY,
    CO_ENROLMENT_EVENTS = 4,
} co_enrolment_event;

typedef enum co_enrolment_effect {
    CO_ENROLMENT_REFUSE,
    CO_ENROLMENT_ISSUE,  /* sign, and answer with the certificate */
    CO_ENROLMENT_REPEAT, /* answer with the same certificate again */
    CO_ENROLMENT_WAIT,   /* answer: ask again */
    CO_ENROLMENT_RECORD, /* the operator's word */
    CO_ENROLMENT_KEEP,   /* it was so before */
} co_enrolment_effect;

typedef struct co_enrolment_step {
    co_enrolment_state to;
    co_enrolment_effect effect;
} co_enrolment_step;
co_enrolment_step
co_enrolment_next(co_enrolment_state from, co_enrolment_event event);

typedef struct co_seen co_seen;

typedef struct co_enrolment {
    fc_issuer *issuer;               /* borrowed from the server; NULL = enrolment is off */
    void (*crl_changed)(void *user); /* NULL in tests: reads the list and closes the connections it ends */
    void *user;
    co_enrolment_counts counts; /* as of the last count, and what came since */
    co_seen *seen;              /* owned: certificates of connections that the store does not know yet */
    bool crl_due;               /* the file is behind the store */
    bool prune_due;             /* the last pruning left something */
    fc_wall crl_renewal;        /* when it is written again for its own sake */
    uint64_t ticks;
    fc_timer timer;
} co_enrolment;

/* Counts, and finishes what an earlier coordinator began. */
FC_MUST_USE fc_err
co_enrolment_open(struct co *co, fc_fail *fail);
void
co_enrolment_close(struct co *co);
/* FC_ERR_STATE with the sentence when this coordinator has no issuer. */
FC_MUST_USE fc_err
co_enrolment_check_on(const struct co *co, fc_fail *fail);

/* ---- certificates of connections ---- */

/* Is this node's certificate one of a member? FC_ERR_DENIED when it was revoked, or when the instance was
 * removed and has not been enrolled anew: certificates that this coordinator has not issued do not count for
 * such a one. */
FC_MUST_USE fc_err
co_enrolment_check_peer(struct co *co, const fc_principal *peer, fc_fail *fail);
/* The instance uses this certificate: it will be revoked with the others. */
void
co_enrolment_seen(struct co *co, const co_instance *instance, const fc_principal *peer);
/* Stores what was seen. */
FC_MUST_USE fc_err
co_enrolment_flush_seen(struct co *co, fc_fail *fail);

/* Writes <state_dir>/crl.pem, atomically. */
FC_MUST_USE fc_err
co_enrolment_write_crl(struct co *co, fc_fail *fail);
/* The same, and the connections that it ends are closed; what fails is logged and tried again. */
void
co_enrolment_renew_crl(struct co *co);

/* ---- tokens ---- */

typedef struct co_token_request {
    const char *principal;  /* "operator/alice" */
    const char *request_id; /* "" = not repeatable */
    const char *scale_set, *region;
    uint32_t uses;
    uint64_t ttl_ms;
    bool approval;
    const uint8_t *pin; /* FC_TOKEN_PIN_SIZE bytes: fc_tls_pin */
} co_token_request;
/* ret_text: the token, which the caller wipes. It is told once, and again to the same request (principal, id
 * and wish): its secret is then derived again from the CA's key, as it was made, and is stored nowhere.
 * FC_ERR_EXISTS when the id was used for something else, or the token is of no more use. */
FC_MUST_USE fc_err
co_token_create(struct co *co, const co_token_request *request, co_token_row *ret_token,
                char ret_text[FC_TOKEN_TEXT_SIZE], fc_fail *fail);
/* What waits with it is denied; who is in stays in. Revoking it twice is fine. */
FC_MUST_USE fc_err
co_token_revoke(struct co *co, const char *principal, const char *id, co_token_row *ret_token, fc_fail *fail);

/* ---- enrolling ---- */

/* Everything of a stranger: texts may be anything, NUL-terminated. */
typedef struct co_enrol {
    const char *principal; /* "anonymous/anonymous" */
    const char *address;
    const char *token_id;
    const uint8_t *secret;
    size_t secret_size;
    const char *instance_id, *name, *scale_set, *region;
    const char *csr_pem;
    size_t csr_size;
} co_enrol;

typedef struct co_enrolled {
    bool pending;
    char enrolment_id[FC_UID_LENGTH + 1];
    uint32_t retry_after_ms; /* with pending */
    fc_buf certificate_pem;  /* owned */
    char scale_set[FC_NAME_MAX + 1];
    char region[FC_NAME_MAX + 1];
} co_enrolled;

/* *ret is finished by the caller on FC_OK. */
FC_MUST_USE fc_err
co_enrol_instance(struct co *co, const co_enrol *request, co_enrolled *ret, fc_fail *fail);
void
co_enrolled_fini(co_enrolled *enrolled);

/* A node asks for its next certificate over a connection that the present one opened: same name, scale set
 * and region. Appends the PEM; *ret_principal is who it is from now on. */
FC_MUST_USE fc_err
co_enrolment_renew(struct co *co, const fc_principal *peer, const char *address, const char *csr_pem,
                   size_t csr_size, fc_buf *ret_pem, fc_principal *ret_principal, fc_fail *fail);

/* An operator's word. `id`: of the enrolment, or of an instance that waits with just one. */
FC_MUST_USE fc_err
co_enrolment_decide(struct co *co, const char *principal, const char *id, bool approve, co_enrolment_row *ret,
                    fc_fail *fail);

/* What the certificates of the issuer say until when, and are good for: shared by enrol.c and renew. */
typedef struct co_issued {
    fc_buf pem; /* owned */
    co_certificate_row row;
    fc_principal principal;
} co_issued;
/* Signs a request that fc_issuer_look found to be of this key; the row is not stored yet. *ret is finished by
 * the caller (fc_buf_fini of the PEM) on FC_OK. */
FC_MUST_USE fc_err
co_enrolment_sign(struct co *co, const char *instance, const char *scale_set, const char *region,
                  const char *csr_pem, size_t csr_size, const uint8_t key_sha256[CO_KEY_SIZE], co_issued *ret,
                  fc_fail *fail);

/* ---- removing ---- */

typedef struct co_removal {
    const char *principal;
    const char *request_id; /* "" = not repeatable */
    const char *instance;   /* id or name */
    bool force;             /* also with captures that are not over */
} co_removal;

typedef struct co_removed {
    char id[FC_NAME_MAX + 1];
    uint32_t certificates_revoked, captures_ended;
    bool was_connected;
    bool done_before; /* an earlier request with this id did it: only the id is told again */
} co_removed;

/* Revokes every certificate of the instance, closes its connection, ends its captures and forgets it. */
FC_MUST_USE fc_err
co_instance_remove(struct co *co, const co_removal *request, co_removed *ret, fc_fail *fail);
/* The part of it that is not in one transaction with the rest, once more after a restart. */
void
co_instance_remove_resume(struct co *co);

#endif
