/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl import-db`: takes over what waits in an original's database, and its users. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/config.h"
#include "service/ctl/commands.h"
#include "service/ctl/report.h"
#include "service/import/importer.h"

enum { NUMBER_TEXT_MAX = 24 };

/* ---- for scripts ---- */

static json_t *names_json(const struct import_names *names)
{
    json_t *list = json_array();
    for (size_t at = 0; at < names->count; at++)
        json_array_append_new(list, report_json_text(names->items[at]));
    return list;
}

static json_t *counts_json(const int64_t *counts)
{
    json_t *object = json_object();
    for (unsigned fate = 0; fate < IMPORT_FATE_COUNT; fate++)
        json_object_set_new(object, import_fate_name((enum import_fate)fate), json_integer(counts[fate]));
    return object;
}

static json_t *queues_json(const struct import_report *report)
{
    json_t *list = json_array();
    for (size_t at = 0; at < report->queue_count; at++) {
        json_t *queue = counts_json(report->queues[at].counts);
        json_object_set_new(queue, "queue", report_json_text(report->queues[at].name));
        json_array_append_new(list, queue);
    }
    return list;
}

static json_t *users_json(const struct import_report *report)
{
    json_t *object = json_object();
    for (unsigned fate = 0; fate < IMPORT_USER_FATE_COUNT; fate++)
        json_object_set_new(object, import_user_fate_name((enum import_user_fate)fate), json_integer(report->users[fate]));
    json_object_set_new(object, "unusable_names", names_json(&report->unusable_users));
    json_object_set_new(object, "inactive_names", names_json(&report->inactive_users));
    return object;
}

static void print_json(const struct import_report *report)
{
    json_t *document =
        json_pack("{s:b, s:b, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o}", "dry_run", report->is_dry_run, "changed",
                  report->has_changed, "last_id", (json_int_t)report->last_id, "total", counts_json(report->totals), "queues",
                  queues_json(report), "unknown_queues", names_json(&report->unknown_queues), "too_large_ids",
                  names_json(&report->too_large), "external_files", (json_int_t)report->external_files, "unreadable_files",
                  (json_int_t)report->unreadable_files, "unusable_keys", (json_int_t)report->unusable_keys, "users",
                  report->has_users ? users_json(report) : json_null());
    report_json(document);
}

/* ---- for people ---- */

static const enum import_fate columns[] = {IMPORT_WAITING, IMPORT_LEASED,  IMPORT_GRADED,  IMPORT_SUPERSEDED,
                                           IMPORT_DEAD,    IMPORT_ALREADY, IMPORT_RETIRED, IMPORT_TOO_LARGE};
enum { COLUMN_COUNT = sizeof columns / sizeof *columns };

static void add_counts(struct report_table *table, const char *name, const int64_t *counts)
{
    const char *texts[COLUMN_COUNT + 1] = {name};
    char numbers[COLUMN_COUNT][NUMBER_TEXT_MAX];
    for (size_t at = 0; at < COLUMN_COUNT; at++) {
        (void)snprintf(numbers[at], NUMBER_TEXT_MAX, "%" PRId64, counts[columns[at]]);
        texts[at + 1] = numbers[at];
    }
    report_table_add(table, texts);
}

static void print_counts(const struct import_report *report)
{
    static const char *const titles[] = {"queue", "waiting",       "leased",  "graded",    "superseded",
                                         "dead",  "already there", "history", "too large", NULL};
    struct report_table *table = report_table_create(titles);
    for (size_t at = 0; at < report->queue_count; at++)
        add_counts(table, report->queues[at].name, report->queues[at].counts);
    add_counts(table, "in all", report->totals);
    report_table_print(table, stdout);
}

/* "text: N (a, b 3 times, ...)", or nothing when count is 0. */
static void print_line(const char *text, int64_t count, const struct import_names *names)
{
    if (count == 0)
        return;
    (void)printf("%s: %" PRId64, text, count);
    for (size_t at = 0; names && at < names->count; at++) {
        (void)printf("%s%s", at == 0 ? " (" : ", ", names->items[at]);
        if (names->counts[at] > 1)
            (void)printf(" %" PRId64 " times", names->counts[at]);
    }
    if (names && names->count > 0)
        (void)printf("%s)", names->more > 0 ? ", ..." : "");
    (void)putchar('\n');
}

static void print_users(const struct import_report *report)
{
    if (!report->has_users) {
        (void)printf("the source has no table of users\n");
        return;
    }
    (void)printf("users that come: %" PRId64 "\n", report->users[IMPORT_USER_TAKEN]);
    print_line("users that came earlier", report->users[IMPORT_USER_ALREADY], NULL);
    print_line("users of the configuration, left as they are there", report->users[IMPORT_USER_CONFIGURED], NULL);
    print_line("users that an administrator made, left as they are", report->users[IMPORT_USER_EXISTS], NULL);
    print_line("left out: inactive users", report->users[IMPORT_USER_INACTIVE], &report->inactive_users);
    print_line("left out: users without a password that can be checked", report->users[IMPORT_USER_UNUSABLE],
               &report->unusable_users);
}

static void print(const struct import_report *report)
{
    print_counts(report);
    print_line("left out: submissions in queues that the configuration does not name", report->totals[IMPORT_UNKNOWN_QUEUE],
               &report->unknown_queues);
    print_line("left out: submissions that are too large", report->totals[IMPORT_TOO_LARGE], &report->too_large);
    print_line("submissions whose list of files lies elsewhere: graders get its URL, as file URL_FOR_EXTERNAL_DICTS",
               report->external_files, NULL);
    print_line("submissions without files, because their list is unreadable", report->unreadable_files, NULL);
    print_line("submissions with a key that cannot be one: who holds it is refused", report->unusable_keys, NULL);
    print_users(report);
    (void)printf("new submissions get ids from %" PRId64 " on, or larger\n", report->last_id + 1);
    if (report->is_dry_run)
        (void)printf("dry run: nothing was written\n");
    else
        (void)printf("%s\n", report->has_changed ? "written" : "nothing was left to write");
}

/* ---- the command ---- */

static int run(struct command_call *call)
{
    struct config *config = NULL;
    struct import_report report = {0};
    struct error error = {0};
    enum status status = config_load(call->config_file, &config, &error);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    const struct import_options options = {
        .config = config,
        .source = call->operands[0],
        .database = command_text(call, "database"),
        .skip_unknown_queues = command_flag(call, "skip-unknown-queues"),
        .dry_run = command_flag(call, "dry-run"),
        .now_ms = clock_wall_ms(),
    };
    status = import_run(&options, &report, &error);
    if (status == STATUS_OK) {
        if (call->json)
            print_json(&report);
        else
            print(&report);
        import_report_finish(&report);
    }
    config_destroy(config);  // the report has names of it
    if (status != STATUS_OK) // not as an answer of xqueued would be told: none was asked
        return command_fail(COMMAND_EXIT_FAILED, "nothing was imported: %s", error.text);
    return COMMAND_EXIT_OK;
}

static const struct command_option import_options[] = {
    {.name = "dry-run", .help = "only count what would come", .kind = COMMAND_OPTION_FLAG},
    {.name = "skip-unknown-queues",
     .help = "leave out submissions in queues that the configuration does not name",
     .kind = COMMAND_OPTION_FLAG},
    {.name = "database", .value = "NAME", .help = "of a dump with several databases", .kind = COMMAND_OPTION_TEXT},
};

const struct command command_import_db = {
    .name = "import-db",
    .operands = "SOURCE",
    .help = "takes over what waits in an original's database, and its users",
    .details = "SOURCE is the original's SQLite file, or a dump of its MySQL or MariaDB database made by mysqldump\n"
               "(- for a dump on standard input). Stop the original and xqueued first. Submissions that wait, keys in\n"
               "graders' hands, results that the LMS did not take yet, and users with their passwords come along, all of\n"
               "it or nothing. The same again changes nothing. See docs/import-db.md.",
    COMMAND_OPTIONS(import_options),
    .operands_min = 1,
    .operands_max = 1,
    .is_offline = true,
    .run = run,
};
