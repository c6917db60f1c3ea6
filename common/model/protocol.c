#include "common/model/protocol.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const fc_feature_row features[] = {
#define X(id, name, since, silent, text) {name, since, silent, text},
    FC_FEATURES(X)
#undef X
};

_Static_assert(FC_FEATURE_COUNT <= 32, "a peer's features are bits of a uint32_t");

const fc_feature_row *
fc_feature_get(fc_feature feature)
{
    return &features[feature];
}

/* ---- versions ---- */

enum { RANGE_TEXT = 48 };

static const char *
range_text(uint32_t min, uint32_t max, char text[RANGE_TEXT])
{
    if (min == max)
        (void)snprintf(text, RANGE_TEXT, "%" PRIu32, max);
    else
        (void)snprintf(text, RANGE_TEXT, "%" PRIu32 " to %" PRIu32, min, max);
    return text;
}

fc_err
fc_protocol_agree(uint32_t peer_min, uint32_t peer_max, uint32_t *ret_version, fc_fail *fail)
{
    const fc_protocol_build *here = &fc_protocol_here;
    char theirs[RANGE_TEXT], ours[RANGE_TEXT];
    uint32_t min = peer_min != 0 ? peer_min : peer_max;
    if (peer_max == 0 || min > peer_max)
        return fc_fail_field(fail, FC_ERR_INVALID, "protocol_version",
                             "the node says that it speaks protocol versions %" PRIu32 " to %" PRIu32, min,
                             peer_max);
    if (min <= here->version && peer_max >= here->version_min) {
        *ret_version = peer_max < here->version ? peer_max : here->version;
        return FC_OK;
    }
    return fc_fail_field(fail, FC_ERR_STATE, "protocol_version",
                         "the node speaks protocol version%s %s, this coordinator %s: upgrade the %s",
                         min == peer_max ? "" : "s", range_text(min, peer_max, theirs),
                         range_text(here->version_min, here->version, ours),
                         min > here->version ? "coordinator" : "node");
}

fc_err
fc_protocol_accept(uint32_t chosen, fc_fail *fail)
{
    const fc_protocol_build *here = &fc_protocol_here;
    char ours[RANGE_TEXT];
    if (chosen >= here->version_min && chosen <= here->version)
        return FC_OK;
    return fc_fail_field(fail, FC_ERR_STATE, "protocol_version",
                         "the coordinator wants to speak protocol version %" PRIu32
                         ", this node speaks %s: upgrade the %s",
                         chosen, range_text(here->version_min, here->version, ours),
                         chosen > here->version ? "node" : "coordinator");
}

/* ---- features ---- */

static bool
find_feature(const char *name, fc_feature *ret_feature)
{
    if (strnlen(name, FC_FEATURE_NAME_MAX + 1) > FC_FEATURE_NAME_MAX)
        return false;
    for (size_t i = 0; i < FC_FEATURE_COUNT; i++) {
        if (strcmp(features[i].name, name) == 0) {
            *ret_feature = (fc_feature)i;
            return true;
        }
    }
    return false;
}

void
fc_protocol_meet(uint32_t version, char *const *names, size_t count, fc_protocol_peer *ret_peer)
{
    fc_protocol_peer peer = {.version = version};
    size_t looked_at = count < FC_FEATURES_MAX ? count : FC_FEATURES_MAX;
    for (size_t i = 0; i < FC_FEATURE_COUNT && count == 0; i++)
        if (features[i].silent)
            peer.features |= UINT32_C(1) << i;
    for (size_t i = 0; i < looked_at; i++) {
        fc_feature feature;
        if (find_feature(names[i], &feature))
            peer.features |= UINT32_C(1) << feature;
        else
            peer.unknown++;
    }
    size_t left_out = count - looked_at;
    peer.unknown += left_out < UINT32_MAX / 2 ? (uint32_t)left_out : UINT32_MAX / 2;
    *ret_peer = peer;
}

bool
fc_protocol_can(const fc_protocol_peer *peer, fc_feature feature)
{
    return (peer->features >> feature & 1) != 0;
}

size_t
fc_protocol_announce(char *ret_names[FC_FEATURES_MAX])
{
    const char *const *names = fc_protocol_here.features;
    size_t count = 0;
    for (; names[count] != NULL && count < FC_FEATURES_MAX; count++)
        ret_names[count] = (char *)names[count]; /* protobuf-c has no const here; packing only reads */
    return count;
}
