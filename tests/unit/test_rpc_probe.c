/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rpc xqueue_proto */
/*
 * Telling a listener that serves from one that only has a backlog.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rpc/rpc_event.h"
#include "base/rpc/rpc_probe.h"
#include "base/rpc/rpc_server_call.h"

enum { ANSWER_MS = 20000, SILENCE_MS = 100 };

static const struct rpc_method no_methods[] = {{0}};

static struct rpc_server *server_at(struct rpc_loop *loop, const char *listener)
{
    const struct rpc_server_options options = {.listeners = &listener, .listener_count = 1};
    struct rpc_server *server = NULL;
    struct error error = {0};
    assert_int_equal(rpc_server_create(loop, no_methods, &options, &server, &error), STATUS_OK);
    return server;
}

static void a_server_that_serves_answers(void **state)
{
    char address[64];
    (void)state;
    struct rpc_loop *loop = rpc_loop_create("probe-test");
    struct rpc_server *server = server_at(loop, "127.0.0.1:0");
    snprintf(address, sizeof address, "127.0.0.1:%d", rpc_server_port(server, 0));
    char wildcard[64];
    snprintf(wildcard, sizeof wildcard, "0.0.0.0:%d", rpc_server_port(server, 0));

    assert_true(rpc_probe_answers(address, ANSWER_MS));
    assert_true(rpc_probe_answers(wildcard, ANSWER_MS));

    rpc_server_stop(server, 0);
    assert_false(rpc_probe_answers(address, ANSWER_MS));
    rpc_server_destroy(server);
    rpc_loop_destroy(loop);
}

static void a_server_on_a_unix_socket_answers(void **state)
{
    char folder[] = "/tmp/probe-XXXXXX";
    char address[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(address, sizeof address, "unix:%s/s", folder);
    struct rpc_loop *loop = rpc_loop_create("probe-test");
    struct rpc_server *server = server_at(loop, address);

    assert_true(rpc_probe_answers(address, ANSWER_MS));

    rpc_server_stop(server, 0);
    assert_false(rpc_probe_answers(address, ANSWER_MS));
    rpc_server_destroy(server);
    rpc_loop_destroy(loop);
    rmdir(folder);
}

/* What a listener of the C core is after EMFILE: connections are completed, and nobody takes them. */
static void a_listener_that_accepts_nothing_does_not_answer(void **state)
{
    struct sockaddr_in bound = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof bound;
    char address[64];
    (void)state;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&bound, sizeof bound), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&bound, &length), 0);
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(bound.sin_port));

    assert_false(rpc_probe_answers(address, SILENCE_MS));

    close(listener);
}

static void what_is_no_address_does_not_answer(void **state)
{
    (void)state;
    assert_false(rpc_probe_answers("127.0.0.1:1", ANSWER_MS));
    assert_false(rpc_probe_answers("nowhere", ANSWER_MS));
    assert_false(rpc_probe_answers("unix:/nonexistent/socket", ANSWER_MS));
}

static void on_dead(void *context, const char *address)
{
    (void)context;
    (void)address;
    fail_msg("a listener was given up at its first failure");
}

static void a_watch_ends_at_once(void **state)
{
    static const char *const addresses[] = {"127.0.0.1:1", "unix:/nonexistent/socket", "0.0.0.0:1", "[::]:1"};
    (void)state;

    struct rpc_probe *probe = rpc_probe_start(addresses, sizeof addresses / sizeof addresses[0], on_dead, NULL);
    assert_non_null(probe);
    rpc_probe_stop(probe);
    rpc_probe_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_serves_answers),
        cmocka_unit_test(a_server_on_a_unix_socket_answers),
        cmocka_unit_test(a_listener_that_accepts_nothing_does_not_answer),
        cmocka_unit_test(what_is_no_address_does_not_answer),
        cmocka_unit_test(a_watch_ends_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
