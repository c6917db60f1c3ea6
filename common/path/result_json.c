/* path.h: the result as JSON, docs/path.md. */
#include "common/analysis/packet.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/path/path.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *
side_json(const fc_path_side *side)
{
    json_t *files = json_array();
    for (size_t i = 0; i < side->file_count; i++)
        json_array_append_new(files, fc_json_text(side->files[i]));
    json_t *tree = json_object();
    json_object_set_new(tree, "name", fc_json_text(side->name));
    json_object_set_new(tree, "files", files);
    json_object_set_new(tree, "frames", fc_json_number(side->frames));
    json_object_set_new(tree, "packets", fc_json_number(side->packets));
    json_object_set_new(tree, "unreadable", fc_json_number(side->unreadable));
    json_object_set_new(tree, "repeated", fc_json_number(side->repeated));
    json_object_set_new(tree, "fragmentsUnjoined", fc_json_number(side->fragments_unjoined));
    json_object_set_new(tree, "from", fc_json_time((fc_wall){side->first_ns}));
    json_object_set_new(tree, "to", fc_json_time((fc_wall){side->last_ns}));
    json_object_set_new(tree, "dropsKnown", json_boolean(side->drops_known));
    json_object_set_new(tree, "droppedKernel", fc_json_number(side->os_dropped));
    json_object_set_new(tree, "interfaceDropped", fc_json_number(side->interface_dropped));
    json_object_set_new(tree, "filterKnown", json_boolean(side->filter_known));
    json_object_set_new(tree, "filter", fc_json_text(side->filter));
    json_object_set_new(tree, "snapLengthBytes", json_integer(side->snaplen_bytes));
    return tree;
}

static json_t *
clock_json(const fc_path_clock *clock)
{
    json_t *tree = json_object();
    bool skew = clock->known && clock->skew_bound_ppm >= 0;
    json_object_set_new(tree, "known", json_boolean(clock->known));
    json_object_set_new(tree, "linear", json_boolean(clock->linear));
    json_object_set_new(tree, "at", clock->known ? fc_json_time((fc_wall){clock->at_ns}) : json_null());
    json_object_set_new(tree, "offsetNs", clock->known ? json_integer(clock->offset_ns) : json_null());
    json_object_set_new(tree, "boundNs", clock->known ? json_integer(clock->bound_ns) : json_null());
    json_object_set_new(tree, "skewPpm", skew ? json_real(clock->skew_ppm) : json_null());
    json_object_set_new(tree, "skewBoundPpm", skew ? json_real(clock->skew_bound_ppm) : json_null());
    json_object_set_new(tree, "roundTripNs", clock->known ? json_integer(clock->round_trip_ns) : json_null());
    json_object_set_new(
        tree, "samples",
        json_pack("[o, o]", fc_json_number(clock->samples[0]), fc_json_number(clock->samples[1])));
    return tree;
}

static json_t *
endpoint_json(const fc_address *address, uint16_t port)
{
    char text[FC_ADDRESS_TEXT];
    if (address->family == 0)
        return json_null();
    return json_pack("{s:s, s:i}", "address", fc_address_text(address, text), "port", (int)port);
}

static json_t *
delay_json(const fc_path_delay *delay)
{
    if (delay->count == 0)
        return json_null();
    json_t *tree = json_object();
    json_object_set_new(tree, "count", fc_json_number(delay->count));
    json_object_set_new(tree, "relative", json_boolean(delay->relative));
    json_object_set_new(tree, "minNs", json_integer(delay->min_ns));
    json_object_set_new(tree, "p50Ns", json_integer(delay->p50_ns));
    json_object_set_new(tree, "p95Ns", json_integer(delay->p95_ns));
    json_object_set_new(tree, "maxNs", json_integer(delay->max_ns));
    json_object_set_new(tree, "boundNs", delay->relative ? json_null() : json_integer(delay->bound_ns));
    return tree;
}

static void
set_counts(json_t *tree, const fc_path_flow *flow)
{
    const struct {
        const char *name;
        uint64_t count;
    } counts[] = {
        {"sent", flow->sent},
        {"sentBytes", flow->sent_bytes},
        {"arrived", flow->arrived},
        {"lost", flow->lost},
        {"lostBytes", flow->lost_bytes},
        {"lostAcknowledgements", flow->lost_acknowledgements},
        {"notProvable", flow->not_provable},
        {"notExamined", flow->not_examined},
        {"altered", flow->altered},
        {"compared", flow->compared},
        {"reordered", flow->reordered},
        {"unknownOrigin", flow->unknown_origin},
        {"tosChanged", flow->tos_changed},
    };
    json_object_set_new(tree, "verdict", json_string(fc_path_verdict_name(flow->verdict)));
    for (size_t i = 0; i < FC_COUNT(counts); i++)
        json_object_set_new(tree, counts[i].name, fc_json_number(counts[i].count));
    json_t *reasons = json_object();
    for (size_t i = 0; i < FC_PATH_REASON_COUNT; i++)
        if (flow->reasons[i] > 0)
            json_object_set_new(reasons, fc_path_reason_name((fc_path_reason)i),
                                fc_json_number(flow->reasons[i]));
    json_object_set_new(tree, "reasons", reasons);
    json_object_set_new(tree, "delay", delay_json(&flow->delay));
}

static json_t *
lost_json(const fc_path_flow *flow, const fc_path_side *sender)
{
    json_t *list = json_array();
    for (size_t i = 0; i < flow->lost_first_count; i++) {
        const fc_path_example *example = &flow->lost_first[i];
        json_t *tree = json_object();
        json_object_set_new(
            tree, "file",
            fc_json_text(example->file < sender->file_count ? sender->files[example->file] : NULL));
        json_object_set_new(tree, "frame", fc_json_number(example->frame));
        json_object_set_new(tree, "time", fc_json_time((fc_wall){example->unix_ns}));
        json_object_set_new(tree, "sequence", flow->is_tcp ? json_integer(example->sequence) : json_null());
        json_object_set_new(tree, "bytes", json_integer(example->bytes));
        json_object_set_new(tree, "displayFilter",
                            json_sprintf("frame.number == %llu", (unsigned long long)example->frame));
        json_array_append_new(list, tree);
    }
    return list;
}

static json_t *
flow_json(const fc_path_conversation *conversation, const fc_path_flow *flow, const fc_path_side *sender)
{
    if (flow->source.family == 0)
        return json_null();
    json_t *tree = json_object();
    set_counts(tree, flow);
    json_object_set_new(tree, "seen", json_boolean(flow->seen));
    json_object_set_new(tree, "source", endpoint_json(&flow->source, flow->source_port));
    json_object_set_new(tree, "destination", endpoint_json(&flow->destination, flow->destination_port));
    json_object_set_new(tree, "farSource", endpoint_json(&flow->far_source, flow->far_source_port));
    json_object_set_new(tree, "farDestination",
                        endpoint_json(&flow->far_destination, flow->far_destination_port));
    json_object_set_new(tree, "hops", flow->hops > 0 ? json_integer(flow->hops) : json_null());
    json_object_set_new(tree, "mss",
                        flow->mss_sent > 0 && flow->mss_arrived > 0
                            ? json_pack("[i, i]", (int)flow->mss_sent, (int)flow->mss_arrived)
                            : json_null());
    json_object_set_new(tree, "tos",
                        flow->tos_changed > 0
                            ? json_pack("[i, i]", (int)flow->tos_sent, (int)flow->tos_arrived)
                            : json_null());
    json_object_set_new(tree, "lostFirst", lost_json(flow, sender));
    char *filter = fc_path_flow_filter(conversation, flow);
    json_object_set_new(tree, "displayFilter", fc_json_text(filter));
    free(filter);
    return tree;
}

static json_t *
protocol_json(uint8_t protocol)
{
    switch (protocol) {
    case FC_IP_TCP:
        return json_string("tcp");
    case FC_IP_UDP:
        return json_string("udp");
    case FC_IP_ICMP:
        return json_string("icmp");
    case FC_IP_ICMPV6:
        return json_string("icmp6");
    default:
        return json_sprintf("%u", protocol);
    }
}

static json_t *
conversation_json(const fc_path_result *result, const fc_path_conversation *conversation)
{
    json_t *tree = json_object();
    json_object_set_new(tree, "protocol", protocol_json(conversation->protocol));
    json_object_set_new(tree, "elsewhere", json_boolean(conversation->elsewhere));
    json_object_set_new(tree, "translated", json_boolean(conversation->translated));
    json_t *ids = json_array();
    for (int end = 0; end < 2; end++)
        json_array_append_new(ids, conversation->community_id[end][0] != '\0'
                                       ? fc_json_text(conversation->community_id[end])
                                       : json_null());
    json_object_set_new(tree, "communityId", ids);
    json_object_set_new(tree, "firstPacket", fc_json_time((fc_wall){conversation->first_ns}));
    json_object_set_new(tree, "aToB", flow_json(conversation, &conversation->flows[0], &result->sides[0]));
    json_object_set_new(tree, "bToA", flow_json(conversation, &conversation->flows[1], &result->sides[1]));
    return tree;
}

json_t *
fc_path_result_to_json(const fc_path_result *result)
{
    json_t *tree = json_object(), *totals = json_object(), *conversations = json_array();
    char *sentence = fc_path_result_sentence(result);
    json_object_set_new(tree, "verdict", fc_json_text(sentence));
    free(sentence);
    json_object_set_new(tree, "a", side_json(&result->sides[0]));
    json_object_set_new(tree, "b", side_json(&result->sides[1]));
    json_object_set_new(tree, "clock", clock_json(&result->clock));
    for (int way = 0; way < 2; way++) {
        json_t *total = json_object();
        set_counts(total, &result->totals[way]);
        json_object_set_new(totals, way == FC_PATH_A_TO_B ? "aToB" : "bToA", total);
    }
    json_object_set_new(tree, "totals", totals);
    json_object_set_new(tree, "elsewhere", fc_json_number(result->elsewhere));
    json_object_set_new(tree, "conversationCount", fc_json_number(result->count));
    for (size_t i = 0; i < result->count && i < FC_PATH_LISTED_MAX; i++)
        json_array_append_new(conversations, conversation_json(result, &result->conversations[i]));
    json_object_set_new(tree, "conversations", conversations);
    return tree;
}
