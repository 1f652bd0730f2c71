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

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/rpc/rpc_server_call.h"
#include "base/text.h"

enum { PROBE_HELLO_BYTES_MAX = 4096 };

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

/* What to say first, and to whom. */
struct probe_talk {
    const struct sockaddr *address;
    socklen_t address_length;
    const char *greeting;
    size_t greeting_length;
};

static bool probe_greets(int descriptor, const struct probe_talk *talk)
{
    char byte = 0;
    return connect(descriptor, talk->address, talk->address_length) == 0 &&
           send(descriptor, talk->greeting, talk->greeting_length, MSG_NOSIGNAL) == (ssize_t)talk->greeting_length &&
           recv(descriptor, &byte, sizeof byte, 0) == 1;
}

static bool probe_socket(const struct probe_talk *talk, int timeout_ms)
{
    int descriptor = socket(talk->address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return errno == EMFILE || errno == ENFILE;
    }
    /* Linux applies these to connect as well. */
    const struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000L};
    bool answered = setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0 &&
                    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0 &&
                    probe_greets(descriptor, talk);
    close(descriptor);
    return answered;
}

static bool probe_unix(const char *path, int timeout_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    return text_copy(address.sun_path, sizeof address.sun_path, path) &&
           probe_socket(&(const struct probe_talk){.address = (const struct sockaddr *)&address,
                                                   .address_length = sizeof address,
                                                   .greeting = greeting,
                                                   .greeting_length = sizeof greeting - 1},
                        timeout_ms);
}

/* A TLS client's first message, up to capacity bytes; 0: there is none to be had. */
static size_t probe_make_hello(char *out, int capacity)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *tls = context ? SSL_new(context) : NULL;
    BIO *in = tls ? BIO_new(BIO_s_mem()) : NULL;
    BIO *sent = in ? BIO_new(BIO_s_mem()) : NULL;
    int length = 0;
    if (sent) {
        SSL_set_bio(tls, in, sent); /* takes both */
        (void)SSL_connect(tls);     /* waits for an answer, having written */
        length = BIO_read(sent, out, capacity);
    } else {
        BIO_free(in);
    }
    SSL_free(tls);
    SSL_CTX_free(context);
    return length > 0 ? (size_t)length : 0;
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

static bool probe_tcp(const char *address, const char *first, size_t first_length, int timeout_ms)
{
    char host[256];
    const char *port = NULL;
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    if (!probe_split(address, host, sizeof host, &port) || getaddrinfo(host, port, &hints, &found) != 0) {
        return false;
    }
    const struct probe_talk talk = {
        .address = found->ai_addr, .address_length = found->ai_addrlen, .greeting = first, .greeting_length = first_length};
    bool answered = probe_socket(&talk, timeout_ms);
    freeaddrinfo(found);
    return answered;
}

bool rpc_probe_answers(const char *address, int timeout_ms)
{
    if (strncmp(address, "unix:", 5) == 0) {
        return probe_unix(address + 5, timeout_ms);
    }
    if (strncmp(address, RPC_TLS_SCHEME, strlen(RPC_TLS_SCHEME)) == 0) {
        char hello[PROBE_HELLO_BYTES_MAX];
        size_t length = probe_make_hello(hello, sizeof hello);
        return length == 0 || probe_tcp(address + strlen(RPC_TLS_SCHEME), hello, length, timeout_ms);
    }
    return probe_tcp(address, greeting, sizeof greeting - 1, timeout_ms);
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
