/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/python_json.h"
#include "rest-adapter/student_key.h"

static void check(const char *body, const char *expected)
{
    char key[STUDENT_KEY_MAX] = "untouched";
    bool found = student_key(span_of(body), key);
    assert_string_equal(key, expected);
    assert_int_equal(found, expected[0] != '\0');
}

static void the_student_stands_in_the_body_as_the_lms_writes_it(void **state)
{
    (void)state;
    check("{\"student_info\": \"{\\\"anonymous_student_id\\\": \\\"106ecd878f4148a5cabb6bbb0979b730\\\", "
          "\\\"submission_time\\\": "
          "\\\"20160324104521\\\", \\\"random_seed\\\": 334}\", \"student_response\": \"def f(x): return x\", "
          "\"grader_payload\": \"problem_2\"}",
          "106ecd878f4148a5cabb6bbb0979b730");
    check("{\"student_info\": {\"anonymous_student_id\": \"ann\"}}", "ann");
    check("{\"student_info\": \"{\\\"anonymous_student_id\\\": 7}\"}", "7");
}

static void a_body_of_another_kind_names_nobody(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "print(1)",
        "7",
        "[]",
        "{}",
        "{\"student_info\": \"\"}",
        "{\"student_info\": \"{}\"}",
        "{\"student_info\": \"[1]\"}",
        "{\"student_info\": null}",
        "{\"student_info\": {\"anonymous_student_id\": null}}",
        "{\"student_info\": {\"anonymous_student_id\": \"\"}}",
        "{\"student_info\": {\"anonymous_student_id\": \"a\\u0000b\"}}",
        "{\"student_info\": {\"anonymous_student_id\": \"a\\nb\"}}",
        "{\"student_info\": {\"anonymous_student_id\": \"\\ud800\"}}",
        "{\"student_info\": {\"anonymous_student_id\": [\"a\"]}}",
        "{\"anonymous_student_id\": \"a\"}",
        "{\"student_info\": {\"anonymous_student_id\": \"a\"}} x",
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        check(bodies[i], "");
    }
}

static void an_id_has_128_bytes_at_most(void **state)
{
    (void)state;
    char body[256];
    char id[STUDENT_KEY_MAX + 1];
    for (size_t length = STUDENT_KEY_MAX - 1; length <= STUDENT_KEY_MAX; length++) {
        memset(id, 'a', length);
        id[length] = '\0';
        (void)snprintf(body, sizeof(body), "{\"student_info\": {\"anonymous_student_id\": \"%s\"}}", id);
        check(body, length < STUDENT_KEY_MAX ? id : "");
    }
}

static void a_body_that_is_too_long_to_look_into_names_nobody(void **state)
{
    (void)state;
    static const char begin[] = "{\"student_info\": {\"anonymous_student_id\": \"a\"}}";
    char key[STUDENT_KEY_MAX];
    char *body = malloc(PYTHON_JSON_BYTES_MAX + 1);
    assert_non_null(body);
    memset(body, ' ', PYTHON_JSON_BYTES_MAX + 1);
    for (size_t i = 0; begin[i] != '\0'; i++) {
        body[i] = begin[i];
    }

    assert_true(student_key((struct span){body, PYTHON_JSON_BYTES_MAX}, key));
    assert_false(student_key((struct span){body, PYTHON_JSON_BYTES_MAX + 1}, key));
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_student_stands_in_the_body_as_the_lms_writes_it),
        cmocka_unit_test(a_body_of_another_kind_names_nobody),
        cmocka_unit_test(an_id_has_128_bytes_at_most),
        cmocka_unit_test(a_body_that_is_too_long_to_look_into_names_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
