/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest xqueue_test_support */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "rest-adapter/http_client.h"
#include "tests/support/fake_lms.h"

enum { PATIENCE_MS = 20000, POSTS_MAX = 128, FORM_BYTES_BIG = 10 * 1024 * 1024 };

/* What came of the posts of a test. */
struct fixture {
    struct config_callbacks callbacks;
    struct http_client *client;
    struct fake_lms *lms;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct http_client_result results[POSTS_MAX];
    size_t count;
};

static void on_done(void *context, const struct http_client_result *result)
{
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    if (fixture->count < POSTS_MAX)
        fixture->results[fixture->count++] = *result;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

static void wait_for_results(struct fixture *fixture, size_t count)
{
    int64_t deadline_ms = clock_now_ms(clock_system()) + PATIENCE_MS;
    bool in_time = true;
    pthread_mutex_lock(&fixture->lock);
    while (in_time && fixture->count < count)
        in_time = clock_wait_until(clock_system(), &fixture->changed, &fixture->lock, deadline_ms);
    assert_int_equal(fixture->count, count);
    pthread_mutex_unlock(&fixture->lock);
}

static struct http_client_limits limits_of(const struct fixture *fixture)
{
    return (struct http_client_limits){.connect_timeout_ms = fixture->callbacks.connect_timeout_ms,
                                       .timeout_ms = fixture->callbacks.timeout_ms,
                                       .reply_bytes_max = fixture->callbacks.reply_bytes_max};
}

static enum status start(struct fixture *fixture, const char *url, const char *body, struct error *error)
{
    struct http_client_request post = {.method = HTTP_CLIENT_POST,
                                       .url = url,
                                       .limits = limits_of(fixture),
                                       .content_type = "application/x-www-form-urlencoded",
                                       .body = memory_copy_text(body),
                                       .body_length = strlen(body),
                                       .start_within_ms = PATIENCE_MS};
    enum status status = http_client_start(fixture->client, &post, on_done, fixture, error);
    if (status != STATUS_OK)
        memory_free(post.body);
    return status;
}

/* Posts to path of the fake LMS and waits for the result. */
static struct http_client_result post(struct fixture *fixture, const char *path)
{
    char url[FAKE_LMS_URL_MAX];
    size_t before = fixture->count;
    assert_int_equal(start(fixture, fake_lms_url(fixture->lms, path, url), "xqueue_header=a&xqueue_body=b", NULL), STATUS_OK);
    wait_for_results(fixture, before + 1);
    return fixture->results[before];
}

static void create_client(struct fixture *fixture)
{
    struct error error = {0};
    struct http_client_options options = {.callbacks = &fixture->callbacks,
                                          .trust = HTTP_CLIENT_TRUST_CALLBACK,
                                          .parallel_max = fixture->callbacks.parallel_max,
                                          .per_origin_max = fixture->callbacks.per_origin_max};
    assert_int_equal(http_client_create(&options, &fixture->client, &error), STATUS_OK);
}

static int set_up(void **state)
{
    struct fixture *fixture = MEMORY_NEW(struct fixture);
    fixture->callbacks = (struct config_callbacks){.parallel_max = 64,
                                                   .per_origin_max = 64,
                                                   .connect_timeout_ms = 2000,
                                                   .timeout_ms = 5000,
                                                   .reply_bytes_max = 65536,
                                                   .ca_file = (char *)""};
    pthread_mutex_init(&fixture->lock, NULL);
    clock_condition_init(&fixture->changed);
    fixture->lms = fake_lms_start(0);
    create_client(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    http_client_destroy(fixture->client);
    fake_lms_destroy(fixture->lms);
    pthread_cond_destroy(&fixture->changed);
    pthread_mutex_destroy(&fixture->lock);
    memory_free(fixture);
    return 0;
}

/* Changes a limit for the rest of the test. */
static void restart_with(struct fixture *fixture, int64_t per_origin_max, int64_t timeout_ms)
{
    http_client_destroy(fixture->client);
    fixture->callbacks.per_origin_max = per_origin_max;
    fixture->callbacks.timeout_ms = timeout_ms;
    create_client(fixture);
}

/* ---- on the wire ---- */

static void a_callback_looks_on_the_wire_as_the_original_says(void **state)
{
    struct fixture *fixture = *state;
    char expected[512];

    struct http_client_result result = post(fixture, "/courses/x?a=b&c=d");

    (void)snprintf(expected, sizeof(expected),
                   "POST /courses/x?a=b&c=d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: xqueue/" XQUEUE_VERSION
                   "\r\nAccept: */*\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 29\r\n",
                   fake_lms_port(fixture->lms));
    assert_int_equal(result.status, STATUS_OK);
    assert_int_equal(result.http_status, 200);
    assert_string_equal(result.text, "");
    assert_string_equal(fake_lms_callback(fixture->lms, 0)->head, expected);
    assert_string_equal(fake_lms_callback(fixture->lms, 0)->body, "xqueue_header=a&xqueue_body=b");
}

static void a_url_is_normalised(void **state)
{
    struct fixture *fixture = *state;

    (void)post(fixture, "");
    (void)post(fixture, "/a/../b/./c#fragment");
    (void)post(fixture, "/caf\xc3\xa9?q=\xe2\x82\xac#f");
    (void)post(fixture, "?only=query");

    assert_string_equal(fake_lms_callback(fixture->lms, 0)->path, "/");
    assert_string_equal(fake_lms_callback(fixture->lms, 1)->path, "/b/c");
    assert_string_equal(fake_lms_callback(fixture->lms, 2)->path, "/caf%C3%A9?q=%E2%82%AC");
    assert_string_equal(fake_lms_callback(fixture->lms, 3)->path, "/?only=query");
}

static void user_information_of_the_url_goes_as_basic(void **state)
{
    struct fixture *fixture = *state;
    char url[128];
    (void)snprintf(url, sizeof(url), "http://us%%65r:p%%40ss@127.0.0.1:%d/x", fake_lms_port(fixture->lms));

    assert_int_equal(start(fixture, url, "", NULL), STATUS_OK);
    wait_for_results(fixture, 1);

    const struct fake_lms_callback *callback = fake_lms_callback(fixture->lms, 0);
    assert_string_equal(callback->path, "/x");
    assert_non_null(strstr(callback->head, "Authorization: Basic dXNlcjpwQHNz\r\n")); // user:p@ss
}

static void configured_credentials_beat_those_of_the_url_at_their_origin_only(void **state)
{
    struct fixture *fixture = *state;
    char origin[64];
    char url[128];
    (void)snprintf(origin, sizeof(origin), "http://127.0.0.1:%d", fake_lms_port(fixture->lms));
    struct config_basic_auth auth[] = {{.origin = origin, .user = (char *)"lms", .password = (char *)"right"}};
    fixture->callbacks.basic_auth = auth;
    fixture->callbacks.basic_auth_count = 1;

    (void)snprintf(url, sizeof(url), "http://user:pass@127.0.0.1:%d/", fake_lms_port(fixture->lms));
    assert_int_equal(start(fixture, url, "", NULL), STATUS_OK);
    wait_for_results(fixture, 1);
    (void)snprintf(url, sizeof(url), "http://localhost:%d/", fake_lms_port(fixture->lms));
    assert_int_equal(start(fixture, url, "", NULL), STATUS_OK);
    wait_for_results(fixture, 2);

    assert_non_null(strstr(fake_lms_callback(fixture->lms, 0)->head, "Authorization: Basic bG1zOnJpZ2h0\r\n")); // lms:right
    assert_null(strstr(fake_lms_callback(fixture->lms, 1)->head, "Authorization"));
}

static void a_body_of_ten_megabytes_arrives_whole(void **state)
{
    struct fixture *fixture = *state;
    char url[FAKE_LMS_URL_MAX];
    char *body = memory_allocate(FORM_BYTES_BIG + 1);
    memset(body, 'z', FORM_BYTES_BIG);

    assert_int_equal(start(fixture, fake_lms_url(fixture->lms, "/big", url), body, NULL), STATUS_OK);
    wait_for_results(fixture, 1);

    assert_int_equal(fixture->results[0].status, STATUS_OK);
    assert_int_equal(fake_lms_callback(fixture->lms, 0)->body_length, FORM_BYTES_BIG);
    assert_memory_equal(fake_lms_callback(fixture->lms, 0)->body, body, FORM_BYTES_BIG);
    assert_null(strstr(fake_lms_callback(fixture->lms, 0)->head, "Expect"));
    memory_free(body);
}

static void a_proxy_of_the_environment_is_not_used(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);

    struct http_client_result result = post(fixture, "/x");

    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(result.status, STATUS_OK);
}

/* ---- answers ---- */

static void only_200_is_success(void **state)
{
    static const int statuses[] = {201, 202, 204, 301, 400, 404, 500, 503};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        fake_lms_script_next(fixture->lms, 1, &(struct fake_lms_script){.http_status = statuses[i], .close_after = true});
        struct http_client_result result = post(fixture, "/x");

        assert_int_equal(result.status, STATUS_UNAVAILABLE);
        assert_int_equal(result.http_status, statuses[i]);
        assert_int_equal(result.retry_after_ms, 0);
        assert_non_null(strstr(result.text, "answered"));
    }
}

static void a_redirect_is_not_followed(void **state)
{
    struct fixture *fixture = *state;
    fake_lms_script_path(fixture->lms, "/x",
                         &(struct fake_lms_script){.kind = FAKE_LMS_REDIRECT, .http_status = 307, .location = "/y"});

    struct http_client_result result = post(fixture, "/x");

    assert_int_equal(result.status, STATUS_UNAVAILABLE);
    assert_int_equal(result.http_status, 307);
    assert_int_equal(fake_lms_count(fixture->lms), 1);
}

static void retry_after_is_handed_on(void **state)
{
    struct fixture *fixture = *state;
    fake_lms_script_next(fixture->lms, 1, &(struct fake_lms_script){.http_status = 503, .header_line = "Retry-After: 7"});

    struct http_client_result result = post(fixture, "/x");

    assert_int_equal(result.retry_after_ms, 7000);
}

static void what_follows_a_200_does_not_matter(void **state)
{
    struct fixture *fixture = *state;
    restart_with(fixture, 64, 300);
    fake_lms_script_path(fixture->lms, "/long", &(struct fake_lms_script){.reply_bytes = 10000000});
    fake_lms_script_path(fixture->lms, "/hang", &(struct fake_lms_script){.kind = FAKE_LMS_HANG_BODY});

    assert_int_equal(post(fixture, "/long").status, STATUS_OK);
    assert_int_equal(post(fixture, "/hang").status, STATUS_OK);
}

static void an_lms_that_hangs_times_out(void **state)
{
    struct fixture *fixture = *state;
    restart_with(fixture, 64, 300);
    fake_lms_script_path(fixture->lms, "/hang", &(struct fake_lms_script){.kind = FAKE_LMS_HANG});

    struct http_client_result result = post(fixture, "/hang");

    assert_int_equal(result.status, STATUS_TIMEOUT);
    assert_int_equal(result.http_status, 0);
    assert_in_range(result.duration_ms, 250, PATIENCE_MS); // libcurl rounds
}

static void a_broken_answer_is_a_failure_that_may_pass(void **state)
{
    struct fixture *fixture = *state;
    fake_lms_script_path(fixture->lms, "/close", &(struct fake_lms_script){.kind = FAKE_LMS_CLOSE});
    fake_lms_script_path(fixture->lms, "/garbage", &(struct fake_lms_script){.kind = FAKE_LMS_GARBAGE});

    assert_int_equal(post(fixture, "/close").status, STATUS_UNAVAILABLE);
    assert_int_equal(post(fixture, "/garbage").status, STATUS_UNAVAILABLE);
    fake_lms_stop(fixture->lms);
    struct http_client_result result = post(fixture, "/refused");
    assert_int_equal(result.status, STATUS_UNAVAILABLE);
    assert_true(strlen(result.text) > 0);
    fake_lms_resume(fixture->lms);
    assert_int_equal(post(fixture, "/back").status, STATUS_OK);
}

/* ---- where it goes ---- */

static void unusable_and_forbidden_urls_are_refused_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};

    assert_int_equal(start(fixture, "nonsense", "", &error), STATUS_INVALID);
    assert_string_equal(error.reason, "URL_INVALID");
    assert_int_equal(start(fixture, "ftp://127.0.0.1/", "", &error), STATUS_INVALID);
    assert_int_equal(start(fixture, "http://169.254.169.254/latest", "", &error), STATUS_DENIED);
    assert_string_equal(error.reason, "CALLBACK_REFUSED");
    assert_int_equal(start(fixture, "http://[::ffff:169.254.169.254]/latest", "", &error), STATUS_DENIED);
    assert_int_equal(fixture->count, 0);
}

/* ---- many ---- */

static void sixty_four_run_side_by_side(void **state)
{
    enum { COUNT = 64 };
    struct fixture *fixture = *state;
    char url[FAKE_LMS_URL_MAX];
    fake_lms_script_default(fixture->lms, &(struct fake_lms_script){.kind = FAKE_LMS_HANG});

    for (int i = 0; i < COUNT; i++)
        assert_int_equal(start(fixture, fake_lms_url(fixture->lms, "/x", url), "a=b", NULL), STATUS_OK);
    assert_true(fake_lms_wait_for(fixture->lms, COUNT, PATIENCE_MS));
    fake_lms_release(fixture->lms);
    wait_for_results(fixture, COUNT);

    assert_int_equal(fake_lms_parallel_peak(fixture->lms), COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(fixture->results[i].status, STATUS_OK);
}

static void an_origin_has_a_limit_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    struct fake_lms *other = fake_lms_start(0);
    char url[FAKE_LMS_URL_MAX];
    restart_with(fixture, 2, 5000);
    fake_lms_script_default(fixture->lms, &(struct fake_lms_script){.kind = FAKE_LMS_HANG});

    for (int i = 0; i < 6; i++)
        assert_int_equal(start(fixture, fake_lms_url(fixture->lms, "/slow", url), "a=b", NULL), STATUS_OK);
    assert_true(fake_lms_wait_for(fixture->lms, 2, PATIENCE_MS));
    assert_int_equal(start(fixture, fake_lms_url(other, "/quick", url), "a=b", NULL), STATUS_OK);
    wait_for_results(fixture, 1); // the quick one, though six were there before it
    assert_int_equal(fake_lms_count(other), 1);
    fake_lms_script_default(fixture->lms, &(struct fake_lms_script){0});
    fake_lms_release(fixture->lms);
    wait_for_results(fixture, 7);

    assert_int_equal(fake_lms_count(fixture->lms), 6);
    assert_true(fake_lms_parallel_peak(fixture->lms) <= 2);
    fake_lms_destroy(other);
}

static void who_finds_no_place_in_time_is_told_so(void **state)
{
    struct fixture *fixture = *state;
    char url[FAKE_LMS_URL_MAX];
    restart_with(fixture, 1, 5000);
    fake_lms_script_default(fixture->lms, &(struct fake_lms_script){.kind = FAKE_LMS_HANG});
    assert_int_equal(start(fixture, fake_lms_url(fixture->lms, "/first", url), "", NULL), STATUS_OK);
    assert_true(fake_lms_wait_for(fixture->lms, 1, PATIENCE_MS));

    struct http_client_request second = {.method = HTTP_CLIENT_POST,
                                         .url = url,
                                         .body = memory_copy_text(""),
                                         .limits = limits_of(fixture),
                                         .start_within_ms = 50};
    assert_int_equal(http_client_start(fixture->client, &second, on_done, fixture, NULL), STATUS_OK);
    wait_for_results(fixture, 1);

    assert_int_equal(fixture->results[0].status, STATUS_FULL);
    assert_int_equal(fake_lms_count(fixture->lms), 1);
    fake_lms_release(fixture->lms);
    wait_for_results(fixture, 2);
    assert_int_equal(fixture->results[1].status, STATUS_OK);
}

static void canceling_ends_what_runs_and_refuses_more(void **state)
{
    struct fixture *fixture = *state;
    char url[FAKE_LMS_URL_MAX];
    restart_with(fixture, 1, 60000);
    fake_lms_script_default(fixture->lms, &(struct fake_lms_script){.kind = FAKE_LMS_HANG});
    for (int i = 0; i < 3; i++)
        assert_int_equal(start(fixture, fake_lms_url(fixture->lms, "/x", url), "", NULL), STATUS_OK);
    assert_true(fake_lms_wait_for(fixture->lms, 1, PATIENCE_MS));

    http_client_cancel_all(fixture->client);
    wait_for_results(fixture, 3);

    for (int i = 0; i < 3; i++)
        assert_int_equal(fixture->results[i].status, STATUS_CANCELED);
    assert_int_equal(start(fixture, url, "", NULL), STATUS_CANCELED);
}

static void destroying_calls_back_what_is_left(void **state)
{
    struct fixture *fixture = *state;
    char url[FAKE_LMS_URL_MAX];
    fake_lms_script_default(fixture->lms, &(struct fake_lms_script){.kind = FAKE_LMS_HANG});
    for (int i = 0; i < 10; i++)
        assert_int_equal(start(fixture, fake_lms_url(fixture->lms, "/x", url), "", NULL), STATUS_OK);

    http_client_destroy(fixture->client);
    fixture->client = NULL;

    assert_int_equal(fixture->count, 10);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_callback_looks_on_the_wire_as_the_original_says),
        CASE(a_url_is_normalised),
        CASE(user_information_of_the_url_goes_as_basic),
        CASE(configured_credentials_beat_those_of_the_url_at_their_origin_only),
        CASE(a_body_of_ten_megabytes_arrives_whole),
        CASE(a_proxy_of_the_environment_is_not_used),
        CASE(only_200_is_success),
        CASE(a_redirect_is_not_followed),
        CASE(retry_after_is_handed_on),
        CASE(what_follows_a_200_does_not_matter),
        CASE(an_lms_that_hangs_times_out),
        CASE(a_broken_answer_is_a_failure_that_may_pass),
        CASE(unusable_and_forbidden_urls_are_refused_at_once),
        CASE(sixty_four_run_side_by_side),
        CASE(an_origin_has_a_limit_of_its_own),
        CASE(who_finds_no_place_in_time_is_told_so),
        CASE(canceling_ends_what_runs_and_refuses_more),
        CASE(destroying_calls_back_what_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
