/* suspicion.c: one rule's word on one instance. */
#include "common/base/mem.h"
#include "common/compare/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A remote end or detail stands out when it makes up this part of a trouble. */
#define DOMINANT_PART 0.6

fc_suspicion *
fc_suspicion_add(fc_comparer *comparer, fc_suspicion_kind kind, int index, const char *id, size_t instance)
{
    if (comparer->suspicion_count == comparer->suspicion_capacity) {
        comparer->suspicion_capacity =
            comparer->suspicion_capacity > 0 ? 2 * comparer->suspicion_capacity : 64;
        comparer->suspicions =
            fc_grow_array(comparer->suspicions, comparer->suspicion_capacity, sizeof *comparer->suspicions);
    }
    fc_suspicion *suspicion = &comparer->suspicions[comparer->suspicion_count++];
    *suspicion = (fc_suspicion){.kind = kind,
                                .index = index,
                                .id = id,
                                .instance = instance,
                                .value = NAN,
                                .median = NAN,
                                .spread = NAN,
                                .unit = "",
                                .subject = fc_strdup(""),
                                .cause = SIZE_MAX,
                                .first_symptom = SIZE_MAX,
                                .next_symptom = SIZE_MAX};
    return suspicion;
}

void
fc_suspicion_fini(fc_suspicion *suspicion)
{
    free(suspicion->subject);
    free(suspicion->usual);
    free(suspicion->because);
    *suspicion = (fc_suspicion){0};
}

static const fc_table_entry *
dominant(const fc_feature_table *table, uint64_t total)
{
    const fc_table_entry *first = table->count > 0 ? &table->entries[0] : NULL;
    return first != NULL && *first->key != '\0' && (double)first->sum.count >= DOMINANT_PART * (double)total
               ? first
               : NULL;
}

/* What the table of an instance says of a remote end, in the unit of the trouble's `per` counter; NULL =
 * nothing. */
static const fc_table_entry *
find_peer(const fc_instance_features *features, fc_counter per, const char *peer)
{
    const fc_feature_table *table = NULL;
    fc_address wanted, address;
    uint16_t wanted_port, port;
    if (per == FC_COUNTER_DNS_QUERIES)
        table = &features->tables[FC_TABLE_RESOLVERS];
    else if (per == FC_COUNTER_TCP_OPENED_OUT || per == FC_COUNTER_TLS_HELLOS ||
             per == FC_COUNTER_UDP_CONVERSATIONS)
        table = &features->tables[FC_TABLE_SERVICES];
    if (table == NULL || !fc_endpoint_parse(peer, &wanted, &wanted_port))
        return NULL;
    for (size_t i = 0; i < table->count; i++) {
        const fc_table_entry *entry = &table->entries[i];
        if (strcmp(entry->key, peer) == 0)
            return entry;
        if (per == FC_COUNTER_DNS_QUERIES && fc_endpoint_parse(entry->key, &address, &port) &&
            fc_address_compare(&address, &wanted) == 0)
            return entry;
    }
    return NULL;
}

/* How often the instance went to that remote end at all; 0 = not known. Questions that were still open when
 * the capture ended are neither answered nor unanswered. */
static uint64_t
total_with(const fc_instance_features *features, const fc_suspicion *suspicion)
{
    fc_trouble_id trouble = (fc_trouble_id)suspicion->index;
    const fc_table_entry *entry = find_peer(features, fc_trouble_names[trouble].per, suspicion->peer);
    if (entry == NULL)
        return 0;
    return trouble == FC_TROUBLE_DNS_UNANSWERED ? entry->sum.latency_count + suspicion->peer_hits
                                                : entry->sum.count;
}

void
fc_suspicion_focus(const fc_comparer *comparer, fc_suspicion *suspicion, const fc_feature_trouble *trouble)
{
    const fc_instance_features *features = &comparer->features[suspicion->instance];
    const fc_table_entry *peer = dominant(&trouble->peers, trouble->count);
    const fc_table_entry *detail = dominant(&trouble->details, trouble->count);
    suspicion->detail = detail != NULL ? detail->key : NULL;
    if (peer == NULL)
        return;
    suspicion->peer = peer->key;
    suspicion->peer_hits = peer->sum.count <= suspicion->x ? peer->sum.count : suspicion->x;
    if (suspicion->kind != FC_SUSPICION_TROUBLE)
        return;
    uint64_t total = total_with(features, suspicion);
    suspicion->peer_total = total >= suspicion->peer_hits && total <= suspicion->n ? total : 0;
}
