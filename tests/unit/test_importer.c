/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_import_test_support xqueue_store_test_support PkgConfig::SQLITE */
/*
 * The move of an original's database into ours: what becomes of each submission and user.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "service/import/legacy_row.h"
#include "tests/support/import_fixture.h"

enum { CONFIG_TEXT_MAX = 4096 };

#define LONG_120 \
    "http://lms.example/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

static int64_t next_ready(struct import_fixture *fixture, const char *queue)
{
    int64_t queue_id = 0;
    struct store_submission row;
    assert_int_equal(store_queue_id(fixture->store, queue, &queue_id), STATUS_OK);
    if (store_next_ready(fixture->store, queue_id, 0, &row) != STATUS_OK)
        return 0;
    assert_int_equal(store_move_submission(fixture->store, &row, SUBMISSION_CANCELED), STATUS_OK);
    return row.id;
}

/* ---- waiting ---- */

static void waiting_submissions_keep_id_content_and_order(void **state)
{
    struct import_fixture *fixture = *state;
    struct store_content content;
    IMPORT_ADD(fixture, .id = 12, .callback_url = IMPORT_GOOD "/1", .arrived = "2025-12-31 10:00:00.000900", .body = "a\0b",
               .body_length = 3);
    IMPORT_ADD(fixture, .id = 11, .callback_url = IMPORT_GOOD "/2", .arrived = "2025-12-31 10:00:00.000901");
    IMPORT_ADD(fixture, .id = 13, .callback_url = IMPORT_GOOD "/3", .arrived = "2025-12-31 09:00:00");
    IMPORT_ADD(fixture, .id = 14, .queue = "b", .callback_url = IMPORT_GOOD "/4");

    import_move(fixture);

    assert_int_equal(fixture->report.totals[IMPORT_WAITING], 4);
    assert_int_equal(fixture->report.queues[0].counts[IMPORT_WAITING], 3);
    assert_int_equal(fixture->report.queues[1].counts[IMPORT_WAITING], 1);
    import_look(fixture);
    struct store_submission row = import_find(fixture, 12);
    assert_int_equal(row.state, SUBMISSION_READY);
    assert_int_equal(row.submitted_at_ms, IMPORT_NOW_MS - 14 * IMPORT_HOUR_MS);
    assert_true(row.has_destination);
    assert_string_equal(row.lease_key, "");
    assert_int_equal(store_read_content(fixture->store, 12, &content), STATUS_OK);
    assert_int_equal(content.body_length, 3);
    assert_memory_equal(content.body, "a\0b", 3);
    assert_string_equal(content.callback_url, IMPORT_GOOD "/1");
    char *header = legacy_database_header(IMPORT_GOOD "/1");
    assert_int_equal(content.header_length, strlen(header));
    assert_memory_equal(content.header, header, content.header_length);
    memory_free(header);
    store_content_finish(&content);
    assert_int_equal(next_ready(fixture, "a"), 13);
    assert_int_equal(next_ready(fixture, "a"), 12); // microseconds count, also against the ids
    assert_int_equal(next_ready(fixture, "a"), 11);
    assert_int_equal(next_ready(fixture, "a"), 0);
    assert_int_equal(next_ready(fixture, "b"), 14);
    import_look_away(fixture);
}

static void a_submission_pulled_just_now_is_leased_with_the_graders_key(void **state)
{
    struct import_fixture *fixture = *state;
    char pulled[LEGACY_TIME_MAX];
    legacy_database_time(IMPORT_NOW_MS - IMPORT_LEASE_MS + 1, pulled);
    IMPORT_ADD(fixture, .id = 5, .pulled = pulled, .key = IMPORT_KEY, .grader = "10.1.1.1");

    import_move(fixture);

    assert_int_equal(fixture->report.totals[IMPORT_LEASED], 1);
    import_look(fixture);
    struct store_submission row = import_find(fixture, 5);
    assert_int_equal(row.state, SUBMISSION_LEASED);
    assert_string_equal(row.lease_key, IMPORT_KEY);
    assert_string_equal(row.grader, "10.1.1.1");
    assert_int_equal(row.attempt, 1);
    assert_int_equal(row.lease_expires_at_ms, IMPORT_NOW_MS + 1);
    assert_true(row.lease_hard_limit_at_ms >= row.lease_expires_at_ms);
    import_look_away(fixture);
}

static void a_submission_pulled_long_ago_waits_and_its_key_is_still_good(void **state)
{
    struct import_fixture *fixture = *state;
    char pulled[LEGACY_TIME_MAX];
    legacy_database_time(IMPORT_NOW_MS - IMPORT_LEASE_MS, pulled);
    IMPORT_ADD(fixture, .id = 5, .pulled = pulled, .key = IMPORT_KEY);

    import_move(fixture);

    import_look(fixture);
    struct store_submission row = import_find(fixture, 5);
    assert_int_equal(row.state, SUBMISSION_READY);
    assert_string_equal(row.lease_key, IMPORT_KEY);
    assert_int_equal(row.failures, 0);
    import_look_away(fixture);
}

static void a_key_that_cannot_be_one_is_said(void **state)
{
    struct import_fixture *fixture = *state;
    char pulled[LEGACY_TIME_MAX];
    legacy_database_time(IMPORT_NOW_MS - 1, pulled);
    IMPORT_ADD(fixture, .id = 5, .pulled = pulled, .key = "short");

    import_move(fixture);

    assert_int_equal(fixture->report.unusable_keys, 1);
    assert_int_equal(fixture->report.totals[IMPORT_WAITING], 1);
}

/* ---- results ---- */

static void a_result_that_the_lms_did_not_take_waits_for_delivery(void **state)
{
    struct import_fixture *fixture = *state;
    struct store_result result;
    struct store_delivery delivery;
    IMPORT_ADD(fixture, .id = 5, .pulled = "2025-12-31 10:00:00", .returned = "2025-12-31 10:00:01.5", .key = IMPORT_KEY,
               .grader = "g", .result = "the grade", .failures = 2);

    import_move(fixture);

    assert_int_equal(fixture->report.totals[IMPORT_GRADED], 1);
    import_look(fixture);
    struct store_submission row = import_find(fixture, 5);
    assert_int_equal(row.state, SUBMISSION_GRADED);
    assert_string_equal(row.lease_key, IMPORT_KEY);
    assert_int_equal(store_read_result(fixture->store, 5, true, &result), STATUS_OK);
    assert_memory_equal(result.body, "the grade", result.body_length);
    assert_int_equal(result.completed_at_ms, IMPORT_NOW_MS - 14 * IMPORT_HOUR_MS + 1500);
    memory_free(result.body);
    assert_int_equal(store_next_due_delivery(fixture->store, "", IMPORT_NOW_MS, &delivery), STATUS_OK);
    assert_int_equal(delivery.submission_id, 5);
    assert_int_equal(delivery.attempt, 2);
    assert_int_equal(delivery.generation, row.generation);
    assert_int_equal(delivery.replace_key_length, SECRET_DIGEST_BYTES);
    import_look_away(fixture);
}

static void an_unusable_callback_url_makes_a_dead_submission(void **state)
{
    static const char *const headers[] = {
        "{\"lms_callback_url\": \"\"}",
        "{\"lms_callback_url\": \"ftp://a\"}",
        "{\"lms_callback_url\": [1]}",
        "{\"lms_callback_url\": \"http://a/\\u0000\"}",
        "{}",
        "no JSON",
        "",
    };
    struct import_fixture *fixture = *state;
    for (size_t at = 0; at < sizeof headers / sizeof headers[0]; at++)
        IMPORT_ADD(fixture, .id = (int64_t)at + 1, .header = headers[at], .returned = at % 2 ? "2025-12-31 10:00:00" : NULL);

    import_move(fixture);

    assert_int_equal(fixture->report.totals[IMPORT_DEAD], sizeof headers / sizeof headers[0]);
    import_look(fixture);
    for (size_t at = 0; at < sizeof headers / sizeof headers[0]; at++) {
        struct store_delivery delivery;
        struct store_submission row = import_find(fixture, (int64_t)at + 1);
        assert_int_equal(row.state, SUBMISSION_DEAD);
        assert_false(row.has_destination);
        assert_non_null(strstr(row.message, "callback URL"));
        assert_int_equal(store_find_delivery(fixture->store, row.id, &delivery), STATUS_NOT_FOUND);
    }
    import_look_away(fixture);
}

/* ---- which is the newest ---- */

static void of_one_callback_url_only_the_newest_is_live(void **state)
{
    struct import_fixture *fixture = *state;
    IMPORT_ADD(fixture, .id = 3, .callback_url = LONG_120 "/problem-1/score_update");
    IMPORT_ADD(fixture, .id = 4, .callback_url = LONG_120 "/problem-2/score_update");
    IMPORT_ADD(fixture, .id = 5, .callback_url = LONG_120 "/problem-1/score_update", .queue = "b");
    IMPORT_ADD(fixture, .id = 6, .returned = "2026-01-01 00:00:01", .result = "r");
    IMPORT_ADD(fixture, .id = 7);

    import_move(fixture);

    import_look(fixture);
    assert_int_equal(import_find(fixture, 3).state, SUBMISSION_SUPERSEDED);
    assert_int_equal(import_find(fixture, 3).superseded_by_id, 5);
    assert_int_equal(import_find(fixture, 4).state, SUBMISSION_READY); // equal in 128 characters is not equal
    assert_int_equal(import_find(fixture, 5).state, SUBMISSION_READY);
    assert_int_equal(import_find(fixture, 6).state, SUBMISSION_GRADED); // what is graded is delivered
    assert_int_equal(import_find(fixture, 7).state, SUBMISSION_READY);
    import_look_away(fixture);
    assert_int_equal(fixture->report.totals[IMPORT_SUPERSEDED], 1);
}

static void an_older_one_gives_way_to_a_newer_one_that_is_graded(void **state)
{
    struct import_fixture *fixture = *state;
    IMPORT_ADD(fixture, .id = 9);
    IMPORT_ADD(fixture, .id = 8, .arrived = "2026-01-01 00:00:05", .returned = "2026-01-01 00:00:06", .result = "r");
    IMPORT_ADD(fixture, .id = 10, .arrived = "2026-01-01 00:00:07");

    import_move(fixture);

    import_look(fixture);
    assert_int_equal(import_find(fixture, 9).state, SUBMISSION_SUPERSEDED);
    assert_int_equal(import_find(fixture, 8).state, SUBMISSION_GRADED);
    assert_int_equal(import_find(fixture, 10).state, SUBMISSION_READY);
    import_look_away(fixture);
}

static void a_newer_one_stays_live_beside_an_older_one_that_is_graded(void **state)
{
    struct import_fixture *fixture = *state;
    IMPORT_ADD(fixture, .id = 8, .arrived = "2025-12-31 00:00:05"); // read, and so written, before the older one
    IMPORT_ADD(fixture, .id = 9, .arrived = "2025-12-31 00:00:01", .returned = "2025-12-31 00:00:02", .result = "r");

    import_move(fixture);

    import_look(fixture);
    assert_int_equal(import_find(fixture, 8).state, SUBMISSION_READY);
    assert_int_equal(import_find(fixture, 9).state, SUBMISSION_GRADED);
    import_look_away(fixture);
}

/* ---- what does not come ---- */

static void what_is_over_is_counted_and_its_ids_are_never_given_again(void **state)
{
    struct import_fixture *fixture = *state;
    IMPORT_ADD(fixture, .id = 3);
    IMPORT_ADD(fixture, .id = 40, .is_retired = true);
    IMPORT_ADD(fixture, .id = 41, .is_acknowledged = true, .returned = "2026-01-01 00:00:06");
    text_append_string(&fixture->sql, "UPDATE sqlite_sequence SET seq = 77 WHERE name = 'queue_submission';");

    import_move(fixture);

    assert_int_equal(fixture->report.totals[IMPORT_RETIRED], 2);
    assert_int_equal(fixture->report.last_id, 77);
    import_look(fixture);
    struct store_submission own = import_find(fixture, 3);
    static char nothing[] = "";
    const struct store_content content = {
        .callback_url = nothing, .results_channel = nothing, .trace_parent = nothing, .trace_state = nothing};
    const struct store_request request = {.submitter = "lms", .request_id = "", .fairness_key = "", .cost = 1};
    assert_int_equal(store_insert_submission(fixture->store, &own, &content, &request), STATUS_OK);
    assert_int_equal(own.id, 78);
    assert_int_equal(store_find_submission(fixture->store, 40, &own), STATUS_NOT_FOUND);
    import_look_away(fixture);
}

static void a_queue_that_is_not_configured_is_refused_or_left_out(void **state)
{
    struct import_fixture *fixture = *state;
    IMPORT_ADD(fixture, .id = 1, .queue = "old");
    IMPORT_ADD(fixture, .id = 2, .queue = "older", .callback_url = IMPORT_GOOD "/2");
    IMPORT_ADD(fixture, .id = 3, .queue = "oldest", .is_retired = true);
    IMPORT_ADD(fixture, .id = 4, .queue = "old", .callback_url = IMPORT_GOOD "/4");
    IMPORT_ADD(fixture, .id = 5, .callback_url = IMPORT_GOOD "/5");
    import_make_source(fixture);

    assert_int_equal(import_try(fixture, false, false), STATUS_INVALID);
    assert_non_null(strstr(fixture->error.text, "old, older "));
    assert_int_equal(import_try(fixture, true, false), STATUS_OK);

    assert_int_equal(fixture->report.totals[IMPORT_UNKNOWN_QUEUE], 3);
    assert_int_equal(fixture->report.totals[IMPORT_WAITING], 1);
    assert_int_equal(fixture->report.unknown_queues.count, 2);
    assert_int_equal(fixture->report.unknown_queues.counts[0], 2);

    // Once it is configured, what was left out comes.
    char text[CONFIG_TEXT_MAX];
    snprintf(text, sizeof text, "queues:\n  old:\n  older:\n%s", import_config_text + strlen("queues:\n"));
    import_forget_report(fixture);
    config_destroy(fixture->config);
    fixture->config = import_parse_config(fixture, text);
    assert_int_equal(import_try(fixture, false, false), STATUS_OK);
    assert_int_equal(fixture->report.totals[IMPORT_WAITING], 3);
    assert_int_equal(fixture->report.totals[IMPORT_ALREADY], 1);
}

static void what_is_too_large_is_left_out_and_named(void **state)
{
    struct import_fixture *fixture = *state;
    size_t length = 3 * 1024 * 1024 + 1;
    char *body = memory_allocate(length);
    memset(body, 'b', length);
    IMPORT_ADD(fixture, .id = 1, .body = body, .body_length = length);
    IMPORT_ADD(fixture, .id = 2, .body = body, .body_length = length - 1);
    memory_free(body);

    import_move(fixture);

    assert_int_equal(fixture->report.totals[IMPORT_TOO_LARGE], 1);
    assert_string_equal(fixture->report.too_large.items[0], "1");
    assert_int_equal(fixture->report.totals[IMPORT_WAITING], 1);
}

/* ---- files ---- */

static void files_come_as_names_and_urls(void **state)
{
    struct import_fixture *fixture = *state;
    struct store_content content;
    IMPORT_ADD(fixture, .id = 1, .callback_url = IMPORT_GOOD "/1",
               .file_urls = "{\"a.py\": \"http://files/1\", \"\\u00e9\": \"/q/2\"}");
    IMPORT_ADD(fixture, .id = 2, .callback_url = IMPORT_GOOD "/2",
               .file_urls = "{\"URL_FOR_EXTERNAL_DICTS\": \"http://files/dicts\"}");
    IMPORT_ADD(fixture, .id = 3, .callback_url = IMPORT_GOOD "/3", .file_urls = "[]");
    IMPORT_ADD(fixture, .id = 4, .callback_url = IMPORT_GOOD "/4", .file_urls = "{\"a\": 1, \"\\ud800\": \"x\", \"b\": \"c\"}");
    IMPORT_ADD(fixture, .id = 5, .callback_url = IMPORT_GOOD "/5", .file_urls = "{}");

    import_move(fixture);

    assert_int_equal(fixture->report.external_files, 1);
    assert_int_equal(fixture->report.unreadable_files, 2);
    import_look(fixture);
    assert_int_equal(store_read_content(fixture->store, 1, &content), STATUS_OK);
    assert_int_equal(content.file_count, 2);
    assert_string_equal(content.files[0].name, "a.py");
    assert_string_equal(content.files[0].url, "http://files/1");
    assert_string_equal(content.files[1].name, "\xc3\xa9");
    store_content_finish(&content);
    assert_int_equal(store_read_content(fixture->store, 2, &content), STATUS_OK);
    assert_string_equal(content.files[0].url, "http://files/dicts");
    store_content_finish(&content);
    assert_int_equal(store_read_content(fixture->store, 4, &content), STATUS_OK);
    assert_int_equal(content.file_count, 1);
    assert_string_equal(content.files[0].name, "b");
    store_content_finish(&content);
    import_look_away(fixture);
}

/* ---- users ---- */

static void users_come_with_their_hashes(void **state)
{
    struct import_fixture *fixture = *state;
    struct store_user user;
    import_add_user(fixture, "grader", IMPORT_HASH, false);
    import_add_user(fixture, "lms", IMPORT_HASH, false);
    import_add_user(fixture, "gone", IMPORT_HASH, true);
    import_add_user(fixture, "none", "!abc", false);
    import_add_user(fixture, "argon", "argon2$argon2id$v=19$m=102400,t=2,p=8$x$y", false);

    import_move(fixture);

    const int64_t *counts = fixture->report.users;
    assert_true(fixture->report.has_users);
    assert_int_equal(counts[IMPORT_USER_TAKEN], 1);
    assert_int_equal(counts[IMPORT_USER_CONFIGURED], 1);
    assert_int_equal(counts[IMPORT_USER_INACTIVE], 1);
    assert_int_equal(counts[IMPORT_USER_UNUSABLE], 2);
    assert_string_equal(fixture->report.unusable_users.items[1], "argon");
    import_look(fixture);
    assert_int_equal(store_find_user(fixture->store, "grader", &user), STATUS_OK);
    assert_string_equal(user.password_hash, IMPORT_HASH);
    assert_int_equal(user.rights.everywhere, CONFIG_ROLE_SUBMIT | CONFIG_ROLE_GRADE);
    assert_int_equal(store_find_user(fixture->store, "lms", &user), STATUS_NOT_FOUND);
    // One that an administrator deletes stays deleted.
    assert_int_equal(store_delete_user(fixture->store, "grader"), STATUS_OK);
    import_look_away(fixture);
    assert_int_equal(import_try(fixture, false, false), STATUS_OK);
    assert_int_equal(fixture->report.users[IMPORT_USER_ALREADY], 1);
    import_look(fixture);
    assert_int_equal(store_find_user(fixture->store, "grader", &user), STATUS_NOT_FOUND);
    import_look_away(fixture);
}

static void times_of_the_original_are_utc(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {
        {"1970-01-01 00:00:00", 0},
        {"2000-02-29 23:59:59.999999", INT64_C(951868799999999)},
        {"2026-01-01T00:00:00.5Z", IMPORT_NOW_MS * 1000 + 500000},
        {"2026-01-01 00:00:00.0000019+00:00", IMPORT_NOW_MS * 1000 + 1},
        {"9999-12-31 00:00:00", INT64_C(253402214400000000)},
    };
    static const char *const bad[] = {"",
                                      "2026-01-01",
                                      "2026-01-01 00:00",
                                      "2026-02-29 00:00:00",
                                      "2026-13-01 00:00:00",
                                      "0000-00-00 00:00:00",
                                      "1969-12-31 23:59:59",
                                      "2026-01-01 24:00:00",
                                      "2026-01-01 00:00:00.",
                                      "2026-01-01 00:00:00+01:00",
                                      "2026-01-01 00:00:00 "};
    for (size_t at = 0; at < sizeof good / sizeof good[0]; at++) {
        int64_t us = -1;
        assert_int_equal(legacy_time_parse(span_of(good[at].text), &us), STATUS_OK);
        assert_int_equal(us, good[at].us);
    }
    for (size_t at = 0; at < sizeof bad / sizeof bad[0]; at++) {
        int64_t us = -1;
        if (legacy_time_parse(span_of(bad[at]), &us) != STATUS_INVALID)
            fail_msg("'%s' is no time", bad[at]);
    }
}

int main(void)
{
#define IMPORT_TEST(name) cmocka_unit_test_setup_teardown(name, import_set_up, import_tear_down)
    const struct CMUnitTest tests[] = {
        IMPORT_TEST(waiting_submissions_keep_id_content_and_order),
        IMPORT_TEST(a_submission_pulled_just_now_is_leased_with_the_graders_key),
        IMPORT_TEST(a_submission_pulled_long_ago_waits_and_its_key_is_still_good),
        IMPORT_TEST(a_key_that_cannot_be_one_is_said),
        IMPORT_TEST(a_result_that_the_lms_did_not_take_waits_for_delivery),
        IMPORT_TEST(an_unusable_callback_url_makes_a_dead_submission),
        IMPORT_TEST(of_one_callback_url_only_the_newest_is_live),
        IMPORT_TEST(an_older_one_gives_way_to_a_newer_one_that_is_graded),
        IMPORT_TEST(a_newer_one_stays_live_beside_an_older_one_that_is_graded),
        IMPORT_TEST(what_is_over_is_counted_and_its_ids_are_never_given_again),
        IMPORT_TEST(a_queue_that_is_not_configured_is_refused_or_left_out),
        IMPORT_TEST(what_is_too_large_is_left_out_and_named),
        IMPORT_TEST(files_come_as_names_and_urls),
        IMPORT_TEST(users_come_with_their_hashes),
        cmocka_unit_test(times_of_the_original_are_utc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
