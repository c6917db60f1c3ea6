#include "common/analysis/familiar.h"

#include <arpa/inet.h>

void
fc_familiar_forget(fc_familiar *familiar, const fc_conversation *conversation)
{
    const fc_flow_key *key = &conversation->key;
    if (key->family != 4)
        return;
    const uint16_t ports[2] = {htons(key->low_port), htons(key->high_port)};
    uint32_t hosts[2];
    memcpy(&hosts[0], key->low, sizeof hosts[0]);
    memcpy(&hosts[1], key->high, sizeof hosts[1]);
    for (unsigned side = 0; side < 2; side++) {
        const uint32_t both[2] = {hosts[side], hosts[1 - side]};
        const uint16_t both_ports[2] = {ports[side], ports[1 - side]};
        uint64_t addresses;
        uint32_t packed;
        memcpy(&addresses, both, sizeof addresses);
        memcpy(&packed, both_ports, sizeof packed);
        fc_familiar_slot *slot = fc_familiar_slot_of(familiar, addresses, packed);
        if (slot->conversation == conversation)
            *slot = (fc_familiar_slot){0};
    }
}
