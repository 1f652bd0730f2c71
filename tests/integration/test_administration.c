/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Administrators at the real programs: users that log in over REST, and submissions that are given up and deleted. */
#include <xqueue/v1/admin.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "tests/support/conversation.h"

enum { FOUND = 302, SERVED = 200, AWAY = 503, FORM_BYTES_MAX = 8192 };

static char nina[] = "nina";
static char old_password[] = "nina"; /* clients of the tests use their name */
static char new_password[] = "another";

/* What the method answers the administrator; the reply, if anybody wants it, is the caller's. */
static enum status admin_asks(struct conversation *talk, const char *path, const ProtobufCMessageDescriptor *reply,
                              const ProtobufCMessage *request, struct rpc_message **out_reply)
{
    const struct core_question question = {.path = path, .reply = reply, .request = request};
    return core_caller_ask(talk->admin, &question, out_reply, NULL);
}

static void admin_makes_nina(struct conversation *talk)
{
    Xqueue__V1__RoleGrant grant = XQUEUE__V1__ROLE_GRANT__INIT;
    Xqueue__V1__RoleGrant *grants[] = {&grant};
    Xqueue__V1__User user = XQUEUE__V1__USER__INIT;
    Xqueue__V1__CreateUserRequest request = XQUEUE__V1__CREATE_USER_REQUEST__INIT;
    grant.role = XQUEUE__V1__ROLE__ROLE_SUBMIT;
    user.name = nina;
    user.grants = grants;
    user.n_grants = 1;
    request.user = &user;
    request.password = old_password;
    assert_int_equal(admin_asks(talk, "/xqueue.v1.Admin/CreateUser", &xqueue__v1__user__descriptor, &request.base, NULL),
                     STATUS_OK);
}

static void admin_gives_nina_another_password(struct conversation *talk)
{
    Xqueue__V1__User user = XQUEUE__V1__USER__INIT;
    Xqueue__V1__UpdateUserRequest request = XQUEUE__V1__UPDATE_USER_REQUEST__INIT;
    user.name = nina;
    request.user = &user;
    request.password = new_password;
    assert_int_equal(admin_asks(talk, "/xqueue.v1.Admin/UpdateUser", &xqueue__v1__user__descriptor, &request.base, NULL),
                     STATUS_OK);
}

static void admin_deletes_nina(struct conversation *talk)
{
    Xqueue__V1__DeleteUserRequest request = XQUEUE__V1__DELETE_USER_REQUEST__INIT;
    request.user = nina;
    assert_int_equal(
        admin_asks(talk, "/xqueue.v1.Admin/DeleteUser", &xqueue__v1__delete_user_response__descriptor, &request.base, NULL),
        STATUS_OK);
}

/* Submits with the session that the client has, without logging in; the HTTP status. */
static int submits_as_before(struct rest_client *client, const char *url)
{
    struct text form;
    struct text header;
    const struct rest_submission submission = {.queue = "calm", .callback_url = url, .body = "x"};
    text_init(&form, FORM_BYTES_MAX);
    text_init(&header, FORM_BYTES_MAX);
    rest_submission_header(&submission, &header);
    rest_form_append(&form, "xqueue_header", header.bytes);
    rest_form_append(&form, "xqueue_body", submission.body);
    int status =
        rest_client_ask(client, "POST", "/xqueue/submit/", "Content-Type: application/x-www-form-urlencoded\r\n", &form);
    text_finish(&header);
    text_finish(&form);
    return status;
}

/* The adapter has to find the core again first. */
static int submits_when_core_is_back(struct rest_client *client, const char *url)
{
    int64_t give_up_us = clock_monotonic_us() + CONVERSATION_PATIENCE_MS * INT64_C(1000);
    int status = AWAY;
    while (status == AWAY && clock_monotonic_us() < give_up_us)
        status = submits_as_before(client, url);
    return status;
}

static void a_new_user_submits_over_rest_until_deleted(void **state)
{
    struct conversation *talk = *state;
    struct rest_client client;
    char url[FAKE_LMS_URL_MAX];
    fake_lms_url(talk->lms, "/nina", url);
    rest_client_init(&client, talk->service.rest_port, nina);
    assert_int_equal(rest_client_login(&client), 1);

    admin_makes_nina(talk);
    assert_int_equal(rest_client_login(&client), 0);
    assert_int_equal(submits_as_before(&client, url), SERVED);
    assert_int_equal(client.return_code, 0);

    running_service_stop_core(&talk->service);
    running_service_start_core(&talk->service);
    assert_int_equal(submits_when_core_is_back(&client, url), SERVED);

    admin_gives_nina_another_password(talk);
    assert_int_equal(submits_as_before(&client, url), FOUND);
    assert_int_equal(rest_client_login(&client), 1);
    client.password = new_password;
    assert_int_equal(rest_client_login(&client), 0);
    assert_int_equal(submits_as_before(&client, url), SERVED);

    admin_deletes_nina(talk);
    assert_int_equal(submits_as_before(&client, url), FOUND);
    assert_int_equal(rest_client_login(&client), 1);
    rest_client_finish(&client);
}

static struct rpc_message *admin_changes(struct conversation *talk, const char *path, const char *queue, uint64_t expected)
{
    char name[64];
    struct rpc_message *reply = NULL;
    Xqueue__V1__SubmissionFilter filter = XQUEUE__V1__SUBMISSION_FILTER__INIT;
    Xqueue__V1__BulkRequest request = XQUEUE__V1__BULK_REQUEST__INIT;
    (void)text_copy(name, sizeof(name), queue);
    filter.queue = name;
    request.filter = &filter;
    assert_int_equal(admin_asks(talk, path, &xqueue__v1__bulk_response__descriptor, &request.base, &reply), STATUS_OK);
    const Xqueue__V1__BulkResponse *body = (const Xqueue__V1__BulkResponse *)rpc_message_body(reply);
    assert_int_equal(body->done, expected);
    assert_true(body->finished);
    return reply;
}

static uint64_t dead_count(struct conversation *talk)
{
    struct rpc_message *reply = NULL;
    const Xqueue__V1__GetStatisticsRequest request = XQUEUE__V1__GET_STATISTICS_REQUEST__INIT;
    uint64_t count = 0;
    assert_int_equal(
        admin_asks(talk, "/xqueue.v1.Admin/GetStatistics", &xqueue__v1__statistics__descriptor, &request.base, &reply),
        STATUS_OK);
    const Xqueue__V1__Statistics *body = (const Xqueue__V1__Statistics *)rpc_message_body(reply);
    for (size_t at = 0; at < body->n_queues; at++)
        count += body->queues[at]->dead_count;
    rpc_message_free(reply);
    return count;
}

static void the_student_hears_of_what_is_retired_and_it_can_be_deleted(void **state)
{
    struct conversation *talk = *state;
    uint64_t id = student_submits(talk, "calm", "/retired", "x");

    rpc_message_free(admin_changes(talk, "/xqueue.v1.Admin/Retire", "calm", 1));

    const struct fake_lms_callback *callback = lms_hears(talk, "/retired", 0);
    assert_non_null(strstr(callback->result, "could not be graded"));
    assert_true(core_await_delivery(talk->admin, id, XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_DELIVERED));
    assert_int_equal(dead_count(talk), 1);

    rpc_message_free(admin_changes(talk, "/xqueue.v1.Admin/Purge", "calm", 1));
    struct core_view view;
    assert_int_equal(core_get(talk->admin, id, &view), STATUS_NOT_FOUND);
    assert_int_equal(dead_count(talk), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, conversation_set_up, conversation_tear_down)
        TEST(a_new_user_submits_over_rest_until_deleted),
        TEST(the_student_hears_of_what_is_retired_and_it_can_be_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
