/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support PkgConfig::JANSSON */
/* The commands of xqueuectl that look at single submissions, watch them and take them back. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "tests/support/conversation.h"
#include "tests/support/run_command.h"

enum { WORDS_MAX = 16, ID_MAX = 24, INTERRUPTED = 130 };

#define STATE(name_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_
#define LOST(name_)  XQUEUE__V1__LOST_REASON__LOST_REASON_##name_
#define WORDS(...)   ((const char *const[]){__VA_ARGS__, NULL})

static void starts(struct conversation *talk, struct run_command *command, const char *const *words)
{
    char config[RUNNING_SERVICE_TEXT_MAX + 32];
    char program[RUNNING_SERVICE_TEXT_MAX];
    const char *arguments[WORDS_MAX] = {running_service_program("xqueuectl", program)};
    const char *const environment[] = {config, NULL};
    (void)snprintf(config, sizeof(config), "XQUEUE_CONFIG=%s", talk->service.config);
    for (size_t count = 1; *words && count < WORDS_MAX - 1; count++) {
        arguments[count] = *words++;
    }
    run_command_start(command, arguments, environment, NULL);
}

/* What it prints contains part, on standard output when it succeeds, else on standard error. */
static void says(struct conversation *talk, int exit_code, const char *part, const char *const *words)
{
    struct run_command command;
    starts(talk, &command, words);
    run_command_wait(&command);
    const char *printed = exit_code == 0 ? command.out : command.err;
    if (command.exit_code != exit_code || strstr(printed, part) == NULL) {
        fail_msg("%s: exit code %d, no '%s' in:\n%s%s", words[0], command.exit_code, part, command.out, command.err);
    }
    run_command_finish(&command);
}

static json_t *prints_json(struct conversation *talk, const char *const *words)
{
    struct run_command command;
    starts(talk, &command, words);
    run_command_wait(&command);
    assert_int_equal(command.exit_code, 0);
    json_t *document = json_loads(command.out, 0, NULL);
    assert_non_null(document);
    run_command_finish(&command);
    return document;
}

static const char *id_text(uint64_t id, char out[ID_MAX])
{
    (void)snprintf(out, ID_MAX, "%llu", (unsigned long long)id);
    return out;
}

static void show_says_how_a_submission_stands(void **state)
{
    struct conversation *talk = *state;
    char id[ID_MAX];
    id_text(student_submits(talk, "calm", NULL, "x"), id);

    says(talk, 0, "state: READY\n", WORDS("show", id));
    says(talk, 0, "queue: calm\n", WORDS("show", id));
    json_t *document = prints_json(talk, WORDS("--json", "show", id));
    assert_string_equal(json_string_value(json_object_get(document, "state")), "READY");
    assert_string_equal(json_string_value(json_object_get(document, "delivery")), "NONE");
    json_decref(document);
    says(talk, 1, "there is no submission 999", WORDS("show", "999"));
    says(talk, 1, "'x' is not the id of a submission", WORDS("show", "x"));
    says(talk, 2, "", WORDS("show"));
}

static void cancel_takes_back_also_from_a_grader_and_can_be_tried_first(void **state)
{
    struct conversation *talk = *state;
    char id[ID_MAX];
    char graded[ID_MAX];
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 2);
    id_text(student_submits(talk, "calm", NULL, "x"), graded);
    const struct core_lease over = grader_receives(grader);
    grader_completes(grader, &over, "right");
    const uint64_t taken = student_submits(talk, "calm", NULL, "y");
    const struct core_lease lease = grader_receives(grader);
    id_text(taken, id);

    says(talk, 0, "would cancel 1\n", WORDS("cancel", id, "--dry-run"));
    assert_int_equal(admin_sees(talk, taken).state, STATE(LEASED));
    says(talk, 0, "canceled 1\n", WORDS("cancel", id));
    assert_int_equal(scripted_grader_await_lost(grader, &lease), LOST(CANCELED));
    assert_string_equal(admin_sees(talk, taken).message, "taken back by an administrator");
    says(talk, 1, "is GRADED", WORDS("cancel", graded));
    says(talk, 1, "is GRADED", WORDS("cancel", graded, "--dry-run"));
    scripted_grader_close(grader);
}

static void watch_prints_each_change_until_the_end(void **state)
{
    struct conversation *talk = *state;
    struct run_command watch;
    char id[ID_MAX];
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 1);
    const uint64_t number = student_submits(talk, "calm", NULL, "x");
    const struct core_lease lease = grader_receives(grader);
    starts(talk, &watch, WORDS("watch", id_text(number, id)));
    struct run_command json;
    starts(talk, &json, WORDS("--json", "watch", id));

    // Whether they ask before the result is there or after it: they hear of it, and end.
    grader_completes(grader, &lease, "right");
    run_command_wait(&watch);
    run_command_wait(&json);

    assert_int_equal(watch.exit_code, 0);
    assert_non_null(strstr(watch.out, "  GRADED; delivery NONE\n"));
    assert_int_equal(json.exit_code, 0);
    assert_non_null(strstr(json.out, "\"GRADED\""));
    run_command_finish(&watch);
    run_command_finish(&json);
    says(talk, 1, "there is no submission 999", WORDS("watch", "999"));
    scripted_grader_close(grader);
}

static void a_signal_ends_a_watch(void **state)
{
    struct conversation *talk = *state;
    struct run_command watch;
    char id[ID_MAX];
    id_text(student_submits(talk, "calm", NULL, "x"), id);
    starts(talk, &watch, WORDS("watch", id));
    const int64_t deadline_us = clock_monotonic_us() + (int64_t)CONVERSATION_PATIENCE_MS * 1000;
    char byte = '\0';
    while (pread(watch.out_file, &byte, 1, 0) != 1 && clock_monotonic_us() < deadline_us) { // until it has printed something
    }

    assert_int_equal(kill(watch.pid, SIGTERM), 0);
    run_command_wait(&watch);

    assert_int_equal(watch.exit_code, INTERRUPTED);
    assert_non_null(strstr(watch.out, "  READY, 0 before it; delivery NONE\n"));
    run_command_finish(&watch);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, conversation_set_up_core, conversation_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(show_says_how_a_submission_stands),
        TEST(cancel_takes_back_also_from_a_grader_and_can_be_tried_first),
        TEST(watch_prints_each_change_until_the_end),
        TEST(a_signal_ends_a_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
