/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support PkgConfig::JANSSON PkgConfig::SQLITE */
/* The real xqueuectl against the real xqueued: each command, what it prints, what it exits with. */
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
#include <sqlite3.h>
#include <xqueue/v1/sessions.pb-c.h>

#include "base/secret.h"
#include "tests/support/conversation.h"
#include "tests/support/run_command.h"

enum { WORDS_MAX = 16, FAILURES = 3, EXIT_UNREACHABLE = 3, EXIT_REFUSED = 4, EXIT_INTERRUPTED = 130, MODE_BITS = 0777 };

#define STATE(name_)    XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_
#define DELIVERY(name_) XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_##name_

/* ---- running it ---- */

static const char *const *with_program(const char *const *words)
{
    static const char *arguments[WORDS_MAX];
    static char program[RUNNING_SERVICE_TEXT_MAX];
    size_t count = 0;
    arguments[count++] = running_service_program("xqueuectl", program);
    while (*words && count < WORDS_MAX - 1)
        arguments[count++] = *words++;
    arguments[count] = NULL;
    return arguments;
}

/* As an operator who has the configuration file. */
static void start_words(struct conversation *talk, struct run_command *command, const char *input, const char *const *words)
{
    char config[RUNNING_SERVICE_TEXT_MAX + 32];
    (void)snprintf(config, sizeof config, "XQUEUE_CONFIG=%s", talk->service.config);
    const char *const environment[] = {config, NULL};
    run_command_start(command, with_program(words), environment, input);
}

/* The exit code must be this; the command is to be finished. */
static struct run_command run_words(struct conversation *talk, int exit_code, const char *input, const char *const *words)
{
    struct run_command command;
    start_words(talk, &command, input, words);
    run_command_wait(&command);
    if (command.exit_code != exit_code)
        fail_msg("%s: exit code %d\n%s%s", words[0], command.exit_code, command.out, command.err);
    // A failure is one line, success is silent.
    if (exit_code == 0)
        assert_string_equal(command.err, "");
    else
        assert_memory_equal(command.err, "xqueuectl: ", strlen("xqueuectl: "));
    return command;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* It succeeds and prints exactly this. */
static void prints(struct conversation *talk, const char *text, const char *const *words)
{
    struct run_command command = run_words(talk, 0, NULL, words);
    assert_string_equal(command.out, text);
    run_command_finish(&command);
}

/* It fails, and says so with these words. */
static void fails(struct conversation *talk, int exit_code, const char *part, const char *const *words)
{
    struct run_command command = run_words(talk, exit_code, "new password\n", words);
    if (!strstr(command.err, part))
        fail_msg("'%s' does not contain '%s'", command.err, part);
    run_command_finish(&command);
}

/* It prints one JSON document; the caller's. */
static json_t *prints_json(struct conversation *talk, const char *const *words)
{
    struct run_command command = run_words(talk, 0, NULL, words);
    json_t *document = json_loads(command.out, 0, NULL);
    assert_non_null(document);
    run_command_finish(&command);
    return document;
}

static json_int_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* ---- what happens before ---- */

static uint64_t submission_fails(struct conversation *talk, const char *queue, const char *path, int times)
{
    struct core_caller *grader = core_caller_open(talk->service.core, "grader");
    uint64_t id = student_submits(talk, queue, path, "x");
    for (int at = 0; at < times; at++) {
        struct core_lease lease = {.id = 0};
        Xqueue__V1__SubmissionState state = 0;
        assert_int_equal(core_take_lease(grader, queue, "g", CORE_CALLER_PATIENCE_MS / 2, &lease), STATUS_OK);
        assert_int_equal(lease.id, id);
        assert_int_equal(core_fail(grader, &lease, XQUEUE__V1__FAIL_KIND__FAIL_KIND_TRANSIENT, "no", &state), STATUS_OK);
    }
    core_caller_close(grader);
    return id;
}

static bool exists(struct conversation *talk, uint64_t id)
{
    struct core_view view;
    enum status status = core_get(talk->admin, id, &view);
    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    return status == STATUS_OK;
}

/* ---- count ---- */

static void count_prints_what_waits_most_first(void **state)
{
    struct conversation *talk = *state;
    prints(talk, "", WORDS("count"));
    (void)student_submits(talk, "hasty", NULL, "1");
    (void)student_submits(talk, "calm", NULL, "2");
    (void)student_submits(talk, "calm", NULL, "3");

    prints(talk,
           "calm                           2         \n"
           "hasty                          1         \n",
           WORDS("count"));

    json_t *document = prints_json(talk, WORDS("--json", "count"));
    const json_t *calm = json_array_get(json_object_get(document, "queues"), 0);
    assert_string_equal(json_string_value(json_object_get(calm, "queue")), "calm");
    assert_int_equal(number_of(calm, "count"), 2);
    assert_int_equal(number_of(calm, "ready"), 2);
    assert_int_equal(number_of(calm, "leased"), 0);
    assert_int_equal(number_of(calm, "delayed"), 0);
    assert_true(number_of(calm, "oldest_ready_ms") >= 0);
    assert_int_equal(json_array_size(json_object_get(document, "queues")), 3);
    json_decref(document);
}

/* ---- giving up, deleting ---- */

static void what_failed_often_is_given_up_and_the_student_told(void **state)
{
    struct conversation *talk = *state;
    uint64_t failed = submission_fails(talk, "calm", "/failed", FAILURES);
    uint64_t fresh = student_submits(talk, "calm", "/fresh", "x");

    prints(talk, "would give up 1 submission\n", WORDS("retire-failed", "--dry-run"));
    prints(talk, "gave up 0 submissions\n", WORDS("retire-failed", "hasty", "small"));
    prints(talk, "gave up 0 submissions\n", WORDS("retire-failed", "--failures", "4"));
    assert_int_not_equal(admin_sees(talk, failed).state, STATE(DEAD));

    prints(talk, "gave up 1 submission\n", WORDS("retire-failed", "calm"));

    assert_int_equal(admin_sees(talk, failed).state, STATE(DEAD));
    assert_int_equal(admin_sees(talk, failed).delivery_state, DELIVERY(PENDING));
    assert_int_equal(admin_sees(talk, fresh).state, STATE(READY));
    fails(talk, 1, "--failures", WORDS("retire-failed", "--failures", "0"));
}

static void with_force_nobody_is_told(void **state)
{
    struct conversation *talk = *state;
    uint64_t failed = submission_fails(talk, "calm", "/failed", FAILURES);

    json_t *document = prints_json(talk, WORDS("retire-failed", "-f", "--json"));

    assert_int_equal(number_of(document, "done"), 1);
    assert_int_equal(number_of(document, "matched"), 1);
    assert_true(json_is_false(json_object_get(document, "dry_run")));
    assert_true(json_is_true(json_object_get(document, "finished")));
    json_decref(document);
    assert_int_equal(admin_sees(talk, failed).state, STATE(DEAD));
    assert_int_equal(admin_sees(talk, failed).delivery_state, DELIVERY(NONE));
}

static void what_is_old_is_given_up(void **state)
{
    struct conversation *talk = *state;
    uint64_t calm = student_submits(talk, "calm", "/a", "x");
    uint64_t hasty = student_submits(talk, "hasty", "/b", "x");

    prints(talk, "gave up 0 submissions\n", WORDS("retire-old", "calm", "--before", "2020-01-31 12:00:00"));
    fails(talk, 1, "unable to parse datetime 'yesterday'", WORDS("retire-old", "calm", "--before", "yesterday"));
    fails(talk, 2, "needs QUEUE", WORDS("retire-old"));
    prints(talk, "would give up 1 submission\n", WORDS("retire-old", "calm", "--dry-run"));
    assert_int_equal(admin_sees(talk, calm).state, STATE(READY));

    prints(talk, "gave up 1 submission\n", WORDS("retire-old", "calm", "--before", "2999-01-01T00:00:00Z"));

    assert_int_equal(admin_sees(talk, calm).state, STATE(DEAD));
    assert_int_equal(admin_sees(talk, hasty).state, STATE(READY));
}

static void what_is_over_is_deleted_in_chunks(void **state)
{
    enum { COUNT = 5 };
    struct conversation *talk = *state;
    uint64_t over[COUNT];
    for (size_t at = 0; at < COUNT; at++)
        over[at] = student_submits(talk, "calm", NULL, "x");
    prints(talk, "gave up 5 submissions\n", WORDS("retire-old", "calm"));
    uint64_t waiting = student_submits(talk, "calm", "/waiting", "x");
    uint64_t pending = submission_fails(talk, "hasty", "/pending", HASTY_ATTEMPTS_MAX);

    prints(talk, "deleted 0 submissions\n", WORDS("delete-old"));
    prints(talk, "would delete 5 submissions\n", WORDS("delete-old", "--days-old", "0", "--dry-run"));
    assert_true(exists(talk, over[0]));
    prints(talk, "deleted 5 submissions\n", WORDS("delete-old", "--days-old", "0", "--chunk-size", "2"));

    for (size_t at = 0; at < COUNT; at++)
        assert_false(exists(talk, over[at]));
    assert_true(exists(talk, waiting));
    assert_true(exists(talk, pending));
    prints(talk, "deleted 2 submissions\n", WORDS("delete-old", "--days-old", "0", "--unfinished-too"));
    assert_false(exists(talk, waiting));
    assert_false(exists(talk, pending));
    fails(talk, 1, "--chunk-size", WORDS("delete-old", "--chunk-size", "0"));
    fails(talk, 1, "--chunk-size", WORDS("delete-old", "--chunk-size", "-5"));
    fails(talk, 1, "--sleep-between", WORDS("delete-old", "--sleep-between", "-1"));
    fails(talk, 1, "--days-old", WORDS("delete-old", "--days-old", "-1"));
    fails(talk, 2, "not a whole number", WORDS("delete-old", "--days-old", "week"));
}

static void a_signal_ends_the_pause_between_chunks(void **state)
{
    struct conversation *talk = *state;
    struct run_command command;
    uint64_t first = student_submits(talk, "calm", NULL, "x");
    uint64_t second = student_submits(talk, "calm", NULL, "x");
    prints(talk, "gave up 2 submissions\n", WORDS("retire-old", "calm"));

    start_words(talk, &command, NULL, WORDS("delete-old", "--days-old", "0", "--chunk-size", "1", "--sleep-between", "3600"));
    while (exists(talk, first) && exists(talk, second)) {
    }
    assert_int_equal(kill(command.pid, SIGINT), 0);
    run_command_wait(&command);

    assert_int_equal(command.exit_code, EXIT_INTERRUPTED);
    assert_string_equal(command.err, "xqueuectl: interrupted\n");
    assert_true(exists(talk, first) != exists(talk, second));
    run_command_finish(&command);
}

/* ---- users ---- */

static const char *write_file(struct conversation *talk, const char *name, const char *text)
{
    static char path[RUNNING_SERVICE_TEXT_MAX];
    FILE *file = fopen(running_service_path(&talk->service, name, path), "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return path;
}

static enum status login(struct conversation *talk, const char *user, const char *password)
{
    struct core_caller *caller = core_caller_open(talk->service.core, NULL);
    struct error error = {.text = ""};
    enum status status = core_caller_login(caller, user, password, &error);
    core_caller_close(caller);
    return status;
}

static bool is_session(struct core_caller *caller)
{
    Xqueue__V1__WhoAmIRequest request = XQUEUE__V1__WHO_AM_IREQUEST__INIT;
    const struct core_question question = {"/xqueue.v1.Sessions/WhoAmI", &xqueue__v1__who_am_iresponse__descriptor,
                                           &request.base};
    return core_caller_ask(caller, &question, NULL, NULL) == STATUS_OK;
}

static const json_t *user_of(const json_t *document, const char *name)
{
    size_t at = 0;
    const json_t *user = NULL;
    json_array_foreach(json_object_get(document, "users"), at, user)
    {
        if (strcmp(json_string_value(json_object_get(user, "name")), name) == 0)
            return user;
    }
    return NULL;
}

static void users_come_change_and_go(void **state)
{
    struct conversation *talk = *state;
    struct run_command command = run_words(talk, 0, "first password\n", WORDS("users", "add", "eve", "--role", "submit,grade"));
    assert_string_equal(command.out, "added: eve\n");
    run_command_finish(&command);
    assert_int_equal(login(talk, "eve", "first password"), STATUS_OK);

    json_t *document = prints_json(talk, WORDS("users", "list", "--json"));
    const json_t *eve = user_of(document, "eve");
    assert_non_null(eve);
    assert_true(json_is_false(json_object_get(eve, "configured")));
    assert_int_equal(json_array_size(json_object_get(eve, "roles")), 2);
    assert_true(json_is_true(json_object_get(user_of(document, "lms"), "configured")));
    json_decref(document);

    const char *file = write_file(talk, "eve-password", "second password\n");
    prints(talk, "would: password set: eve\n", WORDS("users", "set-password", "eve", "--new-password-file", file, "--dry-run"));
    assert_int_equal(login(talk, "eve", "first password"), STATUS_OK);
    prints(talk, "password set: eve\n", WORDS("users", "set-password", "eve", "--new-password-file", file));
    assert_int_equal(login(talk, "eve", "second password"), STATUS_OK);
    prints(talk, "roles set: eve\n", WORDS("users", "set-roles", "eve", "--role", "admin"));
    prints(talk, "would: removed: eve\n", WORDS("users", "remove", "eve", "--dry-run"));
    prints(talk, "removed: eve\n", WORDS("users", "remove", "eve"));
    assert_int_equal(login(talk, "eve", "second password"), STATUS_UNAUTHENTICATED);

    fails(talk, 1, "USER_NOT_FOUND", WORDS("users", "remove", "eve"));
    fails(talk, 1, "USER_NOT_FOUND", WORDS("users", "remove", "eve", "--dry-run"));
    fails(talk, 1, "USER_CONFIGURED", WORDS("users", "set-password", "lms"));
    fails(talk, 1, "'boss' is not a role", WORDS("users", "add", "eve", "--role", "boss"));
    fails(talk, 1, "give --role", WORDS("users", "add", "eve"));
    fails(talk, 2, "there is no command", WORDS("users"));
}

static void a_hash_will_do_instead_of_a_password(void **state)
{
    struct conversation *talk = *state;
    struct run_command command = run_words(talk, 0, "the password\n", WORDS("hash-password"));
    assert_true(strncmp(command.out, "pbkdf2_sha256$1000000$", strlen("pbkdf2_sha256$1000000$")) == 0);
    const char *file = write_file(talk, "hash", command.out);
    run_command_finish(&command);

    prints(talk, "added: eve\n", WORDS("users", "add", "eve", "--role", "submit", "--hash-file", file));

    assert_int_equal(login(talk, "eve", "the password"), STATUS_OK);
}

static void users_of_a_file_are_imported_and_keep_their_sessions(void **state)
{
    struct conversation *talk = *state;
    const char *file = write_file(talk, "users.yml", "USERS: {eve: one, adam: two}\nXQUEUES: {q: null}\n");
    prints(talk, "would: added: eve\nwould: added: adam\n", WORDS("users", "import", file, "--dry-run"));
    assert_int_equal(login(talk, "eve", "one"), STATUS_UNAUTHENTICATED);
    prints(talk, "added: eve\nadded: adam\n", WORDS("users", "import", file));
    struct core_caller *eve = core_caller_open(talk->service.core, NULL);
    struct core_caller *adam = core_caller_open(talk->service.core, NULL);
    struct error error;
    assert_int_equal(core_caller_login(eve, "eve", "one", &error), STATUS_OK);
    assert_int_equal(core_caller_login(adam, "adam", "two", &error), STATUS_OK);

    file = write_file(talk, "users.json",
                      "{\"eve\": \"one\", \"adam\": \"three\", \"zoe\": {\"password\": \"x\", \"roles\": [\"admin\"]}}");
    prints(talk, "updated: eve\nupdated: adam\nadded: zoe\n", WORDS("users", "import", file));

    assert_true(is_session(eve)); // the password is the same
    assert_false(is_session(adam));
    core_caller_close(eve);
    core_caller_close(adam);
    json_t *document = prints_json(talk, WORDS("users", "list", "--json"));
    assert_int_equal(json_array_size(json_object_get(user_of(document, "eve"), "roles")), 2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(user_of(document, "zoe"), "roles"), 0)), "admin");
    json_decref(document);
    file = write_file(talk, "wrong.yml", "lms: other\nnobody: \"\"\nlast: fine\n");
    struct run_command command = run_words(talk, 1, NULL, WORDS("users", "import", file));
    assert_string_equal(command.out, "added: last\n");
    assert_non_null(strstr(command.err, "lms: is of the configuration file"));
    assert_non_null(strstr(command.err, "nobody: needs a password"));
    run_command_finish(&command);
    fails(talk, 1, "wrong.yml", WORDS("users", "import", write_file(talk, "wrong.yml", "[a, b]\n")));
}

/* ---- connecting ---- */

static struct run_command run_as(const char *const *environment, const char *const *words)
{
    struct run_command command;
    run_command_start(&command, with_program(words), environment, NULL);
    run_command_wait(&command);
    return command;
}

static void who_is_refused_and_who_is_not_there_differ(void **state)
{
    struct conversation *talk = *state;
    char address[RUNNING_SERVICE_TEXT_MAX + 32];
    char away[64];
    (void)snprintf(address, sizeof address, "XQUEUE_ADDRESS=%s", talk->service.core);
    (void)snprintf(away, sizeof away, "XQUEUE_ADDRESS=127.0.0.1:%d", running_service_free_port());
    const struct {
        const char *const *environment;
        int exit_code;
        const char *part;
    } cases[] = {
        {WORDS(address, "XQUEUE_USER=admin", "XQUEUE_PASSWORD=admin"), 0, ""},
        {WORDS(address, "XQUEUE_USER=admin", "XQUEUE_PASSWORD=wrong"), EXIT_REFUSED, "WRONG_CREDENTIALS"},
        {WORDS(address, "XQUEUE_USER=lms", "XQUEUE_PASSWORD=lms"), EXIT_REFUSED, "ROLE_MISSING"},
        {WORDS(away, "XQUEUE_USER=admin", "XQUEUE_PASSWORD=admin"), EXIT_UNREACHABLE, "cannot be reached at 127.0.0.1:"},
        {WORDS(address, "XQUEUE_USER=admin", "XQUEUE_CONFIG=/nonexistent/xqueue.yml"), 1, "cannot be opened"},
        {WORDS("XQUEUE_ADDRESS=nonsense", "XQUEUE_USER=admin", "XQUEUE_PASSWORD=admin"), 1, "'nonsense'"},
    };
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        struct run_command command = run_as(cases[at].environment, WORDS("count"));
        assert_int_equal(command.exit_code, cases[at].exit_code);
        assert_non_null(strstr(command.err, cases[at].part));
        // One line, and the password is not in it.
        const char *end = strchr(command.err, '\n');
        assert_true(!end || end[1] == '\0');
        assert_null(strstr(command.err, "wrong\n"));
        run_command_finish(&command);
    }
}

static void options_count_more_than_the_environment(void **state)
{
    struct conversation *talk = *state;
    char path[RUNNING_SERVICE_TEXT_MAX];
    struct run_command command = run_as(WORDS("XQUEUE_ADDRESS=127.0.0.1:1", "XQUEUE_USER=nobody", "XQUEUE_PASSWORD=wrong"),
                                        WORDS("--address", talk->service.core, "--user", "admin", "--password-file",
                                              running_service_path(&talk->service, "admin", path), "count"));

    assert_string_equal(command.err, "");
    assert_int_equal(command.exit_code, 0);
    run_command_finish(&command);
}

static int count_sessions(struct conversation *talk)
{
    char path[RUNNING_SERVICE_TEXT_MAX];
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(
        sqlite3_open_v2(running_service_path(&talk->service, "xqueue.db", path), &database, SQLITE_OPEN_READONLY, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, "SELECT count(*) FROM login_session", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int count = sqlite3_column_int(statement, 0);
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    return count;
}

static void no_session_is_left_behind(void **state)
{
    struct conversation *talk = *state;
    int before = count_sessions(talk);

    prints(talk, "", WORDS("count"));
    fails(talk, 1, "USER_NOT_FOUND", WORDS("users", "remove", "nobody"));

    assert_int_equal(count_sessions(talk), before);
    assert_true(before > 0);
}

/* ---- without xqueued ---- */

static void an_imported_configuration_is_what_xqueued_takes(void **state)
{
    static const char *const samples[] = {"production", "tutor", "minimal", "hostile"};
    struct conversation *talk = *state;
    char secrets[RUNNING_SERVICE_TEXT_MAX];
    char output[RUNNING_SERVICE_TEXT_MAX];
    char xqueued[RUNNING_SERVICE_TEXT_MAX];
    (void)running_service_program("xqueued", xqueued);
    for (size_t at = 0; at < sizeof samples / sizeof *samples; at++) {
        char source[RUNNING_SERVICE_TEXT_MAX];
        char name[64];
        (void)snprintf(source, sizeof source, "%s/tests/support/legacy/%s.yml", XQUEUE_SOURCE_DIR, samples[at]);
        (void)snprintf(name, sizeof name, "%s-secrets", samples[at]);
        (void)running_service_path(&talk->service, name, secrets);
        (void)snprintf(name, sizeof name, "%s.yml", samples[at]);
        (void)running_service_path(&talk->service, name, output);

        struct run_command command = run_as(NULL, WORDS("import-config", source, "--output", output, "--secrets-dir", secrets,
                                                        "--lms-origin", "https://lms.example.org", "--json"));
        assert_int_equal(command.exit_code, 0);
        json_t *document = json_loads(command.out, 0, NULL);
        assert_non_null(document);
        assert_int_equal(json_array_size(json_object_get(document, "notes")) > 0, 1);
        json_decref(document);
        run_command_finish(&command);

        run_command_start(&command, WORDS(xqueued, "--config", output, "--check-config"), NULL, NULL);
        run_command_wait(&command);
        if (command.exit_code != 0)
            fail_msg("%s", command.err);
        run_command_finish(&command);
    }
    // What is there is not written over, and without a folder for the secrets nothing is written at all.
    char source[RUNNING_SERVICE_TEXT_MAX];
    (void)snprintf(source, sizeof source, "%s/tests/support/legacy/minimal.yml", XQUEUE_SOURCE_DIR);
    fails(talk, 1, "is there already", WORDS("import-config", source, "-o", output, "--secrets-dir", secrets));
    fails(talk, 1, "--secrets-dir", WORDS("import-config", source));
    fails(talk, 1, "not a map of settings", WORDS("import-config", write_file(talk, "list.yml", "- a\n"), "--dry-run"));
    fails(talk, 1, "cannot be opened", WORDS("import-config", "/nonexistent/legacy.yml", "--dry-run"));
    fails(talk, 2, "needs LEGACY.YML", WORDS("import-config"));
}

static void the_consumer_says_that_it_is_not_needed(void **state)
{
    struct conversation *talk = *state;
    struct run_command command = run_words(talk, 0, NULL, WORDS("consumer"));
    assert_non_null(strstr(command.out, "no longer needed"));
    run_command_finish(&command);
    command = run_words(talk, 0, NULL, WORDS("help"));
    assert_non_null(strstr(command.out, "[run_consumer]"));
    assert_non_null(strstr(command.out, "[delete_old_submissions]"));
    run_command_finish(&command);
}

static void output_that_is_lost_is_a_failure(void **state)
{
    struct conversation *talk = *state;
    char command_line[RUNNING_SERVICE_TEXT_MAX * 2];
    char program[RUNNING_SERVICE_TEXT_MAX];
    (void)talk;
    (void)snprintf(command_line, sizeof command_line, "%s help > /dev/full", running_service_program("xqueuectl", program));
    struct run_command command;
    run_command_start(&command, WORDS("/bin/sh", "-c", command_line), NULL, NULL);
    run_command_wait(&command);

    assert_int_equal(command.exit_code, 1);
    assert_non_null(strstr(command.err, "cannot be written"));
    run_command_finish(&command);
}

#define WITH_CORE(test) cmocka_unit_test_setup_teardown(test, conversation_set_up_core, conversation_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CORE(count_prints_what_waits_most_first),
        WITH_CORE(what_failed_often_is_given_up_and_the_student_told),
        WITH_CORE(with_force_nobody_is_told),
        WITH_CORE(what_is_old_is_given_up),
        WITH_CORE(what_is_over_is_deleted_in_chunks),
        WITH_CORE(a_signal_ends_the_pause_between_chunks),
        WITH_CORE(users_come_change_and_go),
        WITH_CORE(a_hash_will_do_instead_of_a_password),
        WITH_CORE(users_of_a_file_are_imported_and_keep_their_sessions),
        WITH_CORE(who_is_refused_and_who_is_not_there_differ),
        WITH_CORE(options_count_more_than_the_environment),
        WITH_CORE(no_session_is_left_behind),
        WITH_CORE(an_imported_configuration_is_what_xqueued_takes),
        WITH_CORE(the_consumer_says_that_it_is_not_needed),
        WITH_CORE(output_that_is_lost_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
