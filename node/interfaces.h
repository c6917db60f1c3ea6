/* interfaces.h: which interfaces a capture watches on this machine. */
#ifndef ND_INTERFACES_H
#define ND_INTERFACES_H

#include "common/base/err.h"
#include "common/model/definition.h"

#include <stdbool.h>
#include <stddef.h>

/* What matters of one interface. */
typedef struct nd_interface {
    char name[16]; /* IFNAMSIZ */
    bool up, loopback, has_address;
} nd_interface;

/* Pure. Asked by name: all of them must exist. Not asked: those that are up, have an address, are not the
 * loopback and are allowed (empty `allowed` = all); at most FC_INTERFACES_MAX. FC_ERR_NOT_FOUND when nothing
 * is left. */
FC_MUST_USE fc_err
nd_interfaces_choose(const nd_interface *present, size_t present_count, const fc_strings *asked,
                     const fc_strings *allowed, fc_strings *ret_names, fc_fail *fail);
/* The same over what this machine has now (getifaddrs(3)). */
FC_MUST_USE fc_err
nd_interfaces_resolve(const fc_strings *asked, const fc_strings *allowed, fc_strings *ret_names,
                      fc_fail *fail);

#endif
