#include "cli/landing.h"

#include "common/base/file.h"
#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 18, FILE_MODE = 0640 };
static const char suffix[] = ".pcapng";

bool
cli_local_name_check(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t length = strnlen(name, CLI_LOCAL_NAME_MAX + 1);
    if (length < sizeof suffix || length > CLI_LOCAL_NAME_MAX || strchr(letters, name[0]) == NULL)
        return false;
    for (size_t i = 0; i < length; i++)
        if (strchr(letters, name[i]) == NULL && strchr("._-", name[i]) == NULL)
            return false;
    return strcmp(name + length - (sizeof suffix - 1), suffix) == 0;
}

const char *
cli_local_name(const char *segment_path)
{
    const char *slash = strrchr(segment_path, '/');
    const char *name = slash != NULL ? slash + 1 : segment_path;
    return cli_local_name_check(name) ? name : NULL;
}

/* ---- SHA-256 ---- */

static fc_err
digest_begin(cli_landing *landing, fc_fail *fail)
{
    mbedtls_md_context_t *md = landing->digest;
    if (md == NULL) {
        md = landing->digest = FC_NEW(mbedtls_md_context_t);
        mbedtls_md_init(md);
        if (mbedtls_md_setup(md, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 0) != 0)
            return fc_fail_set(fail, FC_ERR_INTERNAL, "SHA-256 is not available");
    }
    return mbedtls_md_starts(md) == 0 ? FC_OK
                                      : fc_fail_set(fail, FC_ERR_INTERNAL, "SHA-256 is not available");
}

static void
digest_free(cli_landing *landing)
{
    if (landing->digest != NULL)
        mbedtls_md_free(landing->digest);
    free(landing->digest);
    landing->digest = NULL;
}

/* Takes everything of fd into the digest; *ret_size: how much that was. */
static fc_err
digest_file(cli_landing *landing, int fd, uint64_t *ret_size, fc_fail *fail)
{
    fc_err err = digest_begin(landing, fail);
    if (err != FC_OK)
        return err;
    uint8_t *chunk = fc_alloc(CHUNK_BYTES);
    uint64_t size = 0;
    for (;;) {
        ssize_t got = read(fd, chunk, CHUNK_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            err = fc_fail_errno(fail, errno, "cannot read %s", landing->name);
        if (got <= 0)
            break;
        (void)mbedtls_md_update(landing->digest, chunk, (size_t)got);
        size += (uint64_t)got;
    }
    free(chunk);
    *ret_size = size;
    return err;
}

static bool
is_right(cli_landing *landing, uint64_t size, const fc_segment *segment, uint8_t ret_sha256[32])
{
    (void)mbedtls_md_finish(landing->digest, ret_sha256);
    return size == segment->size_bytes && (!segment->hashed || memcmp(ret_sha256, segment->sha256, 32) == 0);
}

/* ---- opening ---- */

static fc_err
refused(const char *name, fc_err err, fc_fail *fail)
{
    if (err == FC_ERR_DENIED)
        return fc_fail_set(fail, err, "%s is a symbolic link or may not be written", name);
    return fc_fail_set(fail, err, "%s cannot be opened for writing: %s", name, fc_err_text(err));
}

/* A finished file of that name: is it right? One that is too short becomes the part; any other is replaced at
 * the end. */
static fc_err
look_at_finished(cli_landing *landing, const fc_segment *segment, fc_fail *fail)
{
    int fd = -1;
    struct stat stat;
    if (fc_file_open_beneath(landing->dir_fd, landing->name, O_RDONLY | O_NONBLOCK, 0, &fd) != FC_OK)
        return FC_OK;
    fc_err err = FC_OK;
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode)) {
        close(fd);
        return fc_fail_set(fail, FC_ERR_EXISTS, "%s is there already and is not a file", landing->name);
    }
    uint8_t sha256[32];
    uint64_t size = 0;
    if ((uint64_t)stat.st_size == segment->size_bytes) {
        err = digest_file(landing, fd, &size, fail);
        landing->complete = err == FC_OK && is_right(landing, size, segment, sha256);
    } else if ((uint64_t)stat.st_size < segment->size_bytes &&
               faccessat(landing->dir_fd, landing->part, F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
               renameat(landing->dir_fd, landing->name, landing->dir_fd, landing->part) != 0)
        err = fc_fail_errno(fail, errno, "cannot rename %s", landing->name);
    close(fd);
    return err;
}

static fc_err
open_part(cli_landing *landing, const fc_segment *segment, fc_fail *fail)
{
    struct stat stat;
    fc_err err = fc_file_open_beneath(landing->dir_fd, landing->part, O_RDWR | O_CREAT | O_NONBLOCK,
                                      FILE_MODE, &landing->fd);
    if (err != FC_OK) {
        landing->fd = -1;
        return refused(landing->part, err, fail);
    }
    if (fstat(landing->fd, &stat) != 0 || !S_ISREG(stat.st_mode))
        return fc_fail_set(fail, FC_ERR_EXISTS, "%s is there already and is not a file", landing->part);
    if ((uint64_t)stat.st_size > segment->size_bytes && ftruncate(landing->fd, 0) != 0)
        return fc_fail_errno(fail, errno, "cannot cut %s", landing->part);
    /* Leaves the position at the end, where writing goes on. */
    err = digest_file(landing, landing->fd, &landing->size, fail);
    landing->resumed = landing->size > 0;
    return err;
}

fc_err
cli_landing_open(int dir_fd, const char *name, const fc_segment *segment, cli_landing *ret, fc_fail *fail)
{
    cli_landing landing = {.dir_fd = dir_fd, .fd = -1};
    if (!cli_local_name_check(name))
        return fc_fail_set(fail, FC_ERR_DENIED, "\"%.80s\" is refused as a file name", name);
    landing.name = fc_strdup(name);
    landing.part = fc_sprintf("%s.part", name);
    fc_err err = look_at_finished(&landing, segment, fail);
    if (err == FC_OK && !landing.complete)
        err = open_part(&landing, segment, fail);
    if (err == FC_OK)
        *ret = landing;
    else
        cli_landing_close(&landing);
    return err;
}

/* ---- writing ---- */

fc_err
cli_landing_write(cli_landing *landing, const void *bytes, size_t size, fc_fail *fail)
{
    fc_err err = fc_file_write_all(landing->fd, bytes, size);
    if (err != FC_OK)
        return fc_fail_set(fail, err, "cannot write %s: %s", landing->part, fc_err_text(err));
    (void)mbedtls_md_update(landing->digest, bytes, size);
    landing->size += size;
    return FC_OK;
}

fc_err
cli_landing_finish(cli_landing *landing, const fc_segment *segment, uint8_t ret_sha256[32], fc_fail *fail)
{
    if (!is_right(landing, landing->size, segment, ret_sha256))
        return landing->size != segment->size_bytes
                   ? fc_fail_set(fail, FC_ERR_CORRUPT, "%s has %llu bytes instead of %llu", landing->name,
                                 (unsigned long long)landing->size, (unsigned long long)segment->size_bytes)
                   : fc_fail_set(fail, FC_ERR_CORRUPT, "the SHA-256 of %s is not what the instance told",
                                 landing->name);
    if (fsync(landing->fd) != 0 ||
        renameat(landing->dir_fd, landing->part, landing->dir_fd, landing->name) != 0)
        return fc_fail_errno(fail, errno, "cannot finish %s", landing->name);
    landing->complete = true;
    return FC_OK;
}

fc_err
cli_landing_restart(cli_landing *landing, fc_fail *fail)
{
    landing->size = 0;
    landing->resumed = false;
    if (ftruncate(landing->fd, 0) != 0 || lseek(landing->fd, 0, SEEK_SET) != 0)
        return fc_fail_errno(fail, errno, "cannot cut %s", landing->part);
    return digest_begin(landing, fail);
}

void
cli_landing_close(cli_landing *landing)
{
    if (landing->fd >= 0)
        close(landing->fd);
    digest_free(landing);
    free(landing->name);
    free(landing->part);
    memset(landing, 0, sizeof *landing);
    landing->fd = -1;
}
