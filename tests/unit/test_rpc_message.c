/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rpc xqueue_proto */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/rpc/rpc_message.h"
#include "base/rpc/rpc_wire.h"
#include "xqueue/v1/graders.pb-c.h"
#include "xqueue/v1/submissions.pb-c.h"

#define GRADER_MESSAGE (&xqueue__v1__grader_message__descriptor)
#define SUBMIT_REQUEST (&xqueue__v1__submit_request__descriptor)

enum {
    SMALL_MAX = 1000,
    AMPLIFIER_BYTES = 12 * 100 * 1024,
    HELD_LEASES = 10000,
    NESTED_BYTES_MAX = 128,
};

static enum status unpack(const ProtobufCMessageDescriptor *descriptor, const void *bytes, size_t length)
{
    struct rpc_message *message = NULL;
    const enum status status = rpc_message_unpack(descriptor, bytes, length, RPC_MESSAGE_BYTES_DEFAULT, &message);
    assert_true((status == STATUS_OK) == (message != NULL));
    rpc_message_free(message);
    return status;
}

#define UNPACK(descriptor_, literal_) unpack((descriptor_), (literal_), sizeof(literal_) - 1)

static void a_packed_message_comes_back(void **state)
{
    (void)state;
    Xqueue__V1__SubmitRequest request = XQUEUE__V1__SUBMIT_REQUEST__INIT;
    char queue[] = "größe";
    uint8_t body[] = {0, 1, 0xff};
    uint8_t packed[SMALL_MAX];
    struct rpc_message *message = NULL;
    request.queue = queue;
    request.body.data = body;
    request.body.len = sizeof(body);

    const size_t length = xqueue__v1__submit_request__pack(&request, packed);
    assert_int_equal(rpc_message_unpack(SUBMIT_REQUEST, packed, length, SMALL_MAX, &message), STATUS_OK);

    const Xqueue__V1__SubmitRequest *back = (const void *)rpc_message_body(message);
    assert_string_equal(back->queue, queue);
    assert_string_equal(back->callback_url, "");
    assert_int_equal(back->body.len, sizeof(body));
    assert_memory_equal(back->body.data, body, sizeof(body));
    assert_int_equal(back->n_files, 0);
    rpc_message_free(message);
    rpc_message_free(NULL);
}

static void no_bytes_are_an_empty_message(void **state)
{
    (void)state;
    assert_int_equal(unpack(SUBMIT_REQUEST, NULL, 0), STATUS_OK);
}

static void text_with_a_nul_or_bad_utf8_is_refused_wherever_it_is(void **state)
{
    (void)state;
    /* plain, in a repeated message, in a map's key and value, in a oneof's message, repeated, two levels down */
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x12\x03q\0r"), STATUS_INVALID);
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x12\x02\xc0\x80"), STATUS_INVALID);
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x12\x03\xed\xa0\x80"), STATUS_INVALID);
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x2a\x05\x0a\x03q\0r"), STATUS_INVALID);
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x6a\x06\x0a\x01\0\x12\x01v"), STATUS_INVALID);
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x6a\x06\x0a\x01k\x12\x01\xff"), STATUS_INVALID);
    assert_int_equal(UNPACK(GRADER_MESSAGE, "\x0a\x05\x0a\x03q\0r"), STATUS_INVALID);
    assert_int_equal(UNPACK(GRADER_MESSAGE, "\x0a\x08\x22\x01q\x22\x03q\0r"), STATUS_INVALID);
    assert_int_equal(UNPACK(GRADER_MESSAGE, "\x0a\x07\x32\x05\x12\x03q\0r"), STATUS_INVALID);
    /* and the same without fault */
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x12\x03q-r"), STATUS_OK);
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x2a\x05\x0a\x03q-r"), STATUS_OK);
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x6a\x06\x0a\x01k\x12\x01v"), STATUS_OK);
    assert_int_equal(UNPACK(GRADER_MESSAGE, "\x0a\x08\x22\x01q\x22\x03q-r"), STATUS_OK);
    assert_int_equal(UNPACK(GRADER_MESSAGE, "\x0a\x07\x32\x05\x12\x03q-r"), STATUS_OK);
}

static void the_first_of_two_values_is_looked_at_too(void **state)
{
    (void)state;
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x12\x01\0\x12\x01q"), STATUS_INVALID);
}

static void bytes_fields_may_hold_anything(void **state)
{
    (void)state;
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x22\x03\0\xff\0"), STATUS_OK);
}

static void unknown_fields_are_passed_over(void **state)
{
    (void)state;
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\xf8\x7f\x01\xfa\x7f\x02\0\xff\xfd\x7f"
                                            "abcd"
                                            "\xf9\x7f"
                                            "abcdefgh"),
                     STATUS_OK);
}

static void malformed_bytes_are_refused(void **state)
{
    (void)state;
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x12"), STATUS_INVALID);                              /* no length */
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x12\x05q"), STATUS_INVALID);                         /* too short */
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x12\xff\xff\xff\xff\x0fq"), STATUS_INVALID);         /* 4 GiB */
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x12\xff\xff\xff\xff\xff\xff\x01q"), STATUS_INVALID); /* long length */
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x50\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), STATUS_INVALID);
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\xff\xff\xff\xff\xff\x01"), STATUS_INVALID); /* long tag */
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x00\x01"), STATUS_INVALID);                 /* field 0 */
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x13\x14"), STATUS_INVALID);                 /* a group */
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x16"), STATUS_INVALID);                     /* wire type 6 */
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x10\x01"), STATUS_INVALID);                 /* a number for text */
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x0d"
                                            "abc"),
                     STATUS_INVALID);                                             /* cut number */
    assert_int_equal(UNPACK(SUBMIT_REQUEST, "\x2a\x02\x0a\x05"), STATUS_INVALID); /* inner longer than outer */
}

static void bounds_are_kept(void **state)
{
    (void)state;
    char bytes[SMALL_MAX + 2];
    struct rpc_message *message = NULL;
    memset(bytes, 0x78, sizeof(bytes));

    assert_int_equal(rpc_message_unpack(SUBMIT_REQUEST, bytes, sizeof(bytes), SMALL_MAX, &message), STATUS_FULL);
    assert_int_equal(rpc_message_unpack(SUBMIT_REQUEST, bytes, SIZE_MAX, SIZE_MAX, &message), STATUS_FULL);

    assert_null(message);
}

/* Copies of a field; field_length must divide length. */
static char *repeat_field(const char *field, size_t field_length, size_t length)
{
    char *bytes = memory_allocate(length);
    for (size_t i = 0; i + field_length <= length; i += field_length) {
        memcpy(bytes + i, field, field_length);
    }
    return bytes;
}

static void bytes_that_would_fill_the_memory_are_refused(void **state)
{
    (void)state;
    static const struct {
        const ProtobufCMessageDescriptor *descriptor;
        const char *field;
        size_t length;
    } cases[] = {
        {SUBMIT_REQUEST, "\xf8\x7f\x01\xfa\x7f\0", 6}, /* unknown fields */
        {SUBMIT_REQUEST, "\x2a\0", 2},                 /* empty files */
        {SUBMIT_REQUEST, "\x6a\0", 2},                 /* empty labels */
        {GRADER_MESSAGE, "\x0a\x02\x22\0", 4},         /* hellos with an empty queue name each, merged */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *bytes = repeat_field(cases[i].field, cases[i].length, AMPLIFIER_BYTES);
        assert_int_equal(unpack(cases[i].descriptor, bytes, AMPLIFIER_BYTES), STATUS_FULL);
        memory_free(bytes);
    }
}

static void the_largest_honest_message_fits(void **state)
{
    (void)state;
    Xqueue__V1__Hello hello = XQUEUE__V1__HELLO__INIT;
    Xqueue__V1__LeaseRef lease = XQUEUE__V1__LEASE_REF__INIT;
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    char key[] = "0123456789abcdef0123456789abcdef";
    lease.submission_id = UINT64_MAX;
    lease.lease_key = key;
    hello.n_held = HELD_LEASES;
    hello.held = memory_allocate_array(HELD_LEASES, sizeof(Xqueue__V1__LeaseRef *));
    for (size_t i = 0; i < HELD_LEASES; i++) {
        hello.held[i] = &lease;
    }
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO;
    message.hello = &hello;
    uint8_t *packed = memory_allocate(xqueue__v1__grader_message__get_packed_size(&message));
    const size_t length = xqueue__v1__grader_message__pack(&message, packed);

    assert_int_equal(unpack(GRADER_MESSAGE, packed, length), STATUS_OK);

    memory_free(packed);
    memory_free(hello.held);
}

/* ---- nesting: the contract has no message within itself, so the test makes one ---- */

struct nested {
    ProtobufCMessage base;
    struct nested *inner;
};

static const ProtobufCFieldDescriptor nested_fields[1];
static const ProtobufCIntRange nested_ranges[] = {{1, 0}, {0, 1}};
static const unsigned nested_by_name[] = {0};
static const ProtobufCMessageDescriptor nested_descriptor = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
    .name = "Nested",
    .short_name = "Nested",
    .c_name = "Nested",
    .package_name = "",
    .sizeof_message = sizeof(struct nested),
    .n_fields = 1,
    .fields = nested_fields,
    .fields_sorted_by_name = nested_by_name,
    .n_field_ranges = 1,
    .field_ranges = nested_ranges,
};
static const ProtobufCFieldDescriptor nested_fields[1] = {{
    .name = "inner",
    .id = 1,
    .label = PROTOBUF_C_LABEL_NONE,
    .type = PROTOBUF_C_TYPE_MESSAGE,
    .offset = offsetof(struct nested, inner),
    .descriptor = &nested_descriptor,
}};

/* A message with depth levels, itself one of them. */
static size_t nest(unsigned depth, char out[NESTED_BYTES_MAX])
{
    size_t length = 0;
    for (unsigned left = depth - 1; left > 0; left--) {
        out[length++] = 0x0a;
        out[length++] = (char)(2 * (left - 1));
    }
    return length;
}

static void nesting_has_a_bound(void **state)
{
    (void)state;
    char bytes[NESTED_BYTES_MAX];

    assert_int_equal(unpack(&nested_descriptor, bytes, nest(1, bytes)), STATUS_OK);
    assert_int_equal(unpack(&nested_descriptor, bytes, nest(RPC_WIRE_DEPTH_MAX, bytes)), STATUS_OK);
    assert_int_equal(unpack(&nested_descriptor, bytes, nest(RPC_WIRE_DEPTH_MAX + 1, bytes)), STATUS_INVALID);
    assert_int_equal(unpack(&nested_descriptor, bytes, nest(NESTED_BYTES_MAX / 2, bytes)), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packed_message_comes_back),
        cmocka_unit_test(no_bytes_are_an_empty_message),
        cmocka_unit_test(text_with_a_nul_or_bad_utf8_is_refused_wherever_it_is),
        cmocka_unit_test(the_first_of_two_values_is_looked_at_too),
        cmocka_unit_test(bytes_fields_may_hold_anything),
        cmocka_unit_test(unknown_fields_are_passed_over),
        cmocka_unit_test(malformed_bytes_are_refused),
        cmocka_unit_test(bounds_are_kept),
        cmocka_unit_test(bytes_that_would_fill_the_memory_are_refused),
        cmocka_unit_test(the_largest_honest_message_fits),
        cmocka_unit_test(nesting_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
