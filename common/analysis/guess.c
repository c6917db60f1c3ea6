#include "common/analysis/guess.h"

#include "common/analysis/packet.h"

#include <string.h>

enum { PACKETS_MIN = 8, PERCENT = 99 };

static bool
is_a_hosts(const fc_address *address)
{
    static const uint8_t zero[16];
    bool link_local = address->family == 6 && address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
    return !link_local && !fc_address_is_multicast(address) && !fc_address_is_loopback(address) &&
           memcmp(address->bytes, zero, sizeof zero) != 0;
}

/* A local address is in the first packets already: what finds the table full is none. */
static void
count(fc_guess *guess, const fc_address *address)
{
    size_t i = 0;
    while (i < guess->candidate_count && fc_address_compare(&guess->candidates[i].address, address) != 0)
        i++;
    if (i == guess->candidate_count) {
        if (i == FC_GUESS_CANDIDATES)
            return;
        guess->candidates[guess->candidate_count++].address = *address;
    }
    guess->candidates[i].packets++;
}

bool
fc_guess_frame(fc_guess *guess, const fc_frame *frame)
{
    fc_packet packet;
    fc_packet_parse(frame->link_type, frame->data, frame->captured_bytes, frame->original_bytes, &packet);
    if (frame->direction != FC_DIRECTION_UNKNOWN || packet.direction != FC_DIRECTION_UNKNOWN)
        guess->directed = true;
    if (packet.kind == FC_PACKET_IP && !packet.to_many) {
        fc_address source = fc_packet_source(&packet), destination = fc_packet_destination(&packet);
        if (is_a_hosts(&source) && is_a_hosts(&destination)) {
            count(guess, &source);
            count(guess, &destination);
            guess->packets[packet.family == 6]++;
        }
    }
    return ++guess->frames < FC_GUESS_FRAMES && !guess->directed;
}

bool
fc_guess_local(const fc_guess *guess, uint8_t family, fc_address *ret_address)
{
    const fc_address *found = NULL;
    uint32_t total = guess->packets[family == 6];
    if (guess->directed || total < PACKETS_MIN)
        return false;
    for (size_t i = 0; i < guess->candidate_count; i++) {
        if (guess->candidates[i].address.family != family ||
            (uint64_t)guess->candidates[i].packets * 100 < (uint64_t)total * PERCENT)
            continue;
        if (found != NULL)
            return false;
        found = &guess->candidates[i].address;
    }
    if (found == NULL)
        return false;
    *ret_address = *found;
    return true;
}
