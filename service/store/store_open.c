/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing: the lock, the file, the settings of the connection, the migrations, the check, the statements.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "service/store/store_internal.h"

enum { DATABASE_MODE = 0600 };

/* What brings the schema to a version from the one before. Forward only; released ones are never changed. */
struct migration {
    int version;
    const char *sql;
};
static const struct migration migrations[] = {
    {1, store_schema_sql},     // all that submissions need
    {2, store_schema_2_sql},   // users, and what waits for a person
    {3, store_schema_3_sql},   // what was imported
    {4, store_schema_4_sql},   // submissions by submitter
    {5, store_schema_5_sql},   // roles for single queues
    {6, store_schema_6_sql},   // which graders a submission took down
    {7, store_schema_7_sql},   // queues that administrators made
    {8, store_schema_8_sql},   // regrading
    {9, store_schema_9_sql},   // labels, and the fair order
    {10, store_schema_10_sql}, // tokens of programs
};

static enum status system_failure(struct error *error, const char *what, const char *path)
{
    return error_set(error, STATUS_DATA_LOSS, "STORAGE_FAILED", "cannot %s %s: %s", what, path, strerror(errno));
}

static enum status store_failure(const struct store *store, enum status status, struct error *error, const char *path)
{
    if (status == STATUS_DATA_LOSS && store->error_code == SQLITE_NOTADB)
        return error_set(error, STATUS_INVALID, "NOT_A_DATABASE", "%s is not a database", path);
    return error_set(error, status, "STORAGE_FAILED", "database %s: %s", path, store->error_text);
}

/* ---- files ---- */

static void folder_of(const char *path, char out[STORE_PATH_MAX])
{
    snprintf(out, STORE_PATH_MAX, "%s", path);
    char *slash = strrchr(out, '/');
    if (!slash)
        snprintf(out, STORE_PATH_MAX, ".");
    else
        slash[slash == out ? 1 : 0] = '\0';
}

/*
 * What root makes in the folder of another user is that user's: the service that runs as him must be able to open it. fd is a
 * file that this call's caller has made, and nobody else before. SQLite does the same with its other files.
 */
static enum status give_to_folder_owner(int fd, const char *path, struct error *error)
{
    char folder[STORE_PATH_MAX];
    struct stat owner;
    folder_of(path, folder);
    if (geteuid() != 0 || stat(folder, &owner) != 0 || owner.st_uid == 0)
        return STATUS_OK;
    // A root without that right (in a container) keeps it, and is who runs the service, too.
    bool is_done = fchown(fd, owner.st_uid, owner.st_gid) == 0 || errno == EPERM;
    return is_done ? STATUS_OK : system_failure(error, "give away", path);
}

static enum status open_lock_file(struct store *store, const char *lock_path, struct error *error)
{
    store->lock_fd = open(lock_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, DATABASE_MODE);
    if (store->lock_fd >= 0)
        return give_to_folder_owner(store->lock_fd, lock_path, error);
    store->lock_fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, DATABASE_MODE);
    return store->lock_fd >= 0 ? STATUS_OK : system_failure(error, "open the lock file", lock_path);
}

/* The lock stays when the process dies in whatever way, no longer: it hangs on the open file. The file itself stays for ever.
 */
static enum status take_lock(struct store *store, const char *path, struct error *error)
{
    char lock_path[STORE_PATH_MAX];
    int length = snprintf(lock_path, sizeof lock_path, "%s.lock", path);
    if (length < 0 || (size_t)length >= sizeof lock_path)
        return error_set(error, STATUS_INVALID, "PATH_TOO_LONG", "the path of the database is too long");
    enum status status = open_lock_file(store, lock_path, error);
    if (status != STATUS_OK)
        return status;
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return STATUS_OK;
    if (errno == EWOULDBLOCK) {
        return error_set(error, STATUS_UNAVAILABLE, "DATABASE_LOCKED", "another process uses the database %s (it holds %s)",
                         path, lock_path);
    }
    return system_failure(error, "lock", lock_path);
}

/* A new file's name is as durable as its bytes only after its folder was synced. */
static enum status sync_folder(const char *path, struct error *error)
{
    char folder[STORE_PATH_MAX];
    folder_of(path, folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return system_failure(error, "open the folder", folder);
    enum status status = fsync(fd) == 0 ? STATUS_OK : system_failure(error, "sync the folder", folder);
    close(fd);
    return status;
}

/*
 * Makes the file before SQLite does, so that nobody else can read it at any moment; SQLite gives its other files the same
 * mode. Called with the lock held: no connection of this process has the file open, whose POSIX locks close would drop.
 */
static enum status create_file(const char *path, struct error *error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, DATABASE_MODE);
    if (fd < 0 && errno == EEXIST)
        return STATUS_OK;
    if (fd < 0)
        return system_failure(error, "create", path);
    enum status status = give_to_folder_owner(fd, path, error);
    close(fd);
    return status == STATUS_OK ? sync_folder(path, error) : status;
}

/* ---- the connection ---- */

static int on_wal_commit(void *context, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    struct store *store = context;
    store->wal_pages = pages;
    return SQLITE_OK;
}

static enum status execute(struct store *store, const char *sql)
{
    return store_classify(store, sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

/* The first column of the first row of sql, as a number and as text. No row: 0 and "". */
static enum status read_one(struct store *store, const char *sql, int64_t *out_number, char *out_text, size_t capacity)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    if (code != SQLITE_OK)
        return store_classify(store, code);
    code = sqlite3_step(statement);
    enum status status = store_classify(store, code);
    const unsigned char *text = code == SQLITE_ROW ? sqlite3_column_text(statement, 0) : NULL;
    if (status == STATUS_OK && out_number)
        *out_number = text ? sqlite3_column_int64(statement, 0) : 0;
    if (status == STATUS_OK && out_text)
        snprintf(out_text, capacity, "%s", text ? (const char *)text : "");
    (void)sqlite3_finalize(statement); // the code of the step again
    return status;
}

static enum status set_up_connection(struct store *store)
{
    char settings[512];
    snprintf(settings, sizeof settings,
             "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;"
             "PRAGMA cache_size = -%d; PRAGMA synchronous = FULL;",
             STORE_CACHE_KIB);
    (void)sqlite3_busy_timeout(store->db, STORE_BUSY_MS);                          // fails only on a connection that is none
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL); // only a second line of defence
    return execute(store, settings);
}

static enum status use_wal(struct store *store)
{
    char mode[16];
    enum status status = read_one(store, "PRAGMA journal_mode = WAL", NULL, mode, sizeof mode);
    if (status != STATUS_OK)
        return status;
    if (strcmp(mode, "wal") != 0)
        return store_damaged(store, "its file system cannot keep a write-ahead log");
    // Checkpoints are ours to time: the hook replaces the automatic ones.
    sqlite3_wal_hook(store->db, on_wal_commit, store);
    return STATUS_OK;
}

/* ---- schema ---- */

static enum status migrate_one(struct store *store, const struct migration *migration)
{
    char version[128];
    snprintf(version, sizeof version, "PRAGMA application_id = %d; PRAGMA user_version = %d;", STORE_APPLICATION_ID,
             migration->version);
    enum status status = execute(store, "BEGIN IMMEDIATE");
    if (status != STATUS_OK)
        return status;
    status = execute(store, migration->sql);
    if (status == STATUS_OK)
        status = execute(store, version);
    if (status == STATUS_OK)
        status = execute(store, "COMMIT");
    // After a failure the connection is closed, which rolls back.
    return status;
}

static enum status migrate(struct store *store, int64_t version)
{
    for (size_t at = 0; at < sizeof migrations / sizeof migrations[0]; at++) {
        if (migrations[at].version <= version)
            continue;
        enum status status = migrate_one(store, &migrations[at]);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status check_owner(int64_t application_id, int64_t version, int64_t object_count, const char *path,
                               struct error *error)
{
    bool is_new = application_id == 0 && version == 0 && object_count == 0;
    if (!is_new && application_id != STORE_APPLICATION_ID)
        return error_set(error, STATUS_INVALID, "NOT_OUR_DATABASE", "%s is a database of another program", path);
    if (version > STORE_SCHEMA_VERSION) {
        return error_set(error, STATUS_INVALID, "SCHEMA_TOO_NEW",
                         "%s has schema version %lld, this program knows versions up to %d: use the newer program", path,
                         (long long)version, STORE_SCHEMA_VERSION);
    }
    return STATUS_OK;
}

/* The first look into the file: is it ours, and how old? */
static enum status read_version(struct store *store, const char *path, int64_t *out_version, struct error *error)
{
    int64_t application_id = 0;
    int64_t version = 0;
    int64_t object_count = 0;
    enum status status = read_one(store, "SELECT count(*) FROM sqlite_schema", &object_count, NULL, 0);
    if (status == STATUS_OK)
        status = read_one(store, "PRAGMA application_id", &application_id, NULL, 0);
    if (status == STATUS_OK)
        status = read_one(store, "PRAGMA user_version", &version, NULL, 0);
    if (status != STATUS_OK)
        return store_failure(store, status, error, path);
    status = check_owner(application_id, version, object_count, path, error);
    if (status == STATUS_OK)
        *out_version = version;
    return status;
}

static enum status check_pages(struct store *store, const char *path)
{
    struct stat file;
    if (stat(path, &file) != 0 || file.st_size >= STORE_CHECKED_BYTES_MAX)
        return STATUS_OK;
    char answer[STORE_ERROR_TEXT_MAX / 2];
    enum status status = read_one(store, "PRAGMA quick_check(1)", NULL, answer, sizeof answer);
    if (status != STATUS_OK || strcmp(answer, "ok") == 0)
        return status;
    return store_damaged(store, answer);
}

static enum status read_identity(struct store *store)
{
    enum status status = store_begin(store);
    if (status != STATUS_OK)
        return status;
    struct query query = query_start(store, STATEMENT_READ_IDENTITY);
    status = query_row(&query);
    if (status == STATUS_OK) {
        query_bytes(&query, store->identity, sizeof store->identity);
        status = query_end(&query);
    }
    store_rollback(store);
    return status == STATUS_NOT_FOUND ? store_damaged(store, "it has lost its identity") : status;
}

static enum status prepare_statements(struct store *store)
{
    for (unsigned at = 0; at < STATEMENT_END; at++) {
        int code = sqlite3_prepare_v3(store->db, store_statement_sql((enum statement)at), -1, SQLITE_PREPARE_PERSISTENT,
                                      &store->statements[at], NULL);
        if (code != SQLITE_OK)
            return store_classify(store, code);
    }
    return STATUS_OK;
}

/* ---- open and close ---- */

static enum status open_connection(struct store *store, const char *path, struct error *error)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(path, &store->db, flags, NULL);
    enum status status = store_classify(store, code);
    if (status == STATUS_OK)
        status = set_up_connection(store);
    return status == STATUS_OK ? STATUS_OK : store_failure(store, status, error, path);
}

static enum status prepare_database(struct store *store, const char *path, int64_t version, struct error *error)
{
    enum status status = use_wal(store);
    if (status == STATUS_OK && version > 0)
        status = check_pages(store, path);
    if (status == STATUS_OK)
        status = migrate(store, version);
    if (status == STATUS_OK)
        status = prepare_statements(store);
    if (status == STATUS_OK)
        status = read_identity(store);
    return status == STATUS_OK ? STATUS_OK : store_failure(store, status, error, path);
}

/* A link and what it leads to are one database and need one lock. NULL: path is no link; else free it. */
static char *follow_link(const char *path)
{
    struct stat file;
    return lstat(path, &file) == 0 && S_ISLNK(file.st_mode) ? realpath(path, NULL) : NULL;
}

static enum status open_path(struct store *store, const char *path, struct error *error)
{
    int64_t version = 0;
    enum status status = take_lock(store, path, error);
    if (status == STATUS_OK)
        status = create_file(path, error);
    if (status == STATUS_OK)
        status = open_connection(store, path, error);
    if (status == STATUS_OK)
        status = read_version(store, path, &version, error);
    if (status == STATUS_OK)
        status = prepare_database(store, path, version, error);
    return status;
}

enum status store_open(const char *path, struct store **out_store, struct error *error)
{
    struct store *store = MEMORY_NEW(struct store);
    store->lock_fd = -1;
    store->wal_pages_bound = STORE_WAL_PAGES_MAX;
    char *target = follow_link(path);
    enum status status = open_path(store, target ? target : path, error);
    free(target);
    if (status != STATUS_OK) {
        store_close(store);
        return status;
    }
    *out_store = store;
    return STATUS_OK;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store_rollback(store);
    for (unsigned at = 0; at < STATEMENT_END; at++)
        (void)sqlite3_finalize(store->statements[at]); // the code of its last step again
    // After a failure the log is evidence, and moving it might make matters worse: the next start reads it.
    if (store->failed && store->db)
        (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
    // Checkpoints; when that fails the log stays and is read at the next start.
    int code = sqlite3_close(store->db);
    assert(code != SQLITE_BUSY);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    memory_free(store);
}
