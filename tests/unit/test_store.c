/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_store_test_support */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/store_fixture.h"

static void what_was_committed_is_there_after_reopening(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission row = store_fixture_row(fixture);
    row.rank = 2;
    row.expires_at_ms = 77;
    row.failures = 3;
    snprintf(row.message, sizeof row.message, "out of memory");
    store_fixture_set_replace_key(&row, "key");
    store_fixture_begin(fixture);
    int64_t id = store_fixture_insert(fixture, &row);
    store_fixture_lease(fixture, &row);
    store_fixture_commit(fixture);

    store_fixture_reopen(fixture);

    struct store_submission read;
    store_fixture_begin(fixture);
    assert_int_equal(store_find_submission(fixture->store, id, &read), STATUS_OK);
    store_fixture_commit(fixture);
    assert_int_equal(read.id, id);
    assert_int_equal(read.queue_id, fixture->queue_id);
    assert_int_equal(read.state, SUBMISSION_LEASED);
    assert_int_equal(read.rank, 2);
    assert_int_equal(read.virtual_ms, 1000);
    assert_int_equal(read.submitted_at_ms, 1000);
    assert_int_equal(read.expires_at_ms, 77);
    assert_int_equal(read.attempt, 1);
    assert_int_equal(read.failures, 3);
    assert_string_equal(read.lease_key, row.lease_key);
    assert_string_equal(read.grader, "grader-1");
    assert_int_equal(read.leased_at_ms, 2000);
    assert_int_equal(read.lease_expires_at_ms, 3000);
    assert_int_equal(read.lease_hard_limit_at_ms, 9000);
    assert_true(read.has_destination);
    assert_memory_equal(read.replace_key, "key", 3);
    assert_int_equal(read.replace_key_length, 3);
    assert_string_equal(read.message, "out of memory");
}

static void what_was_rolled_back_never_was(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission row = store_fixture_row(fixture);
    store_fixture_begin(fixture);
    int64_t id = store_fixture_insert(fixture, &row);

    store_rollback(fixture->store);

    store_fixture_begin(fixture);
    assert_int_equal(store_find_submission(fixture->store, id, &row), STATUS_NOT_FOUND);
    store_fixture_commit(fixture);
}

static void the_ready_order_is_rank_then_virtual_time_then_id(void **state)
{
    struct store_fixture *fixture = *state;
    // rank, virtual time, expected place
    static const struct {
        int64_t rank;
        int64_t virtual_ms;
        size_t place;
    } rows[] = {{1, 500, 3}, {2, 1, 5}, {1, 400, 1}, {0, 900, 0}, {1, 400, 2}, {1, 501, 4}};
    enum { ROWS = sizeof rows / sizeof rows[0] };
    int64_t expected[ROWS] = {0};
    store_fixture_begin(fixture);
    for (size_t at = 0; at < ROWS; at++) {
        struct store_submission row = store_fixture_row(fixture);
        row.rank = rows[at].rank;
        row.virtual_ms = rows[at].virtual_ms;
        expected[rows[at].place] = store_fixture_insert(fixture, &row);
    }

    for (size_t at = 0; at < ROWS; at++) {
        struct store_submission next;
        assert_int_equal(store_next_ready(fixture->store, fixture->queue_id, 0, &next), STATUS_OK);
        assert_int_equal(next.id, expected[at]);
        store_fixture_lease(fixture, &next);
    }

    struct store_submission none;
    assert_int_equal(store_next_ready(fixture->store, fixture->queue_id, 0, &none), STATUS_NOT_FOUND);
    store_fixture_commit(fixture);
}

static void queues_do_not_see_each_other(void **state)
{
    struct store_fixture *fixture = *state;
    int64_t other_id = 0;
    int64_t again_id = 0;
    struct store_submission row = store_fixture_row(fixture);
    store_fixture_begin(fixture);
    assert_int_equal(store_queue_id(fixture->store, "other", &other_id), STATUS_OK);
    assert_int_equal(store_queue_id(fixture->store, "other", &again_id), STATUS_OK);
    store_fixture_insert(fixture, &row);

    enum status status = store_next_ready(fixture->store, other_id, 0, &row);

    assert_int_equal(status, STATUS_NOT_FOUND);
    assert_int_equal(other_id, again_id);
    assert_int_not_equal(other_id, fixture->queue_id);
    store_fixture_commit(fixture);
}

static void counts_tell_ready_leased_and_delayed(void **state)
{
    struct store_fixture *fixture = *state;
    store_fixture_begin(fixture);
    for (int at = 0; at < 6; at++) {
        struct store_submission row = store_fixture_row(fixture);
        row.state = at < 3 ? SUBMISSION_DELAYED : SUBMISSION_READY;
        store_fixture_insert(fixture, &row);
        if (at == 3)
            store_fixture_lease(fixture, &row);
    }

    struct store_queue_counts counts;
    struct store_queue_counts none;
    assert_int_equal(store_count_queue(fixture->store, fixture->queue_id, &counts), STATUS_OK);
    assert_int_equal(store_count_queue(fixture->store, fixture->queue_id + 1, &none), STATUS_OK);

    assert_int_equal(counts.ready, 2);
    assert_int_equal(counts.leased, 1);
    assert_int_equal(counts.delayed, 3);
    assert_int_equal(none.ready + none.leased + none.delayed, 0);
    store_fixture_commit(fixture);
}

static void a_move_from_a_state_that_is_past_changes_nothing(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission row = store_fixture_row(fixture);
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &row);
    struct store_submission stale = row;
    store_fixture_lease(fixture, &row);
    stale.failures = 9;

    enum status status = store_move_submission(fixture->store, &stale, SUBMISSION_CANCELED);

    struct store_submission read;
    assert_int_equal(status, STATUS_WRONG_STATE);
    assert_int_equal(stale.state, SUBMISSION_READY);
    assert_int_equal(store_find_submission(fixture->store, row.id, &read), STATUS_OK);
    assert_int_equal(read.state, SUBMISSION_LEASED);
    assert_int_equal(read.failures, 0);
    store_fixture_commit(fixture);
}

static void put_in_state(struct store_fixture *fixture, struct store_submission *row, enum submission_state state)
{
    row->state = state == SUBMISSION_DELAYED ? SUBMISSION_DELAYED : SUBMISSION_READY;
    store_fixture_insert(fixture, row);
    if (state != SUBMISSION_DELAYED && state != SUBMISSION_READY)
        store_fixture_lease(fixture, row);
    if (row->state != state)
        assert_int_equal(store_move_submission(fixture->store, row, state), STATUS_OK);
}

static void every_legal_move_is_stored(void **state)
{
    struct store_fixture *fixture = *state;
    int moves = 0;
    store_fixture_begin(fixture);

    for (unsigned from = SUBMISSION_READY; from < SUBMISSION_STATE_END; from++) {
        for (unsigned to = SUBMISSION_READY; to < SUBMISSION_STATE_END; to++) {
            if (!submission_move_is_legal((enum submission_state)from, (enum submission_state)to))
                continue;
            struct store_submission row = store_fixture_row(fixture);
            struct store_submission read;
            put_in_state(fixture, &row, (enum submission_state)from);
            snprintf(row.lease_key, sizeof row.lease_key, "%s", "a key");
            assert_int_equal(store_move_submission(fixture->store, &row, (enum submission_state)to), STATUS_OK);
            assert_int_equal(row.state, to);
            assert_int_equal(store_find_submission(fixture->store, row.id, &read), STATUS_OK);
            assert_int_equal(read.state, to);
            moves++;
        }
    }

    assert_true(moves >= 20);
    store_fixture_commit(fixture);
}

static void every_mutable_field_is_saved_by_a_move(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission row = store_fixture_row(fixture);
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &row);
    row.rank = 11;
    row.virtual_ms = 12;
    row.state_at_ms = 13;
    row.ready_at_ms = 14;
    row.attempt = 15;
    row.failures = 16;
    snprintf(row.lease_key, sizeof row.lease_key, "%032d", 17);
    memset(row.grader, 'g', sizeof row.grader - 1);
    row.leased_at_ms = 18;
    row.lease_expires_at_ms = 19;
    row.lease_hard_limit_at_ms = 20;
    row.generation = 21;
    row.superseded_by_id = 22;
    memset(row.message, 'm', sizeof row.message - 1);

    assert_int_equal(store_move_submission(fixture->store, &row, SUBMISSION_LEASED), STATUS_OK);

    struct store_submission read;
    assert_int_equal(store_find_submission(fixture->store, row.id, &read), STATUS_OK);
    assert_int_equal(read.rank, 11);
    assert_int_equal(read.virtual_ms, 12);
    assert_int_equal(read.state_at_ms, 13);
    assert_int_equal(read.ready_at_ms, 14);
    assert_int_equal(read.attempt, 15);
    assert_int_equal(read.failures, 16);
    assert_string_equal(read.lease_key, row.lease_key);
    assert_string_equal(read.grader, row.grader);
    assert_int_equal(read.leased_at_ms, 18);
    assert_int_equal(read.lease_expires_at_ms, 19);
    assert_int_equal(read.lease_hard_limit_at_ms, 20);
    assert_int_equal(read.generation, 21);
    assert_int_equal(read.superseded_by_id, 22);
    assert_string_equal(read.message, row.message);
    store_fixture_commit(fixture);
}

static void the_delayed_one_that_is_due_first_comes_first(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission late = store_fixture_row(fixture);
    struct store_submission early = store_fixture_row(fixture);
    struct store_submission found;
    late.state = SUBMISSION_DELAYED;
    late.ready_at_ms = 600;
    early.state = SUBMISSION_DELAYED;
    early.ready_at_ms = 500;
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &late);
    store_fixture_insert(fixture, &early);

    assert_int_equal(store_next_delayed(fixture->store, 499, &found), STATUS_NOT_FOUND);
    assert_int_equal(store_next_delayed(fixture->store, 500, &found), STATUS_OK);
    assert_int_equal(found.id, early.id);
    assert_int_equal(store_move_submission(fixture->store, &found, SUBMISSION_READY), STATUS_OK);
    assert_int_equal(store_next_delayed(fixture->store, INT64_MAX, &found), STATUS_OK);

    assert_int_equal(found.id, late.id);
    store_fixture_commit(fixture);
}

static void only_live_ones_expire(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission never = store_fixture_row(fixture);
    struct store_submission late = store_fixture_row(fixture);
    struct store_submission early = store_fixture_row(fixture);
    struct store_submission found;
    late.expires_at_ms = 600;
    early.expires_at_ms = 500;
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &never);
    store_fixture_insert(fixture, &late);
    store_fixture_insert(fixture, &early);

    assert_int_equal(store_next_expiring(fixture->store, 499, &found), STATUS_NOT_FOUND);
    assert_int_equal(store_next_expiring(fixture->store, 500, &found), STATUS_OK);
    assert_int_equal(found.id, early.id);
    assert_int_equal(store_move_submission(fixture->store, &found, SUBMISSION_CANCELED), STATUS_OK);
    store_fixture_lease(fixture, &late);
    assert_int_equal(store_next_expiring(fixture->store, INT64_MAX, &found), STATUS_OK);
    assert_int_equal(found.id, late.id);
    assert_int_equal(store_move_submission(fixture->store, &found, SUBMISSION_DEAD), STATUS_OK);

    assert_int_equal(store_next_expiring(fixture->store, INT64_MAX, &found), STATUS_NOT_FOUND);
    store_fixture_commit(fixture);
}

static void only_live_ones_with_the_same_replace_key_are_replaceable(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission older = store_fixture_row(fixture);
    struct store_submission newer = store_fixture_row(fixture);
    struct store_submission other = store_fixture_row(fixture);
    struct store_submission without = store_fixture_row(fixture);
    struct store_submission found;
    store_fixture_set_replace_key(&older, "same");
    store_fixture_set_replace_key(&newer, "same");
    store_fixture_set_replace_key(&other, "some");
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &older);
    store_fixture_insert(fixture, &newer);
    store_fixture_insert(fixture, &other);
    store_fixture_insert(fixture, &without);
    const uint8_t *key = (const uint8_t *)"same";

    assert_int_equal(store_find_replaceable(fixture->store, key, 4, newer.id, &found), STATUS_OK);
    assert_int_equal(found.id, older.id);
    assert_int_equal(store_move_submission(fixture->store, &found, SUBMISSION_SUPERSEDED), STATUS_OK);
    assert_int_equal(store_find_replaceable(fixture->store, key, 4, newer.id, &found), STATUS_NOT_FOUND);

    assert_int_equal(store_find_replaceable(fixture->store, NULL, 0, 0, &found), STATUS_NOT_FOUND);
    store_fixture_commit(fixture);
}

static void only_the_newest_live_lease_is_handed_over(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission row = store_fixture_row(fixture);
    struct store_submission read;
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &row);
    store_fixture_lease(fixture, &row);

    assert_int_equal(store_hand_over_lease(fixture->store, row.id, row.lease_key, "heir"), STATUS_OK);
    assert_int_equal(store_hand_over_lease(fixture->store, row.id, "another", "thief"), STATUS_STALE);
    assert_int_equal(store_find_submission(fixture->store, row.id, &read), STATUS_OK);
    assert_int_equal(store_move_submission(fixture->store, &row, SUBMISSION_READY), STATUS_OK);

    assert_string_equal(read.grader, "heir");
    assert_int_equal(store_hand_over_lease(fixture->store, row.id, row.lease_key, "thief"), STATUS_STALE);
    store_fixture_commit(fixture);
}

static void only_the_newest_live_lease_is_renewed(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission row = store_fixture_row(fixture);
    struct store_submission read;
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &row);
    store_fixture_lease(fixture, &row);

    assert_int_equal(store_renew_lease(fixture->store, row.id, row.lease_key, 4444), STATUS_OK);
    assert_int_equal(store_renew_lease(fixture->store, row.id, "another", 5555), STATUS_STALE);
    assert_int_equal(store_renew_lease(fixture->store, row.id + 1, row.lease_key, 5555), STATUS_STALE);
    assert_int_equal(store_find_submission(fixture->store, row.id, &read), STATUS_OK);
    assert_int_equal(store_move_submission(fixture->store, &row, SUBMISSION_READY), STATUS_OK);

    assert_int_equal(read.lease_expires_at_ms, 4444);
    assert_int_equal(store_renew_lease(fixture->store, row.id, row.lease_key, 5555), STATUS_STALE);
    store_fixture_commit(fixture);
}

static void a_row_that_refers_to_nothing_is_a_bug(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission row = store_fixture_row(fixture);
    struct store_delivery orphan = store_fixture_delivery(fixture, 99, 100);
    char nothing[] = "";
    const struct store_content content = {
        .callback_url = nothing, .results_channel = nothing, .trace_parent = nothing, .trace_state = nothing};
    const struct store_request request = {.submitter = "lms", .request_id = "", .fairness_key = ""};
    row.queue_id = 99;
    store_fixture_begin(fixture);

    assert_int_equal(store_insert_submission(fixture->store, &row, &content, &request), STATUS_INTERNAL);
    assert_int_equal(store_insert_delivery(fixture->store, &orphan), STATUS_INTERNAL);

    store_rollback(fixture->store);
}

struct visits {
    int count;
    int64_t id_sum;
};

static void count_visit(void *context, const struct store_submission *row)
{
    struct visits *visits = context;
    visits->count++;
    visits->id_sum += row->id;
}

static void every_leased_one_is_visited(void **state)
{
    struct store_fixture *fixture = *state;
    struct visits visits = {0};
    int64_t id_sum = 0;
    store_fixture_begin(fixture);
    for (int at = 0; at < 5; at++) {
        struct store_submission row = store_fixture_row(fixture);
        store_fixture_insert(fixture, &row);
        if (at % 2 == 0)
            store_fixture_lease(fixture, &row);
        id_sum += at % 2 == 0 ? row.id : 0;
    }

    assert_int_equal(store_visit_leased(fixture->store, count_visit, &visits), STATUS_OK);

    assert_int_equal(visits.count, 3);
    assert_int_equal(visits.id_sum, id_sum);
    store_fixture_commit(fixture);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(what_was_committed_is_there_after_reopening),
        STORE_TEST(what_was_rolled_back_never_was),
        STORE_TEST(the_ready_order_is_rank_then_virtual_time_then_id),
        STORE_TEST(queues_do_not_see_each_other),
        STORE_TEST(counts_tell_ready_leased_and_delayed),
        STORE_TEST(a_move_from_a_state_that_is_past_changes_nothing),
        STORE_TEST(every_legal_move_is_stored),
        STORE_TEST(every_mutable_field_is_saved_by_a_move),
        STORE_TEST(the_delayed_one_that_is_due_first_comes_first),
        STORE_TEST(only_live_ones_expire),
        STORE_TEST(only_live_ones_with_the_same_replace_key_are_replaceable),
        STORE_TEST(only_the_newest_live_lease_is_renewed),
        STORE_TEST(only_the_newest_live_lease_is_handed_over),
        STORE_TEST(a_row_that_refers_to_nothing_is_a_bug),
        STORE_TEST(every_leased_one_is_visited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
