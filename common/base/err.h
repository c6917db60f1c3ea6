/* err.h: the one table of errors, and the sentence for a person.
 *
 * Functions return fc_err. Where a person needs more, the caller passes an fc_fail, which carries the code
 * and one sentence that names the offending value. Libraries fill it and do not log.
 */
#ifndef FC_BASE_ERR_H
#define FC_BASE_ERR_H

#include <stddef.h>

#define FC_MUST_USE          __attribute__((warn_unused_result))
#define FC_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* gRPC status codes (google.golang.org/grpc/codes). */
typedef enum fc_code {
    FC_CODE_OK = 0,
    FC_CODE_CANCELLED = 1,
    FC_CODE_UNKNOWN = 2,
    FC_CODE_INVALID_ARGUMENT = 3,
    FC_CODE_DEADLINE_EXCEEDED = 4,
    FC_CODE_NOT_FOUND = 5,
    FC_CODE_ALREADY_EXISTS = 6,
    FC_CODE_PERMISSION_DENIED = 7,
    FC_CODE_RESOURCE_EXHAUSTED = 8,
    FC_CODE_FAILED_PRECONDITION = 9,
    FC_CODE_ABORTED = 10,
    FC_CODE_OUT_OF_RANGE = 11,
    FC_CODE_UNIMPLEMENTED = 12,
    FC_CODE_INTERNAL = 13,
    FC_CODE_UNAVAILABLE = 14,
    FC_CODE_DATA_LOSS = 15,
    FC_CODE_UNAUTHENTICATED = 16,
} fc_code;

/* Exit statuses of every program. */
typedef enum fc_exit {
    FC_EXIT_OK = 0,
    FC_EXIT_ERROR = 1,
    FC_EXIT_USAGE = 2,
    FC_EXIT_NOT_FOUND = 3,
    FC_EXIT_PARTIAL = 4,     /* some instances did, some did not */
    FC_EXIT_UNREACHABLE = 5, /* or timed out */
    FC_EXIT_DENIED = 6,
    FC_EXIT_CONFLICT = 7,
} fc_exit;

/*      name          text                          RPC code             exit status */
#define FC_ERRORS(X)                                                                                         \
    X(OK, "ok", OK, OK)                                                                                      \
    X(INVALID, "invalid argument", INVALID_ARGUMENT, USAGE)                                                  \
    X(NOT_FOUND, "not found", NOT_FOUND, NOT_FOUND)                                                          \
    X(EXISTS, "already exists", ALREADY_EXISTS, CONFLICT)                                                    \
    X(STATE, "not possible in this state", FAILED_PRECONDITION, CONFLICT)                                    \
    X(DENIED, "permission denied", PERMISSION_DENIED, DENIED)                                                \
    X(UNAUTHENTICATED, "not authenticated", UNAUTHENTICATED, DENIED)                                         \
    X(LIMIT, "limit reached", RESOURCE_EXHAUSTED, CONFLICT)                                                  \
    X(UNAVAILABLE, "unavailable", UNAVAILABLE, UNREACHABLE)                                                  \
    X(TIMEOUT, "timed out", DEADLINE_EXCEEDED, UNREACHABLE)                                                  \
    X(CANCELLED, "cancelled", CANCELLED, ERROR)                                                              \
    X(PROTOCOL, "protocol violation", INTERNAL, ERROR)                                                       \
    X(CORRUPT, "data is corrupt", DATA_LOSS, ERROR)                                                          \
    X(IO, "input/output error", INTERNAL, ERROR)                                                             \
    X(NO_SPACE, "no space left", RESOURCE_EXHAUSTED, ERROR)                                                  \
    X(UNSUPPORTED, "not supported", UNIMPLEMENTED, ERROR)                                                    \
    X(RANGE, "out of range", OUT_OF_RANGE, ERROR)                                                            \
    X(AGAIN, "try again", UNAVAILABLE, UNREACHABLE)                                                          \
    X(PARTIAL, "partly done", ABORTED, PARTIAL)                                                              \
    X(INTERNAL, "internal error", INTERNAL, ERROR)

typedef enum fc_err {
#define X(name, text, code, status) FC_ERR_##name,
    FC_ERRORS(X)
#undef X
} fc_err;
#define FC_OK FC_ERR_OK

/* One failure with its sentence. Zero-initialise with {0}; needs no clean-up. */
typedef struct fc_fail {
    fc_err err;
    int os_errno;   /* 0 when the system was not involved */
    char field[64]; /* which field, "filters[2].remotePort"; may be empty */
    char text[256]; /* one sentence, no full stop, names the offending value */
} fc_fail;

const char *
fc_err_text(fc_err err);
fc_code
fc_err_code(fc_err err);
fc_exit
fc_err_exit(fc_err err);
const char *
fc_code_name(fc_code code); /* "NOT_FOUND" */
fc_err
fc_err_from_code(fc_code code);
/* ENOSPC, EDQUOT -> NO_SPACE; ENOENT -> NOT_FOUND; EACCES, EPERM -> DENIED; EEXIST -> EXISTS; others -> IO.
 */
fc_err
fc_err_from_errno(int os_errno);

/* Fills *fail (when not NULL) and returns err, so that `return fc_fail_set(...)` reads well. */
fc_err
fc_fail_set(fc_fail *fail, fc_err err, const char *format, ...) FC_PRINTF(3, 4);
/* The same for one field of a definition or request. */
fc_err
fc_fail_field(fc_fail *fail, fc_err err, const char *field, const char *format, ...) FC_PRINTF(4, 5);
/* The same from errno: the sentence gets ": <strerror>" appended. */
fc_err
fc_fail_errno(fc_fail *fail, int os_errno, const char *format, ...) FC_PRINTF(3, 4);
/* Copies `from` into *to when `to` is not NULL; returns from->err. */
fc_err
fc_fail_copy(fc_fail *to, const fc_fail *from);

#endif
