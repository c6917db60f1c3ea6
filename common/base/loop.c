#include "common/base/loop.h"

#include "common/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EVENTS_PER_ROUND = 64 };

struct fc_loop {
    const fc_clock *clock; /* borrowed */
    int epoll_fd;
    int wake_fd;
    bool stopped;

    pthread_mutex_t lock; /* over the mailbox: head, tail, task->next, task->queued */
    fc_task *head;
    fc_task **tail;

    fc_timer **heap; /* owned array of borrowed timers, a binary heap by due */
    size_t timer_count;
    size_t timer_capacity;

    struct epoll_event ready[EVENTS_PER_ROUND]; /* of the round under way, so that unwatch can void them */
    int ready_count;
};

fc_err
fc_loop_new(const fc_clock *clock, fc_loop **ret_loop)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_fd < 0 || wake_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &wake) != 0) {
        if (epoll_fd >= 0)
            close(epoll_fd);
        if (wake_fd >= 0)
            close(wake_fd);
        return FC_ERR_IO;
    }
    fc_loop *loop = FC_NEW(fc_loop);
    loop->clock = clock;
    loop->epoll_fd = epoll_fd;
    loop->wake_fd = wake_fd;
    loop->tail = &loop->head;
    pthread_mutex_init(&loop->lock, NULL);
    *ret_loop = loop;
    return FC_OK;
}

void
fc_loop_free(fc_loop *loop)
{
    if (loop == NULL)
        return;
    for (size_t i = 0; i < loop->timer_count; i++)
        loop->heap[i]->slot = 0;
    close(loop->epoll_fd);
    close(loop->wake_fd);
    pthread_mutex_destroy(&loop->lock);
    free(loop->heap);
    free(loop);
}

const fc_clock *
fc_loop_clock(const fc_loop *loop)
{
    return loop->clock;
}

fc_mono
fc_loop_now(const fc_loop *loop)
{
    return fc_clock_mono(loop->clock);
}

/* ---- mailbox ---- */

void
fc_loop_post(fc_loop *loop, fc_task *task)
{
    pthread_mutex_lock(&loop->lock);
    bool was_empty = loop->head == NULL;
    if (!task->queued) {
        task->queued = true;
        task->next = NULL;
        *loop->tail = task;
        loop->tail = &task->next;
    }
    pthread_mutex_unlock(&loop->lock);
    if (was_empty) {
        uint64_t one = 1;
        ssize_t ignored = write(loop->wake_fd, &one, sizeof one);
        (void)ignored; /* full means that it is awake already */
    }
}

void
fc_loop_withdraw(fc_loop *loop, fc_task *task)
{
    pthread_mutex_lock(&loop->lock);
    for (fc_task **at = &loop->head; task->queued && *at != NULL; at = &(*at)->next) {
        if (*at == task) {
            *at = task->next;
            if (loop->tail == &task->next)
                loop->tail = at;
            task->queued = false;
            break;
        }
    }
    pthread_mutex_unlock(&loop->lock);
}

static fc_task *
mailbox_take(fc_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    fc_task *task = loop->head;
    if (task != NULL) {
        loop->head = task->next;
        if (loop->head == NULL)
            loop->tail = &loop->head;
        task->queued = false;
    }
    pthread_mutex_unlock(&loop->lock);
    return task;
}

static bool
run_mailbox(fc_loop *loop)
{
    bool ran = false;
    /* Bounded, so that a flood of posts cannot starve timers and descriptors. */
    for (int i = 0; i < 1024; i++) {
        fc_task *task = mailbox_take(loop);
        if (task == NULL)
            return ran;
        task->run(task);
        ran = true;
    }
    uint64_t one = 1;
    ssize_t ignored = write(loop->wake_fd, &one, sizeof one);
    (void)ignored;
    return ran;
}

/* ---- timers ---- */

static void
heap_put(fc_loop *loop, size_t at, fc_timer *timer)
{
    loop->heap[at] = timer;
    timer->slot = at + 1;
}

static void
heap_sift(fc_loop *loop, size_t at, fc_timer *timer)
{
    while (at > 0 && loop->heap[(at - 1) / 2]->due.ns > timer->due.ns) {
        heap_put(loop, at, loop->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (size_t child = 2 * at + 1; child < loop->timer_count; child = 2 * at + 1) {
        if (child + 1 < loop->timer_count && loop->heap[child + 1]->due.ns < loop->heap[child]->due.ns)
            child++;
        if (loop->heap[child]->due.ns >= timer->due.ns)
            break;
        heap_put(loop, at, loop->heap[child]);
        at = child;
    }
    heap_put(loop, at, timer);
}

void
fc_loop_timer_set(fc_loop *loop, fc_timer *timer, fc_mono due)
{
    timer->due = due;
    if (timer->slot == 0) {
        if (loop->timer_count == loop->timer_capacity) {
            loop->timer_capacity = loop->timer_capacity > 0 ? loop->timer_capacity * 2 : 64;
            loop->heap = fc_grow_array(loop->heap, loop->timer_capacity, sizeof(loop->heap[0]));
        }
        timer->slot = ++loop->timer_count;
    }
    heap_sift(loop, timer->slot - 1, timer);
}

void
fc_loop_timer_after_ms(fc_loop *loop, fc_timer *timer, int64_t ms)
{
    fc_loop_timer_set(loop, timer, fc_mono_after_ms(fc_loop_now(loop), ms));
}

void
fc_loop_timer_clear(fc_loop *loop, fc_timer *timer)
{
    if (timer->slot == 0)
        return;
    size_t at = timer->slot - 1;
    timer->slot = 0;
    fc_timer *last = loop->heap[--loop->timer_count];
    if (last != timer)
        heap_sift(loop, at, last);
}

static bool
run_timers(fc_loop *loop)
{
    bool ran = false;
    fc_mono now = fc_loop_now(loop);
    while (loop->timer_count > 0 && loop->heap[0]->due.ns <= now.ns) {
        fc_timer *timer = loop->heap[0];
        fc_loop_timer_clear(loop, timer);
        timer->fire(timer);
        ran = true;
    }
    return ran;
}

bool
fc_loop_next_due(const fc_loop *loop, fc_mono *ret_due)
{
    if (loop->timer_count == 0)
        return false;
    *ret_due = loop->heap[0]->due;
    return true;
}

/* ---- descriptors ---- */

fc_err
fc_loop_watch(fc_loop *loop, fc_watch *watch, uint32_t epoll_events)
{
    assert(!watch->watched);
    struct epoll_event event = {.events = epoll_events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) != 0)
        return fc_err_from_errno(errno);
    watch->watched = true;
    return FC_OK;
}

void
fc_loop_watch_change(fc_loop *loop, fc_watch *watch, uint32_t epoll_events)
{
    assert(watch->watched);
    struct epoll_event event = {.events = epoll_events, .data.ptr = watch};
    int rc = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
    assert(rc == 0);
    (void)rc;
}

void
fc_loop_unwatch(fc_loop *loop, fc_watch *watch)
{
    if (!watch->watched)
        return;
    watch->watched = false;
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    for (int i = 0; i < loop->ready_count; i++)
        if (loop->ready[i].data.ptr == watch)
            loop->ready[i].data.ptr = NULL;
}

static void
run_watches(fc_loop *loop, int wait_ms)
{
    loop->ready_count = epoll_wait(loop->epoll_fd, loop->ready, EVENTS_PER_ROUND, wait_ms);
    for (int i = 0; i < loop->ready_count; i++) {
        fc_watch *watch = loop->ready[i].data.ptr;
        if (watch != NULL)
            watch->ready(watch, loop->ready[i].events);
    }
    loop->ready_count = 0;
}

/* ---- rounds ---- */

bool
fc_loop_run_due(fc_loop *loop)
{
    bool ran = run_mailbox(loop);
    return run_timers(loop) || ran;
}

static int
wait_ms(fc_loop *loop, int max_wait_ms)
{
    if (max_wait_ms == 0 || loop->timer_count == 0)
        return max_wait_ms;
    int64_t until = fc_mono_until_ms(fc_loop_now(loop), loop->heap[0]->due);
    if (max_wait_ms >= 0 && until > max_wait_ms)
        until = max_wait_ms;
    return until > INT32_MAX ? INT32_MAX : (int)until;
}

void
fc_loop_step(fc_loop *loop, int max_wait_ms)
{
    if (fc_loop_run_due(loop))
        max_wait_ms = 0;
    run_watches(loop, wait_ms(loop, max_wait_ms));
    /* Cleared before the mailbox is read: a post from here on writes again. */
    uint64_t count;
    ssize_t ignored = read(loop->wake_fd, &count, sizeof count);
    (void)ignored;
    (void)fc_loop_run_due(loop);
}

void
fc_loop_run(fc_loop *loop)
{
    loop->stopped = false;
    while (!loop->stopped)
        fc_loop_step(loop, -1);
}

void
fc_loop_stop(fc_loop *loop)
{
    loop->stopped = true;
}
