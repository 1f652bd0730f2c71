/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/memory.h"

static void stop_signals(sigset_t *out_set)
{
    sigemptyset(out_set);
    sigaddset(out_set, SIGTERM);
    sigaddset(out_set, SIGINT);
}

enum status process_prepare(struct error *error)
{
    sigset_t set;
    stop_signals(&set);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < PROCESS_DESCRIPTORS_MAX ? limit.rlim_max : PROCESS_DESCRIPTORS_MAX;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            log_event(LOG_WARN, "descriptor_limit", LOG_TEXT("text", strerror(errno)));
        }
    }
    int64_t allowed = process_descriptors_max();
    if (allowed < PROCESS_DESCRIPTORS_MIN) {
        return error_set(error, STATUS_FULL, NULL, "only %lld file descriptors are allowed, at least %d are needed (ulimit -n)",
                         (long long)allowed, PROCESS_DESCRIPTORS_MIN);
    }
    return STATUS_OK;
}

int64_t process_descriptors_max(void)
{
    struct rlimit limit;
    bool known = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur <= INT64_MAX;
    return known ? (int64_t)limit.rlim_cur : INT64_MAX;
}

static int wait_for(const sigset_t *set)
{
    int number = 0;
    while (sigwait(set, &number) != 0) {
    }
    return number;
}

int process_wait_for_stop(void)
{
    sigset_t set;
    stop_signals(&set);
    return wait_for(&set);
}

int process_wait_for_signal(void)
{
    sigset_t set;
    stop_signals(&set);
    sigaddset(&set, SIGHUP);
    return wait_for(&set);
}

struct second_signal {
    void (*on_signal)(void *context);
    void *context;
};

static void *second_signal_main(void *argument)
{
    struct second_signal *second = argument;
    (void)process_wait_for_stop();
    second->on_signal(second->context);
    memory_free(second);
    return NULL;
}

void process_on_second_signal(void (*on_signal)(void *context), void *context)
{
    struct second_signal *second = MEMORY_NEW(struct second_signal);
    *second = (struct second_signal){.on_signal = on_signal, .context = context};
    pthread_t thread;
    if (pthread_create(&thread, NULL, second_signal_main, second) != 0) {
        memory_free(second);
        return;
    }
    pthread_detach(thread);
}
