/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words for xqueue-grade: it starts and ends, a student hands in, the LMS hears the grade. Each fails the running test
 * (cmocka) when it does not happen.
 *
 * Threading: the test's main thread.
 */
#ifndef TESTS_SUPPORT_GRADE_TALK_H
#define TESTS_SUPPORT_GRADE_TALK_H

#include "tests/support/conversation.h"

/* xqueue-grade [OPTION...] -- PROGRAM [ARGUMENT...] under this name, on queue. options and program: NULL last, borrowed. */
struct running_program *grade_starts(struct conversation *talk, const char *name, const char *queue, const char *const *options,
                                     const char *const *program);
/* For tests of what only namespaces can do: ends grader and skips the test where there are none. */
void needs_namespaces(struct running_program *grader);

/* What Open edX makes of it; payload: what the problem tells its grader. Returns the id; path as of student_submits. */
uint64_t student_answers(struct conversation *talk, const char *queue, const char *path, const char *response,
                         const char *payload);
/* The same with any payload. */
uint64_t student_hands_in(struct conversation *talk, const char *queue, const char *path, const char *script);
/* The grade says so, and its message has in_message in it. Returns the score. */
double lms_hears_grade(struct conversation *talk, const char *path, bool is_correct, const char *in_message);

#endif
