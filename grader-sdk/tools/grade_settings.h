/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How xqueue-grade runs the program: what the command line said, and what was found out at the start.
 *
 * Threading: immutable after start.
 */
#ifndef GRADER_SDK_TOOLS_GRADE_SETTINGS_H
#define GRADER_SDK_TOOLS_GRADE_SETTINGS_H

#include <stdbool.h>

#include "grader-sdk/tools/grade_child.h"
#include "grader-sdk/tools/grade_folder.h"
#include "grader-sdk/tools/grade_limits.h"

enum grade_sandbox { GRADE_SANDBOX_AUTO, GRADE_SANDBOX_REQUIRE, GRADE_SANDBOX_NONE };

/* What standard input is. */
enum grade_input {
    GRADE_INPUT_JSON,  /* submission.json */
    GRADE_INPUT_RAW,   /* the body as it came */
    GRADE_INPUT_FILES, /* empty; the files of the scratch folder have it all */
};

/* What standard output is. */
enum grade_output { GRADE_OUTPUT_JSON, GRADE_OUTPUT_RAW };

/* What becomes of a submission on which the program was stopped at a limit. */
enum grade_at_limit { GRADE_AT_LIMIT_RETRY, GRADE_AT_LIMIT_UNGRADABLE, GRADE_AT_LIMIT_WRONG };

struct grade_settings {
    char **command; /* borrowed from argv, but for the path */
    char path[GRADE_FOLDER_PATH_MAX];
    struct grade_limits limits;
    enum grade_sandbox sandbox;
    enum grade_input input;
    enum grade_output output;
    enum grade_at_limit at_limit;
    bool has_network;
    bool has_namespaces;
    char hidden[GRADE_CHILD_HIDDEN_MAX][GRADE_FOLDER_PATH_MAX]; /* "" for none */
    const char *const *passed_on; /* names of variables of the environment that the program gets */
    size_t passed_on_count;

    bool is_sandboxed; /* found out */
    char outer[GRADE_FOLDER_PATH_MAX];
};

#endif
