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
#include "rest-adapter/http_message.h"

#define CONTENT_TYPE      "multipart/form-data; boundary=XX"
#define PART(name, bytes) "--XX\r\nContent-Disposition: form-data; name=\"" name "\"; filename=\"f\"\r\n\r\n" bytes "\r\n"

static char folder[64];
static struct config_rest config = {
    .files = folder, .media_url = (char *)"", .public_url = (char *)"http://h:1", .file_bytes_max = 1000, .file_url_ms = 60000};
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
    if (mkdtemp(folder) == NULL || files_open(&config, NULL, &files, &error) != STATUS_OK) {
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
    files_remove(&receiver, &form);
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

static const char *stored(size_t index)
{
    return form_file_at(&form, index)->stored;
}

static const char *path_in_folder(const char *name)
{
    static char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static const char *path_of(const char *shelf, const char *key)
{
    char name[384];

    (void)snprintf(name, sizeof(name), "%s/%s", shelf, key);
    return path_in_folder(name);
}

static void keep(const char *queue)
{
    struct error error;

    assert_int_equal(files_keep(&receiver, &form, span_of(queue), &error), STATUS_OK);
}

/* Fetches the file by its URL. */
static enum status open_url(const char *key, char out[64])
{
    const char *prefix = config.public_url;
    char path[FILES_URL_BYTES_MAX];
    struct files_found found;
    struct text url;

    text_init(&url, FILES_URL_BYTES_MAX);
    files_append_url(&receiver, key, 1, &url);
    assert_memory_equal(url.bytes, prefix, strlen(prefix));
    char *query = strchr(url.bytes, '?');
    *query++ = '\0';
    (void)http_path_decode(url.bytes + strlen(prefix), path);
    enum status status = files_find(files, path, query, false, &found);
    if (status == STATUS_OK) {
        assert_true(found.bytes < 64);
        assert_int_equal(read(found.descriptor, out, 64), found.bytes);
        out[found.bytes] = '\0';
        close(found.descriptor);
        assert_string_equal(found.key, key);
        assert_null(found.url);
    }
    text_finish(&url);
    return status;
}

static void each_file_gets_a_name_of_its_own_that_nobody_else_can_read_on_disk(void **state)
{
    struct stat about;
    char bytes[64];

    (void)state;
    assert_int_equal(receive(PART("a", "one") PART("a", "two") "--XX--"), STATUS_OK);
    keep("q");

    assert_int_equal(form.file_count, 2);
    assert_string_not_equal(stored(0), stored(1));
    assert_int_equal(open_url(stored(0), bytes), STATUS_OK);
    assert_string_equal(bytes, "one");
    assert_int_equal(open_url(stored(1), bytes), STATUS_OK);
    assert_string_equal(bytes, "two");
    assert_int_equal(stat(path_of("q", stored(0)), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(stat(path_in_folder("q"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
    assert_int_not_equal(access(path_of(".incoming", stored(0)), F_OK), 0);
}

static void for_a_media_server_the_group_may_read_whatever_the_umask_says(void **state)
{
    const mode_t before = umask(0077);
    struct stat about;

    (void)state;
    config.media_url = (char *)"https://media.example.org";
    assert_int_equal(receive(PART("a", "one") "--XX--"), STATUS_OK);
    keep("q");
    config.media_url = (char *)"";
    umask(before);

    assert_int_equal(stat(path_of("q", stored(0)), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0640);
    assert_int_equal(stat(path_in_folder(".key"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

static void a_file_cannot_be_fetched_before_its_form_is_complete_and_is_removed_without(void **state)
{
    char key[SECRET_KEY_TEXT_MAX];
    char bytes[64];

    (void)state;
    assert_int_equal(receive(PART("a", "one") "--XX\r\nContent-Disposition: form-data; name=\"b\"; filename=\"f\"\r\n\r\ntw"),
                     STATUS_OK);
    (void)snprintf(key, sizeof(key), "%s", stored(0));
    file_shelf_of(span_of("q"), receiver.shelf);
    assert_int_equal(open_url(key, bytes), STATUS_NOT_FOUND);
    receiver.shelf[0] = '\0';
    assert_int_equal(access(path_of(".incoming", key), F_OK), 0);

    files_remove(&receiver, &form);

    assert_int_not_equal(access(path_of(".incoming", key), F_OK), 0);
    assert_null(stored(0));
    assert_null(stored(1));
    assert_null(form_file_at(&form, 1)->receiver);
    files_remove(&receiver, &form); // twice does no harm
}

static void what_was_kept_is_removed_with_its_shelf(void **state)
{
    (void)state;
    assert_int_equal(receive(PART("a", "one") PART("b", "two") "--XX--"), STATUS_OK);
    keep("q");
    assert_int_equal(access(path_of("q", stored(1)), F_OK), 0);

    files_remove(&receiver, &form);

    assert_int_not_equal(access(path_in_folder("q"), F_OK), 0);
}

static void no_queue_leads_out_of_the_folder(void **state)
{
    const struct form_limits limits = {.fields_max = 10, .bytes_max = 1000, .files_max = 10};
    static const char *const queues[] = {"..", ".", ".incoming", ".key", "a/../../b", "/", "../../x"};
    char bytes[64];

    (void)state;
    for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
        sink = files_receiver_init(&receiver, files);
        assert_int_equal(receive(PART("a", "one") "--XX--"), STATUS_OK);
        keep(queues[i]);
        assert_int_equal(access(path_of(receiver.shelf, stored(0)), F_OK), 0);
        assert_null(strchr(receiver.shelf, '/'));
        assert_int_equal(open_url(stored(0), bytes), STATUS_OK);
        files_remove(&receiver, &form);
        form_finish(&form);
        form_init(&form, &limits);
    }
}

static void a_shelf_that_cannot_be_made_fails_and_leaves_nothing_behind(void **state)
{
    struct error error;
    int descriptor = creat(path_in_folder("q"), 0600);

    (void)state;
    assert_true(descriptor >= 0);
    close(descriptor);
    assert_int_equal(receive(PART("a", "one") "--XX--"), STATUS_OK);
    char *key = strdup(stored(0));

    log_configure("test", LOG_ERROR + 1, LOG_LOGFMT);
    assert_int_equal(files_keep(&receiver, &form, span_of("q"), &error), STATUS_UNAVAILABLE);
    assert_string_equal(error.reason, "STORAGE_FAILED");
    files_remove(&receiver, &form);
    log_configure("test", LOG_ERROR, LOG_LOGFMT);

    assert_int_not_equal(access(path_of(".incoming", key), F_OK), 0);
    free(key);
}

static void all_files_of_a_form_share_the_limit(void **state)
{
    (void)state;
    config.file_bytes_max = 6;
    sink = files_receiver_init(&receiver, files);
    assert_int_equal(receive(PART("a", "one") PART("b", "two") "--XX--"), STATUS_OK);
    files_remove(&receiver, &form);
    sink = files_receiver_init(&receiver, files);
    assert_int_equal(receive(PART("a", "one") PART("b", "four") "--XX--"), STATUS_FULL);
    config.file_bytes_max = 1000;
}

static void check_url(const char *expected)
{
    struct text url;

    text_init(&url, FILES_URL_BYTES_MAX);
    files_append_url(&receiver, "0123456789abcdef0123456789abcdef", 8040, &url);
    if (strncmp(url.bytes, expected, strlen(expected)) != 0) {
        fail_msg("%s\n%s", url.bytes, expected);
    }
    text_finish(&url);
}

static void a_url_has_the_shelf_escaped_and_the_real_port(void **state)
{
    (void)state;
    file_shelf_of(span_of("a/b c?#%\xC3\xA9!"), receiver.shelf);
    check_url("http://h:1/xqueue/files/a%252Fb%20c%3F%23%2525%C3%A9!/0123456789abcdef0123456789abcdef?expires=");
    config.public_url = (char *)"http://127.0.0.1:0//";
    check_url("http://127.0.0.1:8040/xqueue/files/a%252Fb");
    config.public_url = (char *)"http://h:1";
    receiver.shelf[0] = '\0';
}

static void a_url_of_a_media_server_is_that_of_the_original(void **state)
{
    static const char *const urls[] = {"https://media.example.org/x", "https://media.example.org/x/"};

    (void)state;
    file_shelf_of(span_of("my queue (1)"), receiver.shelf);
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        config.media_url = (char *)urls[i];
        check_url("https://media.example.org/x/my%20queue%20(1)/0123456789abcdef0123456789abcdef");
    }
    config.media_url = (char *)"";
    receiver.shelf[0] = '\0';
}

static void adapters_on_one_folder_share_the_secret_and_a_new_one_ends_links(void **state)
{
    struct files *first = files;
    struct error error;
    char bytes[64];

    (void)state;
    assert_int_equal(receive(PART("a", "one") "--XX--"), STATUS_OK);
    keep("q");
    assert_int_equal(files_open(&config, NULL, &files, &error), STATUS_OK);
    assert_int_equal(open_url(stored(0), bytes), STATUS_OK); // signed by the first one, checked by the second
    files_close(files);

    assert_int_equal(unlink(path_in_folder(".key")), 0);
    assert_int_equal(files_open(&config, NULL, &files, &error), STATUS_OK);
    assert_int_equal(open_url(stored(0), bytes), STATUS_DENIED);
    files_close(files);
    files = first;
}

static void a_damaged_secret_is_a_clear_error(void **state)
{
    static const char *const contents[] = {"", "0123\n", "not a key"};
    struct files *none = NULL;
    struct error error;

    (void)state;
    for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
        FILE *file = fopen(path_in_folder(".key"), "we");
        assert_non_null(file);
        assert_true(fputs(contents[i], file) >= 0);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(files_open(&config, NULL, &none, &error), STATUS_INVALID);
        assert_non_null(strstr(error.text, ".key"));
        assert_null(none);
    }
}

static void a_folder_that_cannot_be_made_is_a_clear_error(void **state)
{
    struct config_rest other = config;
    struct files *none = NULL;
    struct error error;

    (void)state;
    other.files = (char *)"/dev/null/files";
    assert_int_equal(files_open(&other, NULL, &none, &error), STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.text, "/dev/null/files"));
    other.files = (char *)"/dev/null";
    assert_int_equal(files_open(&other, NULL, &none, &error), STATUS_UNAVAILABLE);
    assert_null(none);
}

int main(void)
{
#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        WITH_FILES(each_file_gets_a_name_of_its_own_that_nobody_else_can_read_on_disk),
        WITH_FILES(for_a_media_server_the_group_may_read_whatever_the_umask_says),
        WITH_FILES(a_file_cannot_be_fetched_before_its_form_is_complete_and_is_removed_without),
        WITH_FILES(what_was_kept_is_removed_with_its_shelf),
        WITH_FILES(no_queue_leads_out_of_the_folder),
        WITH_FILES(a_shelf_that_cannot_be_made_fails_and_leaves_nothing_behind),
        WITH_FILES(all_files_of_a_form_share_the_limit),
        WITH_FILES(a_url_has_the_shelf_escaped_and_the_real_port),
        WITH_FILES(a_url_of_a_media_server_is_that_of_the_original),
        WITH_FILES(adapters_on_one_folder_share_the_secret_and_a_new_one_ends_links),
        WITH_FILES(a_damaged_secret_is_a_clear_error),
        WITH_FILES(a_folder_that_cannot_be_made_is_a_clear_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
