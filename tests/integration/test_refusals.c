/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* What is not allowed, malformed or unknown gets a clear error, over gRPC and over REST, and nothing else happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xqueue/v1/admin.pb-c.h>
#include <xqueue/v1/deliveries.pb-c.h>
#include <xqueue/v1/server.pb-c.h>
#include <xqueue/v1/sessions.pb-c.h>

#include "base/rpc/rpc_client_raw.h"
#include "tests/support/conversation.h"

enum { FORM_BYTES_MAX = 65536, BODY_BYTES_MAX = 3145728, MESSAGE_BYTES_MAX = 4194304 };

#define STATE(name_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_

/* ---- gRPC: who may what ---- */

/* An empty request and reply will do where only the refusal counts. */
static enum status ask(struct core_caller *caller, const char *path, struct error *error)
{
    Xqueue__V1__GetServerInfoRequest nothing = XQUEUE__V1__GET_SERVER_INFO_REQUEST__INIT;
    const struct core_question question = {path, &xqueue__v1__get_server_info_request__descriptor, &nothing.base};

    return core_caller_ask(caller, &question, NULL, error);
}

/* Every method that needs a role, with the users that have it. */
static const struct {
    const char *path;
    const char *users; // those who may
} guarded[] = {
    {"/xqueue.v1.Submissions/Submit", "lms"},         {"/xqueue.v1.Submissions/Get", "lms admin"},
    {"/xqueue.v1.Submissions/List", "lms admin"},     {"/xqueue.v1.Submissions/Cancel", "lms admin"},
    {"/xqueue.v1.Graders/Lease", "grader"},           {"/xqueue.v1.Graders/Extend", "grader"},
    {"/xqueue.v1.Graders/Complete", "grader"},        {"/xqueue.v1.Graders/Fail", "grader"},
    {"/xqueue.v1.Graders/Release", "grader"},         {"/xqueue.v1.Deliveries/Lease", "courier"},
    {"/xqueue.v1.Deliveries/Acknowledge", "courier"}, {"/xqueue.v1.Deliveries/Fail", "courier"},
    {"/xqueue.v1.Admin/GetStatistics", "admin"},      {"/xqueue.v1.Admin/Purge", "admin"},
};

/* Is user let through to what his roles allow, and nowhere else? */
static void user_tries_everything(struct conversation *talk, const char *user)
{
    struct core_caller *caller = core_caller_open(talk->service.core, user);

    for (size_t i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++) {
        const bool may = strstr(guarded[i].users, user) != NULL;
        const enum status status = ask(caller, guarded[i].path, NULL);
        if ((status == STATUS_DENIED) == may || status == STATUS_UNAUTHENTICATED) {
            fail_msg("%s calls %s: %s", user, guarded[i].path, status_name(status));
        }
    }
    core_caller_close(caller);
}

static void every_service_asks_for_its_role(void **state)
{
    user_tries_everything(*state, "lms");
    user_tries_everything(*state, "grader");
    user_tries_everything(*state, "courier");
    user_tries_everything(*state, "admin");
}

static void without_or_with_a_wrong_token_nothing_is_answered_but_the_open_methods(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *nobody = core_caller_open(talk->service.core, NULL);

    for (int with_token = 0; with_token < 2; with_token++) {
        core_caller_set_token(nobody, with_token ? "0123456789abcdef0123456789abcdef" : NULL);
        for (size_t i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++) {
            assert_int_equal(ask(nobody, guarded[i].path, NULL), STATUS_UNAUTHENTICATED);
        }
    }
    assert_int_equal(ask(nobody, "/xqueue.v1.Server/GetServerInfo", NULL), STATUS_OK);
    core_caller_close(nobody);
}

static void a_stream_without_the_role_is_ended(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *denied = scripted_grader_open(talk->service.core, "lms");
    struct scripted_grader *unknown = scripted_grader_open_with_token(talk->service.core, "nonsense");
    enum status status = STATUS_OK;

    assert_true(scripted_grader_await_end(denied, &status, NULL));
    assert_int_equal(status, STATUS_DENIED);
    assert_true(scripted_grader_await_end(unknown, &status, NULL));
    assert_int_equal(status, STATUS_UNAUTHENTICATED);
    scripted_grader_close(denied);
    scripted_grader_close(unknown);
}

static void a_wrong_password_and_an_unknown_user_are_refused_alike(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *nobody = core_caller_open(talk->service.core, NULL);
    struct error wrong;
    struct error unknown;

    assert_int_equal(core_caller_login(nobody, "lms", "wrong", &wrong), STATUS_UNAUTHENTICATED);
    assert_int_equal(core_caller_login(nobody, "nobody", "lms", &unknown), STATUS_UNAUTHENTICATED);
    assert_string_equal(wrong.reason, "WRONG_CREDENTIALS");
    assert_string_equal(unknown.reason, wrong.reason);
    assert_string_equal(unknown.text, wrong.text);
    assert_int_equal(core_caller_login(nobody, "LMS", "lms", NULL), STATUS_UNAUTHENTICATED);
    assert_int_equal(core_caller_login(nobody, "", "", NULL), STATUS_INVALID);

    assert_int_equal(core_caller_login(nobody, "lms", "lms", NULL), STATUS_OK);
    core_caller_close(nobody);
}

static void a_session_that_was_logged_out_is_over(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *caller = core_caller_open(talk->service.core, "lms");

    assert_int_equal(ask(caller, "/xqueue.v1.Sessions/WhoAmI", NULL), STATUS_OK);
    assert_int_equal(ask(caller, "/xqueue.v1.Sessions/Logout", NULL), STATUS_OK);

    assert_int_equal(ask(caller, "/xqueue.v1.Sessions/WhoAmI", NULL), STATUS_UNAUTHENTICATED);
    core_caller_close(caller);
}

static void a_submission_of_somebody_else_cannot_be_seen(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *other = core_caller_open(talk->service.core, "everybody");
    struct core_view view;
    uint64_t id = 0;

    assert_int_equal(core_submit(other, &(struct core_submission){.queue = "calm"}, &id, NULL), STATUS_OK);

    assert_int_equal(core_get(talk->student, id, &view), STATUS_NOT_FOUND);
    assert_int_equal(core_get(talk->student, 999999, &view), STATUS_NOT_FOUND);
    assert_int_equal(core_get(talk->admin, id, &view), STATUS_OK);
    core_caller_close(other);
}

/* ---- gRPC: unknown and malformed ---- */

static void unknown_methods_are_unimplemented(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *caller = core_caller_open(talk->service.core, "everybody");
    static const char *const paths[] = {"/xqueue.v1.Graders/NoSuchMethod", "/no.such.Service/Method", "/"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const enum status status = ask(caller, paths[i], NULL);
        if (status != STATUS_UNIMPLEMENTED) {
            fail_msg("%s: %s", paths[i], status_name(status));
        }
    }
    core_caller_close(caller);
}

static enum status submit_bytes(struct core_caller *caller, const void *bytes, size_t length)
{
    static const struct rpc_client_method method = {"/xqueue.v1.Submissions/Submit", &xqueue__v1__submit_response__descriptor};
    const struct rpc_call_options options = {.bearer = core_caller_token(caller), .timeout_ms = CONVERSATION_PATIENCE_MS};
    struct rpc_message *reply = NULL;
    const enum status status =
        rpc_channel_call_raw(core_caller_channel(caller), &method, (struct rpc_raw){bytes, length}, &options, &reply, NULL);

    rpc_message_free(reply);
    return status;
}

static void bytes_that_are_no_message_are_refused_and_the_service_goes_on(void **state)
{
    struct conversation *talk = *state;
    // a length beyond the end, twice; text that is not UTF-8; a wire type that is none; groups
    static const char *const broken[] = {"\x0a\xff\xff\xff\xff\x0f", "\x12\x05xy", "\x12\x02\xff\xfe", "\x07",
                                         "\x0b\x0b\x0b\x0b"};

    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_int_equal(submit_bytes(talk->student, broken[i], strlen(broken[i])), STATUS_INVALID);
    }
    assert_int_equal(submit_bytes(talk->student,
                                  "\x12\x03"
                                  "a\0b",
                                  5),
                     STATUS_INVALID); // a NUL in the queue's name
    assert_int_equal(submit_bytes(talk->student, "", 0), STATUS_INVALID);

    student_submits(talk, "calm", NULL, "a good one");
}

static void requests_over_their_bounds_are_refused_and_store_nothing(void **state)
{
    struct conversation *talk = *state;
    struct error error;
    char *large = calloc(1, MESSAGE_BYTES_MAX + 1);
    char *name = calloc(1, 200);

    assert_non_null(large);
    assert_non_null(name);
    memset(name, 'n', 199);
    memset(large, 'b', 1001);
    assert_int_equal(core_submit(talk->student, &(struct core_submission){.queue = "small", .body = large}, NULL, &error),
                     STATUS_INVALID);
    assert_string_equal(error.reason, "BODY_TOO_LARGE");
    memset(large, 'b', BODY_BYTES_MAX + 1);
    assert_int_equal(core_submit(talk->student, &(struct core_submission){.queue = "calm", .body = large}, NULL, NULL),
                     STATUS_INVALID);
    memset(large, 'b', MESSAGE_BYTES_MAX); // more than a message may have
    const enum status status =
        core_submit(talk->student, &(struct core_submission){.queue = "calm", .body = large}, NULL, NULL);
    assert_true(status == STATUS_FULL || status == STATUS_INVALID);
    large[65537] = '\0';
    assert_int_equal(core_submit(talk->student, &(struct core_submission){.queue = "calm", .header = large}, NULL, NULL),
                     STATUS_INVALID);
    assert_int_equal(core_submit(talk->student, &(struct core_submission){.queue = name}, NULL, NULL), STATUS_INVALID);
    assert_int_equal(core_submit(talk->student, &(struct core_submission){.queue = ""}, NULL, NULL), STATUS_INVALID);
    assert_int_equal(core_submit(talk->student, &(struct core_submission){.queue = "unknown"}, NULL, &error), STATUS_NOT_FOUND);
    assert_string_equal(error.reason, "QUEUE_NOT_FOUND");

    free(name);
    free(large);
}

static void a_full_queue_refuses_more_with_a_time_to_wait(void **state)
{
    struct conversation *talk = *state;
    struct core_caller *poller = core_caller_open(talk->service.core, "grader");
    const struct core_submission submission = {.queue = "small", .body = "b"};
    struct core_lease lease;
    struct error error;

    assert_int_equal(core_submit(talk->student, &submission, NULL, NULL), STATUS_OK);
    assert_int_equal(core_submit(talk->student, &submission, NULL, NULL), STATUS_OK);
    assert_int_equal(core_submit(talk->student, &submission, NULL, &error), STATUS_FULL);
    assert_string_equal(error.reason, "QUEUE_FULL");
    assert_true(error.retry_after_ms > 0);

    assert_int_equal(core_take_lease(poller, "small", "p", 0, &lease), STATUS_OK);
    assert_int_equal(core_submit(talk->student, &submission, NULL, NULL), STATUS_OK);
    core_caller_close(poller);
}

static void a_request_id_makes_submitting_twice_harmless(void **state)
{
    struct conversation *talk = *state;
    struct core_submission submission = {.queue = "calm", .body = "b", .request_id = "r1"};
    struct error error;
    uint64_t first = 0;
    uint64_t second = 0;

    assert_int_equal(core_submit(talk->student, &submission, &first, NULL), STATUS_OK);
    assert_int_equal(core_submit(talk->student, &submission, &second, NULL), STATUS_OK);
    assert_int_equal(first, second);
    submission.body = "another";
    assert_int_equal(core_submit(talk->student, &submission, NULL, &error), STATUS_EXISTS);
    assert_string_equal(error.reason, "REQUEST_ID_REUSED");
}

/* ---- REST ---- */

static void strangers_are_sent_to_the_login_page(void **state)
{
    struct conversation *talk = *state;
    struct rest_client stranger;
    char location[REST_CLIENT_TEXT_MAX];
    static const char *const targets[] = {"/xqueue/submit/", "/xqueue/get_queuelen/?queue_name=calm",
                                          "/xqueue/get_submission/?queue_name=calm", "/xqueue/put_result/"};

    rest_client_init(&stranger, talk->service.rest_port, "lms");
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        assert_int_equal(rest_client_get(&stranger, targets[i]), 302);
        assert_true(http_answer_header(&stranger.answer, "Location", 0, location, sizeof(location)));
        assert_memory_equal(location, "/xqueue/login/?next=", strlen("/xqueue/login/?next="));
    }
    assert_int_equal(rest_client_get(&stranger, "/xqueue/status/"), 200);
    assert_string_equal(stranger.content, "OK");
    rest_client_finish(&stranger);
}

static void rest_refuses_a_wrong_password(void **state)
{
    struct conversation *talk = *state;
    struct rest_client client;

    rest_client_init(&client, talk->service.rest_port, "lms");
    client.password = "wrong";
    assert_int_equal(rest_client_login(&client), 1);
    assert_string_equal(client.content, "Incorrect login credentials");
    assert_string_equal(client.session, "");
    rest_client_finish(&client);
}

static void rest_tells_who_has_not_the_role(void **state)
{
    struct conversation *talk = *state;
    struct rest_client grader;
    const struct rest_submission submission = {.queue = "calm", .callback_url = "http://127.0.0.1:1/", .body = "b"};
    struct rest_pulled pulled;

    rest_client_init(&grader, talk->service.rest_port, "grader");
    assert_int_equal(rest_client_submit(&grader, &submission), 200);
    assert_int_equal(grader.return_code, 1);
    assert_false(rest_client_pull(&talk->client, "calm", &pulled));
    assert_int_equal(talk->client.return_code, 1);
    rest_client_finish(&grader);
}

/* Over gRPC, as an administrator does it. */
static void admin_adds(struct conversation *talk, char *name, char *queue)
{
    Xqueue__V1__RoleGrant grants[2] = {XQUEUE__V1__ROLE_GRANT__INIT, XQUEUE__V1__ROLE_GRANT__INIT};
    Xqueue__V1__RoleGrant *pointers[] = {&grants[0], &grants[1]};
    Xqueue__V1__User user = XQUEUE__V1__USER__INIT;
    Xqueue__V1__CreateUserRequest request = XQUEUE__V1__CREATE_USER_REQUEST__INIT;
    const struct core_question question = {"/xqueue.v1.Admin/CreateUser", &xqueue__v1__user__descriptor, &request.base};
    grants[0].role = XQUEUE__V1__ROLE__ROLE_SUBMIT;
    grants[1].role = XQUEUE__V1__ROLE__ROLE_GRADE;
    grants[0].queue = grants[1].queue = queue;
    user.name = request.password = name;
    user.grants = pointers;
    user.n_grants = 2;
    request.user = &user;
    assert_int_equal(core_caller_ask(talk->admin, &question, NULL, NULL), STATUS_OK);
}

static void rest_keeps_a_user_to_his_queues(void **state)
{
    static char name[] = "physics";
    static char queue[] = "calm";
    struct conversation *talk = *state;
    struct rest_client client;
    struct rest_submission submission = {.queue = "calm", .callback_url = "http://127.0.0.1:1/", .body = "b"};
    struct rest_pulled pulled;
    admin_adds(talk, name, queue);

    rest_client_init(&client, talk->service.rest_port, name);
    assert_int_equal(rest_client_submit(&client, &submission), 200);
    assert_int_equal(client.return_code, 0);
    assert_true(rest_client_pull(&client, "calm", &pulled));
    assert_int_equal(rest_client_put(&client, pulled.header, "{}"), 0);
    rest_pulled_finish(&pulled);
    submission.queue = "hasty";
    assert_int_equal(rest_client_submit(&client, &submission), 200);
    assert_int_equal(client.return_code, 1);
    assert_non_null(strstr(client.content, "does not have the role"));
    assert_false(rest_client_pull(&client, "hasty", &pulled));
    assert_int_equal(client.return_code, 1);
    assert_non_null(strstr(client.content, "does not have the role"));
    rest_client_finish(&client);
}

static int post_text(struct rest_client *client, const char *target, const char *form)
{
    struct text body;

    text_init(&body, FORM_BYTES_MAX);
    text_append_string(&body, form);
    const int status = rest_client_post(client, target, &body);
    text_finish(&body);
    return status;
}

static void rest_refuses_malformed_submissions(void **state)
{
    struct conversation *talk = *state;
    static const char *const forms[] = {"", "xqueue_header=%7B%7D", "xqueue_header=nonsense&xqueue_body=b",
                                        "xqueue_header=%5B%5D&xqueue_body=b",
                                        "xqueue_header=%7B%22lms_key%22%3A1%7D&xqueue_body=b"};
    struct rest_client *client = &talk->client;
    struct rest_submission submission = {.queue = "unknown", .callback_url = "http://127.0.0.1:1/", .body = "b"};

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        assert_int_equal(post_text(client, "/xqueue/submit/", forms[i]), 200);
        assert_string_equal(client->content, "Queue request has invalid format");
    }
    assert_int_equal(rest_client_get(client, "/xqueue/submit/"), 200);
    assert_string_equal(client->content, "Queue requests should use HTTP POST");
    assert_int_equal(rest_client_submit(client, &submission), 200);
    assert_string_equal(client->content, "Queue 'unknown' not found");
    submission = (struct rest_submission){.queue = "calm", .callback_url = "ftp://nowhere/", .body = "b"};
    assert_int_equal(rest_client_submit(client, &submission), 200);
    assert_int_equal(client->return_code, 1);
    assert_int_equal(rest_client_get(client, "/xqueue/nothing/"), 404);
    assert_int_equal(rest_client_get(client, "/xqueue/status"), 301);
}

static void rest_refuses_a_body_over_the_limit_and_goes_on(void **state)
{
    enum { LARGE = 2621440 };
    struct conversation *talk = *state;
    char *body = malloc(LARGE + 1);
    struct rest_submission submission = {.queue = "calm", .callback_url = "http://127.0.0.1:1/", .body = body};

    assert_non_null(body);
    memset(body, 'b', LARGE);
    body[LARGE] = '\0';
    assert_int_equal(rest_client_login(&talk->client), 0);
    const int status = rest_client_submit(&talk->client, &submission);
    assert_true(status == 413 || status == 0); // the connection may be cut while the client still sends
    body[1001] = '\0';
    submission.queue = "small";
    assert_int_equal(rest_client_submit(&talk->client, &submission), 200);
    assert_int_equal(talk->client.return_code, 1);

    lms_submits(talk, "calm", "/good", "a good one");
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_service_asks_for_its_role),
        cmocka_unit_test(without_or_with_a_wrong_token_nothing_is_answered_but_the_open_methods),
        cmocka_unit_test(a_stream_without_the_role_is_ended),
        cmocka_unit_test(a_wrong_password_and_an_unknown_user_are_refused_alike),
        cmocka_unit_test(a_session_that_was_logged_out_is_over),
        cmocka_unit_test(a_submission_of_somebody_else_cannot_be_seen),
        cmocka_unit_test(unknown_methods_are_unimplemented),
        cmocka_unit_test(bytes_that_are_no_message_are_refused_and_the_service_goes_on),
        cmocka_unit_test(requests_over_their_bounds_are_refused_and_store_nothing),
        cmocka_unit_test(a_full_queue_refuses_more_with_a_time_to_wait),
        cmocka_unit_test(a_request_id_makes_submitting_twice_harmless),
        cmocka_unit_test(strangers_are_sent_to_the_login_page),
        cmocka_unit_test(rest_refuses_a_wrong_password),
        cmocka_unit_test(rest_tells_who_has_not_the_role),
        cmocka_unit_test(rest_keeps_a_user_to_his_queues),
        cmocka_unit_test(rest_refuses_malformed_submissions),
        cmocka_unit_test(rest_refuses_a_body_over_the_limit_and_goes_on),
    };
    return cmocka_run_group_tests(tests, conversation_set_up, conversation_tear_down);
}
