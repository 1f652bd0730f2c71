/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/fake_lms.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/text.h"
#include "tests/support/http_request.h"

enum { BACKLOG = 256, REPLY_HEAD_MAX = 1024, REPLY_CHUNK_BYTES = 4096 };

struct path_script {
    char path[FAKE_LMS_PATH_MAX];
    struct fake_lms_script script;
};

struct fake_lms {
    int port;
    pthread_t acceptor;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    int listener;
    bool stopping;
    uint64_t releases; /* how often fake_lms_release was called */
    struct list connections;
    struct fake_lms_callback **callbacks; /* owned */
    size_t callback_count;
    size_t callback_capacity;
    struct path_script paths[FAKE_LMS_PATHS_MAX];
    size_t path_count;
    struct fake_lms_script next;
    size_t next_count;
    struct fake_lms_script otherwise;
    size_t answering;
    size_t answering_peak;
};

struct connection {
    struct list_node node; /* of lms->connections */
    struct fake_lms *lms;
    int socket;
};

static void require(bool condition, const char *what)
{
    if (!condition) {
        perror(what);
        abort();
    }
}

/* ---- records and scripts (lock held) ---- */

static void record(struct fake_lms *lms, struct fake_lms_callback *callback)
{
    if (lms->callback_count == lms->callback_capacity) {
        lms->callback_capacity = lms->callback_capacity ? 2 * lms->callback_capacity : 64;
        lms->callbacks = memory_resize(lms->callbacks, lms->callback_capacity * sizeof(struct fake_lms_callback *));
    }
    lms->callbacks[lms->callback_count++] = callback;
    lms->answering++;
    if (lms->answering > lms->answering_peak)
        lms->answering_peak = lms->answering;
    pthread_cond_broadcast(&lms->changed);
}

static struct fake_lms_script choose(struct fake_lms *lms, const char *path)
{
    for (size_t i = 0; i < lms->path_count; i++) {
        if (strcmp(lms->paths[i].path, path) == 0)
            return lms->paths[i].script;
    }
    if (lms->next_count > 0) {
        lms->next_count--;
        return lms->next;
    }
    return lms->otherwise;
}

/* Waits until the deadline, a release that came after releases_seen, or the stop. */
static void wait_for_release(struct fake_lms *lms, uint64_t releases_seen, int64_t deadline_ms)
{
    while (!lms->stopping && lms->releases == releases_seen) {
        if (!clock_wait_until(clock_system(), &lms->changed, &lms->lock, deadline_ms))
            return;
    }
}

/* ---- answering ---- */

static bool send_all(int socket, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(socket, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

static bool send_head(int socket, const struct fake_lms_script *script, size_t body_bytes)
{
    int http_status = script->http_status ? script->http_status : 200;
    if (script->kind == FAKE_LMS_REDIRECT && script->http_status == 0)
        http_status = 302;
    struct text head;
    text_init(&head, REPLY_HEAD_MAX);
    const char *content_type = script->content_type ? script->content_type : "text/plain";
    text_append_format(&head, "HTTP/1.1 %d Whatever\r\nContent-Length: %zu\r\n", http_status, body_bytes);
    if (content_type[0] != '\0')
        text_append_format(&head, "Content-Type: %s\r\n", content_type);
    if (script->location)
        text_append_format(&head, "Location: %s\r\n", script->location);
    if (script->header_line)
        text_append_format(&head, "%s\r\n", script->header_line);
    if (script->close_after)
        text_append_string(&head, "Connection: close\r\n");
    text_append_string(&head, "\r\n");
    assert(!head.failed);
    bool sent = send_all(socket, head.bytes, head.length);
    text_finish(&head);
    return sent;
}

static size_t body_bytes_of(const struct fake_lms_script *script)
{
    return script->reply || script->reply_bytes ? script->reply_bytes : 2;
}

static bool send_body(int socket, const struct fake_lms_script *script)
{
    if (script->reply)
        return send_all(socket, script->reply, script->reply_bytes);
    if (script->reply_bytes == 0)
        return send_all(socket, "ok", 2);
    char chunk[REPLY_CHUNK_BYTES];
    memset(chunk, 'x', sizeof(chunk));
    for (size_t left = script->reply_bytes; left > 0;) {
        size_t part = left < sizeof(chunk) ? left : sizeof(chunk);
        if (!send_all(socket, chunk, part))
            return false;
        left -= part;
    }
    return true;
}

static bool send_reply(int socket, const struct fake_lms_script *script, bool with_body)
{
    return send_head(socket, script, body_bytes_of(script)) && (!with_body || send_body(socket, script)) &&
           !script->close_after;
}

static void wait_locked(struct fake_lms *lms, uint64_t releases_seen, int64_t deadline_ms)
{
    pthread_mutex_lock(&lms->lock);
    wait_for_release(lms, releases_seen, deadline_ms);
    pthread_mutex_unlock(&lms->lock);
}

/* Returns whether the connection can be used again. */
static bool answer(struct fake_lms *lms, int socket, const struct fake_lms_script *script, const char *method,
                   uint64_t releases_seen)
{
    static const char garbage[] = "I speak something else\r\n\r\n";
    bool with_body = strcmp(method, "HEAD") != 0;

    if (script->delay_ms > 0)
        wait_locked(lms, releases_seen, clock_add_ms(clock_now_ms(clock_system()), script->delay_ms));
    switch (script->kind) {
    case FAKE_LMS_CLOSE:
        return false;
    case FAKE_LMS_GARBAGE:
        (void)send_all(socket, garbage, sizeof(garbage) - 1);
        return false;
    case FAKE_LMS_HANG:
        wait_locked(lms, releases_seen, CLOCK_NEVER);
        break;
    case FAKE_LMS_HANG_BODY:
        if (!send_head(socket, script, body_bytes_of(script)))
            return false;
        wait_locked(lms, releases_seen, CLOCK_NEVER);
        return send_body(socket, script) && !script->close_after;
    case FAKE_LMS_ANSWER:
    case FAKE_LMS_REDIRECT:
        break;
    }
    return send_reply(socket, script, with_body);
}

static void serve(struct connection *connection)
{
    struct fake_lms *lms = connection->lms;
    struct http_request_reader reader;
    http_request_reader_init(&reader, connection->socket);
    for (bool open = true; open;) {
        struct fake_lms_callback *callback = http_request_receive(&reader);
        if (!callback)
            break;
        pthread_mutex_lock(&lms->lock);
        struct fake_lms_script script = choose(lms, callback->path);
        uint64_t releases_seen = lms->releases;
        record(lms, callback);
        pthread_mutex_unlock(&lms->lock);

        open = answer(lms, connection->socket, &script, callback->method, releases_seen);

        pthread_mutex_lock(&lms->lock);
        lms->answering--;
        open = open && !lms->stopping;
        pthread_mutex_unlock(&lms->lock);
    }
    http_request_reader_finish(&reader);
}

static void *connection_main(void *argument)
{
    struct connection *connection = argument;
    struct fake_lms *lms = connection->lms;
    serve(connection);

    pthread_mutex_lock(&lms->lock);
    list_remove(&lms->connections, &connection->node);
    close(connection->socket);
    memory_free(connection);
    pthread_cond_broadcast(&lms->changed);
    pthread_mutex_unlock(&lms->lock);
    return NULL;
}

/* ---- accepting ---- */

static void start_connection(struct fake_lms *lms, int socket)
{
    struct connection *connection = MEMORY_NEW(struct connection);
    int yes = 1;
    connection->lms = lms;
    connection->socket = socket;
    // Head and body go out in two writes; without this the second waits 40 ms for the peer.
    require(setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) == 0, "fake_lms: setsockopt");
    pthread_mutex_lock(&lms->lock);
    bool stopping = lms->stopping;
    if (!stopping)
        list_append(&lms->connections, &connection->node);
    pthread_mutex_unlock(&lms->lock);
    if (stopping) {
        close(socket);
        memory_free(connection);
        return;
    }
    pthread_attr_t detached;
    pthread_t thread;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    require(pthread_create(&thread, &detached, connection_main, connection) == 0, "fake_lms: thread");
    pthread_attr_destroy(&detached);
}

static void *acceptor_main(void *argument)
{
    struct fake_lms *lms = argument;
    pthread_mutex_lock(&lms->lock);
    int listener = lms->listener;
    pthread_mutex_unlock(&lms->lock);
    for (;;) {
        int socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (socket < 0)
            return NULL; // fake_lms_stop has shut the listener down
        start_connection(lms, socket);
    }
}

static void open_listener(struct fake_lms *lms)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)lms->port)};
    socklen_t length = sizeof(address);
    int yes = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(listener >= 0, "fake_lms: socket");
    require(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0, "fake_lms: setsockopt");
    require(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0, "fake_lms: bind");
    require(listen(listener, BACKLOG) == 0, "fake_lms: listen");
    require(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "fake_lms: getsockname");
    lms->port = ntohs(address.sin_port);
    pthread_mutex_lock(&lms->lock);
    lms->listener = listener;
    lms->stopping = false;
    pthread_mutex_unlock(&lms->lock);
    require(pthread_create(&lms->acceptor, NULL, acceptor_main, lms) == 0, "fake_lms: thread");
}

/* ---- life ---- */

struct fake_lms *fake_lms_start(int port)
{
    struct fake_lms *lms = MEMORY_NEW(struct fake_lms);
    lms->port = port;
    pthread_mutex_init(&lms->lock, NULL);
    clock_condition_init(&lms->changed);
    list_init(&lms->connections);
    open_listener(lms);
    return lms;
}

void fake_lms_stop(struct fake_lms *lms)
{
    pthread_mutex_lock(&lms->lock);
    if (lms->stopping) {
        pthread_mutex_unlock(&lms->lock);
        return;
    }
    lms->stopping = true;
    shutdown(lms->listener, SHUT_RDWR);
    pthread_cond_broadcast(&lms->changed);
    pthread_mutex_unlock(&lms->lock);
    pthread_join(lms->acceptor, NULL);

    pthread_mutex_lock(&lms->lock);
    close(lms->listener);
    for (struct list_node *node = list_first(&lms->connections); node; node = list_next(&lms->connections, node))
        shutdown(LIST_OWNER(node, struct connection, node)->socket, SHUT_RDWR);
    while (!list_is_empty(&lms->connections))
        clock_wait_until(clock_system(), &lms->changed, &lms->lock, CLOCK_NEVER);
    pthread_mutex_unlock(&lms->lock);
}

void fake_lms_resume(struct fake_lms *lms)
{
    open_listener(lms);
}

void fake_lms_destroy(struct fake_lms *lms)
{
    if (!lms)
        return;
    fake_lms_stop(lms);
    for (size_t i = 0; i < lms->callback_count; i++)
        http_request_free(lms->callbacks[i]);
    memory_free(lms->callbacks);
    pthread_cond_destroy(&lms->changed);
    pthread_mutex_destroy(&lms->lock);
    memory_free(lms);
}

/* ---- asking and telling ---- */

int fake_lms_port(const struct fake_lms *lms)
{
    return lms->port;
}

const char *fake_lms_url(const struct fake_lms *lms, const char *path, char out[FAKE_LMS_URL_MAX])
{
    int length = snprintf(out, FAKE_LMS_URL_MAX, "http://127.0.0.1:%d%s", lms->port, path);
    assert(length > 0 && length < FAKE_LMS_URL_MAX);
    return out;
}

static void remove_path(struct fake_lms *lms, const char *path)
{
    for (size_t i = 0; i < lms->path_count; i++) {
        if (strcmp(lms->paths[i].path, path) == 0) {
            lms->paths[i] = lms->paths[--lms->path_count];
            return;
        }
    }
}

void fake_lms_script_path(struct fake_lms *lms, const char *path, const struct fake_lms_script *script)
{
    pthread_mutex_lock(&lms->lock);
    remove_path(lms, path);
    if (script) {
        assert(lms->path_count < FAKE_LMS_PATHS_MAX);
        struct path_script *entry = &lms->paths[lms->path_count++];
        bool whole = text_copy(entry->path, sizeof(entry->path), path);
        assert(whole);
        entry->script = *script;
    }
    pthread_mutex_unlock(&lms->lock);
}

void fake_lms_script_next(struct fake_lms *lms, size_t count, const struct fake_lms_script *script)
{
    pthread_mutex_lock(&lms->lock);
    lms->next = *script;
    lms->next_count = count;
    pthread_mutex_unlock(&lms->lock);
}

void fake_lms_script_default(struct fake_lms *lms, const struct fake_lms_script *script)
{
    pthread_mutex_lock(&lms->lock);
    lms->otherwise = *script;
    pthread_mutex_unlock(&lms->lock);
}

void fake_lms_release(struct fake_lms *lms)
{
    pthread_mutex_lock(&lms->lock);
    lms->releases++;
    pthread_cond_broadcast(&lms->changed);
    pthread_mutex_unlock(&lms->lock);
}

/* Lock held. path NULL: all. */
static size_t count_callbacks(const struct fake_lms *lms, const char *path)
{
    size_t count = 0;
    for (size_t i = 0; i < lms->callback_count; i++) {
        if (!path || strcmp(lms->callbacks[i]->path, path) == 0)
            count++;
    }
    return count;
}

static bool wait_for(struct fake_lms *lms, const char *path, size_t count, int64_t timeout_ms)
{
    int64_t deadline_ms = clock_add_ms(clock_now_ms(clock_system()), timeout_ms);
    bool in_time = true;
    pthread_mutex_lock(&lms->lock);
    while (in_time && count_callbacks(lms, path) < count)
        in_time = clock_wait_until(clock_system(), &lms->changed, &lms->lock, deadline_ms);
    bool reached = count_callbacks(lms, path) >= count;
    pthread_mutex_unlock(&lms->lock);
    return reached;
}

bool fake_lms_wait_for(struct fake_lms *lms, size_t count, int64_t timeout_ms)
{
    return wait_for(lms, NULL, count, timeout_ms);
}

bool fake_lms_wait_for_path(struct fake_lms *lms, const char *path, size_t count, int64_t timeout_ms)
{
    return wait_for(lms, path, count, timeout_ms);
}

size_t fake_lms_count_path(struct fake_lms *lms, const char *path)
{
    pthread_mutex_lock(&lms->lock);
    size_t count = count_callbacks(lms, path);
    pthread_mutex_unlock(&lms->lock);
    return count;
}

size_t fake_lms_count(struct fake_lms *lms)
{
    return fake_lms_count_path(lms, NULL);
}

const struct fake_lms_callback *fake_lms_callback(struct fake_lms *lms, size_t index)
{
    pthread_mutex_lock(&lms->lock);
    const struct fake_lms_callback *callback = index < lms->callback_count ? lms->callbacks[index] : NULL;
    pthread_mutex_unlock(&lms->lock);
    return callback;
}

size_t fake_lms_parallel_peak(struct fake_lms *lms)
{
    pthread_mutex_lock(&lms->lock);
    size_t peak = lms->answering_peak;
    pthread_mutex_unlock(&lms->lock);
    return peak;
}
