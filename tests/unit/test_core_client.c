/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest xqueue_test_core */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "rest-adapter/core_client.h"
#include "tests/support/fake_core.h"
#include "xqueue/v1/deliveries.pb-c.h"
#include "xqueue/v1/sessions.pb-c.h"

enum { PATIENCE_MS = 20000, LONG_MS = 60000 };

static const struct rpc_client_method login_method = {"/xqueue.v1.Sessions/Login", &xqueue__v1__login_response__descriptor};
static const struct rpc_client_method lease_method = {"/xqueue.v1.Deliveries/Lease",
                                                      &xqueue__v1__lease_deliveries_response__descriptor};
static const struct rpc_client_method acknowledge_method = {"/xqueue.v1.Deliveries/Acknowledge",
                                                            &xqueue__v1__acknowledge_delivery_response__descriptor};

struct fixture {
    struct config_user user;
    struct config config;
    struct fake_core *core;
    struct core_client *client;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int replies; /* guarded by lock */
    enum status reply_status;
};

static void open_client(struct fixture *fixture)
{
    struct error error = {0};
    assert_int_equal(core_client_create(&fixture->config, &fixture->client, &error), STATUS_OK);
}

static int set_up(void **state)
{
    struct fixture *fixture = MEMORY_NEW(struct fixture);
    fixture->core = fake_core_start();
    fixture->user.name = (char *)FAKE_CORE_USER;
    fixture->user.password = (char *)FAKE_CORE_PASSWORD;
    fixture->user.password_hash = (char *)"";
    fixture->config.users = &fixture->user;
    fixture->config.user_count = 1;
    fixture->config.rest.user = (char *)FAKE_CORE_USER;
    fixture->config.rest.core = (char *)fake_core_address(fixture->core);
    fixture->config.rest.token_file = "";
    fixture->config.rest.core_timeout_ms = PATIENCE_MS;
    pthread_mutex_init(&fixture->lock, NULL);
    clock_condition_init(&fixture->changed);
    open_client(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    core_client_destroy(fixture->client);
    fake_core_destroy(fixture->core);
    pthread_cond_destroy(&fixture->changed);
    pthread_mutex_destroy(&fixture->lock);
    memory_free(fixture);
    return 0;
}

static void on_reply(void *context, enum status status, struct rpc_message *reply, const struct error *error)
{
    struct fixture *fixture = context;
    (void)error;
    rpc_message_free(reply);
    pthread_mutex_lock(&fixture->lock);
    fixture->replies++;
    fixture->reply_status = status;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

static enum status wait_for_reply(struct fixture *fixture, int count)
{
    int64_t deadline_ms = clock_now_ms(clock_system()) + PATIENCE_MS;
    bool in_time = true;
    pthread_mutex_lock(&fixture->lock);
    while (in_time && fixture->replies < count)
        in_time = clock_wait_until(clock_system(), &fixture->changed, &fixture->lock, deadline_ms);
    assert_int_equal(fixture->replies, count);
    enum status status = fixture->reply_status;
    pthread_mutex_unlock(&fixture->lock);
    return status;
}

static enum status acknowledge(struct fixture *fixture, struct error *error)
{
    Xqueue__V1__AcknowledgeDeliveryRequest request = XQUEUE__V1__ACKNOWLEDGE_DELIVERY_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    request.submission_id = 7;
    request.delivery_key = (char *)"key-7";
    enum status status = core_client_call_own(fixture->client, &acknowledge_method, &request.base, PATIENCE_MS, &reply, error);
    if ((status == STATUS_OK) != (reply != NULL))
        status = STATUS_INTERNAL;
    rpc_message_free(reply);
    return status;
}

static enum status start_acknowledge(struct fixture *fixture)
{
    Xqueue__V1__AcknowledgeDeliveryRequest request = XQUEUE__V1__ACKNOWLEDGE_DELIVERY_REQUEST__INIT;
    request.submission_id = 8;
    request.delivery_key = (char *)"key-8";
    return core_client_start_own(fixture->client, &acknowledge_method, &request.base, on_reply, fixture);
}

static enum status start_long_poll(struct fixture *fixture)
{
    Xqueue__V1__LeaseDeliveriesRequest request = XQUEUE__V1__LEASE_DELIVERIES_REQUEST__INIT;
    request.courier = (char *)"test";
    request.instance = (char *)"1";
    request.wait_ms = LONG_MS;
    return core_client_start_own_for(fixture->client, &lease_method, &request.base, LONG_MS, on_reply, fixture);
}

static void a_call_of_ones_own_logs_in_once(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(acknowledge(fixture, NULL), STATUS_OK);
    assert_int_equal(acknowledge(fixture, NULL), STATUS_OK);

    assert_int_equal(fake_core_login_count(fixture->core), 1);
    assert_int_equal(fake_core_report_count(fixture->core), 2);
}

static void a_session_that_is_over_is_renewed_and_the_call_repeated(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(acknowledge(fixture, NULL), STATUS_OK);
    fake_core_end_sessions(fixture->core);

    assert_int_equal(acknowledge(fixture, NULL), STATUS_OK);

    assert_int_equal(fake_core_login_count(fixture->core), 2);
    assert_int_equal(fake_core_report_count(fixture->core), 2);
}

static void a_refused_login_is_told_and_not_repeated(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    fixture->user.password = (char *)"wrong";

    assert_int_equal(acknowledge(fixture, &error), STATUS_UNAUTHENTICATED);

    assert_string_equal(error.reason, "WRONG_CREDENTIALS");
    assert_int_equal(fake_core_login_count(fixture->core), 1);
}

static void a_refusal_of_the_core_comes_with_its_reason(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    fake_core_refuse_reports(fixture->core, 1, STATUS_STALE);

    assert_int_equal(acknowledge(fixture, &error), STATUS_STALE);

    assert_string_equal(error.reason, "BY_ORDER");
}

static void *acknowledge_main(void *argument)
{
    return acknowledge(argument, NULL) == STATUS_OK ? argument : NULL;
}

static void many_who_need_a_session_log_in_one_time(void **state)
{
    enum { THREADS = 16 };
    struct fixture *fixture = *state;
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, acknowledge_main, fixture), 0);
    for (int i = 0; i < THREADS; i++) {
        void *succeeded = NULL;
        assert_int_equal(pthread_join(threads[i], &succeeded), 0);
        assert_non_null(succeeded);
    }

    assert_int_equal(fake_core_login_count(fixture->core), 1);
    assert_int_equal(fake_core_report_count(fixture->core), THREADS);
}

static void without_a_session_a_call_that_may_not_block_is_refused(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(start_acknowledge(fixture), STATUS_UNAUTHENTICATED);
    assert_int_equal(core_client_login_own(fixture->client, NULL), STATUS_OK);
    assert_int_equal(start_acknowledge(fixture), STATUS_OK);

    assert_int_equal(wait_for_reply(fixture, 1), STATUS_OK);
}

static void a_call_that_does_not_block_forgets_a_session_that_is_over(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(core_client_login_own(fixture->client, NULL), STATUS_OK);
    fake_core_end_sessions(fixture->core);

    assert_int_equal(start_acknowledge(fixture), STATUS_OK);
    assert_int_equal(wait_for_reply(fixture, 1), STATUS_UNAUTHENTICATED);

    assert_int_equal(start_acknowledge(fixture), STATUS_UNAUTHENTICATED);
    assert_int_equal(core_client_login_own(fixture->client, NULL), STATUS_OK);
    assert_int_equal(fake_core_login_count(fixture->core), 2);
}

static void a_call_for_a_client_carries_its_token_alone(void **state)
{
    struct fixture *fixture = *state;
    Xqueue__V1__LoginRequest login = XQUEUE__V1__LOGIN_REQUEST__INIT;
    Xqueue__V1__AcknowledgeDeliveryRequest request = XQUEUE__V1__ACKNOWLEDGE_DELIVERY_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    login.user = (char *)FAKE_CORE_USER;
    login.password = (char *)FAKE_CORE_PASSWORD;
    assert_int_equal(core_client_login_own(fixture->client, NULL), STATUS_OK);

    assert_int_equal(core_client_call(fixture->client, &acknowledge_method, &request.base, NULL, &reply, NULL),
                     STATUS_UNAUTHENTICATED);
    assert_int_equal(core_client_call(fixture->client, &acknowledge_method, &request.base, "foreign", &reply, NULL),
                     STATUS_UNAUTHENTICATED);
    assert_int_equal(core_client_call(fixture->client, &acknowledge_method, &request.base, "b\xc3\xa4 d\n", &reply, NULL),
                     STATUS_UNAUTHENTICATED);
    assert_int_equal(core_client_call(fixture->client, &acknowledge_method, &request.base, "", &reply, NULL),
                     STATUS_UNAUTHENTICATED);
    assert_null(reply);
    assert_int_equal(core_client_call(fixture->client, &login_method, &login.base, NULL, &reply, NULL), STATUS_OK);
    rpc_message_free(reply);

    assert_int_equal(fake_core_report_count(fixture->core), 0);
}

static void a_core_that_is_away_is_unavailable_and_found_again(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    assert_int_equal(acknowledge(fixture, NULL), STATUS_OK);
    fake_core_stop(fixture->core);

    enum status away = acknowledge(fixture, &error);
    fake_core_resume(fixture->core);
    enum status back = STATUS_UNAVAILABLE;
    int64_t deadline_ms = clock_now_ms(clock_system()) + PATIENCE_MS;
    while (back == STATUS_UNAVAILABLE && clock_now_ms(clock_system()) < deadline_ms)
        back = acknowledge(fixture, NULL);

    assert_int_equal(away, STATUS_UNAVAILABLE);
    assert_string_equal(error.reason, "CORE_AWAY");
    assert_int_equal(back, STATUS_OK);
    assert_int_equal(fake_core_login_count(fixture->core), 1);
}

static void canceling_ends_running_calls_and_refuses_more(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(core_client_login_own(fixture->client, NULL), STATUS_OK);
    assert_int_equal(start_long_poll(fixture), STATUS_OK);
    assert_true(fake_core_wait_for_lease(fixture->core, PATIENCE_MS));

    core_client_cancel(fixture->client);

    assert_int_equal(wait_for_reply(fixture, 1), STATUS_CANCELED);
    assert_int_equal(start_acknowledge(fixture), STATUS_CANCELED);
    assert_int_equal(acknowledge(fixture, NULL), STATUS_CANCELED);
}

static void destroying_ends_what_runs_and_the_session(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(core_client_login_own(fixture->client, NULL), STATUS_OK);
    assert_int_equal(start_long_poll(fixture), STATUS_OK);

    core_client_destroy(fixture->client);
    fixture->client = NULL;

    assert_int_equal(fixture->replies, 1);
    assert_int_equal(fixture->reply_status, STATUS_CANCELED);
    assert_int_equal(fake_core_logout_count(fixture->core), 1);
}

static void a_user_without_a_readable_password_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct core_client *client = NULL;
    struct error error = {0};
    fixture->user.password = (char *)"";

    assert_int_equal(core_client_create(&fixture->config, &client, &error), STATUS_INVALID);

    assert_non_null(strstr(error.text, "password"));
    assert_null(client);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_call_of_ones_own_logs_in_once),
        CASE(a_session_that_is_over_is_renewed_and_the_call_repeated),
        CASE(a_refused_login_is_told_and_not_repeated),
        CASE(a_refusal_of_the_core_comes_with_its_reason),
        CASE(many_who_need_a_session_log_in_one_time),
        CASE(without_a_session_a_call_that_may_not_block_is_refused),
        CASE(a_call_that_does_not_block_forgets_a_session_that_is_over),
        CASE(a_call_for_a_client_carries_its_token_alone),
        CASE(a_core_that_is_away_is_unavailable_and_found_again),
        CASE(canceling_ends_running_calls_and_refuses_more),
        CASE(destroying_ends_what_runs_and_the_session),
        CASE(a_user_without_a_readable_password_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
