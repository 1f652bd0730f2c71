/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * A submitter's own submissions, page after page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "service/listing.h"
#include "tests/support/queue_fixture.h"

enum { TEXT_MAX = 1000 };

static int set_up(void **state)
{
    *state = queue_fixture_create("queues:\n  demo: {}\n  other: {}\n");
    return 0;
}

static int tear_down(void **state)
{
    queue_fixture_check(*state);
    queue_fixture_destroy(*state);
    return 0;
}

static struct listing_order all_of(const char *submitter)
{
    return (struct listing_order){.submitter = submitter,
                                  .queue = "",
                                  .states = SELECTION_ALL_STATES,
                                  .before_id = INT64_MAX,
                                  .page_size = LISTING_PAGE_DEFAULT};
}

static enum status lists(struct queue_fixture *queue, const struct listing_order *order, struct listing *out_listing)
{
    turn_begins(queue);
    enum status status = listing_read(queue->queues, order, out_listing, &queue->error);
    turn_ends(queue);
    return status;
}

/* The ids of all pages, newest first, with a bar between pages. */
static void assert_pages(struct queue_fixture *queue, struct listing_order order, const char *expected)
{
    struct text text;
    struct listing page = {.next_before_id = order.before_id};
    text_init(&text, TEXT_MAX);
    while (page.next_before_id > 0) {
        order.before_id = page.next_before_id;
        assert_int_equal(lists(queue, &order, &page), STATUS_OK);
        for (size_t i = 0; i < page.count; i++) {
            text_append_format(&text, "%lld ", (long long)page.items[i].row.id);
        }
        int64_t next_before_id = page.next_before_id;
        listing_finish(&page);
        page.next_before_id = next_before_id;
        text_append_format(&text, "|");
    }
    assert_string_equal(text.bytes, expected);
    text_finish(&text);
}

static int64_t submits_as(struct queue_fixture *queue, const char *user, const char *name)
{
    struct submit_order order = submission_of(name, "x");
    struct submit_receipt receipt = {0};
    order.request.submitter = user;
    assert_int_equal(lms_tries(queue, &order, &receipt), STATUS_OK);
    return receipt.submission_id;
}

static void the_newest_comes_first_and_others_do_not_show(void **state)
{
    struct queue_fixture *queue = *state;
    submits_as(queue, "a", "demo");  /* 1 */
    submits_as(queue, "b", "demo");  /* 2 */
    submits_as(queue, "a", "other"); /* 3 */
    submits_as(queue, "aa", "demo"); /* 4 */
    submits_as(queue, "a", "demo");  /* 5 */

    assert_pages(queue, all_of("a"), "5 3 1 |");
    assert_pages(queue, all_of("b"), "2 |");
    assert_pages(queue, all_of("nobody"), "|");
}

static void pages_go_on_where_the_one_before_ended_whatever_comes_meanwhile(void **state)
{
    struct queue_fixture *queue = *state;
    struct listing_order order = all_of("a");
    struct listing page = {0};
    for (int i = 0; i < 5; i++) {
        submits_as(queue, "a", "demo");
    }
    order.page_size = 2;
    assert_int_equal(lists(queue, &order, &page), STATUS_OK);
    assert_int_equal(page.count, 2);
    assert_int_equal(page.items[1].row.id, 4);
    order.before_id = page.next_before_id;
    listing_finish(&page);

    submits_as(queue, "a", "demo");

    assert_pages(queue, order, "3 2 |1 |");
    order.before_id = INT64_MAX;
    assert_pages(queue, order, "6 5 |4 3 |2 1 ||"); /* that a full page was the last one shows the next */
}

static void queue_and_states_filter(void **state)
{
    struct queue_fixture *queue = *state;
    struct listing_order order = all_of("a");
    submits_as(queue, "a", "demo");
    submits_as(queue, "a", "other");
    submits_as(queue, "a", "demo");
    assert_int_equal(grader_completes(queue, poller_leases(queue, "g", 0), "right"), STATUS_OK);

    order.queue = "demo";
    assert_pages(queue, order, "3 1 |");
    order.states = 1U << SUBMISSION_GRADED;
    assert_pages(queue, order, "1 |");
    order.queue = "";
    order.states = 1U << SUBMISSION_READY | 1U << SUBMISSION_GRADED;
    assert_pages(queue, order, "3 2 1 |");
    order.states = 1U << SUBMISSION_DEAD;
    assert_pages(queue, order, "|");

    struct listing none = {0};
    order.queue = "none";
    assert_int_equal(lists(queue, &order, &none), STATUS_NOT_FOUND);
    assert_string_equal(queue->error.reason, "QUEUE_NOT_FOUND");
}

static void an_item_shows_the_delivery_and_the_queue(void **state)
{
    struct queue_fixture *queue = *state;
    struct listing page = {0};
    struct listing_order order = all_of("lms");
    lms_submits(queue, "demo", "x");
    assert_int_equal(grader_completes(queue, poller_leases(queue, "g", 0), "right"), STATUS_OK);

    assert_int_equal(lists(queue, &order, &page), STATUS_OK);

    assert_int_equal(page.count, 1);
    assert_string_equal(page.items[0].queue, "demo");
    assert_true(page.items[0].has_delivery);
    assert_int_equal(page.items[0].delivery.state, DELIVERY_PENDING);
    listing_finish(&page);
}

/* A filter that leaves out everything ends a page, not the list. */
static void a_page_ends_early_rather_than_hold_others_up(void **state)
{
    struct queue_fixture *queue = *state;
    struct listing_order order = all_of("a");
    int64_t wanted = submits_as(queue, "a", "other");
    turn_begins(queue);
    for (int i = 0; i < LISTING_ROWS_MAX + 5; i++) {
        submits_as(queue, "a", "demo");
    }
    turn_ends(queue);
    order.queue = "other";
    int64_t found = 0;
    int pages = 0;
    for (; found == 0; pages++) {
        struct listing page = {0};
        assert_int_equal(lists(queue, &order, &page), STATUS_OK);
        assert_true(page.count == 1 || page.next_before_id > 0);
        assert_true(page.next_before_id < order.before_id); /* it gets on */
        found = page.count == 1 ? page.items[0].row.id : 0;
        order.before_id = page.next_before_id;
        listing_finish(&page);
    }

    assert_true(pages >= 2);
    assert_int_equal(found, wanted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_newest_comes_first_and_others_do_not_show),
        TEST(pages_go_on_where_the_one_before_ended_whatever_comes_meanwhile),
        TEST(queue_and_states_filter),
        TEST(an_item_shows_the_delivery_and_the_queue),
        TEST(a_page_ends_early_rather_than_hold_others_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
