/* loop_rig.h: the one loop of a test, on the machine's clocks, and waiting on it. */
#ifndef FC_TESTS_LOOP_RIG_H
#define FC_TESTS_LOOP_RIG_H

#include "common/base/err.h"
#include "common/base/loop.h"

extern fc_loop *loop;

/* Makes it, and frees it: cmocka's setup and teardown. */
int
loop_set_up(void **state);
int
loop_tear_down(void **state);

/* What a test waits for anything that must come. */
enum { PATIENCE_MS = 30000 };

/* Runs the loop until the condition holds; the test fails when that takes longer. */
#define RUN_LOOP_UNTIL(the_loop, condition)                                                                  \
    do {                                                                                                     \
        fc_timer give_up = {.fire = loop_give_up};                                                           \
        fc_loop_timer_after_ms(the_loop, &give_up, PATIENCE_MS);                                             \
        while (!(condition))                                                                                 \
            fc_loop_step(the_loop, 5);                                                                       \
        fc_loop_timer_clear(the_loop, &give_up);                                                             \
    } while (0)
#define RUN_UNTIL(condition) RUN_LOOP_UNTIL(loop, condition)

void
loop_give_up(fc_timer *timer);

/* Fails the test with the sentence of `fail` unless it went well. */
void
must(fc_err err, const fc_fail *fail);

#endif
