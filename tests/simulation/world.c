/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "tests/support/faulty_vfs.h"

enum {
    WORLD_BUSY_TURNS_MAX = 200, /* at one and the same time, with nobody asking: more is running in circles */
};

/* ---- starting and ending ---- */

static void world_on_storage_failure(void *context, const char *text)
{
    struct world *world = context;
    world->storage_failures++;
    trace_add(world->trace, "the disk failed: %s", text);
}

static bool world_open(struct world *world)
{
    struct error error = {0};
    if (store_open(world->path, &world->store, &error) != STATUS_OK) {
        trace_break(world->trace, PROMISE_ACKNOWLEDGED, "the database cannot be opened any more: %s", error.text);
        return false;
    }
    return true;
}

static bool world_make_queues(struct world *world)
{
    struct error error = {0};
    if (queues_create(world->config, world->store, world->now_ms, &world->queues, &error) != STATUS_OK) {
        trace_break(world->trace, PROMISE_ACKNOWLEDGED, "the queues cannot be read any more: %s", error.text);
        return false;
    }
    world->queues->random_state = 1;
    const struct engine_options options = {
        .store = world->store,
        .queues = world->queues,
        .on_storage_failure = world_on_storage_failure,
        .context = world,
    };
    turn_init(&world->turn, &options, world->now_ms);
    return true;
}

static void world_choose_folder(struct world *world)
{
    /* In memory where there is such a place: a million steps are many syncs. */
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(world->folder, sizeof world->folder, "%s/xqueue-simulation-XXXXXX", base);
    char *made = mkdtemp(world->folder);
    assert(made);
    snprintf(world->path, sizeof world->path, "%s/xqueue.db", world->folder);
}

bool world_start(struct world *world, struct trace *trace, const char *yaml)
{
    *world = (struct world){.trace = trace, .now_ms = WORLD_START_MS};
    list_init(&world->asks);
    trace->start_ms = world->now_ms;
    trace->now_ms = world->now_ms;
    world_choose_folder(world);
    struct error error = {0};
    if (config_parse("simulation.yml", world->folder, yaml, strlen(yaml), &world->config, &error) != STATUS_OK) {
        trace_break(trace, PROMISE_ANSWER, "the configuration: %s", error.text);
        return false;
    }
    faulty_vfs_install();
    return world_open(world) && world_make_queues(world);
}

static void ask_free(struct ask *ask)
{
    list_remove(&ask->world->asks, &ask->node);
    if (ask->finish)
        ask->finish(ask);
    memory_free(ask);
}

static void world_drop_asks(struct world *world)
{
    struct list_node *node = NULL;
    while ((node = list_first(&world->asks)) != NULL)
        ask_free(LIST_OWNER(node, struct ask, node));
}

void world_clear(const struct world *world)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};
    for (size_t at = 0; at < sizeof suffixes / sizeof suffixes[0]; at++) {
        char path[sizeof world->path + 16];
        snprintf(path, sizeof path, "%s%s", world->path, suffixes[at]);
        unlink(path);
    }
    rmdir(world->folder);
}

void world_finish(struct world *world)
{
    faulty_vfs_heal();
    if (world->queues)
        queues_destroy(world->queues);
    world_drop_asks(world);
    store_close(world->store);
    config_destroy(world->config);
    world_clear(world);
    faulty_vfs_remove();
}

/* ---- the witness of a commit that failed ---- */

static void witness_digest(uint64_t number, uint8_t out[SECRET_DIGEST_BYTES])
{
    memset(out, 0, SECRET_DIGEST_BYTES);
    memcpy(out, &number, sizeof number);
}

static enum status witness_run(struct ask *ask, struct queues *queues)
{
    struct store_session session = {.user = "witness", .expires_at_ms = INT64_MAX};
    uint8_t before[SECRET_DIGEST_BYTES];
    witness_digest(ask->world->witness, session.token_digest);
    witness_digest(ask->world->witness - 1, before);
    enum status status = queues_stored(queues, store_delete_session(queues->store, before));
    return status == STATUS_OK ? queues_stored(queues, store_insert_session(queues->store, &session)) : status;
}

static void witness_told(struct ask *ask, bool stored)
{
    (void)ask;
    (void)stored;
}

struct witness_search {
    uint8_t digest[SECRET_DIGEST_BYTES];
    bool found;
};

static void witness_visit(void *context, const struct store_session *session)
{
    struct witness_search *search = context;
    search->found = search->found || memcmp(session->token_digest, search->digest, sizeof search->digest) == 0;
}

/* After the start: was the batch that was under way committed? */
static bool world_find_witness(struct world *world)
{
    struct witness_search search = {0};
    if (world->witness == 0)
        return false;
    witness_digest(world->witness, search.digest);
    enum status status = store_begin(world->store);
    if (status == STATUS_OK)
        status = store_visit_sessions(world->store, witness_visit, &search);
    store_rollback(world->store);
    if (status != STATUS_OK)
        trace_break(world->trace, PROMISE_ACKNOWLEDGED, "the database cannot be read: %s", store_error_text(world->store));
    return search.found;
}

/* ---- asking ---- */

static enum engine_step ask_run(struct engine_command *command, struct queues *queues)
{
    struct ask *ask = (struct ask *)command;
    ask->ran = true;
    ask->parked = false;
    ask->status = ask->run(ask, queues);
    return ask->parked ? ENGINE_PARK : ENGINE_DONE;
}

static void ask_done(struct engine_command *command, enum status committed, const struct error *error)
{
    struct ask *ask = (struct ask *)command;
    if (committed != STATUS_OK) {
        ask->status = committed;
        ask->error = *error;
    }
    ask->told(ask, committed == STATUS_OK);
    ask_free(ask);
}

void *world_new_ask(struct world *world, size_t size)
{
    struct ask *ask = memory_allocate(size);
    ask->world = world;
    ask->command.run = ask_run;
    ask->command.done = ask_done;
    list_append(&world->asks, &ask->node);
    return ask;
}

void world_ask(struct ask *ask)
{
    list_append(&ask->world->turn.batch, &ask->command.node);
}

static void world_ask_witness(struct world *world)
{
    struct ask *ask = world_new_ask(world, sizeof *ask);
    ask->run = witness_run;
    ask->told = witness_told;
    world->witness = ++world->witnesses;
    list_prepend(&world->turn.batch, &ask->command.node);
}

/* ---- turns ---- */

/* What a commit in doubt has done after all. */
static void world_tell_finished(struct world *world)
{
    struct list_node *node = NULL;
    while ((node = list_take_first(&world->turn.finished)) != NULL) {
        struct ask *ask = LIST_OWNER(node, struct ask, command.node);
        ask->told(ask, true);
        ask_free(ask);
    }
    queues_apply_effects(world->queues);
}

static void world_end_process(struct world *world)
{
    store_close(world->store);
    world->store = NULL;
    faulty_vfs_heal();
    world->disk_may_fail = false;
    if (!world_open(world))
        return;
    bool committed = world_find_witness(world);
    if (committed)
        world_tell_finished(world);
    world->on_end(world->context, committed);
    queues_destroy(world->queues);
    world->queues = NULL;
    world_drop_asks(world);
    world->witness = 0;
}

void world_restart(struct world *world, int64_t jump_ms)
{
    if (!world->turn.failed)
        world->witness = 0; /* nothing is under way */
    world_end_process(world);
    world->now_ms += jump_ms;
    world->trace->now_ms = world->now_ms;
    if (world->trace->broken == PROMISE_KEPT && world_make_queues(world))
        world->on_start(world->context);
}

void world_turn(struct world *world)
{
    if (world->trace->broken != PROMISE_KEPT)
        return;
    world->turns++;
    uint64_t rollbacks = world->queues->rollbacks;
    if (world->disk_may_fail)
        world_ask_witness(world);
    turn_run(&world->turn, world->now_ms);
    world->rollbacks += world->queues->rollbacks - rollbacks;
    if (!world->turn.failed)
        turn_checkpoint(&world->turn, true);
    if (world->turn.failed)
        world_restart(world, 0);
    world->witness = 0;
}

void world_pass(struct world *world, int64_t ms, bool asleep)
{
    int64_t end_ms = world->now_ms + ms;
    int busy = 0;
    while (!asleep && world->turn.due_ms <= end_ms && world->trace->broken == PROMISE_KEPT) {
        busy = world->turn.due_ms <= world->now_ms ? busy + 1 : 0;
        if (busy > WORLD_BUSY_TURNS_MAX)
            trace_break(world->trace, PROMISE_FINAL, "the engine runs in circles: something is due and never done");
        world->now_ms = world->turn.due_ms > world->now_ms ? world->turn.due_ms : world->now_ms;
        world->trace->now_ms = world->now_ms;
        world_turn(world);
    }
    world->now_ms = world->now_ms > end_ms ? world->now_ms : end_ms;
    world->trace->now_ms = world->now_ms;
}

void world_break_disk(struct world *world, int fault, int nth)
{
    world->disk_may_fail = true;
    faulty_vfs_fail((enum faulty_fault)fault, nth);
}

void world_heal_disk(struct world *world)
{
    world->disk_may_fail = false;
    faulty_vfs_heal();
}
