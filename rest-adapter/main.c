/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xqueue-rest: the legacy HTTP interface before xqueued, and the courier that brings results to the LMS.
 *
 * Starts from the core's client outwards and stops in the opposite order: first no new requests, then no new deliveries, then
 * no more calls. The core need not be there for either.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/config.h"
#include "base/log.h"
#include "base/rpc/rpc_event.h"
#include "rest-adapter/core_client.h"
#include "rest-adapter/courier.h"
#include "rest-adapter/files.h"
#include "rest-adapter/http_form.h"
#include "rest-adapter/http_server.h"
#include "rest-adapter/routes.h"

enum {
    DESCRIPTORS_WANTED = 65536,
    DESCRIPTORS_MIN = 256,
    /* beside one per HTTP connection: its file or file on the way in, and one per callback */
    DESCRIPTORS_BESIDE = 128,
    STOP_GRACE_MS = 10000, /* for running requests and running callbacks, each */
};

struct program {
    struct config *config;
    struct adapter adapter;
    struct courier *courier;
    struct http_server *server;
};

/* accept() without a free descriptor fails, or worse: see to it before. */
static enum status raise_descriptor_limit(const struct config *config, struct error *error)
{
    int64_t needed = DESCRIPTORS_BESIDE + 3 * config->rest.threads + config->callbacks.parallel_max;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return error_set(error, STATUS_INTERNAL, NULL, "getrlimit: %s", strerrordesc_np(errno));
    }
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return error_set(error, STATUS_INTERNAL, NULL, "setrlimit: %s", strerrordesc_np(errno));
    }
    if (limit.rlim_cur < DESCRIPTORS_MIN) {
        return error_set(error, STATUS_FULL, NULL, "only %llu file descriptors are allowed, %d are needed at least (ulimit -n)",
                         (unsigned long long)limit.rlim_cur, DESCRIPTORS_MIN);
    }
    if ((int64_t)limit.rlim_cur < needed) {
        log_event(LOG_WARN, "few_descriptors", LOG_INT("allowed", (int64_t)limit.rlim_cur), LOG_INT("needed", needed));
    }
    return STATUS_OK;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "localhost:", 10) == 0 || strncmp(address, "[::1]:", 6) == 0;
}

/* Passwords and sessions travel in the clear here: beyond this machine a proxy with TLS belongs in between. */
static void warn_of_open_listeners(const struct config_rest *rest)
{
    for (size_t i = 0; i < rest->listen.count; i++) {
        if (!is_loopback(rest->listen.items[i])) {
            log_event(LOG_WARN, "listening_without_tls", LOG_TEXT("address", rest->listen.items[i]),
                      LOG_TEXT("text", "reachable from other machines without TLS; put a reverse proxy before it, and name the "
                                       "proxy in rest.trusted_proxies"));
        }
    }
}

static enum status program_start(struct program *program, struct error *error)
{
    const struct config *config = program->config;
    const struct http_server_options options = {.listen = &config->rest.listen,
                                                .threads = config->rest.threads,
                                                .request_timeout_ms = config->rest.request_timeout_ms,
                                                .drain_bytes_max = http_form_bytes_max(&config->rest),
                                                .handler = routes_serve,
                                                .context = &program->adapter};
    enum status status = raise_descriptor_limit(config, error);

    program->adapter.config = config;
    warn_of_open_listeners(&config->rest);
    if (status == STATUS_OK) {
        status = files_open(&config->rest, &program->adapter.files, error);
    }
    if (status == STATUS_OK) {
        status = core_client_create(config, &program->adapter.core, error);
    }
    if (status == STATUS_OK) {
        status = courier_create(config, program->adapter.core, &program->courier, error);
    }
    if (status == STATUS_OK) {
        status = http_server_start(&options, &program->server, error);
    }
    return status;
}

/* Also of a program that started only in part. */
static void program_stop(struct program *program)
{
    if (program->server != NULL) {
        http_server_stop(program->server, STOP_GRACE_MS);
    }
    if (program->courier != NULL) {
        courier_stop(program->courier, STOP_GRACE_MS);
    }
    http_server_destroy(program->server);
    courier_destroy(program->courier);
    core_client_destroy(program->adapter.core);
    files_close(program->adapter.files);
}

/* The first signal begins the orderly stop; from then on signals do what they do by default: end the process at once. */
static void wait_for_signal(const sigset_t *signals)
{
    int number = 0;

    while (sigwait(signals, &number) != 0) {
    }
    log_event(LOG_INFO, "stopping", LOG_INT("signal", number));
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
}

static int run(struct config *config, const sigset_t *signals)
{
    struct program program = {.config = config};
    const char *version = XQUEUE_VERSION;
    struct error error = {0};
    enum status status = program_start(&program, &error);

    if (status == STATUS_OK) {
        log_event(LOG_INFO, "ready", LOG_TEXT("listen", http_server_address(program.server, 0)),
                  LOG_TEXT("core", config->rest.core), LOG_TEXT("version", version));
        wait_for_signal(signals);
    } else {
        log_event(LOG_ERROR, "not_started", LOG_TEXT("status", status_name(status)), LOG_TEXT("text", error.text));
    }
    program_stop(&program);
    if (status == STATUS_OK) {
        log_write(LOG_INFO, "stopped", NULL, 0);
    }
    return status == STATUS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct config *config = NULL;
    int exit_code = EXIT_SUCCESS;
    sigset_t signals;

    if (!config_from_arguments(argc, argv, "xqueue-rest", "The legacy HTTP interface of xqueued, and its courier.", &config,
                               &exit_code)) {
        return exit_code;
    }
    log_configure("xqueue-rest", config->log.level, config->log.format);
    // before any thread is there, so that all of them leave the signals to this one
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    rpc_log_install();
    exit_code = run(config, &signals);
    config_destroy(config);
    return exit_code;
}
