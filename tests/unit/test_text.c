/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/text.h"

static void a_text_grows_up_to_its_maximum(void **state)
{
    (void)state;
    struct text text;
    text_init(&text, 1000);
    assert_string_equal(text.bytes, "");

    for (int at = 0; at < 100; at++)
        text_append(&text, "0123456789", 10);

    assert_int_equal(text_status(&text), STATUS_OK);
    assert_int_equal(text.length, 1000);
    assert_int_equal(strlen(text.bytes), 1000);
    text_finish(&text);
}

static void an_append_that_does_not_fit_fails_the_text_and_changes_nothing(void **state)
{
    (void)state;
    struct text text;
    text_init(&text, 5);

    text_append_string(&text, "abc");
    text_append_string(&text, "def");
    text_append_char(&text, 'g');
    text_append_format(&text, "%d", 1);

    assert_int_equal(text_status(&text), STATUS_FULL);
    assert_string_equal(text.bytes, "abc");
    text_clear(&text);
    assert_int_equal(text_status(&text), STATUS_OK);
    text_append_format(&text, "%s-%02d", "ab", 7);
    assert_int_equal(text_status(&text), STATUS_OK);
    assert_string_equal(text.bytes, "ab-07");
    text_append_char(&text, '!');
    assert_int_equal(text_status(&text), STATUS_FULL);
    text_finish(&text);
}

static void a_text_may_hold_nothing_at_all(void **state)
{
    (void)state;
    struct text text;
    text_init(&text, 0);

    text_append(&text, NULL, 0);
    assert_int_equal(text_status(&text), STATUS_OK);
    text_append_char(&text, 'x');

    assert_int_equal(text_status(&text), STATUS_FULL);
    text_finish(&text);
    text_finish(&text);
}

static void a_text_holds_nul_bytes(void **state)
{
    (void)state;
    struct text text;
    text_init(&text, 10);

    text_append(&text, "a\0b", 3);

    assert_int_equal(text.length, 3);
    assert_memory_equal(text.bytes, "a\0b", 4);
    text_finish(&text);
}

static void taking_moves_the_bytes_and_leaves_an_empty_text(void **state)
{
    (void)state;
    struct text text;
    size_t length = 0;
    text_init(&text, 3);
    text_append_string(&text, "abc");
    text_append_char(&text, 'd');

    char *bytes = text_take(&text, &length);

    assert_string_equal(bytes, "abc");
    assert_int_equal(length, 3);
    assert_string_equal(text.bytes, "");
    assert_int_equal(text_status(&text), STATUS_OK);
    text_append_string(&text, "xyz");
    assert_string_equal(text.bytes, "xyz");
    memory_free(bytes);
    text_finish(&text);
}

static bool is_utf8(const char *string)
{
    return text_is_utf8(string, strlen(string));
}

static void utf8_is_told_from_what_only_looks_like_it(void **state)
{
    (void)state;

    assert_true(is_utf8(""));
    assert_true(is_utf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z"));
    assert_true(is_utf8("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"));
    assert_true(text_is_utf8("a\0b", 3));
    assert_false(is_utf8("\x80"));
    assert_false(is_utf8("\xc0\x80"));         // overlong
    assert_false(is_utf8("\xc1\xbf"));         // overlong
    assert_false(is_utf8("\xe0\x9f\xbf"));     // overlong
    assert_false(is_utf8("\xf0\x8f\xbf\xbf")); // overlong
    assert_false(is_utf8("\xed\xa0\x80"));     // surrogate
    assert_false(is_utf8("\xf4\x90\x80\x80")); // past U+10FFFF
    assert_false(is_utf8("\xf5\x80\x80\x80"));
    assert_false(is_utf8("\xff"));
    assert_false(is_utf8("\xe2\x82"));
    assert_false(is_utf8("\xe2\x82\x41"));
    assert_false(is_utf8("\xf0\x9f\x98\x41"));
}

static void a_name_is_short_visible_and_not_empty(void **state)
{
    (void)state;

    assert_true(text_is_name("cs101", 5));
    assert_true(text_is_name("Übung 1", 20));
    assert_false(text_is_name("cs1010", 5));
    assert_false(text_is_name("", 5));
    assert_false(text_is_name("a\nb", 5));
    assert_false(text_is_name("a\x7f", 5));
    assert_false(text_is_name("\xc3", 5));
}

static void a_copy_is_cut_between_characters(void **state)
{
    (void)state;
    char out[5];

    assert_true(text_copy(out, sizeof out, "abcd"));
    assert_string_equal(out, "abcd");
    assert_false(text_copy(out, sizeof out, "abc\xc3\xa4"));
    assert_string_equal(out, "abc");
    assert_false(text_copy(out, sizeof out, "a\xf0\x9f\x98\x80"));
    assert_string_equal(out, "a");
    assert_false(text_copy(out, sizeof out, "\x80\x80\x80\x80\x80\x80"));
    assert_int_equal(strlen(out), 4);
    assert_false(text_copy(out, 1, "a"));
    assert_string_equal(out, "");
    assert_true(text_copy(out, 1, ""));
}

static void hex_is_lower_case(void **state)
{
    (void)state;
    char out[9];

    text_hex(out, "\x00\x7f\xab\xff", 4);

    assert_string_equal(out, "007fabff");
}

static void secrets_are_equal_only_as_a_whole(void **state)
{
    (void)state;

    assert_true(text_equal_secret("abc", 3, "abc", 3));
    assert_true(text_equal_secret(NULL, 0, "", 0));
    assert_false(text_equal_secret("abc", 3, "abd", 3));
    assert_false(text_equal_secret("abc", 3, "abc", 2));
}

static void a_number_is_a_whole_string_in_range(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",   "-", "+1", " 1", "1 ", "1x", "0x10", "--1", "1.0", "9223372036854775808",
                                        "11", "-6"};
    int64_t number = 99;

    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++) {
        assert_int_equal(text_to_int64(wrong[at], -5, 10, &number), STATUS_INVALID);
        assert_int_equal(number, 99);
    }
    assert_int_equal(text_to_int64("10", -5, 10, &number), STATUS_OK);
    assert_int_equal(number, 10);
    assert_int_equal(text_to_int64("-5", -5, 10, &number), STATUS_OK);
    assert_int_equal(number, -5);
    assert_int_equal(text_to_int64("-9223372036854775808", INT64_MIN, INT64_MAX, &number), STATUS_OK);
    assert_true(number == INT64_MIN);
}

static void a_decimal_number_is_scaled_and_rounded(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",    ".",   "-",  "1.2.3", " 1",    "1 ",  "0x10",
                                        "inf", "nan", "1e", "e5",    "1e400", "--1", "1,5"};
    int64_t number = 99;

    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++) {
        assert_int_equal(text_to_scaled(wrong[at], 1000, INT64_MIN, INT64_MAX, &number), STATUS_INVALID);
        assert_int_equal(number, 99);
    }
    assert_int_equal(text_to_scaled("9223372036854775808", 1, INT64_MIN, INT64_MAX, &number), STATUS_INVALID);
    assert_int_equal(text_to_scaled("0.5", 60000, 0, 29999, &number), STATUS_INVALID);
    assert_int_equal(number, 99);
    assert_int_equal(text_to_scaled("0.5", 60000, 0, 30000, &number), STATUS_OK);
    assert_int_equal(number, 30000);
    assert_int_equal(text_to_scaled(".0016", 1000, 0, 5, &number), STATUS_OK);
    assert_int_equal(number, 2);
    assert_int_equal(text_to_scaled("-1.5e2", 10, -1500, 0, &number), STATUS_OK);
    assert_int_equal(number, -1500);
}

static void what_steers_a_terminal_becomes_printable(void **state)
{
    (void)state;
    char controls[] = "a\x1b[2J\n\x7f";
    char late[] = "\xc2\x9b"
                  "1m \xc2\xa0"
                  "Zo\xc3\xab";
    char broken[] = "\xff\xc3";

    text_make_printable(controls);
    assert_string_equal(controls, "a?[2J??");
    text_make_printable(late);
    assert_string_equal(late, "??1m \xc2\xa0"
                              "Zo\xc3\xab");
    text_make_printable(broken);
    assert_string_equal(broken, "??");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_steers_a_terminal_becomes_printable),
        cmocka_unit_test(a_text_grows_up_to_its_maximum),
        cmocka_unit_test(an_append_that_does_not_fit_fails_the_text_and_changes_nothing),
        cmocka_unit_test(a_text_may_hold_nothing_at_all),
        cmocka_unit_test(a_text_holds_nul_bytes),
        cmocka_unit_test(taking_moves_the_bytes_and_leaves_an_empty_text),
        cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
        cmocka_unit_test(a_name_is_short_visible_and_not_empty),
        cmocka_unit_test(a_copy_is_cut_between_characters),
        cmocka_unit_test(hex_is_lower_case),
        cmocka_unit_test(secrets_are_equal_only_as_a_whole),
        cmocka_unit_test(a_number_is_a_whole_string_in_range),
        cmocka_unit_test(a_decimal_number_is_scaled_and_rounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
