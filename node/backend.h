/* backend.h: who captures for us: one run = one helper process, or something that behaves like one.
 *
 * helper_backend.c starts fleetcap-capture through the monitor; fake_backend.c plays it in memory for
 * scenarios and the fan-out bench. Life of a run: start -> armed -> go -> started -> progress, segment,
 * profile … -> exactly one of stopped, failed, died. All callbacks come from the loop, never from within
 * these functions, and none after release.
 */
#ifndef ND_BACKEND_H
#define ND_BACKEND_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/model/definition.h"
#include "common/model/status.h"

#include <stdint.h>

/* Everything a helper is told. Borrowed for the call of start. */
typedef struct nd_run_spec {
    const char *capture_uid, *capture_name;
    const char *instance_id, *instance_name, *scale_set, *region, *zone, *incident_id;
    const fc_spec *spec;
    const char *filter; /* the whole expression, own traffic excluded */
    uint64_t ring_bytes;
    uint32_t first_sequence;
    uint64_t written_packets,
        written_bytes; /* by earlier helpers, so that limits hold over a resumed capture */
    uint64_t disk_floor_bytes;
    const fc_strings *interfaces;
    const char *file_prefix;
    fc_wall window_end; /* 0 = not known yet */
    int dir_fd;         /* where segments go; taken over by the run, closed in any case; -1 with the fake */
} nd_run_spec;

typedef struct nd_progress {
    fc_counters counters; /* of this helper alone */
    fc_wall first_packet, last_packet;
    bool has_current;
    fc_segment current; /* path is a bare file name, as in every segment a run speaks of */
} nd_progress;

typedef struct nd_run_ops {
    void (*armed)(void *user, uint64_t ring_bytes);
    void (*started)(void *user, fc_wall start);
    void (*progress)(void *user, const nd_progress *progress);
    void (*segment)(void *user, const fc_segment *segment);
    void (*stopped)(void *user, fc_stop_reason reason, const char *error, const nd_progress *final,
                    fc_wall stop);
    void (*failed)(void *user, fc_stop_reason reason, const char *error);
    void (*died)(void *user, const char *how); /* "was killed by signal 9"; the process is gone */
    /* The packed profile of this helper's traffic so far, of any size; the last one comes before stopped. */
    void (*profile)(void *user, const void *bytes, size_t size);
} nd_run_ops;

/* The first member of each backend's own run. */
typedef struct nd_run {
    const struct nd_backend_ops *backend;
    const nd_run_ops *ops; /* borrowed for ever */
    void *user;            /* borrowed from the instance capture */
} nd_run;

/* The first member of each backend. */
typedef struct nd_backend {
    const struct nd_backend_ops *ops;
} nd_backend;

typedef struct nd_backend_ops {
    fc_err (*start)(nd_backend *backend, const nd_run_spec *spec, const nd_run_ops *ops, void *user,
                    nd_run **ret_run, fc_fail *fail);
    void (*go)(nd_run *run, fc_wall start, fc_wall window_end);
    void (*stop)(nd_run *run, fc_stop_reason reason);
    void (*kill)(nd_run *run);    /* died follows */
    void (*release)(nd_run *run); /* frees it; a helper that still runs drains, seals and exits */
} nd_backend_ops;

#endif
