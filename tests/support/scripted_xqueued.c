/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/scripted_xqueued.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <xqueue/v1/files.pb-c.h>
#include <xqueue/v1/sessions.pb-c.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/rpc/rpc_server_call.h"
#include "base/text.h"
#include "grader-sdk/mock/mock_wire.h"

enum {
    ADDRESS_MAX = 256,
    NAME_MAX_BYTES = 128,
    TOKEN_MAX = 32,
    PING_PERIOD_MS = 20000,
    LEASE_MS = 60000,
    ACCEPT_MS = 10000,
    HARD_LIMIT_MS = 600000,
    RESULT_BYTES_MAX = 3145728,
    LEASES_MAX = 64, /* in one Hello */
};

struct received {
    struct list_node node;
    struct rpc_message *message; /* owned */
};

struct scripted_xqueued {
    struct rpc_loop *loop;
    struct rpc_server *server;
    struct scripted_files *files;
    char address[ADDRESS_MAX];

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    struct list received;
    struct received *current;       /* what the latest await returned */
    struct received *hello;         /* the latest Hello, for Welcome */
    struct rpc_server_call *stream; /* the latest; kept */
    int opened;
    int closed;
    int logins;
    bool needs_login;
    char user[NAME_MAX_BYTES];
    char password[NAME_MAX_BYTES];
    char token[TOKEN_MAX]; /* the valid one; "": none is */
    enum status login_status;
};

static struct scripted_xqueued *core_of(const struct rpc_server_call *call)
{
    return rpc_server_call_context(call);
}

static void free_received(struct received *received)
{
    if (received)
        rpc_message_free(received->message);
    memory_free(received);
}

static const Xqueue__V1__GraderMessage *body_of(const struct received *received)
{
    return (const Xqueue__V1__GraderMessage *)rpc_message_body(received->message);
}

/* ---- what graders call: RPC loop ---- */

static void on_login(struct rpc_server_call *call, struct rpc_message *message)
{
    struct scripted_xqueued *core = core_of(call);
    const Xqueue__V1__LoginRequest *request = (const Xqueue__V1__LoginRequest *)rpc_message_body(message);
    Xqueue__V1__LoginResponse reply = XQUEUE__V1__LOGIN_RESPONSE__INIT;
    char token[TOKEN_MAX];
    pthread_mutex_lock(&core->mutex);
    core->logins++;
    enum status status = core->login_status;
    if (status == STATUS_OK && (strcmp(request->user, core->user) != 0 || strcmp(request->password, core->password) != 0))
        status = STATUS_UNAUTHENTICATED;
    if (status == STATUS_OK)
        (void)snprintf(core->token, sizeof(core->token), "token-%d", core->logins);
    (void)text_copy(token, sizeof(token), core->token);
    pthread_cond_broadcast(&core->changed);
    pthread_mutex_unlock(&core->mutex);
    reply.token = token;
    struct error error;
    if (status == STATUS_OK)
        rpc_server_call_reply(call, &reply.base);
    else
        rpc_server_call_finish(call, error_set(&error, status, "WRONG_CREDENTIALS", "no such user or password"), &error);
    rpc_message_free(message);
}

static void on_open(struct rpc_server_call *call)
{
    struct scripted_xqueued *core = core_of(call);
    rpc_server_call_keep(call);
    pthread_mutex_lock(&core->mutex);
    struct rpc_server_call *before = core->stream;
    core->stream = call;
    core->opened++;
    pthread_cond_broadcast(&core->changed);
    pthread_mutex_unlock(&core->mutex);
    rpc_server_call_release(before);
}

static void on_message(struct rpc_server_call *call, struct rpc_message *message)
{
    struct scripted_xqueued *core = core_of(call);
    struct received *received = MEMORY_NEW(struct received);
    received->message = message;
    pthread_mutex_lock(&core->mutex);
    list_append(&core->received, &received->node);
    pthread_cond_broadcast(&core->changed);
    pthread_mutex_unlock(&core->mutex);
    rpc_server_call_receive(call);
}

static void on_half_close(struct rpc_server_call *call)
{
    rpc_server_call_finish(call, STATUS_OK, NULL);
}

static void on_close(struct rpc_server_call *call)
{
    struct scripted_xqueued *core = core_of(call);
    pthread_mutex_lock(&core->mutex);
    core->closed++;
    pthread_cond_broadcast(&core->changed);
    pthread_mutex_unlock(&core->mutex);
}

static void on_fetch(struct rpc_server_call *call, struct rpc_message *message)
{
    scripted_files_on_message(core_of(call)->files, call, message);
}

static void on_fetch_drained(struct rpc_server_call *call)
{
    scripted_files_on_drained(core_of(call)->files, call);
}

static void on_fetch_close(struct rpc_server_call *call)
{
    scripted_files_on_close(core_of(call)->files, call);
}

enum role { ROLE_NONE, ROLE_GRADE };

static const struct rpc_method methods[] = {
    {.path = "/xqueue.v1.Sessions/Login",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__login_request__descriptor,
     .on_message = on_login},
    {.path = "/xqueue.v1.Graders/Work",
     .kind = RPC_BIDI_STREAM,
     .request = &xqueue__v1__grader_message__descriptor,
     .on_open = on_open,
     .on_message = on_message,
     .on_half_close = on_half_close,
     .on_close = on_close,
     .role = ROLE_GRADE},
    {.path = "/xqueue.v1.Files/Fetch",
     .kind = RPC_SERVER_STREAM,
     .request = &xqueue__v1__fetch_request__descriptor,
     .on_message = on_fetch,
     .on_drained = on_fetch_drained,
     .on_close = on_fetch_close,
     .role = ROLE_GRADE},
    {.path = NULL},
};

static enum status authorise(struct rpc_server_call *call, const struct rpc_method *method, void *context, struct error *error)
{
    struct scripted_xqueued *core = context;
    const char *bearer = rpc_server_call_bearer(call);
    pthread_mutex_lock(&core->mutex);
    bool may =
        method->role == ROLE_NONE || !core->needs_login || (bearer && core->token[0] && strcmp(bearer, core->token) == 0);
    pthread_mutex_unlock(&core->mutex);
    return may ? STATUS_OK : error_set(error, STATUS_UNAUTHENTICATED, "NO_CREDENTIALS", "who are you?");
}

/* ---- start and stop ---- */

struct scripted_xqueued *scripted_xqueued_start(const char *listener)
{
    struct scripted_xqueued *core = MEMORY_NEW(struct scripted_xqueued);
    struct rpc_server_options options = {.listeners = &listener, .listener_count = 1, .authorise = authorise, .context = core};
    struct error error;
    pthread_mutex_init(&core->mutex, NULL);
    clock_condition_init(&core->changed);
    list_init(&core->received);
    core->files = scripted_files_create();
    core->loop = rpc_loop_create("scripted-xqueued");
    if (rpc_server_create(core->loop, methods, &options, &core->server, &error) != STATUS_OK) {
        (void)fprintf(stderr, "scripted xqueued: %s\n", error.text);
        scripted_xqueued_stop(core);
        return NULL;
    }
    if (strncmp(listener, "unix:", strlen("unix:")) == 0)
        (void)text_copy(core->address, sizeof(core->address), listener);
    else
        (void)snprintf(core->address, sizeof(core->address), "127.0.0.1:%d", rpc_server_port(core->server, 0));
    return core;
}

void scripted_xqueued_stop(struct scripted_xqueued *core)
{
    if (!core)
        return;
    if (core->server)
        rpc_server_stop(core->server, 0);
    rpc_server_call_release(core->stream);
    rpc_server_destroy(core->server);
    rpc_loop_destroy(core->loop);
    scripted_files_destroy(core->files);
    struct list_node *node;
    while ((node = list_take_first(&core->received)) != NULL)
        free_received(LIST_OWNER(node, struct received, node));
    if (core->hello != core->current)
        free_received(core->hello);
    free_received(core->current);
    pthread_cond_destroy(&core->changed);
    pthread_mutex_destroy(&core->mutex);
    memory_free(core);
}

const char *scripted_xqueued_address(const struct scripted_xqueued *core)
{
    return core->address;
}

struct scripted_files *scripted_xqueued_files(struct scripted_xqueued *core)
{
    return core->files;
}

/* ---- logins ---- */

void scripted_xqueued_require_login(struct scripted_xqueued *core, const char *user, const char *password)
{
    pthread_mutex_lock(&core->mutex);
    core->needs_login = true;
    (void)text_copy(core->user, sizeof(core->user), user);
    (void)text_copy(core->password, sizeof(core->password), password);
    pthread_mutex_unlock(&core->mutex);
}

void scripted_xqueued_expire_tokens(struct scripted_xqueued *core)
{
    pthread_mutex_lock(&core->mutex);
    core->token[0] = '\0';
    pthread_mutex_unlock(&core->mutex);
}

void scripted_xqueued_refuse_logins(struct scripted_xqueued *core, enum status status)
{
    pthread_mutex_lock(&core->mutex);
    core->login_status = status;
    pthread_mutex_unlock(&core->mutex);
}

int scripted_xqueued_login_count(struct scripted_xqueued *core)
{
    pthread_mutex_lock(&core->mutex);
    int logins = core->logins;
    pthread_mutex_unlock(&core->mutex);
    return logins;
}

/* ---- hearing ---- */

/* Waits on the core's condition; mutex held. False when patience has ended. */
static bool wait_change(struct scripted_xqueued *core, int64_t until_ms)
{
    return clock_wait_until(clock_system(), &core->changed, &core->mutex, until_ms);
}

static int64_t patience_ends_ms(void)
{
    return clock_now_ms(clock_system()) + SCRIPTED_XQUEUED_PATIENCE_MS;
}

/* Makes received the current one; the latest Hello is kept beside it. */
static void set_current(struct scripted_xqueued *core, struct received *received)
{
    if (core->current != core->hello)
        free_received(core->current);
    core->current = received;
    if (body_of(received)->kind_case == XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO) {
        free_received(core->hello);
        core->hello = received;
    }
}

const Xqueue__V1__GraderMessage *scripted_xqueued_await(struct scripted_xqueued *core, Xqueue__V1__GraderMessage__KindCase kind)
{
    const Xqueue__V1__GraderMessage *found = NULL;
    int64_t until_ms = patience_ends_ms();
    pthread_mutex_lock(&core->mutex);
    do {
        struct list_node *node;
        while (!found && (node = list_take_first(&core->received)) != NULL) {
            set_current(core, LIST_OWNER(node, struct received, node));
            if (body_of(core->current)->kind_case == kind)
                found = body_of(core->current);
        }
    } while (!found && wait_change(core, until_ms));
    pthread_mutex_unlock(&core->mutex);
    return found;
}

size_t scripted_xqueued_count(struct scripted_xqueued *core, Xqueue__V1__GraderMessage__KindCase kind)
{
    size_t count = 0;
    pthread_mutex_lock(&core->mutex);
    for (struct list_node *node = list_first(&core->received); node; node = list_next(&core->received, node))
        if (body_of(LIST_OWNER(node, struct received, node))->kind_case == kind)
            count++;
    pthread_mutex_unlock(&core->mutex);
    return count;
}

static bool await_number(struct scripted_xqueued *core, const int *number, int count)
{
    int64_t until_ms = patience_ends_ms();
    pthread_mutex_lock(&core->mutex);
    while (*number < count && wait_change(core, until_ms)) {
    }
    bool reached = *number >= count;
    pthread_mutex_unlock(&core->mutex);
    return reached;
}

bool scripted_xqueued_await_opened(struct scripted_xqueued *core, int count)
{
    return await_number(core, &core->opened, count);
}

bool scripted_xqueued_await_closed(struct scripted_xqueued *core, int count)
{
    return await_number(core, &core->closed, count);
}

/* ---- speaking ---- */

/* The latest stream with a reference for the caller; NULL: none. */
static struct rpc_server_call *keep_stream(struct scripted_xqueued *core)
{
    pthread_mutex_lock(&core->mutex);
    struct rpc_server_call *stream = core->stream;
    if (stream)
        rpc_server_call_keep(stream);
    pthread_mutex_unlock(&core->mutex);
    return stream;
}

/* After a send on what keep_stream gave. */
static void sent(struct rpc_server_call *stream, enum status status)
{
    if (status != STATUS_OK && status != STATUS_CANCELED)
        (void)fprintf(stderr, "scripted xqueued: cannot send: %s\n", status_name(status));
    rpc_server_call_release(stream);
}

void scripted_xqueued_send(struct scripted_xqueued *core, const Xqueue__V1__ServerMessage *message)
{
    struct rpc_server_call *stream = keep_stream(core);
    if (stream)
        sent(stream, rpc_server_call_send(stream, &message->base));
}

void scripted_xqueued_end(struct scripted_xqueued *core, enum status status, const char *reason)
{
    struct rpc_server_call *stream = keep_stream(core);
    struct error error;
    (void)error_set(&error, status, reason, "the script says so");
    if (stream)
        rpc_server_call_finish(stream, status, &error);
    rpc_server_call_release(stream);
}

const char *scripted_xqueued_key(uint64_t id, char out[SCRIPTED_XQUEUED_KEY_MAX])
{
    (void)snprintf(out, SCRIPTED_XQUEUED_KEY_MAX, "%032" PRIu64, id);
    return out;
}

static const Xqueue__V1__LeaseLost *find_lost(const Xqueue__V1__LeaseLost *lost, uint64_t id)
{
    while (lost && lost->lease && lost->lease->submission_id != id)
        lost++;
    return lost && lost->lease ? lost : NULL;
}

static void send_welcome(struct scripted_xqueued *core, int64_t ping_period_ms, int64_t lease_ms,
                         const Xqueue__V1__LeaseLost *lost)
{
    Xqueue__V1__LeaseRef *kept[LEASES_MAX];
    Xqueue__V1__LeaseLost *gone[LEASES_MAX];
    char session[] = "scripted";
    const Xqueue__V1__Hello *hello = core->hello ? body_of(core->hello)->hello : NULL;
    Xqueue__V1__Welcome welcome = XQUEUE__V1__WELCOME__INIT;
    for (size_t i = 0; hello && i < hello->n_held && i < LEASES_MAX; i++) {
        const Xqueue__V1__LeaseLost *is_lost = find_lost(lost, hello->held[i]->submission_id);
        if (is_lost)
            gone[welcome.n_lost++] = (Xqueue__V1__LeaseLost *)(uintptr_t)is_lost;
        else
            kept[welcome.n_kept++] = hello->held[i];
    }
    welcome.session = session;
    welcome.kept = kept;
    welcome.lost = gone;
    welcome.ping_period_ms = ping_period_ms;
    welcome.lease_ms = lease_ms;
    welcome.result_bytes_max = RESULT_BYTES_MAX;
    welcome.leases_max = LEASES_MAX;
    struct rpc_server_call *stream = keep_stream(core);
    if (stream)
        sent(stream, mock_wire_welcome(stream, &welcome));
}

void scripted_xqueued_welcome(struct scripted_xqueued *core, const Xqueue__V1__LeaseLost *lost)
{
    send_welcome(core, PING_PERIOD_MS, LEASE_MS, lost);
}

void scripted_xqueued_welcome_with(struct scripted_xqueued *core, int64_t ping_period_ms, int64_t lease_ms)
{
    send_welcome(core, ping_period_ms ? ping_period_ms : PING_PERIOD_MS, lease_ms ? lease_ms : LEASE_MS, NULL);
}

void scripted_xqueued_grant(struct scripted_xqueued *core, uint64_t id, const char *body)
{
    char name[] = "solution.py";
    uint8_t digest[32] = {1, 2, 3};
    Xqueue__V1__File file = XQUEUE__V1__FILE__INIT;
    file.name = name;
    file.size_bytes = id;
    file.sha256 = (ProtobufCBinaryData){.len = sizeof(digest), .data = digest};
    scripted_xqueued_grant_file(core, id, body, &file);
}

void scripted_xqueued_grant_file(struct scripted_xqueued *core, uint64_t id, const char *body, const Xqueue__V1__File *file)
{
    char key[SCRIPTED_XQUEUED_KEY_MAX];
    char queue[] = "cs101";
    char label_key[] = "language";
    char label_value[] = "python";
    Xqueue__V1__File *files[] = {(Xqueue__V1__File *)(uintptr_t)file}; // only packed
    Xqueue__V1__Submission__LabelsEntry label = XQUEUE__V1__SUBMISSION__LABELS_ENTRY__INIT;
    label.key = label_key;
    label.value = label_value;
    Xqueue__V1__Submission__LabelsEntry *labels[] = {&label};
    Xqueue__V1__Submission submission = XQUEUE__V1__SUBMISSION__INIT;
    submission.id = id;
    submission.queue = queue;
    submission.body = (ProtobufCBinaryData){.len = strlen(body), .data = (uint8_t *)(uintptr_t)body};
    submission.files = files;
    submission.n_files = 1;
    submission.labels = labels;
    submission.n_labels = 1;
    submission.submitted_at_ms = 1000;
    struct mock_wire_grant grant = {.lease = {id, scripted_xqueued_key(id, key)},
                                    .submission = &submission,
                                    .attempt = 1,
                                    .accept_within_ms = ACCEPT_MS,
                                    .lease_ms = LEASE_MS,
                                    .hard_limit_ms = HARD_LIMIT_MS};
    struct rpc_server_call *stream = keep_stream(core);
    if (stream)
        sent(stream, mock_wire_grant(stream, &grant));
}

void scripted_xqueued_ack(struct scripted_xqueued *core, uint64_t id, Xqueue__V1__AckItem item, Xqueue__V1__AckOutcome outcome)
{
    char key[SCRIPTED_XQUEUED_KEY_MAX];
    struct mock_wire_ack ack = {
        .lease = {id, scripted_xqueued_key(id, key)}, .item = item, .outcome = outcome, .retry_after_ms = 1};
    struct rpc_server_call *stream = keep_stream(core);
    if (stream)
        sent(stream, mock_wire_ack(stream, &ack));
}

void scripted_xqueued_lose(struct scripted_xqueued *core, uint64_t id, Xqueue__V1__LostReason reason)
{
    char key[SCRIPTED_XQUEUED_KEY_MAX];
    struct rpc_server_call *stream = keep_stream(core);
    if (stream)
        sent(stream, mock_wire_lost(stream, &(struct mock_wire_lease){id, scripted_xqueued_key(id, key)}, reason));
}
