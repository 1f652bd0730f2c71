/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "rest-adapter/http_gate_internal.h"

enum {
    ACCEPT_TURN = 64, /* connections before the others have their turn */
    PAUSE_MS = 100,   /* without descriptors, or after an error that nobody expects */
};

/* ---- the address ---- */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Takes "ADDRESS:PORT" apart. host: of the text, without brackets. */
static bool split(const char *text, char host[GATE_ADDRESS_BYTES_MAX], bool *out_is_v6, int64_t *out_port)
{
    const char *colon = strrchr(text, ':');
    size_t length = colon != NULL ? (size_t)(colon - text) : 0;

    *out_is_v6 = length > 2 && text[0] == '[' && text[length - 1] == ']';
    if (*out_is_v6) {
        text++;
        length -= 2;
    }
    if (length == 0 || length >= GATE_ADDRESS_BYTES_MAX || text_to_int64(colon + 1, 0, UINT16_MAX, out_port) != STATUS_OK) {
        return false;
    }
    memcpy(host, text, length);
    host[length] = '\0';
    return true;
}

static enum status parse(const char *text, union address *out_address, struct error *error)
{
    char host[GATE_ADDRESS_BYTES_MAX] = "";
    int64_t port = 0;
    bool is_v6 = false;
    int parsed = 0;

    if (!split(text, host, &is_v6, &port)) {
        return error_set(error, STATUS_INVALID, NULL, "cannot listen on '%s': not of the form ADDRESS:PORT", text);
    }
    if (strcmp(host, "localhost") == 0) {
        (void)text_copy(host, sizeof(host), "127.0.0.1");
    }
    *out_address = (union address){0};
    if (is_v6) {
        out_address->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        parsed = inet_pton(AF_INET6, host, &out_address->v6.sin6_addr);
    } else {
        out_address->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        parsed = inet_pton(AF_INET, host, &out_address->v4.sin_addr);
    }
    return parsed == 1 ? STATUS_OK : error_set(error, STATUS_INVALID, NULL, "cannot listen on '%s': not an IP address", text);
}

static socklen_t address_size(const union address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
}

/* Writes the host into out; returns the port. */
static int describe(const union address *address, char out[INET6_ADDRSTRLEN])
{
    if (address->any.sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &address->v6.sin6_addr, out, INET6_ADDRSTRLEN);
        return ntohs(address->v6.sin6_port);
    }
    (void)inet_ntop(AF_INET, &address->v4.sin_addr, out, INET6_ADDRSTRLEN);
    return ntohs(address->v4.sin_port);
}

/* ---- accepting ---- */

/* Nothing can be accepted now, and asking again at once would only burn the processor. */
static void pause_listeners(struct http_gate *gate, int reason)
{
    if (log_once_enter(&gate->exhausted)) {
        log_event(LOG_ERROR, "accept_failed", LOG_TEXT("text", strerror(reason)));
    }
    for (size_t i = 0; i < gate->listener_count; i++) {
        gate_watch(gate, &gate->listeners[i].source, 0);
    }
    gate_schedule(gate, &gate->pause, clock_add_ms(gate_now_ms(), PAUSE_MS));
}

void gate_listener_pause_due(struct http_gate *gate, struct gate_timer *timer, int64_t now_ms)
{
    (void)timer;
    (void)now_ms;
    for (size_t i = 0; i < gate->listener_count; i++) {
        gate_watch(gate, &gate->listeners[i].source, EPOLLIN);
    }
}

/* Makes room for the one that has just come. */
static bool has_room(struct http_gate *gate)
{
    if ((int64_t)gate->clients.count < gate->options.connections_max) {
        if ((int64_t)gate->clients.count < gate->options.connections_max / 2) {
            (void)log_once_leave(&gate->full);
        }
        return true;
    }
    if (log_once_enter(&gate->full)) {
        log_event(LOG_WARN, "connections_full", LOG_INT("connections_max", gate->options.connections_max));
    }
    return gate_client_evict(gate);
}

static void take_connection(struct http_gate *gate, const struct gate_listener *listener, int socket_,
                            const union address *peer)
{
    char text[INET6_ADDRSTRLEN] = "";
    const int on = 1;

    (void)log_once_leave(&gate->exhausted);
    if (!has_room(gate)) {
        close(socket_);
        return;
    }
    (void)describe(peer, text);
    (void)setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); // only slower without
    gate_client_create(gate, socket_, text, listener->port);
}

static bool is_exhaustion(int reason)
{
    return reason == EMFILE || reason == ENFILE || reason == ENOBUFS || reason == ENOMEM;
}

/* What went wrong was the connection's own fault: the next one may be well. (accept(2) lists them) */
static bool is_of_connection(int reason)
{
    static const int reasons[] = {ECONNABORTED, EINTR,        EPROTO,     ENETDOWN,    ENOPROTOOPT, EHOSTDOWN,
                                  ENONET,       EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EPERM};

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reason == reasons[i]) {
            return true;
        }
    }
    return false;
}

/*
 * After accept(2) failed. has_taken: a connection before, in this turn. Without descriptors it fails whether or not somebody
 * waits; that somebody does is only sure at the beginning of a turn.
 */
static bool can_go_on(struct http_gate *gate, int reason, bool has_taken)
{
    if (is_exhaustion(reason) && has_taken) {
        return false;
    }
    if (is_of_connection(reason) || (is_exhaustion(reason) && gate_client_evict(gate))) {
        return true;
    }
    pause_listeners(gate, reason);
    return false;
}

static void on_listener_ready(struct http_gate *gate, struct gate_source *source, uint32_t events)
{
    struct gate_listener *listener = (struct gate_listener *)(void *)source;

    bool has_taken = false;

    (void)events;
    for (int i = 0; i < ACCEPT_TURN; i++) {
        union address peer = {0};
        socklen_t size = sizeof(peer);
        int socket_ = accept4(source->socket, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (socket_ >= 0) {
            take_connection(gate, listener, socket_, &peer);
            has_taken = true;
        } else if (gate_would_block() || !can_go_on(gate, errno, has_taken)) {
            return;
        }
    }
}

/* ---- open ---- */

static enum status bind_listener(struct gate_listener *listener, const union address *address)
{
    const int on = 1;
    int family = address->any.sa_family;
    int socket_ = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    listener->source.socket = socket_;
    if (socket_ < 0 || setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (family == AF_INET6 && setsockopt(socket_, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
        bind(socket_, &address->any, address_size(address)) != 0 || listen(socket_, SOMAXCONN) != 0) {
        return STATUS_UNAVAILABLE;
    }
    return STATUS_OK;
}

enum status gate_listener_open(struct gate_listener *listener, const char *text, struct error *error)
{
    union address address = {0};
    socklen_t size = sizeof(address);
    char host[INET6_ADDRSTRLEN] = "";
    enum status status = parse(text, &address, error);

    *listener = (struct gate_listener){.source = {.socket = -1, .on_ready = on_listener_ready}};
    if (status != STATUS_OK) {
        return status;
    }
    if (bind_listener(listener, &address) != STATUS_OK || getsockname(listener->source.socket, &address.any, &size) != 0) {
        return error_set(error, STATUS_UNAVAILABLE, NULL, "cannot listen on %s: %s", text, strerror(errno));
    }
    listener->port = describe(&address, host);
    (void)snprintf(listener->address, sizeof(listener->address), address.any.sa_family == AF_INET6 ? "[%s]:%d" : "%s:%d", host,
                   listener->port);
    log_event(LOG_INFO, "listening", LOG_TEXT("protocol", "http"), LOG_TEXT("address", listener->address));
    return STATUS_OK;
}
