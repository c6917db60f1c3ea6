/* token.h: an enrolment token: what lets a machine without a certificate ask for one, for a while, a number
 * of times.
 *
 *     fct1.<id>.<secret>.<pin>
 *
 * id: 16 hexadecimal digits, by which the coordinator finds its record. secret: 32 random bytes, base64url;
 * the coordinator keeps only its SHA-256. pin: SHA-256 of the fleet's CA certificate (DER), base64url, by
 * which the machine knows its coordinator. The binding to a scale set and a region, the uses and the expiry
 * are in the coordinator's record, not in the token: nobody can change them. */
#ifndef FC_TLS_TOKEN_H
#define FC_TLS_TOKEN_H

#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>

enum {
    FC_TOKEN_ID_LENGTH = 16,
    FC_TOKEN_SECRET_SIZE = 32,
    FC_TOKEN_PIN_SIZE = 32,
    FC_TOKEN_TEXT_SIZE = 5 + 16 + 1 + 43 + 1 + 43 + 1, /* with the NUL */
};

typedef struct fc_token {
    char id[FC_TOKEN_ID_LENGTH + 1];
    uint8_t secret[FC_TOKEN_SECRET_SIZE];
    uint8_t pin[FC_TOKEN_PIN_SIZE];
} fc_token;

/* A new one, with a random id and secret. pin: fc_tls_pin of the coordinator. */
void
fc_token_make(const uint8_t pin[FC_TOKEN_PIN_SIZE], fc_token *ret_token);
void
fc_token_text(const fc_token *token, char ret_text[FC_TOKEN_TEXT_SIZE]);
/* White space around it is fine. FC_ERR_INVALID; the sentence does not repeat the text, which is a secret. */
FC_MUST_USE fc_err
fc_token_parse(const char *text, fc_token *ret_token, fc_fail *fail);
void
fc_token_digest(const fc_token *token, uint8_t ret_digest[32]);
/* In the same time whatever differs. */
int
fc_token_digest_compare(const uint8_t a[32], const uint8_t b[32]);
void
fc_token_wipe(fc_token *token);

#endif
