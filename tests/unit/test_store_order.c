/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_store_test_support */
/*
 * What the store keeps for the ready order: sets of labels, and what fairness keys have used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/store_fixture.h"

enum { MANY = 500, SETS = 3 };

static int64_t insert(struct store_fixture *fixture, int64_t label_set_id, int64_t virtual_ms, enum submission_state state)
{
    struct store_submission row = store_fixture_row(fixture);
    row.label_set_id = label_set_id;
    row.virtual_ms = virtual_ms;
    row.state = state;
    return store_fixture_insert(fixture, &row);
}

static int64_t next_of(struct store_fixture *fixture, int64_t label_set_id)
{
    struct store_submission row = {0};
    enum status status = store_next_ready(fixture->store, fixture->queue_id, label_set_id, &row);
    return status == STATUS_OK ? row.id : 0;
}

static void each_set_of_labels_has_its_own_ready_order(void **state)
{
    struct store_fixture *fixture = *state;
    store_fixture_begin(fixture);
    int64_t plain = insert(fixture, 0, 30, SUBMISSION_READY);
    insert(fixture, 7, 20, SUBMISSION_READY);
    int64_t first = insert(fixture, 7, 10, SUBMISSION_READY);
    insert(fixture, -4, 5, SUBMISSION_DELAYED);

    assert_int_equal(next_of(fixture, 0), plain);
    assert_int_equal(next_of(fixture, 7), first);
    assert_int_equal(next_of(fixture, -4), 0);
    assert_int_equal(next_of(fixture, 8), 0);

    struct store_submission row;
    assert_int_equal(store_find_submission(fixture->store, first, &row), STATUS_OK);
    assert_int_equal(row.label_set_id, 7);
    store_fixture_commit(fixture);
}

static void the_first_of_a_rank_is_that_of_one_set(void **state)
{
    struct store_fixture *fixture = *state;
    int64_t at_ms = 0;
    store_fixture_begin(fixture);
    struct store_submission row = store_fixture_row(fixture);
    row.label_set_id = 7;
    row.submitted_at_ms = 77;
    store_fixture_insert(fixture, &row);

    assert_int_equal(store_first_of_rank(fixture->store, fixture->queue_id, 7, row.rank, &at_ms), STATUS_OK);
    assert_int_equal(at_ms, 77);
    assert_int_equal(store_first_of_rank(fixture->store, fixture->queue_id, 0, row.rank, &at_ms), STATUS_NOT_FOUND);
    assert_int_equal(store_first_of_rank(fixture->store, fixture->queue_id, 7, row.rank + 1, &at_ms), STATUS_NOT_FOUND);
    store_fixture_commit(fixture);
}

struct visited {
    struct store_label_set sets[SETS];
    size_t count;
};

static void on_set(void *context, const struct store_label_set *set)
{
    struct visited *visited = context;
    assert_true(visited->count < SETS);
    visited->sets[visited->count++] = *set;
}

static void sets_of_live_submissions_are_counted(void **state)
{
    struct store_fixture *fixture = *state;
    struct visited visited = {0};
    int64_t other_id = 0;
    store_fixture_begin(fixture);
    assert_int_equal(store_queue_id(fixture->store, "other", &other_id), STATUS_OK);
    insert(fixture, 0, 1, SUBMISSION_READY);
    int64_t leased = insert(fixture, 7, 1, SUBMISSION_READY);
    insert(fixture, 7, 2, SUBMISSION_READY);
    insert(fixture, 7, 3, SUBMISSION_DELAYED);
    int64_t delayed = insert(fixture, -4, 3, SUBMISSION_DELAYED);
    int64_t over = insert(fixture, 9, 1, SUBMISSION_READY);
    struct store_submission row;
    assert_int_equal(store_find_submission(fixture->store, leased, &row), STATUS_OK);
    store_fixture_lease(fixture, &row);
    assert_int_equal(store_find_submission(fixture->store, over, &row), STATUS_OK);
    assert_int_equal(store_move_submission(fixture->store, &row, SUBMISSION_CANCELED), STATUS_OK);

    assert_int_equal(store_visit_label_sets(fixture->store, fixture->queue_id, on_set, &visited), STATUS_OK);

    assert_int_equal(visited.count, 2);
    assert_int_equal(visited.sets[0].id, -4);
    assert_int_equal(visited.sets[0].submission_id, delayed);
    assert_int_equal(visited.sets[0].ready, 0);
    assert_int_equal(visited.sets[0].live, 1);
    assert_int_equal(visited.sets[1].id, 7);
    assert_int_equal(visited.sets[1].ready, 1);
    assert_int_equal(visited.sets[1].live, 3);
    assert_int_equal(store_visit_label_sets(fixture->store, other_id, on_set, &visited), STATUS_OK);
    assert_int_equal(visited.count, 2);
    store_fixture_commit(fixture);
}

static void labels_are_read_without_the_rest(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission row = store_fixture_row(fixture);
    static char nothing[] = "";
    static char name[] = "gpu";
    static char value[] = "1";
    struct label items[] = {{name, value}, {nothing, nothing}};
    const struct store_request request = {.submitter = "lms", .request_id = "", .fairness_key = "", .cost = 1};
    struct store_content content = {
        .callback_url = nothing, .results_channel = nothing, .trace_parent = nothing, .trace_state = nothing};
    content.labels = (struct labels){items, 2};
    struct labels read;
    store_fixture_begin(fixture);
    assert_int_equal(store_insert_submission(fixture->store, &row, &content, &request), STATUS_OK);
    int64_t plain = insert(fixture, 0, 1, SUBMISSION_READY);

    assert_int_equal(store_read_labels(fixture->store, row.id, &read), STATUS_OK);
    assert_true(labels_are_equal(&read, &content.labels));
    labels_finish(&read);
    assert_int_equal(store_read_labels(fixture->store, plain, &read), STATUS_OK);
    assert_int_equal(read.count, 0);
    labels_finish(&read);
    store_fixture_commit(fixture);
}

static void what_a_key_has_used_is_kept_for_each_queue(void **state)
{
    struct store_fixture *fixture = *state;
    int64_t other_id = 0;
    int64_t free_at_ms = 0;
    store_fixture_begin(fixture);
    assert_int_equal(store_queue_id(fixture->store, "other", &other_id), STATUS_OK);
    assert_int_equal(store_save_fairness(fixture->store, fixture->queue_id, "ann", 500, 100), STATUS_OK);
    assert_int_equal(store_save_fairness(fixture->store, fixture->queue_id, "ann", 600, 100), STATUS_OK);
    assert_int_equal(store_save_fairness(fixture->store, fixture->queue_id, "ben", 700, 100), STATUS_OK);
    store_fixture_commit(fixture);
    store_fixture_reopen(fixture);

    store_fixture_begin(fixture);
    assert_int_equal(store_find_fairness(fixture->store, fixture->queue_id, "ann", &free_at_ms), STATUS_OK);
    assert_int_equal(free_at_ms, 600);
    assert_int_equal(store_find_fairness(fixture->store, fixture->queue_id, "cid", &free_at_ms), STATUS_NOT_FOUND);
    assert_int_equal(store_find_fairness(fixture->store, other_id, "ann", &free_at_ms), STATUS_NOT_FOUND);
    store_fixture_commit(fixture);
}

/* However many keys come, each for a short time. */
static void keys_that_are_over_do_not_stay(void **state)
{
    struct store_fixture *fixture = *state;
    int64_t free_at_ms = 0;
    int left = 0;
    char key[16];
    store_fixture_begin(fixture);
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_int_equal(store_save_fairness(fixture->store, fixture->queue_id, key, i + 10, i), STATUS_OK);
    }

    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "%d", i);
        left += store_find_fairness(fixture->store, fixture->queue_id, key, &free_at_ms) == STATUS_OK;
    }
    assert_int_equal(left, 10);
    store_fixture_commit(fixture);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(each_set_of_labels_has_its_own_ready_order), STORE_TEST(the_first_of_a_rank_is_that_of_one_set),
        STORE_TEST(sets_of_live_submissions_are_counted),       STORE_TEST(labels_are_read_without_the_rest),
        STORE_TEST(what_a_key_has_used_is_kept_for_each_queue), STORE_TEST(keys_that_are_over_do_not_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
