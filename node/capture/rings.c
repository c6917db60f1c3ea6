#include "node/capture/rings.h"

fc_err
cap_rings_open(cap_rings *rings, const cap_spec *spec, fc_stop_reason *ret_reason, fc_fail *fail)
{
    for (size_t i = 0; i < spec->interface_count; i++) {
        fc_err err = cap_ring_open(&rings->items[i], spec, (uint32_t)i, ret_reason, fail);
        if (err != FC_OK)
            return err;
        rings->count++;
    }
    return FC_OK;
}

fc_err
cap_rings_attach(cap_rings *rings, fc_fail *fail)
{
    fc_err err = FC_OK;
    for (size_t i = 0; i < rings->count && err == FC_OK; i++)
        err = cap_ring_attach(&rings->items[i], fail);
    return err;
}

void
cap_rings_poll(cap_rings *rings)
{
    for (size_t i = 0; i < rings->count; i++)
        cap_ring_poll(&rings->items[i], rings->stalled);
}

void
cap_rings_set_stalled(cap_rings *rings, bool stalled)
{
    if (stalled == rings->stalled)
        return;
    cap_rings_poll(rings);
    rings->stalled = stalled;
}

bool
cap_rings_look(cap_rings *rings)
{
    uint64_t processed = 0;
    for (size_t i = 0; i < rings->count; i++)
        processed += rings->items[i].processed;
    bool more = processed != rings->processed;
    rings->processed = processed;
    return more;
}

uint64_t
cap_rings_granted_bytes(const cap_rings *rings)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < rings->count; i++)
        sum += rings->items[i].granted_bytes;
    return sum;
}

uint64_t
cap_rings_smallest_bytes(const cap_rings *rings)
{
    uint64_t bytes = UINT64_MAX;
    for (size_t i = 0; i < rings->count; i++)
        if (rings->items[i].granted_bytes < bytes)
            bytes = rings->items[i].granted_bytes;
    return bytes;
}

uint64_t
cap_rings_waiting(const cap_rings *rings)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < rings->count; i++)
        sum += cap_ring_waiting(&rings->items[i]);
    return sum;
}

void
cap_rings_counts(const cap_rings *rings, cap_kernel_counts *ret_sum)
{
    *ret_sum = (cap_kernel_counts){0};
    for (size_t i = 0; i < rings->count; i++) {
        const cap_kernel_counts *counts = &rings->items[i].counts;
        ret_sum->matched += counts->matched;
        ret_sum->dropped += counts->dropped;
        ret_sum->dropped_stalled += counts->dropped_stalled;
        ret_sum->interface_dropped += counts->interface_dropped;
    }
}
