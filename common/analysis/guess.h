/* guess.h: whose capture is this? The address that takes part in all of a capture's packets, where nothing in
 * it says which side is local.
 *
 * Captures of other programs often have neither direction flags nor the interface's addresses. One that was
 * taken at a host has that host at one end of every packet; where this is one address and no other, it is the
 * local one. A capture of two hosts alone, of a mirror port or of a router gives none. Pure; bounded memory,
 * no allocation.
 */
#ifndef FC_ANALYSIS_GUESS_H
#define FC_ANALYSIS_GUESS_H

#include "common/pcapng/frame.h"
#include "common/profile/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FC_GUESS_FRAMES = 4096, /* so many tell enough */
    FC_GUESS_CANDIDATES = 32,
};

/* {0} has seen nothing. */
typedef struct fc_guess {
    struct {
        fc_address address;
        uint32_t packets;
    } candidates[FC_GUESS_CANDIDATES];
    size_t candidate_count;
    uint32_t frames;
    uint32_t packets[2]; /* IPv4, IPv6: between two hosts */
    bool directed;       /* the capture says itself what went in and out */
} fc_guess;

/* Looks at a frame. False when no more are needed. */
bool
fc_guess_frame(fc_guess *guess, const fc_frame *frame);
/* The local address of that family (4 or 6); false when there is none to be named. */
bool
fc_guess_local(const fc_guess *guess, uint8_t family, fc_address *ret_address);

#endif
