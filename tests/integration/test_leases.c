/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Who holds which submission until when, and what becomes of it. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "tests/support/conversation.h"

#define STATE(name_)  XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_
#define ACK(name_)    XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_##name_
#define LOST(name_)   XQUEUE__V1__LOST_REASON__LOST_REASON_##name_
#define SAYS(name_)   XQUEUE__V1__SERVER_MESSAGE__KIND_##name_
#define FAILED(name_) XQUEUE__V1__FAIL_KIND__FAIL_KIND_##name_

static void assert_reason(const struct error *error, const char *reason)
{
    assert_string_equal(error->reason, reason);
}

/* ---- one grader each ---- */

static void of_two_graders_exactly_one_gets_a_submission(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *graders[] = {grader_connects(talk, "g1", "calm", 5), grader_connects(talk, "g2", "calm", 5)};

    const uint64_t first = student_submits(talk, "calm", NULL, "first");
    const uint64_t second = student_submits(talk, "calm", NULL, "second");
    const struct core_lease a = grader_receives(graders[0]); // in turn: each gets one of the two
    const struct core_lease b = grader_receives(graders[1]);
    grader_completes(graders[0], &a, "a");
    grader_completes(graders[1], &b, "b");

    assert_int_equal(a.id + b.id, first + second);
    assert_int_not_equal(a.id, b.id);
    assert_int_equal(admin_sees(talk, first).attempt, 1);
    assert_int_equal(admin_sees(talk, second).attempt, 1);
    assert_false(scripted_grader_has(graders[0], SAYS(GRANT)));
    assert_false(scripted_grader_has(graders[1], SAYS(GRANT)));
    scripted_grader_close(graders[0]);
    scripted_grader_close(graders[1]);
}

enum { RACERS = 8, RACES = 120 };

/* A poller that takes what it gets until there is nothing more. */
struct racer {
    const char *core;
    char name[32];
    unsigned granted[RACES + 1]; // by submission
    unsigned failures;
};

static void *race(void *context)
{
    struct racer *racer = context;
    struct core_caller *caller = core_caller_open(racer->core, "grader");
    struct core_lease lease = {.id = 1};

    while (lease.id != 0) {
        if (core_take_lease(caller, "calm", racer->name, 0, &lease) != STATUS_OK) {
            racer->failures++;
        } else if (lease.id != 0) {
            racer->granted[lease.id]++;
            racer->failures += core_complete(caller, &lease, racer->name, NULL, NULL) != STATUS_OK;
        }
    }
    core_caller_close(caller);
    return NULL;
}

static void many_pollers_get_each_submission_once(void **state)
{
    struct conversation *talk = *state;
    static struct racer racers[RACERS];
    pthread_t threads[RACERS];

    memset(racers, 0, sizeof(racers));
    for (int i = 0; i < RACES; i++) {
        student_submits(talk, "calm", NULL, "body");
    }
    for (int i = 0; i < RACERS; i++) {
        racers[i].core = talk->service.core;
        (void)snprintf(racers[i].name, sizeof(racers[i].name), "racer %d", i);
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(racers[i].failures, 0);
    }

    for (uint64_t id = 1; id <= RACES; id++) {
        unsigned times = 0;
        for (int i = 0; i < RACERS; i++) {
            times += racers[i].granted[id];
        }
        assert_int_equal(times, 1);
        assert_int_equal(admin_sees(talk, id).state, STATE(GRADED));
    }
}

struct waiter {
    const char *core;
    struct core_lease lease;
    enum status status;
};

static void *wait_for_one(void *context)
{
    struct waiter *waiter = context;
    struct core_caller *caller = core_caller_open(waiter->core, "grader");

    waiter->status = core_take_lease(caller, "calm", "waiter", 15000, &waiter->lease);
    core_caller_close(caller);
    return NULL;
}

static void a_waiting_poller_is_answered_as_soon_as_there_is_something(void **state)
{
    struct conversation *talk = *state;
    struct waiter waiter = {.core = talk->service.core};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, wait_for_one, &waiter), 0);
    const uint64_t id = student_submits(talk, "calm", NULL, "body");
    assert_int_equal(pthread_join(thread, NULL), 0);

    assert_int_equal(waiter.status, STATUS_OK);
    assert_int_equal(waiter.lease.id, id);
}

static void a_graders_leases_count_over_both_paths(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = scripted_grader_open(talk->service.core, "grader");
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    const struct scripted_hello hello = {.grader = "g1", .queue = "calm", .slots = 1};
    struct core_lease lease;

    assert_true(scripted_grader_start(grader, &hello, 10));
    student_submits(talk, "calm", NULL, "first");
    student_submits(talk, "calm", NULL, "second");
    const struct core_lease held = grader_receives(grader);
    assert_int_equal(core_take_lease(poller, "calm", "g1", 0, &lease), STATUS_OK);
    assert_int_equal(lease.id, 0); // its one slot is taken

    grader_completes(grader, &held, "done");
    const struct core_lease next = grader_receives(grader);
    assert_string_equal(next.body, "second");
    scripted_grader_close(grader);
    core_caller_close(poller);
}

/* ---- keys ---- */

static void a_wrong_or_old_key_is_refused_and_changes_nothing(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    struct core_lease lease;
    struct core_lease wrong;
    struct error error;
    int64_t expires_in_ms = 0;
    Xqueue__V1__SubmissionState to = STATE(UNSPECIFIED);

    const uint64_t id = student_submits(talk, "calm", NULL, "body");
    assert_int_equal(core_take_lease(poller, "calm", "p", 0, &lease), STATUS_OK);
    assert_int_equal(core_release(poller, &lease), STATUS_OK);
    const struct core_lease old = lease;
    assert_int_equal(core_take_lease(poller, "calm", "p", 0, &lease), STATUS_OK);
    wrong = lease;
    wrong.key[0] = wrong.key[0] == 'a' ? 'b' : 'a';

    const struct core_lease *const bad[] = {&old, &wrong};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(core_complete(poller, bad[i], "stolen", NULL, &error), STATUS_STALE);
        assert_reason(&error, "LEASE_STALE");
        assert_int_equal(core_extend(poller, bad[i], &expires_in_ms), STATUS_STALE);
        assert_int_equal(core_release(poller, bad[i]), STATUS_STALE);
        assert_int_equal(core_fail(poller, bad[i], FAILED(TRANSIENT), "x", &to), STATUS_STALE);
    }
    wrong.id = 999999;
    assert_int_equal(core_complete(poller, &wrong, "r", NULL, &error), STATUS_NOT_FOUND);
    assert_reason(&error, "SUBMISSION_NOT_FOUND");
    wrong = lease;
    wrong.key[5] = '\0';
    assert_int_equal(core_complete(poller, &wrong, "r", NULL, NULL), STATUS_INVALID);

    assert_int_equal(admin_sees(talk, id).state, STATE(LEASED));
    assert_int_equal(core_complete(poller, &lease, "mine", NULL, NULL), STATUS_OK);
    assert_string_equal(admin_sees(talk, id).result, "mine");
    core_caller_close(poller);
}

static void the_same_result_twice_is_one_and_another_one_is_refused(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    struct core_lease lease;
    struct error error;
    bool already = true;

    const uint64_t id = student_submits(talk, "calm", NULL, "body");
    assert_int_equal(core_take_lease(poller, "calm", "p", 0, &lease), STATUS_OK);
    assert_int_equal(core_complete(poller, &lease, "one", &already, NULL), STATUS_OK);
    assert_false(already);
    assert_int_equal(core_complete(poller, &lease, "one", &already, NULL), STATUS_OK);
    assert_true(already);
    assert_int_equal(core_complete(poller, &lease, "two", &already, &error), STATUS_STALE);
    assert_reason(&error, "RESULT_EXISTS");

    assert_string_equal(admin_sees(talk, id).result, "one");
    core_caller_close(poller);
}

/* ---- time ---- */

static void a_grant_that_is_not_accepted_goes_back_uncounted(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *sleepy = grader_connects(talk, "sleepy", "hasty", 1);
    struct scripted_grader *awake = grader_connects(talk, "awake", "hasty", 0);
    struct core_lease lease;

    const uint64_t id = student_submits(talk, "hasty", NULL, "body");
    assert_true(scripted_grader_await_grant(sleepy, &lease));
    assert_true(scripted_grader_credit(awake, 1));
    assert_int_equal(scripted_grader_await_lost(sleepy, &lease), LOST(NOT_ACCEPTED));
    const struct core_lease second = grader_receives(awake);
    grader_completes(awake, &second, "done");

    assert_int_equal(second.id, id);
    assert_int_equal(second.attempt, 2);
    assert_int_equal(admin_sees(talk, id).failures, 0);
    scripted_grader_close(sleepy);
    scripted_grader_close(awake);
}

static void a_lease_that_is_not_renewed_goes_to_another_grader_after_a_warning(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *lost = grader_connects(talk, "lost", "hasty", 1);
    struct scripted_grader *next = grader_connects(talk, "next", "hasty", 0);

    const uint64_t id = student_submits(talk, "hasty", NULL, "body");
    const struct core_lease first = grader_receives(lost);
    assert_true(scripted_grader_credit(next, 1));
    struct rpc_message *warning = scripted_grader_await(lost, SAYS(DEADLINE_SOON));
    assert_non_null(warning);
    assert_int_equal(scripted_grader_read(warning)->deadline_soon->lease->submission_id, id);
    rpc_message_free(warning);
    assert_int_equal(scripted_grader_await_lost(lost, &first), LOST(EXPIRED));
    const struct core_lease second = grader_receives(next);
    assert_int_equal(second.id, id);
    assert_int_equal(second.attempt, 2);
    assert_int_equal(scripted_grader_complete(lost, &first, "late"), ACK(STALE));
    grader_completes(next, &second, "in time");

    assert_string_equal(admin_sees(talk, id).result, "in time");
    assert_int_equal(admin_sees(talk, id).failures, 1);
    scripted_grader_close(lost);
    scripted_grader_close(next);
}

static void a_late_result_counts_while_nobody_else_has_the_submission(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *late = grader_connects(talk, "late", "hasty", 1);

    const uint64_t id = student_submits(talk, "hasty", NULL, "body");
    const struct core_lease lease = grader_receives(late);
    assert_int_equal(scripted_grader_await_lost(late, &lease), LOST(EXPIRED));
    assert_int_equal(admin_sees(talk, id).state, STATE(READY));
    grader_completes(late, &lease, "late, but the only one");

    assert_int_equal(admin_sees(talk, id).state, STATE(GRADED));
    assert_string_equal(admin_sees(talk, id).result, "late, but the only one");
    scripted_grader_close(late);
}

static void heartbeats_keep_a_lease_far_beyond_its_length(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "steady", "hasty", 1);

    const uint64_t id = student_submits(talk, "hasty", NULL, "body");
    const struct core_lease lease = grader_receives(grader);
    for (int i = 0; i < 3; i++) { // each warning comes three quarters of a lease after the renewal before it
        struct rpc_message *warning = scripted_grader_await(grader, SAYS(DEADLINE_SOON));
        assert_non_null(warning);
        rpc_message_free(warning);
        assert_true(scripted_grader_heartbeat(grader, &lease, 1));
    }
    grader_completes(grader, &lease, "slow and steady");

    assert_false(scripted_grader_has(grader, SAYS(LEASE_LOST)));
    assert_int_equal(admin_sees(talk, id).attempt, 1);
    scripted_grader_close(grader);
}

static enum status reports(struct core_caller *caller, const struct core_lease *lease, uint32_t percent, struct error *error)
{
    char key[CORE_KEY_MAX];
    char phase[] = "testing";
    Xqueue__V1__ReportRequest request = XQUEUE__V1__REPORT_REQUEST__INIT;
    Xqueue__V1__LeaseRef ref = XQUEUE__V1__LEASE_REF__INIT;
    Xqueue__V1__Progress progress = XQUEUE__V1__PROGRESS__INIT;
    const struct core_question question = {"/xqueue.v1.Graders/Report", &xqueue__v1__report_response__descriptor,
                                           &request.base};

    text_copy(key, sizeof key, lease->key);
    ref.submission_id = lease->id;
    ref.lease_key = key;
    progress.phase = phase;
    progress.percent = percent;
    request.lease = &ref;
    request.progress = &progress;
    return core_caller_ask(caller, &question, NULL, error);
}

static void a_report_is_taken_from_the_holder_alone(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    struct core_lease lease;
    struct error error;

    student_submits(talk, "calm", NULL, "body");
    assert_int_equal(core_take_lease(poller, "calm", "p", 0, &lease), STATUS_OK);

    assert_int_equal(reports(poller, &lease, 40, NULL), STATUS_OK);
    assert_int_equal(reports(poller, &lease, 101, &error), STATUS_INVALID);
    assert_reason(&error, "PROGRESS_INVALID");
    assert_int_equal(core_complete(poller, &lease, "done", NULL, NULL), STATUS_OK);
    assert_int_equal(reports(poller, &lease, 100, &error), STATUS_STALE);
    assert_reason(&error, "LEASE_STALE");
    core_caller_close(poller);
}

static void renewing_ends_at_the_hard_limit(void **state)
{
    const struct running_service_options options = {
        .queues = "  capped:\n    lease_ms: 1000\n    hard_limit_ms: 1500\n    retry_delay_ms: 20\n"};
    struct conversation *talk = conversation_start_core(&options);
    struct scripted_grader *grader = grader_connects(talk, "g", "capped", 1);

    (void)state;
    student_submits(talk, "capped", NULL, "endless");
    const struct core_lease lease = grader_receives(grader);
    struct rpc_message *warning = scripted_grader_await(grader, SAYS(DEADLINE_SOON));
    assert_non_null(warning);
    rpc_message_free(warning);
    assert_true(scripted_grader_heartbeat(grader, &lease, 1));
    struct rpc_message *status = scripted_grader_await(grader, SAYS(LEASE_STATUS)); // less than a full lease length
    assert_non_null(status);
    assert_in_range(scripted_grader_read(status)->lease_status->expires_in_ms, 1, 999);
    rpc_message_free(status);

    assert_int_equal(scripted_grader_await_lost(grader, &lease), LOST(HARD_LIMIT));
    scripted_grader_close(grader);
    assert_true(conversation_finish(talk));
}

static void a_submission_that_nobody_grades_in_its_time_is_given_up(void **state)
{
    struct conversation *talk = *state;
    const struct core_submission submission = {.queue = "calm", .body = "urgent", .expire_after_ms = 50};
    uint64_t id = 0;

    assert_int_equal(core_submit(talk->student, &submission, &id, NULL), STATUS_OK);

    assert_true(core_await_state(talk->admin, id, STATE(DEAD)));
}

/* ---- giving up ---- */

static void a_failed_submission_is_tried_again_later_and_is_dead_after_its_attempts(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    Xqueue__V1__SubmissionState to = STATE(UNSPECIFIED);
    struct core_lease lease;

    const uint64_t id = student_submits(talk, "hasty", NULL, "poison");
    assert_int_equal(core_take_lease(poller, "hasty", "p", 0, &lease), STATUS_OK);
    assert_int_equal(core_fail(poller, &lease, FAILED(TRANSIENT), "out of memory", &to), STATUS_OK);
    assert_int_equal(to, STATE(DELAYED));
    assert_string_equal(admin_sees(talk, id).message, "out of memory");
    assert_int_equal(core_take_lease(poller, "hasty", "p", 20000, &lease), STATUS_OK); // after the pause
    assert_int_equal(lease.id, id);
    assert_int_equal(core_fail(poller, &lease, FAILED(TRANSIENT), "again", &to), STATUS_OK);

    assert_int_equal(to, STATE(DEAD));
    assert_int_equal(admin_sees(talk, id).failures, HASTY_ATTEMPTS_MAX);
    assert_int_equal(core_take_lease(poller, "hasty", "p", 0, &lease), STATUS_OK);
    assert_int_equal(lease.id, 0); // it does not block its queue
    core_caller_close(poller);
}

static void an_ungradable_submission_is_final_at_once(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 1);

    const uint64_t id = student_submits(talk, "calm", NULL, "an image");
    const struct core_lease lease = grader_receives(grader);
    assert_int_equal(scripted_grader_fail(grader, &lease, FAILED(UNGRADABLE), "no text"), ACK(OK));

    assert_int_equal(admin_sees(talk, id).state, STATE(UNGRADABLE));
    assert_int_equal(scripted_grader_complete(grader, &lease, "after all"), ACK(STALE));
    scripted_grader_close(grader);
}

static void a_released_submission_goes_back_at_once_and_uncounted(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g", "hasty", 1);

    const uint64_t id = student_submits(talk, "hasty", NULL, "body");
    const struct core_lease first = grader_receives(grader);
    assert_int_equal(scripted_grader_release(grader, &first), ACK(OK));
    assert_int_equal(scripted_grader_complete(grader, &first, "changed my mind"), ACK(STALE));
    assert_true(scripted_grader_credit(grader, 1));
    const struct core_lease second = grader_receives(grader);
    grader_completes(grader, &second, "done");

    assert_int_equal(second.id, id);
    assert_int_equal(admin_sees(talk, id).failures, 0);
    scripted_grader_close(grader);
}

static void a_rejected_grant_goes_to_another_and_the_rejecter_gets_nothing_before_new_credit(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *busy = grader_connects(talk, "busy", "hasty", 5);
    struct scripted_grader *other = grader_connects(talk, "other", "hasty", 0);
    struct core_lease lease;

    const uint64_t id = student_submits(talk, "hasty", NULL, "body");
    assert_true(scripted_grader_await_grant(busy, &lease));
    assert_int_equal(scripted_grader_reject(busy, &lease), ACK(OK));
    assert_true(scripted_grader_credit(other, 1));
    const struct core_lease second = grader_receives(other);
    grader_completes(other, &second, "done");

    assert_int_equal(second.id, id);
    assert_int_equal(admin_sees(talk, id).failures, 0);
    assert_false(scripted_grader_has(busy, SAYS(GRANT)));
    assert_true(scripted_grader_credit(busy, 1));
    student_submits(talk, "hasty", NULL, "next");
    assert_string_equal(grader_receives(busy).body, "next");
    scripted_grader_close(busy);
    scripted_grader_close(other);
}

static void a_superseded_submission_is_taken_from_its_grader(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    const struct core_submission submission = {.queue = "calm", .body = "x", .replace_key = "student 7"};
    struct core_lease lease;
    struct error error;
    uint64_t first = 0;

    assert_int_equal(core_submit(talk->student, &submission, &first, NULL), STATUS_OK);
    assert_int_equal(core_take_lease(poller, "calm", "p", 0, &lease), STATUS_OK);
    assert_int_equal(core_submit(talk->student, &submission, NULL, NULL), STATUS_OK);

    assert_int_equal(admin_sees(talk, first).state, STATE(SUPERSEDED));
    assert_int_equal(core_complete(poller, &lease, "too late", NULL, &error), STATUS_STALE);
    assert_reason(&error, "LEASE_SUPERSEDED");
    core_caller_close(poller);
}

#define WITH_CORE(test_) cmocka_unit_test_setup_teardown(test_, conversation_set_up_core, conversation_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CORE(of_two_graders_exactly_one_gets_a_submission),
        WITH_CORE(many_pollers_get_each_submission_once),
        WITH_CORE(a_waiting_poller_is_answered_as_soon_as_there_is_something),
        WITH_CORE(a_graders_leases_count_over_both_paths),
        WITH_CORE(a_wrong_or_old_key_is_refused_and_changes_nothing),
        WITH_CORE(the_same_result_twice_is_one_and_another_one_is_refused),
        WITH_CORE(a_grant_that_is_not_accepted_goes_back_uncounted),
        WITH_CORE(a_lease_that_is_not_renewed_goes_to_another_grader_after_a_warning),
        WITH_CORE(a_late_result_counts_while_nobody_else_has_the_submission),
        WITH_CORE(heartbeats_keep_a_lease_far_beyond_its_length),
        WITH_CORE(a_report_is_taken_from_the_holder_alone),
        cmocka_unit_test(renewing_ends_at_the_hard_limit),
        WITH_CORE(a_submission_that_nobody_grades_in_its_time_is_given_up),
        WITH_CORE(a_failed_submission_is_tried_again_later_and_is_dead_after_its_attempts),
        WITH_CORE(an_ungradable_submission_is_final_at_once),
        WITH_CORE(a_released_submission_goes_back_at_once_and_uncounted),
        WITH_CORE(a_rejected_grant_goes_to_another_and_the_rejecter_gets_nothing_before_new_credit),
        WITH_CORE(a_superseded_submission_is_taken_from_its_grader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
