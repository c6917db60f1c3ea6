/* conversations.h: the five-tuples that are being talked on: a bounded table, and who was seen last.
 *
 * A key has its two ends in a fixed order (`low`, `high`), so that both directions find the same
 * conversation; "side 0" is the low end. The table is set-associative: a key hashes to one set of
 * FC_CONVERSATION_WAYS places, so that a lookup costs one set whatever keys a peer chooses. A full set, or a
 * full table, lets go of the one that was not seen for longest (EVICTED). Time is that of the packets.
 * Nothing is allocated for a packet; the places for TCP, TLS and ICMP come from slabs on demand (slab.h).
 */
#ifndef FC_ANALYSIS_CONVERSATIONS_H
#define FC_ANALYSIS_CONVERSATIONS_H

#include "common/profile/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { FC_CONVERSATION_WAYS = 8, FC_CONVERSATION_NO_FILE = 0xff };
/* How long a conversation may be silent before it is summed up: a finished TCP connection is kept for late
 * packets, and so is a DNS question that got its answer; an open connection is kept because only its end
 * tells; UDP has no end (RFC 4787 asks NATs for two minutes at least). */
#define FC_IDLE_FINISHED_NS (10 * 1000000000LL)
#define FC_IDLE_DATAGRAM_NS (120 * 1000000000LL)
#define FC_IDLE_TCP_NS      (3600 * 1000000000LL)

typedef struct fc_flow_key {
    uint64_t low[2], high[2]; /* addresses, network order; v4 in the first 4 bytes */
    uint16_t low_port, high_port;
    uint8_t protocol, family;
    uint16_t zero;
} fc_flow_key;

typedef enum fc_conversation_list {
    FC_LIST_TCP,
    FC_LIST_DATAGRAM,
    FC_LIST_FINISHED,
    FC_LIST_COUNT
} fc_conversation_list;

enum {
    FC_SIDE_UNKNOWN = 2, /* beside sides 0 and 1 */
};

/* Two cache lines. The first is what a lookup and every packet need. */
typedef struct fc_conversation {
    fc_flow_key key;
    uint32_t newer, older;   /* in its list; 0 = none */
    uint16_t errors;         /* place of what ICMP said of it (fc_error_table); 0 = nothing */
    uint8_t file, last_file; /* of the first and of the latest packet; FC_CONVERSATION_NO_FILE */
    uint8_t list : 2;        /* fc_conversation_list */
    uint8_t local_side : 1;
    uint8_t oriented : 1;
    uint8_t is_dns : 1;
    uint8_t to_many : 1; /* the destination is a group */
    uint8_t turned : 1;  /* an answer came to what the initiator sent */
    uint8_t used : 1;
    uint8_t initiator; /* side, or FC_SIDE_UNKNOWN */
    uint8_t turn_side; /* who sent data last, or FC_SIDE_UNKNOWN */
    int64_t last_ns;

    int64_t first_ns;
    uint64_t first_frame;
    uint64_t bytes[2];   /* on the wire, by the sending side */
    uint32_t packets[2]; /* a conversation is summed up before these overflow */
    int64_t turn_ns;     /* of the data that turn_side sent last */
    union {
        struct fc_tcp *tcp;     /* weak: in the analyzer's slab, released with the conversation */
        uint64_t data_bytes[2]; /* otherwise */
    };
} fc_conversation;
_Static_assert(sizeof(fc_flow_key) == 40 && sizeof(fc_conversation) <= 128,
               "a conversation is two cache lines");

typedef enum fc_conversation_end { FC_END_IDLE, FC_END_EVICTED, FC_END_REPLACED } fc_conversation_end;

/* Half a cache line: 8 bits of the hash, and 24 of the index of a place; 0 = free. */
enum { FC_CONVERSATION_PLACE_BITS = 24, FC_CONVERSATION_PLACE_MASK = (1 << FC_CONVERSATION_PLACE_BITS) - 1 };

typedef struct fc_conversation_set {
    uint32_t ways[FC_CONVERSATION_WAYS];
} fc_conversation_set;

/* Called before the conversation's place is used again. */
typedef void
fc_conversation_ended(void *user, fc_conversation *conversation, fc_conversation_end why);

typedef struct fc_conversations {
    void *mapped; /* owned; both arrays are in it */
    size_t mapped_size;
    fc_conversation_set *sets;
    fc_conversation *places; /* places[0] is not used */
    uint32_t set_mask, places_max, places_used, free_place;
    uint32_t newest[FC_LIST_COUNT], oldest[FC_LIST_COUNT];
    uint32_t count;
    fc_conversation_ended *ended;
    void *user;
} fc_conversations;

void
fc_conversations_init(fc_conversations *table, size_t max, fc_conversation_ended *ended, void *user);
void
fc_conversations_fini(fc_conversations *table);
/* A new conversation, which must not be there yet; may end another one. */
fc_conversation *
fc_conversations_add(fc_conversations *table, const fc_flow_key *key, fc_conversation_list list,
                     int64_t unix_ns);
void
fc_conversations_remove(fc_conversations *table, fc_conversation *conversation, fc_conversation_end why);
void
fc_conversations_move(fc_conversations *table, fc_conversation *conversation, fc_conversation_list list);
/* Sums up what has been silent for too long. */
void
fc_conversations_expire(fc_conversations *table, int64_t unix_ns);
/* From the least to the most recently seen, list by list; `each` must not change the table. */
void
fc_conversations_each(const fc_conversations *table,
                      void (*each)(void *user, const fc_conversation *conversation), void *user);

/* A key from a packet's ends. Returns the side that is the source. */
static inline unsigned
fc_flow_key_make(fc_flow_key *ret_key, uint8_t protocol, uint8_t family, const uint8_t *source,
                 uint16_t source_port, const uint8_t *destination, uint16_t destination_port)
{
    uint64_t from = 0, from_rest = 0, to = 0, to_rest = 0;
    if (__builtin_expect(family == 4, 1)) {
        memcpy(&from, source, 4);
        memcpy(&to, destination, 4);
    } else {
        memcpy(&from, source, 8);
        memcpy(&from_rest, source + 8, 8);
        memcpy(&to, destination, 8);
        memcpy(&to_rest, destination + 8, 8);
    }
    bool high = from != to             ? from > to
                : from_rest != to_rest ? from_rest > to_rest
                                       : source_port > destination_port;
    unsigned side = high;
    ret_key->low[0] = high ? to : from;
    ret_key->low[1] = high ? to_rest : from_rest;
    ret_key->high[0] = high ? from : to;
    ret_key->high[1] = high ? from_rest : to_rest;
    ret_key->low_port = high ? destination_port : source_port;
    ret_key->high_port = high ? source_port : destination_port;
    ret_key->protocol = protocol;
    ret_key->family = family;
    ret_key->zero = 0;
    return side;
}

static inline bool
fc_flow_key_equal(const fc_flow_key *a, const fc_flow_key *b)
{
    uint64_t x[5], y[5];
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4])) == 0;
}

/* Multiply and fold, as wyhash does (Wang Yi, 2019). The constants are fixed, so that the same packets always
 * give the same profile: a peer that finds colliding keys gains early summing-up of its own set's
 * conversations, nothing else. */
static inline uint64_t
fc_flow_key_hash(const fc_flow_key *key)
{
    uint64_t words[5];
    memcpy(words, key, sizeof words);
    __uint128_t a =
        (__uint128_t)(words[0] ^ 0xa0761d6478bd642fu) * (words[2] ^ words[4] ^ 0xe7037ed1a0b428dbu);
    uint64_t hash = (uint64_t)a ^ (uint64_t)(a >> 64);
    if (key->family == 6) {
        __uint128_t b =
            (__uint128_t)(words[1] ^ 0x8ebc6af09c88c6e3u) * (words[3] ^ hash ^ 0x589965cc75374cc3u);
        hash ^= (uint64_t)b ^ (uint64_t)(b >> 64);
    }
    __uint128_t c = (__uint128_t)(hash ^ words[4]) * 0x1d8e4e27c47d124fu;
    return (uint64_t)c ^ (uint64_t)(c >> 64);
}

/* NULL when it is not there. */
static inline fc_conversation *
fc_conversations_find(const fc_conversations *table, const fc_flow_key *key)
{
    uint64_t hash = fc_flow_key_hash(key);
    uint32_t tag = (uint32_t)(hash >> 32) & ~(uint32_t)FC_CONVERSATION_PLACE_MASK;
    const fc_conversation_set *set = &table->sets[hash & table->set_mask];
    for (unsigned i = 0; i < FC_CONVERSATION_WAYS; i++) {
        uint32_t place = set->ways[i] ^ tag; /* the tag's bits are 0 where it is the same */
        if (place > FC_CONVERSATION_PLACE_MASK || set->ways[i] == 0)
            continue;
        fc_conversation *conversation = &table->places[place];
        if (fc_flow_key_equal(&conversation->key, key))
            return conversation;
    }
    return NULL;
}

/* A packet of it was seen. Its place in the list is kept by the second: that is exact enough to know the
 * oldest, and spares the list when packets come fast. */
static inline void
fc_conversations_touch(fc_conversations *table, fc_conversation *conversation, int64_t unix_ns)
{
    int64_t before = conversation->last_ns;
    if (unix_ns <= before)
        return;
    conversation->last_ns = unix_ns;
    if (__builtin_expect(unix_ns >> 30 != before >> 30, 0))
        fc_conversations_move(table, conversation, (fc_conversation_list)conversation->list);
}

fc_address
fc_conversation_address(const fc_conversation *conversation, unsigned side);

static inline uint16_t
fc_conversation_port(const fc_conversation *conversation, unsigned side)
{
    return side == 0 ? conversation->key.low_port : conversation->key.high_port;
}

#endif
