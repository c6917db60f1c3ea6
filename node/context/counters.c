/* The kernel's own counters (RFC 4022, RFC 4113; /proc/net/snmp, /proc/net/netstat): what it threw away and
 * why. */
#include "node/context/readers.h"

#include "common/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Those that say of a machine that something is wrong with it, and a few to hold them against. */
static const char *const wanted[] = {
    "Ip.InHdrErrors",
    "Ip.InAddrErrors",
    "Ip.InDiscards",
    "Ip.OutDiscards",
    "Ip.OutNoRoutes",
    "Ip.ReasmFails",
    "Ip.FragFails",
    "Icmp.InDestUnreachs",
    "Icmp.OutDestUnreachs",
    "Tcp.ActiveOpens",
    "Tcp.PassiveOpens",
    "Tcp.AttemptFails",
    "Tcp.EstabResets",
    "Tcp.OutSegs",
    "Tcp.RetransSegs",
    "Tcp.InErrs",
    "Tcp.OutRsts",
    "Tcp.InCsumErrors",
    "Udp.NoPorts",
    "Udp.InErrors",
    "Udp.RcvbufErrors",
    "Udp.SndbufErrors",
    "Udp.InCsumErrors",
    "TcpExt.ListenOverflows",
    "TcpExt.ListenDrops",
    "TcpExt.TCPTimeouts",
    "TcpExt.TCPBacklogDrop",
    "TcpExt.TCPRcvQDrop",
    "TcpExt.TCPZeroWindowDrop",
    "TcpExt.TCPAbortOnMemory",
    "TcpExt.TCPAbortOnTimeout",
    "TcpExt.TCPAbortOnData",
    "TcpExt.TCPReqQFullDrop",
    "TcpExt.TCPReqQFullDoCookies",
    "TcpExt.PruneCalled",
    "TcpExt.RcvPruned",
    "TcpExt.TCPMTUPSuccess",
    "TcpExt.TCPMTUPFail",
    "TcpExt.TCPFastOpenBlackhole",
    "TcpExt.PAWSEstab",
    "TcpExt.TCPWantZeroWindowAdv",
    "TcpExt.TCPToZeroWindowAdv",
};

static bool
is_wanted(const char *key)
{
    for (size_t i = 0; i < FC_COUNT(wanted); i++)
        if (strcmp(wanted[i], key) == 0)
            return true;
    return false;
}

/* "Tcp: InSegs OutSegs" and "Tcp: 5 7". */
static void
add_pair(char *names, char *numbers, fc_context *context)
{
    char *name_rest = NULL, *number_rest = NULL, key[FC_CONTEXT_KEY_MAX + 1];
    const char *group = strtok_r(names, ": ", &name_rest);
    const char *again = strtok_r(numbers, ": ", &number_rest);
    if (group == NULL || again == NULL || strcmp(group, again) != 0)
        return;
    for (;;) {
        const char *name = strtok_r(NULL, " ", &name_rest), *number = strtok_r(NULL, " ", &number_rest);
        if (name == NULL || number == NULL)
            return;
        (void)snprintf(key, sizeof key, "%s.%s", group, name);
        if (is_wanted(key))
            fc_context_add(context, FC_SECTION_SOCKET_COUNTER, key, number);
    }
}

void
nd_context_parse_counters(const char *text, fc_context *context)
{
    char *copy = fc_strdup(text), *rest = NULL;
    for (char *names = strtok_r(copy, "\n", &rest), *numbers = NULL;
         names != NULL && (numbers = strtok_r(NULL, "\n", &rest)) != NULL;
         names = strtok_r(NULL, "\n", &rest))
        add_pair(names, numbers, context);
    free(copy);
}

void
nd_context_read_socket_counters(fc_context *context)
{
    static const char *const files[] = {"/proc/net/snmp", "/proc/net/netstat"};
    for (size_t i = 0; i < FC_COUNT(files); i++) {
        char *text = nd_context_read_file(files[i]);
        if (text != NULL)
            nd_context_parse_counters(text, context);
        else
            fc_context_add_unreadable(context, FC_SECTION_SOCKET_COUNTER, strerror(errno));
        free(text);
    }
}
