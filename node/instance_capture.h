/* instance_capture.h: one capture on this instance: its state machine's interpreter, its counters, its files'
 * list.
 *
 * state.c says what follows from an event; nd_instance_capture_event does it, and logs it. Single-threaded:
 * the node's loop. Life: new -> (admit | restore | record) -> … -> final -> freed by the node, when it is
 * forgotten.
 */
#ifndef ND_INSTANCE_CAPTURE_H
#define ND_INSTANCE_CAPTURE_H

#include "common/base/loop.h"
#include "common/profile/context.h"
#include "node/backend.h"
#include "node/desired.h"
#include "node/evidence.h"
#include "node/policy.h"
#include "node/state.h"
#include "node/storage.h"

enum {
    ND_ARM_MS = 10000,         /* a helper that has not armed by then is killed */
    ND_START_MS = 10000,       /* nor started so long after its instant */
    ND_STOP_MS = 15000,        /* nor stopped: a full buffer on a slow disk takes seconds to drain */
    ND_SILENCE_MS = 30000,     /* of a helper that runs; it speaks every CAP_HEARTBEAT_MS (5 s) at least */
    ND_SILENCE_LATE_MS = 1000, /* a timer so late says that it was we who did not listen */
    ND_WINDOW_GRACE_MS = 500,  /* the helper ends its window itself; this is the node's own hand on it */
    ND_RESTORE_RETRY_MS = 100, /* while the helper of a dead node still seals */
    ND_RESTORE_MS = 15000,
    ND_SAVE_SEGMENT_MS = 1000, /* the journal, at most that often for what is not a change of state */
    ND_SAVE_PROGRESS_MS = 10000,
    ND_FILTER_SHOWN_MAX = 8192,     /* bytes of compiled_filter in a report: a report fits one frame */
    ND_SEGMENTS_REMOVED_MAX = 4096, /* kept to be reported as removed; older ones are dropped */
    ND_OWN_ENDPOINTS_MAX = 16,
};

struct nd_instance_capture;

/* Who this instance is. The strings are borrowed from the configuration and the certificate. */
typedef struct nd_identity {
    const char *id, *name, *scale_set, *region, *zone;
    const fc_labels *labels; /* borrowed */
    char boot_id[40];
} nd_identity;

/* What every instance capture needs of its node. Everything borrowed. */
typedef struct nd_env {
    fc_loop *loop;
    nd_backend *backend;
    nd_storage *storage;
    const nd_identity *identity;
    const nd_policy *policy;
    const char *captures_dir;
    uint64_t ring_bytes;
    fc_err (*interfaces)(const fc_strings *asked, const fc_strings *allowed, fc_strings *ret_names,
                         fc_fail *fail);
    /* The network context of this machine, now; NULL = none is made. Takes some milliseconds. */
    fc_err (*context)(fc_context *ret_context, fc_fail *fail);
    /* The coordinator's endpoints, whose conversation is left out of captures; returns how many. */
    size_t (*own)(void *own_user, fc_endpoint *ret_endpoints, size_t max);
    void *own_user;
    uint32_t (*active)(const struct nd_env *env, const struct nd_instance_capture *but);
    /* Something to report: a change of state at once, counters when it suits. */
    void (*changed)(struct nd_env *env, struct nd_instance_capture *capture, bool urgent);
} nd_env;

typedef struct nd_instance_capture {
    nd_env *env;             /* borrowed from the node */
    nd_desired_capture want; /* owned: as it was admitted */
    fc_status status;        /* owned: as it is reported */
    nd_state state;
    nd_mark mark;           /* revisions of status.revision, as those of the segments */
    uint64_t told_revision; /* the highest that went out on this connection: the next one must be higher */
    nd_mark *segment_marks; /* owned; parallel to status.segments */
    bool go_known;
    fc_mono start_by; /* when an armed helper that knows its instant must have started */
    fc_counters base; /* of earlier helpers */
    uint32_t next_sequence;
    nd_run *run;                       /* owned; NULL = no helper */
    char directory[ND_DIRECTORY_SIZE]; /* "" = nothing on the disk */
    fc_wall gap_from;                  /* a gap that the next start closes; 0 = none */
    fc_mono restore_until;             /* give up waiting for the earlier helper */
    fc_wall restore_lease_end;
    bool restoring;          /* its files may still be written by the helper of a dead node */
    nd_action disposal;      /* FORGET or PURGE once final */
    uint64_t ignored_events; /* that meant nothing in their state */
    nd_evidence evidence;    /* owned */
    fc_task context_task;    /* reads the context, after the change of state was told */
    fc_timer timer;          /* of the state */
    fc_timer save_timer;
    fc_timer silence_timer; /* while it runs */
    fc_mono heard_at;       /* the helper's last word */
    bool silent;            /* status.error says so */
    uint64_t silences;      /* how often that was */
} nd_instance_capture;

/* Takes *want. PENDING. */
nd_instance_capture *
nd_instance_capture_new(nd_env *env, nd_desired_capture *want);
/* Lets go of a helper that still runs (it seals and exits). */
void
nd_instance_capture_free(nd_instance_capture *capture);

/* Checks it against policy, disk, filter and interfaces, and arms it or refuses it. */
void
nd_instance_capture_admit(nd_instance_capture *capture);
/* The start instant is known. A window of 0 is the spec's time limit from the start. */
void
nd_instance_capture_go(nd_instance_capture *capture, fc_wall start, fc_wall window_end);
/* The first reason stays. */
void
nd_instance_capture_stop(nd_instance_capture *capture, fc_stop_reason reason);
/* Worker's answers. */
void
nd_instance_capture_recovered(nd_instance_capture *capture, const nd_recovery *recovery);
void
nd_instance_capture_hashed(nd_instance_capture *capture, uint32_t sequence, uint64_t size_bytes,
                           const uint8_t sha256[32]);

/* After a restart: takes *status as the journal had it; repairs what was left; goes on or seals. lease_end:
 * when the lease ran out, or will; 0 = not known. */
void
nd_instance_capture_restore(nd_instance_capture *capture, fc_status *status, fc_wall lease_end);
/* Pure: why a restored capture must not go on; FC_STOP_NONE = it may. */
fc_stop_reason
nd_restore_reason(const nd_desired_capture *want, const fc_status *status, fc_wall now, fc_wall lease_end);
/* Pure: puts the files found after a helper's death into the status: segments, and counters made right by
 * what the files really hold beyond or short of what was last known. */
void
nd_restore_fold(fc_status *status, const nd_recovery *recovery);

/* Something happened: does what state.c says, and logs each change of state. */
void
nd_instance_capture_event(nd_instance_capture *capture, nd_event event);
/* Marks a change: bumps the revision and tells the node. */
void
nd_instance_capture_changed(nd_instance_capture *capture, bool urgent);
/* Writes the evidence that is new. */
void
nd_instance_capture_save_evidence(nd_instance_capture *capture);
/* nd_run_ops.profile; user is the instance capture. */
void
nd_instance_capture_profile(void *user, const void *bytes, size_t size);
/* Of context_task: reads the context, once when the capture runs and once when it is over. */
void
nd_instance_capture_context_run(fc_task *task);
/* silence.c: the state has changed; a helper is listened for while it runs. */
void
nd_instance_capture_listen(nd_instance_capture *capture);
/* The helper has said something. */
void
nd_instance_capture_heard(nd_instance_capture *capture);
/* Of silence_timer. */
void
nd_instance_capture_silence_fire(fc_timer *timer);
/* Adds or replaces by sequence, and marks it. */
void
nd_instance_capture_put_segment(nd_instance_capture *capture, const fc_segment *segment);
/* Drops removed segments that the coordinator knows of. */
void
nd_instance_capture_prune(nd_instance_capture *capture);
/* The marks made anew, after status.segments was changed by other means: all of it unreported. */
void
nd_instance_capture_remark(nd_instance_capture *capture);

#endif
