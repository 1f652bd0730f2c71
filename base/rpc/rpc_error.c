/* SPDX-License-Identifier: Apache-2.0 */
#include <grpc/slice.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/rpc/rpc_internal.h"
#include "base/rpc/rpc_status.h"
#include "base/text.h"

/* What HTTP/2 metadata may carry without being refused or trimmed on the way. */
static bool is_visible_ascii(const char *string)
{
    for (; *string != '\0'; string++) {
        if (*string <= ' ' || *string > '~') {
            return false;
        }
    }
    return true;
}

static void add(struct rpc_trailers *trailers, const char *key, grpc_slice value)
{
    grpc_metadata *entry = &trailers->entries[trailers->count++];
    entry->key = grpc_slice_from_static_string(key);
    entry->value = value;
}

void rpc_trailers_init(struct rpc_trailers *trailers, enum status status, const struct error *error, const char *method)
{
    memset(trailers, 0, sizeof(*trailers));
    if (status == STATUS_OK) {
        trailers->details = grpc_empty_slice();
        return;
    }
    trailers->details = grpc_slice_from_copied_string(error->text);
    if (error->reason[0] != '\0' && is_visible_ascii(error->reason)) {
        add(trailers, RPC_TRAILER_REASON, grpc_slice_from_copied_string(error->reason));
    }
    if (error->retry_after_ms > 0) {
        (void)snprintf(trailers->retry_after, sizeof(trailers->retry_after), "%" PRId64, error->retry_after_ms);
        add(trailers, RPC_TRAILER_RETRY_AFTER, grpc_slice_from_copied_string(trailers->retry_after));
    }
    add(trailers, RPC_TRAILER_DETAILS, rpc_details_pack(status, error, method));
}

void rpc_trailers_finish(struct rpc_trailers *trailers)
{
    for (size_t i = 0; i < trailers->count; i++) {
        grpc_slice_unref(trailers->entries[i].value);
    }
    grpc_slice_unref(trailers->details);
    trailers->count = 0;
}

/* Slices have no NUL at their end. False when it does not fit. */
static bool copy_slice(char *out, size_t capacity, grpc_slice slice)
{
    const size_t length = GRPC_SLICE_LENGTH(slice);
    if (length >= capacity) {
        return false;
    }
    memcpy(out, GRPC_SLICE_START_PTR(slice), length);
    out[length] = '\0';
    return true;
}

static void read_entry(const grpc_metadata *entry, struct error *error)
{
    char value[ERROR_REASON_MAX];
    if (!copy_slice(value, sizeof(value), entry->value)) {
        return;
    }
    if (grpc_slice_str_cmp(entry->key, RPC_TRAILER_REASON) == 0 && is_visible_ascii(value)) {
        memcpy(error->reason, value, sizeof(value));
    }
    if (grpc_slice_str_cmp(entry->key, RPC_TRAILER_RETRY_AFTER) == 0 &&
        text_to_int64(value, 0, INT64_MAX, &error->retry_after_ms) != STATUS_OK) {
        error->retry_after_ms = 0; /* advice that cannot be read is no advice */
    }
}

void rpc_trailers_read(const grpc_metadata_array *metadata, grpc_slice details, struct error *out_error)
{
    struct error error;
    memset(&error, 0, sizeof(error));
    /* error_set cuts the text and takes control characters out; the precision keeps a slice without NUL in bounds. */
    const size_t length = GRPC_SLICE_LENGTH(details) < ERROR_TEXT_MAX ? GRPC_SLICE_LENGTH(details) : ERROR_TEXT_MAX;
    (void)error_set(&error, STATUS_INTERNAL, NULL, "%.*s", (int)length, (const char *)GRPC_SLICE_START_PTR(details));
    for (size_t i = 0; i < metadata->count; i++) {
        read_entry(&metadata->metadata[i], &error);
    }
    *out_error = error;
}
