/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* How forms are read: urlencoded and multipart, their limits, and what is no form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/legacy_talk.h"

#define SUBMIT       "/xqueue/submit/"
#define PUT          "/xqueue/put_result/"
#define URLENCODED   "application/x-www-form-urlencoded"
#define MULTIPART    "multipart/form-data; boundary=b"
#define NO_SUCH      LEGACY_BAD("Submission does not exist")
#define BAD_SUBMIT   LEGACY_BAD("Queue request has invalid format")
#define BAD_RESULT   LEGACY_BAD("Incorrect reply format")
#define NO_ID        "{\"submission_id\": 999999999, \"submission_key\": \"k\"}"
#define NO_ID_FORM   "xqueue_header=" NO_ID "&xqueue_body="
#define HEADER(name) "{\"lms_callback_url\": \"http://l/\", \"lms_key\": \"k\", \"queue_name\": \"" name "\"}"
#define NO_QUEUE(as) LEGACY_BAD("Queue '" as "' not found")
#define PART(name)   "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"

enum {
    FORM_BYTES_MAX = 2621440,
    FIELDS_MAX = 1000,
    OTHER_BODY_BYTES = 3 * 1024 * 1024,
    UPLOAD_BYTES = 20 * 1024 * 1024,
    GROWING_BYTES = 2500000
};

/* ---- both encodings: what a field's bytes become shows in the name of a queue that does not exist ---- */

static void values_are_decoded_alike_in_both_encodings(void **state)
{
    static const struct {
        const char *header;
        const char *reply;
    } cases[] = {
        {HEADER("x y"), NO_QUEUE("x y")},
        {HEADER("a+b"), NO_QUEUE("a+b")},
        {HEADER("100%"), NO_QUEUE("100%")},
        {HEADER("%41%zz"), NO_QUEUE("%41%zz")},
        {HEADER("a&b=c;d"), NO_QUEUE("a&b=c;d")},
        {HEADER("/<&>'`"), NO_QUEUE("/<&>'`")},
        {HEADER("\x7f"), NO_QUEUE("\\u007f")},
        {HEADER("\xc3\xa9\xe2\x82\xac"), NO_QUEUE("\\u00e9\\u20ac")},
        {HEADER("\xf0\x9f\x98\x80"), NO_QUEUE("\\ud83d\\ude00")},
        {HEADER("\xff"), NO_QUEUE("\\ufffd")},
        {HEADER("\xf0\x9f\x98"), NO_QUEUE("\\ufffd")},
        {HEADER("\xed\xa0\x80"), NO_QUEUE("\\ufffd\\ufffd\\ufffd")},
        {HEADER("\xc0\xaf"), NO_QUEUE("\\ufffd\\ufffd")},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct legacy_field fields[] = {{.name = "xqueue_header", .value = cases[i].header},
                                              {.name = "xqueue_body", .value = ""}};
        legacy_post_both(*state, SUBMIT, fields, 2, cases[i].reply);
    }
}

static void of_several_fields_with_one_name_the_last_counts(void **state)
{
    const struct legacy_field fields[] = {{.name = "xqueue_header", .value = "nonsense"},
                                          {.name = "xqueue_header", .value = HEADER("first")},
                                          {.name = "xqueue_body", .value = "b"},
                                          {.name = "xqueue_header", .value = HEADER("last")}};
    const struct legacy_field spoiled[] = {{.name = "xqueue_header", .value = HEADER("first")},
                                           {.name = "xqueue_body", .value = "b"},
                                           {.name = "xqueue_header", .value = ""}};

    legacy_post_both(*state, SUBMIT, fields, 4, NO_QUEUE("last"));
    legacy_post_both(*state, SUBMIT, spoiled, 3, BAD_SUBMIT);
}

static void a_missing_field_is_an_invalid_format(void **state)
{
    const struct legacy_field header[] = {{.name = "xqueue_header", .value = NO_ID}};
    const struct legacy_field body[] = {{.name = "xqueue_body", .value = "b"}};
    const struct legacy_field other_case[] = {{.name = "XQUEUE_HEADER", .value = NO_ID}, {.name = "xqueue_body", .value = "b"}};
    const struct legacy_field empty_body[] = {{.name = "xqueue_header", .value = NO_ID}, {.name = "xqueue_body", .value = ""}};

    legacy_post_both(*state, PUT, header, 1, BAD_RESULT);
    legacy_post_both(*state, PUT, body, 1, BAD_RESULT);
    legacy_post_both(*state, PUT, NULL, 0, BAD_RESULT);
    legacy_post_both(*state, PUT, other_case, 2, BAD_RESULT);
    legacy_post_both(*state, PUT, empty_body, 2, NO_SUCH);
    legacy_post_both(*state, SUBMIT, header, 1, BAD_SUBMIT);
    legacy_post_both(*state, SUBMIT, body, 1, BAD_SUBMIT);
}

static void fields_of_the_query_are_none_of_the_form(void **state)
{
    const struct legacy_field body[] = {{.name = "xqueue_body", .value = "b"}};
    const struct legacy_field both[] = {{.name = "xqueue_header", .value = NO_ID}, {.name = "xqueue_body", .value = "b"}};

    legacy_post_both(*state, PUT "?xqueue_header=%7B%22submission_id%22:1,%22submission_key%22:1%7D", body, 1, BAD_RESULT);
    legacy_post_both(*state, PUT "?xqueue_header=nonsense", both, 2, NO_SUCH);
}

/* ---- limits ---- */

/* A field xqueue_body that makes the whole form of exactly this many counted bytes. */
static void post_form_of(struct legacy_world *world, enum legacy_encoding encoding, size_t counted)
{
    static const char start[] = "xqueue_header=" NO_ID "&xqueue_body=";
    size_t others = encoding == LEGACY_MULTIPART ? strlen("xqueue_header" NO_ID "xqueue_body") + 4 : sizeof(start) - 1;
    char *value = malloc(counted);

    assert_non_null(value);
    memset(value, 'v', counted);
    if (encoding == LEGACY_MULTIPART) {
        const struct legacy_field fields[] = {{.name = "xqueue_header", .value = NO_ID},
                                              {.name = "xqueue_body", .value = value, .length = counted - others}};
        (void)legacy_post(world, encoding, PUT, fields, 2);
    } else {
        memcpy(value, start, sizeof(start) - 1);
        (void)legacy_post_bytes(world, PUT, URLENCODED, value, counted);
    }
    free(value);
}

static void exactly_the_limit_of_form_data_is_fine_and_a_byte_more_is_too_large(void **state)
{
    struct legacy_world *world = *state;

    for (int encoding = 0; encoding < LEGACY_ENCODINGS; encoding++) {
        post_form_of(world, (enum legacy_encoding)encoding, FORM_BYTES_MAX);
        legacy_expect(world, "the limit", 200, NO_SUCH);
        post_form_of(world, (enum legacy_encoding)encoding, FORM_BYTES_MAX + 1);
        legacy_expect_refusal(world, "one more", 413);
    }
}

static void a_text_that_grows_beyond_the_largest_body_is_refused_for_good(void **state)
{
    struct legacy_world *world = *state;
    char *bytes = malloc(GROWING_BYTES);

    assert_non_null(bytes);
    memset(bytes, 0xff, GROWING_BYTES); // three bytes out of each
    const struct legacy_field result[] = {{.name = "xqueue_header", .value = NO_ID},
                                          {.name = "xqueue_body", .value = bytes, .length = GROWING_BYTES}};
    const struct legacy_field body[] = {{.name = "xqueue_header", .value = HEADER("calm")},
                                        {.name = "xqueue_body", .value = bytes, .length = GROWING_BYTES}};
    (void)legacy_post(world, LEGACY_MULTIPART, PUT, result, 2);
    legacy_expect_refusal(world, "a result", 200);
    (void)legacy_post(world, LEGACY_MULTIPART, SUBMIT, body, 2);
    legacy_expect_refusal(world, "a body", 200);
    assert_int_equal(legacy_length(world, "calm"), 0);
    free(bytes);
}

static void a_thousand_fields_are_fine_and_one_more_is_too_many(void **state)
{
    struct legacy_world *world = *state;
    struct legacy_field *fields = calloc(FIELDS_MAX + 1, sizeof(*fields));

    assert_non_null(fields);
    for (size_t i = 0; i <= FIELDS_MAX; i++) {
        fields[i] = (struct legacy_field){.name = "f", .value = "v"};
    }
    fields[0] = (struct legacy_field){.name = "xqueue_header", .value = NO_ID};
    fields[1] = (struct legacy_field){.name = "xqueue_body", .value = "b"};
    legacy_post_both(world, PUT, fields, FIELDS_MAX, NO_SUCH);
    for (int encoding = 0; encoding < LEGACY_ENCODINGS; encoding++) {
        (void)legacy_post(world, (enum legacy_encoding)encoding, PUT, fields, FIELDS_MAX + 1);
        legacy_expect_refusal(world, "1001 fields", 413);
    }
    free(fields);
}

static void files_do_not_count_as_form_data(void **state)
{
    struct legacy_world *world = *state;
    char *bytes = malloc(OTHER_BODY_BYTES + 1);

    assert_non_null(bytes);
    memset(bytes, 'f', OTHER_BODY_BYTES);
    bytes[OTHER_BODY_BYTES] = '\0';
    const struct legacy_field fields[] = {{.name = "upload", .value = bytes, .filename = "a.txt"},
                                          {.name = "xqueue_header", .value = NO_ID},
                                          {.name = "xqueue_body", .value = "b"}};
    (void)legacy_post(world, LEGACY_MULTIPART, PUT, fields, 3);
    legacy_expect(world, "a file of 3 MB", 200, NO_SUCH);
    free(bytes);
}

/* ---- bodies that only one encoding has ---- */

struct raw_case {
    const char *type;
    const char *body;
    const char *reply;
};

static void check_raw(struct legacy_world *world, const char *target, const struct raw_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)legacy_post_bytes(world, target, cases[i].type, cases[i].body, strlen(cases[i].body));
        legacy_expect(world, cases[i].body, 200, cases[i].reply);
    }
}

#define URL_HEADER(name) "xqueue_header={\"lms_callback_url\":\"http://l/\",\"lms_key\":1,\"queue_name\":\"" name "\"}"

static void urlencoded_escapes_are_those_of_the_original(void **state)
{
    static const struct raw_case cases[] = {
        {URLENCODED, "xqueue_body&" URL_HEADER("a+b%20c"), NO_QUEUE("a b c")},
        {URLENCODED, "xqueue_body=&" URL_HEADER("%2b"), NO_QUEUE("+")},
        {URLENCODED, "xqueue_body=&" URL_HEADER("%zz%4%%41"), NO_QUEUE("%zz%4%A")},
        {URLENCODED, "xqueue_body=&" URL_HEADER("a;b"), NO_QUEUE("a;b")},
        {URLENCODED, "xqueue_body=;xqueue_header=1", BAD_SUBMIT},
        {URLENCODED, "&&xqueue_body=&&" URL_HEADER("a=b") "&&", NO_QUEUE("a=b")},
        {URLENCODED, "xqueue_body=&" URL_HEADER("\xc3\xa9"), NO_QUEUE("\\u00e9")},
        {URLENCODED, "xqueue_body=&" URL_HEADER("%C3%A9%ff"), NO_QUEUE("\\u00e9\\ufffd")},
        {URLENCODED, "xqueue_body=&" URL_HEADER("\xe9%C3%A9"), NO_QUEUE("\\u00e9\\u00e9")}, // raw and not UTF-8: Latin-1
        {URLENCODED, "%78queue_body=&" URL_HEADER("n"), NO_QUEUE("n")},
        {URLENCODED, " xqueue_body=&" URL_HEADER("n"), BAD_SUBMIT},
        {URLENCODED, "", BAD_SUBMIT},
        {"APPLICATION/X-WWW-Form-Urlencoded", "xqueue_body=&" URL_HEADER("n"), NO_QUEUE("n")},
        {URLENCODED " ; charset=UTF-8", "xqueue_body=&" URL_HEADER("%C3%A9"), NO_QUEUE("\\u00e9")},
        {URLENCODED "; charset=latin-1", "xqueue_body=&" URL_HEADER("%E9"), NO_QUEUE("\\u00e9")},
        {URLENCODED "; charset=nonsense", "xqueue_body=&" URL_HEADER("%E9"), NO_QUEUE("\\ufffd")},
    };

    check_raw(*state, SUBMIT, cases, sizeof(cases) / sizeof(cases[0]));
}

static void multipart_bodies_are_read_as_leniently_as_the_original_does(void **state)
{
    static const struct raw_case cases[] = {
        {MULTIPART, PART("xqueue_body") "\r\n" PART("xqueue_header") HEADER("n") "\r\n--b--\r\n", NO_QUEUE("n")},
        {MULTIPART, PART("xqueue_body") "\r\n" PART("xqueue_header") HEADER("n") "\r\n--b--", NO_QUEUE("n")},
        {MULTIPART, PART("xqueue_body") "\r\n" PART("xqueue_header") HEADER("open"), NO_QUEUE("open")},
        {MULTIPART, "preamble\r\n" PART("xqueue_body") "\r\n" PART("xqueue_header") HEADER("n") "\r\n--b--\r\nepilogue",
         NO_QUEUE("n")},
        {"Multipart/Form-Data; BOUNDARY=\"b\"", PART("xqueue_body") "\r\n" PART("xqueue_header") HEADER("n") "\r\n--b--\r\n",
         NO_QUEUE("n")},
        {MULTIPART "; charset=latin-1", PART("xqueue_body") "\r\n" PART("xqueue_header") HEADER("\xe9") "\r\n--b--\r\n",
         NO_QUEUE("\\u00e9")},
        {MULTIPART, PART("xqueue_body") "\r\n" PART("xqueue_header") HEADER("\xe9+%41") "\r\n--b--\r\n",
         NO_QUEUE("\\ufffd+%41")},
        {MULTIPART,
         PART("xqueue_body") "\r\n--b\r\ncontent-disposition: form-data; name=xqueue_header\r\nX-Other: 1\r\n\r\n" HEADER(
             "n") "\r\n--b--\r\n",
         NO_QUEUE("n")},
        {MULTIPART, "", BAD_SUBMIT},
        {MULTIPART, "no boundary at all", BAD_SUBMIT},
        {"multipart/form-data; boundary=other", PART("xqueue_body") "\r\n" PART("xqueue_header") HEADER("n") "\r\n--b--\r\n",
         BAD_SUBMIT},
        // a header that comes as a file is none; a part with an empty file name is dropped
        {MULTIPART,
         PART("xqueue_body") "\r\n--b\r\nContent-Disposition: form-data; name=\"xqueue_header\"; filename=\"h\"\r\n\r\n" HEADER(
             "n") "\r\n--b--\r\n",
         BAD_SUBMIT},
        {MULTIPART,
         PART("xqueue_body") "\r\n--b\r\nContent-Disposition: form-data; name=\"xqueue_header\"; filename=\"\"\r\n\r\n" HEADER(
             "n") "\r\n--b--\r\n",
         BAD_SUBMIT},
        {MULTIPART,
         PART("xqueue_body") "\r\n" PART("xqueue_header") HEADER(
             "n") "\r\n--b\r\nContent-Disposition: form-data; name=\"xqueue_header\"; filename=\"\"\r\n\r\nx\r\n--b--\r\n",
         NO_QUEUE("n")},
        {MULTIPART, PART("xqueue_body") "\r\n--b\r\n\r\nno name\r\n" PART("xqueue_header") HEADER("n") "\r\n--b--\r\n",
         NO_QUEUE("n")},
    };

    check_raw(*state, SUBMIT, cases, sizeof(cases) / sizeof(cases[0]));
}

static void multipart_without_a_boundary_is_malformed(void **state)
{
    static const char *const types[] = {"multipart/form-data",
                                        "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\"",
                                        "multipart/form-data; boundary=a\xff"};
    static const char body[] = PART("xqueue_body") "\r\n--b--\r\n";

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        (void)legacy_post_bytes(*state, SUBMIT, types[i], body, sizeof(body) - 1);
        legacy_expect_refusal(*state, types[i], 400);
    }
}

static void other_bodies_are_no_forms(void **state)
{
    static const char form[] = "xqueue_body=&" URL_HEADER("n");
    static const char *const types[] = {NULL,
                                        "text/plain",
                                        "application/json",
                                        "multipart/mixed; boundary=b",
                                        "nonsense",
                                        "",
                                        "application/x-www-form-urlencoded2",
                                        "text/plain; application/x-www-form-urlencoded"};
    struct legacy_world *world = *state;
    char *large = calloc(1, OTHER_BODY_BYTES);

    assert_non_null(large);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        (void)legacy_post_bytes(world, SUBMIT, types[i], form, sizeof(form) - 1);
        legacy_expect(world, types[i] != NULL ? types[i] : "no type", 200, BAD_SUBMIT);
    }
    (void)legacy_post_bytes(world, SUBMIT, "application/octet-stream", large, OTHER_BODY_BYTES);
    legacy_expect(world, "3 MB of another type", 200, BAD_SUBMIT);
    free(large);
}

static void a_chunked_body_counts_as_empty(void **state)
{
    static const char chunks[] = "Transfer-Encoding: chunked\r\nContent-Type: " URLENCODED "\r\n\r\n"
                                 "48\r\nxqueue_header={\"submission_id\": 999999999, \"submission_key\": \"k\"}&xqueue_b"
                                 "ody=\r\n0\r\n\r\n";
    struct legacy_world *world = *state;
    char request[2048];
    int length = snprintf(request, sizeof(request), "POST " PUT " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s%s",
                          world->cookies, chunks);

    (void)legacy_send(world, request, (size_t)length);
    legacy_expect(world, "chunked", 200, BAD_RESULT);
}

/* The LMS's first submit: it sends all of its upload before it looks at the reply. */
static void a_stranger_s_upload_of_20_mb_is_sent_to_the_login_page(void **state)
{
    struct legacy_world *world = *state;
    char *bytes = malloc(UPLOAD_BYTES);

    assert_non_null(bytes);
    memset(bytes, 'f', UPLOAD_BYTES);
    const struct legacy_field fields[] = {{.name = "xqueue_header", .value = HEADER("calm")},
                                          {.name = "xqueue_body", .value = "b"},
                                          {.name = "upload", .value = bytes, .length = UPLOAD_BYTES, .filename = "a.bin"}};
    char cookies[LEGACY_COOKIES_MAX];
    (void)snprintf(cookies, sizeof(cookies), "%s", world->cookies);
    world->cookies[0] = '\0';
    (void)legacy_post(world, LEGACY_MULTIPART, SUBMIT, fields, 3);
    (void)snprintf(world->cookies, sizeof(world->cookies), "%s", cookies);
    legacy_expect(world, "20 MB of a stranger", 302, "");
    free(bytes);
}

static void a_client_that_waits_for_100_continue_gets_it(void **state)
{
    static const char form[] = NO_ID_FORM;
    struct legacy_world *world = *state;
    struct http_talk talk;

    http_talk_open(&talk, world->talk->service.rest_port);
    http_talk_say(&talk,
                  "POST " PUT " HTTP/1.1\r\nHost: h\r\n%sContent-Type: " URLENCODED
                  "\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
                  world->cookies, sizeof(form) - 1);
    assert_int_equal(http_talk_receive(&talk, true, &world->answer), 100);
    http_talk_say(&talk, "%s", form);
    (void)http_talk_receive(&talk, false, &world->answer);
    legacy_expect(world, "after 100 Continue", 200, NO_SUCH);
    http_talk_close(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_decoded_alike_in_both_encodings),
        cmocka_unit_test(of_several_fields_with_one_name_the_last_counts),
        cmocka_unit_test(a_missing_field_is_an_invalid_format),
        cmocka_unit_test(fields_of_the_query_are_none_of_the_form),
        cmocka_unit_test(exactly_the_limit_of_form_data_is_fine_and_a_byte_more_is_too_large),
        cmocka_unit_test(a_text_that_grows_beyond_the_largest_body_is_refused_for_good),
        cmocka_unit_test(a_thousand_fields_are_fine_and_one_more_is_too_many),
        cmocka_unit_test(files_do_not_count_as_form_data),
        cmocka_unit_test(urlencoded_escapes_are_those_of_the_original),
        cmocka_unit_test(multipart_bodies_are_read_as_leniently_as_the_original_does),
        cmocka_unit_test(multipart_without_a_boundary_is_malformed),
        cmocka_unit_test(other_bodies_are_no_forms),
        cmocka_unit_test(a_chunked_body_counts_as_empty),
        cmocka_unit_test(a_stranger_s_upload_of_20_mb_is_sent_to_the_login_page),
        cmocka_unit_test(a_client_that_waits_for_100_continue_gets_it),
    };
    return cmocka_run_group_tests(tests, legacy_set_up, legacy_tear_down);
}
