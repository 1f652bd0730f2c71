/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* A grader of the documents, with the installed library, under valgrind: it connects, grades, loses its connection, connects
 * again, and drains, and leaks nothing. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/conversation.h"
#include "tests/support/shaky_link.h"

enum { CUTS = 4, SUBMISSIONS_MAX = 1000, SEED = 20261126, BYTES_MAX = 6000, PATH_BYTES_MAX = 32 };

static const char suppressions[] = "--suppressions=" XQUEUE_SOURCE_DIR "/tests/integration/valgrind.supp";
static const char grader_program[] = XQUEUE_CHECK_DIR "/examples/programs/word_grader";

/* Under valgrind everything takes its time; a grant that a cut swallowed comes back soon all the same. */
static const struct running_service_options settings = {
    .queues = "  shaken:\n    accept_within_ms: 3000\n    retry_delay_ms: 20\n    attempts_max: 20\n"};

static struct running_program *grader_starts(const struct shaky_link *link)
{
    char address[RUNNING_SERVICE_TEXT_MAX];
    const char *const arguments[] = {"/usr/bin/valgrind",
                                     "--leak-check=full",
                                     "--errors-for-leak-kinds=definite,indirect,possible",
                                     "--num-callers=30",
                                     "--error-exitcode=99",
                                     suppressions,
                                     grader_program,
                                     NULL};
    const char *const environment[] = {address, "XQUEUE_USER=grader", "XQUEUE_PASSWORD=grader", "XQUEUE_QUEUES=shaken", NULL};

    (void)snprintf(address, sizeof(address), "XQUEUE_ADDRESS=127.0.0.1:%d", shaky_link_port(link));
    return running_program_start(&(struct running_program_options){.arguments = arguments, .environment = environment});
}

static void submissions_are_graded_until_the_link_holds(struct conversation *talk, struct shaky_link *link)
{
    char path[PATH_BYTES_MAX];

    for (int number = 0; shaky_link_cuts(link) < CUTS; number++) {
        assert_true(number < SUBMISSIONS_MAX);
        (void)snprintf(path, sizeof(path), "/%d", number);
        student_submits(talk, "shaken", path, "hello");
        lms_hears(talk, path, 0);
    }
    student_submits(talk, "shaken", "/last", "hello");
    lms_hears(talk, "/last", 0);
}

static void a_grader_that_connects_grades_connects_again_and_drains_leaks_nothing(void **state)
{
    struct conversation *talk = *state;
    struct shaky_link *link = shaky_link_start(&(struct shaky_link_options){
        .target_port = talk->service.core_port, .seed = SEED, .cuts = CUTS, .bytes_max = BYTES_MAX});
    struct running_program *grader = grader_starts(link);

    submissions_are_graded_until_the_link_holds(talk, link);
    running_program_signal(grader, SIGTERM);

    const int outcome = running_program_wait(grader);
    if (outcome != 0) {
        running_program_dump(grader);
    }
    assert_int_equal(outcome, 0);
    assert_int_equal(running_program_count(grader, "ERROR SUMMARY: 0 errors"), 1);
    running_program_destroy(grader);
    shaky_link_stop(link);
}

static int set_up(void **state)
{
    *state = conversation_start(&settings);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grader_that_connects_grades_connects_again_and_drains_leaks_nothing),
    };
    return cmocka_run_group_tests_name("valgrind", tests, set_up, conversation_tear_down);
}
