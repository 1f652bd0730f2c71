/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rest-adapter/byte_range.h"

struct expectation {
    const char *value;
    int64_t file_bytes;
    enum byte_range_kind kind;
    int64_t first, length;
};

static void check(const struct expectation *expected)
{
    struct byte_range range = {-1, -1};
    enum byte_range_kind kind = byte_range_parse(expected->value, expected->file_bytes, &range);

    if (kind != expected->kind || range.first != expected->first || range.length != expected->length) {
        fail_msg("%s of %lld: %d, %lld + %lld", expected->value, (long long)expected->file_bytes, (int)kind,
                 (long long)range.first, (long long)range.length);
    }
}

static void one_part_is_taken(void **state)
{
    static const struct expectation cases[] = {
        {"bytes=0-0", 10, BYTE_RANGE_PART, 0, 1},
        {"bytes=0-9", 10, BYTE_RANGE_PART, 0, 10},
        {"bytes=2-5", 10, BYTE_RANGE_PART, 2, 4},
        {"bytes=2-", 10, BYTE_RANGE_PART, 2, 8},
        {"bytes=9-", 10, BYTE_RANGE_PART, 9, 1},
        {"bytes=-3", 10, BYTE_RANGE_PART, 7, 3},
        {"bytes=-10", 10, BYTE_RANGE_PART, 0, 10},
        {"bytes=-99", 10, BYTE_RANGE_PART, 0, 10},
        {"bytes=5-99", 10, BYTE_RANGE_PART, 5, 5},
        {"Bytes= 2-5 ", 10, BYTE_RANGE_PART, 2, 4},
        {"bytes=00002-5", 10, BYTE_RANGE_PART, 2, 4},
        {"bytes=1-99999999999999999999999999", 10, BYTE_RANGE_PART, 1, 9},
        {"bytes=1-9223372036854775807", 10, BYTE_RANGE_PART, 1, 9},
        {"bytes=-99999999999999999999999999", 10, BYTE_RANGE_PART, 0, 10},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(&cases[i]);
    }
}

static void what_lies_behind_the_end_cannot_be_satisfied(void **state)
{
    static const struct expectation cases[] = {
        {"bytes=10-", 10, BYTE_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=10-20", 10, BYTE_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=99999999999999999999999999-", 10, BYTE_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-0", 10, BYTE_RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=0-", 0, BYTE_RANGE_UNSATISFIABLE, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(&cases[i]);
    }
}

static void anything_else_is_the_whole_file(void **state)
{
    static const char *const values[] = {
        NULL,          "",           "bytes",         "bytes=",      "bytes=-",     "bytes=5",
        "bytes=5-2",   "bytes=a-b",  "bytes=1-2,4-5", "bytes=1-2,",  "bytes=,1-2",  "bytes 1-2",
        "items=1-2",   "bytes=1--2", "bytes=-1-2",    "bytes=1-2x",  "bytes=0x1-2", "bytes=+1-2",
        "bytes=1 - 2", "octets=0-1", "bytes=1-2;q=1", "bytes=1.5-3", "bytes==1-2",  "bytes=--1"};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        check(&(struct expectation){values[i], 10, BYTE_RANGE_WHOLE, 0, 10});
    }
    check(&(struct expectation){"bytes=-5", 0, BYTE_RANGE_WHOLE, 0, 0}); // satisfiable, but there is no way to say so
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_part_is_taken),
        cmocka_unit_test(what_lies_behind_the_end_cannot_be_satisfied),
        cmocka_unit_test(anything_else_is_the_whole_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
