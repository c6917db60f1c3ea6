#include "common/tls/secret.h"

#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/platform_util.h>
#include <sys/stat.h>

fc_err
fc_secret_read(const char *path, size_t limit, fc_buf *ret_buf, fc_fail *fail)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return fc_fail_errno(fail, errno, "cannot open %s", path);
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return fc_fail_set(fail, FC_ERR_DENIED,
                           "%s has mode %04o: others than its owner can reach it, make it 0600", path,
                           (unsigned int)st.st_mode & 07777);
    /* One block from the start: a buffer that grows leaves copies behind. */
    (void)fc_buf_reserve(ret_buf, limit + 2);
    return fc_file_read(AT_FDCWD, path, limit, ret_buf, fail);
}

void
fc_secret_fini(fc_buf *buf)
{
    if (buf->data != NULL)
        mbedtls_platform_zeroize(buf->data, buf->capacity);
    fc_buf_fini(buf);
}
