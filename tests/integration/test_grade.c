/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support PkgConfig::JANSSON */
/* xqueue-grade before the real xqueued. What the student hands in is a shell script, and the program that grades is a shell
 * that runs it: so each test says by its submission how the program behaves, up to the hostile. */
#include <ctype.h>
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "tests/support/conversation.h"
#include "tests/support/grade_talk.h"
#include "tests/support/run_command.h"

#define STATE(name_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_

#define RIGHT "printf '{\"correct\": true, \"msg\": \"well done\"}'\n"
#define HOG   "dd if=/dev/zero of=/dev/null bs=500M count=1 || exec printf '{\"correct\": false, \"msg\": \"no memory\"}'\n" RIGHT
#define WRONG "printf '{\"correct\": false, \"score\": 0, \"msg\": \"not yet\"}'\n"

enum { SCRIPT_MAX = 1024, MARK_MAX = 64, COMMAND_LINE_MAX = 256 };

/* more: further options, NULL last. */
static struct running_program *grader_starts(struct conversation *talk, const char *name, const char *queue,
                                             const char *const *more)
{
    const char *const program[] = {"/bin/sh", "./student_response", NULL};
    return grade_starts(talk, name, queue, more, program);
}

/* Is there a process with this in its command line? */
static bool is_running(const char *mark)
{
    bool is_found = false;
    DIR *processes = opendir("/proc");

    assert_non_null(processes);
    for (const struct dirent *entry = readdir(processes); entry != NULL; entry = readdir(processes)) {
        char path[RUNNING_SERVICE_TEXT_MAX * 2];
        char line[COMMAND_LINE_MAX] = "";
        (void)snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
        FILE *file = isdigit((unsigned char)entry->d_name[0]) ? fopen(path, "re") : NULL;
        if (file != NULL) {
            const size_t length = fread(line, 1, sizeof(line), file);
            is_found = is_found || memmem(line, length, mark, strlen(mark)) != NULL;
            (void)fclose(file);
        }
    }
    (void)closedir(processes);
    return is_found;
}

/* A time to sleep that no other process has. */
static const char *make_mark(char mark[MARK_MAX], int which)
{
    (void)snprintf(mark, MARK_MAX, "86399.%d%d", (int)getpid(), which);
    return mark;
}

static void await_process(const char *mark, bool is_wanted)
{
    const int64_t deadline_us = clock_monotonic_us() + INT64_C(1000) * CONVERSATION_PATIENCE_MS;

    while (is_running(mark) != is_wanted) {
        assert_true(clock_monotonic_us() < deadline_us);
    }
}

static void what_the_program_prints_is_the_result(void **state)
{
    struct conversation *talk = *state;
    const char *const options[] = {"--slots", "2", NULL};
    struct running_program *grader = grader_starts(talk, "plain", "calm", options);

    student_hands_in(talk, "calm", "/right", RIGHT);
    student_hands_in(talk, "calm", "/wrong", WRONG);
    student_hands_in(talk, "calm", "/input",
                     "grep -q '\"queue\":\"calm\"' && grep -q 'problem' grader_payload && test \"$HOME\" = \"$PWD\" && "
                     "test -z \"$XQUEUE_PASSWORD\" && echo '40 looking: at it' >&3 && " RIGHT);

    lms_hears_grade(talk, "/right", true, "well done");
    lms_hears_grade(talk, "/wrong", false, "not yet");
    lms_hears_grade(talk, "/input", true, "well done");
    grader_ends(grader, SIGTERM, 0);
}

static void exit_codes_say_what_could_not_be_graded(void **state)
{
    struct conversation *talk = *state;
    const char *const none[] = {NULL};
    struct running_program *grader = grader_starts(talk, "codes", "hasty", none);

    const uint64_t ungradable = student_hands_in(talk, "hasty", NULL, "echo 'no such problem'\nexit 65\n");
    const uint64_t later = student_hands_in(talk, "hasty", NULL, "echo 'no compiler' >&2\nexit 75\n");
    const uint64_t odd = student_hands_in(talk, "hasty", NULL, "echo 'Traceback' >&2\nexit 3\n");
    const uint64_t garbage = student_hands_in(talk, "hasty", NULL, "echo 'hello'\n");

    assert_true(core_await_state(talk->admin, ungradable, STATE(UNGRADABLE)));
    assert_true(core_await_state(talk->admin, later, STATE(DEAD)));
    assert_true(core_await_state(talk->admin, odd, STATE(DEAD)));
    assert_true(core_await_state(talk->admin, garbage, STATE(DEAD)));
    assert_non_null(strstr(admin_sees(talk, ungradable).message, "no such problem"));
    assert_int_equal(admin_sees(talk, ungradable).attempt, 1);
    assert_non_null(strstr(admin_sees(talk, later).message, "no compiler"));
    assert_int_equal(admin_sees(talk, later).attempt, HASTY_ATTEMPTS_MAX);
    assert_non_null(strstr(admin_sees(talk, odd).message, "exit code 3: Traceback"));
    assert_non_null(strstr(admin_sees(talk, garbage).message, "not JSON"));
    grader_ends(grader, SIGTERM, 0);
}

/* Each of these takes one slot; in the others, work goes on. */
static void hostile_ones_are_stopped_and_harm_nobody(struct conversation *talk)
{
    char mark[MARK_MAX];
    char escape[SCRIPT_MAX];
    char orphans[SCRIPT_MAX];

    (void)make_mark(mark, 1);
    (void)snprintf(escape, sizeof(escape), "setsid sh -c 'setsid sleep %s & sleep %s' &\nsleep %s\n", mark, mark, mark);
    (void)snprintf(orphans, sizeof(orphans), "setsid sleep %s >/dev/null 2>&1 3>&1 &\n" RIGHT, mark);
    student_hands_in(talk, "calm", "/escape", escape);
    student_hands_in(talk, "calm", "/bomb", "f() { f | f & }\nf\nwhile :; do :; done\n");
    student_hands_in(talk, "calm", "/endless", "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done\n");
    student_hands_in(talk, "calm", "/orphans", orphans);
    student_hands_in(talk, "calm", "/hog", HOG);
    student_hands_in(talk, "calm", "/good", RIGHT);

    lms_hears_grade(talk, "/good", true, "well done");
    lms_hears_grade(talk, "/orphans", true, "well done");
    lms_hears_grade(talk, "/escape", false, "took more than 6 s");
    lms_hears_grade(talk, "/bomb", false, "stopped");
    lms_hears_grade(talk, "/endless", false, "wrote more than 64 KiB");
    lms_hears_grade(talk, "/hog", false, "no memory");
    assert_false(is_running(mark));
}

static void hostile_submissions_are_stopped_in_a_sandbox(void **state)
{
    struct conversation *talk = *state;
    const char *const options[] = {"--slots",     "4",  "--time-limit", "6",  "--at-limit", "wrong", "--output-kb", "64",
                                   "--memory-mb", "64", "--processes",  "20", "--sandbox",  "auto",  NULL};
    struct running_program *grader = grader_starts(talk, "shut", "calm", options);

    needs_namespaces(grader);
    hostile_ones_are_stopped_and_harm_nobody(talk);

    grader_ends(grader, SIGTERM, 0);
}

static void hostile_submissions_are_stopped_without_a_sandbox(void **state)
{
    struct conversation *talk = *state;
    const char *const options[] = {"--slots",     "4",  "--time-limit", "6",  "--at-limit", "wrong", "--output-kb", "64",
                                   "--memory-mb", "64", "--processes",  "20", "--sandbox",  "none",  NULL};
    struct running_program *grader = grader_starts(talk, "open", "calm", options);

    hostile_ones_are_stopped_and_harm_nobody(talk);

    assert_int_equal(running_program_count(grader, "sandbox: none"), 1);
    grader_ends(grader, SIGTERM, 0);
}

/* Writes outside, and connects to the adapter: "correct" when it could do neither. */
static void write_attack(const struct conversation *talk, char script[SCRIPT_MAX], const char *outside)
{
    (void)snprintf(script, SCRIPT_MAX,
                   "echo mine >inside && test \"$(cat inside)\" = mine || exit 3\n"
                   "written=no reached=no\n"
                   "(echo x >%s) 2>/dev/null && written=yes\n"
                   "bash -c ': </dev/tcp/127.0.0.1/%d' 2>/dev/null && reached=yes\n"
                   "if test $written = no && test $reached = no; then verdict=true; else verdict=false; fi\n"
                   "printf '{\"correct\": %%s, \"msg\": \"written %%s, reached %%s\"}' $verdict $written $reached\n",
                   outside, talk->service.rest_port);
}

static void a_sandbox_has_no_network_and_nothing_to_write_to(void **state)
{
    struct conversation *talk = *state;
    const char *const shut[] = {NULL};
    const char *const open[] = {"--sandbox", "none", NULL};
    const char *const connected[] = {"--network", NULL};
    char outside[RUNNING_SERVICE_TEXT_MAX];
    char script[SCRIPT_MAX];

    // In a folder that everybody may write to.
    assert_int_equal(mkdir(running_service_path(&talk->service, "outside", outside), 0755), 0);
    assert_int_equal(chmod(outside, 0777), 0);
    running_service_path(&talk->service, "outside/x", outside);
    write_attack(talk, script, outside);
    struct running_program *grader = grader_starts(talk, "shut", "calm", shut);
    needs_namespaces(grader);
    student_hands_in(talk, "calm", "/shut", script);
    lms_hears_grade(talk, "/shut", true, "written no, reached no");
    grader_ends(grader, SIGTERM, 0);

    grader = grader_starts(talk, "connected", "calm", connected);
    student_hands_in(talk, "calm", "/connected", script);
    lms_hears_grade(talk, "/connected", false, "written no, reached yes");
    grader_ends(grader, SIGTERM, 0);

    // The same attack succeeds where nothing is shut: so it is the sandbox that stops it.
    grader = grader_starts(talk, "open", "calm", open);
    student_hands_in(talk, "calm", "/open", script);
    lms_hears_grade(talk, "/open", false, "written yes, reached yes");
    grader_ends(grader, SIGTERM, 0);
}

static void a_stopped_grader_finishes_and_a_second_signal_cancels(void **state)
{
    struct conversation *talk = *state;
    const char *const none[] = {NULL};
    char mark[MARK_MAX];
    char script[SCRIPT_MAX];
    struct running_program *grader = grader_starts(talk, "draining", "calm", none);

    (void)snprintf(script, sizeof(script), "sleep 1.%d2\n" RIGHT, (int)getpid());
    student_hands_in(talk, "calm", "/draining", script);
    (void)snprintf(mark, sizeof(mark), "1.%d2", (int)getpid());
    await_process(mark, true);
    grader_ends(grader, SIGTERM, 0);
    lms_hears_grade(talk, "/draining", true, "well done");

    grader = grader_starts(talk, "canceled", "calm", none);
    (void)snprintf(script, sizeof(script), "sleep %s\n", make_mark(mark, 3));
    const uint64_t id = student_hands_in(talk, "calm", NULL, script);
    await_process(mark, true);
    running_program_signal(grader, SIGTERM);
    assert_true(running_program_await(grader, "draining", 1));
    grader_ends(grader, SIGTERM, 4);
    assert_false(is_running(mark));
    assert_int_equal(admin_sees(talk, id).state, STATE(READY));
}

static void programs_die_with_a_killed_grader(void **state)
{
    struct conversation *talk = *state;
    static const char *const sandboxes[] = {"auto", "none"};

    for (int i = 0; i < 2; i++) {
        const char *const options[] = {"--sandbox", sandboxes[i], NULL};
        char mark[MARK_MAX];
        char script[SCRIPT_MAX];
        struct running_program *grader = grader_starts(talk, sandboxes[i], "calm", options);

        (void)snprintf(script, sizeof(script), "setsid sleep %s &\nwait\n", make_mark(mark, 4 + i));
        student_hands_in(talk, "calm", NULL, script);
        await_process(mark, true);
        grader_ends(grader, SIGKILL, -SIGKILL);

        await_process(mark, false);
    }
}

/* Ends by itself, with this code, and says so. Namespaces stand before: the shell's words that make them. */
static void refuses(struct conversation *talk, const char *options, int code, const char *reason)
{
    char program[RUNNING_SERVICE_TEXT_MAX];
    char line[SCRIPT_MAX];
    const char *const arguments[] = {"/bin/sh", "-c", line, NULL};
    const char *const environment[] = {"XQUEUE_USER=grader", "XQUEUE_PASSWORD=grader", NULL};
    struct run_command command = {.pid = 0};

    (void)snprintf(line, sizeof(line), "%s %s --address %s --folder %s %s",
                   strncmp(options, "ns ", 3) == 0 ? "unshare -Ur" : "", running_service_program("xqueue-grade", program),
                   talk->service.core, talk->service.folder, strncmp(options, "ns ", 3) == 0 ? options + 3 : options);
    run_command_start(&command, arguments, environment, NULL);
    run_command_wait(&command);
    if (command.exit_code != code || strstr(command.err, reason) == NULL) {
        fail_msg("%s: exit code %d: %s", options, command.exit_code, command.err);
    }
    run_command_finish(&command);
}

static void what_cannot_be_is_refused_at_the_start(void **state)
{
    struct conversation *talk = *state;

    assert_int_equal(chmod(talk->service.folder, 0711), 0);
    refuses(talk, "-- /bin/sh", 2, "queue");
    refuses(talk, "--queue calm -- ./no-such-program", 2, "no such program");
    refuses(talk, "--queue calm --folder /no/such/folder -- /bin/sh", 2, "cannot make a folder in /no/such/folder");
    refuses(talk, "--queue no-such-queue -- /bin/sh", 1, "no-such-queue");
    if (system("unshare -Ur true") != 0) { // NOLINT(cert-env33-c,concurrency-mt-unsafe): a test
        (void)fprintf(stderr, "NOT TESTED: this machine gives no namespaces\n");
        skip();
    }
    // In a namespace that has but one user, nobody is nobody.
    refuses(talk, "ns --queue calm --sandbox require -- /bin/sh", 3, "sandbox: none (");
    refuses(talk, "ns --queue calm --sandbox none -- /bin/sh", 3, "programs cannot be run: ");
}

/* With --input raw, --output raw and --at-limit ungradable: the shell reads its script from standard input. */
static void bytes_go_in_and_come_out_as_they_are(void **state)
{
    struct conversation *talk = *state;
    char program[RUNNING_SERVICE_TEXT_MAX];
    const char *const environment[] = {"XQUEUE_USER=grader", "XQUEUE_PASSWORD=grader", "XQUEUE_GRADER=raw", NULL};
    const char *const arguments[] = {running_service_program("xqueue-grade", program),
                                     "--address",
                                     talk->service.core,
                                     "--queue",
                                     "calm",
                                     "--folder",
                                     talk->service.folder,
                                     "--input",
                                     "raw",
                                     "--output",
                                     "raw",
                                     "--at-limit",
                                     "ungradable",
                                     "--",
                                     "/bin/sh",
                                     NULL};
    const struct running_program_options options = {.arguments = arguments, .environment = environment};
    assert_int_equal(chmod(talk->service.folder, 0711), 0);
    struct running_program *grader = running_program_start(&options);

    const uint64_t plain = student_submits(talk, "calm", NULL, "printf 'not JSON'\n");
    const uint64_t killed = student_submits(talk, "calm", NULL, "kill -9 $$\n");

    assert_true(core_await_state(talk->admin, plain, STATE(GRADED)));
    assert_true(core_await_state(talk->admin, killed, STATE(UNGRADABLE)));
    assert_string_equal(admin_sees(talk, plain).result, "not JSON");
    assert_non_null(strstr(admin_sees(talk, killed).message, "ended by a signal (Killed)"));
    grader_ends(grader, SIGTERM, 0);
}

static void one_submission_sees_no_other_and_no_password(void **state)
{
    struct conversation *talk = *state;
    char secret[RUNNING_SERVICE_TEXT_MAX];
    char script[SCRIPT_MAX];
    const char *const options[] = {"--password-file", secret, NULL};
    const char *const open[] = {"--password-file", secret, "--sandbox", "none", NULL};
    FILE *file = fopen(running_service_path(&talk->service, "secret", secret), "we");

    assert_non_null(file);
    (void)fputs("grader\n", file);
    (void)fclose(file);
    assert_int_equal(chmod(secret, 0644), 0);
    (void)snprintf(script, sizeof(script),
                   "seen=\"$(cat %s) $(ls -A .. | grep -c .) $(ls /proc | grep -c '^[0-9]') $(ls -A)\"\n"
                   "printf '{\"correct\": true, \"msg\": \"%%s\"}' \"$(echo $seen)\"\n",
                   secret);
    struct running_program *grader = grader_starts(talk, "blind", "calm", options);
    needs_namespaces(grader);

    student_hands_in(talk, "calm", "/blind", script);

    // No word of the file; then how many stand beside the outer folder, how many processes there are, and own files only.
    lms_hears_grade(talk, "/blind", true, "body grader_payload student_response submission.json");
    assert_null(strstr(lms_hears(talk, "/blind", 0)->result, "\"msg\":\"grader"));
    grader_ends(grader, SIGTERM, 0);

    grader = grader_starts(talk, "sighted", "calm", open);
    student_hands_in(talk, "calm", "/sighted", script);
    lms_hears_grade(talk, "/sighted", true, "grader ");
    assert_non_null(strstr(lms_hears(talk, "/sighted", 0)->result, "\"msg\":\"grader"));
    grader_ends(grader, SIGTERM, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_the_program_prints_is_the_result, conversation_set_up, conversation_tear_down),
        cmocka_unit_test_setup_teardown(exit_codes_say_what_could_not_be_graded, conversation_set_up, conversation_tear_down),
        cmocka_unit_test_setup_teardown(hostile_submissions_are_stopped_in_a_sandbox, conversation_set_up,
                                        conversation_tear_down),
        cmocka_unit_test_setup_teardown(hostile_submissions_are_stopped_without_a_sandbox, conversation_set_up,
                                        conversation_tear_down),
        cmocka_unit_test_setup_teardown(a_sandbox_has_no_network_and_nothing_to_write_to, conversation_set_up,
                                        conversation_tear_down),
        cmocka_unit_test_setup_teardown(a_stopped_grader_finishes_and_a_second_signal_cancels, conversation_set_up,
                                        conversation_tear_down),
        cmocka_unit_test_setup_teardown(programs_die_with_a_killed_grader, conversation_set_up, conversation_tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_refused_at_the_start, conversation_set_up, conversation_tear_down),
        cmocka_unit_test_setup_teardown(bytes_go_in_and_come_out_as_they_are, conversation_set_up, conversation_tear_down),
        cmocka_unit_test_setup_teardown(one_submission_sees_no_other_and_no_password, conversation_set_up,
                                        conversation_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
