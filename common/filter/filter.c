#include "common/filter/filter.h"

#include "common/base/mem.h"
#include "common/filter/tuple.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    fc_protocol protocol;
    const char *name;
} protocols[] = {
    {FC_PROTOCOL_ANY, "Any"},
    {FC_PROTOCOL_TCP, "TCP"},
    {FC_PROTOCOL_UDP, "UDP"},
    {FC_PROTOCOL_ICMP, "ICMP"},
};

const char *
fc_protocol_name(fc_protocol protocol)
{
    for (size_t i = 0; i < FC_COUNT(protocols); i++)
        if (protocols[i].protocol == protocol)
            return protocols[i].name;
    return "none";
}

fc_err
fc_protocol_parse(const char *text, fc_protocol *ret_protocol)
{
    for (size_t i = 0; i < FC_COUNT(protocols); i++) {
        if (strcasecmp(protocols[i].name, text) == 0) {
            *ret_protocol = protocols[i].protocol;
            return FC_OK;
        }
    }
    return FC_ERR_INVALID;
}

void
fc_filter_fini(fc_filter *filter)
{
    free(filter->local_address);
    free(filter->local_port);
    free(filter->remote_address);
    free(filter->remote_port);
    *filter = (fc_filter){0};
}

#define FIELD_TEXT 40

static const char *
field_name(char text[FIELD_TEXT], size_t index, const char *name)
{
    (void)snprintf(text, FIELD_TEXT, "filters[%zu].%s", index, name);
    return text;
}

/* The only family of the ranges: 32 or 128; 0 when any, or both. */
static unsigned
only_family(const fc_ip_ranges *ranges)
{
    if (ranges->count == 0 || ranges->items[0].bits != ranges->items[ranges->count - 1].bits)
        return 0;
    return ranges->items[0].bits;
}

/* Fields that are good one by one, but can never be true together. */
static fc_err
contradiction_check(const fc_filter *filter, size_t index, const fc_tuple *tuple, fc_fail *fail)
{
    char field[FIELD_TEXT], shown[FC_SHOWN_TEXT];
    if (tuple->protocol == FC_PROTOCOL_ICMP &&
        (tuple->local_ports.count > 0 || tuple->remote_ports.count > 0)) {
        bool local = tuple->local_ports.count > 0;
        field_name(field, index, local ? "localPort" : "remotePort");
        return fc_fail_field(fail, FC_ERR_INVALID, field, "%s \"%s\": ICMP has no ports", field,
                             fc_shown(local ? filter->local_port : filter->remote_port, shown));
    }
    unsigned local = only_family(&tuple->local), remote = only_family(&tuple->remote);
    if (local != 0 && remote != 0 && local != remote) {
        field_name(field, index, "remoteIPAddress");
        return fc_fail_field(
            fail, FC_ERR_INVALID, field,
            "%s \"%s\": has only %s addresses and localIPAddress only %s: no packet has both", field,
            fc_shown(filter->remote_address, shown), remote == 32 ? "IPv4" : "IPv6",
            local == 32 ? "IPv4" : "IPv6");
    }
    return FC_OK;
}

fc_err
fc_tuple_parse(const fc_filter *filter, size_t index, fc_tuple *ret_tuple, fc_fail *fail)
{
    char field[FIELD_TEXT];
    if (filter->protocol < FC_PROTOCOL_ANY || filter->protocol > FC_PROTOCOL_ICMP) {
        field_name(field, index, "protocol");
        return fc_fail_field(fail, FC_ERR_INVALID, field, "%s %d: must be TCP, UDP, ICMP or Any", field,
                             (int)filter->protocol);
    }
    ret_tuple->protocol = filter->protocol;
    fc_err err = fc_value_addresses(filter->local_address, field_name(field, index, "localIPAddress"),
                                    &ret_tuple->local, fail);
    if (err == FC_OK)
        err = fc_value_ports(filter->local_port, field_name(field, index, "localPort"),
                             &ret_tuple->local_ports, fail);
    if (err == FC_OK)
        err = fc_value_addresses(filter->remote_address, field_name(field, index, "remoteIPAddress"),
                                 &ret_tuple->remote, fail);
    if (err == FC_OK)
        err = fc_value_ports(filter->remote_port, field_name(field, index, "remotePort"),
                             &ret_tuple->remote_ports, fail);
    return err == FC_OK ? contradiction_check(filter, index, ret_tuple, fail) : err;
}

fc_err
fc_filter_check(const fc_filter *filter, size_t index, fc_fail *fail)
{
    fc_tuple tuple;
    return fc_tuple_parse(filter, index, &tuple, fail);
}
