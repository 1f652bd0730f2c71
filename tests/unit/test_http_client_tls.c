/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest xqueue_test_tls */
/* Whom a callback trusts. The LMS here speaks TLS. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "rest-adapter/http_client.h"
#include "tests/support/tls_server.h"

enum { PATIENCE_MS = 20000 };

struct fixture {
    struct tls_server *lms;
    struct config_callbacks callbacks;
    struct http_client *client;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    struct http_client_result result;
    bool done;
};

static int set_up(void **state)
{
    struct fixture *fixture = MEMORY_NEW(struct fixture);
    pthread_mutex_init(&fixture->lock, NULL);
    clock_condition_init(&fixture->changed);
    fixture->callbacks = (struct config_callbacks){.parallel_max = 4,
                                                   .per_origin_max = 4,
                                                   .connect_timeout_ms = 5000,
                                                   .timeout_ms = 5000,
                                                   .reply_bytes_max = 65536,
                                                   .ca_file = (char *)""};
    fixture->lms = tls_server_start();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    http_client_destroy(fixture->client);
    tls_server_destroy(fixture->lms);
    pthread_cond_destroy(&fixture->changed);
    pthread_mutex_destroy(&fixture->lock);
    memory_free(fixture);
    return 0;
}

/* ---- the callback ---- */

static struct http_client_options options_of(const struct fixture *fixture)
{
    return (struct http_client_options){
        .callbacks = &fixture->callbacks, .trust = HTTP_CLIENT_TRUST_CALLBACK, .parallel_max = 4, .per_origin_max = 4};
}

static void on_done(void *context, const struct http_client_result *result)
{
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    fixture->result = *result;
    fixture->done = true;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

static struct http_client_result post_to(struct fixture *fixture, const char *host)
{
    char url[128];
    struct http_client_options options = options_of(fixture);
    int64_t deadline_ms = clock_now_ms(clock_system()) + PATIENCE_MS;
    bool in_time = true;
    (void)snprintf(url, sizeof(url), "https://%s:%d/x", host, tls_server_port(fixture->lms));
    struct http_client_request request = {.method = HTTP_CLIENT_POST,
                                          .url = url,
                                          .body = memory_copy_text("a=b"),
                                          .body_length = 3,
                                          .limits = {.connect_timeout_ms = 5000, .timeout_ms = 5000, .reply_bytes_max = 65536}};
    fixture->done = false;
    assert_int_equal(http_client_create(&options, &fixture->client, NULL), STATUS_OK);
    assert_int_equal(http_client_start(fixture->client, &request, on_done, fixture, NULL), STATUS_OK);
    pthread_mutex_lock(&fixture->lock);
    while (in_time && !fixture->done)
        in_time = clock_wait_until(clock_system(), &fixture->changed, &fixture->lock, deadline_ms);
    assert_true(fixture->done);
    struct http_client_result result = fixture->result;
    pthread_mutex_unlock(&fixture->lock);
    return result;
}

static void an_unknown_certificate_gets_no_request(void **state)
{
    struct fixture *fixture = *state;

    struct http_client_result result = post_to(fixture, "127.0.0.1");

    assert_int_equal(result.status, STATUS_UNAVAILABLE);
    assert_non_null(strstr(result.text, "certificate"));
    assert_int_equal(tls_server_requests(fixture->lms), 0);
}

static void a_certificate_of_the_configured_authority_is_trusted(void **state)
{
    struct fixture *fixture = *state;
    fixture->callbacks.ca_file = tls_server_ca_file(fixture->lms);

    assert_int_equal(post_to(fixture, "127.0.0.1").status, STATUS_OK);

    assert_int_equal(tls_server_requests(fixture->lms), 1);
}

static void a_certificate_for_another_host_gets_no_request(void **state)
{
    struct fixture *fixture = *state;
    fixture->callbacks.ca_file = tls_server_ca_file(fixture->lms);

    assert_int_equal(post_to(fixture, "localhost").status, STATUS_UNAVAILABLE);

    assert_int_equal(tls_server_requests(fixture->lms), 0);
}

static void an_insecure_origin_is_trusted_and_no_other(void **state)
{
    struct fixture *fixture = *state;
    char origin[64];
    char *insecure[] = {origin};
    (void)snprintf(origin, sizeof(origin), "https://127.0.0.1:%d", tls_server_port(fixture->lms));
    fixture->callbacks.insecure_origins = (struct config_texts){insecure, 1};

    assert_int_equal(post_to(fixture, "127.0.0.1").status, STATUS_OK);
    http_client_destroy(fixture->client);
    assert_int_equal(post_to(fixture, "localhost").status, STATUS_UNAVAILABLE);

    assert_int_equal(tls_server_requests(fixture->lms), 1);
}

static void an_authority_file_that_cannot_be_read_is_an_error_at_start(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    struct http_client_options options = options_of(fixture);
    fixture->callbacks.ca_file = (char *)"/does/not/exist.pem";

    assert_int_equal(http_client_create(&options, &fixture->client, &error), STATUS_INVALID);

    assert_non_null(strstr(error.text, "/does/not/exist.pem"));
    assert_null(fixture->client);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_unknown_certificate_gets_no_request),
        CASE(a_certificate_of_the_configured_authority_is_trusted),
        CASE(a_certificate_for_another_host_gets_no_request),
        CASE(an_insecure_origin_is_trusted_and_no_other),
        CASE(an_authority_file_that_cannot_be_read_is_an_error_at_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
