/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/*
 * TLS with certificates made just now: who is let in, seen by public clients, xqueuectl and the adapter, and that certificates
 * change while xqueued runs. The port of service.tls is another than those of service.listen.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/conversation.h"
#include "tests/support/run_command.h"

enum { PATH_MAX_BYTES = RUNNING_SERVICE_TEXT_MAX, EXIT_UNREACHABLE = 3, EXIT_REFUSED = 4, WORDS_MAX = 24 };

struct world {
    struct running_service service;
    int port;
};

/* ---- the world ---- */

static void run(const char *const *arguments, int exit_code, struct run_command *out_command)
{
    struct run_command command;
    run_command_start(&command, arguments, NULL, NULL);
    run_command_wait(&command);
    if (command.exit_code != exit_code)
        fail_msg("%s: exit code %d\n%s%s", arguments[0], command.exit_code, command.out, command.err);
    if (out_command)
        *out_command = command;
    else
        run_command_finish(&command);
}

/* client_certificates and certificate_user as these say. */
static int start(void **state, const char *certificates, const char *user_name)
{
    static struct world world;
    char lines[512];
    world.port = running_service_free_port();
    snprintf(lines, sizeof lines,
             "  certificate_user: %s\n"
             "  tls:\n"
             "    - listen: 127.0.0.1:%d\n"
             "      certificate_file: server.pem\n"
             "      key_file: server.key\n"
             "      client_ca_file: ca.pem\n"
             "      client_certificates: %s\n",
             user_name, world.port, certificates);
    const struct running_service_options options = {.service = lines};
    running_service_prepare(&world.service, &options);
    const char *const make[] = {XQUEUE_SOURCE_DIR "/tests/support/make_certificates.sh", world.service.folder, NULL};
    run(make, 0, NULL);
    running_service_start_core(&world.service);
    *state = &world;
    return 0;
}

static int set_up(void **state)
{
    return start(state, "optional", "common_name");
}

static int set_up_required(void **state)
{
    return start(state, "required", "dns_name");
}

static int set_up_uri(void **state)
{
    return start(state, "optional", "uri");
}

static int tear_down(void **state)
{
    struct world *world = *state;
    return running_service_finish(&world->service) ? 0 : 1;
}

/* FOLDER/name becomes what FOLDER/from is, at once, as a program that renews certificates does it. */
static void replace(const struct world *world, const char *name, const char *from)
{
    char target[PATH_MAX_BYTES];
    char source[PATH_MAX_BYTES];
    char fresh[PATH_MAX_BYTES];
    const char *const copy[] = {"/bin/cp", "-p", running_service_path(&world->service, from, source),
                                running_service_path(&world->service, "fresh", fresh), NULL};
    run(copy, 0, NULL);
    assert_int_equal(rename(fresh, running_service_path(&world->service, name, target)), 0);
}

/* xqueuectl over TLS with these further words; files are those of the folder ("@ca.pem"). */
static void ctl(struct world *world, int exit_code, const char *const *words, struct run_command *out_command)
{
    static char texts[WORDS_MAX][PATH_MAX_BYTES];
    const char *arguments[WORDS_MAX + 3];
    char address[64];
    size_t count = 0;
    snprintf(address, sizeof address, "tls://127.0.0.1:%d", world->port);
    arguments[count++] = running_service_program("xqueuectl", texts[0]);
    arguments[count++] = "--address";
    arguments[count++] = address;
    for (size_t at = 0; words[at]; at++)
        arguments[count++] =
            words[at][0] == '@' ? running_service_path(&world->service, words[at] + 1, texts[at + 1]) : words[at];
    arguments[count] = NULL;
    run(arguments, exit_code, out_command);
}

/* As an administrator without TLS: makes a user with the role grade. */
static void create_grader(struct world *world, const char *name)
{
    char program[PATH_MAX_BYTES];
    char password[PATH_MAX_BYTES];
    const char *const arguments[] = {running_service_program("xqueuectl", program),
                                     "--address",
                                     world->service.core,
                                     "--user",
                                     "admin",
                                     "--password-file",
                                     running_service_path(&world->service, "admin", password),
                                     "users",
                                     "add",
                                     name,
                                     "--role",
                                     "grade",
                                     "--new-password-file",
                                     password,
                                     NULL};
    run(arguments, 0, NULL);
}

#define CTL(world_, exit_code_, ...) ctl(world_, exit_code_, (const char *const[]){__VA_ARGS__, NULL}, NULL)
#define AS_ADMIN                     "--ca-file", "@ca.pem", "--user", "admin", "--password-file", "@admin"

/* ---- tests ---- */

static void public_client_does(struct world *world, const char *step)
{
    char port[16];
    snprintf(port, sizeof port, "%d", world->port);
    const char *const arguments[] = {"/usr/bin/python3",
                                     XQUEUE_SOURCE_DIR "/tests/integration/python/tls_client.py",
                                     port,
                                     world->service.folder,
                                     XQUEUE_SOURCE_DIR "/proto",
                                     step,
                                     NULL};
    struct run_command client;

    run(arguments, 0, &client);

    assert_non_null(strstr(client.out, "fine"));
    run_command_finish(&client);
}

static void public_clients_are_let_in_or_not(void **state)
{
    public_client_does(*state, "optional");
}

static void nobody_comes_without_a_certificate_where_one_is_required(void **state)
{
    create_grader(*state, "grader.example.org");
    public_client_does(*state, "required");
}

static void a_uri_in_a_certificate_names_the_user(void **state)
{
    create_grader(*state, "xqueue:grader");
    public_client_does(*state, "uri");
}

static void xqueuectl_trusts_nobody_unasked(void **state)
{
    struct world *world = *state;

    CTL(world, 0, AS_ADMIN, "users", "list");
    CTL(world, EXIT_UNREACHABLE, "--user", "admin", "--password-file", "@admin", "users", "list");
    CTL(world, EXIT_UNREACHABLE, "--ca-file", "@otherca.pem", "--user", "admin", "--password-file", "@admin", "users", "list");
    CTL(world, EXIT_UNREACHABLE, AS_ADMIN, "--server-name", "elsewhere.example.org", "users", "list");
    CTL(world, 0, AS_ADMIN, "--server-name", "localhost", "users", "list");
    CTL(world, 1, "--ca-file", "@nothing.pem", "--user", "admin", "--password-file", "@admin", "users", "list");
}

static void xqueuectl_comes_with_a_certificate_or_a_token(void **state)
{
    struct world *world = *state;
    struct run_command created;
    char path[PATH_MAX_BYTES];
    char token[128] = "";

    CTL(world, 0, "--ca-file", "@ca.pem", "--certificate-file", "@admin.pem", "--key-file", "@admin.key", "users", "list");
    CTL(world, EXIT_REFUSED, "--ca-file", "@ca.pem", "--certificate-file", "@grader.pem", "--key-file", "@grader.key", "users",
        "list");
    CTL(world, 1, "--ca-file", "@ca.pem", "--certificate-file", "@admin.pem", "--key-file", "@grader.key", "users", "list");
    const char *const create[] = {AS_ADMIN, "tokens", "create", "admin", "--label", "of a test", NULL};
    ctl(world, 0, create, &created);
    assert_int_equal(sscanf(created.out, "%127s", token), 1);
    run_command_finish(&created);
    FILE *file = fopen(running_service_path(&world->service, "token", path), "we");
    assert_non_null(file);
    fprintf(file, "%s\n", token);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, S_IRUSR), 0);
    CTL(world, 0, "--ca-file", "@ca.pem", "--token-file", "@token", "tokens", "list");
}

static void a_new_certificate_is_used_and_a_broken_one_is_not(void **state)
{
    struct world *world = *state;

    replace(world, "server.pem", "ca.key"); /* no certificate at all */
    CTL(world, 0, AS_ADMIN, "users", "list");
    assert_true(running_program_await(world->service.xqueued, "event=certificate_refused", 1));
    running_program_signal(world->service.xqueued, SIGHUP);
    assert_true(running_program_await(world->service.xqueued, "event=certificate_refused", 2));
    CTL(world, 0, AS_ADMIN, "users", "list");

    replace(world, "server.key", "renewed.key");
    replace(world, "server.pem", "renewed.pem");
    running_program_signal(world->service.xqueued, SIGHUP);
    assert_true(running_program_await(world->service.xqueued, "event=certificate_loaded", 1));
    CTL(world, EXIT_UNREACHABLE, AS_ADMIN, "users", "list");
    CTL(world, 0, "--ca-file", "@otherca.pem", "--user", "admin", "--password-file", "@admin", "users", "list");
}

static void a_key_that_everybody_may_read_is_refused(void **state)
{
    struct world *world = *state;
    char key[PATH_MAX_BYTES];
    char program[PATH_MAX_BYTES];
    struct run_command xqueued;
    running_service_stop_core(&world->service);
    assert_int_equal(chmod(running_service_path(&world->service, "server.key", key), S_IRUSR | S_IROTH), 0);
    const char *const arguments[] = {running_service_program("xqueued", program), "--config", world->service.config, NULL};

    run(arguments, 1, &xqueued);

    assert_non_null(strstr(xqueued.err, "a private key that everybody may read"));
    run_command_finish(&xqueued);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(public_clients_are_let_in_or_not),
        cmocka_unit_test_setup_teardown(nobody_comes_without_a_certificate_where_one_is_required, set_up_required, tear_down),
        cmocka_unit_test_setup_teardown(a_uri_in_a_certificate_names_the_user, set_up_uri, tear_down),
        TEST(xqueuectl_trusts_nobody_unasked),
        TEST(xqueuectl_comes_with_a_certificate_or_a_token),
        TEST(a_new_certificate_is_used_and_a_broken_one_is_not),
        TEST(a_key_that_everybody_may_read_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
