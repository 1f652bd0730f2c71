/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support PkgConfig::JANSSON */
/* The whole path: LMS over REST, core, streamed grader, callback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/support/conversation.h"

/* The service, and one grader for queue calm. */
struct world {
    struct conversation *talk;
    struct scripted_grader *grader;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    *state = world;
    world->talk = conversation_start(NULL);
    world->grader = grader_connects(world->talk, "g1", "calm", 10);
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    scripted_grader_close(world->grader);
    bool is_fine = conversation_finish(world->talk);
    free(world);
    return is_fine ? 0 : -1;
}

static int submit(struct world *world, const char *path, struct rest_submission submission)
{
    char url[FAKE_LMS_URL_MAX];

    submission.queue = submission.queue != NULL ? submission.queue : "calm";
    submission.callback_url = fake_lms_url(world->talk->lms, path, url);
    const int status = rest_client_submit(&world->talk->client, &submission);
    return status == 200 ? world->talk->client.return_code : -status;
}

static void a_submission_of_the_lms_comes_back_graded_with_its_header_byte_for_byte(void **state)
{
    static const char result[] = "{\"correct\": true, \"score\": 1, \"msg\": \"<p>\xc3\xa4&amp;+</p>\"}";
    struct world *world = *state;
    struct text header;
    char url[FAKE_LMS_URL_MAX];
    const struct rest_submission submission = {.queue = "calm",
                                               .callback_url = fake_lms_url(world->talk->lms, "/exact?x=1&y=%20", url),
                                               .key = "k\\u00e9 + \\\"quoted\\\" \xc3\xa9",
                                               .body = "print('\xc3\xa9') & 100 %"};

    assert_int_equal(submit(world, "/exact?x=1&y=%20", submission), 0);
    const struct core_lease lease = grader_receives(world->grader);
    assert_string_equal(lease.body, submission.body);
    grader_completes(world->grader, &lease, result);

    const struct fake_lms_callback *callback = lms_hears(world->talk, "/exact?x=1&y=%20", 0);
    text_init(&header, FAKE_LMS_URL_MAX);
    rest_submission_header(&submission, &header);
    assert_string_equal(callback->method, "POST");
    assert_int_equal(callback->header_length, header.length);
    assert_memory_equal(callback->header, header.bytes, header.length);
    assert_string_equal(callback->result, result);
    text_finish(&header);
}

static void the_lms_logs_in_once_and_then_only_submits(void **state)
{
    struct world *world = *state;
    const int before = world->talk->client.logins;

    world->talk->client.session[0] = '\0';
    assert_int_equal(submit(world, "/login/1", (struct rest_submission){.body = "one"}), 0);
    assert_int_equal(submit(world, "/login/2", (struct rest_submission){.body = "two"}), 0);

    assert_int_equal(world->talk->client.logins, before + 1);
    for (int i = 0; i < 2; i++) {
        const struct core_lease lease = grader_receives(world->grader);
        grader_completes(world->grader, &lease, lease.body);
    }
    assert_string_equal(lms_hears(world->talk, "/login/1", 0)->result, "one");
    assert_string_equal(lms_hears(world->talk, "/login/2", 0)->result, "two");
}

/* The grader's part of a file: its URL, fetched over HTTP. */
static void fetch(const char *url, struct http_answer *answer)
{
    const char *port = strrchr(url, ':');
    const char *path = strchr(port, '/');
    const struct http_ask ask = {.port = atoi(port + 1), .method = "GET", .target = path, .extra = ""};

    assert_int_equal(http_talk_once(&ask, answer), 200);
}

static void an_uploaded_file_can_be_fetched_by_the_grader_under_its_url(void **state)
{
    static const char bytes[] = "def f():\r\n    return '\xff\xfe'\n";
    struct world *world = *state;
    struct http_answer answer = {.status = 0};
    struct core_lease lease;

    const struct rest_submission submission = {
        .body = "{}", .file_field = "solution.py", .file_name = "my solution.py", .file_bytes = bytes};
    assert_int_equal(submit(world, "/file", submission), 0);
    struct rpc_message *message = scripted_grader_await(world->grader, XQUEUE__V1__SERVER_MESSAGE__KIND_GRANT);
    assert_non_null(message);
    const Xqueue__V1__Grant *grant = scripted_grader_read(message)->grant;
    core_lease_read(grant, &lease);
    assert_int_equal(grant->submission->n_files, 1);
    const Xqueue__V1__File *file = grant->submission->files[0];
    assert_string_equal(file->name, "solution.py");
    assert_string_equal(file->filename, "my solution.py");
    assert_int_equal(file->size_bytes, strlen(bytes));
    fetch(file->url, &answer);

    assert_int_equal(answer.body.length, strlen(bytes));
    assert_memory_equal(answer.body.bytes, bytes, strlen(bytes));
    http_answer_finish(&answer);
    rpc_message_free(message);
    grader_completes(world->grader, &lease, "{}");
    lms_hears(world->talk, "/file", 0);
}

static void a_poller_is_told_the_url_of_a_file_too(void **state)
{
    struct world *world = *state;
    struct http_answer answer = {.status = 0};
    struct rest_pulled pulled;
    struct rest_client poller;

    // in a queue that the streamed grader does not serve
    const struct rest_submission submission = {
        .queue = "small", .body = "b", .file_field = "f", .file_name = "f.txt", .file_bytes = "contents"};
    assert_int_equal(submit(world, "/polled-file", submission), 0);
    rest_client_init(&poller, world->talk->service.rest_port, "grader");
    assert_true(rest_client_pull(&poller, "small", &pulled));
    json_t *files = json_loads(pulled.files, 0, NULL);
    fetch(json_string_value(json_object_get(files, "f")), &answer);

    assert_string_equal(answer.body.bytes, "contents");
    assert_int_equal(rest_client_put(&poller, pulled.header, "graded"), 0);
    assert_string_equal(lms_hears(world->talk, "/polled-file", 0)->result, "graded");
    json_decref(files);
    http_answer_finish(&answer);
    rest_pulled_finish(&pulled);
    rest_client_finish(&poller);
}

static char *alphabet(size_t length, int first, int letters)
{
    char *text = malloc(length + 1);

    assert_non_null(text);
    for (size_t i = 0; i < length; i++) {
        text[i] = (char)(first + (int)(i % (size_t)letters));
    }
    text[length] = '\0';
    return text;
}

static void large_bodies_and_results_travel_whole(void **state)
{
    enum { LARGE = 1024 * 1024 };
    struct world *world = *state;
    char *body = alphabet(LARGE, 'a', 26);
    char *result = alphabet(LARGE, 'A', 23);
    struct core_lease lease;

    assert_int_equal(submit(world, "/large", (struct rest_submission){.body = body}), 0);
    struct rpc_message *message = scripted_grader_await(world->grader, XQUEUE__V1__SERVER_MESSAGE__KIND_GRANT);
    assert_non_null(message);
    const Xqueue__V1__Grant *grant = scripted_grader_read(message)->grant;
    core_lease_read(grant, &lease);
    assert_int_equal(grant->submission->body.len, LARGE);
    assert_memory_equal(grant->submission->body.data, body, LARGE);
    rpc_message_free(message);
    grader_completes(world->grader, &lease, result);

    const struct fake_lms_callback *callback = lms_hears(world->talk, "/large", 0);
    assert_int_equal(callback->result_length, LARGE);
    assert_memory_equal(callback->result, result, LARGE);
    free(body);
    free(result);
}

static void a_student_who_submits_again_is_graded_once_for_the_newest(void **state)
{
    struct world *world = *state;

    assert_int_equal(submit(world, "/student", (struct rest_submission){.body = "first"}), 0);
    const struct core_lease first = grader_receives(world->grader);
    assert_int_equal(submit(world, "/student", (struct rest_submission){.body = "second"}), 0);
    const struct core_lease second = grader_receives(world->grader);
    assert_string_equal(second.body, "second");
    assert_int_equal(scripted_grader_await_lost(world->grader, &first), XQUEUE__V1__LOST_REASON__LOST_REASON_SUPERSEDED);
    assert_int_equal(scripted_grader_complete(world->grader, &first, "old"), XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_STALE);
    grader_completes(world->grader, &second, "new");

    assert_string_equal(lms_hears(world->talk, "/student", 0)->result, "new");
    assert_true(core_await_delivery(world->talk->admin, second.id, XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_DELIVERED));
    assert_int_equal(fake_lms_count_path(world->talk->lms, "/student"), 1);
}

/* ---- the adapter reaches the core over TCP ---- */

static void the_programs_find_each_other_over_tcp_too(void **state)
{
    (void)state;
    const struct running_service_options options = {.over_tcp = true};
    struct conversation *talk = conversation_start(&options);
    struct scripted_grader *grader = grader_connects(talk, "g1", "calm", 1);

    lms_submits(talk, "calm", "/tcp", "body");
    const struct core_lease lease = grader_receives(grader);
    grader_completes(grader, &lease, "done");

    assert_string_equal(lms_hears(talk, "/tcp", 0)->result, "done");
    scripted_grader_close(grader);
    assert_true(conversation_finish(talk));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_submission_of_the_lms_comes_back_graded_with_its_header_byte_for_byte),
        cmocka_unit_test(the_lms_logs_in_once_and_then_only_submits),
        cmocka_unit_test(an_uploaded_file_can_be_fetched_by_the_grader_under_its_url),
        cmocka_unit_test(a_poller_is_told_the_url_of_a_file_too),
        cmocka_unit_test(large_bodies_and_results_travel_whole),
        cmocka_unit_test(a_student_who_submits_again_is_graded_once_for_the_newest),
        cmocka_unit_test(the_programs_find_each_other_over_tcp_too),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
