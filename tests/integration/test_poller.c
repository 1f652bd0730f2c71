/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* The legacy poller, which pulls submissions and puts results over REST. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/conversation.h"

#define STATE(name_)    XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_
#define DELIVERY(name_) XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_##name_

struct world {
    struct conversation *talk;
    struct rest_client poller;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    *state = world;
    world->talk = conversation_start(NULL);
    rest_client_init(&world->poller, world->talk->service.rest_port, "grader");
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    rest_client_finish(&world->poller);
    bool is_fine = conversation_finish(world->talk);
    free(world);
    return is_fine ? 0 : -1;
}

static uint64_t id_of(const struct rest_pulled *pulled)
{
    const char *at = strstr(pulled->header, "\"submission_id\": ");

    assert_non_null(at);
    return strtoull(at + strlen("\"submission_id\": "), NULL, 10);
}

static void poller_pulls(struct world *world, const char *queue, struct rest_pulled *out_pulled)
{
    if (!rest_client_pull(&world->poller, queue, out_pulled)) {
        fail_msg("get_submission: HTTP %d, %s", world->poller.answer.status,
                 world->poller.content != NULL ? world->poller.content : "no content");
    }
}

static void a_polled_submission_is_graded_and_delivered(void **state)
{
    struct world *world = *state;
    struct rest_pulled pulled;

    lms_submits(world->talk, "calm", "/polled", "the \"body\"\n\xe2\x82\xac");
    poller_pulls(world, "calm", &pulled);
    assert_string_equal(pulled.body, "the \"body\"\n\xe2\x82\xac");
    assert_string_equal(pulled.files, "{}");
    assert_int_equal(rest_client_put(&world->poller, pulled.header, "{\"score\": 0.5}"), 0);

    assert_string_equal(world->poller.content, "");
    assert_string_equal(lms_hears(world->talk, "/polled", 0)->result, "{\"score\": 0.5}");
    rest_pulled_finish(&pulled);
}

static void the_queue_length_counts_what_can_be_pulled(void **state)
{
    struct world *world = *state;
    struct rest_pulled pulled;

    assert_int_equal(rest_client_queue_length(&world->poller, "calm"), 0);
    lms_submits(world->talk, "calm", "/length/1", "1");
    assert_string_equal(world->talk->client.content, "1");
    lms_submits(world->talk, "calm", "/length/2", "2");
    assert_string_equal(world->talk->client.content, "2");
    assert_int_equal(rest_client_queue_length(&world->poller, "calm"), 2);
    for (int left = 1; left >= 0; left--) {
        poller_pulls(world, "calm", &pulled);
        assert_int_equal(rest_client_queue_length(&world->poller, "calm"), left);
        assert_int_equal(rest_client_put(&world->poller, pulled.header, "r"), 0);
        rest_pulled_finish(&pulled);
    }
}

static void an_empty_an_unknown_and_a_missing_queue_are_told_apart(void **state)
{
    struct world *world = *state;
    struct rest_pulled pulled;

    assert_false(rest_client_pull(&world->poller, "calm", &pulled));
    assert_string_equal(world->poller.content, "Queue 'calm' is empty");
    assert_false(rest_client_pull(&world->poller, "nowhere", &pulled));
    assert_string_equal(world->poller.content, "Queue 'nowhere' not found");
    assert_int_equal(rest_client_get(&world->poller, "/xqueue/get_submission/"), 200);
    assert_string_equal(world->poller.content, "'get_submission' must provide parameter 'queue_name'");
    assert_int_equal(rest_client_queue_length(&world->poller, "nowhere"), -1);
    assert_string_equal(world->poller.content, "Valid queue names are: calm, hasty, small");
}

static void a_wrong_key_and_an_unknown_submission_are_refused(void **state)
{
    struct world *world = *state;
    struct rest_pulled pulled;
    char header[REST_CLIENT_TEXT_MAX];

    lms_submits(world->talk, "calm", "/key", "b");
    poller_pulls(world, "calm", &pulled);
    const uint64_t id = id_of(&pulled);
    (void)snprintf(header, sizeof(header), "{\"submission_id\": %llu, \"submission_key\": \"%032d\"}", (unsigned long long)id,
                   7);
    assert_int_equal(rest_client_put(&world->poller, header, "stolen"), 1);
    assert_string_equal(world->poller.content, "Incorrect key for submission");
    assert_int_equal(rest_client_put(&world->poller, "{\"submission_id\": 99999, \"submission_key\": \"x\"}", "r"), 1);
    assert_string_equal(world->poller.content, "Submission does not exist");
    assert_int_equal(rest_client_put(&world->poller, "not json", "r"), 1);
    assert_string_equal(world->poller.content, "Incorrect reply format");

    assert_int_equal(rest_client_put(&world->poller, pulled.header, "mine"), 0);
    assert_string_equal(lms_hears(world->talk, "/key", 0)->result, "mine");
    rest_pulled_finish(&pulled);
}

static void a_second_result_amends_the_first_and_is_delivered_too(void **state)
{
    struct world *world = *state;
    struct rest_pulled pulled;

    lms_submits(world->talk, "calm", "/amended", "b");
    poller_pulls(world, "calm", &pulled);
    assert_int_equal(rest_client_put(&world->poller, pulled.header, "first"), 0);
    assert_string_equal(lms_hears(world->talk, "/amended", 0)->result, "first");
    assert_int_equal(rest_client_put(&world->poller, pulled.header, "second"), 0);

    assert_string_equal(lms_hears(world->talk, "/amended", 1)->result, "second");
    assert_string_equal(admin_sees(world->talk, id_of(&pulled)).result, "second");
    rest_pulled_finish(&pulled);
}

static void the_same_result_again_is_acknowledged_and_not_delivered_again(void **state)
{
    struct world *world = *state;
    struct rest_pulled pulled;

    lms_submits(world->talk, "calm", "/same", "b");
    poller_pulls(world, "calm", &pulled);
    assert_int_equal(rest_client_put(&world->poller, pulled.header, "r"), 0);
    assert_int_equal(rest_client_put(&world->poller, pulled.header, "r"), 0);

    assert_true(core_await_delivery(world->talk->admin, id_of(&pulled), DELIVERY(DELIVERED)));
    assert_int_equal(fake_lms_count_path(world->talk->lms, "/same"), 1);
    rest_pulled_finish(&pulled);
}

static void a_result_for_a_superseded_submission_is_acknowledged_and_not_sent(void **state)
{
    struct world *world = *state;
    struct rest_pulled old;
    struct rest_pulled new;

    lms_submits(world->talk, "calm", "/again", "old");
    poller_pulls(world, "calm", &old);
    lms_submits(world->talk, "calm", "/again", "new");
    assert_int_equal(rest_client_put(&world->poller, old.header, "for the old one"), 0);
    poller_pulls(world, "calm", &new);
    assert_string_equal(new.body, "new");
    assert_int_equal(rest_client_put(&world->poller, new.header, "for the new one"), 0);

    assert_string_equal(lms_hears(world->talk, "/again", 0)->result, "for the new one");
    assert_true(core_await_delivery(world->talk->admin, id_of(&new), DELIVERY(DELIVERED)));
    assert_int_equal(admin_sees(world->talk, id_of(&old)).state, STATE(SUPERSEDED));
    assert_int_equal(fake_lms_count_path(world->talk->lms, "/again"), 1);
    rest_pulled_finish(&old);
    rest_pulled_finish(&new);
}

static void a_late_result_is_taken_while_nobody_pulled_again(void **state)
{
    struct world *world = *state;
    struct rest_pulled pulled;

    lms_submits(world->talk, "hasty", "/late", "b");
    poller_pulls(world, "hasty", &pulled);
    assert_true(core_await_state(world->talk->admin, id_of(&pulled), STATE(READY))); // a second later
    assert_int_equal(rest_client_put(&world->poller, pulled.header, "late"), 0);

    assert_string_equal(lms_hears(world->talk, "/late", 0)->result, "late");
    rest_pulled_finish(&pulled);
}

static void a_submission_pulled_again_has_a_new_key_and_the_old_one_is_refused(void **state)
{
    struct world *world = *state;
    struct rest_pulled first;
    struct rest_pulled second;

    lms_submits(world->talk, "hasty", "/repulled", "b");
    poller_pulls(world, "hasty", &first);
    assert_true(core_await_state(world->talk->admin, id_of(&first), STATE(READY)));
    poller_pulls(world, "hasty", &second);
    assert_int_equal(id_of(&second), id_of(&first));
    assert_string_not_equal(second.header, first.header);
    assert_int_equal(rest_client_put(&world->poller, first.header, "old"), 1);
    assert_string_equal(world->poller.content, "Incorrect key for submission");
    assert_int_equal(rest_client_put(&world->poller, second.header, "new"), 0);

    assert_string_equal(lms_hears(world->talk, "/repulled", 0)->result, "new");
    rest_pulled_finish(&first);
    rest_pulled_finish(&second);
}

static void a_poller_whose_session_is_gone_logs_in_again_and_goes_on(void **state)
{
    struct world *world = *state;
    struct rest_pulled pulled;

    lms_submits(world->talk, "calm", "/session", "b");
    poller_pulls(world, "calm", &pulled);
    const int before = world->poller.logins;
    assert_int_equal(rest_client_get(&world->poller, "/xqueue/logout/"), 200);
    assert_string_equal(world->poller.content, "Goodbye");
    assert_int_equal(rest_client_put(&world->poller, pulled.header, "r"), 0);

    assert_int_equal(world->poller.logins, before + 1);
    assert_string_equal(lms_hears(world->talk, "/session", 0)->result, "r");
    rest_pulled_finish(&pulled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_polled_submission_is_graded_and_delivered),
        cmocka_unit_test(the_queue_length_counts_what_can_be_pulled),
        cmocka_unit_test(an_empty_an_unknown_and_a_missing_queue_are_told_apart),
        cmocka_unit_test(a_wrong_key_and_an_unknown_submission_are_refused),
        cmocka_unit_test(a_second_result_amends_the_first_and_is_delivered_too),
        cmocka_unit_test(the_same_result_again_is_acknowledged_and_not_delivered_again),
        cmocka_unit_test(a_result_for_a_superseded_submission_is_acknowledged_and_not_sent),
        cmocka_unit_test(a_late_result_is_taken_while_nobody_pulled_again),
        cmocka_unit_test(a_submission_pulled_again_has_a_new_key_and_the_old_one_is_refused),
        cmocka_unit_test(a_poller_whose_session_is_gone_logs_in_again_and_goes_on),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
