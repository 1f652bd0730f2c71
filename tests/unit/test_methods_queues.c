/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_server_test_support */
/*
 * Queues over gRPC: made, changed, paused, drained and deleted while the service runs, and what everybody else sees of it.
 */
#include <xqueue/v1/admin.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/server_fixture.h"

#define METHOD(service_, name_, reply_) \
    static const struct rpc_client_method name_ = {"/xqueue.v1." service_, &xqueue__v1__##reply_##__descriptor}
#define SERVER(kind_) XQUEUE__V1__SERVER_MESSAGE__KIND_##kind_

METHOD("Admin/CreateQueue", create_queue, queue_settings);
METHOD("Admin/UpdateQueue", update_queue, queue_settings);
METHOD("Admin/PauseQueue", pause_queue, queue_settings);
METHOD("Admin/DrainQueue", drain_queue, queue_settings);
METHOD("Admin/DeleteQueue", delete_queue, delete_queue_response);
METHOD("Admin/ListQueueSettings", list_settings, list_queue_settings_response);
METHOD("Submissions/Submit", submit, submit_response);
METHOD("Submissions/GetQueue", get_queue, get_queue_response);
METHOD("Submissions/ListQueues", list_queues, list_queues_response);

static char demo[] = "demo";
static char extra[] = "extra";

static enum status creates(struct server_fixture *server, Xqueue__V1__QueueSettings *settings, struct rpc_message **out_reply)
{
    Xqueue__V1__CreateQueueRequest request = XQUEUE__V1__CREATE_QUEUE_REQUEST__INIT;
    request.queue = settings;
    return server_calls(server, "admin", &create_queue, &request.base, out_reply);
}

static enum status pauses(struct server_fixture *server, char *queue, bool paused)
{
    Xqueue__V1__PauseQueueRequest request = XQUEUE__V1__PAUSE_QUEUE_REQUEST__INIT;
    request.queue = queue;
    request.paused = paused;
    return server_calls(server, "admin", &pause_queue, &request.base, NULL);
}

static enum status drains(struct server_fixture *server, char *queue, bool draining)
{
    Xqueue__V1__DrainQueueRequest request = XQUEUE__V1__DRAIN_QUEUE_REQUEST__INIT;
    request.queue = queue;
    request.draining = draining;
    return server_calls(server, "admin", &drain_queue, &request.base, NULL);
}

static enum status deletes(struct server_fixture *server, char *queue)
{
    Xqueue__V1__DeleteQueueRequest request = XQUEUE__V1__DELETE_QUEUE_REQUEST__INIT;
    request.queue = queue;
    return server_calls(server, "admin", &delete_queue, &request.base, NULL);
}

static enum status submits(struct server_fixture *server, char *queue)
{
    Xqueue__V1__SubmitRequest request = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    request.queue = queue;
    return server_calls(server, "lms", &submit, &request.base, NULL);
}

static void graders_are_told_of_a_pause_and_of_its_end(void **state)
{
    struct server_fixture *server = *state;
    struct held_lease lease;
    struct rpc_message *reply = NULL;
    Xqueue__V1__GetQueueRequest look = XQUEUE__V1__GET_QUEUE_REQUEST__INIT;
    struct grader_stream *grader = grader_opens(server, "grader");
    grader_says_hello(grader, "g", "1", NULL);
    grader_awaits(grader, SERVER(WELCOME));
    grader_says_credit(grader, 1);
    look.queue = demo;

    assert_int_equal(pauses(server, demo, true), STATUS_OK);
    const Xqueue__V1__Quiet *quiet = grader_awaits(grader, SERVER(QUIET))->quiet;
    assert_true(quiet->for_ms > 0);
    assert_string_equal(quiet->reason, "QUEUE_PAUSED");
    assert_string_equal(quiet->queue, "demo");
    uint64_t id = lms_hands_in(server, "x");
    assert_int_equal(server_calls(server, "lms", &get_queue, &look.base, &reply), STATUS_OK);
    const Xqueue__V1__GetQueueResponse *view = (const Xqueue__V1__GetQueueResponse *)rpc_message_body(reply);
    assert_true(view->paused);
    assert_false(view->draining);
    assert_int_equal(view->ready_count, 1);
    rpc_message_free(reply);

    assert_int_equal(pauses(server, demo, false), STATUS_OK);
    assert_int_equal(grader_awaits(grader, SERVER(QUIET))->quiet->for_ms, 0);
    grader_takes_grant(grader, &lease);
    assert_int_equal(lease.ref.submission_id, id);
    stream_closes(grader);
}

static void a_draining_queue_refuses_submissions_also_after_a_restart(void **state)
{
    struct server_fixture *server = *state;
    assert_int_equal(drains(server, demo, true), STATUS_OK);
    assert_int_equal(submits(server, demo), STATUS_WRONG_STATE);
    assert_string_equal(server->error.reason, "QUEUE_DRAINING");

    server_fixture_stop(server);
    server_fixture_start(server);

    assert_int_equal(submits(server, demo), STATUS_WRONG_STATE);
    assert_int_equal(drains(server, demo, false), STATUS_OK);
    assert_int_equal(submits(server, demo), STATUS_OK);
}

static void a_queue_is_made_changed_used_and_deleted(void **state)
{
    struct server_fixture *server = *state;
    struct rpc_message *reply = NULL;
    const Xqueue__V1__ListQueuesRequest list = XQUEUE__V1__LIST_QUEUES_REQUEST__INIT;
    Xqueue__V1__UpdateQueueRequest change = XQUEUE__V1__UPDATE_QUEUE_REQUEST__INIT;
    Xqueue__V1__QueueSettings settings = XQUEUE__V1__QUEUE_SETTINGS__INIT;
    settings.name = extra;
    settings.lease_ms = 5000;
    settings.draining = true;

    assert_int_equal(creates(server, &settings, &reply), STATUS_OK);
    const Xqueue__V1__QueueSettings *made = (const Xqueue__V1__QueueSettings *)rpc_message_body(reply);
    assert_string_equal(made->name, "extra");
    assert_int_equal(made->lease_ms, 5000);
    assert_int_equal(made->attempts_max, 5); /* the default */
    assert_true(made->draining);
    assert_false(made->configured);
    rpc_message_free(reply);
    assert_int_equal(creates(server, &settings, NULL), STATUS_EXISTS);
    assert_int_equal(submits(server, extra), STATUS_WRONG_STATE);
    assert_int_equal(drains(server, extra, false), STATUS_OK);

    server_fixture_stop(server);
    server_fixture_start(server);
    settings.lease_ms = 0;
    settings.attempts_max = 9;
    change.queue = &settings;
    assert_int_equal(server_calls(server, "admin", &update_queue, &change.base, &reply), STATUS_OK);
    made = (const Xqueue__V1__QueueSettings *)rpc_message_body(reply);
    assert_int_equal(made->lease_ms, 60000);
    assert_int_equal(made->attempts_max, 9);
    assert_false(made->draining); /* changed by DrainQueue alone */
    rpc_message_free(reply);
    assert_int_equal(submits(server, extra), STATUS_OK);
    assert_int_equal(server_calls(server, "lms", &list_queues, &list.base, &reply), STATUS_OK);
    const Xqueue__V1__ListQueuesResponse *names = (const Xqueue__V1__ListQueuesResponse *)rpc_message_body(reply);
    assert_int_equal(names->n_queues, server->config->queue_count + 1);
    assert_string_equal(names->queues[names->n_queues - 1], "extra");
    rpc_message_free(reply);
    assert_int_equal(deletes(server, extra), STATUS_WRONG_STATE);
    assert_string_equal(server->error.reason, "QUEUE_NOT_EMPTY");
}

/* Long polls of a queue that goes are answered at once. */
struct pending {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    bool answered;
    enum status status;
};

static void on_answer(void *context, enum status status, struct rpc_message *reply, const struct error *error)
{
    struct pending *pending = context;
    (void)error;
    pthread_mutex_lock(&pending->mutex);
    pending->answered = true;
    pending->status = status;
    pthread_cond_broadcast(&pending->changed);
    pthread_mutex_unlock(&pending->mutex);
    rpc_message_free(reply);
}

static void a_poller_hears_at_once_that_its_queue_is_gone(void **state)
{
    METHOD("Graders/Lease", lease_method, lease_response);
    static char grader[] = "p";
    struct server_fixture *server = *state;
    struct pending pending = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    Xqueue__V1__LeaseRequest lease = XQUEUE__V1__LEASE_REQUEST__INIT;
    Xqueue__V1__QueueSettings settings = XQUEUE__V1__QUEUE_SETTINGS__INIT;
    settings.name = extra;
    assert_int_equal(creates(server, &settings, NULL), STATUS_OK);
    const struct rpc_call_options options = {
        .bearer = server_token(server, "grader"), .timeout_ms = SERVER_FIXTURE_PATIENCE_MS, .wait_for_ready = 1};
    lease.grader = grader;
    lease.queue = extra;
    lease.wait_ms = 60000;
    assert_int_equal(rpc_channel_start(server->channel, &lease_method, &lease.base, &options, on_answer, &pending), STATUS_OK);
    fake_clock_await_deadline(server->clock, SERVER_FIXTURE_START_MS + 60000); /* it is parked */

    assert_int_equal(deletes(server, extra), STATUS_OK);

    pthread_mutex_lock(&pending.mutex);
    while (!pending.answered)
        pthread_cond_wait(&pending.changed, &pending.mutex);
    pthread_mutex_unlock(&pending.mutex);
    assert_int_equal(pending.status, STATUS_NOT_FOUND);
}

static void what_is_wrong_with_a_queue_is_told(void **state)
{
    struct server_fixture *server = *state;
    static char url[] = "http://127.0.0.1:9000/";
    static char bad_name[] = "line\nbreak";
    Xqueue__V1__CreateQueueRequest missing = XQUEUE__V1__CREATE_QUEUE_REQUEST__INIT;
    Xqueue__V1__QueueSettings wrong[8];
    for (size_t at = 0; at < 8; at++) {
        xqueue__v1__queue_settings__init(&wrong[at]);
        wrong[at].name = extra;
    }
    wrong[0].name = bad_name;
    wrong[1].push_url = url;
    wrong[2].submits_per_minute_max = 1000001;
    wrong[3].lease_ms = 1;
    wrong[4].lease_ms = -1;
    wrong[5].ready_max = UINT64_MAX;
    wrong[6].lease_ms = 60000;
    wrong[6].hard_limit_ms = 50000;
    wrong[7].retry_delay_ms = 2000;
    wrong[7].retry_delay_ms_max = 1000;

    for (size_t at = 0; at < 8; at++) {
        assert_int_equal(creates(server, &wrong[at], NULL), STATUS_INVALID);
        assert_string_equal(server->error.reason, "QUEUE_INVALID");
        assert_true(strlen(server->error.text) > 0);
    }
    assert_int_equal(server_calls(server, "admin", &create_queue, &missing.base, NULL), STATUS_INVALID);
    assert_int_equal(deletes(server, demo), STATUS_WRONG_STATE);
    assert_string_equal(server->error.reason, "QUEUE_CONFIGURED");
    assert_int_equal(deletes(server, extra), STATUS_NOT_FOUND);
    assert_int_equal(pauses(server, extra, true), STATUS_NOT_FOUND);
}

static void settings_show_who_is_paused_and_who_drains(void **state)
{
    struct server_fixture *server = *state;
    struct rpc_message *reply = NULL;
    const Xqueue__V1__ListQueueSettingsRequest request = XQUEUE__V1__LIST_QUEUE_SETTINGS_REQUEST__INIT;
    assert_int_equal(pauses(server, demo, true), STATUS_OK);
    assert_int_equal(drains(server, demo, true), STATUS_OK);

    assert_int_equal(server_calls(server, "admin", &list_settings, &request.base, &reply), STATUS_OK);

    const Xqueue__V1__ListQueueSettingsResponse *body = (const Xqueue__V1__ListQueueSettingsResponse *)rpc_message_body(reply);
    assert_string_equal(body->queues[0]->name, "demo");
    assert_true(body->queues[0]->paused);
    assert_true(body->queues[0]->draining);
    assert_true(body->queues[0]->configured);
    rpc_message_free(reply);
    assert_int_equal(server_calls(server, "lms", &list_settings, &request.base, NULL), STATUS_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, server_fixture_setup, server_fixture_teardown)
        TEST(graders_are_told_of_a_pause_and_of_its_end), TEST(a_draining_queue_refuses_submissions_also_after_a_restart),
        TEST(a_queue_is_made_changed_used_and_deleted),   TEST(a_poller_hears_at_once_that_its_queue_is_gone),
        TEST(what_is_wrong_with_a_queue_is_told),         TEST(settings_show_who_is_paused_and_who_drains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
