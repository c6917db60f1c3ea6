#include "node/worker.h"

#include "common/base/mem.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { WORKER_NICE = 10 };

typedef struct queue {
    nd_job *head;
    nd_job **tail;
} queue;

struct nd_worker {
    fc_loop *loop; /* borrowed */
    pthread_t thread;
    pthread_mutex_t lock; /* over waiting and finished */
    pthread_cond_t wake;
    queue waiting, finished;
    atomic_bool giving_up;
    fc_task task;
};

static void
queue_init(queue *q)
{
    q->head = NULL;
    q->tail = &q->head;
}

static void
queue_put(queue *q, nd_job *job)
{
    job->next = NULL;
    *q->tail = job;
    q->tail = &job->next;
}

static nd_job *
queue_take(queue *q)
{
    nd_job *job = q->head;
    if (job != NULL && (q->head = job->next) == NULL)
        q->tail = &q->head;
    return job;
}

static void *
run(void *arg)
{
    nd_worker *worker = arg;
    /* Nobody waits for a hash; captures and the machine's own work come first. On Linux it is the thread's
     * alone. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), WORKER_NICE);
    pthread_mutex_lock(&worker->lock);
    while (!atomic_load(&worker->giving_up)) {
        nd_job *job = queue_take(&worker->waiting);
        if (job == NULL) {
            pthread_cond_wait(&worker->wake, &worker->lock);
            continue;
        }
        pthread_mutex_unlock(&worker->lock);
        job->work(job, &worker->giving_up);
        pthread_mutex_lock(&worker->lock);
        queue_put(&worker->finished, job);
        fc_loop_post(worker->loop, &worker->task);
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

static nd_job *
take_finished(nd_worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    nd_job *job = queue_take(&worker->finished);
    pthread_mutex_unlock(&worker->lock);
    return job;
}

static void
deliver(fc_task *task)
{
    nd_worker *worker = FC_CONTAINER(task, nd_worker, task);
    for (nd_job *job; (job = take_finished(worker)) != NULL;) {
        job->done(job);
        job->drop(job);
    }
}

fc_err
nd_worker_new(fc_loop *loop, nd_worker **ret_worker, fc_fail *fail)
{
    nd_worker *worker = FC_NEW(nd_worker);
    worker->loop = loop;
    worker->task.run = deliver;
    queue_init(&worker->waiting);
    queue_init(&worker->finished);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->wake, NULL);
    /* Signals belong to the loop's thread. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&worker->thread, NULL, run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        pthread_mutex_destroy(&worker->lock);
        pthread_cond_destroy(&worker->wake);
        free(worker);
        return fc_fail_errno(fail, rc, "cannot start the worker thread");
    }
    *ret_worker = worker;
    return FC_OK;
}

void
nd_worker_free(nd_worker *worker)
{
    if (worker == NULL)
        return;
    pthread_mutex_lock(&worker->lock);
    atomic_store(&worker->giving_up, true);
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    fc_loop_withdraw(worker->loop, &worker->task);
    for (nd_job *job; (job = queue_take(&worker->waiting)) != NULL;)
        job->drop(job);
    for (nd_job *job; (job = queue_take(&worker->finished)) != NULL;)
        job->drop(job);
    pthread_mutex_destroy(&worker->lock);
    pthread_cond_destroy(&worker->wake);
    free(worker);
}

void
nd_worker_submit(nd_worker *worker, nd_job *job)
{
    pthread_mutex_lock(&worker->lock);
    queue_put(&worker->waiting, job);
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}
