/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* The example without a handler, a real program with a loop of its own: it grades several at once, it is stopped, the service
 * is killed under it, and what was taken back is not graded to its end. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/conversation.h"

#define STATE(name_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_

enum { COMMAND_MAX = 2 * RUNNING_SERVICE_TEXT_MAX };

static struct running_program *grader_starts(struct conversation *talk, const char *name, const char *command)
{
    char program[RUNNING_SERVICE_TEXT_MAX];
    char address[RUNNING_SERVICE_TEXT_MAX + 32];
    char grader[RUNNING_SERVICE_TEXT_MAX];
    const char *const arguments[] = {running_service_program("pull_grader", program), command, NULL};
    const char *const environment[] = {
        "XQUEUE_USER=grader", "XQUEUE_PASSWORD=grader", "XQUEUE_QUEUES=calm", "XQUEUE_SLOTS=3", address, grader, NULL};
    const struct running_program_options options = {.arguments = arguments, .environment = environment};

    (void)snprintf(address, sizeof(address), "XQUEUE_ADDRESS=%s", talk->service.core);
    (void)snprintf(grader, sizeof(grader), "XQUEUE_GRADER=%s", name);
    return running_program_start(&options);
}

/* A command that says by a file of its submission's name that it has begun, and waits for the gate, which is a pipe: it ends
 * when nobody holds it open for writing any more. */
static const char *waiting_command(struct conversation *talk, char out[COMMAND_MAX])
{
    char path[RUNNING_SERVICE_TEXT_MAX];

    (void)running_service_path(&talk->service, "begun-", path);
    int written = snprintf(out, COMMAND_MAX, "read name; touch '%s'$name; ", path);
    (void)running_service_path(&talk->service, "gate", path);
    (void)snprintf(out + written, COMMAND_MAX - (size_t)written, "read line < '%s'; test $name != wrong", path);
    return out;
}

/* Closed: commands wait. Close the descriptor to open it. */
static int gate(struct conversation *talk)
{
    char path[RUNNING_SERVICE_TEXT_MAX];

    (void)running_service_path(&talk->service, "gate", path);
    (void)unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    const int descriptor = open(path, O_RDWR | O_CLOEXEC);
    assert_true(descriptor >= 0);
    return descriptor;
}

static void command_begins(struct conversation *talk, uint64_t id, const char *name)
{
    const int64_t deadline_us = clock_monotonic_us() + INT64_C(1000) * CONVERSATION_PATIENCE_MS;
    char file[RUNNING_SERVICE_TEXT_MAX];
    char path[RUNNING_SERVICE_TEXT_MAX];

    (void)snprintf(file, sizeof(file), "begun-%s", name);
    (void)running_service_path(&talk->service, file, path);
    while (access(path, F_OK) != 0) {
        assert_in_range(admin_sees(talk, id).attempt, 0, 1);
        assert_true(clock_monotonic_us() < deadline_us);
    }
}

/* Opens the gate: all that wait read a line. */
static void gate_opens(int gate_descriptor, int commands)
{
    for (int i = 0; i < commands; i++) {
        assert_int_equal(write(gate_descriptor, "\n", 1), 1);
    }
}

static void lms_hears_correct(struct conversation *talk, const char *path, bool is_correct)
{
    const char *result = lms_hears(talk, path, 0)->result;

    assert_non_null(strstr(result, is_correct ? "\"correct\": true" : "\"correct\": false"));
}

static void several_are_graded_at_once_by_one_thread(void **state)
{
    struct conversation *talk = *state;
    char command[COMMAND_MAX];
    const int closed = gate(talk);
    struct running_program *grader = grader_starts(talk, "several", waiting_command(talk, command));

    const uint64_t first = student_submits(talk, "calm", "/first", "first\n");
    const uint64_t second = student_submits(talk, "calm", "/second", "wrong\n");
    const uint64_t third = student_submits(talk, "calm", "/third", "third\n");
    command_begins(talk, first, "first");
    command_begins(talk, second, "wrong");
    command_begins(talk, third, "third");
    gate_opens(closed, 3);

    lms_hears_correct(talk, "/first", true);
    lms_hears_correct(talk, "/second", false);
    lms_hears_correct(talk, "/third", true);
    grader_ends(grader, SIGTERM, 0);
    (void)close(closed);
}

static void a_stopped_grader_finishes_what_it_holds(void **state)
{
    struct conversation *talk = *state;
    char command[COMMAND_MAX];
    const int closed = gate(talk);
    struct running_program *grader = grader_starts(talk, "stopping", waiting_command(talk, command));

    const uint64_t id = student_submits(talk, "calm", "/held", "held\n");
    command_begins(talk, id, "held");
    running_program_signal(grader, SIGTERM);
    assert_true(running_program_await(grader, "draining", 1));
    const uint64_t later = student_submits(talk, "calm", "/later", "later\n");
    gate_opens(closed, 1);

    assert_int_equal(running_program_wait(grader), 0);
    running_program_destroy(grader);
    lms_hears_correct(talk, "/held", true);
    assert_int_equal(admin_sees(talk, later).state, STATE(READY));
    grader = grader_starts(talk, "next", "true");
    lms_hears_correct(talk, "/later", true);
    grader_ends(grader, SIGTERM, 0);
    (void)close(closed);
}

static void a_second_stop_hands_back_what_is_held(void **state)
{
    struct conversation *talk = *state;
    char command[COMMAND_MAX];
    const int closed = gate(talk);
    struct running_program *grader = grader_starts(talk, "hasty", waiting_command(talk, command));

    const uint64_t id = student_submits(talk, "calm", "/returned", "returned\n");
    command_begins(talk, id, "returned");
    running_program_signal(grader, SIGTERM);
    assert_true(running_program_await(grader, "draining", 1));
    grader_ends(grader, SIGTERM, 1);

    assert_int_equal(admin_sees(talk, id).state, STATE(READY));
    grader = grader_starts(talk, "heir", "true");
    lms_hears_correct(talk, "/returned", true);
    grader_ends(grader, SIGTERM, 0);
    (void)close(closed);
}

static void what_is_held_outlives_a_killed_service(void **state)
{
    struct conversation *talk = *state;
    char command[COMMAND_MAX];
    const int closed = gate(talk);
    struct running_program *grader = grader_starts(talk, "steady", waiting_command(talk, command));

    const uint64_t id = student_submits(talk, "calm", "/steady", "steady\n");
    command_begins(talk, id, "steady");
    running_service_kill_core(&talk->service);
    running_service_start_core(&talk->service);
    gate_opens(closed, 1);

    lms_hears_correct(talk, "/steady", true);
    assert_int_equal(admin_sees(talk, id).attempt, 1);
    grader_ends(grader, SIGTERM, 0);
    (void)close(closed);
}

static void takes_back(struct core_caller *student, uint64_t id)
{
    Xqueue__V1__CancelRequest request = XQUEUE__V1__CANCEL_REQUEST__INIT;
    const struct core_question question = {"/xqueue.v1.Submissions/Cancel", &xqueue__v1__cancel_response__descriptor,
                                           &request.base};

    request.submission_id = id;
    assert_int_equal(core_caller_ask(student, &question, NULL, NULL), STATUS_OK);
}

static void the_command_of_what_was_taken_back_is_killed(void **state)
{
    struct conversation *talk = *state;
    char command[COMMAND_MAX];
    const int closed = gate(talk);
    struct running_program *grader = grader_starts(talk, "giving-up", waiting_command(talk, command));
    const uint64_t ids[] = {student_submits(talk, "calm", "/kept", "kept\n"), student_submits(talk, "calm", NULL, "taken\n")};
    command_begins(talk, ids[0], "kept");
    command_begins(talk, ids[1], "taken");

    takes_back(talk->student, ids[1]);
    assert_true(running_program_await(grader, "killed", 1));
    gate_opens(closed, 1); // nobody else reads it

    lms_hears_correct(talk, "/kept", true);
    assert_int_equal(admin_sees(talk, ids[1]).state, STATE(CANCELED));
    grader_ends(grader, SIGTERM, 0);
    (void)close(closed);
}

static void a_wrong_password_is_said(void **state)
{
    struct conversation *talk = *state;
    char program[RUNNING_SERVICE_TEXT_MAX];
    char address[RUNNING_SERVICE_TEXT_MAX + 32];
    const char *const arguments[] = {running_service_program("pull_grader", program), "true", NULL};
    const char *const environment[] = {"XQUEUE_USER=grader", "XQUEUE_PASSWORD=wrong", "XQUEUE_QUEUES=calm", address, NULL};
    const struct running_program_options options = {.arguments = arguments, .environment = environment};

    (void)snprintf(address, sizeof(address), "XQUEUE_ADDRESS=%s", talk->service.core);
    struct running_program *grader = running_program_start(&options);

    assert_int_equal(running_program_wait(grader), 1);
    assert_true(running_program_count(grader, "(unauthenticated)") > 0);
    running_program_destroy(grader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_are_graded_at_once_by_one_thread),
        cmocka_unit_test(a_stopped_grader_finishes_what_it_holds),
        cmocka_unit_test(a_second_stop_hands_back_what_is_held),
        cmocka_unit_test(what_is_held_outlives_a_killed_service),
        cmocka_unit_test(the_command_of_what_was_taken_back_is_killed),
        cmocka_unit_test(a_wrong_password_is_said),
    };
    return cmocka_run_group_tests(tests, conversation_set_up, conversation_tear_down);
}
