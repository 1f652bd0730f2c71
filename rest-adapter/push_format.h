/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a push grader is sent, byte for byte as the original sends it, and how its answer becomes text.
 *
 * Threading: pure.
 */
#ifndef REST_ADAPTER_PUSH_FORMAT_H
#define REST_ADAPTER_PUSH_FORMAT_H

#include <stddef.h>

#include "base/span.h"
#include "base/status.h"
#include "base/text.h"
#include "rest-adapter/legacy_reply.h"

enum { PUSH_FORMAT_ANSWER_BYTES_MAX = 3145728 }; /* the contract's bound of a result */

/*
 * Writes `{"xqueue_body": "...", "xqueue_files": "{...}"}`, ASCII as Python's json.dumps makes it. Everything is borrowed;
 * *out_body is the caller's (memory_free). STATUS_FULL: LEGACY_REPLY_BYTES_MAX.
 */
enum status push_format_write(struct span body, const struct legacy_file *files, size_t file_count, char **out_body,
                              size_t *out_length) STATUS_CHECKED;

/*
 * Appends the answer as UTF-8. Which character set it is in: what the parameter charset says, else Latin-1 for text/..., else
 * UTF-8 for application/json. With another type, or none, UTF-8 if it is that, else Latin-1. What is no text in it becomes
 * U+FFFD. content_type may be absent.
 */
void push_format_read_answer(struct span content_type, struct span answer, struct text *out);

#endif
