/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/shaky_link.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

enum { CHUNK = 4096, BACKLOG = 64, CONNECTIONS_MAX = 256 };

/* One connection: two sockets, a thread for each direction. */
struct pair {
    struct shaky_link *link;
    int sockets[2];    /* the client's, the server's; closed by the last of the two threads */
    uint64_t bytes[2]; /* that may still pass, from sockets[i] */
    int threads;       /* that still run; guarded by the link's mutex */
};

struct flow {
    struct pair *pair;
    int from; /* 0: what the client says */
};

struct shaky_link {
    struct shaky_link_options options;
    int listener;
    int port;
    pthread_t acceptor;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    int cuts_left;
    int cuts;
    unsigned short random[3];
    struct pair *pairs[CONNECTIONS_MAX]; /* whose sockets are open */
    int pair_count;
};

static bool send_all(int to, const char *bytes, size_t length)
{
    while (length > 0) {
        const ssize_t sent = send(to, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* Counts a cut, if there are any left. false: the link holds from now on. */
static bool take_cut(struct shaky_link *link)
{
    pthread_mutex_lock(&link->mutex);
    const bool is_cut = link->cuts_left > 0;
    link->cuts_left -= is_cut;
    link->cuts += is_cut;
    pthread_cond_broadcast(&link->changed);
    pthread_mutex_unlock(&link->mutex);
    return is_cut;
}

static void shut(const struct pair *pair)
{
    (void)shutdown(pair->sockets[0], SHUT_RDWR);
    (void)shutdown(pair->sockets[1], SHUT_RDWR);
}

/* What this thread no longer needs; the last one closes. */
static void leave(struct pair *pair)
{
    struct shaky_link *link = pair->link;

    pthread_mutex_lock(&link->mutex);
    const bool is_last = --pair->threads == 0;
    if (is_last) {
        for (int i = 0; i < link->pair_count; i++) {
            if (link->pairs[i] == pair) {
                link->pairs[i] = link->pairs[--link->pair_count];
            }
        }
        (void)close(pair->sockets[0]);
        (void)close(pair->sockets[1]);
        memory_free(pair);
        pthread_cond_broadcast(&link->changed);
    }
    pthread_mutex_unlock(&link->mutex);
}

/* Until one side ends, or the bytes do. */
static void *carry(void *context)
{
    struct flow *flow = context;
    struct pair *pair = flow->pair;
    const int from = flow->from;
    uint64_t left = pair->bytes[from];
    char bytes[CHUNK];
    bool goes_on = true;
    memory_free(flow);

    while (goes_on) {
        const ssize_t got = recv(pair->sockets[from], bytes, sizeof(bytes), 0);
        const size_t length = got > 0 ? (size_t)got : 0;
        const bool is_cut = length >= left && length > 0 && take_cut(pair->link);
        goes_on = length > 0 && send_all(pair->sockets[1 - from], bytes, is_cut ? (size_t)left : length) && !is_cut;
        left = length >= left ? UINT64_MAX : left - length; // when it was not cut, the link holds
    }
    shut(pair);
    leave(pair);
    return NULL;
}

static void start_flow(struct pair *pair, int from)
{
    struct flow *flow = memory_allocate(sizeof(*flow));
    pthread_t thread;

    *flow = (struct flow){.pair = pair, .from = from};
    const int failed = pthread_create(&thread, NULL, carry, flow);
    assert(failed == 0);
    (void)pthread_detach(thread); // shaky_link_stop waits for its leave
}

static int connect_to(int port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int one = 1;
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert(connection >= 0);
    if (connect(connection, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        (void)close(connection);
        return -1;
    }
    (void)setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return connection;
}

/* mutex held. */
static uint64_t next_bytes(struct shaky_link *link)
{
    return (uint64_t)nrand48(link->random) % (link->options.bytes_max + 1);
}

/* Takes both sockets. */
static void join(struct shaky_link *link, int client, int server)
{
    struct pair *pair = memory_allocate(sizeof(*pair));
    const int one = 1;

    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    pthread_mutex_lock(&link->mutex);
    assert(link->pair_count < CONNECTIONS_MAX);
    *pair = (struct pair){.link = link, .sockets = {client, server}, .threads = 2};
    pair->bytes[0] = next_bytes(link);
    pair->bytes[1] = next_bytes(link);
    link->pairs[link->pair_count++] = pair;
    start_flow(pair, 0);
    start_flow(pair, 1);
    pthread_mutex_unlock(&link->mutex);
}

static void *accept_all(void *context)
{
    struct shaky_link *link = context;

    for (;;) {
        const int client = accept4(link->listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0 && errno != ECONNABORTED && errno != EINTR) {
            return NULL; // shaky_link_stop shut it
        }
        const int server = client >= 0 ? connect_to(link->options.target_port) : -1;
        if (server >= 0) {
            join(link, client, server);
        } else if (client >= 0) {
            (void)close(client);
        }
    }
}

struct shaky_link *shaky_link_start(const struct shaky_link_options *options)
{
    struct shaky_link *link = memory_allocate(sizeof(*link));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);

    *link = (struct shaky_link){.options = *options, .cuts_left = options->cuts};
    for (int i = 0; i < 3; i++) {
        link->random[i] = (unsigned short)(options->seed >> (16 * i));
    }
    pthread_mutex_init(&link->mutex, NULL);
    pthread_cond_init(&link->changed, NULL);
    link->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int failed = bind(link->listener, (const struct sockaddr *)&address, sizeof(address));
    assert(failed == 0);
    failed = listen(link->listener, BACKLOG);
    assert(failed == 0);
    failed = getsockname(link->listener, (struct sockaddr *)&address, &length);
    assert(failed == 0);
    link->port = ntohs(address.sin_port);
    failed = pthread_create(&link->acceptor, NULL, accept_all, link);
    assert(failed == 0);
    return link;
}

int shaky_link_port(const struct shaky_link *link)
{
    return link->port;
}

int shaky_link_cuts(struct shaky_link *link)
{
    pthread_mutex_lock(&link->mutex);
    const int cuts = link->cuts;
    pthread_mutex_unlock(&link->mutex);
    return cuts;
}

void shaky_link_stop(struct shaky_link *link)
{
    if (link == NULL) {
        return;
    }
    (void)shutdown(link->listener, SHUT_RDWR);
    (void)pthread_join(link->acceptor, NULL);
    pthread_mutex_lock(&link->mutex);
    for (int i = 0; i < link->pair_count; i++) {
        shut(link->pairs[i]);
    }
    while (link->pair_count > 0) {
        pthread_cond_wait(&link->changed, &link->mutex);
    }
    pthread_mutex_unlock(&link->mutex);
    (void)close(link->listener);
    pthread_cond_destroy(&link->changed);
    pthread_mutex_destroy(&link->mutex);
    memory_free(link);
}
