/* SPDX-License-Identifier: Apache-2.0 */
/* The trailer of an error that public gRPC libraries know how to read. */
#include <stdio.h>
#include <string.h>

#include "base/rpc/rpc_internal.h"
#include "base/rpc/rpc_status.h"
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#define TYPE_PREFIX "type.googleapis.com/"

enum {
    DETAILS_MAX = 2, /* ErrorInfo, RetryInfo */
    DETAIL_BYTES_MAX = 256,
    TYPE_BYTES_MAX = 64,
    MS_PER_SECOND = 1000,
    NS_PER_MS = 1000000,
};

/* A message inside of another, whatever its type. */
struct detail {
    Google__Protobuf__Any any;
    char type[TYPE_BYTES_MAX];
    uint8_t bytes[DETAIL_BYTES_MAX];
};

struct details {
    struct detail list[DETAILS_MAX];
    Google__Protobuf__Any *any[DETAILS_MAX];
    size_t count;
};

/* Generated structs are not const-correct. */
static char *text_of(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* What does not fit is left out: these are bounded by the sizes of struct error and the names of our methods. */
static void add(struct details *details, const ProtobufCMessage *message)
{
    struct detail *detail = &details->list[details->count];
    if (protobuf_c_message_get_packed_size(message) > sizeof(detail->bytes)) {
        return;
    }
    (void)snprintf(detail->type, sizeof(detail->type), TYPE_PREFIX "%s", message->descriptor->name);
    google__protobuf__any__init(&detail->any);
    detail->any.type_url = detail->type;
    detail->any.value.data = detail->bytes;
    detail->any.value.len = protobuf_c_message_pack(message, detail->bytes);
    details->any[details->count++] = &detail->any;
}

/* The token, or the name of the status in the same style. */
static void copy_reason(char out[ERROR_REASON_MAX], enum status status, const struct error *error)
{
    (void)snprintf(out, ERROR_REASON_MAX, "%s", error->reason[0] != '\0' ? error->reason : status_name(status));
    for (; *out != '\0'; out++) {
        *out = *out >= 'a' && *out <= 'z' ? (char)(*out - 'a' + 'A') : *out;
    }
}

static void add_info(struct details *details, enum status status, const struct error *error, const char *method)
{
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    Google__Rpc__ErrorInfo__MetadataEntry entry = GOOGLE__RPC__ERROR_INFO__METADATA_ENTRY__INIT;
    Google__Rpc__ErrorInfo__MetadataEntry *metadata[] = {&entry};
    char reason[ERROR_REASON_MAX];
    copy_reason(reason, status, error);
    info.reason = reason;
    info.domain = text_of(RPC_DETAILS_DOMAIN);
    if (method != NULL) {
        entry.key = text_of("method");
        entry.value = text_of(method + 1);
        info.metadata = metadata;
        info.n_metadata = 1;
    }
    add(details, &info.base);
}

static void add_retry(struct details *details, int64_t retry_after_ms)
{
    Google__Rpc__RetryInfo info = GOOGLE__RPC__RETRY_INFO__INIT;
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    delay.seconds = retry_after_ms / MS_PER_SECOND;
    delay.nanos = (int32_t)(retry_after_ms % MS_PER_SECOND * NS_PER_MS);
    info.retry_delay = &delay;
    add(details, &info.base);
}

grpc_slice rpc_details_pack(enum status status, const struct error *error, const char *method)
{
    struct details details = {.count = 0};
    Google__Rpc__Status message = GOOGLE__RPC__STATUS__INIT;
    add_info(&details, status, error, method);
    if (error->retry_after_ms > 0) {
        add_retry(&details, error->retry_after_ms);
    }
    message.code = rpc_status_to_code(status);
    message.message = text_of(error->text);
    message.details = details.any;
    message.n_details = details.count;
    grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(&message.base));
    (void)protobuf_c_message_pack(&message.base, GRPC_SLICE_START_PTR(slice));
    return slice;
}
