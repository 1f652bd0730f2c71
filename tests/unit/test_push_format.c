/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
/* What push graders are sent, and how their answers become text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "rest-adapter/push_format.h"

static void check_written(struct span body, const struct legacy_file *files, size_t count, const char *expected)
{
    char *written = NULL;
    size_t length = 0;

    assert_int_equal(push_format_write(body, files, count, &written, &length), STATUS_OK);

    assert_int_equal(length, strlen(expected));
    assert_memory_equal(written, expected, length);
    memory_free(written);
}

static void a_submission_is_json_in_ascii_with_json_in_it(void **state)
{
    (void)state;
    const struct legacy_file files[] = {{span_of("a.py"), span_of("http://x/1?a=b&c")}, {span_of("\"ü\""), span_of("y")}};

    check_written(span_of(""), NULL, 0, "{\"xqueue_body\": \"\", \"xqueue_files\": \"{}\"}");
    check_written((struct span){"a\0\x7f/<&'\"\n\xf0\x9f\x98\x80\xff", 14}, NULL, 0,
                  "{\"xqueue_body\": \"a\\u0000\\u007f/<&'\\\"\\n\\ud83d\\ude00\\ufffd\", \"xqueue_files\": \"{}\"}");
    check_written(span_of("b"), files, 2,
                  "{\"xqueue_body\": \"b\", \"xqueue_files\": \"{\\\"a.py\\\": \\\"http://x/1?a=b&c\\\", "
                  "\\\"\\\\\\\"\\\\u00fc\\\\\\\"\\\": \\\"y\\\"}\"}");
}

static void a_submission_beyond_the_bound_is_refused(void **state)
{
    (void)state;
    size_t size = LEGACY_REPLY_BYTES_MAX / 2;
    char *body = memory_allocate(size); // each NUL becomes six bytes
    char *written = NULL;
    size_t length = 0;

    assert_int_equal(push_format_write((struct span){body, size}, NULL, 0, &written, &length), STATUS_FULL);

    assert_null(written);
    memory_free(body);
}

static void an_answer_is_decoded_by_its_content_type(void **state)
{
    static const struct {
        const char *type;
        const char *answer;
        const char *expected;
    } cases[] = {
        {"text/plain", "\xc3\xa9", "\xc3\x83\xc2\xa9"}, // as the original: Latin-1 unless something else is said
        {"TEXT/html", "\xe9", "\xc3\xa9"},
        {"text/html; charset=utf-8", "\xc3\xa9", "\xc3\xa9"},
        {"text/html; charset=UTF-8", "\xe9", "\xef\xbf\xbd"},
        {"text/html; charset=", "\xc3\xa9", "\xc3\xa9"},
        {"text/plain; charset=\"windows-1251\"", "\xcf", "\xd0\x9f"},
        {"application/json", "\xc3\xa9\xff", "\xc3\xa9\xef\xbf\xbd"},
        {"application/json;charset=latin-1", "\xe9", "\xc3\xa9"},
        {"application/octet-stream", "\xc3\xa9", "\xc3\xa9"},
        {"application/octet-stream", "\xe9t\xc3\xa9", "\xc3\xa9t\xc3\x83\xc2\xa9"},
        {"x; charset=nobody-knows-it", "\xc3\xa9\xe9", "\xc3\xa9\xef\xbf\xbd"},
        {NULL, "\xe9", "\xc3\xa9"},
        {"", "\xef\xbb\xbf\xc3\xa9", "\xef\xbb\xbf\xc3\xa9"},
        {"text/plain", "", ""},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text out;
        text_init(&out, 64);
        push_format_read_answer(span_of(cases[i].type), span_of(cases[i].answer), &out);
        if (out.length != strlen(cases[i].expected) || memcmp(out.bytes ? out.bytes : "", cases[i].expected, out.length) != 0)
            fail_msg("case %zu: '%.*s'", i, (int)out.length, out.bytes ? out.bytes : "");
        text_finish(&out);
    }
}

static void an_absent_answer_is_empty(void **state)
{
    struct text out;
    (void)state;

    text_init(&out, 64);
    push_format_read_answer((struct span){0}, (struct span){0}, &out);

    assert_int_equal(out.length, 0);
    text_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_submission_is_json_in_ascii_with_json_in_it),
        cmocka_unit_test(a_submission_beyond_the_bound_is_refused),
        cmocka_unit_test(an_answer_is_decoded_by_its_content_type),
        cmocka_unit_test(an_absent_answer_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
