/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* The trace context of a submit goes with the submission: to its grader, and with the callback back to the LMS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/conversation.h"

#define PARENT     "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define SAYS_GRANT XQUEUE__V1__SERVER_MESSAGE__KIND_GRANT

/* Over REST, with more header lines. */
static void submits_with(struct conversation *talk, const char *path, const char *lines)
{
    char url[FAKE_LMS_URL_MAX];
    char extra[2048];
    struct text header;
    struct text form;
    const struct rest_submission submission = {
        .queue = "calm", .callback_url = fake_lms_url(talk->lms, path, url), .body = "x"};

    text_init(&header, sizeof(extra));
    text_init(&form, sizeof(extra));
    rest_submission_header(&submission, &header);
    rest_form_append(&form, "xqueue_header", header.bytes);
    rest_form_append(&form, "xqueue_body", submission.body);
    (void)snprintf(extra, sizeof(extra), "Content-Type: application/x-www-form-urlencoded\r\n%s", lines);
    if (talk->client.session[0] == '\0') {
        assert_int_equal(rest_client_login(&talk->client), 0);
    }
    assert_int_equal(rest_client_ask(&talk->client, "POST", "/xqueue/submit/", extra, &form), 200);
    text_finish(&form);
    text_finish(&header);
}

/* The grader gets a submission with this context, and grades it. */
static void is_graded_with(struct scripted_grader *grader, const char *parent, const char *trace_state)
{
    struct core_lease lease;
    struct rpc_message *message = scripted_grader_await(grader, SAYS_GRANT);

    assert_non_null(message);
    const Xqueue__V1__Grant *grant = scripted_grader_read(message)->grant;
    assert_string_equal(grant->submission->trace_parent, parent);
    assert_string_equal(grant->submission->trace_state, trace_state);
    core_lease_read(grant, &lease);
    rpc_message_free(message);
    assert_true(scripted_grader_accept(grader, &lease));
    grader_completes(grader, &lease, "{\"correct\": true}");
}

static void a_context_over_rest_reaches_the_grader_and_comes_back_with_the_callback(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 1);

    submits_with(talk, "/with", "traceparent: " PARENT "\r\nTraceState: congo=t61rcWkgMzE\r\n");
    is_graded_with(grader, PARENT, "congo=t61rcWkgMzE");

    const struct fake_lms_callback *callback = lms_hears(talk, "/with", 0);
    assert_non_null(strstr(callback->head, "\r\ntraceparent: " PARENT "\r\n"));
    assert_non_null(strstr(callback->head, "\r\ntracestate: congo=t61rcWkgMzE\r\n"));
    scripted_grader_close(grader);
}

static void without_one_and_with_a_malformed_one_the_callback_is_the_originals(void **state)
{
    static const char *const lines[] = {"", "tracestate: alone=1\r\n", "traceparent: 00-0-0-00\r\ntracestate: a=b\r\n",
                                        "traceparent: " PARENT "\r\ntraceparent: " PARENT "\r\n"};
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 10);

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        submits_with(talk, "/without", lines[i]);
        is_graded_with(grader, "", "");
        const struct fake_lms_callback *callback = lms_hears(talk, "/without", i);
        assert_null(strstr(callback->head, "trace"));
    }
    scripted_grader_close(grader);
}

static void a_context_over_grpc_that_is_no_w3c_one_stays_inside(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 1);
    char url[FAKE_LMS_URL_MAX];
    Xqueue__V1__SubmitRequest request = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    const struct core_question question = {"/xqueue.v1.Submissions/Submit", &xqueue__v1__submit_response__descriptor,
                                           &request.base};
    request.queue = (char *)(uintptr_t) "calm";
    request.header = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t) "{}", .len = 2};
    request.callback_url = (char *)(uintptr_t)fake_lms_url(talk->lms, "/own", url);
    request.trace_parent = (char *)(uintptr_t) "our own trace";

    assert_int_equal(core_caller_ask(talk->student, &question, NULL, NULL), STATUS_OK);
    is_graded_with(grader, "our own trace", "");

    assert_null(strstr(lms_hears(talk, "/own", 0)->head, "trace"));
    scripted_grader_close(grader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, conversation_set_up, conversation_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_context_over_rest_reaches_the_grader_and_comes_back_with_the_callback),
        TEST(without_one_and_with_a_malformed_one_the_callback_is_the_originals),
        TEST(a_context_over_grpc_that_is_no_w3c_one_stays_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
