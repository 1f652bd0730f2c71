/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the SQLite store share: the connection, the prepared statements, and the query, a short-lived helper that
 * binds, steps and reads one statement and remembers the first thing that went wrong. Not for anybody outside of service/store.
 *
 * Use of a query: start; bind all parameters in the order of the SQL; then either run (no rows), or row (read all columns in
 * the order of the SQL) until it answers something else than STATUS_OK, or row, reads and end.
 *
 * Threading: as store.h.
 */
#ifndef SERVICE_STORE_STORE_INTERNAL_H
#define SERVICE_STORE_STORE_INTERNAL_H

#include <sqlite3.h>

#include "service/store/store.h"

enum {
    STORE_APPLICATION_ID = 0x58515545, /* "XQUE" */
    STORE_SCHEMA_VERSION = 10,
    STORE_IDENTITY_BYTES = 16,
    STORE_CACHE_KIB = 64 * 1024,
    STORE_BUSY_MS = 1000, /* how long the transaction of somebody else (a shell on the file) may hold us up */
    /* The log never grows beyond this without a checkpoint of our own, however busy we are: about 160 MiB. */
    STORE_WAL_PAGES_MAX = 40000,
    STORE_WAL_PAGES_RETRY = 4000, /* tried again after so many more when a reader from outside held pages back */
    STORE_ERROR_TEXT_MAX = 512,
    STORE_PATH_MAX = 4096,
    STORE_PARTS_MAX = 100000, /* files or labels of one submission, when reading: more is damage */
};
/* Larger databases are not checked at open: it would hold up the start for minutes. */
#define STORE_CHECKED_BYTES_MAX (INT64_C(1) << 30)

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_READ_IDENTITY,
    STATEMENT_FIND_QUEUE,
    STATEMENT_INSERT_QUEUE,
    STATEMENT_COUNT_QUEUE,
    STATEMENT_READ_QUEUE_NAME,
    STATEMENT_VISIT_QUEUES,
    STATEMENT_INSERT_QUEUE_SETTINGS,
    STATEMENT_UPDATE_QUEUE_SETTINGS,
    STATEMENT_DELETE_QUEUE_SETTINGS,
    STATEMENT_SET_QUEUE_GATES,
    STATEMENT_VISIT_QUEUE_SETTINGS,
    STATEMENT_INSERT_SUBMISSION,
    STATEMENT_DELETE_SUBMISSION,
    STATEMENT_FIND_SUBMISSION,
    STATEMENT_NEXT_READY,
    STATEMENT_NEXT_DELAYED,
    STATEMENT_NEXT_EXPIRING,
    STATEMENT_FIND_REPLACEABLE,
    STATEMENT_VISIT_LEASED,
    STATEMENT_VISIT_LABEL_SETS,
    STATEMENT_FIRST_OF_RANK,
    STATEMENT_WALK_ALL,
    STATEMENT_WALK_DELAYED,
    STATEMENT_WALK_READY,
    STATEMENT_WALK_LEASED,
    STATEMENT_WALK_DEAD,
    STATEMENT_WALK_UNGRADABLE,
    STATEMENT_WALK_UNDELIVERABLE,
    STATEMENT_NEXT_SUBMITTED,
    STATEMENT_COUNT_BEFORE,
    STATEMENT_MOVE_SUBMISSION,
    STATEMENT_RENEW_LEASE,
    STATEMENT_HAND_OVER_LEASE,
    STATEMENT_INSERT_CONTENT,
    STATEMENT_READ_CONTENT,
    STATEMENT_FIND_REQUEST,
    STATEMENT_FIND_SUBMITTER,
    STATEMENT_FIND_FAIRNESS_KEY,
    STATEMENT_FILE_IS_NAMED,
    STATEMENT_INSERT_FILE,
    STATEMENT_READ_FILES,
    STATEMENT_INSERT_LABEL,
    STATEMENT_READ_LABELS,
    STATEMENT_FIND_FAIRNESS,
    STATEMENT_SAVE_FAIRNESS,
    STATEMENT_DELETE_OLD_FAIRNESS,
    STATEMENT_SAVE_RESULT,
    STATEMENT_READ_RESULT,
    STATEMENT_READ_RESULT_ROW,
    STATEMENT_INSERT_DELIVERY,
    STATEMENT_FIND_DELIVERY,
    STATEMENT_NEXT_DUE_DELIVERY,
    STATEMENT_NEXT_DUE_DELIVERY_OF_QUEUE,
    STATEMENT_NEXT_DELIVERY_DUE_MS,
    STATEMENT_NEXT_OVERDUE_DELIVERY,
    STATEMENT_FIND_ABANDONED_DELIVERY,
    STATEMENT_NEXT_IN_FLIGHT_DELIVERY,
    STATEMENT_RENEW_DELIVERY,
    STATEMENT_MOVE_DELIVERY,
    STATEMENT_DELETE_DELIVERY,
    STATEMENT_COUNT_DELIVERIES,
    STATEMENT_INSERT_SESSION,
    STATEMENT_DELETE_SESSION,
    STATEMENT_DELETE_EXPIRED_SESSIONS,
    STATEMENT_VISIT_SESSIONS,
    STATEMENT_DELETE_SESSIONS_OF_USER,
    STATEMENT_RENEW_SESSIONS_OF_USER,
    STATEMENT_INSERT_USER,
    STATEMENT_UPDATE_USER,
    STATEMENT_DELETE_USER,
    STATEMENT_FIND_USER,
    STATEMENT_COUNT_USERS,
    STATEMENT_VISIT_USERS,
    STATEMENT_INSERT_REGRADE,
    STATEMENT_DELETE_OLD_REGRADES,
    STATEMENT_FIND_REGRADE,
    STATEMENT_COUNT_REGRADE,
    STATEMENT_INSERT_REGRADED,
    STATEMENT_FIND_REGRADED,
    STATEMENT_DELETE_REGRADED,
    STATEMENT_INSERT_TOKEN,
    STATEMENT_USE_TOKEN,
    STATEMENT_DELETE_TOKEN,
    STATEMENT_DELETE_TOKENS_OF_USER,
    STATEMENT_COUNT_TOKENS,
    STATEMENT_VISIT_TOKENS,
    STATEMENT_READ_LAST_ID,
    STATEMENT_START_LAST_ID,
    STATEMENT_SAVE_LAST_ID,
    STATEMENT_INSERT_IMPORTED_RANGE,
    STATEMENT_FIND_IMPORTED_RANGE,
    STATEMENT_IMPORT_SUBMISSION,
    STATEMENT_INSERT_IMPORTED_SUBMISSION,
    STATEMENT_FIND_IMPORTED_SUBMISSION,
    STATEMENT_INSERT_IMPORTED_USER,
    STATEMENT_FIND_IMPORTED_USER,
    STATEMENT_INSERT_LOST_GRADER,
    STATEMENT_COUNT_LOST_GRADERS,
    STATEMENT_DELETE_LOST_GRADERS,
    STATEMENT_END
};

struct store {
    sqlite3 *db;                             /* owned */
    sqlite3_stmt *statements[STATEMENT_END]; /* owned; prepared at open */
    int lock_fd;                             /* owned; -1 = none */
    bool in_transaction;                     /* between begin and commit or rollback */
    bool failed;                             /* STATUS_DATA_LOSS was answered: nothing more is written */
    int wal_pages;                           /* in the log after the last commit; 0 after a whole checkpoint */
    int wal_pages_bound;                     /* more than these are checkpointed before the next transaction */
    int error_code;                          /* SQLite's, of the last failure */
    uint8_t identity[STORE_IDENTITY_BYTES];
    char error_text[STORE_ERROR_TEXT_MAX];
};

/* schema.sql and schema_N.sql, embedded. */
extern const char store_schema_sql[];
extern const char store_schema_2_sql[];
extern const char store_schema_3_sql[];
extern const char store_schema_4_sql[];
extern const char store_schema_5_sql[];
extern const char store_schema_6_sql[];
extern const char store_schema_7_sql[];
extern const char store_schema_8_sql[];
extern const char store_schema_9_sql[];
extern const char store_schema_10_sql[];

/* The SQL of a statement; static. */
const char *store_statement_sql(enum statement statement);

/*
 * What a result code of SQLite means for the caller; the text is kept for store_error_text. A unique or primary key that is
 * there already: STATUS_EXISTS. SQLITE_BUSY: STATUS_UNAVAILABLE. Aborts the process when memory is gone.
 */
enum status store_classify(struct store *store, int code) STATUS_CHECKED;

/* Remembers that what was read makes no sense. Returns STATUS_DATA_LOSS. */
enum status store_damaged(struct store *store, const char *what) STATUS_CHECKED;

/* The hot row alone, under the id that it has. STATUS_EXISTS: that is taken. */
enum status store_insert_submission_as(struct store *store, const struct store_submission *row) STATUS_CHECKED;

/* Content, request, files and labels of submission id. STATUS_EXISTS: the request id is taken; nothing was inserted. */
enum status store_insert_content(struct store *store, int64_t id, const struct store_content *content,
                                 const struct store_request *request) STATUS_CHECKED;

struct query {
    struct store *store;     /* borrowed */
    sqlite3_stmt *statement; /* borrowed from store */
    int bound;               /* parameters bound so far */
    int read;                /* columns of the row read so far */
    int code;                /* the first failure of a bind, or SQLITE_OK */
    const char *damage;      /* the first thing read that made no sense; NULL = none */
};

/* Asserts that a transaction is open. */
struct query query_start(struct store *store, enum statement statement);

void query_bind_int(struct query *query, int64_t value);
void query_bind_text(struct query *query, const char *text); /* NULL counts as "" */
void query_bind_bytes(struct query *query, const void *data, size_t length);

/* Runs to the end, ignoring rows. *out_changes (may be NULL): rows changed. */
enum status query_run(struct query *query, int64_t *out_changes) STATUS_CHECKED;

/* The same, for what must change a row: otherwise is what is answered when it changed none. */
enum status query_run_on_one(struct query *query, enum status otherwise) STATUS_CHECKED;

/* The next row. STATUS_NOT_FOUND: no more. After anything but STATUS_OK the query has ended. */
enum status query_row(struct query *query) STATUS_CHECKED;

int64_t query_int(struct query *query);
/* Copies into out; longer than capacity - 1 is damage. */
void query_text(struct query *query, char *out, size_t capacity);
/* A copy to be freed with memory_free; never NULL. */
char *query_take_text(struct query *query);
void *query_take_bytes(struct query *query, size_t *out_length);
/* Exactly length bytes; anything else is damage. */
void query_bytes(struct query *query, void *out, size_t length);
/* At most capacity bytes. */
size_t query_short_bytes(struct query *query, void *out, size_t capacity);
/* The text itself, valid until the next row or the end. */
const char *query_borrow_text(struct query *query);

/* Notes that what was read makes no sense. what: static. */
void query_damage(struct query *query, const char *what);

/* The one row of a bound query of the columns of submission. STATUS_NOT_FOUND: none. */
enum status store_read_only_submission(struct query *query, struct store_submission *out_row) STATUS_CHECKED;

/* Ends the query early. STATUS_OK, or STATUS_DATA_LOSS when something read made no sense. */
enum status query_end(struct query *query) STATUS_CHECKED;

#endif
