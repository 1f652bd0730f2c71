/* SPDX-License-Identifier: Apache-2.0 */
#include "service/server.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/rpc/rpc_server_call.h"
#include "service/backup_maker.h"
#include "service/file_folder.h"
#include "service/file_worker.h"
#include "service/methods/health.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "service/methods/reflection.h"
#include "service/store/store.h"
#include "service/unnamed_files.h"

struct server {
    struct server_options options;
    struct service service; /* what methods see */
    struct store *store;
    struct queues *queues;
    struct unnamed_files *unnamed_files;
    struct rpc_loop *loop;
    struct rpc_method *methods; /* owned */
    struct rpc_server *rpc;
    bool stopped;
};

static enum status server_open_store(struct server *server, struct error *error)
{
    const struct config *config = server->options.config;
    enum status status = store_open(config->service.database, &server->store, error);
    if (status != STATUS_OK) {
        return status;
    }
    int64_t now_ms = clock_now_ms(server->options.clock);
    status = queues_create(config, server->store, now_ms, &server->queues, error);
    if (status != STATUS_OK) {
        return status;
    }
    uint8_t identity[16];
    store_identity(server->store, identity);
    server->service.access = access_create(config, server->options.clock, identity);
    status = access_load(server->service.access, server->store);
    if (status != STATUS_OK) {
        return error_set(error, status, NULL, "cannot read the sessions: %s", store_error_text(server->store));
    }
    return STATUS_OK;
}

static enum status server_open_files(struct server *server, struct error *error)
{
    const struct server_options *options = &server->options;
    enum status status = file_folder_open(options->config->service.files, options->clock, &server->service.files, error);
    if (status == STATUS_OK) {
        server->queues->files = server->service.files;
    }
    return status;
}

static bool server_start_file_threads(struct server *server)
{
    struct unnamed_files_options options = {
        .clock = server->options.clock,
        .engine = server->service.engine,
        .folder = server->service.files,
        .keep_ms = server->options.config->service.file_unnamed_ms,
    };
    server->service.file_worker = file_worker_create();
    server->unnamed_files = unnamed_files_start(&options);
    return server->service.file_worker && server->unnamed_files;
}

static enum status server_start_threads(struct server *server, struct error *error)
{
    struct engine_options options = {
        .clock = server->options.clock,
        .store = server->store,
        .queues = server->queues,
        .commands_max = server->options.config->service.commands_max,
        .on_storage_failure = server->options.on_storage_failure,
        .context = server->options.context,
    };
    server->service.engine = engine_create(&options);
    server->service.guard = login_guard_create(server->options.clock);
    secret_random(server->service.login_key, sizeof server->service.login_key);
    server->service.passwords = password_checker_create(server->service.access);
    server->service.backups = backup_maker_create(server->options.config);
    server->loop = rpc_loop_create("rpc");
    if (!server->service.engine || !server->service.passwords || !server->loop || !server_start_file_threads(server)) {
        return error_set(error, STATUS_UNAVAILABLE, NULL, "cannot start a thread");
    }
    return STATUS_OK;
}

/* All listeners, those in plain text first. */
struct listeners {
    const char *addresses[CONFIG_LISTENERS_MAX];
    struct rpc_tls_listener tls[CONFIG_LISTENERS_MAX];
    const struct rpc_tls_listener *pointers[CONFIG_LISTENERS_MAX]; /* NULL: plain text */
    size_t count;
};

static void listeners_add_tls(struct listeners *listeners, const struct config_tls *config)
{
    static const enum rpc_tls_clients clients[] = {
        [CONFIG_CLIENTS_OFF] = RPC_TLS_CLIENTS_OFF,
        [CONFIG_CLIENTS_OPTIONAL] = RPC_TLS_CLIENTS_OPTIONAL,
        [CONFIG_CLIENTS_REQUIRED] = RPC_TLS_CLIENTS_REQUIRED,
    };
    for (size_t i = 0; i < config->listen.count; i++) {
        size_t at = listeners->count++;
        listeners->addresses[at] = config->listen.items[i];
        listeners->tls[at] = (struct rpc_tls_listener){.certificate_file = config->certificate_file,
                                                       .key_file = config->key_file,
                                                       .client_ca_file = config->client_ca_file,
                                                       .clients = clients[config->client_certificates]};
        listeners->pointers[at] = &listeners->tls[at];
    }
}

static void listeners_fill(struct listeners *listeners, const struct config_service *config)
{
    *listeners = (struct listeners){.count = 0};
    for (size_t i = 0; i < config->listen.count; i++) {
        listeners->addresses[listeners->count++] = config->listen.items[i];
    }
    for (size_t i = 0; i < config->tls_count; i++) {
        listeners_add_tls(listeners, &config->tls[i]);
    }
}

static enum status server_listen(struct server *server, struct error *error)
{
    struct listeners listeners;
    listeners_fill(&listeners, &server->options.config->service);
    server->service.health = health_create();
    server->service.reflection = server->options.config->service.reflection ? reflection_create() : NULL;
    server->methods = methods_join();
    server->service.methods = server->methods;
    health_set_serving(server->service.health, true); /* as soon as somebody can ask */
    struct rpc_server_options options = {
        .listeners = listeners.addresses,
        .listener_count = listeners.count,
        .tls = listeners.pointers,
        .message_bytes_max = server->service.message_bytes_max,
        .header_bytes_max = (int)server->options.config->service.header_bytes_max,
        .streams_per_connection_max = (int)server->options.config->service.streams_per_connection_max,
        .send_queue_bytes_max = (size_t)server->options.config->service.send_queue_bytes_max,
        .authorise = method_authorise,
        .context = &server->service,
    };
    return rpc_server_create(server->loop, server->methods, &options, &server->rpc, error);
}

enum status server_create(const struct server_options *options, struct server **out_server, struct error *error)
{
    struct server *server = MEMORY_NEW(struct server);
    server->options = *options;
    server->service.config = options->config;
    server->service.clock = options->clock;
    server->service.message_bytes_max = (size_t)options->config->service.message_bytes_max;
    server->service.limits =
        caller_limits_create(options->config->service.calls_per_user_max, options->config->service.streams_per_user_max);
    enum status status = server_open_store(server, error);
    if (status == STATUS_OK) {
        status = server_open_files(server, error);
    }
    if (status == STATUS_OK) {
        status = server_start_threads(server, error);
    }
    if (status == STATUS_OK) {
        status = server_listen(server, error);
    }
    if (status != STATUS_OK) {
        server_destroy(server);
        return status;
    }
    *out_server = server;
    return STATUS_OK;
}

bool server_listener(const struct server *server, size_t index, char out[SERVER_ADDRESS_MAX])
{
    struct listeners listeners;
    listeners_fill(&listeners, &server->options.config->service);
    if (index >= listeners.count) {
        return false;
    }
    const char *address = listeners.addresses[index];
    const char *colon = strrchr(address, ':');
    if (strncmp(address, "unix:", 5) == 0) {
        (void)snprintf(out, SERVER_ADDRESS_MAX, "%s", address);
    } else {
        (void)snprintf(out, SERVER_ADDRESS_MAX, "%s%.*s:%d", listeners.pointers[index] ? RPC_TLS_SCHEME : "",
                       (int)(colon - address), address, server_port(server, index));
    }
    return true;
}

void server_reload(struct server *server)
{
    rpc_server_reload_certificates(server->rpc);
}

int server_port(const struct server *server, size_t index)
{
    return rpc_server_port(server->rpc, index);
}

/* ---- stopping ---- */

static enum engine_step server_stop_run(struct engine_command *command, struct queues *queues)
{
    (void)command;
    queues_stop(queues);
    return ENGINE_DONE;
}

static void server_stop_done(struct engine_command *command, enum status committed, const struct error *error)
{
    (void)committed; /* nothing of it is in the store */
    (void)error;
    memory_free(command);
}

static void server_tell_graders(struct server *server)
{
    struct engine_command *command = MEMORY_NEW(struct engine_command);
    command->run = server_stop_run;
    command->memory_only = true;
    command->done = server_stop_done;
    engine_submit_ending(server->service.engine, command);
}

void server_stop(struct server *server)
{
    if (server->stopped) {
        return;
    }
    server->stopped = true;
    if (server->rpc) {
        health_set_serving(server->service.health, false);
        rpc_server_refuse(server->rpc);
        backup_maker_stop(server->service.backups);
        reflection_stop(server->service.reflection);
        server_tell_graders(server);
        rpc_server_stop(server->rpc, server->options.config->service.drain_ms);
    }
}

void server_hurry(struct server *server)
{
    if (server->rpc) {
        rpc_server_abort_stop(server->rpc);
    }
}

void server_destroy(struct server *server)
{
    if (!server) {
        return;
    }
    server_stop(server);
    /* Whoever may still answer calls ends before the loop that carries the answers. */
    unnamed_files_stop(server->unnamed_files);
    file_worker_destroy(server->service.file_worker);
    password_checker_destroy(server->service.passwords);
    backup_maker_destroy(server->service.backups);
    engine_destroy(server->service.engine);
    rpc_server_destroy(server->rpc);
    rpc_loop_destroy(server->loop);
    memory_free(server->methods);
    reflection_destroy(server->service.reflection);
    health_destroy(server->service.health);
    login_guard_destroy(server->service.guard);
    access_destroy(server->service.access);
    caller_limits_destroy(server->service.limits);
    queues_destroy(server->queues);
    file_folder_close(server->service.files);
    store_close(server->store);
    memory_free(server);
}
