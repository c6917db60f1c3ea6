/* What a metadata service or cloud-init says: whatever it is, what is taken of it are names and plain labels.
 */
#include "common/base/mem.h"
#include "node/metadata.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const nd_metadata *metadata)
{
    const char *names[] = {metadata->id, metadata->name, metadata->zone};
    for (size_t i = 0; i < FC_COUNT(names); i++)
        if (*names[i] != '\0' && !fc_name_check(names[i]))
            abort();
    if (metadata->labels.count > ND_METADATA_LABELS_MAX)
        abort();
    for (size_t i = 0; i < metadata->labels.count; i++)
        if (!fc_name_check(metadata->labels.items[i].key) ||
            strlen(metadata->labels.items[i].value) > ND_METADATA_LABEL_VALUE_MAX)
            abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nd_metadata azure = {0}, cloud_init = {0};
    fc_fail fail = {0};
    if (nd_metadata_parse_azure((const char *)data, size, &azure, &fail) == FC_OK)
        check(&azure);
    if (nd_metadata_parse_cloud_init((const char *)data, size, &cloud_init, &fail) == FC_OK)
        check(&cloud_init);
    nd_metadata_fini(&azure);
    nd_metadata_fini(&cloud_init);
    return 0;
}
