/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Who is granted what, and when: fairness, priorities, labels, times and rates, with the real programs. */
#include <xqueue/v1/admin.pb-c.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/conversation.h"

#define STATE(name_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_
#define LOST(name_)  XQUEUE__V1__LOST_REASON__LOST_REASON_##name_
#define SAYS(kind_)  XQUEUE__V1__SERVER_MESSAGE__KIND_##kind_

enum { HIGH = 1, LOW = 2, GREEDY = 400, SOON_MS = 400 };

/* ---- the words of these conversations ---- */

static uint64_t submits(struct conversation *talk, const struct core_submission *submission)
{
    uint64_t id = 0;
    struct error error = {0};
    if (core_submit(talk->student, submission, &id, &error) != STATUS_OK) {
        fail_msg("%s: %s", error.reason, error.text);
    }
    return id;
}

static uint64_t student_asks_for(struct conversation *talk, const char *label, const char *value)
{
    return submits(talk, &(struct core_submission){.queue = "calm", .body = "b", .label = {label, value}});
}

static struct scripted_grader *grader_offers(struct conversation *talk, const char *name, const char *label, const char *value)
{
    struct scripted_grader *grader = scripted_grader_open(talk->service.core, "grader");
    const struct scripted_hello hello = {.grader = name, .queue = "calm", .label = {label, value}};
    assert_true(scripted_grader_start(grader, &hello, 100));
    return grader;
}

/* All that has been said to the grader so far contains no grant. */
static void grader_is_granted_nothing(struct scripted_grader *grader)
{
    assert_true(scripted_grader_ping(grader));
    assert_false(scripted_grader_has(grader, SAYS(GRANT)));
}

/* 0: nothing. */
static uint64_t poller_gets(struct core_caller *poller, const char *label, const char *value)
{
    struct core_lease lease = {0};
    const struct core_lease_question question = {.queue = "calm", .grader = "p", .label = {label, value}};
    assert_int_equal(core_ask_lease(poller, &question, &lease), STATUS_OK);
    return lease.id;
}

static uint64_t nobody_can_grade(struct conversation *talk)
{
    Xqueue__V1__GetStatisticsRequest request = XQUEUE__V1__GET_STATISTICS_REQUEST__INIT;
    static char calm[] = "calm";
    struct rpc_message *reply = NULL;
    const struct core_question question = {"/xqueue.v1.Admin/GetStatistics", &xqueue__v1__statistics__descriptor,
                                           &request.base};
    request.queue = calm;
    assert_int_equal(core_caller_ask(talk->admin, &question, &reply, NULL), STATUS_OK);
    const Xqueue__V1__Statistics *statistics = (const Xqueue__V1__Statistics *)(const void *)rpc_message_body(reply);
    assert_int_equal(statistics->n_queues, 1);
    const uint64_t count = statistics->queues[0]->nobody_can_grade_count;
    rpc_message_free(reply);
    return count;
}

/* The one label of the only grader that is connected, as administrators see it. */
static void admin_sees_label(struct conversation *talk, const char *name, const char *value)
{
    Xqueue__V1__ListGradersRequest request = XQUEUE__V1__LIST_GRADERS_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    const struct core_question question = {"/xqueue.v1.Admin/ListGraders", &xqueue__v1__list_graders_response__descriptor,
                                           &request.base};
    assert_int_equal(core_caller_ask(talk->admin, &question, &reply, NULL), STATUS_OK);
    const Xqueue__V1__ListGradersResponse *list =
        (const Xqueue__V1__ListGradersResponse *)(const void *)rpc_message_body(reply);
    assert_int_equal(list->n_graders, 1);
    assert_int_equal(list->graders[0]->n_labels, 1);
    assert_string_equal(list->graders[0]->labels[0]->key, name);
    assert_string_equal(list->graders[0]->labels[0]->value, value);
    rpc_message_free(reply);
}

/* ---- fairness and priorities ---- */

static void a_greedy_student_hardly_delays_another(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    struct core_lease lease = {0};
    int before = 0;
    for (int i = 0; i < GREEDY; i++) {
        submits(talk, &(struct core_submission){.queue = "calm", .body = "greedy", .fairness_key = "greedy"});
    }
    const uint64_t id = submits(talk, &(struct core_submission){.queue = "calm", .body = "ann", .fairness_key = "ann"});

    for (; lease.id != id; before++) {
        assert_int_equal(core_take_lease(poller, "calm", "p", 0, &lease), STATUS_OK);
        assert_true(lease.id != 0);
    }

    assert_true(before <= 40); // what one student may have of some minutes, should the machine have been that slow
    core_caller_close(poller);
}

static void a_class_comes_before_the_next_by_every_way(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    struct rest_client legacy;
    struct rest_pulled pulled;
    uint64_t ids[6];
    static const uint32_t classes[6] = {LOW, 0, HIGH, HIGH, 0, HIGH};
    rest_client_init(&legacy, talk->service.rest_port, "grader");
    for (size_t i = 0; i < 6; i++) {
        char body[16];
        (void)snprintf(body, sizeof(body), "body %zu", i);
        ids[i] = submits(talk, &(struct core_submission){.queue = "calm", .body = body, .priority = classes[i]});
    }

    assert_int_equal(poller_gets(poller, NULL, NULL), ids[2]);
    assert_true(rest_client_pull(&legacy, "calm", &pulled));
    assert_string_equal(pulled.body, "body 3");
    rest_pulled_finish(&pulled);
    struct scripted_grader *grader = grader_connects(talk, "s", "calm", 2);
    assert_int_equal(grader_receives(grader).id, ids[5]);
    assert_int_equal(grader_receives(grader).id, ids[1]);
    assert_true(rest_client_pull(&legacy, "calm", &pulled));
    assert_string_equal(pulled.body, "body 4");
    rest_pulled_finish(&pulled);
    assert_int_equal(poller_gets(poller, NULL, NULL), ids[0]);

    rest_client_finish(&legacy);
    scripted_grader_close(grader);
    core_caller_close(poller);
}

/* ---- labels ---- */

static void a_submission_waits_for_a_grader_that_has_its_labels(void **state)
{
    struct conversation *talk = *state;
    struct rest_client legacy;
    struct rest_pulled pulled;
    rest_client_init(&legacy, talk->service.rest_port, "grader");
    struct scripted_grader *plain = grader_connects(talk, "plain", "calm", 100);
    struct scripted_grader *old_gpu = grader_offers(talk, "old", "gpu", "1");

    const uint64_t id = student_asks_for(talk, "gpu", "2");
    const uint64_t for_old = student_asks_for(talk, "gpu", "1");

    assert_int_equal(grader_receives(old_gpu).id, for_old);
    grader_is_granted_nothing(old_gpu);
    grader_is_granted_nothing(plain);
    assert_false(rest_client_pull(&legacy, "calm", &pulled));
    assert_int_equal(admin_sees(talk, id).state, STATE(READY));
    assert_int_equal(nobody_can_grade(talk), 1);
    struct scripted_grader *gpu = grader_offers(talk, "gpu", "gpu", "2");
    assert_int_equal(grader_receives(gpu).id, id);
    assert_int_equal(nobody_can_grade(talk), 0);

    rest_client_finish(&legacy);
    scripted_grader_close(gpu);
    scripted_grader_close(old_gpu);
    scripted_grader_close(plain);
}

static void an_administrator_sees_what_a_grader_can_do(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_offers(talk, "g", "gpu", "2");
    admin_sees_label(talk, "gpu", "2");
    scripted_grader_close(grader);
}

static void a_poller_says_what_it_can_do(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    const uint64_t id = student_asks_for(talk, "gpu", "2");
    assert_int_equal(nobody_can_grade(talk), 1);

    assert_int_equal(poller_gets(poller, NULL, NULL), 0);
    assert_int_equal(poller_gets(poller, "gpu", "1"), 0);
    assert_int_equal(nobody_can_grade(talk), 1);
    assert_int_equal(poller_gets(poller, "gpu", "2"), id);
    const uint64_t next = student_asks_for(talk, "gpu", "2");
    assert_int_equal(nobody_can_grade(talk), 0); // it will come again
    const uint64_t other = student_asks_for(talk, "gpu", "3");
    assert_int_equal(nobody_can_grade(talk), 1);
    assert_int_equal(poller_gets(poller, "gpu", "3"), other);
    assert_int_equal(poller_gets(poller, "gpu", "2"), next);
    core_caller_close(poller);
}

struct waiting_poller {
    struct core_caller *caller;
    struct core_lease lease;
    enum status status;
};

static void *wait_for_lease(void *argument)
{
    struct waiting_poller *poller = argument;
    const struct core_lease_question question = {
        .queue = "calm", .grader = "p", .label = {"gpu", "2"}, .wait_ms = CONVERSATION_PATIENCE_MS / 2};
    poller->status = core_ask_lease(poller->caller, &question, &poller->lease);
    return NULL;
}

/* A long poll is ended by what it can take, and not by anything else. */
static void a_waiting_poller_gets_what_it_can_take(void **state)
{
    struct conversation *talk = *state;
    struct waiting_poller poller = {.caller = core_caller_open(talk->service.core, "grader")};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_for_lease, &poller), 0);
    for (int i = 0; i < 50; i++) {
        student_asks_for(talk, "gpu", "1");
    }

    const uint64_t id = student_asks_for(talk, "gpu", "2");

    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(poller.status, STATUS_OK);
    assert_int_equal(poller.lease.id, id);
    core_caller_close(poller.caller);
}

static void a_label_that_is_named_twice_is_refused(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    struct error error;
    struct core_lease lease = {0};
    const struct core_submission twice = {.queue = "calm", .label = {"a", "1"}, .second_label = {"a", "2"}};
    const struct core_lease_question question = {.queue = "calm", .grader = "p", .label = {"", "1"}};

    assert_int_equal(core_submit(talk->student, &twice, NULL, &error), STATUS_INVALID);
    assert_string_equal(error.reason, "SUBMIT_INVALID");
    assert_int_equal(core_ask_lease(poller, &question, &lease), STATUS_INVALID);
    core_caller_close(poller);
}

/* ---- times ---- */

static void times_hold_when_the_service_is_killed(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    const uint64_t delayed = submits(talk, &(struct core_submission){.queue = "calm", .body = "d", .not_before_ms = SOON_MS});
    const uint64_t dying =
        submits(talk, &(struct core_submission){.queue = "calm", .expire_after_ms = SOON_MS, .label = {"x", ""}});
    struct core_lease lease;
    assert_int_equal(admin_sees(talk, delayed).state, STATE(DELAYED));

    running_service_kill_core(&talk->service);
    running_service_start_core(&talk->service);

    assert_true(core_await_state(talk->student, dying, STATE(DEAD)));
    assert_int_equal(core_take_lease(poller, "calm", "p", CONVERSATION_PATIENCE_MS, &lease), STATUS_OK);
    assert_int_equal(lease.id, delayed);
    assert_int_equal(core_complete(poller, &lease, "r", NULL, NULL), STATUS_OK);
    core_caller_close(poller);
}

static void who_holds_what_expires_hears_so_and_its_result_is_delivered_all_the_same(void **state)
{
    struct conversation *talk = *state;
    char url[FAKE_LMS_URL_MAX];
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 1);
    fake_lms_url(talk->lms, "/late", url);
    const uint64_t id = submits(
        talk,
        &(struct core_submission){
            .queue = "calm", .body = "b", .header = "{\"lms_key\": \"k\"}", .callback_url = url, .expire_after_ms = SOON_MS});
    const struct core_lease lease = grader_receives(grader);

    assert_int_equal(scripted_grader_await_lost(grader, &lease), LOST(EXPIRED));
    lms_hears(talk, "/late", 0);
    assert_int_equal(admin_sees(talk, id).state, STATE(DEAD));
    assert_string_equal(admin_sees(talk, id).message, "not graded within the time that its submitter gave it");
    grader_completes(grader, &lease, "late");

    assert_string_equal(lms_hears(talk, "/late", 1)->result, "late");
    scripted_grader_close(grader);
}

/* ---- rates ---- */

static void who_hands_in_too_fast_is_told_to_wait_over_both_interfaces(void **state)
{
    const struct running_service_options options = {.queues = "  slow:\n    submits_per_minute_max: 2\n"};
    struct conversation *talk = conversation_start(&options);
    struct error error;
    char seconds[16];
    const struct core_submission submission = {.queue = "slow", .body = "b"};
    const struct core_submission repeated = {.queue = "slow", .body = "b", .request_id = "r1"};
    struct core_caller *another = core_caller_open(talk->service.core, "everybody");

    (void)state;
    assert_int_equal(core_submit(talk->student, &repeated, NULL, NULL), STATUS_OK);
    assert_int_equal(core_submit(talk->student, &submission, NULL, NULL), STATUS_OK);
    assert_int_equal(core_submit(talk->student, &submission, NULL, &error), STATUS_FULL);
    assert_string_equal(error.reason, "RATE_LIMITED");
    assert_in_range(error.retry_after_ms, 1, 30000);
    assert_int_equal(core_submit(talk->student, &repeated, NULL, NULL), STATUS_OK);
    assert_int_equal(core_submit(another, &submission, NULL, NULL), STATUS_OK);
    const struct rest_submission legacy = {.queue = "slow", .callback_url = "http://127.0.0.1:1/", .body = "b"};
    assert_int_equal(rest_client_submit(&talk->client, &legacy), 503);
    assert_int_equal(talk->client.return_code, 1);
    assert_true(http_answer_header(&talk->client.answer, "Retry-After", 0, seconds, sizeof(seconds)));
    assert_in_range(strtol(seconds, NULL, 10), 1, 30);

    core_caller_close(another);
    assert_true(conversation_finish(talk));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CORE(name_)  cmocka_unit_test_setup_teardown(name_, conversation_set_up_core, conversation_tear_down)
#define WHOLE(name_) cmocka_unit_test_setup_teardown(name_, conversation_set_up, conversation_tear_down)
        CORE(a_greedy_student_hardly_delays_another),
        WHOLE(a_class_comes_before_the_next_by_every_way),
        WHOLE(a_submission_waits_for_a_grader_that_has_its_labels),
        CORE(an_administrator_sees_what_a_grader_can_do),
        CORE(a_poller_says_what_it_can_do),
        CORE(a_waiting_poller_gets_what_it_can_take),
        CORE(a_label_that_is_named_twice_is_refused),
        CORE(times_hold_when_the_service_is_killed),
        WHOLE(who_holds_what_expires_hears_so_and_its_result_is_delivered_all_the_same),
        cmocka_unit_test(who_hands_in_too_fast_is_told_to_wait_over_both_interfaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
