/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support xqueue_rest_formats */
/* Uploaded files in a bucket of a real S3-compatible server: OpenStack Swift (tests/support/s3_server.py). */
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "rest-adapter/s3_sign.h"
#include "tests/support/conversation.h"

#define BUCKET  "xqueue-test"
#define CONTENT "def f():\r\n    return '\xff\xfe'\n"

enum { ORIGIN_MAX = 64, URL_MAX = 4096, OPTIONS_MAX = 1024 };

struct world {
    struct conversation *talk;
    struct running_program *server;
    struct fake_lms *grader; /* of the queue "pushed" */
    char folder[64];         /* of the server, and of our secret */
    char port[16];
    char origin[ORIGIN_MAX];
};

static void start_server(struct world *world)
{
    static const char server_path[] = XQUEUE_SOURCE_DIR "/tests/support/s3_server.py";
    const char *const arguments[] = {"/usr/bin/python3", server_path, world->folder, world->port, BUCKET, NULL};
    const struct running_program_options options = {.arguments = arguments};

    world->server = running_program_start(&options);
    if (!running_program_await(world->server, "event=ready", 1)) {
        running_program_dump(world->server);
        fail_msg("the S3 server did not start");
    }
}

static void stop_server(struct world *world)
{
    running_program_signal(world->server, SIGKILL);
    (void)running_program_wait(world->server);
    running_program_destroy(world->server);
    world->server = NULL;
}

static void write_secret(const struct world *world, const char *secret)
{
    char path[128];
    FILE *file = NULL;

    (void)snprintf(path, sizeof(path), "%s/secret", world->folder);
    file = fopen(path, "we");
    assert_non_null(file);
    (void)fprintf(file, "%s\n", secret);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    char rest[OPTIONS_MAX];
    char queues[OPTIONS_MAX];
    const struct running_service_options options = {.user = "everybody", .rest = rest, .queues = queues};

    *state = world;
    (void)snprintf(world->folder, sizeof(world->folder), "/tmp/xqueue-s3-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    (void)snprintf(world->port, sizeof(world->port), "%d", running_service_free_port());
    (void)snprintf(world->origin, sizeof(world->origin), "http://127.0.0.1:%s", world->port);
    start_server(world);
    write_secret(world, "testing");
    (void)snprintf(rest, sizeof(rest),
                   "  s3:\n    endpoint: \"%s\"\n    bucket: " BUCKET "\n    access_key: \"test:tester\"\n"
                   "    secret_key_file: %s/secret\n    connect_timeout_ms: 1000\n    timeout_ms: 10000\n",
                   world->origin, world->folder);
    world->grader = fake_lms_start(0);
    (void)snprintf(queues, sizeof(queues), "  pushed:\n    push_url: \"http://127.0.0.1:%d/grade\"\n",
                   fake_lms_port(world->grader));
    world->talk = conversation_start(&options);
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    char command[128];
    bool is_fine = conversation_finish(world->talk);

    fake_lms_destroy(world->grader);
    if (world->server != NULL) {
        stop_server(world);
    }
    (void)snprintf(command, sizeof(command), "rm -r %s", world->folder);
    is_fine = system(command) == 0 && is_fine; // NOLINT(bugprone-command-processor): a test's own folder
    free(world);
    return is_fine ? 0 : -1;
}

static int submit(struct world *world, const char *queue)
{
    const struct rest_submission submission = {.queue = queue,
                                               .callback_url = "http://127.0.0.1:9/",
                                               .body = "b",
                                               .file_field = "f",
                                               .file_name = "f.py",
                                               .file_bytes = CONTENT};

    return rest_client_submit(&world->talk->client, &submission);
}

/* GET or HEAD of a URL on this machine. Of other answers than 200 and 206 only the head is read. */
static int fetch(const char *method, const char *url, const char *extra, struct http_answer *answer)
{
    const char *host = strstr(url, "://") + 3;
    const char *path = strchr(host, '/');
    struct http_talk talk;

    http_talk_open(&talk, atoi(strchr(host, ':') + 1));
    http_talk_say(&talk, "%s %s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\n%s\r\n", method, path, (int)(path - host), host,
                  extra);
    int status = http_talk_receive(&talk, true, answer);
    if ((status == 200 || status == 206) && strcmp(method, "GET") == 0) {
        http_talk_close(&talk);
        http_talk_open(&talk, atoi(strchr(host, ':') + 1));
        http_talk_say(&talk, "GET %s HTTP/1.1\r\nHost: %.*s\r\nConnection: close\r\n%s\r\n", path, (int)(path - host), host,
                      extra);
        status = http_talk_receive(&talk, false, answer);
    }
    http_talk_close(&talk);
    return status;
}

/* What a poller is told about the one file of the next submission of "calm". */
static void pull_url(struct world *world, char out[URL_MAX])
{
    struct rest_client poller;
    struct rest_pulled pulled;

    rest_client_init(&poller, world->talk->service.rest_port, "grader");
    assert_true(rest_client_pull(&poller, "calm", &pulled));
    json_t *files = json_loads(pulled.files, 0, NULL);
    (void)snprintf(out, URL_MAX, "%s", json_string_value(json_object_get(files, "f")));
    json_decref(files);
    rest_pulled_finish(&pulled);
    rest_client_finish(&poller);
}

static long waiting(struct world *world)
{
    struct rest_client poller;

    rest_client_init(&poller, world->talk->service.rest_port, "grader");
    long count = rest_client_queue_length(&poller, "calm");
    rest_client_finish(&poller);
    return count;
}

static bool is_incoming_empty(const struct world *world)
{
    char path[RUNNING_SERVICE_TEXT_MAX];

    // rmdir says it: only an empty folder can be removed, and it is made anew at the next start
    return rmdir(running_service_path(&world->talk->service, "files/.incoming", path)) == 0;
}

static void a_streaming_grader_has_a_link_to_the_adapter_which_sends_on_to_the_bucket(void **state)
{
    struct world *world = *state;
    struct scripted_grader *grader = grader_connects(world->talk, "g", "calm", 1);
    struct http_answer answer = {.status = 0};
    char own[ORIGIN_MAX];
    char location[URL_MAX];

    assert_int_equal(submit(world, "calm"), 200);
    assert_int_equal(world->talk->client.return_code, 0);
    struct rpc_message *message = scripted_grader_await(grader, XQUEUE__V1__SERVER_MESSAGE__KIND_GRANT);
    assert_non_null(message);
    const Xqueue__V1__File *file = scripted_grader_read(message)->grant->submission->files[0];
    (void)snprintf(own, sizeof(own), "http://127.0.0.1:%d/xqueue/files/calm/", world->talk->service.rest_port);
    assert_memory_equal(file->url, own, strlen(own));

    assert_int_equal(fetch("GET", file->url, "", &answer), 302);
    assert_true(http_answer_header(&answer, "Location", 0, location, sizeof(location)));
    assert_memory_equal(location, world->origin, strlen(world->origin));
    assert_int_equal(fetch("GET", location, "", &answer), 200);
    assert_int_equal(answer.body.length, strlen(CONTENT));
    assert_memory_equal(answer.body.bytes, CONTENT, strlen(CONTENT));
    assert_true(http_answer_header(&answer, "Content-Disposition", 0, location, sizeof(location)));
    assert_string_equal(location, "attachment");

    assert_int_equal(fetch("HEAD", file->url, "", &answer), 302);
    assert_true(http_answer_header(&answer, "Location", 0, location, sizeof(location)));
    assert_int_equal(fetch("HEAD", location, "", &answer), 200);
    file->url[strlen(file->url) - 1] ^= 1;
    assert_int_equal(fetch("GET", file->url, "", &answer), 403);
    assert_true(is_incoming_empty(world));
    http_answer_finish(&answer);
    rpc_message_free(message);
    scripted_grader_close(grader);
}

static void a_poller_is_given_the_presigned_url_itself(void **state)
{
    struct world *world = *state;
    struct http_answer answer = {.status = 0};
    char url[URL_MAX];

    assert_int_equal(submit(world, "calm"), 200);
    pull_url(world, url);
    assert_memory_equal(url, world->origin, strlen(world->origin));
    assert_non_null(strstr(url, "/" BUCKET "/xqueue/calm/"));

    assert_int_equal(fetch("GET", url, "", &answer), 200);
    assert_int_equal(answer.body.length, strlen(CONTENT));
    assert_int_equal(fetch("GET", url, "Range: bytes=0-2\r\n", &answer), 206);
    assert_string_equal(answer.body.bytes, "def");
    url[strlen(url) - 1] ^= 1;
    assert_int_equal(fetch("GET", url, "", &answer), 403);
    http_answer_finish(&answer);
}

static void a_push_grader_is_given_the_presigned_url_itself(void **state)
{
    static const char start[] = "{\"xqueue_body\": \"b\", \"xqueue_files\": \"{\\\"f\\\": \\\"";
    struct world *world = *state;
    struct http_answer answer = {.status = 0};
    char url[URL_MAX];

    assert_int_equal(submit(world, "pushed"), 200);
    const char *body = server_hears(world->grader, "/grade", 0)->body;
    assert_memory_equal(body, start, strlen(start));
    body += strlen(start);
    (void)snprintf(url, sizeof(url), "%.*s", (int)strcspn(body, "\\"), body);
    assert_memory_equal(url, world->origin, strlen(world->origin));

    assert_int_equal(fetch("GET", url, "", &answer), 200);
    assert_int_equal(answer.body.length, strlen(CONTENT));
    http_answer_finish(&answer);
}

static void a_presigned_url_that_is_over_is_refused(void **state)
{
    struct world *world = *state;
    struct http_answer answer = {.status = 0};
    const struct s3_bucket bucket = {.origin = world->origin,
                                     .region = "us-east-1",
                                     .bucket = BUCKET,
                                     .access_key = "test:tester",
                                     .secret_key = "testing",
                                     .path_style = true};
    char pulled[URL_MAX];
    struct text url;

    assert_int_equal(submit(world, "calm"), 200);
    pull_url(world, pulled);
    char *object = strstr(pulled, "/" BUCKET "/") + strlen("/" BUCKET "/");
    *strchr(object, '?') = '\0';
    text_init(&url, URL_MAX);
    s3_append_presigned(&url, &bucket, "GET", span_of(object), clock_wall_ms() - 10000, 60);
    assert_int_equal(fetch("GET", url.bytes, "", &answer), 200);
    text_clear(&url);
    s3_append_presigned(&url, &bucket, "GET", span_of(object), clock_wall_ms() - 120000, 60);
    assert_int_equal(fetch("GET", url.bytes, "", &answer), 403);
    text_finish(&url);
    http_answer_finish(&answer);
}

static void a_file_of_a_refused_submission_goes_from_the_bucket(void **state)
{
    struct world *world = *state;

    assert_int_equal(submit(world, "nobodys"), 200);
    assert_int_equal(world->talk->client.return_code, 1);

    assert_true(running_program_await(world->server, "\"DELETE /" BUCKET "/xqueue/nobodys/", 1));
    assert_int_equal(running_program_count(world->server, "HTTP/1.1\" 204"), 1);
    assert_true(is_incoming_empty(world));
}

static void a_wrong_secret_is_a_clear_failure_and_nothing_is_submitted(void **state)
{
    struct world *world = *state;
    char text[URL_MAX];

    running_service_stop_rest(&world->talk->service);
    write_secret(world, "guessed");
    running_service_start_rest(&world->talk->service);
    assert_int_equal(submit(world, "calm"), 503);
    assert_int_equal(world->talk->client.return_code, 1);

    assert_true(running_program_value(world->talk->service.rest, "event=files_failed", "text", text, sizeof(text)));
    assert_non_null(strstr(text, "SignatureDoesNotMatch"));
    assert_null(strstr(text, "guessed"));
    assert_int_equal(waiting(world), 0);
    assert_true(is_incoming_empty(world));
}

static void a_server_that_is_away_is_a_temporary_failure_said_once(void **state)
{
    struct world *world = *state;
    struct running_program *rest = world->talk->service.rest;

    stop_server(world);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(submit(world, "calm"), 503);
        assert_int_equal(world->talk->client.return_code, 1);
    }
    assert_int_equal(waiting(world), 0);
    assert_int_equal(running_program_count(rest, "event=files_failed"), 1);

    start_server(world);
    assert_int_equal(submit(world, "calm"), 200);
    assert_int_equal(world->talk->client.return_code, 0);
    assert_int_equal(running_program_count(rest, "event=files_stored_again"), 1);
    assert_int_equal(waiting(world), 1);
    assert_true(is_incoming_empty(world));
}

int main(void)
{
#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_streaming_grader_has_a_link_to_the_adapter_which_sends_on_to_the_bucket),
        WITH_SERVER(a_poller_is_given_the_presigned_url_itself),
        WITH_SERVER(a_push_grader_is_given_the_presigned_url_itself),
        WITH_SERVER(a_presigned_url_that_is_over_is_refused),
        WITH_SERVER(a_file_of_a_refused_submission_goes_from_the_bucket),
        WITH_SERVER(a_wrong_secret_is_a_clear_failure_and_nothing_is_submitted),
        WITH_SERVER(a_server_that_is_away_is_a_temporary_failure_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
