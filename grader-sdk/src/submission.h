/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One submission on lease: what the host sees of it, the one answer that it gives, and where the link stands with that answer.
 * The host is a handler, or a program that took it with xqueue_grader_next.
 *
 * Life: made by the link from a grant -> given to the handout -> answered, and returned when the handler returns or the program
 * closes it -> freed by the link when it has returned and the answer is settled.
 *
 * Threading: grouped by guard below.
 */
#ifndef GRADER_SDK_SRC_SUBMISSION_H
#define GRADER_SDK_SRC_SUBMISSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/rpc/rpc_message.h"
#include "grader-sdk/include/xqueue/grader.h"
#include "grader-sdk/src/handout.h"
#include "grader-sdk/src/inbox.h"

enum {
    SUBMISSION_KEY_TEXT_MAX = 33, /* a lease key and its NUL */
    SUBMISSION_PHASE_BYTES_MAX = 64,
    SUBMISSION_NOTE_BYTES_MAX = 512,
    SUBMISSION_MESSAGE_BYTES_MAX = 1024,
    SUBMISSION_RESULT_BYTES_DEFAULT = 3145728,
};

struct file_access;

enum answer_kind { ANSWER_NONE, ANSWER_COMPLETE, ANSWER_FAIL, ANSWER_RELEASE };

struct answer {
    enum answer_kind kind;
    enum xqueue_fail fail;
    void *bytes; /* owned: the result; the message with a NUL that length does not count; or NULL */
    size_t length;
    int64_t delay_ms; /* of fail and release */
};

struct progress_note {
    bool is_new; /* not sent yet */
    unsigned percent;
    char phase[SUBMISSION_PHASE_BYTES_MAX + 1];
    char note[SUBMISSION_NOTE_BYTES_MAX + 1];
};

/*
 *  NONE --host----> WAITING --link--> SENT --ack--> SETTLED
 *                     ^  ^              | |
 *                     |  +--stream lost-+ |
 *                     +-- DELAYED <-retry-+        lost for good: any -> SETTLED
 */
enum answer_state { ANSWER_STATE_NONE, ANSWER_STATE_WAITING, ANSWER_STATE_SENT, ANSWER_STATE_DELAYED, ANSWER_STATE_SETTLED };

struct xqueue_submission {
    /* immutable after the grant */
    struct rpc_message *message; /* owned; all text and bytes below are in it, but for the arrays */
    struct inbox *inbox;
    struct clock *clock;
    struct file_access *access; /* borrowed; how its files are fetched */
    uint64_t id;
    char lease_key[SUBMISSION_KEY_TEXT_MAX];
    uint32_t attempt;
    const char *queue;
    const char *trace_parent;
    const char *trace_state;
    const void *header;
    size_t header_length;
    const void *body;
    size_t body_length;
    struct xqueue_file *files; /* owned array */
    size_t file_count;
    struct xqueue_label *labels; /* owned array */
    size_t label_count;
    int64_t submitted_at_ms;
    int64_t hard_limit_at_ms; /* CLOCK_NEVER: none */

    _Atomic int lost; /* enum xqueue_lost; written by the link only, once */

    /* guarded by the inbox's lock; answer is the link's once answered_node was taken */
    bool answered;
    struct answer answer;
    struct progress_note progress;
    struct list_node answered_node;
    struct list_node returned_node;

    struct handout *handout; /* immutable once given */
    /* guarded by the handout's lock */
    struct list_node handout_node;
    enum handout_place place;

    /* link thread only */
    struct list_node lease_node;
    bool in_hands; /* given to the handout, and neither taken back nor returned */
    enum answer_state answer_state;
    bool was_sent;       /* the answer went out at least once */
    int64_t retry_at_ms; /* with DELAYED */
    int64_t lease_ms;    /* of the grant */
};

/* Frees it and what it owns. */
void submission_destroy(struct xqueue_submission *submission);

/* Does an answer still mean something to the service after the lease was lost for this reason? */
bool submission_lost_takes_result(enum xqueue_lost lost);

/* When the host is through: gives the answer that it did not give. The host's thread. */
void submission_answer_missing(struct xqueue_submission *submission);

#endif
