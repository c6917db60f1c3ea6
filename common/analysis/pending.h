/* pending.h: requests that wait for their answer: ARP and neighbour discovery (RFC 826, 4861), ICMP echo (RFC
 * 792).
 *
 * Bounded: FC_PENDING_MAX open ones, the oldest is judged early beyond that; about 200 KiB. Repeats of an
 * open request (same asker, target and token) belong to it. It is judged FC_PENDING_TIMEOUT_NS after the
 * first time: Linux probes a neighbour three times, a second apart (mcast_solicit, retrans_time_ms). */
#ifndef FC_ANALYSIS_PENDING_H
#define FC_ANALYSIS_PENDING_H

#include "common/profile/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FC_PENDING_MAX = 1024 };
#define FC_PENDING_TIMEOUT_NS (3 * 1000000000LL)

typedef enum fc_pending_kind { FC_PENDING_NEIGHBOUR, FC_PENDING_ECHO } fc_pending_kind;

typedef struct fc_pending_request {
    fc_pending_kind kind;
    fc_address target; /* who is to answer */
    fc_address asker;
    uint32_t token; /* of an echo: id and sequence */
    bool from_local;
    int64_t asked_ns;
    int64_t answered_ns; /* 0 = not answered */
    uint32_t asked_count;
    bool open; /* not answered, but too young to say that no answer comes */
    uint32_t file;
    uint64_t frame;
} fc_pending_request;

typedef struct fc_pending fc_pending;
/* `done` gets every request that is over; borrowed for the call, in which `pending` must be left alone. */
fc_pending *
fc_pending_new(void (*done)(void *user, const fc_pending_request *request), void *user);
void
fc_pending_free(fc_pending *pending);
/* Copies *request (asked_ns, frame …). A repeat of an open one only counts. */
void
fc_pending_asked(fc_pending *pending, const fc_pending_request *request);
/* Answers every open request for this target and token, whoever asked; one that is too old is no longer
 * answered. */
void
fc_pending_answered(fc_pending *pending, fc_pending_kind kind, const fc_address *target, uint32_t token,
                    int64_t unix_ns);
void
fc_pending_expire(fc_pending *pending, int64_t unix_ns);
/* Changes nothing. */
void
fc_pending_each_open(const fc_pending *pending, int64_t unix_ns,
                     void (*each)(void *user, const fc_pending_request *request), void *user);

#endif
