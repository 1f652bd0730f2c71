/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * Submissions that ask for labels, and graders that have some.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/rules/order.h"
#include "tests/support/queue_fixture.h"

enum { MANY = 300 };

static const struct labels nothing;
static struct label gpu_items[] = {{"gpu", "1"}};
static const struct labels gpu = {gpu_items, 1};
static struct label arm_items[] = {{"arch", "arm"}};
static const struct labels arm = {arm_items, 1};
static struct label both_items[] = {{"arch", "arm"}, {"gpu", "1"}};
static const struct labels both = {both_items, 2};

/* ---- the words of these conversations ---- */

static int64_t lms_asks(struct queue_fixture *queue, struct labels labels, uint32_t priority)
{
    struct submit_order order = submission_of("demo", "x");
    struct submit_receipt receipt = {0};
    order.content.labels = labels;
    order.priority = priority;
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);
    return receipt.submission_id;
}

static void grader_offers(struct queue_fixture *queue, struct scripted_grader *grader, const char *name, struct labels labels)
{
    static char demo[] = "demo";
    char *const queues[] = {demo};
    const struct work_hello hello = {
        .grader = name, .instance = "1", .queues = queues, .queue_count = 1, .slots = 1000, .labels = labels};
    assert_int_equal(grader_tries_hello(queue, grader, &hello, NULL), STATUS_OK);
}

static void grader_waits(struct queue_fixture *queue, struct scripted_grader *grader, const char *name, struct labels labels)
{
    grader_offers(queue, grader, name, labels);
    grader_gives_credit(queue, grader, 1);
}

static int64_t granted(struct scripted_grader *grader)
{
    return grader_hears(grader, GRADER_NOTICE_GRANT).lease.id;
}

/* 0: nothing. */
static int64_t poller_gets(struct queue_fixture *queue, struct labels labels)
{
    struct grant grant = {0};
    size_t count = 0;
    const struct lease_order order = {.grader = "poller", .max = 1, .labels = labels};
    turn_begins(queue);
    assert_int_equal(grading_lease(queue->queues, queues_find(queue->queues, "demo"), &order, &grant, &count), STATUS_OK);
    turn_ends(queue);
    int64_t id = count > 0 ? grant.submission_id : 0;
    grant_finish(&grant);
    return id;
}

static bool somebody_can_grade(struct queue_fixture *queue, int64_t id)
{
    struct store_submission row = submission_now(queue, id);
    turn_begins(queue);
    bool can = graders_can_take(queue->queues, &row);
    turn_ends(queue);
    return can;
}

/* ---- the tests ---- */

static void a_submission_goes_to_a_grader_that_has_its_labels(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader plain;
    struct scripted_grader with_gpu;
    struct scripted_grader with_both;
    grader_waits(queue, &plain, "plain", nothing);
    grader_waits(queue, &with_gpu, "gpu", gpu);
    grader_waits(queue, &with_both, "both", both);

    int64_t wants_both = lms_asks(queue, both, 0);
    int64_t wants_gpu = lms_asks(queue, gpu, 0);
    int64_t wants_arm = lms_asks(queue, arm, 0);
    int64_t wants_nothing = lms_asks(queue, nothing, 0);

    assert_int_equal(granted(&with_both), wants_both);
    assert_int_equal(granted(&with_gpu), wants_gpu);
    assert_int_equal(granted(&plain), wants_nothing);
    assert_int_equal(state_of(queue, wants_arm), SUBMISSION_READY);
    grader_gives_credit(queue, &with_gpu, 1);
    grader_hears_nothing(&with_gpu);
    grader_gives_credit(queue, &with_both, 1);
    assert_int_equal(granted(&with_both), wants_arm);
}

static void a_poller_gets_what_its_labels_are_good_for(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t wants_gpu = lms_asks(queue, gpu, 0);
    int64_t wants_nothing = lms_asks(queue, nothing, 0);

    assert_int_equal(poller_gets(queue, arm), wants_nothing);
    assert_int_equal(poller_gets(queue, nothing), 0);
    assert_int_equal(poller_gets(queue, both), wants_gpu);
    assert_int_equal(poller_gets(queue, both), 0);
}

static void the_ready_order_holds_over_all_that_a_grader_can_take(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t first = lms_asks(queue, gpu, ORDER_PRIORITY_NORMAL);
    int64_t second = lms_asks(queue, nothing, ORDER_PRIORITY_NORMAL);
    int64_t low = lms_asks(queue, nothing, ORDER_PRIORITY_LOW);
    int64_t third = lms_asks(queue, arm, ORDER_PRIORITY_NORMAL);
    int64_t high = lms_asks(queue, gpu, ORDER_PRIORITY_HIGH);
    int64_t last = lms_asks(queue, both, ORDER_PRIORITY_LOW);
    const int64_t order[] = {high, first, second, third, low, last, 0};

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        assert_int_equal(poller_gets(queue, both), order[i]);
}

/* Neither those that nobody can take nor the graders that can take nothing keep the others from each other. */
static void nobody_is_held_up_by_what_he_cannot_take(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader graders[8];
    for (int i = 0; i < MANY; i++)
        lms_asks(queue, gpu, ORDER_PRIORITY_HIGH);
    for (size_t i = 0; i < 7; i++) {
        char name[16];
        snprintf(name, sizeof name, "plain %zu", i);
        grader_waits(queue, &graders[i], name, nothing);
    }
    grader_waits(queue, &graders[7], "arm", arm);

    int64_t wants_arm = lms_asks(queue, arm, ORDER_PRIORITY_LOW);
    int64_t wants_nothing = lms_asks(queue, nothing, ORDER_PRIORITY_LOW);

    assert_int_equal(granted(&graders[7]), wants_arm);
    assert_int_equal(granted(&graders[0]), wants_nothing);
    for (size_t i = 1; i < 7; i++) {
        grader_hears_nothing(&graders[i]);
        int64_t next = lms_asks(queue, nothing, ORDER_PRIORITY_NORMAL);
        assert_int_equal(granted(&graders[i]), next); /* in the order in which they came */
    }
    queue_fixture_check(queue);
}

static void a_grader_that_comes_later_gets_what_waited_for_it(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader plain;
    struct scripted_grader with_gpu;
    int64_t id = lms_asks(queue, gpu, 0);
    grader_waits(queue, &plain, "plain", nothing);

    grader_waits(queue, &with_gpu, "gpu", gpu);

    assert_int_equal(granted(&with_gpu), id);
    grader_hears_nothing(&plain);
}

/* Parked calls are run again only when there is something for them. */
static void a_parked_poll_is_woken_by_what_it_can_take(void **state)
{
    struct queue_fixture *queue = *state;
    struct queue *demo = queues_find(queue->queues, "demo");
    struct engine_command polls[3] = {{.offered = &nothing}, {.offered = &gpu}, {.offered = &both}};
    lms_asks(queue, arm, 0);
    lms_asks(queue, gpu, 0);
    turn_begins(queue);
    for (size_t i = 0; i < 3; i++)
        queues_park(queue->queues, &polls[i], &demo->polls, queue->now_ms + 1000);

    queues_tick(queue->queues);

    assert_non_null(polls[0].park);
    assert_null(polls[1].park);
    assert_null(polls[2].park);
    assert_int_equal(queue->queues->unparked.count, 2);
    queues_unpark(queue->queues, &polls[0]);
    list_init(&queue->queues->unparked);
    turn_ends(queue);
}

static void labels_hold_after_a_retry_a_restart_and_a_rollback(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader with_gpu;
    int64_t id = lms_asks(queue, gpu, 0);
    grader_waits(queue, &with_gpu, "gpu", gpu);
    assert_int_equal(grader_fails(queue, grader_takes(queue, &with_gpu), NULL), STATUS_OK);
    grader_vanishes(queue, &with_gpu);

    queue_fixture_restart(queue);
    queue_fixture_check(queue);
    clock_advances(queue, 3600000);
    assert_int_equal(state_of(queue, id), SUBMISSION_READY);
    assert_int_equal(poller_gets(queue, arm), 0);
    turn_begins(queue);
    lms_asks(queue, both, 0);
    turn_fails(queue);
    queue_fixture_check(queue);

    assert_int_equal(poller_gets(queue, nothing), 0);
    assert_int_equal(poller_gets(queue, both), id);
    assert_int_equal(poller_gets(queue, both), 0);
}

static void sets_of_labels_are_counted_until_the_last_live_one_is_over(void **state)
{
    struct queue_fixture *queue = *state;
    const struct label_sets *sets = &queues_find(queue->queues, "demo")->label_sets;
    lms_asks(queue, gpu, 0);
    lms_asks(queue, gpu, 0);
    assert_int_equal(label_sets_count(sets), 1);
    struct scripted_grader with_gpu;
    grader_offers(queue, &with_gpu, "gpu", gpu);
    grader_gives_credit(queue, &with_gpu, 2);
    struct lease one = grader_takes(queue, &with_gpu);
    struct lease two = grader_takes(queue, &with_gpu);

    assert_int_equal(grader_completes(queue, one, "x"), STATUS_OK);
    assert_int_equal(label_sets_count(sets), 1);
    queue_fixture_check(queue);
    assert_int_equal(grader_completes(queue, two, "x"), STATUS_OK);

    assert_int_equal(label_sets_count(sets), 0);
    queue_fixture_check(queue);
}

static void more_different_sets_than_a_queue_keeps_are_refused_for_a_while(void **state)
{
    struct queue_fixture *queue = *state;
    char value[16];
    struct label items[] = {{"version", value}};
    const struct labels labels = {items, 1};
    struct submit_order order = submission_of("demo", "x");
    struct submit_receipt receipt = {0};
    order.content.labels = labels;
    for (int i = 0; i < LABEL_SETS_PER_QUEUE_MAX; i++) {
        snprintf(value, sizeof value, "%d", i);
        lms_asks(queue, labels, 0);
    }

    lms_asks(queue, labels, 0); /* known */
    snprintf(value, sizeof value, "one more");
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_FULL);
    assert_string_equal(queue->error.reason, "LABEL_SETS_FULL");
    assert_int_equal(queue->error.retry_after_ms, LABEL_SETS_FULL_RETRY_MS);
    lms_asks(queue, nothing, 0);
    queue_fixture_restart(queue);
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_FULL);
    snprintf(value, sizeof value, "7");
    assert_true(poller_gets(queue, labels) > 0); /* the one without labels, or number 7: the older is 7 */
    queue_fixture_check(queue);
}

static void whether_anybody_can_grade_follows_who_is_connected(void **state)
{
    struct queue_fixture *queue = *state;
    struct scripted_grader plain;
    struct scripted_grader with_gpu;
    int64_t id = lms_asks(queue, gpu, 0);
    int64_t wants_nothing = lms_asks(queue, nothing, 0);
    assert_false(somebody_can_grade(queue, id));
    assert_false(somebody_can_grade(queue, wants_nothing));

    grader_offers(queue, &plain, "plain", nothing);
    assert_false(somebody_can_grade(queue, id));
    assert_true(somebody_can_grade(queue, wants_nothing));
    grader_offers(queue, &with_gpu, "gpu", gpu); /* no credit: busy, but here */
    assert_true(somebody_can_grade(queue, id));
    grader_vanishes(queue, &with_gpu);
    assert_false(somebody_can_grade(queue, id));
}

static void a_poller_counts_for_five_minutes(void **state)
{
    struct queue_fixture *queue = *state;
    int64_t id = lms_asks(queue, both, 0);

    assert_int_equal(poller_gets(queue, gpu), 0);
    assert_false(somebody_can_grade(queue, id));
    turn_begins(queue);
    recent_pollers_note(&queues_find(queue->queues, "demo")->pollers, &both, queue->now_ms);
    turn_ends(queue);

    clock_advances(queue, RECENT_POLLERS_MS - 1);
    assert_true(somebody_can_grade(queue, id));
    clock_advances(queue, 1);
    assert_false(somebody_can_grade(queue, id));
}

static void pollers_with_ever_other_labels_are_not_all_remembered(void **state)
{
    (void)state;
    struct recent_pollers pollers;
    char value[16];
    struct label items[] = {{"version", value}};
    const struct labels labels = {items, 1};
    recent_pollers_init(&pollers);
    for (int i = 0; i < 3 * RECENT_POLLERS_MAX; i++) {
        snprintf(value, sizeof value, "%d", i);
        recent_pollers_note(&pollers, &labels, 1000 + i);
    }

    assert_int_equal(pollers.items.count, RECENT_POLLERS_MAX);
    assert_true(recent_pollers_cover(&pollers, &labels, 2000));
    snprintf(value, sizeof value, "0");
    assert_false(recent_pollers_cover(&pollers, &labels, 2000));
    recent_pollers_finish(&pollers);
}

static int set_up(void **state)
{
    *state = queue_fixture_create("queues:\n  demo: {lease_ms: 60000, attempts_max: 3, retry_delay_ms: 5000}\n");
    return 0;
}

static int tear_down(void **state)
{
    queue_fixture_destroy(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(a_submission_goes_to_a_grader_that_has_its_labels),
        TEST(a_poller_gets_what_its_labels_are_good_for),
        TEST(the_ready_order_holds_over_all_that_a_grader_can_take),
        TEST(nobody_is_held_up_by_what_he_cannot_take),
        TEST(a_grader_that_comes_later_gets_what_waited_for_it),
        TEST(a_parked_poll_is_woken_by_what_it_can_take),
        TEST(labels_hold_after_a_retry_a_restart_and_a_rollback),
        TEST(sets_of_labels_are_counted_until_the_last_live_one_is_over),
        TEST(more_different_sets_than_a_queue_keeps_are_refused_for_a_while),
        TEST(whether_anybody_can_grade_follows_who_is_connected),
        TEST(a_poller_counts_for_five_minutes),
        cmocka_unit_test(pollers_with_ever_other_labels_are_not_all_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
