/* replace.h: a file that a user names is replaced whole, or stays as it was. */
#ifndef CLI_REPLACE_H
#define CLI_REPLACE_H

#include "common/base/buf.h"
#include "common/base/err.h"

/* Writes beside the file and renames, so that there is the old one or the whole new one. What is no regular
 * file (a pipe, a terminal) is written to; a symbolic link stays, and what it leads to is replaced. An old
 * file's permissions stay; a new one has those that the umask leaves. option: "--html", for the sentence. */
FC_MUST_USE fc_err
cli_replace_file(const char *option, const char *path, const fc_buf *bytes, fc_fail *fail);

#endif
