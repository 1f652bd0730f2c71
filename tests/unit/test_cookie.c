/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rest-adapter/cookie.h"

static void the_last_cookie_with_the_name_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum cookie_search found;
        const char *value;
    } cases[] = {
        {NULL, COOKIE_ABSENT, ""},
        {"", COOKIE_ABSENT, ""},
        {"sessionid=abc", COOKIE_FOUND, "abc"},
        {"a=b; sessionid=abc; c=d", COOKIE_FOUND, "abc"},
        {"sessionid=first; sessionid=last", COOKIE_FOUND, "last"},
        {"sessionid=first;sessionid=", COOKIE_FOUND, ""},
        {" sessionid = abc ;", COOKIE_FOUND, "abc"},
        {"sessionid=\"abc\"", COOKIE_FOUND, "abc"},
        {"sessionid=\"\"", COOKIE_FOUND, ""},
        {"sessionid=\"a\\\"b\\054c\\d\\\"", COOKIE_FOUND, "a\"b,cd\\"},
        {"sessionid=\"", COOKIE_FOUND, "\""},
        {"sessionid=a=b", COOKIE_FOUND, "a=b"},
        {"sessionid", COOKIE_ABSENT, ""},
        {"SessionId=abc", COOKIE_ABSENT, ""},
        {"xsessionid=abc; sessionidx=abc", COOKIE_ABSENT, ""},
        {"sessionid=good; sessionid=\"\\000\"", COOKIE_UNUSABLE, ""},
        {";;; ;=;=x", COOKIE_ABSENT, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char value[COOKIE_VALUE_BYTES_MAX + 1] = "x";
        assert_int_equal(cookie_find(span_of(cases[i].header), COOKIE_SESSION, value), cases[i].found);
        assert_string_equal(value, cases[i].value);
    }
}

static void a_cookie_that_is_too_long_is_unusable(void **state)
{
    (void)state;
    char header[sizeof "csrftoken=" + COOKIE_VALUE_BYTES_MAX + 1] = "csrftoken=";
    char value[COOKIE_VALUE_BYTES_MAX + 1];
    memset(header + strlen("csrftoken="), 'x', COOKIE_VALUE_BYTES_MAX + 1);

    assert_int_equal(cookie_find(span_of(header), COOKIE_CSRF, value), COOKIE_UNUSABLE);
    assert_string_equal(value, "");
    header[strlen(header) - 1] = '\0';
    assert_int_equal(cookie_find(span_of(header), COOKIE_CSRF, value), COOKIE_FOUND);
    assert_int_equal(strlen(value), COOKIE_VALUE_BYTES_MAX);
}

#define NOON_MS INT64_C(1795514400999) // 2026-11-24 10:00:00.999 UTC

static void dates_are_those_of_http(void **state)
{
    (void)state;
    char date[COOKIE_DATE_MAX];
    assert_string_equal(cookie_date(NOON_MS, date), "Tue, 24 Nov 2026 10:00:00 GMT");
    assert_string_equal(cookie_date(0, date), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_string_equal(cookie_date(-1, date), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_string_equal(cookie_date(INT64_MAX, date), "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void login_sets_the_cookies_of_the_original(void **state)
{
    (void)state;
    struct text text;
    text_init(&text, 1024);

    cookie_append_session(&text, "0123456789abcdefghijklmnopqrstuv", NOON_MS, COOKIE_SESSION_AGE_S);
    assert_string_equal(text.bytes,
                        "sessionid=0123456789abcdefghijklmnopqrstuv; expires=Tue, 08 Dec 2026 10:00:00 GMT; HttpOnly; "
                        "Max-Age=1209600; Path=/; SameSite=Lax");
    text_clear(&text);
    cookie_append_csrf(&text, "abc", NOON_MS);
    assert_string_equal(text.bytes,
                        "csrftoken=abc; expires=Tue, 23 Nov 2027 10:00:00 GMT; Max-Age=31449600; Path=/; SameSite=Lax");
    text_finish(&text);
}

static void a_session_of_any_length_does_not_overflow(void **state)
{
    (void)state;
    struct text text;
    text_init(&text, 1024);

    cookie_append_session(&text, "t", INT64_MAX, INT64_MAX);

    assert_non_null(strstr(text.bytes, "expires=Fri, 31 Dec 9999 23:59:59 GMT"));
    text_finish(&text);
}

static void deleting_the_session_cookie_is_as_the_original_does_it(void **state)
{
    (void)state;
    struct text text;
    text_init(&text, 1024);

    cookie_append_session_deletion(&text);

    assert_string_equal(text.bytes, "sessionid=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax");
    text_finish(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_cookie_with_the_name_is_found),
        cmocka_unit_test(a_cookie_that_is_too_long_is_unusable),
        cmocka_unit_test(dates_are_those_of_http),
        cmocka_unit_test(login_sets_the_cookies_of_the_original),
        cmocka_unit_test(a_session_of_any_length_does_not_overflow),
        cmocka_unit_test(deleting_the_session_cookie_is_as_the_original_does_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
