/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that came with a submission, brought into its scratch folder: those that the service keeps. What has only a URL is
 * the program's own to fetch.
 *
 * Threading: any thread; a submission's own.
 */
#ifndef GRADER_SDK_TOOLS_GRADE_FILES_H
#define GRADER_SDK_TOOLS_GRADE_FILES_H

#include <stdint.h>
#include <xqueue/grader.h>

/*
 * Fetches all of them, under the names of grade_format_file_name. bytes_max: of all together; then XQUEUE_STATUS_FULL. Statuses
 * and error as xqueue_submission_fetch_path has them; after a failure some may be there.
 */
enum xqueue_status grade_files_fetch(struct xqueue_submission *submission, const char *folder, uint64_t bytes_max,
                                     struct xqueue_error *error);

#endif
