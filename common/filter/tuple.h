/* tuple.h: one filter, parsed. Within fc_filter only. */
#ifndef FC_FILTER_TUPLE_H
#define FC_FILTER_TUPLE_H

#include "common/filter/value.h"

typedef struct fc_tuple {
    fc_protocol protocol;
    fc_ip_ranges local, remote;
    fc_port_ranges local_ports, remote_ports;
} fc_tuple;

/* Checks and parses; the sentence is that of fc_filter_check. */
FC_MUST_USE fc_err
fc_tuple_parse(const fc_filter *filter, size_t index, fc_tuple *ret_tuple, fc_fail *fail);

#endif
