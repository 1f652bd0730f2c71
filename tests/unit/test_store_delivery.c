/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_store_test_support */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/store_fixture.h"

/* A submission with a PENDING delivery. */
static struct store_delivery add_delivery(struct store_fixture *fixture, const char *replace_key, int64_t due_at_ms)
{
    struct store_submission submission = store_fixture_row(fixture);
    store_fixture_insert(fixture, &submission);
    struct store_delivery row = store_fixture_delivery(fixture, submission.id, due_at_ms);
    row.replace_key_length = strlen(replace_key);
    memcpy(row.replace_key, replace_key, row.replace_key_length);
    assert_int_equal(store_insert_delivery(fixture->store, &row), STATUS_OK);
    return row;
}

static void lease(struct store_fixture *fixture, struct store_delivery *row, const char *courier, const char *instance)
{
    snprintf(row->lease_key, sizeof row->lease_key, "%032d", 5);
    snprintf(row->courier, sizeof row->courier, "%s", courier);
    snprintf(row->instance, sizeof row->instance, "%s", instance);
    row->lease_expires_at_ms = 5000;
    row->attempt++;
    assert_int_equal(store_move_delivery(fixture->store, row, DELIVERY_IN_FLIGHT), STATUS_OK);
}

static int64_t next_due(struct store_fixture *fixture, const char *channel, int64_t due_ms)
{
    struct store_delivery row;
    enum status status = store_next_due_delivery(fixture->store, channel, due_ms, &row);
    if (status == STATUS_NOT_FOUND)
        return 0;
    assert_int_equal(status, STATUS_OK);
    return row.submission_id;
}

static void a_delivery_comes_back_as_it_was(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission submission = store_fixture_row(fixture);
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &submission);
    struct store_delivery row = store_fixture_delivery(fixture, submission.id, 300);
    row.outcome = DELIVERY_OUTCOME_UNGRADABLE;
    snprintf(row.channel, sizeof row.channel, "results");
    memcpy(row.replace_key, "k\0y", 3);
    row.replace_key_length = 3;
    assert_int_equal(store_insert_delivery(fixture->store, &row), STATUS_OK);
    row.outcome = DELIVERY_OUTCOME_DEAD;
    row.generation = 4;
    row.due_at_ms = 301;
    row.state_at_ms = 302;
    snprintf(row.message, sizeof row.message, "connection refused");
    lease(fixture, &row, "courier", "i-1");
    store_fixture_commit(fixture);
    store_fixture_reopen(fixture);

    struct store_delivery read;
    store_fixture_begin(fixture);
    assert_int_equal(store_find_delivery(fixture->store, submission.id, &read), STATUS_OK);
    store_fixture_commit(fixture);

    assert_int_equal(read.submission_id, submission.id);
    assert_int_equal(read.queue_id, fixture->queue_id);
    assert_int_equal(read.state, DELIVERY_IN_FLIGHT);
    assert_int_equal(read.outcome, DELIVERY_OUTCOME_DEAD);
    assert_string_equal(read.channel, "results");
    assert_int_equal(read.generation, 4);
    assert_int_equal(read.attempt, 1);
    assert_int_equal(read.due_at_ms, 301);
    assert_int_equal(read.state_at_ms, 302);
    assert_string_equal(read.lease_key, row.lease_key);
    assert_int_equal(read.lease_expires_at_ms, 5000);
    assert_string_equal(read.courier, "courier");
    assert_string_equal(read.instance, "i-1");
    assert_int_equal(read.replace_key_length, 3);
    assert_memory_equal(read.replace_key, "k\0y", 3);
    assert_string_equal(read.message, "connection refused");
}

static void a_submission_has_one_delivery(void **state)
{
    struct store_fixture *fixture = *state;
    store_fixture_begin(fixture);
    struct store_delivery row = add_delivery(fixture, "", 100);
    struct store_delivery none;

    enum status again = store_insert_delivery(fixture->store, &row);

    assert_int_equal(again, STATUS_EXISTS);
    assert_int_equal(store_find_delivery(fixture->store, row.submission_id + 1, &none), STATUS_NOT_FOUND);
    store_fixture_commit(fixture);
}

static void the_one_that_is_due_first_comes_first(void **state)
{
    struct store_fixture *fixture = *state;
    store_fixture_begin(fixture);
    struct store_delivery late = add_delivery(fixture, "", 200);
    struct store_delivery early = add_delivery(fixture, "", 100);

    assert_int_equal(next_due(fixture, "", 99), 0);
    assert_int_equal(next_due(fixture, "other", 1000), 0);
    assert_int_equal(next_due(fixture, "", 1000), early.submission_id);
    lease(fixture, &early, "courier", "i-1");
    assert_int_equal(next_due(fixture, "", 1000), late.submission_id);

    store_fixture_commit(fixture);
}

static void a_younger_one_waits_for_the_older_of_its_replace_key(void **state)
{
    struct store_fixture *fixture = *state;
    store_fixture_begin(fixture);
    struct store_delivery older = add_delivery(fixture, "key", 500);
    struct store_delivery younger = add_delivery(fixture, "key", 100);
    struct store_delivery other = add_delivery(fixture, "other", 300);

    // The older one is PENDING, though not due yet.
    assert_int_equal(next_due(fixture, "", 100), 0);
    assert_int_equal(next_due(fixture, "", 400), other.submission_id);
    lease(fixture, &other, "courier", "i-1");
    assert_int_equal(next_due(fixture, "", 1000), older.submission_id);
    lease(fixture, &older, "courier", "i-1");
    assert_int_equal(next_due(fixture, "", 1000), 0);

    assert_int_equal(store_move_delivery(fixture->store, &older, DELIVERY_DELIVERED), STATUS_OK);
    assert_int_equal(next_due(fixture, "", 1000), younger.submission_id);
    store_fixture_commit(fixture);
}

static void one_that_was_given_up_holds_up_nobody(void **state)
{
    struct store_fixture *fixture = *state;
    store_fixture_begin(fixture);
    struct store_delivery older = add_delivery(fixture, "key", 100);
    struct store_delivery younger = add_delivery(fixture, "key", 100);
    lease(fixture, &older, "courier", "i-1");

    assert_int_equal(store_move_delivery(fixture->store, &older, DELIVERY_UNDELIVERABLE), STATUS_OK);

    assert_int_equal(next_due(fixture, "", 100), younger.submission_id);
    store_fixture_commit(fixture);
}

static void those_without_a_replace_key_do_not_wait_for_each_other(void **state)
{
    struct store_fixture *fixture = *state;
    store_fixture_begin(fixture);
    struct store_delivery older = add_delivery(fixture, "", 500);
    struct store_delivery younger = add_delivery(fixture, "", 100);

    assert_int_equal(next_due(fixture, "", 500), younger.submission_id);
    lease(fixture, &younger, "courier", "i-1");

    assert_int_equal(next_due(fixture, "", 500), older.submission_id);
    store_fixture_commit(fixture);
}

static void the_next_due_time_is_told_over_all_channels(void **state)
{
    struct store_fixture *fixture = *state;
    int64_t due_ms = 0;
    store_fixture_begin(fixture);
    assert_int_equal(store_next_delivery_due_ms(fixture->store, 0, &due_ms), STATUS_OK);
    assert_true(due_ms == INT64_MAX);
    struct store_delivery first = add_delivery(fixture, "", 100);
    struct store_submission submission = store_fixture_row(fixture);
    store_fixture_insert(fixture, &submission);
    struct store_delivery second = store_fixture_delivery(fixture, submission.id, 200);
    snprintf(second.channel, sizeof second.channel, "results");
    assert_int_equal(store_insert_delivery(fixture->store, &second), STATUS_OK);

    assert_int_equal(store_next_delivery_due_ms(fixture->store, 99, &due_ms), STATUS_OK);
    assert_int_equal(due_ms, 100);
    assert_int_equal(store_next_delivery_due_ms(fixture->store, 100, &due_ms), STATUS_OK);
    assert_int_equal(due_ms, 200);
    lease(fixture, &first, "courier", "i-1");
    assert_int_equal(store_next_delivery_due_ms(fixture->store, 0, &due_ms), STATUS_OK);
    assert_int_equal(due_ms, 200);

    assert_int_equal(store_next_delivery_due_ms(fixture->store, 200, &due_ms), STATUS_OK);
    assert_true(due_ms == INT64_MAX);
    store_fixture_commit(fixture);
}

static void leases_that_run_out_are_found_in_order(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_delivery found;
    store_fixture_begin(fixture);
    struct store_delivery first = add_delivery(fixture, "", 100);
    struct store_delivery second = add_delivery(fixture, "", 100);
    lease(fixture, &first, "courier", "i-1");
    lease(fixture, &second, "courier", "i-1");
    // A second lease that ends earlier.
    assert_int_equal(store_move_delivery(fixture->store, &second, DELIVERY_PENDING), STATUS_OK);
    second.lease_expires_at_ms = 4000;
    assert_int_equal(store_move_delivery(fixture->store, &second, DELIVERY_IN_FLIGHT), STATUS_OK);

    assert_int_equal(store_next_overdue_delivery(fixture->store, 3999, &found), STATUS_NOT_FOUND);
    assert_int_equal(store_next_overdue_delivery(fixture->store, 9000, &found), STATUS_OK);
    assert_int_equal(found.submission_id, second.submission_id);
    assert_int_equal(store_move_delivery(fixture->store, &found, DELIVERY_DELIVERED), STATUS_OK);
    assert_int_equal(store_next_overdue_delivery(fixture->store, 9000, &found), STATUS_OK);

    assert_int_equal(found.submission_id, first.submission_id);
    store_fixture_commit(fixture);
}

static void what_another_instance_of_a_courier_held_is_abandoned(void **state)
{
    struct store_fixture *fixture = *state;
    static const char *const others[] = {"i-1", "i-3"};
    struct store_delivery found;
    store_fixture_begin(fixture);
    struct store_delivery own = add_delivery(fixture, "", 100);
    struct store_delivery foreign = add_delivery(fixture, "", 100);
    lease(fixture, &own, "courier", "i-2");
    lease(fixture, &foreign, "another", "i-9");

    assert_int_equal(store_find_abandoned_delivery(fixture->store, "courier", "i-2", &found), STATUS_NOT_FOUND);
    for (size_t at = 0; at < sizeof others / sizeof others[0]; at++) {
        struct store_delivery lost = add_delivery(fixture, "", 100);
        lease(fixture, &lost, "courier", others[at]);
        assert_int_equal(store_find_abandoned_delivery(fixture->store, "courier", "i-2", &found), STATUS_OK);
        assert_int_equal(found.submission_id, lost.submission_id);
        assert_int_equal(store_move_delivery(fixture->store, &found, DELIVERY_PENDING), STATUS_OK);
    }

    assert_int_equal(store_find_abandoned_delivery(fixture->store, "courier", "i-2", &found), STATUS_NOT_FOUND);
    store_fixture_commit(fixture);
}

static void put_in_state(struct store_fixture *fixture, struct store_delivery *row, enum delivery_state state)
{
    if (state == DELIVERY_PENDING)
        return;
    lease(fixture, row, "courier", "i-1");
    if (state != DELIVERY_IN_FLIGHT)
        assert_int_equal(store_move_delivery(fixture->store, row, state), STATUS_OK);
}

static void every_legal_move_is_stored(void **state)
{
    struct store_fixture *fixture = *state;
    int moves = 0;
    store_fixture_begin(fixture);

    for (unsigned from = DELIVERY_PENDING; from < DELIVERY_STATE_END; from++) {
        for (unsigned to = DELIVERY_PENDING; to < DELIVERY_STATE_END; to++) {
            if (!delivery_move_is_legal((enum delivery_state)from, (enum delivery_state)to))
                continue;
            struct store_delivery row = add_delivery(fixture, "", 100);
            struct store_delivery read;
            put_in_state(fixture, &row, (enum delivery_state)from);
            snprintf(row.lease_key, sizeof row.lease_key, "a key");
            assert_int_equal(store_move_delivery(fixture->store, &row, (enum delivery_state)to), STATUS_OK);
            assert_int_equal(store_find_delivery(fixture->store, row.submission_id, &read), STATUS_OK);
            assert_int_equal(read.state, to);
            moves++;
        }
    }

    assert_int_equal(moves, 8);
    store_fixture_commit(fixture);
}

static void a_move_from_a_state_that_is_past_changes_nothing(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_delivery read;
    store_fixture_begin(fixture);
    struct store_delivery row = add_delivery(fixture, "", 100);
    struct store_delivery stale = row;
    lease(fixture, &row, "courier", "i-1");

    enum status status = store_move_delivery(fixture->store, &stale, DELIVERY_DELIVERED);

    assert_int_equal(status, STATUS_WRONG_STATE);
    assert_int_equal(store_find_delivery(fixture->store, row.submission_id, &read), STATUS_OK);
    assert_int_equal(read.state, DELIVERY_IN_FLIGHT);
    store_fixture_commit(fixture);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_delivery_comes_back_as_it_was),
        STORE_TEST(a_submission_has_one_delivery),
        STORE_TEST(the_one_that_is_due_first_comes_first),
        STORE_TEST(a_younger_one_waits_for_the_older_of_its_replace_key),
        STORE_TEST(one_that_was_given_up_holds_up_nobody),
        STORE_TEST(those_without_a_replace_key_do_not_wait_for_each_other),
        STORE_TEST(the_next_due_time_is_told_over_all_channels),
        STORE_TEST(leases_that_run_out_are_found_in_order),
        STORE_TEST(what_another_instance_of_a_courier_held_is_abandoned),
        STORE_TEST(every_legal_move_is_stored),
        STORE_TEST(a_move_from_a_state_that_is_past_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
