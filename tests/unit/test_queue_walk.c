/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * Random walks with fixed seeds: everything that submitters, graders, couriers, the clock, the disk and the operator may do, in
 * any order, with what must always hold checked after each step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/support/queue_fixture.h"

enum { STEPS = 1500, SUBMISSIONS_MAX = 1500, KEYS_MAX = 4000, GRADERS = 3, DELIVERIES_MAX = 1500, SLOTS = 4 };

static const char yaml[] = "service: {ping_period_ms: 600000, grader_leases_max: 4}\n"
                           "delivery: {lease_ms: 20000, attempts_max: 3, retry_delay_ms: 1000}\n"
                           "callbacks: {timeout_ms: 10000}\n"
                           "queues:\n"
                           "  demo: {lease_ms: 30000, hard_limit_ms: 90000, attempts_max: 3, retry_delay_ms: 2000,"
                           " ready_max: 60}\n";

struct walk {
    struct queue_fixture *queue;
    struct scripted_grader graders[GRADERS];
    int instances[GRADERS];
    uint32_t random;
    size_t submitted;
    int64_t ids[SUBMISSIONS_MAX]; /* acknowledged */
    size_t leased;
    struct lease leases[KEYS_MAX]; /* every key that was ever given out */
    size_t delivery_count;
    struct store_delivery deliveries[DELIVERIES_MAX];
    int completed;
    int restarts;
};

static uint32_t roll(struct walk *walk, uint32_t sides)
{
    walk->random = walk->random * 1664525u + 1013904223u;
    return (walk->random >> 8) % sides;
}

static const char *grader_name(size_t at)
{
    static const char *const names[GRADERS] = {"a", "b", "c"};
    return names[at];
}

static void remember(struct walk *walk, struct lease lease)
{
    if (lease.id == 0)
        return;
    assert_true(walk->leased < KEYS_MAX);
    walk->leases[walk->leased++] = lease;
}

/* Mostly a young lease, sometimes any that ever was. */
static struct lease some_lease(struct walk *walk)
{
    if (walk->leased == 0)
        return (struct lease){.id = 1, .key = "0123456789abcdef0123456789abcdef"};
    size_t window = walk->leased < 8 || roll(walk, 8) == 0 ? walk->leased : 8;
    return walk->leases[walk->leased - 1 - roll(walk, (uint32_t)window)];
}

/* ---- steps ---- */

static void step_submit(struct walk *walk)
{
    static const char *const keys[] = {"", "s1", "s2", "s3", "s4"};
    const char *key = keys[roll(walk, 5)];
    struct submit_order order = submission_of("demo", "print(1)");
    struct submit_receipt receipt = {0};
    order.replace_key = (const uint8_t *)key;
    order.replace_key_length = strlen(key);
    order.not_before_ms = roll(walk, 4) == 0 ? 3000 : 0;
    order.expire_after_ms = roll(walk, 6) == 0 ? 100000 : 0;
    enum status status = lms_tries(walk->queue, &order, &receipt);
    memory_free(receipt.superseded_ids);
    if (status == STATUS_FULL)
        return;
    assert_int_equal(status, STATUS_OK);
    assert_true(walk->submitted < SUBMISSIONS_MAX);
    walk->ids[walk->submitted++] = receipt.submission_id;
}

static void step_connect(struct walk *walk)
{
    size_t at = roll(walk, GRADERS);
    struct scripted_grader *grader = &walk->graders[at];
    char instance[16];
    if (grader->session && roll(walk, 2) == 0) {
        grader_vanishes(walk->queue, grader);
        return;
    }
    if (grader->session)
        grader_vanishes(walk->queue, grader);
    walk->instances[at] += roll(walk, 2) == 0;
    snprintf(instance, sizeof instance, "%d", walk->instances[at]);
    grader_connects(walk->queue, grader, grader_name(at), instance, SLOTS - 1);
    grader_gives_credit(walk->queue, grader, roll(walk, SLOTS) + 1);
}

static void step_listen(struct walk *walk)
{
    for (size_t at = 0; at < GRADERS; at++) {
        struct scripted_grader *grader = &walk->graders[at];
        while (grader->first != grader->count) {
            struct told told = grader_hears(grader, grader->told[grader->first].notice.kind);
            if (told.notice.kind != GRADER_NOTICE_GRANT)
                continue;
            remember(walk, told.lease);
            if (roll(walk, 4) != 0)
                (void)grader_accepts(walk->queue, told.lease);
        }
    }
}

static void step_credit(struct walk *walk)
{
    struct scripted_grader *grader = &walk->graders[roll(walk, GRADERS)];
    if (grader->session)
        grader_gives_credit(walk->queue, grader, roll(walk, SLOTS + 1));
}

static void step_drain(struct walk *walk)
{
    struct scripted_grader *grader = &walk->graders[roll(walk, GRADERS)];
    if (!grader->session || roll(walk, 4) != 0)
        return;
    turn_begins(walk->queue);
    work_session_drain(walk->queue->queues, grader->session);
    turn_ends(walk->queue);
}

static void step_poll(struct walk *walk)
{
    remember(walk, poller_leases(walk->queue, roll(walk, 2) ? "poller" : grader_name(roll(walk, GRADERS)), SLOTS));
}

static void step_complete(struct walk *walk)
{
    struct lease lease = some_lease(walk);
    walk->completed += grader_completes(walk->queue, lease, roll(walk, 4) ? "right" : "wrong") == STATUS_OK;
}

static void step_amend(struct walk *walk)
{
    struct grading_completion completion = {0};
    (void)grader_amends(walk->queue, some_lease(walk), "amended", &completion);
}

static void step_fail(struct walk *walk)
{
    if (roll(walk, 4) == 0)
        (void)grader_gives_up(walk->queue, some_lease(walk), "not gradable");
    else
        (void)grader_fails(walk->queue, some_lease(walk), NULL);
}

static void step_release(struct walk *walk)
{
    (void)grader_releases(walk->queue, some_lease(walk), roll(walk, 2) ? 0 : 2000);
}

static void step_renew(struct walk *walk)
{
    for (int times = 0; times < 3; times++)
        (void)grader_renews(walk->queue, some_lease(walk), NULL);
}

static void step_courier(struct walk *walk)
{
    struct store_delivery delivery = courier_leases(walk->queue, roll(walk, 10) ? "1" : "2");
    if (delivery.submission_id != 0 && walk->delivery_count < DELIVERIES_MAX)
        walk->deliveries[walk->delivery_count++] = delivery;
    if (walk->delivery_count == 0)
        return;
    size_t window = walk->delivery_count < 4 ? walk->delivery_count : 4;
    const struct store_delivery *some = &walk->deliveries[walk->delivery_count - 1 - roll(walk, (uint32_t)window)];
    struct delivery_failure failure = {.message = "LMS down", .uncounted = roll(walk, 3) == 0};
    if (roll(walk, 3) == 0)
        (void)courier_fails(walk->queue, some, &failure);
    else
        (void)courier_acknowledges(walk->queue, some);
}

static void step_time(struct walk *walk)
{
    if (roll(walk, 2) == 0)
        clock_advances(walk->queue, roll(walk, 5000));
    else
        clock_advances_to_due(walk->queue, 60000);
}

static void step_full_disk(struct walk *walk)
{
    if (roll(walk, 3) != 0)
        return;
    struct queue_fixture *queue = walk->queue;
    turn_begins(queue);
    (void)grader_completes(queue, some_lease(walk), "unstored");
    (void)grader_fails(queue, some_lease(walk), NULL);
    (void)grader_renews(queue, some_lease(walk), NULL);
    struct submit_order order = submission_of("demo", "unstored");
    struct submit_receipt receipt = {0};
    (void)lms_tries(queue, &order, &receipt);
    memory_free(receipt.superseded_ids);
    queues_tick(queue->queues);
    turn_fails(queue);
}

static void step_restart(struct walk *walk)
{
    if (roll(walk, 10) != 0)
        return;
    queue_fixture_restart(walk->queue);
    memset(walk->graders, 0, sizeof walk->graders);
    walk->restarts++;
}

/* ---- what always holds ---- */

static void check_results(struct walk *walk, const struct store_submission *row)
{
    struct store_result result;
    enum status status = store_read_result(walk->queue->store, row->id, true, &result);
    if (row->state != SUBMISSION_GRADED) {
        assert_int_equal(status, STATUS_NOT_FOUND);
        return;
    }
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(result.generation, row->generation);
    assert_false(result.body_length == 8 && memcmp(result.body, "unstored", 8) == 0);
    memory_free(result.body);
    struct store_delivery delivery;
    assert_int_equal(store_find_delivery(walk->queue->store, row->id, &delivery), STATUS_OK);
    assert_int_equal(delivery.generation, row->generation);
}

/* Acknowledged submissions are there, and what is final has all that belongs to it. */
static void check_submissions(struct walk *walk)
{
    turn_begins(walk->queue);
    for (size_t at = 0; at < walk->submitted; at++) {
        struct store_submission row;
        assert_int_equal(store_find_submission(walk->queue->store, walk->ids[at], &row), STATUS_OK);
        check_results(walk, &row);
        assert_true(row.failures <= 3);
    }
    turn_ends(walk->queue);
}

/* At most one of all keys that were ever given out for a submission is good. */
static void check_keys(struct walk *walk)
{
    for (size_t at = 0; at < walk->leased; at++) {
        for (size_t later = at + 1; later < walk->leased; later++)
            assert_false(strcmp(walk->leases[at].key, walk->leases[later].key) == 0);
    }
    for (size_t at = 0; at < walk->leased; at++) {
        const struct lease *lease = &walk->leases[at];
        bool newest = lease_table_find_held(&walk->queue->queues->leases, lease->id, lease->key) != NULL;
        for (size_t later = at + 1; later < walk->leased && newest; later++)
            assert_int_not_equal(walk->leases[later].id, lease->id);
    }
}

static void (*const steps[])(struct walk *walk) = {
    step_submit,  step_submit,   step_submit,   step_connect, step_credit,    step_credit,  step_drain,
    step_poll,    step_complete, step_complete, step_amend,   step_fail,      step_release, step_renew,
    step_courier, step_courier,  step_time,     step_time,    step_full_disk, step_restart,
};

static void walk_with(uint32_t seed)
{
    struct walk *walk = MEMORY_NEW(struct walk);
    walk->queue = queue_fixture_create(yaml);
    walk->random = seed;
    for (int step = 0; step < STEPS; step++) {
        steps[roll(walk, sizeof steps / sizeof steps[0])](walk);
        step_listen(walk);
        queue_fixture_check(walk->queue);
        if (step % 100 == 99)
            check_submissions(walk);
    }
    check_keys(walk);
    assert_true(walk->submitted > STEPS / 20);
    assert_true(walk->completed > STEPS / 30);
    assert_true(walk->restarts > 0);
    assert_true(walk->delivery_count > 0);
    queue_fixture_destroy(walk->queue);
    memory_free(walk);
}

static void a_walk_with_the_first_seed_keeps_every_promise(void **state)
{
    (void)state;
    walk_with(1);
}

static void a_walk_with_the_second_seed_keeps_every_promise(void **state)
{
    (void)state;
    walk_with(20260131);
}

static void a_walk_with_the_third_seed_keeps_every_promise(void **state)
{
    (void)state;
    walk_with(0xdecade);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_with_the_first_seed_keeps_every_promise),
        cmocka_unit_test(a_walk_with_the_second_seed_keeps_every_promise),
        cmocka_unit_test(a_walk_with_the_third_seed_keeps_every_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
