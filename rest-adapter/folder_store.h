/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files on this machine, or on a file system that several share: FOLDER/SHELF/KEY, so that any web server with FOLDER as its
 * media root serves them, too. Names beginning with '.' in FOLDER are not files of anybody: .incoming, .key.
 *
 * When keep answers, bytes, names and folders are all synced: a power cut takes nothing away. A shelf is made when its first
 * file comes and goes with its last.
 *
 * Threading: any thread; several processes may share the folder.
 */
#ifndef REST_ADAPTER_FOLDER_STORE_H
#define REST_ADAPTER_FOLDER_STORE_H

#include <stdbool.h>

#include "base/status.h"
#include "rest-adapter/file_store.h"

/*
 * folder: descriptor, borrowed. is_for_group: the group may read shelves and files, for a web server beside us.
 * Never NULL; close with its kind's close.
 */
struct file_store *folder_store_create(int folder, bool is_for_group);

enum { FOLDER_STORE_SHELF_MODE = 0700, FOLDER_STORE_SHELF_GROUP_MODE = 0750 };

/* Syncs a folder's names. name: relative to folder, or ".". false: errno says why. */
bool folder_store_sync(int folder, const char *name);

/* error becomes what errno says about storing: STORAGE_FULL or STORAGE_FAILED, as file_store.h has them. */
enum status folder_store_error(struct error *error, const char *what);

#endif
