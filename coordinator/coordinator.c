#include "coordinator/coordinator.h"

#include "common/base/log.h"
#include "common/base/mem.h"

#include <stdlib.h>

fc_err
co_open(fc_loop *loop, const co_config *config, co_store *store, const co_link_ops *link_ops,
        struct co **ret_co, fc_fail *fail)
{
    struct co *c = FC_NEW(struct co);
    c->loop = loop;
    c->config = config;
    c->store = store;
    c->link_ops = link_ops;
    co_persist_init(c);
    co_evidence_init(c);
    co_reconcile_init(c);
    fc_err err = co_store_next_epoch(store, &c->epoch, fail);
    if (err == FC_OK)
        err = co_persist_load(c, fail);
    if (err == FC_OK)
        err = co_enrolment_open(c, fail);
    if (err != FC_OK) {
        co_close(c);
        return err;
    }
    co_reconcile_resume(c);
    fc_log(FC_LOG_INFO, "%zu instances and %zu captures known", c->registry.count, c->captures.count);
    *ret_co = c;
    return FC_OK;
}

void
co_close(struct co *co)
{
    if (co == NULL)
        return;
    co_enrolment_close(co);
    co_persist_fini(co);
    co_evidence_fini(co);
    co_reconcile_fini(co);
    co_captures_fini(co);
    co_registry_fini(&co->registry);
    free(co);
}
