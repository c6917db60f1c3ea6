#include "common/tls/issuer.h"

#include <stdlib.h>

struct fc_issuer {
    int unused;
};

fc_err
fc_issuer_open(const char *ca_path, const char *key_path, fc_issuer **ret_issuer, fc_fail *fail)
{
    (void)ca_path, (void)key_path, (void)ret_issuer;
    return fc_fail_set(fail, FC_ERR_INTERNAL, "issuing comes with the next commit");
}

void
fc_issuer_close(fc_issuer *issuer)
{
    free(issuer);
}

const char *
fc_issuer_ca_pem(const fc_issuer *issuer)
{
    (void)issuer;
    return "";
}

fc_err
fc_issuer_look(const char *csr_pem, size_t size, const char *name, uint8_t ret_key_sha256[32], fc_fail *fail)
{
    (void)csr_pem, (void)size, (void)name, (void)ret_key_sha256;
    return fc_issuer_open(NULL, NULL, NULL, fail);
}

fc_err
fc_issuer_sign(fc_issuer *issuer, const fc_issue *issue, const char *csr_pem, size_t size, fc_buf *ret_pem,
               fc_principal *ret_principal, fc_fail *fail)
{
    (void)issuer, (void)issue, (void)csr_pem, (void)size, (void)ret_pem, (void)ret_principal;
    return fc_issuer_open(NULL, NULL, NULL, fail);
}

fc_err
fc_issuer_crl(fc_issuer *issuer, const fc_crl_spec *spec, fc_buf *ret_pem, fc_fail *fail)
{
    (void)issuer, (void)spec, (void)ret_pem;
    return fc_issuer_open(NULL, NULL, NULL, fail);
}
