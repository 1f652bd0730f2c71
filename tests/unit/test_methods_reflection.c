/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_server_test_support */
/* What public tools ask of server reflection, and what a hostile one may try. */
#include <grpc/reflection/v1/reflection.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "service/methods/reflection.h"
#include "tests/support/server_fixture.h"

#define REQUEST(kind_)  GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##kind_
#define RESPONSE(kind_) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##kind_

enum { GRPC_INVALID_ARGUMENT = 3, GRPC_NOT_FOUND = 5 };

typedef Grpc__Reflection__V1__ServerReflectionRequest request_message;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_message;

static const struct rpc_client_method v1 = {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                                            &grpc__reflection__v1__server_reflection_response__descriptor};
static const struct rpc_client_method v1alpha = {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                                 &grpc__reflection__v1__server_reflection_response__descriptor};

/* Every text of a oneof lies at the same place. */
static void asks(struct grader_stream *stream, int kind, const char *text)
{
    request_message request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    static char host[] = "host.example.org";
    request.host = host;
    request.message_request_case = kind;
    request.list_services = (char *)(uintptr_t)text;
    stream_sends(stream, &request.base);
}

static const response_message *hears(struct grader_stream *stream, int kind)
{
    const response_message *response = stream_awaits(stream);
    assert_non_null(response);
    assert_int_equal(response->message_response_case, kind);
    assert_string_equal(response->valid_host, "host.example.org");
    return response;
}

static void hears_error(struct grader_stream *stream, int code)
{
    const response_message *response = hears(stream, RESPONSE(ERROR_RESPONSE));
    assert_int_equal(response->error_response->error_code, code);
    assert_true(response->error_response->error_message[0] != '\0');
}

/* The names of the files that come, each with a blank behind it. */
static void hears_files(struct grader_stream *stream, const char *expected)
{
    char names[1024] = "";
    size_t length = 0;
    const response_message *response = hears(stream, RESPONSE(FILE_DESCRIPTOR_RESPONSE));
    for (size_t i = 0; i < response->file_descriptor_response->n_file_descriptor_proto; i++) {
        ProtobufCBinaryData bytes = response->file_descriptor_response->file_descriptor_proto[i];
        Google__Protobuf__FileDescriptorProto *proto =
            google__protobuf__file_descriptor_proto__unpack(NULL, bytes.len, bytes.data);
        assert_non_null(proto);
        length += (size_t)snprintf(names + length, sizeof names - length, "%s ", proto->name);
        assert_true(length < sizeof names);
        google__protobuf__file_descriptor_proto__free_unpacked(proto, NULL);
    }
    assert_string_equal(names, expected);
}

static void services_are_listed_under_both_names(void **state)
{
    const struct rpc_client_method *methods[] = {&v1, &v1alpha};
    for (size_t at = 0; at < 2; at++) {
        struct grader_stream *stream = stream_opens(*state, NULL, methods[at]);
        asks(stream, REQUEST(LIST_SERVICES), "");
        const response_message *response = hears(stream, RESPONSE(LIST_SERVICES_RESPONSE));
        const Grpc__Reflection__V1__ListServiceResponse *list = response->list_services_response;
        bool graders = false;
        bool files = false;
        for (size_t i = 0; i < list->n_service; i++) {
            graders = graders || strcmp(list->service[i]->name, "xqueue.v1.Graders") == 0;
            files = files || strcmp(list->service[i]->name, "xqueue.v1.Files") == 0;
        }
        assert_true(graders);
        assert_true(files);
        rpc_client_stream_half_close(stream->stream);
        assert_int_equal(stream_awaits_end(stream), STATUS_OK);
        stream_closes(stream);
    }
}

static void a_file_comes_with_what_it_imports_but_nothing_comes_twice_for_that(void **state)
{
    struct grader_stream *stream = stream_opens(*state, NULL, &v1);
    asks(stream, REQUEST(FILE_CONTAINING_SYMBOL), "xqueue.v1.Submissions.Submit");
    hears_files(stream, "xqueue/v1/submissions.proto xqueue/v1/common.proto ");
    asks(stream, REQUEST(FILE_BY_FILENAME), "xqueue/v1/graders.proto");
    hears_files(stream, "xqueue/v1/graders.proto ");
    asks(stream, REQUEST(FILE_BY_FILENAME), "xqueue/v1/common.proto");
    hears_files(stream, "xqueue/v1/common.proto "); // whoever asks for it gets it
    stream_closes(stream);
}

static void who_asks_for_what_is_not_there_is_told_so_and_may_go_on(void **state)
{
    struct grader_stream *stream = stream_opens(*state, NULL, &v1);
    request_message request = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    Grpc__Reflection__V1__ExtensionRequest extension = GRPC__REFLECTION__V1__EXTENSION_REQUEST__INIT;
    static char host[] = "host.example.org";
    static char message[] = "xqueue.v1.Hello";

    asks(stream, REQUEST(FILE_CONTAINING_SYMBOL), "xqueue.v1.Nothing");
    hears_error(stream, GRPC_NOT_FOUND);
    asks(stream, REQUEST(FILE_BY_FILENAME), "../../etc/passwd");
    hears_error(stream, GRPC_NOT_FOUND);
    asks(stream, REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE), "xqueue.v1.Graders");
    hears_error(stream, GRPC_NOT_FOUND);
    asks(stream, REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE), message);
    const response_message *response = hears(stream, RESPONSE(ALL_EXTENSION_NUMBERS_RESPONSE));
    assert_string_equal(response->all_extension_numbers_response->base_type_name, message);
    assert_int_equal(response->all_extension_numbers_response->n_extension_number, 0);
    request.host = host;
    request.message_request_case = REQUEST(FILE_CONTAINING_EXTENSION);
    request.file_containing_extension = &extension;
    extension.containing_type = message;
    extension.extension_number = 1;
    stream_sends(stream, &request.base);
    response = hears(stream, RESPONSE(ERROR_RESPONSE));
    assert_int_equal(response->error_response->error_code, GRPC_NOT_FOUND);
    assert_string_equal(response->original_request->file_containing_extension->containing_type, message);
    request.message_request_case = 0;
    stream_sends(stream, &request.base);
    hears_error(stream, GRPC_INVALID_ARGUMENT);
    rpc_client_stream_half_close(stream->stream);
    assert_int_equal(stream_awaits_end(stream), STATUS_OK);
    stream_closes(stream);
}

static void a_name_beyond_the_limit_ends_the_stream(void **state)
{
    char longest[REFLECTION_TEXT_BYTES_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[REFLECTION_TEXT_BYTES_MAX] = '\0';
    struct grader_stream *stream = stream_opens(*state, NULL, &v1);
    asks(stream, REQUEST(FILE_CONTAINING_SYMBOL), longest);
    hears_error(stream, GRPC_NOT_FOUND);

    longest[REFLECTION_TEXT_BYTES_MAX] = 'a';
    longest[REFLECTION_TEXT_BYTES_MAX + 1] = '\0';
    asks(stream, REQUEST(FILE_CONTAINING_SYMBOL), longest);

    assert_int_equal(stream_awaits_end(stream), STATUS_INVALID);
    assert_string_equal(stream->error.reason, "NAME_TOO_LONG");
    stream_closes(stream);
}

/* All requests are on their way before the first answer is taken; an unbounded server would have answered them all. */
static void many_requests_at_once_are_answered_one_by_one(void **state)
{
    struct grader_stream *stream = stream_opens(*state, NULL, &v1);
    for (int i = 0; i < SERVER_FIXTURE_MESSAGES_MAX; i++) {
        asks(stream, REQUEST(FILE_BY_FILENAME), "xqueue/v1/graders.proto");
    }
    rpc_client_stream_half_close(stream->stream);
    hears_files(stream, "xqueue/v1/graders.proto xqueue/v1/common.proto xqueue/v1/submissions.proto ");
    for (int i = 1; i < SERVER_FIXTURE_MESSAGES_MAX; i++) {
        hears_files(stream, "xqueue/v1/graders.proto ");
    }
    assert_int_equal(stream_awaits_end(stream), STATUS_OK);
    stream_closes(stream);
}

static void one_stream_too_many_is_refused_until_another_ends(void **state)
{
    struct grader_stream *streams[REFLECTION_STREAMS_MAX];
    for (int i = 0; i < REFLECTION_STREAMS_MAX; i++) {
        streams[i] = stream_opens(*state, NULL, &v1);
        asks(streams[i], REQUEST(LIST_SERVICES), "");
        (void)hears(streams[i], RESPONSE(LIST_SERVICES_RESPONSE));
    }
    struct grader_stream *extra = stream_opens(*state, NULL, &v1alpha);
    assert_int_equal(stream_awaits_end(extra), STATUS_FULL);
    assert_string_equal(extra->error.reason, "TOO_MANY_STREAMS");
    stream_closes(extra);

    rpc_client_stream_half_close(streams[0]->stream);
    assert_int_equal(stream_awaits_end(streams[0]), STATUS_OK);

    extra = stream_opens(*state, NULL, &v1);
    asks(extra, REQUEST(LIST_SERVICES), "");
    (void)hears(extra, RESPONSE(LIST_SERVICES_RESPONSE));
    stream_closes(extra);
    for (int i = 0; i < REFLECTION_STREAMS_MAX; i++) {
        stream_closes(streams[i]);
    }
}

static void a_stop_ends_open_streams(void **state)
{
    struct server_fixture *server = *state;
    struct grader_stream *stream = stream_opens(server, NULL, &v1);
    asks(stream, REQUEST(LIST_SERVICES), "");
    (void)hears(stream, RESPONSE(LIST_SERVICES_RESPONSE));

    server_stop(server->server);

    assert_int_equal(stream_awaits_end(stream), STATUS_UNAVAILABLE);
    assert_string_equal(stream->error.reason, "DRAINING");
    stream_closes(stream);
}

static void turned_off_it_is_unimplemented(void **state)
{
    struct server_fixture *server = *state;
    server_fixture_stop(server);
    server->config->service.reflection = false;
    server_fixture_start(server);

    struct grader_stream *stream = stream_opens(server, "admin", &v1);
    assert_int_equal(stream_awaits_end(stream), STATUS_UNIMPLEMENTED);
    stream_closes(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, server_fixture_setup, server_fixture_teardown)
        TEST(services_are_listed_under_both_names),
        TEST(a_file_comes_with_what_it_imports_but_nothing_comes_twice_for_that),
        TEST(who_asks_for_what_is_not_there_is_told_so_and_may_go_on),
        TEST(a_name_beyond_the_limit_ends_the_stream),
        TEST(many_requests_at_once_are_answered_one_by_one),
        TEST(one_stream_too_many_is_refused_until_another_ends),
        TEST(a_stop_ends_open_streams),
        TEST(turned_off_it_is_unimplemented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
