/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "rest-adapter/http_gate_internal.h"

enum { REOPEN_MS = 100 };

static const struct http_gate_file no_file = {.file = -1};

static bool is_sent(const struct gate_slot *slot)
{
    return slot->head_sent == slot->head.length && slot->body_sent == slot->body.bytes;
}

static struct http_gate_file take_file(struct http_gate *gate, struct gate_slot *slot)
{
    struct http_gate_file file = no_file;

    pthread_mutex_lock(&gate->mutex);
    file = slot->handed;
    slot->handed = no_file;
    pthread_mutex_unlock(&gate->mutex);
    return file;
}

/* From now on only this exchange may hand a file over on this slot. What another one left is dropped. */
static void admit(struct http_gate *gate, struct gate_slot *slot, uint64_t exchange)
{
    struct http_gate_file file = no_file;

    pthread_mutex_lock(&gate->mutex);
    slot->exchange = exchange;
    file = slot->handed;
    slot->handed = no_file;
    pthread_mutex_unlock(&gate->mutex);
    gate_file_drop(gate, &file);
}

void gate_file_drop(struct http_gate *gate, const struct http_gate_file *file)
{
    if (file->file >= 0) {
        close(file->file);
        http_spool_release(gate->options.spool, file->spooled_bytes);
    }
}

static void drop_exchange(struct gate_slot *slot)
{
    text_finish(&slot->head);
    slot->head_sent = 0;
    http_body_finish(&slot->body);
    slot->body_sent = 0;
    text_finish(&slot->reply);
    slot->frame_bytes = 0;
    slot->is_replied = false;
}

/* The connection to the server is of no use any more. */
static void break_off(struct http_gate *gate, struct gate_slot *slot)
{
    struct gate_client *client = slot->client;

    log_event(LOG_WARN, "gate_slot_broken", LOG_INT("slot", slot->index));
    slot->client = NULL;
    admit(gate, slot, 0);
    list_remove(&gate->idle, &slot->idle);
    gate_unwatch(gate, &slot->source);
    drop_exchange(slot);
    gate_schedule(gate, &slot->timer, clock_add_ms(gate_now_ms(), REOPEN_MS));
    if (client != NULL) {
        gate_client_refuse(gate, client, 500);
    }
}

/* ---- to the server ---- */

/* Returns the bytes, 0: nothing now, -1: broken. */
static ssize_t send_some(struct gate_slot *slot)
{
    size_t head_left = slot->head.length - slot->head_sent;
    size_t body_left = (size_t)(slot->body.bytes - slot->body_sent);
    ssize_t count = 0;

    if (head_left > 0) {
        count = send(slot->source.socket, slot->head.bytes + slot->head_sent, head_left,
                     MSG_NOSIGNAL | (body_left > 0 ? MSG_MORE : 0));
        slot->head_sent += count > 0 ? (size_t)count : 0;
    } else if (slot->body.file >= 0) {
        off_t offset = slot->body_sent;

        count = sendfile(slot->source.socket, slot->body.file, &offset, body_left);
        slot->body_sent = offset;
        count = count == 0 ? -1 : count;
    } else {
        count = send(slot->source.socket, slot->body.memory.bytes + slot->body_sent, body_left, MSG_NOSIGNAL);
        slot->body_sent += count > 0 ? count : 0;
    }
    return count < 0 && gate_would_block() ? 0 : count;
}

/* false: broken. */
static bool send_request(struct http_gate *gate, struct gate_slot *slot)
{
    ssize_t count = 1;

    while (!is_sent(slot) && count > 0) {
        count = send_some(slot);
    }
    gate_watch(gate, &slot->source, is_sent(slot) ? EPOLLIN : EPOLLIN | EPOLLOUT);
    return count >= 0;
}

static void begin_exchange(struct http_gate *gate, struct gate_slot *slot, struct http_gate_note *note)
{
    note->slot = slot->index;
    note->exchange = ++gate->exchanges;
    admit(gate, slot, note->exchange);
    http_gate_append_note(note, gate->secret, &slot->head);
    assert(text_status(&slot->head) == STATUS_OK);
    text_init(&slot->reply, HTTP_GATE_REPLY_BYTES_MAX);
    if (!send_request(gate, slot)) {
        break_off(gate, slot);
    }
}

/* The first exchange of a connection is with nobody: it shows that the server has given it a thread for good. */
static void greet(struct http_gate *gate, struct gate_slot *slot)
{
    struct http_gate_note note = {.is_greeting = true, .method = "-", .peer = "-"};
    const struct http_head head = {.target = {"/", 1}};

    text_init(&slot->head, HTTP_GATE_HEAD_BYTES_MAX);
    http_gate_append_head(&head, 0, &slot->head);
    begin_exchange(gate, slot, &note);
}

static void give(struct http_gate *gate, struct gate_slot *slot, struct gate_client *client)
{
    client->note.is_keeping = client->note.is_keeping && !gate->is_stopping;
    slot->client = client;
    slot->head = client->head;
    client->head = (struct text){0};
    slot->body = client->body;
    http_body_init(&client->body, gate->options.spool);
    gate_client_handled(gate, client, slot);
    begin_exchange(gate, slot, &client->note);
}

void gate_slot_dispatch(struct http_gate *gate)
{
    while (!list_is_empty(&gate->idle) && !list_is_empty(&gate->requests)) {
        struct gate_client *client = LIST_OWNER(list_take_first(&gate->requests), struct gate_client, queue);

        give(gate, LIST_OWNER(list_take_first(&gate->idle), struct gate_slot, idle), client);
    }
}

/* ---- from the server ---- */

static bool is_frame(const struct http_gate *gate, const struct http_gate_frame *frame)
{
    return text_equal_secret(frame->secret, sizeof(frame->secret), gate->secret, sizeof(gate->secret)) &&
           frame->bytes <= HTTP_GATE_REPLY_BYTES_MAX;
}

/* false: what came is no reply of ours. */
static bool take_bytes(const struct http_gate *gate, struct gate_slot *slot, const char *bytes, size_t length)
{
    size_t frame_left = sizeof(slot->frame) - slot->frame_bytes;
    size_t step = length < frame_left ? length : frame_left;

    if (slot->is_replied || slot->reply.bytes == NULL) {
        return false;
    }
    memcpy((char *)&slot->frame + slot->frame_bytes, bytes, step);
    slot->frame_bytes += step;
    if (slot->frame_bytes < sizeof(slot->frame)) {
        return true;
    }
    if (!is_frame(gate, &slot->frame) || slot->reply.length + length - step > slot->frame.bytes) {
        return false;
    }
    text_append(&slot->reply, bytes + step, length - step);
    slot->is_replied = slot->reply.length == slot->frame.bytes;
    return true;
}

/* Brings a whole reply to who waits for it, and takes the next request once the server has all of the last one. */
static void finish_exchange(struct http_gate *gate, struct gate_slot *slot)
{
    struct gate_client *client = slot->client;
    struct http_gate_file file = slot->frame.has_file ? take_file(gate, slot) : no_file;
    bool is_keeping = slot->frame.is_keeping;
    struct text reply = slot->reply;

    slot->client = NULL;
    slot->reply = (struct text){0};
    slot->frame.has_file = false;
    if (is_sent(slot)) {
        drop_exchange(slot);
        list_append(&gate->idle, &slot->idle);
    }
    if (client != NULL) {
        gate_client_reply(gate, client, &reply, &file, is_keeping);
    } else {
        gate_file_drop(gate, &file);
    }
    text_finish(&reply);
    gate_slot_dispatch(gate);
}

/* false: broken. */
static bool receive_reply(struct http_gate *gate, struct gate_slot *slot)
{
    ssize_t count = recv(slot->source.socket, gate->scratch, GATE_SCRATCH_BYTES, 0);

    if (count < 0) {
        return gate_would_block();
    }
    return count > 0 && take_bytes(gate, slot, gate->scratch, (size_t)count);
}

static void on_slot_ready(struct http_gate *gate, struct gate_source *source, uint32_t events)
{
    struct gate_slot *slot = (struct gate_slot *)(void *)source;
    bool was_replied = slot->is_replied;
    bool is_whole = true;

    if (source->socket < 0) {
        return;
    }
    if ((events & EPOLLOUT) && !is_sent(slot)) {
        is_whole = send_request(gate, slot);
    }
    if (is_whole && (events & (EPOLLIN | EPOLLERR | EPOLLHUP))) {
        is_whole = receive_reply(gate, slot);
    }
    if (!is_whole) {
        break_off(gate, slot);
    } else if (slot->is_replied && (!was_replied || is_sent(slot))) {
        finish_exchange(gate, slot);
    }
}

/* ---- open and close ---- */

void gate_slot_open(struct http_gate *gate, struct gate_slot *slot)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)gate->options.server_port)};
    int socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (socket_ >= 0 && connect(socket_, (struct sockaddr *)&address, sizeof(address)) != 0 && errno != EINPROGRESS) {
        close(socket_);
        socket_ = -1;
    }
    if (socket_ < 0) {
        gate_schedule(gate, &slot->timer, clock_add_ms(gate_now_ms(), REOPEN_MS));
        return;
    }
    slot->source.socket = socket_;
    slot->source.events = 0;
    greet(gate, slot);
}

static void on_slot_due(struct http_gate *gate, struct gate_timer *timer, int64_t now_ms)
{
    (void)now_ms;
    gate_slot_open(gate, LIST_OWNER(timer, struct gate_slot, timer));
}

void gate_slot_init(struct http_gate *gate, struct gate_slot *slot, unsigned index)
{
    *slot = (struct gate_slot){.source = {.socket = -1, .on_ready = on_slot_ready},
                               .timer = {.on_due = on_slot_due},
                               .index = index,
                               .handed = no_file};
    http_body_init(&slot->body, gate->options.spool);
}

void gate_slot_finish(struct http_gate *gate, struct gate_slot *slot)
{
    admit(gate, slot, 0);
    drop_exchange(slot);
}
