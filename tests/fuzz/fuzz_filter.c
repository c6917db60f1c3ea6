/* Filters as hostile text: never a look-up of a name, never a program that the kernel refuses, never a crash.
 *
 * Input, one line each: protocol, local address, local port, remote address, remote port; the rest is the raw
 * expression.
 */
#include "common/base/mem.h"
#include "common/filter/filter.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sockaddr_in6 ipv6_address;
static struct sockaddr_in ipv4_address;

/* Stands before the C library's: reads numeric addresses for libpcap, and aborts on a name. */
int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
    (void)service, (void)hints;
    if (node == NULL)
        abort();
    struct addrinfo *info = FC_NEW(struct addrinfo);
    ipv6_address.sin6_family = AF_INET6;
    ipv4_address.sin_family = AF_INET;
    if (inet_pton(AF_INET6, node, &ipv6_address.sin6_addr) == 1)
        *info = (struct addrinfo){.ai_family = AF_INET6,
                                  .ai_addr = (struct sockaddr *)&ipv6_address,
                                  .ai_addrlen = sizeof ipv6_address};
    else if (inet_pton(AF_INET, node, &ipv4_address.sin_addr) == 1)
        *info = (struct addrinfo){.ai_family = AF_INET,
                                  .ai_addr = (struct sockaddr *)&ipv4_address,
                                  .ai_addrlen = sizeof ipv4_address};
    else
        abort();
    *ret = info;
    return 0;
}

void
freeaddrinfo(struct addrinfo *info)
{
    free(info);
}

struct netent *
getnetbyname(const char *name)
{
    (void)name;
    abort();
}

struct protoent *
getprotobyname(const char *name)
{
    (void)name;
    abort();
}

/* Cuts the first line off *rest. */
static char *
take_line(char **rest)
{
    char *line = *rest;
    char *end = strchr(line, '\n');
    *rest = end != NULL ? end + 1 : line + strlen(line);
    if (end != NULL)
        *end = '\0';
    return line;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 8192)
        return 0;
    char *text = fc_strndup((const char *)data, size), *rest = text;
    fc_filter filter = {.protocol = FC_PROTOCOL_ANY};
    if (fc_protocol_parse(take_line(&rest), &filter.protocol) != FC_OK)
        filter.protocol = FC_PROTOCOL_ANY;
    filter.local_address = take_line(&rest);
    filter.local_port = take_line(&rest);
    filter.remote_address = take_line(&rest);
    filter.remote_port = take_line(&rest);
    const fc_endpoint own = {"2001:db8::1", 7443};
    fc_buf expression = {0};
    fc_fail fail = {0};
    fc_err checked = fc_filter_check(&filter, 0, &fail);
    if (checked != FC_OK && (*fail.field == '\0' || *fail.text == '\0'))
        abort();
    fc_err err = fc_filter_expression(&filter, 1, rest, &own, 1, &expression, &fail);
    if (err == FC_OK) {
        struct bpf_program program;
        if (checked != FC_OK ||
            fc_filter_compile(fc_buf_text(&expression), DLT_EN10MB, 96, &program, &fail) != FC_OK)
            abort();
        if (program.bf_len > 4096 || !bpf_validate(program.bf_insns, (int)program.bf_len))
            abort();
        pcap_freecode(&program);
    } else if (*fail.text == '\0') {
        abort();
    }
    fc_buf_fini(&expression);
    free(text);
    return 0;
}
