/* evidence_capture.c: an instance capture's evidence: when it is made, and when it is written. Declared in
 * instance_capture.h. */
#include "node/instance_capture.h"

#include "common/base/log.h"
#include "common/base/mem.h"

void
nd_instance_capture_save_evidence(nd_instance_capture *capture)
{
    fc_fail fail = {0};
    if (capture->directory[0] != '\0' &&
        nd_evidence_save(&capture->evidence, capture->env->storage, capture->directory, &fail) != FC_OK)
        fc_log(FC_LOG_ERROR, "capture %s: evidence was not written: %s", capture->want.name, fail.text);
}

void
nd_instance_capture_context_run(fc_task *task)
{
    nd_instance_capture *capture = FC_CONTAINER(task, nd_instance_capture, context_task);
    nd_evidence *evidence = &capture->evidence;
    bool over = nd_state_final(capture->state);
    bool began = fc_buf_size(&evidence->items[ND_EVIDENCE_CONTEXT_START].packed) > 0;
    nd_evidence_kind kind = over ? ND_EVIDENCE_CONTEXT_STOP : ND_EVIDENCE_CONTEXT_START;
    fc_wall now = fc_clock_wall(fc_loop_clock(capture->env->loop));
    if (over) /* a helper that died took the last seconds with it */
        nd_evidence_account(evidence, capture->status.counters.written_packets, now);
    if (capture->env->context == NULL || began != over || fc_buf_size(&evidence->items[kind].packed) > 0) {
        nd_instance_capture_save_evidence(capture);
        return;
    }
    fc_context context = {0};
    fc_fail fail = {0};
    fc_buf packed = {0};
    if (capture->env->context(&context, &fail) == FC_OK) {
        fc_context_pack(&context, &packed);
        nd_evidence_put(evidence, kind, fc_buf_bytes(&packed), fc_buf_size(&packed), now);
    } else {
        fc_log(FC_LOG_WARNING, "capture %s: no network context: %s", capture->want.name, fail.text);
    }
    nd_instance_capture_save_evidence(capture);
    capture->env->changed(capture->env, capture, false);
    fc_buf_fini(&packed);
    fc_context_fini(&context);
}

void
nd_instance_capture_profile(void *user, const void *bytes, size_t size)
{
    nd_instance_capture *capture = user;
    fc_loop *loop = capture->env->loop;
    fc_wall now = fc_clock_wall(fc_loop_clock(loop));
    fc_fail fail = {0};
    if (nd_evidence_put_profile(&capture->evidence, bytes, size, now, &fail) != FC_OK) {
        fc_log(FC_LOG_WARNING, "capture %s: a profile was left out: %s", capture->want.name, fail.text);
        return;
    }
    if (capture->save_timer.slot == 0)
        fc_loop_timer_after_ms(loop, &capture->save_timer, ND_SAVE_PROGRESS_MS);
    capture->env->changed(capture->env, capture, false);
}
