/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to mock*.c: the state of one mock. Who says what goes where:
 *
 *   mock_server    start, stop, come again; login and files
 *   mock_session   one Work stream: what a grader says, and what it is told
 *   mock_rules     what becomes of a submission; knows no wire
 *   mock_record    hand in, look, wait
 *   mock_trouble   what a test orders
 *   mock_wire      messages of the service
 *
 * Whoever changes something calls mock_changed; the ticker thread then does what is due: it expires, pings, grants.
 *
 * Threading: everything of struct xqueue_mock is guarded by its mutex, except where it says otherwise.
 */
#ifndef GRADER_SDK_MOCK_MOCK_H
#define GRADER_SDK_MOCK_MOCK_H

#include <pthread.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/rpc/rpc_server_call.h"
#include "base/secret.h"
#include "grader-sdk/include/xqueue/grader_mock.h"

enum {
    MOCK_ADDRESS_MAX = 128,
    MOCK_INSTANCE_MAX = 65, /* with NUL, as the following */
    MOCK_NAME_MAX = XQUEUE_NAME_BYTES_MAX + 1,
    MOCK_NOTE_MAX = 513,
    MOCK_PHASE_MAX = 65,
    MOCK_LABEL_BYTES_MAX = 64,
    MOCK_FILE_NAME_BYTES_MAX = 255,
    MOCK_ID_TEXT_MAX = 2 * SECRET_DIGEST_BYTES + 1,
    MOCK_PINGS_LOST_MAX = 3,
    MOCK_BYTES_ON_WAY_MAX = 4 * 1024 * 1024, /* of bodies granted and not accepted, to one grader */
    MOCK_EVENTS = XQUEUE_MOCK_FETCHED + 1,
};

/* ---- a submission ---- */

struct mock_bytes {
    char *bytes; /* owned, followed by a NUL */
    size_t length;
};

struct mock_label {
    char *key;   /* owned */
    char *value; /* owned */
};

struct mock_file {
    char *name;     /* owned */
    char *filename; /* owned */
    struct mock_bytes content;
    uint8_t digest[SECRET_DIGEST_BYTES];
    char file_id[MOCK_ID_TEXT_MAX]; /* the digest in hex */
};

enum mock_answer { MOCK_ANSWER_NONE, MOCK_ANSWER_RESULT, MOCK_ANSWER_FAIL, MOCK_ANSWER_RELEASE };

/* The newest lease. It runs while the submission is LEASED. */
struct mock_lease {
    char key[SECRET_KEY_TEXT_MAX]; /* "": there was none yet */
    char instance[MOCK_INSTANCE_MAX];
    bool is_accepted;
    int64_t accept_by_ms;
    int64_t expires_at_ms;
    int64_t hard_limit_at_ms;
    enum mock_answer answer; /* what was taken under this key */
};

struct mock_submission {
    struct list_node node;
    uint64_t id;
    char queue[MOCK_NAME_MAX];
    struct mock_bytes header;
    struct mock_bytes body;
    struct mock_label *labels; /* owned */
    size_t label_count;
    struct mock_file *files; /* owned */
    size_t file_count;
    int64_t submitted_at_ms;

    enum xqueue_mock_state state; /* DELAYED is READY with a later ready_at_ms here */
    int64_t ready_at_ms;
    struct mock_lease lease;
    char grader[MOCK_NAME_MAX];
    uint32_t attempt;
    uint32_t failures;
    char phase[MOCK_PHASE_MAX];
    unsigned percent;
    char note[MOCK_NOTE_MAX];
    struct mock_bytes result;
    int fail_kind;
    char *fail_message; /* owned, or NULL */
    int64_t retry_after_ms;
    int64_t release_delay_ms;
    enum xqueue_lost lost_reason;
    unsigned events[MOCK_EVENTS];
};

/* ---- a grader's stream ---- */

struct mock_session {
    struct list_node node;
    struct rpc_server_call *call; /* kept */
    char grader[MOCK_NAME_MAX];
    char instance[MOCK_INSTANCE_MAX];
    char **queues; /* owned, as the texts */
    size_t queue_count;
    struct mock_label *labels; /* owned */
    size_t label_count;
    uint32_t slots;
    bool is_welcome;
    bool is_draining;
    bool is_ended; /* by us; the end is on its way */
    uint32_t credit;
    bool credit_has_bytes;
    uint64_t credit_bytes;
    int64_t ping_at_ms;
    uint64_t ping_number;
    int pings_lost;
    struct list held_acks; /* of struct mock_ack, owned */
};

struct mock_refusal {
    unsigned count; /* of Hellos still to be refused */
    enum status status;
    struct error error;
};

struct xqueue_mock {
    /* immutable after start */
    struct xqueue_mock_options options; /* texts: owned, NULL where there is none */
    char address[MOCK_ADDRESS_MAX];
    char folder[MOCK_ADDRESS_MAX]; /* to be removed at the end; "" */
    struct rpc_loop *loop;
    pthread_t ticker;
    bool has_ticker;

    /* guarded by serving, which is taken before mutex and never on the RPC loop */
    pthread_mutex_t serving;
    struct rpc_server *server; /* NULL: stopped */

    pthread_mutex_t mutex;
    pthread_cond_t changed;  /* for those who wait */
    pthread_cond_t due;      /* for the ticker */
    struct list submissions; /* in the order of ids */
    struct list sessions;
    unsigned events[MOCK_EVENTS]; /* of all */
    char session_token[SECRET_KEY_TEXT_MAX];
    struct mock_refusal refusal;
    bool is_paused;
    bool holds_acks;
    bool is_dirty;  /* something has changed since the ticker looked */
    bool is_ending; /* the ticker returns */
};

/* ---- all of these: mutex held ---- */

/* Something is new: wakes who waits, and the ticker. */
void mock_changed(struct xqueue_mock *mock);
/* Counts an event, for submission (may be NULL) and for all, and calls mock_changed. */
void mock_count_event(struct xqueue_mock *mock, struct mock_submission *submission, enum xqueue_mock_event event);
struct mock_submission *mock_find(const struct xqueue_mock *mock, uint64_t id);                         /* NULL: none */
struct mock_submission *mock_next(const struct xqueue_mock *mock, const struct mock_submission *after); /* NULL: the first */
void mock_submission_free(struct mock_submission *submission);                                          /* NULL is fine */
void mock_labels_free(struct mock_label *labels, size_t count);

/* A copy of bytes, followed by a NUL. */
struct mock_bytes mock_bytes_copy(const void *bytes, size_t length);

#endif
