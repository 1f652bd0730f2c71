/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the course grader reads: the submission's body as the LMS wraps it, and the tests of the problem that it names.
 *
 * Body:  {"student_response": "code", "grader_payload": "{\"problem\": \"fibonacci\", \"language\": \"python\"}"}
 *        (the payload may be an object, too; everything else is ignored)
 * Tests: COURSE/fibonacci/tests.json: {"cases": [{"name": "ten", "args": ["a"], "stdin": "10\n", "stdout": "55\n"}, ...]}
 *
 * Threading: pure, but for reading the file.
 */
#ifndef GRADER_SDK_EXAMPLES_COURSE_PROBLEM_H
#define GRADER_SDK_EXAMPLES_COURSE_PROBLEM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    PROBLEM_NAME_MAX = 64, /* bytes with NUL; [a-z0-9_-]+ */
    PROBLEM_CASES_MAX = 100,
    PROBLEM_ARGS_MAX = 16,
};

struct language {
    const char *name;
    const char *interpreter; /* absolute path */
    const char *option;      /* of the interpreter, before the file; or NULL */
    const char *file;        /* that the solution is written to */
};

struct task {
    json_t *body;                   /* owned; solution points into it */
    const char *solution;           /* with its NUL; contains no other */
    char problem[PROBLEM_NAME_MAX]; /* a valid name */
    const struct language *language;
};

/* Reads a body. False: *out_why says why (static text), and nothing is owned. Free with task_finish. */
bool task_read(struct task *task, const void *body, size_t length, const char **out_why);
void task_finish(struct task *task);

/* One test of a problem; all borrowed from the problem. */
struct problem_case {
    const char *name;
    const char *args[PROBLEM_ARGS_MAX];
    size_t arg_count;
    const char *input;
    const char *expected;
};

struct problem {
    json_t *root; /* owned */
    struct problem_case cases[PROBLEM_CASES_MAX];
    size_t case_count;
};

enum problem_outcome { PROBLEM_OK, PROBLEM_UNKNOWN, PROBLEM_BROKEN };

/* Reads folder/name/tests.json; name is a valid name. Nothing is owned unless PROBLEM_OK. Free with problem_finish. */
enum problem_outcome problem_read(struct problem *problem, const char *folder, const char *name);
void problem_finish(struct problem *problem);

#endif
