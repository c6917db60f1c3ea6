#include "node/policy.h"

#include <inttypes.h>
#include <stdio.h>

void
nd_policy_fini(nd_policy *policy)
{
    fc_strings_fini(&policy->interfaces);
}

/* What a capture may come to occupy: its limit, or what its ring holds; 0 = no end. */
static uint64_t
bytes_asked(const fc_spec *spec)
{
    if (spec->session_bytes > 0 || spec->ring_files == 0)
        return spec->session_bytes;
    uint64_t ring;
    return __builtin_mul_overflow((uint64_t)spec->ring_files, spec->ring_file_bytes, &ring) ? 0 : ring;
}

static fc_err
check_bytes(const nd_policy *policy, const fc_spec *spec, fc_fail *fail)
{
    uint64_t asked = bytes_asked(spec);
    char asked_text[FC_SIZE_TEXT] = "no limit", allowed_text[FC_SIZE_TEXT];
    if (policy->session_bytes_max == 0 || (asked > 0 && asked <= policy->session_bytes_max))
        return FC_OK;
    if (asked > 0)
        (void)fc_size_text(asked, asked_text);
    return fc_fail_field(
        fail, FC_ERR_DENIED, "totalBytesPerSession",
        "the capture asks for %s (%" PRIu64 " bytes) per session, this node allows %s (%" PRIu64 " bytes)",
        asked_text, asked, fc_size_text(policy->session_bytes_max, allowed_text), policy->session_bytes_max);
}

static fc_err
check_time(const nd_policy *policy, const fc_spec *spec, fc_fail *fail)
{
    if (policy->time_limit_max_ms == 0 || (uint64_t)spec->time_limit_s * 1000 <= policy->time_limit_max_ms)
        return FC_OK;
    return fc_fail_field(fail, FC_ERR_DENIED, "timeLimitInSeconds",
                         "the capture asks for %" PRIu32 " s, this node allows %" PRIu64 " s",
                         spec->time_limit_s, policy->time_limit_max_ms / 1000);
}

static fc_err
check_snaplen(const nd_policy *policy, const fc_spec *spec, fc_fail *fail)
{
    if (policy->bytes_per_packet_max == 0 ||
        (spec->bytes_per_packet > 0 && spec->bytes_per_packet <= policy->bytes_per_packet_max))
        return FC_OK;
    char asked[16] = "all";
    if (spec->bytes_per_packet > 0)
        (void)snprintf(asked, sizeof asked, "%" PRIu32, spec->bytes_per_packet);
    return fc_fail_field(fail, FC_ERR_DENIED, "bytesToCapturePerPacket",
                         "the capture asks for %s bytes per packet, this node allows %" PRIu64, asked,
                         policy->bytes_per_packet_max);
}

static fc_err
check_interfaces(const nd_policy *policy, const fc_spec *spec, fc_fail *fail)
{
    for (size_t i = 0; i < spec->interfaces.count && policy->interfaces.count > 0; i++)
        if (!fc_strings_have(&policy->interfaces, spec->interfaces.items[i]))
            return fc_fail_field(fail, FC_ERR_DENIED, "interfaces",
                                 "the capture asks for interface %.32s, this node does not allow it",
                                 spec->interfaces.items[i]);
    return FC_OK;
}

fc_err
nd_policy_check(const nd_policy *policy, const fc_spec *spec, const nd_policy_facts *facts,
                fc_stop_reason *ret_reason, fc_fail *fail)
{
    fc_err (*const checks[])(const nd_policy *, const fc_spec *,
                             fc_fail *) = {check_bytes, check_time, check_snaplen, check_interfaces};
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        fc_err err = checks[i](policy, spec, fail);
        if (err != FC_OK) {
            *ret_reason = FC_STOP_POLICY_REFUSED;
            return err;
        }
    }
    if (policy->captures_max > 0 && facts->captures_active >= policy->captures_max) {
        *ret_reason = FC_STOP_POLICY_REFUSED;
        return fc_fail_set(fail, FC_ERR_DENIED,
                           "%" PRIu32 " captures are active, this node allows %" PRIu32 " at once",
                           facts->captures_active, policy->captures_max);
    }
    if (facts->free_bytes < policy->disk_floor_bytes) {
        char free_text[FC_SIZE_TEXT], floor_text[FC_SIZE_TEXT];
        *ret_reason = FC_STOP_DISK_FLOOR;
        return fc_fail_set(fail, FC_ERR_DENIED, "%s are free on the disk, this node keeps %s",
                           fc_size_text(facts->free_bytes, free_text),
                           fc_size_text(policy->disk_floor_bytes, floor_text));
    }
    return FC_OK;
}
