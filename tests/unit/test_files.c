/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "rest-adapter/files.h"

#define CONTENT_TYPE      "multipart/form-data; boundary=XX"
#define PART(name, bytes) "--XX\r\nContent-Disposition: form-data; name=\"" name "\"; filename=\"f\"\r\n\r\n" bytes "\r\n"

static char folder[64];
static struct config_rest config = {
    .files = folder, .media_url = (char *)"", .public_url = (char *)"http://h:1", .file_bytes_max = 1000};
static struct files *files;
static struct files_receiver receiver;
static struct form_file_sink sink;
static struct form form;

static int start(void **state)
{
    const struct form_limits limits = {.fields_max = 10, .bytes_max = 1000, .files_max = 10};
    struct error error;

    (void)state;
    log_configure("test", LOG_ERROR, LOG_LOGFMT);
    (void)snprintf(folder, sizeof(folder), "/tmp/xqueue-files-XXXXXX");
    if (mkdtemp(folder) == NULL || files_open(&config, &files, &error) != STATUS_OK) {
        return -1;
    }
    sink = files_receiver_init(&receiver, files);
    form_init(&form, &limits);
    return 0;
}

static int stop(void **state)
{
    char command[128];

    (void)state;
    files_remove(files, &form);
    form_finish(&form);
    files_close(files);
    (void)snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command); // NOLINT(bugprone-command-processor): a test's own folder
}

static enum status receive(const char *body)
{
    struct form_reader *reader = NULL;
    struct error error;
    enum status status = form_reader_create(span_of(CONTENT_TYPE), &form, &sink, &reader, &error);

    for (const char *at = body; *at != '\0' && status == STATUS_OK; at++) {
        status = form_reader_feed(reader, at, 1, &error);
    }
    form_reader_destroy(reader);
    return status;
}

static enum status open_stored(const char *name, char out[64])
{
    char path[256];
    int descriptor = -1;
    int64_t bytes = 0;

    (void)snprintf(path, sizeof(path), FILES_PATH "any/queue/%s", name);
    enum status status = files_open_path(files, path, &descriptor, &bytes);
    if (status == STATUS_OK) {
        assert_true(bytes < 64);
        assert_int_equal(read(descriptor, out, 64), bytes);
        out[bytes] = '\0';
        close(descriptor);
    }
    return status;
}

static void each_file_gets_a_name_of_its_own_that_nobody_else_can_read_on_disk(void **state)
{
    struct stat about;
    char path[256];
    char bytes[64];

    (void)state;
    assert_int_equal(receive(PART("a", "one") PART("a", "two") "--XX--"), STATUS_OK);

    assert_int_equal(form.file_count, 2);
    assert_string_not_equal(form_file_at(&form, 0)->stored, form_file_at(&form, 1)->stored);
    assert_int_equal(open_stored(form_file_at(&form, 0)->stored, bytes), STATUS_OK);
    assert_string_equal(bytes, "one");
    assert_int_equal(open_stored(form_file_at(&form, 1)->stored, bytes), STATUS_OK);
    assert_string_equal(bytes, "two");
    (void)snprintf(path, sizeof(path), "%s/%.2s/%s", folder, form_file_at(&form, 0)->stored, form_file_at(&form, 0)->stored);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

static void a_file_that_is_not_complete_cannot_be_fetched_and_is_removed(void **state)
{
    (void)state;
    assert_int_equal(receive(PART("a", "one") "--XX\r\nContent-Disposition: form-data; name=\"b\"; filename=\"f\"\r\n\r\ntw"),
                     STATUS_OK);
    assert_non_null(form_file_at(&form, 0)->stored);
    assert_null(form_file_at(&form, 1)->stored);

    files_remove(files, &form);

    assert_null(form_file_at(&form, 0)->stored);
    assert_null(form_file_at(&form, 1)->receiver);
    files_remove(files, &form); // twice does no harm
}

static void all_files_of_a_form_share_the_limit(void **state)
{
    (void)state;
    config.file_bytes_max = 6;
    sink = files_receiver_init(&receiver, files);
    assert_int_equal(receive(PART("a", "one") PART("b", "two") "--XX--"), STATUS_OK);
    files_remove(files, &form);
    sink = files_receiver_init(&receiver, files);
    assert_int_equal(receive(PART("a", "one") PART("b", "four") "--XX--"), STATUS_FULL);
    config.file_bytes_max = 1000;
}

static void only_names_of_files_open_anything(void **state)
{
    static const char *const paths[] = {
        "",
        "/",
        FILES_PATH,
        FILES_PATH "q/",
        FILES_PATH "0123456789abcdef0123456789abcdef",
        FILES_PATH "q/0123456789abcdef0123456789abcdef", // of the right form, but unknown
        FILES_PATH "q/0123456789ABCDEF0123456789ABCDEF",
        FILES_PATH "q/../../../../../../../etc/passwd",
        FILES_PATH "q/0123456789abcdef0123456789abcde.",
        FILES_PATH "q/0123456789abcdef0123456789abcdef.part",
        "/xqueue/other/q/0123456789abcdef0123456789abcdef",
    };
    int descriptor = -1;
    int64_t bytes = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(files_open_path(files, paths[i], &descriptor, &bytes), STATUS_NOT_FOUND);
        assert_int_equal(descriptor, -1);
    }
}

static void a_url_has_the_queue_escaped_and_the_real_port(void **state)
{
    struct text url;

    (void)state;
    text_init(&url, FILES_URL_BYTES_MAX);
    files_append_url(files, span_of("a/b c?#%\xC3\xA9"), "0123", 8040, &url);
    assert_string_equal(url.bytes, "http://h:1/xqueue/files/a/b%20c%3F%23%25%C3%A9/0123");

    text_clear(&url);
    config.public_url = (char *)"http://127.0.0.1:0";
    files_append_url(files, span_of("q"), "0123", 8040, &url);
    assert_string_equal(url.bytes, "http://127.0.0.1:8040/xqueue/files/q/0123");
    config.public_url = (char *)"http://h:1";
    text_finish(&url);
}

static void what_a_killed_adapter_left_of_an_upload_is_removed_a_day_later(void **state)
{
    static const char *const names[] = {"old.part", "new.part", "old"};
    const struct timespec long_ago[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    char shelf[128];
    char path[3][256];
    struct files *again = NULL;
    struct error error;

    (void)state;
    (void)snprintf(shelf, sizeof(shelf), "%s/fe", folder);
    assert_int_equal(mkdir(shelf, 0700), 0);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(path[i], sizeof(path[i]), "%s/%s", shelf, names[i]);
        int descriptor = creat(path[i], 0600);
        assert_true(descriptor >= 0);
        if (i != 1) {
            assert_int_equal(futimens(descriptor, long_ago), 0);
        }
        close(descriptor);
    }

    assert_int_equal(files_open(&config, &again, &error), STATUS_OK);

    assert_int_not_equal(access(path[0], F_OK), 0);
    assert_int_equal(access(path[1], F_OK), 0);
    assert_int_equal(access(path[2], F_OK), 0);
    files_close(again);
}

static void a_folder_that_cannot_be_made_is_a_clear_error(void **state)
{
    struct config_rest other = config;
    struct files *none = NULL;
    struct error error;

    (void)state;
    other.files = (char *)"/dev/null/files";
    assert_int_equal(files_open(&other, &none, &error), STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.text, "/dev/null/files"));
    other.files = (char *)"/dev/null";
    assert_int_equal(files_open(&other, &none, &error), STATUS_UNAVAILABLE);
    assert_null(none);
}

int main(void)
{
#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        WITH_FILES(each_file_gets_a_name_of_its_own_that_nobody_else_can_read_on_disk),
        WITH_FILES(a_file_that_is_not_complete_cannot_be_fetched_and_is_removed),
        WITH_FILES(all_files_of_a_form_share_the_limit),
        WITH_FILES(only_names_of_files_open_anything),
        WITH_FILES(a_url_has_the_queue_escaped_and_the_real_port),
        WITH_FILES(what_a_killed_adapter_left_of_an_upload_is_removed_a_day_later),
        WITH_FILES(a_folder_that_cannot_be_made_is_a_clear_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
