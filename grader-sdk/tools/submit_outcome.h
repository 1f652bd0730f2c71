/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of one submission, how a grader's answer is read, and how all that is told: exit code, words, JSON.
 *
 * Threading: an outcome belongs to one thread at a time.
 */
#ifndef GRADER_SDK_TOOLS_SUBMIT_OUTCOME_H
#define GRADER_SDK_TOOLS_SUBMIT_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "base/status.h"
#include "grader-sdk/tools/submit_options.h"

enum submit_end {
    SUBMIT_END_FAILED,    /* status and error say why */
    SUBMIT_END_SUBMITTED, /* and not waited for */
    SUBMIT_END_GRADED,
    SUBMIT_END_UNGRADABLE,
    SUBMIT_END_DEAD,
    SUBMIT_END_CANCELED,
    SUBMIT_END_SUPERSEDED,
    SUBMIT_END_TIMEOUT,
    SUBMIT_END_INTERRUPTED,
    SUBMIT_END_COUNT
};

/* A grader's answer, as far as it is one that an LMS understands. */
struct submit_grade {
    bool is_known; /* "correct" is there */
    bool is_correct;
    bool has_score;
    double score;
    char *message; /* owned; "msg", or NULL */
};

enum { SUBMIT_OUTCOME_TEXT_MAX = 1025, SUBMIT_OUTCOME_NAME_MAX = 129, SUBMIT_OUTCOME_ID_MAX = 129 };

struct submit_outcome {
    enum submit_end end;
    enum status status; /* FAILED only */
    struct error error;
    uint64_t id;         /* 0: not submitted, as far as we know */
    bool already;        /* the request id was known */
    bool was_taken_back; /* INTERRUPTED: by us */
    char request_id[SUBMIT_OUTCOME_ID_MAX];
    char queue[SUBMIT_OUTCOME_NAME_MAX];
    char grader[SUBMIT_OUTCOME_NAME_MAX];
    char message[SUBMIT_OUTCOME_TEXT_MAX]; /* of the service: why it ended badly */
    uint32_t attempt, failures;
    int64_t submitted_at_ms; /* by the service's clock; 0: unknown */
    int64_t took_us;         /* from handing in, or the beginning of --watch, to the end */
    char *result;            /* owned; NULL: none */
    size_t result_length;
    struct submit_grade grade;
};

void submit_outcome_finish(struct submit_outcome *outcome); /* zeroed is fine */

/* Finish frees its message. Anything may come in. */
void submit_grade_read(const char *result, size_t length, struct submit_grade *out_grade);
void submit_grade_finish(struct submit_grade *grade);

int submit_outcome_exit(const struct submit_outcome *outcome, bool is_check);

/* Did it end as it should: a result, a correct one with is_check, or submitted where nobody waits? */
bool submit_outcome_is_good(const struct submit_outcome *outcome, bool is_check);

/* One line: "correct, score 1", "not gradable: no such problem", "no result in time; it goes on ..." ... Returns out. */
enum { SUBMIT_OUTCOME_WORDS_MAX = 2048 };
const char *submit_outcome_words(const struct submit_outcome *outcome, char out[SUBMIT_OUTCOME_WORDS_MAX]);

/* "GRADED" ..., as the contract names states; what is none has a name of ours: "FAILED", "SUBMITTED", "TIMEOUT", "INTERRUPTED".
 */
const char *submit_end_name(enum submit_end end);

/* The document that docs and manual describe: the caller's. name: of the file, or NULL. */
json_t *submit_outcome_json(const struct submit_outcome *outcome, const char *name);

#endif
