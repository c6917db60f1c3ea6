#include "common/tls/x509.h"

#include "common/base/mem.h"
#include "common/tls/der.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PEM_MAX = 16 * 1024,
    SAN_MAX = 2048, /* mbedtls_x509write_crt_pem has 4 KiB for the whole certificate */
    SUBJECT_MAX = 512,
};

/* GeneralName's choices (RFC 5280, 4.2.1.6). */
#define SAN_DNS FC_DER_CONTEXT(2)
#define SAN_URI FC_DER_CONTEXT(6)
#define SAN_IP  FC_DER_CONTEXT(7)

static fc_err
internal(fc_fail *fail, const char *what, int status)
{
    return fc_fail_set(fail, FC_ERR_INTERNAL, "cannot make %s (Mbed TLS -0x%04x)", what,
                       (unsigned int)-status);
}

fc_err
fc_x509_key_make(mbedtls_pk_context *key, fc_fail *fail)
{
    int status = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    if (status == 0)
        status = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), fc_compat_random, NULL);
    return status == 0 ? FC_OK : internal(fail, "a key", status);
}

bool
fc_x509_key_is_p256(const mbedtls_pk_context *key)
{
    return mbedtls_pk_can_do(key, MBEDTLS_PK_ECKEY) &&
           FC_EC_GROUP(mbedtls_pk_ec(*key))->id == MBEDTLS_ECP_DP_SECP256R1;
}

fc_err
fc_x509_key_digest(mbedtls_pk_context *key, uint8_t ret_digest[32], fc_fail *fail)
{
    unsigned char der[256];
    int size = mbedtls_pk_write_pubkey_der(key, der, sizeof der);
    if (size < 0)
        return internal(fail, "a key's digest", size);
    /* It is written at the end. */
    int status = mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), der + sizeof der - size,
                            (size_t)size, ret_digest);
    return status == 0 ? FC_OK : internal(fail, "a key's digest", status);
}

fc_err
fc_x509_key_pem(mbedtls_pk_context *key, fc_buf *ret_pem, fc_fail *fail)
{
    unsigned char *at = fc_buf_reserve(ret_pem, PEM_MAX);
    int status = mbedtls_pk_write_key_pem(key, at, PEM_MAX);
    if (status != 0)
        return internal(fail, "a key's PEM", status);
    fc_buf_commit(ret_pem, strlen((const char *)at));
    return FC_OK;
}

void
fc_x509_serial_make(uint8_t ret_serial[FC_X509_SERIAL_SIZE])
{
    (void)fc_compat_random(NULL, ret_serial, FC_X509_SERIAL_SIZE);
    ret_serial[0] = (uint8_t)((ret_serial[0] & 0x7f) | 0x40);
}

fc_err
fc_x509_time(int64_t unix_s, char ret_text[FC_X509_TIME_SIZE], fc_fail *fail)
{
    struct tm utc;
    time_t at = unix_s;
    if (unix_s < 0 || gmtime_r(&at, &utc) == NULL || utc.tm_year + 1900 > 9999)
        return fc_fail_set(fail, FC_ERR_RANGE, "%lld is not a date between 1970 and 9999", (long long)unix_s);
    (void)strftime(ret_text, FC_X509_TIME_SIZE, "%Y%m%d%H%M%S", &utc);
    return FC_OK;
}

/* ---- subjectAltName ---- */

static void
general_name(fc_der *der, unsigned char tag, const void *value, size_t size)
{
    const unsigned char *end = der->at;
    fc_der_bytes(der, value, size);
    fc_der_wrap(der, end, tag);
}

static bool
is_dns_name(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";
    size_t length = strnlen(name, FC_X509_DNS_NAME_MAX + 1);
    return length > 0 && length <= FC_X509_DNS_NAME_MAX && strspn(name, allowed) == length;
}

static fc_err
host_name(fc_der *der, const char *host, fc_fail *fail)
{
    unsigned char address[16];
    if (inet_pton(AF_INET, host, address) == 1)
        general_name(der, SAN_IP, address, 4);
    else if (inet_pton(AF_INET6, host, address) == 1)
        general_name(der, SAN_IP, address, 16);
    else if (is_dns_name(host))
        general_name(der, SAN_DNS, host, strlen(host));
    else
        return fc_fail_set(fail, FC_ERR_INVALID, "\"%.64s\" is neither a DNS name nor an address", host);
    return FC_OK;
}

static fc_err
add_names(mbedtls_x509write_cert *writer, const fc_x509_spec *spec, fc_fail *fail)
{
    unsigned char bytes[SAN_MAX];
    fc_der der;
    fc_der_init(&der, bytes, sizeof bytes);
    for (size_t i = spec->dns_name_count; i > 0; i--) {
        fc_err err = host_name(&der, spec->dns_names[i - 1], fail);
        if (err != FC_OK)
            return err;
    }
    char *uri = fc_sprintf("spiffe://%s/%s/%s", spec->fleet, fc_role_name(spec->role), spec->name);
    char *service = fc_sprintf("coordinator.%s", spec->fleet);
    if (spec->role == FC_ROLE_COORDINATOR)
        general_name(&der, SAN_DNS, service, strlen(service));
    general_name(&der, SAN_DNS, spec->name, strlen(spec->name));
    general_name(&der, SAN_URI, uri, strlen(uri));
    fc_der_wrap(&der, der.end, FC_DER_SEQUENCE);
    free(service);
    free(uri);
    if (der.status != 0)
        return fc_fail_set(fail, FC_ERR_LIMIT, "%zu names do not fit into a certificate",
                           spec->dns_name_count);
    int status = mbedtls_x509write_crt_set_extension(writer, MBEDTLS_OID_SUBJECT_ALT_NAME,
                                                     MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0,
                                                     der.at, fc_der_size(&der));
    return status == 0 ? FC_OK : internal(fail, "a certificate's names", status);
}

/* ExtKeyUsageSyntax ::= SEQUENCE OF OBJECT IDENTIFIER; one, never both. */
static int
add_extended_usage(mbedtls_x509write_cert *writer, fc_role role)
{
    static const char server[] = MBEDTLS_OID_SERVER_AUTH;
    static const char client[] = MBEDTLS_OID_CLIENT_AUTH;
    unsigned char bytes[32];
    fc_der der;
    fc_der_init(&der, bytes, sizeof bytes);
    if (role == FC_ROLE_COORDINATOR)
        fc_der_oid(&der, server, sizeof server - 1);
    else
        fc_der_oid(&der, client, sizeof client - 1);
    fc_der_wrap(&der, der.end, FC_DER_SEQUENCE);
    if (der.status != 0)
        return der.status;
    return mbedtls_x509write_crt_set_extension(writer, MBEDTLS_OID_EXTENDED_KEY_USAGE,
                                               MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0, der.at,
                                               fc_der_size(&der));
}

/* ---- the certificate ---- */

static bool
is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

/* What a node is bound to is a name or nothing, and only a node is bound. */
static fc_err
check_binding(const fc_x509_spec *spec, fc_fail *fail)
{
    const struct {
        const char *field, *value;
    } bound[] = {{"scale set", spec->scale_set}, {"region", spec->region}};
    for (size_t i = 0; i < FC_COUNT(bound); i++) {
        if (!is_given(bound[i].value))
            continue;
        if (spec->role != FC_ROLE_NODE)
            return fc_fail_field(fail, FC_ERR_INVALID, bound[i].field, "only a node has a %s",
                                 bound[i].field);
        if (!fc_name_check(bound[i].value))
            return fc_fail_field(fail, FC_ERR_INVALID, bound[i].field, "%s \"%.64s\" is not a name",
                                 bound[i].field, bound[i].value);
    }
    return FC_OK;
}

/* Everything in it follows the grammar of names, which has nothing that would need quoting here. */
static void
subject_of(const fc_x509_spec *spec, char ret_subject[SUBJECT_MAX])
{
    bool has_set = is_given(spec->scale_set), has_region = is_given(spec->region);
    if (spec->role == FC_ROLE_NONE)
        (void)snprintf(ret_subject, SUBJECT_MAX, "CN=fleetcap CA,O=%s", spec->fleet);
    else
        (void)snprintf(ret_subject, SUBJECT_MAX, "CN=%s%s%s%s%s", spec->name, has_set ? ",OU=" : "",
                       has_set ? spec->scale_set : "", has_region ? ",L=" : "",
                       has_region ? spec->region : "");
}

static int
set_names(mbedtls_x509write_cert *writer, const fc_x509_spec *spec, const mbedtls_x509_crt *issuer)
{
    char subject[SUBJECT_MAX];
    char issuer_name[SUBJECT_MAX];
    subject_of(spec, subject);
    int status = mbedtls_x509write_crt_set_subject_name(writer, subject);
    if (status != 0)
        return status;
    if (issuer == NULL)
        return mbedtls_x509write_crt_set_issuer_name(writer, subject);
    status = mbedtls_x509_dn_gets(issuer_name, sizeof issuer_name, &issuer->subject);
    return status < 0 ? status : mbedtls_x509write_crt_set_issuer_name(writer, issuer_name);
}

static int
set_usage(mbedtls_x509write_cert *writer, const fc_x509_spec *spec)
{
    bool is_ca = spec->role == FC_ROLE_NONE;
    int status = mbedtls_x509write_crt_set_basic_constraints(writer, is_ca, is_ca ? 0 : -1);
    if (status == 0)
        status = mbedtls_x509write_crt_set_key_usage(writer, is_ca ? MBEDTLS_X509_KU_KEY_CERT_SIGN |
                                                                         MBEDTLS_X509_KU_CRL_SIGN
                                                                   : MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
    if (status == 0 && !is_ca)
        status = add_extended_usage(writer, spec->role);
    if (status == 0)
        status = mbedtls_x509write_crt_set_subject_key_identifier(writer);
    if (status == 0)
        status = mbedtls_x509write_crt_set_authority_key_identifier(writer);
    return status;
}

fc_err
fc_x509_issue(const fc_x509_spec *spec, mbedtls_pk_context *subject_key, const mbedtls_x509_crt *issuer,
              mbedtls_pk_context *issuer_key, fc_buf *ret_pem, fc_fail *fail)
{
    char not_before[FC_X509_TIME_SIZE];
    char not_after[FC_X509_TIME_SIZE];
    mbedtls_x509write_cert writer;
    mbedtls_x509write_crt_init(&writer);
    fc_err err = check_binding(spec, fail);
    if (err == FC_OK)
        err = fc_x509_time(spec->not_before_unix_s, not_before, fail);
    if (err == FC_OK)
        err = fc_x509_time(spec->not_after_unix_s, not_after, fail);
    if (err != FC_OK)
        goto out;
    mbedtls_x509write_crt_set_version(&writer, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&writer, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&writer, subject_key);
    mbedtls_x509write_crt_set_issuer_key(&writer, issuer_key);
    int status = fc_compat_set_serial(&writer, spec->serial, FC_X509_SERIAL_SIZE);
    if (status == 0)
        status = mbedtls_x509write_crt_set_validity(&writer, not_before, not_after);
    if (status == 0)
        status = set_names(&writer, spec, issuer);
    if (status == 0)
        status = set_usage(&writer, spec);
    if (status == 0 && spec->role != FC_ROLE_NONE) {
        err = add_names(&writer, spec, fail);
        if (err != FC_OK)
            goto out;
    }
    unsigned char *pem = fc_buf_reserve(ret_pem, PEM_MAX);
    if (status == 0)
        status = mbedtls_x509write_crt_pem(&writer, pem, PEM_MAX, fc_compat_random, NULL);
    if (status == 0)
        fc_buf_commit(ret_pem, strlen((const char *)pem));
    else
        err = internal(fail, "a certificate", status);
out:
    mbedtls_x509write_crt_free(&writer);
    return err;
}
