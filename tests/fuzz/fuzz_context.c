/* Configuration files of an instance, and packed contexts of a peer. */
#include "common/base/mem.h"
#include "common/profile/context.h"
#include "node/context/readers.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fc_strndup((const char *)data, size);
    fc_context context = {0}, again = {0};
    fc_buf packed = {0};
    fc_fail fail;
    nd_context_parse_resolver(text, "", &context);
    nd_context_parse_hosts(text, &context);
    nd_context_parse_counters(text, &context);
    fc_context_sort(&context);
    fc_context_pack(&context, &packed);
    if (fc_context_unpack(fc_buf_bytes(&packed), fc_buf_size(&packed), &again, &fail) != FC_OK)
        abort(); /* what we pack, we can read */
    fc_context_fini(&again);
    fc_context_fini(&context);
    fc_buf_fini(&packed);
    free(text);
    return 0;
}
