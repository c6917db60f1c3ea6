/* test_coordinator_world.h: a coordinator on a fake clock, and a fleet of simulated nodes that behave as
 * ARCHITECTURE.md says: what they are told and report is on its way for a while, and lost when the connection
 * breaks.
 *
 * Everything happens by chance, and by the seed again.
 */
#ifndef TEST_COORDINATOR_WORLD_H
#define TEST_COORDINATOR_WORLD_H

#include "../unit/test_coordinator_fixture.h"
#include "coordinator/watch.h"

enum {
    NODES = 6,
    NODE_CAPTURES = 16,
    WATCHERS = 4,
    STARTS = 4096,
};

/* ---- chance ---- */

void
random_seed(uint64_t seed);
uint32_t
random_below(uint32_t limit);
bool
one_in(uint32_t n);

/* ---- a node ---- */

typedef struct node_capture {
    bool used;
    char uid[FC_UID_LENGTH + 1];
    fc_state state;
    fc_stop_reason reason;
    bool armed;
    co_action disposal; /* 0 = none */
    int64_t start_ns, end_ns;
    int64_t due_ns; /* when the next thing happens to it; 0 = nothing */
    bool stopping;
    uint64_t revision, sent, acked;
    uint64_t packets;
    uint32_t segments;
    bool segment_sealed;
} node_capture;

typedef struct world world;

typedef struct node {
    world *w;
    char id[16];
    bool up;
    struct link *link; /* owned by the world's list; NULL = not connected */
    uint64_t generation;
    node_capture captures[NODE_CAPTURES];
    char over[STARTS / 8][FC_UID_LENGTH + 1]; /* whose end the coordinator has taken */
    size_t over_count;
    fc_timer work; /* looks after its captures */
    fc_timer heartbeat;
} node;

/* A connection: messages are on their way for a while, and lost when it breaks. */
struct link {
    node *node;
    co_instance *instance;
    bool dead; /* broken, or closed by the coordinator */
    bool coordinator_gone;
    uint64_t pushed_generation;
    told told[NODE_CAPTURES * 2];
    size_t told_count;
    fc_timer push_timer, ack_timer, report_timer, answer_timer;
    bool report_under_way;
    fc_status report; /* what is under way */
    bool waits;
    co_flush_wait wait;
    bool answer_ok;
    struct link *next;
};

typedef struct start_seen {
    char uid[FC_UID_LENGTH + 1];
    int64_t start_ns;
} start_seen;

typedef struct watcher {
    co_watch watch;
    world *w;
    bool used;
} watcher;

typedef struct deletion {
    co_delete operation;
    world *w;
    struct deletion *next, *prev;
} deletion;

struct world {
    fixture f;
    node nodes[NODES];
    struct link *links; /* owned: all that ever were */
    start_seen starts[STARTS];
    size_t start_count;
    watcher watchers[WATCHERS];
    deletion *deletions; /* owned: under way */
    bool store_broken;
    unsigned created;
};

/* What the coordinator pushes to. */
extern const co_link_ops world_link_ops;

/* On the wall clock of everybody. */
int64_t
now_ns(void);
/* NULL = the node has no such capture. */
node_capture *
find(node *n, const char *uid);
/* The coordinator has taken that this capture ended here. */
bool
is_over(const node *n, const char *uid);
/* Makes web<number>, which is up and not connected yet. */
void
start_node(node *n, world *w, int number);
/* Says Hello, when it is up; one that is connected does so again, sometimes. */
void
connect_node(node *n);
/* The process dies and comes back: what ran is resumed, or over. With `wiped` it has forgotten everything. */
void
restart_node(node *n, bool wiped);
/* It is dead from then on; the coordinator hears of it unless it is gone itself. */
void
break_link(struct link *l);

#endif
