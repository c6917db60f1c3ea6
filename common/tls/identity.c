#include "common/tls/identity.h"

#include "common/base/mem.h"

#include <string.h>
#include <time.h>

/* GeneralName ::= CHOICE { … uniformResourceIdentifier [6] IA5String … } (RFC 5280, 4.2.1.6). */
#define SAN_URI (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 6)

enum {
    /* spiffe:// + fleet + / + coordinator + / + name */
    URI_MAX = 9 + FC_NAME_MAX + 1 + 11 + 1 + FC_NAME_MAX,
};

typedef enum usage { USAGE_CLIENT = 1 << 0, USAGE_SERVER = 1 << 1, USAGE_OTHER = 1 << 2 } usage;

fc_err
fc_identity_serial(const uint8_t *bytes, size_t size, char ret_serial[FC_SERIAL_TEXT_SIZE])
{
    /* DER puts a zero octet before one whose top bit is set. */
    while (size > 1 && bytes[0] == 0) {
        bytes++;
        size--;
    }
    if (FC_HEX_SIZE(size) > FC_SERIAL_TEXT_SIZE)
        return FC_ERR_LIMIT;
    fc_hex_text(bytes, size, ret_serial);
    return FC_OK;
}

fc_wall
fc_identity_time(const mbedtls_x509_time *time)
{
    struct tm utc = {.tm_year = time->year - 1900,
                     .tm_mon = time->mon - 1,
                     .tm_mday = time->day,
                     .tm_hour = time->hour,
                     .tm_min = time->min,
                     .tm_sec = time->sec};
    /* Nanoseconds in 64 bits end in 2262; a date beyond is as good as then. */
    static const int64_t last_s = INT64_MAX / FC_NS_PER_S;
    int64_t at_s = timegm(&utc);
    return (fc_wall){(at_s > last_s ? last_s : at_s) * FC_NS_PER_S};
}

/* ---- what a node is bound to ---- */

/* The one relative name with this OID. FC_ERR_NOT_FOUND; FC_ERR_INVALID when there are two, or it is no name.
 */
static fc_err
read_attribute(const mbedtls_x509_crt *crt, const char *oid, size_t oid_size, char ret_name[FC_NAME_MAX + 1])
{
    const mbedtls_x509_name *found = NULL;
    for (const mbedtls_x509_name *at = &crt->subject; at != NULL; at = at->next) {
        if (at->oid.p == NULL || at->oid.len != oid_size || memcmp(at->oid.p, oid, oid_size) != 0)
            continue;
        if (found != NULL)
            return FC_ERR_INVALID;
        found = at;
    }
    if (found == NULL)
        return FC_ERR_NOT_FOUND;
    char name[FC_NAME_MAX + 1];
    if (found->val.len > FC_NAME_MAX || memchr(found->val.p, '\0', found->val.len) != NULL)
        return FC_ERR_INVALID;
    memcpy(name, found->val.p, found->val.len);
    name[found->val.len] = '\0';
    if (!fc_name_check(name))
        return FC_ERR_INVALID;
    strcpy(ret_name, name);
    return FC_OK;
}

/* Before nodes could be bound, every subject had the role and the fleet in it (OU=node, O=<fleet>). */
static bool
is_unbound_form(const mbedtls_x509_crt *crt, const fc_principal *principal)
{
    static const char organization[] = MBEDTLS_OID_AT_ORGANIZATION;
    char fleet[FC_NAME_MAX + 1];
    return strcmp(principal->scale_set, fc_role_name(principal->role)) == 0 && *principal->region == '\0' &&
           read_attribute(crt, organization, sizeof organization - 1, fleet) == FC_OK &&
           strcmp(fleet, principal->fleet) == 0;
}

static fc_err
read_binding(const mbedtls_x509_crt *crt, fc_principal *principal, fc_fail *fail)
{
    static const char unit[] = MBEDTLS_OID_AT_ORG_UNIT;
    static const char locality[] = MBEDTLS_OID_AT_LOCALITY;
    char who[FC_PRINCIPAL_TEXT_SIZE];
    if (read_attribute(crt, unit, sizeof unit - 1, principal->scale_set) == FC_ERR_INVALID)
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED,
                           "the certificate of %s names no one scale set (subject OU)",
                           fc_principal_text(principal, who));
    if (read_attribute(crt, locality, sizeof locality - 1, principal->region) == FC_ERR_INVALID)
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED,
                           "the certificate of %s names no one region (subject L)",
                           fc_principal_text(principal, who));
    if (is_unbound_form(crt, principal))
        *principal->scale_set = '\0';
    return FC_OK;
}

/* ---- who it is ---- */

fc_err
fc_identity_read(const mbedtls_x509_crt *crt, fc_principal *ret_principal, fc_fail *fail)
{
    static const char scheme[] = "spiffe://";
    fc_principal principal = {0};
    size_t found = 0;
    for (const mbedtls_x509_sequence *at = &crt->subject_alt_names; at != NULL; at = at->next) {
        if (at->buf.p == NULL || at->buf.tag != SAN_URI)
            continue;
        char uri[URI_MAX + 1];
        if (at->buf.len < sizeof scheme - 1 || memcmp(at->buf.p, scheme, sizeof scheme - 1) != 0)
            continue;
        if (at->buf.len > URI_MAX || memchr(at->buf.p, '\0', at->buf.len) != NULL)
            return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED,
                               "the certificate's spiffe URI is not of a fleet");
        memcpy(uri, at->buf.p, at->buf.len);
        uri[at->buf.len] = '\0';
        if (++found > 1)
            return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED, "the certificate has more than one spiffe URI");
        if (fc_principal_parse(uri, &principal) != FC_OK)
            return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED, "the certificate's URI \"%s\" is not of a fleet",
                               uri);
    }
    if (found == 0)
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED, "the certificate has no spiffe URI");
    if (fc_identity_serial(crt->serial.p, crt->serial.len, principal.serial) != FC_OK)
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED, "the certificate's serial number is too long");
    principal.not_after = fc_identity_time(&crt->valid_to);
    if (principal.role == FC_ROLE_NODE) {
        fc_err err = read_binding(crt, &principal, fail);
        if (err != FC_OK)
            return err;
    }
    *ret_principal = principal;
    return FC_OK;
}

static unsigned int
extended_usage(const mbedtls_x509_crt *crt)
{
    unsigned int usages = 0;
    for (const mbedtls_x509_sequence *at = &crt->ext_key_usage; at != NULL; at = at->next) {
        if (at->buf.p == NULL)
            continue;
        if (MBEDTLS_OID_CMP(MBEDTLS_OID_CLIENT_AUTH, &at->buf) == 0)
            usages |= USAGE_CLIENT;
        else if (MBEDTLS_OID_CMP(MBEDTLS_OID_SERVER_AUTH, &at->buf) == 0)
            usages |= USAGE_SERVER;
        else
            usages |= USAGE_OTHER;
    }
    return usages;
}

fc_err
fc_identity_check(const mbedtls_x509_crt *crt, fc_tls_mode mode, fc_principal *ret_principal, fc_fail *fail)
{
    static const struct {
        unsigned int roles;
        unsigned int usages;
        const char *usage_name;
        const char *side;
    } rules[] = {
        [FC_TLS_CLIENT] = {FC_ROLE_NODE | FC_ROLE_OPERATOR, USAGE_CLIENT, "clientAuth", "client"},
        [FC_TLS_SERVER] = {FC_ROLE_COORDINATOR, USAGE_SERVER, "serverAuth", "server"},
    };
    fc_principal principal;
    fc_err err = fc_identity_read(crt, &principal, fail);
    if (err != FC_OK)
        return err;
    char text[FC_PRINCIPAL_TEXT_SIZE];
    (void)fc_principal_text(&principal, text);
    if ((principal.role & rules[mode].roles) == 0)
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED, "%s may not be the %s of a connection", text,
                           rules[mode].side);
    if (extended_usage(crt) != rules[mode].usages)
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED,
                           "the certificate of %s has not %s as its only extended key usage", text,
                           rules[mode].usage_name);
    if (fc_compat_is_ca(crt))
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED, "the certificate of %s is a CA's", text);
    *ret_principal = principal;
    return FC_OK;
}
