/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_store_test_support */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/support/store_fixture.h"

/* Texts as literals: the store only reads them. */
static char *text(const char *literal)
{
    union {
        const char *in;
        char *out;
    } same = {.in = literal};
    return same.out;
}

static struct store_content plain_content(void)
{
    return (struct store_content){
        .callback_url = text(""),
        .results_channel = text(""),
        .trace_parent = text(""),
        .trace_state = text(""),
    };
}

static struct store_request plain_request(void)
{
    return (struct store_request){.submitter = "lms", .request_id = "", .fairness_key = "", .cost = 1};
}

static void a_content_comes_back_byte_for_byte(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_file files[] = {
        {text("a.py"), text("https://files/a"), text("f-1"), text("a b.py"), UINT64_MAX, {1, 2, 3}, true},
        {.name = text("b"), .url = text(""), .file_id = text(""), .filename = text("")},
    };
    struct label labels[] = {{text("course"), text("demo")}, {text("z"), text("")}, {text("a"), text("\xc3\xa4")}};
    struct store_content content = plain_content();
    content.header = text("head\0er");
    content.header_length = 7;
    content.body = text("\0\xff body");
    content.body_length = 7;
    content.callback_url = text("https://lms/callback");
    content.results_channel = text("results");
    content.trace_parent = text("00-1");
    content.trace_state = text("k=v");
    content.files = files;
    content.file_count = 2;
    content.labels = (struct labels){labels, 3};
    const struct store_request request = plain_request();
    struct store_submission row = store_fixture_row(fixture);
    store_fixture_begin(fixture);
    assert_int_equal(store_insert_submission(fixture->store, &row, &content, &request), STATUS_OK);
    store_fixture_commit(fixture);
    store_fixture_reopen(fixture);

    struct store_content read;
    store_fixture_begin(fixture);
    assert_int_equal(store_read_content(fixture->store, row.id, &read), STATUS_OK);
    store_fixture_commit(fixture);

    assert_int_equal(read.header_length, 7);
    assert_memory_equal(read.header, "head\0er", 7);
    assert_int_equal(read.body_length, 7);
    assert_memory_equal(read.body, "\0\xff body", 7);
    assert_string_equal(read.callback_url, "https://lms/callback");
    assert_string_equal(read.results_channel, "results");
    assert_string_equal(read.trace_parent, "00-1");
    assert_string_equal(read.trace_state, "k=v");
    assert_int_equal(read.file_count, 2);
    assert_string_equal(read.files[0].name, "a.py");
    assert_string_equal(read.files[0].url, "https://files/a");
    assert_string_equal(read.files[0].file_id, "f-1");
    assert_string_equal(read.files[0].filename, "a b.py");
    assert_true(read.files[0].size_bytes == UINT64_MAX);
    assert_true(read.files[0].has_sha256);
    assert_memory_equal(read.files[0].sha256, files[0].sha256, SECRET_DIGEST_BYTES);
    assert_string_equal(read.files[1].name, "b");
    assert_false(read.files[1].has_sha256);
    assert_int_equal(read.labels.count, 3);
    assert_string_equal(read.labels.items[0].name, "course");
    assert_string_equal(read.labels.items[0].value, "demo");
    assert_string_equal(read.labels.items[2].name, "a");
    assert_string_equal(read.labels.items[2].value, "\xc3\xa4");
    store_content_finish(&read);
}

static void an_empty_and_a_large_body_come_back(void **state)
{
    struct store_fixture *fixture = *state;
    enum { LARGE = 3 * 1024 * 1024 };
    char *bytes = memory_allocate(LARGE);
    for (size_t at = 0; at < LARGE; at++)
        bytes[at] = (char)(at * 31 + at / 4096);
    struct store_content empty = plain_content();
    struct store_content large = plain_content();
    large.body = bytes;
    large.body_length = LARGE;
    const struct store_request request = plain_request();
    struct store_submission empty_row = store_fixture_row(fixture);
    struct store_submission large_row = store_fixture_row(fixture);
    struct store_content read;
    store_fixture_begin(fixture);
    assert_int_equal(store_insert_submission(fixture->store, &empty_row, &empty, &request), STATUS_OK);
    assert_int_equal(store_insert_submission(fixture->store, &large_row, &large, &request), STATUS_OK);
    store_fixture_commit(fixture);

    store_fixture_begin(fixture);
    assert_int_equal(store_read_content(fixture->store, empty_row.id, &read), STATUS_OK);
    assert_int_equal(read.body_length, 0);
    assert_int_equal(read.header_length, 0);
    assert_int_equal(read.file_count + read.labels.count, 0);
    store_content_finish(&read);
    assert_int_equal(store_read_content(fixture->store, large_row.id, &read), STATUS_OK);
    store_fixture_commit(fixture);

    assert_int_equal(read.body_length, LARGE);
    assert_memory_equal(read.body, bytes, LARGE);
    store_content_finish(&read);
    memory_free(bytes);
}

static void what_is_not_there_is_not_found(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_content content;
    struct store_result result;
    char user[STORE_USER_MAX];
    store_fixture_begin(fixture);

    assert_int_equal(store_read_content(fixture->store, 99, &content), STATUS_NOT_FOUND);
    assert_int_equal(store_read_result(fixture->store, 99, true, &result), STATUS_NOT_FOUND);
    assert_int_equal(store_find_submitter(fixture->store, 99, user), STATUS_NOT_FOUND);

    store_fixture_commit(fixture);
}

static void a_request_id_is_found_by_its_submitter_alone(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_content content = plain_content();
    struct store_request request = plain_request();
    request.request_id = "r-1";
    memset(request.digest, 7, sizeof request.digest);
    struct store_submission row = store_fixture_row(fixture);
    uint8_t digest[SECRET_DIGEST_BYTES];
    char user[STORE_USER_MAX];
    int64_t id = 0;
    store_fixture_begin(fixture);
    assert_int_equal(store_insert_submission(fixture->store, &row, &content, &request), STATUS_OK);

    assert_int_equal(store_find_request(fixture->store, "lms", "r-1", &id, digest), STATUS_OK);
    assert_int_equal(store_find_submitter(fixture->store, id, user), STATUS_OK);

    assert_int_equal(id, row.id);
    assert_memory_equal(digest, request.digest, sizeof digest);
    assert_string_equal(user, "lms");
    assert_int_equal(store_find_request(fixture->store, "other", "r-1", &id, digest), STATUS_NOT_FOUND);
    assert_int_equal(store_find_request(fixture->store, "lms", "r-2", &id, digest), STATUS_NOT_FOUND);
    assert_int_equal(store_find_request(fixture->store, "lms", "", &id, digest), STATUS_NOT_FOUND);
    store_fixture_commit(fixture);
}

static void a_request_id_that_is_taken_leaves_nothing_behind(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_content content = plain_content();
    struct store_request request = plain_request();
    request.request_id = "r-1";
    struct store_submission first = store_fixture_row(fixture);
    struct store_submission second = store_fixture_row(fixture);
    struct store_submission third = store_fixture_row(fixture);
    struct store_queue_counts counts;
    store_fixture_begin(fixture);
    assert_int_equal(store_insert_submission(fixture->store, &first, &content, &request), STATUS_OK);

    enum status repeated = store_insert_submission(fixture->store, &second, &content, &request);
    request.submitter = "another";
    enum status of_another = store_insert_submission(fixture->store, &third, &content, &request);

    assert_int_equal(repeated, STATUS_EXISTS);
    assert_int_equal(of_another, STATUS_OK);
    assert_int_equal(store_count_queue(fixture->store, fixture->queue_id, &counts), STATUS_OK);
    assert_int_equal(counts.ready, 2);
    store_fixture_commit(fixture);
}

static void a_result_is_saved_and_replaced(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_submission row = store_fixture_row(fixture);
    struct store_result saved = {.body = text("ok\0ok"), .body_length = 5, .attempt = 2, .generation = 1};
    struct store_result read;
    saved.completed_at_ms = 123;
    memset(saved.digest, 9, sizeof saved.digest);
    strcpy(saved.grader, "grader-1");
    store_fixture_begin(fixture);
    store_fixture_insert(fixture, &row);

    assert_int_equal(store_save_result(fixture->store, row.id, &saved), STATUS_OK);
    assert_int_equal(store_read_result(fixture->store, row.id, true, &read), STATUS_OK);
    assert_int_equal(read.body_length, 5);
    assert_memory_equal(read.body, "ok\0ok", 5);
    assert_int_equal(read.attempt, 2);
    assert_int_equal(read.generation, 1);
    assert_int_equal(read.completed_at_ms, 123);
    assert_string_equal(read.grader, "grader-1");
    assert_memory_equal(read.digest, saved.digest, sizeof read.digest);
    memory_free(read.body);

    saved.generation = 2;
    saved.body_length = 0;
    assert_int_equal(store_save_result(fixture->store, row.id, &saved), STATUS_OK);
    assert_int_equal(store_read_result(fixture->store, row.id, false, &read), STATUS_OK);
    assert_int_equal(read.generation, 2);
    assert_null(read.body);
    assert_int_equal(store_read_result(fixture->store, row.id, true, &read), STATUS_OK);
    assert_int_equal(read.body_length, 0);
    memory_free(read.body);
    store_fixture_commit(fixture);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_content_comes_back_byte_for_byte),
        STORE_TEST(an_empty_and_a_large_body_come_back),
        STORE_TEST(what_is_not_there_is_not_found),
        STORE_TEST(a_request_id_is_found_by_its_submitter_alone),
        STORE_TEST(a_request_id_that_is_taken_leaves_nothing_behind),
        STORE_TEST(a_result_is_saved_and_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
