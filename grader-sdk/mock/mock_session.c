/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/mock/mock_session.h"

#include <string.h>

#include "base/memory.h"
#include "grader-sdk/mock/mock_rules.h"
#include "grader-sdk/mock/mock_session_internal.h"

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

static struct mock_session *next_session(const struct xqueue_mock *mock, const struct mock_session *after)
{
    struct list_node *node = after ? list_next(&mock->sessions, &after->node) : list_first(&mock->sessions);
    return node ? LIST_OWNER(node, struct mock_session, node) : NULL;
}

/* ---- the stream ---- */

void mock_session_on_open(struct rpc_server_call *call)
{
    struct xqueue_mock *mock = rpc_server_call_context(call);
    struct mock_session *session = MEMORY_NEW(struct mock_session);
    rpc_server_call_keep(call);
    session->call = call;
    list_init(&session->held_acks);
    rpc_server_call_set_data(call, session);
    pthread_mutex_lock(&mock->mutex);
    list_append(&mock->sessions, &session->node);
    pthread_mutex_unlock(&mock->mutex);
}

static void hear(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__GraderMessage *body)
{
    session->pings_lost = 0; // whatever is heard is a sign of life
    if (session->is_ended)
        return;
    if (session->is_welcome)
        mock_session_message(mock, session, body);
    else if (body->kind_case == XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO)
        mock_session_hello(mock, session, body->hello);
    else
        mock_session_breach(session, "HELLO_MISSING", "Hello comes first");
}

void mock_session_on_message(struct rpc_server_call *call, struct rpc_message *message)
{
    struct xqueue_mock *mock = rpc_server_call_context(call);
    struct mock_session *session = rpc_server_call_data(call);
    pthread_mutex_lock(&mock->mutex);
    hear(mock, session, (const Xqueue__V1__GraderMessage *)rpc_message_body(message));
    pthread_mutex_unlock(&mock->mutex);
    rpc_message_free(message);
    rpc_server_call_receive(call);
}

void mock_session_on_half_close(struct rpc_server_call *call)
{
    rpc_server_call_finish(call, STATUS_OK, NULL);
}

static void free_session(struct mock_session *session)
{
    struct list_node *node;
    while ((node = list_take_first(&session->held_acks)) != NULL)
        memory_free(LIST_OWNER(node, struct mock_ack, node));
    for (size_t i = 0; i < session->queue_count; i++)
        memory_free(session->queues[i]);
    memory_free(session->queues);
    mock_labels_free(session->labels, session->label_count);
    rpc_server_call_release(session->call);
    memory_free(session);
}

void mock_session_on_close(struct rpc_server_call *call)
{
    struct xqueue_mock *mock = rpc_server_call_context(call);
    struct mock_session *session = rpc_server_call_data(call);
    pthread_mutex_lock(&mock->mutex);
    list_remove(&mock->sessions, &session->node);
    if (session->is_welcome)
        mock_count_event(mock, NULL, XQUEUE_MOCK_LEFT);
    pthread_mutex_unlock(&mock->mutex);
    free_session(session);
}

bool mock_session_is_live(const struct mock_session *session)
{
    return session->is_welcome && !session->is_ended;
}

unsigned mock_session_live_count(const struct xqueue_mock *mock)
{
    unsigned count = 0;
    for (const struct mock_session *at = next_session(mock, NULL); at; at = next_session(mock, at))
        count += mock_session_is_live(at);
    return count;
}

/* ---- telling ---- */

void mock_session_end(struct mock_session *session, enum status status, const struct error *error)
{
    if (session->is_ended)
        return;
    session->is_ended = true;
    rpc_server_call_finish(session->call, status, error);
}

void mock_session_breach(struct mock_session *session, const char *reason, const char *text)
{
    struct error error;
    (void)error_set(&error, STATUS_INVALID, reason, "%s", text);
    mock_session_end(session, STATUS_INVALID, &error);
}

void mock_session_sent(struct mock_session *session, enum status status)
{
    struct error error;
    if (status == STATUS_OK || status == STATUS_CANCELED)
        return;
    (void)error_set(&error, STATUS_FULL, "SLOW_READER", "messages pile up unread");
    mock_session_end(session, STATUS_FULL, &error);
}

void mock_session_go_away(struct mock_session *session)
{
    struct error error;
    (void)error_set(&error, STATUS_UNAVAILABLE, "DRAINING", "the service stops");
    if (session->is_welcome)
        mock_session_sent(session, mock_wire_go_away(session->call, "DRAINING"));
    mock_session_end(session, STATUS_UNAVAILABLE, &error);
}

void mock_session_tell_lost(struct xqueue_mock *mock, const struct mock_submission *submission)
{
    const struct mock_wire_lease name = {submission->id, submission->lease.key};
    for (struct mock_session *at = next_session(mock, NULL); at; at = next_session(mock, at))
        if (mock_session_is_live(at) && strcmp(at->grader, submission->grader) == 0 &&
            strcmp(at->instance, submission->lease.instance) == 0)
            mock_session_sent(at, mock_wire_lost(at->call, &name, (Xqueue__V1__LostReason)submission->lost_reason));
}

/* ---- granting ---- */

static bool has_queue(const struct mock_session *session, const char *queue)
{
    for (size_t i = 0; i < session->queue_count; i++)
        if (strcmp(session->queues[i], queue) == 0)
            return true;
    return false;
}

static bool has_label(const struct mock_session *session, const struct mock_label *label)
{
    for (size_t i = 0; i < session->label_count; i++)
        if (strcmp(session->labels[i].key, label->key) == 0 && strcmp(session->labels[i].value, label->value) == 0)
            return true;
    return false;
}

static bool can_grade(const struct mock_session *session, const struct mock_submission *submission)
{
    for (size_t i = 0; i < submission->label_count; i++)
        if (!has_label(session, &submission->labels[i]))
            return false;
    return has_queue(session, submission->queue);
}

/* What a grader has at one time. */
struct load {
    size_t leases;
    size_t bytes_on_way;
};

static struct load load_of(const struct xqueue_mock *mock, const char *grader)
{
    struct load load = {0};
    for (const struct mock_submission *at = mock_next(mock, NULL); at; at = mock_next(mock, at)) {
        if (at->state != XQUEUE_MOCK_STATE_LEASED || strcmp(at->grader, grader) != 0)
            continue;
        load.leases++;
        load.bytes_on_way += at->lease.is_accepted ? 0 : at->body.length;
    }
    return load;
}

static bool has_room(const struct xqueue_mock *mock, const struct mock_session *session)
{
    if (!mock_session_is_live(session) || session->is_draining || session->credit == 0 ||
        (session->credit_has_bytes && session->credit_bytes == 0))
        return false;
    struct load load = load_of(mock, session->grader);
    return load.leases < session->slots && load.bytes_on_way < MOCK_BYTES_ON_WAY_MAX;
}

static ProtobufCBinaryData data_of(const struct mock_bytes *bytes)
{
    return (ProtobufCBinaryData){.len = bytes->length, .data = (uint8_t *)bytes->bytes};
}

static void send_grant(struct xqueue_mock *mock, struct mock_session *session, struct mock_submission *submission)
{
    Xqueue__V1__Submission wire = XQUEUE__V1__SUBMISSION__INIT;
    Xqueue__V1__Submission__LabelsEntry labels[XQUEUE_MOCK_LABELS_MAX];
    Xqueue__V1__Submission__LabelsEntry *label_refs[XQUEUE_MOCK_LABELS_MAX];
    Xqueue__V1__File files[XQUEUE_MOCK_FILES_MAX];
    Xqueue__V1__File *file_refs[XQUEUE_MOCK_FILES_MAX];
    for (size_t i = 0; i < submission->label_count; i++) {
        xqueue__v1__submission__labels_entry__init(&labels[i]);
        labels[i].key = submission->labels[i].key;
        labels[i].value = submission->labels[i].value;
        label_refs[i] = &labels[i];
    }
    for (size_t i = 0; i < submission->file_count; i++) {
        struct mock_file *file = &submission->files[i];
        xqueue__v1__file__init(&files[i]);
        files[i].name = file->name;
        files[i].filename = file->filename;
        files[i].file_id = file->file_id;
        files[i].size_bytes = file->content.length;
        files[i].sha256 = (ProtobufCBinaryData){.len = sizeof(file->digest), .data = file->digest};
        file_refs[i] = &files[i];
    }
    wire.id = submission->id;
    wire.queue = submission->queue;
    wire.header = data_of(&submission->header);
    wire.body = data_of(&submission->body);
    wire.labels = label_refs;
    wire.n_labels = submission->label_count;
    wire.files = file_refs;
    wire.n_files = submission->file_count;
    wire.submitted_at_ms = submission->submitted_at_ms;
    mock_session_sent(session, mock_wire_grant(session->call, &(struct mock_wire_grant){
                                                                  .lease = {submission->id, submission->lease.key},
                                                                  .submission = &wire,
                                                                  .attempt = submission->attempt,
                                                                  .accept_within_ms = mock->options.accept_ms,
                                                                  .lease_ms = mock->options.lease_ms,
                                                                  .hard_limit_ms = mock->options.hard_limit_ms,
                                                              }));
}

static void grant(struct xqueue_mock *mock, struct mock_session *session, struct mock_submission *submission)
{
    size_t bytes = submission->body.length;
    mock_rules_grant(mock, submission, session);
    session->credit--;
    session->credit_bytes = session->credit_bytes > bytes ? session->credit_bytes - bytes : 0;
    send_grant(mock, session, submission);
    // The next one goes to another grader, if there is one that has room.
    list_remove(&mock->sessions, &session->node);
    list_append(&mock->sessions, &session->node);
}

static void grant_ready(struct xqueue_mock *mock, int64_t now_ms)
{
    for (struct mock_submission *at = mock_next(mock, NULL); at && !mock->is_paused; at = mock_next(mock, at)) {
        if (!mock_rules_is_ready(at, now_ms))
            continue;
        struct mock_session *session = next_session(mock, NULL);
        while (session && !(can_grade(session, at) && has_room(mock, session)))
            session = next_session(mock, session);
        if (session)
            grant(mock, session, at);
    }
}

/* ---- what is due of a stream ---- */

static int64_t ping(struct xqueue_mock *mock, struct mock_session *session, int64_t now_ms)
{
    if (now_ms < session->ping_at_ms)
        return session->ping_at_ms;
    if (session->pings_lost >= MOCK_PINGS_LOST_MAX) {
        struct error error;
        (void)error_set(&error, STATUS_TIMEOUT, "PING_LOST", "three pings were not answered");
        mock_session_end(session, STATUS_TIMEOUT, &error);
        return CLOCK_NEVER;
    }
    session->pings_lost++;
    session->ping_at_ms = now_ms + mock->options.ping_period_ms;
    mock_session_sent(session, mock_wire_ping(session->call, ++session->ping_number));
    return session->ping_at_ms;
}

int64_t mock_session_tick(struct xqueue_mock *mock, int64_t now_ms)
{
    int64_t due_ms = CLOCK_NEVER;
    grant_ready(mock, now_ms);
    for (struct mock_session *at = next_session(mock, NULL); at; at = next_session(mock, at)) {
        if (!mock_session_is_live(at))
            continue;
        due_ms = earlier(due_ms, ping(mock, at, now_ms));
        if (at->is_draining && list_is_empty(&at->held_acks) && load_of(mock, at->grader).leases == 0)
            mock_session_end(at, STATUS_OK, NULL);
    }
    return due_ms;
}
