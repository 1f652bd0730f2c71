/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_service */
/* The index of the contract's own descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/text.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "proto/descriptor_set.h"
#include "service/methods/descriptor_index.h"
#include "service/methods/methods.h"

static int set_up(void **state)
{
    *state = descriptor_index_create();
    return 0;
}

static int tear_down(void **state)
{
    descriptor_index_destroy(*state);
    return 0;
}

static const char *file_of(const struct descriptor_index *index, const char *symbol)
{
    int number = descriptor_index_find_symbol(index, symbol);
    return number < 0 ? "" : descriptor_index_file(index, number)->name;
}

static void each_kind_of_symbol_is_found_in_its_file(void **state)
{
    static const struct {
        const char *symbol;
        const char *file;
    } rows[] = {
        {"xqueue.v1.Graders", "xqueue/v1/graders.proto"},
        {"xqueue.v1.Graders.Work", "xqueue/v1/graders.proto"},
        {"xqueue.v1.Hello", "xqueue/v1/graders.proto"},
        {"xqueue.v1.Hello.held", "xqueue/v1/graders.proto"},
        {"xqueue.v1.Hello.LabelsEntry", "xqueue/v1/graders.proto"},
        {"xqueue.v1.Hello.LabelsEntry.key", "xqueue/v1/graders.proto"},
        {"xqueue.v1.GraderMessage.kind", "xqueue/v1/graders.proto"},
        {"xqueue.v1.SubmissionState", "xqueue/v1/common.proto"},
        {"xqueue.v1.SUBMISSION_STATE_READY", "xqueue/v1/common.proto"},
        {"grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"},
        {"grpc.health.v1.HealthCheckResponse.SERVING", "grpc/health/v1/health.proto"},
        {"grpc.reflection.v1.ServerReflection", "grpc/reflection/v1/reflection.proto"},
        {"grpc.reflection.v1alpha.ServerReflection.ServerReflectionInfo", "grpc/reflection/v1alpha/reflection.proto"},
        {"", ""},
        {".", ""},
        {"xqueue", ""},
        {"xqueue.v1", ""},
        {"xqueue.v1.", ""},
        {".xqueue.v1.Hello", ""},
        {"xqueue.v1.Hello.", ""},
        {"xqueue.v1.hello", ""},
        {"xqueue.v1.SubmissionState.SUBMISSION_STATE_READY", ""},
        {"xqueue.v1.Graders/Work", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(file_of(*state, rows[i].symbol), rows[i].file);
    }
    assert_true(descriptor_index_is_message(*state, "xqueue.v1.Hello"));
    assert_true(descriptor_index_is_message(*state, "xqueue.v1.Hello.LabelsEntry"));
    assert_false(descriptor_index_is_message(*state, "xqueue.v1.Graders"));
    assert_false(descriptor_index_is_message(*state, "xqueue.v1.SubmissionState"));
    assert_false(descriptor_index_is_message(*state, "xqueue.v1.Hello.held"));
    assert_false(descriptor_index_is_message(*state, "none"));
}

/* What goes out is what protoc wrote, byte for byte: the set is nothing but field 1, once for each file. */
static void files_are_what_protoc_wrote(void **state)
{
    const struct descriptor_index *index = *state;
    const unsigned char *at = xqueue_descriptor_set;
    for (size_t i = 0; i < descriptor_index_file_count(index); i++) {
        const struct descriptor_file *file = descriptor_index_file(index, (int)i);
        size_t length = 0;
        assert_int_equal(*at++, 0x0a);
        for (unsigned shift = 0;; shift += 7) {
            length |= (size_t)(*at & 0x7f) << shift;
            if (*at++ < 0x80) {
                break;
            }
        }
        assert_int_equal(length, file->length);
        assert_memory_equal(at, file->bytes, length);
        at += length;
        assert_int_equal(descriptor_index_find_file(index, file->name), (int)i);
    }
    assert_ptr_equal(at, xqueue_descriptor_set + xqueue_descriptor_set_size);
    assert_int_equal(descriptor_index_find_file(index, "none.proto"), -1);
    assert_int_equal(descriptor_index_find_file(index, ""), -1);
}

/* Each import of a file is among what it needs, and so is what the import needs. */
static void what_a_file_needs_is_all_that_it_imports(void **state)
{
    const struct descriptor_index *index = *state;
    int graders = descriptor_index_find_file(index, "xqueue/v1/graders.proto");
    int common = descriptor_index_find_file(index, "xqueue/v1/common.proto");
    for (size_t i = 0; i < descriptor_index_file_count(index); i++) {
        const struct descriptor_file *file = descriptor_index_file(index, (int)i);
        Google__Protobuf__FileDescriptorProto *proto =
            google__protobuf__file_descriptor_proto__unpack(NULL, file->length, file->bytes);
        assert_non_null(proto);
        for (size_t at = 0; at < proto->n_dependency; at++) {
            int import = descriptor_index_find_file(index, proto->dependency[at]);
            assert_true(import >= 0);
            assert_true(file->needs >> import & 1);
            assert_int_equal(descriptor_index_file(index, import)->needs & ~file->needs, 0);
        }
        assert_false(file->needs >> i & 1);
        google__protobuf__file_descriptor_proto__free_unpacked(proto, NULL);
    }
    assert_true(descriptor_index_file(index, graders)->needs >> common & 1);
    assert_int_equal(descriptor_index_file(index, common)->needs, 0);
}

/* The service of every method that is registered can be asked for, and the other way round every service has its methods. */
static void services_are_those_of_the_methods(void **state)
{
    const struct descriptor_index *index = *state;
    struct rpc_method *methods = methods_join();
    for (const struct rpc_method *method = methods; method->path; method++) {
        char symbol[128];
        assert_true(text_copy(symbol, sizeof symbol, method->path + 1));
        *strchr(symbol, '/') = '.';
        if (descriptor_index_find_symbol(index, symbol) < 0) {
            fail_msg("%s is in no descriptor", symbol);
        }
    }
    size_t count = 0;
    for (const char *name = descriptor_index_service(index, 0); name; name = descriptor_index_service(index, count)) {
        count++;
        assert_true(methods_serve(methods, name));
    }
    assert_int_equal(count, 10);
    assert_false(methods_serve(methods, ""));
    assert_false(methods_serve(methods, "xqueue.v1.Graders/Work"));
    memory_free(methods);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(each_kind_of_symbol_is_found_in_its_file),
        TEST(files_are_what_protoc_wrote),
        TEST(what_a_file_needs_is_all_that_it_imports),
        TEST(services_are_those_of_the_methods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
