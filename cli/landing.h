/* landing.h: one file on its way to the disk: NAME.part grows, is verified, and becomes NAME.
 *
 * Everything is opened beneath the download directory without following symbolic links; names are checked
 * first. What an earlier run left in NAME.part (or in a NAME that is too short) is gone on with.
 */
#ifndef CLI_LANDING_H
#define CLI_LANDING_H

#include "common/base/err.h"
#include "common/model/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLI_LOCAL_NAME_MAX = 200 };

/* A segment's file name as it may be used here: letters, digits and . _ -, first a letter or digit, ending in
 * ".pcapng", at most CLI_LOCAL_NAME_MAX characters. Stricter than the file system: the name came from an
 * instance. */
bool
cli_local_name_check(const char *name);
/* Where the file of a segment's path goes: its last part, checked. NULL when it is not a name to use.
 * Borrowed from path. */
const char *
cli_local_name(const char *segment_path);

typedef struct cli_landing {
    int dir_fd;    /* borrowed */
    char *name;    /* owned */
    char *part;    /* owned: NAME.part */
    int fd;        /* of the part; -1 = none */
    void *digest;  /* owned: SHA-256 over the first `size` bytes */
    uint64_t size; /* bytes there are */
    bool resumed;  /* began with bytes of an earlier run */
    bool complete; /* NAME is there and right: nothing to fetch */
} cli_landing;

/* segment: its size, and its hash when known, say what "right" is. On failure nothing is open. */
FC_MUST_USE fc_err
cli_landing_open(int dir_fd, const char *name, const fc_segment *segment, cli_landing *ret, fc_fail *fail);
/* Bytes that follow what is there. */
FC_MUST_USE fc_err
cli_landing_write(cli_landing *landing, const void *bytes, size_t size, fc_fail *fail);
/* Verifies and renames. FC_ERR_CORRUPT when size or hash differ. ret_sha256: what the file has. */
FC_MUST_USE fc_err
cli_landing_finish(cli_landing *landing, const fc_segment *segment, uint8_t ret_sha256[32], fc_fail *fail);
/* Throws away what is there, to begin again. */
FC_MUST_USE fc_err
cli_landing_restart(cli_landing *landing, fc_fail *fail);
/* Closes; the part stays. {.fd = -1} is legal. */
void
cli_landing_close(cli_landing *landing);

#endif
