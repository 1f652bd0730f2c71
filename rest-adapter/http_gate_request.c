/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "rest-adapter/http_gate_internal.h"

static bool is_wanted(const struct http_gate *gate, const struct http_head *head)
{
    const char *end = memchr(head->target.bytes, '?', head->target.length);
    size_t length = end != NULL ? (size_t)(end - head->target.bytes) : head->target.length;
    char *raw = NULL;
    char *path = NULL;
    bool is_wanted = false;

    if (gate->options.wants_body == NULL) {
        return true;
    }
    raw = memory_allocate(length + 1);
    path = memory_allocate(length + 1);
    memcpy(raw, head->target.bytes, length);
    char method[HTTP_HEAD_METHOD_BYTES_MAX + 1] = "";
    memcpy(method, head->method.bytes, head->method.length);
    is_wanted = http_path_decode(raw, path) == strlen(path) &&
                gate->options.wants_body(gate->options.context, http_method_from_name(method), path,
                                         http_head_value(head, "Content-Type"));
    memory_free(raw);
    memory_free(path);
    return is_wanted;
}

void gate_request_describe(struct http_gate *gate, struct gate_client *client, const struct http_head *head)
{
    struct http_gate_note *note = &client->note;

    *note = (struct http_gate_note){.port = client->port, .body_bytes = head->content_length};
    memcpy(note->peer, client->peer, sizeof(note->peer));
    memcpy(note->method, head->method.bytes, head->method.length);
    note->has_body = head->content_length > 0 && is_wanted(gate, head);
    note->is_keeping = head->is_keeping && !head->is_chunked;
    if (!note->has_body && head->content_length > 0) {
        note->is_keeping = note->is_keeping && !head->is_expecting && head->content_length <= gate->options.drain_bytes_max;
    }
    client->is_last = !note->is_keeping;
    client->body_left = head->content_length;
    text_init(&client->head, HTTP_GATE_HEAD_BYTES_MAX);
    http_gate_append_head(head, note->has_body ? note->body_bytes : 0, &client->head);
    assert(text_status(&client->head) == STATUS_OK);
}

/* By how much the target is longer once its bytes beyond ASCII are percent-encoded. */
static size_t target_growth(struct span target)
{
    size_t count = 0;

    for (size_t i = 0; i < target.length; i++) {
        count += (unsigned char)target.bytes[i] > 0x7e;
    }
    return 2 * count;
}

int gate_request_check(const struct http_gate *gate, const struct http_head *head)
{
    if (http_head_value(head, HTTP_GATE_HEADER).bytes != NULL) {
        return 400; // somebody who plays the gate
    }
    if (target_growth(head->target) > HTTP_GATE_TARGET_GROWTH_MAX) {
        return 431;
    }
    if (head->content_length > gate->options.body_bytes_max && is_wanted(gate, head)) {
        return 413;
    }
    return gate->is_stopping ? 503 : 0;
}
