/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/load.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "tests/support/rest_client.h"
#include "tests/support/scripted_grader.h"

enum {
    PATIENCE_MS = 60000,
    PAUSE_MS = 10, /* after a refusal */
    CREDIT = 4,
    HELD_MAX = 8,
    PATH_MAX_BYTES = 64,
    NAME_BYTES = 32,
};

struct load {
    struct load_options options;
    char rpc_token[64]; /* of logins made at the start: they outlive restarts */
    char grader_token[64];
    pthread_t threads[LOAD_THREADS_MAX];
    int thread_count;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    unsigned next_number;
    bool acknowledged[LOAD_NUMBERS_MAX];
    int holder[LOAD_NUMBERS_MAX]; /* by submission: the grader that holds it just now, from 1; 0: none */
    int64_t renewed_at_ms[LOAD_NUMBERS_MAX];
    bool graded[LOAD_NUMBERS_MAX];
    bool students_stop;
    bool graders_stop;
    struct load_account account;
};

/* A thread's place in the load. */
struct load_thread {
    struct load *load;
    int number; /* from 1 */
};

static void breach(struct load *load, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* mutex held. */
static void breach(struct load *load, const char *format, ...)
{
    va_list arguments;

    load->account.breaches++;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

/* ---- students ---- */

/* The next number to submit; 0: no more. */
static unsigned take_number(struct load *load)
{
    pthread_mutex_lock(&load->mutex);
    const bool is_over = load->students_stop || load->next_number >= LOAD_NUMBERS_MAX - 1;
    const unsigned number = is_over ? 0 : ++load->next_number;
    pthread_mutex_unlock(&load->mutex);
    return number;
}

static void note_acknowledged(struct load *load, unsigned number)
{
    pthread_mutex_lock(&load->mutex);
    load->acknowledged[number] = true;
    load->account.acknowledged++;
    pthread_mutex_unlock(&load->mutex);
}

/* Somebody is away. Waits for a moment, or for the end. */
static void note_refused(struct load *load)
{
    const int64_t until_ms = clock_now_ms(clock_system()) + PAUSE_MS;

    pthread_mutex_lock(&load->mutex);
    load->account.refused++;
    while (!load->students_stop && clock_wait_until(clock_system(), &load->changed, &load->mutex, until_ms)) {
    }
    pthread_mutex_unlock(&load->mutex);
}

/* While something is away there is either no answer, or the adapter's temporary error; while it stops itself, only a page. */
static void check_refusal(struct load *load, const struct rest_client *client, int status)
{
    const bool is_temporary = status == 503 && client->return_code != 0;

    if (status != 0 && !is_temporary) {
        pthread_mutex_lock(&load->mutex);
        breach(load, "a submit was answered HTTP %d, %s", status, client->content != NULL ? client->content : "no reply");
        pthread_mutex_unlock(&load->mutex);
    }
}

static const char *callback_path(unsigned number, char out[PATH_MAX_BYTES])
{
    (void)snprintf(out, PATH_MAX_BYTES, "/load/%u", number);
    return out;
}

static void *be_rest_student(void *context)
{
    struct load_thread *thread = context;
    struct load *load = thread->load;
    struct rest_client client;
    unsigned number = 0;

    rest_client_init(&client, load->options.service->rest_port, "lms");
    while ((number = take_number(load)) != 0) {
        char url[FAKE_LMS_URL_MAX];
        char path[PATH_MAX_BYTES];
        char body[NAME_BYTES];
        const struct rest_submission submission = {.queue = load->options.queue,
                                                   .callback_url =
                                                       fake_lms_url(load->options.lms, callback_path(number, path), url),
                                                   .body = body};
        (void)snprintf(body, sizeof(body), "%u", number);
        const int status = rest_client_submit(&client, &submission);
        if (status == 200 && client.return_code == 0) {
            note_acknowledged(load, number);
        } else {
            check_refusal(load, &client, status);
            note_refused(load); // it may be stored all the same: nobody was told
        }
    }
    rest_client_finish(&client);
    memory_free(thread);
    return NULL;
}

/* Repeats each submit under its request id until it is acknowledged. */
static void *be_rpc_student(void *context)
{
    struct load_thread *thread = context;
    struct load *load = thread->load;
    struct core_caller *caller = core_caller_open(load->options.service->core, NULL);
    unsigned number = 0;

    core_caller_set_token(caller, load->rpc_token);
    while ((number = take_number(load)) != 0) {
        char url[FAKE_LMS_URL_MAX];
        char path[PATH_MAX_BYTES];
        char body[NAME_BYTES];
        struct error error = {.reason = ""};
        enum status status = STATUS_OK;
        const struct core_submission submission = {.queue = load->options.queue,
                                                   .callback_url =
                                                       fake_lms_url(load->options.lms, callback_path(number, path), url),
                                                   .request_id = body,
                                                   .body = body};
        (void)snprintf(body, sizeof(body), "%u", number);
        // CANCELED: its connection was cut by a service that stopped
        while ((status = core_submit(caller, &submission, NULL, &error)) == STATUS_UNAVAILABLE || status == STATUS_CANCELED) {
            note_refused(load);
        }
        if (status == STATUS_OK) {
            note_acknowledged(load, number);
        } else {
            pthread_mutex_lock(&load->mutex);
            breach(load, "Submit was answered %s: %s", status_name(status), error.text);
            pthread_mutex_unlock(&load->mutex);
        }
    }
    core_caller_close(caller);
    memory_free(thread);
    return NULL;
}

/* ---- graders ---- */

struct held_lease {
    struct core_lease lease;
    bool is_told; /* its Complete has been sent, at least once */
};

struct load_grader {
    struct load *load;
    int number;
    char name[NAME_BYTES];
    struct scripted_grader *stream; /* NULL: not connected */
    struct held_lease held[HELD_MAX];
    size_t held_count;
};

/* Is the lease of this submission still good, as its holder must believe? mutex held. */
static bool is_good(const struct load *load, uint64_t id)
{
    return clock_now_ms(clock_system()) - load->renewed_at_ms[id] < load->options.lease_ms;
}

/* Before the heartbeat is sent: it counts from its arrival, which is later. */
static void note_renewed(struct load_grader *grader)
{
    struct load *load = grader->load;

    pthread_mutex_lock(&load->mutex);
    for (size_t i = 0; i < grader->held_count; i++) {
        load->renewed_at_ms[grader->held[i].lease.id] = clock_now_ms(clock_system());
    }
    pthread_mutex_unlock(&load->mutex);
}

static void note_granted(struct load_grader *grader, const struct core_lease *lease)
{
    struct load *load = grader->load;

    pthread_mutex_lock(&load->mutex);
    if (load->holder[lease->id] != 0 && is_good(load, lease->id)) {
        breach(load, "submission %" PRIu64 " was granted to grader %d (attempt %u) while grader %d holds it", lease->id,
               grader->number, (unsigned)lease->attempt, load->holder[lease->id]);
    } else if (load->graded[lease->id]) {
        breach(load, "submission %" PRIu64 " was granted again after its grading was confirmed", lease->id);
    } else {
        load->holder[lease->id] = grader->number;
        load->renewed_at_ms[lease->id] = clock_now_ms(clock_system());
    }
    pthread_mutex_unlock(&load->mutex);
}

static void forget_held(struct load_grader *grader, size_t index, bool is_graded)
{
    struct load *load = grader->load;
    const uint64_t id = grader->held[index].lease.id;

    pthread_mutex_lock(&load->mutex);
    load->holder[id] = load->holder[id] == grader->number ? 0 : load->holder[id];
    load->graded[id] = load->graded[id] || is_graded;
    load->account.gradings += is_graded ? 1 : 0;
    pthread_cond_broadcast(&load->changed);
    pthread_mutex_unlock(&load->mutex);
    grader->held[index] = grader->held[--grader->held_count];
}

static size_t find_held(const struct load_grader *grader, const Xqueue__V1__LeaseRef *ref)
{
    size_t index = 0;

    while (index < grader->held_count &&
           (grader->held[index].lease.id != ref->submission_id || strcmp(grader->held[index].lease.key, ref->lease_key) != 0)) {
        index++;
    }
    return index;
}

static void give_credit(struct load_grader *grader)
{
    const uint32_t credit = grader->held_count < CREDIT ? (uint32_t)(CREDIT - grader->held_count) : 0;

    (void)scripted_grader_credit(grader->stream, credit);
}

static void complete_held(struct load_grader *grader, struct held_lease *held)
{
    char result[CORE_BODY_MAX + NAME_BYTES];

    (void)snprintf(result, sizeof(result), "graded %s", held->lease.body);
    held->is_told = true;
    (void)scripted_grader_say_complete(grader->stream, &held->lease, result); // a stream that is over is noticed elsewhere
}

static void on_grant(struct load_grader *grader, const Xqueue__V1__Grant *grant)
{
    struct held_lease held = {.is_told = false};

    core_lease_read(grant, &held.lease);
    if (grader->held_count == HELD_MAX || held.lease.id >= LOAD_NUMBERS_MAX) {
        pthread_mutex_lock(&grader->load->mutex);
        breach(grader->load, "submission %" PRIu64 " was granted beyond all bounds", held.lease.id);
        pthread_mutex_unlock(&grader->load->mutex);
        return;
    }
    note_granted(grader, &held.lease);
    (void)scripted_grader_accept(grader->stream, &held.lease);
    grader->held[grader->held_count++] = held;
    if (grader->held_count >= CREDIT) { // a few stay in hand all the time, for the next kill
        complete_held(grader, &grader->held[0]);
    }
}

static void on_lost(struct load_grader *grader, const Xqueue__V1__LeaseLost *lost)
{
    const size_t index = find_held(grader, lost->lease);

    if (index == grader->held_count) {
        return; // its Ack came before
    }
    if (grader->held[index].is_told) {
        complete_held(grader, &grader->held[index]); // it was taken, and the Ack was lost: asking again must say so
        return;
    }
    pthread_mutex_lock(&grader->load->mutex);
    if (is_good(grader->load, lost->lease->submission_id)) {
        breach(grader->load, "grader %d lost submission %" PRIu64 " for reason %d", grader->number, lost->lease->submission_id,
               (int)lost->reason);
    }
    pthread_mutex_unlock(&grader->load->mutex);
    forget_held(grader, index, false);
}

static void on_ack(struct load_grader *grader, const Xqueue__V1__Ack *ack)
{
    const size_t index = find_held(grader, ack->lease);
    const bool is_done =
        ack->outcome == XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK || ack->outcome == XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_ALREADY;

    if (index == grader->held_count || ack->outcome == XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_RETRY) {
        return;
    }
    pthread_mutex_lock(&grader->load->mutex);
    if (!is_done && is_good(grader->load, ack->lease->submission_id)) {
        breach(grader->load, "grader %d: submission %" PRIu64 ", item %d was answered %d %s", grader->number,
               ack->lease->submission_id, (int)ack->item, (int)ack->outcome, ack->reason);
    }
    pthread_mutex_unlock(&grader->load->mutex);
    if (ack->item == XQUEUE__V1__ACK_ITEM__ACK_ITEM_COMPLETE) {
        forget_held(grader, index, is_done);
        give_credit(grader);
    }
}

/* The clock of the load: renew everything, finish everything. */
static void on_ping(struct load_grader *grader)
{
    struct core_lease leases[HELD_MAX];

    for (size_t i = 0; i < grader->held_count; i++) {
        leases[i] = grader->held[i].lease;
    }
    note_renewed(grader);
    (void)scripted_grader_heartbeat(grader->stream, leases, grader->held_count);
    for (size_t i = 0; i < grader->held_count; i++) {
        complete_held(grader, &grader->held[i]);
    }
    give_credit(grader);
}

static void on_message(struct load_grader *grader, const Xqueue__V1__ServerMessage *message)
{
    switch (message->kind_case) {
    case XQUEUE__V1__SERVER_MESSAGE__KIND_WELCOME:
        for (size_t i = 0; i < message->welcome->n_lost; i++) {
            on_lost(grader, message->welcome->lost[i]);
        }
        give_credit(grader);
        break;
    case XQUEUE__V1__SERVER_MESSAGE__KIND_GRANT:
        on_grant(grader, message->grant);
        break;
    case XQUEUE__V1__SERVER_MESSAGE__KIND_LEASE_LOST:
        on_lost(grader, message->lease_lost);
        break;
    case XQUEUE__V1__SERVER_MESSAGE__KIND_ACK:
        on_ack(grader, message->ack);
        break;
    case XQUEUE__V1__SERVER_MESSAGE__KIND_PING:
        on_ping(grader);
        break;
    default:
        break;
    }
}

static void connect_again(struct load_grader *grader)
{
    struct core_lease leases[HELD_MAX];
    struct scripted_hello hello = {
        .grader = grader->name, .queue = grader->load->options.queue, .slots = HELD_MAX, .held = leases};

    scripted_grader_close(grader->stream);
    grader->stream = scripted_grader_open_with_token(grader->load->options.service->core, grader->load->grader_token);
    for (size_t i = 0; i < grader->held_count; i++) {
        leases[hello.held_count++] = grader->held[i].lease;
    }
    (void)scripted_grader_hello(grader->stream, &hello);
}

static bool graders_go_on(struct load *load)
{
    pthread_mutex_lock(&load->mutex);
    const bool go_on = !load->graders_stop;
    pthread_mutex_unlock(&load->mutex);
    return go_on;
}

static void *be_grader(void *context)
{
    struct load_thread *thread = context;
    struct load_grader grader = {.load = thread->load, .number = thread->number};

    (void)snprintf(grader.name, sizeof(grader.name), "grader %d", grader.number);
    connect_again(&grader);
    while (graders_go_on(grader.load)) {
        struct rpc_message *message = scripted_grader_next(grader.stream);
        if (message != NULL) {
            on_message(&grader, scripted_grader_read(message));
        } else {
            connect_again(&grader);
        }
        rpc_message_free(message);
    }
    scripted_grader_close(grader.stream);
    memory_free(thread);
    return NULL;
}

/* ---- the whole ---- */

static void log_in(const struct load *load, const char *user, char out_token[64])
{
    struct core_caller *caller = core_caller_open(load->options.service->core, user);

    (void)snprintf(out_token, 64, "%s", core_caller_token(caller));
    core_caller_close(caller);
}

static void start_threads(struct load *load, int count, void *(*be)(void *))
{
    for (int i = 0; i < count; i++) {
        struct load_thread *thread = MEMORY_NEW(struct load_thread);
        thread->load = load;
        thread->number = load->thread_count + 1;
        if (load->thread_count == LOAD_THREADS_MAX ||
            pthread_create(&load->threads[load->thread_count++], NULL, be, thread) != 0) {
            abort();
        }
    }
}

struct load *load_start(const struct load_options *options)
{
    struct load *load = MEMORY_NEW(struct load);

    load->options = *options;
    pthread_mutex_init(&load->mutex, NULL);
    clock_condition_init(&load->changed);
    log_in(load, "lms", load->rpc_token);
    log_in(load, "grader", load->grader_token);
    start_threads(load, options->rest_students, be_rest_student);
    start_threads(load, options->rpc_students, be_rpc_student);
    start_threads(load, options->graders, be_grader);
    return load;
}

bool load_await_gradings(struct load *load, size_t count)
{
    const int64_t deadline_ms = clock_now_ms(clock_system()) + PATIENCE_MS;
    bool is_late = false;

    pthread_mutex_lock(&load->mutex);
    const size_t wanted = load->account.gradings + count;
    while (load->account.gradings < wanted && !is_late) {
        is_late = !clock_wait_until(clock_system(), &load->changed, &load->mutex, deadline_ms);
    }
    pthread_mutex_unlock(&load->mutex);
    return !is_late;
}

void load_stop_students(struct load *load)
{
    pthread_mutex_lock(&load->mutex);
    load->students_stop = true;
    pthread_cond_broadcast(&load->changed);
    pthread_mutex_unlock(&load->mutex);
    for (int i = 0; i < load->options.rest_students + load->options.rpc_students; i++) {
        (void)pthread_join(load->threads[i], NULL);
    }
}

bool load_await_all_heard(struct load *load)
{
    char path[PATH_MAX_BYTES];

    for (unsigned number = 1; number <= load->next_number; number++) {
        if (load->acknowledged[number] &&
            !fake_lms_wait_for_path(load->options.lms, callback_path(number, path), 1, PATIENCE_MS)) {
            (void)fprintf(stderr, "submission number %u was acknowledged, and the LMS never heard of it\n", number);
            return false;
        }
    }
    return true;
}

static void check_callbacks(struct load *load)
{
    const struct fake_lms_callback *callback = NULL;
    char expected[PATH_MAX_BYTES];

    for (size_t i = 0; (callback = fake_lms_callback(load->options.lms, i)) != NULL; i++) {
        if (strncmp(callback->path, "/load/", strlen("/load/")) == 0) {
            (void)snprintf(expected, sizeof(expected), "graded %s", callback->path + strlen("/load/"));
            if (callback->result == NULL || strcmp(callback->result, expected) != 0) {
                breach(load, "%s got '%s'", callback->path, callback->result != NULL ? callback->result : "nothing");
            }
        }
    }
}

struct load_account load_finish(struct load *load)
{
    struct load_account account;

    pthread_mutex_lock(&load->mutex);
    load->graders_stop = true;
    pthread_mutex_unlock(&load->mutex);
    for (int i = load->options.rest_students + load->options.rpc_students; i < load->thread_count; i++) {
        (void)pthread_join(load->threads[i], NULL);
    }
    check_callbacks(load);
    account = load->account;
    pthread_cond_destroy(&load->changed);
    pthread_mutex_destroy(&load->mutex);
    memory_free(load);
    return account;
}
