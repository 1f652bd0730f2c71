/* SPDX-License-Identifier: Apache-2.0 */
#include "service/file_worker.h"

#include <pthread.h>

#include "base/memory.h"

struct file_worker {
    pthread_t threads[FILE_WORKER_THREADS];
    size_t thread_count; /* immutable after start */

    /* guarded by mutex */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct list waiting; /* of struct file_job */
    bool stopping;
};

/* NULL: time to end. */
static struct file_job *file_worker_next(struct file_worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    while (list_is_empty(&worker->waiting) && !worker->stopping) {
        pthread_cond_wait(&worker->changed, &worker->mutex);
    }
    struct list_node *node = list_take_first(&worker->waiting);
    pthread_mutex_unlock(&worker->mutex);
    return node ? LIST_OWNER(node, struct file_job, node) : NULL;
}

static void *file_worker_main(void *argument)
{
    struct file_worker *worker = argument;
    struct file_job *job = NULL;
    pthread_setname_np(pthread_self(), "files");
    while ((job = file_worker_next(worker)) != NULL) {
        job->run(job);
    }
    return NULL;
}

struct file_worker *file_worker_create(void)
{
    struct file_worker *worker = MEMORY_NEW(struct file_worker);
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_cond_init(&worker->changed, NULL);
    list_init(&worker->waiting);
    while (worker->thread_count < FILE_WORKER_THREADS &&
           pthread_create(&worker->threads[worker->thread_count], NULL, file_worker_main, worker) == 0) {
        worker->thread_count++;
    }
    if (worker->thread_count < FILE_WORKER_THREADS) {
        file_worker_destroy(worker);
        return NULL;
    }
    return worker;
}

void file_worker_submit(struct file_worker *worker, struct file_job *job)
{
    pthread_mutex_lock(&worker->mutex);
    list_append(&worker->waiting, &job->node);
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->mutex);
}

void file_worker_destroy(struct file_worker *worker)
{
    if (!worker) {
        return;
    }
    pthread_mutex_lock(&worker->mutex);
    worker->stopping = true;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->mutex);
    for (size_t at = 0; at < worker->thread_count; at++) {
        pthread_join(worker->threads[at], NULL);
    }
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->mutex);
    memory_free(worker);
}
