#include "common/tls/pem.h"

#include "common/base/file.h"
#include "common/tls/secret.h"
#include "common/tls/x509.h"

#include <fcntl.h>
#include <mbedtls/pem.h>

/* Room for two of fc_file_read's reads: a file of one key and its chain makes no buffer grow, which would
 * leave a copy behind. */
enum { READ_AT_ONCE = 2 * 65536 };

fc_err
fc_pem_certificates(const void *pem, size_t size, const char *what, mbedtls_x509_crt *crt, fc_fail *fail)
{
    fc_buf text = {0};
    /* Reserved at once: what grows leaves copies behind. Mbed TLS wants the NUL counted. */
    (void)fc_buf_reserve(&text, size + 1);
    fc_buf_append(&text, pem, size);
    (void)fc_buf_text(&text);
    int status = mbedtls_x509_crt_parse(crt, fc_buf_bytes(&text), size + 1);
    fc_secret_fini(&text);
    if (status > 0)
        return fc_fail_set(fail, FC_ERR_CORRUPT, "%s has %d certificates that cannot be read", what, status);
    if (status < 0)
        return fc_fail_set(fail, FC_ERR_CORRUPT, "%s is not a PEM certificate (Mbed TLS -0x%04x)", what,
                           (unsigned int)-status);
    return FC_OK;
}

fc_err
fc_pem_certificates_read(const char *path, mbedtls_x509_crt *crt, fc_fail *fail)
{
    fc_buf pem = {0};
    (void)fc_buf_reserve(&pem, READ_AT_ONCE);
    fc_err err = fc_file_read(AT_FDCWD, path, FC_PEM_CERTIFICATES_MAX, &pem, fail);
    if (err == FC_OK)
        err = fc_pem_certificates(fc_buf_bytes(&pem), fc_buf_size(&pem), path, crt, fail);
    fc_secret_fini(&pem);
    return err;
}

fc_err
fc_pem_key_read(const char *path, mbedtls_pk_context *key, fc_fail *fail)
{
    fc_buf pem = {0};
    fc_err err = fc_secret_read(path, FC_PEM_KEY_MAX, &pem, fail);
    if (err != FC_OK)
        goto out;
    (void)fc_buf_text(&pem);
    int status = fc_compat_key_parse(key, fc_buf_bytes(&pem), fc_buf_size(&pem) + 1);
    if (status != 0)
        err = fc_fail_set(fail, FC_ERR_CORRUPT, "%s is not an unencrypted PEM private key (Mbed TLS -0x%04x)",
                          path, (unsigned int)-status);
    else if (!fc_x509_key_is_p256(key))
        err = fc_fail_set(fail, FC_ERR_UNSUPPORTED, "%s is not a key on the curve P-256", path);
out:
    fc_secret_fini(&pem);
    return err;
}

fc_err
fc_pem_certificate_write(const mbedtls_x509_crt *crt, fc_buf *ret_pem, fc_fail *fail)
{
    /* Base64, a line end per 64 characters, and the two markers. */
    size_t capacity = crt->raw.len / 48 * 65 + 256, size = 0;
    int status =
        mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", crt->raw.p,
                                 crt->raw.len, fc_buf_reserve(ret_pem, capacity), capacity, &size);
    if (status != 0)
        return fc_fail_set(fail, FC_ERR_INTERNAL, "cannot write a certificate as PEM (Mbed TLS -0x%04x)",
                           (unsigned int)-status);
    fc_buf_commit(ret_pem, size - 1); /* without the NUL */
    return FC_OK;
}
