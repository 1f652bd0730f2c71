/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/scripted_grader.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"

struct heard {
    struct list_node node;
    struct rpc_message *message; /* owned */
};

struct scripted_grader {
    struct core_caller *caller;
    struct rpc_client_stream *stream;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    struct list heard;
    bool silent;
    bool over;
    enum status status;
    struct error error;
};

static char *as_field(const char *text)
{
    return (char *)(uintptr_t)text;
}

const Xqueue__V1__ServerMessage *scripted_grader_read(const struct rpc_message *message)
{
    return (const Xqueue__V1__ServerMessage *)(const void *)rpc_message_body(message);
}

/* ---- the stream ---- */

static void answer_ping(struct scripted_grader *grader, uint64_t number)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Pong pong = XQUEUE__V1__PONG__INIT;

    pong.number = number;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_PONG;
    message.pong = &pong;
    (void)scripted_grader_say(grader, &message);
}

static void on_message(void *context, struct rpc_message *message)
{
    struct scripted_grader *grader = context;
    const Xqueue__V1__ServerMessage *body = scripted_grader_read(message);
    struct heard *heard = MEMORY_NEW(struct heard);

    heard->message = message;
    pthread_mutex_lock(&grader->mutex);
    const bool answers = body->kind_case == XQUEUE__V1__SERVER_MESSAGE__KIND_PING && !grader->silent;
    const uint64_t number = answers ? body->ping->number : 0;
    list_append(&grader->heard, &heard->node); // the test may take it from here on
    pthread_cond_broadcast(&grader->changed);
    pthread_mutex_unlock(&grader->mutex);
    if (answers) {
        answer_ping(grader, number);
    }
}

static void on_close(void *context, enum status status, const struct error *error)
{
    struct scripted_grader *grader = context;

    pthread_mutex_lock(&grader->mutex);
    grader->over = true;
    grader->status = status;
    grader->error = *error;
    pthread_cond_broadcast(&grader->changed);
    pthread_mutex_unlock(&grader->mutex);
}

static struct scripted_grader *open_stream(struct core_caller *caller)
{
    static const struct rpc_client_method work = {"/xqueue.v1.Graders/Work", &xqueue__v1__server_message__descriptor};
    static const struct rpc_client_stream_events events = {.on_message = on_message, .on_close = on_close};
    struct scripted_grader *grader = MEMORY_NEW(struct scripted_grader);
    const struct rpc_call_options options = {.bearer = core_caller_token(caller), .wait_for_ready = 1};

    grader->caller = caller;
    list_init(&grader->heard);
    pthread_mutex_init(&grader->mutex, NULL);
    clock_condition_init(&grader->changed);
    assert_int_equal(rpc_client_stream_open(core_caller_channel(caller), &work, &options, &events, grader, &grader->stream),
                     STATUS_OK);
    return grader;
}

struct scripted_grader *scripted_grader_open(const char *address, const char *user)
{
    return open_stream(core_caller_open(address, user));
}

struct scripted_grader *scripted_grader_open_with_token(const char *address, const char *token)
{
    struct core_caller *caller = core_caller_open(address, NULL);

    core_caller_set_token(caller, token);
    return open_stream(caller);
}

void scripted_grader_close(struct scripted_grader *grader)
{
    struct list_node *node = NULL;

    if (grader == NULL) {
        return;
    }
    rpc_client_stream_cancel(grader->stream);
    pthread_mutex_lock(&grader->mutex);
    while (!grader->over) {
        (void)clock_wait_until(clock_system(), &grader->changed, &grader->mutex, CLOCK_NEVER);
    }
    pthread_mutex_unlock(&grader->mutex);
    rpc_client_stream_release(grader->stream);
    core_caller_close(grader->caller); // joins the thread of the callbacks
    while ((node = list_take_first(&grader->heard)) != NULL) {
        struct heard *heard = LIST_OWNER(node, struct heard, node);
        rpc_message_free(heard->message);
        memory_free(heard);
    }
    pthread_cond_destroy(&grader->changed);
    pthread_mutex_destroy(&grader->mutex);
    memory_free(grader);
}

/* ---- saying ---- */

bool scripted_grader_say(struct scripted_grader *grader, const Xqueue__V1__GraderMessage *message)
{
    return rpc_client_stream_send(grader->stream, &message->base) == STATUS_OK;
}

static Xqueue__V1__LeaseRef lease_ref(const struct core_lease *lease)
{
    Xqueue__V1__LeaseRef ref = XQUEUE__V1__LEASE_REF__INIT;

    ref.submission_id = lease->id;
    ref.lease_key = as_field(lease->key);
    return ref;
}

bool scripted_grader_hello(struct scripted_grader *grader, const struct scripted_hello *hello)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Hello body = XQUEUE__V1__HELLO__INIT;
    char *queues[] = {as_field(hello->queue), as_field(hello->second_queue)};
    Xqueue__V1__LeaseRef refs[SCRIPTED_GRADER_HELD_MAX];
    Xqueue__V1__LeaseRef *held[SCRIPTED_GRADER_HELD_MAX];
    Xqueue__V1__Hello__LabelsEntry label = XQUEUE__V1__HELLO__LABELS_ENTRY__INIT;
    Xqueue__V1__Hello__LabelsEntry *labels[] = {&label};

    assert_true(hello->held_count <= SCRIPTED_GRADER_HELD_MAX);
    for (size_t i = 0; i < hello->held_count; i++) {
        refs[i] = lease_ref(&hello->held[i]);
        held[i] = &refs[i];
    }
    body.grader = as_field(hello->grader);
    body.instance = as_field(hello->instance != NULL ? hello->instance : "1");
    body.sdk = as_field("scripted 1");
    body.queues = queues;
    body.n_queues = hello->second_queue != NULL ? 2 : 1;
    body.slots = hello->slots != 0 ? hello->slots : 100;
    body.held = held;
    body.n_held = hello->held_count;
    label.key = as_field(hello->label.name);
    label.value = as_field(hello->label.value);
    body.labels = labels;
    body.n_labels = hello->label.name != NULL ? 1 : 0;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO;
    message.hello = &body;
    return scripted_grader_say(grader, &message);
}

bool scripted_grader_start(struct scripted_grader *grader, const struct scripted_hello *hello, uint32_t credit)
{
    bool is_sent = scripted_grader_hello(grader, hello);
    struct rpc_message *welcome = scripted_grader_await(grader, XQUEUE__V1__SERVER_MESSAGE__KIND_WELCOME);
    bool is_welcome = is_sent && welcome != NULL;

    rpc_message_free(welcome);
    return is_welcome && scripted_grader_credit(grader, credit);
}

bool scripted_grader_credit(struct scripted_grader *grader, uint32_t submissions)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Credit credit = XQUEUE__V1__CREDIT__INIT;

    credit.submissions = submissions;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_CREDIT;
    message.credit = &credit;
    return scripted_grader_say(grader, &message);
}

bool scripted_grader_accept(struct scripted_grader *grader, const struct core_lease *lease)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Accept accept = XQUEUE__V1__ACCEPT__INIT;
    Xqueue__V1__LeaseRef ref = lease_ref(lease);

    accept.lease = &ref;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_ACCEPT;
    message.accept = &accept;
    return scripted_grader_say(grader, &message);
}

bool scripted_grader_heartbeat(struct scripted_grader *grader, const struct core_lease *leases, size_t count)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Heartbeat heartbeat = XQUEUE__V1__HEARTBEAT__INIT;
    Xqueue__V1__LeaseProgress items[SCRIPTED_GRADER_HELD_MAX];
    Xqueue__V1__LeaseProgress *pointers[SCRIPTED_GRADER_HELD_MAX];
    Xqueue__V1__LeaseRef refs[SCRIPTED_GRADER_HELD_MAX];

    assert_true(count <= SCRIPTED_GRADER_HELD_MAX);
    for (size_t i = 0; i < count; i++) {
        refs[i] = lease_ref(&leases[i]);
        xqueue__v1__lease_progress__init(&items[i]);
        items[i].lease = &refs[i];
        pointers[i] = &items[i];
    }
    heartbeat.leases = pointers;
    heartbeat.n_leases = count;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_HEARTBEAT;
    message.heartbeat = &heartbeat;
    return scripted_grader_say(grader, &message);
}

bool scripted_grader_say_complete(struct scripted_grader *grader, const struct core_lease *lease, const char *result)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__CompleteRequest complete = XQUEUE__V1__COMPLETE_REQUEST__INIT;
    Xqueue__V1__LeaseRef ref = lease_ref(lease);

    complete.lease = &ref;
    complete.result = (ProtobufCBinaryData){.data = (uint8_t *)as_field(result), .len = strlen(result)};
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_COMPLETE;
    message.complete = &complete;
    return scripted_grader_say(grader, &message);
}

bool scripted_grader_say_fail(struct scripted_grader *grader, const struct core_lease *lease, Xqueue__V1__FailKind kind,
                              const char *text)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__FailRequest body = XQUEUE__V1__FAIL_REQUEST__INIT;
    Xqueue__V1__LeaseRef ref = lease_ref(lease);

    body.lease = &ref;
    body.kind = kind;
    body.message = as_field(text);
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_FAIL;
    message.fail = &body;
    return scripted_grader_say(grader, &message);
}

bool scripted_grader_say_release(struct scripted_grader *grader, const struct core_lease *lease)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__ReleaseRequest release = XQUEUE__V1__RELEASE_REQUEST__INIT;
    Xqueue__V1__LeaseRef ref = lease_ref(lease);

    release.lease = &ref;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_RELEASE;
    message.release = &release;
    return scripted_grader_say(grader, &message);
}

bool scripted_grader_say_reject(struct scripted_grader *grader, const struct core_lease *lease)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Reject reject = XQUEUE__V1__REJECT__INIT;
    Xqueue__V1__LeaseRef ref = lease_ref(lease);

    reject.lease = &ref;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_REJECT;
    message.reject = &reject;
    return scripted_grader_say(grader, &message);
}

bool scripted_grader_drain(struct scripted_grader *grader)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Drain drain = XQUEUE__V1__DRAIN__INIT;

    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_DRAIN;
    message.drain = &drain;
    return scripted_grader_say(grader, &message);
}

bool scripted_grader_ping(struct scripted_grader *grader)
{
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Ping ping = XQUEUE__V1__PING__INIT;
    struct rpc_message *pong = NULL;

    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_PING;
    message.ping = &ping;
    ping.number = 1;
    if (scripted_grader_say(grader, &message)) {
        pong = scripted_grader_await(grader, XQUEUE__V1__SERVER_MESSAGE__KIND_PONG);
    }
    const bool is_answered = pong != NULL;
    rpc_message_free(pong);
    return is_answered;
}

void scripted_grader_be_silent(struct scripted_grader *grader)
{
    pthread_mutex_lock(&grader->mutex);
    grader->silent = true;
    pthread_mutex_unlock(&grader->mutex);
}

/* ---- hearing ---- */

/* kind 0: any. mutex held. */
static struct heard *find_heard(const struct scripted_grader *grader, Xqueue__V1__ServerMessage__KindCase kind)
{
    for (struct list_node *node = list_first(&grader->heard); node != NULL; node = list_next(&grader->heard, node)) {
        struct heard *heard = LIST_OWNER(node, struct heard, node);
        if (kind == 0 || scripted_grader_read(heard->message)->kind_case == kind) {
            return heard;
        }
    }
    return NULL;
}

struct rpc_message *scripted_grader_await(struct scripted_grader *grader, Xqueue__V1__ServerMessage__KindCase kind)
{
    const int64_t deadline_ms = clock_now_ms(clock_system()) + SCRIPTED_GRADER_PATIENCE_MS;
    struct rpc_message *message = NULL;
    struct heard *heard = NULL;
    bool is_late = false;

    pthread_mutex_lock(&grader->mutex);
    while ((heard = find_heard(grader, kind)) == NULL && !grader->over && !is_late) {
        is_late = !clock_wait_until(clock_system(), &grader->changed, &grader->mutex, deadline_ms);
    }
    if (heard != NULL) {
        list_remove(&grader->heard, &heard->node);
        message = heard->message;
        memory_free(heard);
    }
    pthread_mutex_unlock(&grader->mutex);
    return message;
}

struct rpc_message *scripted_grader_next(struct scripted_grader *grader)
{
    return scripted_grader_await(grader, XQUEUE__V1__SERVER_MESSAGE__KIND__NOT_SET);
}

bool scripted_grader_has(struct scripted_grader *grader, Xqueue__V1__ServerMessage__KindCase kind)
{
    pthread_mutex_lock(&grader->mutex);
    bool result = find_heard(grader, kind) != NULL;
    pthread_mutex_unlock(&grader->mutex);
    return result;
}

bool scripted_grader_await_grant(struct scripted_grader *grader, struct core_lease *out_lease)
{
    struct rpc_message *message = scripted_grader_await(grader, XQUEUE__V1__SERVER_MESSAGE__KIND_GRANT);

    if (message == NULL) {
        return false;
    }
    core_lease_read(scripted_grader_read(message)->grant, out_lease);
    rpc_message_free(message);
    return true;
}

Xqueue__V1__AckOutcome scripted_grader_await_ack(struct scripted_grader *grader, const struct core_lease *lease,
                                                 Xqueue__V1__AckItem item)
{
    Xqueue__V1__AckOutcome outcome = XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_UNSPECIFIED;
    struct rpc_message *message = NULL;

    while (outcome == 0 && (message = scripted_grader_await(grader, XQUEUE__V1__SERVER_MESSAGE__KIND_ACK)) != NULL) {
        const Xqueue__V1__Ack *ack = scripted_grader_read(message)->ack;
        if (ack->item == item && ack->lease->submission_id == lease->id && strcmp(ack->lease->lease_key, lease->key) == 0) {
            outcome = ack->outcome;
        }
        rpc_message_free(message);
    }
    return outcome;
}

Xqueue__V1__AckOutcome scripted_grader_complete(struct scripted_grader *grader, const struct core_lease *lease,
                                                const char *result)
{
    (void)scripted_grader_say_complete(grader, lease, result);
    return scripted_grader_await_ack(grader, lease, XQUEUE__V1__ACK_ITEM__ACK_ITEM_COMPLETE);
}

Xqueue__V1__AckOutcome scripted_grader_fail(struct scripted_grader *grader, const struct core_lease *lease,
                                            Xqueue__V1__FailKind kind, const char *message)
{
    (void)scripted_grader_say_fail(grader, lease, kind, message);
    return scripted_grader_await_ack(grader, lease, XQUEUE__V1__ACK_ITEM__ACK_ITEM_FAIL);
}

Xqueue__V1__AckOutcome scripted_grader_release(struct scripted_grader *grader, const struct core_lease *lease)
{
    (void)scripted_grader_say_release(grader, lease);
    return scripted_grader_await_ack(grader, lease, XQUEUE__V1__ACK_ITEM__ACK_ITEM_RELEASE);
}

Xqueue__V1__AckOutcome scripted_grader_reject(struct scripted_grader *grader, const struct core_lease *lease)
{
    (void)scripted_grader_say_reject(grader, lease);
    return scripted_grader_await_ack(grader, lease, XQUEUE__V1__ACK_ITEM__ACK_ITEM_REJECT);
}

Xqueue__V1__LostReason scripted_grader_await_lost(struct scripted_grader *grader, const struct core_lease *lease)
{
    struct rpc_message *message = scripted_grader_await(grader, XQUEUE__V1__SERVER_MESSAGE__KIND_LEASE_LOST);
    Xqueue__V1__LostReason reason = XQUEUE__V1__LOST_REASON__LOST_REASON_UNSPECIFIED;

    if (message != NULL) {
        const Xqueue__V1__LeaseLost *lost = scripted_grader_read(message)->lease_lost;
        reason = lost->lease->submission_id == lease->id && strcmp(lost->lease->lease_key, lease->key) == 0
                     ? lost->reason
                     : XQUEUE__V1__LOST_REASON__LOST_REASON_UNSPECIFIED;
        rpc_message_free(message);
    }
    return reason;
}

bool scripted_grader_await_end(struct scripted_grader *grader, enum status *out_status, struct error *error)
{
    const int64_t deadline_ms = clock_now_ms(clock_system()) + SCRIPTED_GRADER_PATIENCE_MS;
    bool is_late = false;

    pthread_mutex_lock(&grader->mutex);
    while (!grader->over && !is_late) {
        is_late = !clock_wait_until(clock_system(), &grader->changed, &grader->mutex, deadline_ms);
    }
    bool is_over = grader->over;
    *out_status = grader->status;
    if (error != NULL) {
        *error = grader->error;
    }
    pthread_mutex_unlock(&grader->mutex);
    return is_over;
}

bool scripted_grader_is_over(struct scripted_grader *grader)
{
    pthread_mutex_lock(&grader->mutex);
    bool is_over = grader->over;
    pthread_mutex_unlock(&grader->mutex);
    return is_over;
}
