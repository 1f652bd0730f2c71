/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions, the write-ahead log, the meaning of SQLite's result codes, and the queues' names.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "service/store/store_internal.h"

static void keep_text(struct store *store, int code, int system_error)
{
    int kind = code & 0xff;
    bool is_system = system_error != 0 && (kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN);
    snprintf(store->error_text, sizeof store->error_text, "%s (SQLite %d)%s%s", sqlite3_errmsg(store->db), code,
             is_system ? ": " : "", is_system ? strerror(system_error) : "");
}

/*
 * A write that found no space, whichever way the file system says so: SQLite itself knows only ENOSPC, and only when writing.
 * Not a sync: after a failed sync nobody knows what is on the disk, whatever the reason was.
 */
static bool is_full(int code, int system_error)
{
    if ((code & 0xff) == SQLITE_FULL)
        return true;
    if (code != SQLITE_IOERR_WRITE && code != SQLITE_IOERR_SHMSIZE)
        return false;
    return system_error == ENOSPC || system_error == EDQUOT;
}

static enum status classify_failure(struct store *store, int code, int system_error)
{
    if (is_full(code, system_error))
        return STATUS_FULL;
    if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
        return STATUS_EXISTS;
    switch (code & 0xff) {
    case SQLITE_BUSY:
        return STATUS_UNAVAILABLE;
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
        store->failed = true;
        return STATUS_DATA_LOSS;
    default:
        return STATUS_INTERNAL;
    }
}

enum status store_classify(struct store *store, int code)
{
    // SQLite forgets it when a commit fails, the only one who keeps it then is the C library.
    int system_error = errno;
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
        return STATUS_OK;
    // As everywhere in our programs; a half-done transaction is rolled back by the next start.
    if ((code & 0xff) == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM)
        abort();
    store->error_code = code;
    keep_text(store, code, system_error);
    return classify_failure(store, code, system_error);
}

enum status store_damaged(struct store *store, const char *what)
{
    store->failed = true;
    snprintf(store->error_text, sizeof store->error_text, "the database is damaged: %s", what);
    return STATUS_DATA_LOSS;
}

const char *store_error_text(const struct store *store)
{
    return store->error_text;
}

void store_identity(const struct store *store, uint8_t out[16])
{
    memcpy(out, store->identity, STORE_IDENTITY_BYTES);
}

/* ---- transactions ---- */

static enum status run_plain(struct store *store, enum statement statement)
{
    int code = sqlite3_step(store->statements[statement]);
    enum status status = store_classify(store, code);
    (void)sqlite3_reset(store->statements[statement]); // the code of the step again
    return status;
}

/*
 * Passive: never waits. With no reader from outside it moves everything, and the next commit starts the log anew; a reader (a
 * backup, a shell) holds pages back, and the log grows until it is gone.
 */
static enum status checkpoint(struct store *store)
{
    int log_pages = 0;
    int done_pages = 0;
    int code = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log_pages, &done_pages);
    bool is_held_back = (code & 0xff) == SQLITE_BUSY || (code == SQLITE_OK && done_pages < log_pages);
    if (is_held_back) {
        store->wal_pages_bound = store->wal_pages + STORE_WAL_PAGES_RETRY;
        return STATUS_OK;
    }
    enum status status = store_classify(store, code);
    if (status == STATUS_OK)
        store->wal_pages = 0;
    store->wal_pages_bound = status == STATUS_OK ? STORE_WAL_PAGES_MAX : store->wal_pages + STORE_WAL_PAGES_RETRY;
    return status;
}

enum status store_begin(struct store *store)
{
    assert(!store->in_transaction);
    if (store->failed)
        return STATUS_DATA_LOSS;
    if (store->wal_pages > store->wal_pages_bound) {
        enum status status = checkpoint(store);
        // A full disk is for the commit to tell: what only reads, or fits into the log, still goes.
        if (status != STATUS_OK && status != STATUS_FULL)
            return status;
    }
    enum status status = run_plain(store, STATEMENT_BEGIN);
    store->in_transaction = status == STATUS_OK;
    return status;
}

/* What is written to a file without a name is gone with the process, however well it was synced. */
static void check_file(struct store *store)
{
    int has_moved = 0;
    int code = sqlite3_file_control(store->db, NULL, SQLITE_FCNTL_HAS_MOVED, &has_moved);
    if (code == SQLITE_OK && has_moved) {
        store->failed = true;
        snprintf(store->error_text, sizeof store->error_text, "the database file was deleted, moved or replaced while in use");
    }
}

enum status store_commit(struct store *store)
{
    assert(store->in_transaction);
    check_file(store);
    // What was read or written wrongly inside must not become durable.
    enum status status = store->failed ? STATUS_DATA_LOSS : run_plain(store, STATEMENT_COMMIT);
    if (status != STATUS_OK)
        store_rollback(store);
    store->in_transaction = false;
    return status;
}

void store_rollback(struct store *store)
{
    // SQLite has rolled back by itself after some errors.
    if (store->in_transaction && !sqlite3_get_autocommit(store->db) && run_plain(store, STATEMENT_ROLLBACK) != STATUS_OK)
        store->failed = true;
    store->in_transaction = false;
}

enum status store_checkpoint(struct store *store, int pages_min)
{
    assert(!store->in_transaction);
    if (store->failed)
        return STATUS_DATA_LOSS;
    return store->wal_pages > pages_min ? checkpoint(store) : STATUS_OK;
}

/* ---- queues ---- */

static enum status insert_queue(struct store *store, const char *name, int64_t *out_id)
{
    struct query query = query_start(store, STATEMENT_INSERT_QUEUE);
    query_bind_text(&query, name);
    enum status status = query_run(&query, NULL);
    if (status == STATUS_OK)
        *out_id = sqlite3_last_insert_rowid(store->db);
    return status;
}

enum status store_queue_id(struct store *store, const char *name, int64_t *out_id)
{
    enum status status = store_find_queue(store, name, out_id);
    return status == STATUS_NOT_FOUND ? insert_queue(store, name, out_id) : status;
}

enum status store_count_queue(struct store *store, int64_t queue_id, struct store_queue_counts *out_counts)
{
    struct query query = query_start(store, STATEMENT_COUNT_QUEUE);
    query_bind_int(&query, queue_id);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    out_counts->ready = query_int(&query);
    out_counts->leased = query_int(&query);
    out_counts->delayed = query_int(&query);
    out_counts->dead = query_int(&query);
    return query_end(&query);
}

enum status store_find_queue(struct store *store, const char *name, int64_t *out_id)
{
    struct query query = query_start(store, STATEMENT_FIND_QUEUE);
    query_bind_text(&query, name);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    *out_id = query_int(&query);
    return query_end(&query);
}

enum status store_read_queue_name(struct store *store, int64_t id, char out_name[STORE_NAME_MAX])
{
    struct query query = query_start(store, STATEMENT_READ_QUEUE_NAME);
    query_bind_int(&query, id);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    query_text(&query, out_name, STORE_NAME_MAX);
    return query_end(&query);
}

enum status store_visit_queues(struct store *store, void (*visit)(void *context, int64_t id, const char *name), void *context)
{
    struct query query = query_start(store, STATEMENT_VISIT_QUEUES);
    enum status status = query_row(&query);
    for (; status == STATUS_OK; status = query_row(&query)) {
        char name[STORE_NAME_MAX];
        int64_t id = query_int(&query);
        query_text(&query, name, sizeof name);
        if (!query.damage)
            visit(context, id, name);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status store_first_of_rank(struct store *store, int64_t queue_id, int64_t label_set_id, int64_t rank,
                                int64_t *out_submitted_at_ms)
{
    struct query query = query_start(store, STATEMENT_FIRST_OF_RANK);
    query_bind_int(&query, queue_id);
    query_bind_int(&query, label_set_id);
    query_bind_int(&query, rank);
    enum status status = query_row(&query);
    if (status != STATUS_OK)
        return status;
    *out_submitted_at_ms = query_int(&query);
    return query_end(&query);
}

enum status store_visit_label_sets(struct store *store, int64_t queue_id,
                                   void (*visit)(void *context, const struct store_label_set *set), void *context)
{
    struct query query = query_start(store, STATEMENT_VISIT_LABEL_SETS);
    query_bind_int(&query, queue_id);
    enum status status = query_row(&query);
    for (; status == STATUS_OK; status = query_row(&query)) {
        struct store_label_set set;
        set.id = query_int(&query);
        set.submission_id = query_int(&query);
        set.ready = query_int(&query);
        set.live = query_int(&query);
        visit(context, &set);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
