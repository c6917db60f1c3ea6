/* selector.h: kubectl's label selector grammar: k=v, k==v, k!=v, k in (a,b), k notin (a,b), k, !k; comma is
 * AND. */
#ifndef FC_MODEL_SELECTOR_H
#define FC_MODEL_SELECTOR_H

#include "common/base/err.h"
#include "common/model/definition.h"

#include <stdbool.h>

typedef struct fc_selector fc_selector;

/* "" selects everything. The sentence says at which character it stops making sense. */
FC_MUST_USE fc_err
fc_selector_parse(const char *text, fc_selector **ret_selector, fc_fail *fail);
void
fc_selector_free(fc_selector *selector);
bool
fc_selector_match(const fc_selector *selector, const fc_labels *labels);

/* What target resolution needs to know of an instance; all borrowed. */
typedef struct fc_instance_facts {
    const char *id, *name, *scale_set, *region, *zone;
    const fc_labels *labels;
} fc_instance_facts;

/* A target made ready for matching many instances. */
typedef struct fc_matcher fc_matcher;
FC_MUST_USE fc_err
fc_matcher_new(const fc_target *target, fc_matcher **ret_matcher, fc_fail *fail); /* borrows target */
void
fc_matcher_free(fc_matcher *matcher);
bool
fc_matcher_match(fc_matcher *matcher, const fc_instance_facts *instance);
/* The first name of target.include or .exclude that no instance matched so far; NULL when all did. Borrowed.
 */
const char *
fc_matcher_unmatched(const fc_matcher *matcher);

#endif
