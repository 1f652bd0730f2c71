/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of xqueue-grade.
 *
 * Threading: main thread only (getopt).
 */
#ifndef GRADER_SDK_TOOLS_GRADE_OPTIONS_H
#define GRADER_SDK_TOOLS_GRADE_OPTIONS_H

#include <stdbool.h>
#include <xqueue/grader.h>

#include "grader-sdk/tools/grade_settings.h"

enum { GRADE_OPTIONS_WRONG_MAX = 4096, GRADE_OPTIONS_PASSED_ON_MAX = 32, GRADE_OPTIONS_LABEL_MAX = 132 };

enum grade_options_outcome { GRADE_OPTIONS_RUN, GRADE_OPTIONS_HELP, GRADE_OPTIONS_VERSION, GRADE_OPTIONS_WRONG };

struct grade_options {
    struct xqueue_grader_options grader; /* all but the callbacks; its texts are borrowed from argv and from here */
    struct grade_settings settings;      /* likewise */
    const char *parent;                  /* where scratch folders go; NULL: as the environment says */
    const char *queues[XQUEUE_QUEUES_MAX];
    struct xqueue_label labels[XQUEUE_LABELS_MAX];
    char label_texts[XQUEUE_LABELS_MAX][GRADE_OPTIONS_LABEL_MAX];
    const char *passed_on[GRADE_OPTIONS_PASSED_ON_MAX];
    char wrong[GRADE_OPTIONS_WRONG_MAX]; /* what is wrong */
};

/* argv is not reordered: options end where the program's name begins. */
enum grade_options_outcome grade_options_read(struct grade_options *options, int argc, char **argv);

/* All options, for --help. */
void grade_options_explain(void);

#endif
