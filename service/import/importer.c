/* SPDX-License-Identifier: Apache-2.0 */
#include "service/import/importer.h"

#include <errno.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "service/access.h"
#include "service/import/import_plan.h"
#include "service/import/import_users.h"
#include "service/import/import_write.h"
#include "service/import/legacy_source.h"

struct import {
    const struct import_options *options;
    struct legacy_source *source; /* owned */
    struct store *store;          /* owned; NULL: a dry run before there is a database */
    struct import_plan plan;
    struct import_report report;
    int64_t written; /* submissions, in the second reading */
    int64_t users_written;
};

static enum status store_failed(const struct import *import, enum status status, struct error *error)
{
    return error_set(error, status, "STORAGE_FAILED", "database %.100s: %s", import->options->config->service.database,
                     store_error_text(import->store));
}

/* ---- the first reading: deciding ---- */

static enum status plan_submission(void *context, const struct legacy_submission *submission, struct error *error)
{
    struct import *import = context;
    struct import_judgement judgement;
    import_judge(import->options->config, submission, import->options->now_ms, &judgement);
    enum status status = import_plan_add(&import->plan, submission, &judgement, &import->report, error);
    import_judgement_finish(&judgement);
    return status;
}

static enum status plan_user(void *context, const struct legacy_user *user, struct error *error)
{
    struct import *import = context;
    enum import_user_fate fate = IMPORT_USER_TAKEN;
    char name[STORE_USER_MAX];
    enum status status = import_user_judge(import->options->config, import->store, user, &fate);
    if (status != STATUS_OK)
        return store_failed(import, status, error);
    import->report.users[fate]++;
    import_user_name(user, name);
    if (fate == IMPORT_USER_UNUSABLE)
        import_names_add(&import->report.unusable_users, name);
    if (fate == IMPORT_USER_INACTIVE)
        import_names_add(&import->report.inactive_users, name);
    return STATUS_OK;
}

static enum status read_source(struct import *import, const struct legacy_visitor *visitor, struct legacy_rows *rows,
                               struct error *error)
{
    legacy_rows_init(rows, visitor);
    return legacy_source_read(import->source, rows, error);
}

static enum status refuse_unknown_queues(const struct import *import, struct error *error)
{
    const struct import_names *unknown = &import->report.unknown_queues;
    struct text names;
    if (unknown->count == 0 || import->options->skip_unknown_queues)
        return STATUS_OK;
    text_init(&names, ERROR_TEXT_MAX / 2);
    for (size_t at = 0; at < unknown->count; at++)
        text_append_format(&names, "%s%s", at > 0 ? ", " : "", unknown->items[at]);
    bool is_cut = names.failed || unknown->more > 0;
    enum status status = error_set(error, STATUS_INVALID, "UNKNOWN_QUEUE",
                                   "the configuration does not name these queues with submissions: %s%s "
                                   "(--skip-unknown-queues leaves them out)",
                                   names.bytes, is_cut ? ", ..." : "");
    text_finish(&names);
    return status;
}

static enum status check_user_count(const struct import *import, struct error *error)
{
    int64_t count = 0;
    enum status status = import->store ? store_count_users(import->store, &count) : STATUS_OK;
    if (status != STATUS_OK)
        return store_failed(import, status, error);
    if (count + import->report.users[IMPORT_USER_TAKEN] > ACCESS_STORED_USERS_MAX) {
        return error_set(error, STATUS_FULL, "TOO_MANY", "there would be more than %d users in the database",
                         ACCESS_STORED_USERS_MAX);
    }
    return STATUS_OK;
}

static enum status decide(struct import *import, struct error *error)
{
    const struct legacy_visitor visitor = {.on_submission = plan_submission, .on_user = plan_user, .context = import};
    struct legacy_rows rows;
    enum status status = read_source(import, &visitor, &rows, error);
    if (status == STATUS_OK) {
        import->report.last_id = rows.id_max;
        import->report.has_users = rows.has_columns[LEGACY_USERS];
        status = refuse_unknown_queues(import, error);
    }
    if (status == STATUS_OK)
        status = check_user_count(import, error);
    return status == STATUS_OK ? import_plan_settle(&import->plan, import->store, &import->report, error) : status;
}

/* ---- the second reading: writing ---- */

static enum status write_judged(struct import *import, const struct legacy_submission *submission,
                                const struct import_entry *entry, struct error *error)
{
    struct import_judgement judgement;
    import_judge(import->options->config, submission, import->options->now_ms, &judgement);
    enum status status = import_write(import->store, submission, &judgement, entry, import->options->now_ms);
    import_judgement_finish(&judgement);
    import->written++;
    return status == STATUS_OK ? STATUS_OK : store_failed(import, status, error);
}

static enum status write_submission(void *context, const struct legacy_submission *submission, struct error *error)
{
    struct import *import = context;
    const struct import_entry *entry = import_plan_find(&import->plan, submission->id);
    uint8_t digest[SECRET_DIGEST_BYTES];
    if (submission->is_retired || !entry || !import_fate_is_taken(entry->fate))
        return STATUS_OK;
    import_digest(submission, digest);
    if (memcmp(digest, entry->digest, sizeof digest) != 0)
        return error_set(error, STATUS_WRONG_STATE, "SOURCE_CHANGED", "the source changed while it was read");
    return write_judged(import, submission, entry, error);
}

static enum status write_user(void *context, const struct legacy_user *user, struct error *error)
{
    struct import *import = context;
    enum import_user_fate fate = IMPORT_USER_TAKEN;
    enum status status = import_user_judge(import->options->config, import->store, user, &fate);
    if (status == STATUS_OK && fate == IMPORT_USER_TAKEN) {
        status = import_user_write(import->store, user, import->options->now_ms);
        import->users_written++;
    }
    return status == STATUS_OK ? STATUS_OK : store_failed(import, status, error);
}

static int64_t planned_submissions(const struct import *import)
{
    int64_t count = 0;
    for (unsigned fate = 0; fate < IMPORT_FATE_COUNT; fate++)
        count += import_fate_is_taken((enum import_fate)fate) ? import->report.totals[fate] : 0;
    return count;
}

static enum status write_all(struct import *import, struct error *error)
{
    const struct legacy_visitor visitor = {.on_submission = write_submission, .on_user = write_user, .context = import};
    struct legacy_rows rows;
    int64_t last_id = 0;
    enum status status = store_last_id(import->store, &last_id);
    if (status == STATUS_OK)
        status = store_reserve_ids(import->store, import->report.last_id);
    if (status != STATUS_OK)
        return store_failed(import, status, error);
    status = read_source(import, &visitor, &rows, error);
    if (status != STATUS_OK)
        return status;
    if (import->written != planned_submissions(import) || import->users_written != import->report.users[IMPORT_USER_TAKEN])
        return error_set(error, STATUS_WRONG_STATE, "SOURCE_CHANGED", "the source changed while it was read");
    import->report.has_changed = import->written > 0 || import->users_written > 0 || import->report.last_id > last_id;
    return STATUS_OK;
}

/* ---- all of it ---- */

static enum status open_store(struct import *import, struct error *error)
{
    const char *path = import->options->config->service.database;
    if (import->options->dry_run && access(path, F_OK) != 0 && errno == ENOENT)
        return STATUS_OK;
    enum status status = store_open(path, &import->store, error);
    if (status == STATUS_UNAVAILABLE) {
        return error_set(error, status, "DATABASE_LOCKED", "xqueued runs on the database %.100s: stop it first", path);
    }
    return status;
}

static void prepare_report(struct import *import)
{
    const struct config *config = import->options->config;
    import->report.is_dry_run = import->options->dry_run;
    import->report.queues = memory_allocate_array(config->queue_count, sizeof *import->report.queues);
    import->report.queue_count = config->queue_count;
    for (size_t at = 0; at < config->queue_count; at++)
        import->report.queues[at].name = config->queues[at].name;
}

/* Inside the one transaction, which ends with the store unless it was committed. */
static enum status run_in_transaction(struct import *import, struct error *error)
{
    enum status status = decide(import, error);
    if (status != STATUS_OK || import->options->dry_run)
        return status;
    status = write_all(import, error);
    if (status != STATUS_OK)
        return status;
    status = store_commit(import->store);
    return status == STATUS_OK ? STATUS_OK : store_failed(import, status, error);
}

static enum status run_with_store(struct import *import, struct error *error)
{
    enum status status = import->store ? store_begin(import->store) : STATUS_OK;
    if (status != STATUS_OK)
        return store_failed(import, status, error);
    return run_in_transaction(import, error);
}

enum status import_run(const struct import_options *options, struct import_report *out_report, struct error *error)
{
    struct import import = {.options = options};
    char *path = memory_copy_text(options->config->service.database);
    const struct legacy_source_options source = {
        .path = options->source, .spool_folder = dirname(path), .database = options->database};
    enum status status = legacy_source_open(&source, &import.source, error);
    prepare_report(&import);
    if (status == STATUS_OK)
        status = open_store(&import, error);
    if (status == STATUS_OK)
        status = run_with_store(&import, error);
    store_close(import.store);
    legacy_source_close(import.source);
    memory_free(path);
    import_plan_finish(&import.plan);
    if (status != STATUS_OK) {
        import_report_finish(&import.report);
        return status;
    }
    *out_report = import.report;
    return STATUS_OK;
}
