/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Clients that want too much of the real xqueued: too many streams or calls, too large messages, and one that does not read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/conversation.h"
#include "tests/support/run_command.h"

static void whoever_wants_too_much_is_refused(void **state)
{
    (void)state;
    /* The numbers stand in bounds_client.py, too. */
    const struct running_service_options options = {.service = "  streams_per_user_max: 2\n"
                                                               "  calls_per_user_max: 3\n"
                                                               "  header_bytes_max: 4096\n"
                                                               "  message_bytes_max: 65536\n"
                                                               "  send_queue_bytes_max: 65536\n"};
    struct running_service service;
    char address[64];
    struct run_command client;
    running_service_prepare(&service, &options);
    running_service_start_core(&service);
    snprintf(address, sizeof address, "127.0.0.1:%d", service.core_port);
    const char *const arguments[] = {"/usr/bin/python3",
                                     XQUEUE_SOURCE_DIR "/tests/integration/python/bounds_client.py",
                                     address,
                                     service.folder,
                                     XQUEUE_SOURCE_DIR "/proto",
                                     NULL};

    run_command_start(&client, arguments, NULL, NULL);
    run_command_wait(&client);

    bool is_fine = client.exit_code == 0 && strstr(client.out, "fine");
    if (!is_fine)
        print_error("exit code %d\n%s%s", client.exit_code, client.out, client.err);
    run_command_finish(&client);
    assert_true(running_service_finish(&service));
    assert_true(is_fine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whoever_wants_too_much_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
