/* dns.h: DNS messages (RFC 1035, 6891), and questions matched with their answers.
 *
 * A *transaction* is one question (client, server, protocol, name, type) from the first time it was asked
 * until its answer, or until FC_DNS_TIMEOUT_NS after the last time it was asked. Asking the same question of
 * the same server again within that time is a retry of it, with the same or another id and port; asking it of
 * another server is another transaction. Two programs that ask the same thing at once are told from a retry
 * by time: no resolver tries again with a new id and a new port before FC_DNS_PARALLEL_NS. Bounded:
 * FC_DNS_OPEN_MAX open questions, the oldest is judged early beyond that; about 2 MiB, allocated at once.
 */
#ifndef FC_ANALYSIS_DNS_H
#define FC_ANALYSIS_DNS_H

#include "common/base/err.h"
#include "common/profile/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FC_DNS_NAME_MAX = 255, FC_DNS_OPEN_MAX = 4096 };
/* resolv.conf(5) and most resolvers try again after 5 s: that retry still belongs to the question. */
#define FC_DNS_TIMEOUT_NS (5500 * 1000000LL)
/* A question that is asked again and again becomes a new one after this time (RES_MAXRETRANS of
 * resolv.conf(5)). */
#define FC_DNS_LIFE_NS     (30 * 1000000000LL)
#define FC_DNS_PARALLEL_NS (100 * 1000000LL)
/* Whoever has asked again has not got an answer in time: so old, such a question is unanswered, not open. */
#define FC_DNS_PATIENCE_NS (2 * 1000000000LL)
/* The same datagram twice within this time was seen on two interfaces (a bridge and its port), not sent
 * twice. */
#define FC_DNS_SAME_NS (1 * 1000000LL)

typedef struct fc_dns_message {
    uint16_t id, type, class;
    uint8_t opcode, rcode;
    bool is_response, truncated, recursion_desired;
    uint16_t question_count, answer_count;
    char name[FC_DNS_NAME_MAX +
              1]; /* of the first question: lower case, no dot at the end, "." for the root, "" without a
                   * question. Dots and backslashes inside a label as \. and \\, what is not printable as \DDD
                   * (RFC 1035 section 5.1); what does not fit is left out */
} fc_dns_message;

/* Reads header and first question. size: what was captured; a question cut by it is FC_ERR_CORRUPT. No
 * compression in questions is needed, but pointers are followed safely. mDNS (port 5353) and LLMNR are read
 * the same. */
FC_MUST_USE fc_err
fc_dns_parse(const uint8_t *data, size_t size, fc_dns_message *ret_message);

typedef struct fc_dns_transaction {
    fc_address client, server;
    uint16_t client_port, server_port; /* of the first time */
    uint8_t protocol;                  /* 17 or 6 */
    bool client_is_local;
    uint16_t type;
    char name[FC_DNS_NAME_MAX + 1];
    int64_t asked_ns, last_asked_ns;
    int64_t answered_ns;  /* 0 = no answer */
    uint32_t asked_count; /* 1 + retries */
    uint8_t rcode;        /* of the answer */
    bool truncated;
    bool open;                    /* no answer, but too young to say that none comes */
    uint32_t file, answer_file;   /* of the first question; of the answer, if there is one */
    uint64_t frame, answer_frame; /* the same; 0 = none */
} fc_dns_transaction;

const char *
fc_dns_type_name(uint16_t type, char text[16]); /* "AAAA"; "TYPE65280" */
const char *
fc_dns_rcode_name(uint8_t rcode, char text[16]); /* "SERVFAIL"; "RCODE12" */
/* The last two labels of a name (or all of it), borrowed from it. */
const char *
fc_dns_suffix(const char *name);

/* One direction of DNS over TCP (RFC 1035 section 4.2.2) cut into messages. Bounded: the first
 * FC_DNS_STREAM_KEPT bytes of a message are kept, which hold its header and its first question. {0} is the
 * beginning of a stream; a plain value. */
enum { FC_DNS_STREAM_KEPT = 512 };

typedef struct fc_dns_stream {
    uint8_t prefix_count; /* bytes of the length that are here: 0, 1, 2 */
    bool lost;            /* message borders are no longer known: nothing more comes */
    bool cut;             /* bytes of this message are missing: what was kept before them is all */
    uint16_t length;      /* of this message */
    uint16_t seen;        /* bytes of it, missing ones too */
    uint16_t kept;
    uint8_t bytes[FC_DNS_STREAM_KEPT];
} fc_dns_stream;

/* data: the first `size` bytes of a message, borrowed for the call. */
typedef void
fc_dns_stream_each(void *user, const uint8_t *data, size_t size);
/* The next bytes; calls `each` for every message that they complete. */
void
fc_dns_stream_push(fc_dns_stream *stream, const uint8_t *data, size_t size, fc_dns_stream_each *each,
                   void *user);
/* Bytes are missing. Past the end of the message that they are in, the stream is lost. */
void
fc_dns_stream_gap(fc_dns_stream *stream, size_t missing_bytes, fc_dns_stream_each *each, void *user);

/* Where a message was seen. */
typedef struct fc_dns_sighting {
    fc_address source, destination;
    uint16_t source_port, destination_port;
    uint8_t protocol;
    bool from_local; /* the source is this instance */
    int64_t unix_ns;
    uint32_t file;
    uint64_t frame;
} fc_dns_sighting;

typedef struct fc_dns fc_dns;
/* `done` gets every transaction that is over; borrowed for the call, in which `dns` must be left alone. */
fc_dns *
fc_dns_new(void (*done)(void *user, const fc_dns_transaction *transaction), void *user);
void
fc_dns_free(fc_dns *dns);
/* Questions to a multicast group (mDNS, LLMNR) and what is neither query, notify nor update (RFC 1996, 2136)
 * are not followed; answers without a question, or too late, are ignored. */
void
fc_dns_message_seen(fc_dns *dns, const fc_dns_message *message, const fc_dns_sighting *sighting);
/* Judges what has become too old by this time. Called with every packet's time by the second. */
void
fc_dns_expire(fc_dns *dns, int64_t unix_ns);
/* Calls `each` for every open transaction as it stands at this time (unanswered, or `open` when it is younger
 * than the timeout). Changes nothing. */
void
fc_dns_each_open(const fc_dns *dns, int64_t unix_ns,
                 void (*each)(void *user, const fc_dns_transaction *transaction), void *user);

#endif
