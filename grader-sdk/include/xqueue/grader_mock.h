/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libxqueue-grader-mock: a small XQueue service inside of your test, so that graders are tested without a server.
 *
 * The mock speaks what xqueued speaks with graders, over a real socket. The grader under test is the real one: in the same
 * process, or a program of its own that finds the mock by XQUEUE_ADDRESS. You hand in submissions, wait for what the grader
 * does with them, and make the trouble that a service, a network and students make:
 *
 *     struct xqueue_mock *mock;
 *     struct xqueue_mock_options options;
 *     struct xqueue_mock_submission submission;
 *     struct xqueue_mock_record *record;
 *     uint64_t id;
 *     xqueue_mock_options_init(&options);
 *     assert(xqueue_mock_start(&options, &mock, &error) == XQUEUE_STATUS_OK);
 *     ... start the grader with the address xqueue_mock_address(mock) ...
 *     xqueue_mock_submission_init(&submission);
 *     submission.queue = "cs101";
 *     submission.body = "print(1)";
 *     submission.body_length = 8;
 *     assert(xqueue_mock_submit(mock, &submission, &id, &error) == XQUEUE_STATUS_OK);
 *     assert(xqueue_mock_wait(mock, id, XQUEUE_MOCK_COMPLETED, 1, 10000, &error) == XQUEUE_STATUS_OK);
 *     assert(xqueue_mock_look(mock, id, &record, &error) == XQUEUE_STATUS_OK);
 *     ... record->result ...
 *     xqueue_mock_record_free(record);
 *     ... stop the grader ...
 *     xqueue_mock_destroy(mock);
 *
 * What it keeps of the rules of the service
 *   Every queue that is named exists. Submissions are granted in the order of their ids, within the grader's credit and slots,
 *   to graders that have the queue and the labels. A lease that is not accepted in time goes back uncounted; one that is not
 *   renewed in time, or passes the hard limit, is a counted failure, as is XQUEUE_FAIL_TRANSIENT; after failures_max of them
 *   the submission is dead. Leases outlive connections, and are kept when the same start of the grader comes back with them. A
 *   late result is taken unless the submission has been granted again. A second start under the same name replaces the first,
 *   and what that held is taken back, counted. Time is the machine's monotonic clock.
 *
 * What it does not do
 *   It stores nothing. There is no TLS, no order by priority or fairness, no quarantine of graders (Quiet) and no DeadlineSoon.
 *   Of the service's methods it has Graders.Work, Sessions.Login and Files.Fetch; all others are answered UNIMPLEMENTED, also
 *   the one-call twins of Graders.Work.
 *
 * Manners
 *   Like libxqueue-grader it never prints, never exits, installs no signal handler, and its threads have signals blocked. There
 *   is no state between mocks; several in one process know nothing of each other. (gRPC is initialised, and its log lines are
 *   silenced, for the whole process.) Only where memory or randomness is gone does it end the process by abort: it is made for
 *   tests. Do not fork() while there is a mock, unless the child calls exec or _exit at once; posix_spawn is fine.
 *
 * Threads
 *   Every function may be called from any thread, also from a grader's handler; but xqueue_mock_destroy only when nobody else
 *   uses the mock any more.
 *
 * Compatibility
 *   As in grader.h: structs begin with struct_size and grow at their end, never change, or are only made by the library. Every
 *   parameter xqueue_error may be NULL; out-parameters are untouched by a function that fails.
 *
 * This header is C11 and C++11.
 */
#ifndef XQUEUE_GRADER_MOCK_H
#define XQUEUE_GRADER_MOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <xqueue/grader.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xqueue_mock;

enum {
    XQUEUE_MOCK_SUBMISSIONS_MAX = 10000,  /* of one mock, over its life */
    XQUEUE_MOCK_BODY_BYTES_MAX = 3145728, /* as the service has it by default */
    XQUEUE_MOCK_HEADER_BYTES_MAX = 65536, /* likewise */
    XQUEUE_MOCK_FILES_MAX = 100,          /* of one submission */
    XQUEUE_MOCK_FILE_BYTES_MAX = 8388608, /* of one file */
    XQUEUE_MOCK_LABELS_MAX = 16,          /* of one submission */
    XQUEUE_MOCK_MS_MAX = 86400000,        /* of every duration below: a day */
};

/* ---- start and end ---- */

/*
 * Begin with xqueue_mock_options_init, then set what you need. Everything is copied. Later versions add members at the end.
 * Shorten the times to make a test of them fast; a grader renews its leases three times within lease_ms.
 */
struct xqueue_mock_options {
    size_t struct_size; /* set by xqueue_mock_options_init */

    /* "127.0.0.1:0" (any free port; the default), "[::1]:PORT", "unix:/path", or "unix:", which is a socket in a new folder
     * under TMPDIR (or /tmp) that goes with the mock. */
    const char *address;
    /* Who may grade. With user (and password) or token set, only they; without both, anybody, also without any login. */
    const char *user;
    const char *password;
    const char *token;
    int64_t lease_ms;        /* 60,000; from 30 */
    int64_t accept_ms;       /* 10,000; from 1: until a grader must have accepted a grant */
    int64_t hard_limit_ms;   /* 600,000; from 1: until a lease ends, whatever is renewed */
    int64_t ping_period_ms;  /* 20,000; from 10: the mock pings so often, and ends a connection after three unanswered */
    unsigned failures_max;   /* 5; from 1: a submission with so many counted failures is dead */
    size_t result_bytes_max; /* 3,145,728: what a grader is told of the longest result */
};

/* Sets the defaults. */
static inline void xqueue_mock_options_init(struct xqueue_mock_options *options)
{
    memset(options, 0, sizeof *options);
    options->struct_size = sizeof *options;
    options->lease_ms = 60000;
    options->accept_ms = 10000;
    options->hard_limit_ms = 600000;
    options->ping_period_ms = 20000;
    options->failures_max = 5;
    options->result_bytes_max = 3145728;
}

/*
 * Listens. options: NULL for the defaults. *out_mock is yours: end it with xqueue_mock_destroy. XQUEUE_STATUS_INVALID (error
 * says which option), _UNAVAILABLE (the address is taken), _SYSTEM (no thread, no temporary folder).
 */
XQUEUE_API enum xqueue_status xqueue_mock_start(const struct xqueue_mock_options *options, struct xqueue_mock **out_mock,
                                                struct xqueue_error *error);

/* Ends all connections, as a service does that is killed, and frees everything but records. Stop graders before, unless you
 * want to see what they do without a service. NULL is fine. */
XQUEUE_API void xqueue_mock_destroy(struct xqueue_mock *mock);

/* What a grader's option address, or XQUEUE_ADDRESS, is to be: "127.0.0.1:43211", "unix:/tmp/xqueue-mock-Ab12Cd/socket".
 * Borrowed, the same until xqueue_mock_destroy. */
XQUEUE_API const char *xqueue_mock_address(const struct xqueue_mock *mock);

/* ---- submissions ---- */

/* A file of a submission; graders fetch it over the mock. Never changes its layout. */
struct xqueue_mock_file {
    const char *name;     /* the form field; 1 to 255 bytes */
    const char *filename; /* the name that it had at the student's; NULL is "" */
    const void *bytes;
    size_t length; /* up to XQUEUE_MOCK_FILE_BYTES_MAX */
};

/* What is handed in. Begin with xqueue_mock_submission_init; everything is copied by xqueue_mock_submit. */
struct xqueue_mock_submission {
    size_t struct_size; /* set by xqueue_mock_submission_init */
    const char *queue;  /* required, 1 to 128 bytes */
    const void *body;   /* may be empty */
    size_t body_length;
    const void *header; /* likewise */
    size_t header_length;
    const struct xqueue_label *labels; /* what the grader must have to get it */
    size_t label_count;
    const struct xqueue_mock_file *files;
    size_t file_count;
};

/* Empties it. */
static inline void xqueue_mock_submission_init(struct xqueue_mock_submission *submission)
{
    memset(submission, 0, sizeof *submission);
    submission->struct_size = sizeof *submission;
}

/* Hands one in; it is granted as soon as a grader has room. *out_id: its number, from 1. XQUEUE_STATUS_INVALID (error says
 * what), _FULL (XQUEUE_MOCK_SUBMISSIONS_MAX). */
XQUEUE_API enum xqueue_status xqueue_mock_submit(struct xqueue_mock *mock, const struct xqueue_mock_submission *submission,
                                                 uint64_t *out_id, struct xqueue_error *error);

/* Where a submission stands. The numbers are those of the service. */
enum xqueue_mock_state {
    XQUEUE_MOCK_STATE_READY = 1,      /* waits for a grader */
    XQUEUE_MOCK_STATE_LEASED = 2,     /* a grader has it */
    XQUEUE_MOCK_STATE_DELAYED = 3,    /* waits for a time: retry_after_ms, or the delay of a release */
    XQUEUE_MOCK_STATE_GRADED = 4,     /* final: there is a result */
    XQUEUE_MOCK_STATE_DEAD = 5,       /* final: failures_max is reached. A late result still counts */
    XQUEUE_MOCK_STATE_CANCELED = 6,   /* final: xqueue_mock_take */
    XQUEUE_MOCK_STATE_SUPERSEDED = 7, /* final: likewise */
    XQUEUE_MOCK_STATE_UNGRADABLE = 8, /* final: the grader said so */
};

/* ---- what graders do ---- */

/* What can be waited for and counted. Numbers never change; later versions may add some. */
enum xqueue_mock_event {
    /* Of a submission. */
    XQUEUE_MOCK_GRANTED = 1,   /* it was given to a grader */
    XQUEUE_MOCK_ACCEPTED = 2,  /* the grader has it */
    XQUEUE_MOCK_REJECTED = 3,  /* the grader has no room for it; uncounted, it is ready again */
    XQUEUE_MOCK_RENEWED = 4,   /* a heartbeat has renewed its lease */
    XQUEUE_MOCK_PROGRESS = 5,  /* a progress note came. Graders join notes that follow quickly: wait for one at a time */
    XQUEUE_MOCK_COMPLETED = 6, /* a result was taken */
    XQUEUE_MOCK_FAILED = 7,    /* xqueue_submission_fail was taken, or the handler returned without an answer */
    XQUEUE_MOCK_RELEASED = 8,  /* it was handed back */
    XQUEUE_MOCK_LOST = 9,      /* its lease ran out or was taken away */
    XQUEUE_MOCK_REPEATED = 10, /* an answer came once more; it counts once */
    XQUEUE_MOCK_REFUSED = 11,  /* an answer came and did not count: too late, too large, or not wanted any more */
    XQUEUE_MOCK_FINISHED = 12, /* it came into a final state */
    /* Of graders: id is 0. */
    XQUEUE_MOCK_LOGIN = 13,         /* a login succeeded */
    XQUEUE_MOCK_LOGIN_REFUSED = 14, /* user or password was wrong */
    XQUEUE_MOCK_HELLO = 15,         /* a grader has said hello, welcome or not */
    XQUEUE_MOCK_WELCOME = 16,       /* a grader was welcomed */
    XQUEUE_MOCK_HELLO_REFUSED = 17, /* by xqueue_mock_refuse_hellos, or for a breach of the contract */
    XQUEUE_MOCK_DRAINING = 18,      /* a grader stops: it takes nothing more */
    XQUEUE_MOCK_LEFT = 19,          /* a welcomed grader's connection has ended, however */
    XQUEUE_MOCK_PONG = 20,          /* a ping was answered */
    XQUEUE_MOCK_FETCHED = 21,       /* a file was asked for and sent */
};

/*
 * Waits until event has happened count times since the mock started: to the submission id, or, with id 0, to all submissions
 * and graders together. Returns at once when it has. timeout_ms: 0 to XQUEUE_MOCK_MS_MAX; make it generous, for it is only
 * reached when the test fails. XQUEUE_STATUS_TIMEOUT (error says how far it came, and what became of the submission),
 * _NOT_FOUND, _INVALID.
 */
XQUEUE_API enum xqueue_status xqueue_mock_wait(struct xqueue_mock *mock, uint64_t id, enum xqueue_mock_event event,
                                               unsigned count, int64_t timeout_ms, struct xqueue_error *error);

/* How often event has happened so far. 0 also for a submission or an event that there is not. */
XQUEUE_API unsigned xqueue_mock_count(struct xqueue_mock *mock, uint64_t id, enum xqueue_mock_event event);

/* How many graders are connected and welcome now. */
XQUEUE_API unsigned xqueue_mock_grader_count(struct xqueue_mock *mock);

/* Waits until exactly count graders are connected and welcome. XQUEUE_STATUS_TIMEOUT, _INVALID. */
XQUEUE_API enum xqueue_status xqueue_mock_wait_graders(struct xqueue_mock *mock, unsigned count, int64_t timeout_ms,
                                                       struct xqueue_error *error);

/* How a submission stands. Only made by the library: later versions may add members at the end. */
struct xqueue_mock_record {
    uint64_t id;
    enum xqueue_mock_state state;
    const char *grader; /* the name of the grader that has it, or had it last; "" */
    uint32_t attempt;   /* leases so far */
    uint32_t failures;  /* counted failures so far */
    /* The newest progress note: "", 0, "" when there was none. */
    const char *phase;
    unsigned percent;
    const char *note;
    /* The result that was taken last; NULL: none. It is followed by a NUL, which result_length does not count. */
    const char *result;
    size_t result_length;
    /* The latest xqueue_submission_fail that was taken; fail_kind is 0 when there was none. */
    int fail_kind; /* enum xqueue_fail */
    const char *fail_message;
    int64_t retry_after_ms;
    int64_t release_delay_ms;     /* of the latest xqueue_submission_release */
    enum xqueue_lost lost_reason; /* why its lease was lost last; XQUEUE_LOST_NOT: it never was */
};

/* A copy of how it stands now. *out_record is yours: free it with xqueue_mock_record_free. XQUEUE_STATUS_NOT_FOUND. */
XQUEUE_API enum xqueue_status xqueue_mock_look(struct xqueue_mock *mock, uint64_t id, struct xqueue_mock_record **out_record,
                                               struct xqueue_error *error);

/* With all texts in it. NULL is fine. */
XQUEUE_API void xqueue_mock_record_free(struct xqueue_mock_record *record);

/* ---- trouble ---- */

/*
 * Takes a submission away, and tells the grader that has it why.
 *   XQUEUE_LOST_EXPIRED, _HARD_LIMIT    a counted failure; it is ready again (or dead)
 *   XQUEUE_LOST_NOT_ACCEPTED, _ADMIN    uncounted; it is ready again
 *   XQUEUE_LOST_STALE                   somebody else has it now, "somebody else" by name, and keeps it
 *   XQUEUE_LOST_CANCELED, _SUPERSEDED   final, and also for one that nobody has
 * A grader with free credit may be granted it again at once: see xqueue_mock_pause. XQUEUE_STATUS_NOT_FOUND; _WRONG_STATE:
 * nobody has it, or it is finished; _INVALID: another reason.
 */
XQUEUE_API enum xqueue_status xqueue_mock_take(struct xqueue_mock *mock, uint64_t id, enum xqueue_lost reason,
                                               struct xqueue_error *error);

/* true: nothing is granted until false. What is leased goes on. */
XQUEUE_API void xqueue_mock_pause(struct xqueue_mock *mock, bool paused);

/* true: answers are taken, but not confirmed, until false: then those confirmations that were held back go out on the
 * connections that still are. A connection lost meanwhile is the case of an answer that was stored and whose confirmation was
 * lost: the grader must say it again (XQUEUE_MOCK_REPEATED). */
XQUEUE_API void xqueue_mock_hold_acks(struct xqueue_mock *mock, bool held);

/*
 * Refuses the next count Hellos with status (and reason, up to 31 bytes, may be NULL: "QUEUE_NOT_FOUND"). retry_after_ms: the
 * advice that goes with it; 0: none. The statuses of a service are _INVALID, _UNAUTHENTICATED, _DENIED, _NOT_FOUND,
 * _UNAVAILABLE, _UNIMPLEMENTED and _INTERNAL; others are XQUEUE_STATUS_INVALID here. count 0: refuse no more.
 */
XQUEUE_API enum xqueue_status xqueue_mock_refuse_hellos(struct xqueue_mock *mock, unsigned count, enum xqueue_status status,
                                                        const char *reason, int64_t retry_after_ms, struct xqueue_error *error);

/* Sessions end: what logins gave before is refused from the next connection on, and graders have to log in again. */
XQUEUE_API void xqueue_mock_end_sessions(struct xqueue_mock *mock);

/* Says to all graders that the service stops, and ends their streams in good order. They may come again at once. */
XQUEUE_API void xqueue_mock_go_away(struct xqueue_mock *mock);

/* Cuts all connections without a word; graders may come again at once. As xqueue_mock_stop, then xqueue_mock_resume. */
XQUEUE_API enum xqueue_status xqueue_mock_drop_connections(struct xqueue_mock *mock, struct xqueue_error *error);

/* Cuts all connections without a word, and is not there any more: connecting fails. What was handed in stays, leases and their
 * times go on. Nothing more happens when it is stopped already. */
XQUEUE_API void xqueue_mock_stop(struct xqueue_mock *mock);

/* There again, at the same address. XQUEUE_STATUS_UNAVAILABLE: somebody else has taken that meanwhile; you may try again.
 * Nothing happens when it is not stopped. */
XQUEUE_API enum xqueue_status xqueue_mock_resume(struct xqueue_mock *mock, struct xqueue_error *error);

#ifdef __cplusplus
}
#endif

#endif
