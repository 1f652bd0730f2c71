/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "rest-adapter/s3_sign.h"

/* The example of "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)" in the S3 API reference. */
static const struct s3_bucket example = {.origin = "https://s3.amazonaws.com",
                                         .region = "us-east-1",
                                         .bucket = "examplebucket",
                                         .access_key = "AKIAIOSFODNN7EXAMPLE",
                                         .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};

enum { DAY_S = 86400 };
#define MAY_24_2013_MS INT64_C(1369353600000)

static void the_published_example_comes_out_as_published(void **state)
{
    struct text url;

    (void)state;
    text_init(&url, 4096);
    s3_append_presigned(&url, &example, "GET", span_of("test.txt"), MAY_24_2013_MS, DAY_S);
    assert_string_equal(url.bytes,
                        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
                        "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-"
                        "Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
                        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    text_finish(&url);
}

static void everything_is_part_of_the_signature(void **state)
{
    struct s3_bucket variants[5];
    struct text first;
    struct text other;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        variants[i] = example;
    }
    variants[0].region = "eu-west-1";
    variants[1].bucket = "otherbucket";
    variants[2].access_key = "AKIAIOSFODNN7EXAMPLF";
    variants[3].secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEZ";
    variants[4].path_style = true;
    text_init(&first, 4096);
    text_init(&other, 4096);
    s3_append_presigned(&first, &example, "GET", span_of("a/b"), MAY_24_2013_MS, DAY_S);
    const char *signature = strstr(first.bytes, "X-Amz-Signature=");
    for (size_t i = 0; i < 5; i++) {
        text_clear(&other);
        s3_append_presigned(&other, &variants[i], "GET", span_of("a/b"), MAY_24_2013_MS, DAY_S);
        assert_null(strstr(other.bytes, signature));
    }
    text_clear(&other);
    s3_append_presigned(&other, &example, "HEAD", span_of("a/b"), MAY_24_2013_MS, DAY_S);
    assert_null(strstr(other.bytes, signature));
    text_clear(&other);
    s3_append_presigned(&other, &example, "GET", span_of("a/b"), MAY_24_2013_MS + 1000, DAY_S);
    assert_null(strstr(other.bytes, signature));
    text_finish(&first);
    text_finish(&other);
}

static void a_url_names_the_bucket_in_either_style(void **state)
{
    struct s3_bucket bucket = example;
    struct text url;

    (void)state;
    text_init(&url, 4096);
    bucket.origin = "http://127.0.0.1:9000";
    bucket.path_style = true;
    s3_append_url(&url, &bucket, span_of("xqueue/a b%2F\xC3\xA9(!)/01"));
    assert_string_equal(url.bytes, "http://127.0.0.1:9000/examplebucket/xqueue/a%20b%252F%C3%A9%28%21%29/01");
    text_clear(&url);
    bucket.path_style = false;
    s3_append_url(&url, &bucket, span_of("k"));
    assert_string_equal(url.bytes, "http://examplebucket.127.0.0.1:9000/k");
    text_finish(&url);
}

static void the_code_of_an_error_is_read_and_nothing_else(void **state)
{
    static const struct {
        const char *reply;
        const char *code;
    } cases[] = {
        {"<?xml version='1.0'?>\n<Error><Code>SignatureDoesNotMatch</Code><Message>x</Message></Error>",
         "SignatureDoesNotMatch"},
        {"", ""},
        {"<Code>", ""},
        {"<Code>A", "A"},
        {"<Code>a&amp;b</Code>", "a"},
        {"<html>no</html>", ""},
        {"<Code>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    };
    char code[S3_ERROR_CODE_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        s3_error_code(span_of(cases[i].reply), code);
        assert_string_equal(code, cases[i].code);
    }
    s3_error_code((struct span){0}, code);
    assert_string_equal(code, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_example_comes_out_as_published),
        cmocka_unit_test(everything_is_part_of_the_signature),
        cmocka_unit_test(a_url_names_the_bucket_in_either_style),
        cmocka_unit_test(the_code_of_an_error_is_read_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
