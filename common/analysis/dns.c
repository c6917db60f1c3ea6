/* Questions matched with their answers. Two hash tables over the open transactions: by question, to know a
 * retry; by id and port of each of its attempts, to know an answer. */
#include "common/analysis/dns.h"
#include "common/analysis/slots.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    ATTEMPTS_MAX = 4, /* whose answers are recognised; of more, the last ones */
    OPCODE_QUERY = 0,
    OPCODE_NOTIFY = 4,
    OPCODE_UPDATE = 5,
};

typedef struct dns_attempt {
    uint16_t port, id;
} dns_attempt;

typedef struct entry {
    fc_dns_transaction transaction;
    dns_attempt
        attempts[ATTEMPTS_MAX]; /* slot * ATTEMPTS_MAX + index is their slot in the table of attempts */
    uint8_t attempt_count;
    uint8_t attempt_next; /* which one gives way when there are more */
    bool asked_elsewhere; /* the same question went to another server later: this one was given up */
} entry;

struct fc_dns {
    void (*done)(void *user, const fc_dns_transaction *transaction);
    void *user;     /* borrowed from the caller */
    entry *entries; /* owned; FC_DNS_OPEN_MAX */
    fc_slots slots; /* in order of last_asked_ns */
    fc_chains questions, attempts;
};

fc_dns *
fc_dns_new(void (*done)(void *user, const fc_dns_transaction *transaction), void *user)
{
    fc_dns *dns = FC_NEW(fc_dns);
    dns->done = done;
    dns->user = user;
    dns->entries = fc_alloc_array(FC_DNS_OPEN_MAX, sizeof *dns->entries);
    fc_slots_init(&dns->slots, FC_DNS_OPEN_MAX);
    fc_chains_init(&dns->questions, FC_DNS_OPEN_MAX);
    fc_chains_init(&dns->attempts, FC_DNS_OPEN_MAX * ATTEMPTS_MAX);
    return dns;
}

void
fc_dns_free(fc_dns *dns)
{
    if (dns == NULL)
        return;
    fc_chains_fini(&dns->attempts);
    fc_chains_fini(&dns->questions);
    fc_slots_fini(&dns->slots);
    free(dns->entries);
    free(dns);
}

/* Not of the server: whoever asks another one is found too. */
static uint32_t
question_hash(const fc_dns_transaction *question)
{
    uint32_t hash = fc_hash_address(FC_HASH_START, &question->client);
    hash = fc_hash_bytes(hash, &question->type, sizeof question->type);
    return fc_hash_end(fc_hash_bytes(hash, question->name, strlen(question->name)));
}

static uint32_t
attempt_hash(const fc_address *client, const fc_address *server, dns_attempt attempt)
{
    uint32_t hash = fc_hash_address(FC_HASH_START, client);
    hash = fc_hash_address(hash, server);
    hash = fc_hash_bytes(hash, &attempt.port, sizeof attempt.port);
    return fc_hash_end(fc_hash_bytes(hash, &attempt.id, sizeof attempt.id));
}

static bool
same_ends(const fc_dns_transaction *a, const fc_dns_transaction *b)
{
    return a->protocol == b->protocol && a->server_port == b->server_port &&
           fc_address_compare(&a->client, &b->client) == 0 && fc_address_compare(&a->server, &b->server) == 0;
}

static bool
same_question(const fc_dns_transaction *a, const fc_dns_transaction *b)
{
    return a->type == b->type && strcmp(a->name, b->name) == 0;
}

static bool
is_too_old(const fc_dns_transaction *transaction, int64_t unix_ns)
{
    return fc_elapsed_ns(transaction->last_asked_ns, unix_ns) >= FC_DNS_TIMEOUT_NS;
}

/* Takes the transaction out of the tables and hands it over. */
static void
finish(fc_dns *dns, uint16_t slot)
{
    entry *open = &dns->entries[slot];
    for (uint8_t i = 0; i < open->attempt_count; i++)
        fc_chains_remove(&dns->attempts, (uint16_t)(slot * ATTEMPTS_MAX + i));
    fc_chains_remove(&dns->questions, slot);
    fc_slots_release(&dns->slots, slot);
    dns->done(dns->user, &open->transaction);
}

void
fc_dns_expire(fc_dns *dns, int64_t unix_ns)
{
    while (dns->slots.oldest != FC_SLOT_NONE &&
           is_too_old(&dns->entries[dns->slots.oldest].transaction, unix_ns))
        finish(dns, dns->slots.oldest);
}

static bool
has_attempt(const entry *open, dns_attempt attempt)
{
    for (uint8_t i = 0; i < open->attempt_count; i++) {
        if (open->attempts[i].port == attempt.port && open->attempts[i].id == attempt.id)
            return true;
    }
    return false;
}

static void
add_attempt(fc_dns *dns, uint16_t slot, dns_attempt attempt)
{
    entry *open = &dns->entries[slot];
    if (has_attempt(open, attempt))
        return;
    uint8_t index = open->attempt_next;
    uint16_t chained = (uint16_t)(slot * ATTEMPTS_MAX + index);
    if (open->attempt_count < ATTEMPTS_MAX)
        open->attempt_count++;
    else
        fc_chains_remove(&dns->attempts, chained);
    open->attempts[index] = attempt;
    open->attempt_next = (uint8_t)((index + 1) % ATTEMPTS_MAX);
    fc_chains_add(&dns->attempts, chained,
                  attempt_hash(&open->transaction.client, &open->transaction.server, attempt));
}

/* True when a stub resolver that tries again would have sent this: with its old id or its old port. */
static bool
is_of_same_asker(const entry *open, dns_attempt attempt)
{
    for (uint8_t i = 0; i < open->attempt_count; i++) {
        if (open->attempts[i].port == attempt.port || open->attempts[i].id == attempt.id)
            return true;
    }
    return false;
}

/* The open transaction of which this is a retry, FC_SLOT_NONE when there is none: one by the same asker
 * before one that is merely old enough, of those the oldest. */
static uint16_t
find_question(const fc_dns *dns, const fc_dns_transaction *question, uint32_t hash, dns_attempt attempt)
{
    uint16_t found = FC_SLOT_NONE;
    int walked = 0;
    for (uint16_t slot = fc_chains_first(&dns->questions, hash);
         slot != FC_SLOT_NONE && walked < FC_CHAIN_WALK_MAX;
         slot = fc_chains_next(&dns->questions, slot), walked++) {
        const entry *open = &dns->entries[slot];
        if (!same_question(&open->transaction, question) || !same_ends(&open->transaction, question) ||
            is_too_old(&open->transaction, question->asked_ns))
            continue;
        if (is_of_same_asker(open, attempt))
            return slot;
        if (fc_elapsed_ns(open->transaction.last_asked_ns, question->asked_ns) >= FC_DNS_PARALLEL_NS)
            found = slot;
    }
    return found;
}

/* A stub resolver goes on to its next server when one does not answer; who asks several at once does not wait
 * in between. */
static void
note_elsewhere(fc_dns *dns, const fc_dns_transaction *question, uint32_t hash)
{
    int walked = 0;
    for (uint16_t slot = fc_chains_first(&dns->questions, hash);
         slot != FC_SLOT_NONE && walked < FC_CHAIN_WALK_MAX;
         slot = fc_chains_next(&dns->questions, slot), walked++) {
        entry *open = &dns->entries[slot];
        if (same_question(&open->transaction, question) &&
            fc_address_compare(&open->transaction.client, &question->client) == 0 &&
            fc_address_compare(&open->transaction.server, &question->server) != 0 &&
            fc_elapsed_ns(open->transaction.last_asked_ns, question->asked_ns) >= FC_DNS_PARALLEL_NS)
            open->asked_elsewhere = true;
    }
}

static void
ask_again(fc_dns *dns, uint16_t slot, dns_attempt attempt, int64_t unix_ns)
{
    entry *open = &dns->entries[slot];
    int64_t since_ns = fc_elapsed_ns(open->transaction.last_asked_ns, unix_ns);
    if (has_attempt(open, attempt) && since_ns > -FC_DNS_SAME_NS && since_ns < FC_DNS_SAME_NS)
        return;
    if (open->transaction.asked_count < UINT32_MAX)
        open->transaction.asked_count++;
    if (since_ns > 0)
        open->transaction.last_asked_ns = unix_ns;
    add_attempt(dns, slot, attempt);
    fc_slots_renew(&dns->slots, slot);
}

static void
question_seen(fc_dns *dns, const fc_dns_message *message, const fc_dns_sighting *sighting)
{
    fc_dns_transaction question = {
        .client = sighting->source,
        .server = sighting->destination,
        .client_port = sighting->source_port,
        .server_port = sighting->destination_port,
        .protocol = sighting->protocol,
        .client_is_local = sighting->from_local,
        .type = message->type,
        .asked_ns = sighting->unix_ns,
        .last_asked_ns = sighting->unix_ns,
        .asked_count = 1,
        .file = sighting->file,
        .frame = sighting->frame,
    };
    memcpy(question.name, message->name, sizeof question.name);
    const dns_attempt attempt = {.port = sighting->source_port, .id = message->id};
    uint32_t hash = question_hash(&question);
    uint16_t slot = find_question(dns, &question, hash, attempt);
    if (slot != FC_SLOT_NONE &&
        fc_elapsed_ns(dns->entries[slot].transaction.asked_ns, question.asked_ns) < FC_DNS_LIFE_NS) {
        ask_again(dns, slot, attempt, question.asked_ns);
        return;
    }
    if (slot != FC_SLOT_NONE)
        finish(dns, slot);
    slot = fc_slots_take(&dns->slots);
    if (slot == FC_SLOT_NONE) {
        finish(dns, dns->slots.oldest);
        slot = fc_slots_take(&dns->slots);
    }
    note_elsewhere(dns, &question, hash);
    dns->entries[slot] = (entry){.transaction = question};
    fc_chains_add(&dns->questions, slot, hash);
    add_attempt(dns, slot, attempt);
}

/* The open transaction that this answers. */
static uint16_t
find_asked(const fc_dns *dns, const fc_dns_message *message, const fc_dns_transaction *answer,
           dns_attempt attempt)
{
    uint32_t hash = attempt_hash(&answer->client, &answer->server, attempt);
    int walked = 0;
    for (uint16_t chained = fc_chains_first(&dns->attempts, hash);
         chained != FC_SLOT_NONE && walked < FC_CHAIN_WALK_MAX;
         chained = fc_chains_next(&dns->attempts, chained), walked++) {
        uint16_t slot = (uint16_t)(chained / ATTEMPTS_MAX);
        const entry *open = &dns->entries[slot];
        const dns_attempt *asked = &open->attempts[chained % ATTEMPTS_MAX];
        if (asked->port == attempt.port && asked->id == attempt.id && same_ends(&open->transaction, answer) &&
            (message->question_count == 0 || same_question(&open->transaction, answer)) &&
            !is_too_old(&open->transaction, answer->answered_ns))
            return slot;
    }
    return FC_SLOT_NONE;
}

static void
answer_seen(fc_dns *dns, const fc_dns_message *message, const fc_dns_sighting *sighting)
{
    fc_dns_transaction answer = {
        .client = sighting->destination,
        .server = sighting->source,
        .server_port = sighting->source_port,
        .protocol = sighting->protocol,
        .type = message->type,
        .answered_ns = sighting->unix_ns,
    };
    memcpy(answer.name, message->name, sizeof answer.name);
    const dns_attempt attempt = {.port = sighting->destination_port, .id = message->id};
    uint16_t slot = find_asked(dns, message, &answer, attempt);
    if (slot == FC_SLOT_NONE)
        return;
    fc_dns_transaction *asked = &dns->entries[slot].transaction;
    /* Packets of two interfaces may be out of order by a little; 0 is taken. */
    asked->answered_ns = sighting->unix_ns > asked->asked_ns ? sighting->unix_ns : asked->asked_ns;
    if (asked->answered_ns == 0)
        asked->answered_ns = 1;
    asked->rcode = message->rcode;
    asked->truncated = message->truncated;
    asked->answer_file = sighting->file;
    asked->answer_frame = sighting->frame;
    finish(dns, slot);
}

void
fc_dns_message_seen(fc_dns *dns, const fc_dns_message *message, const fc_dns_sighting *sighting)
{
    fc_dns_expire(dns, sighting->unix_ns);
    if (message->opcode != OPCODE_QUERY && message->opcode != OPCODE_NOTIFY &&
        message->opcode != OPCODE_UPDATE)
        return;
    if (message->is_response)
        answer_seen(dns, message, sighting);
    else if (message->question_count > 0 && !fc_address_is_multicast(&sighting->destination))
        question_seen(dns, message, sighting);
}

void
fc_dns_each_open(const fc_dns *dns, int64_t unix_ns,
                 void (*each)(void *user, const fc_dns_transaction *transaction), void *user)
{
    for (uint16_t slot = dns->slots.oldest; slot != FC_SLOT_NONE; slot = dns->slots.newer[slot]) {
        const entry *open = &dns->entries[slot];
        fc_dns_transaction transaction = open->transaction;
        bool asked_again =
            transaction.asked_count > 1 && fc_elapsed_ns(transaction.asked_ns, unix_ns) >= FC_DNS_PATIENCE_NS;
        transaction.open = !asked_again && !open->asked_elsewhere && !is_too_old(&transaction, unix_ns);
        each(user, &transaction);
    }
}
