/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* The stream of a grader: greeting, pings, leaving, coming back. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/conversation.h"

#define STATE(name_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_
#define ACK(name_)   XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_##name_
#define LOST(name_)  XQUEUE__V1__LOST_REASON__LOST_REASON_##name_
#define SAYS(name_)  XQUEUE__V1__SERVER_MESSAGE__KIND_##name_

static void stream_ends(struct scripted_grader *grader, enum status expected, const char *reason)
{
    enum status status = STATUS_INTERNAL;
    struct error error = {.reason = ""};

    assert_true(scripted_grader_await_end(grader, &status, &error));
    assert_int_equal(status, expected);
    assert_string_equal(error.reason, reason);
}

/* ---- greeting ---- */

static void the_welcome_tells_the_rules(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = scripted_grader_open(talk->service.core, "grader");
    const struct scripted_hello hello = {.grader = "g", .queue = "calm", .second_queue = "hasty", .slots = 7};

    assert_true(scripted_grader_hello(grader, &hello));
    struct rpc_message *message = scripted_grader_await(grader, SAYS(WELCOME));
    assert_non_null(message);
    const Xqueue__V1__Welcome *welcome = scripted_grader_read(message)->welcome;
    assert_int_equal(welcome->lease_ms, HASTY_LEASE_MS); // the shortest
    assert_int_equal(welcome->leases_max, 7);
    assert_int_equal(welcome->ping_period_ms, 10000);
    assert_true(welcome->session[0] != '\0');

    rpc_message_free(message);
    scripted_grader_close(grader);
}

static void nothing_is_granted_without_credit_and_never_more_than_that(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 0);

    student_submits(talk, "calm", NULL, "1");
    student_submits(talk, "calm", NULL, "2");
    student_submits(talk, "calm", NULL, "3");
    assert_false(scripted_grader_has(grader, SAYS(GRANT)));
    assert_true(scripted_grader_credit(grader, 2));
    const struct core_lease first = grader_receives(grader);
    const struct core_lease second = grader_receives(grader);
    grader_completes(grader, &first, "r");
    grader_completes(grader, &second, "r");
    assert_false(scripted_grader_has(grader, SAYS(GRANT)));
    assert_true(scripted_grader_credit(grader, 1));

    assert_string_equal(first.body, "1");
    assert_string_equal(second.body, "2");
    assert_string_equal(grader_receives(grader).body, "3");
    scripted_grader_close(grader);
}

static void a_stream_that_breaks_the_rules_is_ended(void **state)
{
    struct conversation *talk = *state;
    const struct scripted_hello good = {.grader = "g", .queue = "calm"};
    const struct scripted_hello nameless = {.grader = "", .queue = "calm"};
    const struct scripted_hello twice = {.grader = "g", .queue = "calm", .second_queue = "calm"};
    const struct scripted_hello unknown = {.grader = "g", .queue = "no such queue"};
    const Xqueue__V1__GraderMessage empty = XQUEUE__V1__GRADER_MESSAGE__INIT;
    struct scripted_grader *graders[6];

    for (size_t i = 0; i < 6; i++) {
        graders[i] = scripted_grader_open(talk->service.core, "grader");
    }
    assert_true(scripted_grader_credit(graders[0], 1)); // before Hello
    assert_true(scripted_grader_hello(graders[1], &nameless));
    assert_true(scripted_grader_hello(graders[2], &twice));
    assert_true(scripted_grader_start(graders[3], &good, 1));
    assert_true(scripted_grader_hello(graders[3], &good)); // once more
    assert_true(scripted_grader_say(graders[4], &empty));
    assert_true(scripted_grader_hello(graders[5], &unknown));

    stream_ends(graders[0], STATUS_INVALID, "WORK_INVALID");
    stream_ends(graders[1], STATUS_INVALID, "HELLO_INVALID");
    stream_ends(graders[2], STATUS_INVALID, "HELLO_INVALID");
    stream_ends(graders[3], STATUS_INVALID, "WORK_INVALID");
    stream_ends(graders[4], STATUS_INVALID, "WORK_INVALID");
    stream_ends(graders[5], STATUS_NOT_FOUND, "QUEUE_NOT_FOUND");
    for (size_t i = 0; i < 6; i++) {
        scripted_grader_close(graders[i]);
    }
}

/* ---- leaving ---- */

static void a_draining_grader_gets_nothing_more_and_its_stream_ends_with_its_last_result(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 5);

    student_submits(talk, "calm", NULL, "held");
    const struct core_lease lease = grader_receives(grader);
    assert_true(scripted_grader_drain(grader));
    assert_true(scripted_grader_heartbeat(grader, &lease, 1));
    assert_true(scripted_grader_ping(grader));
    const uint64_t later = student_submits(talk, "calm", NULL, "later");
    grader_completes(grader, &lease, "last words");

    stream_ends(grader, STATUS_OK, "");
    assert_false(scripted_grader_has(grader, SAYS(GRANT)));
    assert_int_equal(admin_sees(talk, later).state, STATE(READY));
    scripted_grader_close(grader);
}

static void a_grader_that_does_not_answer_pings_loses_its_stream_but_not_its_lease(void **state)
{
    const struct running_service_options options = {.service = "  ping_period_ms: 100\n"};
    struct conversation *talk = conversation_start_core(&options);
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 1);

    (void)state;
    const uint64_t id = student_submits(talk, "calm", NULL, "body");
    const struct core_lease lease = grader_receives(grader);
    for (int i = 0; i < 5; i++) { // while it answers them all is well
        struct rpc_message *ping = scripted_grader_await(grader, SAYS(PING));
        assert_non_null(ping);
        rpc_message_free(ping);
    }
    scripted_grader_be_silent(grader);
    stream_ends(grader, STATUS_TIMEOUT, "PING_LOST");

    assert_int_equal(admin_sees(talk, id).state, STATE(LEASED));
    assert_int_equal(core_complete(poller, &lease, "by another way", NULL, NULL), STATUS_OK);
    scripted_grader_close(grader);
    core_caller_close(poller);
    assert_true(conversation_finish(talk));
}

/* ---- coming back ---- */

static void a_grader_that_comes_back_keeps_what_it_holds_and_hears_what_it_lost(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 2);
    struct core_lease held[2];

    student_submits(talk, "calm", NULL, "kept");
    student_submits(talk, "calm", NULL, "lost");
    held[0] = grader_receives(grader);
    held[1] = grader_receives(grader);
    scripted_grader_close(grader); // the connection breaks
    assert_int_equal(core_release(poller, &held[1]), STATUS_OK);
    grader = scripted_grader_open(talk->service.core, "grader");
    const struct scripted_hello hello = {.grader = "g", .queue = "calm", .held = held, .held_count = 2};
    assert_true(scripted_grader_hello(grader, &hello));
    struct rpc_message *message = scripted_grader_await(grader, SAYS(WELCOME));
    assert_non_null(message);
    const Xqueue__V1__Welcome *welcome = scripted_grader_read(message)->welcome;

    assert_int_equal(welcome->n_kept, 1);
    assert_int_equal(welcome->kept[0]->submission_id, held[0].id);
    assert_int_equal(welcome->n_lost, 1);
    assert_int_equal(welcome->lost[0]->lease->submission_id, held[1].id);
    assert_int_equal(welcome->lost[0]->reason, LOST(STALE));
    rpc_message_free(message);
    grader_completes(grader, &held[0], "done after all");
    assert_string_equal(admin_sees(talk, held[0].id).result, "done after all");
    scripted_grader_close(grader);
    core_caller_close(poller);
}

static void a_new_start_of_a_grader_replaces_the_old_one_and_its_leases_go_on_at_once(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *old = grader_connects(talk, "g", "calm", 1);
    struct scripted_grader *new = scripted_grader_open(talk->service.core, "grader");
    const struct scripted_hello hello = {.grader = "g", .queue = "calm", .instance = "2"};

    const uint64_t id = student_submits(talk, "calm", NULL, "body");
    const struct core_lease first = grader_receives(old);
    assert_true(scripted_grader_start(new, &hello, 1));
    stream_ends(old, STATUS_STALE, "SESSION_REPLACED");
    const struct core_lease second = grader_receives(new);
    grader_completes(new, &second, "from the new start");

    assert_int_equal(second.id, id);
    assert_int_equal(second.attempt, first.attempt + 1);
    assert_int_equal(admin_sees(talk, id).failures, 1);
    scripted_grader_close(old);
    scripted_grader_close(new);
}

static void a_grader_that_vanishes_with_leases_is_followed_by_another(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *next = NULL;
    struct scripted_grader *vanishing = grader_connects(talk, "vanishing", "hasty", 2);

    const uint64_t first = student_submits(talk, "hasty", NULL, "1");
    const uint64_t second = student_submits(talk, "hasty", NULL, "2");
    (void)grader_receives(vanishing);
    (void)grader_receives(vanishing);
    scripted_grader_close(vanishing);
    next = grader_connects(talk, "next", "hasty", 2);
    for (int i = 0; i < 2; i++) { // after a second, when the leases have run out
        const struct core_lease lease = grader_receives(next);
        assert_int_equal(lease.attempt, 2);
        grader_completes(next, &lease, "rescued");
    }

    assert_string_equal(admin_sees(talk, first).result, "rescued");
    assert_string_equal(admin_sees(talk, second).result, "rescued");
    scripted_grader_close(next);
}

/* ---- the service leaves ---- */

static void leases_outlive_a_restart_of_the_service(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 1);
    struct core_lease polled;

    student_submits(talk, "calm", NULL, "streamed");
    const struct core_lease streamed = grader_receives(grader);
    student_submits(talk, "calm", NULL, "polled");
    assert_int_equal(core_take_lease(poller, "calm", "p", 0, &polled), STATUS_OK);
    running_service_kill_core(&talk->service);
    enum status status = STATUS_OK;
    assert_true(scripted_grader_await_end(grader, &status, NULL));
    assert_int_equal(status, STATUS_UNAVAILABLE);
    scripted_grader_close(grader);
    running_service_start_core(&talk->service);

    assert_int_equal(core_complete(poller, &polled, "polled", NULL, NULL), STATUS_OK); // also the session outlives it
    grader = scripted_grader_open(talk->service.core, "grader");
    const struct scripted_hello hello = {.grader = "g", .queue = "calm", .held = &streamed, .held_count = 1};
    assert_true(scripted_grader_start(grader, &hello, 1));
    grader_completes(grader, &streamed, "streamed");
    assert_int_equal(admin_sees(talk, streamed.id).attempt, 1);
    scripted_grader_close(grader);
    core_caller_close(poller);
}

static void a_stopping_service_sends_its_graders_away_and_keeps_what_they_hold(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 2);

    student_submits(talk, "calm", NULL, "finished");
    student_submits(talk, "calm", NULL, "unfinished");
    const struct core_lease finished = grader_receives(grader);
    const struct core_lease unfinished = grader_receives(grader);
    grader_completes(grader, &finished, "in time");
    running_program_signal(talk->service.xqueued, SIGTERM);
    struct rpc_message *go_away = scripted_grader_await(grader, SAYS(GO_AWAY));
    assert_non_null(go_away);
    rpc_message_free(go_away);
    stream_ends(grader, STATUS_UNAVAILABLE, "DRAINING");
    running_service_stop_core(&talk->service);
    scripted_grader_close(grader);

    running_service_start_core(&talk->service);
    assert_string_equal(admin_sees(talk, finished.id).result, "in time");
    grader = scripted_grader_open(talk->service.core, "grader");
    const struct scripted_hello hello = {.grader = "g", .queue = "calm", .held = &unfinished, .held_count = 1};
    assert_true(scripted_grader_start(grader, &hello, 1));
    grader_completes(grader, &unfinished, "later");
    assert_int_equal(admin_sees(talk, unfinished.id).attempt, 1);
    scripted_grader_close(grader);
}

#define WITH_CORE(test_) cmocka_unit_test_setup_teardown(test_, conversation_set_up_core, conversation_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CORE(the_welcome_tells_the_rules),
        WITH_CORE(nothing_is_granted_without_credit_and_never_more_than_that),
        WITH_CORE(a_stream_that_breaks_the_rules_is_ended),
        WITH_CORE(a_draining_grader_gets_nothing_more_and_its_stream_ends_with_its_last_result),
        cmocka_unit_test(a_grader_that_does_not_answer_pings_loses_its_stream_but_not_its_lease),
        WITH_CORE(a_grader_that_comes_back_keeps_what_it_holds_and_hears_what_it_lost),
        WITH_CORE(a_new_start_of_a_grader_replaces_the_old_one_and_its_leases_go_on_at_once),
        WITH_CORE(a_grader_that_vanishes_with_leases_is_followed_by_another),
        WITH_CORE(leases_outlive_a_restart_of_the_service),
        WITH_CORE(a_stopping_service_sends_its_graders_away_and_keeps_what_they_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
