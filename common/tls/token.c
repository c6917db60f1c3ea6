#include "common/tls/token.h"

#include "common/base/text.h"
#include "common/tls/compat.h"

#include <ctype.h>
#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <stdio.h>
#include <string.h>

enum { PART_LENGTH = 43 /* 32 bytes, base64url without padding (RFC 4648, 5) */ };
static const char prefix[] = "fct1.";

static void
digest(const void *bytes, size_t size, uint8_t ret_digest[32])
{
    (void)mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), bytes, size, ret_digest);
}

void
fc_token_make(const uint8_t pin[FC_TOKEN_PIN_SIZE], fc_token *ret_token)
{
    uint8_t id[FC_TOKEN_ID_LENGTH / 2];
    (void)fc_compat_random(NULL, id, sizeof id);
    fc_hex_text(id, sizeof id, ret_token->id);
    (void)fc_compat_random(NULL, ret_token->secret, sizeof ret_token->secret);
    memcpy(ret_token->pin, pin, sizeof ret_token->pin);
}

/* ---- base64url ---- */

static void
part_text(const uint8_t bytes[32], char *ret_text)
{
    unsigned char text[64];
    size_t length;
    (void)mbedtls_base64_encode(text, sizeof text, &length, bytes, 32);
    for (size_t i = 0; i < PART_LENGTH; i++)
        ret_text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : (char)text[i];
    ret_text[PART_LENGTH] = '\0';
    mbedtls_platform_zeroize(text, sizeof text);
}

static bool
part_parse(const char *text, uint8_t ret_bytes[32])
{
    unsigned char standard[PART_LENGTH + 1], bytes[48];
    size_t size;
    for (size_t i = 0; i < PART_LENGTH; i++) {
        if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_')
            return false;
        standard[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : (unsigned char)text[i];
    }
    standard[PART_LENGTH] = '=';
    bool good =
        mbedtls_base64_decode(bytes, sizeof bytes, &size, standard, sizeof standard) == 0 && size == 32;
    if (good)
        memcpy(ret_bytes, bytes, 32);
    mbedtls_platform_zeroize(bytes, sizeof bytes);
    mbedtls_platform_zeroize(standard, sizeof standard);
    return good;
}

void
fc_token_text(const fc_token *token, char ret_text[FC_TOKEN_TEXT_SIZE])
{
    char secret[PART_LENGTH + 1], pin[PART_LENGTH + 1];
    part_text(token->secret, secret);
    part_text(token->pin, pin);
    (void)snprintf(ret_text, FC_TOKEN_TEXT_SIZE, "%s%s.%s.%s", prefix, token->id, secret, pin);
    mbedtls_platform_zeroize(secret, sizeof secret);
}

fc_err
fc_token_parse(const char *text, fc_token *ret_token, fc_fail *fail)
{
    fc_token token = {0};
    uint8_t id[FC_TOKEN_ID_LENGTH / 2];
    const char *at = text + strspn(text, " \t\r\n");
    size_t length = strcspn(at, " \t\r\n");
    bool good = length == FC_TOKEN_TEXT_SIZE - 1 && at[length + strspn(at + length, " \t\r\n")] == '\0' &&
                strncmp(at, prefix, strlen(prefix)) == 0;
    if (good) {
        at += strlen(prefix);
        memcpy(token.id, at, FC_TOKEN_ID_LENGTH);
        at += FC_TOKEN_ID_LENGTH;
        good = fc_hex_parse(token.id, id, sizeof id) == FC_OK && at[0] == '.' && at[1 + PART_LENGTH] == '.' &&
               part_parse(at + 1, token.secret) && part_parse(at + 2 + PART_LENGTH, token.pin);
    }
    if (good)
        *ret_token = token;
    fc_token_wipe(&token);
    return good ? FC_OK
                : fc_fail_set(fail, FC_ERR_INVALID,
                              "this is no enrolment token (fct1.ID.SECRET.PIN, %d characters on one line; "
                              "here are %zu)",
                              FC_TOKEN_TEXT_SIZE - 1, length);
}

void
fc_token_digest(const fc_token *token, uint8_t ret_digest[32])
{
    digest(token->secret, sizeof token->secret, ret_digest);
}

int
fc_token_digest_compare(const uint8_t a[32], const uint8_t b[32])
{
    unsigned int difference = 0;
    for (size_t i = 0; i < 32; i++)
        difference |= (unsigned int)(a[i] ^ b[i]);
    return (int)difference;
}

void
fc_token_wipe(fc_token *token)
{
    mbedtls_platform_zeroize(token, sizeof *token);
}
