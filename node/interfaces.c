#include "node/interfaces.h"

#include "common/base/mem.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INTERFACES_SEEN_MAX = 4096 };

static const nd_interface *
find(const nd_interface *present, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(present[i].name, name) == 0)
            return &present[i];
    return NULL;
}

static fc_err
choose_asked(const nd_interface *present, size_t present_count, const fc_strings *asked, fc_strings *names,
             fc_fail *fail)
{
    if (asked->count > FC_INTERFACES_MAX)
        return fc_fail_field(fail, FC_ERR_LIMIT, "interfaces", "%zu interfaces, the limit is %d",
                             asked->count, FC_INTERFACES_MAX);
    for (size_t i = 0; i < asked->count; i++) {
        /* "any" is libpcap's pseudo-device; a capture names real interfaces, so that each packet says where
         * it was. */
        if (find(present, present_count, asked->items[i]) == NULL)
            return fc_fail_field(fail, FC_ERR_NOT_FOUND, "interfaces", "there is no interface %.32s here",
                                 asked->items[i]);
        fc_strings_add(names, asked->items[i]);
    }
    return FC_OK;
}

fc_err
nd_interfaces_choose(const nd_interface *present, size_t present_count, const fc_strings *asked,
                     const fc_strings *allowed, fc_strings *ret_names, fc_fail *fail)
{
    fc_strings names = {0};
    fc_err err = FC_OK;
    if (asked->count > 0)
        err = choose_asked(present, present_count, asked, &names, fail);
    for (size_t i = 0; i < present_count && asked->count == 0 && names.count < FC_INTERFACES_MAX; i++) {
        const nd_interface *one = &present[i];
        if (one->up && !one->loopback && one->has_address &&
            (allowed->count == 0 || fc_strings_have(allowed, one->name)))
            fc_strings_add(&names, one->name);
    }
    if (err == FC_OK && names.count == 0)
        err = fc_fail_field(fail, FC_ERR_NOT_FOUND, "interfaces",
                            "no interface here is up, has an address and is allowed by this node");
    if (err == FC_OK)
        *ret_names = names;
    else
        fc_strings_fini(&names);
    return err;
}

fc_err
nd_interfaces_resolve(const fc_strings *asked, const fc_strings *allowed, fc_strings *ret_names,
                      fc_fail *fail)
{
    struct ifaddrs *list;
    if (getifaddrs(&list) != 0)
        return fc_fail_errno(fail, errno, "cannot list the interfaces");
    nd_interface *present = NULL;
    size_t count = 0;
    for (const struct ifaddrs *at = list; at != NULL && count < INTERFACES_SEEN_MAX; at = at->ifa_next) {
        nd_interface *one = (nd_interface *)(uintptr_t)find(present, count, at->ifa_name);
        if (one == NULL) {
            present = fc_grow_array(present, count + 1, sizeof present[0]);
            one = &present[count++];
            memset(one, 0, sizeof *one);
            (void)snprintf(one->name, sizeof one->name, "%s", at->ifa_name);
        }
        one->up = (at->ifa_flags & IFF_UP) != 0;
        one->loopback = (at->ifa_flags & IFF_LOOPBACK) != 0;
        if (at->ifa_addr != NULL &&
            (at->ifa_addr->sa_family == AF_INET || at->ifa_addr->sa_family == AF_INET6))
            one->has_address = true;
    }
    freeifaddrs(list);
    fc_err err = nd_interfaces_choose(present, count, asked, allowed, ret_names, fail);
    free(present);
    return err;
}
