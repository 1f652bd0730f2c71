/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that a submission names by id: they must be there already.
 *
 * Threading: engine thread only.
 */
#ifndef SERVICE_SUBMITTED_FILES_H
#define SERVICE_SUBMITTED_FILES_H

#include "service/queue.h"

/*
 * Finds each file that has a file_id, and fills in its size and digest. STATUS_NOT_FOUND FILE_NOT_FOUND; STATUS_INVALID
 * FILE_MISMATCH: the size or digest that was given is another; STATUS_UNAVAILABLE STORAGE_FAILED.
 */
enum status submitted_files_find(struct queues *queues, struct store_file *files, size_t count,
                                 struct error *error) STATUS_CHECKED;

#endif
