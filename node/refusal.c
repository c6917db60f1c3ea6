#include "node/refusal.h"

#include <stdio.h>
#include <string.h>

bool
nd_refusal_is_news(nd_refusal *refusal, const char *why)
{
    if (strcmp(refusal->said, why) == 0)
        return false;
    (void)snprintf(refusal->said, sizeof refusal->said, "%s", why);
    return true;
}

int64_t
nd_refusal_wait_ms(nd_refusal *refusal, fc_code code, uint32_t random)
{
    uint32_t half_ms = code == FC_CODE_FAILED_PRECONDITION ? ND_REFUSAL_SKEW_MS : ND_REFUSAL_RETRY_MS;
    if (code == FC_CODE_PERMISSION_DENIED || code == FC_CODE_UNAUTHENTICATED) {
        for (unsigned i = 0; i < refusal->count && half_ms < ND_REFUSAL_MAX_MS / 2; i++)
            half_ms *= 2;
        half_ms = half_ms < ND_REFUSAL_MAX_MS / 2 ? half_ms : ND_REFUSAL_MAX_MS / 2;
        refusal->count++;
    }
    return (int64_t)half_ms + random % half_ms;
}
