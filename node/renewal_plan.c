#include "node/renewal_plan.h"

static int64_t
least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* 0 to limit, both included; limits are far below 2^63, so the bias of the remainder is nothing. */
static int64_t
up_to(int64_t limit, uint64_t random)
{
    return limit <= 0 ? 0 : (int64_t)(random % ((uint64_t)limit + 1));
}

nd_renewal_plan
nd_renewal_plan_make(fc_wall not_before, fc_wall not_after, fc_wall now, uint64_t random)
{
    int64_t percent = most(not_after.ns - not_before.ns, 0) / 100;
    int64_t left = ND_RENEWAL_LATEST_PERCENT * percent +
                   up_to((ND_RENEWAL_EARLIEST_PERCENT - ND_RENEWAL_LATEST_PERCENT) * percent, random);
    int64_t soonest = now.ns + ND_RENEWAL_FLOOR_MS * FC_NS_PER_MS;
    return (nd_renewal_plan){.end = not_after, .due = {most(not_after.ns - left, soonest)}};
}

void
nd_renewal_plan_failed(nd_renewal_plan *plan, fc_wall now, uint64_t random)
{
    int64_t left_ms = most(plan->end.ns - now.ns, 0) / FC_NS_PER_MS;
    int64_t ceiling = ND_RENEWAL_RETRY_FIRST_MS;
    for (unsigned i = 0; i < plan->failures && ceiling < ND_RENEWAL_RETRY_MAX_MS; i++)
        ceiling *= 2;
    ceiling = least(ceiling, ND_RENEWAL_RETRY_MAX_MS);
    ceiling = most(least(ceiling, left_ms / ND_RENEWAL_RETRIES), ND_RENEWAL_FLOOR_MS);
    plan->failures++;
    plan->due.ns = now.ns + (ceiling / 2 + up_to(ceiling / 2, random)) * FC_NS_PER_MS;
}

void
nd_renewal_plan_spread(nd_renewal_plan *plan, fc_wall now, uint64_t random)
{
    int64_t left_ms = most(plan->end.ns - now.ns, 0) / FC_NS_PER_MS;
    int64_t within_ms = least(left_ms / ND_RENEWAL_RETRIES, ND_RENEWAL_SPREAD_MAX_MS);
    plan->due.ns = now.ns + up_to(within_ms, random) * FC_NS_PER_MS;
}

nd_renewal_state
nd_renewal_plan_state(const nd_renewal_plan *plan, fc_wall now)
{
    if (now.ns >= plan->end.ns)
        return ND_RENEWAL_ENDED;
    return now.ns >= plan->due.ns ? ND_RENEWAL_DUE : ND_RENEWAL_WAITS;
}

int64_t
nd_renewal_plan_wait_ms(const nd_renewal_plan *plan, fc_wall now, int64_t max_ms)
{
    int64_t next = now.ns < plan->due.ns ? least(plan->due.ns, plan->end.ns) : plan->end.ns;
    int64_t ms = next > now.ns ? (next - now.ns + FC_NS_PER_MS - 1) / FC_NS_PER_MS : max_ms;
    return most(least(ms, max_ms), 1);
}
