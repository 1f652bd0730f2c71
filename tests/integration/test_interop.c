/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/*
 * Graders on gRPC libraries that nobody here wrote, Python's grpcio and npm's @grpc/grpc-js, without generated code: they know
 * the contract from the proto files or from the server's reflection alone. What they do stands in tests/interop/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/support/conversation.h"

enum { PORT_TEXT_MAX = 16, STOP_MS_MAX = 20000 };

static const char python[] = "/usr/bin/python3";
static const char node[] = "node";
static const char protos[] = XQUEUE_SOURCE_DIR "/proto";
static const char standard_protos[] = XQUEUE_STANDARD_PROTOS;

/* The client speaks with the service of talk, and ends by printing "fine". */
static void run_client(struct conversation *talk, const char *interpreter, const char *script, const char *source)
{
    char port[PORT_TEXT_MAX];
    const char *const arguments[] = {"/usr/bin/env", interpreter, script, source, port, protos, standard_protos, NULL};
    static const char modules[] = "NODE_PATH=" XQUEUE_INTEROP_MODULES;
    const char *const environment[] = {"PYTHONDONTWRITEBYTECODE=1", modules, NULL};
    const struct running_program_options options = {.arguments = arguments, .environment = environment};

    (void)snprintf(port, sizeof(port), "%d", talk->service.core_port);
    assert_true(running_program_ends_saying(running_program_start(&options), "fine"));
}

#define SCRIPT(name_) XQUEUE_SOURCE_DIR "/tests/interop/" name_

static void a_python_grader_that_knows_the_files_grades_across_a_cut(void **state)
{
    run_client(*state, python, SCRIPT("grade_across_a_cut.py"), "files");
}

static void a_python_grader_that_knows_nothing_asks_and_grades_across_a_cut(void **state)
{
    run_client(*state, python, SCRIPT("grade_across_a_cut.py"), "reflection");
}

static void a_javascript_grader_that_knows_the_files_grades_across_a_cut(void **state)
{
    run_client(*state, node, SCRIPT("grade_across_a_cut.js"), "files");
}

static void a_javascript_grader_that_knows_nothing_asks_and_grades_across_a_cut(void **state)
{
    run_client(*state, node, SCRIPT("grade_across_a_cut.js"), "reflection");
}

/* A call that still ran would hold the stop up for a minute. */
static void what_a_client_gives_up_the_service_gives_up_too(void **state)
{
    const struct running_service_options patient = {.service = "  drain_ms: 60000\n"};
    struct conversation *talk = conversation_start_core(&patient);
    (void)state;

    run_client(talk, python, SCRIPT("give_up.py"), "reflection");
    const int64_t before_us = clock_monotonic_us();
    running_service_stop_core(&talk->service);
    assert_true(clock_monotonic_us() - before_us < INT64_C(1000) * STOP_MS_MAX);
    assert_true(conversation_finish(talk));
}

static void what_goes_beyond_a_limit_is_refused_and_others_do_not_notice(void **state)
{
    run_client(*state, python, SCRIPT("limits.py"), "files");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_python_grader_that_knows_the_files_grades_across_a_cut),
        cmocka_unit_test(a_python_grader_that_knows_nothing_asks_and_grades_across_a_cut),
        cmocka_unit_test(a_javascript_grader_that_knows_the_files_grades_across_a_cut),
        cmocka_unit_test(a_javascript_grader_that_knows_nothing_asks_and_grades_across_a_cut),
        cmocka_unit_test(what_goes_beyond_a_limit_is_refused_and_others_do_not_notice),
        cmocka_unit_test(what_a_client_gives_up_the_service_gives_up_too),
    };
    return cmocka_run_group_tests(tests, conversation_set_up_core, conversation_tear_down);
}
