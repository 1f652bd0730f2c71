/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_service */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/caller_limits.h"

enum { CALLS = 3, STREAMS = 2 };

static enum status enters(struct caller_limits *limits, const char *user, bool is_stream, const char *reason)
{
    struct error error = {.reason = ""};
    enum status status = caller_limits_enter(limits, user, is_stream, &error);
    if (status != STATUS_OK) {
        assert_string_equal(error.reason, reason);
        assert_true(error.retry_after_ms > 0);
    }
    return status;
}

static void calls_and_streams_of_one_user_are_bounded(void **state)
{
    (void)state;
    struct caller_limits *limits = caller_limits_create(CALLS, STREAMS);
    assert_int_equal(enters(limits, "a", true, ""), STATUS_OK);
    assert_int_equal(enters(limits, "a", true, ""), STATUS_OK);
    assert_int_equal(enters(limits, "a", true, "STREAMS_FULL"), STATUS_FULL);
    assert_int_equal(enters(limits, "a", false, ""), STATUS_OK);
    assert_int_equal(enters(limits, "a", false, "CALLS_FULL"), STATUS_FULL);
    assert_int_equal(enters(limits, "b", true, ""), STATUS_OK);

    caller_limits_leave(limits, "a", true);
    assert_int_equal(enters(limits, "a", true, ""), STATUS_OK);
    assert_int_equal(enters(limits, "a", true, "CALLS_FULL"), STATUS_FULL);

    caller_limits_leave(limits, "a", true);
    caller_limits_leave(limits, "a", true);
    caller_limits_leave(limits, "a", false);
    caller_limits_leave(limits, "b", true);
    caller_limits_destroy(limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls_and_streams_of_one_user_are_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
