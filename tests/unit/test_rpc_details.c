/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rpc xqueue_proto */
/* What public gRPC libraries read of our errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rpc/rpc_internal.h"
#include "base/rpc/rpc_status.h"
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#define LONGEST_METHOD "/xqueue.v1.ANameOfAServiceThatIsLongerThanAnyOfTheContract/AndAMethodThatIsLongerThanAnyOfTheContract"

static Google__Rpc__Status *details_of(enum status status, const struct error *error, const char *method)
{
    grpc_slice slice = rpc_details_pack(status, error, method);
    assert_in_range(GRPC_SLICE_LENGTH(slice), 1, RPC_DETAILS_BYTES_MAX);
    Google__Rpc__Status *message = google__rpc__status__unpack(NULL, GRPC_SLICE_LENGTH(slice), GRPC_SLICE_START_PTR(slice));
    grpc_slice_unref(slice);
    assert_non_null(message);
    return message;
}

static Google__Rpc__ErrorInfo *info_of(const Google__Rpc__Status *message)
{
    assert_true(message->n_details >= 1);
    assert_string_equal(message->details[0]->type_url, "type.googleapis.com/google.rpc.ErrorInfo");
    Google__Rpc__ErrorInfo *info =
        google__rpc__error_info__unpack(NULL, message->details[0]->value.len, message->details[0]->value.data);
    assert_non_null(info);
    assert_string_equal(info->domain, "xqueue.v1");
    return info;
}

static void an_error_has_its_code_text_reason_and_method(void **state)
{
    (void)state;
    struct error error;
    (void)error_set(&error, STATUS_STALE, "LEASE_STALE", "not the newest, %s", "Zoë: 100 %");
    Google__Rpc__Status *message = details_of(STATUS_STALE, &error, "/xqueue.v1.Graders/Complete");
    Google__Rpc__ErrorInfo *info = info_of(message);

    assert_int_equal(message->code, 10);
    assert_string_equal(message->message, error.text);
    assert_int_equal(message->n_details, 1); /* no advice when to come again */
    assert_string_equal(info->reason, "LEASE_STALE");
    assert_int_equal(info->n_metadata, 1);
    assert_string_equal(info->metadata[0]->key, "method");
    assert_string_equal(info->metadata[0]->value, "xqueue.v1.Graders/Complete");
    google__rpc__error_info__free_unpacked(info, NULL);
    google__rpc__status__free_unpacked(message, NULL);
}

static void advice_to_come_again_is_a_duration(void **state)
{
    (void)state;
    struct error error;
    (void)error_set(&error, STATUS_UNAVAILABLE, "STORAGE_FULL", "%s", "later");
    error.retry_after_ms = 61234;
    Google__Rpc__Status *message = details_of(STATUS_UNAVAILABLE, &error, "/xqueue.v1.Submissions/Submit");

    assert_int_equal(message->code, 14);
    assert_int_equal(message->n_details, 2);
    assert_string_equal(message->details[1]->type_url, "type.googleapis.com/google.rpc.RetryInfo");
    Google__Rpc__RetryInfo *retry =
        google__rpc__retry_info__unpack(NULL, message->details[1]->value.len, message->details[1]->value.data);
    assert_non_null(retry);
    assert_int_equal(retry->retry_delay->seconds, 61);
    assert_int_equal(retry->retry_delay->nanos, 234000000);
    google__rpc__retry_info__free_unpacked(retry, NULL);
    google__rpc__status__free_unpacked(message, NULL);
}

static void an_error_without_a_reason_has_the_name_of_its_status(void **state)
{
    (void)state;
    const struct error error = {.text = ""};
    Google__Rpc__Status *message = details_of(STATUS_NOT_FOUND, &error, NULL);
    Google__Rpc__ErrorInfo *info = info_of(message);

    assert_int_equal(message->code, 5);
    assert_string_equal(info->reason, "NOT_FOUND");
    assert_int_equal(info->n_metadata, 0); /* a method that nobody knows */
    google__rpc__error_info__free_unpacked(info, NULL);
    google__rpc__status__free_unpacked(message, NULL);
}

static void the_longest_error_is_within_its_bound_and_whole(void **state)
{
    (void)state;
    struct error error = {.retry_after_ms = INT64_MAX};
    memset(error.text, 'x', sizeof(error.text) - 1);
    memset(error.reason, 'R', sizeof(error.reason) - 1);
    Google__Rpc__Status *message = details_of(STATUS_FULL, &error, LONGEST_METHOD);
    Google__Rpc__ErrorInfo *info = info_of(message);

    assert_int_equal(message->n_details, 2);
    assert_string_equal(message->message, error.text);
    assert_string_equal(info->reason, error.reason);
    google__rpc__error_info__free_unpacked(info, NULL);
    google__rpc__status__free_unpacked(message, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_has_its_code_text_reason_and_method),
        cmocka_unit_test(advice_to_come_again_is_a_duration),
        cmocka_unit_test(an_error_without_a_reason_has_the_name_of_its_status),
        cmocka_unit_test(the_longest_error_is_within_its_bound_and_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
