/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rpc xqueue_proto */
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rpc/rpc_internal.h"
#include "tests/support/rpc_world.h"

enum { LINE_MAX_BYTES = 4096 };

struct probe {
    struct rpc_timer timer;
    struct world *world;
    bool is_here;
    bool signals_blocked;
    enum status blocking_status;
    int fired; /* guarded by the world's lock */
};

static int setup(void **state)
{
    static struct world world;
    world_init(&world);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    world_finish(*state);
    return 0;
}

static void on_due(struct rpc_timer *timer)
{
    struct probe *probe = HEAP_OWNER(timer, struct probe, timer);
    sigset_t blocked;
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &blocked), 0);
    probe->signals_blocked = sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGINT) == 1;
    probe->is_here = rpc_loop_is_here(probe->world->client_loop);
    if (probe->world->channel != NULL) {
        probe->blocking_status = world_call(probe->world, &echo_unary_method, "x", NULL, NULL);
    }
    world_count(probe->world, &probe->fired);
}

static void a_timer_fires_on_the_loop_with_signals_blocked(void **state)
{
    struct world *world = *state;
    struct probe probe = {.timer.on_due = on_due, .world = world};

    rpc_loop_schedule(world->client_loop, &probe.timer, 0);
    world_wait(world, &probe.fired, 1);

    assert_true(probe.is_here);
    assert_true(probe.signals_blocked);
    assert_false(rpc_loop_is_here(world->client_loop));
}

static void a_stopped_timer_does_not_fire(void **state)
{
    struct world *world = *state;
    struct probe stopped = {.timer.on_due = on_due, .world = world};
    struct probe later = {.timer.on_due = on_due, .world = world};

    rpc_loop_schedule(world->client_loop, &stopped.timer, 10);
    rpc_loop_schedule(world->client_loop, &later.timer, 20);
    rpc_loop_unschedule(world->client_loop, &stopped.timer);
    rpc_loop_unschedule(world->client_loop, &stopped.timer);
    world_wait(world, &later.fired, 1);

    assert_int_equal(world_get(world, &stopped.fired), 0);
}

static void a_blocking_call_on_the_loop_is_refused(void **state)
{
    struct world *world = *state;
    struct probe probe = {.timer.on_due = on_due, .world = world};
    world_serve(world, (struct rpc_server_options){0});
    world_connect(world);

    rpc_loop_schedule(world->client_loop, &probe.timer, 0);
    world_wait(world, &probe.fired, 1);

    assert_int_equal(probe.blocking_status, STATUS_WRONG_STATE);
}

/* Makes the C core complain: a port that is taken. */
static void provoke_error(struct world *world)
{
    const char *const taken[] = {world->address};
    const struct rpc_server_options options = {.listeners = taken, .listener_count = 1};
    struct rpc_server *second = NULL;
    assert_int_equal(rpc_server_create(world->server_loop, echo_methods, &options, &second, NULL), STATUS_UNAVAILABLE);
}

static void errors_of_the_core_become_log_lines_or_nothing(void **state)
{
    struct world *world = *state;
    char line[LINE_MAX_BYTES] = "";
    int ends[2];
    world_serve(world, (struct rpc_server_options){0});
    assert_int_equal(pipe(ends), 0);
    log_configure("test", LOG_INFO, LOG_LOGFMT);
    log_redirect(ends[1]);

    rpc_log_install();
    provoke_error(world);
    assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
    rpc_log_silence();
    provoke_error(world);

    struct pollfd more = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&more, 1, 0), 0);
    assert_non_null(strstr(line, "event=grpc_core"));
    assert_non_null(strstr(line, "level=warn"));
    log_redirect(STDERR_FILENO);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void a_flood_of_errors_of_the_core_is_cut(void **state)
{
    struct world *world = *state;
    int ends[2];
    size_t lines = 0;
    char byte = '\0';
    world_serve(world, (struct rpc_server_options){0});
    assert_int_equal(pipe(ends), 0);
    log_configure("test", LOG_INFO, LOG_LOGFMT);
    log_redirect(ends[1]);

    rpc_log_install();
    for (int at = 0; at < RPC_LOG_LINES_MAX + 1; at++)
        provoke_error(world);
    rpc_log_silence();

    log_redirect(STDERR_FILENO);
    (void)close(ends[1]);
    while (read(ends[0], &byte, 1) == 1)
        lines += byte == '\n';
    assert_int_equal(lines, RPC_LOG_LINES_MAX);
    (void)close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_timer_fires_on_the_loop_with_signals_blocked, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stopped_timer_does_not_fire, setup, teardown),
        cmocka_unit_test_setup_teardown(a_blocking_call_on_the_loop_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(errors_of_the_core_become_log_lines_or_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flood_of_errors_of_the_core_is_cut, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
