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

#include "base/clock.h"
#include "base/log.h"
#include "rest-adapter/file_sweep.h"

#define KEY "0123456789abcdef0123456789abcde"
#define NOW INT64_C(2000000000000)
#define DAY INT64_C(86400000)

static char folder[64];
static struct file_sweep_options options;

static int start(void **state)
{
    (void)state;
    log_configure("test", LOG_WARN, LOG_LOGFMT);
    (void)snprintf(folder, sizeof(folder), "/tmp/xqueue-sweep-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    options.folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(options.folder, ".incoming", 0700) != 0) {
        return -1;
    }
    options.incoming = openat(options.folder, ".incoming", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    options.keep_ms = 10 * DAY;
    return 0;
}

static int stop(void **state)
{
    char command[128];

    (void)state;
    close(options.incoming);
    close(options.folder);
    (void)snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command); // NOLINT(bugprone-command-processor): a test's own folder
}

static void put(const char *name, int64_t age_ms)
{
    const struct timespec at = {.tv_sec = (NOW - age_ms) / 1000};
    const struct timespec times[2] = {at, at};
    int descriptor = openat(options.folder, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(descriptor >= 0);
    assert_int_equal(futimens(descriptor, times), 0);
    close(descriptor);
}

static void put_folder(const char *name)
{
    assert_int_equal(mkdirat(options.folder, name, 0700), 0);
}

static bool is_there(const char *name)
{
    return faccessat(options.folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A whole walk; how many steps it took. */
static int walk(struct file_sweep *sweep)
{
    int steps = 1;

    while (file_sweep_tick(sweep, NOW) == FILE_SWEEP_PAUSE_MS) {
        steps++;
    }
    return steps;
}

static void walk_once(void)
{
    struct file_sweep *sweep = file_sweep_create(&options);

    (void)walk(sweep);
    file_sweep_destroy(sweep);
}

static void files_older_than_their_urls_go_and_younger_ones_stay(void **state)
{
    (void)state;
    put_folder("q");
    put("q/" KEY "0", 10 * DAY + 2000);
    put("q/" KEY "1", 10 * DAY - 2000);

    walk_once();

    assert_false(is_there("q/" KEY "0"));
    assert_true(is_there("q/" KEY "1"));
}

static void an_upload_that_nobody_finishes_goes_after_a_day(void **state)
{
    (void)state;
    put(".incoming/" KEY "0", DAY + 2000);
    put(".incoming/" KEY "1", DAY - 2000);
    options.keep_ms = 0;

    walk_once();

    assert_false(is_there(".incoming/" KEY "0"));
    assert_true(is_there(".incoming/" KEY "1"));
    assert_true(is_there(".incoming"));
}

static void nothing_goes_when_files_are_kept_for_ever(void **state)
{
    (void)state;
    put_folder("q");
    put("q/" KEY "0", 1000 * DAY);
    options.keep_ms = 0;

    walk_once();

    assert_true(is_there("q/" KEY "0"));
}

static void a_shelf_goes_with_its_last_file(void **state)
{
    (void)state;
    put_folder("all old");
    put("all old/" KEY "0", 11 * DAY);
    put("all old/" KEY "1", 11 * DAY);
    put_folder("empty");

    walk_once();

    assert_false(is_there("all old"));
    assert_false(is_there("empty"));
}

static void what_is_not_ours_stays_however_old(void **state)
{
    (void)state;
    put(".key", 1000 * DAY);
    put(KEY "0", 1000 * DAY); // not on a shelf
    put_folder("q");
    put("q/README", 1000 * DAY);
    put("q/" KEY "G", 1000 * DAY);
    put_folder(".hidden");
    put(".hidden/" KEY "0", 1000 * DAY);
    put_folder("q/" KEY "1");
    put("q/" KEY "1/" KEY "2", 1000 * DAY);
    assert_int_equal(symlinkat("/etc", options.folder, "link"), 0);
    assert_int_equal(symlinkat("/etc/passwd", options.folder, "q/" KEY "3"), 0);

    walk_once();

    assert_true(is_there(".key"));
    assert_true(is_there(KEY "0"));
    assert_true(is_there("q/README"));
    assert_true(is_there("q/" KEY "G"));
    assert_true(is_there(".hidden/" KEY "0"));
    assert_true(is_there("q/" KEY "1/" KEY "2"));
    assert_true(is_there("link"));
    assert_true(is_there("q/" KEY "3"));
}

static void a_walk_goes_in_small_steps_and_leaves_nothing_out(void **state)
{
    enum { SHELVES = 3, FILES = FILE_SWEEP_STEP_NAMES };
    struct file_sweep *sweep = file_sweep_create(&options);
    char name[64];

    (void)state;
    for (int shelf = 0; shelf < SHELVES; shelf++) {
        (void)snprintf(name, sizeof(name), "q%d", shelf);
        put_folder(name);
        for (int i = 0; i < FILES; i++) {
            (void)snprintf(name, sizeof(name), "q%d/%032x", shelf, (unsigned)i);
            put(name, 11 * DAY);
        }
    }

    assert_true(walk(sweep) > SHELVES);
    assert_false(is_there("q0") || is_there("q1") || is_there("q2"));

    put_folder("q0");
    put("q0/" KEY "0", 11 * DAY);
    (void)walk(sweep); // the next walk starts anew
    assert_false(is_there("q0"));
    file_sweep_destroy(sweep);
}

static void a_walk_that_is_given_up_holds_nothing(void **state)
{
    struct file_sweep *sweep = file_sweep_create(&options);
    char name[64];

    (void)state;
    put_folder("q");
    for (unsigned i = 0; i < 2 * FILE_SWEEP_STEP_NAMES; i++) {
        (void)snprintf(name, sizeof(name), "q/%032x", i);
        put(name, 0);
    }
    assert_int_equal(file_sweep_tick(sweep, NOW), FILE_SWEEP_PAUSE_MS);
    file_sweep_destroy(sweep); // the sanitizer looks for what is left
}

static void the_thread_sweeps_at_once_and_stops_when_told(void **state)
{
    struct file_sweeper *sweeper = NULL;
    const int64_t deadline_us = clock_monotonic_us() + 20000000;

    (void)state;
    put(".incoming/" KEY "0", NOW); // 1970
    assert_int_equal(file_sweeper_start(&options, &sweeper), STATUS_OK);
    while (is_there(".incoming/" KEY "0") && clock_monotonic_us() < deadline_us) {
    }
    file_sweeper_stop(sweeper);
    assert_false(is_there(".incoming/" KEY "0"));
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(files_older_than_their_urls_go_and_younger_ones_stay),
        IN_FOLDER(an_upload_that_nobody_finishes_goes_after_a_day),
        IN_FOLDER(nothing_goes_when_files_are_kept_for_ever),
        IN_FOLDER(a_shelf_goes_with_its_last_file),
        IN_FOLDER(what_is_not_ours_stays_however_old),
        IN_FOLDER(a_walk_goes_in_small_steps_and_leaves_nothing_out),
        IN_FOLDER(a_walk_that_is_given_up_holds_nothing),
        IN_FOLDER(the_thread_sweeps_at_once_and_stops_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
