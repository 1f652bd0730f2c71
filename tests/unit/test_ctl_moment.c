/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_ctl */
/* Points in time as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/ctl/moment.h"

static void right_ones_are_read_as_utc_unless_they_say_otherwise(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t at_ms;
    } cases[] = {
        {"2026-01-31", 1769817600000},
        {"2026-01-31 12:34:56", 1769862896000},
        {"2026-01-31T12:34:56Z", 1769862896000},
        {"2026-01-31T12:34", 1769862840000},
        {"2026-01-31T12:34:56.789", 1769862896789},
        {"2026-01-31T12:34:56.789123Z", 1769862896789},
        {"2026-01-31T12:34:56+02:00", 1769855696000},
        {"2026-01-31 12:34:56-0530", 1769882696000},
        {"2024-02-29", 1709164800000},
        {"1970-01-01 00:00:00.001", 1},
        {"9999-12-31T23:59:59Z", 253402300799000},
    };
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        int64_t at_ms = 0;
        assert_int_equal(moment_parse(cases[at].text, &at_ms), STATUS_OK);
        assert_int_equal(at_ms, cases[at].at_ms);
    }
}

static void wrong_ones_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"",
                                        "yesterday",
                                        "2026",
                                        "2026-1-1",
                                        "2026-02-30",
                                        "2025-02-29",
                                        "2026-13-01",
                                        "2026-01-00",
                                        "2026-01-31x",
                                        "2026-01-31 ",
                                        "2026-01-31T24:00:00",
                                        "2026-01-31T12:60:00",
                                        "2026-01-31T12:34:60",
                                        "2026-01-31T12:34:56.",
                                        "2026-01-31T12:34:56 ",
                                        "2026-01-31T12:34:56z",
                                        "2026-01-31T12:34:56+2",
                                        "2026-01-31T12:34:56+02:00x",
                                        "1970-01-01",
                                        "0000-01-01",
                                        "-026-01-01"};
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        int64_t at_ms = 99;
        assert_int_equal(moment_parse(cases[at], &at_ms), STATUS_INVALID);
        assert_int_equal(at_ms, 99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_ones_are_read_as_utc_unless_they_say_otherwise),
        cmocka_unit_test(wrong_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
