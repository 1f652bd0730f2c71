/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_xqueued */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/grader_rig.h"

#define AWAIT(kind_) scripted_xqueued_await(rig->core, XQUEUE__V1__GRADER_MESSAGE__KIND_##kind_)
#define COUNT(kind_) scripted_xqueued_count(rig->core, XQUEUE__V1__GRADER_MESSAGE__KIND_##kind_)
#define ACK(id_, item_, outcome_)                                                  \
    scripted_xqueued_ack(rig->core, (id_), XQUEUE__V1__ACK_ITEM__ACK_ITEM_##item_, \
                         XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_##outcome_)

static int set_up(void **state)
{
    static struct grader_rig rig;
    grader_rig_init(&rig, NULL);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    grader_rig_finish(*state);
    return 0;
}

static struct grader_rig *connected(void **state)
{
    struct grader_rig *rig = *state;
    grader_rig_start(rig);
    assert_non_null(AWAIT(HELLO));
    scripted_xqueued_welcome(rig->core, NULL);
    return rig;
}

/* ---- the way of a submission ---- */

static void a_submission_is_granted_accepted_graded_and_confirmed(void **state)
{
    struct grader_rig *rig = *state;
    grader_rig_start(rig);

    const Xqueue__V1__GraderMessage *message = AWAIT(HELLO);
    assert_non_null(message);
    assert_string_equal(message->hello->grader, "grader-1");
    assert_int_equal(strlen(message->hello->instance), 32);
    assert_int_equal(message->hello->n_queues, 1);
    assert_string_equal(message->hello->queues[0], "cs101");
    assert_int_equal(message->hello->slots, 1);
    scripted_xqueued_welcome(rig->core, NULL);
    message = AWAIT(CREDIT);
    assert_non_null(message);
    assert_int_equal(message->credit->submissions, 1);
    scripted_xqueued_grant(rig->core, 7, "echo");
    message = AWAIT(ACCEPT);
    assert_non_null(message);
    assert_int_equal(message->accept->lease->submission_id, 7);
    message = AWAIT(COMPLETE);
    assert_non_null(message);
    assert_int_equal(message->complete->lease->submission_id, 7);
    assert_memory_equal(message->complete->result.data, "graded", message->complete->result.len);
    ACK(7, COMPLETE, OK);
    message = AWAIT(CREDIT);
    assert_non_null(message);
    assert_int_equal(message->credit->submissions, 1);
    assert_true(grader_rig_await_log(rig, "submission 7: answer confirmed"));
}

static void no_more_run_at_one_time_than_there_are_slots(void **state)
{
    struct grader_rig *rig = *state;
    rig->options.slots = 3;
    rig = connected(state);
    for (uint64_t id = 1; id <= 3; id++)
        scripted_xqueued_grant(rig->core, id, "wait");
    assert_true(grader_rig_await_running(rig, 3));

    scripted_xqueued_grant(rig->core, 4, "wait");

    assert_non_null(AWAIT(REJECT));
    assert_int_equal(rig->running_most, 3);
    grader_rig_open(rig);
    for (int i = 0; i < 3; i++)
        assert_non_null(AWAIT(COMPLETE));
}

static void a_handler_without_an_answer_counts_as_a_failed_try(void **state)
{
    struct grader_rig *rig = connected(state);

    scripted_xqueued_grant(rig->core, 7, "silent");

    const Xqueue__V1__GraderMessage *message = AWAIT(FAIL);
    assert_non_null(message);
    assert_int_equal(message->fail->kind, XQUEUE__V1__FAIL_KIND__FAIL_KIND_TRANSIENT);
    assert_string_equal(message->fail->message, "the grader ended without an answer");
}

static void a_failure_tells_its_message_and_its_delay(void **state)
{
    struct grader_rig *rig = connected(state);

    scripted_xqueued_grant(rig->core, 7, "fail");

    const Xqueue__V1__GraderMessage *message = AWAIT(FAIL);
    assert_non_null(message);
    assert_string_equal(message->fail->message, "no compiler");
    assert_int_equal(message->fail->retry_after_ms, 250);
}

static void a_release_hands_the_submission_back(void **state)
{
    struct grader_rig *rig = connected(state);

    scripted_xqueued_grant(rig->core, 7, "release");

    const Xqueue__V1__GraderMessage *message = AWAIT(RELEASE);
    assert_non_null(message);
    assert_int_equal(message->release->lease->submission_id, 7);
    assert_int_equal(message->release->delay_ms, 500);
}

static void a_progress_note_travels_with_a_heartbeat(void **state)
{
    struct grader_rig *rig = connected(state);

    scripted_xqueued_grant(rig->core, 7, "note");

    const Xqueue__V1__GraderMessage *message = AWAIT(HEARTBEAT);
    assert_non_null(message);
    assert_int_equal(message->heartbeat->n_leases, 1);
    const Xqueue__V1__Progress *progress = message->heartbeat->leases[0]->progress;
    assert_non_null(progress);
    assert_string_equal(progress->phase, "testing");
    assert_int_equal(progress->percent, 40);
    assert_string_equal(progress->note, "half");
}

static void a_lost_lease_is_visible_and_its_answer_refused(void **state)
{
    struct grader_rig *rig = connected(state);
    scripted_xqueued_grant(rig->core, 7, "until_lost");
    assert_true(grader_rig_await_running(rig, 1));

    scripted_xqueued_lose(rig->core, 7, XQUEUE__V1__LOST_REASON__LOST_REASON_CANCELED);

    assert_true(grader_rig_await_lost(rig, 1));
    assert_int_equal(rig->lost_reason, XQUEUE_LOST_CANCELED);
    assert_true(grader_rig_await_returned(rig, 1));
    assert_int_equal(rig->last_answer, XQUEUE_STATUS_LOST);
}

/* ---- what a handler sees ---- */

struct seen {
    uint64_t id;
    uint32_t attempt;
    char queue[16];
    char label[16];
    char file[32];
    bool has_digest;
    bool is_quiet; /* of what is absent */
    int64_t submitted_at_ms;
    int64_t left_ms;
    enum xqueue_status bad[6];
    enum xqueue_status twice;
};

static void look(struct xqueue_submission *submission, void *context)
{
    struct seen *seen = context;
    const struct xqueue_file *file = xqueue_submission_file(submission, 0);
    size_t length = 1;
    (void)xqueue_submission_header(submission, &length);
    seen->id = xqueue_submission_id(submission);
    seen->attempt = xqueue_submission_attempt(submission);
    (void)snprintf(seen->queue, sizeof(seen->queue), "%s", xqueue_submission_queue(submission));
    (void)snprintf(seen->label, sizeof(seen->label), "%s", xqueue_submission_label(submission, "language"));
    (void)snprintf(seen->file, sizeof(seen->file), "%s", file->name);
    seen->has_digest = file->sha256 && file->sha256[0] == 1 && file->size_bytes == 7;
    seen->is_quiet = length == 0 && !xqueue_submission_label(submission, "no") && !xqueue_submission_file(submission, 1) &&
                     xqueue_submission_file_count(submission) == 1 && !*xqueue_submission_trace_parent(submission) &&
                     !*xqueue_submission_trace_state(submission) && !xqueue_submission_is_lost(submission);
    seen->submitted_at_ms = xqueue_submission_submitted_at_ms(submission);
    seen->left_ms = xqueue_submission_time_left_ms(submission);
    seen->bad[0] = xqueue_submission_complete(submission, NULL, 1);
    seen->bad[1] = xqueue_submission_fail(submission, (enum xqueue_fail)9, "", 0);
    seen->bad[2] = xqueue_submission_fail(submission, XQUEUE_FAIL_TRANSIENT, "\xff", 0);
    seen->bad[3] = xqueue_submission_fail(submission, XQUEUE_FAIL_TRANSIENT, "", -1);
    seen->bad[4] = xqueue_submission_release(submission, 3600001);
    seen->bad[5] = xqueue_submission_progress(submission, "", 101, "");
    char *large = calloc(1, 3145729);
    seen->twice = xqueue_submission_complete(submission, large, 3145729);
    free(large);
    if (seen->twice == XQUEUE_STATUS_FULL && xqueue_submission_complete(submission, "x", 1) == XQUEUE_STATUS_OK)
        seen->twice = xqueue_submission_complete(submission, "x", 1);
}

static void the_handler_sees_all_of_the_submission_and_bad_answers_are_refused(void **state)
{
    static struct seen seen;
    struct grader_rig *rig = *state;
    rig->options.handler = look;
    rig->options.context = &seen;
    rig->options.log = NULL;
    rig->options.on_lost = NULL;
    rig = connected(state);

    scripted_xqueued_grant(rig->core, 7, "echo");
    assert_non_null(AWAIT(COMPLETE));
    // The handler's thread is joined before its notes are read.
    xqueue_grader_stop(rig->grader);
    ACK(7, COMPLETE, OK);
    scripted_xqueued_end(rig->core, STATUS_OK, NULL);
    (void)grader_rig_join(rig);

    assert_int_equal(seen.id, 7);
    assert_int_equal(seen.attempt, 1);
    assert_string_equal(seen.queue, "cs101");
    assert_string_equal(seen.label, "python");
    assert_string_equal(seen.file, "solution.py");
    assert_true(seen.has_digest);
    assert_true(seen.is_quiet);
    assert_int_equal(seen.submitted_at_ms, 1000);
    assert_in_range(seen.left_ms, 500000, 600000);
    for (size_t i = 0; i < sizeof(seen.bad) / sizeof(seen.bad[0]); i++)
        assert_int_equal(seen.bad[i], XQUEUE_STATUS_INVALID);
    assert_int_equal(seen.twice, XQUEUE_STATUS_WRONG_STATE);
}

/* ---- stopping ---- */

static void a_stop_drains(void **state)
{
    struct grader_rig *rig = connected(state);
    assert_non_null(AWAIT(CREDIT));
    scripted_xqueued_grant(rig->core, 7, "wait");
    assert_true(grader_rig_await_running(rig, 1));
    const size_t credits = COUNT(CREDIT); // slots that came to life one after the other were told one after the other

    xqueue_grader_stop(rig->grader);
    assert_non_null(AWAIT(DRAIN));
    scripted_xqueued_grant(rig->core, 8, "echo");
    assert_non_null(AWAIT(REJECT));
    grader_rig_open(rig);
    assert_non_null(AWAIT(COMPLETE));
    ACK(7, COMPLETE, OK);
    assert_true(grader_rig_await_log(rig, "answer confirmed"));
    scripted_xqueued_end(rig->core, STATUS_OK, NULL);

    assert_int_equal(grader_rig_join(rig), XQUEUE_STATUS_OK);
    assert_int_equal(rig->returned, 1);
    assert_int_equal(rig->lost, 0);
    assert_int_equal(COUNT(CREDIT), credits);
}

static void a_stop_hands_back_what_no_handler_has_begun_with(void **state)
{
    struct grader_rig *rig = connected(state);
    scripted_xqueued_grant(rig->core, 7, "linger"); // answers, and keeps its thread
    assert_non_null(AWAIT(COMPLETE));
    scripted_xqueued_grant(rig->core, 8, "echo");
    assert_non_null(AWAIT(ACCEPT));

    xqueue_grader_stop(rig->grader);

    const Xqueue__V1__GraderMessage *message = AWAIT(RELEASE);
    assert_non_null(message);
    assert_int_equal(message->release->lease->submission_id, 8);
    grader_rig_open(rig);
    ACK(7, COMPLETE, OK);
    ACK(8, RELEASE, OK);
    assert_int_equal(grader_rig_join(rig), XQUEUE_STATUS_OK);
    assert_int_equal(rig->returned, 1);
}

static void a_drain_waits_for_the_confirmation_over_a_lost_connection(void **state)
{
    struct grader_rig *rig = connected(state);
    scripted_xqueued_grant(rig->core, 7, "echo");
    assert_non_null(AWAIT(COMPLETE));
    xqueue_grader_stop(rig->grader);
    assert_non_null(AWAIT(DRAIN));

    scripted_xqueued_end(rig->core, STATUS_UNAVAILABLE, NULL);
    const Xqueue__V1__GraderMessage *message = AWAIT(HELLO);
    assert_non_null(message);
    assert_int_equal(message->hello->n_held, 1);
    scripted_xqueued_welcome(rig->core, NULL);
    assert_non_null(AWAIT(COMPLETE));
    ACK(7, COMPLETE, ALREADY);
    assert_true(grader_rig_await_log(rig, "answer confirmed"));
    scripted_xqueued_end(rig->core, STATUS_OK, NULL);

    assert_int_equal(grader_rig_join(rig), XQUEUE_STATUS_OK);
}

static void a_drain_ends_though_the_service_does_not_end_the_stream(void **state)
{
    struct grader_rig *rig = connected(state);
    assert_non_null(AWAIT(CREDIT));

    xqueue_grader_stop(rig->grader);

    assert_int_equal(grader_rig_join(rig), XQUEUE_STATUS_OK);
}

static void a_second_stop_hands_back_what_is_running(void **state)
{
    struct grader_rig *rig = connected(state);
    scripted_xqueued_grant(rig->core, 7, "until_lost");
    assert_true(grader_rig_await_running(rig, 1));

    xqueue_grader_stop(rig->grader);
    assert_non_null(AWAIT(DRAIN));
    xqueue_grader_stop(rig->grader);

    const Xqueue__V1__GraderMessage *message = AWAIT(RELEASE);
    assert_non_null(message);
    assert_int_equal(message->release->lease->submission_id, 7);
    ACK(7, RELEASE, OK);
    assert_int_equal(grader_rig_join(rig), XQUEUE_STATUS_CANCELED);
    assert_int_equal(rig->lost_reason, XQUEUE_LOST_STOPPED);
    assert_int_equal(rig->last_answer, XQUEUE_STATUS_LOST);
}

static void a_drain_that_takes_too_long_is_canceled(void **state)
{
    struct grader_rig *rig = *state;
    rig->options.drain_timeout_ms = 20;
    rig = connected(state);
    scripted_xqueued_grant(rig->core, 7, "until_lost");
    assert_true(grader_rig_await_running(rig, 1));

    xqueue_grader_stop(rig->grader);

    assert_non_null(AWAIT(RELEASE));
    assert_int_equal(grader_rig_join(rig), XQUEUE_STATUS_CANCELED);
}

static void a_grader_stopped_before_it_runs_returns_at_once(void **state)
{
    struct grader_rig *rig = *state;
    struct xqueue_error error;
    assert_int_equal(xqueue_grader_create(&rig->options, &rig->grader, &error), XQUEUE_STATUS_OK);

    xqueue_grader_stop(rig->grader);

    assert_int_equal(xqueue_grader_run(rig->grader, &error), XQUEUE_STATUS_OK);
    assert_int_equal(xqueue_grader_run(rig->grader, &error), XQUEUE_STATUS_WRONG_STATE);
}

/* ---- logging in ---- */

static void a_wrong_password_ends_the_grader(void **state)
{
    struct grader_rig *rig = *state;
    scripted_xqueued_require_login(rig->core, "grader", "right");
    rig->options.user = "grader";
    rig->options.password = "wrong";
    grader_rig_start(rig);

    assert_int_equal(grader_rig_join(rig), XQUEUE_STATUS_UNAUTHENTICATED);
    assert_string_equal(rig->error.reason, "WRONG_CREDENTIALS");
    assert_true(rig->error.fatal);
    assert_false(rig->error.retriable);
    assert_int_equal(scripted_xqueued_login_count(rig->core), 1);
}

static void a_missing_login_ends_the_grader(void **state)
{
    struct grader_rig *rig = *state;
    scripted_xqueued_require_login(rig->core, "grader", "right");
    grader_rig_start(rig);

    assert_int_equal(grader_rig_join(rig), XQUEUE_STATUS_UNAUTHENTICATED);
}

static void a_session_that_ends_is_followed_by_a_new_login(void **state)
{
    struct grader_rig *rig = *state;
    scripted_xqueued_require_login(rig->core, "grader", "right");
    rig->options.user = "grader";
    rig->options.password = "right";
    rig = connected(state);
    assert_int_equal(scripted_xqueued_login_count(rig->core), 1);

    scripted_xqueued_expire_tokens(rig->core);
    scripted_xqueued_end(rig->core, STATUS_UNAVAILABLE, NULL);

    assert_non_null(AWAIT(HELLO));
    assert_int_equal(scripted_xqueued_login_count(rig->core), 2);
}

static void a_session_that_ends_before_the_welcome_is_followed_by_a_new_login(void **state)
{
    struct grader_rig *rig = *state;
    scripted_xqueued_require_login(rig->core, "grader", "right");
    rig->options.user = "grader";
    rig->options.password = "right";
    grader_rig_start(rig);
    assert_non_null(AWAIT(HELLO));

    scripted_xqueued_expire_tokens(rig->core);
    scripted_xqueued_end(rig->core, STATUS_UNAVAILABLE, NULL);

    assert_non_null(AWAIT(HELLO));
    assert_int_equal(scripted_xqueued_login_count(rig->core), 2);
}

static void a_busy_login_is_tried_again(void **state)
{
    struct grader_rig *rig = *state;
    scripted_xqueued_require_login(rig->core, "grader", "right");
    scripted_xqueued_refuse_logins(rig->core, STATUS_FULL);
    rig->options.user = "grader";
    rig->options.password = "right";
    grader_rig_start(rig);
    assert_true(grader_rig_await_log(rig, "no connection to"));

    scripted_xqueued_refuse_logins(rig->core, STATUS_OK);

    assert_non_null(AWAIT(HELLO));
}

static void the_password_is_read_from_a_file_at_each_login(void **state)
{
    struct grader_rig *rig = *state;
    char path[] = "/tmp/xqueue-test-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, "first\nrest\n", 11), 11);
    scripted_xqueued_require_login(rig->core, "grader", "first");
    rig->options.user = "grader";
    rig->options.password_file = path;
    rig = connected(state);

    scripted_xqueued_require_login(rig->core, "grader", "other");
    assert_int_equal(pwrite(descriptor, "other", 5, 0), 5);
    scripted_xqueued_expire_tokens(rig->core);
    scripted_xqueued_end(rig->core, STATUS_UNAVAILABLE, NULL);

    assert_non_null(AWAIT(HELLO));
    (void)close(descriptor);
    (void)unlink(path);
}

static void what_cannot_be_a_token_ends_the_grader_and_is_said(void **state)
{
    struct grader_rig *rig = *state;
    rig->options.token = "token: abc";
    grader_rig_start(rig);

    assert_int_equal(grader_rig_join(rig), XQUEUE_STATUS_INVALID);
    assert_true(grader_rig_await_log(rig, "the token: blanks and special characters are in no token"));
}

/* ---- options ---- */

static void a_bad_address_is_refused(void **state)
{
    struct grader_rig *rig = *state;
    rig->options.address = "nowhere";
    grader_rig_start(rig);

    assert_int_equal(grader_rig_join(rig), XQUEUE_STATUS_INVALID);
    assert_non_null(strstr(rig->error.text, "'nowhere' is not an address"));
}

static void refuse(struct xqueue_grader_options options, const char *why)
{
    struct xqueue_grader *grader = NULL;
    struct xqueue_error error;
    assert_int_equal(xqueue_grader_create(&options, &grader, &error), XQUEUE_STATUS_INVALID);
    assert_null(grader);
    if (!strstr(error.text, why))
        fail_msg("'%s' does not contain '%s'", error.text, why);
}

static void bad_options_are_refused_with_their_name(void **state)
{
    struct grader_rig *rig = *state;
    const char *empty[] = {""};
    struct xqueue_label label = {"", "x"};
    struct xqueue_grader_options options = rig->options;

    options.report_lost = true;
    refuse(options, "report_lost");
    options = rig->options;
    options.struct_size = offsetof(struct xqueue_grader_options, report_lost) - 1;
    refuse(options, "struct_size");
    options.struct_size = sizeof(options) + 1;
    refuse(options, "struct_size");
    options = rig->options;
    options.queue_count = 0;
    refuse(options, "queues");
    options = rig->options;
    options.queues = empty;
    refuse(options, "queue's name");
    options = rig->options;
    options.slots = 1001;
    refuse(options, "slots");
    options = rig->options;
    options.grader = "a\nb";
    refuse(options, "grader id");
    options = rig->options;
    options.user = "u";
    refuse(options, "password");
    options.password = "p";
    options.password_file = "f";
    refuse(options, "both");
    options = rig->options;
    options.labels = &label;
    options.label_count = 1;
    refuse(options, "label");
}

static void options_of_an_older_program_are_taken(void **state)
{
    struct grader_rig *rig = *state;
    rig->options.struct_size = offsetof(struct xqueue_grader_options, report_lost);
    rig->options.report_lost = true; // what stands behind the end of the older struct

    assert_int_equal(xqueue_grader_create(&rig->options, &rig->grader, NULL), XQUEUE_STATUS_OK);
}

static void what_is_not_in_the_options_comes_from_the_environment(void **state)
{
    struct grader_rig *rig = *state;
    rig->options.address = NULL;
    rig->options.grader = NULL;
    rig->options.queue_count = 0;
    rig->options.slots = 0;
    (void)setenv("XQUEUE_ADDRESS", scripted_xqueued_address(rig->core), 1);
    (void)setenv("XQUEUE_GRADER", "from-environment", 1);
    (void)setenv("XQUEUE_QUEUES", "a,b c", 1);
    (void)setenv("XQUEUE_SLOTS", "4", 1);
    (void)setenv("XQUEUE_USER", "grader", 1);
    (void)setenv("XQUEUE_PASSWORD", "secret", 1);
    (void)setenv("XQUEUE_LABELS", "language=python,os=a=b", 1);
    (void)setenv("XQUEUE_DRAIN_TIMEOUT_MS", "600000", 1);
    scripted_xqueued_require_login(rig->core, "grader", "secret");
    grader_rig_start(rig);
    static const char *const names[] = {"ADDRESS", "GRADER",   "QUEUES", "SLOTS",
                                        "USER",    "PASSWORD", "LABELS", "DRAIN_TIMEOUT_MS"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "XQUEUE_%s", names[i]);
        (void)unsetenv(name);
    }

    const Xqueue__V1__GraderMessage *message = AWAIT(HELLO);

    assert_non_null(message);
    assert_string_equal(message->hello->grader, "from-environment");
    assert_int_equal(message->hello->n_queues, 2);
    assert_string_equal(message->hello->queues[1], "b c");
    assert_int_equal(message->hello->slots, 4);
    assert_int_equal(message->hello->n_labels, 2);
    assert_string_equal(message->hello->labels[1]->key, "os");
    assert_string_equal(message->hello->labels[1]->value, "a=b");
}

static void what_the_environment_says_wrongly_is_refused(void **state)
{
    struct grader_rig *rig = *state;
    static const struct {
        const char *name, *value;
    } wrong[] = {
        {"XQUEUE_LABELS", "language"},     {"XQUEUE_LABELS", "=python"}, {"XQUEUE_DRAIN_TIMEOUT_MS", "soon"},
        {"XQUEUE_DRAIN_TIMEOUT_MS", "-1"}, {"XQUEUE_SLOTS", "1001"},
    };
    rig->options.slots = 0;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct xqueue_error error;
        (void)setenv(wrong[i].name, wrong[i].value, 1);
        const enum xqueue_status status = xqueue_grader_create(&rig->options, &rig->grader, &error);
        (void)unsetenv(wrong[i].name);

        assert_int_equal(status, XQUEUE_STATUS_INVALID);
        assert_non_null(strstr(error.text, i == 1 ? "label" : wrong[i].name));
    }
}

/* ---- programs that the host starts ---- */

enum { DESCRIPTORS_MAX = 1024 };

static bool is_inherited[DESCRIPTORS_MAX]; /* open before the first test */

/* Calls visit for each open descriptor. */
static void each_descriptor(void (*visit)(int descriptor))
{
    DIR *folder = opendir("/proc/self/fd");

    assert_non_null(folder);
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        const int descriptor = (int)strtol(entry->d_name, NULL, 10);
        if (entry->d_name[0] != '.' && descriptor < DESCRIPTORS_MAX && descriptor != dirfd(folder)) {
            visit(descriptor);
        }
    }
    closedir(folder);
}

static void note_inherited(int descriptor)
{
    is_inherited[descriptor] = true;
}

static void closes_on_exec(int descriptor)
{
    if (!is_inherited[descriptor] && (fcntl(descriptor, F_GETFD) & FD_CLOEXEC) == 0) {
        fail_msg("descriptor %d would be open in a program that the host starts", descriptor);
    }
}

static void no_descriptor_reaches_a_program_that_the_host_starts(void **state)
{
    struct grader_rig *rig = *state;
    grader_rig_start(rig);
    assert_non_null(AWAIT(HELLO));

    each_descriptor(closes_on_exec);
}

static void the_version_fits_the_header(void **state)
{
    (void)state;
    assert_int_equal(xqueue_version_number(), XQUEUE_VERSION_NUMBER);
    assert_true(xqueue_is_compatible(XQUEUE_VERSION_NUMBER));
    assert_false(xqueue_is_compatible(XQUEUE_VERSION_NUMBER + 1));
    assert_false(xqueue_is_compatible(10000));
    assert_string_equal(xqueue_status_name(XQUEUE_STATUS_NOT_FOUND), "not_found");
    assert_string_equal(xqueue_status_name((enum xqueue_status)99), "unknown");
    assert_int_equal(sizeof(struct xqueue_error), 360);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    each_descriptor(note_inherited);
    const struct CMUnitTest tests[] = {
        CASE(a_submission_is_granted_accepted_graded_and_confirmed),
        CASE(no_more_run_at_one_time_than_there_are_slots),
        CASE(a_handler_without_an_answer_counts_as_a_failed_try),
        CASE(a_failure_tells_its_message_and_its_delay),
        CASE(a_release_hands_the_submission_back),
        CASE(a_progress_note_travels_with_a_heartbeat),
        CASE(a_lost_lease_is_visible_and_its_answer_refused),
        CASE(the_handler_sees_all_of_the_submission_and_bad_answers_are_refused),
        CASE(a_stop_drains),
        CASE(a_stop_hands_back_what_no_handler_has_begun_with),
        CASE(a_drain_waits_for_the_confirmation_over_a_lost_connection),
        CASE(a_drain_ends_though_the_service_does_not_end_the_stream),
        CASE(a_second_stop_hands_back_what_is_running),
        CASE(a_drain_that_takes_too_long_is_canceled),
        CASE(a_grader_stopped_before_it_runs_returns_at_once),
        CASE(a_wrong_password_ends_the_grader),
        CASE(a_missing_login_ends_the_grader),
        CASE(a_session_that_ends_is_followed_by_a_new_login),
        CASE(a_session_that_ends_before_the_welcome_is_followed_by_a_new_login),
        CASE(a_busy_login_is_tried_again),
        CASE(the_password_is_read_from_a_file_at_each_login),
        CASE(what_cannot_be_a_token_ends_the_grader_and_is_said),
        CASE(a_bad_address_is_refused),
        CASE(bad_options_are_refused_with_their_name),
        CASE(options_of_an_older_program_are_taken),
        CASE(what_is_not_in_the_options_comes_from_the_environment),
        CASE(what_the_environment_says_wrongly_is_refused),
        CASE(no_descriptor_reaches_a_program_that_the_host_starts),
        CASE(the_version_fits_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
