/* SPDX-License-Identifier: Apache-2.0 */
#include "service/methods/reflection.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#include "base/list.h"
#include "base/memory.h"
#include "base/rpc/rpc_status.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "service/methods/contract.h"
#include "service/methods/descriptor_index.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"

enum { REFLECTION_SERVICES_MAX = 64 };

#define REQUEST(kind_)  GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##kind_
#define RESPONSE(kind_) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##kind_

typedef Grpc__Reflection__V1__ServerReflectionRequest reflection_request;
typedef Grpc__Reflection__V1__ServerReflectionResponse reflection_response;

struct reflection {
    struct descriptor_index *index; /* owned; immutable */

    pthread_mutex_t mutex;
    /* guarded by mutex */
    struct list streams;
    bool stopped;
};

struct reflection_stream {
    struct list_node node;
    struct rpc_server_call *call; /* counted */
    uint64_t sent;                /* files that went out on this stream; loop thread */
};

struct reflection *reflection_create(void)
{
    struct reflection *reflection = MEMORY_NEW(struct reflection);
    reflection->index = descriptor_index_create();
    pthread_mutex_init(&reflection->mutex, NULL);
    list_init(&reflection->streams);
    return reflection;
}

void reflection_destroy(struct reflection *reflection)
{
    if (!reflection) {
        return;
    }
    assert(list_is_empty(&reflection->streams));
    descriptor_index_destroy(reflection->index);
    pthread_mutex_destroy(&reflection->mutex);
    memory_free(reflection);
}

static void reflection_send_away(struct rpc_server_call *call)
{
    struct error error;
    enum status status = error_set(&error, STATUS_UNAVAILABLE, "DRAINING", "the server is stopping");
    rpc_server_call_finish(call, status, &error);
}

void reflection_stop(struct reflection *reflection)
{
    if (!reflection) {
        return;
    }
    pthread_mutex_lock(&reflection->mutex);
    reflection->stopped = true;
    for (struct list_node *node = list_first(&reflection->streams); node; node = list_next(&reflection->streams, node)) {
        reflection_send_away(LIST_OWNER(node, struct reflection_stream, node)->call);
    }
    pthread_mutex_unlock(&reflection->mutex);
}

/* ---- answers: each sends one ---- */

static reflection_response reflection_response_to(const reflection_request *request)
{
    reflection_response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    response.valid_host = request->host;
    response.original_request = (reflection_request *)(uintptr_t)request;
    return response;
}

static void reflection_send(struct reflection_stream *stream, reflection_response *response)
{
    if (rpc_server_call_send(stream->call, &response->base) == STATUS_OK) {
        rpc_server_call_receive_when_sent(stream->call);
    }
}

static void reflection_send_error(struct reflection_stream *stream, const reflection_request *request, enum status status,
                                  const char *text)
{
    reflection_response response = reflection_response_to(request);
    Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;
    error.error_code = rpc_status_to_code(status);
    error.error_message = contract_text(text);
    response.message_response_case = RESPONSE(ERROR_RESPONSE);
    response.error_response = &error;
    reflection_send(stream, &response);
}

/* The file, and those that it needs and that this stream has not had yet. number < 0: there is none. */
static void reflection_send_file(struct reflection_stream *stream, const reflection_request *request, int number,
                                 const char *missing)
{
    reflection_response response = reflection_response_to(request);
    const struct descriptor_index *index = method_service(stream->call)->reflection->index;
    Grpc__Reflection__V1__FileDescriptorResponse files = GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
    ProtobufCBinaryData protos[DESCRIPTOR_FILES_MAX];
    if (number < 0) {
        reflection_send_error(stream, request, STATUS_NOT_FOUND, missing);
        return;
    }
    const struct descriptor_file *file = descriptor_index_file(index, number);
    uint64_t others = file->needs & ~stream->sent;
    stream->sent |= others | UINT64_C(1) << number;
    files.file_descriptor_proto = protos;
    protos[files.n_file_descriptor_proto++] = contract_bytes(file->bytes, file->length);
    for (int i = 0; i < DESCRIPTOR_FILES_MAX; i++) {
        if (others >> i & 1) {
            const struct descriptor_file *other = descriptor_index_file(index, i);
            protos[files.n_file_descriptor_proto++] = contract_bytes(other->bytes, other->length);
        }
    }
    response.message_response_case = RESPONSE(FILE_DESCRIPTOR_RESPONSE);
    response.file_descriptor_response = &files;
    reflection_send(stream, &response);
}

static void reflection_send_services(struct reflection_stream *stream, const reflection_request *request)
{
    reflection_response response = reflection_response_to(request);
    const struct service *service = method_service(stream->call);
    Grpc__Reflection__V1__ListServiceResponse list = GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
    Grpc__Reflection__V1__ServiceResponse services[REFLECTION_SERVICES_MAX];
    Grpc__Reflection__V1__ServiceResponse *rows[REFLECTION_SERVICES_MAX];
    list.service = rows;
    const char *name = descriptor_index_service(service->reflection->index, 0);
    for (size_t i = 0; name && i < REFLECTION_SERVICES_MAX; i++) {
        if (methods_serve(service->methods, name)) {
            grpc__reflection__v1__service_response__init(&services[i]);
            services[i].name = contract_text(name);
            rows[list.n_service++] = &services[i];
        }
        name = descriptor_index_service(service->reflection->index, i + 1);
    }
    assert(!name);
    response.message_response_case = RESPONSE(LIST_SERVICES_RESPONSE);
    response.list_services_response = &list;
    reflection_send(stream, &response);
}

/* The contract declares no extensions: a message that it knows has none. */
static void reflection_send_extensions(struct reflection_stream *stream, const reflection_request *request)
{
    const char *type = request->all_extension_numbers_of_type;
    reflection_response response = reflection_response_to(request);
    Grpc__Reflection__V1__ExtensionNumberResponse numbers = GRPC__REFLECTION__V1__EXTENSION_NUMBER_RESPONSE__INIT;
    if (!descriptor_index_is_message(method_service(stream->call)->reflection->index, type)) {
        reflection_send_error(stream, request, STATUS_NOT_FOUND, "no message of this name");
        return;
    }
    numbers.base_type_name = contract_text(type);
    response.message_response_case = RESPONSE(ALL_EXTENSION_NUMBERS_RESPONSE);
    response.all_extension_numbers_response = &numbers;
    reflection_send(stream, &response);
}

static void reflection_answer(struct reflection_stream *stream, const reflection_request *request)
{
    const struct descriptor_index *index = method_service(stream->call)->reflection->index;
    switch (request->message_request_case) {
    case REQUEST(FILE_BY_FILENAME):
        reflection_send_file(stream, request, descriptor_index_find_file(index, request->file_by_filename),
                             "no file of this name");
        break;
    case REQUEST(FILE_CONTAINING_SYMBOL):
        reflection_send_file(stream, request, descriptor_index_find_symbol(index, request->file_containing_symbol),
                             "no symbol of this name");
        break;
    case REQUEST(FILE_CONTAINING_EXTENSION):
        reflection_send_error(stream, request, STATUS_NOT_FOUND, "no such extension");
        break;
    case REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE):
        reflection_send_extensions(stream, request);
        break;
    case REQUEST(LIST_SERVICES):
        reflection_send_services(stream, request);
        break;
    default:
        reflection_send_error(stream, request, STATUS_INVALID, "nothing that this server knows is asked for");
        break;
    }
}

/* ---- the stream ---- */

static void on_open(struct rpc_server_call *call)
{
    struct reflection *reflection = method_service(call)->reflection;
    struct error error;
    if (!reflection) {
        enum status status = error_set(&error, STATUS_UNIMPLEMENTED, "METHOD", "reflection is turned off on this server");
        rpc_server_call_finish(call, status, &error);
        return;
    }
    pthread_mutex_lock(&reflection->mutex);
    bool stopped = reflection->stopped;
    bool full = reflection->streams.count >= REFLECTION_STREAMS_MAX;
    if (!stopped && !full) {
        struct reflection_stream *stream = MEMORY_NEW(struct reflection_stream);
        stream->call = call;
        rpc_server_call_keep(call);
        rpc_server_call_set_data(call, stream);
        list_append(&reflection->streams, &stream->node);
    }
    pthread_mutex_unlock(&reflection->mutex);
    if (stopped) {
        reflection_send_away(call);
    } else if (full) {
        enum status status = error_set(&error, STATUS_FULL, "TOO_MANY_STREAMS", "too many streams of reflection are open");
        rpc_server_call_finish(call, status, &error);
    }
}

static bool fits(const char *text)
{
    return strlen(text) <= REFLECTION_TEXT_BYTES_MAX;
}

/* All texts of a request lie at one place but for an extension's type. */
static bool reflection_fits(const reflection_request *request)
{
    switch (request->message_request_case) {
    case REQUEST(FILE_BY_FILENAME):
        return fits(request->file_by_filename);
    case REQUEST(FILE_CONTAINING_SYMBOL):
        return fits(request->file_containing_symbol);
    case REQUEST(FILE_CONTAINING_EXTENSION):
        return fits(request->file_containing_extension->containing_type);
    case REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE):
        return fits(request->all_extension_numbers_of_type);
    case REQUEST(LIST_SERVICES):
        return fits(request->list_services);
    default:
        return true;
    }
}

static void on_message(struct rpc_server_call *call, struct rpc_message *message)
{
    struct reflection_stream *stream = rpc_server_call_data(call);
    const reflection_request *request = (const reflection_request *)rpc_message_body(message);
    if (!stream) {
        rpc_message_free(message); /* refused */
    } else if (!fits(request->host) || !reflection_fits(request)) {
        method_refuse(call, message, "NAME_TOO_LONG", "names have at most 1,024 bytes");
    } else {
        reflection_answer(stream, request);
        rpc_message_free(message);
    }
}

static void on_half_close(struct rpc_server_call *call)
{
    rpc_server_call_finish(call, STATUS_OK, NULL);
}

static void on_close(struct rpc_server_call *call)
{
    struct reflection *reflection = method_service(call)->reflection;
    struct reflection_stream *stream = rpc_server_call_data(call);
    if (!stream) {
        return; /* refused */
    }
    pthread_mutex_lock(&reflection->mutex);
    list_remove(&reflection->streams, &stream->node);
    pthread_mutex_unlock(&reflection->mutex);
    rpc_server_call_release(stream->call);
    memory_free(stream);
}

/* Both names have the same messages. */
#define REFLECTION_METHOD(path_)                                                                                           \
    {                                                                                                                      \
        .path = (path_), .kind = RPC_BIDI_STREAM, .request = &grpc__reflection__v1__server_reflection_request__descriptor, \
        .on_message = on_message, .on_open = on_open, .on_half_close = on_half_close, .on_close = on_close,                \
        .role = METHOD_OPEN                                                                                                \
    }

const struct rpc_method reflection_methods[] = {
    REFLECTION_METHOD("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
    REFLECTION_METHOD("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
    {0},
};
