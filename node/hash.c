#include "node/hash.h"

#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/sha256.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 20 };

fc_err
nd_hash_file(int fd, const atomic_bool *giving_up, uint8_t ret_sha256[32], uint64_t *ret_size, fc_fail *fail)
{
    mbedtls_sha256_context sha;
    mbedtls_sha256_init(&sha);
    uint8_t *chunk = fc_alloc(CHUNK_BYTES);
    uint64_t size = 0;
    fc_err err = mbedtls_sha256_starts_ret(&sha, 0) == 0 ? FC_OK : FC_ERR_INTERNAL;
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    while (err == FC_OK) {
        if (atomic_load(giving_up)) {
            err = fc_fail_set(fail, FC_ERR_CANCELLED, "given up");
            break;
        }
        ssize_t got = pread(fd, chunk, CHUNK_BYTES, (off_t)size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            err = fc_fail_errno(fail, errno, "cannot read the segment");
        if (got <= 0)
            break;
        if (mbedtls_sha256_update_ret(&sha, chunk, (size_t)got) != 0)
            err = fc_fail_set(fail, FC_ERR_INTERNAL, "SHA-256 failed");
        size += (uint64_t)got;
    }
    if (err == FC_OK && mbedtls_sha256_finish_ret(&sha, ret_sha256) != 0)
        err = fc_fail_set(fail, FC_ERR_INTERNAL, "SHA-256 failed");
    if (err == FC_OK)
        *ret_size = size;
    mbedtls_sha256_free(&sha);
    free(chunk);
    return err;
}
