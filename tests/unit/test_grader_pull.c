/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_xqueued */
/*
 * A grader without a handler: the program takes submissions itself, and waits for a descriptor.
 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/grader_rig.h"

#define AWAIT(kind_) scripted_xqueued_await(rig->core, XQUEUE__V1__GRADER_MESSAGE__KIND_##kind_)
#define COUNT(kind_) scripted_xqueued_count(rig->core, XQUEUE__V1__GRADER_MESSAGE__KIND_##kind_)
#define ACK(id_, item_, outcome_)                                                  \
    scripted_xqueued_ack(rig->core, (id_), XQUEUE__V1__ACK_ITEM__ACK_ITEM_##item_, \
                         XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_##outcome_)
#define LOSE(id_, reason_) scripted_xqueued_lose(rig->core, (id_), XQUEUE__V1__LOST_REASON__LOST_REASON_##reason_)

enum { FOR_EVER = -1, PATIENCE_MS = SCRIPTED_XQUEUED_PATIENCE_MS, SLOTS = 3, THREADS = 4, EACH = 25 };

static int set_up(void **state)
{
    static struct grader_rig rig;
    grader_rig_init(&rig, NULL);
    rig.options.handler = NULL;
    rig.options.on_lost = NULL;
    rig.options.slots = SLOTS;
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    grader_rig_finish(*state);
    return 0;
}

static struct grader_rig *started(void **state)
{
    struct grader_rig *rig = *state;
    grader_rig_create(rig);
    assert_int_equal(xqueue_grader_start(rig->grader, &rig->error), XQUEUE_STATUS_OK);
    return rig;
}

static struct grader_rig *connected(void **state)
{
    struct grader_rig *rig = started(state);
    assert_non_null(AWAIT(HELLO));
    scripted_xqueued_welcome(rig->core, NULL);
    const Xqueue__V1__GraderMessage *message = AWAIT(CREDIT);
    assert_non_null(message);
    assert_int_equal(message->credit->submissions, rig->options.slots);
    return rig;
}

static bool is_readable(const struct grader_rig *rig, int timeout_ms)
{
    struct pollfd wait = {.fd = xqueue_grader_descriptor(rig->grader), .events = POLLIN};
    return poll(&wait, 1, timeout_ms) == 1 && wait.revents == POLLIN;
}

static struct xqueue_submission *take(struct grader_rig *rig)
{
    struct xqueue_submission *submission = NULL;
    assert_int_equal(xqueue_grader_next(rig->grader, PATIENCE_MS, &submission, &rig->error), XQUEUE_STATUS_OK);
    assert_non_null(submission);
    return submission;
}

static struct xqueue_submission *is_given(struct grader_rig *rig, uint64_t id)
{
    scripted_xqueued_grant(rig->core, id, "body");
    struct xqueue_submission *submission = take(rig);
    assert_int_equal(xqueue_submission_id(submission), id);
    return submission;
}

static enum xqueue_status hears(struct grader_rig *rig, int64_t timeout_ms, struct xqueue_submission **out_submission)
{
    *out_submission = (struct xqueue_submission *)(void *)rig; // to be written
    return xqueue_grader_next(rig->grader, timeout_ms, out_submission, &rig->error);
}

static void nothing_is_there(struct grader_rig *rig)
{
    struct xqueue_submission *submission;
    assert_false(is_readable(rig, 0));
    assert_int_equal(hears(rig, 0, &submission), XQUEUE_STATUS_TIMEOUT);
    assert_null(submission);
}

/* Everything is over, in this way, however often one asks. */
static void it_ends(struct grader_rig *rig, enum xqueue_status how)
{
    struct xqueue_submission *submission;
    assert_true(is_readable(rig, PATIENCE_MS));
    for (int i = 0; i < 2; i++) {
        memset(&rig->error, 0, sizeof(rig->error));
        assert_int_equal(hears(rig, i == 0 ? 0 : FOR_EVER, &submission), how);
        assert_null(submission);
        assert_int_equal(rig->error.status, how); // XQUEUE_STATUS_OK leaves it empty
        assert_int_equal(rig->error.fatal, how != XQUEUE_STATUS_OK);
    }
    assert_true(is_readable(rig, 0));
}

static void completes(struct xqueue_submission *submission)
{
    assert_int_equal(xqueue_submission_complete(submission, "graded", 6), XQUEUE_STATUS_OK);
    xqueue_submission_close(submission);
}

static void core_hears_result(struct grader_rig *rig, uint64_t id)
{
    const Xqueue__V1__GraderMessage *message = AWAIT(COMPLETE);
    assert_non_null(message);
    assert_int_equal(message->complete->lease->submission_id, id);
    ACK(id, COMPLETE, OK);
}

/* ---- taking ---- */

static void a_submission_is_taken_answered_and_closed(void **state)
{
    struct grader_rig *rig = connected(state);
    nothing_is_there(rig);

    scripted_xqueued_grant(rig->core, 7, "body");
    assert_true(is_readable(rig, PATIENCE_MS));
    assert_true(is_readable(rig, 0));
    struct xqueue_submission *submission = take(rig);
    size_t length;
    assert_memory_equal(xqueue_submission_body(submission, &length), "body", 4);
    assert_int_equal(length, 4);
    nothing_is_there(rig);
    completes(submission);

    core_hears_result(rig, 7);
    const Xqueue__V1__GraderMessage *message = AWAIT(CREDIT);
    assert_non_null(message);
    assert_int_equal(message->credit->submissions, SLOTS);
}

static void the_wait_ends_with_its_time_or_with_a_submission(void **state)
{
    struct grader_rig *rig = connected(state);
    struct xqueue_submission *submission;

    assert_int_equal(hears(rig, 5, &submission), XQUEUE_STATUS_TIMEOUT);
    assert_null(submission);
    assert_true(rig->error.retriable);
    assert_false(rig->error.fatal);
    scripted_xqueued_grant(rig->core, 7, "body");
    assert_int_equal(hears(rig, FOR_EVER, &submission), XQUEUE_STATUS_OK);

    assert_int_equal(xqueue_submission_id(submission), 7);
    completes(submission);
}

static void the_descriptor_is_close_on_exec_and_does_not_block(void **state)
{
    struct grader_rig *rig = *state;
    grader_rig_create(rig);
    int descriptor = xqueue_grader_descriptor(rig->grader);

    assert_true(fcntl(descriptor, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(descriptor, F_GETFL) & O_NONBLOCK);
    assert_false(is_readable(rig, 0));
}

static void as_many_as_slots_are_held_and_answered_in_any_order(void **state)
{
    struct grader_rig *rig = connected(state);
    struct xqueue_submission *held[SLOTS];
    for (uint64_t id = 1; id <= SLOTS; id++)
        scripted_xqueued_grant(rig->core, id, "body");
    for (size_t i = 0; i < SLOTS; i++)
        held[i] = take(rig);
    nothing_is_there(rig);

    scripted_xqueued_grant(rig->core, 9, "one too many");
    assert_non_null(AWAIT(REJECT));
    nothing_is_there(rig);

    for (size_t i = SLOTS; i-- > 0;) {
        uint64_t id = xqueue_submission_id(held[i]);
        completes(held[i]);
        core_hears_result(rig, id);
    }
}

static void credit_follows_what_is_closed(void **state)
{
    struct grader_rig *rig = *state;
    rig->options.slots = 1;
    rig = connected(state);
    struct xqueue_submission *submission = is_given(rig, 7);
    const size_t credits = COUNT(CREDIT);

    assert_int_equal(xqueue_submission_complete(submission, "graded", 6), XQUEUE_STATUS_OK);
    core_hears_result(rig, 7);
    assert_true(grader_rig_await_log(rig, "answer confirmed"));
    assert_int_equal(COUNT(CREDIT), credits);
    xqueue_submission_close(submission);

    const Xqueue__V1__GraderMessage *message = AWAIT(CREDIT);
    assert_non_null(message);
    assert_int_equal(message->credit->submissions, 1);
}

static void closing_without_an_answer_counts_as_a_failed_try(void **state)
{
    struct grader_rig *rig = connected(state);

    xqueue_submission_close(is_given(rig, 7));
    xqueue_submission_close(NULL);

    const Xqueue__V1__GraderMessage *message = AWAIT(FAIL);
    assert_non_null(message);
    assert_int_equal(message->fail->kind, XQUEUE__V1__FAIL_KIND__FAIL_KIND_TRANSIENT);
}

static void leases_are_renewed_whether_taken_or_not(void **state)
{
    struct grader_rig *rig = started(state);
    assert_non_null(AWAIT(HELLO));
    scripted_xqueued_welcome_with(rig->core, 0, 30);
    scripted_xqueued_grant(rig->core, 1, "body");
    struct xqueue_submission *submission = take(rig);
    scripted_xqueued_grant(rig->core, 2, "body");
    assert_true(is_readable(rig, PATIENCE_MS));

    const Xqueue__V1__GraderMessage *message;
    do {
        message = AWAIT(HEARTBEAT);
        assert_non_null(message);
    } while (message->heartbeat->n_leases < 2);

    assert_int_equal(message->heartbeat->leases[0]->lease->submission_id, 1);
    assert_int_equal(message->heartbeat->leases[1]->lease->submission_id, 2);
    xqueue_submission_close(submission);
}

struct worker {
    pthread_t thread;
    struct xqueue_grader *grader;
    int graded;
    enum xqueue_status end;
};

static void *work(void *context)
{
    struct worker *worker = context;
    struct xqueue_submission *submission;
    do {
        worker->end = xqueue_grader_next(worker->grader, FOR_EVER, &submission, NULL);
        if (submission && xqueue_submission_complete(submission, "x", 1) == XQUEUE_STATUS_OK)
            worker->graded++;
        xqueue_submission_close(submission);
    } while (submission);
    return NULL;
}

static void threads_that_wait_at_once_get_one_each_and_all_hear_the_end(void **state)
{
    struct grader_rig *rig = *state;
    rig->options.slots = THREADS;
    rig = connected(state);
    struct worker workers[THREADS] = {0};
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].grader = rig->grader;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }

    for (uint64_t id = 1; id <= EACH; id++) {
        scripted_xqueued_grant(rig->core, id, "body");
        core_hears_result(rig, id);
    }
    xqueue_grader_stop(rig->grader);

    int graded = 0;
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].end, XQUEUE_STATUS_OK);
        graded += workers[i].graded;
    }
    assert_int_equal(graded, EACH);
}

static void two_graders_of_one_program_do_not_disturb_each_other(void **state)
{
    struct grader_rig *rig = connected(state);
    static struct grader_rig other;
    grader_rig_init(&other, NULL);
    other.options.handler = NULL;
    void *other_state = &other;
    (void)connected(&other_state);

    struct xqueue_submission *ours = is_given(rig, 7);
    nothing_is_there(&other);
    struct xqueue_submission *theirs = is_given(&other, 7);
    completes(theirs);
    core_hears_result(&other, 7);
    xqueue_grader_stop(other.grader);
    it_ends(&other, XQUEUE_STATUS_OK);
    grader_rig_finish(&other);

    nothing_is_there(rig);
    completes(ours);
    core_hears_result(rig, 7);
}

/* ---- losing ---- */

static void a_lost_lease_is_told_once_to_who_wants_to_know(void **state)
{
    struct grader_rig *rig = *state;
    struct xqueue_submission *told;
    rig->options.report_lost = true;
    rig = connected(state);
    struct xqueue_submission *first = is_given(rig, 1);
    struct xqueue_submission *second = is_given(rig, 2);

    LOSE(2, SUPERSEDED);
    assert_true(is_readable(rig, PATIENCE_MS));
    assert_int_equal(hears(rig, 0, &told), XQUEUE_STATUS_LOST);

    assert_ptr_equal(told, second);
    assert_int_equal(xqueue_submission_lost_reason(told), XQUEUE_LOST_SUPERSEDED);
    assert_false(rig->error.fatal);
    assert_false(xqueue_submission_is_lost(first));
    nothing_is_there(rig);
    assert_int_equal(xqueue_submission_complete(second, "x", 1), XQUEUE_STATUS_LOST);
    xqueue_submission_close(second);
    completes(first);
    core_hears_result(rig, 1);
}

static void what_is_closed_before_its_loss_was_told_is_not_told(void **state)
{
    struct grader_rig *rig = *state;
    rig->options.report_lost = true;
    rig = connected(state);
    struct xqueue_submission *submission = is_given(rig, 1);

    LOSE(1, CANCELED);
    assert_true(is_readable(rig, PATIENCE_MS));
    xqueue_submission_close(submission);

    nothing_is_there(rig);
    assert_int_equal(COUNT(FAIL), 0);
}

static void without_the_wish_a_lost_lease_wakes_nobody(void **state)
{
    struct grader_rig *rig = connected(state);
    struct xqueue_submission *submission = is_given(rig, 1);

    LOSE(1, CANCELED);
    assert_true(grader_rig_await_log(rig, "submission 1: lease lost"));
    scripted_xqueued_grant(rig->core, 2, "body"); // heard after the loss
    assert_int_equal(xqueue_submission_id(take(rig)), 2);

    assert_true(xqueue_submission_is_lost(submission));
    nothing_is_there(rig);
}

static void what_is_lost_before_it_was_taken_is_never_handed_out(void **state)
{
    struct grader_rig *rig = *state;
    rig->options.report_lost = true;
    rig = connected(state);
    scripted_xqueued_grant(rig->core, 1, "body");
    assert_true(is_readable(rig, PATIENCE_MS));

    LOSE(1, SUPERSEDED);
    scripted_xqueued_grant(rig->core, 2, "body");
    assert_true(grader_rig_await_log(rig, "submission 2: granted")); // the loss has been dealt with
    struct xqueue_submission *submission = take(rig);

    assert_int_equal(xqueue_submission_id(submission), 2);
    nothing_is_there(rig);
    completes(submission);
}

static void what_is_held_outlives_the_connection(void **state)
{
    struct grader_rig *rig = connected(state);
    struct xqueue_submission *answered = is_given(rig, 1);
    struct xqueue_submission *held = is_given(rig, 2);
    completes(answered);
    assert_non_null(AWAIT(COMPLETE));

    scripted_xqueued_end(rig->core, STATUS_UNAVAILABLE, NULL);
    const Xqueue__V1__GraderMessage *message = AWAIT(HELLO);
    assert_non_null(message);
    assert_int_equal(message->hello->n_held, 2);
    nothing_is_there(rig);
    scripted_xqueued_welcome(rig->core, NULL);

    core_hears_result(rig, 1);
    assert_false(xqueue_submission_is_lost(held));
    completes(held);
    core_hears_result(rig, 2);
}

/* ---- the end ---- */

static void a_stop_hands_out_nothing_more_and_ends_when_all_is_confirmed(void **state)
{
    struct grader_rig *rig = connected(state);
    struct xqueue_submission *held = is_given(rig, 1);
    scripted_xqueued_grant(rig->core, 2, "body");
    assert_true(is_readable(rig, PATIENCE_MS));

    xqueue_grader_stop(rig->grader);
    const Xqueue__V1__GraderMessage *message = AWAIT(RELEASE);
    assert_non_null(message);
    assert_int_equal(message->release->lease->submission_id, 2);
    nothing_is_there(rig);
    ACK(2, RELEASE, OK);
    completes(held);
    assert_non_null(AWAIT(COMPLETE));
    nothing_is_there(rig);
    ACK(1, COMPLETE, OK);

    it_ends(rig, XQUEUE_STATUS_OK);
}

static void a_second_stop_hands_back_what_is_held(void **state)
{
    struct grader_rig *rig = *state;
    struct xqueue_submission *told;
    rig->options.report_lost = true;
    rig = connected(state);
    struct xqueue_submission *held = is_given(rig, 1);

    xqueue_grader_stop(rig->grader);
    assert_non_null(AWAIT(DRAIN));
    xqueue_grader_stop(rig->grader);
    assert_non_null(AWAIT(RELEASE));
    ACK(1, RELEASE, OK);

    assert_int_equal(hears(rig, PATIENCE_MS, &told), XQUEUE_STATUS_LOST);
    assert_ptr_equal(told, held);
    assert_int_equal(xqueue_submission_lost_reason(held), XQUEUE_LOST_STOPPED);
    it_ends(rig, XQUEUE_STATUS_CANCELED);
    assert_int_equal(xqueue_submission_id(held), 1); // readable until it is closed
    assert_int_equal(xqueue_submission_complete(held, "x", 1), XQUEUE_STATUS_LOST);
    xqueue_submission_close(held);
}

static void a_drain_that_takes_too_long_is_canceled(void **state)
{
    struct grader_rig *rig = *state;
    rig->options.drain_timeout_ms = 20;
    rig = connected(state);
    struct xqueue_submission *held = is_given(rig, 1);

    xqueue_grader_stop(rig->grader);

    it_ends(rig, XQUEUE_STATUS_CANCELED);
    assert_non_null(AWAIT(RELEASE));
    assert_true(xqueue_submission_is_lost(held));
}

static void a_grader_stopped_before_its_start_ends_at_once(void **state)
{
    struct grader_rig *rig = *state;
    grader_rig_create(rig);
    xqueue_grader_stop(rig->grader);

    assert_int_equal(xqueue_grader_start(rig->grader, &rig->error), XQUEUE_STATUS_OK);

    it_ends(rig, XQUEUE_STATUS_OK);
}

static void a_refusal_before_the_welcome_is_told_as_the_end(void **state)
{
    struct grader_rig *rig = *state;
    scripted_xqueued_require_login(rig->core, "grader", "right");
    rig->options.user = "grader";
    rig->options.password = "wrong";
    rig = started(state);

    it_ends(rig, XQUEUE_STATUS_UNAUTHENTICATED);
    assert_string_equal(rig->error.reason, "WRONG_CREDENTIALS");
}

static void who_is_replaced_loses_what_it_holds(void **state)
{
    struct grader_rig *rig = connected(state);
    struct xqueue_submission *held = is_given(rig, 1);

    scripted_xqueued_end(rig->core, STATUS_WRONG_STATE, "SESSION_REPLACED");

    it_ends(rig, XQUEUE_STATUS_REPLACED);
    assert_true(xqueue_submission_is_lost(held));
    xqueue_submission_close(held);
}

static void a_failed_start_is_told_by_both(void **state)
{
    struct grader_rig *rig = *state;
    rig->options.address = "nowhere";
    grader_rig_create(rig);

    assert_int_equal(xqueue_grader_start(rig->grader, &rig->error), XQUEUE_STATUS_INVALID);

    assert_true(rig->error.fatal);
    it_ends(rig, XQUEUE_STATUS_INVALID);
    assert_non_null(strstr(rig->error.text, "'nowhere' is not an address"));
}

static void destroying_hands_back_what_is_held(void **state)
{
    struct grader_rig *rig = connected(state);
    struct xqueue_submission *answered = is_given(rig, 1);
    (void)is_given(rig, 2);
    scripted_xqueued_grant(rig->core, 3, "body");
    assert_true(is_readable(rig, PATIENCE_MS));
    assert_int_equal(xqueue_submission_complete(answered, "x", 1), XQUEUE_STATUS_OK);

    xqueue_grader_destroy(rig->grader);

    rig->grader = NULL;
    core_hears_result(rig, 1);
    assert_int_equal(COUNT(RELEASE), 2);
    assert_int_equal(COUNT(FAIL), 0);
}

static void grade_nothing(struct xqueue_submission *submission, void *context)
{
    (void)submission;
    (void)context;
}

static void each_mode_has_its_functions(void **state)
{
    struct grader_rig *rig = *state;
    struct xqueue_submission *submission = NULL;
    grader_rig_create(rig);
    assert_int_equal(xqueue_grader_run(rig->grader, &rig->error), XQUEUE_STATUS_WRONG_STATE);
    assert_int_equal(hears(rig, FOR_EVER, &submission), XQUEUE_STATUS_WRONG_STATE);
    assert_null(submission);
    assert_int_equal(xqueue_grader_start(rig->grader, &rig->error), XQUEUE_STATUS_OK);
    assert_int_equal(xqueue_grader_start(rig->grader, &rig->error), XQUEUE_STATUS_WRONG_STATE);
    assert_false(rig->error.fatal);
    xqueue_grader_destroy(rig->grader);

    rig->options.handler = grade_nothing;
    grader_rig_create(rig);
    assert_int_equal(xqueue_grader_start(rig->grader, &rig->error), XQUEUE_STATUS_WRONG_STATE);
    assert_int_equal(hears(rig, FOR_EVER, &submission), XQUEUE_STATUS_WRONG_STATE);
    assert_int_equal(xqueue_grader_descriptor(rig->grader), -1);
    assert_int_equal(xqueue_grader_next(NULL, 0, &submission, &rig->error), XQUEUE_STATUS_INVALID);
    assert_int_equal(xqueue_grader_next(rig->grader, 0, NULL, &rig->error), XQUEUE_STATUS_INVALID);
    assert_int_equal(xqueue_grader_start(NULL, NULL), XQUEUE_STATUS_INVALID);
    assert_int_equal(xqueue_grader_descriptor(NULL), -1);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_submission_is_taken_answered_and_closed),
        CASE(the_wait_ends_with_its_time_or_with_a_submission),
        CASE(the_descriptor_is_close_on_exec_and_does_not_block),
        CASE(as_many_as_slots_are_held_and_answered_in_any_order),
        CASE(credit_follows_what_is_closed),
        CASE(closing_without_an_answer_counts_as_a_failed_try),
        CASE(leases_are_renewed_whether_taken_or_not),
        CASE(threads_that_wait_at_once_get_one_each_and_all_hear_the_end),
        CASE(two_graders_of_one_program_do_not_disturb_each_other),
        CASE(a_lost_lease_is_told_once_to_who_wants_to_know),
        CASE(what_is_closed_before_its_loss_was_told_is_not_told),
        CASE(without_the_wish_a_lost_lease_wakes_nobody),
        CASE(what_is_lost_before_it_was_taken_is_never_handed_out),
        CASE(what_is_held_outlives_the_connection),
        CASE(a_stop_hands_out_nothing_more_and_ends_when_all_is_confirmed),
        CASE(a_second_stop_hands_back_what_is_held),
        CASE(a_drain_that_takes_too_long_is_canceled),
        CASE(a_grader_stopped_before_its_start_ends_at_once),
        CASE(a_refusal_before_the_welcome_is_told_as_the_end),
        CASE(who_is_replaced_loses_what_it_holds),
        CASE(a_failed_start_is_told_by_both),
        CASE(destroying_hands_back_what_is_held),
        CASE(each_mode_has_its_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
