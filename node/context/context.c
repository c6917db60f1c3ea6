#include "node/context.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "node/context/readers.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 64 << 10 };

fc_err
nd_context_read(fc_context *ret_context, fc_fail *fail)
{
    nd_netlink route;
    fc_err err = nd_netlink_open(&route, NETLINK_ROUTE, fail);
    if (err != FC_OK)
        return err;
    fc_context context = {.at = fc_clock_wall(&fc_clock_system)};
    /* What is small and matters most comes first: a full table of routes may take all the room that is left.
     */
    nd_context_read_links(&route, &context);
    nd_context_read_resolver(&context);
    nd_context_read_sysctls(&context);
    nd_context_read_clock(&context);
    nd_context_read_socket_counters(&context);
    nd_context_read_rules(&route, &context);
    nd_context_read_addresses(&route, &context);
    nd_context_read_hosts(&context);
    nd_context_read_listeners(&context);
    nd_context_read_firewall(&context);
    nd_context_read_routes(&route, &context);
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
