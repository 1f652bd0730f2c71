/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/running_service.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

enum { PORT_FIRST = 12000, PORT_COUNT = 20000, PORT_TRIES = 1000, OPEN_FILES = 16 };

static const char *const users[][2] = {
    {"lms", "submit"},
    {"grader", "grade"},
    {"courier", "deliver"},
    {"admin", "admin"},
    {"everybody", "submit, grade, deliver, admin"},
};

const char *running_service_path(const struct running_service *service, const char *name, char out[RUNNING_SERVICE_TEXT_MAX])
{
    (void)snprintf(out, RUNNING_SERVICE_TEXT_MAX, "%s/%s", service->folder, name);
    return out;
}

const char *running_service_program(const char *name, char out[RUNNING_SERVICE_TEXT_MAX])
{
    const char *folder = getenv("XQUEUE_TEST_BIN"); // the tests of an installed tree

    (void)snprintf(out, RUNNING_SERVICE_TEXT_MAX, "%s/%s", folder != NULL ? folder : XQUEUE_BIN_DIR, name);
    return out;
}

static bool is_free(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bool result = bind(probe, (const struct sockaddr *)&address, sizeof(address)) == 0;
    (void)close(probe);
    return result;
}

int running_service_free_port(void)
{
    static unsigned next;

    if (next == 0) {
        next = (unsigned)getpid() * 7919U + (unsigned)clock_monotonic_us();
    }
    for (int i = 0; i < PORT_TRIES; i++) {
        int port = PORT_FIRST + (int)(next++ % PORT_COUNT);
        if (is_free(port)) {
            return port;
        }
    }
    fail_msg("no free port");
    return 0;
}

/* ---- the folder ---- */

static void write_users(const struct running_service *service, FILE *config)
{
    char path[RUNNING_SERVICE_TEXT_MAX];

    (void)fprintf(config, "users:\n");
    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        FILE *secret = NULL;
        (void)umask(077);
        (void)fprintf(config, "  %s:\n    password_file: %s\n    roles: [%s]\n", users[i][0], users[i][0], users[i][1]);
        secret = fopen(running_service_path(service, users[i][0], path), "we");
        assert_non_null(secret);
        (void)fprintf(secret, "%s\n", users[i][0]);
        assert_int_equal(fclose(secret), 0);
    }
}

static const char *or_nothing(const char *text)
{
    return text != NULL ? text : "";
}

static void write_config(const struct running_service *service, const struct running_service_options *options)
{
    FILE *config = fopen(service->config, "we");

    assert_non_null(config);
    (void)fprintf(config, "service:\n  listen: [\"unix:%s/core.sock\", \"127.0.0.1:%d\"]\n%s", service->folder,
                  service->core_port, or_nothing(options->service));
    (void)fprintf(config, "delivery:\n  retry_delay_ms: 20\n  retry_delay_ms_max: 200\n%s", or_nothing(options->delivery));
    (void)fprintf(config, "rest:\n  listen: [\"127.0.0.1:%d\"]\n  user: %s\n  core: \"%s\"\n%s", service->rest_port,
                  options->user != NULL ? options->user : "courier", service->core, or_nothing(options->rest));
    (void)fprintf(config, "callbacks:\n  connect_timeout_ms: 1000\n%s", or_nothing(options->callbacks));
    (void)fprintf(config,
                  "queues:\n  calm:\n    retry_delay_ms: 20\n  hasty:\n    lease_ms: %d\n    accept_within_ms: %d\n"
                  "    attempts_max: %d\n    retry_delay_ms: 20\n    retry_delay_ms_max: 40\n"
                  "  small:\n    ready_max: 2\n    body_bytes_max: 1000\n%s",
                  HASTY_LEASE_MS, HASTY_ACCEPT_MS, HASTY_ATTEMPTS_MAX, or_nothing(options->queues));
    write_users(service, config);
    assert_int_equal(fclose(config), 0);
}

void running_service_prepare(struct running_service *service, const struct running_service_options *options)
{
    static const struct running_service_options nothing;

    options = options != NULL ? options : &nothing;
    *service = (struct running_service){.folder = "/tmp/xqueue-test-XXXXXX"};
    assert_non_null(mkdtemp(service->folder));
    service->core_port = running_service_free_port();
    service->rest_port = running_service_free_port();
    running_service_path(service, "xqueue.yml", service->config);
    if (options->over_tcp) {
        (void)snprintf(service->core, sizeof(service->core), "127.0.0.1:%d", service->core_port);
    } else {
        (void)snprintf(service->core, sizeof(service->core), "unix:%s/core.sock", service->folder);
    }
    write_config(service, options);
}

/* ---- the programs ---- */

static struct running_program *start(const struct running_service *service, const char *name,
                                     struct running_program_options options)
{
    char path[RUNNING_SERVICE_TEXT_MAX];
    const char *const arguments[] = {running_service_program(name, path), "--config", service->config, NULL};
    options.arguments = arguments;
    struct running_program *program = running_program_start(&options);

    if (!running_program_await(program, "event=ready", 1)) {
        running_program_destroy(program);
        fail_msg("%s did not start", name);
    }
    return program;
}

void running_service_start_core(struct running_service *service)
{
    assert_null(service->xqueued);
    service->xqueued = start(service, "xqueued", service->xqueued_options);
}

void running_service_start_rest(struct running_service *service)
{
    assert_null(service->rest);
    service->rest = start(service, "xqueue-rest", service->rest_options);
}

void running_service_start(struct running_service *service, const struct running_service_options *options)
{
    running_service_prepare(service, options);
    running_service_start_core(service);
    running_service_start_rest(service);
}

static void kill_now(struct running_program **program)
{
    assert_non_null(*program);
    running_program_signal(*program, SIGKILL);
    assert_int_equal(running_program_wait(*program), -SIGKILL);
    assert_true(running_program_is_clean(*program));
    if (getenv("XQUEUE_TEST_VERBOSE") != NULL) {
        running_program_dump(*program);
    }
    running_program_destroy(*program);
    *program = NULL;
}

void running_service_kill_core(struct running_service *service)
{
    kill_now(&service->xqueued);
}

void running_service_kill_rest(struct running_service *service)
{
    kill_now(&service->rest);
}

/* Is there nothing to complain about? */
static bool stop(struct running_program **program)
{
    bool is_fine = true;
    int outcome = 0;

    if (*program == NULL) {
        return true;
    }
    running_program_signal(*program, SIGTERM);
    outcome = running_program_wait(*program);
    is_fine = running_program_is_clean(*program) && outcome == 0;
    if (!is_fine || getenv("XQUEUE_TEST_VERBOSE") != NULL) {
        (void)fprintf(stderr, "process %d ended with %d\n", (int)running_program_pid(*program), outcome);
        running_program_dump(*program);
    }
    running_program_destroy(*program);
    *program = NULL;
    return is_fine;
}

void running_service_stop_core(struct running_service *service)
{
    assert_true(stop(&service->xqueued));
}

void running_service_stop_rest(struct running_service *service)
{
    assert_true(stop(&service->rest));
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    (void)facts;
    (void)kind;
    (void)where;
    return remove(path);
}

bool running_service_finish(struct running_service *service)
{
    bool rest_is_fine = stop(&service->rest);
    bool core_is_fine = stop(&service->xqueued);

    if (service->folder[0] != '\0') {
        (void)nftw(service->folder, remove_one, OPEN_FILES, FTW_DEPTH | FTW_PHYS);
    }
    return rest_is_fine && core_is_fine;
}
