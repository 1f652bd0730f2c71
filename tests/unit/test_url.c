/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/url.h"

static void origins_are_comparable_as_text(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *origin;
        const char *host;
    } cases[] = {
        {"http://lms", "http://lms", "lms"},
        {"HTTPS://LMS.Example.ORG:443/courses/x?y#z", "https://lms.example.org", "lms.example.org"},
        {"http://lms:80/", "http://lms", "lms"},
        {"http://lms:443/", "http://lms:443", "lms"},
        {"https://lms:00080", "https://lms:80", "lms"},
        {"http://lms:/x", "http://lms", "lms"},
        {"http://lms:65535?x", "http://lms:65535", "lms"},
        {"http://user:pass%40@lms:8000/x@y", "http://lms:8000", "lms"},
        {"http://@lms/", "http://lms", "lms"},
        {"http://[::1]:8000/x", "http://[::1]:8000", "::1"},
        {"http://[0:0:0:0:0:0:0:1]", "http://[::1]", "::1"},
        {"http://[FE80::A]/", "http://[fe80::a]", "fe80::a"},
        {"http://10.0.0.1#f", "http://10.0.0.1", "10.0.0.1"},
        {"http://lms/a b?c d", "http://lms", "lms"},
        {"http://my_lms-1.local./\xC3\xA9\\[]", "http://my_lms-1.local.", "my_lms-1.local."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char origin[URL_ORIGIN_MAX];
        char host[URL_HOST_BYTES_MAX + 1];
        struct error error = {0};
        if (url_check(span_of(cases[i].url), &error) != STATUS_OK)
            fail_msg("%s: %s", cases[i].url, error.text);
        assert_int_equal(url_origin(span_of(cases[i].url), origin, NULL), STATUS_OK);
        assert_string_equal(origin, cases[i].origin);
        assert_int_equal(url_host(span_of(cases[i].url), host, NULL), STATUS_OK);
        assert_string_equal(host, cases[i].host);
    }
}

static void unusable_urls_are_refused_and_say_why(void **state)
{
    (void)state;
    static const char *const cases[] = {"",
                                        "lms/x",
                                        "//lms/x",
                                        "ftp://lms/x",
                                        "file:///etc/passwd",
                                        "http:/lms",
                                        "http:lms",
                                        "http://",
                                        "http:///x",
                                        "http://?x",
                                        "http://:80/",
                                        "http://user@/",
                                        "http://user@:80/",
                                        "http://lms:0/",
                                        "http://lms:65536/",
                                        "http://lms:8x/",
                                        "http://lms:-1/",
                                        "http://lms:000080/",
                                        "http://lms:80:80/",
                                        "http://a b/",
                                        "http://a b@lms/",
                                        "http://lms:8 /",
                                        "http://lms ",
                                        "http://lms/a\tb",
                                        "http://lms/a\r\nHost: x",
                                        "http://lms/\x7f",
                                        " http://lms",
                                        "http://lms/\xFF",
                                        "http://l\xC3\xA9ms/",
                                        "http://a@b@lms/",
                                        "http://evil\\@lms/",
                                        "http://lms\\x/",
                                        "http://[::1/",
                                        "http://[::1]x/",
                                        "http://[]/",
                                        "http://[::g]/",
                                        "http://::1/",
                                        "http://[fe80::1%25eth0]/",
                                        "http://.lms/",
                                        "http://l%6ds/",
                                        "http://lms,x/"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char origin[URL_ORIGIN_MAX] = "untouched";
        struct error error = {0};
        if (url_check(span_of(cases[i]), &error) != STATUS_INVALID)
            fail_msg("'%s' was taken", cases[i]);
        assert_string_equal(error.reason, "URL_INVALID");
        assert_true(strlen(error.text) > 0);
        assert_int_equal(url_origin(span_of(cases[i]), origin, NULL), STATUS_INVALID);
        assert_string_equal(origin, "untouched");
    }
}

static void a_nul_byte_is_no_part_of_a_url(void **state)
{
    (void)state;
    static const char url[] = "http://lms/\0x";
    assert_int_equal(url_check((struct span){url, sizeof url - 1}, NULL), STATUS_INVALID);
    assert_int_equal(url_check((struct span){0}, NULL), STATUS_INVALID);
}

static void lengths_are_bounded(void **state)
{
    (void)state;
    struct text text;
    char origin[URL_ORIGIN_MAX];
    text_init(&text, URL_BYTES_MAX + 1);
    text_append_string(&text, "http://lms/");
    while (text.length < URL_BYTES_MAX + 1)
        text_append_char(&text, 'x');
    assert_int_equal(url_check((struct span){text.bytes, URL_BYTES_MAX + 1}, NULL), STATUS_INVALID);
    assert_int_equal(url_check((struct span){text.bytes, URL_BYTES_MAX}, NULL), STATUS_OK);

    text_clear(&text);
    text_append_string(&text, "https://");
    while (text.length < strlen("https://") + URL_HOST_BYTES_MAX)
        text_append_char(&text, 'x');
    text_append_string(&text, ":65535");
    assert_int_equal(url_origin((struct span){text.bytes, text.length}, origin, NULL), STATUS_OK);
    assert_string_equal(origin, text.bytes);
    text.bytes[strlen("https://") + URL_HOST_BYTES_MAX] = 'x'; // the host is one byte longer now
    assert_int_equal(url_origin((struct span){text.bytes, text.length}, origin, NULL), STATUS_INVALID);
    text_finish(&text);
}

static struct text out;

static int begin(void **state)
{
    (void)state;
    text_init(&out, 4096);
    return 0;
}

static int end(void **state)
{
    (void)state;
    text_finish(&out);
    return 0;
}

static void path_values_are_quoted_as_python_does(void **state)
{
    (void)state;
    static const char bytes[] = "aZ09_.-~/ ?&=%+\xC3\xA9\0'";
    url_append_quoted(&out, (struct span){bytes, sizeof bytes - 1});
    assert_string_equal(out.bytes, "aZ09_.-~/%20%3F%26%3D%25%2B%C3%A9%00%27");
}

static void form_values_are_quoted_as_python_does(void **state)
{
    (void)state;
    static const char bytes[] = " aZ09_.-~/ {\"\xC3\xA9\"}\0+ ";
    url_append_form_quoted(&out, span_of(NULL));
    url_append_form_quoted(&out, (struct span){bytes, sizeof bytes - 1});
    assert_string_equal(out.bytes, "+aZ09_.-~%2F+%7B%22%C3%A9%22%7D%00%2B+");
}

static void the_wire_form_of_a_url_is_ascii(void **state)
{
    (void)state;
    url_append_ascii(&out, span_of("http://lms/\xC3\xA9 ?a=%20&b=[x] y#~'"));
    assert_string_equal(out.bytes, "http://lms/%C3%A9%20?a=%20&b=[x]%20y#~'");
}

static void the_login_redirect_is_that_of_the_original(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *query;
        const char *location;
    } cases[] = {
        {"/xqueue/submit/", NULL, "/xqueue/login/?next=/xqueue/submit/"},
        {"/xqueue/submit/", "", "/xqueue/login/?next=/xqueue/submit/"},
        {"/xqueue/get_queuelen/", "queue_name=test-pull", "/xqueue/login/?next=/xqueue/get_queuelen/%3Fqueue_name%3Dtest-pull"},
        {"/xqueue/get_queuelen/", "a=%20~/&b=\xC3\xA9",
         "/xqueue/login/?next=/xqueue/get_queuelen/%3Fa%3D%2520~/%26b%3D%25C3%25A9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        text_clear(&out);
        url_append_login_redirect(&out, "/xqueue/login/", span_of(cases[i].path), span_of(cases[i].query));
        assert_string_equal(out.bytes, cases[i].location);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(origins_are_comparable_as_text),
        cmocka_unit_test(unusable_urls_are_refused_and_say_why),
        cmocka_unit_test(a_nul_byte_is_no_part_of_a_url),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test_setup_teardown(path_values_are_quoted_as_python_does, begin, end),
        cmocka_unit_test_setup_teardown(form_values_are_quoted_as_python_does, begin, end),
        cmocka_unit_test_setup_teardown(the_wire_form_of_a_url_is_ascii, begin, end),
        cmocka_unit_test_setup_teardown(the_login_redirect_is_that_of_the_original, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
