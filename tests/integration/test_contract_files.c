/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/*
 * Files that come over the contract, by a public client: up, named, down; large ones, refused ones, a kill in between, a full
 * disk.
 */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/support/conversation.h"

#define LIMITS "  file_bytes_max: 50000000\n  file_streams_max: 4\n"

static struct running_program *client_starts(struct conversation *talk, const char *step)
{
    char work[RUNNING_SERVICE_TEXT_MAX];
    char pid[32];
    (void)snprintf(pid, sizeof(pid), "%d", (int)running_program_pid(talk->service.xqueued));
    const char *const arguments[] = {"/usr/bin/python3",
                                     XQUEUE_SOURCE_DIR "/tests/integration/python/files_client.py",
                                     talk->service.core,
                                     XQUEUE_SOURCE_DIR "/proto",
                                     XQUEUE_STANDARD_PROTOS,
                                     running_service_path(&talk->service, "modules", work),
                                     step,
                                     pid,
                                     NULL};
    const struct running_program_options options = {.arguments = arguments};

    (void)mkdir(work, 0700);
    return running_program_start(&options);
}

static void client_does(struct conversation *talk, const char *step)
{
    assert_true(running_program_ends_saying(client_starts(talk, step), "fine"));
}

static size_t names_on_the_way(const struct conversation *talk)
{
    char path[RUNNING_SERVICE_TEXT_MAX];
    DIR *folder = opendir(running_service_path(&talk->service, "xqueue.db.files/.incoming", path));
    size_t count = 0;

    assert_non_null(folder);
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        count += entry->d_name[0] != '.' ? 1 : 0;
    }
    closedir(folder);
    return count;
}

static struct conversation *start(const char *service)
{
    const struct running_service_options options = {.service = service};
    return conversation_start_core(&options);
}

static void files_go_up_are_named_and_come_down(void **state)
{
    static const char *const little_kept[] = {RUNNING_PROGRAM_LITTLE_KEPT, NULL}; /* the client measures */
    struct conversation *talk = start(LIMITS "  file_unnamed_ms: 1000\n");

    (void)state;
    running_service_stop_core(&talk->service);
    talk->service.xqueued_options.environment = little_kept;
    running_service_start_core(&talk->service);
    client_does(talk, "all");
    assert_int_equal(names_on_the_way(talk), 0);
    assert_true(conversation_finish(talk));
}

static void a_file_that_was_acknowledged_survives_a_kill_and_half_a_file_does_not(void **state)
{
    struct conversation *talk = start(LIMITS);
    struct running_program *hanging = NULL;

    (void)state;
    client_does(talk, "keep");
    hanging = client_starts(talk, "hang");
    assert_true(running_program_await(hanging, "hanging", 1));
    assert_int_equal(names_on_the_way(talk), 1);
    running_service_kill_core(&talk->service);
    running_program_signal(hanging, SIGKILL);
    (void)running_program_wait(hanging);
    running_program_destroy(hanging);
    running_service_start_core(&talk->service);

    assert_int_equal(names_on_the_way(talk), 0);
    client_does(talk, "find");
    assert_true(conversation_finish(talk));
}

static void a_full_disk_is_said_and_the_service_goes_on(void **state)
{
    struct conversation *talk = start(LIMITS);

    (void)state;
    running_service_stop_core(&talk->service);
    talk->service.xqueued_options.file_bytes_max = 10000000;
    running_service_start_core(&talk->service);

    client_does(talk, "full");

    assert_int_equal(names_on_the_way(talk), 0);
    assert_true(conversation_finish(talk));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_go_up_are_named_and_come_down),
        cmocka_unit_test(a_file_that_was_acknowledged_survives_a_kill_and_half_a_file_does_not),
        cmocka_unit_test(a_full_disk_is_said_and_the_service_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
