#include "node/context.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "node/context/readers.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 64 << 10 };

/* In the order of importance: what has no room when the context is full comes last. */
static void (*const route_readers[])(nd_netlink *, fc_context *) = {
    nd_context_read_links, nd_context_read_addresses, nd_context_read_routes, nd_context_read_rules};
static void (*const readers[])(fc_context *) = {
    nd_context_read_resolver,        nd_context_read_sysctls, nd_context_read_clock,
    nd_context_read_socket_counters, nd_context_read_hosts,   nd_context_read_listeners,
    nd_context_read_firewall,
};

fc_err
nd_context_read(fc_context *ret_context, fc_fail *fail)
{
    nd_netlink route;
    fc_err err = nd_netlink_open(&route, NETLINK_ROUTE, fail);
    if (err != FC_OK)
        return err;
    fc_context context = {.at = fc_clock_wall(&fc_clock_system)};
    for (size_t i = 0; i < FC_COUNT(route_readers); i++)
        route_readers[i](&route, &context);
    for (size_t i = 0; i < FC_COUNT(readers); i++)
        readers[i](&context);
    nd_context_read_neighbours(&route, &context);
    nd_netlink_close(&route);
    fc_context_sort(&context);
    *ret_context = context;
    return FC_OK;
}

char *
nd_context_read_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    char *text = fc_alloc(FILE_BYTES_MAX + 1);
    size_t size = 0;
    for (ssize_t n; size < FILE_BYTES_MAX && (n = read(fd, text + size, FILE_BYTES_MAX - size)) > 0;)
        size += (size_t)n;
    (void)close(fd);
    text[size] = '\0';
    return text;
}
