#include "common/tls/key.h"

#include <stdlib.h>

struct fc_key {
    int unused;
};

fc_err
fc_key_new(fc_key **ret_key, fc_fail *fail)
{
    (void)ret_key;
    return fc_fail_set(fail, FC_ERR_INTERNAL, "keys come with the next commit");
}

fc_err
fc_key_load(const char *path, fc_key **ret_key, fc_fail *fail)
{
    (void)path;
    return fc_key_new(ret_key, fail);
}

void
fc_key_free(fc_key *key)
{
    free(key);
}

fc_err
fc_key_pem(fc_key *key, fc_buf *ret_pem, fc_fail *fail)
{
    (void)ret_pem;
    return fc_key_new(&key, fail);
}

void
fc_key_wipe(fc_buf *pem)
{
    fc_buf_fini(pem);
}

fc_err
fc_key_csr(fc_key *key, const char *name, fc_buf *ret_pem, fc_fail *fail)
{
    (void)name;
    return fc_key_pem(key, ret_pem, fail);
}

fc_err
fc_key_digest_text(fc_key *key, char ret_text[65], fc_fail *fail)
{
    (void)ret_text;
    return fc_key_new(&key, fail);
}

fc_err
fc_key_check(fc_key *key, const char *name, const char *certificate_pem, size_t certificate_size, const char *ca_pem,
             size_t ca_size, fc_key_certificate *ret_certificate, fc_fail *fail)
{
    (void)name, (void)certificate_pem, (void)certificate_size, (void)ca_pem, (void)ca_size, (void)ret_certificate;
    return fc_key_new(&key, fail);
}

fc_err
fc_key_file_read(const char *path, fc_key_certificate *ret_certificate, fc_fail *fail)
{
    (void)ret_certificate;
    return fc_key_load(path, NULL, fail);
}
