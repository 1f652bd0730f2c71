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

#include "tests/support/fake_lms.h"
#include "tests/support/rest_client.h"
#include "tests/support/running_service.h"
#include "tests/support/scripted_grader.h"

enum { PATIENCE_MS = 20000 };

struct world {
    struct running_service service;
    struct fake_lms *lms;
    struct rest_client client;
    struct scripted_grader *grader;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    *state = world;
    running_service_start(&world->service, NULL);
    world->lms = fake_lms_start(0);
    rest_client_init(&world->client, world->service.rest_port, "lms");
    world->grader = scripted_grader_open(world->service.core, "grader");
    return scripted_grader_start(world->grader, &(struct scripted_hello){.grader = "g1", .queue = "calm"}, 10) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    scripted_grader_close(world->grader);
    rest_client_finish(&world->client);
    bool is_fine = running_service_finish(&world->service);
    fake_lms_destroy(world->lms);
    free(world);
    return is_fine ? 0 : -1;
}

static void lms_submits(struct world *world, struct rest_submission submission)
{
    char url[FAKE_LMS_URL_MAX];

    submission.queue = "calm";
    submission.callback_url = fake_lms_url(world->lms, submission.callback_url, url);
    assert_int_equal(rest_client_submit(&world->client, &submission), 200);
    assert_int_equal(world->client.return_code, 0);
}

static void grader_completes(struct world *world, const char *result)
{
    struct core_lease lease;

    assert_true(scripted_grader_await_grant(world->grader, &lease));
    assert_true(scripted_grader_accept(world->grader, &lease));
    assert_int_equal(scripted_grader_complete(world->grader, &lease, result), XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK);
}

static void a_submission_of_the_lms_comes_back_graded_with_its_header_byte_for_byte(void **state)
{
    struct world *world = *state;
    struct text header;
    char url[FAKE_LMS_URL_MAX];
    struct rest_submission submission = {
        .callback_url = "/cb?x=1&y=%20", .key = "k\\u00e9 + \\\"quoted\\\" \xc3\xa9", .body = "print('\xc3\xa9') & 100 %"};

    lms_submits(world, submission);
    grader_completes(world, "{\"correct\": true, \"score\": 1, \"msg\": \"<p>\xc3\xa4&amp;</p>\"}");

    assert_true(fake_lms_wait_for(world->lms, 1, PATIENCE_MS));
    const struct fake_lms_callback *callback = fake_lms_callback(world->lms, 0);
    text_init(&header, RUNNING_SERVICE_TEXT_MAX * 4);
    submission.queue = "calm";
    submission.callback_url = fake_lms_url(world->lms, "/cb?x=1&y=%20", url);
    rest_submission_header(&submission, &header);
    assert_string_equal(callback->method, "POST");
    assert_string_equal(callback->path, "/cb?x=1&y=%20");
    assert_int_equal(callback->header_length, header.length);
    assert_memory_equal(callback->header, header.bytes, header.length);
    assert_string_equal(callback->result, "{\"correct\": true, \"score\": 1, \"msg\": \"<p>\xc3\xa4&amp;</p>\"}");
    text_finish(&header);
}

static void the_lms_logs_in_once_and_then_only_submits(void **state)
{
    struct world *world = *state;

    lms_submits(world, (struct rest_submission){.callback_url = "/1", .body = "one"});
    lms_submits(world, (struct rest_submission){.callback_url = "/2", .body = "two"});

    assert_int_equal(world->client.logins, 1);
    grader_completes(world, "1");
    grader_completes(world, "2");
    assert_true(fake_lms_wait_for(world->lms, 2, PATIENCE_MS));
}

/* The grader's part of a file: its URL, as a streamed grant names it, fetched over HTTP. */
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

    lms_submits(world, (struct rest_submission){.callback_url = "/file",
                                                .body = "{}",
                                                .file_field = "solution.py",
                                                .file_name = "my solution.py",
                                                .file_bytes = bytes});
    struct rpc_message *message = scripted_grader_await(world->grader, XQUEUE__V1__SERVER_MESSAGE__KIND_GRANT);
    assert_non_null(message);
    const Xqueue__V1__Grant *grant = scripted_grader_read(message)->grant;
    assert_int_equal(grant->submission->n_files, 1);
    const Xqueue__V1__File *file = grant->submission->files[0];
    assert_string_equal(file->name, "solution.py");
    assert_string_equal(file->filename, "my solution.py");
    assert_int_equal(file->size_bytes, strlen(bytes));
    fetch(file->url, &answer);

    assert_int_equal(answer.body.length, strlen(bytes));
    assert_memory_equal(answer.body.bytes, bytes, strlen(bytes));
    http_answer_finish(&answer);
    core_lease_read(grant, &lease);
    rpc_message_free(message);
    assert_int_equal(scripted_grader_complete(world->grader, &lease, "{}"), XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK);
    assert_true(fake_lms_wait_for_path(world->lms, "/file", 1, PATIENCE_MS));
}

static void a_poller_is_told_the_same_url(void **state)
{
    struct world *world = *state;
    struct http_answer answer = {.status = 0};
    struct rest_pulled pulled;
    struct rest_client poller;

    assert_true(scripted_grader_credit(world->grader, 0));
    rest_client_init(&poller, world->service.rest_port, "grader");
    struct rest_submission submission = {
        .callback_url = "/file", .body = "b", .file_field = "f", .file_name = "f.txt", .file_bytes = "contents"};
    submission.queue = "hasty"; // which the streamed grader does not serve
    char url[FAKE_LMS_URL_MAX];
    submission.callback_url = fake_lms_url(world->lms, "/file", url);
    assert_int_equal(rest_client_submit(&world->client, &submission), 200);
    assert_true(rest_client_pull(&poller, "hasty", &pulled));
    json_t *files = json_loads(pulled.files, 0, NULL);
    fetch(json_string_value(json_object_get(files, "f")), &answer);

    assert_string_equal(answer.body.bytes, "contents");
    json_decref(files);
    http_answer_finish(&answer);
    rest_pulled_finish(&pulled);
    rest_client_finish(&poller);
}

static void large_bodies_and_results_travel_whole(void **state)
{
    enum { LARGE = 1024 * 1024 };
    struct world *world = *state;
    char *body = malloc(LARGE + 1);
    char *result = malloc(LARGE + 1);

    for (size_t i = 0; i < LARGE; i++) {
        body[i] = (char)('a' + i % 26);
        result[i] = (char)('A' + i % 23);
    }
    body[LARGE] = '\0';
    result[LARGE] = '\0';
    lms_submits(world, (struct rest_submission){.callback_url = "/large", .body = body});
    struct rpc_message *message = scripted_grader_await(world->grader, XQUEUE__V1__SERVER_MESSAGE__KIND_GRANT);
    assert_non_null(message);
    const Xqueue__V1__Grant *grant = scripted_grader_read(message)->grant;
    struct core_lease lease;
    core_lease_read(grant, &lease);

    assert_int_equal(grant->submission->body.len, LARGE);
    assert_memory_equal(grant->submission->body.data, body, LARGE);
    rpc_message_free(message);
    assert_int_equal(scripted_grader_complete(world->grader, &lease, result), XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK);
    assert_true(fake_lms_wait_for(world->lms, 1, PATIENCE_MS));
    assert_int_equal(fake_lms_callback(world->lms, 0)->result_length, LARGE);
    assert_memory_equal(fake_lms_callback(world->lms, 0)->result, result, LARGE);
    free(body);
    free(result);
}

static void a_student_who_submits_again_is_graded_once_for_the_newest(void **state)
{
    struct world *world = *state;
    struct core_lease first;
    struct core_lease second;

    lms_submits(world, (struct rest_submission){.callback_url = "/student", .body = "first"});
    assert_true(scripted_grader_await_grant(world->grader, &first));
    assert_true(scripted_grader_accept(world->grader, &first));
    lms_submits(world, (struct rest_submission){.callback_url = "/student", .body = "second"});
    assert_true(scripted_grader_await_grant(world->grader, &second));
    assert_string_equal(second.body, "second");
    assert_int_equal(scripted_grader_await_lost(world->grader, &first), XQUEUE__V1__LOST_REASON__LOST_REASON_SUPERSEDED);
    assert_int_equal(scripted_grader_complete(world->grader, &first, "old"), XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_STALE);
    assert_int_equal(scripted_grader_complete(world->grader, &second, "new"), XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK);

    assert_true(fake_lms_wait_for(world->lms, 1, PATIENCE_MS));
    assert_string_equal(fake_lms_callback(world->lms, 0)->result, "new");
    assert_int_equal(fake_lms_count(world->lms), 1);
}

#define WITH_WORLD(test_) cmocka_unit_test_setup_teardown(test_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(a_submission_of_the_lms_comes_back_graded_with_its_header_byte_for_byte),
        WITH_WORLD(the_lms_logs_in_once_and_then_only_submits),
        WITH_WORLD(an_uploaded_file_can_be_fetched_by_the_grader_under_its_url),
        WITH_WORLD(a_poller_is_told_the_same_url),
        WITH_WORLD(large_bodies_and_results_travel_whole),
        WITH_WORLD(a_student_who_submits_again_is_graded_once_for_the_newest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
