/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "rest-adapter/http_gate_internal.h"

enum { WRITE_TURN_BYTES = 256 * 1024 }; /* to one client before the others have their turn */

#define BIT(state) (1U << (state))

/* ---- states ---- */

static const unsigned legal_moves[] = {
    [GATE_CLIENT_HEAD] = BIT(GATE_CLIENT_BODY) | BIT(GATE_CLIENT_QUEUED) | BIT(GATE_CLIENT_WRITING) | BIT(GATE_CLIENT_CLOSED),
    [GATE_CLIENT_BODY] = BIT(GATE_CLIENT_QUEUED) | BIT(GATE_CLIENT_WRITING) | BIT(GATE_CLIENT_CLOSED),
    [GATE_CLIENT_QUEUED] = BIT(GATE_CLIENT_HANDLED) | BIT(GATE_CLIENT_CLOSED),
    [GATE_CLIENT_HANDLED] = BIT(GATE_CLIENT_WRITING) | BIT(GATE_CLIENT_CLOSED),
    [GATE_CLIENT_WRITING] =
        BIT(GATE_CLIENT_HEAD) | BIT(GATE_CLIENT_DRAINING) | BIT(GATE_CLIENT_LINGERING) | BIT(GATE_CLIENT_CLOSED),
    [GATE_CLIENT_DRAINING] = BIT(GATE_CLIENT_HEAD) | BIT(GATE_CLIENT_CLOSED),
    [GATE_CLIENT_LINGERING] = BIT(GATE_CLIENT_CLOSED),
    [GATE_CLIENT_CLOSED] = 0,
};

static const uint32_t watched_events[] = {
    [GATE_CLIENT_HEAD] = EPOLLIN,      [GATE_CLIENT_BODY] = EPOLLIN,     [GATE_CLIENT_QUEUED] = 0,
    [GATE_CLIENT_HANDLED] = 0,         [GATE_CLIENT_WRITING] = EPOLLOUT, [GATE_CLIENT_DRAINING] = EPOLLIN,
    [GATE_CLIENT_LINGERING] = EPOLLIN,
};

static bool is_busy(enum gate_client_state state)
{
    return state == GATE_CLIENT_QUEUED || state == GATE_CLIENT_HANDLED || state == GATE_CLIENT_WRITING;
}

static bool has_request_in_hand(enum gate_client_state state)
{
    return state == GATE_CLIENT_QUEUED || state == GATE_CLIENT_HANDLED;
}

/* How many bytes the client itself has moved in this state: what lies in the kernel's buffer has not reached it. */
static int64_t bytes_moved(const struct gate_client *client)
{
    int waiting = 0;

    if (client->state == GATE_CLIENT_WRITING && ioctl(client->source.socket, SIOCOUTQ, &waiting) != 0) {
        waiting = 0;
    }
    return client->moved - waiting;
}

/* Until when the client may be in the state that begins now, unless it gets further; CLOCK_NEVER while it is not its turn. */
static int64_t first_due_ms(const struct http_gate *gate, const struct gate_client *client)
{
    if (has_request_in_hand(client->state)) {
        return CLOCK_NEVER;
    }
    return clock_add_ms(client->since_ms,
                        client->state == GATE_CLIENT_LINGERING ? HTTP_GATE_LINGER_MS : gate->options.request_timeout_ms);
}

/* The time given is over. Until when it goes on for what the client has moved in it; the past: it does not. */
static int64_t next_due_ms(const struct http_gate *gate, struct gate_client *client, int64_t now_ms)
{
    int64_t longest_ms = HTTP_GATE_PAUSE_TIMEOUTS * gate->options.request_timeout_ms;
    int64_t gained = bytes_moved(client) - client->credited;
    int64_t gained_ms = gained * 1000 / HTTP_GATE_BYTES_PER_S_MIN;

    if (client->state == GATE_CLIENT_HEAD || client->state == GATE_CLIENT_LINGERING) {
        return first_due_ms(gate, client); // a head is small: it comes within one timeout from its first byte
    }
    client->credited += gained;
    return clock_add_ms(now_ms, gained_ms < longest_ms ? gained_ms : longest_ms);
}

/* The only writer of the state. */
static void move(struct http_gate *gate, struct gate_client *client, enum gate_client_state state)
{
    assert(legal_moves[client->state] & BIT(state));
    gate->busy += is_busy(state);
    gate->busy -= is_busy(client->state);
    client->state = state;
    client->since_ms = gate_now_ms();
    client->moved = 0;
    list_remove(&gate->quiet, &client->quiet);
    if (state == GATE_CLIENT_CLOSED) {
        return;
    }
    if (!has_request_in_hand(state)) {
        list_append(&gate->quiet, &client->quiet);
    }
    gate_watch(gate, &client->source, watched_events[state]);
    client->credited = bytes_moved(client);
    gate_schedule(gate, &client->timer, first_due_ms(gate, client));
}

/* The client did its part: its turn to be closed for others comes last. */
static void note_progress(struct http_gate *gate, struct gate_client *client, size_t bytes)
{
    client->moved += (int64_t)bytes;
    if (list_contains(&client->quiet)) {
        list_remove(&gate->quiet, &client->quiet);
        list_append(&gate->quiet, &client->quiet);
    }
}

static void drop_input(struct gate_client *client, size_t length)
{
    struct text *input = &client->input;

    input->length -= length;
    if (input->length == 0) {
        text_finish(input); // idle clients shall not hold memory
    } else {
        memmove(input->bytes, input->bytes + length, input->length);
    }
}

static void drop_request(struct gate_client *client)
{
    text_finish(&client->head);
    http_body_finish(&client->body);
}

static void drop_reply(struct gate_client *client)
{
    text_finish(&client->output);
    client->output_sent = 0;
    if (client->file.file >= 0) {
        close(client->file.file);
        http_spool_release(client->body.spool, client->file.spooled_bytes);
    }
    client->file = (struct http_gate_file){.file = -1};
}

static bool is_reply_out(const struct gate_client *client)
{
    return client->output_sent == client->output.length && (client->file.file < 0 || client->file.bytes == 0);
}

/* Half a reply is worth nothing: the kernel shall not keep it for who does not read. */
static void reset_when_closed(const struct gate_client *client)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(client->source.socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)); // a plain close at the worst
}

void gate_client_close(struct http_gate *gate, struct gate_client *client)
{
    if (client->state == GATE_CLIENT_CLOSED) {
        return;
    }
    if (client->state == GATE_CLIENT_WRITING && !is_reply_out(client)) {
        reset_when_closed(client);
    }
    move(gate, client, GATE_CLIENT_CLOSED);
    gate_unwatch(gate, &client->source);
    heap_remove(&gate->timers, &client->timer.node);
    list_remove(&gate->requests, &client->queue);
    list_remove(&gate->clients, &client->member);
    list_append(&gate->closed, &client->member); // events of this turn may still name it
    if (client->slot != NULL) {
        client->slot->client = NULL;
        client->slot = NULL;
    }
    drop_request(client);
    drop_reply(client);
    text_finish(&client->input);
}

void gate_client_free(struct gate_client *client)
{
    assert(client->state == GATE_CLIENT_CLOSED);
    memory_free(client);
}

/* ---- the reply ---- */

static void begin_head(struct http_gate *gate, struct gate_client *client);

/* The reply is out. */
static void end_reply(struct http_gate *gate, struct gate_client *client)
{
    bool is_more_coming = client->body_left > 0 || client->input.length > 0;

    drop_reply(client);
    client->is_last = client->is_last || gate->is_stopping;
    if (client->is_at_end || (client->is_last && !is_more_coming)) {
        gate_client_close(gate, client);
    } else if (client->is_last) {
        shutdown(client->source.socket, SHUT_WR);
        client->body_left = gate->options.drain_bytes_max;
        text_finish(&client->input);
        move(gate, client, GATE_CLIENT_LINGERING);
    } else if (client->body_left > 0) {
        move(gate, client, GATE_CLIENT_DRAINING);
    } else {
        begin_head(gate, client);
    }
}

/* Sends some of the reply. Returns the bytes, 0: nothing now, -1: the client is gone. */
static ssize_t send_some(struct gate_client *client)
{
    size_t output_left = client->output.length - client->output_sent;
    struct http_gate_file *file = &client->file;
    ssize_t count = 0;

    if (output_left > 0) {
        int more = file->file >= 0 && file->bytes > 0 ? MSG_MORE : 0;

        count = send(client->source.socket, client->output.bytes + client->output_sent, output_left, MSG_NOSIGNAL | more);
        client->output_sent += count > 0 ? (size_t)count : 0;
    } else {
        size_t step = file->bytes < WRITE_TURN_BYTES ? (size_t)file->bytes : WRITE_TURN_BYTES;
        off_t offset = file->offset;

        count = sendfile(client->source.socket, file->file, &offset, step);
        if (count == 0) {
            return -1; // the file is shorter than announced: all that is left to say so is to break off
        }
        file->bytes -= count > 0 ? count : 0;
        file->offset = offset;
    }
    return count < 0 && gate_would_block() ? 0 : count;
}

static void write_reply(struct http_gate *gate, struct gate_client *client)
{
    int64_t sent = 0;
    ssize_t count = 1;

    while (!is_reply_out(client) && count > 0 && sent < WRITE_TURN_BYTES) {
        count = send_some(client);
        sent += count > 0 ? count : 0;
    }
    if (count < 0) {
        gate_client_close(gate, client);
        return;
    }
    if (sent > 0) {
        note_progress(gate, client, (size_t)sent);
    }
    if (is_reply_out(client)) {
        end_reply(gate, client);
    }
}

void gate_client_reply(struct http_gate *gate, struct gate_client *client, struct text *output,
                       const struct http_gate_file *file, bool is_keeping)
{
    client->slot = NULL;
    client->output = *output;
    *output = (struct text){0};
    client->file = *file;
    client->is_last = client->is_last || !is_keeping;
    move(gate, client, GATE_CLIENT_WRITING);
    if (client->body_left > 0 && !client->is_at_end) { // a client that only reads once it has sent everything
        gate_watch(gate, &client->source, EPOLLOUT | EPOLLIN);
    }
    write_reply(gate, client);
}

void gate_client_refuse(struct http_gate *gate, struct gate_client *client, int status)
{
    struct http_reply reply;
    struct text output;
    const struct http_gate_file no_file = {.file = -1};

    http_reply_init(&reply);
    http_reply_page(&reply, status);
    if (status == 503) {
        http_reply_header(&reply, "Retry-After", "1");
    }
    text_init(&output, HTTP_GATE_REPLY_BYTES_MAX);
    http_reply_head(&reply, clock_wall_ms(), false, &output);
    text_append(&output, reply.body.bytes, reply.body.length);
    http_reply_finish(&reply);
    drop_request(client);
    drop_input(client, client->input.length);
    if (client->body_left == 0) {
        client->body_left = 1; // whatever it is that comes: it is no request
    }
    gate_client_reply(gate, client, &output, &no_file, false);
}

/* ---- the request ---- */

/* Gives the complete request to the queue. */
static void enqueue(struct http_gate *gate, struct gate_client *client)
{
    if (gate->is_stopping || (int64_t)gate->requests.count >= gate->options.waiting_max) {
        gate_client_refuse(gate, client, 503);
        return;
    }
    move(gate, client, GATE_CLIENT_QUEUED);
    list_append(&gate->requests, &client->queue);
    gate_slot_dispatch(gate);
}

void gate_client_handled(struct http_gate *gate, struct gate_client *client, struct gate_slot *slot)
{
    client->slot = slot;
    move(gate, client, GATE_CLIENT_HANDLED);
}

static void take_body(struct http_gate *gate, struct gate_client *client, const char *bytes, size_t length)
{
    enum status status = http_body_append(&client->body, bytes, length);

    client->body_left -= (int64_t)length;
    if (status != STATUS_OK) {
        gate_client_refuse(gate, client, 503);
    } else if (client->body_left == 0) {
        enqueue(gate, client);
    }
}

static size_t input_of_body(const struct gate_client *client)
{
    return (int64_t)client->input.length < client->body_left ? client->input.length : (size_t)client->body_left;
}

/* false: the client does not even take these few bytes. */
static bool send_continue(const struct gate_client *client)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

    return send(client->source.socket, line, sizeof(line) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(line) - 1;
}

static void begin_body(struct http_gate *gate, struct gate_client *client, bool is_expecting)
{
    size_t length = input_of_body(client);

    move(gate, client, GATE_CLIENT_BODY);
    if (is_expecting && length == 0 && !send_continue(client)) {
        gate_client_close(gate, client);
    } else if (length > 0) {
        // copied first: what takes the body may end the request, and look at the input again
        char *bytes = memory_copy(client->input.bytes, length);

        drop_input(client, length);
        note_progress(gate, client, length);
        take_body(gate, client, bytes, length);
        memory_free(bytes);
    }
}

static void take_head(struct http_gate *gate, struct gate_client *client, size_t length)
{
    struct http_head head;
    size_t begin = client->scan.begin;
    int refusal = http_head_parse(client->input.bytes + begin, length - begin, &head);
    size_t unwanted = 0;

    if (refusal == 0) {
        refusal = gate_request_check(gate, &head);
    }
    if (refusal != 0) {
        gate_client_refuse(gate, client, refusal);
        return;
    }
    gate_request_describe(gate, client, &head);
    bool is_expecting = head.is_expecting;
    bool is_chunked = head.is_chunked;
    drop_input(client, length); // from here on the head's spans point nowhere
    if (client->note.has_body) {
        begin_body(gate, client, is_expecting);
        return;
    }
    unwanted = input_of_body(client);
    if (unwanted > 0) {
        drop_input(client, unwanted);
        client->body_left -= (int64_t)unwanted;
    }
    if (is_chunked) {
        client->body_left = 1; // how much comes is not known; it is swallowed after the reply
    }
    enqueue(gate, client);
}

static void look_for_head(struct http_gate *gate, struct gate_client *client)
{
    size_t length = 0;
    int refusal = http_head_scan(&client->scan, client->input.bytes, client->input.length, &length);

    if (refusal != 0) {
        gate_client_refuse(gate, client, refusal);
    } else if (length > 0) {
        take_head(gate, client, length);
    }
}

/* The connection waits for its next request, which may be here already. */
static void begin_head(struct http_gate *gate, struct gate_client *client)
{
    client->scan = (struct http_head_scan){0};
    client->is_kept = true;
    move(gate, client, GATE_CLIENT_HEAD);
    if (gate->is_stopping && client->input.length == 0) {
        gate_client_close(gate, client);
    } else if (client->input.length > 0) {
        look_for_head(gate, client);
    }
}

/* ---- bytes that come ---- */

/* Part of a request is here. */
static bool has_begun(const struct gate_client *client)
{
    return client->state == GATE_CLIENT_BODY || (client->state == GATE_CLIENT_HEAD && client->input.length > 0);
}

/* Nothing that still comes is of use: where a next request would begin does not matter. */
static bool is_swallowing(const struct gate_client *client)
{
    return client->state == GATE_CLIENT_LINGERING || (client->state == GATE_CLIENT_WRITING && client->is_last);
}

static size_t bytes_to_read(const struct gate_client *client)
{
    if (client->state == GATE_CLIENT_HEAD) {
        return HTTP_REQUEST_HEAD_BYTES_MAX - client->input.length;
    }
    return is_swallowing(client) || client->body_left > GATE_SCRATCH_BYTES ? GATE_SCRATCH_BYTES : (size_t)client->body_left;
}

static void take_bytes(struct http_gate *gate, struct gate_client *client, size_t length)
{
    if (client->state == GATE_CLIENT_HEAD) {
        if (client->input.length == 0) {
            text_init(&client->input, HTTP_REQUEST_HEAD_BYTES_MAX);
            client->since_ms = gate_now_ms();
        }
        text_append(&client->input, gate->scratch, length);
        look_for_head(gate, client);
        return;
    }
    if (client->state == GATE_CLIENT_BODY) {
        take_body(gate, client, gate->scratch, length);
        return;
    }
    if (client->state == GATE_CLIENT_WRITING && client->is_last) {
        return;
    }
    client->body_left -= (int64_t)length;
    if (client->state == GATE_CLIENT_LINGERING && client->body_left <= 0) {
        gate_client_close(gate, client);
    } else if (client->state == GATE_CLIENT_DRAINING && client->body_left == 0) {
        begin_head(gate, client);
    } else if (client->state == GATE_CLIENT_WRITING && client->body_left == 0) {
        gate_watch(gate, &client->source, EPOLLOUT);
    }
}

/* The client sends no more; it may still read. */
static void take_end(struct http_gate *gate, struct gate_client *client)
{
    client->is_at_end = true;
    if (client->state == GATE_CLIENT_WRITING) {
        gate_watch(gate, &client->source, EPOLLOUT);
    } else if (has_begun(client)) {
        gate_client_refuse(gate, client, 400);
    } else {
        gate_client_close(gate, client);
    }
}

static void read_bytes(struct http_gate *gate, struct gate_client *client)
{
    ssize_t count = recv(client->source.socket, gate->scratch, bytes_to_read(client), 0);

    if (count < 0 && gate_would_block()) {
        return;
    }
    if (count > 0) {
        note_progress(gate, client, client->state == GATE_CLIENT_WRITING ? 0 : (size_t)count);
        take_bytes(gate, client, (size_t)count);
    } else if (count == 0) {
        take_end(gate, client);
    } else {
        gate_client_close(gate, client);
    }
}

static void on_client_ready(struct http_gate *gate, struct gate_source *source, uint32_t events)
{
    struct gate_client *client = (struct gate_client *)(void *)source;
    bool is_broken = (events & (EPOLLERR | EPOLLHUP)) != 0;

    if (client->state == GATE_CLIENT_CLOSED) {
        return;
    }
    if (has_request_in_hand(client->state)) {
        gate_client_close(gate, client); // nothing but errors is looked for
        return;
    }
    if (client->state == GATE_CLIENT_WRITING && ((events & EPOLLOUT) || is_broken)) {
        write_reply(gate, client);
    } else if ((events & EPOLLIN) || is_broken) {
        read_bytes(gate, client);
    }
}

static void on_client_due(struct http_gate *gate, struct gate_timer *timer, int64_t now_ms)
{
    struct gate_client *client = LIST_OWNER(timer, struct gate_client, timer);
    int64_t due_ms = next_due_ms(gate, client, now_ms);

    if (due_ms > now_ms) {
        gate_schedule(gate, timer, due_ms); // it has got further since this was scheduled
    } else if (has_begun(client)) {
        gate_client_refuse(gate, client, 408);
    } else {
        gate_client_close(gate, client);
    }
}

/* ---- all of them ---- */

void gate_client_create(struct http_gate *gate, int socket, const char *peer, int port)
{
    struct gate_client *client = MEMORY_NEW(struct gate_client);

    client->source = (struct gate_source){.socket = socket, .on_ready = on_client_ready};
    client->timer.on_due = on_client_due;
    client->state = GATE_CLIENT_HEAD;
    client->since_ms = gate_now_ms();
    client->port = port;
    client->file.file = -1;
    (void)text_copy(client->peer, sizeof(client->peer), peer);
    http_body_init(&client->body, gate->options.spool);
    list_append(&gate->clients, &client->member);
    list_append(&gate->quiet, &client->quiet);
    gate_watch(gate, &client->source, EPOLLIN);
    gate_schedule(gate, &client->timer, first_due_ms(gate, client));
}

bool gate_client_evict(struct http_gate *gate)
{
    struct list_node *node = list_first(&gate->quiet);

    if (node == NULL) {
        return false;
    }
    gate_client_close(gate, LIST_OWNER(node, struct gate_client, quiet));
    return true;
}

void gate_client_stop_all(struct http_gate *gate)
{
    for (struct list_node *node = list_first(&gate->clients), *next = NULL; node != NULL; node = next) {
        struct gate_client *client = LIST_OWNER(node, struct gate_client, member);

        next = list_next(&gate->clients, node);
        if (client->is_kept && client->state == GATE_CLIENT_HEAD && client->input.length == 0) {
            gate_client_close(gate, client);
        }
    }
}
