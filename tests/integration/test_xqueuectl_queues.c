/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support PkgConfig::JANSSON */
/* The real xqueuectl: queues that are made and changed, statistics that are followed, submissions that are found and regraded.
 */
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
#include "tests/support/ctl_operator.h"

enum { EXIT_USAGE = 2, EXIT_INTERRUPTED = 130, LINE_BYTES_MAX = 8192 };

#define STATE(name_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_

static const struct running_service_options with_folder = {.service = "  backup_folder: copies\n"};

static int set_up(void **state)
{
    *state = conversation_start_core(&with_folder);
    return 0;
}

static json_int_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* The queue of that name in a document's list; borrowed. */
static const json_t *queue_of(const json_t *document, const char *key, const char *name)
{
    const json_t *list = json_object_get(document, "queues");
    for (size_t at = 0; at < json_array_size(list); at++) {
        const json_t *queue = json_array_get(list, at);
        if (strcmp(json_string_value(json_object_get(queue, key)), name) == 0)
            return queue;
    }
    return NULL;
}

static void queues_are_made_changed_and_deleted(void **state)
{
    struct conversation *talk = *state;

    assert_string_equal(operator_runs(talk, 0, CTL("queues", "create", "extra", "--lease-ms", "5000")), "created extra");
    operator_fails(talk, 1, "QUEUE_EXISTS", CTL("queues", "create", "extra"));
    operator_fails(talk, 1, "lease_ms is 1000", CTL("queues", "create", "more", "--lease-ms", "1"));
    assert_string_equal(operator_runs(talk, 0, CTL("queues", "update", "extra", "--attempts-max", "7")), "updated extra");
    operator_fails(talk, 1, "QUEUE_CONFIGURED", CTL("queues", "update", "calm", "--attempts-max", "7"));
    operator_fails(talk, 1, "there is no queue", CTL("queues", "update", "nowhere", "--attempts-max", "7"));
    json_t *document = operator_reads(talk, CTL("--json", "queues", "list"));
    const json_t *queue = queue_of(document, "name", "extra");
    assert_non_null(queue);
    assert_int_equal(number_of(queue, "lease_ms"), 5000); /* as it was */
    assert_int_equal(number_of(queue, "attempts_max"), 7);
    assert_true(json_is_false(json_object_get(queue, "configured")));
    json_decref(document);
    const char *table = operator_runs(talk, 0, CTL("queues", "list"));
    assert_non_null(strstr(table, "extra"));
    assert_non_null(strstr(table, "database"));

    assert_string_equal(operator_runs(talk, 0, CTL("queues", "delete", "extra")), "deleted extra");
    operator_fails(talk, 1, "QUEUE_NOT_FOUND", CTL("queues", "delete", "extra"));
    operator_fails(talk, EXIT_USAGE, "needs QUEUE", CTL("queues", "delete"));
}

static void a_queue_is_paused_drained_and_resumed(void **state)
{
    struct conversation *talk = *state;

    assert_string_equal(operator_runs(talk, 0, CTL("queues", "pause", "calm")), "paused calm");
    assert_string_equal(operator_runs(talk, 0, CTL("queues", "drain", "calm")), "draining calm");
    json_t *document = operator_reads(talk, CTL("--json", "statistics"));
    const json_t *queue = queue_of(document, "queue", "calm");
    assert_true(json_is_true(json_object_get(queue, "paused")));
    assert_true(json_is_true(json_object_get(queue, "draining")));
    json_decref(document);
    assert_string_equal(operator_runs(talk, 0, CTL("queues", "resume", "calm")), "resumed calm");

    document = operator_reads(talk, CTL("--json", "queues", "list"));
    queue = queue_of(document, "name", "calm");
    assert_true(json_is_false(json_object_get(queue, "paused")));
    assert_true(json_is_false(json_object_get(queue, "draining")));
    json_decref(document);
}

/* Waits until the running command has printed that many lines. */
static void awaits_lines(const struct run_command *command, int count)
{
    char bytes[LINE_BYTES_MAX];
    int64_t give_up_us = clock_monotonic_us() + CONVERSATION_PATIENCE_MS * INT64_C(1000);
    for (;;) {
        ssize_t length = pread(command->out_file, bytes, sizeof bytes, 0);
        int lines = 0;
        for (ssize_t at = 0; at < length; at++)
            lines += bytes[at] == '\n';
        if (lines >= count)
            return;
        assert_true(clock_monotonic_us() < give_up_us);
    }
}

static void statistics_are_followed_until_interrupted(void **state)
{
    struct conversation *talk = *state;
    struct run_command command;
    student_submits(talk, "calm", NULL, "x");
    operator_starts(talk, &command, CTL("--json", "statistics", "calm", "--follow", "--period", "1"));
    awaits_lines(&command, 2);

    kill(command.pid, SIGINT);
    run_command_wait(&command);

    assert_int_equal(command.exit_code, EXIT_INTERRUPTED);
    char *end = strchr(command.out, '\n');
    assert_non_null(end);
    *end = '\0';
    json_t *first = json_loads(command.out, 0, NULL);
    assert_non_null(first);
    const json_t *queue = queue_of(first, "queue", "calm");
    assert_int_equal(number_of(queue, "ready"), 1);
    assert_int_equal(number_of(json_object_get(queue, "last_minute"), "submitted"), 1);
    json_decref(first);
    run_command_finish(&command);
}

static void statistics_and_graders_are_tables_for_people(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g-7", "calm", 3);

    const char *table = operator_runs(talk, 0, CTL("graders", "calm"));
    assert_non_null(strstr(table, "GRADER"));
    assert_non_null(strstr(table, "g-7"));
    table = operator_runs(talk, 0, CTL("statistics"));
    assert_non_null(strstr(table, "IN/MIN"));
    assert_non_null(strstr(table, "graders: 1"));
    json_t *document = operator_reads(talk, CTL("--json", "graders"));
    assert_int_equal(json_array_size(json_object_get(document, "graders")), 1);
    json_decref(document);
    scripted_grader_close(grader);
}

static void submissions_are_found_by_what_they_are(void **state)
{
    struct conversation *talk = *state;
    char id[32];
    (void)snprintf(id, sizeof id, "%llu", (unsigned long long)student_submits(talk, "calm", NULL, "x"));
    student_submits(talk, "small", NULL, "y");
    student_submits(talk, "small", NULL, "y");

    json_t *document = operator_reads(talk, CTL("--json", "search", "--queue", "small", "--state", "ready", "--limit", "1"));
    assert_int_equal(json_array_size(json_object_get(document, "submissions")), 1);
    const char *token = json_string_value(json_object_get(document, "next_page_token"));
    assert_true(strlen(token) > 0);
    json_t *rest = operator_reads(talk, CTL("--json", "search", "--queue", "small", "--state", "ready", "--page-token", token));
    assert_int_equal(json_array_size(json_object_get(rest, "submissions")), 1);
    json_decref(rest);
    json_decref(document);
    const char *table = operator_runs(talk, 0, CTL("search", "--id", id));
    assert_non_null(strstr(table, "READY"));
    assert_non_null(strstr(table, "calm"));
    assert_string_equal(operator_runs(talk, 0, CTL("search", "--state", "dead")), "");
    operator_fails(talk, EXIT_USAGE, "there is no state", CTL("search", "--state", "happy"));
    operator_fails(talk, EXIT_USAGE, "no id", CTL("search", "--id", "x"));
}

static void a_regrade_is_tried_dry_done_and_followed(void **state)
{
    struct conversation *talk = *state;
    struct run_command command;
    struct core_lease lease;
    uint64_t id = student_submits(talk, "calm", NULL, "x");
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 1);
    lease = grader_receives(grader);
    grader_completes(grader, &lease, "old");
    assert_true(core_await_state(talk->admin, id, STATE(GRADED)));

    operator_fails(talk, EXIT_USAGE, "--all", CTL("regrade"));
    assert_string_equal(operator_runs(talk, 0, CTL("regrade", "--queue", "calm", "--dry-run")), "would regrade 1 submission");
    operator_starts(talk, &command, CTL("regrade", "--queue", "calm", "--follow"));
    awaits_lines(&command, 2); /* what it began, and the first progress */
    assert_true(core_await_state(talk->admin, id, STATE(READY)));
    scripted_grader_close(grader);
    grader = grader_connects(talk, "g", "calm", 1);
    lease = grader_receives(grader);
    assert_int_equal(lease.id, id);
    grader_completes(grader, &lease, "new");
    run_command_wait(&command);

    assert_int_equal(command.exit_code, 0);
    assert_non_null(strstr(command.out, "will regrade 1 submission (regrade 1)"));
    assert_non_null(strstr(command.out, "1 of 1 graded again"));
    run_command_finish(&command);
    struct core_view view;
    assert_int_equal(core_get(talk->admin, id, &view), STATUS_OK);
    assert_string_equal(view.result, "new");
    assert_non_null(strstr(operator_runs(talk, 0, CTL("regrade-status", "1")), "1 of 1 graded again"));
    operator_fails(talk, 1, "BULK_NOT_FOUND", CTL("regrade-status", "99"));
    scripted_grader_close(grader);
}

static void what_is_given_up_is_requeued_and_deleted(void **state)
{
    struct conversation *talk = *state;
    uint64_t id = student_submits(talk, "calm", NULL, "x");

    assert_string_equal(operator_runs(talk, 0, CTL("retire", "--queue", "calm", "--reason", "course over")),
                        "gave up 1 submission");
    assert_string_equal(admin_sees(talk, id).message, "course over");
    assert_string_equal(operator_runs(talk, 0, CTL("requeue", "--state", "dead")), "requeued 1 submission");
    assert_int_equal(admin_sees(talk, id).state, STATE(READY));
    assert_string_equal(operator_runs(talk, 0, CTL("requeue-deliveries", "--all")), "will deliver again 0 submissions");
    assert_string_equal(operator_runs(talk, 0, CTL("purge", "--all", "--unfinished-too")), "deleted 1 submission");
    json_t *document = operator_reads(talk, CTL("--json", "purge", "--all", "--dry-run"));
    assert_int_equal(number_of(document, "matched"), 0);
    json_decref(document);
}

static void a_backup_is_made_and_named(void **state)
{
    struct conversation *talk = *state;
    char path[RUNNING_SERVICE_TEXT_MAX];
    char name[RUNNING_SERVICE_TEXT_MAX];
    json_t *document = operator_reads(talk, CTL("--json", "backup", "--label", "x"));
    (void)snprintf(name, sizeof name, "copies/%.100s", json_string_value(json_object_get(document, "file")));
    assert_int_equal(access(running_service_path(&talk->service, name, path), R_OK), 0);
    assert_true(number_of(document, "size_bytes") > 0);
    json_decref(document);
    operator_fails(talk, 1, "BACKUP_INVALID", CTL("backup", "--label", "a/b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, conversation_tear_down)
        TEST(queues_are_made_changed_and_deleted),       TEST(a_queue_is_paused_drained_and_resumed),
        TEST(statistics_are_followed_until_interrupted), TEST(statistics_and_graders_are_tables_for_people),
        TEST(submissions_are_found_by_what_they_are),    TEST(a_regrade_is_tried_dry_done_and_followed),
        TEST(what_is_given_up_is_requeued_and_deleted),  TEST(a_backup_is_made_and_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
