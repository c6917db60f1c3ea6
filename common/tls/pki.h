/* pki.h: a whole fleet's credentials from nothing: CA, leaf certificates, revocation list.
 *
 * A PKI directory holds ca.crt, ca.key (0600), crl.pem, index.json (serials issued: principal, dates,
 * revoked), and for each leaf <role>-<name>.crt and .key (0600). Every file is replaced atomically. Leaves
 * are P-256 with the URI SAN spiffe://<fleet>/<role>/<name>, a DNS SAN, and clientAuth (node, operator) or
 * serverAuth (coordinator), never both.
 */
#ifndef FC_TLS_PKI_H
#define FC_TLS_PKI_H

#include "common/base/err.h"
#include "common/base/principal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FC_PKI_CA_DAYS = 3650, FC_PKI_LEAF_DAYS = 365 };

/* Refuses (FC_ERR_EXISTS) a directory that has a CA already. */
FC_MUST_USE fc_err
fc_pki_init(const char *directory, const char *fleet, uint32_t days, fc_fail *fail);

typedef struct fc_pki_request {
    fc_role role;
    const char *name;
    const char *scale_set, *region; /* of a node: bound by its certificate; NULL or "" = not bound */
    const char *const *dns_names;   /* extra DNS SANs (coordinator); addresses go in as IP SANs */
    size_t dns_name_count;
    int64_t not_before_unix_s; /* 0 = one hour ago */
    int64_t not_after_unix_s;  /* 0 = FC_PKI_LEAF_DAYS from now */
} fc_pki_request;

/* Writes <out_directory>/<role>-<name>.crt and .key; out_directory NULL = the PKI directory. */
FC_MUST_USE fc_err
fc_pki_issue(const char *directory, const fc_pki_request *request, const char *out_directory, fc_fail *fail);
/* target: "role/name" (all its unexpired certificates) or a serial number. Rewrites crl.pem. */
FC_MUST_USE fc_err
fc_pki_revoke(const char *directory, const char *target, uint32_t *ret_count, fc_fail *fail);

typedef struct fc_pki_entry {
    fc_principal principal;
    fc_wall not_before;
    bool revoked;
    fc_wall revoked_at;
} fc_pki_entry;
/* All that was issued, oldest first; *ret_entries is owned by the caller (free(3)). */
FC_MUST_USE fc_err
fc_pki_list(const char *directory, char ret_fleet[FC_NAME_MAX + 1], fc_pki_entry **ret_entries,
            size_t *ret_count, fc_fail *fail);

#endif
