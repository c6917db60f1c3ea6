#include "loop_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

fc_loop *loop;

int
loop_set_up(void **state)
{
    (void)state;
    return fc_loop_new(&fc_clock_system, &loop) == FC_OK ? 0 : -1;
}

int
loop_tear_down(void **state)
{
    (void)state;
    fc_loop_free(loop);
    return 0;
}

void
loop_give_up(fc_timer *timer)
{
    (void)timer;
    fail_msg("waited 30 s in vain");
}

void
must(fc_err err, const fc_fail *fail)
{
    if (err != FC_OK)
        fail_msg("%s", fail->text);
}
