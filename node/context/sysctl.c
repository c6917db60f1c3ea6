/* The kernel's settings that change how TCP and IP behave (Documentation/networking/ip-sysctl.rst). */
#include "node/context/readers.h"

#include "common/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    "net.core.default_qdisc",
    "net.core.netdev_max_backlog",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.somaxconn",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "net.ipv4.icmp_echo_ignore_all",
    "net.ipv4.ip_default_ttl",
    "net.ipv4.ip_forward",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_no_pmtu_disc",
    "net.ipv4.tcp_abort_on_overflow",
    "net.ipv4.tcp_base_mss",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_ecn",
    "net.ipv4.tcp_fastopen",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_max_tw_buckets",
    "net.ipv4.tcp_mtu_probing",
    "net.ipv4.tcp_no_metrics_save",
    "net.ipv4.tcp_retries1",
    "net.ipv4.tcp_retries2",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_syn_retries",
    "net.ipv4.tcp_synack_retries",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_window_scaling",
    "net.ipv4.tcp_wmem",
    "net.ipv4.udp_mem",
    "net.ipv6.bindv6only",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_tcp_timeout_established",
    "net.netfilter.nf_conntrack_udp_timeout",
};

/* One value per interface, below these directories. */
static const struct {
    const char *directory, *name;
} per_interface[] = {
    {"ipv4/conf", "rp_filter"},  {"ipv4/conf", "accept_redirects"}, {"ipv4/conf", "arp_ignore"},
    {"ipv4/conf", "forwarding"}, {"ipv6/conf", "disable_ipv6"},     {"ipv6/conf", "accept_ra"},
    {"ipv6/conf", "mtu"},
};

enum { INTERFACES_MAX = 32 };

/* "a\tb\n" -> "a b". */
static void
tidy(char *text)
{
    text[strcspn(text, "\n")] = '\0';
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\t')
            *c = ' ';
}

static void
add(fc_context *context, const char *key, const char *path)
{
    char *text = nd_context_read_file(path);
    if (text == NULL)
        return; /* this kernel, or this namespace, does not have it */
    tidy(text);
    fc_context_add(context, FC_SECTION_SYSCTL, key, text);
    free(text);
}

static void
add_per_interface(fc_context *context, const char *directory, const char *name)
{
    char path[512], key[FC_CONTEXT_KEY_MAX + 1];
    (void)snprintf(path, sizeof path, "/proc/sys/net/%s", directory);
    DIR *interfaces = opendir(path);
    if (interfaces == NULL)
        return;
    struct dirent *entry;
    for (int count = 0; count < INTERFACES_MAX && (entry = readdir(interfaces)) != NULL;) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "lo") == 0 || strlen(entry->d_name) > 16)
            continue;
        count++;
        (void)snprintf(path, sizeof path, "/proc/sys/net/%s/%.16s/%s", directory, entry->d_name, name);
        (void)snprintf(key, sizeof key, "net.%.4s.conf.%.16s.%s", directory, entry->d_name, name);
        add(context, key, path);
    }
    (void)closedir(interfaces);
}

void
nd_context_read_sysctls(fc_context *context)
{
    char path[256];
    for (size_t i = 0; i < FC_COUNT(names); i++) {
        (void)snprintf(path, sizeof path, "/proc/sys/%s", names[i]);
        for (char *c = path + strlen("/proc/sys/"); *c != '\0'; c++)
            if (*c == '.')
                *c = '/';
        add(context, names[i], path);
    }
    for (size_t i = 0; i < FC_COUNT(per_interface); i++)
        add_per_interface(context, per_interface[i].directory, per_interface[i].name);
}
