/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the queue reaches a connected grader, without knowing about gRPC: the session's side implements struct grader_link.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_GRADER_LINK_H
#define SERVICE_GRADER_LINK_H

#include "base/status.h"
#include "service/store/store.h"

/* The numbers are those of xqueue.v1.LostReason. */
enum lost_reason {
    LOST_EXPIRED = 1,
    LOST_STALE,
    LOST_SUPERSEDED,
    LOST_CANCELED,
    LOST_HARD_LIMIT,
    LOST_NOT_ACCEPTED,
    LOST_ADMIN,
};

/* One lease just given. */
struct grant {
    int64_t submission_id;
    char lease_key[LEASE_KEY_LENGTH + 1];
    const char *queue; /* borrowed from the queue, which outlives the batch */
    int64_t attempt;
    int64_t submitted_at_ms;
    int64_t lease_ms;
    int64_t accept_within_ms;
    int64_t hard_limit_ms;
    struct store_content content; /* owned */
};

void grant_finish(struct grant *grant);

enum grader_notice_kind {
    GRADER_NOTICE_GRANT,
    GRADER_NOTICE_LOST,
    GRADER_NOTICE_SOON,    /* duration_ms: until the lease ends */
    GRADER_NOTICE_QUIET,   /* duration_ms, 0: over; queue; error: reason and text */
    GRADER_NOTICE_GO_AWAY, /* error: reason and text */
    GRADER_NOTICE_PING,    /* number */
    GRADER_NOTICE_FINISH,  /* end the stream with status and error; nothing comes after it */
};

struct grader_notice {
    enum grader_notice_kind kind;
    int64_t submission_id;
    char lease_key[LEASE_KEY_LENGTH + 1];
    enum lost_reason reason;
    int64_t duration_ms;
    char queue[STORE_NAME_MAX]; /* "" = all of the grader's */
    uint64_t number;
    struct grant *grant; /* GRANT only; borrowed */
    enum status status;
    struct error error;
};

struct grader_link {
    /* Called after the commit that made the notice true. */
    void (*notify)(struct grader_link *link, const struct grader_notice *notice);
};

#endif
