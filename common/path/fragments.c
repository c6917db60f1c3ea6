#include "common/path/fragments.h"

#include "common/base/mem.h"
#include "common/path/hash.h"

#include <stdlib.h>
#include <string.h>

/* RFC 791: a datagram's pieces arrive within its time to live; what is older belongs to another one with the
 * same id. */
#define GIVE_UP_NS (30 * INT64_C(1000000000))

void
fc_path_fragments_fini(fc_path_fragments *fragments)
{
    free(fragments->open);
    *fragments = (fc_path_fragments){0};
}

static bool
is_of(const fc_path_datagram *datagram, const fc_packet *packet, int64_t unix_ns)
{
    fc_address source = fc_packet_source(packet), destination = fc_packet_destination(packet);
    return datagram->open && datagram->id == packet->id && datagram->protocol == packet->protocol &&
           unix_ns - datagram->unix_ns < GIVE_UP_NS && fc_address_compare(&datagram->source, &source) == 0 &&
           fc_address_compare(&datagram->destination, &destination) == 0;
}

static fc_path_datagram *
place_of(fc_path_fragments *fragments, const fc_packet *packet, int64_t unix_ns, uint32_t frame)
{
    fc_address source = fc_packet_source(packet);
    uint64_t key = fc_path_mix(fc_path_mix(packet->id, packet->protocol), fc_path_hash(0, source.bytes, 16));
    fc_path_datagram *datagram = &fragments->open[key % FC_PATH_FRAGMENTS_MAX];
    if (is_of(datagram, packet, unix_ns))
        return datagram;
    fragments->unjoined += datagram->open;
    *datagram = (fc_path_datagram){.open = true,
                                   .protocol = packet->protocol,
                                   .source = source,
                                   .destination = fc_packet_destination(packet),
                                   .id = packet->id,
                                   .unix_ns = unix_ns,
                                   .frame = frame};
    return datagram;
}

bool
fc_path_fragments_add(fc_path_fragments *fragments, const fc_packet *packet, int64_t unix_ns, uint32_t frame,
                      const fc_path_datagram **ret_whole)
{
    if (fragments->open == NULL)
        fragments->open = fc_alloc_array(FC_PATH_FRAGMENTS_MAX, sizeof *fragments->open);
    fc_path_datagram *datagram = place_of(fragments, packet, unix_ns, frame);
    uint32_t offset = packet->fragment_offset, size = packet->transport_bytes;
    if (!packet->more_fragments)
        datagram->total = offset + size;
    if (offset == 0) {
        datagram->has_first = true;
        datagram->frame = frame;
        datagram->head_size = packet->transport_captured < sizeof datagram->head
                                  ? packet->transport_captured
                                  : (uint32_t)sizeof datagram->head;
        memcpy(datagram->head, packet->transport, datagram->head_size);
    }
    datagram->seen += size;
    datagram->captured += packet->transport_captured;
    datagram->hash += fc_path_hash(offset, packet->transport, packet->transport_captured);
    if (!datagram->has_first || datagram->total == 0 || datagram->seen < datagram->total)
        return false;
    datagram->open = false;
    if (datagram->seen > datagram->total) { /* pieces that overlap, or came twice */
        fragments->unjoined++;
        return false;
    }
    *ret_whole = datagram;
    return true;
}

void
fc_path_fragments_end(fc_path_fragments *fragments)
{
    for (size_t i = 0; fragments->open != NULL && i < FC_PATH_FRAGMENTS_MAX; i++)
        fragments->unjoined += fragments->open[i].open;
    free(fragments->open);
    fragments->open = NULL;
}
