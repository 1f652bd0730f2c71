/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * Queues that come, go, pause and drain while others work in them: memory and store agree, also after a restart and after a
 * rollback.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "service/bulk.h"
#include "service/roster.h"
#include "tests/support/queue_fixture.h"

static const char two_queues[] = "queues: {demo: {lease_ms: 60000, attempts_max: 2}, other: {lease_ms: 60000}}\n";

static char demo[] = "demo";
static char other[] = "other";
static char extra[] = "extra";

static int set_up(void **state)
{
    *state = queue_fixture_create(two_queues);
    return 0;
}

static int tear_down(void **state)
{
    queue_fixture_check(*state);
    queue_fixture_destroy(*state);
    return 0;
}

/* ---- what administrators do, each inside of the running turn ---- */

static enum status creates(struct queue_fixture *fixture, const char *name, int64_t lease_ms)
{
    struct config_queue settings;
    struct queue *queue = NULL;
    config_queue_init(&settings, name);
    settings.lease_ms = lease_ms;
    const struct queue_order order = {.settings = &settings};
    enum status status = roster_create(fixture->queues, &order, &queue, &fixture->error);
    config_queue_finish(&settings);
    return status;
}

static enum status updates(struct queue_fixture *fixture, const char *name, int64_t lease_ms)
{
    struct config_queue settings;
    struct queue *queue = NULL;
    config_queue_init(&settings, name);
    settings.lease_ms = lease_ms;
    enum status status = roster_update(fixture->queues, &settings, &queue, &fixture->error);
    config_queue_finish(&settings);
    return status;
}

static enum status pauses(struct queue_fixture *fixture, const char *name, bool paused)
{
    struct queue *queue = NULL;
    return roster_pause(fixture->queues, name, paused, &queue, &fixture->error);
}

static enum status drains(struct queue_fixture *fixture, const char *name, bool draining)
{
    struct queue *queue = NULL;
    return roster_drain(fixture->queues, name, draining, &queue, &fixture->error);
}

static enum status deletes(struct queue_fixture *fixture, const char *name)
{
    return roster_delete(fixture->queues, name, &fixture->error);
}

/* One of them as a turn of its own. */
#define IN_A_TURN(fixture_, what_, expected_)   \
    do {                                        \
        turn_begins(fixture_);                  \
        assert_int_equal((what_), (expected_)); \
        turn_ends(fixture_);                    \
    } while (0)

static void connects_for(struct queue_fixture *fixture, struct scripted_grader *grader, const char *name, char *const *queues,
                         size_t count)
{
    const struct work_hello hello = {.grader = name, .instance = "1", .queues = queues, .queue_count = count, .slots = 5};
    assert_int_equal(grader_tries_hello(fixture, grader, &hello, NULL), STATUS_OK);
}

static enum status tries(struct queue_fixture *fixture, const char *queue)
{
    struct submit_receipt receipt = {0};
    const struct submit_order order = submission_of(queue, "x");
    enum status status = lms_tries(fixture, &order, &receipt);
    memory_free(receipt.superseded_ids);
    return status;
}

/* ---- pausing ---- */

static void a_paused_queue_takes_and_grants_none_until_it_goes_on(void **state)
{
    struct queue_fixture *fixture = *state;
    struct scripted_grader grader;
    grader_connects(fixture, &grader, "g", "1", 5);
    grader_gives_credit(fixture, &grader, 2);

    IN_A_TURN(fixture, pauses(fixture, "demo", true), STATUS_OK);
    const struct told quiet = grader_hears(&grader, GRADER_NOTICE_QUIET);
    assert_true(quiet.notice.duration_ms > 0);
    assert_string_equal(quiet.notice.error.reason, "QUEUE_PAUSED");
    int64_t id = lms_submits(fixture, "demo", "x");
    grader_hears_nothing(&grader);
    assert_int_equal(poller_leases(fixture, "p", 0).id, 0);

    IN_A_TURN(fixture, pauses(fixture, "demo", false), STATUS_OK);
    assert_int_equal(grader_hears(&grader, GRADER_NOTICE_QUIET).notice.duration_ms, 0);
    const struct lease lease = grader_hears(&grader, GRADER_NOTICE_GRANT).lease;
    assert_int_equal(lease.id, id);
    assert_int_equal(grader_accepts(fixture, lease), STATUS_OK);
}

static void what_is_held_of_a_paused_queue_is_renewed_and_completed(void **state)
{
    struct queue_fixture *fixture = *state;
    struct scripted_grader grader;
    int64_t expires_in_ms = 0;
    grader_connects(fixture, &grader, "g", "1", 5);
    lms_submits(fixture, "demo", "x");
    grader_gives_credit(fixture, &grader, 1);
    const struct lease lease = grader_takes(fixture, &grader);

    IN_A_TURN(fixture, pauses(fixture, "demo", true), STATUS_OK);

    grader_hears(&grader, GRADER_NOTICE_QUIET);
    assert_int_equal(grader_renews(fixture, lease, &expires_in_ms), STATUS_OK);
    assert_int_equal(grader_completes(fixture, lease, "right"), STATUS_OK);
}

static void a_grader_of_several_queues_hears_of_each(void **state)
{
    struct queue_fixture *fixture = *state;
    struct scripted_grader grader;
    char *const queues[] = {demo, other};
    connects_for(fixture, &grader, "g", queues, 2);
    grader_gives_credit(fixture, &grader, 1);

    IN_A_TURN(fixture, pauses(fixture, "demo", true), STATUS_OK);
    assert_string_equal(grader_hears(&grader, GRADER_NOTICE_QUIET).notice.queue, "demo");
    int64_t id = lms_submits(fixture, "other", "x");
    const struct lease lease = grader_takes(fixture, &grader);
    assert_int_equal(lease.id, id);
    IN_A_TURN(fixture, pauses(fixture, "other", true), STATUS_OK);
    assert_string_equal(grader_hears(&grader, GRADER_NOTICE_QUIET).notice.queue, "other");
    IN_A_TURN(fixture, pauses(fixture, "demo", false), STATUS_OK);
    const struct told over = grader_hears(&grader, GRADER_NOTICE_QUIET);
    assert_int_equal(over.notice.duration_ms, 0);
    assert_string_equal(over.notice.queue, "demo");
}

static void pausing_and_draining_survive_a_restart(void **state)
{
    struct queue_fixture *fixture = *state;
    struct scripted_grader grader;
    lms_submits(fixture, "demo", "x");
    IN_A_TURN(fixture, pauses(fixture, "demo", true), STATUS_OK);
    IN_A_TURN(fixture, drains(fixture, "other", true), STATUS_OK);

    queue_fixture_restart(fixture);

    assert_true(queues_find(fixture->queues, "demo")->paused);
    assert_false(queues_find(fixture->queues, "demo")->draining);
    assert_true(queues_find(fixture->queues, "other")->draining);
    grader_connects(fixture, &grader, "g", "1", 5);
    assert_true(grader_hears(&grader, GRADER_NOTICE_QUIET).notice.duration_ms > 0);
    grader_gives_credit(fixture, &grader, 1);
    grader_hears_nothing(&grader);
    assert_int_equal(tries(fixture, "other"), STATUS_WRONG_STATE);
}

static void a_pause_that_was_not_stored_is_none(void **state)
{
    struct queue_fixture *fixture = *state;
    struct scripted_grader grader;
    grader_connects(fixture, &grader, "g", "1", 5);
    grader_gives_credit(fixture, &grader, 2);

    turn_begins(fixture);
    assert_int_equal(pauses(fixture, "demo", true), STATUS_OK);
    queues_tick(fixture->queues);
    turn_fails(fixture);

    assert_false(queues_find(fixture->queues, "demo")->paused);
    grader_hears_nothing(&grader);
    lms_submits(fixture, "demo", "x");
    grader_takes(fixture, &grader);
    IN_A_TURN(fixture, pauses(fixture, "demo", true), STATUS_OK);
    assert_true(grader_hears(&grader, GRADER_NOTICE_QUIET).notice.duration_ms > 0);
}

/* ---- draining ---- */

static void a_draining_queue_grants_what_it_has_and_takes_none(void **state)
{
    struct queue_fixture *fixture = *state;
    struct submit_receipt receipt = {0};
    struct submit_order order = submission_of("demo", "x");
    order.request.request_id = "r-1";
    assert_int_equal(lms_tries(fixture, &order, &receipt), STATUS_OK);
    int64_t id = receipt.submission_id;

    IN_A_TURN(fixture, drains(fixture, "demo", true), STATUS_OK);

    assert_int_equal(tries(fixture, "demo"), STATUS_WRONG_STATE);
    assert_string_equal(fixture->error.reason, "QUEUE_DRAINING");
    assert_int_equal(lms_tries(fixture, &order, &receipt), STATUS_OK); /* asked again, not handed in again */
    assert_true(receipt.already);
    assert_int_equal(receipt.submission_id, id);
    assert_int_equal(poller_leases(fixture, "p", 0).id, id);
    IN_A_TURN(fixture, drains(fixture, "demo", false), STATUS_OK);
    assert_int_equal(tries(fixture, "demo"), STATUS_OK);
}

/* ---- making and changing ---- */

static void a_queue_that_was_made_works_like_any_other(void **state)
{
    struct queue_fixture *fixture = *state;
    struct scripted_grader grader;
    char *const queues[] = {extra};
    IN_A_TURN(fixture, creates(fixture, "extra", 5000), STATUS_OK);
    connects_for(fixture, &grader, "g", queues, 1);
    grader_gives_credit(fixture, &grader, 1);

    int64_t id = lms_submits(fixture, "extra", "x");
    const struct lease lease = grader_takes(fixture, &grader);
    assert_int_equal(lease.id, id);
    grader_vanishes(fixture, &grader);
    queue_fixture_restart(fixture);

    assert_int_equal(queues_find(fixture->queues, "extra")->settings->lease_ms, 5000);
    assert_int_equal(lease_table_count(&fixture->queues->leases), 1);
    assert_int_equal(grader_completes(fixture, lease, "right"), STATUS_OK);
    assert_int_equal(state_of(fixture, id), SUBMISSION_GRADED);
}

static void a_name_that_is_taken_is_refused(void **state)
{
    struct queue_fixture *fixture = *state;
    IN_A_TURN(fixture, creates(fixture, "demo", 5000), STATUS_EXISTS);
    assert_string_equal(fixture->error.reason, "QUEUE_EXISTS");
    turn_begins(fixture);
    assert_int_equal(creates(fixture, "extra", 5000), STATUS_OK);
    assert_int_equal(creates(fixture, "extra", 5000), STATUS_EXISTS); /* also in one batch */
    turn_ends(fixture);
}

static void queues_of_the_configuration_are_changed_there(void **state)
{
    struct queue_fixture *fixture = *state;
    IN_A_TURN(fixture, updates(fixture, "demo", 5000), STATUS_WRONG_STATE);
    assert_string_equal(fixture->error.reason, "QUEUE_CONFIGURED");
    IN_A_TURN(fixture, deletes(fixture, "demo"), STATUS_WRONG_STATE);
    assert_string_equal(fixture->error.reason, "QUEUE_CONFIGURED");
    IN_A_TURN(fixture, updates(fixture, "nowhere", 5000), STATUS_NOT_FOUND);
    IN_A_TURN(fixture, pauses(fixture, "nowhere", true), STATUS_NOT_FOUND);
    IN_A_TURN(fixture, drains(fixture, "nowhere", true), STATUS_NOT_FOUND);
    IN_A_TURN(fixture, deletes(fixture, "nowhere"), STATUS_NOT_FOUND);
}

static void other_settings_hold_from_now_on_and_after_a_restart(void **state)
{
    struct queue_fixture *fixture = *state;
    IN_A_TURN(fixture, creates(fixture, "extra", 5000), STATUS_OK);
    IN_A_TURN(fixture, pauses(fixture, "extra", true), STATUS_OK);

    IN_A_TURN(fixture, updates(fixture, "extra", 7000), STATUS_OK);

    assert_int_equal(queues_find(fixture->queues, "extra")->settings->lease_ms, 7000);
    assert_true(queues_find(fixture->queues, "extra")->paused);
    queue_fixture_restart(fixture);
    assert_int_equal(queues_find(fixture->queues, "extra")->settings->lease_ms, 7000);
    assert_true(queues_find(fixture->queues, "extra")->paused);
}

static void the_configuration_hides_a_queue_of_the_same_name(void **state)
{
    struct queue_fixture *fixture = *state;
    char *name = fixture->config->queues[1].name;
    IN_A_TURN(fixture, creates(fixture, "extra", 5000), STATUS_OK);

    fixture->config->queues[1].name = extra;
    queue_fixture_restart(fixture);
    assert_true(queues_find(fixture->queues, "extra")->is_configured);
    assert_int_equal(queues_find(fixture->queues, "extra")->settings->lease_ms, 60000);
    IN_A_TURN(fixture, updates(fixture, "extra", 7000), STATUS_WRONG_STATE);
    fixture->config->queues[1].name = name;
    queue_fixture_restart(fixture);

    assert_false(queues_find(fixture->queues, "extra")->is_configured);
    assert_int_equal(queues_find(fixture->queues, "extra")->settings->lease_ms, 5000);
}

/* ---- deleting ---- */

static void only_a_queue_without_unfinished_submissions_is_deleted(void **state)
{
    struct queue_fixture *fixture = *state;
    IN_A_TURN(fixture, creates(fixture, "extra", 60000), STATUS_OK);
    int64_t id = lms_submits(fixture, "extra", "x");

    IN_A_TURN(fixture, deletes(fixture, "extra"), STATUS_WRONG_STATE);
    assert_string_equal(fixture->error.reason, "QUEUE_NOT_EMPTY");
    turn_begins(fixture);
    struct grant grant;
    size_t count = 0;
    const struct lease_order order = {.grader = "p", .max = 1};
    assert_int_equal(grading_lease(fixture->queues, queues_find(fixture->queues, "extra"), &order, &grant, &count), STATUS_OK);
    turn_ends(fixture);
    struct lease lease = {.id = grant.submission_id};
    memcpy(lease.key, grant.lease_key, sizeof lease.key);
    grant_finish(&grant);
    IN_A_TURN(fixture, deletes(fixture, "extra"), STATUS_WRONG_STATE);
    assert_int_equal(grader_completes(fixture, lease, "right"), STATUS_OK);
    IN_A_TURN(fixture, deletes(fixture, "extra"), STATUS_OK);

    assert_null(queues_find(fixture->queues, "extra"));
    assert_int_equal(tries(fixture, "extra"), STATUS_NOT_FOUND);
    assert_int_equal(state_of(fixture, id), SUBMISSION_GRADED);
    queue_fixture_restart(fixture);
    assert_null(queues_find(fixture->queues, "extra"));
    IN_A_TURN(fixture, creates(fixture, "extra", 60000), STATUS_OK);
    assert_int_equal(submission_now(fixture, id).queue_id, queues_find(fixture->queues, "extra")->id);
}

static void graders_go_on_with_the_queues_that_are_left(void **state)
{
    struct queue_fixture *fixture = *state;
    struct scripted_grader grader;
    struct scripted_grader lonely;
    char *const both[] = {extra, demo};
    char *const one[] = {extra};
    IN_A_TURN(fixture, creates(fixture, "extra", 60000), STATUS_OK);
    connects_for(fixture, &grader, "g", both, 2);
    connects_for(fixture, &lonely, "l", one, 1);
    grader_gives_credit(fixture, &grader, 2);
    grader_gives_credit(fixture, &lonely, 2);

    IN_A_TURN(fixture, deletes(fixture, "extra"), STATUS_OK);

    const struct told end = grader_hears(&lonely, GRADER_NOTICE_FINISH);
    assert_int_equal(end.notice.status, STATUS_NOT_FOUND);
    assert_string_equal(end.notice.error.reason, "QUEUE_NOT_FOUND");
    grader_hears_nothing(&grader);
    int64_t id = lms_submits(fixture, "demo", "x");
    const struct lease lease = grader_takes(fixture, &grader);
    assert_int_equal(lease.id, id);
}

/* ---- rollbacks ---- */

static void what_was_not_stored_of_the_queues_never_was(void **state)
{
    struct queue_fixture *fixture = *state;
    struct scripted_grader grader;
    char *const queues[] = {extra};
    IN_A_TURN(fixture, creates(fixture, "extra", 5000), STATUS_OK);

    turn_begins(fixture);
    assert_int_equal(updates(fixture, "extra", 7000), STATUS_OK);
    assert_int_equal(creates(fixture, "more", 5000), STATUS_OK);
    assert_int_equal(tries(fixture, "more"), STATUS_OK);
    turn_fails(fixture);
    assert_int_equal(queues_find(fixture->queues, "extra")->settings->lease_ms, 5000);
    assert_null(queues_find(fixture->queues, "more"));
    queue_fixture_check(fixture);

    turn_begins(fixture);
    assert_int_equal(deletes(fixture, "extra"), STATUS_OK);
    assert_null(queues_find(fixture->queues, "extra"));
    turn_fails(fixture);
    assert_non_null(queues_find(fixture->queues, "extra"));
    assert_int_equal(queues_find(fixture->queues, "extra")->settings->lease_ms, 5000);
    connects_for(fixture, &grader, "g", queues, 1);
    grader_gives_credit(fixture, &grader, 1);
    lms_submits(fixture, "extra", "x");
    grader_takes(fixture, &grader);
}

static void a_session_for_a_queue_that_was_not_stored_ends(void **state)
{
    struct queue_fixture *fixture = *state;
    struct scripted_grader grader;
    char *const queues[] = {extra};
    turn_begins(fixture);
    assert_int_equal(creates(fixture, "extra", 5000), STATUS_OK);
    connects_for(fixture, &grader, "g", queues, 1);
    turn_fails(fixture);

    clock_advances(fixture, 1);

    assert_int_equal(grader_hears(&grader, GRADER_NOTICE_FINISH).notice.status, STATUS_NOT_FOUND);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_paused_queue_takes_and_grants_none_until_it_goes_on),
        TEST(what_is_held_of_a_paused_queue_is_renewed_and_completed),
        TEST(a_grader_of_several_queues_hears_of_each),
        TEST(pausing_and_draining_survive_a_restart),
        TEST(a_pause_that_was_not_stored_is_none),
        TEST(a_draining_queue_grants_what_it_has_and_takes_none),
        TEST(a_queue_that_was_made_works_like_any_other),
        TEST(a_name_that_is_taken_is_refused),
        TEST(queues_of_the_configuration_are_changed_there),
        TEST(other_settings_hold_from_now_on_and_after_a_restart),
        TEST(the_configuration_hides_a_queue_of_the_same_name),
        TEST(only_a_queue_without_unfinished_submissions_is_deleted),
        TEST(graders_go_on_with_the_queues_that_are_left),
        TEST(what_was_not_stored_of_the_queues_never_was),
        TEST(a_session_for_a_queue_that_was_not_stored_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
