/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/http_rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

enum { DESCRIPTORS_LOOKED_AT = 1000, STOP_GRACE_MS = 20000, PATTERN_STEP = 31, PATTERN_SIZE = 251 };

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    bool is_released;
    int held;
    _Atomic int handled;
    int large_file;
    char *large;
} world = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void require(bool is_so, const char *what)
{
    if (!is_so) {
        perror(what);
        abort();
    }
}

static void hold(void)
{
    pthread_mutex_lock(&world.mutex);
    world.held++;
    pthread_cond_broadcast(&world.changed);
    while (!world.is_released) {
        pthread_cond_wait(&world.changed, &world.mutex);
    }
    world.held--;
    pthread_mutex_unlock(&world.mutex);
}

void http_rig_await_held(int count)
{
    pthread_mutex_lock(&world.mutex);
    while (world.held < count) {
        pthread_cond_wait(&world.changed, &world.mutex);
    }
    pthread_mutex_unlock(&world.mutex);
}

void http_rig_release(void)
{
    pthread_mutex_lock(&world.mutex);
    world.is_released = true;
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.mutex);
}

static void read_body(const struct http_request *request, struct http_reply *reply)
{
    char buffer[5000];
    char first = 0;
    char last = 0;
    long long length = 0;
    int64_t count = 0;

    while ((count = http_request_read(request, buffer, sizeof(buffer))) > 0) {
        first = length == 0 ? buffer[0] : first;
        last = buffer[count - 1];
        length += count;
    }
    if (count < 0) {
        http_reply_page(reply, 400);
    } else {
        text_append_format(&reply->body, "%lld %c%c", length, first, last);
    }
}

static void handle(void *context, const struct http_request *request, struct http_reply *reply)
{
    (void)context;
    atomic_fetch_add(&world.handled, 1);
    http_reply_header(reply, "Content-Type", "text/plain");
    if (strcmp(request->path, "/hold") == 0) {
        hold();
        text_append_string(&reply->body, "held");
    } else if (strcmp(request->path, "/body") == 0 || strcmp(request->path, "/sly") == 0) {
        read_body(request, reply);
    } else if (strcmp(request->path, "/large") == 0) {
        text_append(&reply->body, world.large, HTTP_RIG_LARGE_BYTES);
    } else if (strcmp(request->path, "/file") == 0) {
        char path[32];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", world.large_file);
        reply->file = open(path, O_RDONLY | O_CLOEXEC); // an offset of its own
        reply->file_bytes = HTTP_RIG_LARGE_BYTES;
    } else if (strcmp(request->path, "/who") == 0) {
        text_append_format(&reply->body, "%s %d", request->peer, request->port);
    } else {
        text_append_string(&reply->body, "ok");
    }
}

static bool wants_body(void *context, enum http_method method, const char *path, struct span content_type)
{
    (void)context;
    (void)method;
    (void)content_type;
    return strcmp(path, "/body") == 0;
}

bool http_rig_is_large(const struct text *body)
{
    return body->length == HTTP_RIG_LARGE_BYTES && memcmp(body->bytes, world.large, HTTP_RIG_LARGE_BYTES) == 0;
}

void http_rig_init(struct http_rig *rig)
{
    static char *items[] = {(char *)"127.0.0.1:0"};
    static const struct config_texts listen = {.items = items, .count = 1};

    log_configure("test", LOG_ERROR, LOG_LOGFMT);
    *rig = (struct http_rig){.options = {.listen = &listen,
                                         .threads = 4,
                                         .request_timeout_ms = 60000,
                                         .connections_max = 10000,
                                         .requests_waiting_max = 10000,
                                         .body_bytes_max = 1000000,
                                         .drain_bytes_max = 1000000,
                                         .spool_folder = "/tmp",
                                         .spool_bytes_max = INT64_MAX / 2,
                                         .handler = handle,
                                         .wants_body = wants_body}};
    world.is_released = false;
    world.handled = 0;
    world.large = memory_allocate(HTTP_RIG_LARGE_BYTES);
    for (size_t i = 0; i < HTTP_RIG_LARGE_BYTES; i++) {
        world.large[i] = (char)(i * PATTERN_STEP % PATTERN_SIZE);
    }
    world.large_file = memfd_create("large", MFD_CLOEXEC);
    require(write(world.large_file, world.large, HTTP_RIG_LARGE_BYTES) == HTTP_RIG_LARGE_BYTES, "memfd");
}

void http_rig_start(struct http_rig *rig)
{
    struct error error = {0};

    if (http_server_start(&rig->options, &rig->server, &error) != STATUS_OK) {
        (void)fprintf(stderr, "http_rig: %s\n", error.text);
        abort();
    }
    rig->port = http_server_port(rig->server, 0);
}

void http_rig_stop(struct http_rig *rig)
{
    http_rig_release();
    http_server_stop(rig->server, STOP_GRACE_MS);
    http_server_destroy(rig->server);
    close(world.large_file);
    memory_free(world.large);
}

int http_rig_handled(void)
{
    return atomic_load(&world.handled);
}

int http_rig_get(const struct http_rig *rig, const char *target)
{
    struct http_answer answer = {0};
    int status = http_talk_once(&(struct http_ask){.port = rig->port, .method = "GET", .target = target, .extra = ""}, &answer);

    http_answer_finish(&answer);
    return status;
}

int http_rig_inner_port(const struct http_rig *rig)
{
    for (int descriptor = 0; descriptor < DESCRIPTORS_LOOKED_AT; descriptor++) {
        struct sockaddr_in address = {0};
        socklen_t size = sizeof(address);
        int is_listening = 0;
        socklen_t value_size = sizeof(is_listening);

        if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &value_size) == 0 && is_listening &&
            getsockname(descriptor, (struct sockaddr *)&address, &size) == 0 && ntohs(address.sin_port) != rig->port) {
            return ntohs(address.sin_port);
        }
    }
    require(false, "no inner port");
    return 0;
}
