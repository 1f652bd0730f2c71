/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * Users of the store as administrators change them, and how everything stands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "service/access.h"
#include "service/administering.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/queue_fixture.h"

enum { ROUNDS_MAX = 500 };

static const char two_queues[] = "queues: {demo: {lease_ms: 60000, attempts_max: 2}, other: {lease_ms: 60000}}\n";

static int set_up(void **state)
{
    faulty_vfs_install();
    *state = queue_fixture_create(two_queues);
    return 0;
}

static int tear_down(void **state)
{
    queue_fixture_check(*state);
    queue_fixture_destroy(*state);
    faulty_vfs_remove();
    return 0;
}

/* ---- users ---- */

static struct store_user make_user(const char *name)
{
    struct store_user user = {.password_hash = "hash", .rights.everywhere = CONFIG_ROLE_SUBMIT, .created_at_ms = 5};
    snprintf(user.name, sizeof user.name, "%s", name);
    return user;
}

static enum status creates(struct queue_fixture *queue, const char *name)
{
    struct store_user user = make_user(name);
    turn_begins(queue);
    enum status status = administering_create_user(queue->queues, &user, &queue->error);
    turn_ends(queue);
    return status;
}

static void insert_session(struct queue_fixture *queue, const char *user, int number)
{
    struct store_session session = {.expires_at_ms = INT64_MAX};
    memset(session.token_digest, number, sizeof session.token_digest);
    snprintf(session.user, sizeof session.user, "%s", user);
    turn_begins(queue);
    assert_int_equal(store_insert_session(queue->store, &session), STATUS_OK);
    turn_ends(queue);
}

struct seen {
    int count;
    uint8_t credential; /* the last one's first byte */
};

static void see(void *context, const struct store_session *session)
{
    struct seen *seen = context;
    seen->count++;
    seen->credential = session->credential_digest[0];
}

static struct seen sessions_of(struct queue_fixture *queue)
{
    struct seen seen = {0};
    turn_begins(queue);
    assert_int_equal(store_visit_sessions(queue->store, see, &seen), STATUS_OK);
    turn_ends(queue);
    return seen;
}

static enum status changes(struct queue_fixture *queue, const struct user_change *change, struct store_user *out_user)
{
    turn_begins(queue);
    enum status status = administering_update_user(queue->queues, change, out_user, &queue->error);
    turn_ends(queue);
    return status;
}

static void a_change_says_what_the_user_is_now(void **state)
{
    struct queue_fixture *queue = *state;
    struct store_user user;
    assert_int_equal(creates(queue, "nina"), STATUS_OK);

    assert_int_equal(changes(queue, &(struct user_change){.name = "nina", .password_hash = ""}, &user), STATUS_OK);
    assert_int_equal(user.rights.everywhere, CONFIG_ROLE_SUBMIT);
    assert_string_equal(user.password_hash, "hash");
    assert_int_equal(changes(queue,
                             &(struct user_change){.name = "nina",
                                                   .password_hash = "new",
                                                   .rights = &(struct rights){.everywhere = CONFIG_ROLE_GRADE}},
                             &user),
                     STATUS_OK);

    assert_int_equal(user.rights.everywhere, CONFIG_ROLE_GRADE);
    assert_string_equal(user.password_hash, "new");
    assert_int_equal(user.created_at_ms, 5);
    assert_int_equal(changes(queue, &(struct user_change){.name = "nobody", .password_hash = ""}, &user), STATUS_NOT_FOUND);
    assert_string_equal(queue->error.reason, "USER_NOT_FOUND");
}

static void sessions_go_with_the_password_unless_they_are_kept(void **state)
{
    struct queue_fixture *queue = *state;
    struct store_user user;
    struct user_change change = {.name = "nina", .password_hash = "hash", .credential = {9}};
    assert_int_equal(creates(queue, "nina"), STATUS_OK);
    insert_session(queue, "nina", 1);
    insert_session(queue, "other", 2);

    assert_int_equal(changes(queue, &change, &user), STATUS_OK); /* the hash that it has */
    assert_int_equal(sessions_of(queue).count, 2);
    change.password_hash = "new";
    change.keep_sessions = true;
    assert_int_equal(changes(queue, &change, &user), STATUS_OK);
    assert_int_equal(sessions_of(queue).count, 2);
    change.password_hash = "newer";
    change.keep_sessions = false;
    assert_int_equal(changes(queue, &change, &user), STATUS_OK);

    assert_int_equal(sessions_of(queue).count, 1);
    assert_int_equal(sessions_of(queue).credential, 0); /* the other's was never touched */
}

static void there_is_a_bound_to_users(void **state)
{
    struct queue_fixture *queue = *state;
    turn_begins(queue);
    for (int i = 0; i < ACCESS_STORED_USERS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "user %d", i);
        struct store_user user = make_user(name);
        assert_int_equal(store_insert_user(queue->store, &user), STATUS_OK);
    }
    turn_ends(queue);

    assert_int_equal(creates(queue, "one more"), STATUS_FULL);

    assert_string_equal(queue->error.reason, "USERS_FULL");
    assert_int_equal(queue->queues->failure, STATUS_OK);
}

/* Deletes the user with its session on a disk that is full at the n-th write. */
static void a_full_disk_at_any_write_keeps_the_user(void **state)
{
    struct queue_fixture *queue = *state;
    struct store_user user;
    assert_int_equal(creates(queue, "nina"), STATUS_OK);
    insert_session(queue, "nina", 1);

    for (int nth = 1; nth < ROUNDS_MAX; nth++) {
        turn_begins(queue);
        faulty_vfs_fail(FAULTY_WRITE_FULL, nth);
        enum status status = administering_delete_user(queue->queues, "nina", &queue->error);
        status = status == STATUS_OK ? store_commit(queue->store) : status;
        faulty_vfs_heal();
        turn_fails(queue);
        int sessions = sessions_of(queue).count;
        turn_begins(queue);
        enum status found = store_find_user(queue->store, "nina", &user);
        turn_ends(queue);
        assert_int_equal(found, status == STATUS_OK ? STATUS_NOT_FOUND : STATUS_OK);
        assert_int_equal(sessions, status == STATUS_OK ? 0 : 1);
        if (status == STATUS_OK) {
            assert_true(nth > 1);
            return;
        }
    }
    fail_msg("the user was never deleted");
}

/* ---- figures ---- */

static struct figures figures_of(struct queue_fixture *queue, const char *name)
{
    struct figures figures;
    turn_begins(queue);
    assert_int_equal(administering_read_figures(queue->queues, name, &figures, &queue->error), STATUS_OK);
    turn_ends(queue);
    return figures;
}

static int64_t total_of(struct queue_fixture *queue, enum queue_event event)
{
    return queues_find(queue->queues, "demo")->totals[event];
}

static void figures_tell_states_and_the_age_of_the_oldest(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader grader;
    struct submit_order urgent = submission_of("demo", "x");
    struct submit_receipt receipt;
    urgent.priority = 1;
    lms_submits(queue, "demo", "x");
    assert_int_equal(poller_leases(queue, "g", 0).id, 1);
    lms_submits(queue, "demo", "x");
    clock_advances(queue, 5000);
    assert_int_equal(lms_tries(queue, &urgent, &receipt), STATUS_OK);
    clock_advances(queue, 1000);
    grader_connects(queue, &grader, "s", "1", 1);

    struct figures figures = figures_of(queue, "");

    assert_int_equal(figures.queue_count, 2);
    assert_int_equal(figures.grader_count, 1);
    assert_string_equal(figures.queues[0].name, "demo");
    assert_int_equal(figures.queues[0].counts.ready, 2);
    assert_int_equal(figures.queues[0].counts.leased, 1);
    assert_int_equal(figures.queues[0].oldest_ready_ms, 6000);
    assert_string_equal(figures.queues[1].name, "other");
    assert_int_equal(figures.queues[1].counts.ready, 0);
    assert_int_equal(figures.queues[1].oldest_ready_ms, 0);
    figures_finish(&figures);
    figures = figures_of(queue, "other");
    assert_int_equal(figures.queue_count, 1);
    figures_finish(&figures);
}

static void figures_tell_deliveries(void **state)
{
    struct queue_fixture *queue = *state;
    struct delivery_failure failure = {.message = "gone", .permanent = true};
    for (int i = 0; i < 3; i++) {
        lms_submits(queue, "demo", "x");
        assert_int_equal(grader_gives_up(queue, poller_leases(queue, "g", 0), "nonsense"), STATUS_OK);
    }
    struct store_delivery delivery = courier_leases(queue, "1");
    assert_int_equal(courier_fails(queue, &delivery, &failure), STATUS_OK);
    courier_leases(queue, "1");

    struct figures figures = figures_of(queue, "");

    assert_int_equal(figures.deliveries.pending, 1);
    assert_int_equal(figures.deliveries.in_flight, 1);
    assert_int_equal(figures.deliveries.undeliverable, 1);
    figures_finish(&figures);
}

static void totals_count_what_was_committed(void **state)
{
    struct queue_fixture *queue = *state;
    lms_submits(queue, "demo", "x");
    lms_submits(queue, "demo", "x");
    turn_begins(queue);
    lms_submits(queue, "demo", "x");
    turn_fails(queue);
    struct lease lease = poller_leases(queue, "g", 0);
    clock_advances(queue, 700);
    assert_int_equal(grader_completes(queue, lease, "right"), STATUS_OK);
    assert_int_equal(grader_amends(queue, lease, "better", &(struct grading_completion){0}), STATUS_OK);
    assert_int_equal(grader_fails(queue, poller_leases(queue, "g", 0), NULL), STATUS_OK);
    clock_advances(queue, 10000);
    poller_leases(queue, "g", 0);
    clock_advances(queue, 60000);

    assert_int_equal(total_of(queue, QUEUE_SUBMITTED), 2);
    assert_int_equal(total_of(queue, QUEUE_GRADED), 1);
    assert_int_equal(total_of(queue, QUEUE_FAILED), 1);
    assert_int_equal(total_of(queue, QUEUE_EXPIRED), 1);
    assert_int_equal(queue_median_ms(queues_find(queue->queues, "demo")), 700);
    assert_int_equal(queue_median_ms(queues_find(queue->queues, "other")), 0);
}

static void the_median_is_of_the_last_ones(void **state)
{
    struct queue_fixture *queue = *state;
    const struct queue *demo = queues_find(queue->queues, "demo");
    queues_note_grading(queue->queues, demo->id, 30);
    queues_note_grading(queue->queues, demo->id, 10);
    queues_note_grading(queue->queues, demo->id, 20);
    assert_int_equal(queue_median_ms(demo), 20);

    for (int i = 0; i < RECENT_MAX; i++)
        queues_note_grading(queue->queues, demo->id, 1000);

    assert_int_equal(queue_median_ms(demo), 1000);
}

static void a_queue_that_is_not_configured_any_more_shows_while_it_holds_something(void **state)
{
    static const char yaml[] = "queues: {other: {}}\n";
    struct queue_fixture *queue = *state;
    struct config *old = queue->config;
    struct figures figures;
    lms_submits(queue, "demo", "x");
    assert_int_equal(poller_leases(queue, "g", 0).id, 1);
    assert_int_equal(config_parse("test.yml", "/tmp", yaml, sizeof yaml - 1, &queue->config, &queue->error), STATUS_OK);
    queue_fixture_restart(queue);
    config_destroy(old);

    figures = figures_of(queue, "");
    assert_int_equal(figures.queue_count, 2);
    assert_string_equal(figures.queues[1].name, "demo");
    assert_null(figures.queues[1].queue);
    assert_int_equal(figures.queues[1].counts.leased, 1);
    figures_finish(&figures);
    turn_begins(queue);
    assert_int_equal(store_delete_submission(queue->store, 1), STATUS_OK);
    turn_ends(queue);
    figures = figures_of(queue, "");
    assert_int_equal(figures.queue_count, 1);
    figures_finish(&figures);
    figures = figures_of(queue, "demo");
    assert_int_equal(figures.queue_count, 1);
    figures_finish(&figures);
    turn_begins(queue);
    assert_int_equal(administering_read_figures(queue->queues, "nowhere", &figures, &queue->error), STATUS_NOT_FOUND);
    turn_ends(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(a_change_says_what_the_user_is_now),
        TEST(sessions_go_with_the_password_unless_they_are_kept),
        TEST(there_is_a_bound_to_users),
        TEST(a_full_disk_at_any_write_keeps_the_user),
        TEST(figures_tell_states_and_the_age_of_the_oldest),
        TEST(figures_tell_deliveries),
        TEST(totals_count_what_was_committed),
        TEST(the_median_is_of_the_last_ones),
        TEST(a_queue_that_is_not_configured_any_more_shows_while_it_holds_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
