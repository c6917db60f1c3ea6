/* file.h: files below a directory that is held open, whole-file reads, atomic replacement.
 *
 * Every path that has a peer's word in it is opened with openat2(2) RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS, so
 * neither ".." nor a symbolic link leaves the directory.
 */
#ifndef FC_BASE_FILE_H
#define FC_BASE_FILE_H

#include "common/base/buf.h"
#include "common/base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens path (relative) beneath dir_fd, O_CLOEXEC added. FC_ERR_DENIED when it would leave the directory. */
FC_MUST_USE fc_err
fc_file_open_beneath(int dir_fd, const char *path, int flags, mode_t mode, int *ret_fd);
/* Makes each directory of the relative path beneath dir_fd (0750) and opens the last one. */
FC_MUST_USE fc_err
fc_file_make_dirs(int dir_fd, const char *path, int *ret_dir_fd);
/* Reads a whole file of at most `limit` bytes into *ret_buf (appended; owned by the caller). */
FC_MUST_USE fc_err
fc_file_read(int dir_fd, const char *path, size_t limit, fc_buf *ret_buf, fc_fail *fail);
/* Writes name.tmp beneath dir_fd, fsync, rename, fsync of the directory: the old or the new file, always. */
FC_MUST_USE fc_err
fc_file_write_atomic(int dir_fd, const char *name, const void *data, size_t size, mode_t mode, fc_fail *fail);
/* write(2) until all is written. */
FC_MUST_USE fc_err
fc_file_write_all(int fd, const void *data, size_t size);
/* Bytes an unprivileged writer may still use on the file system of fd. */
FC_MUST_USE fc_err
fc_file_free_bytes(int fd, uint64_t *ret_bytes);

#endif
