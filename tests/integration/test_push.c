/* SPDX-License-Identifier: Apache-2.0 */
/* Queues with a push_url: what their graders receive, and what the LMS hears of their answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/push_talk.h"

#define STATE(name_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_

enum { PATH_MAX_BYTES = 64 };

static void grader_answers(struct push_talk *push, const char *path, const char *reply)
{
    fake_lms_script_path(
        push->grader, path,
        &(struct fake_lms_script){.reply = reply, .reply_bytes = strlen(reply), .content_type = "application/json"});
}

static void a_submission_goes_out_and_its_grade_comes_back_byte_for_byte(void **state)
{
    struct push_talk *push = *state;
    char expected[512];
    size_t before = fake_lms_count_path(push->grader, "/grade");

    grader_answers(push, "/grade", "{\"correct\": true, \"msg\": \"<b> ~ \xc3\xa9\"}");
    lms_submits(push->talk, "pushed", "/exact", "x \xc3\xbc/<\"\n\xf0\x9f\x98\x80");

    const struct fake_lms_callback *request = server_hears(push->grader, "/grade", before);
    (void)snprintf(expected, sizeof(expected),
                   "POST /grade HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Basic Z3JhZGVyOmdyYWRlcg==\r\n"
                   "User-Agent: xqueue/" XQUEUE_VERSION "\r\nAccept: */*\r\nContent-Length: %zu\r\n",
                   fake_lms_port(push->grader), request->body_length);
    assert_string_equal(request->head, expected);
    assert_string_equal(request->body, "{\"xqueue_body\": \"x \\u00fc/<\\\"\\n\\ud83d\\ude00\", \"xqueue_files\": \"{}\"}");
    assert_string_equal(lms_hears(push->talk, "/exact", 0)->result, "{\"correct\": true, \"msg\": \"<b> ~ \xc3\xa9\"}");
}

static void a_grader_is_told_where_the_files_are(void **state)
{
    struct push_talk *push = *state;
    char url[FAKE_LMS_URL_MAX];
    char target[1024] = "";
    size_t before = fake_lms_count_path(push->grader, "/grade");
    const struct rest_submission submission = {.queue = "pushed",
                                               .callback_url = fake_lms_url(push->talk->lms, "/files", url),
                                               .body = "b",
                                               .file_field = "a b.py",
                                               .file_name = "a b.py",
                                               .file_bytes = "print(1)\n"};

    grader_answers(push, "/grade", "r");
    assert_int_equal(rest_client_submit(&push->talk->client, &submission), 200);

    const char *body = server_hears(push->grader, "/grade", before)->body;
    const char *start = "{\"xqueue_body\": \"b\", \"xqueue_files\": \"{\\\"a b.py\\\": \\\"http://127.0.0.1:";
    assert_memory_equal(body, start, strlen(start));
    const char *path = strstr(body, "/xqueue/files/pushed/");
    assert_non_null(path);
    (void)snprintf(target, sizeof(target), "%.*s", (int)strcspn(path, "\\"), path);
    assert_string_equal(path + strlen(target), "\\\"}\"}");
    assert_int_equal(rest_client_get(&push->talk->client, target), 200);
    assert_string_equal(push->talk->client.answer.body.bytes, "print(1)\n");
}

static void answers_are_decoded_by_their_character_set(void **state)
{
    static const struct {
        const char *type;
        const char *reply;
        const char *heard;
    } cases[] = {
        {"text/plain", "\xc3\xa9", "\xc3\x83\xc2\xa9"},
        {"text/html; charset=utf-8", "\xc3\xa9", "\xc3\xa9"},
        {"text/html; charset=\"windows-1251\"", "\xcf", "\xd0\x9f"},
        {"application/json", "\xc3\xa9\xff", "\xc3\xa9\xef\xbf\xbd"},
        {"application/x-grade", "\xe9", "\xc3\xa9"},
        {"", "\xc3\xa9", "\xc3\xa9"}, // no such header
    };
    struct push_talk *push = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[PATH_MAX_BYTES];
        (void)snprintf(path, sizeof(path), "/charset/%zu", i);
        fake_lms_script_path(push->grader, "/grade",
                             &(struct fake_lms_script){.reply = cases[i].reply,
                                                       .reply_bytes = strlen(cases[i].reply),
                                                       .content_type = cases[i].type});
        lms_submits(push->talk, "pushed", path, "b");
        assert_string_equal(lms_hears(push->talk, path, 0)->result, cases[i].heard);
    }
}

static void all_slots_are_busy_at_once_and_no_more(void **state)
{
    enum { MORE = 4 };
    struct push_talk *push = *state;
    size_t before = fake_lms_count_path(push->grader, "/grade");
    char path[PATH_MAX_BYTES];

    fake_lms_script_path(push->grader, "/grade",
                         &(struct fake_lms_script){.kind = FAKE_LMS_HANG, .reply = "r", .reply_bytes = 1});
    for (int i = 0; i < PUSH_SLOTS + MORE; i++) {
        (void)snprintf(path, sizeof(path), "/slots/%d", i);
        lms_submits(push->talk, "pushed", path, "b");
        (void)snprintf(path, sizeof(path), "%d", i + 1);
        assert_string_equal(push->talk->client.content, path); // counted until they are graded
    }
    server_hears(push->grader, "/grade", before + PUSH_SLOTS - 1);
    assert_int_equal(rest_client_queue_length(&push->talk->client, "pushed"), PUSH_SLOTS + MORE);
    assert_int_equal(fake_lms_count_path(push->grader, "/grade"), before + PUSH_SLOTS);
    grader_answers(push, "/grade", "r");
    fake_lms_release(push->grader);

    for (int i = 0; i < PUSH_SLOTS + MORE; i++) {
        (void)snprintf(path, sizeof(path), "/slots/%d", i);
        lms_hears(push->talk, path, 0);
    }
    assert_int_equal(fake_lms_count_path(push->grader, "/grade"), before + PUSH_SLOTS + MORE);
    assert_int_equal(fake_lms_parallel_peak(push->grader), PUSH_SLOTS);
    assert_int_equal(rest_client_queue_length(&push->talk->client, "pushed"), 0);
}

static void a_queue_that_is_pushed_can_be_pulled_too(void **state)
{
    struct push_talk *push = *state;
    struct rest_client poller;
    struct rest_pulled pulled;
    char path[PATH_MAX_BYTES];
    size_t before = fake_lms_count_path(push->grader, "/grade");

    fake_lms_script_path(push->grader, "/grade",
                         &(struct fake_lms_script){.kind = FAKE_LMS_HANG, .reply = "r", .reply_bytes = 1});
    for (int i = 0; i <= PUSH_SLOTS; i++) {
        (void)snprintf(path, sizeof(path), "/pulled/%d", i);
        lms_submits(push->talk, "pushed", path, "b");
        if (i < PUSH_SLOTS)
            server_hears(push->grader, "/grade", before + (size_t)i);
    }
    rest_client_init(&poller, push->talk->service.rest_port, "grader");
    assert_int_equal(rest_client_login(&poller), 0);
    assert_true(rest_client_pull(&poller, "pushed", &pulled));
    assert_int_equal(rest_client_put(&poller, pulled.header, "by the poller"), 0);

    assert_string_equal(lms_hears(push->talk, path, 0)->result, "by the poller");
    rest_pulled_finish(&pulled);
    assert_false(rest_client_pull(&poller, "pushed", &pulled));
    assert_string_equal(poller.content, "Queue 'pushed' is empty");
    rest_client_finish(&poller);
    fake_lms_script_path(push->grader, "/grade", NULL);
    fake_lms_release(push->grader);
    lms_hears(push->talk, "/pulled/0", 0);
}

static void whatever_is_not_200_is_tried_again_until_the_lms_hears_of_the_failure(void **state)
{
    static const struct fake_lms_script scripts[] = {
        {.http_status = 500},
        {.http_status = 201},
        {.http_status = 404},
        {.kind = FAKE_LMS_REDIRECT, .location = "/elsewhere"},
        {.kind = FAKE_LMS_REDIRECT, .http_status = 307, .location = "/elsewhere"},
        {.kind = FAKE_LMS_CLOSE},
        {.kind = FAKE_LMS_GARBAGE},
        {.kind = FAKE_LMS_HANG},
        {.kind = FAKE_LMS_HANG_BODY},
        {.reply_bytes = 3145729}, // one byte more than a result may have
    };
    struct push_talk *push = *state;

    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        char path[PATH_MAX_BYTES];
        size_t before = fake_lms_count_path(push->grader, "/hasty");
        (void)snprintf(path, sizeof(path), "/failure/%zu", i);
        fake_lms_script_path(push->grader, "/hasty", &scripts[i]);
        const uint64_t id = student_submits(push->talk, "hasty-push", path, "b");
        assert_string_equal(lms_hears(push->talk, path, 0)->result, PUSH_FAILURE);
        assert_int_equal(fake_lms_count_path(push->grader, "/hasty") - before, PUSH_HASTY_ATTEMPTS_MAX);
        const struct core_view view = admin_sees(push->talk, id);
        assert_int_equal(view.state, STATE(DEAD));
        assert_int_equal(view.failures, PUSH_HASTY_ATTEMPTS_MAX);
        assert_non_null(strstr(view.message, "http://127.0.0.1:"));
    }
    assert_int_equal(fake_lms_count_path(push->grader, "/elsewhere"), 0);
}

static void a_grader_that_was_down_grades_later(void **state)
{
    struct push_talk *push = *state;
    size_t before = fake_lms_count(push->grader);
    const struct fake_lms_script busy = {.http_status = 503, .header_line = "Retry-After: 1"};

    fake_lms_script_path(push->grader, "/grade", NULL);
    fake_lms_script_next(push->grader, 1, &busy);
    const uint64_t id = student_submits(push->talk, "pushed", "/later", "b");

    assert_string_equal(lms_hears(push->talk, "/later", 0)->result, "ok");
    assert_int_equal(fake_lms_count(push->grader), before + 2);
    int64_t pause_us = fake_lms_callback(push->grader, before + 1)->at_us - fake_lms_callback(push->grader, before)->at_us;
    assert_true(pause_us > 900000); // Retry-After, not the queue's 20 ms
    assert_int_equal(admin_sees(push->talk, id).attempt, 2);
}

static void credentials_go_to_their_origin_only(void **state)
{
    struct push_talk *push = *state;

    student_submits(push->talk, "elsewhere", "/no-credentials", "b");

    assert_null(strstr(server_hears(push->other, "/grade", 0)->head, "Authorization"));
    assert_null(strstr(lms_hears(push->talk, "/no-credentials", 0)->head, "Authorization"));
}

static void a_certificate_that_nobody_vouches_for_gets_no_submission(void **state)
{
    struct push_talk *push = *state;

    const uint64_t id = student_submits(push->talk, "secure", "/secure", "b");

    assert_string_equal(lms_hears(push->talk, "/secure", 0)->result, PUSH_FAILURE);
    assert_non_null(strstr(admin_sees(push->talk, id).message, "certificate"));
    assert_int_equal(tls_server_requests(push->secure), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_submission_goes_out_and_its_grade_comes_back_byte_for_byte),
        cmocka_unit_test(a_grader_is_told_where_the_files_are),
        cmocka_unit_test(answers_are_decoded_by_their_character_set),
        cmocka_unit_test(all_slots_are_busy_at_once_and_no_more),
        cmocka_unit_test(a_queue_that_is_pushed_can_be_pulled_too),
        cmocka_unit_test(whatever_is_not_200_is_tried_again_until_the_lms_hears_of_the_failure),
        cmocka_unit_test(a_grader_that_was_down_grades_later),
        cmocka_unit_test(credentials_go_to_their_origin_only),
        cmocka_unit_test(a_certificate_that_nobody_vouches_for_gets_no_submission),
    };
    return cmocka_run_group_tests(tests, push_talk_set_up, push_talk_tear_down);
}
