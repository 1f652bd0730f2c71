/* SPDX-License-Identifier: Apache-2.0 */
#include "base/process.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"

static void stop_signals(sigset_t *out_set)
{
    sigemptyset(out_set);
    sigaddset(out_set, SIGTERM);
    sigaddset(out_set, SIGINT);
}

enum status process_prepare(struct error *error)
{
    sigset_t set;
    stop_signals(&set);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < PROCESS_DESCRIPTORS_MAX ? limit.rlim_max : PROCESS_DESCRIPTORS_MAX;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            log_event(LOG_WARN, "descriptor_limit", LOG_TEXT("text", strerror(errno)));
        }
    }
    int64_t allowed = process_descriptors_max();
    if (allowed < PROCESS_DESCRIPTORS_MIN) {
        return error_set(error, STATUS_FULL, NULL, "only %lld file descriptors are allowed, at least %d are needed (ulimit -n)",
                         (long long)allowed, PROCESS_DESCRIPTORS_MIN);
    }
    return STATUS_OK;
}

int64_t process_descriptors_max(void)
{
    struct rlimit limit;
    bool known = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur <= INT64_MAX;
    return known ? (int64_t)limit.rlim_cur : INT64_MAX;
}

int process_wait_for_stop(void)
{
    sigset_t set;
    int number = 0;
    stop_signals(&set);
    while (sigwait(&set, &number) != 0) {
    }
    return number;
}

struct second_signal {
    void (*on_signal)(void *context);
    void *context;
};

static void *second_signal_main(void *argument)
{
    struct second_signal *second = argument;
    (void)process_wait_for_stop();
    second->on_signal(second->context);
    memory_free(second);
    return NULL;
}

void process_on_second_signal(void (*on_signal)(void *context), void *context)
{
    struct second_signal *second = MEMORY_NEW(struct second_signal);
    *second = (struct second_signal){.on_signal = on_signal, .context = context};
    pthread_t thread;
    if (pthread_create(&thread, NULL, second_signal_main, second) != 0) {
        memory_free(second);
        return;
    }
    pthread_detach(thread);
}

/* ---- the probe ---- */

struct process_probe {
    char *addresses[PROCESS_PROBES_MAX]; /* immutable after start */
    int failures[PROCESS_PROBES_MAX];    /* probe thread only */
    size_t count;
    void (*on_dead)(void *context, const char *address);
    void *context;
    pthread_t thread;

    /* guarded by mutex */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stopping;
};

/* Starts a connection without blocking and waits for its outcome. */
static bool probe_connects(int descriptor, const struct sockaddr *address, socklen_t length)
{
    if (connect(descriptor, address, length) == 0) {
        return true;
    }
    if (errno != EINPROGRESS && errno != EAGAIN) {
        return false;
    }
    struct pollfd wait = {.fd = descriptor, .events = POLLOUT};
    int failure = 0;
    socklen_t size = sizeof failure;
    return poll(&wait, 1, PROCESS_PROBE_MS) == 1 && getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 &&
           failure == 0;
}

static bool probe_socket(int family, const struct sockaddr *address, socklen_t length)
{
    int descriptor = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) {
        return errno == EMFILE || errno == ENFILE; /* says nothing about the listener */
    }
    bool connected = probe_connects(descriptor, address, length);
    close(descriptor);
    return connected;
}

static bool probe_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!text_copy(address.sun_path, sizeof address.sun_path, path)) {
        return true; /* too long for a probe; it could not have been bound either */
    }
    return probe_socket(AF_UNIX, (const struct sockaddr *)&address, sizeof address);
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
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "*") == 0) {
        snprintf(host, host_size, "127.0.0.1");
    } else if (strcmp(host, "::") == 0) {
        snprintf(host, host_size, "::1");
    }
    *out_port = colon + 1;
    return true;
}

static bool probe_address(const char *address)
{
    if (strncmp(address, "unix:", 5) == 0) {
        return probe_unix(address + 5);
    }
    char host[256];
    const char *port = NULL;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (!probe_split(address, host, sizeof host, &port) || getaddrinfo(host, port, &hints, &found) != 0) {
        return true; /* a name that does not resolve now says nothing about the listener */
    }
    bool connected = false;
    for (const struct addrinfo *one = found; one && !connected; one = one->ai_next) {
        connected = probe_socket(one->ai_family, one->ai_addr, one->ai_addrlen);
    }
    freeaddrinfo(found);
    return connected;
}

static void probe_all(struct process_probe *probe)
{
    for (size_t i = 0; i < probe->count; i++) {
        probe->failures[i] = probe_address(probe->addresses[i]) ? 0 : probe->failures[i] + 1;
        if (probe->failures[i] == PROCESS_PROBE_FAILURES_MAX) {
            log_event(LOG_ERROR, "listener_dead", LOG_TEXT("address", probe->addresses[i]),
                      LOG_INT("failures", probe->failures[i]));
            probe->on_dead(probe->context, probe->addresses[i]);
        }
    }
}

static void *probe_main(void *argument)
{
    struct process_probe *probe = argument;
    pthread_setname_np(pthread_self(), "probe");
    pthread_mutex_lock(&probe->mutex);
    while (!probe->stopping) {
        int64_t due_ms = clock_add_ms(clock_now_ms(clock_system()), PROCESS_PROBE_MS);
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

static void probe_free(struct process_probe *probe)
{
    for (size_t i = 0; i < probe->count; i++) {
        memory_free(probe->addresses[i]);
    }
    pthread_cond_destroy(&probe->changed);
    pthread_mutex_destroy(&probe->mutex);
    memory_free(probe);
}

struct process_probe *process_probe_start(const char *const *addresses, size_t count,
                                          void (*on_dead)(void *context, const char *address), void *context)
{
    assert(count <= PROCESS_PROBES_MAX);
    struct process_probe *probe = MEMORY_NEW(struct process_probe);
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

void process_probe_stop(struct process_probe *probe)
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
