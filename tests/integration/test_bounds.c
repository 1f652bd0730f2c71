/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Clients that want too much of the real xqueued: too many streams or calls, too large messages, and some that do not read. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/conversation.h"

/* bounds_client.py does its step against an xqueued with these lines below "service:". It reads on when a slow reader, of so
 * many, has been sent away. */
static void client_meets_the_bounds(const char *step, const char *lines, size_t slow_readers)
{
    const struct running_service_options options = {.service = lines};
    struct running_service service;
    char address[64];
    running_service_prepare(&service, &options);
    running_service_start_core(&service);
    snprintf(address, sizeof address, "127.0.0.1:%d", service.core_port);
    const char *const arguments[] = {"/usr/bin/python3",
                                     XQUEUE_SOURCE_DIR "/tests/integration/python/bounds_client.py",
                                     address,
                                     service.folder,
                                     XQUEUE_SOURCE_DIR "/proto",
                                     step,
                                     NULL};
    const struct running_program_options client_options = {.arguments = arguments};
    struct running_program *client = running_program_start(&client_options);

    for (size_t count = 1; count <= slow_readers; count++) {
        assert_true(running_program_await(service.xqueued, "event=slow_reader", count));
        running_program_signal(client, SIGUSR1);
    }
    assert_true(running_program_ends_saying(client, "fine"));
    assert_true(running_service_finish(&service));
}

/* The numbers of these stand in bounds_client.py, too. */

static void whoever_wants_too_much_is_refused(void **state)
{
    (void)state;
    client_meets_the_bounds("users",
                            "  streams_per_user_max: 2\n"
                            "  calls_per_user_max: 3\n"
                            "  header_bytes_max: 4096\n"
                            "  message_bytes_max: 65536\n"
                            "  send_queue_bytes_max: 65536\n",
                            0);
}

static void a_connection_has_so_many_calls_and_no_more(void **state)
{
    (void)state;
    client_meets_the_bounds("connections", "  streams_per_connection_max: 10\n", 0);
}

static void who_leaves_a_watch_or_results_unread_is_sent_away(void **state)
{
    (void)state;
    client_meets_the_bounds("readers",
                            "  stream_unread_ms: 1000\n"
                            "  ping_period_ms: 600000\n",
                            2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_wants_too_much_is_refused),
        cmocka_unit_test(a_connection_has_so_many_calls_and_no_more),
        cmocka_unit_test(who_leaves_a_watch_or_results_unread_is_sent_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
