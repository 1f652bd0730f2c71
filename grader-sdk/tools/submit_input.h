/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What xqueue-submit reads: whole files within a bound, and the names of files in a folder.
 *
 * Threading: any thread; standard input once.
 */
#ifndef GRADER_SDK_TOOLS_SUBMIT_INPUT_H
#define GRADER_SDK_TOOLS_SUBMIT_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct submit_input {
    char *bytes; /* owned; a NUL follows that length does not count */
    size_t length;
    int64_t changed_at_ms; /* when the file was changed last; of a stream: now */
};

/* path "-": standard input. Errors, with the path: STATUS_NOT_FOUND (cannot be read), STATUS_FULL (more than bytes_max). */
enum status submit_input_read(const char *path, size_t bytes_max, struct submit_input *out_input,
                              struct error *error) STATUS_CHECKED;
void submit_input_finish(struct submit_input *input); /* zeroed is fine */

/* "TEXT" or "@FILE"; text NULL gives no bytes. name: of the option, for errors. */
enum status submit_input_read_text(const char *name, const char *text, size_t bytes_max, struct submit_input *out_input,
                                   struct error *error) STATUS_CHECKED;

struct submit_paths {
    char **paths; /* owned, sorted by name */
    size_t count;
};

/* The regular files of folder whose names match glob (NULL: all) and do not begin with a dot. STATUS_NOT_FOUND: cannot be read,
 * or there are none; STATUS_FULL: more than SUBMIT_ITEMS_MAX. */
enum status submit_paths_list(const char *folder, const char *glob, struct submit_paths *out_paths,
                              struct error *error) STATUS_CHECKED;
void submit_paths_finish(struct submit_paths *paths); /* zeroed is fine */

#endif
