/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_rest */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/rest_rig.h"

#define CONTENT "0123456789"

static struct rest_rig rig;
static char link_path[512]; /* path and query of the one file's URL */
static char key[SECRET_KEY_TEXT_MAX];

/* Stores a file as a submit does. */
static void store_file(void)
{
    const struct form_limits limits = {.fields_max = 1, .bytes_max = 1, .files_max = 1};
    struct files_receiver receiver;
    struct form_file_sink sink = files_receiver_init(&receiver, rig.adapter.files);
    struct form_file *file = NULL;
    struct error error;
    struct form form;
    struct text url;

    form_init(&form, &limits);
    assert_int_equal(form_add_file(&form, span_of("f"), span_of("f"), span_of(""), &file, &error), STATUS_OK);
    assert_int_equal(sink.on_begin(sink.context, file, &error), STATUS_OK);
    assert_int_equal(sink.on_data(sink.context, file, CONTENT, strlen(CONTENT), &error), STATUS_OK);
    assert_int_equal(sink.on_end(sink.context, file, &error), STATUS_OK);
    assert_int_equal(files_keep(&receiver, &form, span_of("a/b c"), &error), STATUS_OK);
    text_init(&url, FILES_URL_BYTES_MAX);
    files_append_url(&receiver, file->stored, rig.port, &url);
    (void)snprintf(link_path, sizeof(link_path), "%s", strstr(url.bytes, FILE_LINK_PATH));
    (void)snprintf(key, sizeof(key), "%s", file->stored);
    text_finish(&url);
    form_finish(&form);
}

static int start(void **state)
{
    (void)state;
    rest_rig_start(&rig);
    store_file();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rest_rig_stop(&rig);
    return 0;
}

static const char *header(const char *name)
{
    return rest_rig_header(&rig, name, 0);
}

static void a_link_gives_the_file_to_whoever_has_it(void **state)
{
    char etag[64];

    (void)state;
    assert_int_equal(rest_rig_ask(&rig, "GET", link_path, ""), 200);
    assert_string_equal(rig.answer.body.bytes, CONTENT);
    assert_string_equal(header("Content-Disposition"), "attachment");
    assert_string_equal(header("X-Content-Type-Options"), "nosniff");
    assert_string_equal(header("Content-Type"), "application/octet-stream");
    assert_string_equal(header("Cache-Control"), "private, no-store");
    assert_string_equal(header("Accept-Ranges"), "bytes");
    assert_string_equal(header("Content-Range"), "");
    (void)snprintf(etag, sizeof(etag), "\"%s\"", key);
    assert_string_equal(header("ETag"), etag);
}

static void head_says_what_get_would_say(void **state)
{
    (void)state;
    assert_int_equal(rest_rig_ask(&rig, "HEAD", link_path, "Range: bytes=2-3\r\n"), 200); // a Range is for GET
    assert_string_equal(header("Content-Length"), "10");
    assert_string_equal(header("Accept-Ranges"), "bytes");
    assert_int_equal(rig.answer.body.length, 0);
}

static void parts_are_sent_as_asked_for(void **state)
{
    static const struct {
        const char *range;
        int status;
        const char *body;
        const char *content_range;
    } cases[] = {
        {"bytes=0-3", 206, "0123", "bytes 0-3/10"},
        {"bytes=4-", 206, "456789", "bytes 4-9/10"},
        {"bytes=-1", 206, "9", "bytes 9-9/10"},
        {"bytes=8-100", 206, "89", "bytes 8-9/10"},
        {"bytes=0-1,3-4", 200, CONTENT, ""},
        {"bytes=3-1", 200, CONTENT, ""},
        {"lines=1-2", 200, CONTENT, ""},
    };
    char line[64];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(line, sizeof(line), "Range: %s\r\n", cases[i].range);
        assert_int_equal(rest_rig_ask(&rig, "GET", link_path, line), cases[i].status);
        assert_string_equal(rig.answer.body.bytes, cases[i].body);
        assert_string_equal(header("Content-Range"), cases[i].content_range);
        assert_string_equal(header("Content-Type"), "application/octet-stream");
    }
    assert_int_equal(rest_rig_ask(&rig, "GET", link_path, "Range: bytes=10-\r\n"), 416);
    assert_string_equal(header("Content-Range"), "bytes */10");
}

static void a_part_of_another_version_is_the_whole_file(void **state)
{
    char lines[128];

    (void)state;
    (void)snprintf(lines, sizeof(lines), "Range: bytes=0-3\r\nIf-Range: \"%s\"\r\n", key);
    assert_int_equal(rest_rig_ask(&rig, "GET", link_path, lines), 206);
    (void)snprintf(lines, sizeof(lines), "Range: bytes=0-3\r\nIf-Range: W/\"%s\"\r\n", key);
    assert_int_equal(rest_rig_ask(&rig, "GET", link_path, lines), 200);
    assert_int_equal(rest_rig_ask(&rig, "GET", link_path, "Range: bytes=0-3\r\nIf-Range: Sat, 29 Oct 1994 19:43:31 GMT\r\n"),
                     200);
    assert_int_equal(rest_rig_ask(&rig, "GET", link_path, "Range: bytes=99-\r\nIf-Range: \"x\"\r\n"), 200);
    assert_string_equal(rig.answer.body.bytes, CONTENT);
}

static void without_a_good_signature_nobody_learns_anything(void **state)
{
    static const char unknown[] = "/xqueue/files/q/00000000000000000000000000000000";
    char path[600];
    char page[512];

    (void)state;
    assert_int_equal(rest_rig_ask(&rig, "GET", unknown, ""), 403);
    (void)snprintf(page, sizeof(page), "%s", rig.answer.body.bytes);
    (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(link_path, "?"), link_path);
    assert_int_equal(rest_rig_ask(&rig, "GET", path, ""), 403);
    assert_string_equal(rig.answer.body.bytes, page);
    (void)snprintf(path, sizeof(path), "%s0", link_path);
    assert_int_equal(rest_rig_ask(&rig, "GET", path, ""), 403);
    assert_string_equal(rig.answer.body.bytes, page);
    (void)snprintf(path, sizeof(path), "%s", link_path);
    path[strlen(path) - 1] = (char)(path[strlen(path) - 1] == '0' ? '1' : '0');
    assert_int_equal(rest_rig_ask(&rig, "GET", path, "Range: bytes=99-\r\n"), 403);
    assert_string_equal(rig.answer.body.bytes, page);
    assert_string_equal(header("ETag"), "");
    assert_string_equal(header("Content-Range"), "");
}

/* Signed by the rig's own secret, but for a time that is over. */
static void an_expired_link_is_refused_like_a_wrong_one(void **state)
{
    char name[128];
    char digits[2 * FILE_LINK_SECRET_BYTES + 1] = "";
    char place[FILE_PLACE_MAX];
    struct file_link_secret secret;
    struct text link;
    const int64_t now_s = clock_wall_ms() / 1000;

    (void)state;
    (void)snprintf(name, sizeof(name), "%s/.key", rig.folder);
    FILE *file = fopen(name, "re");
    assert_non_null(file);
    assert_non_null(fgets(digits, sizeof(digits), file));
    (void)fclose(file);
    for (size_t i = 0; i < FILE_LINK_SECRET_BYTES; i++) {
        unsigned byte = 0;
        assert_int_equal(sscanf(digits + 2 * i, "%2x", &byte), 1); // NOLINT(cert-err34-c)
        secret.bytes[i] = (uint8_t)byte;
    }
    file_place_of("a%2Fb c", key, place);
    text_init(&link, sizeof(link_path));

    file_link_append(&link, &secret, place, now_s + 3600);
    assert_int_equal(rest_rig_ask(&rig, "GET", link.bytes, ""), 200);
    text_clear(&link);
    file_link_append(&link, &secret, place, now_s - 1);
    assert_int_equal(rest_rig_ask(&rig, "GET", link.bytes, ""), 403);
    text_clear(&link);
    file_place_of("a%2Fb c", "00000000000000000000000000000000", place);
    file_link_append(&link, &secret, place, now_s + 3600);
    assert_int_equal(rest_rig_ask(&rig, "GET", link.bytes, ""), 404);
    text_finish(&link);
}

static void other_methods_are_not_found(void **state)
{
    static const char *const methods[] = {"DELETE", "PUT", "POST", "OPTIONS"};

    (void)state;
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        assert_int_equal(rest_rig_ask(&rig, methods[i], link_path, ""), 404);
    }
    assert_int_equal(rest_rig_ask(&rig, "GET", link_path, ""), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_gives_the_file_to_whoever_has_it),
        cmocka_unit_test(head_says_what_get_would_say),
        cmocka_unit_test(parts_are_sent_as_asked_for),
        cmocka_unit_test(a_part_of_another_version_is_the_whole_file),
        cmocka_unit_test(without_a_good_signature_nobody_learns_anything),
        cmocka_unit_test(an_expired_link_is_refused_like_a_wrong_one),
        cmocka_unit_test(other_methods_are_not_found),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
