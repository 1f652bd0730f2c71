/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_rest */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/support/rest_rig.h"
#include "xqueue/v1/graders.pb-c.h"
#include "xqueue/v1/submissions.pb-c.h"

#define KEY    "0123456789abcdef0123456789abcdef"
#define RESULT "xqueue_header=%7B%22submission_id%22%3A+12%2C+%22submission_key%22%3A+%22" KEY "%22%7D&xqueue_body=%7B%7D"

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

static void expect_reply(const char *expected)
{
    assert_int_equal(rig.answer.status, 200);
    assert_string_equal(rig.answer.body.bytes, expected);
    assert_string_equal(rest_rig_header(&rig, "Content-Type", 0), "text/html; charset=utf-8");
    assert_string_equal(rest_rig_header(&rig, "Vary", 0), "Cookie");
}

/* ---- get_queuelen ---- */

static void the_length_of_a_queue_is_a_bare_number(void **state)
{
    Xqueue__V1__GetQueueResponse queue = XQUEUE__V1__GET_QUEUE_RESPONSE__INIT;
    const Xqueue__V1__GetQueueRequest *request = NULL;

    (void)state;
    queue.ready_count = 42;
    queue.leased_count = 5;
    scripted_core_answer(rig.core, "GetQueue", &queue.base);
    rest_rig_ask(&rig, "GET", "/xqueue/get_queuelen/?queue_name=a&queue_name=my+queue%C3%A9", REST_RIG_SESSION);

    expect_reply("{\"return_code\": 0, \"content\": 42}");
    request = scripted_core_last(rig.core, "GetQueue");
    assert_string_equal(request->queue, "my queue\xC3\xA9");
}

static void the_length_of_an_unknown_queue_is_a_list_of_names(void **state)
{
    static char *names[] = {(char *)"b", (char *)"a", (char *)"c"};
    Xqueue__V1__ListQueuesResponse queues = XQUEUE__V1__LIST_QUEUES_RESPONSE__INIT;
    size_t asked = scripted_core_count(rig.core, "GetQueue");

    (void)state;
    queues.queues = names;
    queues.n_queues = 3;
    scripted_core_answer(rig.core, "ListQueues", &queues.base);
    scripted_core_refuse(rig.core, "GetQueue", STATUS_NOT_FOUND, "QUEUE_NOT_FOUND");

    rest_rig_ask(&rig, "GET", "/xqueue/get_queuelen/?queue_name=x", REST_RIG_SESSION);
    expect_reply("{\"return_code\": 1, \"content\": \"Valid queue names are: b, a, c\"}");
    assert_int_equal(scripted_core_count(rig.core, "GetQueue"), asked + 1);
    rest_rig_ask(&rig, "GET", "/xqueue/get_queuelen/?queue_name=", REST_RIG_SESSION);
    expect_reply("{\"return_code\": 1, \"content\": \"Valid queue names are: b, a, c\"}");
    rest_rig_ask(&rig, "GET", "/xqueue/get_queuelen/?queue_name=a%00b", REST_RIG_SESSION);
    expect_reply("{\"return_code\": 1, \"content\": \"Valid queue names are: b, a, c\"}");
    assert_int_equal(scripted_core_count(rig.core, "GetQueue"), asked + 1);
}

static void the_length_of_no_queue_asks_for_its_name(void **state)
{
    (void)state;
    rest_rig_ask(&rig, "GET", "/xqueue/get_queuelen/?queue=x", REST_RIG_SESSION);

    expect_reply("{\"return_code\": 1, \"content\": \"'get_queuelen' must provide parameter 'queue_name'\"}");
}

/* ---- get_submission ---- */

static void a_submission_is_handed_out_as_json_in_json_in_json(void **state)
{
    Xqueue__V1__LeaseResponse response = XQUEUE__V1__LEASE_RESPONSE__INIT;
    Xqueue__V1__Grant grant = XQUEUE__V1__GRANT__INIT;
    Xqueue__V1__LeaseRef lease = XQUEUE__V1__LEASE_REF__INIT;
    Xqueue__V1__Submission submission = XQUEUE__V1__SUBMISSION__INIT;
    Xqueue__V1__File file = XQUEUE__V1__FILE__INIT;
    Xqueue__V1__Grant *grants[] = {&grant};
    Xqueue__V1__File *files[] = {&file};
    char body[] = "a\"\xC3\xA9\xFF";
    const Xqueue__V1__LeaseRequest *request = NULL;

    (void)state;
    file.name = (char *)"f.py";
    file.url = (char *)"http://h/1";
    submission.id = 12;
    submission.body = (ProtobufCBinaryData){.len = sizeof(body) - 1, .data = (uint8_t *)body};
    submission.files = files;
    submission.n_files = 1;
    lease.submission_id = 12;
    lease.lease_key = (char *)KEY;
    grant.lease = &lease;
    grant.submission = &submission;
    response.grants = grants;
    response.n_grants = 1;
    scripted_core_answer(rig.core, "Lease", &response.base);
    rest_rig_ask(&rig, "GET", "/xqueue/get_submission/?queue_name=q", REST_RIG_SESSION "X-Real-IP: 192.0.2.1\r\n");

    expect_reply("{\"return_code\": 0, \"content\": \"{\\\"xqueue_header\\\": \\\"{\\\\\\\"submission_id\\\\\\\": 12, "
                 "\\\\\\\"submission_key\\\\\\\": \\\\\\\"" KEY "\\\\\\\"}\\\", \\\"xqueue_body\\\": "
                 "\\\"a\\\\\\\"\\\\u00e9\\\\ufffd\\\", \\\"xqueue_files\\\": \\\"{\\\\\\\"f.py\\\\\\\": "
                 "\\\\\\\"http://h/1\\\\\\\"}\\\"}\"}");
    request = scripted_core_last(rig.core, "Lease");
    assert_string_equal(request->queue, "q");
    assert_int_equal(request->max, 1);
    assert_int_equal(request->wait_ms, 0);
    assert_string_equal(request->grader, "127.0.0.1"); // nobody trusts this peer's X-Real-IP
}

static void the_largest_body_comes_through_whole(void **state)
{
    enum { BODY = 3145728 };
    Xqueue__V1__LeaseResponse response = XQUEUE__V1__LEASE_RESPONSE__INIT;
    Xqueue__V1__Grant grant = XQUEUE__V1__GRANT__INIT;
    Xqueue__V1__LeaseRef lease = XQUEUE__V1__LEASE_REF__INIT;
    Xqueue__V1__Submission submission = XQUEUE__V1__SUBMISSION__INIT;
    Xqueue__V1__Grant *grants[] = {&grant};
    uint8_t *body = memory_allocate(BODY); // NUL bytes: each becomes seven

    (void)state;
    submission.id = 1;
    submission.body = (ProtobufCBinaryData){.len = BODY, .data = body};
    lease.lease_key = (char *)KEY;
    grant.lease = &lease;
    grant.submission = &submission;
    response.grants = grants;
    response.n_grants = 1;
    scripted_core_answer(rig.core, "Lease", &response.base);

    assert_int_equal(rest_rig_ask(&rig, "GET", "/xqueue/get_submission/?queue_name=q", REST_RIG_SESSION), 200);
    assert_true(rig.answer.body.length > 7 * (size_t)BODY);
    scripted_core_answer(rig.core, "Lease", NULL);
    memory_free(body);
}

static void an_empty_queue_and_an_unknown_one_say_so(void **state)
{
    (void)state;
    scripted_core_answer(rig.core, "Lease", NULL);
    rest_rig_ask(&rig, "GET", "/xqueue/get_submission/?queue_name=q'", REST_RIG_SESSION);
    expect_reply("{\"return_code\": 1, \"content\": \"Queue 'q'' is empty\"}");

    scripted_core_refuse(rig.core, "Lease", STATUS_NOT_FOUND, "QUEUE_NOT_FOUND");
    rest_rig_ask(&rig, "GET", "/xqueue/get_submission/?queue_name=q", REST_RIG_SESSION);
    expect_reply("{\"return_code\": 1, \"content\": \"Queue 'q' not found\"}");
    rest_rig_ask(&rig, "GET", "/xqueue/get_submission/?queue_name=a%00b", REST_RIG_SESSION);
    expect_reply("{\"return_code\": 1, \"content\": \"Queue 'a\\u0000b' not found\"}");
    rest_rig_ask(&rig, "GET", "/xqueue/get_submission/", REST_RIG_SESSION);
    expect_reply("{\"return_code\": 1, \"content\": \"'get_submission' must provide parameter 'queue_name'\"}");
}

static void head_and_options_never_take_a_submission(void **state)
{
    Xqueue__V1__GetQueueResponse queue = XQUEUE__V1__GET_QUEUE_RESPONSE__INIT;
    size_t leases = scripted_core_count(rig.core, "Lease");

    (void)state;
    queue.ready_count = 1;
    scripted_core_answer(rig.core, "GetQueue", &queue.base);
    assert_int_equal(rest_rig_ask(&rig, "HEAD", "/xqueue/get_submission/?queue_name=q", REST_RIG_SESSION), 200);
    assert_int_equal(rest_rig_ask(&rig, "OPTIONS", "/xqueue/get_submission/?queue_name=q", REST_RIG_SESSION), 200);

    assert_int_equal(rig.answer.body.length, 0);
    queue.ready_count = 0;
    scripted_core_answer(rig.core, "GetQueue", &queue.base);
    assert_int_equal(rest_rig_ask(&rig, "OPTIONS", "/xqueue/get_submission/?queue_name=q", REST_RIG_SESSION), 200);
    expect_reply("{\"return_code\": 1, \"content\": \"Queue 'q' is empty\"}");
    assert_int_equal(scripted_core_count(rig.core, "Lease"), leases);
}

static void post_with_a_csrf_token_takes_one_by_the_query(void **state)
{
    size_t leases = scripted_core_count(rig.core, "Lease");

    (void)state;
    scripted_core_answer(rig.core, "Lease", NULL);
    rest_rig_ask(&rig, "POST", "/xqueue/get_submission/?queue_name=q",
                 "Cookie: csrftoken=t; sessionid=" SCRIPTED_CORE_TOKEN "\r\nX-CSRFToken: t\r\n");

    expect_reply("{\"return_code\": 1, \"content\": \"Queue 'q' is empty\"}");
    assert_int_equal(scripted_core_count(rig.core, "Lease"), leases + 1);
}

/* ---- put_result ---- */

static void a_result_is_acknowledged_once_the_core_has_it(void **state)
{
    const Xqueue__V1__CompleteRequest *request = NULL;

    (void)state;
    rest_rig_post(&rig, "/xqueue/put_result/", RESULT);

    expect_reply("{\"return_code\": 0, \"content\": \"\"}");
    request = scripted_core_last(rig.core, "Complete");
    assert_int_equal(request->lease->submission_id, 12);
    assert_string_equal(request->lease->lease_key, KEY);
    assert_int_equal(request->result.len, 2);
    assert_memory_equal(request->result.data, "{}", 2);
    assert_true(request->amend);
}

static void each_failure_of_the_core_has_its_legacy_reply(void **state)
{
    static const struct {
        enum status status;
        int http_status;
        const char *reason;
        const char *reply;
    } cases[] = {
        {STATUS_NOT_FOUND, 200, "SUBMISSION_NOT_FOUND", "{\"return_code\": 1, \"content\": \"Submission does not exist\"}"},
        {STATUS_STALE, 200, "LEASE_STALE", "{\"return_code\": 1, \"content\": \"Incorrect key for submission\"}"},
        {STATUS_STALE, 200, "LEASE_SUPERSEDED", "{\"return_code\": 0, \"content\": \"\"}"},
        {STATUS_UNAVAILABLE, 503, "DRAINING",
         "{\"return_code\": 1, \"content\": \"The queue is temporarily unavailable. Please try again.\"}"},
        {STATUS_DENIED, 200, "", "{\"return_code\": 1, \"content\": \"as the test says\"}"},
        {STATUS_INTERNAL, 500, "", "{\"return_code\": 1, \"content\": \"The queue failed to handle this request\"}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scripted_core_refuse(rig.core, "Complete", cases[i].status, cases[i].reason);
        assert_int_equal(rest_rig_post(&rig, "/xqueue/put_result/", RESULT), cases[i].http_status);
        assert_string_equal(rig.answer.body.bytes, cases[i].reply);
    }
    scripted_core_answer(rig.core, "Complete", NULL);
}

static void a_core_that_does_not_answer_in_time_is_a_temporary_failure(void **state)
{
    (void)state;
    rig.config.rest.core_timeout_ms = 100;
    scripted_core_hang(rig.core, "Complete");

    assert_int_equal(rest_rig_post(&rig, "/xqueue/put_result/", RESULT), 503);
    scripted_core_answer(rig.core, "Complete", NULL);
    rig.config.rest.core_timeout_ms = 2000;
}

static void malformed_results_say_so_and_never_reach_the_core(void **state)
{
    static const char *const forms[] = {"",
                                        "xqueue_header=%7B%22submission_id%22%3A1%2C%22submission_key%22%3A%22a%22%7D",
                                        "xqueue_body=x",
                                        "xqueue_header=x&xqueue_body=x",
                                        "xqueue_header=%5B%5D&xqueue_body=x",
                                        "xqueue_header=%7B%22submission_id%22%3A1%7D&xqueue_body=x"};
    size_t completed = scripted_core_count(rig.core, "Complete");

    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        rest_rig_post(&rig, "/xqueue/put_result/", forms[i]);
        expect_reply("{\"return_code\": 1, \"content\": \"Incorrect reply format\"}");
    }
    rest_rig_ask(&rig, "GET", "/xqueue/put_result/", REST_RIG_SESSION);
    expect_reply("{\"return_code\": 1, \"content\": \"'put_result' must use HTTP POST\"}");
    assert_int_equal(scripted_core_count(rig.core, "Complete"), completed);
}

static void a_key_that_cannot_be_one_is_asked_for_as_a_wrong_one(void **state)
{
    const Xqueue__V1__CompleteRequest *request = NULL;

    (void)state;
    rest_rig_post(&rig, "/xqueue/put_result/",
                  "xqueue_header=%7B%22submission_id%22%3A%22+7%22%2C%22submission_key%22%3Anull%7D&xqueue_body=");

    request = scripted_core_last(rig.core, "Complete");
    assert_int_equal(request->lease->submission_id, 7);
    assert_string_equal(request->lease->lease_key, "00000000000000000000000000000000");
    assert_int_equal(request->result.len, 0);
}

static void a_form_over_the_limit_is_refused(void **state)
{
    size_t length = (size_t)rig.config.rest.form_bytes_max + 1;
    char *form = memory_allocate(length + 1);

    (void)state;
    memset(form, 'a', length);
    assert_int_equal(rest_rig_post(&rig, "/xqueue/put_result/", form), 413);
    memcpy(form, "xqueue_header=x&xqueue_body=", 28);
    form[length - 1] = '\0'; // exactly the limit
    assert_int_equal(rest_rig_post(&rig, "/xqueue/put_result/", form), 200);
    memory_free(form);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_length_of_a_queue_is_a_bare_number),
        cmocka_unit_test(the_length_of_an_unknown_queue_is_a_list_of_names),
        cmocka_unit_test(the_length_of_no_queue_asks_for_its_name),
        cmocka_unit_test(a_submission_is_handed_out_as_json_in_json_in_json),
        cmocka_unit_test(the_largest_body_comes_through_whole),
        cmocka_unit_test(an_empty_queue_and_an_unknown_one_say_so),
        cmocka_unit_test(head_and_options_never_take_a_submission),
        cmocka_unit_test(post_with_a_csrf_token_takes_one_by_the_query),
        cmocka_unit_test(a_result_is_acknowledged_once_the_core_has_it),
        cmocka_unit_test(each_failure_of_the_core_has_its_legacy_reply),
        cmocka_unit_test(a_core_that_does_not_answer_in_time_is_a_temporary_failure),
        cmocka_unit_test(malformed_results_say_so_and_never_reach_the_core),
        cmocka_unit_test(a_key_that_cannot_be_one_is_asked_for_as_a_wrong_one),
        cmocka_unit_test(a_form_over_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
