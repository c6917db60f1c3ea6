#include "common/base/file.h"

#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static int
open_beneath(int dir_fd, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
        .mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    return (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
}

fc_err
fc_file_open_beneath(int dir_fd, const char *path, int flags, mode_t mode, int *ret_fd)
{
    int fd = open_beneath(dir_fd, path, flags, mode);
    if (fd < 0)
        return errno == EXDEV || errno == ELOOP ? FC_ERR_DENIED : fc_err_from_errno(errno);
    *ret_fd = fd;
    return FC_OK;
}

fc_err
fc_file_make_dirs(int dir_fd, const char *path, int *ret_dir_fd)
{
    char *copy = fc_strdup(path);
    char *rest = copy;
    int at = -1;
    fc_err err = fc_file_open_beneath(dir_fd, ".", O_DIRECTORY | O_RDONLY, 0, &at);
    for (char *part; err == FC_OK && (part = strsep(&rest, "/")) != NULL;) {
        int next = -1;
        if (*part == '\0')
            continue;
        if (mkdirat(at, part, 0750) != 0 && errno != EEXIST)
            err = fc_err_from_errno(errno);
        else
            err = fc_file_open_beneath(at, part, O_DIRECTORY | O_RDONLY, 0, &next);
        close(at);
        at = next;
    }
    free(copy);
    if (err == FC_OK)
        *ret_dir_fd = at;
    else if (at >= 0)
        close(at);
    return err;
}

fc_err
fc_file_read(int dir_fd, const char *path, size_t limit, fc_buf *ret_buf, fc_fail *fail)
{
    int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fc_fail_errno(fail, errno, "cannot open %s", path);
    fc_err err = FC_OK;
    size_t total = 0;
    for (;;) {
        size_t room = limit - total < 65536 ? limit - total + 1 : 65536;
        ssize_t got = read(fd, fc_buf_reserve(ret_buf, room), room);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            err = fc_fail_errno(fail, errno, "cannot read %s", path);
        if (got <= 0)
            break;
        total += (size_t)got;
        if (total > limit) {
            err = fc_fail_set(fail, FC_ERR_LIMIT, "%s is larger than %zu bytes", path, limit);
            break;
        }
        fc_buf_commit(ret_buf, (size_t)got);
    }
    close(fd);
    return err;
}

fc_err
fc_file_write_all(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t written = write(fd, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return fc_err_from_errno(errno);
        at += written;
        size -= (size_t)written;
    }
    return FC_OK;
}

/* "cannot WHAT DIRECTORY/NAME: why". A directory that is held open has its name from the kernel; without
 * /proc, or when it is long, the sentence goes without. */
static fc_err
cannot(const char *what, int dir_fd, const char *name, fc_fail *fail)
{
    char link[32], directory[160] = "";
    int why = errno;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", dir_fd);
    ssize_t size = dir_fd != AT_FDCWD && name[0] != '/' ? readlink(link, directory, sizeof directory - 1) : 0;
    if (size >= (ssize_t)sizeof directory - 1)
        size = 0;
    directory[size > 0 ? size : 0] = '\0';
    return fc_fail_errno(fail, why, "cannot %s %s%s%s", what, directory, size > 0 ? "/" : "", name);
}

fc_err
fc_file_write_atomic(int dir_fd, const char *name, const void *data, size_t size, mode_t mode, fc_fail *fail)
{
    char *temporary = fc_sprintf("%s.tmp", name);
    fc_err err = FC_OK;
    int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        err = cannot("create", dir_fd, temporary, fail);
        goto out;
    }
    if (fchmod(fd, mode) != 0 || fc_file_write_all(fd, data, size) != FC_OK || fsync(fd) != 0 ||
        renameat(dir_fd, temporary, dir_fd, name) != 0) {
        err = cannot("write", dir_fd, name, fail);
        (void)unlinkat(dir_fd, temporary, 0);
        goto out;
    }
    if (dir_fd != AT_FDCWD)
        (void)fsync(dir_fd);
out:
    if (fd >= 0)
        close(fd);
    free(temporary);
    return err;
}

fc_err
fc_file_free_bytes(int fd, uint64_t *ret_bytes)
{
    struct statvfs vfs;
    if (fstatvfs(fd, &vfs) != 0)
        return fc_err_from_errno(errno);
    *ret_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    return FC_OK;
}
