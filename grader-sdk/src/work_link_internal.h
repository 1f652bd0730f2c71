/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to work_link*.c: the link's state. work_link.c has the connection and the clock, work_link_login.c the login,
 * work_link_message.c what the service says, work_link_leases.c the leases and their answers.
 *
 * Threading: link thread only.
 */
#ifndef GRADER_SDK_SRC_WORK_LINK_INTERNAL_H
#define GRADER_SDK_SRC_WORK_LINK_INTERNAL_H

#include "base/backoff.h"
#include "grader-sdk/src/file_access.h"
#include "grader-sdk/src/work_link.h"
#include "grader-sdk/src/work_link_wire.h"

enum link_state { LINK_AWAY, LINK_LOGIN, LINK_GREETING, LINK_WORKING, LINK_CLOSING, LINK_FINISHED, LINK_STATE_COUNT };

enum {
    LINK_INSTANCE_TEXT_MAX = 2 * WORK_LINK_INSTANCE_BYTES + 1,
    LINK_TOKEN_BYTES_MAX = 512,
    LINK_SILENT_PINGS = 3,                           /* pings that may be missing before the service counts as silent */
    LINK_BEATS_PER_LEASE = 3,                        /* heartbeats within a lease length */
    LINK_LEASE_MS_DEFAULT = 60000,                   /* for a service that names none */
    LINK_LEASE_MS_MIN = 30,                          /* shorter ones are renewed as if they were so long */
    LINK_LEASES_PER_SLOT_MAX = 2,                    /* in somebody's hands, or with an answer that is not confirmed yet */
    LINK_ANSWER_BYTES_UNCONFIRMED_MAX = 8 * 1048576, /* on one stream; one answer always goes */
    LINK_RETRY_MS_MIN = 100,                         /* before an answer is sent again */
    LINK_REJECT_PAUSE_MS = 1000,                     /* without credit after a grant that we had to reject */
};

/* One Work stream, from open to on_close. */
struct link_stream {
    struct rpc_client_stream *rpc; /* owned; NULL: none */
    int64_t welcome_by_ms;
    int64_t heard_at_ms;      /* the service's latest message */
    int64_t ping_period_ms;   /* 0: it does not ping */
    int64_t lease_ms;         /* shortest lease length seen */
    int64_t beat_at_ms;       /* next heartbeat */
    int64_t note_at_ms;       /* next progress notes; CLOCK_NEVER: there are none */
    int64_t beaten_at_ms;     /* last heartbeat of any kind */
    int64_t credit_at_ms;     /* no credit before */
    int64_t drained_at_ms;    /* since then nothing is held; CLOCK_NEVER: not yet */
    unsigned credit;          /* what the service may still grant */
    size_t unconfirmed_bytes; /* of answers sent */
    bool going_away;          /* GoAway was received */
    bool drain_sent;
    bool quiet;
};

struct work_link {
    struct work_link_options with;
    char instance[LINK_INSTANCE_TEXT_MAX];
    struct backoff backoff;
    enum link_state state; /* written by link_move only */
    int64_t retry_at_ms;   /* with AWAY */
    struct link_stream stream;
    struct file_access access; /* has a lock of its own */

    char token[LINK_TOKEN_BYTES_MAX + 1]; /* "": none */
    bool token_is_fresh;                  /* it has not been tried yet */
    bool ever_welcome;
    bool is_away; /* and that was logged, for away_status */
    enum status away_status;

    struct list leases; /* xqueue_submission.lease_node, owned */
    size_t in_hands;    /* of them */
    enum inbox_stop stop;
    int64_t drain_by_ms;  /* CLOCK_NEVER: no bound */
    int64_t cancel_by_ms; /* with INBOX_STOP_CANCEL: waiting for confirmations ends */
    bool over;            /* the handout has ended; only that of the stream and of what is held is awaited */
};

/* ---- work_link.c ---- */

/* The only writer of link->state. */
void link_move(struct work_link *link, enum link_state state);
int64_t link_now_ms(const struct work_link *link);
void link_open_stream(struct work_link *link);
/* Gives the stream up: canceled, CLOSING. No effect without an open stream. */
void link_drop_stream(struct work_link *link);
/* The outcome of a send: a stream that does not take messages is given up. */
void link_sent(struct work_link *link, enum status status);
/* An attempt to be connected has failed, or a connection has ended. State becomes AWAY, with a time to retry, or the link is
 * over.
 */
void link_attempt_failed(struct work_link *link, enum status status, const struct error *error);
/* Decides the outcome: leases are given up, the stream ends, nothing new begins. Only the first outcome counts. */
void link_end(struct work_link *link, enum xqueue_status outcome, const struct error *error);

/* ---- work_link_login.c ---- */

void link_login_start(struct work_link *link);
/* With a token, which is read anew, in place of a login. */
void link_token_open(struct work_link *link);
void link_login_done(struct work_link *link, struct inbox_outcome *outcome); /* frees outcome->reply */

/* ---- work_link_message.c ---- */

/* message is taken. */
void link_message(struct work_link *link, struct rpc_message *message);

/* ---- work_link_leases.c ---- */

/* How many submissions more may be held right now: what credit is given for. */
unsigned link_free_slots(const struct work_link *link);
/*
 * Can a grant be taken? Yes also when as many are held as there are slots, but one of them is answered already and about to be
 * returned: the service may spend credit from before its answer.
 */
bool link_has_room(const struct work_link *link);
struct xqueue_submission *link_find_lease(const struct work_link *link, const Xqueue__V1__LeaseRef *lease);
/* Takes a granted submission, and gives it to the handout. */
void link_lease_add(struct work_link *link, struct xqueue_submission *submission);
void link_lease_answered(struct work_link *link, struct xqueue_submission *submission);
void link_lease_returned(struct work_link *link, struct xqueue_submission *submission); /* may free it */
/* The service, or our own end, took it away. May free it. */
void link_lease_lost(struct work_link *link, struct xqueue_submission *submission, enum xqueue_lost lost);
void link_lease_acked(struct work_link *link, struct xqueue_submission *submission,
                      const Xqueue__V1__Ack *ack); /* may free it */
/* Does the service still have to hear of any lease? */
bool link_leases_matter(const struct work_link *link);
/* Leases to be named in Hello and Heartbeat; only_news: those with new progress notes. Free items with memory_free.
 * STATUS_NO_MEMORY. */
enum status link_leases_held(const struct work_link *link, bool only_news, struct wire_leases *out_leases) STATUS_CHECKED;
/* The stream has ended: what was sent and not confirmed is to be sent again. */
void link_leases_unsend(struct work_link *link);
/* Hands back what nobody has begun with: every stop. */
void link_leases_take_back(struct work_link *link);
/* Hands back everything that has no answer yet: the second stop. */
void link_leases_hand_back(struct work_link *link);
/* Gives everything up; those who hold something see it as lost. */
void link_leases_give_up(struct work_link *link);
/* Sends what is due: answers, heartbeats, notes. Returns the next due time. */
int64_t link_leases_tick(struct work_link *link, int64_t now_ms);

#endif
