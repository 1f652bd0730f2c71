/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* What an LMS does over gRPC beside handing in: it repeats itself, looks through what it has submitted, and takes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/conversation.h"

#define STATE(name_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_
#define ACK(name_)   XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_##name_
#define LOST(name_)  XQUEUE__V1__LOST_REASON__LOST_REASON_##name_

static enum status cancels(struct core_caller *caller, uint64_t id, const char *why, struct error *error)
{
    Xqueue__V1__CancelRequest request = XQUEUE__V1__CANCEL_REQUEST__INIT;
    const struct core_question question = {"/xqueue.v1.Submissions/Cancel", &xqueue__v1__cancel_response__descriptor,
                                           &request.base};
    struct rpc_message *reply = NULL;

    request.submission_id = id;
    request.reason = (char *)(uintptr_t)why;
    const enum status status = core_caller_ask(caller, &question, &reply, error);
    if (status == STATUS_OK) {
        const Xqueue__V1__CancelResponse *response = (const Xqueue__V1__CancelResponse *)(const void *)rpc_message_body(reply);
        assert_int_equal(response->state, STATE(CANCELED));
        rpc_message_free(reply);
    }
    return status;
}

/* ---- Cancel ---- */

static void the_grader_at_work_hears_at_once_that_its_submission_was_taken_back(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g1", "calm", 1);
    const uint64_t id = student_submits(talk, "calm", "/result", "wrong file");
    const struct core_lease lease = grader_receives(grader);

    assert_int_equal(cancels(talk->student, id, "the wrong file", NULL), STATUS_OK);

    assert_int_equal(scripted_grader_await_lost(grader, &lease), LOST(CANCELED));
    assert_int_equal(scripted_grader_complete(grader, &lease, "late"), ACK(STALE));
    const struct core_view view = admin_sees(talk, id);
    assert_int_equal(view.state, STATE(CANCELED));
    assert_string_equal(view.message, "the wrong file");
    assert_string_equal(view.result, "");
    assert_int_equal(view.delivery_state, XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_NONE);

    // The grader goes on.
    assert_true(scripted_grader_credit(grader, 1));
    const uint64_t next = student_submits(talk, "calm", NULL, "right file");
    const struct core_lease second = grader_receives(grader);
    assert_int_equal(second.id, next);
    grader_completes(grader, &second, "right");
    scripted_grader_close(grader);
}

static void a_poller_learns_it_from_its_late_answer(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    const uint64_t id = student_submits(talk, "calm", NULL, "x");
    struct core_lease lease = {.id = 0};
    struct error error = {0};
    assert_int_equal(core_take_lease(poller, "calm", "p", 0, &lease), STATUS_OK);
    assert_int_equal(lease.id, id);

    assert_int_equal(cancels(talk->student, id, "", NULL), STATUS_OK);

    assert_int_equal(core_complete(poller, &lease, "late", NULL, &error), STATUS_STALE);
    assert_string_equal(error.reason, "LEASE_SUPERSEDED");
    core_caller_close(poller);
}

static void canceling_is_idempotent_also_after_a_kill_and_refused_where_it_is_too_late(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = NULL;
    struct error error = {0};
    const uint64_t canceled = student_submits(talk, "calm", NULL, "x");
    assert_int_equal(cancels(talk->student, canceled, "first", NULL), STATUS_OK);
    running_service_kill_core(&talk->service);
    running_service_start_core(&talk->service);

    assert_int_equal(cancels(talk->student, canceled, "second", NULL), STATUS_OK);
    assert_string_equal(admin_sees(talk, canceled).message, "first");

    grader = grader_connects(talk, "g1", "calm", 1);
    const uint64_t graded = student_submits(talk, "calm", NULL, "y");
    const struct core_lease lease = grader_receives(grader);
    grader_completes(grader, &lease, "right");
    assert_int_equal(cancels(talk->student, graded, "", &error), STATUS_WRONG_STATE);
    assert_string_equal(error.reason, "WRONG_STATE");
    assert_int_equal(cancels(talk->student, graded + 1000, "", &error), STATUS_NOT_FOUND);
    assert_string_equal(error.reason, "SUBMISSION_NOT_FOUND");
    assert_int_equal(cancels(talk->student, graded, "a\nb", &error), STATUS_INVALID);
    assert_string_equal(error.reason, "CANCEL_INVALID");
    scripted_grader_close(grader);
}

static void only_ones_own_can_be_taken_back(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *everybody = core_caller_open(talk->service.core, "everybody"); // an administrator, too
    struct core_caller *courier = core_caller_open(talk->service.core, "courier");
    struct core_submission submission = {.queue = "calm", .body = "x"};
    uint64_t foreign = 0;
    struct error error = {0};
    const uint64_t own = student_submits(talk, "calm", NULL, "x");
    assert_int_equal(core_submit(everybody, &submission, &foreign, NULL), STATUS_OK);

    assert_int_equal(cancels(talk->student, foreign, "", &error), STATUS_NOT_FOUND);
    assert_string_equal(error.reason, "SUBMISSION_NOT_FOUND");
    assert_int_equal(cancels(courier, own, "", &error), STATUS_DENIED);
    assert_int_equal(admin_sees(talk, foreign).state, STATE(READY));

    assert_int_equal(cancels(talk->admin, own, "", NULL), STATUS_OK);
    assert_int_equal(admin_sees(talk, own).state, STATE(CANCELED));
    core_caller_close(everybody);
    core_caller_close(courier);
}

/* ---- List ---- */

enum { PAGES = 3, PAGE = 2, IN_ALL = PAGES * PAGE };

static struct rpc_message *lists(struct core_caller *caller, const Xqueue__V1__ListRequest *request)
{
    const struct core_question question = {"/xqueue.v1.Submissions/List", &xqueue__v1__list_response__descriptor,
                                           &request->base};
    struct rpc_message *reply = NULL;

    assert_int_equal(core_caller_ask(caller, &question, &reply, NULL), STATUS_OK);
    return reply;
}

static const Xqueue__V1__ListResponse *list_read(const struct rpc_message *message)
{
    return (const Xqueue__V1__ListResponse *)(const void *)rpc_message_body(message);
}

static void the_list_shows_ones_own_newest_first_in_pages(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *everybody = core_caller_open(talk->service.core, "everybody");
    struct core_submission submission = {.queue = "calm", .body = "x"};
    Xqueue__V1__ListRequest request = XQUEUE__V1__LIST_REQUEST__INIT;
    uint64_t ids[IN_ALL] = {0};
    char token[129] = "";
    for (size_t i = 0; i < IN_ALL; i++) {
        ids[i] = student_submits(talk, i % 2 ? "calm" : "small", NULL, "x");
        assert_int_equal(core_submit(everybody, &submission, NULL, NULL), STATUS_OK);
        if (i % 2 == 0) { // "small" has room for two
            assert_int_equal(cancels(talk->student, ids[i], "", NULL), STATUS_OK);
        }
    }

    request.page_size = PAGE;
    for (size_t page = 0; page < PAGES; page++) {
        request.page_token = token;
        struct rpc_message *reply = lists(talk->student, &request);
        assert_int_equal(list_read(reply)->n_submissions, PAGE);
        for (size_t i = 0; i < PAGE; i++) {
            const size_t at = IN_ALL - 1 - page * PAGE - i;
            const Xqueue__V1__GetResponse *item = list_read(reply)->submissions[i];
            assert_int_equal(item->submission_id, ids[at]);
            assert_string_equal(item->queue, at % 2 ? "calm" : "small");
            assert_int_equal(item->state, at % 2 ? STATE(READY) : STATE(CANCELED));
        }
        (void)snprintf(token, sizeof(token), "%s", list_read(reply)->next_page_token);
        rpc_message_free(reply);
    }
    request.page_token = token;
    struct rpc_message *end = lists(talk->student, &request);
    assert_int_equal(list_read(end)->n_submissions, 0);
    assert_string_equal(list_read(end)->next_page_token, "");
    rpc_message_free(end);

    Xqueue__V1__ListRequest filter = XQUEUE__V1__LIST_REQUEST__INIT;
    Xqueue__V1__SubmissionState canceled[] = {STATE(CANCELED)};
    filter.states = canceled;
    filter.n_states = 1;
    filter.queue = (char *)(uintptr_t) "small";
    struct rpc_message *found = lists(talk->student, &filter);
    assert_int_equal(list_read(found)->n_submissions, PAGES);
    rpc_message_free(found);
    core_caller_close(everybody);
}

static void a_list_request_that_makes_no_sense_is_refused(void **state)
{
    struct conversation *talk = *state;
    Xqueue__V1__SubmissionState unknown[] = {(Xqueue__V1__SubmissionState)99};
    Xqueue__V1__ListRequest requests[4];
    const struct {
        enum status status;
        const char *reason;
    } expected[] = {{STATUS_INVALID, "LIST_INVALID"},
                    {STATUS_INVALID, "LIST_INVALID"},
                    {STATUS_INVALID, "LIST_INVALID"},
                    {STATUS_NOT_FOUND, "QUEUE_NOT_FOUND"}};
    for (size_t i = 0; i < 4; i++) {
        xqueue__v1__list_request__init(&requests[i]);
    }
    requests[0].page_size = 1001;
    requests[1].page_token = (char *)(uintptr_t) "yesterday";
    requests[2].states = unknown;
    requests[2].n_states = 1;
    requests[3].queue = (char *)(uintptr_t) "none";

    for (size_t i = 0; i < 4; i++) {
        const struct core_question question = {"/xqueue.v1.Submissions/List", &xqueue__v1__list_response__descriptor,
                                               &requests[i].base};
        struct error error = {0};
        assert_int_equal(core_caller_ask(talk->student, &question, NULL, &error), expected[i].status);
        assert_string_equal(error.reason, expected[i].reason);
    }
}

/* ---- Submit again ---- */

static void a_request_repeated_after_a_kill_answers_the_first_submission(void **state)
{
    struct conversation *talk = *state;
    struct core_submission submission = {.queue = "calm", .body = "x", .request_id = "attempt-7"};
    struct core_submission other = {.queue = "calm", .body = "y", .request_id = "attempt-7"};
    struct core_submission elsewhere = {.queue = "hasty", .body = "x", .request_id = "attempt-7"};
    uint64_t first = 0;
    uint64_t second = 0;
    struct error error = {0};
    assert_int_equal(core_submit(talk->student, &submission, &first, NULL), STATUS_OK);
    running_service_kill_core(&talk->service);
    running_service_start_core(&talk->service);

    assert_int_equal(core_submit(talk->student, &submission, &second, NULL), STATUS_OK);
    assert_int_equal(second, first);
    assert_int_equal(core_submit(talk->student, &other, NULL, &error), STATUS_EXISTS);
    assert_string_equal(error.reason, "REQUEST_ID_REUSED");
    assert_int_equal(core_submit(talk->student, &elsewhere, NULL, &error), STATUS_EXISTS);

    // Also when it is over: what was submitted is not submitted again.
    assert_int_equal(cancels(talk->student, first, "", NULL), STATUS_OK);
    assert_int_equal(core_submit(talk->student, &submission, &second, NULL), STATUS_OK);
    assert_int_equal(second, first);
    assert_int_equal(admin_sees(talk, first).state, STATE(CANCELED));
}

#define TEST(name)      cmocka_unit_test_setup_teardown(name, conversation_set_up_core, conversation_tear_down)
#define TEST_REST(name) cmocka_unit_test_setup_teardown(name, conversation_set_up, conversation_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_REST(the_grader_at_work_hears_at_once_that_its_submission_was_taken_back),
        TEST(a_poller_learns_it_from_its_late_answer),
        TEST(canceling_is_idempotent_also_after_a_kill_and_refused_where_it_is_too_late),
        TEST(only_ones_own_can_be_taken_back),
        TEST(the_list_shows_ones_own_newest_first_in_pages),
        TEST(a_list_request_that_makes_no_sense_is_refused),
        TEST(a_request_repeated_after_a_kill_answers_the_first_submission),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
