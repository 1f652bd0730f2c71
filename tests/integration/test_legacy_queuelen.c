/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* get_queuelen/: names of queues, and what counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/legacy_talk.h"

#define LENGTH   "/xqueue/get_queuelen/"
#define IS(n_)   "{\"return_code\": 0, \"content\": " #n_ "}"
#define NAMES    LEGACY_BAD("Valid queue names are: " LEGACY_QUEUES)
#define NO_NAME  LEGACY_BAD("'get_queuelen' must provide parameter 'queue_name'")
#define STATE(n) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##n

static void the_name_of_the_queue_comes_from_the_query(void **state)
{
    static const struct legacy_row rows[] = {
        {.target = LENGTH, .reply = NO_NAME},
        {.target = LENGTH "?", .reply = NO_NAME},
        {.target = LENGTH "?queue=calm", .reply = NO_NAME},
        {.target = LENGTH "?QUEUE_NAME=calm", .reply = NO_NAME},
        {.target = LENGTH "?a;queue_name=calm", .reply = NO_NAME},
        {.target = LENGTH "?queue_name=calm", .reply = IS(0)},
        {.target = LENGTH "?x=1&queue_name=calm&y", .reply = IS(0)},
        {.target = LENGTH "?queue%5Fname=%63alm", .reply = IS(0)},
        {.target = LENGTH "?queue_name=nope&queue_name=calm", .reply = IS(0)},
        {.target = LENGTH "?queue_name=b%20queue's", .reply = IS(0)},
        {.target = LENGTH "?queue_name=b+queue%27s", .reply = IS(0)},
        {.target = LENGTH "?queue_name=a/b%26c=d%2Be", .reply = IS(0)},
        {.target = LENGTH "?queue_name=%c3%bcn%c3%afcode", .reply = IS(0)},
        {.target = LENGTH "?queue_name=\xc3\xbcn\xc3\xaf"
                          "code",
         .reply = IS(0)},
        {.target = LENGTH "?queue_name=%FCn%EFcode", .extra = "Content-Type: text/plain; charset=latin-1\r\n", .reply = IS(0)},
        {.target = LENGTH "?queue_name=[1,%20'a']", .reply = IS(0)},
        {.target = LENGTH "?queue_name=5", .reply = IS(0)},
    };

    LEGACY_CHECK((struct legacy_world *)*state, rows);
}

static void an_unknown_queue_is_answered_with_all_names_in_their_order(void **state)
{
    static const struct legacy_row rows[] = {
        {.target = LENGTH "?queue_name=nope", .reply = NAMES},
        {.target = LENGTH "?queue_name=", .reply = NAMES},
        {.target = LENGTH "?queue_name", .reply = NAMES},
        {.target = LENGTH "?queue_name=calm&queue_name=nope", .reply = NAMES},
        {.target = LENGTH "?queue_name=Calm", .reply = NAMES},
        {.target = LENGTH "?queue_name=calm%20", .reply = NAMES},
        {.target = LENGTH "?queue_name=calm%00", .reply = NAMES},
        {.target = LENGTH "?queue_name=%FCn%EFcode", .reply = NAMES},
    };

    LEGACY_CHECK((struct legacy_world *)*state, rows);
}

static void what_can_be_pulled_counts_and_what_is_leased_does_not(void **state)
{
    struct legacy_world *world = *state;
    struct legacy_pulled first;
    struct legacy_pulled second;

    legacy_submit(world, "\"turn\"", "/1", "1", 1);
    legacy_submit(world, "\"turn\"", "/2", "2", 2);
    assert_int_equal(legacy_length(world, "turn"), 2);
    assert_true(legacy_pull(world, "turn", &first));
    assert_int_equal(legacy_length(world, "turn"), 1);
    legacy_submit(world, "\"turn\"", "/3", "3", 2);
    assert_true(core_await_state(world->talk->admin, first.id, STATE(READY)));
    assert_int_equal(legacy_length(world, "turn"), 3);

    legacy_put_pulled(world, &first, "late"); // takes it out again
    legacy_expect(world, "late", 200, LEGACY_GOOD(""));
    assert_int_equal(legacy_length(world, "turn"), 2);
    assert_true(legacy_pull(world, "turn", &second));
    legacy_put_pulled(world, &second, "r");
    assert_int_equal(legacy_length(world, "turn"), 1);
    legacy_pulled_finish(&first);
    legacy_pulled_finish(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_of_the_queue_comes_from_the_query),
        cmocka_unit_test(an_unknown_queue_is_answered_with_all_names_in_their_order),
        cmocka_unit_test(what_can_be_pulled_counts_and_what_is_leased_does_not),
    };
    return cmocka_run_group_tests(tests, legacy_set_up, legacy_tear_down);
}
