/* captures.h: captures, their instance captures ("parts"), and how the parts' states fold into the capture's.
 *
 * A part has three faces: what we want (action), what the instance last said (status), and what is shown (the
 * said state, or UNKNOWN while the instance is away). Folding is incremental: a report costs the same with
 * ten parts and with ten thousand. A deleted capture leaves the name space at once and stays until every
 * instance has forgotten it.
 */
#ifndef CO_CAPTURES_H
#define CO_CAPTURES_H

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/loop.h"
#include "common/base/principal.h"
#include "common/model/definition.h"
#include "common/model/status.h"
#include "coordinator/registry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

struct co;
struct co_wait;
struct co_watch;

enum {
    CO_STATE_COUNT = 8,
    CO_CAPTURES_MAX = 10000,
    /* What an instance may hold at once, so that its desired state fits one frame: 8 x (4 KiB + 300 bytes)
     * that run and 160 bytes for each that is over. */
    CO_PARTS_PER_INSTANCE_MAX = 150,
    /* Files of one part beyond its ring: each restart of a node begins another. */
    CO_SEGMENTS_EXTRA_MAX = 256,
};

/* Numbers are those of fleetcap.v1.DesiredAction. */
typedef enum co_action {
    CO_ACTION_RUN = 1,
    CO_ACTION_STOP = 2,
    CO_ACTION_FORGET = 3,
    CO_ACTION_PURGE = 4,
} co_action;

typedef struct co_part {
    struct co_capture *capture; /* borrowed */
    co_instance *instance;      /* borrowed */
    fc_status status;           /* what the instance said; segments that are gone are left out */
    co_action action;
    fc_stop_reason stop_reason; /* with STOP */
    uint64_t generation;        /* the instance's, in which the action was last changed */
    uint64_t floor;             /* the last revision taken on this connection */
    bool told;                  /* the instance may know of it */
    bool heard;                 /* since Hello: the instance has named it */
    bool acked;                 /* the instance has taken the order to arm */
    bool arming;                /* the start waits for it */
    bool forgotten;             /* the instance has acknowledged FORGET or PURGE */
    fc_mono forgotten_at;
    bool gone; /* nothing more will come of it; the instance does not list it */

    fc_state shown;                /* what is counted */
    fc_counters counted;           /* what is in the capture's totals */
    uint32_t region;               /* index in capture->regions */
    uint64_t change;               /* the capture's change number when it last changed */
    struct co_part *newer, *older; /* the capture's parts by change */

    bool dirty; /* waits for the store */
    struct co_part *next_dirty;
    uint32_t *dirty_segments; /* owned: sequences that wait for the store */
    size_t dirty_segment_count;

    struct co_evidence *evidence; /* owned; NULL = none has come to this coordinator */

    struct co_wait *waits;       /* borrowed: who wants to know of its end */
    struct co_part *next, *prev; /* the instance's */
} co_part;

typedef struct co_region {
    char name[FC_NAME_MAX + 1];
    uint32_t unfinished; /* parts there that are not final */
} co_region;

typedef struct co_capture {
    char uid[FC_UID_LENGTH + 1];
    fc_definition definition;
    char *compiled_filter; /* owned */
    char created_by[FC_PRINCIPAL_TEXT_SIZE];
    fc_wall created;
    fc_wall start; /* the common start instant on our clock; 0 = not decided */
    fc_wall window_end;
    uint32_t lead_ms;
    bool stop_requested;
    bool deleted;

    co_part *parts; /* owned array */
    size_t part_count;
    co_region *regions; /* owned array */
    size_t region_count;

    uint32_t counts[CO_STATE_COUNT]; /* parts by shown state */
    uint32_t unfinished;             /* parts whose said state is not final */
    uint32_t kept;                   /* parts that are not gone */
    fc_counters totals;
    fc_state state;  /* folded */
    uint64_t change; /* grows with every change of a part or of the capture */
    co_part *newest; /* parts by change */

    struct co *co;      /* borrowed; for the timer */
    uint32_t arming;    /* parts that the start waits for */
    fc_mono begun;      /* when the instances were told to arm; 0 = by an earlier coordinator */
    int64_t fan_out_ns; /* how long it took until the last of them had taken it */
    fc_timer arm_timer;
    struct co_watch *watches; /* borrowed */
    uint32_t watch_count;
    bool watches_idle;   /* some watch is not yet set to deliver */
    uint32_t references; /* cursors and operations under way */

    bool dirty; /* waits for the store */
    struct co_capture *next_dirty;
    UT_hash_handle hh;      /* by uid */
    UT_hash_handle hh_name; /* by name; only while not deleted */
} co_capture;

typedef struct co_captures {
    co_capture *by_uid;  /* owned; in order of creation */
    co_capture *by_name; /* borrowed */
    size_t count;
} co_captures;

void
co_captures_fini(struct co *co);

/* A capture that is in no table yet: takes *definition (left empty) and has one PENDING part for each
 * instance. */
co_capture *
co_capture_new(struct co *co, fc_definition *definition, const char *uid, size_t part_count);
/* Fills the next part; call it part_count times, then co_capture_enter. */
co_part *
co_capture_add_part(co_capture *capture, co_instance *instance);
/* Enters the tables (and the instances' lists). */
void
co_capture_enter(struct co *co, co_capture *capture);
/* From the store: the next part of a capture that was entered with none. Takes *status (left empty). */
co_part *
co_capture_restore_part(struct co *co, co_capture *capture, co_instance *instance, fc_status *status,
                        bool gone);
/* Of a capture that was never entered. */
void
co_capture_free(co_capture *capture);

co_capture *
co_capture_find(const co_captures *captures, const char *name); /* not deleted; NULL when unknown */
co_capture *
co_capture_find_uid(const co_captures *captures, const char *uid);
co_part *
co_part_find(const co_instance *instance, const char *capture_uid);
co_part *
co_part_of(const co_capture *capture, const co_instance *instance);
/* NULL when the part has no such segment (any more). Borrowed until the part's next report. */
const fc_segment *
co_part_segment(const co_part *part, uint32_t sequence);
/* The first segment with this sequence or a higher one; NULL when there is none. */
const fc_segment *
co_part_segment_from(const co_part *part, uint32_t sequence);
void
co_capture_hold(co_capture *capture);
/* Frees it when it is deleted, forgotten by all and held by nobody else. */
void
co_capture_release(struct co *co, co_capture *capture);

/* It leaves the name space; the row stays until its parts are gone. */
void
co_capture_delete(struct co *co, co_capture *capture);

/* Not final, and its window (with some grace) is not over: it counts against quotas. */
bool
co_capture_active(const struct co *co, const co_capture *capture);

/* Takes a report over into the part: *status is taken (left empty). Folds, wakes, marks for the store.
 * *ret_durable: it holds something that must be stored before it is answered (a final state, a sealed
 * segment). */
void
co_part_report(struct co *co, co_part *part, fc_status *status, bool *ret_durable);
/* Ends a part without the instance's word (nothing of it ever ran there, or it is lost). */
void
co_part_settle(struct co *co, co_part *part, fc_state state, fc_stop_reason reason, const char *error);
/* Changes what we want of it. The instance has to be touched after (co_reconcile_touch). */
void
co_part_want(struct co *co, co_part *part, co_action action, fc_stop_reason reason);
/* Computes what is shown again and folds the difference. */
void
co_part_fold(struct co *co, co_part *part);
/* The instance has acknowledged that it forgot it; waiters are told. */
void
co_part_forgotten(struct co *co, co_part *part);
/* Nothing more comes of it: it leaves the instance's list; the last one frees a deleted capture. */
void
co_part_gone(struct co *co, co_part *part);
/* The capture itself changed (start decided, stop requested). */
void
co_capture_changed(struct co *co, co_capture *capture);

/* ---- waiting for a part's end ---- */

typedef struct co_wait {
    co_part *part;                      /* borrowed; NULL once fired */
    bool for_forgotten;                 /* else for a final state */
    void (*fire)(struct co_wait *wait); /* once; the wait is off the list by then */
    void *user;
    struct co_wait *next, *prev;
} co_wait;

void
co_wait_add(co_part *part, co_wait *wait);
void
co_wait_remove(co_wait *wait);

#endif
