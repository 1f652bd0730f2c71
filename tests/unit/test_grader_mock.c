/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_grader_mock xqueue_test_xqueued */
/* The mock for tests of graders, as its users have it (the shared library), against a grader of the SDK. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "grader-sdk/include/xqueue/grader_mock.h"
#include "tests/support/grader_rig.h"

enum { PATIENCE_MS = 20000, LEASE_MS = 1000, US_PER_MS = 1000, CLOCK_TICK_MS = 1 };

struct bench {
    struct grader_rig rig; /* its handler does what the body says */
    struct xqueue_mock *mock;
    struct xqueue_mock_record *record; /* of the latest look */
    struct xqueue_error error;
};

static int set_up(void **state)
{
    static struct bench bench;
    grader_rig_init(&bench.rig, NULL);
    bench.mock = NULL;
    bench.record = NULL;
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    grader_rig_finish(&bench->rig);
    xqueue_mock_record_free(bench->record);
    xqueue_mock_destroy(bench->mock);
    return 0;
}

static void mock_starts(struct bench *bench, const struct xqueue_mock_options *options)
{
    bench->error = (struct xqueue_error){0};
    if (xqueue_mock_start(options, &bench->mock, &bench->error) != XQUEUE_STATUS_OK)
        fail_msg("%s", bench->error.text);
    bench->rig.options.address = xqueue_mock_address(bench->mock);
}

/* A mock, and a grader that is welcome. */
static struct bench *connected(void **state)
{
    struct bench *bench = *state;
    mock_starts(bench, NULL);
    grader_rig_start(&bench->rig);
    assert_int_equal(xqueue_mock_wait_graders(bench->mock, 1, PATIENCE_MS, NULL), XQUEUE_STATUS_OK);
    return bench;
}

static uint64_t submits(struct bench *bench, const char *body)
{
    struct xqueue_mock_submission submission;
    uint64_t id = 0;
    xqueue_mock_submission_init(&submission);
    submission.queue = "cs101";
    submission.body = body;
    submission.body_length = strlen(body);
    assert_int_equal(xqueue_mock_submit(bench->mock, &submission, &id, NULL), XQUEUE_STATUS_OK);
    return id;
}

static void happens(struct bench *bench, uint64_t id, enum xqueue_mock_event event, unsigned count)
{
    if (xqueue_mock_wait(bench->mock, id, event, count, PATIENCE_MS, &bench->error) != XQUEUE_STATUS_OK)
        fail_msg("%s", bench->error.text);
}

static const struct xqueue_mock_record *looks(struct bench *bench, uint64_t id)
{
    xqueue_mock_record_free(bench->record);
    bench->record = NULL;
    assert_int_equal(xqueue_mock_look(bench->mock, id, &bench->record, NULL), XQUEUE_STATUS_OK);
    return bench->record;
}

/* ---- what graders do ---- */

static void a_submission_is_granted_accepted_and_graded(void **state)
{
    struct bench *bench = connected(state);

    uint64_t id = submits(bench, "echo");

    happens(bench, id, XQUEUE_MOCK_COMPLETED, 1);
    const struct xqueue_mock_record *record = looks(bench, id);
    assert_int_equal(record->state, XQUEUE_MOCK_STATE_GRADED);
    assert_int_equal(record->result_length, strlen("graded"));
    assert_string_equal(record->result, "graded");
    assert_string_equal(record->grader, "grader-1");
    assert_int_equal(record->attempt, 1);
    assert_int_equal(record->failures, 0);
    assert_int_equal(xqueue_mock_count(bench->mock, id, XQUEUE_MOCK_ACCEPTED), 1);
    assert_int_equal(xqueue_mock_count(bench->mock, id, XQUEUE_MOCK_FINISHED), 1);
    assert_int_equal(xqueue_mock_count(bench->mock, 0, XQUEUE_MOCK_GRANTED), 1);
    assert_int_equal(record->lost_reason, XQUEUE_LOST_NOT);
}

static void progress_is_seen(void **state)
{
    struct bench *bench = connected(state);

    uint64_t id = submits(bench, "note");

    happens(bench, id, XQUEUE_MOCK_PROGRESS, 1);
    const struct xqueue_mock_record *record = looks(bench, id);
    assert_string_equal(record->phase, "testing");
    assert_int_equal(record->percent, 40);
    assert_string_equal(record->note, "half");
    assert_int_equal(record->state, XQUEUE_MOCK_STATE_LEASED);
}

static void a_failure_is_tried_again_after_the_time_that_the_grader_said(void **state)
{
    struct bench *bench = connected(state);
    int64_t from_us = clock_monotonic_us();

    uint64_t id = submits(bench, "fail");

    happens(bench, id, XQUEUE_MOCK_GRANTED, 2);
    assert_true(clock_monotonic_us() - from_us >= (int64_t)(250 - CLOCK_TICK_MS) * US_PER_MS);
    happens(bench, id, XQUEUE_MOCK_FAILED, 2);
    const struct xqueue_mock_record *record = looks(bench, id);
    assert_int_equal(record->fail_kind, XQUEUE_FAIL_TRANSIENT);
    assert_string_equal(record->fail_message, "no compiler");
    assert_int_equal(record->retry_after_ms, 250);
    assert_true(record->failures >= 2);
}

static void too_many_failures_make_it_dead(void **state)
{
    struct bench *bench = *state;
    struct xqueue_mock_options options;
    xqueue_mock_options_init(&options);
    options.failures_max = 1;
    mock_starts(bench, &options);
    grader_rig_start(&bench->rig);

    uint64_t id = submits(bench, "silent");

    happens(bench, id, XQUEUE_MOCK_FINISHED, 1);
    assert_int_equal(looks(bench, id)->state, XQUEUE_MOCK_STATE_DEAD);
}

static void what_is_handed_back_is_not_counted(void **state)
{
    struct bench *bench = connected(state);
    int64_t from_us = clock_monotonic_us();

    uint64_t id = submits(bench, "release");

    happens(bench, id, XQUEUE_MOCK_RELEASED, 1);
    happens(bench, id, XQUEUE_MOCK_GRANTED, 2);
    assert_true(clock_monotonic_us() - from_us >= (int64_t)(500 - CLOCK_TICK_MS) * US_PER_MS);
    const struct xqueue_mock_record *record = looks(bench, id);
    assert_int_equal(record->release_delay_ms, 500);
    assert_int_equal(record->failures, 0);
}

static void a_stopped_grader_drains_and_leaves(void **state)
{
    struct bench *bench = connected(state);
    uint64_t id = submits(bench, "wait");
    assert_true(grader_rig_await_running(&bench->rig, 1)); // what no handler has yet is handed back

    xqueue_grader_stop(bench->rig.grader);
    happens(bench, 0, XQUEUE_MOCK_DRAINING, 1);
    uint64_t second = submits(bench, "echo");
    grader_rig_open(&bench->rig);

    assert_int_equal(grader_rig_join(&bench->rig), XQUEUE_STATUS_OK);
    happens(bench, 0, XQUEUE_MOCK_LEFT, 1);
    assert_int_equal(xqueue_mock_grader_count(bench->mock), 0);
    assert_int_equal(looks(bench, id)->state, XQUEUE_MOCK_STATE_GRADED);
    assert_int_equal(xqueue_mock_count(bench->mock, second, XQUEUE_MOCK_GRANTED), 0);
}

static void no_more_is_granted_than_there_are_slots(void **state)
{
    struct bench *bench = *state;
    bench->rig.options.slots = 2;
    (void)connected(state);

    for (int i = 0; i < 4; i++)
        (void)submits(bench, "wait");

    assert_true(grader_rig_await_running(&bench->rig, 2));
    assert_int_equal(xqueue_mock_count(bench->mock, 0, XQUEUE_MOCK_GRANTED), 2);
    grader_rig_open(&bench->rig);
    happens(bench, 0, XQUEUE_MOCK_COMPLETED, 4);
    assert_int_equal(bench->rig.running_most, 2);
}

static void queues_and_labels_decide_who_gets_it(void **state)
{
    static const struct xqueue_label python = {"language", "python"};
    static const struct xqueue_label cobol = {"language", "cobol"};
    struct bench *bench = *state;
    struct xqueue_mock_submission submission;
    uint64_t other_queue;
    uint64_t other_label;
    uint64_t fitting;
    bench->rig.options.labels = &python;
    bench->rig.options.label_count = 1;
    (void)connected(state);
    xqueue_mock_submission_init(&submission);
    submission.body = "echo";
    submission.body_length = strlen("echo");
    submission.label_count = 1;

    submission.queue = "another";
    submission.labels = &python;
    assert_int_equal(xqueue_mock_submit(bench->mock, &submission, &other_queue, NULL), XQUEUE_STATUS_OK);
    submission.queue = "cs101";
    submission.labels = &cobol;
    assert_int_equal(xqueue_mock_submit(bench->mock, &submission, &other_label, NULL), XQUEUE_STATUS_OK);
    submission.labels = &python;
    assert_int_equal(xqueue_mock_submit(bench->mock, &submission, &fitting, NULL), XQUEUE_STATUS_OK);

    happens(bench, fitting, XQUEUE_MOCK_COMPLETED, 1);
    assert_int_equal(xqueue_mock_count(bench->mock, other_queue, XQUEUE_MOCK_GRANTED), 0);
    assert_int_equal(xqueue_mock_count(bench->mock, other_label, XQUEUE_MOCK_GRANTED), 0);
}

/* ---- leases ---- */

static void a_lease_is_renewed_for_as_long_as_it_takes(void **state)
{
    struct bench *bench = *state;
    struct xqueue_mock_options options;
    xqueue_mock_options_init(&options);
    options.lease_ms = LEASE_MS;
    mock_starts(bench, &options);
    grader_rig_start(&bench->rig);

    uint64_t id = submits(bench, "wait");
    happens(bench, id, XQUEUE_MOCK_RENEWED, 4); // longer than a lease length

    assert_int_equal(looks(bench, id)->attempt, 1);
    assert_int_equal(xqueue_mock_count(bench->mock, id, XQUEUE_MOCK_LOST), 0);
}

static void the_hard_limit_ends_a_lease_and_counts(void **state)
{
    struct bench *bench = *state;
    struct xqueue_mock_options options;
    xqueue_mock_options_init(&options);
    options.hard_limit_ms = LEASE_MS;
    options.failures_max = 1;
    mock_starts(bench, &options);
    grader_rig_start(&bench->rig);

    uint64_t id = submits(bench, "wait");

    happens(bench, id, XQUEUE_MOCK_LOST, 1);
    assert_int_equal(looks(bench, id)->failures, 1);
    assert_int_equal(bench->record->lost_reason, XQUEUE_LOST_HARD_LIMIT);
    assert_int_equal(bench->record->state, XQUEUE_MOCK_STATE_DEAD);
}

static void a_grader_that_is_away_loses_its_lease_but_a_late_result_counts(void **state)
{
    struct bench *bench = *state;
    struct xqueue_mock_options options;
    xqueue_mock_options_init(&options);
    options.lease_ms = LEASE_MS;
    mock_starts(bench, &options);
    grader_rig_start(&bench->rig);
    uint64_t id = submits(bench, "wait");
    assert_true(grader_rig_await_running(&bench->rig, 1));
    xqueue_mock_pause(bench->mock, true); // or it would be granted again, to the slot that the answer makes free

    xqueue_mock_stop(bench->mock);
    happens(bench, id, XQUEUE_MOCK_LOST, 1);
    assert_int_equal(looks(bench, id)->lost_reason, XQUEUE_LOST_EXPIRED);
    grader_rig_open(&bench->rig);
    assert_true(grader_rig_await_returned(&bench->rig, 1));
    assert_int_equal(xqueue_mock_resume(bench->mock, NULL), XQUEUE_STATUS_OK);

    happens(bench, id, XQUEUE_MOCK_COMPLETED, 1);
    assert_int_equal(looks(bench, id)->state, XQUEUE_MOCK_STATE_GRADED);
    assert_int_equal(bench->record->failures, 1);
    assert_int_equal(bench->record->attempt, 1);
}

static void taken_away(struct bench *bench, enum xqueue_lost reason, enum xqueue_mock_state then)
{
    pthread_mutex_lock(&bench->rig.mutex);
    int lost = bench->rig.lost;
    int returned = bench->rig.returned;
    bench->rig.running_most = 0;
    pthread_mutex_unlock(&bench->rig.mutex);
    uint64_t id = submits(bench, "until_lost");
    assert_true(grader_rig_await_running(&bench->rig, 1));
    xqueue_mock_pause(bench->mock, true);

    assert_int_equal(xqueue_mock_take(bench->mock, id, reason, NULL), XQUEUE_STATUS_OK);

    assert_int_equal(looks(bench, id)->state, then);
    assert_true(grader_rig_await_lost(&bench->rig, lost + 1));
    assert_true(grader_rig_await_returned(&bench->rig, returned + 1));
    assert_int_equal(bench->rig.lost_reason, reason);
    (void)xqueue_mock_take(bench->mock, id, XQUEUE_LOST_CANCELED, NULL); // it has been looked at, and shall not come again
    xqueue_mock_pause(bench->mock, false);
}

static void a_lease_is_taken_away_for_each_reason(void **state)
{
    struct bench *bench = connected(state);

    taken_away(bench, XQUEUE_LOST_EXPIRED, XQUEUE_MOCK_STATE_READY);
    assert_int_equal(bench->record->failures, 1);
    taken_away(bench, XQUEUE_LOST_HARD_LIMIT, XQUEUE_MOCK_STATE_READY);
    taken_away(bench, XQUEUE_LOST_ADMIN, XQUEUE_MOCK_STATE_READY);
    assert_int_equal(bench->record->failures, 0);
    taken_away(bench, XQUEUE_LOST_NOT_ACCEPTED, XQUEUE_MOCK_STATE_READY);
    taken_away(bench, XQUEUE_LOST_STALE, XQUEUE_MOCK_STATE_LEASED);
    assert_string_equal(bench->record->grader, "somebody else");
    taken_away(bench, XQUEUE_LOST_CANCELED, XQUEUE_MOCK_STATE_CANCELED);
    taken_away(bench, XQUEUE_LOST_SUPERSEDED, XQUEUE_MOCK_STATE_SUPERSEDED);
}

static void what_nobody_has_can_be_canceled_only(void **state)
{
    struct bench *bench = *state;
    mock_starts(bench, NULL);
    uint64_t id = submits(bench, "echo");

    assert_int_equal(xqueue_mock_take(bench->mock, id, XQUEUE_LOST_EXPIRED, &bench->error), XQUEUE_STATUS_WRONG_STATE);
    assert_int_equal(xqueue_mock_take(bench->mock, id, XQUEUE_LOST_SUPERSEDED, NULL), XQUEUE_STATUS_OK);
    assert_int_equal(xqueue_mock_take(bench->mock, id, XQUEUE_LOST_CANCELED, NULL), XQUEUE_STATUS_WRONG_STATE);

    assert_int_equal(xqueue_mock_take(bench->mock, id + 1, XQUEUE_LOST_CANCELED, NULL), XQUEUE_STATUS_NOT_FOUND);
    assert_int_equal(xqueue_mock_take(bench->mock, id, XQUEUE_LOST_STOPPED, NULL), XQUEUE_STATUS_INVALID);
    assert_int_equal(looks(bench, id)->state, XQUEUE_MOCK_STATE_SUPERSEDED);
}

/* ---- connections ---- */

static void a_confirmation_that_is_lost_brings_the_answer_again(void **state)
{
    struct bench *bench = connected(state);
    xqueue_mock_hold_acks(bench->mock, true);
    uint64_t id = submits(bench, "echo");
    happens(bench, id, XQUEUE_MOCK_COMPLETED, 1);

    assert_int_equal(xqueue_mock_drop_connections(bench->mock, NULL), XQUEUE_STATUS_OK);

    happens(bench, id, XQUEUE_MOCK_REPEATED, 1);
    xqueue_mock_hold_acks(bench->mock, false);
    assert_true(grader_rig_await_log(&bench->rig, "answer confirmed"));
    assert_int_equal(xqueue_mock_count(bench->mock, id, XQUEUE_MOCK_COMPLETED), 1);
}

static void a_lease_survives_a_lost_connection(void **state)
{
    struct bench *bench = connected(state);
    uint64_t id = submits(bench, "wait");
    assert_true(grader_rig_await_running(&bench->rig, 1));

    assert_int_equal(xqueue_mock_drop_connections(bench->mock, NULL), XQUEUE_STATUS_OK);
    happens(bench, 0, XQUEUE_MOCK_WELCOME, 2);
    grader_rig_open(&bench->rig);

    happens(bench, id, XQUEUE_MOCK_COMPLETED, 1);
    assert_int_equal(looks(bench, id)->attempt, 1);
    assert_int_equal(bench->rig.lost, 0);
}

static void it_is_away_for_a_while_and_comes_back_on_a_socket_of_its_own(void **state)
{
    struct bench *bench = *state;
    struct xqueue_mock_options options;
    char path[256];
    xqueue_mock_options_init(&options);
    options.address = "unix:";
    mock_starts(bench, &options);
    assert_memory_equal(xqueue_mock_address(bench->mock), "unix:/", 6);
    (void)strncpy(path, xqueue_mock_address(bench->mock) + 5, sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    grader_rig_start(&bench->rig);
    happens(bench, 0, XQUEUE_MOCK_WELCOME, 1);

    xqueue_mock_stop(bench->mock);
    xqueue_mock_stop(bench->mock);
    assert_int_equal(xqueue_mock_grader_count(bench->mock), 0);
    assert_true(grader_rig_await_log(&bench->rig, "no connection to"));
    uint64_t id = submits(bench, "echo");
    assert_int_equal(xqueue_mock_resume(bench->mock, NULL), XQUEUE_STATUS_OK);
    assert_int_equal(xqueue_mock_resume(bench->mock, NULL), XQUEUE_STATUS_OK);

    happens(bench, id, XQUEUE_MOCK_COMPLETED, 1);
    grader_rig_finish(&bench->rig);
    grader_rig_init(&bench->rig, NULL);
    xqueue_mock_destroy(bench->mock);
    bench->mock = NULL;
    assert_int_equal(access(path, F_OK), -1);
    *strrchr(path, '/') = '\0';
    assert_int_equal(access(path, F_OK), -1);
}

static void a_service_that_stops_is_come_back_to(void **state)
{
    struct bench *bench = connected(state);

    xqueue_mock_go_away(bench->mock);

    happens(bench, 0, XQUEUE_MOCK_LEFT, 1);
    happens(bench, 0, XQUEUE_MOCK_WELCOME, 2);
    happens(bench, submits(bench, "echo"), XQUEUE_MOCK_COMPLETED, 1);
}

static void a_hello_is_refused_by_order(void **state)
{
    struct bench *bench = *state;
    mock_starts(bench, NULL);
    assert_int_equal(xqueue_mock_refuse_hellos(bench->mock, 1, XQUEUE_STATUS_NOT_FOUND, "QUEUE_NOT_FOUND", 0, NULL),
                     XQUEUE_STATUS_OK);
    grader_rig_start(&bench->rig);

    assert_int_equal(grader_rig_join(&bench->rig), XQUEUE_STATUS_NOT_FOUND);

    assert_string_equal(bench->rig.error.reason, "QUEUE_NOT_FOUND");
    assert_int_equal(xqueue_mock_count(bench->mock, 0, XQUEUE_MOCK_HELLO_REFUSED), 1);
    assert_int_equal(xqueue_mock_refuse_hellos(bench->mock, 1, XQUEUE_STATUS_LOST, NULL, 0, NULL), XQUEUE_STATUS_INVALID);
}

static void a_refusal_that_passes_is_waited_for(void **state)
{
    struct bench *bench = *state;
    mock_starts(bench, NULL);
    assert_int_equal(xqueue_mock_refuse_hellos(bench->mock, 2, XQUEUE_STATUS_UNAVAILABLE, NULL, 1, NULL), XQUEUE_STATUS_OK);

    grader_rig_start(&bench->rig);

    happens(bench, 0, XQUEUE_MOCK_WELCOME, 1);
    assert_int_equal(xqueue_mock_count(bench->mock, 0, XQUEUE_MOCK_HELLO_REFUSED), 2);
    assert_int_equal(xqueue_mock_count(bench->mock, 0, XQUEUE_MOCK_HELLO), 3);
}

static void a_second_start_under_the_same_name_replaces_the_first(void **state)
{
    struct bench *bench = connected(state);
    struct grader_rig second;
    uint64_t id = submits(bench, "wait");
    assert_true(grader_rig_await_running(&bench->rig, 1));
    grader_rig_init(&second, NULL);
    second.options.address = xqueue_mock_address(bench->mock);

    grader_rig_start(&second);
    happens(bench, id, XQUEUE_MOCK_ACCEPTED, 2);
    grader_rig_open(&second);
    grader_rig_open(&bench->rig);

    assert_int_equal(grader_rig_join(&bench->rig), XQUEUE_STATUS_REPLACED);
    happens(bench, id, XQUEUE_MOCK_COMPLETED, 1);
    assert_int_equal(looks(bench, id)->failures, 1);
    grader_rig_finish(&second);
}

static void pings_are_answered(void **state)
{
    struct bench *bench = *state;
    struct xqueue_mock_options options;
    xqueue_mock_options_init(&options);
    options.ping_period_ms = 50;
    mock_starts(bench, &options);

    grader_rig_start(&bench->rig);

    happens(bench, 0, XQUEUE_MOCK_PONG, 5);
}

/* ---- who may ---- */

static void only_those_who_may_are_let_in(void **state)
{
    struct bench *bench = *state;
    struct xqueue_mock_options options;
    xqueue_mock_options_init(&options);
    options.user = "grader";
    options.password = "a secret";
    mock_starts(bench, &options);
    bench->rig.options.user = "grader";
    bench->rig.options.password = "a guess";

    grader_rig_start(&bench->rig);

    assert_int_equal(grader_rig_join(&bench->rig), XQUEUE_STATUS_UNAUTHENTICATED);
    assert_int_equal(xqueue_mock_count(bench->mock, 0, XQUEUE_MOCK_LOGIN_REFUSED), 1);
    assert_int_equal(xqueue_mock_count(bench->mock, 0, XQUEUE_MOCK_HELLO), 0);
}

static void a_session_that_ends_is_logged_in_anew(void **state)
{
    struct bench *bench = *state;
    struct xqueue_mock_options options;
    xqueue_mock_options_init(&options);
    options.user = "grader";
    options.password = "a secret";
    mock_starts(bench, &options);
    bench->rig.options.user = "grader";
    bench->rig.options.password = "a secret";
    grader_rig_start(&bench->rig);
    happens(bench, 0, XQUEUE_MOCK_WELCOME, 1);

    xqueue_mock_end_sessions(bench->mock);
    assert_int_equal(xqueue_mock_drop_connections(bench->mock, NULL), XQUEUE_STATUS_OK);

    happens(bench, 0, XQUEUE_MOCK_LOGIN, 2);
    happens(bench, 0, XQUEUE_MOCK_WELCOME, 2);
}

static void a_token_does_in_place_of_a_login(void **state)
{
    struct bench *bench = *state;
    struct xqueue_mock_options options;
    xqueue_mock_options_init(&options);
    options.token = "xqt_of_a_program";
    mock_starts(bench, &options);
    bench->rig.options.token = "xqt_of_a_program";

    grader_rig_start(&bench->rig);

    happens(bench, 0, XQUEUE_MOCK_WELCOME, 1);
    assert_int_equal(xqueue_mock_count(bench->mock, 0, XQUEUE_MOCK_LOGIN), 0);
}

/* ---- the functions themselves ---- */

static void several_mocks_know_nothing_of_each_other(void **state)
{
    struct bench *bench = connected(state);
    struct xqueue_mock *other = NULL;
    struct xqueue_mock_submission submission;
    uint64_t id = 0;
    xqueue_mock_submission_init(&submission);
    submission.queue = "cs101";
    assert_int_equal(xqueue_mock_start(NULL, &other, NULL), XQUEUE_STATUS_OK);

    assert_int_equal(xqueue_mock_submit(other, &submission, &id, NULL), XQUEUE_STATUS_OK);
    happens(bench, submits(bench, "echo"), XQUEUE_MOCK_COMPLETED, 1);

    assert_string_not_equal(xqueue_mock_address(other), xqueue_mock_address(bench->mock));
    assert_int_equal(xqueue_mock_count(other, id, XQUEUE_MOCK_GRANTED), 0);
    assert_int_equal(xqueue_mock_grader_count(other), 0);
    xqueue_mock_destroy(other);
}

static void waiting_in_vain_says_how_far_it_came(void **state)
{
    struct bench *bench = *state;
    mock_starts(bench, NULL);
    uint64_t id = submits(bench, "echo");

    assert_int_equal(xqueue_mock_wait(bench->mock, id, XQUEUE_MOCK_COMPLETED, 2, 1, &bench->error), XQUEUE_STATUS_TIMEOUT);
    assert_non_null(strstr(bench->error.text, "'completed' 2 times, there were 0"));
    assert_non_null(strstr(bench->error.text, "submission 1 is ready"));
    assert_int_equal(xqueue_mock_wait(bench->mock, id + 1, XQUEUE_MOCK_COMPLETED, 1, 1, NULL), XQUEUE_STATUS_NOT_FOUND);
    assert_int_equal(xqueue_mock_wait_graders(bench->mock, 1, 1, NULL), XQUEUE_STATUS_TIMEOUT);
    assert_int_equal(xqueue_mock_wait(bench->mock, id, (enum xqueue_mock_event)99, 1, 1, NULL), XQUEUE_STATUS_INVALID);
}

static void wrong_arguments_are_answered_not_asserted(void **state)
{
    struct bench *bench = *state;
    struct xqueue_mock_options options;
    struct xqueue_mock_submission submission;
    struct xqueue_mock *second = NULL;
    uint64_t id = 77;
    mock_starts(bench, NULL);
    xqueue_mock_options_init(&options);
    options.address = xqueue_mock_address(bench->mock);
    xqueue_mock_submission_init(&submission);

    assert_int_equal(xqueue_mock_start(&options, &second, &bench->error), XQUEUE_STATUS_UNAVAILABLE);
    options.address = "nonsense";
    assert_int_equal(xqueue_mock_start(&options, &second, &bench->error), XQUEUE_STATUS_INVALID);
    options.lease_ms = 0;
    assert_int_equal(xqueue_mock_start(&options, &second, &bench->error), XQUEUE_STATUS_INVALID);
    assert_non_null(strstr(bench->error.text, "lease_ms"));
    assert_null(second);
    assert_int_equal(xqueue_mock_submit(bench->mock, &submission, &id, &bench->error), XQUEUE_STATUS_INVALID);
    assert_non_null(strstr(bench->error.text, "queue"));
    assert_int_equal(id, 77);
    assert_int_equal(xqueue_mock_submit(NULL, &submission, &id, NULL), XQUEUE_STATUS_INVALID);
    xqueue_mock_destroy(NULL);
    xqueue_mock_record_free(NULL);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_submission_is_granted_accepted_and_graded),
        TEST(progress_is_seen),
        TEST(a_failure_is_tried_again_after_the_time_that_the_grader_said),
        TEST(too_many_failures_make_it_dead),
        TEST(what_is_handed_back_is_not_counted),
        TEST(a_stopped_grader_drains_and_leaves),
        TEST(no_more_is_granted_than_there_are_slots),
        TEST(queues_and_labels_decide_who_gets_it),
        TEST(a_lease_is_renewed_for_as_long_as_it_takes),
        TEST(the_hard_limit_ends_a_lease_and_counts),
        TEST(a_grader_that_is_away_loses_its_lease_but_a_late_result_counts),
        TEST(a_lease_is_taken_away_for_each_reason),
        TEST(what_nobody_has_can_be_canceled_only),
        TEST(a_confirmation_that_is_lost_brings_the_answer_again),
        TEST(a_lease_survives_a_lost_connection),
        TEST(it_is_away_for_a_while_and_comes_back_on_a_socket_of_its_own),
        TEST(a_service_that_stops_is_come_back_to),
        TEST(a_hello_is_refused_by_order),
        TEST(a_refusal_that_passes_is_waited_for),
        TEST(a_second_start_under_the_same_name_replaces_the_first),
        TEST(pings_are_answered),
        TEST(only_those_who_may_are_let_in),
        TEST(a_session_that_ends_is_logged_in_anew),
        TEST(a_token_does_in_place_of_a_login),
        TEST(several_mocks_know_nothing_of_each_other),
        TEST(waiting_in_vain_says_how_far_it_came),
        TEST(wrong_arguments_are_answered_not_asserted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
