/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "rest-adapter/basic_credentials.h"

static void credentials_are_read(void **state)
{
    static const struct {
        const char *header;
        const char *user;
        const char *password;
    } cases[] = {
        {"Basic bG1zOnNlY3JldA==", "lms", "secret"},
        {"basic  bG1zOnNlY3JldA== ", "lms", "secret"},
        {"BASIC bG1zOg==", "lms", ""},
        {"Basic bG1zOmE6Yjpj", "lms", "a:b:c"},
        {"Basic bMOobXM6w7/igqw=", "l\xc3\xa8ms", "\xc3\xbf\xe2\x82\xac"}, // UTF-8
        {"Basic bOhtczr/", "l\xc3\xa8ms", "\xc3\xbf"},                     // latin-1
    };
    struct basic_credentials out;
    (void)state;
    for (size_t at = 0; at < sizeof cases / sizeof *cases; at++) {
        assert_true(basic_credentials_read(span_of(cases[at].header), &out));
        assert_string_equal(out.user, cases[at].user);
        assert_string_equal(out.password, cases[at].password);
    }
}

static void what_is_no_credentials_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "Basic",
        "Basic ",
        "Basic =",
        "Basic ====",
        "Basic bG1zOnNlY3JldA",    // padding missing
        "Basic bG1zOnNlY3JldA===", // too much of it
        "Basic bG1zOnNlY3Jld*==",
        "Basic bG1z OnNlY3JldA==",
        "BasicbG1zOnNlY3JldA==",
        "Bearer bG1zOnNlY3JldA==",
        "Basic bG1zc2VjcmV0", // no colon
        "Basic OnNlY3JldA==", // no user
        "Basic bG1zOgBh",     // a NUL in the password
        "Basic bABtczph",     // and in the user
        "Basic bAptczph",     // a line end in the user
    };
    struct basic_credentials out;
    static const struct basic_credentials empty;
    (void)state;
    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++) {
        memset(&out, 'x', sizeof out);
        assert_false(basic_credentials_read(span_of(wrong[at]), &out));
        assert_memory_equal(&out, &empty, sizeof out);
    }
    assert_false(basic_credentials_read((struct span){0}, &out));
}

/* As many triples of letters as given before and behind a colon, with two letters right behind it. */
static bool read_triples(size_t before, size_t behind, struct basic_credentials *out)
{
    struct text header;
    text_init(&header, 4096);
    text_append_string(&header, "Basic ");
    for (size_t at = 0; at < before; at++)
        text_append_string(&header, "YWFh"); // "aaa"
    text_append_string(&header, "OmFh");     // ":aa"
    for (size_t at = 0; at < behind; at++)
        text_append_string(&header, "YWFh");
    bool is_read = basic_credentials_read((struct span){header.bytes, header.length}, out);
    text_finish(&header);
    return is_read;
}

static void lengths_are_limited(void **state)
{
    enum { USER = BASIC_USER_BYTES_MAX / 3, PASSWORD = (SECRET_PASSWORD_BYTES_MAX - 2) / 3 };
    struct basic_credentials out;
    (void)state;
    assert_true(read_triples(USER, PASSWORD, &out));
    assert_int_equal(strlen(out.user), BASIC_USER_BYTES_MAX);
    assert_false(read_triples(USER, PASSWORD + 1, &out));
    assert_false(read_triples(USER + 1, PASSWORD, &out));
    assert_false(read_triples(USER + 1, 0, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_are_read),
        cmocka_unit_test(what_is_no_credentials_is_refused),
        cmocka_unit_test(lengths_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
