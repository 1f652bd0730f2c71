/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rpc xqueue_proto */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/rpc_world.h"

struct place {
    struct world world;
    char folder[WORLD_TEXT_MAX];
    char path[WORLD_TEXT_MAX + 8];
    char listener[WORLD_TEXT_MAX + 16];
};

static int setup(void **state)
{
    static struct place place;
    world_init(&place.world);
    (void)snprintf(place.folder, sizeof(place.folder), "/tmp/test_rpc_listen.XXXXXX");
    assert_non_null(mkdtemp(place.folder));
    (void)snprintf(place.path, sizeof(place.path), "%s/s.sock", place.folder);
    (void)snprintf(place.listener, sizeof(place.listener), "unix:%s", place.path);
    *state = &place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    world_finish(&place->world);
    (void)unlink(place->path);
    assert_int_equal(rmdir(place->folder), 0);
    return 0;
}

static enum status try_second(struct place *place, const char *const *listeners, size_t count, struct error *error)
{
    const struct rpc_server_options options = {.listeners = listeners, .listener_count = count};
    struct rpc_server *second = NULL;
    const enum status status = rpc_server_create(place->world.server_loop, echo_methods, &options, &second, error);
    if (status == STATUS_OK) {
        rpc_server_stop(second, 0);
        rpc_server_destroy(second);
    }
    return status;
}

static enum status try_one(struct place *place, const char *listener)
{
    struct error error = {.text = ""};
    const enum status status = try_second(place, &listener, 1, &error);
    assert_true((status == STATUS_OK) == (error.text[0] == '\0'));
    return status;
}

static void malformed_listeners_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "127.0.0.1:99999",
                                      ":80",
                                      "1.2.3.4:-1",
                                      "127.0.0.1:0x1",
                                      "::1:0",
                                      "[::1]",
                                      "[1.2.3.4]:0",
                                      "host:0",
                                      "localhost:0",
                                      "unix:relative",
                                      "unix-abstract:x",
                                      "unix:",
                                      "dns:///x:1",
                                      "127.0.0.1:1 "};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(try_one(*state, bad[i]), STATUS_INVALID);
    }
    struct error error;
    assert_int_equal(try_second(*state, bad, 0, &error), STATUS_INVALID);
    assert_int_equal(try_second(*state, bad, RPC_LISTENERS_MAX + 1, &error), STATUS_INVALID);
}

static void a_long_socket_path_is_refused(void **state)
{
    char listener[2 * WORLD_TEXT_MAX];
    memset(listener, 'x', sizeof(listener));
    memcpy(listener, "unix:/tmp/", strlen("unix:/tmp/"));
    listener[sizeof(listener) - 1] = '\0';

    assert_int_equal(try_one(*state, listener), STATUS_INVALID);
}

static void an_address_that_is_not_ours_is_unavailable(void **state)
{
    assert_int_equal(try_one(*state, "192.0.2.1:0"), STATUS_UNAVAILABLE);
    assert_int_equal(try_one(*state, "unix:/nowhere/at/all"), STATUS_UNAVAILABLE);
}

static void two_servers_cannot_share_a_tcp_address(void **state)
{
    struct place *place = *state;
    world_serve(&place->world, (struct rpc_server_options){0});
    world_connect(&place->world);

    assert_int_equal(try_one(place, place->world.address), STATUS_UNAVAILABLE);

    assert_int_equal(world_call(&place->world, &echo_unary_method, "x", NULL, NULL), STATUS_OK);
}

static void two_servers_cannot_share_a_socket_path(void **state)
{
    struct place *place = *state;
    const char *const listeners[] = {place->listener};
    world_serve(&place->world, (struct rpc_server_options){.listeners = listeners, .listener_count = 1});
    world_connect(&place->world);

    assert_int_equal(try_one(place, place->listener), STATUS_UNAVAILABLE);

    assert_int_equal(world_call(&place->world, &echo_unary_method, "x", NULL, NULL), STATUS_OK);
}

static void a_socket_file_that_nobody_answers_is_replaced(void **state)
{
    struct place *place = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *const listeners[] = {place->listener};
    memcpy(address.sun_path, place->path, strlen(place->path));
    const int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(dead, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(close(dead), 0);

    world_serve(&place->world, (struct rpc_server_options){.listeners = listeners, .listener_count = 1});
    world_connect(&place->world);

    assert_int_equal(world_call(&place->world, &echo_unary_method, "x", NULL, NULL), STATUS_OK);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    struct place *place = *state;
    struct stat found;
    const int file = open(place->path, O_CREAT | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR);
    assert_int_equal(close(file), 0);

    assert_int_equal(try_one(place, place->listener), STATUS_UNAVAILABLE);

    assert_int_equal(stat(place->path, &found), 0);
    assert_true(S_ISREG(found.st_mode));
}

static void a_socket_is_for_its_owner_and_group_and_goes_with_the_server(void **state)
{
    struct place *place = *state;
    struct stat found;
    const char *const listeners[] = {place->listener, "127.0.0.1:0", "[::1]:0"};

    world_serve(&place->world, (struct rpc_server_options){.listeners = listeners, .listener_count = 3});

    assert_int_equal(stat(place->path, &found), 0);
    assert_int_equal(found.st_mode & ALLPERMS, 0660);
    assert_int_equal(rpc_server_port(place->world.server, 0), 1);
    assert_true(rpc_server_port(place->world.server, 1) > 1);
    assert_true(rpc_server_port(place->world.server, 2) > 1);
    assert_int_equal(rpc_server_port(place->world.server, 3), 0);
    world_stop_server(&place->world, 0);
    assert_int_not_equal(stat(place->path, &found), 0);
}

static void a_server_that_cannot_bind_all_binds_none(void **state)
{
    struct place *place = *state;
    struct stat found;
    struct error error;
    const char *const listeners[] = {place->listener, "127.0.0.1:0", "nowhere"};

    assert_int_equal(try_second(place, listeners, 3, &error), STATUS_INVALID);

    assert_int_not_equal(stat(place->path, &found), 0);
    assert_int_equal(try_one(place, place->listener), STATUS_OK);
}

static void a_method_can_be_registered_once(void **state)
{
    struct place *place = *state;
    const char *const listeners[] = {"127.0.0.1:0"};
    const struct rpc_server_options options = {.listeners = listeners, .listener_count = 1};
    const struct rpc_method methods[] = {{.path = "/a/b"}, {.path = "/a/b"}, {.path = NULL}};
    struct rpc_server *server = NULL;
    struct error error;

    assert_int_equal(rpc_server_create(place->world.server_loop, methods, &options, &server, &error), STATUS_INVALID);

    assert_non_null(strstr(error.text, "/a/b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(malformed_listeners_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_socket_path_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_that_is_not_ours_is_unavailable, setup, teardown),
        cmocka_unit_test_setup_teardown(two_servers_cannot_share_a_tcp_address, setup, teardown),
        cmocka_unit_test_setup_teardown(two_servers_cannot_share_a_socket_path, setup, teardown),
        cmocka_unit_test_setup_teardown(a_socket_file_that_nobody_answers_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_socket_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_socket_is_for_its_owner_and_group_and_goes_with_the_server, setup, teardown),
        cmocka_unit_test_setup_teardown(a_server_that_cannot_bind_all_binds_none, setup, teardown),
        cmocka_unit_test_setup_teardown(a_method_can_be_registered_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
