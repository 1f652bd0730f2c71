/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Stopping in order, stopping at once, and starts that must be refused. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/conversation.h"
#include "tests/support/load.h"

enum { ROUNDS = 4, GRADINGS_A_ROUND = 30, FEW_DESCRIPTORS = 100, AT_ONCE_MS = 8000, EXIT_USAGE = 2 };

/* ---- in order ---- */

static void an_orderly_stop_under_load_loses_no_answer(void **state)
{
    static const struct running_service_options settings = {.service = "  ping_period_ms: 200\n",
                                                            .queues = "  load:\n    lease_ms: 3000\n"};
    struct conversation *talk = conversation_start(&settings);
    const struct load_options options = {.service = &talk->service,
                                         .lms = talk->lms,
                                         .queue = "load",
                                         .lease_ms = 3000,
                                         .rest_students = 2,
                                         .rpc_students = 1,
                                         .graders = 2};
    struct load *load = load_start(&options);

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        assert_true(load_await_gradings(load, GRADINGS_A_ROUND));
        if (round % 2 == 0) {
            running_service_stop_core(&talk->service); // exit code 0
            running_service_start_core(&talk->service);
        } else {
            running_service_stop_rest(&talk->service);
            running_service_start_rest(&talk->service);
        }
    }
    load_stop_students(load);
    const bool all_heard = load_await_all_heard(load);
    const struct load_account account = load_finish(load);

    assert_true(all_heard);
    assert_int_equal(account.breaches, 0);
    assert_true(conversation_finish(talk));
}

struct poll_of_nothing {
    struct core_caller *caller;
    enum status status;
};

static void *poll_patiently(void *context)
{
    struct poll_of_nothing *poll = context;
    struct core_lease lease;

    poll->status = core_take_lease(poll->caller, "hasty", "poller", 15000, &lease);
    return NULL;
}

static void a_stopping_service_does_not_wait_for_pollers_and_sends_graders_away(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 1);
    struct poll_of_nothing poll = {.caller = core_caller_open(talk->service.core, "grader")};
    enum status status = STATUS_OK;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, poll_patiently, &poll), 0);
    running_program_signal(talk->service.xqueued, SIGINT);
    assert_true(scripted_grader_await_end(grader, &status, NULL));
    assert_int_equal(status, STATUS_UNAVAILABLE);
    assert_int_equal(running_program_wait(talk->service.xqueued), 0);
    running_service_stop_core(&talk->service);
    running_service_start_core(&talk->service); // for a poll that had not even begun
    student_submits(talk, "hasty", NULL, "b");
    assert_int_equal(pthread_join(thread, NULL), 0);

    assert_true(poll.status == STATUS_OK || poll.status == STATUS_UNAVAILABLE);
    core_caller_close(poll.caller);
    scripted_grader_close(grader);
}

/* ---- at once ---- */

static void a_second_signal_stops_xqueued_at_once(void **state)
{
    const struct running_service_options options = {.service = "  drain_ms: 3600000\n"};
    struct conversation *talk = conversation_start_core(&options);
    struct scripted_grader *mute = scripted_grader_open(talk->service.core, "grader"); // a call that never says Hello
    struct scripted_grader *other = grader_connects(talk, "other", "calm", 1);
    enum status status = STATUS_OK;

    (void)state;
    running_program_signal(talk->service.xqueued, SIGTERM);
    assert_true(running_program_await(talk->service.xqueued, "event=stopping", 1));
    assert_true(scripted_grader_await_end(other, &status, NULL)); // the stop is under way
    const int64_t before_us = clock_monotonic_us();
    running_program_signal(talk->service.xqueued, SIGTERM);
    assert_int_equal(running_program_wait(talk->service.xqueued), 0);

    assert_true(clock_monotonic_us() - before_us < (int64_t)AT_ONCE_MS * 1000);
    scripted_grader_close(mute);
    scripted_grader_close(other);
    assert_true(conversation_finish(talk));
}

static void a_second_signal_stops_the_adapter_at_once(void **state)
{
    struct conversation *talk = *state;
    struct http_talk slow;

    running_service_start_rest(&talk->service);
    http_talk_open(&slow, talk->service.rest_port);
    assert_true(http_talk_say(&slow, "POST /xqueue/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
                                     "Content-Type: application/x-www-form-urlencoded\r\n\r\nuser"));
    running_program_signal(talk->service.rest, SIGTERM);
    assert_true(running_program_await(talk->service.rest, "event=stopping ", 1));
    const int64_t before_us = clock_monotonic_us();
    running_program_signal(talk->service.rest, SIGTERM);
    const int outcome = running_program_wait(talk->service.rest);

    assert_true(clock_monotonic_us() - before_us < (int64_t)AT_ONCE_MS * 1000);
    assert_int_not_equal(outcome, RUNNING_PROGRAM_STILL_RUNS);
    running_program_destroy(talk->service.rest);
    talk->service.rest = NULL;
    http_talk_close(&slow);
}

/* ---- refused ---- */

/* A start that must end with exit code 1 and a line that contains complaint. */
static void refuses_to_start(const char *name, const char *config, uint64_t descriptors_max, const char *complaint)
{
    char path[RUNNING_SERVICE_TEXT_MAX];
    const char *const arguments[] = {running_service_program(name, path), "--config", config, NULL};
    const struct running_program_options options = {.arguments = arguments, .descriptors_max = descriptors_max};
    struct running_program *program = running_program_start(&options);
    const int outcome = running_program_wait(program);
    const bool is_told =
        running_program_count(program, complaint) > 0 && running_program_count(program, "event=start_failed") > 0;

    if (outcome != 1 || !is_told) {
        running_program_dump(program);
    }
    running_program_destroy(program);
    assert_int_equal(outcome, 1);
    assert_true(is_told);
}

/* The configuration of the running service with other listeners and another database. */
static void write_other_config(struct conversation *talk, const char *listen, const char *database,
                               char out_path[RUNNING_SERVICE_TEXT_MAX])
{
    char line[RUNNING_SERVICE_TEXT_MAX * 4];
    FILE *from = fopen(talk->service.config, "re");
    FILE *to = fopen(running_service_path(&talk->service, "other.yml", out_path), "we");

    assert_non_null(from);
    assert_non_null(to);
    for (int number = 0; fgets(line, sizeof(line), from) != NULL; number++) {
        if (number == 1) { // the listeners of the service
            (void)fprintf(to, "  listen: [\"%s\"]\n  database: %s\n", listen, database);
        } else {
            (void)fputs(line, to);
        }
    }
    (void)fclose(from);
    assert_int_equal(fclose(to), 0);
}

static void a_second_xqueued_on_the_same_data_is_refused_and_does_not_disturb_the_first(void **state)
{
    struct conversation *talk = *state;
    char config[RUNNING_SERVICE_TEXT_MAX];

    student_submits(talk, "calm", NULL, "before");
    write_other_config(talk, "127.0.0.1:0", "xqueue.db", config);
    refuses_to_start("xqueued", config, 0, "xqueue.db");

    const uint64_t id = student_submits(talk, "calm", NULL, "after");
    assert_int_equal(admin_sees(talk, id).state, XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_READY);
}

static void a_second_xqueued_on_the_same_address_is_refused_and_does_not_disturb_the_first(void **state)
{
    struct conversation *talk = *state;
    char config[RUNNING_SERVICE_TEXT_MAX];
    char address[RUNNING_SERVICE_TEXT_MAX];

    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", talk->service.core_port);
    write_other_config(talk, address, "other.db", config);
    refuses_to_start("xqueued", config, 0, address);
    write_other_config(talk, talk->service.core, "other.db", config); // its unix socket
    refuses_to_start("xqueued", config, 0, "core.sock");

    struct core_caller *newcomer = core_caller_open(talk->service.core, "lms");
    assert_int_equal(core_submit(newcomer, &(struct core_submission){.queue = "calm"}, NULL, NULL), STATUS_OK);
    core_caller_close(newcomer);
}

static void a_second_adapter_on_the_same_address_is_refused(void **state)
{
    struct conversation *talk = *state;
    char address[RUNNING_SERVICE_TEXT_MAX];

    running_service_start_rest(&talk->service);
    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", talk->service.rest_port);
    refuses_to_start("xqueue-rest", talk->service.config, 0, address);

    lms_submits(talk, "calm", "/still", "the first one serves");
}

static void too_few_descriptors_are_refused_with_what_to_do(void **state)
{
    struct conversation *talk = *state;

    running_service_stop_core(&talk->service);
    refuses_to_start("xqueued", talk->service.config, FEW_DESCRIPTORS, "ulimit -n");
    refuses_to_start("xqueue-rest", talk->service.config, FEW_DESCRIPTORS, "ulimit -n");
}

static void a_bad_configuration_is_refused_with_file_and_line(void **state)
{
    struct conversation *talk = *state;
    char path[RUNNING_SERVICE_TEXT_MAX];
    char program[RUNNING_SERVICE_TEXT_MAX];
    FILE *config = fopen(running_service_path(&talk->service, "bad.yml", path), "we");
    const char *const arguments[] = {running_service_program("xqueued", program), "--config", path, NULL};
    const struct running_program_options options = {.arguments = arguments};

    assert_non_null(config);
    (void)fputs("queues:\n  q:\n    lease_msec: 5\n", config);
    assert_int_equal(fclose(config), 0);
    struct running_program *started = running_program_start(&options);

    assert_int_equal(running_program_wait(started), EXIT_USAGE);
    assert_int_equal(running_program_count(started, "bad.yml:3"), 1);
    running_program_destroy(started);
}

#define WITH_CORE(test_) cmocka_unit_test_setup_teardown(test_, conversation_set_up_core, conversation_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_orderly_stop_under_load_loses_no_answer),
        WITH_CORE(a_stopping_service_does_not_wait_for_pollers_and_sends_graders_away),
        cmocka_unit_test(a_second_signal_stops_xqueued_at_once),
        WITH_CORE(a_second_signal_stops_the_adapter_at_once),
        WITH_CORE(a_second_xqueued_on_the_same_data_is_refused_and_does_not_disturb_the_first),
        WITH_CORE(a_second_xqueued_on_the_same_address_is_refused_and_does_not_disturb_the_first),
        WITH_CORE(a_second_adapter_on_the_same_address_is_refused),
        WITH_CORE(too_few_descriptors_are_refused_with_what_to_do),
        WITH_CORE(a_bad_configuration_is_refused_with_file_and_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
