#include "path_tcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

rig_packet
segment(uint32_t i)
{
    return (rig_packet){.protocol = 6,
                        .sequence = 5000 + i * MSS,
                        .acknowledgement = 777,
                        .timestamp = 100000 + i,
                        .id = (uint16_t)(1000 + i),
                        .length = MSS};
}

rig_packet
acknowledgement(uint32_t i)
{
    return (rig_packet){.protocol = 6,
                        .from_b = true,
                        .sequence = 777,
                        .acknowledgement = 5000 + (i + 1) * MSS,
                        .timestamp = 900000 + i,
                        .id = (uint16_t)(3000 + i)};
}

void
cross_segment(rig *r, uint32_t i)
{
    rig_packet there = segment(i), back = acknowledgement(i);
    rig_cross(r, RIG_MS(i), RIG_US(100), &there);
    rig_cross(r, RIG_MS(i) + RIG_US(120), RIG_US(90), &back);
}

void
cross_all_but_one(rig *r)
{
    for (uint32_t i = 0; i < SEGMENTS; i++)
        if (i != LOST)
            cross_segment(r, i);
}

const fc_path_flow *
only_flow(const fc_path_result *result, fc_path_way way)
{
    assert_int_equal(result->count, 1);
    return &result->conversations[0].flows[way];
}
