/* One ICMP message; the first byte says of which family. What it quotes is in the family. */
#include "common/analysis/icmp.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint8_t family = (data[0] & 1) != 0 ? 6 : 4;
    fc_icmp_message message;
    if (fc_icmp_parse(family, data + 1, size - 1, &message) != FC_OK)
        return 0;
    if (message.has_original && (message.source.family != family || message.destination.family != family))
        abort();
    if (!message.has_original && (message.source_port != 0 || message.destination_port != 0))
        abort();
    return fc_icmp_text(family, message.type, message.code)[0] == '\0';
}
