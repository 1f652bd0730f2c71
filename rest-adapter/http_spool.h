/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the bodies of requests and replies wait: small ones in memory, larger ones in files without a name, which vanish with
 * the process. All files together are bounded.
 *
 * Threading: a spool: any thread (its count is atomic). A body belongs to one thread at a time.
 */
#ifndef REST_ADAPTER_HTTP_SPOOL_H
#define REST_ADAPTER_HTTP_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

enum { HTTP_SPOOL_MEMORY_BYTES_MAX = 16 * 1024 }; /* a longer body goes into a file */

struct http_spool;

/*
 * folder: where files are made, copied. bytes_max: of all files together. STATUS_UNAVAILABLE: no file can be made there; text
 * in error.
 */
enum status http_spool_create(const char *folder, int64_t bytes_max, struct http_spool **out_spool,
                              struct error *error) STATUS_CHECKED;
void http_spool_destroy(struct http_spool *spool); /* all bodies are finished; NULL is fine */

/* How many bytes lie in files now. */
int64_t http_spool_bytes(const struct http_spool *spool);

/* bytes that http_body_take_file gave away lie there no longer. */
void http_spool_release(struct http_spool *spool, int64_t bytes);

struct http_body {
    struct http_spool *spool; /* borrowed */
    struct text memory;       /* all of it, as long as there is no file */
    int file;                 /* all of it; -1: none; owned */
    int64_t bytes;
};

void http_body_init(struct http_body *body, struct http_spool *spool);
void http_body_finish(struct http_body *body); /* forgets all bytes; an empty body that can be used again */

/* STATUS_FULL: the spool is; STATUS_UNAVAILABLE: it cannot be written (logged). Then the body is of no use any more. */
enum status http_body_append(struct http_body *body, const void *bytes, size_t length) STATUS_CHECKED;

/*
 * The file, from now on the caller's, who closes it and then calls http_spool_release with its bytes. The body is empty then.
 */
int http_body_take_file(struct http_body *body);

#endif
