/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/http_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <civetweb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"

enum {
    NUMBER_BYTES_MAX = 24,
    SPARE_THREADS = 2, /* for those who are not the gate, and get 403: the gate's connections keep a thread each for good */
    FIRST_REQUEST_TIMEOUT_MS = 30000,       /* for those; the gate sends at once */
    KEPT_TIMEOUT_MS = 7 * 24 * 3600 * 1000, /* the gate's connections may be idle as long as they like */
    DESCRIPTORS_PER_THREAD =
        6, /* both ends of its connection, a file on its way in, a file on its way out, and a little room */
    DESCRIPTORS_PER_CONNECTION = 2,
    KNOCK_MS = 20,
};

struct http_server {
    struct mg_context *civetweb;
    struct http_gate *_Atomic gate; /* civetweb's threads are there before it */
    struct http_spool *spool;
    http_handler *handler;
    void *context;
    int threads;
    int civetweb_port;
    char secret[SECRET_KEY_TEXT_MAX]; /* that the gate shows with each request */
};

/* One request on its way through. */
struct exchange {
    struct mg_connection *connection;
    struct http_server *server;
    struct http_gate_note note;
};

/* ---- the request ---- */

static int64_t exchange_read(void *connection, void *buffer, size_t capacity)
{
    struct exchange *exchange = connection;
    int count = 0;

    if (exchange->note.body_bytes == 0) {
        return 0;
    }
    if (!exchange->note.has_body) {
        // the handler and wants_body do not agree
        log_event(LOG_ERROR, "body_not_taken_in", LOG_INT("bytes", exchange->note.body_bytes));
        return -1;
    }
    count = mg_read(exchange->connection, buffer, capacity < INT32_MAX ? capacity : INT32_MAX);
    return count < 0 ? -1 : count;
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

/* civetweb cuts request_uri at the '?', undecoded. */
static void run_handler(struct exchange *exchange, struct http_reply *reply)
{
    const struct mg_request_info *info = mg_get_request_info(exchange->connection);
    struct http_request request = {
        .method = http_method_from_name(exchange->note.method),
        .raw_path = info->local_uri_raw,
        .query = info->query_string,
        .peer = exchange->note.peer,
        .port = exchange->note.port,
        .body_bytes = exchange->note.body_bytes,
        .header = exchange_header,
        .read = exchange_read,
        .connection = exchange,
    };
    char *path = memory_allocate(strlen(request.raw_path) + 1);

    request.path = http_path_decode(request.raw_path, path) == strlen(path) ? path : "";
    exchange->server->handler(exchange->server->context, &request, reply);
    memory_free(path);
}

/* ---- the reply ---- */

static void write_all(struct mg_connection *connection, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        int count = mg_write(connection, at, length);

        if (count <= 0) {
            mg_disable_connection_keep_alive(connection); // the gate is gone, and knows it
            return;
        }
        at += count;
        length -= (size_t)count;
    }
}

/* A body that is too long to wait in memory for a slow reader becomes a file. false: it cannot. */
static bool spool_body(struct exchange *exchange, const struct http_reply *reply, struct http_gate_file *out_file)
{
    struct http_body body;
    enum status status = STATUS_OK;

    http_body_init(&body, exchange->server->spool);
    status = http_body_append(&body, reply->body.bytes, reply->body.length);
    if (status == STATUS_OK) {
        *out_file = (struct http_gate_file){.bytes = body.bytes, .spooled_bytes = body.bytes};
        out_file->file = http_body_take_file(&body);
    }
    http_body_finish(&body);
    return status == STATUS_OK;
}

/* What of the reply goes to the gate as a file, if anything. May replace the reply by a refusal. */
static struct http_gate_file take_file(struct exchange *exchange, struct http_reply *reply)
{
    struct http_gate_file file = {.file = -1};

    if (reply->file >= 0) {
        file =
            (struct http_gate_file){.file = reply->file, .offset = lseek(reply->file, 0, SEEK_CUR), .bytes = reply->file_bytes};
    } else if (reply->body.length > HTTP_SPOOL_MEMORY_BYTES_MAX && !spool_body(exchange, reply, &file)) {
        http_reply_page(reply, 503);
        http_reply_header(reply, "Retry-After", "1");
    }
    return file;
}

static void frame_reply(struct exchange *exchange, bool is_keeping, const struct text *bytes, const struct http_gate_file *file)
{
    struct http_gate_frame frame = {.is_keeping = is_keeping, .has_file = file->file >= 0, .bytes = (uint32_t)bytes->length};
    struct text out;

    memcpy(frame.secret, exchange->server->secret, sizeof(frame.secret));
    if (frame.has_file) {
        http_gate_hand_over(exchange->server->gate, &exchange->note, file);
    }
    text_init(&out, sizeof(frame) + HTTP_GATE_REPLY_BYTES_MAX);
    text_append(&out, &frame, sizeof(frame));
    text_append(&out, bytes->bytes, bytes->length);
    write_all(exchange->connection, out.bytes, out.length); // in one write: two would be two packets
    text_finish(&out);
}

static void send_reply(struct exchange *exchange, struct http_reply *reply)
{
    bool is_keeping = exchange->note.is_keeping && !reply->close;
    bool has_body = strcmp(exchange->note.method, "HEAD") != 0;
    struct http_gate_file file = {.file = -1};
    struct text out;

    if (text_status(&reply->headers) != STATUS_OK || text_status(&reply->body) != STATUS_OK) {
        log_event(LOG_ERROR, "reply_too_long", LOG_INT("status", reply->status));
        http_reply_page(reply, 500);
    }
    if (has_body) {
        file = take_file(exchange, reply);
    }
    text_init(&out, HTTP_GATE_REPLY_BYTES_MAX);
    http_reply_head(reply, clock_wall_ms(), is_keeping, &out);
    if (has_body && file.file < 0) {
        text_append(&out, reply->body.bytes, reply->body.length);
    }
    if (has_body && reply->file >= 0) {
        reply->file = -1; // it is the gate's from here on
    }
    assert(text_status(&out) == STATUS_OK);
    frame_reply(exchange, is_keeping, &out, &file);
    text_finish(&out);
}

/* ---- civetweb's callbacks ---- */

/* For who is not the gate. Returns the status. */
static int refuse(struct mg_connection *connection, int status)
{
    struct http_reply reply;
    struct text out;

    http_reply_init(&reply);
    http_reply_page(&reply, status);
    text_init(&out, HTTP_GATE_REPLY_BYTES_MAX);
    http_reply_head(&reply, clock_wall_ms(), false, &out);
    text_append(&out, reply.body.bytes, reply.body.length);
    write_all(connection, out.bytes, out.length);
    text_finish(&out);
    http_reply_finish(&reply);
    mg_disable_connection_keep_alive(connection);
    return status;
}

static int on_request(struct mg_connection *connection)
{
    struct http_server *server = mg_get_user_data(mg_get_context(connection));
    struct exchange exchange = {.connection = connection, .server = server};
    struct http_reply reply;

    if (!http_gate_parse_note(mg_get_header(connection, HTTP_GATE_HEADER), server->secret, &exchange.note)) {
        return refuse(connection, 403);
    }
    http_reply_init(&reply);
    if (exchange.note.is_greeting) {
        text_clear(&reply.body);
    } else {
        run_handler(&exchange, &reply);
    }
    send_reply(&exchange, &reply);
    http_reply_finish(&reply);
    return 200;
}

/* civetweb could not make a request of it: it is not from the gate. It closes the connection afterwards. */
static int on_http_error(struct mg_connection *connection, int status, const char *text)
{
    (void)text;
    (void)refuse(connection, status);
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

/* ---- start and stop ---- */

static enum status start_civetweb(struct http_server *server, struct error *error)
{
    char threads[NUMBER_BYTES_MAX];
    char first[NUMBER_BYTES_MAX];
    char kept[NUMBER_BYTES_MAX];
    char head[NUMBER_BYTES_MAX];
    char text[ERROR_TEXT_MAX] = "";
    unsigned code = 0;
    const char *options[] = {"listening_ports", "127.0.0.1:0", "num_threads", threads, "request_timeout_ms", first,
                             "keep_alive_timeout_ms", kept, "max_request_size", head, "enable_keep_alive", "yes", "tcp_nodelay",
                             "1", "decode_url", "no", "decode_query_string", "no",
                             // otherwise "GET http://name/" is checked against a made-up domain
                             "enable_auth_domain_check", "no", "enable_directory_listing", "no", "access_control_allow_methods",
                             "", NULL};
    const struct mg_callbacks callbacks = {
        .begin_request = on_request,
        .http_error = on_http_error,
        .log_message = on_log_message,
        .log_access = on_log_access,
    };
    struct mg_init_data init = {.callbacks = &callbacks, .user_data = server, .configuration_options = options};
    struct mg_error_data failure = {.code = &code, .text = text, .text_buffer_size = sizeof(text)};

    (void)snprintf(threads, sizeof(threads), "%d", server->threads + SPARE_THREADS);
    (void)snprintf(first, sizeof(first), "%d", FIRST_REQUEST_TIMEOUT_MS);
    (void)snprintf(kept, sizeof(kept), "%d", KEPT_TIMEOUT_MS);
    (void)snprintf(head, sizeof(head), "%d", HTTP_GATE_HEAD_BYTES_MAX);
    server->civetweb = mg_start2(&init, &failure);
    if (server->civetweb == NULL) {
        return error_set(error, STATUS_UNAVAILABLE, NULL, "cannot listen on the loopback interface: %s", text);
    }
    return STATUS_OK;
}

static enum status start_gate(struct http_server *server, const struct http_server_options *options, struct error *error)
{
    struct mg_server_port port = {0};
    struct http_gate *created = NULL;
    struct http_gate_options gate = {
        .listen = options->listen,
        .slots = server->threads,
        .secret = server->secret,
        .connections_max = options->connections_max,
        .waiting_max = options->requests_waiting_max,
        .request_timeout_ms = options->request_timeout_ms,
        .body_bytes_max = options->body_bytes_max,
        .drain_bytes_max = options->drain_bytes_max,
        .spool = server->spool,
        .wants_body = options->wants_body,
        .context = options->context,
    };

    if (mg_get_server_ports(server->civetweb, 1, &port) != 1) {
        return error_set(error, STATUS_INTERNAL, NULL, "civetweb does not say where it listens");
    }
    server->civetweb_port = port.port;
    gate.server_port = port.port;
    enum status status = http_gate_create(&gate, &created, error);
    server->gate = created; /* before there are requests, whose replies need it */
    return status == STATUS_OK ? http_gate_start(created, error) : status;
}

enum status http_server_start(const struct http_server_options *options, struct http_server **out_server, struct error *error)
{
    struct http_server *server = MEMORY_NEW(struct http_server);
    enum status status = STATUS_OK;

    assert(options->handler != NULL);
    server->handler = options->handler;
    server->context = options->context;
    server->threads = (int)options->threads;
    secret_key(server->secret);
    mg_init_library(MG_FEATURES_DEFAULT);
    status = http_spool_create(options->spool_folder, options->spool_bytes_max, &server->spool, error);
    if (status == STATUS_OK) {
        status = start_civetweb(server, error);
    }
    if (status == STATUS_OK) {
        status = start_gate(server, options, error);
    }
    if (status != STATUS_OK) {
        http_server_destroy(server);
        return status;
    }
    *out_server = server;
    return STATUS_OK;
}

int64_t http_server_connections_max(int64_t wanted, int64_t threads, int64_t descriptors)
{
    int64_t possible = (descriptors - threads * DESCRIPTORS_PER_THREAD) / DESCRIPTORS_PER_CONNECTION;

    if (possible < HTTP_GATE_CONNECTIONS_MIN) {
        possible = HTTP_GATE_CONNECTIONS_MIN;
    }
    return wanted < possible ? wanted : possible;
}

int http_server_port(const struct http_server *server, size_t index)
{
    return http_gate_port(server->gate, index);
}

const char *http_server_address(const struct http_server *server, size_t index)
{
    return http_gate_address(server->gate, index);
}

/* A stop of civetweb, on a thread of its own. */
struct civetweb_stop {
    struct mg_context *civetweb;
    pthread_mutex_t mutex;
    /* mutex: */
    pthread_cond_t end;
    bool has_ended;
};

static void *civetweb_stop_main(void *context)
{
    struct civetweb_stop *stop = context;

    mg_stop(stop->civetweb);
    pthread_mutex_lock(&stop->mutex);
    stop->has_ended = true;
    pthread_cond_signal(&stop->end);
    pthread_mutex_unlock(&stop->mutex);
    return NULL;
}

/* A connection that says nothing. */
static void knock(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (socket_ >= 0) {
        (void)connect(socket_, (const struct sockaddr *)&address, sizeof(address)); // refused: it listens no more
        close(socket_);
    }
}

/* Waits for that a little. */
static bool civetweb_has_stopped(struct civetweb_stop *stop)
{
    int64_t until_ms = clock_add_ms(clock_now_ms(clock_system()), KNOCK_MS);

    pthread_mutex_lock(&stop->mutex);
    bool has_ended = stop->has_ended;
    if (!has_ended) {
        (void)clock_wait_until(clock_system(), &stop->end, &stop->mutex, until_ms);
        has_ended = stop->has_ended;
    }
    pthread_mutex_unlock(&stop->mutex);
    return has_ended;
}

/* mg_stop waits until the thread that accepts has looked up, which takes two seconds unless somebody knocks. */
static void stop_civetweb(struct http_server *server)
{
    struct civetweb_stop stop = {.civetweb = server->civetweb, .mutex = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;

    clock_condition_init(&stop.end);
    if (pthread_create(&thread, NULL, civetweb_stop_main, &stop) != 0) {
        mg_stop(server->civetweb);
    } else {
        do {
            knock(server->civetweb_port);
        } while (!civetweb_has_stopped(&stop));
        (void)pthread_join(thread, NULL);
    }
    pthread_cond_destroy(&stop.end);
    server->civetweb = NULL;
}

void http_server_stop(struct http_server *server, int64_t grace_ms)
{
    if (server->gate != NULL) {
        http_gate_stop(server->gate, grace_ms);
    }
    if (server->civetweb != NULL) {
        stop_civetweb(server);
    }
}

void http_server_destroy(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    http_server_stop(server, 0);
    http_gate_destroy(server->gate);
    http_spool_destroy(server->spool);
    mg_exit_library();
    memory_wipe(server->secret, sizeof(server->secret));
    memory_free(server);
}
