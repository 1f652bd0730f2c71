/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_store_test_support */
/*
 * Copies of a database that is being written to: what is in them, who may read them, and what is left of those that failed.
 */
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

#include "base/memory.h"
#include "service/store/store_backup.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/store_fixture.h"

enum { BODY_BYTES = 100000, SUBMISSIONS = 40, ROUNDS_MAX = 2000, PATH_BYTES_MAX = 256 };

struct world {
    struct store_fixture *fixture;
    char target[PATH_BYTES_MAX];
    char partial[PATH_BYTES_MAX + 16];
    int asked; /* how often it was asked whether the copy goes on */
    int stop_at;
};

static int install(void **state)
{
    (void)state;
    faulty_vfs_install();
    return 0;
}

static int uninstall(void **state)
{
    (void)state;
    faulty_vfs_remove();
    return 0;
}

static int set_up(void **state)
{
    struct world *world = MEMORY_NEW(struct world);
    void *fixture = NULL;
    if (store_fixture_setup(&fixture) != 0)
        return -1;
    world->fixture = fixture;
    snprintf(world->target, sizeof world->target, "%s-copy", world->fixture->path);
    snprintf(world->partial, sizeof world->partial, "%s.partial", world->target);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    void *fixture = world->fixture;
    static const char *const suffixes[] = {"", ".partial", "-wal", "-shm", ".lock"};
    for (size_t at = 0; at < sizeof suffixes / sizeof suffixes[0]; at++) {
        char path[PATH_BYTES_MAX + 16];
        snprintf(path, sizeof path, "%s%s", world->target, suffixes[at]);
        unlink(path);
    }
    memory_free(world);
    return store_fixture_teardown(&fixture);
}

static int64_t submits(struct world *world)
{
    static char nothing[] = "";
    static char body[BODY_BYTES];
    const struct store_content content = {.callback_url = nothing,
                                          .results_channel = nothing,
                                          .trace_parent = nothing,
                                          .trace_state = nothing,
                                          .body = body,
                                          .body_length = sizeof body};
    const struct store_request request = {.submitter = "lms", .request_id = "", .fairness_key = ""};
    struct store_submission row = {.state = SUBMISSION_READY, .rank = 1};
    struct store *store = world->fixture->store;
    store_fixture_begin(world->fixture);
    assert_int_equal(store_queue_id(store, "demo", &row.queue_id), STATUS_OK);
    assert_int_equal(store_insert_submission(store, &row, &content, &request), STATUS_OK);
    store_fixture_commit(world->fixture);
    return row.id;
}

static bool goes_on(void *context)
{
    struct world *world = context;
    return ++world->asked != world->stop_at;
}

/* The service writes while the copy is made, and checkpoints as it does. */
static bool goes_on_while_others_write(void *context)
{
    struct world *world = context;
    submits(world);
    assert_int_equal(store_checkpoint(world->fixture->store, 0), STATUS_OK);
    return ++world->asked > 0;
}

static enum status copies(struct world *world, bool (*asked)(void *context), struct error *error)
{
    int64_t bytes = 0;
    const struct store_backup backup = {
        .database = world->fixture->path, .target = world->target, .goes_on = asked, .context = world};
    *error = (struct error){0};
    enum status status = store_backup(&backup, &bytes, error);
    struct stat file;
    assert_int_equal(status == STATUS_OK, bytes > 0);
    assert_int_not_equal(stat(world->partial, &file), 0);
    return status;
}

/* How many submissions the copy has; it must open. */
static int64_t count_in_copy(struct world *world)
{
    struct error error = {0};
    struct store *store = NULL;
    int64_t count = 0;
    struct store_submission row;
    struct store_place place = store_walk_start();
    assert_int_equal(store_open(world->target, &store, &error), STATUS_OK);
    assert_int_equal(store_begin(store), STATUS_OK);
    while (store_walk_next(store, STORE_WALK_ALL, 0, &place, &row) == STATUS_OK) {
        struct store_content content;
        assert_int_equal(store_read_content(store, row.id, &content), STATUS_OK);
        assert_int_equal(content.body_length, BODY_BYTES);
        store_content_finish(&content);
        count++;
    }
    store_rollback(store);
    store_close(store);
    return count;
}

static void a_copy_holds_what_was_committed_before_it(void **state)
{
    struct world *world = *state;
    struct error error;
    struct stat file;
    for (int i = 0; i < SUBMISSIONS; i++)
        submits(world);

    assert_int_equal(copies(world, goes_on, &error), STATUS_OK);

    assert_true(world->asked > 1);
    assert_int_equal(stat(world->target, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    submits(world);
    assert_int_equal(count_in_copy(world), SUBMISSIONS);
}

static void a_copy_is_of_one_moment_however_much_is_written_meanwhile(void **state)
{
    struct world *world = *state;
    struct error error;
    for (int i = 0; i < SUBMISSIONS; i++)
        submits(world);

    assert_int_equal(copies(world, goes_on_while_others_write, &error), STATUS_OK);

    assert_true(world->asked > 1);
    assert_int_equal(count_in_copy(world), SUBMISSIONS);
    store_fixture_reopen(world->fixture); /* and the database itself is whole */
}

static void what_is_there_is_never_written_over(void **state)
{
    struct world *world = *state;
    struct error error;
    submits(world);
    assert_int_equal(copies(world, NULL, &error), STATUS_OK);
    submits(world);

    assert_int_equal(copies(world, NULL, &error), STATUS_EXISTS);

    assert_string_equal(error.reason, "BACKUP_EXISTS");
    assert_int_equal(count_in_copy(world), 1);
}

static void a_copy_that_is_given_up_leaves_nothing(void **state)
{
    struct world *world = *state;
    struct error error;
    struct stat file;
    for (int i = 0; i < SUBMISSIONS; i++)
        submits(world);
    world->stop_at = 2;

    assert_int_equal(copies(world, goes_on, &error), STATUS_CANCELED);

    assert_int_not_equal(stat(world->target, &file), 0);
    world->stop_at = 0;
    assert_int_equal(copies(world, goes_on, &error), STATUS_OK);
    assert_int_equal(count_in_copy(world), SUBMISSIONS);
}

static void a_folder_that_is_not_there_is_told(void **state)
{
    struct world *world = *state;
    struct error error;
    snprintf(world->target, sizeof world->target, "%s/nowhere/copy", world->fixture->path);
    snprintf(world->partial, sizeof world->partial, "%s.partial", world->target);

    assert_int_equal(copies(world, NULL, &error), STATUS_UNAVAILABLE);

    assert_string_equal(error.reason, "BACKUP_FAILED");
    assert_true(strlen(error.text) > 0);
}

static void a_disk_that_is_full_at_any_write_leaves_nothing_and_harms_nobody(void **state)
{
    struct world *world = *state;
    struct error error;
    struct stat file;
    for (int i = 0; i < 3; i++)
        submits(world);
    assert_int_equal(store_checkpoint(world->fixture->store, 0), STATUS_OK);
    for (int nth = 1; nth < ROUNDS_MAX; nth++) {
        faulty_vfs_fail(FAULTY_WRITE_FULL, nth);
        enum status status = copies(world, NULL, &error);
        bool failed = faulty_vfs_has_failed();
        faulty_vfs_heal();
        assert_int_equal(status, failed ? STATUS_FULL : STATUS_OK);
        assert_int_equal(stat(world->target, &file) == 0, !failed);
        if (!failed) {
            assert_true(nth > 1);
            assert_int_equal(count_in_copy(world), 3);
            submits(world);
            return;
        }
    }
    fail_msg("the copy never succeeded");
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_copy_holds_what_was_committed_before_it), TEST(a_copy_is_of_one_moment_however_much_is_written_meanwhile),
        TEST(what_is_there_is_never_written_over),       TEST(a_copy_that_is_given_up_leaves_nothing),
        TEST(a_folder_that_is_not_there_is_told),        TEST(a_disk_that_is_full_at_any_write_leaves_nothing_and_harms_nobody),
    };
    return cmocka_run_group_tests(tests, install, uninstall);
}
