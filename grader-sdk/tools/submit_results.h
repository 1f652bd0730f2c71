/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What many submissions leave behind: a file for each in a folder, or lines of JSON; and how each is named to the service.
 *
 * Threading: any thread.
 */
#ifndef GRADER_SDK_TOOLS_SUBMIT_RESULTS_H
#define GRADER_SDK_TOOLS_SUBMIT_RESULTS_H

#include <jansson.h>

#include "base/status.h"
#include "grader-sdk/tools/submit_options.h"
#include "grader-sdk/tools/submit_screen.h"

/* Makes the folder unless it is there. STATUS_NOT_FOUND: it cannot be made. */
enum status submit_results_prepare(const char *folder, struct error *error) STATUS_CHECKED;

/* folder/name.json, whole or not at all; in place of an earlier one. STATUS_NOT_FOUND, with the path and why. */
enum status submit_results_write(const char *folder, const char *name, const json_t *document,
                                 struct error *error) STATUS_CHECKED;

/* One line on standard output. */
void submit_results_print(struct submit_screen *screen, const json_t *document);

/* "ID:NAME", the same each time; with a digest for the name where that is too long. */
void submit_results_request_id(const char *id, const char *name, char out[SUBMIT_REQUEST_ID_BYTES_MAX + 1]);

#endif
