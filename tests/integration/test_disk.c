/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* A disk that is full refuses for a while; a disk that fails stops the service. Neither loses what was acknowledged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/conversation.h"

#define STATE(name_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_
#define ACK(name_)   XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_##name_

enum { EXIT_STORAGE = 3, SUBMISSIONS = 10 };

struct world {
    struct conversation *talk;
    char disk[RUNNING_SERVICE_TEXT_MAX + sizeof("XQUEUE_TEST_DISK=")];
    const char *environment[4];
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    *state = world;
    world->talk = conversation_start_core(NULL);
    running_service_stop_core(&world->talk->service);
    (void)snprintf(world->disk, sizeof(world->disk), "XQUEUE_TEST_DISK=%s", world->talk->service.folder);
    world->environment[0] = "LD_PRELOAD=" FAILING_DISK;
    world->environment[1] = world->disk;
    world->environment[2] = "ASAN_OPTIONS=verify_asan_link_order=0";
    world->talk->service.xqueued_options.environment = world->environment;
    running_service_start_core(&world->talk->service);
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    bool is_fine = conversation_finish(world->talk);

    free(world);
    return is_fine ? 0 : -1;
}

static void disk_becomes(struct world *world, const char *what)
{
    char path[RUNNING_SERVICE_TEXT_MAX];
    FILE *marker = fopen(running_service_path(&world->talk->service, what, path), "we");

    assert_non_null(marker);
    assert_int_equal(fclose(marker), 0);
}

static void disk_is_no_longer(struct world *world, const char *what)
{
    char path[RUNNING_SERVICE_TEXT_MAX];

    assert_int_equal(unlink(running_service_path(&world->talk->service, what, path)), 0);
}

static void a_full_disk_refuses_for_a_while_and_the_service_goes_on(void **state)
{
    struct world *world = *state;
    struct conversation *talk = world->talk;
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 1);
    struct error error;

    const uint64_t before = student_submits(talk, "calm", NULL, "before");
    const struct core_lease lease = grader_receives(grader);
    disk_becomes(world, "full");
    const enum status refused =
        core_submit(talk->student, &(struct core_submission){.queue = "calm", .body = "x"}, NULL, &error);
    assert_int_equal(scripted_grader_complete(grader, &lease, "while full"), ACK(RETRY));
    disk_is_no_longer(world, "full");

    assert_true(refused == STATUS_UNAVAILABLE || refused == STATUS_FULL);
    assert_string_equal(error.reason, "STORAGE_FULL");
    assert_true(error.retry_after_ms > 0);
    assert_int_equal(admin_sees(talk, before).state, STATE(LEASED));
    grader_completes(grader, &lease, "when there is room");
    assert_string_equal(admin_sees(talk, before).result, "when there is room");
    student_submits(talk, "calm", NULL, "after");
    assert_int_equal(running_program_count(talk->service.xqueued, "event=ready"), 1); // it is the same process
    scripted_grader_close(grader);
}

static void a_failing_disk_stops_the_service_and_nothing_acknowledged_is_lost(void **state)
{
    struct world *world = *state;
    struct conversation *talk = world->talk;
    uint64_t ids[SUBMISSIONS];
    struct error error;

    for (int i = 0; i < SUBMISSIONS; i++) {
        ids[i] = student_submits(talk, "calm", NULL, "before");
    }
    disk_becomes(world, "broken");
    const struct core_submission submission = {.queue = "calm", .body = "never acknowledged", .request_id = "r"};
    assert_int_equal(core_submit(talk->student, &submission, NULL, &error), STATUS_UNAVAILABLE);
    assert_int_equal(running_program_wait(talk->service.xqueued), EXIT_STORAGE);
    assert_int_equal(running_program_count(talk->service.xqueued, "event=storage_failed"), 1);
    assert_true(running_program_is_clean(talk->service.xqueued));
    running_program_destroy(talk->service.xqueued);
    talk->service.xqueued = NULL;
    disk_is_no_longer(world, "broken");
    running_service_start_core(&talk->service);

    for (int i = 0; i < SUBMISSIONS; i++) {
        assert_int_equal(admin_sees(talk, ids[i]).state, STATE(READY));
    }
    assert_int_equal(core_submit(talk->student, &submission, NULL, NULL), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_disk_refuses_for_a_while_and_the_service_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failing_disk_stops_the_service_and_nothing_acknowledged_is_lost, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
