/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rpc/rpc_probe.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/rpc/rpc_server_call.h"
#include "base/text.h"

/* The client's connection preface, and an empty SETTINGS frame. */
static const char greeting[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

struct rpc_probe {
    char *addresses[RPC_LISTENERS_MAX]; /* immutable after start */
    size_t count;
    void (*on_dead)(void *context, const char *address);
    void *context;
    pthread_t thread;
    int failures[RPC_LISTENERS_MAX]; /* probe thread only */

    /* guarded by mutex */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stopping;
};

static bool probe_greets(int descriptor, const struct sockaddr *address, socklen_t length)
{
    char byte = 0;
    return connect(descriptor, address, length) == 0 &&
           send(descriptor, greeting, sizeof greeting - 1, MSG_NOSIGNAL) == (ssize_t)(sizeof greeting - 1) &&
           recv(descriptor, &byte, sizeof byte, 0) == 1;
}

static bool probe_socket(const struct sockaddr *address, socklen_t length, int timeout_ms)
{
    int descriptor = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return errno == EMFILE || errno == ENFILE;
    }
    /* Linux applies these to connect as well. */
    const struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000L};
    bool answered = setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0 &&
                    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0 &&
                    probe_greets(descriptor, address, length);
    close(descriptor);
    return answered;
}

static bool probe_unix(const char *path, int timeout_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    return text_copy(address.sun_path, sizeof address.sun_path, path) &&
           probe_socket((const struct sockaddr *)&address, sizeof address, timeout_ms);
}

/* Splits "host:port" and "[host]:port"; a wildcard host becomes its loopback. */
static bool probe_split(const char *address, char *host, size_t host_size, const char **out_port)
{
    const char *colon = strrchr(address, ':');
    if (!colon) {
        return false;
    }
    bool bracketed = address[0] == '[' && colon > address && colon[-1] == ']';
    const char *from = address + bracketed;
    int length = (int)(colon - from) - bracketed;
    snprintf(host, host_size, "%.*s", length, from);
    if (strcmp(host, "0.0.0.0") == 0) {
        snprintf(host, host_size, "127.0.0.1");
    } else if (strcmp(host, "::") == 0) {
        snprintf(host, host_size, "::1");
    }
    *out_port = colon + 1;
    return true;
}

static bool probe_tcp(const char *address, int timeout_ms)
{
    char host[256];
    const char *port = NULL;
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    if (!probe_split(address, host, sizeof host, &port) || getaddrinfo(host, port, &hints, &found) != 0) {
        return false;
    }
    bool answered = probe_socket(found->ai_addr, found->ai_addrlen, timeout_ms);
    freeaddrinfo(found);
    return answered;
}

bool rpc_probe_answers(const char *address, int timeout_ms)
{
    bool is_unix = strncmp(address, "unix:", 5) == 0;
    return is_unix ? probe_unix(address + 5, timeout_ms) : probe_tcp(address, timeout_ms);
}

static void probe_all(struct rpc_probe *probe)
{
    for (size_t i = 0; i < probe->count; i++) {
        probe->failures[i] = rpc_probe_answers(probe->addresses[i], RPC_PROBE_TIMEOUT_MS) ? 0 : probe->failures[i] + 1;
        if (probe->failures[i] == RPC_PROBE_FAILURES_MAX) {
            log_event(LOG_ERROR, "listener_dead", LOG_TEXT("address", probe->addresses[i]),
                      LOG_INT("failures", probe->failures[i]));
            probe->on_dead(probe->context, probe->addresses[i]);
        }
    }
}

static void *probe_main(void *argument)
{
    struct rpc_probe *probe = argument;
    pthread_setname_np(pthread_self(), "probe");
    pthread_mutex_lock(&probe->mutex);
    while (!probe->stopping) {
        int64_t due_ms = clock_add_ms(clock_now_ms(clock_system()), RPC_PROBE_PERIOD_MS);
        while (!probe->stopping && clock_wait_until(clock_system(), &probe->changed, &probe->mutex, due_ms)) {
        }
        if (!probe->stopping) {
            pthread_mutex_unlock(&probe->mutex);
            probe_all(probe);
            pthread_mutex_lock(&probe->mutex);
        }
    }
    pthread_mutex_unlock(&probe->mutex);
    return NULL;
}

static void probe_free(struct rpc_probe *probe)
{
    for (size_t i = 0; i < probe->count; i++) {
        memory_free(probe->addresses[i]);
    }
    pthread_cond_destroy(&probe->changed);
    pthread_mutex_destroy(&probe->mutex);
    memory_free(probe);
}

struct rpc_probe *rpc_probe_start(const char *const *addresses, size_t count,
                                  void (*on_dead)(void *context, const char *address), void *context)
{
    assert(count <= RPC_LISTENERS_MAX);
    struct rpc_probe *probe = MEMORY_NEW(struct rpc_probe);
    for (size_t i = 0; i < count; i++) {
        probe->addresses[i] = memory_copy_text(addresses[i]);
    }
    probe->count = count;
    probe->on_dead = on_dead;
    probe->context = context;
    pthread_mutex_init(&probe->mutex, NULL);
    clock_condition_init(&probe->changed);
    if (pthread_create(&probe->thread, NULL, probe_main, probe) != 0) {
        probe_free(probe);
        return NULL;
    }
    return probe;
}

void rpc_probe_stop(struct rpc_probe *probe)
{
    if (!probe) {
        return;
    }
    pthread_mutex_lock(&probe->mutex);
    probe->stopping = true;
    pthread_cond_signal(&probe->changed);
    pthread_mutex_unlock(&probe->mutex);
    pthread_join(probe->thread, NULL);
    probe_free(probe);
}
