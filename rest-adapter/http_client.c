/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request is in one list at a time: client->arrived (any thread puts it there, under the lock), then, on the client's
 * thread alone, waiting of its origin, or running in the curl multi handle.
 *
 *     start ──▶ arrived ──▶ waiting (its origin is full) ──▶ running ──▶ done
 *                  └────────────────────────────────────────▶─┘
 */
#include "rest-adapter/http_client.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "rest-adapter/callback_rules.h"
#include "rest-adapter/http_transfer.h"

enum { POLL_MS_MAX = 60000 }; /* libcurl's own timers and wake-ups end a poll earlier */

/* An origin that has requests; freed with its last one. Client's thread only. */
struct origin {
    struct list_node node; /* of client->origins */
    char name[URL_ORIGIN_MAX];
    size_t running;
    struct list waiting;
};

struct running_request {
    struct list_node node; /* of arrived, of an origin's waiting, or of running */
    struct http_client *client;
    struct origin *origin; /* NULL until taken by the client's thread */
    http_client_on_done *on_done;
    void *context;
    int64_t started_ms;
    int64_t start_by_ms;
    struct http_transfer transfer;
    struct http_client_result result;
};

struct http_client {
    struct http_client_options options;
    CURLM *multi; /* owned */
    pthread_t thread;
    pthread_mutex_t lock;
    /* guarded by lock */
    struct list arrived;
    size_t not_running; /* arrived and waiting */
    bool canceled;
    bool stopping;
    /* client's thread only */
    struct list origins;
    struct list running;
};

/* ---- the end of a request (client's thread) ---- */

static void release_origin(struct http_client *client, struct origin *origin)
{
    if (origin->running > 0 || !list_is_empty(&origin->waiting))
        return;
    list_remove(&client->origins, &origin->node);
    memory_free(origin);
}

static void free_request(struct running_request *request)
{
    http_transfer_finish(&request->transfer);
    memory_free(request);
}

static void finish(struct running_request *request)
{
    request->result.duration_ms = clock_now_ms(clock_system()) - request->started_ms;
    request->on_done(request->context, &request->result);
    free_request(request);
}

static void finish_undone(struct running_request *request, enum status status, const char *text)
{
    request->result.status = status;
    (void)text_copy(request->result.text, sizeof(request->result.text), text);
    finish(request);
}

static void count_not_running(struct http_client *client, int change)
{
    pthread_mutex_lock(&client->lock);
    assert(change > 0 || client->not_running > 0);
    client->not_running += (size_t)change;
    pthread_mutex_unlock(&client->lock);
}

static void finish_untried(struct running_request *request, enum status status, const char *text)
{
    count_not_running(request->client, -1);
    finish_undone(request, status, text);
}

static void finish_run(struct running_request *request, CURLcode code)
{
    http_transfer_judge(&request->transfer, code, &request->result);
    finish(request);
}

/* ---- running (client's thread) ---- */

static struct origin *find_origin(struct http_client *client, const char *name)
{
    for (struct list_node *node = list_first(&client->origins); node; node = list_next(&client->origins, node)) {
        struct origin *origin = LIST_OWNER(node, struct origin, node);
        if (strcmp(origin->name, name) == 0)
            return origin;
    }
    struct origin *origin = MEMORY_NEW(struct origin);
    (void)text_copy(origin->name, sizeof(origin->name), name);
    list_init(&origin->waiting);
    list_append(&client->origins, &origin->node);
    return origin;
}

static bool has_place(const struct http_client *client, const struct origin *origin)
{
    return origin->running < (size_t)client->options.per_origin_max &&
           client->running.count < (size_t)client->options.parallel_max;
}

static void run(struct running_request *request)
{
    struct http_client *client = request->client;
    CURLMcode code = curl_multi_add_handle(client->multi, request->transfer.easy);
    if (code != CURLM_OK) {
        finish_untried(request, STATUS_UNAVAILABLE, curl_multi_strerror(code));
        return;
    }
    count_not_running(client, -1);
    request->origin->running++;
    list_append(&client->running, &request->node);
}

static void stop_running(struct running_request *request)
{
    struct http_client *client = request->client;
    CURLMcode code = curl_multi_remove_handle(client->multi, request->transfer.easy);
    assert(code == CURLM_OK);
    list_remove(&client->running, &request->node);
    request->origin->running--;
}

static void run_waiting(struct http_client *client, struct origin *origin)
{
    while (has_place(client, origin) && !list_is_empty(&origin->waiting))
        run(LIST_OWNER(list_take_first(&origin->waiting), struct running_request, node));
}

/* Gives up those that waited too long, runs those that have a place, and returns when the next one has waited long enough. */
static int64_t tick_origin(struct http_client *client, struct origin *origin, int64_t now_ms)
{
    int64_t next_ms = CLOCK_NEVER;
    run_waiting(client, origin);
    for (struct list_node *node = list_first(&origin->waiting); node;) {
        struct running_request *request = LIST_OWNER(node, struct running_request, node);
        node = list_next(&origin->waiting, node);
        if (request->start_by_ms <= now_ms) {
            list_remove(&origin->waiting, &request->node);
            finish_untried(request, STATUS_FULL, "too many requests to this host are running");
        } else if (request->start_by_ms < next_ms) {
            next_ms = request->start_by_ms;
        }
    }
    return next_ms;
}

static int64_t tick(struct http_client *client)
{
    int64_t now_ms = clock_now_ms(clock_system());
    int64_t next_ms = CLOCK_NEVER;
    for (struct list_node *node = list_first(&client->origins); node;) {
        struct origin *origin = LIST_OWNER(node, struct origin, node);
        node = list_next(&client->origins, node);
        int64_t origin_next_ms = tick_origin(client, origin, now_ms);
        if (origin_next_ms < next_ms)
            next_ms = origin_next_ms;
        release_origin(client, origin);
    }
    return next_ms;
}

static void take_arrived(struct http_client *client, bool *out_canceled, bool *out_stopping)
{
    struct list arrived;
    list_init(&arrived);
    pthread_mutex_lock(&client->lock);
    list_move_all(&client->arrived, &arrived);
    *out_canceled = client->canceled;
    *out_stopping = client->stopping;
    pthread_mutex_unlock(&client->lock);
    while (!list_is_empty(&arrived)) {
        struct running_request *request = LIST_OWNER(list_take_first(&arrived), struct running_request, node);
        request->origin = find_origin(client, request->result.origin);
        list_append(&request->origin->waiting, &request->node);
    }
}

static void cancel_everything(struct http_client *client)
{
    while (!list_is_empty(&client->running)) {
        struct running_request *request = LIST_OWNER(list_first(&client->running), struct running_request, node);
        stop_running(request);
        finish_undone(request, STATUS_CANCELED, "stopped while waiting for the answer");
    }
    for (struct list_node *node = list_first(&client->origins); node; node = list_next(&client->origins, node)) {
        struct origin *origin = LIST_OWNER(node, struct origin, node);
        while (!list_is_empty(&origin->waiting))
            finish_untried(LIST_OWNER(list_take_first(&origin->waiting), struct running_request, node), STATUS_CANCELED,
                           "stopped before it was tried");
    }
}

static void finish_ended(struct http_client *client)
{
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(client->multi, &left); message;
         message = curl_multi_info_read(client->multi, &left)) {
        CURLcode code = message->data.result;
        struct running_request *request = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
        stop_running(request);
        finish_run(request, code);
    }
}

static void check_multi(CURLMcode code, struct log_once *broken)
{
    if (code == CURLM_OK) {
        (void)log_once_leave(broken);
    } else if (log_once_enter(broken)) {
        log_event(LOG_ERROR, "http_client_broken", LOG_TEXT("text", curl_multi_strerror(code)));
    }
}

static int pause_until(int64_t next_ms)
{
    if (next_ms == CLOCK_NEVER)
        return POLL_MS_MAX;
    int64_t pause_ms = next_ms - clock_now_ms(clock_system());
    if (pause_ms < 0)
        return 0;
    return pause_ms > POLL_MS_MAX ? POLL_MS_MAX : (int)pause_ms;
}

/* A peer that closes while TLS writes to it raises SIGPIPE in the writing thread; libcurl, told to leave signals alone, lets
 * it. */
static void block_broken_pipes(void)
{
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
}

static void *thread_main(void *argument)
{
    struct http_client *client = argument;
    struct log_once broken = {0};
    block_broken_pipes();
    for (;;) {
        bool canceled = false;
        bool stopping = false;
        int running = 0;
        take_arrived(client, &canceled, &stopping);
        if (canceled)
            cancel_everything(client);
        check_multi(curl_multi_perform(client->multi, &running), &broken);
        finish_ended(client);
        int64_t next_ms = tick(client);
        if (stopping && list_is_empty(&client->origins))
            return NULL;
        // A handle that tick has just added is due at once, and libcurl shortens the pause to that.
        check_multi(curl_multi_poll(client->multi, NULL, 0, pause_until(next_ms), NULL), &broken);
    }
}

/* ---- from any thread ---- */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_init_code = CURLE_FAILED_INIT;

static void init_curl(void)
{
    curl_init_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static CURLM *create_multi(const struct http_client_options *options)
{
    CURLM *multi = curl_multi_init();
    if (!multi)
        return NULL;
    if (curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)options->parallel_max) != CURLM_OK) {
        (void)curl_multi_cleanup(multi);
        return NULL;
    }
    return multi;
}

enum status http_client_create(const struct http_client_options *options, struct http_client **out_client, struct error *error)
{
    const char *ca_file = options->callbacks->ca_file;
    assert(options->parallel_max > 0 && options->per_origin_max > 0);
    if (ca_file[0] != '\0' && access(ca_file, R_OK) != 0)
        return error_set(error, STATUS_INVALID, NULL, "callbacks.ca_file %s cannot be read", ca_file);
    if (pthread_once(&curl_once, init_curl) != 0 || curl_init_code != CURLE_OK)
        return error_set(error, STATUS_NO_MEMORY, NULL, "libcurl does not start");
    struct http_client *client = MEMORY_NEW(struct http_client);
    client->options = *options;
    list_init(&client->arrived);
    list_init(&client->origins);
    list_init(&client->running);
    pthread_mutex_init(&client->lock, NULL);
    client->multi = create_multi(options);
    if (!client->multi || pthread_create(&client->thread, NULL, thread_main, client) != 0) {
        (void)curl_multi_cleanup(client->multi);
        pthread_mutex_destroy(&client->lock);
        memory_free(client);
        return error_set(error, STATUS_NO_MEMORY, NULL, "no memory or thread for HTTP requests");
    }
    *out_client = client;
    return STATUS_OK;
}

static void wake(struct http_client *client)
{
    CURLMcode code = curl_multi_wakeup(client->multi);
    assert(code == CURLM_OK); // fails only for a bad handle
}

/* Body and descriptor are taken before any other thread sees the request. */
static enum status hand_over(struct running_request *running, const struct http_client_request *request, struct error *error)
{
    struct http_client *client = running->client;
    enum status status = STATUS_OK;
    pthread_mutex_lock(&client->lock);
    if (client->canceled) {
        status = error_set(error, STATUS_CANCELED, NULL, "requests are stopped");
    } else if (client->not_running >= HTTP_CLIENT_WAITING_MAX) {
        status = error_set(error, STATUS_FULL, NULL, "too many requests are waiting");
    } else {
        http_transfer_take_body(&running->transfer, request);
        client->not_running++;
        list_append(&client->arrived, &running->node);
    }
    pthread_mutex_unlock(&client->lock);
    return status;
}

static enum status check(struct http_client *client, const char *url, char out_origin[URL_ORIGIN_MAX], struct error *error)
{
    if (client->options.trust == HTTP_CLIENT_TRUST_CALLBACK) {
        enum status status = callback_rules_check(client->options.callbacks, url, error);
        if (status != STATUS_OK)
            return status;
    }
    return url_origin(span_of(url), out_origin, error);
}

enum status http_client_start(struct http_client *client, const struct http_client_request *request,
                              http_client_on_done *on_done, void *context, struct error *error)
{
    char origin[URL_ORIGIN_MAX];
    enum status status = check(client, request->url, origin, error);
    if (status != STATUS_OK)
        return status;

    struct running_request *running = MEMORY_NEW(struct running_request);
    running->client = client;
    running->on_done = on_done;
    running->context = context;
    running->started_ms = clock_now_ms(clock_system());
    running->start_by_ms = clock_add_ms(running->started_ms, request->start_within_ms);
    (void)text_copy(running->result.origin, sizeof(running->result.origin), origin);
    running->transfer.check_addresses = client->options.trust == HTTP_CLIENT_TRUST_CALLBACK;
    status = http_transfer_prepare(&running->transfer, client->options.callbacks, request, origin, running, error);
    if (status == STATUS_OK)
        status = hand_over(running, request, error);
    if (status != STATUS_OK) {
        free_request(running);
        return status;
    }
    wake(client);
    return STATUS_OK;
}

/* ---- a request that its caller waits for ---- */

struct call {
    http_client_on_done *on_done;
    void *context;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done; /* guarded by lock */
};

static void on_call_done(void *context, const struct http_client_result *result)
{
    struct call *call = context;
    call->on_done(call->context, result);
    pthread_mutex_lock(&call->lock);
    call->done = true;
    pthread_cond_signal(&call->changed);
    pthread_mutex_unlock(&call->lock);
}

enum status http_client_call(struct http_client *client, const struct http_client_request *request,
                             http_client_on_done *on_done, void *context, struct error *error)
{
    struct call call = {.on_done = on_done, .context = context};
    assert(!pthread_equal(pthread_self(), client->thread));
    pthread_mutex_init(&call.lock, NULL);
    clock_condition_init(&call.changed);
    enum status status = http_client_start(client, request, on_call_done, &call, error);
    pthread_mutex_lock(&call.lock);
    while (status == STATUS_OK && !call.done)
        (void)clock_wait_until(clock_system(), &call.changed, &call.lock, CLOCK_NEVER);
    pthread_mutex_unlock(&call.lock);
    pthread_cond_destroy(&call.changed);
    pthread_mutex_destroy(&call.lock);
    return status;
}

/* ---- the end ---- */

void http_client_cancel_all(struct http_client *client)
{
    pthread_mutex_lock(&client->lock);
    client->canceled = true;
    pthread_mutex_unlock(&client->lock);
    wake(client);
}

void http_client_destroy(struct http_client *client)
{
    if (!client)
        return;
    pthread_mutex_lock(&client->lock);
    client->canceled = true;
    client->stopping = true;
    pthread_mutex_unlock(&client->lock);
    wake(client);
    pthread_join(client->thread, NULL);
    assert(list_is_empty(&client->arrived) && list_is_empty(&client->running));
    (void)curl_multi_cleanup(client->multi);
    pthread_mutex_destroy(&client->lock);
    memory_free(client);
}
