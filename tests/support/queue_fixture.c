/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/queue_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"

static const char default_yaml[] = "queues:\n  demo: {lease_ms: 60000, attempts_max: 3, retry_delay_ms: 5000}\n";

static struct error nothing;

static void must(enum status status, const char *what, const struct error *error)
{
    if (status != STATUS_OK)
        fail_msg("%s: %s: %s", what, status_name(status), error->text);
}

/* ---- the queue as a whole ---- */

static void start(struct queue_fixture *fixture)
{
    struct error error = {0};
    must(store_open(fixture->path, &fixture->store, &error), "store_open", &error);
    must(queues_create(fixture->config, fixture->store, fixture->now_ms, &fixture->queues, &error), "queues_create", &error);
    fixture->queues->random_state = 1; // the same jitter each time
}

static void stop(struct queue_fixture *fixture)
{
    queues_destroy(fixture->queues);
    store_close(fixture->store);
    fixture->queues = NULL;
    fixture->store = NULL;
    fixture->in_turn = false;
}

struct queue_fixture *queue_fixture_create(const char *yaml)
{
    struct queue_fixture *fixture = MEMORY_NEW(struct queue_fixture);
    struct error error = {0};
    const char *text = yaml ? yaml : default_yaml;
    log_configure("test", LOG_ERROR, LOG_LOGFMT);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/xqueue-queue-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof fixture->path, "%s/xqueue.db", fixture->folder);
    fixture->now_ms = QUEUE_FIXTURE_START_MS;
    must(config_parse("test.yml", fixture->folder, text, strlen(text), &fixture->config, &error), "config_parse", &error);
    start(fixture);
    return fixture;
}

void queue_fixture_destroy(struct queue_fixture *fixture)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};
    stop(fixture);
    for (size_t at = 0; at < sizeof suffixes / sizeof suffixes[0]; at++) {
        char path[sizeof fixture->path + 16];
        snprintf(path, sizeof path, "%s%s", fixture->path, suffixes[at]);
        unlink(path);
    }
    rmdir(fixture->folder);
    config_destroy(fixture->config);
    memory_free(fixture);
}

void queue_fixture_restart(struct queue_fixture *fixture)
{
    stop(fixture);
    start(fixture);
}

void turn_begins(struct queue_fixture *fixture)
{
    assert_false(fixture->in_turn);
    assert_int_equal(store_begin(fixture->store), STATUS_OK);
    fixture->queues->now_ms = fixture->now_ms;
    fixture->in_turn = true;
    fixture->error = nothing;
}

void turn_ends(struct queue_fixture *fixture)
{
    queues_tick(fixture->queues);
    assert_int_equal(fixture->queues->failure, STATUS_OK);
    assert_true(list_is_empty(&fixture->queues->unparked));
    assert_int_equal(store_commit(fixture->store), STATUS_OK);
    queues_apply_effects(fixture->queues);
    fixture->in_turn = false;
}

void turn_fails(struct queue_fixture *fixture)
{
    store_rollback(fixture->store);
    fixture->in_turn = false;
    queues_drop_effects(fixture->queues);
    fixture->queues->failure = STATUS_OK;
    assert_int_equal(queues_reload(fixture->queues), STATUS_OK);
}

void clock_advances(struct queue_fixture *fixture, int64_t ms)
{
    fixture->now_ms += ms;
    turn_begins(fixture);
    turn_ends(fixture);
}

void clock_advances_to_due(struct queue_fixture *fixture, int64_t ms)
{
    turn_begins(fixture);
    int64_t due_ms = queues_next_due_ms(fixture->queues);
    turn_ends(fixture);
    int64_t left_ms = due_ms > fixture->now_ms ? due_ms - fixture->now_ms : 0;
    clock_advances(fixture, left_ms < ms ? left_ms : ms);
}

/* Makes a turn unless the test is in one. */
static bool enter(struct queue_fixture *fixture)
{
    if (fixture->in_turn)
        return false;
    turn_begins(fixture);
    return true;
}

static void leave(struct queue_fixture *fixture, bool entered)
{
    if (entered)
        turn_ends(fixture);
}

/* ---- memory and store ---- */

struct label_check {
    const struct queue *queue;
    size_t count;
};

static void check_label_set(void *context, const struct store_label_set *stored)
{
    struct label_check *check = context;
    const struct label_set *set = label_sets_find(&check->queue->label_sets, stored->id);
    assert_non_null(set);
    assert_int_equal(set->ready_count, stored->ready);
    assert_int_equal(set->live_count, stored->live);
    check->count++;
}

static void check_counts(struct queue_fixture *fixture)
{
    const struct list *all = &fixture->queues->all;
    for (struct list_node *node = list_first(all); node; node = list_next(all, node)) {
        const struct queue *queue = LIST_OWNER(node, struct queue, node);
        struct store_queue_counts counts;
        assert_int_equal(store_count_queue(fixture->store, queue->id, &counts), STATUS_OK);
        assert_int_equal(queue->ready_count, counts.ready);
        assert_int_equal(queue->leased_count, counts.leased);
        assert_int_equal(queue->delayed_count, counts.delayed);
        struct label_check check = {.queue = queue};
        assert_int_equal(store_visit_label_sets(fixture->store, queue->id, check_label_set, &check), STATUS_OK);
        assert_int_equal(check.count, label_sets_count(&queue->label_sets));
    }
}

struct lease_check {
    struct queues *queues;
    size_t count;
};

static void check_lease(void *context, const struct store_submission *row)
{
    struct lease_check *check = context;
    const struct live_lease *lease = lease_table_find_held(&check->queues->leases, row->id, row->lease_key);
    assert_non_null(lease);
    assert_string_equal(lease->grader->name, row->grader);
    assert_true(row->lease_expires_at_ms == lease->stored_expires_at_ms);
    check->count++;
}

static void check_graders(const struct queue_fixture *fixture)
{
    const struct graders *graders = &fixture->queues->graders;
    size_t leases = 0;
    for (struct map_node *node = map_first(&graders->by_name); node; node = map_next(&graders->by_name, node)) {
        const struct grader *grader = MAP_OWNER(node, struct grader, by_name);
        assert_true((int64_t)grader->leases.count <= grader->leases_max);
        assert_true(grader->session || !list_is_empty(&grader->leases) || !quarantine_is_clean(&grader->quarantine));
        leases += grader->leases.count;
    }
    assert_int_equal(leases, lease_table_count(&fixture->queues->leases));
}

void queue_fixture_check(struct queue_fixture *fixture)
{
    struct lease_check check = {.queues = fixture->queues};
    assert_int_equal(store_begin(fixture->store), STATUS_OK);
    check_counts(fixture);
    assert_int_equal(store_visit_leased(fixture->store, check_lease, &check), STATUS_OK);
    assert_int_equal(check.count, lease_table_count(&fixture->queues->leases));
    store_rollback(fixture->store);
    check_graders(fixture);
}

/* ---- submitters ---- */

struct submit_order submission_of(const char *queue, const char *body)
{
    static char header[] = "{\"queue\": \"demo\"}";
    static char empty[] = "";
    static char url[] = "http://lms.example.org/callback";
    return (struct submit_order){
        .queue = queue,
        .request = {.submitter = "lms", .request_id = "", .fairness_key = "", .cost = 1},
        .content =
            {
                .header = header,
                .header_length = strlen(header),
                .body = (void *)(uintptr_t)body,
                .body_length = strlen(body),
                .callback_url = url,
                .results_channel = empty,
                .trace_parent = empty,
                .trace_state = empty,
            },
    };
}

enum status lms_tries(struct queue_fixture *fixture, const struct submit_order *order, struct submit_receipt *out_receipt)
{
    bool entered = enter(fixture);
    enum status status = submitting_submit(fixture->queues, order, out_receipt, &fixture->error);
    leave(fixture, entered);
    return status;
}

static int64_t submit(struct queue_fixture *fixture, const struct submit_order *order)
{
    struct submit_receipt receipt = {0};
    must(lms_tries(fixture, order, &receipt), "submitting_submit", &fixture->error);
    memory_free(receipt.superseded_ids);
    return receipt.submission_id;
}

int64_t lms_submits(struct queue_fixture *fixture, const char *queue, const char *body)
{
    struct submit_order order = submission_of(queue, body);
    return submit(fixture, &order);
}

int64_t lms_submits_with_key(struct queue_fixture *fixture, const char *queue, const char *replace_key)
{
    struct submit_order order = submission_of(queue, "print(1)");
    order.replace_key = (const uint8_t *)replace_key;
    order.replace_key_length = strlen(replace_key);
    return submit(fixture, &order);
}

struct store_submission submission_now(struct queue_fixture *fixture, int64_t id)
{
    struct store_submission row;
    bool entered = enter(fixture);
    assert_int_equal(store_find_submission(fixture->store, id, &row), STATUS_OK);
    leave(fixture, entered);
    return row;
}

enum submission_state state_of(struct queue_fixture *fixture, int64_t id)
{
    return submission_now(fixture, id).state;
}

/* ---- graders ---- */

static void on_notice(struct grader_link *link, const struct grader_notice *notice)
{
    struct scripted_grader *grader = (struct scripted_grader *)link;
    assert_false(grader->finished);
    assert_true(grader->count < QUEUE_FIXTURE_TOLD_MAX);
    struct told *told = &grader->told[grader->count++];
    *told = (struct told){.notice = *notice, .lease = {.id = notice->submission_id}};
    memcpy(told->lease.key, notice->lease_key, sizeof told->lease.key);
    if (notice->kind == GRADER_NOTICE_GRANT) {
        told->lease.id = notice->grant->submission_id;
        memcpy(told->lease.key, notice->grant->lease_key, sizeof told->lease.key);
        told->attempt = notice->grant->attempt;
        told->body_length = notice->grant->content.body_length;
        told->notice.grant = NULL;
    }
    if (notice->kind == GRADER_NOTICE_FINISH) {
        grader->finished = true;
        grader->session = NULL;
    }
}

enum status grader_tries_hello(struct queue_fixture *fixture, struct scripted_grader *grader, const struct work_hello *hello,
                               struct held_answer *answers)
{
    memset(grader, 0, sizeof *grader);
    grader->link.notify = on_notice;
    bool entered = enter(fixture);
    enum status status = work_session_open(fixture->queues, &grader->link, hello, answers, &grader->session, &fixture->error);
    leave(fixture, entered);
    return status;
}

void grader_connects(struct queue_fixture *fixture, struct scripted_grader *grader, const char *name, const char *instance,
                     int64_t slots)
{
    static char queue[] = "demo";
    char *const queues[] = {queue};
    const struct work_hello hello = {.grader = name, .instance = instance, .queues = queues, .queue_count = 1, .slots = slots};
    must(grader_tries_hello(fixture, grader, &hello, NULL), "work_session_open", &fixture->error);
}

void grader_vanishes(struct queue_fixture *fixture, struct scripted_grader *grader)
{
    bool entered = enter(fixture);
    work_session_abandon(fixture->queues, grader->session);
    grader->session = NULL;
    leave(fixture, entered);
}

void grader_gives_credit(struct queue_fixture *fixture, struct scripted_grader *grader, int64_t submissions)
{
    bool entered = enter(fixture);
    work_session_credit(fixture->queues, grader->session, submissions, 0);
    leave(fixture, entered);
}

struct told grader_hears(struct scripted_grader *grader, enum grader_notice_kind kind)
{
    if (grader->first == grader->count)
        fail_msg("the grader heard nothing instead of a notice of kind %d", (int)kind);
    struct told told = grader->told[grader->first++];
    if (grader->first == grader->count) {
        grader->first = 0;
        grader->count = 0;
    }
    assert_int_equal(told.notice.kind, kind);
    return told;
}

void grader_hears_nothing(const struct scripted_grader *grader)
{
    if (grader->first != grader->count)
        fail_msg("the grader heard a notice of kind %d", (int)grader->told[grader->first].notice.kind);
}

struct lease grader_takes(struct queue_fixture *fixture, struct scripted_grader *grader)
{
    struct lease lease = grader_hears(grader, GRADER_NOTICE_GRANT).lease;
    assert_int_equal(grader_accepts(fixture, lease), STATUS_OK);
    return lease;
}

struct lease poller_leases(struct queue_fixture *fixture, const char *grader, int64_t slots)
{
    struct grant grant = {0};
    struct lease lease = {0};
    size_t count = 0;
    const struct lease_order order = {.grader = grader, .slots = slots, .max = 1};
    bool entered = enter(fixture);
    struct queue *queue = queues_find(fixture->queues, "demo");
    assert_int_equal(grading_lease(fixture->queues, queue, &order, &grant, &count), STATUS_OK);
    leave(fixture, entered);
    if (count > 0) {
        lease.id = grant.submission_id;
        memcpy(lease.key, grant.lease_key, sizeof lease.key);
    }
    grant_finish(&grant);
    return lease;
}

static struct lease_name name_of(const struct lease *lease)
{
    return (struct lease_name){.submission_id = lease->id, .key = lease->key};
}

enum status grader_accepts(struct queue_fixture *fixture, struct lease lease)
{
    bool entered = enter(fixture);
    enum status status = grading_accept(fixture->queues, name_of(&lease), &fixture->error);
    leave(fixture, entered);
    return status;
}

enum status grader_renews(struct queue_fixture *fixture, struct lease lease, int64_t *out_expires_in_ms)
{
    int64_t expires_in_ms = 0;
    bool entered = enter(fixture);
    enum status status = grading_extend(fixture->queues, name_of(&lease), &expires_in_ms, &fixture->error);
    leave(fixture, entered);
    if (out_expires_in_ms)
        *out_expires_in_ms = expires_in_ms;
    return status;
}

enum status grader_releases(struct queue_fixture *fixture, struct lease lease, int64_t delay_ms)
{
    bool entered = enter(fixture);
    enum status status = grading_release(fixture->queues, name_of(&lease), delay_ms, &fixture->error);
    leave(fixture, entered);
    return status;
}

static enum status hand_in(struct queue_fixture *fixture, struct lease lease, const char *result, bool amend,
                           struct grading_completion *out)
{
    bool entered = enter(fixture);
    const struct store_bytes body = {.data = result, .length = strlen(result)};
    enum status status = grading_complete(fixture->queues, name_of(&lease), body, amend, out, &fixture->error);
    leave(fixture, entered);
    return status;
}

enum status grader_completes(struct queue_fixture *fixture, struct lease lease, const char *result)
{
    struct grading_completion completion = {0};
    return hand_in(fixture, lease, result, false, &completion);
}

enum status grader_amends(struct queue_fixture *fixture, struct lease lease, const char *result, struct grading_completion *out)
{
    return hand_in(fixture, lease, result, true, out);
}

static enum status give_up(struct queue_fixture *fixture, struct lease lease, struct grading_failure *failure)
{
    bool entered = enter(fixture);
    enum status status = grading_fail(fixture->queues, name_of(&lease), failure, &fixture->error);
    leave(fixture, entered);
    return status;
}

enum status grader_fails(struct queue_fixture *fixture, struct lease lease, int64_t *out_ready_after_ms)
{
    struct grading_failure failure = {.message = "the sandbox broke"};
    enum status status = give_up(fixture, lease, &failure);
    if (out_ready_after_ms)
        *out_ready_after_ms = failure.out_ready_after_ms;
    return status;
}

enum status grader_gives_up(struct queue_fixture *fixture, struct lease lease, const char *message)
{
    struct grading_failure failure = {.ungradable = true, .message = message};
    return give_up(fixture, lease, &failure);
}

/* ---- couriers ---- */

struct store_delivery courier_leases(struct queue_fixture *fixture, const char *instance)
{
    struct delivery_lease lease = {0};
    size_t count = 0;
    const struct delivery_order order = {
        .courier = "courier", .instance = instance, .channel = "", .max = 1, .bytes_max = 1000000};
    bool entered = enter(fixture);
    assert_int_equal(delivering_lease(fixture->queues, &order, &lease, &count), STATUS_OK);
    leave(fixture, entered);
    struct store_delivery row = {0};
    if (count > 0) {
        row = lease.row;
        delivery_lease_finish(&lease);
    }
    return row;
}

enum status courier_acknowledges(struct queue_fixture *fixture, const struct store_delivery *delivery)
{
    bool already = false;
    bool entered = enter(fixture);
    enum status status =
        delivering_acknowledge(fixture->queues, delivery->submission_id, delivery->lease_key, &already, &fixture->error);
    leave(fixture, entered);
    return status;
}

enum status courier_fails(struct queue_fixture *fixture, const struct store_delivery *delivery,
                          struct delivery_failure *failure)
{
    bool entered = enter(fixture);
    enum status status =
        delivering_fail(fixture->queues, delivery->submission_id, delivery->lease_key, failure, &fixture->error);
    leave(fixture, entered);
    return status;
}

enum status delivery_of(struct queue_fixture *fixture, int64_t id, struct store_delivery *out_row)
{
    bool entered = enter(fixture);
    enum status status = store_find_delivery(fixture->store, id, out_row);
    leave(fixture, entered);
    return status;
}

void assert_delivery(struct queue_fixture *fixture, int64_t id, enum delivery_state state, enum delivery_outcome outcome)
{
    struct store_delivery row;
    assert_int_equal(delivery_of(fixture, id, &row), STATUS_OK);
    assert_int_equal(row.state, state);
    assert_int_equal(row.outcome, outcome);
}
