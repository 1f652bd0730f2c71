/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches one file of a submission into a sink: calls Files.Fetch, checks size and digest, and calls it again from where it was
 * when the connection breaks, until the file is whole, something is wrong for good, or nobody wants it any more. One chunk is
 * being written while the next one is on its way, whatever the size.
 *
 * Threading: any thread but the RPC loop; blocks.
 */
#ifndef GRADER_SDK_SRC_FILE_FETCH_H
#define GRADER_SDK_SRC_FILE_FETCH_H

#include "grader-sdk/src/file_sink.h"
#include "grader-sdk/src/submission.h"

/*
 * file, of the submission, has a file_id; options are checked. The sink is open; with XQUEUE_STATUS_OK it is kept, else
 * abandoned. Statuses as in the public header; error is filled unless OK.
 */
enum xqueue_status file_fetch(struct xqueue_submission *submission, const struct xqueue_file *file,
                              const struct xqueue_fetch_options *options, struct file_sink *sink,
                              struct xqueue_error *error) STATUS_CHECKED;

#endif
