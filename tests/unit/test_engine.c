/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_queue_test_support */
/*
 * The engine's thread: batches, parked commands, time, full and failing disks, and the end.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "service/engine.h"
#include "tests/support/fake_clock.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/queue_fixture.h"

#define LEASE_MS INT64_C(60000)
enum { COMMANDS_MAX = 3, MANY = 2500 };

struct world {
    struct queue_fixture *queue;
    struct fake_clock *clock;
    struct engine *engine;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    int done;
    int failures; /* calls of on_storage_failure */
    bool gate_open;
    bool gate_reached;
};

/* What a test asks for; run does what work says. */
struct task {
    struct engine_command command;
    struct world *world;
    enum engine_step (*work)(struct task *task, struct queues *queues);
    int64_t deadline_ms; /* of parking */
    int runs;
    int64_t id;
    struct lease lease;
    /* guarded by the world's mutex */
    bool is_done;
    int order; /* the how-many-th answer it was, from 1 */
    enum status committed;
    struct error error;
};

static enum engine_step task_run(struct engine_command *command, struct queues *queues)
{
    struct task *task = (struct task *)command;
    task->runs++;
    return task->work ? task->work(task, queues) : ENGINE_DONE;
}

static void task_done(struct engine_command *command, enum status committed, const struct error *error)
{
    struct task *task = (struct task *)command;
    struct world *world = task->world;
    pthread_mutex_lock(&world->mutex);
    assert_false(task->is_done);
    task->is_done = true;
    task->committed = committed;
    task->error = *error;
    task->order = ++world->done;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->mutex);
}

static struct task task_of(struct world *world, enum engine_step (*work)(struct task *task, struct queues *queues))
{
    return (struct task){.command = {.run = task_run, .done = task_done}, .world = world, .work = work};
}

static void submit(struct task *task)
{
    assert_int_equal(engine_submit(task->world->engine, &task->command), STATUS_OK);
}

static void await(struct task *task)
{
    struct world *world = task->world;
    pthread_mutex_lock(&world->mutex);
    while (!task->is_done)
        pthread_cond_wait(&world->changed, &world->mutex);
    pthread_mutex_unlock(&world->mutex);
}

static void perform(struct task *task)
{
    submit(task);
    await(task);
}

static bool is_done(struct task *task)
{
    pthread_mutex_lock(&task->world->mutex);
    bool done = task->is_done;
    pthread_mutex_unlock(&task->world->mutex);
    return done;
}

/* ---- what tasks do ---- */

static enum engine_step work_submit(struct task *task, struct queues *queues)
{
    static char body[60000];
    struct submit_order order = submission_of("demo", "x");
    struct submit_receipt receipt = {0};
    order.content.body = body;
    order.content.body_length = sizeof body;
    if (submitting_submit(queues, &order, &receipt, &task->error) == STATUS_OK)
        task->id = receipt.submission_id;
    return ENGINE_DONE;
}

static enum engine_step work_lease(struct task *task, struct queues *queues)
{
    struct queue *queue = queues_find(queues, "demo");
    struct grant grant = {0};
    const struct lease_order order = {.grader = "g", .max = 1};
    size_t count = 0;
    assert_int_equal(grading_lease(queues, queue, &order, &grant, &count), STATUS_OK);
    if (count > 0) {
        task->lease.id = grant.submission_id;
        memcpy(task->lease.key, grant.lease_key, sizeof task->lease.key);
        grant_finish(&grant);
        return ENGINE_DONE;
    }
    if (task->command.timed_out || queues->stopping)
        return ENGINE_DONE;
    queues_park(queues, &task->command, &queue->polls, task->deadline_ms);
    return ENGINE_PARK;
}

/* A poll that never takes anything, as one whose caller is gone or whose grader is full. */
static enum engine_step work_take_nothing(struct task *task, struct queues *queues)
{
    if (task->command.timed_out)
        return ENGINE_DONE;
    queues_park(queues, &task->command, &queues_find(queues, "demo")->polls, task->deadline_ms);
    return ENGINE_PARK;
}

static enum engine_step work_look(struct task *task, struct queues *queues)
{
    struct store_submission row;
    assert_int_equal(store_find_submission(queues->store, task->id, &row), STATUS_OK);
    task->runs = (int)row.state;
    return ENGINE_DONE;
}

/* Holds the engine until the gate is opened, so that others gather behind it. */
static enum engine_step work_wait_at_gate(struct task *task, struct queues *queues)
{
    struct world *world = task->world;
    (void)queues;
    pthread_mutex_lock(&world->mutex);
    world->gate_reached = true;
    pthread_cond_broadcast(&world->changed);
    while (!world->gate_open)
        pthread_cond_wait(&world->changed, &world->mutex);
    pthread_mutex_unlock(&world->mutex);
    return ENGINE_DONE;
}

static void reach_gate(struct task *task)
{
    struct world *world = task->world;
    submit(task);
    pthread_mutex_lock(&world->mutex);
    while (!world->gate_reached)
        pthread_cond_wait(&world->changed, &world->mutex);
    pthread_mutex_unlock(&world->mutex);
}

static void open_gate(struct world *world)
{
    pthread_mutex_lock(&world->mutex);
    world->gate_open = true;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->mutex);
}

/* ---- the world ---- */

static void on_storage_failure(void *context, const char *text)
{
    struct world *world = context;
    assert_true(strlen(text) > 0);
    pthread_mutex_lock(&world->mutex);
    world->failures++;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->mutex);
}

static int set_up(void **state)
{
    struct world *world = MEMORY_NEW(struct world);
    faulty_vfs_install();
    world->queue = queue_fixture_create(NULL);
    log_configure("test", LOG_ERROR + 1, LOG_LOGFMT); /* the failures are wanted */
    world->clock = fake_clock_create(QUEUE_FIXTURE_START_MS);
    pthread_mutex_init(&world->mutex, NULL);
    pthread_cond_init(&world->changed, NULL);
    const struct engine_options options = {
        .clock = fake_clock_base(world->clock),
        .store = world->queue->store,
        .queues = world->queue->queues,
        .commands_max = COMMANDS_MAX,
        .on_storage_failure = on_storage_failure,
        .context = world,
    };
    world->engine = engine_create(&options);
    *state = world;
    return world->engine ? 0 : -1;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    engine_destroy(world->engine);
    fake_clock_destroy(world->clock);
    pthread_cond_destroy(&world->changed);
    pthread_mutex_destroy(&world->mutex);
    queue_fixture_destroy(world->queue);
    faulty_vfs_remove();
    memory_free(world);
    return 0;
}

static void stop(struct world *world)
{
    engine_destroy(world->engine);
    world->engine = NULL;
}

/* Moves to the time at which the engine wants to wake, and waits until it has done what was due. */
static void clock_moves_to_due(struct world *world)
{
    int64_t due_ms = fake_clock_await_waiter(world->clock, 1);
    fake_clock_advance(world->clock, due_ms - fake_clock_now_ms(world->clock));
    fake_clock_await_waiter(world->clock, 1);
}

static void commands_are_run_in_order_and_answered_after_their_commit(void **state)
{
    struct world *world = *state;
    struct task gate = task_of(world, work_wait_at_gate);
    struct task tasks[COMMANDS_MAX];
    reach_gate(&gate);
    for (size_t at = 0; at < COMMANDS_MAX; at++) {
        tasks[at] = task_of(world, work_submit);
        submit(&tasks[at]);
    }

    open_gate(world);
    await(&tasks[COMMANDS_MAX - 1]);

    for (size_t at = 0; at < COMMANDS_MAX; at++) {
        assert_int_equal(tasks[at].committed, STATUS_OK);
        assert_int_equal(tasks[at].runs, 1);
        assert_int_equal(tasks[at].order, at + 2);
        assert_int_equal(tasks[at].id, at + 1);
    }
}

static void more_than_the_bound_may_not_wait_but_endings_always_may(void **state)
{
    struct world *world = *state;
    struct task gate = task_of(world, work_wait_at_gate);
    struct task tasks[COMMANDS_MAX];
    struct task refused = task_of(world, NULL);
    struct task ending = task_of(world, NULL);
    reach_gate(&gate);
    for (size_t at = 0; at < COMMANDS_MAX; at++) {
        tasks[at] = task_of(world, NULL);
        submit(&tasks[at]);
    }

    assert_int_equal(engine_submit(world->engine, &refused.command), STATUS_UNAVAILABLE);
    engine_submit_ending(world->engine, &ending.command);
    open_gate(world);
    await(&ending);

    assert_false(is_done(&refused));
    assert_int_equal(refused.runs, 0);
    perform(&refused);
}

static void many_commands_take_several_batches(void **state)
{
    struct world *world = *state;
    struct task gate = task_of(world, work_wait_at_gate);
    struct task *tasks = memory_allocate_array(MANY, sizeof *tasks);
    reach_gate(&gate);
    for (size_t at = 0; at < MANY; at++) {
        tasks[at] = task_of(world, NULL);
        engine_submit_ending(world->engine, &tasks[at].command);
    }

    open_gate(world);
    await(&tasks[MANY - 1]);

    for (size_t at = 0; at < MANY; at++) {
        assert_int_equal(tasks[at].runs, 1);
        assert_int_equal(tasks[at].order, at + 2);
    }
    memory_free(tasks);
}

static void a_parked_command_is_woken_by_a_submission(void **state)
{
    struct world *world = *state;
    struct task poll = task_of(world, work_lease);
    struct task hand_in = task_of(world, work_submit);
    poll.deadline_ms = QUEUE_FIXTURE_START_MS + 30000;
    submit(&poll);
    fake_clock_await_deadline(world->clock, poll.deadline_ms);
    assert_false(is_done(&poll));

    perform(&hand_in);
    await(&poll);

    assert_int_equal(poll.lease.id, hand_in.id);
    assert_int_equal(poll.runs, 2);
    assert_false(poll.command.timed_out);
}

static void a_parked_command_is_run_again_when_its_time_is_over(void **state)
{
    struct world *world = *state;
    struct task poll = task_of(world, work_lease);
    poll.deadline_ms = QUEUE_FIXTURE_START_MS + 30000;
    submit(&poll);
    fake_clock_await_deadline(world->clock, poll.deadline_ms);

    fake_clock_advance(world->clock, 29999);
    assert_false(is_done(&poll));
    fake_clock_advance(world->clock, 1);
    await(&poll);

    assert_true(poll.command.timed_out);
    assert_int_equal(poll.committed, STATUS_OK);
    assert_int_equal(poll.lease.id, 0);
}

static void a_poll_that_cannot_take_it_does_not_keep_a_submission_from_the_next(void **state)
{
    struct world *world = *state;
    struct task first = task_of(world, work_take_nothing);
    struct task second = task_of(world, work_lease);
    struct task third = task_of(world, work_lease);
    struct task hand_in = task_of(world, work_submit);
    first.deadline_ms = QUEUE_FIXTURE_START_MS + 30000;
    second.deadline_ms = first.deadline_ms + 1;
    third.deadline_ms = first.deadline_ms + 2;
    submit(&first);
    submit(&second);
    submit(&third);
    fake_clock_await_deadline(world->clock, first.deadline_ms);

    perform(&hand_in);
    await(&second);
    assert_int_equal(second.lease.id, hand_in.id);
    assert_false(is_done(&third));
    struct task again = task_of(world, work_submit);
    perform(&again);
    await(&third);

    assert_int_equal(third.lease.id, again.id);
    assert_false(is_done(&first));
    stop(world); /* answers first while it is there */
    assert_true(is_done(&first));
}

static void due_work_is_done_without_any_command(void **state)
{
    struct world *world = *state;
    struct task hand_in = task_of(world, work_submit);
    struct task lease = task_of(world, work_lease);
    struct task look = task_of(world, work_look);
    perform(&hand_in);
    perform(&lease);
    look.id = hand_in.id;

    clock_moves_to_due(world); /* to warn */
    clock_moves_to_due(world); /* the end */
    assert_int_equal(fake_clock_now_ms(world->clock), QUEUE_FIXTURE_START_MS + LEASE_MS);
    perform(&look);

    assert_int_equal(look.runs, SUBMISSION_READY);
}

static void a_stall_of_our_own_gives_leases_grace(void **state)
{
    struct world *world = *state;
    struct task hand_in = task_of(world, work_submit);
    struct task lease = task_of(world, work_lease);
    struct task look = task_of(world, work_look);
    perform(&hand_in);
    perform(&lease);
    look.id = hand_in.id;
    fake_clock_await_deadline(world->clock, QUEUE_FIXTURE_START_MS + LEASE_MS * 3 / 4);

    fake_clock_advance(world->clock, LEASE_MS * 2);
    perform(&look);
    assert_int_equal(look.runs, SUBMISSION_LEASED);
    clock_moves_to_due(world);
    clock_moves_to_due(world);
    assert_int_equal(fake_clock_now_ms(world->clock), QUEUE_FIXTURE_START_MS + LEASE_MS * 3);
    struct task again = task_of(world, work_look);
    again.id = hand_in.id;
    perform(&again);

    assert_int_equal(again.runs, SUBMISSION_READY);
}

static void a_full_disk_answers_the_whole_batch_and_then_it_goes_on(void **state)
{
    struct world *world = *state;
    struct task gate = task_of(world, work_wait_at_gate);
    struct task tasks[COMMANDS_MAX];
    struct task later = task_of(world, work_submit);
    reach_gate(&gate);
    for (size_t at = 0; at < COMMANDS_MAX; at++) {
        tasks[at] = task_of(world, work_submit);
        submit(&tasks[at]);
    }
    faulty_vfs_fail(FAULTY_WRITE_FULL, 1);

    open_gate(world);
    for (size_t at = 0; at < COMMANDS_MAX; at++) {
        await(&tasks[at]);
        assert_int_equal(tasks[at].committed, STATUS_UNAVAILABLE);
        assert_string_equal(tasks[at].error.reason, "STORAGE_FULL");
        assert_true(tasks[at].error.retry_after_ms > 0);
    }
    fake_clock_await_waiter(world->clock, 1);
    faulty_vfs_heal();
    perform(&later);

    assert_int_equal(later.committed, STATUS_OK);
    assert_int_equal(queues_find(world->queue->queues, "demo")->ready_count, 1);
    assert_int_equal(world->failures, 0);
}

static enum engine_step work_find_no_room(struct task *task, struct queues *queues)
{
    (void)task;
    assert_int_equal(queues_stored(queues, STATUS_FULL), STATUS_UNAVAILABLE);
    return ENGINE_DONE;
}

static void what_needs_no_store_is_done_also_behind_what_could_not_be_stored(void **state)
{
    struct world *world = *state;
    struct task gate = task_of(world, work_wait_at_gate);
    struct task full = task_of(world, work_find_no_room);
    struct task hand_in = task_of(world, work_submit);
    struct task heard = task_of(world, NULL);
    heard.command.memory_only = true;
    reach_gate(&gate);
    submit(&full);
    submit(&hand_in);
    submit(&heard);

    open_gate(world);
    await(&heard);

    assert_int_equal(full.committed, STATUS_UNAVAILABLE);
    assert_int_equal(hand_in.committed, STATUS_UNAVAILABLE);
    assert_int_equal(hand_in.runs, 0);
    assert_int_equal(heard.committed, STATUS_UNAVAILABLE);
    assert_int_equal(heard.runs, 1);
}

static void a_parked_command_survives_a_full_disk(void **state)
{
    struct world *world = *state;
    struct task poll = task_of(world, work_lease);
    struct task lost = task_of(world, work_submit);
    struct task hand_in = task_of(world, work_submit);
    struct task next = task_of(world, work_lease);
    poll.deadline_ms = QUEUE_FIXTURE_START_MS + 30000;
    next.deadline_ms = poll.deadline_ms;
    submit(&poll);
    fake_clock_await_deadline(world->clock, poll.deadline_ms);

    faulty_vfs_fail(FAULTY_WRITE_FULL, 1);
    perform(&lost);
    await(&poll); /* it had been granted the submission that was not stored */
    fake_clock_await_waiter(world->clock, 1);
    faulty_vfs_heal();
    submit(&next);
    perform(&hand_in);
    await(&next);

    assert_int_equal(lost.committed, STATUS_UNAVAILABLE);
    assert_int_equal(poll.committed, STATUS_UNAVAILABLE);
    assert_int_equal(next.committed, STATUS_OK);
    assert_int_equal(next.lease.id, hand_in.id);
}

static void after_a_failing_disk_nothing_is_answered(void **state)
{
    struct world *world = *state;
    struct task task = task_of(world, work_submit);
    struct task after = task_of(world, work_submit);

    faulty_vfs_fail(FAULTY_SYNC_ERROR, 1);
    submit(&task);
    pthread_mutex_lock(&world->mutex);
    while (world->failures == 0)
        pthread_cond_wait(&world->changed, &world->mutex);
    pthread_mutex_unlock(&world->mutex);
    submit(&after);
    stop(world);
    faulty_vfs_heal();

    assert_false(is_done(&task));
    assert_false(is_done(&after));
    assert_int_equal(after.runs, 0);
    assert_int_equal(world->failures, 1);
}

static void destroying_answers_what_waits_and_what_is_parked(void **state)
{
    struct world *world = *state;
    struct task gate = task_of(world, work_wait_at_gate);
    struct task poll = task_of(world, work_lease);
    struct task waiting = task_of(world, work_submit);
    poll.deadline_ms = CLOCK_NEVER;
    submit(&poll);
    fake_clock_await_waiter(world->clock, 1);
    reach_gate(&gate);
    submit(&waiting);

    open_gate(world);
    stop(world);

    assert_true(is_done(&gate));
    assert_true(is_done(&waiting));
    assert_int_equal(waiting.committed, STATUS_OK);
    assert_true(is_done(&poll));
    assert_int_equal(poll.committed, STATUS_OK);
}

static void a_poll_parked_with_nothing_to_wait_for_is_answered_at_the_end(void **state)
{
    struct world *world = *state;
    struct task poll = task_of(world, work_lease);
    poll.deadline_ms = CLOCK_NEVER;
    submit(&poll);

    stop(world);

    assert_true(is_done(&poll));
    assert_true(poll.command.timed_out);
    assert_int_equal(poll.lease.id, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(commands_are_run_in_order_and_answered_after_their_commit),
        TEST(more_than_the_bound_may_not_wait_but_endings_always_may),
        TEST(many_commands_take_several_batches),
        TEST(a_parked_command_is_woken_by_a_submission),
        TEST(a_parked_command_is_run_again_when_its_time_is_over),
        TEST(a_poll_that_cannot_take_it_does_not_keep_a_submission_from_the_next),
        TEST(due_work_is_done_without_any_command),
        TEST(a_stall_of_our_own_gives_leases_grace),
        TEST(a_full_disk_answers_the_whole_batch_and_then_it_goes_on),
        TEST(what_needs_no_store_is_done_also_behind_what_could_not_be_stored),
        TEST(a_parked_command_survives_a_full_disk),
        TEST(after_a_failing_disk_nothing_is_answered),
        TEST(destroying_answers_what_waits_and_what_is_parked),
        TEST(a_poll_parked_with_nothing_to_wait_for_is_answered_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
