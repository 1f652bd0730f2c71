/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/http_gate.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "rest-adapter/http_gate_internal.h"

enum { EVENTS_TURN = 256 };

/* ---- what the parts use ---- */

int64_t gate_now_ms(void)
{
    return clock_now_ms(clock_system());
}

bool gate_would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* A source is added when it is watched for the first time, and leaves when its socket is closed. */
void gate_watch(struct http_gate *gate, struct gate_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    if (epoll_ctl(gate->epoll, EPOLL_CTL_MOD, source->socket, &event) != 0) {
        int added = errno == ENOENT ? epoll_ctl(gate->epoll, EPOLL_CTL_ADD, source->socket, &event) : -1;

        if (added != 0) { // kernel memory, or the user's limit of watches: without a watch it would never be served
            log_event(LOG_ERROR, "watch_failed", LOG_TEXT("text", strerror(errno)));
        }
    }
    source->events = events;
}

void gate_unwatch(struct http_gate *gate, struct gate_source *source)
{
    (void)gate;
    if (source->socket >= 0) {
        close(source->socket);
        source->socket = -1;
    }
}

void gate_schedule(struct http_gate *gate, struct gate_timer *timer, int64_t due_ms)
{
    if (due_ms == CLOCK_NEVER) {
        heap_remove(&gate->timers, &timer->node);
    } else {
        heap_schedule(&gate->timers, &timer->node, due_ms);
    }
}

/* ---- the loop ---- */

static void free_closed(struct http_gate *gate)
{
    while (!list_is_empty(&gate->closed)) {
        gate_client_free(LIST_OWNER(list_take_first(&gate->closed), struct gate_client, member));
    }
}

/* Does what is due. Returns how long the loop may wait, in milliseconds. */
static int tick(struct http_gate *gate)
{
    int64_t now_ms = gate_now_ms();
    int64_t due_ms = 0;

    while (heap_next_due_ms(&gate->timers) <= now_ms) {
        struct gate_timer *timer = HEAP_OWNER(heap_first(&gate->timers), struct gate_timer, node);

        heap_remove(&gate->timers, &timer->node);
        timer->on_due(gate, timer, now_ms);
    }
    due_ms = heap_next_due_ms(&gate->timers);
    if (gate->is_stopping && gate->stop_due_ms < due_ms) {
        due_ms = gate->stop_due_ms;
    }
    if (due_ms == CLOCK_NEVER) {
        return -1;
    }
    if (due_ms <= now_ms) {
        return 0;
    }
    return due_ms - now_ms < INT32_MAX ? (int)(due_ms - now_ms) : INT32_MAX;
}

static bool is_over(const struct http_gate *gate)
{
    return gate->is_stopping && (gate->busy == 0 || gate_now_ms() >= gate->stop_due_ms);
}

static void on_wake(struct http_gate *gate, struct gate_source *source, uint32_t events)
{
    uint64_t count = 0;

    (void)events;
    if (read(source->socket, &count, sizeof(count)) < 0 && !gate_would_block()) {
        log_event(LOG_ERROR, "gate_wake_failed", LOG_TEXT("text", strerror(errno)));
    }
    gate_client_stop_all(gate);
}

static void close_all(struct http_gate *gate)
{
    for (size_t i = 0; i < gate->listener_count; i++) {
        gate_unwatch(gate, &gate->listeners[i].source);
    }
    while (!list_is_empty(&gate->clients)) {
        gate_client_close(gate, LIST_OWNER(list_first(&gate->clients), struct gate_client, member));
    }
    for (int64_t i = 0; i < gate->options.slots; i++) {
        gate_unwatch(gate, &gate->slots[i].source);
    }
    free_closed(gate);
}

static void *gate_main(void *argument)
{
    struct http_gate *gate = argument;
    struct epoll_event ready[EVENTS_TURN];

    for (int i = 0; i < gate->options.slots; i++) {
        gate_slot_open(gate, &gate->slots[i]);
    }
    while (!is_over(gate)) {
        int count = epoll_wait(gate->epoll, ready, EVENTS_TURN, tick(gate));

        for (int i = 0; i < count; i++) {
            struct gate_source *source = ready[i].data.ptr;

            source->on_ready(gate, source, ready[i].events);
        }
        free_closed(gate);
    }
    return NULL;
}

/* ---- start and stop ---- */

static enum status open_all(struct http_gate *gate, const struct config_texts *listen, struct error *error)
{
    gate->epoll = epoll_create1(EPOLL_CLOEXEC);
    gate->wake = (struct gate_source){.socket = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .on_ready = on_wake};
    if (gate->epoll < 0 || gate->wake.socket < 0) {
        return error_set(error, STATUS_UNAVAILABLE, NULL, "cannot watch connections: %s", strerror(errno));
    }
    gate_watch(gate, &gate->wake, EPOLLIN);
    assert(listen->count <= CONFIG_LISTENERS_MAX);
    for (size_t i = 0; i < listen->count; i++) {
        struct gate_listener *listener = &gate->listeners[gate->listener_count++];
        enum status status = gate_listener_open(listener, listen->items[i], error);

        if (status != STATUS_OK) {
            return status;
        }
        gate_watch(gate, &listener->source, EPOLLIN);
    }
    return STATUS_OK;
}

static struct http_gate *create(const struct http_gate_options *options)
{
    struct http_gate *gate = MEMORY_NEW(struct http_gate);

    gate->options = *options;
    gate->options.listen = NULL;
    gate->options.secret = NULL;
    (void)text_copy(gate->secret, sizeof(gate->secret), options->secret);
    list_init(&gate->clients);
    list_init(&gate->quiet);
    list_init(&gate->requests);
    list_init(&gate->idle);
    list_init(&gate->closed);
    heap_init(&gate->timers);
    gate->pause.on_due = gate_listener_pause_due;
    gate->scratch = memory_allocate(GATE_SCRATCH_BYTES);
    pthread_mutex_init(&gate->mutex, NULL);
    gate->slots = memory_allocate_array((size_t)options->slots, sizeof(struct gate_slot));
    for (int i = 0; i < options->slots; i++) {
        gate_slot_init(gate, &gate->slots[i], (unsigned)i);
    }
    return gate;
}

enum status http_gate_create(const struct http_gate_options *options, struct http_gate **out_gate, struct error *error)
{
    struct http_gate *gate = create(options);
    enum status status = open_all(gate, options->listen, error);

    if (status != STATUS_OK) {
        http_gate_destroy(gate);
        return status;
    }
    *out_gate = gate;
    return STATUS_OK;
}

enum status http_gate_start(struct http_gate *gate, struct error *error)
{
    assert(!gate->is_running);
    gate->is_running = pthread_create(&gate->thread, NULL, gate_main, gate) == 0;
    return gate->is_running ? STATUS_OK : error_set(error, STATUS_UNAVAILABLE, NULL, "cannot start a thread");
}

int http_gate_port(const struct http_gate *gate, size_t index)
{
    assert(index < gate->listener_count);
    return gate->listeners[index].port;
}

const char *http_gate_address(const struct http_gate *gate, size_t index)
{
    assert(index < gate->listener_count);
    return gate->listeners[index].address;
}

size_t http_gate_listeners(const struct http_gate *gate)
{
    return gate->listener_count;
}

void http_gate_hand_over(struct http_gate *gate, const struct http_gate_note *note, const struct http_gate_file *file)
{
    struct gate_slot *slot = NULL;
    bool is_awaited = false;

    assert((int64_t)note->slot < gate->options.slots);
    slot = &gate->slots[note->slot];
    pthread_mutex_lock(&gate->mutex);
    is_awaited = slot->exchange == note->exchange;
    if (is_awaited) {
        assert(slot->handed.file < 0);
        slot->handed = *file;
    }
    pthread_mutex_unlock(&gate->mutex);
    if (!is_awaited) {
        gate_file_drop(gate, file); // the connection broke meanwhile
    }
}

void http_gate_stop(struct http_gate *gate, int64_t grace_ms)
{
    const uint64_t one = 1;

    if (gate->is_running) {
        gate->stop_due_ms = clock_add_ms(gate_now_ms(), grace_ms);
        gate->is_stopping = true;
        while (write(gate->wake.socket, &one, sizeof(one)) < 0 && errno == EINTR) {
        }
        pthread_join(gate->thread, NULL);
        gate->is_running = false;
    }
    close_all(gate);
}

void http_gate_destroy(struct http_gate *gate)
{
    if (gate == NULL) {
        return;
    }
    http_gate_stop(gate, 0);
    for (int i = 0; i < gate->options.slots; i++) {
        gate_slot_finish(gate, &gate->slots[i]);
    }
    gate_unwatch(gate, &gate->wake);
    if (gate->epoll >= 0) {
        close(gate->epoll);
    }
    heap_finish(&gate->timers);
    pthread_mutex_destroy(&gate->mutex);
    memory_free(gate->slots);
    memory_free(gate->scratch);
    memory_free(gate);
}
