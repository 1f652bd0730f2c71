/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What administrators do beside submissions (those: bulk.h): users of the store, and how everything stands.
 *
 * Users of the configuration are not known here: whoever calls has refused them. What comes of a change for those who are
 * logged in is for access.h, after the commit.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_ADMINISTERING_H
#define SERVICE_ADMINISTERING_H

#include "service/queue.h"
#include "service/work_session.h"

/* STATUS_EXISTS USER_EXISTS; STATUS_FULL USERS_FULL (ACCESS_STORED_USERS_MAX). */
enum status administering_create_user(struct queues *queues, const struct store_user *user, struct error *error) STATUS_CHECKED;

struct user_change {
    const char *name;
    const struct rights *rights;             /* borrowed; NULL = as they are */
    const char *password_hash;               /* "" = as it is */
    uint8_t credential[SECRET_DIGEST_BYTES]; /* of password_hash, see access_digest_hash */
    bool keep_sessions;                      /* also with another password; else the store forgets the user's sessions then */
};

/* *out_user: as it is now; free with store_user_finish. STATUS_NOT_FOUND USER_NOT_FOUND. */
enum status administering_update_user(struct queues *queues, const struct user_change *change, struct store_user *out_user,
                                      struct error *error) STATUS_CHECKED;

/* With its sessions and tokens. STATUS_NOT_FOUND USER_NOT_FOUND. */
enum status administering_delete_user(struct queues *queues, const char *name, struct error *error) STATUS_CHECKED;

/*
 * configured: the rights of the token's user when it is one of the configuration; NULL: it must be one of the store.
 * STATUS_NOT_FOUND USER_NOT_FOUND; STATUS_INVALID TOKEN_INVALID: the token may more than its user; STATUS_FULL TOKENS_FULL
 * (ACCESS_TOKENS_PER_USER_MAX).
 */
enum status administering_create_token(struct queues *queues, const struct store_token *token, const struct rights *configured,
                                       struct error *error) STATUS_CHECKED;

/* STATUS_NOT_FOUND TOKEN_NOT_FOUND. */
enum status administering_revoke_token(struct queues *queues, const char *id, struct error *error) STATUS_CHECKED;

/* How one queue stands. */
struct queue_figures {
    char name[STORE_NAME_MAX];
    const struct queue *queue; /* borrowed; NULL: not configured any more */
    struct store_queue_counts counts;
    int64_t oldest_ready_ms; /* age of the oldest READY one whose turn it is next, see QueueStatistics; 0: none */
    int64_t stranded;        /* READY ones that nobody who is here can take */
};

struct figures {
    struct queue_figures *queues; /* owned: those of the configuration in its order, then others with live submissions */
    size_t queue_count;
    size_t grader_count; /* connected */
    struct store_delivery_counts deliveries;
};

/* queue: "" = all. STATUS_NOT_FOUND QUEUE_NOT_FOUND: there never was one of that name. */
enum status administering_read_figures(struct queues *queues, const char *queue, struct figures *out_figures,
                                       struct error *error) STATUS_CHECKED;
void figures_finish(struct figures *figures); /* frees what it holds; zeroed is fine */

/* One connected grader. */
struct grader_view {
    char name[STORE_NAME_MAX];
    char instance[LEASE_INSTANCE_MAX];
    char sdk[WORK_SESSION_SDK_MAX];
    char peer[WORK_SESSION_PEER_MAX];
    const char **queues; /* owned array of names; these are the queues', which outlive the batch */
    size_t queue_count;
    struct labels labels; /* owned */
    int64_t slots;
    int64_t credit;
    int64_t in_flight; /* over all paths */
    int64_t connected_at_ms;
    int64_t heard_at_ms;
    int64_t quiet_for_ms; /* 0: it is granted submissions */
};
struct grader_views {
    struct grader_view *items; /* owned */
    size_t count;
};

/* Those connected that grade for queue ("" = any), longest connected first. STATUS_NOT_FOUND QUEUE_NOT_FOUND. */
enum status administering_list_graders(struct queues *queues, const char *queue, struct grader_views *out_views,
                                       struct error *error) STATUS_CHECKED;
void grader_views_finish(struct grader_views *views); /* frees what it holds; zeroed is fine */

#endif
