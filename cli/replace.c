#include "cli/replace.h"

#include "common/base/file.h"
#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static fc_err
write_to(const char *path, const fc_buf *bytes, fc_fail *fail)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fc_fail_errno(fail, errno, "cannot open it");
    fc_err err = FC_OK;
    if (fc_file_write_all(fd, fc_buf_bytes(bytes), fc_buf_size(bytes)) != FC_OK)
        err = fc_fail_errno(fail, errno, "cannot write to it");
    close(fd);
    return err;
}

static mode_t
mode_of_new_files(void)
{
    mode_t mask = umask(077);
    (void)umask(mask);
    return 0666 & ~mask;
}

/* Beneath the directory of `path`. */
static fc_err
replace(const char *path, mode_t mode, const fc_buf *bytes, fc_fail *fail)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash == NULL ? fc_strdup(".") : fc_strndup(path, (size_t)(slash - path) + 1);
    int dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fc_err err = dir_fd < 0 ? fc_fail_errno(fail, errno, "the directory %.120s", directory)
                            : fc_file_write_atomic(dir_fd, slash == NULL ? path : slash + 1,
                                                   fc_buf_bytes(bytes), fc_buf_size(bytes), mode, fail);
    if (dir_fd >= 0)
        close(dir_fd);
    free(directory);
    return err;
}

fc_err
cli_replace_file(const char *option, const char *path, const fc_buf *bytes, fc_fail *fail)
{
    struct stat status;
    fc_fail why = {0};
    fc_err err;
    bool is_there = stat(path, &status) == 0;
    bool replaces = is_there && S_ISREG(status.st_mode);
    char *target = replaces ? realpath(path, NULL) : NULL; /* owned */
    if (is_there && S_ISDIR(status.st_mode))
        err = fc_fail_errno(&why, EISDIR, "it");
    else if (is_there && !replaces)
        err = write_to(path, bytes, &why);
    else if (target != NULL)
        err = replace(target, status.st_mode & 0777, bytes, &why);
    else
        err = replace(path, mode_of_new_files(), bytes, &why);
    if (err != FC_OK)
        (void)fc_fail_set(fail, err, "%s %.120s: %.120s%s", option, path, why.text,
                          replaces ? "; the old one stays as it was" : "");
    free(target);
    return err;
}
