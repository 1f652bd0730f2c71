/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions that fetch files of a submission: arguments are checked, a sink is chosen. */
#include "base/memory.h"
#include "grader-sdk/src/file_fetch.h"
#include "grader-sdk/src/report.h"

/* The file, and options that are there. */
static enum xqueue_status check(struct xqueue_submission *submission, size_t index, const struct xqueue_fetch_options **options,
                                const struct xqueue_file **out_file, struct xqueue_error *error)
{
    static const struct xqueue_fetch_options usual = {.struct_size = sizeof(usual)};
    *options = *options ? *options : &usual;
    const struct xqueue_file *file = xqueue_submission_file(submission, index);
    if (!file || !submission->access)
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "the submission has no file %zu", index);
    if ((*options)->struct_size != sizeof(**options) || (*options)->timeout_ms < 0)
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL,
                            "timeout_ms is negative, or struct_size wrong: use xqueue_fetch_options_init");
    if (!file->file_id[0])
        return report_error(error, XQUEUE_STATUS_UNIMPLEMENTED, false, NULL,
                            "the service does not keep this file: fetch file->url with an HTTP client");
    *out_file = file;
    return XQUEUE_STATUS_OK;
}

enum xqueue_status xqueue_submission_fetch_memory(struct xqueue_submission *submission, size_t index,
                                                  const struct xqueue_fetch_options *options, void **out_bytes,
                                                  size_t *out_length, struct xqueue_error *error)
{
    struct file_sink sink;
    const struct xqueue_file *file = NULL;
    if (!out_bytes || !out_length)
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "out_bytes or out_length is NULL");
    enum xqueue_status status = check(submission, index, &options, &file, error);
    if (status != XQUEUE_STATUS_OK)
        return status;
    file_sink_open_memory(&sink);
    status = file_fetch(submission, file, options, &sink, error);
    if (status == XQUEUE_STATUS_OK)
        *out_bytes = file_sink_take(&sink, out_length);
    return status;
}

void xqueue_memory_free(void *bytes)
{
    memory_free(bytes);
}

enum xqueue_status xqueue_submission_fetch_descriptor(struct xqueue_submission *submission, size_t index,
                                                      const struct xqueue_fetch_options *options, int descriptor,
                                                      struct xqueue_error *error)
{
    struct file_sink sink;
    const struct xqueue_file *file = NULL;
    if (descriptor < 0)
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "descriptor is negative");
    enum xqueue_status status = check(submission, index, &options, &file, error);
    if (status != XQUEUE_STATUS_OK)
        return status;
    file_sink_open_descriptor(&sink, descriptor);
    return file_fetch(submission, file, options, &sink, error);
}

enum xqueue_status xqueue_submission_fetch_path(struct xqueue_submission *submission, size_t index,
                                                const struct xqueue_fetch_options *options, const char *path,
                                                struct xqueue_error *error)
{
    struct file_sink sink;
    const struct xqueue_file *file = NULL;
    if (!path)
        return report_error(error, XQUEUE_STATUS_INVALID, false, NULL, "path is NULL");
    enum xqueue_status status = check(submission, index, &options, &file, error);
    if (status == XQUEUE_STATUS_OK)
        status = file_sink_open_path(&sink, path, error);
    return status == XQUEUE_STATUS_OK ? file_fetch(submission, file, options, &sink, error) : status;
}
