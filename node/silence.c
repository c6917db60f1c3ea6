/* silence.c: a helper that runs and says nothing. Declared in instance_capture.h.
 *
 * One that lives speaks every few seconds, whatever the network and the disk do: its ring thread, which
 * speaks, waits for neither, and while the last buffers wait for the disk it still speaks. So a silence of
 * ND_SILENCE_MS is a helper that hangs or was stopped, or a machine in distress. It is told (a sentence in
 * the status, a line in the log) and counted, and the helper is not killed: it may be heard again, with all
 * that is in its buffers, and a kill throws those away. Whoever does not want to wait stops the capture: a
 * helper that does not follow within ND_STOP_MS is killed then, as it is at the end of the window and of the
 * lease.
 */
#include "node/instance_capture.h"

#include "common/base/log.h"
#include "common/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>

static void
tell(nd_instance_capture *capture, char *sentence)
{
    free(capture->status.error);
    capture->status.error = sentence;
    nd_instance_capture_changed(capture, true);
}

void
nd_instance_capture_listen(nd_instance_capture *capture)
{
    fc_loop *loop = capture->env->loop;
    if (capture->state != ND_STATE_RUNNING) {
        fc_loop_timer_clear(loop, &capture->silence_timer);
        return;
    }
    capture->heard_at = fc_loop_now(loop);
    fc_loop_timer_after_ms(loop, &capture->silence_timer, ND_SILENCE_MS);
}

void
nd_instance_capture_heard(nd_instance_capture *capture)
{
    fc_mono now = fc_loop_now(capture->env->loop);
    if (capture->silent) {
        fc_log(FC_LOG_NOTICE, "capture %s (%.8s): the capture helper speaks again, after %" PRId64 " s",
               capture->want.name, capture->want.uid,
               (int64_t)((now.ns - capture->heard_at.ns) / FC_NS_PER_S));
        capture->silent = false;
        tell(capture, NULL);
        nd_instance_capture_listen(capture);
    }
    capture->heard_at = now;
}

void
nd_instance_capture_silence_fire(fc_timer *timer)
{
    nd_instance_capture *capture = FC_CONTAINER(timer, nd_instance_capture, silence_timer);
    fc_loop *loop = capture->env->loop;
    fc_mono now = fc_loop_now(loop);
    if (now.ns - timer->due.ns > ND_SILENCE_LATE_MS * FC_NS_PER_MS)
        capture->heard_at = now; /* its words lie unread */
    fc_mono due = fc_mono_after_ms(capture->heard_at, ND_SILENCE_MS);
    if (now.ns < due.ns) {
        fc_loop_timer_set(loop, timer, due);
        return;
    }
    capture->silent = true;
    capture->silences++;
    fc_log(FC_LOG_WARNING,
           "capture %s (%.8s): the capture helper has said nothing for %d s (%" PRIu64 " times so far)",
           capture->want.name, capture->want.uid, ND_SILENCE_MS / 1000, capture->silences);
    tell(capture, fc_sprintf("the capture helper has said nothing for %d s (%" PRIu64
                             " times so far): it hangs, or this machine does",
                             ND_SILENCE_MS / 1000, capture->silences));
}
