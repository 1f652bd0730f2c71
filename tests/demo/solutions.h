/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three students' solutions of one problem of the demo course (grader-sdk/examples/course/fibonacci): one is right, one is
 * wrong, one takes for ever. And what their LMS must hear of each.
 *
 * Threading: immutable.
 */
#ifndef TESTS_DEMO_SOLUTIONS_H
#define TESTS_DEMO_SOLUTIONS_H

#include <stdbool.h>
#include <stddef.h>

enum { SOLUTIONS = 3, SOLUTIONS_TEXT_MAX = 1024 };

#define SOLUTIONS_PROBLEM "Read n from standard input and print the n-th Fibonacci number"

struct solution {
    const char *name;    /* for people */
    unsigned student;    /* the LMS's number of the student */
    const char *program; /* Python */
    bool is_right;
    const char *message; /* the grader's message must hold this */
};

extern const struct solution solutions[SOLUTIONS];

/* The path of the LMS that its outcome is to be sent to. Each student has an own one: of two submissions with the same the
 * later would take the place of the earlier. */
const char *solution_callback_path(const struct solution *solution, char out[SOLUTIONS_TEXT_MAX]);

/* The form field xqueue_header: JSON. lms_key: the LMS's word for the submission, which it wants to see again. */
const char *solution_header(const char *callback_url, const char *lms_key, char out[SOLUTIONS_TEXT_MAX]);

/* The form field xqueue_body: JSON, as the LMS wraps what the student handed in. */
const char *solution_body(const struct solution *solution, char out[SOLUTIONS_TEXT_MAX]);

/* What came back for it: {"correct": bool, "score": number, "msg": HTML}. */
struct grade {
    bool is_grade; /* false: it was something else; the rest is empty then */
    bool is_correct;
    double score;
    char message[SOLUTIONS_TEXT_MAX]; /* without its tags, on one line; cut when longer */
};

struct grade grade_read(const char *result, size_t length);

#endif
