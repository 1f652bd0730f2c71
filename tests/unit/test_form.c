/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "rest-adapter/form.h"

static const struct form_limits defaults = {FORM_FIELDS_DEFAULT, FORM_BYTES_DEFAULT, FORM_FILES_DEFAULT};

static struct form parse(const char *text)
{
    struct form form;
    form_init(&form, &defaults);
    assert_int_equal(form_parse_urlencoded(&form, span_of(text), NULL), STATUS_OK);
    return form;
}

static void assert_span(struct span span, const void *bytes, size_t length)
{
    assert_non_null(span.bytes);
    assert_int_equal(span.length, length);
    assert_memory_equal(span.bytes, bytes, length);
    assert_int_equal(span.bytes[length], 0);
}

#define ASSERT_FIELD(form_, name_, literal_) assert_span(form_get((form_), (name_)), (literal_), sizeof(literal_) - 1)

static void plus_and_percent_20_are_blanks(void **state)
{
    (void)state;
    struct form form = parse("a=1+2%203&b=%2B");

    ASSERT_FIELD(&form, "a", "1 2 3");
    ASSERT_FIELD(&form, "b", "+");
    assert_int_equal(form.field_count, 2);
    form_finish(&form);
}

static void a_bad_escape_stays_as_it_is(void **state)
{
    (void)state;
    struct form form = parse("a=%zz&b=%4&c=%&d=100%+x&e=%4g%41");

    ASSERT_FIELD(&form, "a", "%zz");
    ASSERT_FIELD(&form, "b", "%4");
    ASSERT_FIELD(&form, "c", "%");
    ASSERT_FIELD(&form, "d", "100% x");
    ASSERT_FIELD(&form, "e", "%4gA");
    form_finish(&form);
}

static void the_last_of_several_fields_wins(void **state)
{
    (void)state;
    struct form form = parse("a=1&b=2&a=3&%61=4");

    ASSERT_FIELD(&form, "a", "4");
    form_finish(&form);
}

static void a_semicolon_separates_nothing(void **state)
{
    (void)state;
    struct form form = parse("a=1;b=2");

    ASSERT_FIELD(&form, "a", "1;b=2");
    assert_null(form_get(&form, "b").bytes);
    form_finish(&form);
}

static void nul_bytes_are_kept(void **state)
{
    (void)state;
    static const char raw[] = "a=x\0y%00z";
    struct form form;
    form_init(&form, &defaults);

    assert_int_equal(form_parse_urlencoded(&form, (struct span){raw, sizeof raw - 1}, NULL), STATUS_OK);

    ASSERT_FIELD(&form, "a", "x\0y\0z");
    form_finish(&form);
}

static void a_field_may_be_without_value_or_name(void **state)
{
    (void)state;
    struct form form = parse("a&&b=&=c&d=e=f&");

    ASSERT_FIELD(&form, "a", "");
    ASSERT_FIELD(&form, "b", "");
    ASSERT_FIELD(&form, "", "c");
    ASSERT_FIELD(&form, "d", "e=f");
    assert_int_equal(form.field_count, 4);
    assert_null(form_get(&form, "e").bytes);
    form_finish(&form);
}

static void an_empty_text_has_no_fields(void **state)
{
    (void)state;
    struct form form = parse("");

    assert_int_equal(form.field_count, 0);
    assert_null(form_get(&form, "").bytes);
    form_finish(&form);
}

static void what_is_not_utf8_becomes_u_fffd_as_python_does_it(void **state)
{
    (void)state;
#define BAD "\xEF\xBF\xBD"
    // Right-hand sides: bytes.decode('utf-8', 'replace').
    struct form form =
        parse("a=%FF&b=%F0%9F%98&c=%E0%80&d=%ED%A0%80&e=%C3%A9\xC3\xA9&f=%F0%9F%98x&g=%C0%AF&h=%F4%90%80%80&i=%E2%82%C3"
              "&j=%F0%9F%98%80&k=%FFA%C3");

    ASSERT_FIELD(&form, "a", BAD);
    ASSERT_FIELD(&form, "b", BAD);
    ASSERT_FIELD(&form, "c", BAD BAD);
    ASSERT_FIELD(&form, "d", BAD BAD BAD);
    ASSERT_FIELD(&form, "e", "\xC3\xA9\xC3\xA9");
    ASSERT_FIELD(&form, "f", BAD "x");
    ASSERT_FIELD(&form, "g", BAD BAD);
    ASSERT_FIELD(&form, "h", BAD BAD BAD BAD);
    ASSERT_FIELD(&form, "i", BAD BAD);
    ASSERT_FIELD(&form, "j", "\xF0\x9F\x98\x80");
    ASSERT_FIELD(&form, "k", BAD "A" BAD);
    form_finish(&form);
}

static void raw_bytes_that_are_not_utf8_are_latin1_and_escaped_ones_are_not(void **state)
{
    (void)state;
    struct form form = parse("a=\xE9%C3%A9&b=\xC3\xA9&c=%FF&d=%C3\xA9");

    ASSERT_FIELD(&form, "a", "\xC3\xA9\xC3\xA9");
    ASSERT_FIELD(&form, "b", "\xC3\x83\xC2\xA9");
    ASSERT_FIELD(&form, "c", BAD);
    ASSERT_FIELD(&form, "d", BAD "\xC2\xA9");
    form_finish(&form);
}

static void the_character_set_of_the_request_is_that_of_the_form(void **state)
{
    (void)state;
#define URLENCODED "application/x-www-form-urlencoded; charset="
    static const struct {
        const char *content_type;
        const char *given;
        const char *wanted;
    } cases[] = {
        {"text/plain", "a=%E9", BAD},
        {URLENCODED "latin-1", "a=%E9\xE9", "\xC3\xA9\xC3\xA9"},
        {URLENCODED "\"ISO-8859-1\"", "a=%E9", "\xC3\xA9"},
        {URLENCODED "iso_8859_15", "a=%A4", "\xE2\x82\xAC"},
        {URLENCODED "Windows-1251", "a=%E9", "\xD0\xB9"},
        {URLENCODED "cp1252", "a=%81%80", BAD "\xE2\x82\xAC"},
        {URLENCODED "us-ascii", "a=x%C3%A9y", "x" BAD BAD "y"},
        {URLENCODED "shift_jis", "a=%82%A0%82", "\xE3\x81\x82" BAD},
        {URLENCODED "utf-8", "a=%C3%A9", "\xC3\xA9"},
        {URLENCODED "UTF8", "a=%C3%A9", "\xC3\xA9"},
        {URLENCODED "nonsense", "a=%C3%A9", "\xC3\xA9"},
        {URLENCODED "lat\xFFin1", "a=%C3%A9", "\xC3\xA9"},
        {URLENCODED "utf-7", "a=%2BAOk-", "+AOk-"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct form form;
        form_init(&form, &defaults);
        form.charset = charset_of(span_of(cases[i].content_type));
        assert_int_equal(form_parse_urlencoded(&form, span_of(cases[i].given), NULL), STATUS_OK);
        assert_span(form_get(&form, "a"), cases[i].wanted, strlen(cases[i].wanted));
        form_finish(&form);
    }
}

static void exactly_the_limit_of_bytes_is_fine_and_one_more_is_not(void **state)
{
    (void)state;
    const struct form_limits limits = {10, 8, 1};
    struct form form;
    struct error error = {0};
    form_init(&form, &limits);

    assert_int_equal(form_parse_urlencoded(&form, span_of("a=1234567"), &error), STATUS_FULL);
    assert_string_equal(error.reason, "FORM_TOO_LARGE");
    assert_int_equal(form.field_count, 0);
    assert_int_equal(form_parse_urlencoded(&form, span_of("a=123456"), NULL), STATUS_OK);
    assert_int_equal(form_add_field(&form, span_of(""), span_of(""), &error), STATUS_FULL);
    form_finish(&form);
}

static void a_thousand_fields_are_fine_and_one_more_is_not(void **state)
{
    (void)state;
    struct text text;
    text_init(&text, 4096);
    for (int i = 0; i < 1000; i++)
        text_append_string(&text, "a=&");
    struct form form;
    struct error error = {0};
    form_init(&form, &defaults);

    assert_int_equal(form_parse_urlencoded(&form, (struct span){text.bytes, text.length}, &error), STATUS_FULL);
    assert_string_equal(error.reason, "FORM_TOO_MANY_FIELDS");
    assert_int_equal(form_parse_urlencoded(&form, (struct span){text.bytes, text.length - 1}, &error), STATUS_OK);
    assert_int_equal(form.field_count, 1000);
    assert_int_equal(form_add_field(&form, span_of("b"), span_of("c"), &error), STATUS_FULL);
    assert_string_equal(error.reason, "FORM_TOO_MANY_FIELDS");
    text_finish(&text);
    form_finish(&form);
}

static struct form_file *add(struct form *form, const char *filename)
{
    struct form_file *file = NULL;
    assert_int_equal(form_add_file(form, span_of("f"), span_of(filename), span_of("text/plain"), &file, NULL), STATUS_OK);
    return file;
}

static void a_filename_is_reduced_to_its_last_component(void **state)
{
    (void)state;
    struct form form;
    form_init(&form, &defaults);

    assert_string_equal(add(&form, "../../etc/passwd")->filename.bytes, "passwd");
    assert_string_equal(add(&form, "C:\\Users\\me\\a b.py")->filename.bytes, "a b.py");
    assert_string_equal(add(&form, "a\x01\n\xE2\x80\xAE.py")->filename.bytes, "a.py");
    assert_string_equal(add(&form, "\xC3\xA9\xFF")->filename.bytes, "\xC3\xA9" BAD);
    assert_null(add(&form, ".."));
    assert_null(add(&form, "a/."));
    assert_null(add(&form, "a/"));
    assert_null(add(&form, ""));
    assert_int_equal(form.file_count, 4);
    form_finish(&form);
}

static void several_files_under_one_name_are_kept_in_order(void **state)
{
    (void)state;
    struct form form;
    form_init(&form, &defaults);

    struct form_file *first = add(&form, "1");
    first->stored = memory_copy_text("where it is");
    struct form_file *second = add(&form, "2");

    assert_ptr_equal(form_file_at(&form, 0), first);
    assert_ptr_equal(form_file_at(&form, 1), second);
    assert_null(form_file_at(&form, 2));
    assert_string_equal(first->field.bytes, "f");
    assert_string_equal(first->content_type.bytes, "text/plain");
    form_finish(&form);
}

static void names_of_files_are_bounded(void **state)
{
    (void)state;
    char name[FORM_NAME_BYTES_MAX + 2];
    memset(name, 'x', sizeof name);
    const struct span fits = {name, FORM_NAME_BYTES_MAX};
    const struct span longer = {name, FORM_NAME_BYTES_MAX + 1};
    struct form form;
    struct form_file *file = NULL;
    struct error error = {0};
    form_init(&form, &defaults);

    assert_int_equal(form_add_file(&form, fits, fits, longer, &file, NULL), STATUS_OK);
    assert_int_equal(file->content_type.length, FORM_NAME_BYTES_MAX);
    assert_int_equal(form_add_file(&form, longer, fits, fits, &file, &error), STATUS_INVALID);
    assert_string_equal(error.reason, "FORM_NAME_TOO_LONG");
    assert_int_equal(form_add_file(&form, fits, longer, fits, &file, &error), STATUS_INVALID);
    assert_int_equal(form.file_count, 1);
    form_finish(&form);
}

static void the_number_of_files_is_bounded(void **state)
{
    (void)state;
    const struct form_limits limits = {1, 1, 1};
    struct form form;
    struct form_file *file = NULL;
    struct error error = {0};
    form_init(&form, &limits);

    assert_non_null(add(&form, "a"));
    assert_int_equal(form_add_file(&form, span_of("f"), span_of("b"), span_of(NULL), &file, &error), STATUS_FULL);
    assert_string_equal(error.reason, "FORM_TOO_MANY_FILES");
    form_finish(&form);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plus_and_percent_20_are_blanks),
        cmocka_unit_test(a_bad_escape_stays_as_it_is),
        cmocka_unit_test(the_last_of_several_fields_wins),
        cmocka_unit_test(a_semicolon_separates_nothing),
        cmocka_unit_test(nul_bytes_are_kept),
        cmocka_unit_test(a_field_may_be_without_value_or_name),
        cmocka_unit_test(an_empty_text_has_no_fields),
        cmocka_unit_test(what_is_not_utf8_becomes_u_fffd_as_python_does_it),
        cmocka_unit_test(raw_bytes_that_are_not_utf8_are_latin1_and_escaped_ones_are_not),
        cmocka_unit_test(the_character_set_of_the_request_is_that_of_the_form),
        cmocka_unit_test(exactly_the_limit_of_bytes_is_fine_and_one_more_is_not),
        cmocka_unit_test(a_thousand_fields_are_fine_and_one_more_is_not),
        cmocka_unit_test(a_filename_is_reduced_to_its_last_component),
        cmocka_unit_test(several_files_under_one_name_are_kept_in_order),
        cmocka_unit_test(names_of_files_are_bounded),
        cmocka_unit_test(the_number_of_files_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
