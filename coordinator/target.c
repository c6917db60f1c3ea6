#include "coordinator/target.h"

#include "common/base/mem.h"
#include "coordinator/coordinator.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

fc_err
co_target_check_names(const struct co *co, const fc_strings *names, fc_fail *fail)
{
    for (size_t i = 0; i < names->count; i++) {
        co_instance *instance;
        fc_err err = co_registry_find_named(&co->registry, names->items[i], &instance, fail);
        if (err != FC_OK)
            return err;
    }
    return FC_OK;
}

/* "region 'eu', ", of several "region 'eu' or 2 more, ". */
static void
put_names(fc_buf *words, const char *what, const fc_strings *names)
{
    if (names->count > 0)
        fc_buf_printf(words, "%s '%s'", what, names->items[0]);
    if (names->count > 1)
        fc_buf_printf(words, " or %zu more", names->count - 1);
    if (names->count > 0)
        fc_buf_printf(words, ", ");
}

void
co_target_words(const fc_target *target, fc_buf *words)
{
    if (target->scale_set != NULL)
        fc_buf_printf(words, "scale set '%s', ", target->scale_set);
    put_names(words, "region", &target->regions);
    put_names(words, "zone", &target->zones);
    if (target->selector != NULL)
        fc_buf_printf(words, "labels '%.60s', ", target->selector);
}

static fc_err
nothing_matched(const struct co *co, const fc_target *target, fc_fail *fail)
{
    if (co->registry.count == 0)
        return fc_fail_set(fail, FC_ERR_NOT_FOUND, "no instance matches: none has ever connected");
    fc_buf words = {0};
    co_target_words(target, &words);
    fc_err err = fc_fail_set(fail, FC_ERR_NOT_FOUND, "no instance matches the target (%s%zu known)",
                             fc_buf_text(&words), co->registry.count);
    fc_buf_fini(&words);
    return err;
}

fc_err
co_target_resolve(const struct co *co, const fc_target *target, co_instance ***ret_instances,
                  size_t *ret_count, fc_fail *fail)
{
    fc_matcher *matcher = NULL;
    co_instance **found = NULL;
    size_t count = 0;
    fc_err err = co_target_check_names(co, &target->include, fail);
    if (err == FC_OK)
        err = co_target_check_names(co, &target->exclude, fail);
    if (err == FC_OK)
        err = fc_matcher_new(target, &matcher, fail);
    if (err != FC_OK)
        return err;
    found = fc_alloc_array(co->registry.count + 1, sizeof found[0]);
    for (co_instance *i = co->registry.by_id; i != NULL; i = i->hh.next) {
        fc_instance_facts facts = co_instance_facts(i);
        if (fc_matcher_match(matcher, &facts))
            found[count++] = i;
    }
    if (count == 0)
        err = nothing_matched(co, target, fail);
    fc_matcher_free(matcher);
    if (err != FC_OK) {
        free(found);
        return err;
    }
    *ret_instances = found;
    *ret_count = count;
    return FC_OK;
}

/* ---- quotas ---- */

static bool
runs_in(const co_capture *capture, const char *region)
{
    for (size_t i = 0; i < capture->region_count; i++)
        if (capture->regions[i].unfinished > 0 && strcmp(capture->regions[i].name, region) == 0)
            return true;
    return false;
}

static fc_err
check_region(struct co *co, const char *region, fc_fail *fail)
{
    uint64_t running = 0;
    for (const co_capture *c = co->captures.by_uid; c != NULL; c = c->hh.next)
        if (co_capture_active(co, c) && runs_in(c, region))
            running++;
    if (running < co->config->max_running_per_region)
        return FC_OK;
    co->counters.quota_region++;
    return fc_fail_set(fail, FC_ERR_LIMIT,
                       "region '%s' runs %" PRIu64 " captures already, at most %" PRIu64
                       " may (max_running_per_region)",
                       region, running, co->config->max_running_per_region);
}

static fc_err
check_instance(struct co *co, const co_instance *instance, fc_fail *fail)
{
    uint64_t running = 0;
    for (const co_part *part = instance->parts; part != NULL && instance->unfinished > 0; part = part->next)
        if (!fc_state_final(part->shown) && co_capture_active(co, part->capture))
            running++;
    if (running >= co->config->max_running_per_instance) {
        co->counters.quota_instance++;
        return fc_fail_set(fail, FC_ERR_LIMIT,
                           "instance '%s' runs %" PRIu64 " captures already, at most %" PRIu64
                           " may (max_running_per_instance)",
                           instance->name, running, co->config->max_running_per_instance);
    }
    if (instance->part_count < CO_PARTS_PER_INSTANCE_MAX)
        return FC_OK;
    co->counters.quota_instance++;
    return fc_fail_set(fail, FC_ERR_LIMIT,
                       "instance '%s' holds %u captures, at most %d may be kept: delete some", instance->name,
                       instance->part_count, CO_PARTS_PER_INSTANCE_MAX);
}

fc_err
co_quota_check(struct co *co, co_instance *const *instances, size_t count, fc_fail *fail)
{
    fc_strings regions = {0};
    fc_err err = FC_OK;
    if (co->captures.count >= CO_CAPTURES_MAX) {
        co->counters.quota_captures++;
        err = fc_fail_set(fail, FC_ERR_LIMIT, "%zu captures are kept, at most %d may be: delete some",
                          co->captures.count, CO_CAPTURES_MAX);
    }
    for (size_t i = 0; i < count && err == FC_OK; i++) {
        err = check_instance(co, instances[i], fail);
        if (err == FC_OK && fc_strings_add_new(&regions, instances[i]->region))
            err = check_region(co, instances[i]->region, fail);
    }
    fc_strings_fini(&regions);
    return err;
}
