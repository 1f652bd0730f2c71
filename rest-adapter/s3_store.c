/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/s3_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/url.h"
#include "rest-adapter/file_link.h"
#include "rest-adapter/folder_store.h"
#include "rest-adapter/http_client.h"
#include "rest-adapter/s3_sign.h"

enum {
    REPLY_BYTES_MAX = 65536, /* of what the server says about a failure */
    OBJECT_MAX = 512 + FILE_PLACE_MAX,
    URL_MAX = 4 * OBJECT_MAX,
    HASH_LINE_MAX = 128,
};

struct s3_store {
    struct file_store store;
    const struct config_s3 *config; /* borrowed */
    struct http_client *client;     /* owned */
    char origin[URL_ORIGIN_MAX];
};

/* What came of a request. */
struct outcome {
    enum status status;
    int http_status;
    char code[S3_ERROR_CODE_MAX];
    char text[ERROR_TEXT_MAX];
};

static struct s3_store *of(struct file_store *store)
{
    return (struct s3_store *)(void *)store;
}

static struct s3_bucket bucket_of(const struct s3_store *store)
{
    return (struct s3_bucket){.origin = store->origin,
                              .region = store->config->region,
                              .bucket = store->config->bucket,
                              .access_key = store->config->access_key,
                              .secret_key = store->config->secret_key,
                              .path_style = store->config->path_style};
}

/* PREFIX/SHELF/KEY. */
static void append_object(const struct s3_store *store, const char *place, struct text *out)
{
    if (store->config->prefix[0] != '\0') {
        text_append_format(out, "%s/", store->config->prefix);
    }
    text_append_string(out, place);
}

static void read_outcome(const struct http_client_result *result, struct outcome *outcome)
{
    outcome->status = result->status;
    outcome->http_status = result->http_status;
    text_copy(outcome->text, sizeof(outcome->text), result->text);
    s3_error_code(result->reply, outcome->code);
}

/* A signed request about place. request: all but URL, signature and limits. outcome: to wait for, or NULL. */
static enum status ask(struct s3_store *store, const char *place, struct http_client_request *request,
                       http_client_on_done *on_done, struct outcome *outcome, struct error *error)
{
    const struct s3_bucket bucket = bucket_of(store);
    const struct http_client_sigv4 sigv4 = {
        .key_id = bucket.access_key, .secret = bucket.secret_key, .region = bucket.region, .service = "s3"};
    struct text object;
    struct text url;

    text_init(&object, OBJECT_MAX);
    text_init(&url, URL_MAX);
    append_object(store, place, &object);
    s3_append_url(&url, &bucket, (struct span){object.bytes, object.length});
    request->url = url.bytes;
    request->sigv4 = &sigv4;
    request->keep_reply = true;
    request->limits = (struct http_client_limits){.connect_timeout_ms = store->config->connect_timeout_ms,
                                                  .timeout_ms = store->config->timeout_ms,
                                                  .reply_bytes_max = REPLY_BYTES_MAX};
    request->start_within_ms = store->config->timeout_ms;
    enum status status = outcome != NULL ? http_client_call(store->client, request, on_done, outcome, error)
                                         : http_client_start(store->client, request, on_done, NULL, error);
    text_finish(&url);
    text_finish(&object);
    return status;
}

/* ---- keeping ---- */

static void on_put(void *context, const struct http_client_result *result)
{
    read_outcome(result, context);
}

static enum status put_part(struct s3_store *store, const char *shelf, const struct file_part *part, struct error *error)
{
    char place[FILE_PLACE_MAX];
    char hash[HASH_LINE_MAX] = "x-amz-content-sha256: ";
    // never shown by a browser as a page: students wrote it
    const char *const headers[] = {"content-disposition: attachment", hash};
    struct outcome outcome = {.status = STATUS_INTERNAL};
    struct http_client_request request = {.method = HTTP_CLIENT_PUT,
                                          .content_type = "application/octet-stream",
                                          .headers = headers,
                                          .header_count = sizeof(headers) / sizeof(headers[0]),
                                          .body_from_descriptor = true,
                                          .body_length = (size_t)part->size_bytes};

    text_hex(hash + strlen(hash), part->sha256, SECRET_DIGEST_BYTES);
    file_place_of(shelf, part->name, place);
    request.descriptor = openat(part->folder, part->name, O_RDONLY | O_CLOEXEC);
    if (request.descriptor < 0) {
        return folder_store_error(error, "open");
    }
    enum status status = ask(store, place, &request, on_put, &outcome, error);
    if (status != STATUS_OK) {
        close(request.descriptor); // it stayed ours
        return error_set(error, STATUS_UNAVAILABLE, "STORAGE_FAILED", "S3 is not asked for an uploaded file: %s",
                         status_name(status));
    }
    if (outcome.status != STATUS_OK) {
        return error_set(error, STATUS_UNAVAILABLE, "STORAGE_FAILED", "S3 did not take an uploaded file: %s%s%s", outcome.text,
                         outcome.code[0] != '\0' ? ": " : "", outcome.code);
    }
    return STATUS_OK;
}

static enum status keep(struct file_store *store, const char *shelf, const struct file_part *parts, size_t count,
                        struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        enum status status = put_part(of(store), shelf, &parts[i], error);

        if (status != STATUS_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (unlinkat(parts[i].folder, parts[i].name, 0) != 0) {
            log_event(LOG_WARN, "file_not_removed", LOG_TEXT("text", strerrordesc_np(errno))); // the sweep's, a day later
        }
    }
    return STATUS_OK;
}

/* ---- removing and handing out ---- */

/* When the server is away, that has been said where it refused the file; a lifecycle rule of the bucket removes what is left.
 */
static void on_removed(void *context, const struct http_client_result *result)
{
    struct outcome outcome = {.status = STATUS_INTERNAL};

    (void)context;
    read_outcome(result, &outcome);
    if (outcome.status != STATUS_OK && outcome.http_status != 0 && outcome.http_status != 404) {
        log_event(LOG_WARN, "file_not_removed", LOG_TEXT("text", outcome.text), LOG_TEXT("reason", outcome.code));
    }
}

/* Nobody waits for it: a server that is away must not hold the reply up once for each file. */
static void remove_file(struct file_store *store, const char *place)
{
    static const char *const headers[] = {
        "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}; // of nothing
    struct http_client_request request = {.method = HTTP_CLIENT_DELETE, .headers = headers, .header_count = 1, .any_2xx = true};
    struct error error = {0};

    if (ask(of(store), place, &request, on_removed, NULL, &error) != STATUS_OK) {
        log_event(LOG_WARN, "file_not_removed", LOG_TEXT("text", error.text));
    }
}

static void append_url(struct file_store *store, const char *place, const char *method, struct text *out)
{
    const struct s3_bucket bucket = bucket_of(of(store));
    struct text object;

    text_init(&object, OBJECT_MAX);
    append_object(of(store), place, &object);
    s3_append_presigned(out, &bucket, method, (struct span){object.bytes, object.length}, clock_wall_ms(),
                        of(store)->config->url_ms / 1000);
    text_finish(&object);
}

static void close_store(struct file_store *store)
{
    http_client_destroy(of(store)->client);
    memory_free(of(store));
}

enum status s3_store_create(const struct config_s3 *config, const struct config_callbacks *callbacks,
                            struct file_store **out_store, struct error *error)
{
    static const struct file_store_kind kind = {
        .keep = keep, .remove = remove_file, .append_url = append_url, .close = close_store};
    const struct http_client_options options = {.callbacks = callbacks,
                                                .trust = HTTP_CLIENT_TRUST_CONFIGURED,
                                                .parallel_max = S3_STORE_PARALLEL_MAX,
                                                .per_origin_max = S3_STORE_PARALLEL_MAX};
    struct s3_store *store = MEMORY_NEW(struct s3_store);

    *store = (struct s3_store){.store = {.kind = &kind}, .config = config};
    enum status status = url_origin(span_of(config->endpoint), store->origin, error);
    if (status == STATUS_OK) {
        status = http_client_create(&options, &store->client, error);
    }
    if (status != STATUS_OK) {
        memory_free(store);
        return status;
    }
    *out_store = &store->store;
    return STATUS_OK;
}
