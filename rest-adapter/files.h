/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder of uploaded files. A file is taken in piece by piece while its form is read, lies under a random name of 128 bits
 * that nobody can guess (FOLDER/ab/ab34...), and is on disk for good when form_reader says that the form is complete. Whoever
 * knows the name may fetch it: the name goes to graders inside the file's URL, as in the original.
 *
 * Several adapters may share one folder. Nothing is ever overwritten.
 *
 * Threading: files: any thread. A receiver belongs to one thread.
 */
#ifndef REST_ADAPTER_FILES_H
#define REST_ADAPTER_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/span.h"
#include "base/status.h"
#include "base/text.h"
#include "rest-adapter/form_reader.h"

/* Path of a file's URL: this, the queue's name, "/" and the file's name. */
#define FILES_PATH "/xqueue/files/"

enum { FILES_URL_BYTES_MAX = 4096 }; /* the contract's bound */

struct files;

/*
 * Makes the folder if need be, tries whether it can be written, and removes what a killed adapter left of uploads more than a
 * day ago. config: borrowed for the life of the files.
 * STATUS_UNAVAILABLE: it cannot; text in error.
 */
enum status files_open(const struct config_rest *config, struct files **out_files, struct error *error) STATUS_CHECKED;

void files_close(struct files *files); /* NULL is fine */

/* What takes in the files of one form. */
struct files_receiver {
    struct files *files; /* borrowed */
    int64_t bytes_left;  /* of config.file_bytes_max */
};

/*
 * A sink for form_reader that stores into files: form_file.stored becomes the file's name, form_file.sha256 its digest.
 * receiver: the caller's, unchanged in place while the sink is used. Its failures: STATUS_FULL, reason FORM_TOO_LARGE (all
 * files of the form are larger than config.file_bytes_max) or STORAGE_FULL; STATUS_UNAVAILABLE, reason STORAGE_FAILED.
 */
struct form_file_sink files_receiver_init(struct files_receiver *receiver, struct files *files);

/* Ends what is half received and removes what was stored of this form. Failures are logged. */
void files_remove(struct files *files, struct form *form);

/* Appends the URL under which graders fetch the file. port: of this adapter, in place of a port 0 in config.public_url. */
void files_append_url(const struct files *files, struct span queue, const char *name, int port, struct text *out);

/*
 * Opens the file that a URL's decoded path names. *out_descriptor is the caller's. STATUS_NOT_FOUND: malformed, or no such
 * file; STATUS_UNAVAILABLE: it cannot be read (logged).
 */
enum status files_open_path(const struct files *files, const char *path, int *out_descriptor,
                            int64_t *out_bytes) STATUS_CHECKED;

#endif
