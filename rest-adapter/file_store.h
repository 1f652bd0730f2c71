/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where uploaded files stay once their form is complete: in a folder (folder_store.h) or a bucket (s3_store.h), behind one
 * narrow interface. Files are named by their place (file_link.h) and never change.
 *
 * Threading: any thread.
 */
#ifndef REST_ADAPTER_FILE_STORE_H
#define REST_ADAPTER_FILE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

/* A file that has come in completely: its bytes are on this machine's disk for good, under a name of its own. All borrowed. */
struct file_part {
    int folder;       /* descriptor of the folder of incoming files */
    const char *name; /* there; also the key of its place */
    uint64_t size_bytes;
    const uint8_t *sha256; /* SECRET_DIGEST_BYTES */
};

struct file_store;

struct file_store_kind {
    /*
     * Takes the parts to the shelf. After STATUS_OK they are there for good, and no longer where they were. Otherwise any of
     * them may be in either place, and the caller removes both. STATUS_FULL: STORAGE_FULL, STATUS_UNAVAILABLE: STORAGE_FAILED.
     */
    enum status (*keep)(struct file_store *store, const char *shelf, const struct file_part *parts, size_t count,
                        struct error *error);
    /* Removes the file; one that is not there is fine. Failures are logged. */
    void (*remove)(struct file_store *store, const char *place);
    /*
     * Opens a file for reading; the descriptor is the caller's. STATUS_NOT_FOUND; STATUS_UNAVAILABLE: it cannot be read
     * (logged). NULL: its files are not read through us.
     */
    enum status (*open)(struct file_store *store, const char *place, int *out_descriptor, int64_t *out_bytes);
    /* Appends a URL under which a file, if it is there, can be had elsewhere for a while. method: "GET", "HEAD". Or NULL. */
    void (*append_url)(struct file_store *store, const char *place, const char *method, struct text *out);
    void (*close)(struct file_store *store);
};

/* The first member of every store. */
struct file_store {
    const struct file_store_kind *kind;
};

#endif
