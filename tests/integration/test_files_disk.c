/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* The disk under the uploaded files fails at each step of a submit: it says so, nothing of it stays, and the next one works. */
#include <ftw.h>
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

#include "tests/support/conversation.h"

enum { OPEN_FILES_MAX = 8 };

struct world {
    struct conversation *talk;
    char disk[RUNNING_SERVICE_TEXT_MAX + sizeof("XQUEUE_TEST_DISK=")];
    const char *environment[4];
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    *state = world;
    world->talk = conversation_start(NULL);
    running_service_stop_rest(&world->talk->service);
    (void)snprintf(world->disk, sizeof(world->disk), "XQUEUE_TEST_DISK=%s", world->talk->service.folder);
    world->environment[0] = "LD_PRELOAD=" FAILING_DISK;
    world->environment[1] = world->disk;
    world->environment[2] = "ASAN_OPTIONS=verify_asan_link_order=0";
    world->talk->service.rest_options.environment = world->environment;
    running_service_start_rest(&world->talk->service);
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    bool is_fine = conversation_finish(world->talk);

    free(world);
    return is_fine ? 0 : -1;
}

static size_t found;

/* Everything but the folders that are always there and the secret. */
static int count_entry(const char *path, const struct stat *about, int flag, struct FTW *where)
{
    const char *name = path + where->base;

    (void)about;
    (void)flag;
    found += where->level > 0 && strcmp(name, ".incoming") != 0 && strcmp(name, ".key") != 0;
    return 0;
}

static size_t entries_of_files(const struct world *world)
{
    char path[RUNNING_SERVICE_TEXT_MAX];

    found = 0;
    assert_int_equal(nftw(running_service_path(&world->talk->service, "files", path), count_entry, OPEN_FILES_MAX, FTW_PHYS),
                     0);
    return found;
}

static int submit_with_file(struct world *world)
{
    const struct rest_submission submission = {.queue = "calm",
                                               .callback_url = "http://127.0.0.1:9/",
                                               .body = "b",
                                               .file_field = "f",
                                               .file_name = "f.py",
                                               .file_bytes = "print()"};

    return rest_client_submit(&world->talk->client, &submission);
}

static long waiting(struct world *world)
{
    struct rest_client poller;

    rest_client_init(&poller, world->talk->service.rest_port, "grader");
    long count = rest_client_queue_length(&poller, "calm");
    rest_client_finish(&poller);
    return count;
}

/* One order: refused while it holds, nothing stays, and afterwards all is well. */
static void check_order(struct world *world, const char *order)
{
    char path[RUNNING_SERVICE_TEXT_MAX];
    const long before = waiting(world);
    const size_t entries = entries_of_files(world);
    FILE *file = fopen(running_service_path(&world->talk->service, order, path), "we");

    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    for (int repeated = 0; repeated < 3; repeated++) {
        if (submit_with_file(world) != 503) {
            fail_msg("%s: %d %s", order, world->talk->client.answer.status, world->talk->client.answer.body.bytes);
        }
        assert_int_equal(world->talk->client.return_code, 1);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(entries_of_files(world), entries);
    assert_int_equal(waiting(world), before);

    assert_int_equal(submit_with_file(world), 200);
    assert_int_equal(world->talk->client.return_code, 0);
    assert_true(entries_of_files(world) > entries);
}

static void each_failure_of_the_disk_is_a_temporary_one_and_leaves_nothing_behind(void **state)
{
    static const char *const orders[] = {"full",        "broken",        "full-fsync",   "broken-fsync",
                                         "full-rename", "broken-rename", "broken-folder"};
    struct world *world = *state;

    assert_int_equal(entries_of_files(world), 0);
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        check_order(world, orders[i]);
        // once, however often it was asked, and once when it was over
        assert_int_equal(running_program_count(world->talk->service.rest, "event=files_failed"), i + 1);
        assert_int_equal(running_program_count(world->talk->service.rest, "event=files_stored_again"), i + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_failure_of_the_disk_is_a_temporary_one_and_leaves_nothing_behind, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
