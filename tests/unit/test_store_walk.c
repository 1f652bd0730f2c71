/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_store_test_support */
/*
 * Walks come by what they are for, in their order, once each, also when what they came by is changed on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "tests/support/store_fixture.h"

enum { TEXT_MAX = 1000, STEPS_MAX = 100 };

/* The ids of a whole walk, each followed by a blank. */
static void walk(struct store_fixture *fixture, enum store_walk kind, int64_t queue_id, struct text *out)
{
    struct store_place place = store_walk_start();
    struct store_submission row;
    enum status status = STATUS_OK;
    text_clear(out);
    for (int left = STEPS_MAX; left > 0 && status == STATUS_OK; left--) {
        status = store_walk_next(fixture->store, kind, queue_id, &place, &row);
        if (status == STATUS_OK)
            text_append_format(out, "%lld ", (long long)row.id);
    }
    assert_int_equal(status, STATUS_NOT_FOUND);
}

static int64_t insert(struct store_fixture *fixture, int64_t queue_id, int64_t rank, int64_t virtual_ms)
{
    struct store_submission row = store_fixture_row(fixture);
    row.queue_id = queue_id;
    row.rank = rank;
    row.virtual_ms = virtual_ms;
    return store_fixture_insert(fixture, &row);
}

static void move(struct store_fixture *fixture, int64_t id, enum submission_state to)
{
    struct store_submission row;
    assert_int_equal(store_find_submission(fixture->store, id, &row), STATUS_OK);
    if (to != SUBMISSION_DEAD)
        store_fixture_lease(fixture, &row);
    if (to == SUBMISSION_LEASED)
        return;
    row.ready_at_ms = 1000 - id;
    assert_int_equal(store_move_submission(fixture->store, &row, to), STATUS_OK);
}

static void check(struct store_fixture *fixture, enum store_walk kind, int64_t queue_id, const char *expected)
{
    struct text text;
    text_init(&text, TEXT_MAX);
    walk(fixture, kind, queue_id, &text);
    assert_string_equal(text.bytes, expected);
    text_finish(&text);
}

static void each_walk_has_its_rows_and_its_order(void **state)
{
    struct store_fixture *fixture = *state;
    int64_t demo = fixture->queue_id;
    int64_t other = 0;
    store_fixture_begin(fixture);
    assert_int_equal(store_queue_id(fixture->store, "other", &other), STATUS_OK);
    for (int64_t at = 0; at < 12; at++)
        assert_int_equal(insert(fixture, at % 2 ? other : demo, at < 10, 100 - at), at + 1);
    for (int64_t id = 1; id <= 2; id++)
        move(fixture, id, SUBMISSION_LEASED);
    for (int64_t id = 3; id <= 4; id++)
        move(fixture, id, SUBMISSION_DELAYED);
    for (int64_t id = 5; id <= 6; id++)
        move(fixture, id, SUBMISSION_DEAD);
    for (int64_t id = 7; id <= 8; id++)
        move(fixture, id, SUBMISSION_UNGRADABLE);

    check(fixture, STORE_WALK_ALL, 0, "1 2 3 4 5 6 7 8 9 10 11 12 ");
    check(fixture, STORE_WALK_LEASED, 0, "1 2 ");
    check(fixture, STORE_WALK_LEASED, other, "2 ");
    check(fixture, STORE_WALK_DELAYED, 0, "4 3 ");
    check(fixture, STORE_WALK_DEAD, demo, "5 ");
    check(fixture, STORE_WALK_DEAD, other, "6 ");
    check(fixture, STORE_WALK_UNGRADABLE, 0, "7 8 ");
    check(fixture, STORE_WALK_READY, 0, "11 9 12 10 ");
    check(fixture, STORE_WALK_READY, demo, "11 9 ");
    check(fixture, STORE_WALK_UNDELIVERABLE, 0, "");
    store_fixture_commit(fixture);
}

static void undeliverable_ones_are_found_by_their_deliveries(void **state)
{
    struct store_fixture *fixture = *state;
    store_fixture_begin(fixture);
    for (int64_t id = 1; id <= 4; id++) {
        insert(fixture, fixture->queue_id, 1, 100);
        struct store_delivery delivery = store_fixture_delivery(fixture, id, 100);
        assert_int_equal(store_insert_delivery(fixture->store, &delivery), STATUS_OK);
        snprintf(delivery.lease_key, sizeof delivery.lease_key, "key");
        assert_int_equal(store_move_delivery(fixture->store, &delivery, DELIVERY_IN_FLIGHT), STATUS_OK);
        if (id != 2)
            assert_int_equal(store_move_delivery(fixture->store, &delivery, DELIVERY_UNDELIVERABLE), STATUS_OK);
    }

    check(fixture, STORE_WALK_UNDELIVERABLE, 0, "1 3 4 ");
    check(fixture, STORE_WALK_UNDELIVERABLE, fixture->queue_id, "1 3 4 ");
    check(fixture, STORE_WALK_UNDELIVERABLE, fixture->queue_id + 1, "");
    store_fixture_commit(fixture);
}

static void what_is_changed_on_the_way_does_not_stop_it(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_place place = store_walk_start();
    struct store_submission row;
    int count = 0;
    store_fixture_begin(fixture);
    for (int64_t at = 0; at < 10; at++)
        insert(fixture, fixture->queue_id, 1, 100);

    while (store_walk_next(fixture->store, STORE_WALK_READY, 0, &place, &row) == STATUS_OK) {
        assert_int_equal(row.id, ++count);
        if (count % 2)
            assert_int_equal(store_delete_submission(fixture->store, row.id), STATUS_OK);
        else
            assert_int_equal(store_move_submission(fixture->store, &row, SUBMISSION_DEAD), STATUS_OK);
    }

    assert_int_equal(count, 10);
    store_fixture_commit(fixture);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(each_walk_has_its_rows_and_its_order),
        STORE_TEST(undeliverable_ones_are_found_by_their_deliveries),
        STORE_TEST(what_is_changed_on_the_way_does_not_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
