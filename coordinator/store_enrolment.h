/* store_enrolment.h: the part of the store that admission needs: tokens, enrolments, certificates, removed
 * instances.
 *
 * As store.h: one thread, writes within a transaction, no domain type. These rows hold their texts
 * themselves: they are read one at a time and decided upon. What does not exist is FC_ERR_NOT_FOUND, without
 * a sentence.
 */
#ifndef CO_STORE_ENROLMENT_H
#define CO_STORE_ENROLMENT_H

#include "common/base/buf.h"
#include "common/base/principal.h"
#include "common/base/text.h"
#include "common/tls/token.h"
#include "coordinator/store.h"

enum { CO_KEY_SIZE = 32, CO_WHERE_SIZE = 64 };

typedef struct co_token_row {
    int64_t seq; /* in order of creation */
    char id[FC_TOKEN_ID_LENGTH + 1];
    uint8_t secret_sha256[32];
    char scale_set[FC_NAME_MAX + 1];
    char region[FC_NAME_MAX + 1];
    uint32_t uses, used;
    int64_t created_unix_ns, expires_unix_ns;
    char created_by[FC_PRINCIPAL_TEXT_SIZE];
    bool approval, revoked;
} co_token_row;

typedef struct co_enrolment_row {
    int64_t seq;
    char id[FC_UID_LENGTH + 1];
    int state; /* co_enrolment_state */
    char token[FC_TOKEN_ID_LENGTH + 1];
    char instance[FC_NAME_MAX + 1];
    char name[FC_NAME_MAX + 1];
    char scale_set[FC_NAME_MAX + 1];
    char region[FC_NAME_MAX + 1];
    char address[CO_WHERE_SIZE];
    uint8_t key_sha256[CO_KEY_SIZE];
    char serial[FC_SERIAL_TEXT_SIZE];
    int64_t requested_unix_ns, decided_unix_ns, expires_unix_ns; /* expires: the certificate; 0 = none */
    char decided_by[FC_PRINCIPAL_TEXT_SIZE];
} co_enrolment_row;

typedef struct co_certificate_row {
    char serial[FC_SERIAL_TEXT_SIZE];
    char instance[FC_NAME_MAX + 1];
    char scale_set[FC_NAME_MAX + 1];
    char region[FC_NAME_MAX + 1];
    uint8_t key_sha256[CO_KEY_SIZE]; /* zeros = not known: not issued here, seen on a connection */
    int64_t issued_unix_ns, not_after_unix_ns, revoked_unix_ns;
    char enrolment[FC_UID_LENGTH + 1];
} co_certificate_row;

/* ---- tokens ---- */

FC_MUST_USE fc_err
co_store_add_token(co_store *store, const co_token_row *row, fc_fail *fail);
FC_MUST_USE fc_err
co_store_get_token(co_store *store, const char *id, co_token_row *ret, fc_fail *fail);
FC_MUST_USE fc_err
co_store_use_token(co_store *store, const char *id, fc_fail *fail);
/* Its enrolments that wait are denied. */
FC_MUST_USE fc_err
co_store_revoke_token(co_store *store, const char *id, const char *who, int64_t now_unix_ns, fc_fail *fail);
/* The first one after `seq`; without `all` only those that still let somebody in. */
FC_MUST_USE fc_err
co_store_next_token(co_store *store, int64_t seq, bool all, int64_t now_unix_ns, co_token_row *ret,
                    fc_fail *fail);

/* ---- enrolments ---- */

/* `pem`: the certificate, empty while there is none. Replaces the one with this token, key and instance. */
FC_MUST_USE fc_err
co_store_put_enrolment(co_store *store, const co_enrolment_row *row, co_blob pem, fc_fail *fail);
/* By token, instance and key. */
FC_MUST_USE fc_err
co_store_find_enrolment(co_store *store, const char *token, const char *instance,
                        const uint8_t key_sha256[CO_KEY_SIZE], co_enrolment_row *ret, fc_fail *fail);
FC_MUST_USE fc_err
co_store_get_enrolment(co_store *store, const char *id, co_enrolment_row *ret, fc_fail *fail);
/* Appends its certificate. */
FC_MUST_USE fc_err
co_store_get_enrolment_pem(co_store *store, const char *id, fc_buf *out, fc_fail *fail);
/* The first one after `seq` of this instance ("" = of any); without `all` only those that nobody has decided.
 */
FC_MUST_USE fc_err
co_store_next_enrolment(co_store *store, int64_t seq, bool all, const char *instance, co_enrolment_row *ret,
                        fc_fail *fail);
/* The instance is removed: those that wait are denied, those that are done leave. */
FC_MUST_USE fc_err
co_store_end_enrolments(co_store *store, const char *instance, const char *who, int64_t now_unix_ns,
                        fc_fail *fail);

/* ---- certificates ---- */

/* One that is known already stays as it is. */
FC_MUST_USE fc_err
co_store_add_certificate(co_store *store, const co_certificate_row *row, fc_fail *fail);
FC_MUST_USE fc_err
co_store_get_certificate(co_store *store, const char *serial, co_certificate_row *ret, fc_fail *fail);

/* What there is of one instance, seen by somebody who has this key. */
typedef struct co_certificates {
    uint32_t valid;             /* neither ended nor revoked */
    int64_t other_not_after_ns; /* the last end among those of another key; 0 = there is none */
    bool key_revoked;           /* this very key had one that was revoked */
    bool known;                 /* there is one that is not revoked, ended perhaps: */
    char scale_set[FC_NAME_MAX + 1];
    char region[FC_NAME_MAX + 1];
} co_certificates;
FC_MUST_USE fc_err
co_store_look_certificates(co_store *store, const char *instance, const uint8_t key_sha256[CO_KEY_SIZE],
                           int64_t now_unix_ns, co_certificates *ret, fc_fail *fail);
/* All of the instance that have not ended. */
FC_MUST_USE fc_err
co_store_revoke_certificates(co_store *store, const char *instance, int64_t now_unix_ns, uint32_t *ret_count,
                             fc_fail *fail);
/* Those that are revoked and end after `unix_ns`, the last revoked first. */
FC_MUST_USE fc_err
co_store_each_revoked(co_store *store, int64_t unix_ns,
                      void (*visit)(const char *serial, int64_t revoked_unix_ns, void *user), void *user,
                      fc_fail *fail);
/* Adds one to the number of revocation lists and returns it. */
FC_MUST_USE fc_err
co_store_next_crl(co_store *store, uint64_t *ret_number, fc_fail *fail);

/* ---- removed instances ---- */

FC_MUST_USE fc_err
co_store_add_removed(co_store *store, const char *instance, const char *who, int64_t now_unix_ns,
                     fc_fail *fail);
FC_MUST_USE fc_err
co_store_was_removed(co_store *store, const char *instance, bool *ret_removed, fc_fail *fail);

/* ---- bounds ---- */

typedef struct co_enrolment_counts {
    uint64_t tokens, enrolments, waiting, certificates, removed;
} co_enrolment_counts;
FC_MUST_USE fc_err
co_store_count_enrolment(co_store *store, co_enrolment_counts *ret, fc_fail *fail);

/* What is older than each of these goes: at most `rows_max` rows of each table at once. */
typedef struct co_enrolment_age {
    int64_t tokens_unix_ns;       /* expired before */
    int64_t enrolments_unix_ns;   /* denied, or its certificate ended, before */
    int64_t waiting_unix_ns;      /* asked before */
    int64_t certificates_unix_ns; /* ended before */
    int64_t removed_unix_ns;      /* removed before */
    uint64_t removed_max;         /* the oldest beyond it go as well */
    uint32_t rows_max;
} co_enrolment_age;
/* *ret_more: there may be more that is to go. */
FC_MUST_USE fc_err
co_store_prune_enrolment(co_store *store, const co_enrolment_age *age, bool *ret_more, fc_fail *fail);

#endif
