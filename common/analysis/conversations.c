#include "common/analysis/conversations.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

static const int64_t idle_ns[FC_LIST_COUNT] = {
    [FC_LIST_TCP] = FC_IDLE_TCP_NS,
    [FC_LIST_DATAGRAM] = FC_IDLE_DATAGRAM_NS,
    [FC_LIST_FINISHED] = FC_IDLE_FINISHED_NS,
};

/* Lookups jump about in these two arrays: in huge pages, where the system has them, they miss the TLB less.
 * Zeroed. */
static void
map_arrays(fc_conversations *table, size_t sets_size, size_t places_size)
{
    table->mapped_size = sets_size + places_size + HUGE_PAGE;
    table->mapped =
        mmap(NULL, table->mapped_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (table->mapped == MAP_FAILED) {
        (void)fputs("fleetcap: out of memory\n", stderr);
        abort();
    }
    uintptr_t start = ((uintptr_t)table->mapped + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    table->sets = (fc_conversation_set *)start;
    table->places = (fc_conversation *)(start + sets_size);
    if (sets_size + places_size >= HUGE_PAGE)
        (void)madvise(table->sets, (sets_size + places_size) / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
}

void
fc_conversations_init(fc_conversations *table, size_t max, fc_conversation_ended *ended, void *user)
{
    *table = (fc_conversations){.ended = ended, .user = user};
    if (max > FC_CONVERSATION_PLACE_MASK)
        max = FC_CONVERSATION_PLACE_MASK;
    if (max < FC_CONVERSATION_WAYS)
        max = FC_CONVERSATION_WAYS;
    uint32_t sets = 1;
    while (sets < max / 2) /* a full table takes two ways of eight on average: 9 meet in one set of 4,000 */
        sets *= 2;
    table->set_mask = sets - 1;
    table->places_max = (uint32_t)max;
    map_arrays(table, sets * sizeof *table->sets, (max + 1) * sizeof *table->places);
}

void
fc_conversations_fini(fc_conversations *table)
{
    if (table->mapped != NULL)
        (void)munmap(table->mapped, table->mapped_size);
    *table = (fc_conversations){0};
}

static void
unlink_place(fc_conversations *table, fc_conversation *conversation)
{
    unsigned list = conversation->list;
    if (conversation->newer != 0)
        table->places[conversation->newer].older = conversation->older;
    else
        table->newest[list] = conversation->older;
    if (conversation->older != 0)
        table->places[conversation->older].newer = conversation->newer;
    else
        table->oldest[list] = conversation->newer;
}

static void
link_newest(fc_conversations *table, fc_conversation *conversation, fc_conversation_list list)
{
    uint32_t place = (uint32_t)(conversation - table->places);
    conversation->list = list & 3u;
    conversation->newer = 0;
    conversation->older = table->newest[list];
    if (table->newest[list] != 0)
        table->places[table->newest[list]].newer = place;
    else
        table->oldest[list] = place;
    table->newest[list] = place;
}

void
fc_conversations_move(fc_conversations *table, fc_conversation *conversation, fc_conversation_list list)
{
    unlink_place(table, conversation);
    link_newest(table, conversation, list);
}

static fc_conversation_set *
set_of(const fc_conversations *table, const fc_flow_key *key, uint32_t *ret_tag)
{
    uint64_t hash = fc_flow_key_hash(key);
    *ret_tag = (uint32_t)(hash >> 32) & ~(uint32_t)FC_CONVERSATION_PLACE_MASK;
    return &table->sets[hash & table->set_mask];
}

void
fc_conversations_remove(fc_conversations *table, fc_conversation *conversation, fc_conversation_end why)
{
    table->ended(table->user, conversation, why);
    uint32_t tag, place = (uint32_t)(conversation - table->places);
    fc_conversation_set *set = set_of(table, &conversation->key, &tag);
    for (unsigned i = 0; i < FC_CONVERSATION_WAYS; i++)
        if (set->ways[i] == (tag | place))
            set->ways[i] = 0;
    unlink_place(table, conversation);
    conversation->used = 0;
    conversation->newer = table->free_place;
    table->free_place = place;
    table->count--;
}

/* Lets go of the finished one that was last seen longest ago: nothing is lost with it. Else of the one of any
 * kind. */
static void
evict_oldest(fc_conversations *table)
{
    uint32_t oldest = table->oldest[FC_LIST_FINISHED];
    if (oldest != 0) {
        fc_conversations_remove(table, &table->places[oldest], FC_END_IDLE);
        return;
    }
    for (unsigned list = 0; list < FC_LIST_FINISHED; list++) {
        uint32_t place = table->oldest[list];
        if (place != 0 && (oldest == 0 || table->places[place].last_ns < table->places[oldest].last_ns))
            oldest = place;
    }
    fc_conversations_remove(table, &table->places[oldest], FC_END_EVICTED);
}

/* A free way of the set, made if need be. */
static unsigned
way_of(fc_conversations *table, const fc_conversation_set *set)
{
    fc_conversation *found = NULL;
    unsigned oldest = 0;
    for (unsigned i = 0; i < FC_CONVERSATION_WAYS; i++) {
        if (set->ways[i] == 0)
            return i;
        fc_conversation *conversation = &table->places[set->ways[i] & FC_CONVERSATION_PLACE_MASK];
        if (found != NULL && conversation->last_ns >= found->last_ns)
            continue;
        found = conversation;
        oldest = i;
    }
    fc_conversations_remove(table, found, found->list == FC_LIST_FINISHED ? FC_END_IDLE : FC_END_EVICTED);
    return oldest;
}

fc_conversation *
fc_conversations_add(fc_conversations *table, const fc_flow_key *key, fc_conversation_list list,
                     int64_t unix_ns)
{
    uint32_t tag, place;
    fc_conversation_set *set = set_of(table, key, &tag);
    if (table->count == table->places_max)
        evict_oldest(table);
    unsigned way = way_of(table, set);
    if (table->free_place != 0) {
        place = table->free_place;
        table->free_place = table->places[place].newer;
    } else {
        place = ++table->places_used;
    }
    set->ways[way] = tag | place;
    fc_conversation *conversation = &table->places[place];
    *conversation = (fc_conversation){
        .key = *key,
        .used = 1,
        .initiator = FC_SIDE_UNKNOWN,
        .turn_side = FC_SIDE_UNKNOWN,
        .file = FC_CONVERSATION_NO_FILE,
        .last_file = FC_CONVERSATION_NO_FILE,
        .first_ns = unix_ns,
        .last_ns = unix_ns,
    };
    link_newest(table, conversation, list);
    table->count++;
    return conversation;
}

void
fc_conversations_expire(fc_conversations *table, int64_t unix_ns)
{
    for (unsigned list = 0; list < FC_LIST_COUNT; list++) {
        while (table->oldest[list] != 0) {
            fc_conversation *oldest = &table->places[table->oldest[list]];
            if (unix_ns - oldest->last_ns < idle_ns[list])
                break;
            fc_conversations_remove(table, oldest, FC_END_IDLE);
        }
    }
}

void
fc_conversations_each(const fc_conversations *table,
                      void (*each)(void *user, const fc_conversation *conversation), void *user)
{
    for (unsigned list = 0; list < FC_LIST_COUNT; list++)
        for (uint32_t place = table->oldest[list]; place != 0; place = table->places[place].newer)
            each(user, &table->places[place]);
}

fc_address
fc_conversation_address(const fc_conversation *conversation, unsigned side)
{
    fc_address address = {.family = conversation->key.family};
    memcpy(address.bytes, side == 0 ? conversation->key.low : conversation->key.high,
           address.family == 4 ? 4 : 16);
    return address;
}
