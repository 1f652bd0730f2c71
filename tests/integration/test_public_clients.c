/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Clients that nobody here wrote: the public gRPC library for Python, with modules made from proto/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/support/conversation.h"

static void run_client(struct conversation *talk, const char *address)
{
    char work[RUNNING_SERVICE_TEXT_MAX];
    const char *const arguments[] = {"/usr/bin/python3",
                                     XQUEUE_SOURCE_DIR "/tests/integration/python/public_client.py",
                                     address,
                                     XQUEUE_SOURCE_DIR "/proto",
                                     XQUEUE_STANDARD_PROTOS,
                                     running_service_path(&talk->service, "modules", work),
                                     NULL};
    const struct running_program_options options = {.arguments = arguments};

    (void)mkdir(work, 0700);
    assert_true(running_program_ends_saying(running_program_start(&options), "fine"));
}

static void the_public_python_client_logs_in_submits_and_grades_over_tcp(void **state)
{
    struct conversation *talk = *state;
    char address[RUNNING_SERVICE_TEXT_MAX];

    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", talk->service.core_port);
    run_client(talk, address);
}

static void the_public_python_client_does_so_over_a_unix_socket(void **state)
{
    struct conversation *talk = *state;

    run_client(talk, talk->service.core);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_public_python_client_logs_in_submits_and_grades_over_tcp),
        cmocka_unit_test(the_public_python_client_does_so_over_a_unix_socket),
    };
    return cmocka_run_group_tests(tests, conversation_set_up_core, conversation_tear_down);
}
