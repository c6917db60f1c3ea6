/* test_node_world.h: a node on a fake clock, with played helpers, a disk in memory, and what a coordinator
 * would know. */
#ifndef TEST_NODE_WORLD_H
#define TEST_NODE_WORLD_H

#include "common/base/log.h"
#include "common/base/mem.h"
#include "node/fake_backend.h"
#include "node/fake_storage.h"
#include "node/node.h"
#include "node/report.h"

#include <fleetcap/v1/coordinator_service.pb-c.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { UIDS = 6, LEASE_MS = 300000 };

typedef struct fake_clock {
    fc_clock clock; /* first */
    int64_t ns;
} fake_clock;

typedef struct want {
    bool present; /* in the desired set */
    nd_action action;
    fc_wall start, end;
    uint32_t limit_s;
} want;

/* What a coordinator would know. */
typedef struct seen {
    fc_state state;
    fc_stop_reason reason;
    uint64_t revision; /* on this connection */
} seen;

typedef struct world {
    fake_clock clock;
    fc_loop *loop;
    nd_backend *backend;
    nd_storage *storage;
    nd_node *node; /* NULL while dead */
    nd_identity identity;
    fc_labels labels;
    nd_policy policy;
    uint64_t random, generation;
    uint64_t seed;
    bool connected, down;
    fc_err (*context)(fc_context *ret_context, fc_fail *fail); /* of the node that is brought up next */
    want wants[UIDS];
    seen seen[UIDS];
    uint32_t epoch[UIDS]; /* uids are used again after they were forgotten, under another name */
} world;

/* 0 to sides - 1 */
uint64_t
world_dice(world *w, uint64_t sides);
/* of the i-th capture; returns text */
const char *
world_uid(const world *w, size_t i, char text[FC_UID_LENGTH + 1]);
void
world_node_up(world *w);
/* As by SIGKILL. */
void
world_node_down(world *w);
/* What is posted and due now. */
void
world_settle(world *w);
/* The clock's hands move, and everything that is due on the way happens. */
void
world_advance(world *w, int64_t ms);
/* The wants become the node's desired state. */
void
world_push(world *w);
/* As a coordinator takes it; fails when it says what cannot be. */
void
world_take(world *w, const Fcpb__InstanceCapture *message);
/* Everything that is to be told is told, or is lost on the way. */
void
world_reports(world *w, bool lose);
void
world_connect(world *w, bool connected);
void
world_init(world *w, uint64_t seed);
void
world_fini(world *w);
fc_wall
world_wall(const world *w);

/* The registered stories (test_node_stories.c). */
extern const struct CMUnitTest test_node_stories[];
extern const size_t test_node_story_count;

#endif
