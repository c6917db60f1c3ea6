/* journal.h: the storage on a real disk (storage.h), with the worker thread that hashes and repairs.
 *
 * Below captures_dir: .lease (its modification time is when the lease ends) and, for each capture,
 * <yyyy>/<mm>/<dd>/<capture>-<first 8 of uid>/ with spec.pb (DesiredCapture), journal (InstanceCapture),
 * evidence (evidence.h) and segments. All but the segments are replaced atomically. A directory is locked
 * (flock(2)) by its helper for the helper's life, through the descriptor that it was given: that is how a
 * restarted node knows that its predecessor's helper still seals.
 */
#ifndef ND_JOURNAL_H
#define ND_JOURNAL_H

#include "node/storage.h"

enum {
    ND_SPEC_BYTES_MAX = 64 * 1024,
    ND_JOURNAL_BYTES_MAX = 16 << 20,
    ND_SCAN_MAX = 100000, /* directories looked at after a start */
};

/* Makes captures_dir when it is missing. */
FC_MUST_USE fc_err
nd_journal_open(fc_loop *loop, const char *captures_dir, nd_storage **ret_storage, fc_fail *fail);
void
nd_journal_close(nd_storage *storage);

#endif
