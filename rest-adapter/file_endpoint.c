/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/file_endpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "rest-adapter/byte_range.h"

enum { ETAG_MAX = SECRET_KEY_TEXT_MAX + 2, CONTENT_RANGE_MAX = 80 };

/* The Range that counts: of a GET, and not for another version of the file than the client has a part of. */
static const char *range_of(const struct http_request *request, const char *etag)
{
    const char *condition = http_request_header(request, "If-Range");

    if (request->method != HTTP_GET || (condition != NULL && strcmp(condition, etag) != 0)) {
        return NULL;
    }
    return http_request_header(request, "Range");
}

static void refuse_range(struct http_reply *reply, int64_t file_bytes)
{
    char value[CONTENT_RANGE_MAX];

    close(reply->file);
    reply->file = -1;
    http_reply_page(reply, 416);
    (void)snprintf(value, sizeof(value), "bytes */%" PRId64, file_bytes);
    http_reply_header(reply, "Content-Range", value);
}

/* false: the descriptor cannot be moved there. */
static bool take_range(struct http_reply *reply, const struct byte_range *range, int64_t file_bytes)
{
    char value[CONTENT_RANGE_MAX];

    if (lseek(reply->file, range->first, SEEK_SET) != range->first) {
        return false;
    }
    reply->status = 206;
    reply->file_bytes = range->length;
    (void)snprintf(value, sizeof(value), "bytes %" PRId64 "-%" PRId64 "/%" PRId64, range->first,
                   range->first + range->length - 1, file_bytes);
    http_reply_header(reply, "Content-Range", value);
    return true;
}

/* The file is open. */
static void send_file(const struct http_request *request, struct http_reply *reply, const char *key)
{
    const int64_t file_bytes = reply->file_bytes;
    char etag[ETAG_MAX];
    struct byte_range range;

    (void)snprintf(etag, sizeof(etag), "\"%s\"", key);
    enum byte_range_kind kind = byte_range_parse(range_of(request, etag), file_bytes, &range);
    if (kind == BYTE_RANGE_UNSATISFIABLE) {
        refuse_range(reply, file_bytes);
        return;
    }
    if (kind == BYTE_RANGE_PART && !take_range(reply, &range, file_bytes)) {
        http_reply_page(reply, 503);
        close(reply->file);
        reply->file = -1;
        return;
    }
    // never shown by a browser as a page of this origin: students wrote it
    http_reply_header(reply, "Content-Type", "application/octet-stream");
    http_reply_header(reply, "Content-Disposition", "attachment");
    http_reply_header(reply, "X-Content-Type-Options", "nosniff");
    http_reply_header(reply, "Cache-Control", "private, no-store");
    http_reply_header(reply, "Accept-Ranges", "bytes");
    http_reply_header(reply, "ETag", etag);
}

/* To the bucket, for as long as the presigned URL is good: nobody may remember it. */
static void send_on(struct http_reply *reply, const char *url)
{
    reply->status = 302;
    http_reply_header(reply, "Location", url);
    http_reply_header(reply, "Cache-Control", "private, no-store");
}

void file_serve(struct endpoint *endpoint)
{
    const struct http_request *request = endpoint->request;
    struct http_reply *reply = endpoint->reply;
    struct files_found found = {.descriptor = -1};
    enum status status = STATUS_NOT_FOUND;

    if (request->method == HTTP_GET || request->method == HTTP_HEAD) {
        status = files_find(endpoint->adapter->files, request->path, request->query, request->method == HTTP_HEAD, &found);
    }
    if (status != STATUS_OK) {
        http_reply_page(reply, status == STATUS_NOT_FOUND ? 404 : status == STATUS_DENIED ? 403 : 503);
    } else if (found.url != NULL) {
        send_on(reply, found.url);
    } else {
        reply->file = found.descriptor;
        reply->file_bytes = found.bytes;
        send_file(request, reply, found.key);
    }
    memory_free(found.url);
}
