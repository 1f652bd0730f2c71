/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Both programs killed at any moment, and started alone, together and in any order: nothing acknowledged is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/conversation.h"
#include "tests/support/load.h"

#define STATE(name_)    XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_
#define DELIVERY(name_) XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_##name_

enum { ROUNDS = 12, GRADINGS_A_ROUND = 40 };

/* The queue is "load": its leases are renewed all the time, and those whose grant a kill swallowed come back soon. */
static const struct running_service_options load_settings = {.service = "  ping_period_ms: 200\n",
                                                             .queues = "  load:\n    lease_ms: 3000\n"};

static struct load *start_load(struct conversation *talk)
{
    const struct load_options options = {.service = &talk->service,
                                         .lms = talk->lms,
                                         .queue = "load",
                                         .lease_ms = 3000,
                                         .rest_students = 2,
                                         .rpc_students = 1,
                                         .graders = 3};

    return load_start(&options);
}

static void kill_round(struct conversation *talk, int round)
{
    const bool kills_core = round % 3 != 1;
    const bool kills_rest = round % 3 != 0;

    if (kills_core) {
        running_service_kill_core(&talk->service);
    }
    if (kills_rest) {
        running_service_kill_rest(&talk->service);
        running_service_start_rest(&talk->service); // also while the core is away
    }
    if (kills_core) {
        running_service_start_core(&talk->service);
    }
}

/* Every submission of the store: graded once, brought to the LMS. Those that nobody acknowledged are among them. */
static void all_have_ended(struct conversation *talk)
{
    struct core_view view;
    uint64_t id = 1;

    while (core_get(talk->admin, id, &view) == STATUS_OK) {
        assert_true(core_await_state(talk->admin, id, STATE(GRADED)));
        assert_true(core_await_delivery(talk->admin, id, DELIVERY(DELIVERED)));
        id++;
    }
    assert_true(id > GRADINGS_A_ROUND);
}

static void what_was_acknowledged_survives_kill_after_kill_under_load(void **state)
{
    struct conversation *talk = conversation_start(&load_settings);
    struct load *load = start_load(talk);

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        assert_true(load_await_gradings(load, GRADINGS_A_ROUND));
        kill_round(talk, round);
    }
    load_stop_students(load);
    const bool all_heard = load_await_all_heard(load);
    all_have_ended(talk);
    const struct load_account account = load_finish(load);
    print_message("%zu submissions acknowledged, %zu submits refused, %zu gradings, %d kills\n", account.acknowledged,
                  account.refused, account.gradings, ROUNDS);

    assert_true(all_heard);
    assert_int_equal(account.breaches, 0);
    assert_true(account.gradings >= account.acknowledged);
    assert_true(conversation_finish(talk));
}

static void the_adapter_may_start_first_and_says_clearly_that_the_core_is_away(void **state)
{
    struct conversation *talk = *state;
    char seconds[REST_CLIENT_TEXT_MAX];
    const struct rest_submission submission = {.queue = "calm", .callback_url = "http://127.0.0.1:1/x", .body = "b"};

    // a session from before: its cookie is the token of the login
    (void)snprintf(talk->client.session, sizeof(talk->client.session), "%s", core_caller_token(talk->student));
    running_service_stop_core(&talk->service);
    running_service_start_rest(&talk->service);
    assert_int_equal(rest_client_submit(&talk->client, &submission), 503);
    assert_int_equal(talk->client.return_code, 1);
    assert_string_equal(talk->client.content, "The queue is temporarily unavailable. Please try again.");
    assert_true(http_answer_header(&talk->client.answer, "Retry-After", 0, seconds, sizeof(seconds)));
    assert_int_equal(rest_client_get(&talk->client, "/xqueue/status/"), 200);
    running_service_start_core(&talk->service);
    assert_true(running_program_await(talk->service.rest, "event=core_back", 1));

    lms_submits(talk, "calm", "/first", "b");
}

static void sessions_of_the_lms_outlive_both_programs(void **state)
{
    struct conversation *talk = *state;

    running_service_start_rest(&talk->service);
    lms_submits(talk, "calm", "/1", "b");
    assert_int_equal(talk->client.logins, 1);
    running_service_kill_core(&talk->service);
    running_service_kill_rest(&talk->service);
    running_service_start_core(&talk->service);
    running_service_start_rest(&talk->service);
    lms_submits(talk, "calm", "/2", "b");

    assert_int_equal(talk->client.logins, 1);
}

#define WITH_CORE(test_) cmocka_unit_test_setup_teardown(test_, conversation_set_up_core, conversation_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CORE(the_adapter_may_start_first_and_says_clearly_that_the_core_is_away),
        WITH_CORE(sessions_of_the_lms_outlive_both_programs),
        cmocka_unit_test(what_was_acknowledged_survives_kill_after_kill_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
