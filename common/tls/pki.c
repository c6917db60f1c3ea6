#include "common/tls/pki.h"

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/tls/crl.h"
#include "common/tls/identity.h"
#include "common/tls/index.h"
#include "common/tls/secret.h"
#include "common/tls/x509.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    DAY_S = 24 * 60 * 60,
    HOUR_S = 60 * 60, /* how far back validity begins: clocks of new machines are late */
    PEM_FILE_MAX = 64 * 1024,
};

/* A PKI directory, held open and locked against other processes and threads, with its CA and index. */
typedef struct pki {
    const char *path; /* borrowed */
    int fd;
    mbedtls_x509_crt ca;
    mbedtls_pk_context ca_key;
    fc_index index;
} pki;

static fc_err
pki_lock(pki *p, const char *path, int lock, fc_fail *fail)
{
    *p = (pki){.path = path, .fd = -1};
    mbedtls_x509_crt_init(&p->ca);
    mbedtls_pk_init(&p->ca_key);
    p->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->fd < 0)
        return fc_fail_errno(fail, errno, "cannot open the PKI directory %s", path);
    while (flock(p->fd, lock) != 0)
        if (errno != EINTR)
            return fc_fail_errno(fail, errno, "cannot lock the PKI directory %s", path);
    return FC_OK;
}

static void
pki_fini(pki *p)
{
    fc_index_fini(&p->index);
    mbedtls_pk_free(&p->ca_key);
    mbedtls_x509_crt_free(&p->ca);
    if (p->fd >= 0)
        close(p->fd);
}

static fc_err
load_ca(pki *p, fc_fail *fail)
{
    fc_buf certificate = {0};
    fc_buf key = {0};
    char *key_path = fc_sprintf("%s/ca.key", p->path);
    fc_err err = fc_file_read(p->fd, "ca.crt", PEM_FILE_MAX, &certificate, fail);
    if (err == FC_OK)
        err = fc_secret_read(key_path, PEM_FILE_MAX, &key, fail);
    if (err != FC_OK)
        goto out;
    (void)fc_buf_text(&certificate);
    (void)fc_buf_text(&key);
    if (mbedtls_x509_crt_parse(&p->ca, fc_buf_bytes(&certificate), fc_buf_size(&certificate) + 1) != 0)
        err = fc_fail_set(fail, FC_ERR_CORRUPT, "%s/ca.crt is not a PEM certificate", p->path);
    else if (fc_compat_key_parse(&p->ca_key, fc_buf_bytes(&key), fc_buf_size(&key) + 1) != 0)
        err = fc_fail_set(fail, FC_ERR_CORRUPT, "%s is not an unencrypted PEM private key", key_path);
    else if (fc_compat_key_pairs(&p->ca.pk, &p->ca_key) != 0)
        err = fc_fail_set(fail, FC_ERR_INVALID, "%s is not the key of %s/ca.crt", key_path, p->path);
out:
    fc_secret_fini(&key);
    fc_buf_fini(&certificate);
    free(key_path);
    return err;
}

static fc_err
pki_open(pki *p, const char *path, fc_fail *fail)
{
    fc_err err = pki_lock(p, path, LOCK_EX, fail);
    if (err == FC_OK)
        err = load_ca(p, fail);
    if (err == FC_OK)
        err = fc_index_load(p->fd, &p->index, fail);
    return err;
}

static fc_err
write_text(int dir_fd, const char *name, const fc_buf *text, mode_t mode, fc_fail *fail)
{
    return fc_file_write_atomic(dir_fd, name, fc_buf_bytes(text), fc_buf_size(text), mode, fail);
}

static fc_err
write_crl(pki *p, fc_fail *fail)
{
    fc_buf pem = {0};
    fc_crl_entry *entries = fc_alloc_array(p->index.count + 1, sizeof *entries);
    size_t count = 0;
    fc_err err = FC_OK;
    for (size_t i = 0; i < p->index.count && err == FC_OK; i++) {
        const fc_pki_entry *from = &p->index.entries[i];
        if (!from->revoked)
            continue;
        fc_crl_entry *to = &entries[count++];
        to->serial_size = strlen(from->principal.serial) / 2;
        to->revoked_unix_s = from->revoked_at.ns / FC_NS_PER_S;
        err = fc_hex_parse(from->principal.serial, to->serial, to->serial_size);
    }
    /* There is no service that would renew the list in time, so it stands until it is replaced, or the CA
     * ends. */
    fc_crl_spec spec = {
        .this_update_unix_s = time(NULL),
        .next_update_unix_s = fc_identity_time(&p->ca.valid_to).ns / FC_NS_PER_S,
        .number = p->index.crl_number,
        .entries = entries,
        .count = count,
    };
    if (err == FC_OK)
        err = fc_crl_write(&spec, &p->ca, &p->ca_key, &pem, fail);
    if (err == FC_OK)
        err = write_text(p->fd, "crl.pem", &pem, 0644, fail);
    fc_buf_fini(&pem);
    free(entries);
    return err;
}

/* ---- init ---- */

static fc_err
make_ca(pki *p, uint32_t days, fc_fail *fail)
{
    fc_buf certificate = {0};
    fc_buf key = {0};
    int64_t now_unix_s = time(NULL);
    fc_x509_spec spec = {
        .fleet = p->index.fleet,
        .role = FC_ROLE_NONE,
        .not_before_unix_s = now_unix_s - HOUR_S,
        .not_after_unix_s = now_unix_s + (int64_t)(days > 0 ? days : FC_PKI_CA_DAYS) * DAY_S,
    };
    fc_x509_serial_make(spec.serial);
    fc_err err = fc_x509_key_make(&p->ca_key, fail);
    if (err == FC_OK)
        err = fc_x509_key_pem(&p->ca_key, &key, fail);
    if (err == FC_OK)
        err = fc_x509_issue(&spec, &p->ca_key, NULL, &p->ca_key, &certificate, fail);
    if (err != FC_OK)
        goto out;
    (void)fc_buf_text(&certificate);
    if (mbedtls_x509_crt_parse(&p->ca, fc_buf_bytes(&certificate), fc_buf_size(&certificate) + 1) != 0) {
        err = fc_fail_set(fail, FC_ERR_INTERNAL, "cannot read back the CA's certificate");
        goto out;
    }
    err = write_text(p->fd, "ca.key", &key, 0600, fail);
    if (err == FC_OK)
        err = fc_index_save(p->fd, &p->index, fail);
    if (err == FC_OK)
        err = write_crl(p, fail);
    /* Last: a directory with ca.crt is complete. */
    if (err == FC_OK)
        err = write_text(p->fd, "ca.crt", &certificate, 0644, fail);
out:
    fc_secret_fini(&key);
    fc_buf_fini(&certificate);
    return err;
}

fc_err
fc_pki_init(const char *directory, const char *fleet, uint32_t days, fc_fail *fail)
{
    if (!fc_name_check(fleet))
        return fc_fail_field(fail, FC_ERR_INVALID, "fleet", "\"%.64s\" is not a name", fleet);
    if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        return fc_fail_errno(fail, errno, "cannot make the directory %s", directory);
    pki p;
    fc_err err = pki_lock(&p, directory, LOCK_EX, fail);
    if (err == FC_OK && faccessat(p.fd, "ca.crt", F_OK, 0) == 0)
        err = fc_fail_set(fail, FC_ERR_EXISTS, "%s has a CA already", directory);
    if (err == FC_OK) {
        strcpy(p.index.fleet, fleet);
        p.index.crl_number = 1;
        err = make_ca(&p, days, fail);
    }
    pki_fini(&p);
    return err;
}

/* ---- issue ---- */

static fc_err
check_request(const pki *p, const fc_pki_request *request, fc_x509_spec *ret_spec, fc_fail *fail)
{
    int64_t now_unix_s = time(NULL);
    int64_t ca_end_unix_s = fc_identity_time(&p->ca.valid_to).ns / FC_NS_PER_S;
    if (fc_role_parse(fc_role_name(request->role)) == FC_ROLE_NONE)
        return fc_fail_field(fail, FC_ERR_INVALID, "role",
                             "a certificate is for one of node, operator, coordinator");
    if (request->name == NULL || !fc_name_check(request->name))
        return fc_fail_field(fail, FC_ERR_INVALID, "name", "\"%.64s\" is not a name",
                             request->name != NULL ? request->name : "");
    fc_x509_spec spec = {
        .fleet = p->index.fleet,
        .role = request->role,
        .name = request->name,
        .scale_set = request->scale_set != NULL ? request->scale_set : "",
        .region = request->region != NULL ? request->region : "",
        .dns_names = request->dns_names,
        .dns_name_count = request->dns_name_count,
        .not_before_unix_s =
            request->not_before_unix_s != 0 ? request->not_before_unix_s : now_unix_s - HOUR_S,
        .not_after_unix_s = request->not_after_unix_s,
    };
    if (spec.not_after_unix_s == 0) {
        spec.not_after_unix_s = now_unix_s + (int64_t)FC_PKI_LEAF_DAYS * DAY_S;
        if (spec.not_after_unix_s > ca_end_unix_s)
            spec.not_after_unix_s = ca_end_unix_s;
    }
    if (spec.not_after_unix_s > ca_end_unix_s)
        return fc_fail_set(fail, FC_ERR_RANGE, "the certificate would outlive the CA");
    if (spec.not_after_unix_s <= spec.not_before_unix_s)
        return fc_fail_set(fail, FC_ERR_RANGE, "the certificate would end before it begins");
    fc_x509_serial_make(spec.serial);
    *ret_spec = spec;
    return FC_OK;
}

static void
index_issued(pki *p, const fc_x509_spec *spec)
{
    fc_pki_entry entry = {
        .principal = {.role = spec->role, .not_after = {spec->not_after_unix_s * FC_NS_PER_S}},
        .not_before = {spec->not_before_unix_s * FC_NS_PER_S},
    };
    strcpy(entry.principal.fleet, p->index.fleet);
    strcpy(entry.principal.name, spec->name);
    strcpy(entry.principal.scale_set, spec->scale_set);
    strcpy(entry.principal.region, spec->region);
    fc_hex_text(spec->serial, FC_X509_SERIAL_SIZE, entry.principal.serial);
    fc_index_add(&p->index, &entry);
}

static fc_err
issue_into(pki *p, const fc_x509_spec *spec, int out_fd, fc_fail *fail)
{
    fc_buf certificate = {0};
    fc_buf key = {0};
    mbedtls_pk_context leaf_key;
    mbedtls_pk_init(&leaf_key);
    char *certificate_name = fc_sprintf("%s-%s.crt", fc_role_name(spec->role), spec->name);
    char *key_name = fc_sprintf("%s-%s.key", fc_role_name(spec->role), spec->name);
    fc_err err = fc_x509_key_make(&leaf_key, fail);
    if (err == FC_OK)
        err = fc_x509_key_pem(&leaf_key, &key, fail);
    if (err == FC_OK)
        err = fc_x509_issue(spec, &leaf_key, &p->ca, &p->ca_key, &certificate, fail);
    if (err != FC_OK)
        goto out;
    /* The index first: better a line for a certificate that was never handed out than the other way round. */
    index_issued(p, spec);
    err = fc_index_save(p->fd, &p->index, fail);
    if (err == FC_OK)
        err = write_text(out_fd, key_name, &key, 0600, fail);
    if (err == FC_OK)
        err = write_text(out_fd, certificate_name, &certificate, 0644, fail);
out:
    free(key_name);
    free(certificate_name);
    mbedtls_pk_free(&leaf_key);
    fc_secret_fini(&key);
    fc_buf_fini(&certificate);
    return err;
}

fc_err
fc_pki_issue(const char *directory, const fc_pki_request *request, const char *out_directory, fc_fail *fail)
{
    pki p;
    fc_x509_spec spec;
    int out_fd = -1;
    fc_err err = pki_open(&p, directory, fail);
    if (err == FC_OK)
        err = check_request(&p, request, &spec, fail);
    if (err == FC_OK && out_directory != NULL) {
        out_fd = open(out_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (out_fd < 0)
            err = fc_fail_errno(fail, errno, "cannot open the directory %s", out_directory);
    }
    if (err == FC_OK)
        err = issue_into(&p, &spec, out_fd >= 0 ? out_fd : p.fd, fail);
    if (out_fd >= 0)
        close(out_fd);
    pki_fini(&p);
    return err;
}

/* ---- revoke, list ---- */

static bool
is_target(const fc_pki_entry *entry, const char *target)
{
    char text[FC_PRINCIPAL_TEXT_SIZE];
    return strcmp(entry->principal.serial, target) == 0 ||
           strcmp(fc_principal_text(&entry->principal, text), target) == 0;
}

fc_err
fc_pki_revoke(const char *directory, const char *target, uint32_t *ret_count, fc_fail *fail)
{
    pki p;
    uint32_t count = 0;
    bool found = false;
    fc_wall now = {(int64_t)time(NULL) * FC_NS_PER_S};
    fc_err err = pki_open(&p, directory, fail);
    if (err != FC_OK)
        goto out;
    for (size_t i = 0; i < p.index.count; i++) {
        fc_pki_entry *entry = &p.index.entries[i];
        if (!is_target(entry, target) || entry->principal.not_after.ns < now.ns)
            continue;
        found = true;
        if (entry->revoked)
            continue;
        entry->revoked = true;
        entry->revoked_at = now;
        count++;
    }
    if (!found) {
        err = fc_fail_set(fail, FC_ERR_NOT_FOUND, "%s has no unexpired certificate of \"%.80s\"", directory,
                          target);
        goto out;
    }
    p.index.crl_number++;
    err = fc_index_save(p.fd, &p.index, fail);
    if (err == FC_OK)
        err = write_crl(&p, fail);
    if (err == FC_OK)
        *ret_count = count;
out:
    pki_fini(&p);
    return err;
}

fc_err
fc_pki_list(const char *directory, char ret_fleet[FC_NAME_MAX + 1], fc_pki_entry **ret_entries,
            size_t *ret_count, fc_fail *fail)
{
    pki p;
    fc_err err = pki_lock(&p, directory, LOCK_SH, fail);
    if (err == FC_OK)
        err = fc_index_load(p.fd, &p.index, fail);
    if (err == FC_OK) {
        strcpy(ret_fleet, p.index.fleet);
        *ret_entries = p.index.entries;
        *ret_count = p.index.count;
        p.index.entries = NULL;
    }
    pki_fini(&p);
    return err;
}
