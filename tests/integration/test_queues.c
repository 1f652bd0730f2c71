/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Queues that are made, paused, drained and deleted at the real programs, as LMS and pollers meet them over REST. */
#include <xqueue/v1/admin.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/conversation.h"

enum { SERVED = 200 };

static char calm[] = "calm";
static char extra[] = "extra";

static enum status admin_asks(struct conversation *talk, const char *path, const ProtobufCMessage *request)
{
    const struct core_question question = {.path = path, .reply = &xqueue__v1__queue_settings__descriptor, .request = request};
    return core_caller_ask(talk->admin, &question, NULL, NULL);
}

static void admin_pauses(struct conversation *talk, char *queue, bool paused)
{
    Xqueue__V1__PauseQueueRequest request = XQUEUE__V1__PAUSE_QUEUE_REQUEST__INIT;
    request.queue = queue;
    request.paused = paused;
    assert_int_equal(admin_asks(talk, "/xqueue.v1.Admin/PauseQueue", &request.base), STATUS_OK);
}

static void admin_drains(struct conversation *talk, char *queue, bool draining)
{
    Xqueue__V1__DrainQueueRequest request = XQUEUE__V1__DRAIN_QUEUE_REQUEST__INIT;
    request.queue = queue;
    request.draining = draining;
    assert_int_equal(admin_asks(talk, "/xqueue.v1.Admin/DrainQueue", &request.base), STATUS_OK);
}

static void admin_makes(struct conversation *talk, char *queue)
{
    Xqueue__V1__CreateQueueRequest request = XQUEUE__V1__CREATE_QUEUE_REQUEST__INIT;
    Xqueue__V1__QueueSettings settings = XQUEUE__V1__QUEUE_SETTINGS__INIT;
    settings.name = queue;
    request.queue = &settings;
    assert_int_equal(admin_asks(talk, "/xqueue.v1.Admin/CreateQueue", &request.base), STATUS_OK);
}

static enum status admin_deletes(struct conversation *talk, char *queue)
{
    Xqueue__V1__DeleteQueueRequest request = XQUEUE__V1__DELETE_QUEUE_REQUEST__INIT;
    request.queue = queue;
    return admin_asks(talk, "/xqueue.v1.Admin/DeleteQueue", &request.base);
}

/* Killed and started: what was answered is on the disk. Until the adapter has found it again. */
static void core_dies_and_comes_back(struct conversation *talk, struct rest_client *poller)
{
    int64_t give_up_us = clock_monotonic_us() + CONVERSATION_PATIENCE_MS * INT64_C(1000);
    running_service_kill_core(&talk->service);
    running_service_start_core(&talk->service);
    while (rest_client_queue_length(poller, "calm") < 0)
        assert_true(clock_monotonic_us() < give_up_us);
}

/* return_code of a submission over REST. */
static int submits(struct conversation *talk, const char *queue)
{
    char url[FAKE_LMS_URL_MAX];
    fake_lms_url(talk->lms, "/queues", url);
    const struct rest_submission submission = {.queue = queue, .callback_url = url, .body = "x"};
    assert_int_equal(rest_client_submit(&talk->client, &submission), SERVED);
    return talk->client.return_code;
}

static void poller_opens(struct conversation *talk, struct rest_client *poller)
{
    rest_client_init(poller, talk->service.rest_port, "grader");
    assert_int_equal(rest_client_login(poller), 0);
}

static void a_paused_queue_looks_empty_to_a_poller(void **state)
{
    struct conversation *talk = *state;
    struct rest_client poller;
    struct rest_pulled pulled;
    poller_opens(talk, &poller);
    admin_pauses(talk, calm, true);
    core_dies_and_comes_back(talk, &poller);

    student_submits(talk, "calm", NULL, "x");
    assert_false(rest_client_pull(&poller, "calm", &pulled));
    assert_string_equal(poller.content, "Queue 'calm' is empty");
    assert_int_equal(rest_client_queue_length(&poller, "calm"), 1);

    admin_pauses(talk, calm, false);
    assert_true(rest_client_pull(&poller, "calm", &pulled));
    rest_pulled_finish(&pulled);
    rest_client_finish(&poller);
}

static void an_lms_is_told_that_a_queue_drains(void **state)
{
    struct conversation *talk = *state;
    assert_int_equal(submits(talk, "calm"), 0);
    admin_drains(talk, calm, true);

    assert_int_equal(submits(talk, "calm"), 1);
    assert_non_null(strstr(talk->client.content, "takes no submissions for now"));

    admin_drains(talk, calm, false);
    assert_int_equal(submits(talk, "calm"), 0);
}

static void a_new_queue_serves_lms_and_graders_until_it_is_deleted(void **state)
{
    struct conversation *talk = *state;
    struct rest_client poller;
    struct rest_pulled pulled;
    assert_int_equal(submits(talk, "extra"), 1); /* there is none yet */
    poller_opens(talk, &poller);
    admin_makes(talk, extra);
    core_dies_and_comes_back(talk, &poller);

    assert_int_equal(core_caller_login(talk->admin, "admin", "admin", NULL), STATUS_OK);
    lms_submits(talk, "extra", "/extra", "x");
    assert_int_equal(admin_deletes(talk, extra), STATUS_WRONG_STATE);
    assert_true(rest_client_pull(&poller, "extra", &pulled));
    assert_int_equal(rest_client_put(&poller, pulled.header, "{\"correct\": true}"), 0);
    rest_pulled_finish(&pulled);
    lms_hears(talk, "/extra", 0);

    assert_int_equal(admin_deletes(talk, extra), STATUS_OK);
    assert_int_equal(submits(talk, "extra"), 1);
    assert_string_equal(talk->client.content, "Queue 'extra' not found");
    assert_false(rest_client_pull(&poller, "extra", &pulled));
    rest_client_finish(&poller);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, conversation_set_up, conversation_tear_down)
        TEST(a_paused_queue_looks_empty_to_a_poller),
        TEST(an_lms_is_told_that_a_queue_drains),
        TEST(a_new_queue_serves_lms_and_graders_until_it_is_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
