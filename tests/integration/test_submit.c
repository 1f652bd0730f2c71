/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support PkgConfig::JANSSON */
/* xqueue-submit before the real xqueued, with graders that the test plays. */
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

#include <cmocka.h>
#include <jansson.h>

#include "base/memory.h"
#include "base/secret.h"
#include "tests/support/conversation.h"
#include "tests/support/run_command.h"

#define RIGHT "{\"correct\": true, \"score\": 1, \"msg\": \"<p>Well\\ndone.</p>\"}"

enum { MANY = 30, PARALLEL = 4, PATHS_BYTES_MAX = 512, ATTACHED_BYTES = 700000, WORDS_ALL_MAX = 32 };

/* ---- words ---- */

struct submitter {
    char address[RUNNING_SERVICE_TEXT_MAX + 32];
    const char *environment[4];
    char program[RUNNING_SERVICE_TEXT_MAX];
    const char *arguments[WORDS_ALL_MAX];
};

static void submitter_prepare(struct submitter *submitter, struct conversation *talk, const char *const *words)
{
    size_t count = 1;
    (void)snprintf(submitter->address, sizeof submitter->address, "XQUEUE_ADDRESS=%s", talk->service.core);
    submitter->environment[0] = submitter->address;
    submitter->environment[1] = "XQUEUE_USER=lms";
    submitter->environment[2] = "XQUEUE_PASSWORD=lms";
    submitter->environment[3] = NULL;
    submitter->arguments[0] = running_service_program("xqueue-submit", submitter->program);
    for (; words[count - 1]; count++)
        submitter->arguments[count] = words[count - 1];
    submitter->arguments[count] = NULL;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void submitter_starts(struct run_command *command, struct conversation *talk, const char *const *words)
{
    struct submitter submitter;
    submitter_prepare(&submitter, talk, words);
    run_command_start(command, submitter.arguments, submitter.environment, "from standard input");
}

static void submitter_ends(struct run_command *command, int exit_code)
{
    run_command_wait(command);
    if (command->exit_code != exit_code || strstr(command->err, "Sanitizer"))
        fail_msg("exit code %d instead of %d\n%s%s", command->exit_code, exit_code, command->out, command->err);
}

/* What it prints and says, which holds part. */
static void submitter_fails(struct conversation *talk, int exit_code, const char *part, const char *const *words)
{
    struct run_command command;
    submitter_starts(&command, talk, words);
    submitter_ends(&command, exit_code);
    if (!strstr(command.err, part))
        fail_msg("'%s' does not contain '%s'", command.err, part);
    run_command_finish(&command);
}

/* The same with what it says read while it runs. */
static struct running_program *submitter_runs(struct conversation *talk, const char *const *words)
{
    static struct submitter submitter;
    submitter_prepare(&submitter, talk, words);
    const struct running_program_options options = {.arguments = submitter.arguments, .environment = submitter.environment};
    return running_program_start(&options);
}

static void submitter_is_through(struct running_program *program, int exit_code)
{
    int outcome = running_program_wait(program);
    if (outcome != exit_code)
        running_program_dump(program);
    assert_int_equal(outcome, exit_code);
    assert_true(running_program_is_clean(program));
    running_program_destroy(program);
}

static const char *file_with(struct conversation *talk, const char *name, const char *content, char path[PATHS_BYTES_MAX])
{
    (void)snprintf(path, PATHS_BYTES_MAX, "%s/%s", talk->service.folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return path;
}

static void grader_fails(struct scripted_grader *grader, const struct core_lease *lease, const char *message)
{
    assert_int_equal(scripted_grader_fail(grader, lease, XQUEUE__V1__FAIL_KIND__FAIL_KIND_UNGRADABLE, message),
                     XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK);
}

/* ---- one ---- */

static void one_is_shown_and_its_result_printed(void **state)
{
    struct conversation *talk = *state;
    struct run_command command;
    char path[PATHS_BYTES_MAX];
    struct scripted_grader *grader = grader_connects(talk, "g1", "calm", 1);

    submitter_starts(&command, talk,
                     WORDS("--queue", "calm", "--payload", "{\"p\": 7}", file_with(talk, "a.py", "print(1)", path)));
    struct core_lease lease = grader_receives(grader);
    assert_non_null(strstr(lease.body, "\"student_response\":\"print(1)\""));
    assert_non_null(strstr(lease.body, "\"grader_payload\":\"{\\\"p\\\": 7}\""));
    grader_completes(grader, &lease, RIGHT);
    submitter_ends(&command, 0);

    assert_string_equal(command.out, "correct, score 1\n<p>Well\ndone.</p>\n");
    run_command_finish(&command);
    scripted_grader_close(grader);
}

static void raw_bytes_go_in_and_come_out(void **state)
{
    struct conversation *talk = *state;
    struct run_command command;
    struct scripted_grader *grader = grader_connects(talk, "g1", "calm", 1);

    submitter_starts(&command, talk, WORDS("--queue", "calm", "--raw", "--output", "raw", "--quiet", "-"));
    struct core_lease lease = grader_receives(grader);
    assert_string_equal(lease.body, "from standard input");
    grader_completes(grader, &lease, "any \x01 bytes");
    submitter_ends(&command, 0);

    assert_string_equal(command.out, "any \x01 bytes");
    assert_string_equal(command.err, "");
    run_command_finish(&command);
    scripted_grader_close(grader);
}

static void the_document_says_all_and_check_what_is_not_correct(void **state)
{
    struct conversation *talk = *state;
    struct run_command command;
    struct scripted_grader *grader = grader_connects(talk, "g1", "calm", 1);

    submitter_starts(&command, talk, WORDS("--queue", "calm", "--json", "--check", "--request-id", "r1", "-"));
    struct core_lease lease = grader_receives(grader);
    grader_completes(grader, &lease, "{\"correct\": false, \"score\": 0.5}");
    submitter_ends(&command, 9);

    json_t *document = json_loads(command.out, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(document, "state")), "GRADED");
    assert_string_equal(json_string_value(json_object_get(document, "request_id")), "r1");
    assert_string_equal(json_string_value(json_object_get(document, "grader")), "g1");
    assert_int_equal(json_integer_value(json_object_get(document, "submission")), lease.id);
    assert_true(json_is_false(json_object_get(document, "correct")));
    assert_true(json_real_value(json_object_get(json_object_get(document, "result"), "score")) == 0.5);
    json_decref(document);
    run_command_finish(&command);
    scripted_grader_close(grader);
}

static void what_ends_badly_has_an_exit_code_of_its_own(void **state)
{
    struct conversation *talk = *state;
    struct run_command command;
    struct scripted_grader *grader = grader_connects(talk, "g1", "calm", 1);

    submitter_fails(talk, 1, "no queue named 'none' (QUEUE_NOT_FOUND)", WORDS("--queue", "none", "-"));
    submitter_fails(talk, 4, "WRONG_CREDENTIALS", WORDS("--queue", "calm", "--user", "nobody", "-"));
    submitter_fails(talk, 1, "/nowhere: cannot be opened", WORDS("--queue", "calm", "/nowhere"));
    submitter_fails(talk, 3, "cannot be reached at 127.0.0.1:1:", WORDS("--queue", "calm", "--address", "127.0.0.1:1", "-"));

    submitter_starts(&command, talk, WORDS("--queue", "calm", "-"));
    struct core_lease lease = grader_receives(grader);
    grader_fails(grader, &lease, "no such problem");
    submitter_ends(&command, 5);
    assert_non_null(strstr(command.err, "not gradable: no such problem"));
    assert_string_equal(command.out, "");
    run_command_finish(&command);
    scripted_grader_close(grader);
}

static void who_does_not_wait_can_look_again(void **state)
{
    struct conversation *talk = *state;
    struct run_command command;
    char id[32];

    submitter_starts(&command, talk, WORDS("--queue", "calm", "--no-wait", "-"));
    submitter_ends(&command, 0);
    (void)snprintf(id, sizeof id, "%ld", strtol(command.out, NULL, 10));
    run_command_finish(&command);
    submitter_fails(talk, 8, "it goes on, look again with: xqueue-submit --watch", WORDS("--watch", id, "--timeout", "0.2"));

    submitter_starts(&command, talk, WORDS("--watch", id));
    struct scripted_grader *grader = grader_connects(talk, "g1", "calm", 1);
    struct core_lease lease = grader_receives(grader);
    grader_completes(grader, &lease, RIGHT);
    submitter_ends(&command, 0);
    assert_non_null(strstr(command.out, "correct, score 1"));
    run_command_finish(&command);
    scripted_grader_close(grader);
}

static void a_signal_leaves_it_or_takes_it_back(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g1", "calm", 2);

    struct running_program *left = submitter_runs(talk, WORDS("--queue", "calm", "-"));
    struct core_lease left_lease = grader_receives(grader);
    assert_true(running_program_await(left, "being graded by g1", 1));
    running_program_signal(left, SIGINT);
    assert_true(running_program_await(left, "interrupted; it goes on", 1));
    submitter_is_through(left, 130);
    grader_completes(grader, &left_lease, RIGHT);

    struct running_program *taken = submitter_runs(talk, WORDS("--queue", "calm", "--cancel-on-interrupt", "-"));
    struct core_lease taken_lease = grader_receives(grader);
    assert_true(running_program_await(taken, "being graded by g1", 1));
    running_program_signal(taken, SIGTERM);
    assert_true(running_program_await(taken, "interrupted; it was taken back", 1));
    submitter_is_through(taken, 130);
    assert_int_equal(admin_sees(talk, taken_lease.id).state, XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_CANCELED);
    scripted_grader_close(grader);
}

static void a_service_that_is_killed_and_started_again_loses_nothing(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g1", "calm", 1);

    struct running_program *program = submitter_runs(talk, WORDS("--queue", "calm", "-"));
    struct core_lease lease = grader_receives(grader);
    assert_true(running_program_await(program, "being graded by g1", 1));
    running_service_kill_core(&talk->service);
    assert_true(running_program_await(program, "trying again", 1));
    scripted_grader_close(grader);
    running_service_start_core(&talk->service);
    struct core_caller *later = core_caller_open(talk->service.core, "grader");
    assert_int_equal(core_complete(later, &lease, RIGHT, NULL, NULL), STATUS_OK);
    core_caller_close(later);

    submitter_is_through(program, 0);
}

static void a_full_queue_is_waited_for(void **state)
{
    struct conversation *talk = *state;
    (void)student_submits(talk, "small", NULL, "1");
    (void)student_submits(talk, "small", NULL, "2");

    struct running_program *program = submitter_runs(talk, WORDS("--queue", "small", "-"));
    assert_true(running_program_await(program, "QUEUE_FULL", 1));
    struct scripted_grader *grader = grader_connects(talk, "g1", "small", 3);
    for (int at = 0; at < 3; at++) {
        struct core_lease lease = grader_receives(grader);
        grader_completes(grader, &lease, RIGHT);
    }

    submitter_is_through(program, 0);
    scripted_grader_close(grader);
}

/* ---- files, terminals ---- */

static void files_go_up_and_are_named(void **state)
{
    struct conversation *talk = *state;
    struct run_command command;
    char path[PATHS_BYTES_MAX];
    char word[PATHS_BYTES_MAX + 8];
    uint8_t digest[SECRET_DIGEST_BYTES];
    char *content = memory_allocate(ATTACHED_BYTES + 1);
    memset(content, 'x', ATTACHED_BYTES);
    secret_digest(content, ATTACHED_BYTES, digest);
    (void)snprintf(word, sizeof word, "notes=%s", file_with(talk, "notes.txt", content, path));
    memory_free(content);

    submitter_starts(&command, talk, WORDS("--queue", "calm", "--no-wait", "--file", word, "-"));
    submitter_ends(&command, 0);

    Xqueue__V1__GetRequest request = XQUEUE__V1__GET_REQUEST__INIT;
    request.submission_id = strtoull(command.out, NULL, 10);
    request.with_submission = true;
    struct rpc_message *reply = NULL;
    const struct core_question question = {"/xqueue.v1.Submissions/Get", &xqueue__v1__get_response__descriptor, &request.base};
    assert_int_equal(core_caller_ask(talk->student, &question, &reply, NULL), STATUS_OK);
    const Xqueue__V1__GetResponse *response = (const Xqueue__V1__GetResponse *)(const void *)rpc_message_body(reply);
    assert_int_equal(response->submission->n_files, 1);
    const Xqueue__V1__File *file = response->submission->files[0];
    assert_string_equal(file->name, "notes");
    assert_string_equal(file->filename, "notes.txt");
    assert_int_equal(file->size_bytes, ATTACHED_BYTES);
    assert_int_equal(file->sha256.len, sizeof digest);
    assert_memory_equal(file->sha256.data, digest, sizeof digest);
    rpc_message_free(reply);
    run_command_finish(&command);
}

static void on_a_terminal_one_line_changes(void **state)
{
    struct conversation *talk = *state;
    struct submitter submitter;
    struct run_command command;
    char line[3 * PATHS_BYTES_MAX];
    struct scripted_grader *grader = grader_connects(talk, "g1", "calm", 1);
    submitter_prepare(&submitter, talk, WORDS("-"));
    (void)snprintf(line, sizeof line, "TERM=xterm %s --queue calm - </dev/null", submitter.program);

    run_command_start(&command, WORDS("/usr/bin/script", "-qec", line, "/dev/null"), submitter.environment, NULL);
    struct core_lease lease = grader_receives(grader);
    grader_completes(grader, &lease, RIGHT);
    run_command_wait(&command);

    assert_int_equal(command.exit_code, 0);
    assert_non_null(strstr(command.out, "\r\033[K0:0"));
    assert_non_null(strstr(command.out, "\r\033[Kcorrect, score 1\r\n"));
    assert_null(strstr(command.out, "xqueue-submit:"));
    run_command_finish(&command);
    scripted_grader_close(grader);
}

/* ---- many ---- */

static void make_folder(struct conversation *talk, char folder[PATHS_BYTES_MAX])
{
    (void)snprintf(folder, PATHS_BYTES_MAX, "%s/many", talk->service.folder);
    assert_int_equal(mkdir(folder, 0755), 0);
    for (int at = 0; at < MANY; at++) {
        char name[64];
        char path[PATHS_BYTES_MAX];
        (void)snprintf(name, sizeof name, "many/%02d.py", at);
        (void)file_with(talk, name, at == 7 ? "broken" : "fine", path);
    }
    char path[PATHS_BYTES_MAX];
    (void)file_with(talk, "many/.hidden.py", "hidden", path);
    (void)file_with(talk, "many/readme", "does not match", path);
}

static void remove_all(const char *folder)
{
    char path[2 * PATHS_BYTES_MAX];
    DIR *opened = opendir(folder);
    assert_non_null(opened);
    for (const struct dirent *entry = readdir(opened); entry; entry = readdir(opened)) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        (void)remove(path);
    }
    (void)closedir(opened);
    assert_int_equal(remove(folder), 0);
}

static void grader_answers(struct scripted_grader *grader, const struct core_lease *lease)
{
    if (strstr(lease->body, "broken"))
        grader_fails(grader, lease, "cannot be read");
    else
        grader_completes(grader, lease, RIGHT);
}

static void a_folder_goes_on_after_an_error_with_a_bound_on_what_is_open(void **state)
{
    struct conversation *talk = *state;
    struct run_command command;
    struct core_lease first[PARALLEL];
    char folder[PATHS_BYTES_MAX];
    char results[PATHS_BYTES_MAX];
    char path[2 * PATHS_BYTES_MAX];
    struct scripted_grader *grader = grader_connects(talk, "g1", "calm", MANY);
    make_folder(talk, folder);
    (void)snprintf(results, sizeof results, "%s/results", talk->service.folder);

    submitter_starts(&command, talk,
                     WORDS("--queue", "calm", "--from", folder, "--glob", "*.py", "--parallel", "4", "--results", results));
    for (int at = 0; at < PARALLEL; at++)
        first[at] = grader_receives(grader);
    assert_true(scripted_grader_ping(grader));
    assert_false(scripted_grader_has(grader, XQUEUE__V1__SERVER_MESSAGE__KIND_GRANT));
    for (int at = 0; at < PARALLEL; at++)
        grader_answers(grader, &first[at]);
    for (int at = PARALLEL; at < MANY; at++) {
        struct core_lease lease = grader_receives(grader);
        grader_answers(grader, &lease);
    }
    submitter_ends(&command, 1);

    assert_non_null(strstr(command.err, "30 of 30 in "));
    assert_non_null(strstr(command.err, ": 29 graded (29 correct, 0 not correct), 1 not gradable\n"));
    assert_non_null(strstr(command.err, "p99 "));
    assert_string_equal(command.out, "07.py: not gradable: cannot be read\n");
    for (int at = 0; at < MANY; at++) {
        (void)snprintf(path, sizeof path, "%s/%02d.py.json", results, at);
        json_t *document = json_load_file(path, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(document, "state")), at == 7 ? "UNGRADABLE" : "GRADED");
        json_decref(document);
    }
    run_command_finish(&command);
    scripted_grader_close(grader);
    remove_all(results);
    remove_all(folder);
}

static void many_that_are_interrupted_end_at_once(void **state)
{
    struct conversation *talk = *state;
    char path[PATHS_BYTES_MAX];
    struct scripted_grader *grader = grader_connects(talk, "g1", "calm", 2);

    struct running_program *program = submitter_runs(
        talk, WORDS("--queue", "calm", "--repeat", "5", "--parallel", "2", file_with(talk, "r.py", "print(2)", path)));
    for (int at = 0; at < 2; at++)
        (void)grader_receives(grader);
    running_program_signal(program, SIGINT);
    assert_true(running_program_await(program, "2 of 5 in ", 1));
    submitter_is_through(program, 130);
    scripted_grader_close(grader);
}

static void many_end_when_nobody_is_there(void **state)
{
    struct conversation *talk = *state;
    struct run_command command;
    char token[PATHS_BYTES_MAX];
    char path[PATHS_BYTES_MAX];

    submitter_starts(&command, talk,
                     WORDS("--queue", "calm", "--address", "127.0.0.1:1", "--token-file", file_with(talk, "token", "t", token),
                           "--repeat", "1000", "--parallel", "1", file_with(talk, "r.py", "print(2)", path)));
    submitter_ends(&command, 3);

    assert_non_null(strstr(command.out, "r.py.1: xqueued cannot be reached at 127.0.0.1:1"));
    assert_non_null(strstr(command.err, "1 of 1000 in "));
    run_command_finish(&command);
}

static void a_repetition_with_the_same_request_id_submits_nothing_new(void **state)
{
    struct conversation *talk = *state;
    struct run_command command;
    char path[PATHS_BYTES_MAX];
    const char *const words[] = {"--queue",   "calm",    "--repeat",     "3",     "--json",
                                 "--no-wait", "--quiet", "--request-id", "term7", file_with(talk, "r.py", "print(2)", path),
                                 NULL};
    submitter_starts(&command, talk, words);
    submitter_ends(&command, 0);
    assert_non_null(strstr(command.out, "\"already\":false"));
    assert_null(strstr(command.out, "\"already\":true"));
    run_command_finish(&command);

    submitter_starts(&command, talk, words);
    submitter_ends(&command, 0);

    assert_null(strstr(command.out, "\"already\":false"));
    assert_non_null(strstr(command.out, "{\"summary\":{\"total\":3,\"done\":3,"));
    assert_string_equal(command.err, "");
    run_command_finish(&command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_is_shown_and_its_result_printed, conversation_set_up_core, conversation_tear_down),
        cmocka_unit_test_setup_teardown(raw_bytes_go_in_and_come_out, conversation_set_up_core, conversation_tear_down),
        cmocka_unit_test_setup_teardown(the_document_says_all_and_check_what_is_not_correct, conversation_set_up_core,
                                        conversation_tear_down),
        cmocka_unit_test_setup_teardown(what_ends_badly_has_an_exit_code_of_its_own, conversation_set_up_core,
                                        conversation_tear_down),
        cmocka_unit_test_setup_teardown(who_does_not_wait_can_look_again, conversation_set_up_core, conversation_tear_down),
        cmocka_unit_test_setup_teardown(a_signal_leaves_it_or_takes_it_back, conversation_set_up_core, conversation_tear_down),
        cmocka_unit_test_setup_teardown(a_service_that_is_killed_and_started_again_loses_nothing, conversation_set_up_core,
                                        conversation_tear_down),
        cmocka_unit_test_setup_teardown(a_full_queue_is_waited_for, conversation_set_up_core, conversation_tear_down),
        cmocka_unit_test_setup_teardown(files_go_up_and_are_named, conversation_set_up_core, conversation_tear_down),
        cmocka_unit_test_setup_teardown(on_a_terminal_one_line_changes, conversation_set_up_core, conversation_tear_down),
        cmocka_unit_test_setup_teardown(a_folder_goes_on_after_an_error_with_a_bound_on_what_is_open, conversation_set_up_core,
                                        conversation_tear_down),
        cmocka_unit_test_setup_teardown(many_that_are_interrupted_end_at_once, conversation_set_up_core,
                                        conversation_tear_down),
        cmocka_unit_test_setup_teardown(many_end_when_nobody_is_there, conversation_set_up_core, conversation_tear_down),
        cmocka_unit_test_setup_teardown(a_repetition_with_the_same_request_id_submits_nothing_new, conversation_set_up_core,
                                        conversation_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
