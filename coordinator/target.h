/* target.h: which instances a target means, and whether they and their regions have room for one more
 * capture. */
#ifndef CO_TARGET_H
#define CO_TARGET_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/model/definition.h"
#include "coordinator/registry.h"

#include <stddef.h>

struct co;

/* Instances that are away count too. *ret_instances is owned by the caller (free(3)), its items by the
 * registry. FC_ERR_NOT_FOUND when nothing matches, or a name that is listed is no instance's; FC_ERR_INVALID
 * when a listed name is that of several instances. */
FC_MUST_USE fc_err
co_target_resolve(const struct co *co, const fc_target *target, co_instance ***ret_instances,
                  size_t *ret_count, fc_fail *fail);
/* The listed names are each the id or the unambiguous name of an instance. */
FC_MUST_USE fc_err
co_target_check_names(const struct co *co, const fc_strings *names, fc_fail *fail);

/* Appends what the target asks for, without the listed names, so that the word that is wrong is seen: "scale
 * set 'web', region 'eu' or 2 more, ". Nothing for a target that asks for nothing. */
void
co_target_words(const fc_target *target, fc_buf *words);

/* FC_ERR_LIMIT names the region or the instance that has no room, and the numbers. Counts the refusal. */
FC_MUST_USE fc_err
co_quota_check(struct co *co, co_instance *const *instances, size_t count, fc_fail *fail);

#endif
