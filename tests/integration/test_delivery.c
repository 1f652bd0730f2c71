/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Outcomes on their way to an LMS that is down, slow or wrong: nothing is lost, nothing is graded again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/conversation.h"

#define STATE(name_)    XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_
#define DELIVERY(name_) XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_##name_
#define FAILED(name_)   XQUEUE__V1__FAIL_KIND__FAIL_KIND_##name_
#define ACK(name_)      XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_##name_

enum { PATH_MAX_BYTES = 64 };

static int set_up(void **state)
{
    const struct running_service_options options = {.callbacks = "  timeout_ms: 1000\n  per_origin_max: 100\n"
                                                                 "  parallel_max: 100\n"};

    *state = conversation_start(&options);
    return 0;
}

/* Submits over gRPC and grades; the outcome goes to path. */
static uint64_t graded(struct conversation *talk, const char *path, const char *result)
{
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 1);
    const uint64_t id = student_submits(talk, "calm", path, "body");
    const struct core_lease lease = grader_receives(grader);

    grader_completes(grader, &lease, result);
    scripted_grader_close(grader);
    return id;
}

/* The courier has tried at least so often. */
static void courier_has_tried(struct conversation *talk, uint64_t id, uint32_t times)
{
    const int64_t deadline_us = clock_monotonic_us() + INT64_C(1000) * CONVERSATION_PATIENCE_MS;

    while (admin_sees(talk, id).delivery_attempts < times) {
        assert_true(clock_monotonic_us() < deadline_us);
    }
}

static void an_lms_that_was_down_gets_the_result_later_without_regrading(void **state)
{
    struct conversation *talk = *state;

    fake_lms_stop(talk->lms);
    const uint64_t id = graded(talk, "/down", "kept");
    courier_has_tried(talk, id, 3);
    assert_int_equal(admin_sees(talk, id).state, STATE(GRADED));
    fake_lms_resume(talk->lms);

    assert_string_equal(lms_hears(talk, "/down", 0)->result, "kept");
    assert_true(core_await_delivery(talk->admin, id, DELIVERY(DELIVERED)));
    assert_int_equal(admin_sees(talk, id).attempt, 1);
    assert_int_equal(fake_lms_count_path(talk->lms, "/down"), 1);
}

static void an_lms_that_answers_errors_is_tried_until_it_takes_the_result(void **state)
{
    static const struct fake_lms_script scripts[] = {
        {.http_status = 500}, {.http_status = 201}, {.kind = FAKE_LMS_CLOSE}, {.kind = FAKE_LMS_GARBAGE}};
    struct conversation *talk = *state;

    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        char path[PATH_MAX_BYTES];
        (void)snprintf(path, sizeof(path), "/error/%zu", i);
        fake_lms_script_path(talk->lms, path, &scripts[i]);
        const uint64_t id = graded(talk, path, "r");
        lms_hears(talk, path, 2);
        assert_int_not_equal(admin_sees(talk, id).delivery_state, DELIVERY(DELIVERED));
        fake_lms_script_path(talk->lms, path, NULL);
        assert_true(core_await_delivery(talk->admin, id, DELIVERY(DELIVERED)));
        assert_int_equal(admin_sees(talk, id).attempt, 1);
    }
}

/* On a connection that was kept, what sends requests again by itself when nothing came back would do so here. */
static void a_callback_goes_out_once_for_each_try(void **state)
{
    struct conversation *talk = *state;
    const struct fake_lms_script dies = {.kind = FAKE_LMS_CLOSE};

    const uint64_t first = graded(talk, "/lives", "r");
    assert_true(core_await_delivery(talk->admin, first, DELIVERY(DELIVERED)));
    fake_lms_script_path(talk->lms, "/dies", &dies);
    const uint64_t id = graded(talk, "/dies", "r");
    lms_hears(talk, "/dies", 1);
    fake_lms_script_path(talk->lms, "/dies", NULL);
    assert_true(core_await_delivery(talk->admin, id, DELIVERY(DELIVERED)));

    assert_int_equal(fake_lms_count_path(talk->lms, "/dies"), admin_sees(talk, id).delivery_attempts);
}

static void a_redirect_is_not_followed_and_is_no_success(void **state)
{
    struct conversation *talk = *state;
    const struct fake_lms_script redirect = {.kind = FAKE_LMS_REDIRECT, .location = "/elsewhere"};

    fake_lms_script_path(talk->lms, "/moved", &redirect);
    const uint64_t id = graded(talk, "/moved", "the grade");
    lms_hears(talk, "/moved", 1);
    assert_int_equal(fake_lms_count_path(talk->lms, "/elsewhere"), 0);
    fake_lms_script_path(talk->lms, "/moved", NULL);

    assert_true(core_await_delivery(talk->admin, id, DELIVERY(DELIVERED)));
    assert_int_equal(fake_lms_count_path(talk->lms, "/elsewhere"), 0);
}

static void a_hanging_callback_is_given_up_and_tried_again(void **state)
{
    struct conversation *talk = *state;
    const struct fake_lms_script hang = {.kind = FAKE_LMS_HANG};

    fake_lms_script_path(talk->lms, "/hangs", &hang);
    const uint64_t id = graded(talk, "/hangs", "r");
    lms_hears(talk, "/hangs", 1); // after the time-out of the first
    fake_lms_script_path(talk->lms, "/hangs", NULL);
    fake_lms_release(talk->lms);

    assert_true(core_await_delivery(talk->admin, id, DELIVERY(DELIVERED)));
    assert_int_equal(admin_sees(talk, id).attempt, 1);
}

enum { MANY = 50 };

static void fifty_callbacks_run_at_once_while_one_hangs(void **state)
{
    struct conversation *talk = *state;
    const struct fake_lms_script hang = {.kind = FAKE_LMS_HANG};
    const struct fake_lms_script slow = {.delay_ms = 300};
    struct scripted_grader *grader = grader_connects(talk, "many", "calm", MANY + 1);
    uint64_t ids[MANY + 1];
    struct core_lease leases[MANY + 1];
    char path[PATH_MAX_BYTES];

    fake_lms_script_path(talk->lms, "/many/0", &hang);
    fake_lms_script_default(talk->lms, &slow);
    for (int i = 0; i <= MANY; i++) {
        (void)snprintf(path, sizeof(path), "/many/%d", i);
        ids[i] = student_submits(talk, "calm", path, "b");
        leases[i] = grader_receives(grader);
    }
    for (int i = 0; i <= MANY; i++) {
        assert_true(scripted_grader_say_complete(grader, &leases[i], "r"));
    }
    for (int i = 1; i <= MANY; i++) {
        assert_true(core_await_delivery(talk->admin, ids[i], DELIVERY(DELIVERED)));
        (void)snprintf(path, sizeof(path), "/many/%d", i);
        assert_int_equal(fake_lms_count_path(talk->lms, path), 1);
    }
    assert_in_range(fake_lms_parallel_peak(talk->lms), MANY / 2, MANY + 1);
    assert_int_not_equal(admin_sees(talk, ids[0]).delivery_state, DELIVERY(DELIVERED));

    fake_lms_script_path(talk->lms, "/many/0", NULL);
    fake_lms_script_default(talk->lms, &(struct fake_lms_script){.http_status = 200});
    fake_lms_release(talk->lms);
    assert_true(core_await_delivery(talk->admin, ids[0], DELIVERY(DELIVERED)));
    scripted_grader_close(grader);
}

/* ---- bad ends ---- */

static void assert_failure_message(const struct fake_lms_callback *callback)
{
    static const char beginning[] = "{\"correct\": null, \"score\": 0, \"msg\": \"<div class=\\\"capa_alert\\\">"
                                    "Your submission could not be graded.";

    assert_string_equal(callback->header, "{\"header\": 1}");
    assert_memory_equal(callback->result, beginning, strlen(beginning));
}

static void the_student_of_an_ungradable_submission_is_told(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 1);

    student_submits(talk, "calm", "/ungradable", "an image");
    const struct core_lease lease = grader_receives(grader);
    assert_int_equal(scripted_grader_fail(grader, &lease, FAILED(UNGRADABLE), "no text"), ACK(OK));

    assert_failure_message(lms_hears(talk, "/ungradable", 0));
    scripted_grader_close(grader);
}

static void the_student_of_a_submission_that_nobody_can_grade_is_told(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g", "hasty", HASTY_ATTEMPTS_MAX);

    const uint64_t id = student_submits(talk, "hasty", "/dead", "poison");
    for (int i = 0; i < HASTY_ATTEMPTS_MAX; i++) {
        const struct core_lease lease = grader_receives(grader);
        assert_int_equal(scripted_grader_fail(grader, &lease, FAILED(TRANSIENT), "crashed"), ACK(OK));
    }

    assert_failure_message(lms_hears(talk, "/dead", 0));
    assert_int_equal(admin_sees(talk, id).state, STATE(DEAD));
    scripted_grader_close(grader);
}

static void after_its_tries_a_result_is_undeliverable_and_kept(void **state)
{
    const struct running_service_options options = {.delivery = "  attempts_max: 3\n"};
    struct conversation *talk = conversation_start(&options);
    const struct fake_lms_script refuse = {.http_status = 503};

    (void)state;
    fake_lms_script_path(talk->lms, "/refused", &refuse);
    const uint64_t id = graded(talk, "/refused", "kept");

    assert_true(core_await_delivery(talk->admin, id, DELIVERY(UNDELIVERABLE)));
    assert_int_equal(admin_sees(talk, id).delivery_attempts, 3);
    assert_int_equal(fake_lms_count_path(talk->lms, "/refused"), 3);
    assert_string_equal(admin_sees(talk, id).result, "kept");
    assert_true(conversation_finish(talk));
}

/* ---- the adapter goes ---- */

static void results_wait_for_an_adapter_that_is_away(void **state)
{
    struct conversation *talk = *state;

    running_service_kill_rest(&talk->service);
    const uint64_t id = graded(talk, "/away", "r");
    running_service_start_rest(&talk->service);

    assert_string_equal(lms_hears(talk, "/away", 0)->result, "r");
    assert_true(core_await_delivery(talk->admin, id, DELIVERY(DELIVERED)));
}

static void a_callback_that_ran_when_the_adapter_was_killed_is_made_again_at_once(void **state)
{
    struct conversation *talk = *state;
    const struct fake_lms_script hang = {.kind = FAKE_LMS_HANG};

    fake_lms_script_path(talk->lms, "/cut", &hang);
    const uint64_t id = graded(talk, "/cut", "r");
    lms_hears(talk, "/cut", 0);
    running_service_kill_rest(&talk->service);
    fake_lms_script_path(talk->lms, "/cut", NULL);
    fake_lms_release(talk->lms);
    running_service_start_rest(&talk->service); // its delivery lease of a minute is not waited for

    lms_hears(talk, "/cut", 1);
    assert_true(core_await_delivery(talk->admin, id, DELIVERY(DELIVERED)));
    assert_int_equal(admin_sees(talk, id).attempt, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_lms_that_was_down_gets_the_result_later_without_regrading),
        cmocka_unit_test(an_lms_that_answers_errors_is_tried_until_it_takes_the_result),
        cmocka_unit_test(a_callback_goes_out_once_for_each_try),
        cmocka_unit_test(a_redirect_is_not_followed_and_is_no_success),
        cmocka_unit_test(a_hanging_callback_is_given_up_and_tried_again),
        cmocka_unit_test(fifty_callbacks_run_at_once_while_one_hangs),
        cmocka_unit_test(the_student_of_an_ungradable_submission_is_told),
        cmocka_unit_test(the_student_of_a_submission_that_nobody_can_grade_is_told),
        cmocka_unit_test(after_its_tries_a_result_is_undeliverable_and_kept),
        cmocka_unit_test(results_wait_for_an_adapter_that_is_away),
        cmocka_unit_test(a_callback_that_ran_when_the_adapter_was_killed_is_made_again_at_once),
    };
    return cmocka_run_group_tests(tests, set_up, conversation_tear_down);
}
