/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest xqueue_test_core xqueue_test_support */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "rest-adapter/callback_body.h"
#include "rest-adapter/courier.h"
#include "tests/support/fake_core.h"
#include "tests/support/fake_lms.h"
#include "xqueue/v1/deliveries.pb-c.h"

enum { PATIENCE_MS = 20000, MANY = 200 };

static const char header[] = "{\"lms_callback_url\": \"...\", \"lms_key\": \"k\", \"queue_name\": \"q\"}";
static const char result[] = "{\"correct\": true, \"score\": 1, \"msg\": \"<p>\xc3\xa9</p>\"}";

struct fixture {
    struct config_user user;
    struct config config;
    struct fake_core *core;
    struct fake_lms *lms;
    struct core_client *client;
    struct courier *courier;
    char urls[MANY][64];
};

static int set_up(void **state)
{
    struct fixture *fixture = MEMORY_NEW(struct fixture);
    fixture->core = fake_core_start();
    fixture->lms = fake_lms_start(0);
    fixture->user.name = (char *)FAKE_CORE_USER;
    fixture->user.password = (char *)FAKE_CORE_PASSWORD;
    fixture->user.password_hash = (char *)"";
    fixture->config.users = &fixture->user;
    fixture->config.user_count = 1;
    fixture->config.rest.user = (char *)FAKE_CORE_USER;
    fixture->config.rest.core = (char *)fake_core_address(fixture->core);
    fixture->config.rest.token_file = "";
    fixture->config.rest.core_timeout_ms = 5000;
    fixture->config.callbacks = (struct config_callbacks){.parallel_max = 8,
                                                          .per_origin_max = 4,
                                                          .connect_timeout_ms = 2000,
                                                          .timeout_ms = 3000,
                                                          .reply_bytes_max = 65536,
                                                          .ca_file = (char *)""};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    courier_destroy(fixture->courier);
    core_client_destroy(fixture->client);
    fake_core_destroy(fixture->core);
    fake_lms_destroy(fixture->lms);
    memory_free(fixture);
    return 0;
}

static void courier_starts(struct fixture *fixture)
{
    struct error error = {0};
    assert_int_equal(core_client_create(&fixture->config, &fixture->client, &error), STATUS_OK);
    assert_int_equal(courier_create(&fixture->config, fixture->client, &fixture->courier, &error), STATUS_OK);
}

static void core_has(struct fixture *fixture, uint64_t id, const char *url, int outcome)
{
    struct fake_core_delivery delivery = {
        .submission_id = id, .url = url, .header = header, .result = result, .outcome = outcome};
    fake_core_add(fixture->core, &delivery);
}

/* A delivery with the id to the path of the fake LMS. */
static void core_has_for_lms(struct fixture *fixture, uint64_t id, const char *path)
{
    char *url = fixture->urls[id % MANY];
    (void)snprintf(url, sizeof(fixture->urls[0]), "http://127.0.0.1:%d%s", fake_lms_port(fixture->lms), path);
    core_has(fixture, id, url, 0);
}

static struct fake_core_report core_is_told(struct fixture *fixture, size_t index)
{
    assert_true(fake_core_wait_for_reports(fixture->core, index + 1, PATIENCE_MS));
    return fake_core_report(fixture->core, index);
}

/* ---- outcomes ---- */

static void a_result_is_posted_and_acknowledged(void **state)
{
    struct fixture *fixture = *state;
    courier_starts(fixture);

    core_has_for_lms(fixture, 7, "/callback");
    struct fake_core_report report = core_is_told(fixture, 0);

    const struct fake_lms_callback *callback = fake_lms_callback(fixture->lms, 0);
    assert_string_equal(callback->header, header);
    assert_string_equal(callback->result, result);
    assert_true(report.acknowledged);
    assert_int_equal(report.submission_id, 7);
    assert_string_equal(report.delivery_key, "key-7");
}

static void who_cannot_be_graded_hears_of_it(void **state)
{
    struct fixture *fixture = *state;
    char url[FAKE_LMS_URL_MAX];
    (void)fake_lms_url(fixture->lms, "/x", url);
    courier_starts(fixture);

    core_has(fixture, 1, url, XQUEUE__V1__OUTCOME__OUTCOME_DEAD);
    assert_true(core_is_told(fixture, 0).acknowledged);
    core_has(fixture, 2, url, XQUEUE__V1__OUTCOME__OUTCOME_UNGRADABLE);
    assert_true(core_is_told(fixture, 1).acknowledged);

    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(fake_lms_callback(fixture->lms, i)->header, header);
        assert_string_equal(fake_lms_callback(fixture->lms, i)->result, callback_body_failure_message());
    }
}

static void an_unknown_outcome_is_not_posted(void **state)
{
    struct fixture *fixture = *state;
    char url[FAKE_LMS_URL_MAX];
    courier_starts(fixture);

    core_has(fixture, 1, fake_lms_url(fixture->lms, "/x", url), 99);
    struct fake_core_report report = core_is_told(fixture, 0);

    assert_false(report.acknowledged || report.permanent || report.uncounted);
    assert_int_equal(fake_lms_count(fixture->lms), 0);
}

static void what_the_lms_does_not_take_is_failed_with_a_reason(void **state)
{
    struct fixture *fixture = *state;
    fake_lms_script_default(fixture->lms, &(struct fake_lms_script){.http_status = 503, .header_line = "Retry-After: 30"});
    courier_starts(fixture);

    core_has_for_lms(fixture, 7, "/callback");
    struct fake_core_report report = core_is_told(fixture, 0);

    assert_false(report.acknowledged || report.permanent || report.uncounted);
    assert_string_equal(report.message, "answered 503");
    assert_int_equal(report.retry_after_ms, 30000);
    assert_int_equal(fake_lms_count(fixture->lms), 1);
}

static void a_url_that_cannot_be_used_fails_for_good(void **state)
{
    static const char *const urls[] = {"", "nonsense", "ftp://lms/", "http://169.254.169.254/"};
    struct fixture *fixture = *state;
    courier_starts(fixture);

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        core_has(fixture, i, urls[i], 0);
        struct fake_core_report report = core_is_told(fixture, i);
        assert_false(report.acknowledged);
        assert_true(report.permanent);
        assert_true(strlen(report.message) > 0);
    }
}

/* ---- many ---- */

static void no_more_is_leased_than_there_are_places(void **state)
{
    struct fixture *fixture = *state;
    fixture->config.callbacks.per_origin_max = 8;
    fake_lms_script_default(fixture->lms, &(struct fake_lms_script){.kind = FAKE_LMS_HANG});
    for (uint64_t i = 0; i < MANY; i++)
        core_has_for_lms(fixture, i, "/x");

    courier_starts(fixture);
    assert_true(fake_lms_wait_for(fixture->lms, 8, PATIENCE_MS));
    size_t leased_while_hanging = fake_core_leased_max(fixture->core);
    fake_lms_script_default(fixture->lms, &(struct fake_lms_script){0});
    fake_lms_release(fixture->lms);
    assert_true(fake_core_wait_for_reports(fixture->core, MANY, PATIENCE_MS));

    assert_int_equal(leased_while_hanging, 8);
    assert_in_range(fake_core_leased_max(fixture->core), 8, 8);
    assert_int_equal(fake_lms_count(fixture->lms), MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_true(fake_core_report(fixture->core, i).acknowledged);
}

static void one_lms_that_hangs_does_not_stop_another(void **state)
{
    struct fixture *fixture = *state;
    struct fake_lms *other = fake_lms_start(0);
    char url[FAKE_LMS_URL_MAX];
    fake_lms_script_default(fixture->lms, &(struct fake_lms_script){.kind = FAKE_LMS_HANG});
    for (uint64_t i = 0; i < 6; i++)
        core_has_for_lms(fixture, i, "/x");
    courier_starts(fixture);
    assert_true(fake_lms_wait_for(fixture->lms, 4, PATIENCE_MS));

    core_has(fixture, 100, fake_lms_url(other, "/quick", url), 0);
    struct fake_core_report report = core_is_told(fixture, 0);

    assert_true(report.acknowledged);
    assert_int_equal(report.submission_id, 100);
    fake_lms_script_default(fixture->lms, &(struct fake_lms_script){0});
    fake_lms_release(fixture->lms);
    courier_stop(fixture->courier, PATIENCE_MS);
    fake_lms_destroy(other);
}

static void an_lms_that_is_failing_holds_no_places_in_waiting(void **state)
{
    struct fixture *fixture = *state;
    fake_lms_script_path(fixture->lms, "/down", &(struct fake_lms_script){.http_status = 500});
    fake_lms_script_path(fixture->lms, "/hang", &(struct fake_lms_script){.kind = FAKE_LMS_HANG});
    courier_starts(fixture);
    core_has_for_lms(fixture, 1, "/down");
    assert_false(core_is_told(fixture, 0).uncounted);

    for (uint64_t i = 10; i < 15; i++)
        core_has_for_lms(fixture, i, "/hang"); // one more than the LMS may have at one time
    struct fake_core_report report = core_is_told(fixture, 1);

    assert_true(report.uncounted);
    assert_int_equal(report.retry_after_ms, COURIER_FAILING_RETRY_MS);
    assert_true(fake_lms_wait_for_path(fixture->lms, "/hang", 4, PATIENCE_MS));
    assert_int_equal(fake_core_report_count(fixture->core), 2);
    fake_lms_release(fixture->lms);
}

/* ---- the core goes away ---- */

static void an_acknowledgement_outlasts_a_restart_of_the_core(void **state)
{
    struct fixture *fixture = *state;
    fake_lms_script_default(fixture->lms, &(struct fake_lms_script){.kind = FAKE_LMS_HANG});
    courier_starts(fixture);
    core_has_for_lms(fixture, 7, "/callback");
    assert_true(fake_lms_wait_for(fixture->lms, 1, PATIENCE_MS));

    fake_core_stop(fixture->core);
    fake_lms_release(fixture->lms); // the LMS takes it while the core is away
    fake_core_resume(fixture->core);
    struct fake_core_report report = core_is_told(fixture, 0);

    assert_true(report.acknowledged);
    assert_string_equal(report.delivery_key, "key-7");
    assert_int_equal(fake_lms_count(fixture->lms), 1);
}

static void a_report_that_is_refused_for_now_is_told_again(void **state)
{
    struct fixture *fixture = *state;
    fixture->config.callbacks.parallel_max = 1;
    fake_core_refuse_reports(fixture->core, 3, STATUS_UNAVAILABLE);
    courier_starts(fixture);

    core_has_for_lms(fixture, 1, "/x");
    core_has_for_lms(fixture, 2, "/x");
    assert_int_equal(core_is_told(fixture, 0).submission_id, 1);
    assert_int_equal(core_is_told(fixture, 1).submission_id, 2);

    assert_int_equal(fake_core_refused_count(fixture->core), 3);
    assert_int_equal(fake_lms_count(fixture->lms), 2);
}

static void nothing_is_leased_before_the_reports_that_wait_are_told(void **state)
{
    struct fixture *fixture = *state;
    fake_lms_script_path(fixture->lms, "/first", &(struct fake_lms_script){.kind = FAKE_LMS_HANG});
    courier_starts(fixture);
    core_has_for_lms(fixture, 1, "/first");
    assert_true(fake_lms_wait_for(fixture->lms, 1, PATIENCE_MS));

    fake_core_stop(fixture->core);
    fake_lms_release(fixture->lms);
    core_has_for_lms(fixture, 2, "/second");
    fake_core_refuse_reports(fixture->core, 4, STATUS_UNAVAILABLE);
    fake_core_resume(fixture->core);

    assert_int_equal(core_is_told(fixture, 0).submission_id, 1);
    assert_int_equal(core_is_told(fixture, 1).submission_id, 2);
    assert_true(fake_lms_callback(fixture->lms, 1)->at_us > fake_core_report(fixture->core, 0).at_us);
    assert_int_equal(fake_lms_count(fixture->lms), 2);
}

static void a_report_that_is_refused_for_good_is_dropped(void **state)
{
    struct fixture *fixture = *state;
    fake_core_refuse_reports(fixture->core, 1, STATUS_STALE);
    courier_starts(fixture);

    core_has_for_lms(fixture, 1, "/x");
    assert_true(fake_lms_wait_for(fixture->lms, 1, PATIENCE_MS));
    assert_true(fake_core_wait_for_lease(fixture->core, PATIENCE_MS));
    core_has_for_lms(fixture, 2, "/x");
    assert_int_equal(core_is_told(fixture, 0).submission_id, 2);

    courier_stop(fixture->courier, PATIENCE_MS);
    assert_int_equal(fake_core_refused_count(fixture->core), 1);
    assert_int_equal(fake_core_report_count(fixture->core), 1);
}

static void a_session_that_ends_in_between_is_renewed_for_the_report(void **state)
{
    struct fixture *fixture = *state;
    fake_lms_script_default(fixture->lms, &(struct fake_lms_script){.kind = FAKE_LMS_HANG});
    courier_starts(fixture);
    core_has_for_lms(fixture, 7, "/callback");
    assert_true(fake_lms_wait_for(fixture->lms, 1, PATIENCE_MS));

    fake_core_end_sessions(fixture->core);
    fake_lms_release(fixture->lms);

    assert_true(core_is_told(fixture, 0).acknowledged);
    assert_int_equal(fake_lms_count(fixture->lms), 1);
}

static void a_core_that_comes_later_is_found(void **state)
{
    struct fixture *fixture = *state;
    fake_core_stop(fixture->core);
    courier_starts(fixture);
    core_has_for_lms(fixture, 7, "/callback");

    fake_core_resume(fixture->core);

    assert_true(core_is_told(fixture, 0).acknowledged);
}

/* ---- stopping ---- */

static void stopping_waits_for_what_runs(void **state)
{
    struct fixture *fixture = *state;
    fake_lms_script_default(fixture->lms, &(struct fake_lms_script){.delay_ms = 200});
    courier_starts(fixture);
    core_has_for_lms(fixture, 7, "/callback");
    assert_true(fake_lms_wait_for(fixture->lms, 1, PATIENCE_MS));

    courier_stop(fixture->courier, PATIENCE_MS);

    assert_int_equal(fake_core_report_count(fixture->core), 1);
    assert_true(fake_core_report(fixture->core, 0).acknowledged);
}

static void what_is_not_done_when_the_grace_is_over_is_given_back_uncounted(void **state)
{
    struct fixture *fixture = *state;
    fake_lms_script_default(fixture->lms, &(struct fake_lms_script){.kind = FAKE_LMS_HANG});
    courier_starts(fixture);
    for (uint64_t i = 0; i < 6; i++)
        core_has_for_lms(fixture, i, "/callback");
    assert_true(fake_lms_wait_for(fixture->lms, 4, PATIENCE_MS));

    courier_stop(fixture->courier, 50);

    assert_int_equal(fake_core_report_count(fixture->core), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_false(fake_core_report(fixture->core, i).acknowledged);
        assert_true(fake_core_report(fixture->core, i).uncounted);
    }
}

static void what_is_granted_while_stopping_is_given_back(void **state)
{
    struct fixture *fixture = *state;
    courier_starts(fixture);
    assert_true(fake_core_wait_for_lease(fixture->core, PATIENCE_MS));

    courier_stop(fixture->courier, 0);
    core_has_for_lms(fixture, 7, "/callback"); // answers the Lease that still waits
    struct fake_core_report report = core_is_told(fixture, 0);

    assert_true(report.uncounted);
    assert_int_equal(fake_lms_count(fixture->lms), 0);
}

static void stopping_without_a_core_ends_in_bounded_time(void **state)
{
    struct fixture *fixture = *state;
    fake_lms_script_default(fixture->lms, &(struct fake_lms_script){.kind = FAKE_LMS_HANG});
    courier_starts(fixture);
    core_has_for_lms(fixture, 7, "/callback");
    assert_true(fake_lms_wait_for(fixture->lms, 1, PATIENCE_MS));
    fake_core_stop(fixture->core);
    int64_t before_ms = clock_now_ms(clock_system());

    courier_stop(fixture->courier, 0);

    assert_in_range(clock_now_ms(clock_system()) - before_ms, 0, COURIER_STOP_REPORT_MS + 2 * 5000);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_result_is_posted_and_acknowledged),
        CASE(who_cannot_be_graded_hears_of_it),
        CASE(an_unknown_outcome_is_not_posted),
        CASE(what_the_lms_does_not_take_is_failed_with_a_reason),
        CASE(a_url_that_cannot_be_used_fails_for_good),
        CASE(no_more_is_leased_than_there_are_places),
        CASE(one_lms_that_hangs_does_not_stop_another),
        CASE(an_lms_that_is_failing_holds_no_places_in_waiting),
        CASE(an_acknowledgement_outlasts_a_restart_of_the_core),
        CASE(a_report_that_is_refused_for_now_is_told_again),
        CASE(nothing_is_leased_before_the_reports_that_wait_are_told),
        CASE(a_report_that_is_refused_for_good_is_dropped),
        CASE(a_session_that_ends_in_between_is_renewed_for_the_report),
        CASE(a_core_that_comes_later_is_found),
        CASE(stopping_waits_for_what_runs),
        CASE(what_is_not_done_when_the_grace_is_over_is_given_back_uncounted),
        CASE(what_is_granted_while_stopping_is_given_back),
        CASE(stopping_without_a_core_ends_in_bounded_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
