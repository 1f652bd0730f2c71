/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/http_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <civetweb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

enum {
    READ_STEP_BYTES_MIN = 16, /* mg_read fills what it is asked for, however long that takes: ask for little */
    READ_STEP_BYTES_MAX = 1024,
    DRAIN_BUFFER_BYTES = READ_STEP_BYTES_MAX,
    READ_STEP_SHARE = 16, /* ask for at most this share of what came so far */
    FILE_STEP_BYTES = 64 * 1024,
    ADDRESS_BYTES_MAX = 64,
    NUMBER_BYTES_MAX = 24,
    BUSY_THREADS_NUMERATOR = 3, /* beyond 3/4 of the threads connections are not kept */
    BUSY_THREADS_DENOMINATOR = 4,
};

struct http_server {
    struct mg_context *civetweb;
    http_handler *handler;
    void *context;
    int threads;
    int64_t request_timeout_ms;
    int64_t drain_bytes_max;
    int ports[CONFIG_LISTENERS_MAX];
    char addresses[CONFIG_LISTENERS_MAX][ADDRESS_BYTES_MAX * 2];
    size_t port_count;
    _Atomic int connections; /* that have a thread */

    pthread_mutex_t mutex;
    pthread_cond_t quiet;
    /* guarded by mutex */
    int running; /* requests inside the handler, or being answered */
    bool refusing;
};

/* One request on its way through. */
struct exchange {
    struct mg_connection *connection;
    const struct mg_request_info *info;
    struct http_server *server;
    int64_t started_us;
    int64_t body_bytes;
    int64_t body_read;
    bool continue_due; /* the client waits for "100 Continue" before it sends the body */
    bool broken;       /* the body did not come as announced */
};

/* ---- the body ---- */

static size_t read_step(const struct exchange *exchange, size_t capacity)
{
    int64_t step = exchange->body_read / READ_STEP_SHARE;

    if (step < READ_STEP_BYTES_MIN) {
        step = READ_STEP_BYTES_MIN;
    } else if (step > READ_STEP_BYTES_MAX) {
        step = READ_STEP_BYTES_MAX;
    }
    if (step > exchange->body_bytes - exchange->body_read) {
        step = exchange->body_bytes - exchange->body_read;
    }
    return (size_t)step < capacity ? (size_t)step : capacity;
}

static bool is_too_slow(const struct exchange *exchange)
{
    int64_t allowed_ms = exchange->server->request_timeout_ms + exchange->body_read * 1000 / HTTP_BODY_BYTES_PER_S_MIN;

    return clock_monotonic_us() - exchange->started_us > allowed_ms * 1000;
}

/* civetweb does not answer "Expect: 100-continue" by itself. */
static bool send_continue(struct exchange *exchange)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

    exchange->continue_due = false;
    return mg_write(exchange->connection, line, sizeof(line) - 1) == (int)sizeof(line) - 1;
}

static int64_t exchange_read(void *connection, void *buffer, size_t capacity)
{
    struct exchange *exchange = connection;
    int count = 0;

    if (exchange->broken) {
        return -1;
    }
    if (exchange->body_read == exchange->body_bytes) {
        return 0;
    }
    if (exchange->continue_due && !send_continue(exchange)) {
        exchange->broken = true;
        return -1;
    }
    count = mg_read(exchange->connection, buffer, read_step(exchange, capacity));
    if (count <= 0 || is_too_slow(exchange)) {
        exchange->broken = true;
        return -1;
    }
    exchange->body_read += count;
    return count;
}

static const char *exchange_header(void *connection, const char *name, size_t index)
{
    const struct exchange *exchange = connection;
    const struct mg_request_info *info = mg_get_request_info(exchange->connection);

    for (int i = 0; i < info->num_headers; i++) {
        if (mg_strcasecmp(info->http_headers[i].name, name) == 0 && index-- == 0) {
            return info->http_headers[i].value;
        }
    }
    return NULL;
}

/* ---- checks that civetweb leaves out ---- */

static int count_headers(const struct mg_request_info *info, const char *name)
{
    int count = 0;

    for (int i = 0; i < info->num_headers; i++) {
        count += mg_strcasecmp(info->http_headers[i].name, name) == 0;
    }
    return count;
}

static bool is_number(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/*
 * Where the body ends must be beyond doubt, or the rest of it could pass for the next request of somebody else behind the same
 * proxy. Returns the status of the refusal, or 0.
 */
static int check_framing(const struct mg_connection *connection, const struct mg_request_info *info)
{
    const char *length = mg_get_header(connection, "Content-Length");

    if (info->num_headers >= MG_MAX_HEADERS) {
        return 431; // civetweb forgets the headers after that many: the length could have been among them
    }
    if (count_headers(info, "Content-Length") > 1 || count_headers(info, "Transfer-Encoding") > 1 ||
        count_headers(info, "Host") > 1) {
        return 400;
    }
    if (length != NULL && (!is_number(length) || info->content_length < 0)) {
        return 400;
    }
    if (length != NULL && mg_get_header(connection, "Transfer-Encoding") != NULL) {
        return 400;
    }
    return 0;
}

/* ---- the reply ---- */

static bool write_all(struct mg_connection *connection, const char *bytes, size_t length)
{
    while (length > 0) {
        size_t step = length < INT32_MAX ? length : INT32_MAX;
        int count = mg_write(connection, bytes, step);

        if (count <= 0) {
            return false;
        }
        bytes += count;
        length -= (size_t)count;
    }
    return true;
}

static bool write_file(struct mg_connection *connection, FILE *file, int64_t length)
{
    char *buffer = memory_allocate(FILE_STEP_BYTES);
    bool is_written = true;

    while (is_written && length > 0) {
        size_t wanted = length < FILE_STEP_BYTES ? (size_t)length : FILE_STEP_BYTES;
        size_t count = fread(buffer, 1, wanted, file);

        is_written = count > 0 && write_all(connection, buffer, count);
        length -= (int64_t)count;
    }
    memory_free(buffer);
    return is_written;
}

/* Sends head and body, in one write where they are in memory: two would be two packets. False: the connection is of no use. */
static bool write_reply(struct exchange *exchange, struct http_reply *reply, bool keep_alive)
{
    bool has_body = strcmp(exchange->info->request_method, "HEAD") != 0;
    bool is_written = false;
    struct text out;

    text_init(&out, (size_t)HTTP_REPLY_HEAD_BYTES_MAX + HTTP_REPLY_BODY_BYTES_MAX);
    http_reply_head(reply, clock_wall_ms(), keep_alive, &out);
    if (has_body && reply->file < 0) {
        text_append(&out, reply->body.bytes, reply->body.length);
    }
    is_written = write_all(exchange->connection, out.bytes, out.length);
    text_finish(&out);
    if (is_written && has_body && reply->file >= 0) {
        FILE *file = fdopen(reply->file, "rb");

        is_written = file != NULL && write_file(exchange->connection, file, reply->file_bytes);
        if (file != NULL) {
            reply->file = -1;
            (void)fclose(file);
        }
    }
    return is_written;
}

/* Would civetweb keep it? It does not unless asked when the client speaks HTTP/1.0 or names any other option. */
static bool client_keeps(const struct exchange *exchange)
{
    const char *option = mg_get_header(exchange->connection, "Connection");

    if (option != NULL) {
        return strcasestr(option, "keep-alive") != NULL && strcasestr(option, "close") == NULL;
    }
    return strcmp(exchange->info->http_version, "1.1") == 0;
}

static bool can_drain(const struct exchange *exchange)
{
    return exchange->body_bytes - exchange->body_read <= exchange->server->drain_bytes_max;
}

static bool may_keep(const struct exchange *exchange, const struct http_reply *reply)
{
    const struct http_server *server = exchange->server;
    bool is_chunked = mg_get_header(exchange->connection, "Transfer-Encoding") != NULL;
    int kept_max = server->threads * BUSY_THREADS_NUMERATOR / BUSY_THREADS_DENOMINATOR;

    if (reply->close || exchange->broken || is_chunked || exchange->continue_due || !can_drain(exchange)) {
        return false;
    }
    return client_keeps(exchange) && atomic_load(&server->connections) <= kept_max;
}

/* Reads what the handler left of the body. True: nothing is left. */
static bool drain_body(struct exchange *exchange)
{
    char buffer[DRAIN_BUFFER_BYTES];
    int64_t left = exchange->server->drain_bytes_max;
    int64_t count = 0;

    do {
        count = exchange_read(exchange, buffer, sizeof(buffer));
        left -= count;
    } while (count > 0 && left >= 0);
    return count == 0;
}

static void finish_exchange(struct exchange *exchange, struct http_reply *reply, bool may_be_kept)
{
    bool keep_alive = false;

    if (text_status(&reply->headers) != STATUS_OK || text_status(&reply->body) != STATUS_OK) {
        log_event(LOG_ERROR, "reply_too_long", LOG_INT("status", reply->status));
        http_reply_page(reply, 500);
    }
    keep_alive = may_be_kept && may_keep(exchange, reply);
    bool is_written = write_reply(exchange, reply, keep_alive);
    bool is_drained = is_written && !exchange->continue_due && drain_body(exchange);
    if (!keep_alive || !is_drained) {
        mg_disable_connection_keep_alive(exchange->connection);
    }
}

/* ---- civetweb's callbacks ---- */

static bool enter_request(struct http_server *server)
{
    bool is_refusing = false;

    pthread_mutex_lock(&server->mutex);
    is_refusing = server->refusing;
    server->running++;
    pthread_mutex_unlock(&server->mutex);
    return !is_refusing;
}

static bool leave_request(struct http_server *server)
{
    bool is_refusing = false;

    pthread_mutex_lock(&server->mutex);
    is_refusing = server->refusing;
    if (--server->running == 0) {
        pthread_cond_broadcast(&server->quiet);
    }
    pthread_mutex_unlock(&server->mutex);
    return !is_refusing;
}

static bool is_refusing(struct http_server *server)
{
    bool value = false;

    pthread_mutex_lock(&server->mutex);
    value = server->refusing;
    pthread_mutex_unlock(&server->mutex);
    return value;
}

/* civetweb cuts request_uri at the '?', undecoded; an absolute one ("http://host/path") is found from its path on. */
static void run_handler(struct exchange *exchange, struct http_reply *reply)
{
    const struct mg_request_info *info = exchange->info;
    struct http_request request = {
        .method = http_method_from_name(info->request_method),
        .raw_path = info->local_uri_raw,
        .query = info->query_string,
        .peer = info->remote_addr,
        .port = info->server_port,
        .body_bytes = exchange->body_bytes,
        .header = exchange_header,
        .read = exchange_read,
        .connection = exchange,
    };
    char *path = memory_allocate(strlen(request.raw_path) + 1);

    request.path = http_path_decode(request.raw_path, path) == strlen(path) ? path : "";
    exchange->server->handler(exchange->server->context, &request, reply);
    memory_free(path);
}

static int on_request(struct mg_connection *connection)
{
    struct http_server *server = mg_get_user_data(mg_get_context(connection));
    const struct mg_request_info *info = mg_get_request_info(connection);
    struct exchange exchange = {.connection = connection, .info = info, .server = server, .started_us = clock_monotonic_us()};
    const char *expect = mg_get_header(connection, "Expect");
    bool is_admitted = enter_request(server);
    int refusal = is_admitted ? check_framing(connection, info) : 503;
    struct http_reply reply;
    int status = 0;

    http_reply_init(&reply);
    if (refusal == 0) {
        exchange.body_bytes = info->content_length > 0 ? info->content_length : 0;
        exchange.continue_due = exchange.body_bytes > 0 && expect != NULL && mg_strcasecmp(expect, "100-continue") == 0;
        run_handler(&exchange, &reply);
    } else {
        http_reply_page(&reply, refusal);
    }
    finish_exchange(&exchange, &reply, refusal == 0 && !is_refusing(server));
    status = reply.status;
    http_reply_finish(&reply);
    if (!leave_request(server)) {
        mg_disable_connection_keep_alive(connection);
    }
    return status;
}

/* civetweb could not make a request of it. It closes the connection afterwards. */
static int on_http_error(struct mg_connection *connection, int status, const char *text)
{
    struct http_reply reply;
    struct text out;

    (void)text;
    http_reply_init(&reply);
    http_reply_page(&reply, status);
    text_init(&out, HTTP_REPLY_HEAD_BYTES_MAX);
    http_reply_head(&reply, clock_wall_ms(), false, &out);
    text_append(&out, reply.body.bytes, reply.body.length);
    (void)write_all(connection, out.bytes, out.length); // nobody is left to tell when it fails
    text_finish(&out);
    http_reply_finish(&reply);
    mg_disable_connection_keep_alive(connection);
    return 0;
}

static int on_log_message(const struct mg_connection *connection, const char *text)
{
    (void)connection;
    log_event(LOG_DEBUG, "civetweb", LOG_TEXT("text", text));
    return 1;
}

static int on_log_access(const struct mg_connection *connection, const char *text)
{
    (void)connection;
    (void)text;
    return 1; // paths of files are secrets
}

static int on_connection_opened(const struct mg_connection *connection, void **out_data)
{
    struct http_server *server = mg_get_user_data(mg_get_context(connection));

    atomic_fetch_add(&server->connections, 1);
    *out_data = NULL;
    return 0;
}

static void on_connection_closed(const struct mg_connection *connection)
{
    struct http_server *server = mg_get_user_data(mg_get_context(connection));

    atomic_fetch_sub(&server->connections, 1);
}

/* ---- start and stop ---- */

/* civetweb gives meanings of its own to letters after a port and to a missing address: let only plain ones through. */
static enum status append_listener(struct text *listeners, const char *address, struct error *error)
{
    char host[ADDRESS_BYTES_MAX] = "";
    const char *colon = strrchr(address, ':');
    struct in_addr parsed;
    int64_t port = 0;

    if (address[0] == '[' && mg_check_feature(MG_FEATURES_IPV6) == 0) {
        return error_set(error, STATUS_INVALID, NULL, "cannot listen on '%s': this civetweb is built without IPv6", address);
    }
    if (colon == NULL || colon - address >= ADDRESS_BYTES_MAX || text_to_int64(colon + 1, 0, 65535, &port) != STATUS_OK) {
        return error_set(error, STATUS_INVALID, NULL, "cannot listen on '%s': not of the form ADDRESS:PORT", address);
    }
    memcpy(host, address, (size_t)(colon - address));
    if (strcmp(host, "localhost") == 0) {
        text_copy(host, sizeof(host), "127.0.0.1");
    }
    if (host[0] != '[' && inet_pton(AF_INET, host, &parsed) != 1) {
        return error_set(error, STATUS_INVALID, NULL, "cannot listen on '%s': not an IP address", address);
    }
    text_append_format(listeners, "%s%s:%lld", listeners->length > 0 ? "," : "", host, (long long)port);
    return text_status(listeners);
}

static void log_listeners(struct http_server *server, const struct config_texts *listen)
{
    struct mg_server_port ports[CONFIG_LISTENERS_MAX];
    int count = mg_get_server_ports(server->civetweb, CONFIG_LISTENERS_MAX, ports);

    for (int i = 0; i < count; i++) {
        const char *wanted = listen->items[i];
        char *address = server->addresses[i];

        (void)snprintf(address, sizeof(server->addresses[i]), "%.*s:%d", (int)(strrchr(wanted, ':') - wanted), wanted,
                       ports[i].port);
        server->ports[i] = ports[i].port;
        server->port_count++;
        log_event(LOG_INFO, "listening", LOG_TEXT("protocol", "http"), LOG_TEXT("address", address));
    }
}

static enum status start_civetweb(struct http_server *server, const char *listeners, struct error *error)
{
    char threads[NUMBER_BYTES_MAX];
    char timeout[NUMBER_BYTES_MAX];
    char head[NUMBER_BYTES_MAX];
    char text[ERROR_TEXT_MAX] = "";
    unsigned code = 0;
    const char *options[] = {"listening_ports", listeners, "num_threads", threads, "request_timeout_ms", timeout,
                             "keep_alive_timeout_ms", timeout, "max_request_size", head, "enable_keep_alive", "yes",
                             "tcp_nodelay", "1", "decode_url", "no", "decode_query_string", "no",
                             // otherwise "GET http://name/" is checked against a made-up domain
                             "enable_auth_domain_check", "no", "enable_directory_listing", "no", "access_control_allow_methods",
                             "", NULL};
    const struct mg_callbacks callbacks = {
        .begin_request = on_request,
        .http_error = on_http_error,
        .log_message = on_log_message,
        .log_access = on_log_access,
        .init_connection = on_connection_opened,
        .connection_closed = on_connection_closed,
    };
    struct mg_init_data init = {.callbacks = &callbacks, .user_data = server, .configuration_options = options};
    struct mg_error_data failure = {.code = &code, .text = text, .text_buffer_size = sizeof(text)};

    (void)snprintf(threads, sizeof(threads), "%d", server->threads);
    (void)snprintf(timeout, sizeof(timeout), "%lld", (long long)server->request_timeout_ms);
    (void)snprintf(head, sizeof(head), "%d", HTTP_REQUEST_HEAD_BYTES_MAX);
    server->civetweb = mg_start2(&init, &failure);
    if (server->civetweb == NULL) {
        return error_set(error, STATUS_UNAVAILABLE, NULL, "cannot listen on %s: %s", listeners,
                         text[0] != '\0' ? text : "taken by another program, or not permitted");
    }
    return STATUS_OK;
}

enum status http_server_start(const struct http_server_options *options, struct http_server **out_server, struct error *error)
{
    struct http_server *server = MEMORY_NEW(struct http_server);
    enum status status = STATUS_OK;
    struct text listeners;

    assert(options->handler != NULL);
    server->handler = options->handler;
    server->context = options->context;
    server->threads = (int)options->threads;
    server->request_timeout_ms = options->request_timeout_ms;
    server->drain_bytes_max = options->drain_bytes_max;
    pthread_mutex_init(&server->mutex, NULL);
    clock_condition_init(&server->quiet);
    mg_init_library(MG_FEATURES_DEFAULT);

    text_init(&listeners, (size_t)CONFIG_LISTENERS_MAX * ADDRESS_BYTES_MAX);
    for (size_t i = 0; i < options->listen->count && status == STATUS_OK; i++) {
        status = append_listener(&listeners, options->listen->items[i], error);
    }
    if (status == STATUS_OK) {
        status = start_civetweb(server, listeners.bytes, error);
    }
    text_finish(&listeners);
    if (status != STATUS_OK) {
        http_server_destroy(server);
        return status;
    }
    log_listeners(server, options->listen);
    *out_server = server;
    return STATUS_OK;
}

int http_server_port(const struct http_server *server, size_t index)
{
    assert(index < server->port_count);
    return server->ports[index];
}

const char *http_server_address(const struct http_server *server, size_t index)
{
    assert(index < server->port_count);
    return server->addresses[index];
}

void http_server_stop(struct http_server *server, int64_t grace_ms)
{
    struct clock *clock = clock_system();
    int64_t deadline_ms = clock_add_ms(clock_now_ms(clock), grace_ms);
    bool is_in_time = true;

    pthread_mutex_lock(&server->mutex);
    server->refusing = true;
    // mg_stop lets writing fail at once, so the running ones must be through before
    while (server->running > 0 && is_in_time) {
        is_in_time = clock_wait_until(clock, &server->quiet, &server->mutex, deadline_ms);
    }
    pthread_mutex_unlock(&server->mutex);
    if (server->civetweb != NULL) {
        mg_stop(server->civetweb);
        server->civetweb = NULL;
    }
}

void http_server_destroy(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    http_server_stop(server, 0);
    mg_exit_library();
    pthread_cond_destroy(&server->quiet);
    pthread_mutex_destroy(&server->mutex);
    memory_free(server);
}
