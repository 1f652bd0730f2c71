/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* put_result/: what int() takes as an id, keys, late, second and superseded results. Every form goes in both encodings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/legacy_talk.h"

#define PUT        "/xqueue/put_result/"
#define BAD_FORMAT LEGACY_BAD("Incorrect reply format")
#define NO_SUCH    LEGACY_BAD("Submission does not exist")
#define BAD_KEY    LEGACY_BAD("Incorrect key for submission")
#define TAKEN      LEGACY_GOOD("")
#define STATE(n)   XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##n
#define DONE       XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_DELIVERED

enum { HEADER_MAX = 1024, TEXT_MAX = 256, RESULT_BYTES = 2600000 };

static void put_both(struct legacy_world *world, const char *header, const char *body, const char *reply)
{
    const struct legacy_field fields[] = {{.name = "xqueue_header", .value = header}, {.name = "xqueue_body", .value = body}};

    legacy_post_both(world, PUT, fields, 2, reply);
}

static struct legacy_pulled submit_and_pull(struct legacy_world *world, const char *queue, const char *path)
{
    char name[TEXT_MAX];
    struct legacy_pulled pulled;

    (void)snprintf(name, sizeof(name), "\"%s\"", queue);
    legacy_submit(world, name, path, path, 1);
    assert_true(legacy_pull(world, queue, &pulled));
    return pulled;
}

static void a_header_that_is_no_object_with_both_keys_is_an_incorrect_format(void **state)
{
    static const char *const headers[] = {"",
                                          "x",
                                          "[]",
                                          "7",
                                          "null",
                                          "{}",
                                          "{\"submission_id\": 1}",
                                          "{\"submission_key\": \"k\"}",
                                          "{\"submission_id\": 1, \"submission_key\": \"k\"",
                                          "{\"submission_id\": 1, \"submission_key\": \"k\"}}",
                                          "\xef\xbb\xbf{\"submission_id\": 1, \"submission_key\": \"k\"}",
                                          "[{\"submission_id\": 1, \"submission_key\": \"k\"}]"};

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        put_both(*state, headers[i], "b", BAD_FORMAT);
    }
}

static void what_int_refuses_is_an_incorrect_format(void **state)
{
    static const char *const ids[] = {"\"abc\"",     "\"12.0\"",     "\"\"",         "\" \"",        "null",      "[]",
                                      "[1]",         "{}",           "NaN",          "Infinity",     "-Infinity", "1e400",
                                      "\"1__0\"",    "\"_1\"",       "\"1_\"",       "\"0x1\"",      "\"1 2\"",   "\"+-1\"",
                                      "\"\\u00b2\"", "\"\\u001f1\"", "\"\\u200b1\"", "\"1\\u0000\"", "\"NaN\""};

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        char header[HEADER_MAX];
        (void)snprintf(header, sizeof(header), "{\"submission_id\": %s, \"submission_key\": \"k\"}", ids[i]);
        put_both(*state, header, "b", BAD_FORMAT);
    }
}

static void an_id_of_no_submission_does_not_exist_whatever_the_key(void **state)
{
    static const char *const ids[] = {"0",
                                      "false",
                                      "-1",
                                      "\"-1\"",
                                      "0.9",
                                      "-0.0",
                                      "999999999",
                                      "\"999_999_999\"",
                                      "1000000000000000000000000000000",
                                      "\"1000000000000000000000000000000\"",
                                      "1e30",
                                      "9223372036854775807",
                                      "9223372036854775808",
                                      "18446744073709551617"};

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        char header[HEADER_MAX];
        (void)snprintf(header, sizeof(header), "{\"submission_id\": %s, \"submission_key\": null}", ids[i]);
        put_both(*state, header, "b", NO_SUCH);
    }
}

/* Digits of another script, from their zero on, as JSON escapes. */
static const char *digits_of(unsigned long long id, unsigned zero, char out[TEXT_MAX])
{
    char ascii[TEXT_MAX];
    size_t length = 0;

    (void)snprintf(ascii, sizeof(ascii), "%llu", id);
    for (const char *at = ascii; *at != '\0'; at++) {
        length += (size_t)snprintf(out + length, TEXT_MAX - length, "\\u%04x", zero + (unsigned)(*at - '0'));
    }
    return out;
}

static void whatever_int_takes_names_the_submission(void **state)
{
    static const char *const forms[] = {
        "%llu",        "\"%llu\"",   "\" +%llu\\n\"",          "%llu.9",   "%llu.0e0",
        "\"000%llu\"", "\"0_%llu\"", "\"\\u3000%llu\\u00a0\"", "%llu0e-1", "7, \"submission_id\": %llu"};
    struct legacy_world *world = *state;
    struct legacy_pulled pulled = submit_and_pull(world, "calm", "/int");
    char id[TEXT_MAX];
    char digits[TEXT_MAX];
    char header[HEADER_MAX];

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        // NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): one of the forms above
        (void)snprintf(id, sizeof(id), forms[i], pulled.id);
        (void)snprintf(header, sizeof(header), "{\"submission_id\": %s, \"submission_key\": \"%s\"}", id, pulled.key);
        put_both(world, header, "r", TAKEN);
    }
    static const unsigned zeros[] = {0x660, 0x966, 0xff10};
    for (size_t i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++) {
        (void)snprintf(header, sizeof(header), "{\"submission_id\": \"%s\", \"submission_key\": \"%s\"}",
                       digits_of(pulled.id, zeros[i], digits), pulled.key);
        put_both(world, header, "r", TAKEN);
    }
    legacy_pulled_finish(&pulled);
}

static void a_wrong_key_of_any_type_is_incorrect_and_one_never_pulled_too(void **state)
{
    static const char *const keys[] = {
        "\"\"",
        "\"k\"",
        "null",
        "5",
        "true",
        "[]",
        "{}",
        "NaN",
        "\"00000000000000000000000000000000\"",
        "\"\\ud800\"",
        "\"a\\u0000\"",
        "\"0000000000000000000000000000000000000000000000000000000000000000000000000000000000\""};
    struct legacy_world *world = *state;
    char header[HEADER_MAX];
    struct legacy_pulled pulled = submit_and_pull(world, "calm", "/wrong");

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        (void)snprintf(header, sizeof(header), "{\"submission_id\": %llu, \"submission_key\": %s}", pulled.id, keys[i]);
        put_both(world, header, "b", BAD_KEY);
        (void)snprintf(header, sizeof(header), "{\"submission_id\": %llu, \"submission_key\": %s}", pulled.id + 1, keys[i]);
        put_both(world, header, "b", NO_SUCH);
    }
    legacy_submit(world, "\"alpha\"", "/never", "b", 1); // the next id
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        (void)snprintf(header, sizeof(header), "{\"submission_id\": %llu, \"submission_key\": %s}", pulled.id + 1, keys[i]);
        put_both(world, header, "b", BAD_KEY);
    }
    (void)snprintf(header, sizeof(header), "{\"submission_id\": %llu, \"submission_key\": \"%s\"}", pulled.id + 1, pulled.key);
    put_both(world, header, "b", BAD_KEY);

    char upper[LEGACY_KEY_BYTES + 1];
    for (size_t i = 0; i <= LEGACY_KEY_BYTES; i++) {
        upper[i] = (char)(pulled.key[i] >= 'a' ? pulled.key[i] - 'a' + 'A' : pulled.key[i]);
    }
    (void)snprintf(header, sizeof(header), "{\"submission_id\": %llu, \"submission_key\": \"%s\"}", pulled.id,
                   strcmp(upper, pulled.key) != 0 ? upper : "x");
    put_both(world, header, "b", BAD_KEY);
    legacy_put_pulled(world, &pulled, "good");
    legacy_expect(world, "the right key", 200, TAKEN);
    assert_string_equal(lms_hears(world->talk, "/wrong", 0)->result, "good");
    legacy_pulled_finish(&pulled);
    assert_true(legacy_pull(world, "alpha", &pulled));
    legacy_put_pulled(world, &pulled, "");
    legacy_pulled_finish(&pulled);
}

static void the_grader_s_text_reaches_the_lms_as_it_is(void **state)
{
    static const char *const bodies[] = {"", "{\"score\": 1}", "not json \" \\ \n\r\t", "\xf0\x9f\x98\x80\xc3\xa9",
                                         "a+b%20&c=d"};
    struct legacy_world *world = *state;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        for (int encoding = 0; encoding < LEGACY_ENCODINGS; encoding++) {
            char path[TEXT_MAX];
            char header[HEADER_MAX];
            (void)snprintf(path, sizeof(path), "/text/%zu/%d", i, encoding);
            struct legacy_pulled pulled = submit_and_pull(world, "calm", path);
            (void)snprintf(header, sizeof(header), "{\"submission_id\": %llu, \"submission_key\": \"%s\"}", pulled.id,
                           pulled.key);
            const struct legacy_field fields[] = {{.name = "xqueue_body", .value = bodies[i]},
                                                  {.name = "xqueue_header", .value = header}};
            (void)legacy_post(world, (enum legacy_encoding)encoding, PUT, fields, 2);
            legacy_expect(world, bodies[i], 200, TAKEN);
            assert_string_equal(lms_hears(world->talk, path, 0)->result, bodies[i]);
            legacy_pulled_finish(&pulled);
        }
    }
}

static void a_result_of_megabytes_is_taken(void **state)
{
    struct legacy_world *world = *state;
    struct legacy_pulled pulled = submit_and_pull(world, "calm", "/large");
    char *body = malloc(RESULT_BYTES + 1);

    assert_non_null(body);
    memset(body, 'r', RESULT_BYTES);
    body[RESULT_BYTES] = '\0';
    legacy_put_pulled(world, &pulled, body);
    legacy_expect(world, "large", 200, TAKEN);
    assert_int_equal(lms_hears(world->talk, "/large", 0)->result_length, RESULT_BYTES);
    free(body);
    legacy_pulled_finish(&pulled);
}

static void a_late_result_is_taken_until_somebody_else_has_pulled(void **state)
{
    struct legacy_world *world = *state;
    struct legacy_pulled late = submit_and_pull(world, "turn", "/late");
    struct legacy_pulled again;

    assert_true(core_await_state(world->talk->admin, late.id, STATE(READY)));
    legacy_put_pulled(world, &late, "late");
    legacy_expect(world, "late", 200, TAKEN);
    assert_string_equal(lms_hears(world->talk, "/late", 0)->result, "late");
    legacy_pulled_finish(&late);

    late = submit_and_pull(world, "turn", "/too-late");
    assert_true(core_await_state(world->talk->admin, late.id, STATE(READY)));
    assert_true(legacy_pull(world, "turn", &again));
    legacy_put_pulled(world, &late, "too late");
    legacy_expect(world, "too late", 200, BAD_KEY);
    legacy_put_pulled(world, &again, "in time");
    legacy_expect(world, "in time", 200, TAKEN);
    assert_string_equal(lms_hears(world->talk, "/too-late", 0)->result, "in time");
    legacy_pulled_finish(&late);
    legacy_pulled_finish(&again);
}

static void a_second_result_amends_the_first_and_is_delivered_again(void **state)
{
    struct legacy_world *world = *state;
    struct legacy_pulled pulled = submit_and_pull(world, "calm", "/second");

    legacy_put_pulled(world, &pulled, "first");
    legacy_expect(world, "first", 200, TAKEN);
    assert_string_equal(lms_hears(world->talk, "/second", 0)->result, "first");
    assert_true(core_await_delivery(world->talk->admin, pulled.id, DONE));
    legacy_put_pulled(world, &pulled, "second");
    legacy_expect(world, "second", 200, TAKEN);
    assert_string_equal(lms_hears(world->talk, "/second", 1)->result, "second");
    legacy_pulled_finish(&pulled);
}

static void a_superseded_result_is_acknowledged_and_not_sent(void **state)
{
    struct legacy_world *world = *state;
    struct legacy_pulled old = submit_and_pull(world, "calm", "/superseded");
    struct legacy_pulled new = submit_and_pull(world, "calm", "/superseded");

    legacy_put_pulled(world, &old, "old");
    legacy_expect(world, "old", 200, TAKEN);
    legacy_put_pulled(world, &new, "new");
    legacy_expect(world, "new", 200, TAKEN);
    assert_string_equal(lms_hears(world->talk, "/superseded", 0)->result, "new");
    assert_true(core_await_delivery(world->talk->admin, new.id, DONE));
    assert_int_equal(fake_lms_count_path(world->talk->lms, "/superseded"), 1);
    legacy_pulled_finish(&old);
    legacy_pulled_finish(&new);
}

static void the_reply_does_not_wait_for_an_lms_that_hangs_and_nothing_is_graded_again(void **state)
{
    static const struct fake_lms_script hang = {.kind = FAKE_LMS_HANG, .http_status = 200};
    struct legacy_world *world = *state;
    struct legacy_pulled pulled = submit_and_pull(world, "calm", "/hangs");

    fake_lms_script_path(world->talk->lms, "/hangs", &hang);
    legacy_put_pulled(world, &pulled, "r");
    legacy_expect(world, "hangs", 200, TAKEN); // while the LMS has not answered
    assert_int_equal(legacy_length(world, "calm"), 0);
    assert_true(fake_lms_wait_for_path(world->talk->lms, "/hangs", 1, CONVERSATION_PATIENCE_MS));
    fake_lms_release(world->talk->lms);
    assert_true(core_await_delivery(world->talk->admin, pulled.id, DONE));
    legacy_pulled_finish(&pulled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_that_is_no_object_with_both_keys_is_an_incorrect_format),
        cmocka_unit_test(what_int_refuses_is_an_incorrect_format),
        cmocka_unit_test(an_id_of_no_submission_does_not_exist_whatever_the_key),
        cmocka_unit_test(whatever_int_takes_names_the_submission),
        cmocka_unit_test(a_wrong_key_of_any_type_is_incorrect_and_one_never_pulled_too),
        cmocka_unit_test(the_grader_s_text_reaches_the_lms_as_it_is),
        cmocka_unit_test(a_result_of_megabytes_is_taken),
        cmocka_unit_test(a_late_result_is_taken_until_somebody_else_has_pulled),
        cmocka_unit_test(a_second_result_amends_the_first_and_is_delivered_again),
        cmocka_unit_test(a_superseded_result_is_acknowledged_and_not_sent),
        cmocka_unit_test(the_reply_does_not_wait_for_an_lms_that_hangs_and_nothing_is_graded_again),
    };
    return cmocka_run_group_tests(tests, legacy_set_up, legacy_tear_down);
}
