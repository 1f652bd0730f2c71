/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the program that grades reads and writes: JSON such as the graders of xqueue-watcher know it.
 *
 * In goes the object that the LMS sent ("student_response", "grader_payload", which is often JSON in a string, ...), as it is,
 * with one more member, "xqueue": submission, queue, attempt, submitted_at_ms, header, files (of which path is the name in the
 * scratch folder, or null). A body that is text but no object
 * becomes {"body": TEXT, "xqueue": ...}. Out comes {"correct": true, "score": 1, "msg": "<p>...</p>"}; score and msg may be
 * left out, further members are kept.
 *
 * Threading: pure.
 */
#ifndef GRADER_SDK_TOOLS_GRADE_FORMAT_H
#define GRADER_SDK_TOOLS_GRADE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xqueue/grader.h>

enum {
    GRADE_FORMAT_MESSAGE_MAX = 1025, /* bytes with NUL, of what is said of a failure */
    GRADE_FORMAT_PHASE_MAX = 65,     /* likewise, of progress */
    GRADE_FORMAT_NOTE_MAX = 513,
    GRADE_FORMAT_FILE_NAME_MAX = 32,
};

struct grade_format_submission {
    uint64_t id;
    const char *queue;
    uint32_t attempt;
    int64_t submitted_at_ms;
    const char *header; /* bytes; left out when it is not UTF-8 */
    size_t header_length;
    const char *body; /* bytes */
    size_t body_length;
    const struct xqueue_file *const *files;
    size_t file_count;
};

/* Writes what file index is called in the scratch folder, "attached-0": never what the student calls it. False: it is not
 * there, for it has only a URL. */
bool grade_format_file_name(const struct xqueue_file *file, size_t index, char out[GRADE_FORMAT_FILE_NAME_MAX]);

/* What comes in, and the two members that graders ask for first. NULL: not there, or no text, or text with
 * a NUL. */
struct grade_format_input {
    char *text; /* the whole */
    char *response;
    char *payload;
};

/* False: the body is neither JSON nor text. Free with grade_format_input_finish. */
bool grade_format_input_init(struct grade_format_input *input, const struct grade_format_submission *submission);
void grade_format_input_finish(struct grade_format_input *input);

/* The result that the LMS gets, to be freed; or NULL, and out_wrong says why. */
char *grade_format_result(const char *output, size_t length, char out_wrong[GRADE_FORMAT_MESSAGE_MAX]);

/* The result for a program that was stopped at a limit. message: HTML. To be freed; NULL: no memory. */
char *grade_format_wrong_answer(const char *message);

/* A line of progress: "40", "40 compiling" or "40 compiling: main.c". False: it is none. */
struct grade_format_progress {
    unsigned percent;
    char phase[GRADE_FORMAT_PHASE_MAX];
    char note[GRADE_FORMAT_NOTE_MAX];
};
bool grade_format_progress(const char *line, struct grade_format_progress *out_progress);

/* Bytes as text for people: cut at the capacity, blanks at both ends gone, control characters become blanks, and everything
 * that is not ASCII becomes '?' where the whole is not UTF-8. */
void grade_format_text(const char *bytes, size_t length, char *out, size_t capacity);

#endif
