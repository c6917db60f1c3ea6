#include "common/analysis/leap.h"

void
fc_leap_hold(fc_leap *leap, const fc_frame *frame, int64_t unix_ns, uint8_t file, uint64_t number)
{
    static const uint8_t none[1];
    fc_buf_clear(&leap->bytes);
    fc_buf_append(&leap->bytes, frame->data, frame->captured_bytes);
    leap->frame = *frame;
    leap->frame.data = frame->captured_bytes > 0 ? fc_buf_bytes(&leap->bytes) : none;
    leap->frame.unix_ns = unix_ns;
    leap->file = file;
    leap->number = number;
    leap->held = true;
}

bool
fc_leap_decide(const fc_leap *leap, int64_t clock_ns, int64_t next_ns, int64_t *ret_unix_ns)
{
    bool right = next_ns >= leap->frame.unix_ns - FC_LEAP_NS;
    *ret_unix_ns = right ? leap->frame.unix_ns : clock_ns != 0 ? clock_ns : next_ns;
    return right;
}

bool
fc_leap_decide_last(const fc_leap *leap, int64_t clock_ns, int64_t end_ns, int64_t *ret_unix_ns)
{
    int64_t last_ns = clock_ns + FC_LEAP_LAST_NS > end_ns ? clock_ns + FC_LEAP_LAST_NS : end_ns;
    bool right = clock_ns == 0 || leap->frame.unix_ns <= last_ns;
    *ret_unix_ns = right ? leap->frame.unix_ns : clock_ns;
    return right;
}

void
fc_leap_fini(fc_leap *leap)
{
    fc_buf_fini(&leap->bytes);
}
