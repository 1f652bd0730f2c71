/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that go with every submission of a call: digested first, then sent in pieces, so that any size takes the same memory.
 *
 * Threading: any thread.
 */
#ifndef GRADER_SDK_TOOLS_SUBMIT_ATTACHMENTS_H
#define GRADER_SDK_TOOLS_SUBMIT_ATTACHMENTS_H

#include "grader-sdk/tools/submit_run.h"
#include "xqueue/v1/submissions.pb-c.h"

/* files: borrowed for the life of the attachments. STATUS_NOT_FOUND: one cannot be read. Reads each whole, for its digest. */
enum status submit_attachments_create(const struct submit_pair *files, size_t count,
                                      struct submit_attachments **out_attachments, struct error *error) STATUS_CHECKED;
void submit_attachments_destroy(struct submit_attachments *attachments); /* NULL is fine */

/* Sends them all; what is there already is sent again, as the contract asks for. One thread at a time does it, others wait. */
enum status submit_attachments_upload(struct submit_attachments *attachments, struct submit_tries *tries,
                                      struct error *error) STATUS_CHECKED;

/* For a request; the attachments' own. attachments NULL: none. */
Xqueue__V1__File **submit_attachments_files(const struct submit_attachments *attachments, size_t *out_count);

#endif
