/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All SQL that runs after opening, in one table. Where a partial index is meant, INDEXED BY names it: preparing fails should a
 * change make the index unusable, instead of a slow walk over all rows.
 */
#include <assert.h>

#include "service/store/store_internal.h"

/* Word for word as in the indexes of live rows, or SQLite does not see that they fit. */
#define IS_LIVE "(state = 'READY' OR state = 'LEASED' OR state = 'DELAYED')"

#define SUBMISSION_NEW_COLUMNS                                                                                        \
    "queue_id, state, rank, virtual_ms, submitted_at_ms, state_at_ms, ready_at_ms, expires_at_ms, attempt, failures," \
    " lease_key, grader, leased_at_ms, lease_expires_at_ms, lease_hard_limit_at_ms, generation, superseded_by_id,"    \
    " has_destination, replace_key, message, label_set_id"
#define SUBMISSION_COLUMNS "id, " SUBMISSION_NEW_COLUMNS

#define DELIVERY_COLUMNS                                                                                                    \
    "submission_id, queue_id, state, outcome, generation, attempt, due_at_ms, state_at_ms, lease_key, lease_expires_at_ms," \
    " channel, courier, instance, replace_key, message"

/* One that no older delivery of the same replace key holds up. */
#define NOT_HELD_UP                                                                               \
    "(replace_key = x'' OR NOT EXISTS (SELECT 1 FROM delivery AS older INDEXED BY delivery_order" \
    " WHERE older.replace_key = delivery.replace_key AND older.replace_key <> x''"                \
    " AND (older.state = 'PENDING' OR older.state = 'IN_FLIGHT') AND older.submission_id < delivery.submission_id))"

/*
 * The id of the first one after a queue and an id in an index of that order: of the same queue, else of the queues after it. In
 * two parts, because of a comparison of both at once SQLite would seek the queue alone.
 */
#define NEXT_IN_QUEUES(table, id, index, state)                                                                           \
    "coalesce((SELECT " id " FROM " table " INDEXED BY " index " WHERE state = '" state "' AND queue_id = ?1"             \
    " AND " id " > ?2 ORDER BY " id " LIMIT 1), (SELECT " id " FROM " table " INDEXED BY " index " WHERE state = '" state \
    "' AND queue_id > ?1 ORDER BY queue_id, " id " LIMIT 1))"
#define WALK_QUEUES(index, state) \
    "SELECT " SUBMISSION_COLUMNS " FROM submission WHERE id = " NEXT_IN_QUEUES("submission", "id", index, state)

static const char *const sql[STATEMENT_END] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",

    [STATEMENT_READ_IDENTITY] = "SELECT bytes FROM identity WHERE one = 1",

    [STATEMENT_FIND_QUEUE] = "SELECT id FROM queue WHERE name = ?1",
    [STATEMENT_INSERT_QUEUE] = "INSERT INTO queue (name) VALUES (?1)",
    [STATEMENT_COUNT_QUEUE] =
        "SELECT (SELECT count(*) FROM submission INDEXED BY submission_ready WHERE queue_id = ?1 AND state = 'READY'),"
        " (SELECT count(*) FROM submission INDEXED BY submission_leased WHERE queue_id = ?1 AND state = 'LEASED'),"
        " (SELECT count(*) FROM submission INDEXED BY submission_delayed WHERE queue_id = ?1 AND state = 'DELAYED'),"
        " (SELECT count(*) FROM submission INDEXED BY submission_dead WHERE queue_id = ?1 AND state = 'DEAD')",
    [STATEMENT_READ_QUEUE_NAME] = "SELECT name FROM queue WHERE id = ?1",
    [STATEMENT_VISIT_QUEUES] = "SELECT id, name FROM queue ORDER BY id",
    [STATEMENT_INSERT_QUEUE_SETTINGS] =
        "INSERT INTO queue_settings (lease_ms, hard_limit_ms, accept_within_ms, attempts_max, poison_graders_max,"
        " retry_delay_ms, retry_delay_ms_max, ready_max, body_bytes_max, submits_per_minute_max, queue_id)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [STATEMENT_UPDATE_QUEUE_SETTINGS] =
        "UPDATE queue_settings SET lease_ms = ?1, hard_limit_ms = ?2, accept_within_ms = ?3, attempts_max = ?4,"
        " poison_graders_max = ?5, retry_delay_ms = ?6, retry_delay_ms_max = ?7, ready_max = ?8, body_bytes_max = ?9,"
        " submits_per_minute_max = ?10 WHERE queue_id = ?11",
    [STATEMENT_DELETE_QUEUE_SETTINGS] = "DELETE FROM queue_settings WHERE queue_id = ?1",
    [STATEMENT_SET_QUEUE_GATES] = "UPDATE queue SET paused = ?1, draining = ?2 WHERE id = ?3",
    [STATEMENT_VISIT_QUEUE_SETTINGS] =
        "SELECT queue.id, name, paused, draining, queue_id IS NOT NULL, coalesce(lease_ms, 0), coalesce(hard_limit_ms, 0),"
        " coalesce(accept_within_ms, 0), coalesce(attempts_max, 0), coalesce(poison_graders_max, 0), coalesce(retry_delay_ms, "
        "0),"
        " coalesce(retry_delay_ms_max, 0), coalesce(ready_max, 0), coalesce(body_bytes_max, 0),"
        " coalesce(submits_per_minute_max, 0)"
        " FROM queue LEFT JOIN queue_settings ON queue_id = queue.id ORDER BY queue.id",

    [STATEMENT_INSERT_SUBMISSION] =
        "INSERT INTO submission (" SUBMISSION_NEW_COLUMNS ")"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
    [STATEMENT_IMPORT_SUBMISSION] =
        "INSERT INTO submission (" SUBMISSION_NEW_COLUMNS ", id)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)",
    [STATEMENT_DELETE_SUBMISSION] = "DELETE FROM submission WHERE id = ?1",
    [STATEMENT_FIND_SUBMISSION] = "SELECT " SUBMISSION_COLUMNS " FROM submission WHERE id = ?1",
    [STATEMENT_NEXT_READY] = "SELECT " SUBMISSION_COLUMNS " FROM submission INDEXED BY submission_ready"
                             " WHERE queue_id = ?1 AND label_set_id = ?2 AND state = 'READY'"
                             " ORDER BY rank, virtual_ms, id LIMIT 1",
    [STATEMENT_COUNT_BEFORE] = "SELECT count(*) FROM (SELECT 1 FROM submission INDEXED BY submission_ready"
                               " WHERE queue_id = ?1 AND label_set_id = ?2 AND state = 'READY'"
                               " AND (rank, virtual_ms, id) < (?3, ?4, ?5) LIMIT ?6)",
    [STATEMENT_NEXT_DELAYED] = "SELECT " SUBMISSION_COLUMNS " FROM submission INDEXED BY submission_delayed"
                               " WHERE state = 'DELAYED' AND ready_at_ms <= ?1 ORDER BY ready_at_ms LIMIT 1",
    [STATEMENT_NEXT_EXPIRING] = "SELECT " SUBMISSION_COLUMNS " FROM submission INDEXED BY submission_expiring"
                                " WHERE expires_at_ms > 0 AND " IS_LIVE " AND expires_at_ms <= ?1"
                                " ORDER BY expires_at_ms, id LIMIT 1",
    [STATEMENT_FIND_REPLACEABLE] = "SELECT " SUBMISSION_COLUMNS " FROM submission INDEXED BY submission_replaceable"
                                   " WHERE replace_key = ?1 AND replace_key <> x'' AND " IS_LIVE " AND id <> ?2"
                                   " ORDER BY id LIMIT 1",
    [STATEMENT_VISIT_LEASED] = "SELECT " SUBMISSION_COLUMNS " FROM submission INDEXED BY submission_leased"
                               " WHERE state = 'LEASED'",
    [STATEMENT_FIRST_OF_RANK] = "SELECT submitted_at_ms FROM submission INDEXED BY submission_ready"
                                " WHERE queue_id = ?1 AND label_set_id = ?2 AND state = 'READY' AND rank = ?3"
                                " ORDER BY virtual_ms, id LIMIT 1",
    [STATEMENT_VISIT_LABEL_SETS] =
        "SELECT label_set_id, min(id), sum(state = 'READY'), count(*) FROM submission INDEXED BY submission_labeled"
        " WHERE queue_id = ?1 AND label_set_id <> 0 AND " IS_LIVE " GROUP BY label_set_id",
    [STATEMENT_WALK_ALL] = "SELECT " SUBMISSION_COLUMNS " FROM submission WHERE id > ?1 ORDER BY id LIMIT 1",
    [STATEMENT_WALK_DELAYED] = "SELECT " SUBMISSION_COLUMNS " FROM submission INDEXED BY submission_delayed"
                               " WHERE state = 'DELAYED' AND (ready_at_ms, queue_id, id) > (?1, ?2, ?3)"
                               " ORDER BY ready_at_ms, queue_id, id LIMIT 1",
    [STATEMENT_WALK_READY] = "SELECT " SUBMISSION_COLUMNS " FROM submission INDEXED BY submission_ready"
                             " WHERE state = 'READY' AND (queue_id, label_set_id, rank, virtual_ms, id) > (?1, ?2, ?3, ?4, ?5)"
                             " ORDER BY queue_id, label_set_id, rank, virtual_ms, id LIMIT 1",
    [STATEMENT_WALK_LEASED] = WALK_QUEUES("submission_leased", "LEASED"),
    [STATEMENT_WALK_DEAD] = WALK_QUEUES("submission_dead", "DEAD"),
    [STATEMENT_WALK_UNGRADABLE] = WALK_QUEUES("submission_ungradable", "UNGRADABLE"),
    [STATEMENT_WALK_UNDELIVERABLE] = "SELECT " SUBMISSION_COLUMNS " FROM submission WHERE id = " NEXT_IN_QUEUES(
        "delivery", "submission_id", "delivery_undeliverable", "UNDELIVERABLE"),
    [STATEMENT_NEXT_SUBMITTED] = "SELECT " SUBMISSION_COLUMNS " FROM submission WHERE id ="
                                 " (SELECT submission_id FROM content INDEXED BY content_submitter"
                                 " WHERE submitter = ?1 AND submission_id < ?2 ORDER BY submission_id DESC LIMIT 1)",
    [STATEMENT_MOVE_SUBMISSION] =
        "UPDATE submission SET state = ?1, rank = ?2, virtual_ms = ?3, state_at_ms = ?4, ready_at_ms = ?5, expires_at_ms = ?6,"
        " attempt = ?7, failures = ?8, lease_key = ?9, grader = ?10, leased_at_ms = ?11, lease_expires_at_ms = ?12,"
        " lease_hard_limit_at_ms = ?13, generation = ?14, superseded_by_id = ?15, message = ?16"
        " WHERE id = ?17 AND state = ?18",
    [STATEMENT_RENEW_LEASE] =
        "UPDATE submission SET lease_expires_at_ms = ?1 WHERE id = ?2 AND state = 'LEASED' AND lease_key = ?3",
    [STATEMENT_HAND_OVER_LEASE] = "UPDATE submission SET grader = ?1 WHERE id = ?2 AND state = 'LEASED' AND lease_key = ?3",

    [STATEMENT_INSERT_CONTENT] =
        "INSERT INTO content (submission_id, submitter, request_id, request_digest, fairness_key, cost, file_count,"
        " label_count, results_channel, trace_parent, trace_state, callback_url, header, body)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    [STATEMENT_READ_CONTENT] = "SELECT file_count, label_count, results_channel, trace_parent, trace_state, callback_url,"
                               " header, body FROM content WHERE submission_id = ?1",
    [STATEMENT_FIND_REQUEST] = "SELECT submission_id, request_digest FROM content INDEXED BY content_request"
                               " WHERE submitter = ?1 AND request_id = ?2 AND request_id <> ''",
    [STATEMENT_FIND_SUBMITTER] = "SELECT submitter FROM content WHERE submission_id = ?1",
    [STATEMENT_FIND_FAIRNESS_KEY] = "SELECT fairness_key FROM content WHERE submission_id = ?1",
    [STATEMENT_FILE_IS_NAMED] = "SELECT 1 FROM file INDEXED BY file_named WHERE file_id = ?1 AND file_id <> '' LIMIT 1",
    [STATEMENT_INSERT_FILE] = "INSERT INTO file (submission_id, position, name, url, file_id, filename, size_bytes, sha256)"
                              " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [STATEMENT_READ_FILES] = "SELECT name, url, file_id, filename, size_bytes, sha256 FROM file WHERE submission_id = ?1"
                             " ORDER BY position",
    [STATEMENT_INSERT_LABEL] = "INSERT INTO label (submission_id, position, name, value) VALUES (?1, ?2, ?3, ?4)",
    [STATEMENT_READ_LABELS] = "SELECT name, value FROM label WHERE submission_id = ?1 ORDER BY position",

    [STATEMENT_FIND_FAIRNESS] = "SELECT free_at_ms FROM fairness WHERE queue_id = ?1 AND key = ?2",
    [STATEMENT_SAVE_FAIRNESS] = "INSERT INTO fairness (queue_id, key, free_at_ms) VALUES (?1, ?2, ?3)"
                                " ON CONFLICT (queue_id, key) DO UPDATE SET free_at_ms = excluded.free_at_ms",
    [STATEMENT_DELETE_OLD_FAIRNESS] =
        "DELETE FROM fairness WHERE (queue_id, key) IN (SELECT queue_id, key FROM fairness INDEXED BY fairness_free"
        " WHERE free_at_ms <= ?1 ORDER BY free_at_ms LIMIT ?2)",

    [STATEMENT_SAVE_RESULT] =
        "INSERT INTO result (submission_id, attempt, generation, completed_at_ms, grader, digest, body)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (submission_id) DO UPDATE SET attempt = excluded.attempt,"
        " generation = excluded.generation, completed_at_ms = excluded.completed_at_ms, grader = excluded.grader,"
        " digest = excluded.digest, body = excluded.body",
    [STATEMENT_READ_RESULT] =
        "SELECT attempt, generation, completed_at_ms, grader, digest, body FROM result WHERE submission_id = ?1",
    [STATEMENT_READ_RESULT_ROW] =
        "SELECT attempt, generation, completed_at_ms, grader, digest FROM result WHERE submission_id = ?1",

    [STATEMENT_INSERT_DELIVERY] = "INSERT INTO delivery (" DELIVERY_COLUMNS ")"
                                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    [STATEMENT_FIND_DELIVERY] = "SELECT " DELIVERY_COLUMNS " FROM delivery WHERE submission_id = ?1",
    [STATEMENT_NEXT_DUE_DELIVERY] = "SELECT " DELIVERY_COLUMNS " FROM delivery INDEXED BY delivery_pending"
                                    " WHERE state = 'PENDING' AND channel = ?1 AND due_at_ms <= ?2 AND " NOT_HELD_UP
                                    " ORDER BY due_at_ms, submission_id LIMIT 1",
    [STATEMENT_NEXT_DUE_DELIVERY_OF_QUEUE] =
        "SELECT " DELIVERY_COLUMNS " FROM delivery INDEXED BY delivery_pending_queue"
        " WHERE state = 'PENDING' AND queue_id = ?3 AND channel = ?1 AND due_at_ms <= ?2 AND " NOT_HELD_UP
        " ORDER BY due_at_ms, submission_id LIMIT 1",
    [STATEMENT_NEXT_DELIVERY_DUE_MS] = "SELECT due_at_ms FROM delivery INDEXED BY delivery_due"
                                       " WHERE state = 'PENDING' AND due_at_ms > ?1 ORDER BY due_at_ms LIMIT 1",
    [STATEMENT_NEXT_OVERDUE_DELIVERY] = "SELECT " DELIVERY_COLUMNS " FROM delivery INDEXED BY delivery_in_flight"
                                        " WHERE state = 'IN_FLIGHT' AND lease_expires_at_ms <= ?1"
                                        " ORDER BY lease_expires_at_ms, submission_id LIMIT 1",
    // Two ranges instead of <>, so that the many of the courier's own instance are not walked over.
    [STATEMENT_FIND_ABANDONED_DELIVERY] = "SELECT " DELIVERY_COLUMNS " FROM delivery WHERE submission_id = coalesce("
                                          "(SELECT submission_id FROM delivery INDEXED BY delivery_courier"
                                          " WHERE state = 'IN_FLIGHT' AND courier = ?1 AND instance < ?2 LIMIT 1),"
                                          "(SELECT submission_id FROM delivery INDEXED BY delivery_courier"
                                          " WHERE state = 'IN_FLIGHT' AND courier = ?1 AND instance > ?2 LIMIT 1))",
    [STATEMENT_NEXT_IN_FLIGHT_DELIVERY] = "SELECT " DELIVERY_COLUMNS " FROM delivery INDEXED BY delivery_courier"
                                          " WHERE state = 'IN_FLIGHT' AND courier = ?1 AND instance = ?2 AND channel = ?3"
                                          " AND submission_id > ?4 ORDER BY submission_id LIMIT 1",
    [STATEMENT_RENEW_DELIVERY] =
        "UPDATE delivery SET lease_expires_at_ms = ?1 WHERE submission_id = ?2 AND state = 'IN_FLIGHT' AND lease_key = ?3",
    [STATEMENT_MOVE_DELIVERY] =
        "UPDATE delivery SET state = ?1, outcome = ?2, generation = ?3, attempt = ?4, due_at_ms = ?5, state_at_ms = ?6,"
        " lease_key = ?7, lease_expires_at_ms = ?8, courier = ?9, instance = ?10, replace_key = ?11, message = ?12"
        " WHERE submission_id = ?13 AND state = ?14",
    [STATEMENT_DELETE_DELIVERY] = "DELETE FROM delivery WHERE submission_id = ?1",
    [STATEMENT_COUNT_DELIVERIES] =
        "SELECT (SELECT count(*) FROM delivery INDEXED BY delivery_due WHERE state = 'PENDING'),"
        " (SELECT count(*) FROM delivery INDEXED BY delivery_in_flight WHERE state = 'IN_FLIGHT'),"
        " (SELECT count(*) FROM delivery INDEXED BY delivery_undeliverable WHERE state = 'UNDELIVERABLE')",

    [STATEMENT_INSERT_SESSION] = "INSERT INTO login_session (token_digest, credential_digest, user, expires_at_ms)"
                                 " VALUES (?1, ?2, ?3, ?4)",
    [STATEMENT_DELETE_SESSION] = "DELETE FROM login_session WHERE token_digest = ?1",
    [STATEMENT_DELETE_EXPIRED_SESSIONS] = "DELETE FROM login_session WHERE expires_at_ms <= ?1",
    [STATEMENT_VISIT_SESSIONS] = "SELECT token_digest, credential_digest, user, expires_at_ms FROM login_session"
                                 " ORDER BY expires_at_ms",
    [STATEMENT_DELETE_SESSIONS_OF_USER] = "DELETE FROM login_session INDEXED BY login_session_user WHERE user = ?1",
    [STATEMENT_RENEW_SESSIONS_OF_USER] =
        "UPDATE login_session INDEXED BY login_session_user SET credential_digest = ?1 WHERE user = ?2",

    [STATEMENT_INSERT_USER] = "INSERT INTO user (name, password_hash, roles, queue_roles, created_at_ms)"
                              " VALUES (?1, ?2, ?3, ?4, ?5)",
    [STATEMENT_UPDATE_USER] = "UPDATE user SET password_hash = ?1, roles = ?2, queue_roles = ?3 WHERE name = ?4",
    [STATEMENT_DELETE_USER] = "DELETE FROM user WHERE name = ?1",
    [STATEMENT_FIND_USER] = "SELECT name, password_hash, roles, queue_roles, created_at_ms FROM user WHERE name = ?1",
    [STATEMENT_COUNT_USERS] = "SELECT count(*) FROM user",
    [STATEMENT_VISIT_USERS] = "SELECT name, password_hash, roles, queue_roles, created_at_ms FROM user ORDER BY name",

    [STATEMENT_INSERT_REGRADE] = "INSERT INTO regrade (begun_at_ms, total, graded, failed) VALUES (?1, 0, 0, 0)",
    [STATEMENT_DELETE_OLD_REGRADES] = "DELETE FROM regrade WHERE id <= ?1 AND graded + failed = total",
    [STATEMENT_FIND_REGRADE] = "SELECT total, graded, failed FROM regrade WHERE id = ?1",
    [STATEMENT_COUNT_REGRADE] =
        "UPDATE regrade SET total = total + ?1, graded = graded + ?2, failed = failed + ?3 WHERE id = ?4",
    [STATEMENT_INSERT_REGRADED] = "INSERT INTO regraded (submission_id, regrade_id) VALUES (?1, ?2)",
    [STATEMENT_FIND_REGRADED] = "SELECT regrade_id FROM regraded WHERE submission_id = ?1",
    [STATEMENT_DELETE_REGRADED] = "DELETE FROM regraded WHERE submission_id = ?1",
    [STATEMENT_INSERT_TOKEN] = "INSERT INTO token (id, digest, user, label, roles, queue_roles, created_at_ms, expires_at_ms,"
                               " used_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [STATEMENT_USE_TOKEN] = "UPDATE token SET used_at_ms = ?1 WHERE id = ?2",
    [STATEMENT_DELETE_TOKEN] = "DELETE FROM token WHERE id = ?1",
    [STATEMENT_DELETE_TOKENS_OF_USER] = "DELETE FROM token INDEXED BY token_user WHERE user = ?1",
    [STATEMENT_COUNT_TOKENS] = "SELECT count(*) FROM token INDEXED BY token_user WHERE user = ?1",
    [STATEMENT_VISIT_TOKENS] = "SELECT id, digest, user, label, roles, queue_roles, created_at_ms, expires_at_ms, used_at_ms"
                               " FROM token ORDER BY id",

    [STATEMENT_READ_LAST_ID] = "SELECT seq FROM sqlite_sequence WHERE name = 'submission'",
    [STATEMENT_START_LAST_ID] = "INSERT INTO sqlite_sequence (name, seq) SELECT 'submission', 0"
                                " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'submission')",
    [STATEMENT_SAVE_LAST_ID] = "UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'submission'",
    [STATEMENT_INSERT_IMPORTED_RANGE] = "INSERT INTO imported_range (first_id, last_id) VALUES (?1, ?2)",
    // Ranges do not overlap, so only the last one that begins before can hold it.
    [STATEMENT_FIND_IMPORTED_RANGE] = "SELECT first_id FROM imported_range WHERE last_id >= ?1"
                                      " AND first_id = (SELECT max(first_id) FROM imported_range WHERE first_id <= ?1)",
    [STATEMENT_INSERT_IMPORTED_SUBMISSION] = "INSERT INTO imported_submission (id, digest) VALUES (?1, ?2)",
    [STATEMENT_FIND_IMPORTED_SUBMISSION] = "SELECT digest FROM imported_submission WHERE id = ?1",
    [STATEMENT_INSERT_LOST_GRADER] = "INSERT OR IGNORE INTO lost_grader (submission_id, grader) VALUES (?1, ?2)",
    [STATEMENT_COUNT_LOST_GRADERS] = "SELECT count(*) FROM lost_grader WHERE submission_id = ?1",
    [STATEMENT_DELETE_LOST_GRADERS] = "DELETE FROM lost_grader WHERE submission_id = ?1",
    [STATEMENT_INSERT_IMPORTED_USER] = "INSERT INTO imported_user (name) VALUES (?1)",
    [STATEMENT_FIND_IMPORTED_USER] = "SELECT name FROM imported_user WHERE name = ?1",
};

const char *store_statement_sql(enum statement statement)
{
    assert((unsigned)statement < STATEMENT_END);
    return sql[statement];
}
