/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/*
 * An LMS without inbound HTTP, a program of its own on the public gRPC library: it takes its results from a stream, while
 * xqueued and it itself are killed at any moment. Every result comes at least once, and none is lost.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/conversation.h"

#define STATE(name_)    XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_
#define DELIVERY(name_) XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_##name_

enum { RESULTS = 240, KILLS_EVERY = 40, TAKER_DIES_AT = 130, RECEIVED_MAX = 256, SUBMISSIONS_MAX = 1000 };

static const struct running_service_options settings = {.service = "  ping_period_ms: 300\n",
                                                        .delivery = "  lease_ms: 2000\n  attempts_max: 1000\n",
                                                        .callbacks = "  timeout_ms: 500\n"};

static int set_up(void **state)
{
    *state = conversation_start_core(&settings);
    return 0;
}

/* ---- the LMS ---- */

static struct running_program *taker_starts(struct conversation *talk, const char *instance, const char *lag)
{
    char work[RUNNING_SERVICE_TEXT_MAX];
    char file[RUNNING_SERVICE_TEXT_MAX];
    static const char script[] = XQUEUE_SOURCE_DIR "/tests/integration/python/results_taker.py";
    static const char protos[] = XQUEUE_SOURCE_DIR "/proto";
    const char *const arguments[] = {"/usr/bin/python3",
                                     script,
                                     talk->service.core,
                                     protos,
                                     running_service_path(&talk->service, "modules", work),
                                     "results",
                                     instance,
                                     running_service_path(&talk->service, "received", file),
                                     lag,
                                     NULL};
    const struct running_program_options options = {.arguments = arguments};

    (void)mkdir(work, 0700);
    struct running_program *taker = running_program_start(&options);
    if (!running_program_await(taker, "taking", 1)) {
        running_program_dump(taker);
        fail_msg("the LMS did not start");
    }
    return taker;
}

static void taker_ends(struct running_program *taker)
{
    running_program_signal(taker, SIGTERM);
    assert_true(running_program_ends_saying(taker, "ended OK"));
}

/* How often each submission's result has come; every line must say what the grader said. */
static void count_received(struct conversation *talk, unsigned counts[SUBMISSIONS_MAX])
{
    char path[RUNNING_SERVICE_TEXT_MAX];
    char line[RECEIVED_MAX];
    char expected[RECEIVED_MAX];
    FILE *file = fopen(running_service_path(&talk->service, "received", path), "re");

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL && strchr(line, '\n') != NULL) { // the last one may be being written
        const unsigned long id = strtoul(line, NULL, 10);
        assert_in_range(id, 1, SUBMISSIONS_MAX - 1);
        (void)snprintf(expected, sizeof(expected), "%lu result of %lu\n", id, id);
        assert_string_equal(line, expected);
        counts[id]++;
    }
    assert_int_equal(fclose(file), 0);
}

/* Until the LMS has written down that the result of id has come. */
static void is_received(struct conversation *talk, uint64_t id, struct running_program *taker)
{
    const int64_t deadline_us = clock_monotonic_us() + (int64_t)CONVERSATION_PATIENCE_MS * 1000;
    unsigned counts[SUBMISSIONS_MAX] = {0};

    while (counts[id] == 0 && clock_monotonic_us() < deadline_us) {
        memset(counts, 0, sizeof(counts));
        count_received(talk, counts);
    }
    if (counts[id] == 0) {
        running_program_dump(taker);
        fail_msg("the result of submission %llu did not come", (unsigned long long)id);
    }
}

/* ---- students and graders ---- */

static uint64_t submits_for_channel(struct conversation *talk)
{
    const struct core_submission submission = {.queue = "calm", .body = "x", .results_channel = "results"};
    uint64_t id = 0;

    assert_int_equal(core_submit(talk->student, &submission, &id, NULL), STATUS_OK);
    return id;
}

static void grades(struct core_caller *grader, uint64_t id)
{
    char result[RECEIVED_MAX];
    struct core_lease lease = {.id = 0};

    assert_int_equal(core_take_lease(grader, "calm", "g", 0, &lease), STATUS_OK);
    assert_int_equal(lease.id, id);
    (void)snprintf(result, sizeof(result), "result of %llu", (unsigned long long)id);
    assert_int_equal(core_complete(grader, &lease, result, NULL, NULL), STATUS_OK);
}

static void every_result_comes_whatever_is_killed(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *grader = core_caller_open(talk->service.core, "grader");
    static uint64_t ids[RESULTS];
    static unsigned counts[SUBMISSIONS_MAX];
    struct running_program *taker = taker_starts(talk, "start-1", "5");

    for (size_t i = 0; i < RESULTS; i++) {
        ids[i] = submits_for_channel(talk);
        grades(grader, ids[i]);
        if (i % KILLS_EVERY == KILLS_EVERY - 1) {
            running_service_kill_core(&talk->service);
            running_service_start_core(&talk->service);
        }
        if (i == TAKER_DIES_AT) {
            running_program_signal(taker, SIGKILL);
            assert_int_equal(running_program_wait(taker), -SIGKILL);
            running_program_destroy(taker);
            taker = taker_starts(talk, "start-2", "5");
        }
    }
    running_program_signal(taker, SIGTERM); // what it has not acknowledged yet, it does now
    assert_int_equal(running_program_wait(taker), 0);
    running_program_destroy(taker);
    taker = taker_starts(talk, "start-3", "0");
    for (size_t i = 0; i < RESULTS; i++) {
        is_received(talk, ids[i], taker);
        assert_true(core_await_delivery(talk->admin, ids[i], DELIVERY(DELIVERED)));
    }
    taker_ends(taker);

    count_received(talk, counts);
    for (size_t i = 0; i < RESULTS; i++) {
        assert_true(counts[ids[i]] >= 1);
    }
    core_caller_close(grader);
}

/* Nobody is there when results come; and a stop of the service in between is no failure of anybody's. */
static void results_wait_for_an_lms_that_comes_later(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *grader = core_caller_open(talk->service.core, "grader");
    static unsigned counts[SUBMISSIONS_MAX];
    const uint64_t first = submits_for_channel(talk);
    grades(grader, first);
    running_service_stop_core(&talk->service);
    running_service_start_core(&talk->service);

    struct running_program *taker = taker_starts(talk, "start-1", "5");
    is_received(talk, first, taker);
    running_service_stop_core(&talk->service);
    assert_true(running_program_await(taker, "broken: StatusCode.UNAVAILABLE", 1));
    running_service_start_core(&talk->service);
    const uint64_t second = submits_for_channel(talk);
    grades(grader, second);
    is_received(talk, second, taker);
    taker_ends(taker);

    assert_true(core_await_delivery(talk->admin, first, DELIVERY(DELIVERED)));
    assert_true(core_await_delivery(talk->admin, second, DELIVERY(DELIVERED)));
    memset(counts, 0, sizeof(counts));
    count_received(talk, counts);
    assert_true(counts[first] >= 1);
    assert_true(counts[second] >= 1);
    core_caller_close(grader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, conversation_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_result_comes_whatever_is_killed),
        TEST(results_wait_for_an_lms_that_comes_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
