/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_base */
/*
 * Signals and descriptors.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/process.h"

static int set_up(void **state)
{
    struct error error = {0};
    (void)state;
    log_configure("test", LOG_ERROR, LOG_LOGFMT);
    return process_prepare(&error) == STATUS_OK ? 0 : -1;
}

static void writing_to_who_has_gone_does_not_kill_us(void **state)
{
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);

    assert_int_equal(write(ends[1], "x", 1), -1);

    close(ends[1]);
}

static void as_many_descriptors_as_allowed_are_used(void **state)
{
    struct rlimit limit;
    (void)state;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(process_descriptors_max(), limit.rlim_cur);
    assert_true(limit.rlim_cur == limit.rlim_max || limit.rlim_cur >= PROCESS_DESCRIPTORS_MAX);
}

static void too_few_descriptors_are_said_so(void **state)
{
    struct error error = {0};
    (void)state;
    const struct rlimit few = {.rlim_cur = 100, .rlim_max = 100};
    /* In a child: a hard limit cannot be raised again. */
    pid_t child = fork();
    if (child == 0) {
        bool told = setrlimit(RLIMIT_NOFILE, &few) == 0 && process_prepare(&error) == STATUS_FULL && strlen(error.text) > 0;
        _exit(told ? 0 : 1);
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);

    assert_int_equal(result, 0);
}

static void a_stop_signal_is_waited_for(void **state)
{
    (void)state;
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    assert_int_equal(process_wait_for_stop(), SIGTERM);
    assert_int_equal(kill(getpid(), SIGINT), 0);
    assert_int_equal(process_wait_for_stop(), SIGINT);
}

static void a_hangup_does_nothing(void **state)
{
    (void)state;
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    assert_int_equal(kill(getpid(), SIGTERM), 0);

    assert_int_equal(process_wait_for_stop(), SIGTERM);
}

struct second {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool came; /* guarded by mutex */
};

static void on_second(void *context)
{
    struct second *second = context;
    pthread_mutex_lock(&second->mutex);
    second->came = true;
    pthread_cond_signal(&second->changed);
    pthread_mutex_unlock(&second->mutex);
}

static void a_second_signal_is_told_on_a_thread_of_its_own(void **state)
{
    /* Static: the thread is detached and may still let go of it when the test is over. */
    static struct second second = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    (void)state;
    process_on_second_signal(on_second, &second);

    assert_int_equal(kill(getpid(), SIGTERM), 0);

    pthread_mutex_lock(&second.mutex);
    while (!second.came)
        pthread_cond_wait(&second.changed, &second.mutex);
    pthread_mutex_unlock(&second.mutex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_to_who_has_gone_does_not_kill_us),
        cmocka_unit_test(as_many_descriptors_as_allowed_are_used),
        cmocka_unit_test(too_few_descriptors_are_said_so),
        cmocka_unit_test(a_stop_signal_is_waited_for),
        cmocka_unit_test(a_hangup_does_nothing),
        cmocka_unit_test(a_second_signal_is_told_on_a_thread_of_its_own),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
