/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a submission in a mock: leases, answers, failures. A small copy of the service's rules without its store, for
 * xqueue_mock_*; the header grader_mock.h says which.
 *
 *   READY --grant--> LEASED --result--> GRADED
 *     ^                | |---ungradable--> UNGRADABLE
 *     +--fail, loss,---+ |---failures used up--> DEAD
 *        release         (any but the final ones --take--> CANCELED, SUPERSEDED)
 *
 * Threading: the mock's mutex is held.
 */
#ifndef GRADER_SDK_MOCK_MOCK_RULES_H
#define GRADER_SDK_MOCK_MOCK_RULES_H

#include "grader-sdk/mock/mock.h"

/* Tells the grader that has the submission, if it is connected, that its lease is lost. Told by mock_rules_tick and _take. */
typedef void mock_on_lost(struct xqueue_mock *mock, const struct mock_submission *submission);

/* What an answer comes to. */
enum mock_verdict {
    MOCK_VERDICT_OK,
    MOCK_VERDICT_ALREADY,
    MOCK_VERDICT_STALE,     /* not the newest lease, or over */
    MOCK_VERDICT_UNWANTED,  /* canceled or superseded */
    MOCK_VERDICT_EXISTS,    /* another result of the same lease is there */
    MOCK_VERDICT_TOO_LARGE, /* result */
    MOCK_VERDICT_BAD,       /* a bound of the contract is broken */
};

/* An answer as it came. Texts borrowed. */
struct mock_saying {
    uint64_t id;
    const char *key;
    enum mock_answer kind;
    const void *result; /* RESULT */
    size_t result_length;
    bool may_amend;
    int fail_kind; /* FAIL: enum xqueue_fail */
    const char *message;
    int64_t delay_ms; /* FAIL: retry after; RELEASE */
};

/* Judges an answer and takes it if it counts; counts the event. */
enum mock_verdict mock_rules_answer(struct xqueue_mock *mock, const struct mock_saying *saying);

/* The submission whose running lease this is; NULL: none. */
struct mock_submission *mock_rules_held(const struct xqueue_mock *mock, uint64_t id, const char *key);
/* Why the lease is not running: for somebody who thinks that it is. */
enum xqueue_lost mock_rules_why_lost(const struct xqueue_mock *mock, uint64_t id, const char *key);

/* May be granted now? */
bool mock_rules_is_ready(const struct mock_submission *submission, int64_t now_ms);
/* A new lease for grader; counted. */
void mock_rules_grant(struct xqueue_mock *mock, struct mock_submission *submission, const struct mock_session *session);
void mock_rules_accept(struct xqueue_mock *mock, struct mock_submission *submission);
/* Back to its place, uncounted, because the grader has no room. */
void mock_rules_reject(struct xqueue_mock *mock, struct mock_submission *submission);
/* For a full length, but not beyond the hard limit. */
void mock_rules_renew(struct xqueue_mock *mock, struct mock_submission *submission);

/* Ends a running lease for this reason, as xqueue_mock_take says; without one only CANCELED and SUPERSEDED do something. The
 * submission is not final. Told to the grader. */
void mock_rules_take(struct xqueue_mock *mock, struct mock_submission *submission, enum xqueue_lost reason,
                     mock_on_lost *on_lost);
bool mock_rules_is_final(const struct mock_submission *submission);

/* Ends the leases whose time is up. Returns when it wants to be called again, also because something becomes ready. */
int64_t mock_rules_tick(struct xqueue_mock *mock, int64_t now_ms, mock_on_lost *on_lost);

#endif
