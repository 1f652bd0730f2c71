/* SPDX-License-Identifier: Apache-2.0 */
/* xqueued: the core service. Its parts stand in service/server.c. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/config_syntax.h"
#include "base/log.h"
#include "base/process.h"
#include "base/rpc/rpc_event.h"
#include "base/rpc/rpc_probe.h"
#include "base/rpc/rpc_tls.h"
#include "service/server.h"

enum {
    EXIT_STORAGE = 3, /* the disk failed; what was acknowledged is on it, as far as it goes */
    EXIT_LISTENER = 4,
};

/* Nothing may be answered any more, and no destructor may touch the database: out. */
static void on_storage_failure(void *context, const char *text)
{
    (void)context;
    log_event(LOG_ERROR, "storage_failed", LOG_TEXT("text", text),
              LOG_TEXT("action", "stopping at once: nothing is acknowledged that is not on disk"));
    _exit(EXIT_STORAGE);
}

static void on_listener_dead(void *context, const char *address)
{
    (void)context;
    log_event(LOG_ERROR, "stopping", LOG_TEXT("address", address),
              LOG_TEXT("text", "the listener takes no connections any more"));
    _exit(EXIT_LISTENER);
}

/* The second signal may come at any time, also when nothing is left to hurry. */
static struct {
    pthread_mutex_t mutex;
    struct server *server; /* guarded by mutex; NULL but while it stops */
} stopping = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void set_stopping(struct server *server)
{
    pthread_mutex_lock(&stopping.mutex);
    stopping.server = server;
    pthread_mutex_unlock(&stopping.mutex);
}

static void on_second_signal(void *context)
{
    (void)context;
    pthread_mutex_lock(&stopping.mutex);
    if (stopping.server) {
        log_event(LOG_WARN, "stopping_at_once", LOG_TEXT("text", "second signal"));
        server_hurry(stopping.server);
    }
    pthread_mutex_unlock(&stopping.mutex);
}

static struct rpc_probe *announce(const struct server *server, const struct config *config)
{
    char addresses[CONFIG_LISTENERS_MAX][SERVER_ADDRESS_MAX] = {""};
    const char *pointers[CONFIG_LISTENERS_MAX];
    size_t count = 0;
    while (count < CONFIG_LISTENERS_MAX && server_listener(server, count, addresses[count])) {
        const char *address = addresses[count];
        bool has_tls = strncmp(address, RPC_TLS_SCHEME, strlen(RPC_TLS_SCHEME)) == 0;
        pointers[count++] = address;
        log_event(LOG_INFO, "listening", LOG_TEXT("address", address));
        if (!has_tls && !config_is_loopback(address)) {
            log_event(LOG_WARN, "listening_without_tls", LOG_TEXT("address", address),
                      LOG_TEXT("text", "reachable from other machines without TLS, as service.allow_plaintext says"));
        }
    }
    log_event(LOG_INFO, "ready", LOG_TEXT("listen", addresses[0]), LOG_TEXT("database", config->service.database),
              LOG_INT("queues", (int64_t)config->queue_count), LOG_TEXT("version", XQUEUE_VERSION));
    return rpc_probe_start(pointers, count, on_listener_dead, NULL);
}

/* SIGHUP only reads the certificates again. */
static int wait_for_stop(struct server *server)
{
    int number = process_wait_for_signal();
    while (number == SIGHUP) {
        log_event(LOG_INFO, "reloading", LOG_TEXT("text", "the certificates; the configuration is read at start"));
        server_reload(server);
        number = process_wait_for_signal();
    }
    return number;
}

static int run(const struct config *config)
{
    struct error error = {0};
    if (process_prepare(&error) != STATUS_OK) {
        log_event(LOG_ERROR, "start_failed", LOG_TEXT("text", error.text));
        return EXIT_FAILURE;
    }
    rpc_log_install();
    struct server_options options = {.config = config, .clock = clock_system(), .on_storage_failure = on_storage_failure};
    struct server *server = NULL;
    if (server_create(&options, &server, &error) != STATUS_OK) {
        log_event(LOG_ERROR, "start_failed", LOG_TEXT("text", error.text));
        return EXIT_FAILURE;
    }
    struct rpc_probe *probe = announce(server, config);
    int number = wait_for_stop(server);
    log_event(LOG_INFO, "stopping", LOG_TEXT("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"));
    set_stopping(server);
    process_on_second_signal(on_second_signal, NULL);
    rpc_probe_stop(probe);
    server_stop(server);
    set_stopping(NULL);
    server_destroy(server);
    log_event(LOG_INFO, "stopped", LOG_TEXT("text", "everything is on disk"));
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct config *config = NULL;
    int exit_code = EXIT_SUCCESS;
    if (!config_from_arguments(argc, argv, "xqueued", "the queue between a learning platform and its graders", &config,
                               &exit_code)) {
        return exit_code;
    }
    exit_code = run(config);
    config_destroy(config);
    return exit_code;
}
