#include "pki_rig.h"

#include "common/tls/pki.h"
#include "loop_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

void
pki_make(char ret_directory[TEMP_DIR_BYTES])
{
    fc_fail fail = {0};
    temp_dir_make(ret_directory);
    must(fc_pki_init(ret_directory, "test", 30, &fail), &fail);
}

void
pki_issue(const char *directory, fc_role role, const char *name)
{
    static const char *const localhost[] = {"localhost", "127.0.0.1"};
    const fc_pki_request request = {.role = role, .name = name, .dns_names = localhost, .dns_name_count = 2};
    fc_fail fail = {0};
    must(fc_pki_issue(directory, &request, NULL, &fail), &fail);
}

static fc_tls *
credentials(const char *directory, fc_tls_mode mode, const char *leaf, bool enrolment)
{
    char ca[128], certificate[128], key[128], crl[128];
    (void)snprintf(ca, sizeof ca, "%s/ca.crt", directory);
    (void)snprintf(certificate, sizeof certificate, "%s/%s.crt", directory, leaf);
    (void)snprintf(key, sizeof key, "%s/%s.key", directory, leaf);
    (void)snprintf(crl, sizeof crl, "%s/crl.pem", directory);
    const fc_tls_files files = {.ca = ca,
                                .certificate = certificate,
                                .key = key,
                                .crl = crl,
                                .server_name = "localhost",
                                .enrolment = enrolment};
    fc_tls *tls = NULL;
    fc_fail fail = {0};
    must(fc_tls_new(mode, &files, &tls, &fail), &fail);
    return tls;
}

fc_tls *
pki_credentials(const char *directory, fc_tls_mode mode, const char *leaf)
{
    return credentials(directory, mode, leaf, false);
}

fc_tls *
pki_credentials_enrolling(const char *directory, const char *leaf)
{
    return credentials(directory, FC_TLS_SERVER, leaf, true);
}
