#include "common/analysis/errors.h"

#include "common/base/mem.h"

#include <stdlib.h>

void
fc_error_table_fini(fc_error_table *table)
{
    free(table->places);
    *table = (fc_error_table){0};
}

_Static_assert(FC_ERRORS_MAX <= UINT16_MAX, "an index has 16 bits");

uint16_t
fc_error_table_take(fc_error_table *table)
{
    uint32_t index = table->free;
    if (table->places == NULL)
        table->places = fc_alloc_array(FC_ERRORS_MAX + 1, sizeof *table->places);
    if (index != 0)
        table->free = table->places[index].next_free;
    else if (table->used < FC_ERRORS_MAX)
        index = ++table->used;
    table->places[index] = (fc_errors){0};
    return (uint16_t)index;
}

void
fc_error_table_give(fc_error_table *table, uint32_t index)
{
    if (index == 0)
        return;
    table->places[index].next_free = table->free;
    table->free = index;
}

bool
fc_error_kind_of(const fc_icmp_message *message, fc_error_kind *ret_kind)
{
    static const struct {
        fc_icmp_kind from;
        fc_error_kind to;
    } kinds[] = {
        {FC_ICMP_UNREACHABLE, FC_ERROR_UNREACHABLE},
        {FC_ICMP_PROHIBITED, FC_ERROR_PROHIBITED},
        {FC_ICMP_TOO_BIG, FC_ERROR_TOO_BIG},
        {FC_ICMP_TIME_EXCEEDED, FC_ERROR_TIME_EXCEEDED},
    };
    for (size_t i = 0; i < FC_COUNT(kinds); i++) {
        if (kinds[i].from == message->kind) {
            *ret_kind = kinds[i].to;
            return true;
        }
    }
    return false;
}

void
fc_errors_add(fc_errors *errors, fc_error_kind kind, const fc_icmp_message *message, int64_t unix_ns,
              uint8_t file, uint64_t frame)
{
    fc_error_seen *seen = &errors->kinds[kind];
    if (seen->count == 0)
        *seen = (fc_error_seen){0, message->type, message->code, file, frame, unix_ns};
    if (seen->count < UINT32_MAX)
        seen->count++;
    if (message->kind == FC_ICMP_TOO_BIG && message->mtu != 0 &&
        (errors->mtu == 0 || message->mtu < errors->mtu))
        errors->mtu = message->mtu;
}
