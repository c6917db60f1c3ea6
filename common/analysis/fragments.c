#include "common/analysis/fragments.h"

static fc_flow_key
key_of(const fc_packet *packet)
{
    fc_flow_key key = {.protocol = packet->protocol, .family = packet->family};
    size_t size = packet->family == 4 ? 4 : 16;
    memcpy(key.low, packet->source, size);
    memcpy(key.high, packet->destination, size);
    if (packet->family == 6)
        key.protocol = 0; /* in IPv6 it is no part of a datagram's identity (RFC 8200, section 4.5) */
    return key;
}

static void
end(fc_fragments *fragments, fc_datagram *datagram, bool whole)
{
    if (!whole)
        fragments->lost(fragments->user, datagram);
    else
        fragments->whole[fragments->whole_next++ % FC_FRAGMENTS_WHOLE_MAX] = *datagram;
    datagram->used = false;
    fragments->count--;
}

/* One that is whole already: this fragment came twice. An id is not used again so soon. */
static fc_datagram *
find_whole(fc_fragments *fragments, const fc_flow_key *key, uint32_t id, int64_t unix_ns)
{
    for (uint32_t i = 0; i < FC_FRAGMENTS_WHOLE_MAX; i++) {
        fc_datagram *whole = &fragments->whole[i];
        if (whole->used && whole->id == id && unix_ns - whole->first_ns < FC_FRAGMENTS_AGAIN_NS &&
            fc_flow_key_equal(&whole->key, key))
            return whole;
    }
    return NULL;
}

/* Bytes of the datagram have come. */
static void
cover(fc_datagram *datagram, uint32_t start, uint32_t stop)
{
    fc_fragment_part all = {start, stop};
    uint32_t known = 0, kept = 0;
    if (start == stop)
        return;
    for (uint32_t i = 0; i < datagram->part_count; i++) {
        const fc_fragment_part part = datagram->parts[i];
        if (part.end < start || part.start > stop) {
            datagram->parts[kept++] = part;
            continue;
        }
        known += (part.end < stop ? part.end : stop) - (part.start > start ? part.start : start);
        all.start = part.start < all.start ? part.start : all.start;
        all.end = part.end > all.end ? part.end : all.end;
    }
    if (kept < FC_FRAGMENT_PARTS)
        datagram->parts[kept++] = all;
    datagram->part_count = kept;
    datagram->bytes += stop - start - known;
}

static fc_datagram *
find(fc_fragments *fragments, const fc_flow_key *key, uint32_t id)
{
    for (uint32_t i = 0; i < FC_FRAGMENTS_MAX && fragments->count > 0; i++)
        if (fragments->places[i].used && fragments->places[i].id == id &&
            fc_flow_key_equal(&fragments->places[i].key, key))
            return &fragments->places[i];
    return NULL;
}

static fc_datagram *
add(fc_fragments *fragments, const fc_flow_key *key, uint32_t id)
{
    fc_datagram *place = &fragments->places[0];
    for (uint32_t i = 0; i < FC_FRAGMENTS_MAX && place->used; i++)
        if (!fragments->places[i].used || fragments->places[i].first_ns < place->first_ns)
            place = &fragments->places[i];
    if (place->used)
        end(fragments, place, false);
    *place = (fc_datagram){.key = *key, .id = id, .used = true};
    fragments->count++;
    return place;
}

const fc_datagram *
fc_fragments_seen(fc_fragments *fragments, const fc_packet *packet, int64_t unix_ns, uint8_t file,
                  uint64_t frame)
{
    fc_flow_key key = key_of(packet);
    fc_datagram *datagram = find(fragments, &key, packet->id);
    if (datagram == NULL) {
        fc_datagram *whole = find_whole(fragments, &key, packet->id, unix_ns);
        if (whole != NULL)
            return whole;
        datagram = add(fragments, &key, packet->id);
        datagram->first_ns = unix_ns;
        datagram->file = file;
        datagram->frame = frame;
    }
    if (packet->fragment_offset == 0 && packet->has_ports) {
        datagram->has_ports = true;
        datagram->protocol = packet->protocol;
        datagram->source_port = packet->source_port;
        datagram->destination_port = packet->destination_port;
        datagram->sequence = packet->sequence - (uint32_t)(packet->payload - packet->transport);
    }
    cover(datagram, packet->fragment_offset, packet->fragment_offset + packet->transport_bytes);
    if (!packet->more_fragments)
        datagram->total = packet->fragment_offset + packet->transport_bytes;
    if (datagram->total != 0 && datagram->bytes >= datagram->total)
        end(fragments, datagram, true);
    return datagram;
}

void
fc_fragments_expire(fc_fragments *fragments, int64_t unix_ns)
{
    for (uint32_t i = 0; i < FC_FRAGMENTS_MAX && fragments->count > 0; i++)
        if (fragments->places[i].used && unix_ns - fragments->places[i].first_ns >= FC_FRAGMENTS_TIMEOUT_NS)
            end(fragments, &fragments->places[i], false);
}

void
fc_fragments_each_lost(const fc_fragments *fragments, int64_t unix_ns,
                       void (*each)(void *user, const fc_datagram *datagram), void *user)
{
    for (uint32_t i = 0; i < FC_FRAGMENTS_MAX && fragments->count > 0; i++)
        if (fragments->places[i].used && unix_ns - fragments->places[i].first_ns >= FC_FRAGMENTS_TIMEOUT_NS)
            each(user, &fragments->places[i]);
}

static fc_address
address_of(uint8_t family, const uint64_t *bytes)
{
    fc_address address = {.family = family};
    memcpy(address.bytes, bytes, family == 4 ? 4 : 16);
    return address;
}

fc_address
fc_datagram_source(const fc_datagram *datagram)
{
    return address_of(datagram->key.family, datagram->key.low);
}

fc_address
fc_datagram_destination(const fc_datagram *datagram)
{
    return address_of(datagram->key.family, datagram->key.high);
}
