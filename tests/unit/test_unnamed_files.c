/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * Uploaded files and the submissions that name them: who keeps whom.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/submitted_files.h"
#include "service/unnamed_files.h"
#include "tests/support/fake_clock.h"
#include "tests/support/queue_fixture.h"

#define KEEP_MS INT64_C(3600000)

struct world {
    char path[160];
    struct queue_fixture *queue;
    struct fake_clock *clock;
    struct file_folder *folder;
    struct engine *engine;
    struct unnamed_files *walker;
};

static int set_up(void **state)
{
    struct world *world = MEMORY_NEW(struct world);
    struct error error;
    log_configure("test", LOG_ERROR, LOG_LOGFMT);
    world->queue = queue_fixture_create(NULL);
    world->clock = fake_clock_create(QUEUE_FIXTURE_START_MS);
    (void)snprintf(world->path, sizeof world->path, "%s/files", world->queue->folder);
    *state = world;
    if (file_folder_open(world->path, fake_clock_base(world->clock), &world->folder, &error) != STATUS_OK) {
        return -1;
    }
    world->queue->queues->files = world->folder;
    return 0;
}

/* From here on the queue is the engine's. */
static void walker_starts(struct world *world)
{
    const struct engine_options options = {.clock = fake_clock_base(world->clock),
                                           .store = world->queue->store,
                                           .queues = world->queue->queues,
                                           .commands_max = 10};
    world->engine = engine_create(&options);
    assert_non_null(world->engine);
    const struct unnamed_files_options walk = {
        .clock = fake_clock_base(world->clock), .engine = world->engine, .folder = world->folder, .keep_ms = KEEP_MS};
    world->walker = unnamed_files_start(&walk);
    assert_non_null(world->walker);
}

/* Both threads sleep: the walk is over. */
static void walk_ends(struct world *world)
{
    (void)fake_clock_await_waiter(world->clock, 2);
}

static void next_walk(struct world *world)
{
    fake_clock_advance(world->clock, UNNAMED_FILES_PERIOD_MS_MAX);
    walk_ends(world);
}

static int tear_down(void **state)
{
    struct world *world = *state;
    char command[200];
    unnamed_files_stop(world->walker);
    engine_destroy(world->engine);
    file_folder_close(world->folder);
    (void)snprintf(command, sizeof command, "rm -r %s", world->path);
    int outcome = system(command); // NOLINT(bugprone-command-processor): a test's own folder
    queue_fixture_destroy(world->queue);
    fake_clock_destroy(world->clock);
    memory_free(world);
    return outcome;
}

static struct kept_file uploads(struct world *world, const char *bytes)
{
    struct incoming_file *file = NULL;
    struct kept_file kept;
    struct error error;
    assert_int_equal(file_folder_begin(world->folder, &file, &error), STATUS_OK);
    assert_int_equal(incoming_file_add(file, bytes, strlen(bytes), &error), STATUS_OK);
    assert_int_equal(incoming_file_keep(file, NULL, &kept, &error), STATUS_OK);
    return kept;
}

static bool is_there(struct world *world, const struct kept_file *kept)
{
    struct kept_file found;
    return file_folder_find(world->folder, kept->id, &found, NULL) == STATUS_OK;
}

/* A submission that names the file. */
static int64_t submits(struct world *world, struct kept_file *kept)
{
    char name[] = "main.py";
    char none[] = "";
    struct store_file file = {.name = name, .url = none, .file_id = kept->id, .filename = name};
    struct submit_order order = submission_of("demo", "body");
    struct submit_receipt receipt;
    assert_int_equal(submitted_files_find(world->queue->queues, &file, 1, &world->queue->error), STATUS_OK);
    assert_int_equal(file.size_bytes, kept->size_bytes);
    assert_true(file.has_sha256);
    assert_memory_equal(file.sha256, kept->sha256, sizeof file.sha256);
    order.content.files = &file;
    order.content.file_count = 1;
    assert_int_equal(lms_tries(world->queue, &order, &receipt), STATUS_OK);
    memory_free(receipt.superseded_ids);
    return receipt.submission_id;
}

static void a_file_that_nobody_names_is_removed_in_time_and_others_stay(void **state)
{
    struct world *world = *state;
    struct kept_file named = uploads(world, "named");
    struct kept_file unnamed = uploads(world, "unnamed");
    (void)submits(world, &named);
    walker_starts(world);
    walk_ends(world);
    assert_true(is_there(world, &unnamed));

    fake_clock_advance(world->clock, KEEP_MS - UNNAMED_FILES_PERIOD_MS_MAX);
    walk_ends(world);
    struct kept_file young = uploads(world, "young");
    assert_true(is_there(world, &unnamed));
    next_walk(world);
    next_walk(world);

    assert_false(is_there(world, &unnamed));
    assert_true(is_there(world, &named));
    assert_true(is_there(world, &young));
}

static void with_its_submission_goes_its_file(void **state)
{
    struct world *world = *state;
    struct kept_file named = uploads(world, "named");
    int64_t id = submits(world, &named);
    turn_begins(world->queue);
    assert_int_equal(store_delete_submission(world->queue->store, id), STATUS_OK);
    turn_ends(world->queue);
    assert_int_equal(queues_reload(world->queue->queues), STATUS_OK);

    fake_clock_advance(world->clock, KEEP_MS + 1);
    walker_starts(world);
    walk_ends(world);

    assert_false(is_there(world, &named));
}

/* The next number after this one whose "file NUMBER" lies on the shelf "00". */
static int next_on_first_shelf(int number)
{
    uint8_t digest[SECRET_DIGEST_BYTES];
    char bytes[32];
    do {
        number++;
        int length = snprintf(bytes, sizeof bytes, "file %d", number);
        secret_digest(bytes, (size_t)length, digest);
    } while (digest[0] != 0);
    return number;
}

static void more_files_than_one_check_takes_are_all_looked_at(void **state)
{
    enum { MANY = 3 * FILE_FOLDER_DOOMED_MAX };
    struct world *world = *state;
    static struct kept_file kept[MANY];
    char bytes[32];
    int number = 0;
    for (int i = 0; i < MANY; i++) {
        number = next_on_first_shelf(number);
        (void)snprintf(bytes, sizeof bytes, "file %d", number);
        kept[i] = uploads(world, bytes);
    }
    (void)submits(world, &kept[7]);

    fake_clock_advance(world->clock, KEEP_MS + 1);
    walker_starts(world);
    walk_ends(world);

    for (int i = 0; i < MANY; i++) {
        assert_int_equal(is_there(world, &kept[i]), i == 7);
    }
}

static void a_file_that_is_not_there_or_another_is_refused(void **state)
{
    struct world *world = *state;
    struct kept_file kept = uploads(world, "named");
    char name[] = "main.py";
    char none[] = "";
    struct error error;
    struct store_file file = {.name = name, .url = none, .file_id = kept.id, .filename = name, .size_bytes = 4};

    assert_int_equal(submitted_files_find(world->queue->queues, &file, 1, &error), STATUS_INVALID);
    assert_string_equal(error.reason, "FILE_MISMATCH");
    file.size_bytes = 0;
    file.has_sha256 = true;
    assert_int_equal(submitted_files_find(world->queue->queues, &file, 1, &error), STATUS_INVALID);
    file.has_sha256 = false;
    kept.id[0] = kept.id[0] == '0' ? '1' : '0';
    assert_int_equal(submitted_files_find(world->queue->queues, &file, 1, &error), STATUS_NOT_FOUND);
    assert_string_equal(error.reason, "FILE_NOT_FOUND");
    world->queue->queues->files = NULL;
    assert_int_equal(submitted_files_find(world->queue->queues, &file, 1, &error), STATUS_NOT_FOUND);
    file.file_id = none; /* only a URL: not ours to know */
    assert_int_equal(submitted_files_find(world->queue->queues, &file, 1, &error), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_that_nobody_names_is_removed_in_time_and_others_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(with_its_submission_goes_its_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_files_than_one_check_takes_are_all_looked_at, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_not_there_or_another_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
