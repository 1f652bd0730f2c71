/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What graders do with submissions: being granted them, and handing in results. One set of operations for the stream, the unary
 * calls and REST alike.
 *
 * Common errors: STATUS_NOT_FOUND SUBMISSION_NOT_FOUND; STATUS_STALE LEASE_STALE (the key is not the newest live lease's) or
 * LEASE_SUPERSEDED (nobody wants the result any more). After an error nothing was changed.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_GRADING_H
#define SERVICE_GRADING_H

#include "service/queue.h"
#include "service/work_session.h"

enum {
    GRADING_LEASES_PER_CALL_MAX = 100,
    GRADING_LEASE_BYTES_MAX =
        256 * 1024, /* of submissions, after which a call leases no more: any client's 4 MiB do for the reply */
    GRADING_RESULT_BYTES_MAX = 3 * 1024 * 1024,
    GRADING_RETRY_MS_MAX = 86400000,
    GRADING_RELEASE_MS_MAX = 3600000,
};

/* Grants the next ready submission of queue that the session can take to it. STATUS_NOT_FOUND: none is ready. */
enum status grading_grant_to_session(struct queues *queues, struct queue *queue, struct work_session *session) STATUS_CHECKED;

/* What a poller asks for. */
struct lease_order {
    const char *grader;   /* borrowed */
    int64_t slots;        /* 0 = no bound of the grader's own */
    size_t max;           /* 1 to GRADING_LEASES_PER_CALL_MAX */
    struct labels labels; /* what the grader can do; borrowed */
};

/*
 * Grants up to order->max submissions, accepted from the start. *out_count may be 0. The grants are the caller's
 * (grant_finish), also after an error.
 */
enum status grading_lease(struct queues *queues, struct queue *queue, const struct lease_order *order, struct grant *out_grants,
                          size_t *out_count) STATUS_CHECKED;

enum status grading_accept(struct queues *queues, struct lease_name lease, struct error *error) STATUS_CHECKED;

/* Back to its place, uncounted; DELAYED first when delay_ms > 0 (cut to GRADING_RELEASE_MS_MAX). STATUS_INVALID: negative. */
enum status grading_release(struct queues *queues, struct lease_name lease, int64_t delay_ms,
                            struct error *error) STATUS_CHECKED;

/* Renews; *out_expires_in_ms is set. */
enum status grading_extend(struct queues *queues, struct lease_name lease, int64_t *out_expires_in_ms,
                           struct error *error) STATUS_CHECKED;

/* Keeps the note of a live lease's holder; renews nothing. */
enum status grading_report(struct queues *queues, struct lease_name lease, const struct progress *progress,
                           struct error *error) STATUS_CHECKED;

/* The latest note of whoever has the submission now. NULL: nobody has it, or said nothing. Borrowed until the next change. */
const struct progress *grading_progress(const struct queues *queues, int64_t submission_id);

struct grading_completion {
    bool already;
    int64_t generation;
};
/* Further errors: STATUS_STALE RESULT_EXISTS; STATUS_INVALID (too large). body is borrowed. */
enum status grading_complete(struct queues *queues, struct lease_name lease, struct store_bytes body, bool amend,
                             struct grading_completion *out, struct error *error) STATUS_CHECKED;

struct grading_failure {
    bool ungradable;
    const char *message;    /* borrowed; cut at STORE_MESSAGE_MAX */
    int64_t retry_after_ms; /* at least this long; cut to GRADING_RETRY_MS_MAX */
    enum submission_state out_state;
    int64_t out_ready_after_ms;
};
enum status grading_fail(struct queues *queues, struct lease_name lease, struct grading_failure *failure,
                         struct error *error) STATUS_CHECKED;

/* Why a lease that somebody believes to hold is not his: for Welcome. */
enum lost_reason grading_lost_reason(struct queues *queues, struct lease_name lease);

/* Leases that are due: not accepted, to be warned, expired. */
void grading_tick(struct queues *queues);

/* Ends a live lease as expired now (its holder is known to be gone). */
enum status grading_expire(struct queues *queues, struct live_lease *lease, enum lost_reason reason) STATUS_CHECKED;

/* The submission's lease, if it has one, is over: its holder hears reason, if it is not 0. */
void grading_forget_lease_of(struct queues *queues, int64_t submission_id, enum lost_reason reason);

/*
 * Takes row, which is live, out of the queue for good or for dead: moves it to the final state to, ends its lease (its holder
 * hears reason) and starts the delivery of the outcome where the student must hear of it (DEAD, UNGRADABLE), unless it has a
 * result from before.
 */
enum status grading_end(struct queues *queues, struct store_submission *row, enum submission_state to,
                        enum lost_reason reason) STATUS_CHECKED;

#endif
