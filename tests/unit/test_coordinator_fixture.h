/* test_coordinator_fixture.h: a coordinator on a clock that we move, with links that only remember. */
#ifndef TEST_COORDINATOR_FIXTURE_H
#define TEST_COORDINATOR_FIXTURE_H

#include "coordinator/coordinator.h"
#include "coordinator/operations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { TOLD_MAX = 64 };

/* What the coordinator told through a link. */
typedef struct told {
    char uid[FC_UID_LENGTH + 1];
    co_desired desired;
} told;

typedef struct fake_link {
    co_instance *instance;
    uint64_t generation; /* of the last push */
    unsigned pushes;
    told told[TOLD_MAX];
    size_t told_count;
    co_link_clock clock;
    bool closed;
} fake_link;

typedef struct fixture {
    fc_loop *loop;
    co_config config;
    co_store *store;
    struct co *co;
} fixture;

extern int64_t fixture_now_ns; /* both clocks' hands */
extern const fc_clock fixture_clock;
extern const co_link_ops fake_link_ops;

/* settings: YAML; path: of the store, ":memory:". */
void
fixture_open(fixture *f, const char *settings, const char *path, const co_link_ops *ops);
void
fixture_close(fixture *f);
/* The coordinator ends without having written what waits, and begins again from the store. */
void
fixture_kill(fixture *f, const co_link_ops *ops);
/* Moves the clock, timer by timer. */
void
fixture_run_ms(fixture *f, int64_t ms);

/* The definition of a capture of this name on all of scale set web for a minute; static, until the next call.
 */
const char *
fixture_all_of(const char *name);
/* A definition as an operator would write it, from JSON. */
fc_definition
fixture_definition(const char *json);
/* Creates; the definition is made of name and target, "" = a target of its own. */
fc_err
fixture_create(fixture *f, const char *request_id, const char *json, co_created *ret, fc_fail *fail);
/* The same, and it must succeed. */
co_capture *
fixture_capture(fixture *f, const char *json);

/* An instance of scale set web says Hello with nothing running. */
co_instance *
fixture_join(fixture *f, const char *id, const char *region, fake_link *link);
void
fixture_leave(fixture *f, fake_link *link);
/* The node acknowledges its last push. */
void
fixture_ack(fixture *f, fake_link *link);
/* The instance reports; true when the coordinator wants to store it before the answer. */
bool
fixture_report(fixture *f, co_part *part, fc_state state, uint64_t revision);
const told *
fixture_told(const fake_link *link, const co_capture *capture);

/* A segment of job on web-1, of 100 bytes. */
void
fixture_put_segment(fc_status *status, uint32_t sequence, bool sealed, bool removed);
/* The newest record of the audit log, "principal action object outcome", "" when there is none; static, until
 * the next call. *ret_count, which may be NULL: how many there are. */
const char *
fixture_last_audit(fixture *f, size_t *ret_count);

/* Recomputes everything that is folded and compares. */
void
fixture_check_folds(const fixture *f);

#endif
