#include "common/tls/enrol.h"

#include "common/tls/chain.h"
#include "common/tls/identity.h"
#include "common/tls/tls.h"

#include <string.h>
#include <strings.h>

bool
fc_enrol_is_name(const unsigned char *name, size_t size)
{
    return size == sizeof FC_TLS_ENROL_NAME - 1 &&
           strncasecmp((const char *)name, FC_TLS_ENROL_NAME, size) == 0;
}

static bool
holds(const mbedtls_x509_crt *list, const mbedtls_x509_crt *crt)
{
    for (; list != NULL; list = list->next)
        if (list->raw.len == crt->raw.len && memcmp(list->raw.p, crt->raw.p, crt->raw.len) == 0)
            return true;
    return false;
}

fc_err
fc_enrol_chain(const mbedtls_x509_crt *own, const mbedtls_x509_crt *ca, mbedtls_x509_crt *ret_chain,
               fc_fail *fail)
{
    const mbedtls_x509_crt *const sources[] = {own, ca};
    size_t size = 0;
    for (size_t i = 0; i < 2; i++)
        for (const mbedtls_x509_crt *at = sources[i]; at != NULL; at = at->next) {
            if (i > 0 && holds(own, at))
                continue;
            size += at->raw.len;
            if (size > FC_ENROL_CHAIN_MAX)
                return fc_fail_set(
                    fail, FC_ERR_LIMIT,
                    "our certificate and the CA file have more than %d bytes together: too much to "
                    "show to machines that enrol",
                    FC_ENROL_CHAIN_MAX);
            if (fc_chain_append(ret_chain, at) != FC_OK)
                return fc_fail_set(fail, FC_ERR_INTERNAL, "cannot copy a certificate");
        }
    return FC_OK;
}

void
fc_enrol_anonymous(const char *fleet, fc_principal *ret_peer)
{
    fc_principal peer = {.role = FC_ROLE_ANONYMOUS, .name = "anonymous", .not_after = {INT64_MAX}};
    strcpy(peer.fleet, fleet);
    *ret_peer = peer;
}

/* The first thing that is wrong, in a sentence. */
static fc_err
refuse(const mbedtls_x509_crt *leaf, const mbedtls_x509_crt *ca, uint32_t flags, fc_fail *fail)
{
    fc_principal peer;
    char who[FC_PRINCIPAL_TEXT_SIZE] = "the coordinator";
    char when[FC_TIME_TEXT_SIZE];
    if (fc_identity_read(leaf, &peer, NULL) == FC_OK)
        (void)fc_principal_text(&peer, who);
    if ((flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED,
                           "the certificate of %s is not from the CA in the token", who);
    if (mbedtls_x509_time_is_past(&leaf->valid_to))
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED, "the certificate of %s expired at %s", who,
                           fc_wall_text(fc_identity_time(&leaf->valid_to), when));
    if (mbedtls_x509_time_is_past(&ca->valid_to))
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED, "the CA in the token expired at %s",
                           fc_wall_text(fc_identity_time(&ca->valid_to), when));
    if ((flags & MBEDTLS_X509_BADCERT_FUTURE) != 0)
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED,
                           "the certificate of %s is not valid yet: is the clock right?", who);
    return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED, "the certificate of %s is not acceptable (flags 0x%x)",
                       who, (unsigned int)flags);
}

fc_err
fc_enrol_admit(const mbedtls_x509_crt *chain, const uint8_t pin[32], fc_principal *ret_peer, fc_fail *fail)
{
    const mbedtls_x509_crt *ca = chain != NULL ? fc_chain_find(chain, pin) : NULL;
    if (ca == NULL)
        return fc_fail_set(fail, FC_ERR_UNAUTHENTICATED, "the coordinator's CA is not the one in the token");
    uint32_t flags = fc_chain_verify(chain, ca);
    if (flags != 0)
        return refuse(chain, ca, flags, fail);
    return fc_identity_check(chain, FC_TLS_SERVER, ret_peer, fail);
}
