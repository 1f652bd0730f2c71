/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connected grader: the queue's side of a Work stream. What it told us (queues, credit), its pings, its drain.
 *
 * Lives from work_session_open to the end of the batch that closes it; its leases live on without it.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_WORK_SESSION_H
#define SERVICE_WORK_SESSION_H

#include "base/heap.h"
#include "service/queue.h"

enum {
    WORK_SESSION_PAUSE_MS = 86400000, /* what Quiet says of a pause, which lasts as long as it lasts */
    WORK_SESSION_PINGS_LOST_MAX = 3,
    WORK_SESSION_QUEUES_MAX = 100,
    WORK_SESSION_SLOTS_MAX = 10000,
    WORK_SESSION_HELD_MAX = 10000,
    WORK_SESSION_SDK_MAX = 129,  /* name and version of the library that the grader uses, and a NUL */
    WORK_SESSION_PEER_MAX = 129, /* its address, and a NUL; cut when longer */
};

/* Names a lease in what a grader says. Borrowed texts. */
struct lease_name {
    int64_t submission_id;
    const char *key;
};

struct work_session {
    struct list_node node;    /* in queues->sessions or ->closed_sessions */
    struct grader_link *link; /* borrowed; NULL when the stream is gone */
    struct grader *grader;
    char instance[LEASE_INSTANCE_MAX];
    char sdk[WORK_SESSION_SDK_MAX];   /* this and the next: for people */
    char peer[WORK_SESSION_PEER_MAX]; /* "" = unknown */
    int64_t slots;
    int64_t connected_at_ms;
    int64_t heard_at_ms;
    struct labels labels;         /* owned: what the grader can do */
    struct waiting_place *places; /* owned */
    size_t place_count;
    int64_t credit;
    bool credit_has_bytes;
    int64_t credit_bytes;
    bool draining;
    bool closed;
    struct heap_node timer;
    uint64_t ping_number;
    int pings_lost;
};

/* Everything borrowed during the call. */
struct work_hello {
    const char *grader;
    const char *instance;
    char *const *queues; /* names */
    size_t queue_count;
    int64_t slots;
    const char *sdk;      /* NULL or "": unknown */
    const char *peer;     /* likewise */
    struct labels labels; /* what the grader can do; checked by the caller */
    const struct lease_name *held;
    size_t held_count;
};

/* One answer to a held lease. */
struct held_answer {
    bool kept;
    enum lost_reason reason; /* when not kept */
};

/*
 * Opens a session. link stays valid until work_session_abandon or until it
 * got GRADER_NOTICE_FINISH, after which the session is not to be used any more. An older session of the grader is
 * ended (ABORTED SESSION_REPLACED); what another instance of it held is taken back at once, counted as expired.
 * answers: held_count of them, filled in. STATUS_INVALID (bounds), STATUS_NOT_FOUND QUEUE_NOT_FOUND, STATUS_UNAVAILABLE
 * DRAINING.
 */
enum status work_session_open(struct queues *queues, struct grader_link *link, const struct work_hello *hello,
                              struct held_answer *answers, struct work_session **out_session,
                              struct error *error) STATUS_CHECKED;

/* No more grants for it; its leases stay. Freed at the end of the batch. What was to be told still is. Closed twice is fine. */
void work_session_close(struct queues *queues, struct work_session *session);

/* Frees it; it is in no list any more. */
void work_session_destroy(struct work_session *session);

/* The stream is gone: closes the session and tells its link nothing any more. */
void work_session_abandon(struct queues *queues, struct work_session *session);

/* Absolute credit; submissions 0 to WORK_SESSION_SLOTS_MAX (more is cut). body_bytes 0 = no bound. */
void work_session_credit(struct queues *queues, struct work_session *session, int64_t submissions, int64_t body_bytes);

void work_session_drain(struct queues *queues, struct work_session *session);

/* Anything came from the grader: it lives. */
void work_session_heard(struct queues *queues, struct work_session *session);

/* Nothing is granted for a while. */
struct quiet_period {
    int64_t for_ms;    /* 0: it is over. When nobody knows for how long: long enough that who waits for it asks again */
    const char *queue; /* borrowed; NULL: everything that the session grades */
    struct error why;  /* reason and text; status and delay do not count */
};
/* Says so on the session's stream, after the commit. What is granted is not decided here. */
void work_session_say_quiet(struct queues *queues, struct work_session *session, const struct quiet_period *period);
/* The same to every session that grades for queue. */
void work_sessions_say_quiet(struct queues *queues, const struct queue *queue, const struct quiet_period *period);

/* Links the session's places where it can take more, unlinks them where not. After any change of credit, room or drain. */
void work_session_update_waiting(struct queues *queues, struct work_session *session);

/* A lease of the session's grader is gone; ends a drained session that holds nothing. */
void work_session_lease_gone(struct queues *queues, struct work_session *session);

/* The queue is being deleted: the session goes on with the others, or ends (NOT_FOUND QUEUE_NOT_FOUND) if it has none. */
void work_session_lose_queue(struct queues *queues, struct work_session *session, const struct queue *queue);

/* Tells every session which of its queues have been paused (Quiet QUEUE_PAUSED), and which go on. Once in a batch at most. */
void work_sessions_tell_pauses(struct queues *queues);
/* What such a notice said was not stored: it was not told. */
void work_session_take_back_pause(struct work_session *session, const struct grader_notice *notice);

/* Pings, and ends sessions that do not answer. */
void work_sessions_tick(struct queues *queues);

/* Is queue one of the session's? */
bool work_session_grades(const struct work_session *session, const struct queue *queue);

/* The shortest lease length of the session's queues. */
int64_t work_session_lease_ms(const struct work_session *session);

#endif
