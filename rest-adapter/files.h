/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uploaded files: how they come in, where they stay, and the URLs under which graders fetch them.
 *
 * A file is taken in piece by piece while its form is read, into FOLDER/.incoming, under a random name of 128 bits (its key).
 * When the form is complete and the queue is known, files_keep takes all files of the form to their store, on the queue's
 * shelf (file_link.h); until then nobody can fetch them. Nothing is ever overwritten.
 *
 * URLs: with rest.media_url that and SHELF/KEY, as the original has it: another web server serves them. Else
 * rest.public_url and a signed link to this adapter, good for rest.file_url_ms.
 *
 * Threading: files: any thread. A receiver belongs to one thread. Several adapters may share one folder.
 */
#ifndef REST_ADAPTER_FILES_H
#define REST_ADAPTER_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/span.h"
#include "base/status.h"
#include "base/text.h"
#include "rest-adapter/file_link.h"
#include "rest-adapter/form_reader.h"

enum { FILES_URL_BYTES_MAX = 4096 }; /* the contract's bound */

struct files;

/*
 * Makes the folder if need be, tries whether it can be written, reads the secret of links, or makes it, and starts to sweep
 * (file_sweep.h). config: borrowed for the life of the files, like callbacks, of which TLS settings count with config.s3 (else
 * NULL is fine). STATUS_UNAVAILABLE, STATUS_INVALID, STATUS_NO_MEMORY: it cannot; text in error.
 */
enum status files_open(const struct config_rest *config, const struct config_callbacks *callbacks, struct files **out_files,
                       struct error *error) STATUS_CHECKED;

void files_close(struct files *files); /* NULL is fine */

/* What takes in the files of one form. */
struct files_receiver {
    struct files *files;        /* borrowed */
    int64_t bytes_left;         /* of config.file_bytes_max */
    char shelf[FILE_SHELF_MAX]; /* "" until files_keep */
};

/*
 * A sink for form_reader that stores into files: form_file.stored becomes the file's key, form_file.sha256 its digest; after
 * on_end its bytes are synced. receiver: the caller's, unchanged in place while the sink is used. Its failures: STATUS_FULL,
 * reason FORM_TOO_LARGE (all files of the form are larger than config.file_bytes_max) or STORAGE_FULL; STATUS_UNAVAILABLE,
 * reason STORAGE_FAILED.
 */
struct form_file_sink files_receiver_init(struct files_receiver *receiver, struct files *files);

/*
 * Takes all files of a complete form to the queue's shelf; once, also without files. After STATUS_OK a power cut takes nothing
 * away. Otherwise nobody can count on any of them: files_remove. Failures as above. Logged when they begin and when they end.
 */
enum status files_keep(struct files_receiver *receiver, struct form *form, struct span queue,
                       struct error *error) STATUS_CHECKED;

/* Ends what is half received and removes what was stored of this form, kept or not. Failures are logged. */
void files_remove(struct files_receiver *receiver, struct form *form);

/*
 * Appends the URL under which graders fetch a file that was kept. key: form_file.stored. port: of this adapter, in place of a
 * port 0 in config.public_url.
 */
void files_append_url(const struct files_receiver *receiver, const char *key, int port, struct text *out);

/*
 * Appends the URL that a grader is given for one that the core keeps: with a bucket, and a good link of ours to a file in it, a
 * presigned one that spares the way over this adapter; else url itself.
 */
void files_append_direct_url(struct files *files, struct span url, struct text *out);

/* Where the file of a link is. */
struct files_found {
    int descriptor; /* the caller's; -1: at url */
    int64_t bytes;
    char key[SECRET_KEY_TEXT_MAX]; /* for the ETag */
    char *url;                     /* presigned; the caller's, memory_free; or NULL */
};

/*
 * Finds the file that a link names. path: decoded once; query: as sent, or NULL. is_head: no more than its headers are wanted.
 * STATUS_NOT_FOUND: no link's path, or no such file (in a bucket that is found out there); STATUS_DENIED: not signed by us, or
 * over; STATUS_UNAVAILABLE: it cannot be read (logged).
 */
enum status files_find(struct files *files, const char *path, const char *query, bool is_head,
                       struct files_found *out_found) STATUS_CHECKED;

#endif
