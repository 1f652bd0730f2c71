/* SPDX-License-Identifier: Apache-2.0 */
#include "service/submitted_files.h"

#include <string.h>

#include "service/file_folder.h"

static enum status find(const struct queues *queues, struct store_file *file, struct error *error)
{
    struct kept_file kept;
    if (!queues->files) {
        return error_set(error, STATUS_NOT_FOUND, "FILE_NOT_FOUND", "this service keeps no files");
    }
    enum status status = file_folder_find(queues->files, file->file_id, &kept, error);
    if (status != STATUS_OK) {
        return status;
    }
    bool is_other_size = file->size_bytes != 0 && file->size_bytes != (uint64_t)kept.size_bytes;
    if (is_other_size || (file->has_sha256 && memcmp(file->sha256, kept.sha256, sizeof kept.sha256) != 0)) {
        return error_set(error, STATUS_INVALID, "FILE_MISMATCH", "file '%.64s' has another size or SHA-256", file->file_id);
    }
    file->size_bytes = (uint64_t)kept.size_bytes;
    file->has_sha256 = true;
    memcpy(file->sha256, kept.sha256, sizeof file->sha256);
    return STATUS_OK;
}

enum status submitted_files_find(struct queues *queues, struct store_file *files, size_t count, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t at = 0; at < count && status == STATUS_OK; at++) {
        if (files[at].file_id[0] != '\0') {
            status = find(queues, &files[at], error);
        }
    }
    return status;
}
