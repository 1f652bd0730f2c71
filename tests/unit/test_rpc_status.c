/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rpc */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rpc/rpc_status.h"

enum { CODES = 17 };

static void every_status_but_one_survives_the_way_there_and_back(void **state)
{
    (void)state;
    for (int status = 0; status < STATUS_COUNT; status++) {
        const enum status expected = status == STATUS_NO_MEMORY ? STATUS_FULL : (enum status)status;
        assert_int_equal(rpc_status_from_code(rpc_status_to_code((enum status)status)), expected);
    }
}

static void the_codes_are_those_of_the_contract(void **state)
{
    (void)state;
    static const struct {
        enum status status;
        int code;
    } rows[] = {{STATUS_OK, 0},        {STATUS_CANCELED, 1},     {STATUS_INVALID, 3},    {STATUS_TIMEOUT, 4},
                {STATUS_NOT_FOUND, 5}, {STATUS_EXISTS, 6},       {STATUS_DENIED, 7},     {STATUS_FULL, 8},
                {STATUS_NO_MEMORY, 8}, {STATUS_WRONG_STATE, 9},  {STATUS_STALE, 10},     {STATUS_UNIMPLEMENTED, 12},
                {STATUS_INTERNAL, 13}, {STATUS_UNAVAILABLE, 14}, {STATUS_DATA_LOSS, 15}, {STATUS_UNAUTHENTICATED, 16}};
    assert_int_equal(sizeof(rows) / sizeof(rows[0]), STATUS_COUNT);
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        assert_int_equal(rpc_status_to_code(rows[i].status), rows[i].code);
    }
}

static void only_code_0_means_ok_and_strange_codes_are_internal(void **state)
{
    (void)state;
    for (int code = 1; code < CODES; code++) {
        assert_int_not_equal(rpc_status_from_code(code), STATUS_OK);
    }
    assert_int_equal(rpc_status_from_code(2), STATUS_INTERNAL);
    assert_int_equal(rpc_status_from_code(11), STATUS_INVALID);
    assert_int_equal(rpc_status_from_code(-1), STATUS_INTERNAL);
    assert_int_equal(rpc_status_from_code(CODES), STATUS_INTERNAL);
    assert_int_equal(rpc_status_to_code(STATUS_COUNT), 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_but_one_survives_the_way_there_and_back),
        cmocka_unit_test(the_codes_are_those_of_the_contract),
        cmocka_unit_test(only_code_0_means_ok_and_strange_codes_are_internal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
