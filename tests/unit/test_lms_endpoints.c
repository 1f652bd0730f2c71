/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_rest */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/secret.h"
#include "tests/support/rest_rig.h"
#include "xqueue/v1/submissions.pb-c.h"

#define URL       "http://lms.example.org/xqueue/7/score_update"
#define HEADER    "{\"lms_callback_url\": \"" URL "\", \"lms_key\": \"k\", \"queue_name\": \"my queue\"}"
#define FORM      "xqueue_header=" HEADER "&xqueue_body=%00b%C3%A9"
#define MULTIPART REST_RIG_SESSION "Content-Type: multipart/form-data; boundary=XX\r\n"

static const char fields[] = "--XX\r\nContent-Disposition: form-data; name=\"xqueue_header\"\r\n\r\n" HEADER
                             "\r\n--XX\r\nContent-Disposition: form-data; name=\"xqueue_body\"\r\n\r\nbody\r\n";

static struct rest_rig rig;

static int start(void **state)
{
    (void)state;
    rest_rig_start(&rig);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rest_rig_stop(&rig);
    return 0;
}

static int post_multipart(const char *parts)
{
    char body[8192];
    int length = snprintf(body, sizeof(body), "%s%s--XX--\r\n", fields, parts);

    return rest_rig_post_body(&rig, "/xqueue/submit/", MULTIPART, body, (size_t)length);
}

static void a_submission_reaches_the_core_byte_for_byte(void **state)
{
    Xqueue__V1__SubmitResponse response = XQUEUE__V1__SUBMIT_RESPONSE__INIT;
    const Xqueue__V1__SubmitRequest *request = NULL;
    uint8_t replace_key[SECRET_DIGEST_BYTES];

    (void)state;
    response.submission_id = 99;
    response.ready_count = 3;
    scripted_core_answer(rig.core, "Submit", &response.base);
    assert_int_equal(rest_rig_post(&rig, "/xqueue/submit/", FORM), 200);

    assert_string_equal(rig.answer.body.bytes, "{\"return_code\": 0, \"content\": \"3\"}");
    request = scripted_core_last(rig.core, "Submit");
    assert_string_equal(request->queue, "my queue");
    assert_string_equal(request->request_id, "");
    assert_string_equal(request->callback_url, URL);
    assert_int_equal(request->header.len, strlen(HEADER));
    assert_memory_equal(request->header.data, HEADER, strlen(HEADER));
    assert_int_equal(request->body.len, 4);
    assert_memory_equal(request->body.data, "\0b\xC3\xA9", 4);
    assert_int_equal(request->n_files, 0);
    secret_digest(URL, strlen(URL), replace_key);
    assert_int_equal(request->replace_key.len, sizeof(replace_key));
    assert_memory_equal(request->replace_key.data, replace_key, sizeof(replace_key));
    scripted_core_answer(rig.core, "Submit", NULL);
}

static const char *fairness_key_of(const char *body)
{
    char form[1024];
    (void)snprintf(form, sizeof(form), "xqueue_header=" HEADER "&xqueue_body=%s", body);
    assert_int_equal(rest_rig_post(&rig, "/xqueue/submit/", form), 200);
    return ((const Xqueue__V1__SubmitRequest *)scripted_core_last(rig.core, "Submit"))->fairness_key;
}

static void the_student_of_a_body_is_its_fairness_key(void **state)
{
    Xqueue__V1__SubmitResponse response = XQUEUE__V1__SUBMIT_RESPONSE__INIT;
    static const char body[] = "{\"student_info\": \"{\\\"anonymous_student_id\\\": \\\"ann\\\"}\"}";

    (void)state;
    scripted_core_answer(rig.core, "Submit", &response.base);
    assert_string_equal(fairness_key_of(body), "ann");
    assert_string_equal(fairness_key_of("{}"), "");
    rig.config.rest.fair_by_student = false;
    assert_string_equal(fairness_key_of(body), "");
    rig.config.rest.fair_by_student = true;
    scripted_core_answer(rig.core, "Submit", NULL);
}

static void files_are_stored_on_the_shelf_of_their_queue_and_named_by_signed_urls(void **state)
{
    const Xqueue__V1__SubmitRequest *request = NULL;
    uint8_t digest[SECRET_DIGEST_BYTES];
    char path[256];

    (void)state;
    assert_int_equal(post_multipart("--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a/b.py\"\r\n\r\nfirst\r\n"
                                    "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"c.py\"\r\n\r\n\r\n"),
                     200);

    request = scripted_core_last(rig.core, "Submit");
    assert_int_equal(request->n_files, 2); // both, though they have one field name
    assert_string_equal(request->files[0]->name, "f");
    assert_string_equal(request->files[0]->filename, "b.py");
    assert_int_equal(request->files[0]->size_bytes, 5);
    secret_digest("first", 5, digest);
    assert_memory_equal(request->files[0]->sha256.data, digest, sizeof(digest));
    assert_string_equal(request->files[1]->filename, "c.py");
    assert_int_equal(request->files[1]->size_bytes, 0);

    const char *prefix = "http://adapter.example.org:8040/xqueue/files/my%20queue/";
    assert_ptr_equal(strstr(request->files[0]->url, prefix), request->files[0]->url);
    const char *key = request->files[0]->url + strlen(prefix);
    assert_int_equal(strcspn(key, "?"), 32);
    assert_ptr_equal(strstr(key, "?expires="), key + 32);
    (void)snprintf(path, sizeof(path), "%s/my queue/%.32s", rig.folder, key);
    assert_int_equal(access(path, R_OK), 0);
    (void)snprintf(path, sizeof(path), "%s", strstr(request->files[0]->url, "/xqueue/"));
    assert_int_equal(rest_rig_ask(&rig, "GET", path, ""), 200);
    assert_string_equal(rig.answer.body.bytes, "first");
}

static void file_urls_can_be_those_of_a_media_server(void **state)
{
    static const char prefix[] = "https://media.example.org/x/my%20queue/";
    const Xqueue__V1__SubmitRequest *request = NULL;

    (void)state;
    rig.config.rest.media_url = (char *)"https://media.example.org/x";
    post_multipart("--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n1\r\n");
    rig.config.rest.media_url = (char *)"";

    request = scripted_core_last(rig.core, "Submit");
    assert_memory_equal(request->files[0]->url, prefix, sizeof(prefix) - 1);
    assert_int_equal(strlen(request->files[0]->url), sizeof(prefix) - 1 + 32);
}

static void files_of_a_refused_submission_are_removed_and_those_of_a_doubtful_one_kept(void **state)
{
    static const char part[] = "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n1\r\n";
    size_t files = rest_rig_count_files(&rig);

    (void)state;
    scripted_core_refuse(rig.core, "Submit", STATUS_NOT_FOUND, "QUEUE_NOT_FOUND");
    assert_int_equal(post_multipart(part), 200);
    assert_string_equal(rig.answer.body.bytes, "{\"return_code\": 1, \"content\": \"Queue 'my queue' not found\"}");
    assert_int_equal(rest_rig_count_files(&rig), files);
    scripted_core_refuse(rig.core, "Submit", STATUS_UNAVAILABLE, "DRAINING");
    assert_int_equal(post_multipart(part), 503);
    assert_int_equal(rest_rig_count_files(&rig), files);

    rig.config.rest.core_timeout_ms = 100;
    scripted_core_hang(rig.core, "Submit");
    assert_int_equal(post_multipart(part), 503);
    assert_int_equal(rest_rig_count_files(&rig), files + 1);
    rig.config.rest.core_timeout_ms = 2000;
    scripted_core_answer(rig.core, "Submit", NULL);
}

static void a_stranger_fills_no_disk(void **state)
{
    size_t files = rest_rig_count_files(&rig);
    char body[4096];
    int length =
        snprintf(body, sizeof(body),
                 "%s--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n1\r\n--XX--\r\n", fields);

    (void)state;
    assert_int_equal(rest_rig_post_body(&rig, "/xqueue/submit/",
                                        "Cookie: sessionid=0\r\nContent-Type: multipart/form-data; boundary=XX\r\n", body,
                                        (size_t)length),
                     302);
    assert_int_equal(rest_rig_count_files(&rig), files);
}

static void files_over_the_limit_are_refused_and_nothing_of_them_stays(void **state)
{
    size_t files = rest_rig_count_files(&rig);
    size_t submitted = scripted_core_count(rig.core, "Submit");

    (void)state;
    rig.config.rest.file_bytes_max = 3;
    assert_int_equal(post_multipart("--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n12\r\n"
                                    "--XX\r\nContent-Disposition: form-data; name=\"g\"; filename=\"a\"\r\n\r\n34\r\n"),
                     413);

    rig.config.rest.file_bytes_max = 1000000;
    assert_int_equal(rest_rig_count_files(&rig), files);
    assert_int_equal(scripted_core_count(rig.core, "Submit"), submitted);
}

static void a_client_that_hangs_up_in_a_file_leaves_nothing_behind(void **state)
{
    size_t files = rest_rig_count_files(&rig);
    size_t submitted = scripted_core_count(rig.core, "Submit");
    struct http_talk talk;
    struct http_answer answer = {0};

    (void)state;
    http_talk_open(&talk, rig.port);
    http_talk_say(&talk,
                  "POST /xqueue/submit/ HTTP/1.1\r\nHost: a\r\n" MULTIPART "Content-Length: 5000\r\n\r\n%s"
                  "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n12",
                  fields);
    shutdown(talk.socket, SHUT_WR);
    assert_int_equal(http_talk_receive(&talk, false, &answer), 400);

    assert_int_equal(rest_rig_count_files(&rig), files);
    assert_int_equal(scripted_core_count(rig.core, "Submit"), submitted);
    http_answer_finish(&answer);
    http_talk_close(&talk);
}

static void malformed_submissions_say_so_and_never_reach_the_core(void **state)
{
    static const struct {
        const char *form;
        const char *content;
    } cases[] = {
        {"", "Queue request has invalid format"},
        {"xqueue_header=" HEADER, "Queue request has invalid format"},
        {"xqueue_body=b", "Queue request has invalid format"},
        {"xqueue_body=b&xqueue_header={}", "Queue request has invalid format"},
        {"xqueue_body=b&xqueue_header={\"lms_callback_url\":\"http://a/\",\"lms_key\":1,\"queue_name\":\"a\\u0000\"}",
         "Queue 'a\\u0000' not found"},
        {"xqueue_body=b&xqueue_header={\"lms_callback_url\":\"ftp://a/\",\"lms_key\":1,\"queue_name\":\"a\"}", NULL},
        {"xqueue_body=b&xqueue_header={\"lms_callback_url\":\"http://a/\\u0000\",\"lms_key\":1,\"queue_name\":\"a\"}", NULL},
        {"xqueue_body=b&xqueue_header={\"lms_callback_url\":\"http://169.254.169.254/\",\"lms_key\":1,\"queue_name\":\"a\"}",
         NULL},
        {"xqueue_body=b&xqueue_header={\"lms_callback_url\":7,\"lms_key\":1,\"queue_name\":\"a\"}", NULL},
    };
    size_t submitted = scripted_core_count(rig.core, "Submit");

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(rest_rig_post(&rig, "/xqueue/submit/", cases[i].form), 200);
        assert_non_null(strstr(rig.answer.body.bytes, "{\"return_code\": 1, \"content\": \""));
        if (cases[i].content != NULL && strstr(rig.answer.body.bytes, cases[i].content) == NULL) {
            fail_msg("%s: %s", cases[i].form, rig.answer.body.bytes);
        }
    }
    rest_rig_ask(&rig, "GET", "/xqueue/submit/", REST_RIG_SESSION);
    assert_string_equal(rig.answer.body.bytes, "{\"return_code\": 1, \"content\": \"Queue requests should use HTTP POST\"}");
    assert_int_equal(scripted_core_count(rig.core, "Submit"), submitted);
}

static void a_header_over_the_limit_is_refused(void **state)
{
    char form[8192];

    (void)state;
    rig.config.rest.header_bytes_max = 1024;
    (void)snprintf(form, sizeof(form),
                   "xqueue_body=b&xqueue_header={\"lms_callback_url\":\"http://a/\",\"lms_key\":\"%01100d\","
                   "\"queue_name\":\"a\"}",
                   7);
    assert_int_equal(rest_rig_post(&rig, "/xqueue/submit/", form), 200);
    assert_string_equal(rig.answer.body.bytes,
                        "{\"return_code\": 1, \"content\": \"xqueue_header is longer than 1024 bytes\"}");
    rig.config.rest.header_bytes_max = 65536;
}

static void bodies_of_other_types_and_chunked_ones_are_empty_forms(void **state)
{
    (void)state;
    assert_int_equal(
        rest_rig_post_body(&rig, "/xqueue/submit/", REST_RIG_SESSION "Content-Type: application/json\r\n", FORM, strlen(FORM)),
        200);
    assert_string_equal(rig.answer.body.bytes, "{\"return_code\": 1, \"content\": \"Queue request has invalid format\"}");
    assert_int_equal(rest_rig_post_body(&rig, "/xqueue/submit/", REST_RIG_SESSION "Content-Type: multipart/form-data\r\n", FORM,
                                        strlen(FORM)),
                     400);
}

static void a_disk_that_is_full_is_a_temporary_failure_that_leaves_nothing_behind(void **state)
{
    struct rlimit before;
    size_t files = rest_rig_count_files(&rig);
    size_t submitted = scripted_core_count(rig.core, "Submit");

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max}), 0);
    int status = post_multipart("--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n12\r\n"
                                "--XX\r\nContent-Disposition: form-data; name=\"g\"; filename=\"a\"\r\n\r\n1234\r\n");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

    assert_int_equal(status, 503);
    assert_int_equal(rest_rig_count_files(&rig), files);
    assert_int_equal(scripted_core_count(rig.core, "Submit"), submitted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_submission_reaches_the_core_byte_for_byte),
        cmocka_unit_test(the_student_of_a_body_is_its_fairness_key),
        cmocka_unit_test(files_are_stored_on_the_shelf_of_their_queue_and_named_by_signed_urls),
        cmocka_unit_test(file_urls_can_be_those_of_a_media_server),
        cmocka_unit_test(files_of_a_refused_submission_are_removed_and_those_of_a_doubtful_one_kept),
        cmocka_unit_test(a_stranger_fills_no_disk),
        cmocka_unit_test(files_over_the_limit_are_refused_and_nothing_of_them_stays),
        cmocka_unit_test(a_client_that_hangs_up_in_a_file_leaves_nothing_behind),
        cmocka_unit_test(malformed_submissions_say_so_and_never_reach_the_core),
        cmocka_unit_test(a_header_over_the_limit_is_refused),
        cmocka_unit_test(bodies_of_other_types_and_chunked_ones_are_empty_forms),
        cmocka_unit_test(a_disk_that_is_full_is_a_temporary_failure_that_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
