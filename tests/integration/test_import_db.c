/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_import_test_support xqueue_test_support PkgConfig::SQLITE PkgConfig::JANSSON */
/*
 * Moving in: an original's database in a real MariaDB, dumped in every way, or in a SQLite file, comes over with the real
 * xqueuectl; then the real xqueued and xqueue-rest go on where the original stopped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include "tests/support/fake_lms.h"
#include "tests/support/legacy_database.h"
#include "tests/support/rest_client.h"
#include "tests/support/running_service.h"

enum { COMMAND_MAX = 2048, BIG_BODY_BYTES = 1000000, HEADER_BYTES = 1024, PATIENCE_MS = 20000, ROUNDS = 1000 };

#define KEY         "0123456789abcdef0123456789abcdef"
#define EXPIRED_KEY "fedcba9876543210fedcba9876543210"

/* ---- commands ---- */

/* Runs a shell command; its exit code. */
static int run_shell(const char *command)
{
    const char *const arguments[] = {"/bin/sh", "-c", command, NULL};
    const struct running_program_options options = {.arguments = arguments};
    struct running_program *shell = running_program_start(&options);
    int code = running_program_wait(shell);
    assert_true(running_program_is_clean(shell));
    running_program_destroy(shell);
    return code;
}

static void write_file(const char *path, const struct text *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text->bytes, 1, text->length, file), text->length);
    assert_int_equal(fclose(file), 0);
}

/* ---- a MariaDB of our own ---- */

struct mariadb {
    char folder[64];
    struct running_program *server;
};

/* As whom the server runs when the tests run as root: it must not. */
static const char *server_user(void)
{
    return geteuid() == 0 ? "--user=mysql" : "";
}

static void format_command(char out[COMMAND_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
static void format_command(char out[COMMAND_MAX], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out, COMMAND_MAX, format, arguments);
    va_end(arguments);
    assert_true(length > 0 && length < COMMAND_MAX);
}

static void mariadb_start(struct mariadb *mariadb)
{
    char command[COMMAND_MAX];
    *mariadb = (struct mariadb){.folder = "/tmp/xqueue-mariadb-XXXXXX"};
    assert_non_null(mkdtemp(mariadb->folder));
    format_command(command,
                   "cd %s && mkdir data && { [ -z '%s' ] || chown mysql . data; } && "
                   "mariadb-install-db --no-defaults %s --datadir=%s/data --auth-root-authentication-method=normal "
                   "--skip-test-db >install.log 2>&1 || { cat install.log >&2; exit 1; }",
                   mariadb->folder, server_user(), server_user(), mariadb->folder);
    if (run_shell(command) != 0)
        fail_msg("no MariaDB could be made: is the package mariadb-server there? (./dev deps)");
    format_command(command,
                   "PATH=$PATH:/usr/sbin; exec setpriv %s --pdeathsig=KILL mariadbd --no-defaults --datadir=%s/data "
                   "--socket=%s/sock --pid-file=%s/pid --skip-networking --innodb-buffer-pool-size=16M "
                   "--innodb-flush-log-at-trx-commit=2 --max-allowed-packet=64M",
                   geteuid() == 0 ? "--reuid=mysql --regid=mysql --clear-groups" : "", mariadb->folder, mariadb->folder,
                   mariadb->folder);
    const char *const arguments[] = {"/bin/sh", "-c", command, NULL};
    const struct running_program_options options = {.arguments = arguments};
    mariadb->server = running_program_start(&options);
    if (!running_program_await(mariadb->server, "ready for connections", 1)) {
        running_program_dump(mariadb->server);
        fail_msg("MariaDB did not start");
    }
}

static void mariadb_stop(struct mariadb *mariadb)
{
    char command[COMMAND_MAX];
    running_program_signal(mariadb->server, SIGTERM);
    assert_int_equal(running_program_wait(mariadb->server), 0);
    running_program_destroy(mariadb->server);
    format_command(command, "rm -rf %s", mariadb->folder);
    assert_int_equal(run_shell(command), 0);
}

static void mariadb_run(const struct mariadb *mariadb, const char *sql_file, const char *database)
{
    char command[COMMAND_MAX];
    format_command(command,
                   "mariadb --no-defaults -u root -S %s/sock --max-allowed-packet=64M --default-character-set=utf8mb4 %s <%s",
                   mariadb->folder, database, sql_file);
    assert_int_equal(run_shell(command), 0);
}

/* A new database of that name, filled with sql. */
static void mariadb_fill(const struct mariadb *mariadb, const char *name, const char *charset, const struct text *sql)
{
    char path[RUNNING_SERVICE_TEXT_MAX];
    struct text create;
    text_init(&create, COMMAND_MAX);
    text_append_format(&create, "CREATE DATABASE %s CHARACTER SET %s;", name, charset);
    (void)snprintf(path, sizeof path, "%s/fill.sql", mariadb->folder);
    write_file(path, &create);
    mariadb_run(mariadb, path, "");
    write_file(path, sql);
    mariadb_run(mariadb, path, name);
    text_finish(&create);
}

/* Dumps into path; options: of mariadb-dump, with the databases or tables. */
static void mariadb_dump(const struct mariadb *mariadb, const char *options, const char *path)
{
    char command[COMMAND_MAX];
    format_command(command, "mariadb-dump --no-defaults -u root -S %s/sock --max-allowed-packet=64M %s >%s", mariadb->folder,
                   options, path);
    assert_int_equal(run_shell(command), 0);
}

/* ---- the import ---- */

/* Runs `xqueuectl import-db --json` and what follows; its exit code. *out_report: the caller's, or NULL. */
static int import(const struct running_service *service, const char *arguments, json_t **out_report)
{
    char program[RUNNING_SERVICE_TEXT_MAX];
    char report[RUNNING_SERVICE_TEXT_MAX];
    char error[RUNNING_SERVICE_TEXT_MAX];
    char command[COMMAND_MAX];
    running_service_path(service, "report.json", report);
    running_service_path(service, "error.txt", error);
    format_command(command, "%s --config %s import-db --json %s >%s 2>%s", running_service_program("xqueuectl", program),
                   service->config, arguments, report, error);
    int code = run_shell(command);
    *out_report = json_load_file(report, 0, NULL);
    return code;
}

static json_t *import_well(const struct running_service *service, const char *arguments)
{
    char path[RUNNING_SERVICE_TEXT_MAX];
    char command[COMMAND_MAX];
    json_t *report = NULL;
    if (import(service, arguments, &report) != 0) {
        format_command(command, "cat %s >&2", running_service_path(service, "error.txt", path));
        (void)run_shell(command);
        fail_msg("import-db %s failed", arguments);
    }
    assert_non_null(report);
    return report;
}

static void import_is_refused(const struct running_service *service, const char *arguments, const char *part)
{
    char path[RUNNING_SERVICE_TEXT_MAX];
    char command[COMMAND_MAX];
    json_t *report = NULL;
    assert_int_equal(import(service, arguments, &report), 1);
    assert_null(report);
    format_command(command, "grep -q -e '%s' %s || { cat %s >&2; exit 1; }", part,
                   running_service_path(service, "error.txt", path), path);
    assert_int_equal(run_shell(command), 0);
}

static long long count_of(const json_t *report, const char *key)
{
    const json_t *count = json_object_get(json_object_get(report, "total"), key);
    assert_true(json_is_integer(count));
    return json_integer_value(count);
}

static long long users_of(const json_t *report, const char *key)
{
    return json_integer_value(json_object_get(json_object_get(report, "users"), key));
}

static bool has_changed(const json_t *report)
{
    return json_is_true(json_object_get(report, "changed"));
}

/* ---- every byte, in every kind of dump ---- */

/* Rows that a reader may stumble over. emoji: the dump can hold characters of four bytes. */
static void add_nasty_rows(struct text *sql, enum legacy_dialect dialect, bool emoji)
{
    static const char nasty[] =
        "it's \"so\" \\ \\' \\\\ ` %_ ;\n\r\t\b\x1a\0--\n-- Dump completed\n/* */ # \xc3\xa9 \xe2\x82\xac),(NULL";
    char header[HEADER_BYTES + 1];
    char *big = memory_allocate(BIG_BODY_BYTES + 1);
    for (size_t at = 0; at < BIG_BODY_BYTES; at++)
        big[at] = "abc'\"\\\n;"[at % 8];
    memset(header, ' ', HEADER_BYTES);
    memcpy(header, "{\"lms_callback_url\": \"http://lms/header\"", 40);
    header[HEADER_BYTES - 1] = '}';
    header[HEADER_BYTES] = '\0';
    const struct legacy_database_row rows[] = {
        {.id = 1, .queue = "calm", .callback_url = "http://lms/nasty", .body = nasty, .body_length = sizeof nasty - 1},
        {.id = 2, .queue = "calm", .callback_url = "http://lms/big", .body = big, .body_length = BIG_BODY_BYTES},
        {.id = 3, .queue = "hasty", .header = header, .body = "b"},
        {.id = 4, .queue = "calm", .callback_url = "http://lms/empty"},
        {.id = 5,
         .queue = "calm",
         .callback_url = "http://lms/pulled",
         .body = "b",
         .pulled = "2026-01-01 00:00:00.000001",
         .key = KEY,
         .grader = "10.0.0.9",
         .file_urls = "{\"a'b\\\"\": \"http://files/\\u20ac\"}"},
        {.id = 6,
         .queue = "calm",
         .callback_url = "http://lms/graded",
         .body = "b",
         .pulled = "2026-01-01 00:00:00",
         .returned = "2026-01-01 00:00:01.999999",
         .key = EXPIRED_KEY,
         .result = "{\"msg\": \"<p>it's \\\"ok\\\"\\n</p>\"}",
         .failures = 2},
        {.id = 7, .queue = "calm", .callback_url = "http://lms/again", .body = "old"},
        {.id = 8, .queue = "calm", .callback_url = "http://lms/again", .body = "new"},
        {.id = 9, .queue = "calm", .callback_url = "not an URL", .body = "b"},
        {.id = 10,
         .queue = "calm",
         .callback_url = "http://lms/over",
         .body = nasty,
         .body_length = sizeof nasty - 1,
         .is_retired = true},
        {.id = 11, .queue = "calm", .callback_url = "http://lms/emoji", .body = emoji ? "\xf0\x9f\x98\x80" : "(no)"},
    };
    for (size_t at = 0; at < sizeof rows / sizeof rows[0]; at++)
        legacy_database_add(sql, dialect, &rows[at]);
    memory_free(big);
}

static void add_nasty_users(struct text *sql, enum legacy_dialect dialect)
{
    static const struct legacy_database_user users[] = {
        {.name = "o'brien\\", .password_hash = "pbkdf2_sha256$1000$s$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="},
        {.name = "lms", .password_hash = "pbkdf2_sha256$1000$s$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="},
        {.name = "gone", .password_hash = "x", .is_inactive = true},
        {.name = "bob", .password_hash = "!unusable"},
    };
    for (size_t at = 0; at < sizeof users / sizeof users[0]; at++)
        legacy_database_add_user(sql, dialect, &users[at]);
}

static void make_sql(struct text *sql, enum legacy_dialect dialect, bool emoji)
{
    text_init(sql, LEGACY_DATABASE_SQL_MAX);
    legacy_database_schema(sql, dialect);
    add_nasty_rows(sql, dialect, emoji);
    add_nasty_users(sql, dialect);
    assert_false(sql->failed);
}

/* What came, but for the moment at which it did. Free it with memory_free. */
static char *what_came(const struct running_service *service)
{
    static const char submissions[] =
        "SELECT id, state, queue_id, virtual_ms, submitted_at_ms, attempt, lease_key, grader, leased_at_ms, has_destination,"
        " replace_key, superseded_by_id, message FROM submission ORDER BY id";
    static const char *const queries[] = {
        submissions,
        "SELECT submission_id, callback_url, header, body FROM content ORDER BY submission_id",
        "SELECT submission_id, name, url FROM file ORDER BY submission_id, position",
        "SELECT submission_id, completed_at_ms, body FROM result",
        "SELECT submission_id, state, attempt, replace_key FROM delivery",
        "SELECT name, password_hash, roles FROM user ORDER BY name",
        "SELECT id, digest FROM imported_submission ORDER BY id",
        "SELECT seq FROM sqlite_sequence WHERE name = 'submission'",
        NULL,
    };
    char path[RUNNING_SERVICE_TEXT_MAX];
    return legacy_database_read(running_service_path(service, "xqueue.db", path), queries);
}

static void check_report(const json_t *report)
{
    assert_int_equal(count_of(report, "waiting"), 7);
    assert_int_equal(count_of(report, "leased"), 0);
    assert_int_equal(count_of(report, "graded_undelivered"), 1);
    assert_int_equal(count_of(report, "superseded"), 1);
    assert_int_equal(count_of(report, "dead"), 1);
    assert_int_equal(count_of(report, "history"), 1);
    assert_int_equal(users_of(report, "imported"), 1);
    assert_int_equal(users_of(report, "configured"), 1);
    assert_int_equal(users_of(report, "inactive"), 1);
    assert_int_equal(users_of(report, "unusable_password"), 1);
    assert_int_equal(json_integer_value(json_object_get(report, "last_id")), 11);
}

/* Imports into a database of its own; what came. A second time changes nothing. */
static char *import_afresh(const char *arguments)
{
    struct running_service service;
    running_service_prepare(&service, NULL);
    json_t *report = import_well(&service, arguments);
    check_report(report);
    assert_true(has_changed(report));
    json_decref(report);
    char *came = what_came(&service);

    report = import_well(&service, arguments);
    assert_false(has_changed(report));
    assert_int_equal(count_of(report, "already_there"), 10);
    assert_int_equal(users_of(report, "already_there"), 1);
    json_decref(report);
    char *again = what_came(&service);

    assert_string_equal(again, came);
    memory_free(again);
    assert_true(running_service_finish(&service));
    return came;
}

static char *import_sqlite_afresh(bool emoji)
{
    char folder[] = "/tmp/xqueue-sqlite-XXXXXX";
    char path[RUNNING_SERVICE_TEXT_MAX];
    struct text sql;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/it's 100%% old?.sqlite", folder);
    make_sql(&sql, LEGACY_SQLITE, emoji);
    legacy_database_make(path, sql.bytes);
    text_finish(&sql);
    char argument[RUNNING_SERVICE_TEXT_MAX + 2];
    (void)snprintf(argument, sizeof argument, "\"%s\"", path);
    char *came = import_afresh(argument);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0); // nothing lies beside it: it was only read
    return came;
}

static void check_dump(const struct mariadb *mariadb, const char *options, const char *expected)
{
    char path[RUNNING_SERVICE_TEXT_MAX];
    char piped[RUNNING_SERVICE_TEXT_MAX + 4];
    (void)snprintf(path, sizeof path, "%s/dump.sql", mariadb->folder);
    mariadb_dump(mariadb, options, path);
    char *came = import_afresh(path);
    if (strcmp(came, expected) != 0)
        fail_msg("mariadb-dump %s: what came differs", options);
    memory_free(came);
    (void)snprintf(piped, sizeof piped, "- <%s", path);
    came = import_afresh(piped);
    assert_string_equal(came, expected);
    memory_free(came);
}

static void every_kind_of_dump_brings_the_same_as_the_sqlite_file(void **state)
{
    const struct mariadb *mariadb = *state;
    static const char *const kinds[] = {
        "old",
        "--skip-extended-insert old",
        "--hex-blob old",
        "--complete-insert old",
        "--complete-insert --no-create-info old",
        "--skip-opt --complete-insert --default-character-set=utf8mb4 --set-charset old",
        "--replace --skip-add-locks --skip-quote-names old",
        "--insert-ignore --order-by-primary --single-transaction --routines --triggers --events old",
        "--databases old",
        "old auth_user queue_submission",
        "--compatible=ansi --default-character-set=utf8mb4 --set-charset old",
        "--net-buffer-length=4096 old",
    };
    struct text sql;
    char *expected = import_sqlite_afresh(true);
    make_sql(&sql, LEGACY_MARIADB, true);
    text_append_string(&sql,
                       "CREATE TABLE a_first (x longtext, y blob, z double, b bit(9)); INSERT INTO a_first VALUES "
                       "('INSERT INTO `queue_submission` VALUES (1);\n-- Dump completed', X'00270a5c', 1.5e+100, b'101');\n"
                       "CREATE VIEW z_view AS SELECT id FROM queue_submission;\n"
                       "CREATE TRIGGER t AFTER DELETE ON queue_submission FOR EACH ROW SET @x = 'a;''\\\\';\n");
    mariadb_fill(mariadb, "old", "utf8mb4", &sql);
    text_finish(&sql);

    for (size_t at = 0; at < sizeof kinds / sizeof kinds[0]; at++)
        check_dump(mariadb, kinds[at], expected);

    memory_free(expected);
}

static void a_dump_of_three_byte_utf8_comes_too(void **state)
{
    const struct mariadb *mariadb = *state;
    struct text sql;
    char *expected = import_sqlite_afresh(false);
    make_sql(&sql, LEGACY_MARIADB, false);
    mariadb_fill(mariadb, "short", "utf8mb3", &sql);
    text_finish(&sql);

    check_dump(mariadb, "short", expected);
    check_dump(mariadb, "--default-character-set=utf8mb3 short", expected);

    memory_free(expected);
}

static void dumps_that_cannot_be_used_are_refused_and_nothing_is_written(void **state)
{
    const struct mariadb *mariadb = *state;
    struct running_service service;
    struct text sql;
    char path[RUNNING_SERVICE_TEXT_MAX];
    char database[RUNNING_SERVICE_TEXT_MAX];
    char command[COMMAND_MAX];
    char chosen[COMMAND_MAX];
    make_sql(&sql, LEGACY_MARIADB, true);
    mariadb_fill(mariadb, "refused", "utf8mb4", &sql);
    mariadb_fill(mariadb, "other", "utf8mb4", &sql);
    text_finish(&sql);
    running_service_prepare(&service, NULL);
    (void)snprintf(path, sizeof path, "%s/dump.sql", mariadb->folder);

    mariadb_dump(mariadb, "--no-create-info refused", path);
    import_is_refused(&service, path, "--no-create-info");
    mariadb_dump(mariadb, "--skip-comments refused", path);
    import_is_refused(&service, path, "--skip-comments");
    mariadb_dump(mariadb, "--compact refused", path);
    import_is_refused(&service, path, "--set-charset");
    mariadb_dump(mariadb, "--default-character-set=latin1 refused", path);
    import_is_refused(&service, path, "--default-character-set=utf8mb4");
    mariadb_dump(mariadb, "--compatible=ansi refused", path);
    import_is_refused(&service, path, "--set-charset");
    mariadb_dump(mariadb, "--all-databases", path);
    import_is_refused(&service, path, "--database");
    mariadb_dump(mariadb, "refused auth_user", path);
    import_is_refused(&service, path, "queue_submission");
    mariadb_dump(mariadb, "refused", path);
    format_command(command, "head -c $(($(wc -c <%s) - 40)) %s >%s.cut", path, path, path);
    assert_int_equal(run_shell(command), 0);
    format_command(chosen, "%s.cut", path);
    import_is_refused(&service, chosen, "not whole");
    assert_int_not_equal(access(running_service_path(&service, "xqueue.db-wal", database), F_OK), 0);
    json_t *report = NULL;
    format_command(chosen, "--dry-run %s", path);
    report = import_well(&service, chosen);
    check_report(report);
    assert_false(has_changed(report));
    json_decref(report);

    mariadb_dump(mariadb, "--all-databases", path);
    format_command(chosen, "--database other %s", path);
    report = import_well(&service, chosen);
    check_report(report);
    json_decref(report);
    assert_true(running_service_finish(&service));
}

/* ---- going on ---- */

struct world {
    struct running_service service;
    struct fake_lms *lms;
    struct rest_client poller;
    char source[RUNNING_SERVICE_TEXT_MAX];
};

/* What an original had on its hands when it was stopped. */
static void add_live_rows(struct text *sql, enum legacy_dialect dialect, const struct fake_lms *lms)
{
    char urls[5][FAKE_LMS_URL_MAX];
    char just_now[LEGACY_TIME_MAX];
    legacy_database_time(clock_wall_ms(), just_now);
    const struct legacy_database_row rows[] = {
        {.id = 21,
         .queue = "calm",
         .callback_url = fake_lms_url(lms, "/second", urls[0]),
         .body = "second",
         .arrived = "2026-01-01 00:00:02"},
        {.id = 22,
         .queue = "calm",
         .callback_url = fake_lms_url(lms, "/first", urls[1]),
         .body = "it's the \"first\"\n\xf0\x9f\x98\x80",
         .arrived = "2026-01-01 00:00:01",
         .file_urls = "{\"a.py\": \"http://files/a\"}"},
        {.id = 23,
         .queue = "calm",
         .callback_url = fake_lms_url(lms, "/held", urls[2]),
         .body = "held",
         .arrived = "2026-01-01 00:00:00",
         .pulled = just_now,
         .key = KEY,
         .grader = "10.0.0.9"},
        {.id = 24,
         .queue = "calm",
         .callback_url = fake_lms_url(lms, "/undelivered", urls[3]),
         .body = "b",
         .pulled = "2026-01-01 00:00:00",
         .returned = "2026-01-01 00:00:00",
         .key = EXPIRED_KEY,
         .result = "kept",
         .failures = 1},
        {.id = 25,
         .queue = "calm",
         .callback_url = fake_lms_url(lms, "/late", urls[4]),
         .body = "late",
         .arrived = "2026-01-01 00:00:03",
         .pulled = "2026-01-01 00:01:00",
         .key = EXPIRED_KEY},
        {.id = 99, .queue = "calm", .callback_url = "http://lms/over", .body = "over", .is_retired = true},
    };
    for (size_t at = 0; at < sizeof rows / sizeof rows[0]; at++)
        legacy_database_add(sql, dialect, &rows[at]);
}

static void make_live_sql(struct text *sql, enum legacy_dialect dialect, const struct fake_lms *lms)
{
    char hash[SECRET_HASH_TEXT_MAX];
    assert_int_equal(secret_password_hash("poller", ROUNDS, hash), STATUS_OK);
    const struct legacy_database_user user = {.name = "poller", .password_hash = hash};
    text_init(sql, LEGACY_DATABASE_SQL_MAX);
    legacy_database_schema(sql, dialect);
    add_live_rows(sql, dialect, lms);
    legacy_database_add_user(sql, dialect, &user);
}

static void lms_hears(struct world *world, const char *path, const char *result)
{
    if (!fake_lms_wait_for_path(world->lms, path, 1, PATIENCE_MS))
        fail_msg("nothing came for %s", path);
    for (size_t at = 0; at < fake_lms_count(world->lms); at++) {
        const struct fake_lms_callback *callback = fake_lms_callback(world->lms, at);
        if (strcmp(callback->path, path) == 0)
            assert_string_equal(callback->result, result);
    }
}

static void pull_and_grade(struct world *world, int64_t id, const char *body, const char *files, const char *result)
{
    struct rest_pulled pulled;
    char part[64];
    if (!rest_client_pull(&world->poller, "calm", &pulled))
        fail_msg("get_submission: %s", world->poller.content ? world->poller.content : "nothing");
    (void)snprintf(part, sizeof part, "\"submission_id\": %lld,", (long long)id);
    assert_non_null(strstr(pulled.header, part));
    assert_string_equal(pulled.body, body);
    assert_string_equal(pulled.files, files);
    assert_int_equal(rest_client_put(&world->poller, pulled.header, result), 0);
    rest_pulled_finish(&pulled);
}

/* The service runs on what came. The poller is the original's user, with the password of then. */
static void go_on(struct world *world)
{
    struct rest_pulled pulled;
    rest_client_init(&world->poller, world->service.rest_port, "poller");
    assert_int_equal(rest_client_login(&world->poller), 0);
    lms_hears(world, "/undelivered", "kept"); // no grader was asked

    assert_int_equal(rest_client_put(&world->poller, "{\"submission_id\": 23, \"submission_key\": \"" KEY "\"}", "of before"),
                     0);
    assert_int_equal(
        rest_client_put(&world->poller, "{\"submission_id\": 25, \"submission_key\": \"" EXPIRED_KEY "\"}", "of long before"),
        0);
    assert_int_equal(rest_client_put(&world->poller, "{\"submission_id\": 21, \"submission_key\": \"" KEY "\"}", "wrong"), 1);
    lms_hears(world, "/held", "of before");
    lms_hears(world, "/late", "of long before");

    pull_and_grade(world, 22, "it's the \"first\"\n\xf0\x9f\x98\x80", "{\"a.py\": \"http://files/a\"}", "1");
    pull_and_grade(world, 21, "second", "{}", "2");
    assert_false(rest_client_pull(&world->poller, "calm", &pulled));
    lms_hears(world, "/first", "1");
    lms_hears(world, "/second", "2");
}

/* New submissions get ids that the original never gave. */
static void submit_and_look_at_the_id(struct world *world)
{
    char url[FAKE_LMS_URL_MAX];
    struct rest_client lms;
    const struct rest_submission submission = {
        .queue = "calm", .callback_url = fake_lms_url(world->lms, "/new", url), .body = "new"};
    rest_client_init(&lms, world->service.rest_port, "lms");
    assert_int_equal(rest_client_submit(&lms, &submission), 200);
    pull_and_grade(world, 100, "new", "{}", "3");
    lms_hears(world, "/new", "3");
    rest_client_finish(&lms);
}

static void move_in_and_go_on(struct world *world)
{
    json_t *report = import_well(&world->service, world->source);
    assert_int_equal(count_of(report, "leased"), 1);
    assert_int_equal(count_of(report, "waiting"), 3);
    json_decref(report);

    running_service_start_core(&world->service);
    import_is_refused(&world->service, world->source, "stop it first");
    running_service_start_rest(&world->service);
    go_on(world);
    submit_and_look_at_the_id(world);
    running_service_stop_rest(&world->service);
    running_service_stop_core(&world->service);

    char *before = what_came(&world->service);
    report = import_well(&world->service, world->source);
    assert_false(has_changed(report));
    assert_int_equal(count_of(report, "already_there"), 5);
    json_decref(report);
    char *after = what_came(&world->service);
    assert_string_equal(after, before);
    memory_free(before);
    memory_free(after);
}

static void world_open(struct world *world)
{
    *world = (struct world){.lms = fake_lms_start(0)};
    running_service_prepare(&world->service, NULL);
    running_service_path(&world->service, "source", world->source);
}

static void world_close(struct world *world)
{
    rest_client_finish(&world->poller);
    assert_true(running_service_finish(&world->service));
    fake_lms_destroy(world->lms);
}

static void the_service_goes_on_where_an_original_on_mariadb_stopped(void **state)
{
    const struct mariadb *mariadb = *state;
    struct world world;
    struct text sql;
    world_open(&world);
    make_live_sql(&sql, LEGACY_MARIADB, world.lms);
    mariadb_fill(mariadb, "xqueue", "utf8mb4", &sql);
    text_finish(&sql);
    mariadb_dump(mariadb, "xqueue", world.source);

    move_in_and_go_on(&world);

    world_close(&world);
}

static void the_service_goes_on_where_an_original_on_sqlite_stopped(void **state)
{
    (void)state;
    struct world world;
    struct text sql;
    world_open(&world);
    make_live_sql(&sql, LEGACY_SQLITE, world.lms);
    legacy_database_make(world.source, sql.bytes);
    text_finish(&sql);

    move_in_and_go_on(&world);

    world_close(&world);
}

static int start_mariadb(void **state)
{
    struct mariadb *mariadb = MEMORY_NEW(struct mariadb);
    mariadb_start(mariadb);
    *state = mariadb;
    return 0;
}

static int stop_mariadb(void **state)
{
    mariadb_stop(*state);
    memory_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_dump_brings_the_same_as_the_sqlite_file),
        cmocka_unit_test(a_dump_of_three_byte_utf8_comes_too),
        cmocka_unit_test(dumps_that_cannot_be_used_are_refused_and_nothing_is_written),
        cmocka_unit_test(the_service_goes_on_where_an_original_on_mariadb_stopped),
        cmocka_unit_test(the_service_goes_on_where_an_original_on_sqlite_stopped),
    };
    return cmocka_run_group_tests(tests, start_mariadb, stop_mariadb);
}
