/* sandbox.h: a process keeps the system calls that it needs, and no others (seccomp(2)).
 *
 * Every list begins with what any program of ours needs: memory that cannot become code, closing and reading
 * what is open, clocks, locks, signals and the end; and what glibc does behind a program's back. What is not
 * listed kills the process. A library of its own: only those that confine themselves need libseccomp.
 */
#ifndef FC_BASE_SANDBOX_H
#define FC_BASE_SANDBOX_H

#include "common/base/err.h"

#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

/* The sanitizers' run-time needs more than the program does: it gets that too. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FC_SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FC_SANDBOX_SANITIZED 1
#endif
#endif

/* A system call under conditions on its arguments (all of them must hold). */
typedef struct fc_sandbox_rule {
    uint32_t action; /* SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(…) */
    int call;
    unsigned count;
    struct scmp_arg_cmp args[2];
} fc_sandbox_rule;

/* From now on, for every thread: the common list, `calls`, and what the rules say. No new privileges must be
 * set before, or the process be privileged (prctl(2), PR_SET_NO_NEW_PRIVS). */
FC_MUST_USE fc_err
fc_sandbox_enter(const int *calls, size_t call_count, const fc_sandbox_rule *rules, size_t rule_count,
                 fc_fail *fail);

#endif
