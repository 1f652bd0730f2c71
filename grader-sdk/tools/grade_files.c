/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/grade_files.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "grader-sdk/tools/grade_format.h"

static enum xqueue_status too_many(struct xqueue_error *error)
{
    *error = (struct xqueue_error){.status = XQUEUE_STATUS_FULL, .text = "the files are too large"};
    return XQUEUE_STATUS_FULL;
}

/* One file. *bytes_left: of all, lessened by its size. */
static enum xqueue_status fetch(struct xqueue_submission *submission, size_t index, const char *path, uint64_t *bytes_left,
                                struct xqueue_error *error)
{
    struct xqueue_fetch_options options;
    struct stat about;

    if (*bytes_left == 0)
        return too_many(error); // 0 would be the library's own bound
    xqueue_fetch_options_init(&options);
    options.bytes_max = *bytes_left;
    enum xqueue_status status = xqueue_submission_fetch_path(submission, index, &options, path, error);
    if (status == XQUEUE_STATUS_OK && stat(path, &about) == 0)
        *bytes_left -= (uint64_t)about.st_size;
    return status;
}

enum xqueue_status grade_files_fetch(struct xqueue_submission *submission, const char *folder, uint64_t bytes_max,
                                     struct xqueue_error *error)
{
    enum xqueue_status status = XQUEUE_STATUS_OK;
    uint64_t bytes_left = bytes_max;

    for (size_t i = 0; i < xqueue_submission_file_count(submission) && status == XQUEUE_STATUS_OK; i++) {
        char name[GRADE_FORMAT_FILE_NAME_MAX];
        char path[PATH_MAX];
        bool is_kept = grade_format_file_name(xqueue_submission_file(submission, i), i, name);
        (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
        if (is_kept)
            status = fetch(submission, i, path, &bytes_left, error);
    }
    return status;
}
