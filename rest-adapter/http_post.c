/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One post is in one list at a time: poster->arrived (any thread puts it there, under the lock), then, on the poster's thread
 * alone, waiting of its origin, or running in the curl multi handle.
 *
 *     start ──▶ arrived ──▶ waiting (its origin is full) ──▶ running ──▶ done
 *                  └────────────────────────────────────────▶─┘
 */
#include "rest-adapter/http_post.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "rest-adapter/callback_rules.h"

enum {
    POLL_MS_MAX = 60000, /* libcurl's own timers and wake-ups end a poll earlier */
    CONTENT_TYPE_LINE_MAX = 128,
};

/* An origin that has posts; freed with its last one. Poster's thread only. */
struct origin {
    struct list_node node; /* of poster->origins */
    char name[URL_ORIGIN_MAX];
    size_t running;
    struct list waiting;
};

struct running_post {
    struct list_node node; /* of arrived, of an origin's waiting, or of running */
    struct http_poster *poster;
    struct origin *origin; /* NULL until taken by the poster's thread */
    http_post_on_done *on_done;
    void *context;
    CURL *easy;                 /* owned */
    struct curl_slist *headers; /* owned */
    char *body;                 /* owned */
    size_t reply_bytes;
    int64_t started_ms;
    int64_t start_by_ms;
    bool address_refused;
    char curl_text[CURL_ERROR_SIZE];
    struct http_post_result result;
};

struct http_poster {
    const struct config_callbacks *callbacks; /* borrowed */
    CURLM *multi;                             /* owned */
    pthread_t thread;
    pthread_mutex_t lock;
    /* guarded by lock */
    struct list arrived;
    size_t not_running; /* arrived and waiting */
    bool canceled;
    bool stopping;
    /* poster's thread only */
    struct list origins;
    struct list running;
};

/* ---- one post: what libcurl is told ---- */

static curl_socket_t on_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct running_post *post = context;
    (void)purpose;
    if (!callback_rules_address_is_allowed(&address->addr)) {
        post->address_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* Returning less than was given ends the transfer: enough has been read. */
static size_t on_reply_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct running_post *post = context;
    (void)bytes;
    post->reply_bytes += size * count;
    return post->reply_bytes > (size_t)post->poster->callbacks->reply_bytes_max ? 0 : size * count;
}

/* libcurl answers CURLE_OK for all of these or is out of memory; either is kept in *code. */
#define SET(option_, value_)                                \
    do {                                                    \
        if (code == CURLE_OK)                               \
            code = curl_easy_setopt(easy, option_, value_); \
    } while (0)

static CURLcode set_limits(CURL *easy, const struct config_callbacks *callbacks)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)callbacks->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)callbacks->timeout_ms);
    SET(CURLOPT_USERAGENT, "xqueue/" XQUEUE_VERSION);
    return code;
}

static CURLcode set_trust(CURL *easy, const struct config_callbacks *callbacks, const char *origin)
{
    CURLcode code = CURLE_OK;
    const struct config_basic_auth *auth = callback_rules_basic_auth(callbacks, origin);
    SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    if (auth) {
        SET(CURLOPT_USERNAME, auth->user);
        SET(CURLOPT_PASSWORD, auth->password);
    }
    if (callback_rules_is_insecure(callbacks, origin)) {
        SET(CURLOPT_SSL_VERIFYPEER, 0L);
        SET(CURLOPT_SSL_VERIFYHOST, 0L);
    } else if (callbacks->ca_file[0] != '\0') {
        SET(CURLOPT_CAINFO, callbacks->ca_file);
    }
    return code;
}

static CURLcode set_callbacks(CURL *easy, struct running_post *post)
{
    CURLcode code = CURLE_OK;
    SET(CURLOPT_PRIVATE, post);
    SET(CURLOPT_ERRORBUFFER, post->curl_text);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, post);
    SET(CURLOPT_WRITEFUNCTION, on_reply_bytes);
    SET(CURLOPT_WRITEDATA, post);
    return code;
}

static CURLcode set_request(CURL *easy, struct running_post *post, const struct http_post *request)
{
    CURLcode code = CURLE_OK;
    char content_type[CONTENT_TYPE_LINE_MAX];
    int length = snprintf(content_type, sizeof(content_type), "Content-Type:%s%s", request->content_type ? " " : "",
                          request->content_type ? request->content_type : "");
    assert(length > 0 && (size_t)length < sizeof(content_type));
    post->headers = curl_slist_append(NULL, "Expect:");
    struct curl_slist *longer = post->headers ? curl_slist_append(post->headers, content_type) : NULL;
    if (!longer)
        return CURLE_OUT_OF_MEMORY;
    SET(CURLOPT_HTTPHEADER, post->headers);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDS, request->body);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
    return code;
}

/*
 * The URL as it goes over the wire: without fragment, non-ASCII characters percent-encoded, and without user information when
 * the configuration has credentials (libcurl resolves dot segments and writes an empty path as "/").
 */
static CURLcode set_url(CURL *easy, const char *url, bool drop_user)
{
    struct text ascii;
    text_init(&ascii, (size_t)3 * URL_BYTES_MAX);
    url_append_ascii(&ascii, span_of(url));
    CURLU *parsed = curl_url();
    char *whole = NULL;
    CURLUcode code =
        parsed && !ascii.failed ? curl_url_set(parsed, CURLUPART_URL, ascii.bytes, CURLU_URLENCODE) : CURLUE_OUT_OF_MEMORY;
    if (code == CURLUE_OK)
        code = curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0);
    if (code == CURLUE_OK && drop_user) {
        code = curl_url_set(parsed, CURLUPART_USER, NULL, 0);
        if (code == CURLUE_OK)
            code = curl_url_set(parsed, CURLUPART_PASSWORD, NULL, 0);
    }
    if (code == CURLUE_OK)
        code = curl_url_get(parsed, CURLUPART_URL, &whole, 0);
    CURLcode easy_code = code == CURLUE_OK ? curl_easy_setopt(easy, CURLOPT_URL, whole) : CURLE_URL_MALFORMAT;
    curl_free(whole);
    curl_url_cleanup(parsed);
    text_finish(&ascii);
    return easy_code;
}

static void free_post(struct running_post *post)
{
    curl_easy_cleanup(post->easy);
    curl_slist_free_all(post->headers);
    memory_free(post->body);
    memory_free(post);
}

static enum status prepare(struct running_post *post, const struct http_post *request, struct error *error)
{
    const struct config_callbacks *callbacks = post->poster->callbacks;
    const char *origin = post->result.origin;
    post->easy = curl_easy_init();
    if (!post->easy)
        return error_set(error, STATUS_NO_MEMORY, NULL, "out of memory");
    CURLcode code = set_url(post->easy, request->url, callback_rules_basic_auth(callbacks, origin) != NULL);
    if (code == CURLE_URL_MALFORMAT)
        return error_set(error, STATUS_INVALID, "URL_INVALID", "the URL cannot be used");
    if (code == CURLE_OK)
        code = set_limits(post->easy, callbacks);
    if (code == CURLE_OK)
        code = set_trust(post->easy, callbacks, origin);
    if (code == CURLE_OK)
        code = set_callbacks(post->easy, post);
    if (code == CURLE_OK)
        code = set_request(post->easy, post, request);
    if (code != CURLE_OK)
        return error_set(error, STATUS_INTERNAL, NULL, "%s", curl_easy_strerror(code));
    return STATUS_OK;
}

/* ---- the end of a post (poster's thread) ---- */

static void release_origin(struct http_poster *poster, struct origin *origin)
{
    if (origin->running > 0 || !list_is_empty(&origin->waiting))
        return;
    list_remove(&poster->origins, &origin->node);
    memory_free(origin);
}

static void finish(struct running_post *post, enum status status, const char *text)
{
    struct http_post_result *result = &post->result;
    result->status = status;
    result->duration_ms = clock_now_ms(clock_system()) - post->started_ms;
    if (status != STATUS_OK)
        (void)text_copy(result->text, sizeof(result->text), text);
    post->on_done(post->context, result);
    free_post(post);
}

static void count_not_running(struct http_poster *poster, int change)
{
    pthread_mutex_lock(&poster->lock);
    assert(change > 0 || poster->not_running > 0);
    poster->not_running += (size_t)change;
    pthread_mutex_unlock(&poster->lock);
}

static void finish_untried(struct running_post *post, enum status status, const char *text)
{
    count_not_running(post->poster, -1);
    finish(post, status, text);
}

static int64_t reply_retry_after_ms(CURL *easy)
{
    curl_off_t seconds = 0;
    if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds <= 0)
        return 0;
    if (seconds > HTTP_POST_RETRY_AFTER_MS_MAX / 1000)
        return HTTP_POST_RETRY_AFTER_MS_MAX;
    return (int64_t)seconds * 1000;
}

static void finish_run(struct running_post *post, CURLcode code)
{
    char text[ERROR_TEXT_MAX];
    long http_status = 0;
    (void)curl_easy_getinfo(post->easy, CURLINFO_RESPONSE_CODE, &http_status);
    post->result.http_status = (int)http_status;
    if (http_status == 200) {
        finish(post, STATUS_OK, "");
    } else if (post->address_refused && http_status == 0) {
        finish(post, STATUS_UNAVAILABLE, "the host's address is one that callbacks never go to");
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        finish(post, STATUS_TIMEOUT, post->curl_text);
    } else if (http_status == 0) {
        finish(post, STATUS_UNAVAILABLE, post->curl_text[0] ? post->curl_text : curl_easy_strerror(code));
    } else {
        post->result.retry_after_ms = reply_retry_after_ms(post->easy);
        (void)snprintf(text, sizeof(text), "answered %ld", http_status);
        finish(post, STATUS_UNAVAILABLE, text);
    }
}

/* ---- running (poster's thread) ---- */

static struct origin *find_origin(struct http_poster *poster, const char *name)
{
    for (struct list_node *node = list_first(&poster->origins); node; node = list_next(&poster->origins, node)) {
        struct origin *origin = LIST_OWNER(node, struct origin, node);
        if (strcmp(origin->name, name) == 0)
            return origin;
    }
    struct origin *origin = MEMORY_NEW(struct origin);
    (void)text_copy(origin->name, sizeof(origin->name), name);
    list_init(&origin->waiting);
    list_append(&poster->origins, &origin->node);
    return origin;
}

static bool has_place(const struct http_poster *poster, const struct origin *origin)
{
    return origin->running < (size_t)poster->callbacks->per_origin_max &&
           poster->running.count < (size_t)poster->callbacks->parallel_max;
}

static void run(struct running_post *post)
{
    struct http_poster *poster = post->poster;
    CURLMcode code = curl_multi_add_handle(poster->multi, post->easy);
    if (code != CURLM_OK) {
        finish_untried(post, STATUS_UNAVAILABLE, curl_multi_strerror(code));
        return;
    }
    count_not_running(poster, -1);
    post->origin->running++;
    list_append(&poster->running, &post->node);
}

static void stop_running(struct running_post *post)
{
    struct http_poster *poster = post->poster;
    CURLMcode code = curl_multi_remove_handle(poster->multi, post->easy);
    assert(code == CURLM_OK);
    list_remove(&poster->running, &post->node);
    post->origin->running--;
}

static void run_waiting(struct http_poster *poster, struct origin *origin)
{
    while (has_place(poster, origin) && !list_is_empty(&origin->waiting))
        run(LIST_OWNER(list_take_first(&origin->waiting), struct running_post, node));
}

/* Gives up those that waited too long, runs those that have a place, and returns when the next one has waited long enough. */
static int64_t tick_origin(struct http_poster *poster, struct origin *origin, int64_t now_ms)
{
    int64_t next_ms = CLOCK_NEVER;
    run_waiting(poster, origin);
    for (struct list_node *node = list_first(&origin->waiting); node;) {
        struct running_post *post = LIST_OWNER(node, struct running_post, node);
        node = list_next(&origin->waiting, node);
        if (post->start_by_ms <= now_ms) {
            list_remove(&origin->waiting, &post->node);
            finish_untried(post, STATUS_FULL, "too many callbacks to this LMS are running");
        } else if (post->start_by_ms < next_ms) {
            next_ms = post->start_by_ms;
        }
    }
    return next_ms;
}

static int64_t tick(struct http_poster *poster)
{
    int64_t now_ms = clock_now_ms(clock_system());
    int64_t next_ms = CLOCK_NEVER;
    for (struct list_node *node = list_first(&poster->origins); node;) {
        struct origin *origin = LIST_OWNER(node, struct origin, node);
        node = list_next(&poster->origins, node);
        int64_t origin_next_ms = tick_origin(poster, origin, now_ms);
        if (origin_next_ms < next_ms)
            next_ms = origin_next_ms;
        release_origin(poster, origin);
    }
    return next_ms;
}

static void take_arrived(struct http_poster *poster, bool *out_canceled, bool *out_stopping)
{
    struct list arrived;
    list_init(&arrived);
    pthread_mutex_lock(&poster->lock);
    list_move_all(&poster->arrived, &arrived);
    *out_canceled = poster->canceled;
    *out_stopping = poster->stopping;
    pthread_mutex_unlock(&poster->lock);
    while (!list_is_empty(&arrived)) {
        struct running_post *post = LIST_OWNER(list_take_first(&arrived), struct running_post, node);
        post->origin = find_origin(poster, post->result.origin);
        list_append(&post->origin->waiting, &post->node);
    }
}

static void cancel_everything(struct http_poster *poster)
{
    while (!list_is_empty(&poster->running)) {
        struct running_post *post = LIST_OWNER(list_first(&poster->running), struct running_post, node);
        stop_running(post);
        finish(post, STATUS_CANCELED, "stopped while waiting for the answer");
    }
    for (struct list_node *node = list_first(&poster->origins); node; node = list_next(&poster->origins, node)) {
        struct origin *origin = LIST_OWNER(node, struct origin, node);
        while (!list_is_empty(&origin->waiting))
            finish_untried(LIST_OWNER(list_take_first(&origin->waiting), struct running_post, node), STATUS_CANCELED,
                           "stopped before it was tried");
    }
}

static void finish_ended(struct http_poster *poster)
{
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(poster->multi, &left); message;
         message = curl_multi_info_read(poster->multi, &left)) {
        CURLcode code = message->data.result;
        struct running_post *post = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &post);
        stop_running(post);
        finish_run(post, code);
    }
}

static void check_multi(CURLMcode code, struct log_once *broken)
{
    if (code == CURLM_OK) {
        (void)log_once_leave(broken);
    } else if (log_once_enter(broken)) {
        log_event(LOG_ERROR, "http_poster_broken", LOG_TEXT("text", curl_multi_strerror(code)));
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
    struct http_poster *poster = argument;
    struct log_once broken = {0};
    block_broken_pipes();
    for (;;) {
        bool canceled = false;
        bool stopping = false;
        int running = 0;
        take_arrived(poster, &canceled, &stopping);
        if (canceled)
            cancel_everything(poster);
        check_multi(curl_multi_perform(poster->multi, &running), &broken);
        finish_ended(poster);
        int64_t next_ms = tick(poster);
        if (stopping && list_is_empty(&poster->origins))
            return NULL;
        // A handle that tick has just added is due at once, and libcurl shortens the pause to that.
        check_multi(curl_multi_poll(poster->multi, NULL, 0, pause_until(next_ms), NULL), &broken);
    }
}

/* ---- from any thread ---- */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_init_code = CURLE_FAILED_INIT;

static void init_curl(void)
{
    curl_init_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static CURLM *create_multi(const struct config_callbacks *callbacks)
{
    CURLM *multi = curl_multi_init();
    if (!multi)
        return NULL;
    if (curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)callbacks->parallel_max) != CURLM_OK) {
        (void)curl_multi_cleanup(multi);
        return NULL;
    }
    return multi;
}

enum status http_poster_create(const struct config_callbacks *callbacks, struct http_poster **out_poster, struct error *error)
{
    assert(callbacks->parallel_max > 0 && callbacks->per_origin_max > 0);
    if (callbacks->ca_file[0] != '\0' && access(callbacks->ca_file, R_OK) != 0)
        return error_set(error, STATUS_INVALID, NULL, "callbacks.ca_file %s cannot be read", callbacks->ca_file);
    if (pthread_once(&curl_once, init_curl) != 0 || curl_init_code != CURLE_OK)
        return error_set(error, STATUS_NO_MEMORY, NULL, "libcurl does not start");
    struct http_poster *poster = MEMORY_NEW(struct http_poster);
    poster->callbacks = callbacks;
    list_init(&poster->arrived);
    list_init(&poster->origins);
    list_init(&poster->running);
    pthread_mutex_init(&poster->lock, NULL);
    poster->multi = create_multi(callbacks);
    if (!poster->multi || pthread_create(&poster->thread, NULL, thread_main, poster) != 0) {
        (void)curl_multi_cleanup(poster->multi);
        pthread_mutex_destroy(&poster->lock);
        memory_free(poster);
        return error_set(error, STATUS_NO_MEMORY, NULL, "no memory or thread for callbacks");
    }
    *out_poster = poster;
    return STATUS_OK;
}

static void wake(struct http_poster *poster)
{
    CURLMcode code = curl_multi_wakeup(poster->multi);
    assert(code == CURLM_OK); // fails only for a bad handle
}

static enum status hand_over(struct http_poster *poster, struct running_post *post, struct error *error)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&poster->lock);
    if (poster->canceled) {
        status = error_set(error, STATUS_CANCELED, NULL, "callbacks are stopped");
    } else if (poster->not_running >= HTTP_POST_WAITING_MAX) {
        status = error_set(error, STATUS_FULL, NULL, "too many callbacks are waiting");
    } else {
        poster->not_running++;
        list_append(&poster->arrived, &post->node);
    }
    pthread_mutex_unlock(&poster->lock);
    return status;
}

enum status http_poster_start(struct http_poster *poster, const struct http_post *request, http_post_on_done *on_done,
                              void *context, struct error *error)
{
    char origin[URL_ORIGIN_MAX];
    enum status status = callback_rules_check(poster->callbacks, request->url, error);
    if (status == STATUS_OK)
        status = url_origin(span_of(request->url), origin, error);
    if (status != STATUS_OK)
        return status;

    struct running_post *post = MEMORY_NEW(struct running_post);
    post->poster = poster;
    post->on_done = on_done;
    post->context = context;
    post->started_ms = clock_now_ms(clock_system());
    post->start_by_ms = clock_add_ms(post->started_ms, request->start_within_ms);
    (void)text_copy(post->result.origin, sizeof(post->result.origin), origin);
    status = prepare(post, request, error);
    if (status == STATUS_OK) {
        post->body = request->body;
        status = hand_over(poster, post, error);
    }
    if (status != STATUS_OK) {
        post->body = NULL; // stays the caller's
        free_post(post);
        return status;
    }
    wake(poster);
    return STATUS_OK;
}

void http_poster_cancel_all(struct http_poster *poster)
{
    pthread_mutex_lock(&poster->lock);
    poster->canceled = true;
    pthread_mutex_unlock(&poster->lock);
    wake(poster);
}

void http_poster_destroy(struct http_poster *poster)
{
    if (!poster)
        return;
    pthread_mutex_lock(&poster->lock);
    poster->canceled = true;
    poster->stopping = true;
    pthread_mutex_unlock(&poster->lock);
    wake(poster);
    pthread_join(poster->thread, NULL);
    assert(list_is_empty(&poster->arrived) && list_is_empty(&poster->running));
    (void)curl_multi_cleanup(poster->multi);
    pthread_mutex_destroy(&poster->lock);
    memory_free(poster);
}
