/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * The folder of uploaded files: what is kept, found, doomed, removed; and what is left after a death.
 */
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
#include "service/file_folder.h"
#include "tests/support/fake_clock.h"

#define HOUR_MS   INT64_C(3600000)
#define HELLO_ID  "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // SHA-256 of "hello"
#define ABSENT_ID "0000000000000000000000000000000000000000000000000000000000000000"

struct fixture {
    char root[64];
    char path[96];
    struct fake_clock *clock;
    struct file_folder *folder;
    struct error error;
};

static void open_again(struct fixture *fixture)
{
    file_folder_close(fixture->folder);
    assert_int_equal(file_folder_open(fixture->path, fake_clock_base(fixture->clock), &fixture->folder, &fixture->error),
                     STATUS_OK);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    log_configure("test", LOG_ERROR, LOG_LOGFMT);
    (void)snprintf(fixture->root, sizeof fixture->root, "/tmp/xqueue-folder-XXXXXX");
    if (!mkdtemp(fixture->root)) {
        return -1;
    }
    (void)snprintf(fixture->path, sizeof fixture->path, "%s/files", fixture->root);
    fixture->clock = fake_clock_create(100 * HOUR_MS);
    *state = fixture;
    return file_folder_open(fixture->path, fake_clock_base(fixture->clock), &fixture->folder, &fixture->error) == STATUS_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[128];
    file_folder_close(fixture->folder);
    fake_clock_destroy(fixture->clock);
    (void)snprintf(command, sizeof command, "rm -r %s", fixture->root);
    int outcome = system(command); // NOLINT(bugprone-command-processor): a test's own folder
    free(fixture);
    return outcome;
}

static struct incoming_file *comes(struct fixture *fixture, const char *bytes)
{
    struct incoming_file *file = NULL;
    assert_int_equal(file_folder_begin(fixture->folder, &file, &fixture->error), STATUS_OK);
    assert_int_equal(incoming_file_add(file, bytes, strlen(bytes), &fixture->error), STATUS_OK);
    return file;
}

static struct kept_file keeps(struct fixture *fixture, const char *bytes)
{
    struct kept_file kept;
    assert_int_equal(incoming_file_keep(comes(fixture, bytes), NULL, &kept, &fixture->error), STATUS_OK);
    return kept;
}

static enum status find(struct fixture *fixture, const char *id)
{
    struct kept_file kept;
    return file_folder_find(fixture->folder, id, &kept, &fixture->error);
}

static int64_t now_ms(const struct fixture *fixture)
{
    return clock_now_ms(fake_clock_base(fixture->clock));
}

/* How many names the folder "name" below the path has. */
static int names_in(const struct fixture *fixture, const char *name)
{
    char command[160];
    int count = -1;
    (void)snprintf(command, sizeof command, "ls %s/%s | wc -l", fixture->path, name);
    FILE *pipe = popen(command, "r"); // NOLINT(bugprone-command-processor): a test's own folder
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%d", &count), 1); // NOLINT(cert-err34-c)
    assert_int_equal(pclose(pipe), 0);
    return count;
}

static void a_file_is_kept_under_its_digest(void **state)
{
    struct fixture *fixture = *state;
    struct incoming_file *file = comes(fixture, "hel");
    struct kept_file kept;
    struct kept_file found;
    char bytes[8] = {0};
    int descriptor = -1;
    assert_int_equal(incoming_file_add(file, "lo", 2, &fixture->error), STATUS_OK);
    assert_int_equal(incoming_file_bytes(file), 5);

    assert_int_equal(incoming_file_keep(file, NULL, &kept, &fixture->error), STATUS_OK);

    assert_string_equal(kept.id, HELLO_ID);
    assert_int_equal(kept.size_bytes, 5);
    assert_int_equal(kept.sha256[0], 0x2c);
    assert_int_equal(kept.sha256[SECRET_DIGEST_BYTES - 1], 0x24);
    open_again(fixture);
    assert_int_equal(file_folder_read(fixture->folder, HELLO_ID, &found, &descriptor, &fixture->error), STATUS_OK);
    assert_string_equal(found.id, kept.id);
    assert_int_equal(found.size_bytes, 5);
    assert_memory_equal(found.sha256, kept.sha256, sizeof kept.sha256);
    assert_int_equal(read(descriptor, bytes, sizeof bytes), 5);
    assert_string_equal(bytes, "hello");
    close(descriptor);
}

static void an_empty_file_is_a_file(void **state)
{
    struct kept_file kept = keeps(*state, "");

    assert_int_equal(kept.size_bytes, 0);
    assert_int_equal(find(*state, kept.id), STATUS_OK);
}

static void the_same_content_is_kept_once(void **state)
{
    struct fixture *fixture = *state;
    (void)keeps(fixture, "hello");
    (void)keeps(fixture, "hello");

    assert_int_equal(names_in(fixture, "2c"), 1);
    assert_int_equal(names_in(fixture, ".incoming"), 0);
}

static void another_digest_than_was_said_keeps_nothing(void **state)
{
    struct fixture *fixture = *state;
    const uint8_t digest[SECRET_DIGEST_BYTES] = {1};
    struct kept_file kept;

    enum status status = incoming_file_keep(comes(fixture, "hello"), digest, &kept, &fixture->error);

    assert_int_equal(status, STATUS_INVALID);
    assert_string_equal(fixture->error.reason, "DIGEST_MISMATCH");
    assert_int_equal(find(fixture, HELLO_ID), STATUS_NOT_FOUND);
    assert_int_equal(names_in(fixture, ".incoming"), 0);
}

static void what_is_dropped_or_left_behind_by_a_death_is_gone(void **state)
{
    struct fixture *fixture = *state;
    struct incoming_file *abandoned = comes(fixture, "hello");
    incoming_file_drop(comes(fixture, "hello"));
    assert_int_equal(names_in(fixture, ".incoming"), 1);

    struct file_folder *dead = fixture->folder;
    fixture->folder = NULL;
    open_again(fixture);

    assert_int_equal(names_in(fixture, ".incoming"), 0);
    incoming_file_drop(abandoned);
    file_folder_close(dead);
}

static void names_that_are_no_ids_are_not_found(void **state)
{
    struct fixture *fixture = *state;
    const char *const names[] = {"",   "..",      "../files",
                                 "2c", ABSENT_ID, "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824"};
    char longer[sizeof HELLO_ID + 1];
    (void)snprintf(longer, sizeof longer, "%s0", HELLO_ID);
    (void)keeps(fixture, "hello");
    assert_int_equal(find(fixture, longer), STATUS_NOT_FOUND);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(find(fixture, names[i]), STATUS_NOT_FOUND);
        assert_string_equal(fixture->error.reason, "FILE_NOT_FOUND");
    }
}

static bool count_one(void *context, const char *id)
{
    assert_true(file_id_is_valid(id));
    return ++*(int *)context < 2;
}

static int old_ones(struct fixture *fixture, int64_t before_ms)
{
    int count = 0;
    assert_int_equal(file_folder_visit(fixture->folder, 0x2c, before_ms, count_one, &count, &fixture->error), STATUS_OK);
    return count;
}

static void the_last_upload_says_how_old_a_file_is(void **state)
{
    struct fixture *fixture = *state;
    (void)keeps(fixture, "hello");
    int64_t first_ms = now_ms(fixture);
    assert_int_equal(old_ones(fixture, first_ms), 0);
    assert_int_equal(old_ones(fixture, first_ms + 1), 1);

    fake_clock_advance(fixture->clock, HOUR_MS);
    (void)keeps(fixture, "hello");

    assert_int_equal(old_ones(fixture, first_ms + 1), 0);
    assert_false(file_folder_doom(fixture->folder, HELLO_ID, first_ms + 1));
    assert_true(file_folder_doom(fixture->folder, HELLO_ID, now_ms(fixture) + 1));
}

static void a_doomed_file_is_found_no_more_and_then_removed(void **state)
{
    struct fixture *fixture = *state;
    (void)keeps(fixture, "hello");

    assert_true(file_folder_doom(fixture->folder, HELLO_ID, INT64_MAX));

    assert_int_equal(find(fixture, HELLO_ID), STATUS_NOT_FOUND);
    assert_false(file_folder_doom(fixture->folder, HELLO_ID, INT64_MAX));
    assert_true(file_folder_remove_doomed(fixture->folder, HELLO_ID));
    assert_int_equal(names_in(fixture, "2c"), 0);
    assert_false(file_folder_remove_doomed(fixture->folder, HELLO_ID));
    assert_false(file_folder_doom(fixture->folder, HELLO_ID, INT64_MAX));
}

static void who_uploads_a_doomed_file_again_has_it(void **state)
{
    struct fixture *fixture = *state;
    (void)keeps(fixture, "hello");
    assert_true(file_folder_doom(fixture->folder, HELLO_ID, INT64_MAX));

    (void)keeps(fixture, "hello");

    assert_false(file_folder_remove_doomed(fixture->folder, HELLO_ID));
    assert_int_equal(find(fixture, HELLO_ID), STATUS_OK);
}

static void a_spared_file_is_found_again(void **state)
{
    struct fixture *fixture = *state;
    (void)keeps(fixture, "hello");
    assert_true(file_folder_doom(fixture->folder, HELLO_ID, INT64_MAX));

    file_folder_spare(fixture->folder, HELLO_ID);

    assert_int_equal(find(fixture, HELLO_ID), STATUS_OK);
    assert_false(file_folder_remove_doomed(fixture->folder, HELLO_ID));
}

static void a_folder_that_cannot_be_made_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct file_folder *folder = NULL;
    char path[160];
    (void)snprintf(path, sizeof path, "%s/no/such", fixture->root);

    enum status status = file_folder_open(path, fake_clock_base(fixture->clock), &folder, &fixture->error);

    assert_int_equal(status, STATUS_UNAVAILABLE);
    assert_string_equal(fixture->error.reason, "STORAGE_FAILED");
    assert_non_null(strstr(fixture->error.text, "no/such"));
}

static void nobody_else_can_read_what_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct stat about;
    char path[256];
    (void)keeps(fixture, "hello");
    assert_int_equal(stat(fixture->path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
    (void)snprintf(path, sizeof path, "%s/2c/%s", fixture->path, HELLO_ID);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_kept_under_its_digest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_file_is_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_content_is_kept_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_digest_than_was_said_keeps_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_dropped_or_left_behind_by_a_death_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_that_are_no_ids_are_not_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_upload_says_how_old_a_file_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_doomed_file_is_found_no_more_and_then_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_uploads_a_doomed_file_again_has_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_spared_file_is_found_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_made_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_else_can_read_what_is_kept, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
