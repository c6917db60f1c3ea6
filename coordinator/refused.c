#include "coordinator/refused.h"

#include "common/base/log.h"
#include "coordinator/coordinator.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const names[CO_REFUSED_KIND_COUNT] = {
#define X(kind, name) [CO_REFUSED_##kind] = (name),
    CO_REFUSED_KINDS(X)
#undef X
};

static void
tell_held_back(fc_rate *rate, const char *name)
{
    uint64_t count = fc_rate_take_held_back(rate);
    if (count > 0)
        fc_log(FC_LOG_WARNING, "%" PRIu64 " more %s were refused: too many to be logged one by one", count,
               name);
}

void
co_refused_log(struct co *co, co_refused_kind kind, const char *format, ...)
{
    char line[900];
    va_list list;
    fc_rate *rate = &co->refused.rates[kind];
    if (!fc_rate_pass(rate, CO_REFUSED_BURST, CO_REFUSED_EVERY_MS, fc_loop_now(co->loop))) {
        co->counters.log_left_out++;
        return;
    }
    tell_held_back(rate, names[kind]);
    va_start(list, format);
    (void)vsnprintf(line, sizeof line, format, list);
    va_end(list);
    fc_log(FC_LOG_WARNING, "%s", line);
}

void
co_refused_sweep(struct co *co)
{
    fc_mono now = fc_loop_now(co->loop);
    for (size_t kind = 0; kind < CO_REFUSED_KIND_COUNT; kind++)
        if (fc_rate_is_full(&co->refused.rates[kind], now))
            tell_held_back(&co->refused.rates[kind], names[kind]);
}
