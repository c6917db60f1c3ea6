/* readers.h: one function a part of the context; each adds its facts, or says what it could not read. */
#ifndef ND_CONTEXT_READERS_H
#define ND_CONTEXT_READERS_H

#include "common/profile/context.h"
#include "node/context/netlink.h"

void
nd_context_read_links(nd_netlink *route, fc_context *context); /* LINK, LINK_COUNTER */
void
nd_context_read_addresses(nd_netlink *route, fc_context *context); /* ADDRESS */
void
nd_context_read_routes(nd_netlink *route, fc_context *context); /* ROUTE */
void
nd_context_read_rules(nd_netlink *route, fc_context *context); /* RULE */
void
nd_context_read_neighbours(nd_netlink *route, fc_context *context); /* NEIGHBOUR */
void
nd_context_read_listeners(fc_context *context); /* LISTENER */
void
nd_context_read_firewall(fc_context *context); /* FIREWALL, FIREWALL_COUNTER */
void
nd_context_read_resolver(fc_context *context); /* RESOLVER */
void
nd_context_read_hosts(fc_context *context); /* HOST */
void
nd_context_read_sysctls(fc_context *context); /* SYSCTL */
void
nd_context_read_socket_counters(fc_context *context); /* SOCKET_COUNTER */
void
nd_context_read_clock(fc_context *context); /* CLOCK */

/* Pure: the facts of a resolv.conf(5) and of a hosts(5) file; `prefix` goes before each key ("" or "upstream
 * "). */
void
nd_context_parse_resolver(const char *text, const char *prefix, fc_context *context);
void
nd_context_parse_hosts(const char *text, fc_context *context);
/* Pure: /proc/net/snmp and /proc/net/netstat: pairs of lines, names and numbers. */
void
nd_context_parse_counters(const char *text, fc_context *context);

/* A small file, NUL-terminated, owned by the caller; NULL when it cannot be read (errno). */
char *
nd_context_read_file(const char *path);

#endif
