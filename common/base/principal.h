/* principal.h: who a certificate says the peer is.
 *
 * URI subjectAltName spiffe://<fleet>/<role>/<name> (SPIFFE-ID, section 2). Nothing a peer says in a message
 * can change it.
 */
#ifndef FC_BASE_PRINCIPAL_H
#define FC_BASE_PRINCIPAL_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/text.h"

typedef enum fc_role {
    FC_ROLE_NONE = 0,
    FC_ROLE_NODE = 1 << 0,
    FC_ROLE_OPERATOR = 1 << 1,
    FC_ROLE_COORDINATOR = 1 << 2,
    FC_ROLE_ANONYMOUS = 1 << 3, /* has no certificate and wants one; in no certificate */
} fc_role;

enum { FC_SERIAL_TEXT_SIZE = 41 };

typedef struct fc_principal {
    fc_role role;
    char fleet[FC_NAME_MAX + 1];
    char name[FC_NAME_MAX + 1];       /* a node's name is its instance id */
    char serial[FC_SERIAL_TEXT_SIZE]; /* certificate serial number, lower-case hexadecimal */
    fc_wall not_after;
    char scale_set[FC_NAME_MAX +
                   1];            /* a node's, where its certificate binds it (subject OU); "" = not bound */
    char region[FC_NAME_MAX + 1]; /* likewise (subject L) */
} fc_principal;

const char *
fc_role_name(fc_role role); /* "node" */
/* "node" … -> role; FC_ROLE_NONE when unknown, and for "anonymous", which is in no certificate. */
fc_role
fc_role_parse(const char *text);
/* Parses spiffe://<fleet>/<role>/<name> into fleet, role and name; strict. */
FC_MUST_USE fc_err
fc_principal_parse(const char *uri, fc_principal *ret_principal);
#define FC_PRINCIPAL_TEXT_SIZE 80
/* "node/web-1". Returns text. */
const char *
fc_principal_text(const fc_principal *principal, char text[FC_PRINCIPAL_TEXT_SIZE]);

#endif
