/* SPDX-License-Identifier: Apache-2.0 */
#include "service/turn.h"

#include <assert.h>

#include "base/clock.h"
#include "service/queue.h"
#include "service/store/store.h"

enum {
    TURN_CHECKPOINT_IDLE_PAGES = 1000, /* of the write-ahead log, when nobody waits */
    TURN_CHECKPOINT_BUSY_PAGES = 10000,
};

void turn_init(struct turn *turn, const struct engine_options *options, int64_t now_ms)
{
    *turn = (struct turn){
        .store = options->store,
        .queues = options->queues,
        .on_storage_failure = options->on_storage_failure,
        .context = options->context,
        .due_ms = now_ms,
    };
    list_init(&turn->batch);
    list_init(&turn->finished);
}

static void turn_run_one(struct turn *turn, struct engine_command *command)
{
    if (command->run(command, turn->queues) == ENGINE_DONE) {
        list_append(&turn->finished, &command->node);
    } else {
        assert(command->park != NULL);
    }
}

static void turn_run_batch(struct turn *turn)
{
    struct queues *queues = turn->queues;
    struct list_node *node = NULL;
    /* After a failure nothing more is run: the store may have left the transaction, and what runs then would stay. */
    while (queues->failure == STATUS_OK && (node = list_take_first(&turn->batch)) != NULL) {
        turn_run_one(turn, LIST_OWNER(node, struct engine_command, node));
    }
    if (queues->failure == STATUS_OK) {
        queues_tick(queues);
    }
    while (queues->failure == STATUS_OK && (node = list_take_first(&queues->unparked)) != NULL) {
        turn_run_one(turn, LIST_OWNER(node, struct engine_command, node));
    }
}

static void turn_answer(struct turn *turn, enum status committed, const struct error *error)
{
    struct list_node *node = NULL;
    while ((node = list_take_first(&turn->finished)) != NULL) {
        struct engine_command *command = LIST_OWNER(node, struct engine_command, node);
        command->done(command, committed, error);
    }
}

/* The store cannot be trusted any more: nothing is answered, the owner ends the process. */
static void turn_fail(struct turn *turn)
{
    turn->failed = true;
    turn->on_storage_failure(turn->context, store_error_text(turn->store));
}

/* Those that did not get to run are answered with the others; what needs no store is done all the same: a stream that is gone
 * is gone, and credit is not given twice. */
static void turn_run_unstored(struct turn *turn)
{
    struct list_node *node = NULL;
    while ((node = list_take_first(&turn->batch)) != NULL) {
        struct engine_command *command = LIST_OWNER(node, struct engine_command, node);
        if (command->memory_only) {
            turn_run_one(turn, command);
        } else {
            list_append(&turn->finished, node);
        }
    }
}

static void turn_roll_back(struct turn *turn)
{
    struct queues *queues = turn->queues;
    if (log_once_enter(&turn->disk_full)) {
        log_event(LOG_ERROR, "storage_full", LOG_TEXT("text", store_error_text(turn->store)));
    }
    store_rollback(turn->store);
    queues_drop_effects(queues);
    queues->failure = STATUS_OK;
    struct error error;
    enum status status =
        error_set(&error, STATUS_UNAVAILABLE, "STORAGE_FULL", "the disk of the queue is full; nothing was stored");
    error.retry_after_ms = 10000;
    if (queues_reload(queues) != STATUS_OK) {
        turn_fail(turn);
        return;
    }
    turn_run_unstored(turn);
    list_move_all(&queues->unparked, &turn->finished);
    turn_answer(turn, status, &error);
}

/* Somebody else writes to the database (a person with a shell): the batch stays, and the store has waited a while already. */
static void turn_wait_for_store(struct turn *turn)
{
    if (log_once_enter(&turn->disk_busy)) {
        log_event(LOG_WARN, "storage_busy", LOG_TEXT("text", store_error_text(turn->store)));
    }
    turn->due_ms = turn->queues->now_ms;
}

/* One transaction: all waiting commands, what is due, one commit, all answers. */
static void turn_transact(struct turn *turn)
{
    struct queues *queues = turn->queues;
    struct store *store = turn->store;
    enum status status = store_begin(store);
    if (status == STATUS_UNAVAILABLE) {
        turn_wait_for_store(turn);
        return;
    }
    if (status == STATUS_OK) {
        turn_run_batch(turn);
        turn->due_ms = queues_next_due_ms(queues);
        status = queues->failure;
    }
    if (status == STATUS_OK) {
        status = store_commit(store);
    }
    if (status == STATUS_FULL) {
        turn_roll_back(turn);
        /* Due work would be tried again at once; give the disk a while. */
        turn->due_ms = clock_add_ms(queues->now_ms, 1000);
        return;
    }
    if (status != STATUS_OK) {
        turn_fail(turn);
        return;
    }
    if (log_once_leave(&turn->disk_full)) {
        log_event(LOG_INFO, "storage_recovered", LOG_TEXT("text", "the disk takes writes again"));
    }
    if (log_once_leave(&turn->disk_busy)) {
        log_event(LOG_INFO, "storage_recovered", LOG_TEXT("text", "the database is ours again"));
    }
    struct error none = {0};
    turn_answer(turn, STATUS_OK, &none);
    queues_apply_effects(queues);
}

static void turn_notice_stall(struct turn *turn, int64_t woken_ms)
{
    int64_t late_ms = turn->due_ms == CLOCK_NEVER ? 0 : woken_ms - turn->due_ms;
    if (late_ms > ENGINE_STALL_MS) {
        log_event(LOG_WARN, "stalled", LOG_INT("late_ms", late_ms), LOG_TEXT("text", "leases get grace"));
        lease_table_give_grace(&turn->queues->leases, woken_ms);
    }
}

void turn_checkpoint(struct turn *turn, bool idle)
{
    enum status status = store_checkpoint(turn->store, idle ? TURN_CHECKPOINT_IDLE_PAGES : TURN_CHECKPOINT_BUSY_PAGES);
    if (status == STATUS_FULL) {
        /* The log stays; the next transaction that needs room says so to its caller. */
        if (log_once_enter(&turn->disk_full)) {
            log_event(LOG_ERROR, "storage_full", LOG_TEXT("text", store_error_text(turn->store)));
        }
    } else if (status != STATUS_OK) {
        turn_fail(turn);
    }
}

void turn_run(struct turn *turn, int64_t now_ms)
{
    turn->queues->now_ms = now_ms;
    turn_notice_stall(turn, now_ms);
    turn_transact(turn);
}

void turn_end_parked(struct turn *turn, int64_t now_ms)
{
    if (heap_first(&turn->queues->parked)) {
        turn->queues->now_ms = now_ms;
        queues_stop(turn->queues);
        turn_transact(turn);
    }
}
