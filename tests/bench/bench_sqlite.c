/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench_sqlite.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/memory.h"
#include "service/store/store.h"

enum { PATH_MAX_BYTES = 4096, RESULT_BYTES = 100 };

static const char callback_url[] = "https://lms.example.org/courses/course-v1:Demo+X+2026/xqueue/123/problem/score_update";
static const char header[] = "{\"lms_callback_url\": \"...\", \"lms_key\": \"0123456789abcdef\"}";

/* One of the two ways to do it. Each step is one operation of a cycle. */
struct contender {
    enum status (*begin)(void *context);
    enum status (*commit)(void *context);
    enum status (*submit)(void *context);
    enum status (*lease)(void *context);
    enum status (*complete)(void *context);
    void *context;
};

static void remove_database(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    for (size_t at = 0; at < sizeof suffixes / sizeof suffixes[0]; at++) {
        char file[PATH_MAX_BYTES + 8];
        snprintf(file, sizeof file, "%s%s", path, suffixes[at]);
        unlink(file);
    }
}

static enum status fill(const struct contender *contender)
{
    enum status status = contender->begin(contender->context);
    for (int at = 0; status == STATUS_OK && at < 2 * BENCH_SQLITE_WINDOW; at++)
        status = contender->submit(contender->context);
    for (int at = 0; status == STATUS_OK && at < BENCH_SQLITE_WINDOW; at++)
        status = contender->lease(contender->context);
    return status == STATUS_OK ? contender->commit(contender->context) : status;
}

/* The operations follow each other in turn, whatever the borders of the transactions. */
static enum status transaction(const struct contender *contender, int64_t first_operation)
{
    enum status (*const steps[])(void *context) = {contender->submit, contender->lease, contender->complete};
    enum status status = contender->begin(contender->context);
    for (int64_t at = 0; status == STATUS_OK && at < BENCH_SQLITE_OPERATIONS; at++)
        status = steps[(first_operation + at) % 3](contender->context);
    return status == STATUS_OK ? contender->commit(contender->context) : status;
}

static enum status measure(const struct contender *contender, double seconds, struct bench_sqlite_result *out)
{
    enum status status = fill(contender);
    int64_t transactions = 0;
    int64_t start_us = clock_monotonic_us();
    int64_t now_us = start_us;
    int64_t end_us = start_us + (int64_t)(seconds * 1e6);
    while (status == STATUS_OK && now_us < end_us) {
        status = transaction(contender, transactions * BENCH_SQLITE_OPERATIONS);
        transactions++;
        now_us = clock_monotonic_us();
    }
    if (status != STATUS_OK)
        return status;
    out->seconds = (double)(now_us - start_us) / 1e6;
    out->cycles = transactions * BENCH_SQLITE_OPERATIONS / 3;
    out->cycles_per_second = (double)out->cycles / out->seconds;
    out->transactions_per_second = (double)transactions / out->seconds;
    return STATUS_OK;
}

/* ---- the least SQL ---- */

enum raw_statement { RAW_BEGIN, RAW_COMMIT, RAW_INSERT, RAW_SELECT, RAW_LEASE, RAW_COMPLETE, RAW_END };

static const char *const raw_sql[RAW_END] = {
    [RAW_BEGIN] = "BEGIN IMMEDIATE",
    [RAW_COMMIT] = "COMMIT",
    [RAW_INSERT] = ("INSERT INTO submission (queue, state, ready_at, arrival, attempts, key, header, body)"
                    " VALUES (1, 0, ?1, ?1, 0, ?2, ?3, ?4)"),
    [RAW_SELECT] = "SELECT id, key, header, body FROM submission WHERE queue = 1 AND state = 0 ORDER BY ready_at, id LIMIT 1",
    [RAW_LEASE] = "UPDATE submission SET state = 1, lease_until = ?2, attempts = attempts + 1 WHERE id = ?1 AND state = 0",
    [RAW_COMPLETE] = "UPDATE submission SET state = 2, lease_until = NULL, done_at = ?2 WHERE id = ?1 AND state = 1",
};

static const char raw_schema[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;"
    "CREATE TABLE submission (id INTEGER PRIMARY KEY, queue INTEGER NOT NULL, state INTEGER NOT NULL,"
    " ready_at INTEGER NOT NULL, arrival INTEGER NOT NULL, lease_until INTEGER, attempts INTEGER NOT NULL, done_at INTEGER,"
    " key TEXT NOT NULL, header BLOB NOT NULL, body BLOB NOT NULL);"
    "CREATE UNIQUE INDEX by_key ON submission (queue, key);"
    "CREATE INDEX ready ON submission (queue, ready_at, id) WHERE state = 0;"
    "CREATE INDEX leased ON submission (lease_until) WHERE state = 1;";

struct raw {
    sqlite3 *db;
    sqlite3_stmt *statements[RAW_END];
    char body[BENCH_SQLITE_BODY_BYTES];
    int64_t submitted;
    int64_t completed; /* ids are given in order, so this is also the last completed one's */
};

static enum status raw_run(struct raw *raw, enum raw_statement statement)
{
    int code = sqlite3_step(raw->statements[statement]);
    int reset_code = sqlite3_reset(raw->statements[statement]);
    return code == SQLITE_DONE && reset_code == SQLITE_OK ? STATUS_OK : STATUS_INTERNAL;
}

static enum status raw_begin(void *context)
{
    return raw_run(context, RAW_BEGIN);
}

static enum status raw_commit(void *context)
{
    return raw_run(context, RAW_COMMIT);
}

static enum status raw_submit(void *context)
{
    struct raw *raw = context;
    sqlite3_stmt *insert = raw->statements[RAW_INSERT];
    char key[33];
    raw->submitted++;
    snprintf(key, sizeof key, "%032lld", (long long)raw->submitted);
    sqlite3_bind_int64(insert, 1, raw->submitted);
    sqlite3_bind_text(insert, 2, key, -1, SQLITE_STATIC);
    sqlite3_bind_blob(insert, 3, header, sizeof header - 1, SQLITE_STATIC);
    sqlite3_bind_blob(insert, 4, raw->body, sizeof raw->body, SQLITE_STATIC);
    return raw_run(raw, RAW_INSERT);
}

static enum status raw_lease(void *context)
{
    struct raw *raw = context;
    sqlite3_stmt *select = raw->statements[RAW_SELECT];
    if (sqlite3_step(select) != SQLITE_ROW)
        return STATUS_INTERNAL;
    int64_t id = sqlite3_column_int64(select, 0);
    bool whole = sqlite3_column_blob(select, 3) && sqlite3_column_bytes(select, 3) == BENCH_SQLITE_BODY_BYTES;
    sqlite3_reset(select);
    sqlite3_bind_int64(raw->statements[RAW_LEASE], 1, id);
    sqlite3_bind_int64(raw->statements[RAW_LEASE], 2, id + 1000000);
    enum status status = raw_run(raw, RAW_LEASE);
    return whole ? status : STATUS_INTERNAL;
}

static enum status raw_complete(void *context)
{
    struct raw *raw = context;
    raw->completed++;
    sqlite3_bind_int64(raw->statements[RAW_COMPLETE], 1, raw->completed);
    sqlite3_bind_int64(raw->statements[RAW_COMPLETE], 2, raw->submitted);
    enum status status = raw_run(raw, RAW_COMPLETE);
    return sqlite3_changes(raw->db) == 1 ? status : STATUS_INTERNAL;
}

static enum status raw_open(struct raw *raw, const char *path)
{
    if (sqlite3_open_v2(path, &raw->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return STATUS_INTERNAL;
    if (sqlite3_exec(raw->db, raw_schema, NULL, NULL, NULL) != SQLITE_OK)
        return STATUS_INTERNAL;
    sqlite3_wal_autocheckpoint(raw->db, BENCH_SQLITE_CHECKPOINT_PAGES);
    for (int at = 0; at < RAW_END; at++) {
        if (sqlite3_prepare_v3(raw->db, raw_sql[at], -1, SQLITE_PREPARE_PERSISTENT, &raw->statements[at], NULL) != SQLITE_OK)
            return STATUS_INTERNAL;
    }
    memset(raw->body, 'b', sizeof raw->body);
    return STATUS_OK;
}

enum status bench_sqlite_run(const char *folder, double seconds, struct bench_sqlite_result *out)
{
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof path, "%s/bench-raw.db", folder);
    remove_database(path);
    struct raw *raw = MEMORY_NEW(struct raw);
    const struct contender contender = {raw_begin, raw_commit, raw_submit, raw_lease, raw_complete, raw};
    enum status status = raw_open(raw, path);
    if (status == STATUS_OK)
        status = measure(&contender, seconds, out);
    for (int at = 0; at < RAW_END; at++)
        sqlite3_finalize(raw->statements[at]);
    sqlite3_close(raw->db);
    memory_free(raw);
    remove_database(path);
    return status;
}

/* ---- our store ---- */

struct stored {
    struct store *store;
    int64_t queue_id;
    int64_t now_ms; /* only grows; what the clock says makes no difference to the disk */
    int64_t first_id;
    int64_t completed;
    struct store_content content;
    char result[RESULT_BYTES];
};

static enum status stored_begin(void *context)
{
    struct stored *stored = context;
    return store_begin(stored->store);
}

static enum status stored_commit(void *context)
{
    struct stored *stored = context;
    enum status status = store_commit(stored->store);
    return status == STATUS_OK ? store_checkpoint(stored->store, BENCH_SQLITE_CHECKPOINT_PAGES) : status;
}

static enum status stored_submit(void *context)
{
    struct stored *stored = context;
    stored->now_ms++;
    struct store_submission row = {
        .queue_id = stored->queue_id,
        .state = SUBMISSION_READY,
        .rank = 1,
        .virtual_ms = stored->now_ms,
        .submitted_at_ms = stored->now_ms,
        .state_at_ms = stored->now_ms,
        .has_destination = true,
    };
    char request_id[33];
    snprintf(request_id, sizeof request_id, "%032lld", (long long)stored->now_ms);
    const struct store_request request = {.submitter = "lms", .request_id = request_id, .fairness_key = "", .cost = 1};
    enum status status = store_insert_submission(stored->store, &row, &stored->content, &request);
    if (stored->first_id == 0)
        stored->first_id = row.id;
    return status;
}

static enum status stored_lease(void *context)
{
    struct stored *stored = context;
    struct store_submission row;
    struct store_content content;
    enum status status = store_next_ready(stored->store, stored->queue_id, 0, &row);
    if (status != STATUS_OK)
        return status;
    row.attempt++;
    row.state_at_ms = stored->now_ms;
    row.leased_at_ms = stored->now_ms;
    row.lease_expires_at_ms = stored->now_ms + 60000;
    row.lease_hard_limit_at_ms = stored->now_ms + 3600000;
    snprintf(row.lease_key, sizeof row.lease_key, "%032lld", (long long)row.id);
    snprintf(row.grader, sizeof row.grader, "grader-1");
    status = store_move_submission(stored->store, &row, SUBMISSION_LEASED);
    if (status == STATUS_OK)
        status = store_read_content(stored->store, row.id, &content);
    if (status == STATUS_OK)
        store_content_finish(&content);
    return status;
}

static enum status stored_complete(void *context)
{
    struct stored *stored = context;
    struct store_submission row;
    enum status status = store_find_submission(stored->store, stored->first_id + stored->completed, &row);
    if (status != STATUS_OK)
        return status;
    stored->completed++;
    const struct store_result result = {
        .body = stored->result,
        .body_length = sizeof stored->result,
        .attempt = row.attempt,
        .generation = 1,
        .grader = "grader-1",
        .completed_at_ms = stored->now_ms,
    };
    row.generation = 1;
    row.state_at_ms = stored->now_ms;
    status = store_move_submission(stored->store, &row, SUBMISSION_GRADED);
    return status == STATUS_OK ? store_save_result(stored->store, row.id, &result) : status;
}

static enum status stored_open(struct stored *stored, const char *path)
{
    struct error error;
    stored->now_ms = INT64_C(1700000000000); // as large as real ones
    stored->content = (struct store_content){
        .header = memory_copy(header, sizeof header - 1),
        .header_length = sizeof header - 1,
        .body = memory_allocate(BENCH_SQLITE_BODY_BYTES),
        .body_length = BENCH_SQLITE_BODY_BYTES,
        .callback_url = memory_copy_text(callback_url),
        .results_channel = memory_copy_text(""),
        .trace_parent = memory_copy_text(""),
        .trace_state = memory_copy_text(""),
    };
    memset(stored->result, 'r', sizeof stored->result);
    enum status status = store_open(path, &stored->store, &error);
    if (status == STATUS_OK)
        status = store_begin(stored->store);
    if (status == STATUS_OK)
        status = store_queue_id(stored->store, "bench", &stored->queue_id);
    return status == STATUS_OK ? store_commit(stored->store) : status;
}

enum status bench_sqlite_run_store(const char *folder, double seconds, struct bench_sqlite_result *out)
{
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof path, "%s/bench-store.db", folder);
    remove_database(path);
    struct stored *stored = MEMORY_NEW(struct stored);
    const struct contender contender = {stored_begin, stored_commit, stored_submit, stored_lease, stored_complete, stored};
    enum status status = stored_open(stored, path);
    if (status == STATUS_OK)
        status = measure(&contender, seconds, out);
    store_close(stored->store);
    store_content_finish(&stored->content);
    memory_free(stored);
    remove_database(path);
    return status;
}
