/* fake_backend.h: a backend that plays capture helpers in memory, on the loop's clock.
 *
 * For scenarios (which also make it misbehave) and for the fan-out bench. A released helper that still ran
 * drains for drain_ms, as a real one does after its channel's end; until then nd_fake_working says that it
 * works in its directory.
 */
#ifndef ND_FAKE_BACKEND_H
#define ND_FAKE_BACKEND_H

#include "common/base/loop.h"
#include "node/backend.h"

#include <stdbool.h>

typedef struct nd_fake_options {
    uint32_t arm_ms;  /* from start to armed */
    uint32_t stop_ms; /* from stop to stopped */
    uint32_t drain_ms;
    uint32_t progress_ms; /* 0 = no packets, and only the heartbeat */
    uint64_t packets_per_progress;
    uint32_t rotate_packets; /* a segment is sealed after that many; 0 = never */
    bool profiles; /* one with each progress, and the last one: its packetsIn are what was written */
} nd_fake_options;

nd_backend *
nd_fake_backend_new(fc_loop *loop, const nd_fake_options *options);
/* Ends what still drains. */
void
nd_fake_backend_free(nd_backend *backend);
nd_fake_options *
nd_fake_backend_options(nd_backend *backend); /* may be changed at any time */

/* Helpers at work for a capture, draining ones included; uid NULL = for all. */
size_t
nd_fake_working(const nd_backend *backend, const char *uid);
/* The most that ever worked for one capture at once, and how many were started in all. */
size_t
nd_fake_most_at_once(const nd_backend *backend);
uint64_t
nd_fake_started(const nd_backend *backend);

typedef enum nd_fake_mishap {
    ND_FAKE_DIE,  /* as by SIGKILL */
    ND_FAKE_FAIL, /* says why it cannot go on */
    ND_FAKE_END,  /* ends by itself, with SESSION_BYTES */
    ND_FAKE_HANG, /* answers nothing any more */
    ND_FAKE_WAKE, /* one that hangs goes on */
} nd_fake_mishap;
/* To the index-th helper that is not draining (modulo their number); false when there is none. */
bool
nd_fake_backend_hit(nd_backend *backend, size_t index, nd_fake_mishap mishap);
/* The next starts are refused, until told otherwise. */
void
nd_fake_backend_refuse(nd_backend *backend, bool refuse);

#endif
