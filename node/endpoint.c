#include "node/endpoint.h"

#include "common/base/mem.h"
#include "common/base/text.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

fc_err
nd_endpoint_split(const char *address, char **ret_host, uint16_t *ret_port, fc_fail *fail)
{
    const char *colon = strrchr(address, ':');
    uint64_t port = 0;
    if (colon == NULL || colon == address || fc_u64_parse(colon + 1, UINT16_MAX, &port) != FC_OK || port == 0)
        return fc_fail_field(fail, FC_ERR_INVALID, "coordinator", "coordinator: '%.100s' is not host:port",
                             address);
    size_t length = (size_t)(colon - address);
    bool bracketed = length > 2 && address[0] == '[' && colon[-1] == ']';
    if (!bracketed && memchr(address, ':', length) != NULL)
        return fc_fail_field(fail, FC_ERR_INVALID, "coordinator",
                             "coordinator: '%.100s': an IPv6 address stands in brackets, [fd00::1]:7443",
                             address);
    *ret_host = bracketed ? fc_strndup(address + 1, length - 2) : fc_strndup(address, length);
    *ret_port = (uint16_t)port;
    return FC_OK;
}

fc_err
nd_endpoint_resolve(const char *host, uint16_t port, bool numeric_only,
                    fc_endpoint ret_endpoints[ND_ENDPOINTS_MAX], size_t *ret_count, fc_fail *fail)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = numeric_only ? AI_NUMERICHOST : 0};
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(host, NULL, &hints, &list);
    if (rc != 0)
        return fc_fail_set(fail, rc == EAI_AGAIN ? FC_ERR_AGAIN : FC_ERR_NOT_FOUND,
                           "%.100s has no address: %s", host, gai_strerror(rc));
    size_t count = 0;
    for (const struct addrinfo *at = list; at != NULL && count < ND_ENDPOINTS_MAX; at = at->ai_next) {
        fc_endpoint *endpoint = &ret_endpoints[count];
        if (getnameinfo(at->ai_addr, at->ai_addrlen, endpoint->address, sizeof endpoint->address, NULL, 0,
                        NI_NUMERICHOST) != 0)
            continue;
        endpoint->address[strcspn(endpoint->address, "%")] = '\0'; /* the zone of a link-local address */
        endpoint->port = port;
        count++;
    }
    freeaddrinfo(list);
    *ret_count = count;
    return FC_OK;
}

static bool
have(const fc_endpoint *endpoints, size_t count, const fc_endpoint *one)
{
    for (size_t i = 0; i < count; i++)
        if (endpoints[i].port == one->port && strcmp(endpoints[i].address, one->address) == 0)
            return true;
    return false;
}

void
nd_endpoint_merge(fc_endpoint endpoints[ND_ENDPOINTS_MAX], size_t *count, const fc_endpoint *more,
                  size_t more_count)
{
    for (size_t i = 0; i < more_count; i++) {
        if (have(endpoints, *count, &more[i]))
            continue;
        if (*count == ND_ENDPOINTS_MAX)
            memmove(endpoints, endpoints + 1, --*count * sizeof endpoints[0]);
        endpoints[(*count)++] = more[i];
    }
}
