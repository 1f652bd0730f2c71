/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the queue keeps on disk: a narrow interface of named operations inside transactions. The embedded implementation is
 * SQLite (WAL, synchronous=FULL): what store_commit answered OK survives kill -9 and a power cut.
 *
 * Statuses of every operation: STATUS_OK; what is named at the operation; STATUS_FULL (the disk is full: roll back, nothing
 * of the transaction is kept, trying later may succeed); STATUS_DATA_LOSS (an I/O or corruption error: the process must say so
 * and stop; text from store_error_text). Asserts that operations run inside a transaction.
 *
 * Text and bytes in arguments are borrowed during the call. Records hold their short texts inline; contents are owned by the
 * caller.
 *
 * Threading: one thread at a time (the engine's).
 */
#ifndef SERVICE_STORE_STORE_H
#define SERVICE_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/status.h"
#include "service/rules/delivery.h"
#include "service/rules/labels.h"
#include "service/rules/lease.h"
#include "service/rules/rights.h"
#include "service/rules/submission.h"

enum {
    STORE_NAME_MAX = 129, /* queue, grader, courier names and a NUL */
    STORE_USER_MAX = 151,
    STORE_MESSAGE_MAX = 1025, /* a message for people and a NUL */
    STORE_REPLACE_KEY_MAX = 64,
    STORE_REQUEST_ID_MAX = 129,
};

struct store;

struct store_bytes {
    const void *data; /* NULL when length is 0 */
    size_t length;
};

/* ---- open, transactions ---- */

/*
 * Opens or creates the database at path, takes the exclusive lock beside it ("PATH.lock", flock), migrates the schema forward.
 * A symbolic link is followed first, so that it shares the lock of its target; hard links to a database are not supported.
 * What root makes in the folder of another user belongs to that user.
 * STATUS_UNAVAILABLE: another process has the database; STATUS_INVALID: newer schema than this program, or not a database;
 * STATUS_DATA_LOSS: damaged (quick check, up to 1 GiB) or unreadable; STATUS_FULL: no space to make or migrate it. Text in
 * error.
 */
enum status store_open(const char *path, struct store **out_store, struct error *error) STATUS_CHECKED;
void store_close(struct store *store); /* checkpoints and closes; rolls back an open transaction. NULL is fine */

/*
 * STATUS_UNAVAILABLE: another program (a shell on the file) is in a transaction of its own for more than a second. After any
 * STATUS_DATA_LOSS only that is answered, and nothing more is written. Checkpoints first when the log has grown too much.
 */
enum status store_begin(struct store *store) STATUS_CHECKED;
/* STATUS_OK: durable. Otherwise the transaction is over and rolled back. STATUS_DATA_LOSS also when the file lost its name. */
enum status store_commit(struct store *store) STATUS_CHECKED;
void store_rollback(struct store *store); /* outside of a transaction nothing happens */
/* The text of the last STATUS_DATA_LOSS or STATUS_FULL. Borrowed until the next call. */
const char *store_error_text(const struct store *store);

/*
 * Moves the write-ahead log into the database when it has grown beyond pages_min pages. Call outside transactions, when idle
 * with a small pages_min and under load with a large one: it costs syncs. STATUS_OK also when there was nothing to do.
 */
enum status store_checkpoint(struct store *store, int pages_min) STATUS_CHECKED;

/* ---- queues ---- */

/* The id of the queue named name, made when there is none. */
enum status store_queue_id(struct store *store, const char *name, int64_t *out_id) STATUS_CHECKED;

/* The same without making one. STATUS_NOT_FOUND. */
enum status store_find_queue(struct store *store, const char *name, int64_t *out_id) STATUS_CHECKED;
enum status store_read_queue_name(struct store *store, int64_t id, char out_name[STORE_NAME_MAX]) STATUS_CHECKED;
/* Calls visit for each queue that ever was, oldest first. visit must not call the store. */
enum status store_visit_queues(struct store *store, void (*visit)(void *context, int64_t id, const char *name),
                               void *context) STATUS_CHECKED;

struct store_queue_counts {
    int64_t ready;
    int64_t leased;
    int64_t delayed;
    int64_t dead;
};
/* Counts by walking the partial indexes: for start-up and after a rollback. */
enum status store_count_queue(struct store *store, int64_t queue_id, struct store_queue_counts *out_counts) STATUS_CHECKED;

/* The settings of a queue that an administrator made. */
struct store_queue_settings {
    int64_t lease_ms;
    int64_t hard_limit_ms;
    int64_t accept_within_ms;
    int64_t attempts_max;
    int64_t poison_graders_max;
    int64_t retry_delay_ms;
    int64_t retry_delay_ms_max;
    int64_t ready_max;
    int64_t body_bytes_max;
    int64_t submits_per_minute_max;
};
struct store_queue {
    int64_t id;
    char name[STORE_NAME_MAX];
    bool paused;
    bool draining;
    bool has_settings; /* made by an administrator */
    struct store_queue_settings settings;
};
/* STATUS_EXISTS: the queue has some. */
enum status store_insert_queue_settings(struct store *store, int64_t queue_id,
                                        const struct store_queue_settings *settings) STATUS_CHECKED;
enum status store_update_queue_settings(struct store *store, int64_t queue_id,
                                        const struct store_queue_settings *settings) STATUS_CHECKED; /* or STATUS_NOT_FOUND */
enum status store_delete_queue_settings(struct store *store, int64_t queue_id) STATUS_CHECKED;       /* or STATUS_NOT_FOUND */
/* Of any queue that ever was. STATUS_NOT_FOUND. */
enum status store_set_queue_gates(struct store *store, int64_t queue_id, bool paused, bool draining) STATUS_CHECKED;
/* Calls visit for each queue that ever was, oldest first. visit must not call the store. */
enum status store_visit_queue_settings(struct store *store, void (*visit)(void *context, const struct store_queue *queue),
                                       void *context) STATUS_CHECKED;

/* When the first READY one of that set of labels and that rank in the ready order was submitted. STATUS_NOT_FOUND: none. */
enum status store_first_of_rank(struct store *store, int64_t queue_id, int64_t label_set_id, int64_t rank,
                                int64_t *out_submitted_at_ms) STATUS_CHECKED;

/* A set of labels that live submissions of a queue ask for. */
struct store_label_set {
    int64_t id;            /* never 0 */
    int64_t submission_id; /* one of those that ask for it */
    int64_t ready;         /* of them are READY */
    int64_t live;          /* of them are READY, LEASED or DELAYED; at least 1 */
};
/* Calls visit for each of the queue: for start-up and after a rollback. visit must not call the store. */
enum status store_visit_label_sets(struct store *store, int64_t queue_id,
                                   void (*visit)(void *context, const struct store_label_set *set),
                                   void *context) STATUS_CHECKED;

/* ---- submissions ---- */

struct store_file {
    char *name; /* owned by the content that it belongs to */
    char *url;
    char *file_id;
    char *filename;
    uint64_t size_bytes;
    uint8_t sha256[SECRET_DIGEST_BYTES];
    bool has_sha256;
};

/* What was handed in: everything that no rule looks at. */
struct store_content {
    void *header; /* owned */
    size_t header_length;
    void *body; /* owned */
    size_t body_length;
    char *callback_url; /* never NULL; "" = none */
    char *results_channel;
    char *trace_parent;
    char *trace_state;
    struct store_file *files;
    size_t file_count;
    struct labels labels; /* owned */
};
void store_content_finish(struct store_content *content);       /* frees what it holds; zeroed is fine */
size_t store_content_size(const struct store_content *content); /* bytes of all that a grader is handed of it */

/* The hot row. Mutable fields are saved by store_move_submission; those marked (fixed) are written once at insert. */
struct store_submission {
    int64_t id;       /* (fixed) given by insert */
    int64_t queue_id; /* (fixed) */
    enum submission_state state;
    int64_t rank;            /* order_rank of the priority */
    int64_t virtual_ms;      /* place within the rank */
    int64_t submitted_at_ms; /* (fixed) */
    int64_t state_at_ms;
    int64_t ready_at_ms;                  /* DELAYED: when it becomes READY */
    int64_t expires_at_ms;                /* as a whole; 0 = never */
    int64_t attempt;                      /* leases so far: the fence */
    int64_t failures;                     /* counted failures so far */
    char lease_key[LEASE_KEY_LENGTH + 1]; /* of the newest lease, also when it is over; "" = never leased */
    char grader[STORE_NAME_MAX];          /* of the newest lease */
    int64_t leased_at_ms;
    int64_t lease_expires_at_ms;
    int64_t lease_hard_limit_at_ms;
    int64_t generation;                         /* results so far */
    int64_t superseded_by_id;                   /* 0 = not */
    bool has_destination;                       /* (fixed) a callback URL or a results channel */
    uint8_t replace_key[STORE_REPLACE_KEY_MAX]; /* (fixed) */
    size_t replace_key_length;                  /* 0 = none */
    char message[STORE_MESSAGE_MAX];            /* the last failure, for people */
    int64_t label_set_id;                       /* (fixed) names the labels that it asks for, see labels_set_id; 0 = none */
};

/* Things of a new submission beside the row and the content. */
struct store_request {
    const char *submitter;               /* user name */
    const char *request_id;              /* "" = none */
    uint8_t digest[SECRET_DIGEST_BYTES]; /* of the whole request, to tell repetition from reuse */
    const char *fairness_key;            /* "" = none */
    int64_t cost;
};

/*
 * Inserts row (state READY or DELAYED), content and request; row->id is set. content is borrowed. STATUS_EXISTS: that submitter
 * has used the request id; nothing was inserted, and the transaction can go on.
 */
enum status store_insert_submission(struct store *store, struct store_submission *row, const struct store_content *content,
                                    const struct store_request *request) STATUS_CHECKED;

/* STATUS_NOT_FOUND: none with that request id of that submitter. */
enum status store_find_request(struct store *store, const char *submitter, const char *request_id, int64_t *out_id,
                               uint8_t out_digest[SECRET_DIGEST_BYTES]) STATUS_CHECKED;

/* STATUS_NOT_FOUND: no such submission. */
enum status store_find_submission(struct store *store, int64_t id, struct store_submission *out_row) STATUS_CHECKED;

/* The name of the user who submitted it. STATUS_NOT_FOUND. */
enum status store_find_submitter(struct store *store, int64_t id, char out_user[STORE_USER_MAX]) STATUS_CHECKED;

enum status store_find_fairness_key(struct store *store, int64_t id, char out_key[STORE_NAME_MAX]) STATUS_CHECKED;

/* Does any submission name this file? STATUS_NOT_FOUND: none. Asserts that file_id is not empty. */
enum status store_file_is_named(struct store *store, const char *file_id) STATUS_CHECKED;

/* Deletes the submission and all that belongs to it. OK when there is none. */
enum status store_delete_submission(struct store *store, int64_t id) STATUS_CHECKED;

/* Which submissions a walk comes by, and in which order. */
enum store_walk {
    STORE_WALK_ALL = 1,       /* by id */
    STORE_WALK_DELAYED,       /* by the time when they become READY */
    STORE_WALK_READY,         /* this and the following: queue after queue; one set of labels after the other, in ready order */
    STORE_WALK_LEASED,        /* by id */
    STORE_WALK_DEAD,          /* by id */
    STORE_WALK_UNGRADABLE,    /* by id */
    STORE_WALK_UNDELIVERABLE, /* by id */
    STORE_WALK_END
};
enum { STORE_PLACE_KEYS = 5 };
/* Where a walk is. Keys that the walk does not use are INT64_MIN. */
struct store_place {
    int64_t keys[STORE_PLACE_KEYS];
};
struct store_place store_walk_start(void);
/*
 * The first submission after *place, which becomes its own. queue_id 0 = all; otherwise walks that go queue after queue come by
 * that one only (the others by all). STATUS_NOT_FOUND: the walk is over.
 */
enum status store_walk_next(struct store *store, enum store_walk walk, int64_t queue_id, struct store_place *place,
                            struct store_submission *out_row) STATUS_CHECKED;

/* The newest of the submitter's with an id below before_id. STATUS_NOT_FOUND: none. */
enum status store_next_submitted(struct store *store, const char *submitter, int64_t before_id,
                                 struct store_submission *out_row) STATUS_CHECKED;

/* The first READY one of the queue with that set of labels in the ready order. STATUS_NOT_FOUND: none. */
enum status store_next_ready(struct store *store, int64_t queue_id, int64_t label_set_id,
                             struct store_submission *out_row) STATUS_CHECKED;

/* How many READY ones of its queue with that set of labels come before row in the ready order; counted up to max. */
enum status store_count_before(struct store *store, const struct store_submission *row, int64_t label_set_id, int64_t max,
                               int64_t *out_count) STATUS_CHECKED;

/* The DELAYED one that is due first, and not after due_ms. STATUS_NOT_FOUND: none. INT64_MAX: whichever is first. */
enum status store_next_delayed(struct store *store, int64_t due_ms, struct store_submission *out_row) STATUS_CHECKED;

/* The live one that expires as a whole first, and not after due_ms. STATUS_NOT_FOUND: none. */
enum status store_next_expiring(struct store *store, int64_t due_ms, struct store_submission *out_row) STATUS_CHECKED;

/* A live one with that replace key and an id other than not_id. STATUS_NOT_FOUND: none. */
enum status store_find_replaceable(struct store *store, const uint8_t *replace_key, size_t length, int64_t not_id,
                                   struct store_submission *out_row) STATUS_CHECKED;

/*
 * The one place where a state changes: row->state becomes to, and every mutable field of row is saved. Asserts that the move is
 * legal. STATUS_WRONG_STATE: the stored state is not row->state (somebody else was first); nothing was changed.
 */
enum status store_move_submission(struct store *store, struct store_submission *row, enum submission_state to) STATUS_CHECKED;

/* Pushes the stored expiry of a LEASED submission. STATUS_STALE: lease_key is not its newest, or it is not LEASED. */
enum status store_renew_lease(struct store *store, int64_t id, const char *lease_key, int64_t expires_at_ms) STATUS_CHECKED;

/*
 * Remembers that a lease of grader ended because nobody heard of it any more; the same grader again is no news. *out_count: how
 * many different ones were lost on the submission. They go with it, or by the second call.
 */
enum status store_note_lost_grader(struct store *store, int64_t submission_id, const char *grader,
                                   int64_t *out_count) STATUS_CHECKED;
enum status store_forget_lost_graders(struct store *store, int64_t submission_id) STATUS_CHECKED; /* OK when there are none */

/* The lease is another grader's now. STATUS_STALE as above. */
enum status store_hand_over_lease(struct store *store, int64_t id, const char *lease_key, const char *grader) STATUS_CHECKED;

/* Calls visit for each LEASED submission; for start-up. visit must not call the store. */
enum status store_visit_leased(struct store *store, void (*visit)(void *context, const struct store_submission *row),
                               void *context) STATUS_CHECKED;

/* Reads the content; *out_content is the caller's (store_content_finish). STATUS_NOT_FOUND. */
enum status store_read_content(struct store *store, int64_t id, struct store_content *out_content) STATUS_CHECKED;

/* Only the labels, which may be none; *out_labels is the caller's (labels_finish). */
enum status store_read_labels(struct store *store, int64_t id, struct labels *out_labels) STATUS_CHECKED;

/* ---- fairness ---- */

/* Until when the fair order counts what was handed in to the queue under key; STATUS_NOT_FOUND: it counts nothing. */
enum status store_find_fairness(struct store *store, int64_t queue_id, const char *key, int64_t *out_free_at_ms) STATUS_CHECKED;
/* Sets it, and forgets a few others (of any queue) that are over at now_ms, so that what is kept does not grow. */
enum status store_save_fairness(struct store *store, int64_t queue_id, const char *key, int64_t free_at_ms,
                                int64_t now_ms) STATUS_CHECKED;

/* ---- results ---- */

struct store_result {
    void *body; /* owned by the caller when read, borrowed when saved */
    size_t body_length;
    uint8_t digest[SECRET_DIGEST_BYTES];
    int64_t attempt;
    int64_t generation;
    char grader[STORE_NAME_MAX];
    int64_t completed_at_ms;
};
/* Saves or replaces the result of submission id. */
enum status store_save_result(struct store *store, int64_t id, const struct store_result *result) STATUS_CHECKED;
/* STATUS_NOT_FOUND: no result. with_body false: body stays NULL. Free out_result->body with memory_free. */
enum status store_read_result(struct store *store, int64_t id, bool with_body, struct store_result *out_result) STATUS_CHECKED;

/* ---- submissions that are graded once more ---- */

struct store_regrade {
    int64_t total;
    int64_t graded; /* have a new result */
    int64_t failed; /* ended without one */
};
/* A new one, empty. Forgets old ones that are over: 1,000 are kept. */
enum status store_begin_regrade(struct store *store, int64_t now_ms, int64_t *out_id) STATUS_CHECKED;
enum status store_find_regrade(struct store *store, int64_t id,
                               struct store_regrade *out_regrade) STATUS_CHECKED; /* or NOT_FOUND */
/* The submission belongs to it from now on. STATUS_NOT_FOUND: no such regrade; STATUS_EXISTS: it belongs to one. */
enum status store_insert_regraded(struct store *store, int64_t regrade_id, int64_t submission_id) STATUS_CHECKED;
/* Counts the submission in its regrade, to which it belongs no more. STATUS_NOT_FOUND: it belongs to none. */
enum status store_end_regraded(struct store *store, int64_t submission_id, bool is_graded) STATUS_CHECKED;

/* ---- deliveries ---- */

struct store_delivery {
    int64_t submission_id; /* (fixed) */
    int64_t queue_id;      /* (fixed) */
    enum delivery_state state;
    enum delivery_outcome outcome;
    char channel[STORE_NAME_MAX]; /* (fixed) results channel; "" = callback over HTTP */
    int64_t generation;           /* of the result */
    int64_t attempt;              /* tries so far since it became PENDING */
    int64_t due_at_ms;            /* PENDING: when to try */
    int64_t state_at_ms;
    char lease_key[LEASE_KEY_LENGTH + 1]; /* the newest; "" = never leased */
    int64_t lease_expires_at_ms;          /* IN_FLIGHT */
    char courier[STORE_NAME_MAX];
    char instance[65];
    uint8_t replace_key[STORE_REPLACE_KEY_MAX]; /* (fixed) */
    size_t replace_key_length;
    char message[STORE_MESSAGE_MAX]; /* the last failure, for people */
};

/* A new row, PENDING. STATUS_EXISTS: the submission has one. */
enum status store_insert_delivery(struct store *store, const struct store_delivery *row) STATUS_CHECKED;
enum status store_find_delivery(struct store *store, int64_t submission_id,
                                struct store_delivery *out_row) STATUS_CHECKED; /* or STATUS_NOT_FOUND */
/*
 * The PENDING one of the channel that is due first, and not after due_ms, leaving out those whose replace key has an older
 * submission with a delivery that is PENDING or IN_FLIGHT. STATUS_NOT_FOUND: none.
 */
enum status store_next_due_delivery(struct store *store, const char *channel, int64_t due_ms,
                                    struct store_delivery *out_row) STATUS_CHECKED;
/* The same among those of one queue. */
enum status store_next_due_delivery_of_queue(struct store *store, int64_t queue_id, const char *channel, int64_t due_ms,
                                             struct store_delivery *out_row) STATUS_CHECKED;
/* The earliest due_at_ms of a PENDING delivery of any channel that is later than after_ms; INT64_MAX: none. */
enum status store_next_delivery_due_ms(struct store *store, int64_t after_ms, int64_t *out_due_ms) STATUS_CHECKED;
/* The IN_FLIGHT one whose lease runs out first, and not after due_ms. STATUS_NOT_FOUND: none. */
enum status store_next_overdue_delivery(struct store *store, int64_t due_ms, struct store_delivery *out_row) STATUS_CHECKED;
/* An IN_FLIGHT one of that courier with another instance. STATUS_NOT_FOUND: none. */
enum status store_find_abandoned_delivery(struct store *store, const char *courier, const char *instance,
                                          struct store_delivery *out_row) STATUS_CHECKED;
/* The first after submission after_id of those IN_FLIGHT to that instance of that courier on channel. STATUS_NOT_FOUND: none.
 */
struct store_holder {
    const char *courier;
    const char *instance;
    const char *channel;
};
enum status store_next_in_flight_delivery(struct store *store, const struct store_holder *holder, int64_t after_id,
                                          struct store_delivery *out_row) STATUS_CHECKED;
/* OK when there is none. */
enum status store_delete_delivery(struct store *store, int64_t submission_id) STATUS_CHECKED;
struct store_delivery_counts {
    int64_t pending;
    int64_t in_flight;
    int64_t undeliverable;
};
/* Counts by walking the partial indexes. */
enum status store_count_deliveries(struct store *store, struct store_delivery_counts *out_counts) STATUS_CHECKED;
/* Saves row->lease_expires_at_ms of an IN_FLIGHT delivery. STATUS_STALE: row->lease_key is not its newest, or it is not
 * IN_FLIGHT. */
enum status store_renew_delivery(struct store *store, const struct store_delivery *row) STATUS_CHECKED;
/* The one place where a delivery's state changes; as store_move_submission. */
enum status store_move_delivery(struct store *store, struct store_delivery *row, enum delivery_state to) STATUS_CHECKED;

/* ---- users and sessions ---- */

/* Only digests of tokens are stored. */
struct store_session {
    uint8_t token_digest[SECRET_DIGEST_BYTES];
    char user[STORE_USER_MAX];
    uint8_t credential_digest[SECRET_DIGEST_BYTES]; /* of the password or hash that it was made with */
    int64_t expires_at_ms;
};
enum status store_insert_session(struct store *store, const struct store_session *session) STATUS_CHECKED;
enum status store_delete_session(struct store *store,
                                 const uint8_t token_digest[SECRET_DIGEST_BYTES]) STATUS_CHECKED; /* OK when there is none */
enum status store_delete_expired_sessions(struct store *store, int64_t now_ms) STATUS_CHECKED;
enum status store_visit_sessions(struct store *store, void (*visit)(void *context, const struct store_session *session),
                                 void *context) STATUS_CHECKED;

/* Both of all sessions of one user, who may have none. */
enum status store_delete_sessions_of_user(struct store *store, const char *user) STATUS_CHECKED;
enum status store_renew_sessions_of_user(struct store *store, const char *user,
                                         const uint8_t credential_digest[SECRET_DIGEST_BYTES]) STATUS_CHECKED;

/* A user who is not one of the configuration. */
struct store_user {
    char name[STORE_USER_MAX];                /* 1 to 150 bytes; (fixed) */
    char password_hash[SECRET_HASH_TEXT_MAX]; /* see secret_hash_is_valid; never empty */
    struct rights rights;                     /* owned; with a role at least */
    int64_t created_at_ms;                    /* (fixed) */
};
void store_user_finish(struct store_user *user); /* frees what it holds; zeroed is fine */
/* STATUS_EXISTS: there is one of that name; nothing was changed. */
enum status store_insert_user(struct store *store, const struct store_user *user) STATUS_CHECKED;
/* Password hash and rights. STATUS_NOT_FOUND. */
enum status store_update_user(struct store *store, const struct store_user *user) STATUS_CHECKED;
/* The user alone, not its sessions. STATUS_NOT_FOUND. */
enum status store_delete_user(struct store *store, const char *name) STATUS_CHECKED;
enum status store_find_user(struct store *store, const char *name,
                            struct store_user *out_user) STATUS_CHECKED; /* or STATUS_NOT_FOUND; free with store_user_finish */
enum status store_count_users(struct store *store, int64_t *out_count) STATUS_CHECKED;
/* Calls visit for each, by name. visit must not call the store. */
enum status store_visit_users(struct store *store, void (*visit)(void *context, const struct store_user *user),
                              void *context) STATUS_CHECKED;

/* ---- tokens of programs ---- */

enum {
    STORE_TOKEN_ID_MAX = 17,     /* 16 hex digits and a NUL */
    STORE_TOKEN_LABEL_MAX = 129, /* with a NUL */
};

struct store_token {
    char id[STORE_TOKEN_ID_MAX];
    uint8_t digest[SECRET_DIGEST_BYTES]; /* of the token */
    char user[STORE_USER_MAX];           /* of the store or of the configuration */
    char label[STORE_TOKEN_LABEL_MAX];   /* for people */
    struct rights rights;                /* owned: what of the user's it may use; none: all */
    int64_t created_at_ms;
    int64_t expires_at_ms; /* 0 = never */
    int64_t used_at_ms;    /* at the latest; 0 = never */
};
void store_token_finish(struct store_token *token); /* frees what it holds; zeroed is fine */
/* STATUS_EXISTS: the id or the digest is there. */
enum status store_insert_token(struct store *store, const struct store_token *token) STATUS_CHECKED;
/* Notes the use. Nothing happens when there is no such token any more. */
enum status store_use_token(struct store *store, const char *id, int64_t used_at_ms) STATUS_CHECKED;
enum status store_delete_token(struct store *store, const char *id) STATUS_CHECKED; /* or STATUS_NOT_FOUND */
enum status store_delete_tokens_of_user(struct store *store, const char *user) STATUS_CHECKED;
enum status store_count_tokens(struct store *store, const char *user, int64_t *out_count) STATUS_CHECKED;
/* Calls visit for each, by id. visit must not call the store. */
enum status store_visit_tokens(struct store *store, void (*visit)(void *context, const struct store_token *token),
                               void *context) STATUS_CHECKED;

/* ---- what comes from another service's database ---- */

/* The largest id that a submission was ever given, or that is reserved; 0 = none. */
enum status store_last_id(struct store *store, int64_t *out_id) STATUS_CHECKED;
/* Ids from the next one to last_id are the other service's: new submissions of ours get larger ones. Smaller: no effect. */
enum status store_reserve_ids(struct store *store, int64_t last_id) STATUS_CHECKED;
/* STATUS_OK: it is one of the reserved; STATUS_NOT_FOUND: it is not. */
enum status store_id_is_reserved(struct store *store, int64_t id) STATUS_CHECKED;

/*
 * As store_insert_submission, with the id that row has (state READY; store_move_submission brings it to another), and remembers
 * that it came and its digest, also when it will have been deleted. STATUS_EXISTS: the id is taken; roll back.
 */
enum status store_import_submission(struct store *store, const struct store_submission *row,
                                    const struct store_content *content, const struct store_request *request,
                                    const uint8_t digest[SECRET_DIGEST_BYTES]) STATUS_CHECKED;
/* STATUS_NOT_FOUND: no submission came under that id. */
enum status store_find_imported(struct store *store, int64_t id, uint8_t out_digest[SECRET_DIGEST_BYTES]) STATUS_CHECKED;

/* Remembers that a user of that name came. STATUS_EXISTS: that is known. */
enum status store_note_imported_user(struct store *store, const char *name) STATUS_CHECKED;
enum status store_find_imported_user(struct store *store, const char *name) STATUS_CHECKED; /* or STATUS_NOT_FOUND */

/* 16 random bytes made with the database: its name among databases, salt for derived digests. */
void store_identity(const struct store *store, uint8_t out[16]);

#endif
