/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rest-adapter/http_spool.h"

enum { SPOOL_BYTES_MAX = 100000, PIECE = 10000, TWO_PIECES = 2 * PIECE };

static struct http_spool *spool;
static char folder[64];

static int open_spool(void **state)
{
    struct error error;

    (void)state;
    strcpy(folder, "/tmp/xqueue-spool-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(http_spool_create(folder, SPOOL_BYTES_MAX, &spool, &error), STATUS_OK);
    return 0;
}

static int close_spool(void **state)
{
    (void)state;
    http_spool_destroy(spool); // asserts that nothing lies in files
    assert_int_equal(rmdir(folder), 0);
    return 0;
}

static void append(struct http_body *body, char byte, size_t length, enum status expected)
{
    char bytes[PIECE];

    memset(bytes, byte, length);
    assert_int_equal(http_body_append(body, bytes, length), expected);
}

static void a_small_body_stays_in_memory(void **state)
{
    struct http_body body;

    (void)state;
    http_body_init(&body, spool);
    append(&body, 'a', PIECE, STATUS_OK);
    append(&body, 'b', HTTP_SPOOL_MEMORY_BYTES_MAX - PIECE, STATUS_OK);
    assert_int_equal(body.file, -1);
    assert_int_equal(body.bytes, HTTP_SPOOL_MEMORY_BYTES_MAX);
    assert_int_equal(body.memory.bytes[PIECE], 'b');
    assert_int_equal(http_spool_bytes(spool), 0);
    http_body_finish(&body);
}

static size_t count_names(void)
{
    DIR *opened = opendir(folder);
    size_t count = 0;

    assert_non_null(opened);
    while (readdir(opened) != NULL) {
        count++;
    }
    closedir(opened);
    return count - 2; // "." and ".."
}

static void a_larger_one_becomes_a_file_without_a_name_and_in_order(void **state)
{
    struct http_body body;
    char bytes[3 * PIECE];

    (void)state;
    http_body_init(&body, spool);
    append(&body, 'a', PIECE, STATUS_OK);
    append(&body, 'b', PIECE, STATUS_OK);
    append(&body, 'c', PIECE, STATUS_OK);
    assert_int_equal(count_names(), 0);
    assert_int_equal(http_spool_bytes(spool), sizeof(bytes));
    assert_null(body.memory.bytes);
    assert_int_equal(pread(body.file, bytes, sizeof(bytes), 0), sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        assert_int_equal(bytes[i], "abc"[i / PIECE]);
    }
    http_body_finish(&body);
    assert_int_equal(http_spool_bytes(spool), 0);
}

static void all_files_together_are_bounded_to_the_byte(void **state)
{
    struct http_body first;
    struct http_body second;

    (void)state;
    http_body_init(&first, spool);
    http_body_init(&second, spool);
    for (int i = 0; i < SPOOL_BYTES_MAX / PIECE - 2; i++) {
        append(&first, 'a', PIECE, STATUS_OK);
    }
    append(&second, 'b', PIECE, STATUS_OK); // in memory
    append(&second, 'b', PIECE, STATUS_OK); // fills it up
    append(&first, 'a', 1, STATUS_FULL);
    append(&second, 'b', 1, STATUS_FULL);
    http_body_finish(&first);
    append(&second, 'b', 1, STATUS_OK);
    http_body_finish(&second);
}

static void a_file_that_was_taken_counts_until_it_is_released(void **state)
{
    struct http_body body;
    int file = -1;

    (void)state;
    http_body_init(&body, spool);
    append(&body, 'a', PIECE, STATUS_OK);
    append(&body, 'a', PIECE, STATUS_OK);
    file = http_body_take_file(&body);
    assert_int_equal(body.bytes, 0);
    http_body_finish(&body);
    assert_int_equal(http_spool_bytes(spool), TWO_PIECES);
    close(file);
    http_spool_release(spool, TWO_PIECES);
}

static void a_folder_that_is_not_there_is_a_clear_error(void **state)
{
    struct http_spool *none = NULL;
    struct error error = {0};

    (void)state;
    assert_int_equal(http_spool_create("/nowhere/at/all", 1, &none, &error), STATUS_UNAVAILABLE);
    assert_non_null(strstr(error.text, "/nowhere/at/all"));
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_body_stays_in_memory),
        cmocka_unit_test(a_larger_one_becomes_a_file_without_a_name_and_in_order),
        cmocka_unit_test(all_files_together_are_bounded_to_the_byte),
        cmocka_unit_test(a_file_that_was_taken_counts_until_it_is_released),
        cmocka_unit_test(a_folder_that_is_not_there_is_a_clear_error),
    };
    return cmocka_run_group_tests(tests, open_spool, close_spool);
}
