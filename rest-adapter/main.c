/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xqueue-rest: the legacy HTTP interface before xqueued, the courier that brings results to the LMS, and the push graders.
 *
 * Starts from the core's client outwards and stops in the opposite order: first no new requests and nothing more to grade, then
 * no new deliveries, then no more calls. The core need not be there for either.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/config.h"
#include "base/config_syntax.h"
#include "base/log.h"
#include "base/process.h"
#include "base/rpc/rpc_event.h"
#include "rest-adapter/core_client.h"
#include "rest-adapter/courier.h"
#include "rest-adapter/files.h"
#include "rest-adapter/http_form.h"
#include "rest-adapter/http_server.h"
#include "rest-adapter/push_graders.h"
#include "rest-adapter/routes.h"

enum {
    DESCRIPTORS_BESIDE = 128,   /* beside those of the HTTP server, of push graders, and one per callback */
    STOP_GRACE_MS = 10000,      /* for running requests and running callbacks, each */
    STOP_PUSH_GRACE_MS = 20000, /* for push graders, after that of running requests */
    EXIT_SECOND_SIGNAL = 143,   /* as the signal itself would */
};

struct program {
    struct config *config;
    struct adapter adapter;
    struct courier *courier;
    struct push_graders *push_graders;
    struct http_server *server;
};

/* How many clients there is room for: running out of descriptors would hit everybody. */
static int64_t connections_max(const struct config *config)
{
    int64_t wanted = config->rest.connections_max;
    int64_t allowed = process_descriptors_max();
    int64_t others = DESCRIPTORS_BESIDE + config->callbacks.parallel_max + push_graders_descriptors(config);
    int64_t possible = http_server_connections_max(wanted, config->rest.threads, allowed - others);

    if (possible < wanted) {
        log_event(LOG_WARN, "few_descriptors", LOG_INT("allowed", allowed), LOG_INT("connections_max", possible),
                  LOG_INT("wanted", wanted));
    }
    return possible;
}

/* Passwords and sessions travel in the clear here: beyond this machine a proxy with TLS belongs in between. */
static void warn_of_open_listeners(const struct config_rest *rest)
{
    for (size_t i = 0; i < rest->listen.count; i++) {
        if (!config_is_loopback(rest->listen.items[i])) {
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
                                                .connections_max = connections_max(config),
                                                .requests_waiting_max = config->rest.requests_waiting_max,
                                                .body_bytes_max = http_form_bytes_max(&config->rest),
                                                .drain_bytes_max = http_form_bytes_max(&config->rest),
                                                .spool_folder = config->rest.files,
                                                .spool_bytes_max = config->rest.spool_bytes_max,
                                                .handler = routes_serve,
                                                .wants_body = routes_want_body,
                                                .context = &program->adapter};
    program->adapter.config = config;
    warn_of_open_listeners(&config->rest);
    enum status status = files_open(&config->rest, &config->callbacks, &program->adapter.files, error);
    if (status == STATUS_OK) {
        status = core_client_create(config, &program->adapter.core, error);
    }
    if (status == STATUS_OK) {
        program->adapter.basic = basic_sessions_create(program->adapter.core, config);
        status = courier_create(config, program->adapter.core, &program->courier, error);
    }
    if (status == STATUS_OK) {
        status = push_graders_create(config, program->adapter.files, &program->push_graders, error);
        rpc_log_install(); // the SDK has silenced it
    }
    if (status == STATUS_OK) {
        status = http_server_start(&options, &program->server, error);
    }
    return status;
}

/* Also of a program that started only in part. */
static void program_stop(struct program *program)
{
    if (program->push_graders != NULL) {
        push_graders_drain(program->push_graders);
    }
    if (program->server != NULL) {
        http_server_stop(program->server, STOP_GRACE_MS);
    }
    if (program->push_graders != NULL) {
        push_graders_stop(program->push_graders, STOP_PUSH_GRACE_MS);
    }
    if (program->courier != NULL) {
        courier_stop(program->courier, STOP_GRACE_MS);
    }
    http_server_destroy(program->server);
    push_graders_destroy(program->push_graders);
    courier_destroy(program->courier);
    basic_sessions_destroy(program->adapter.basic);
    core_client_destroy(program->adapter.core);
    files_close(program->adapter.files);
}

/* The adapter keeps nothing: what is not told to the core is delivered again. */
static void on_second_signal(void *context)
{
    (void)context;
    log_event(LOG_WARN, "stopping_at_once", LOG_TEXT("text", "second signal"));
    _exit(EXIT_SECOND_SIGNAL);
}

static int run(struct config *config)
{
    struct program program = {.config = config};
    struct error error = {0};
    enum status status = process_prepare(&error);

    if (status == STATUS_OK) {
        rpc_log_install();
        status = program_start(&program, &error);
    }
    if (status != STATUS_OK) {
        log_event(LOG_ERROR, "start_failed", LOG_TEXT("status", status_name(status)), LOG_TEXT("text", error.text));
        program_stop(&program);
        return EXIT_FAILURE;
    }
    log_event(LOG_INFO, "ready", LOG_TEXT("listen", http_server_address(program.server, 0)),
              LOG_TEXT("core", config->rest.core), LOG_TEXT("version", XQUEUE_VERSION));
    int number = process_wait_for_stop();
    log_event(LOG_INFO, "stopping", LOG_TEXT("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"));
    process_on_second_signal(on_second_signal, NULL);
    program_stop(&program);
    log_event(LOG_INFO, "stopped", LOG_TEXT("text", "what was not handed over is delivered again later"));
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct config *config = NULL;
    int exit_code = EXIT_SUCCESS;

    if (!config_from_arguments(argc, argv, "xqueue-rest",
                               "The legacy HTTP interface of xqueued, its courier and its push graders.", &config,
                               &exit_code)) {
        return exit_code;
    }
    exit_code = run(config);
    config_destroy(config);
    return exit_code;
}
