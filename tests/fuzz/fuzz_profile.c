/* Profiles and contexts as peers and files send them: what is taken packs to the same bytes again and again.
 */
#include "common/base/mem.h"
#include "common/profile/context.h"
#include "common/profile/profile.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_profile(const uint8_t *data, size_t size)
{
    fc_profile *profile = NULL, *again = NULL;
    if (fc_profile_unpack(data, size, &profile, NULL) != FC_OK)
        return;
    fc_buf first = {0}, second = {0};
    fc_profile_pack(profile, &first);
    if (fc_buf_size(&first) > FC_PROFILE_PACKED_MAX ||
        fc_profile_unpack(fc_buf_bytes(&first), fc_buf_size(&first), &again, NULL) != FC_OK)
        abort();
    fc_profile_pack(again, &second);
    if (fc_buf_size(&first) != fc_buf_size(&second) ||
        memcmp(fc_buf_bytes(&first), fc_buf_bytes(&second), fc_buf_size(&first)) != 0)
        abort();
    fc_profile_merge(profile, again);
    json_decref(fc_profile_to_json(profile));
    fc_profile_free(profile);
    fc_profile_free(again);
    fc_buf_fini(&first);
    fc_buf_fini(&second);
}

static void
try_context(const uint8_t *data, size_t size)
{
    fc_context context;
    if (fc_context_unpack(data, size, &context, NULL) != FC_OK)
        return;
    fc_buf packed = {0};
    fc_context_pack(&context, &packed);
    if (fc_buf_size(&packed) > FC_CONTEXT_PACKED_MAX)
        abort();
    json_decref(fc_context_to_json(&context));
    fc_buf_fini(&packed);
    fc_context_fini(&context);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_profile(data, size);
    try_context(data, size);
    return 0;
}
