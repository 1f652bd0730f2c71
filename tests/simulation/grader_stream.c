/* SPDX-License-Identifier: Apache-2.0 */
/* Graders on Work streams: they come, give credit, fall silent, vanish, come again with what they hold. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tests/simulation/actors.h"
#include "tests/simulation/skills.h"

enum { HELD_MAX = 16, SLOTS_MAX = 5, SILENCE = 3 };

/* ---- streams ---- */

void stream_release(struct stream *stream)
{
    if (--stream->references > 0)
        return;
    list_remove(&stream->simulation->streams, &stream->node);
    memory_free(stream);
}

static bool stream_is_open(const struct stream *stream)
{
    return stream->session && !stream->session->closed;
}

int64_t streams_slots(const struct simulation *simulation, int grader)
{
    const struct list *streams = &simulation->streams;
    for (struct list_node *node = list_first(streams); node; node = list_next(streams, node)) {
        const struct stream *stream = LIST_OWNER(node, struct stream, node);
        if (stream->grader == grader && stream_is_open(stream))
            return stream->slots;
    }
    return 0;
}

static void stream_end(struct stream *stream)
{
    stream->session = NULL;
    if (stream->simulation->current[stream->grader] == stream)
        stream->simulation->current[stream->grader] = NULL;
}

void streams_end(struct simulation *simulation)
{
    struct list *streams = &simulation->streams;
    struct list_node *node = list_first(streams);
    while (node) {
        struct stream *stream = LIST_OWNER(node, struct stream, node);
        node = list_next(streams, node);
        if (stream_is_open(stream))
            work_session_abandon(simulation->world.queues, stream->session);
        stream_end(stream);
    }
}

/* ---- something said on a stream ---- */

static enum status hello_run(struct ask *ask, struct queues *queues);

struct stream_ask {
    struct ask ask;        /* first */
    struct stream *stream; /* counted */
    int64_t credit;
    int64_t bytes;
    bool ignored; /* came after the end of the session */
    /* Hello */
    struct lease_name held[HELD_MAX];
    struct held_answer answers[HELD_MAX];
    char keys[HELD_MAX][LEASE_KEY_LENGTH + 1];
    size_t held_count;
};

static void stream_ask_finish(struct ask *ask)
{
    stream_release(((struct stream_ask *)ask)->stream);
}

static struct stream_ask *stream_ask_new(struct stream *stream, enum status (*run)(struct ask *, struct queues *),
                                         void (*told)(struct ask *, bool))
{
    struct stream_ask *said = world_new_ask(&stream->simulation->world, sizeof *said);
    said->ask.run = run;
    said->ask.told = told;
    said->ask.finish = stream_ask_finish;
    said->stream = stream;
    said->ask.command.memory_only = run != hello_run;
    stream->references++;
    return said;
}

static enum status pong_run(struct ask *ask, struct queues *queues)
{
    struct stream *stream = ((struct stream_ask *)ask)->stream;
    if (stream_is_open(stream))
        work_session_heard(queues, stream->session);
    return STATUS_OK;
}

static void nothing_told(struct ask *ask, bool stored)
{
    (void)ask;
    (void)stored;
}

static enum status credit_run(struct ask *ask, struct queues *queues)
{
    struct stream_ask *said = (struct stream_ask *)ask;
    struct stream *stream = said->stream;
    said->ignored = !stream_is_open(stream);
    if (said->ignored)
        return STATUS_OK;
    bool more = stream->simulation->options.sabotage == SABOTAGE_IGNORES_CREDIT && said->credit == 0;
    work_session_heard(queues, stream->session);
    work_session_credit(queues, stream->session, more ? 1 : said->credit, said->bytes);
    return STATUS_OK;
}

/* It is no answer: what was said counts as soon as it was heard, stored or not. */
static void credit_told(struct ask *ask, bool stored)
{
    struct stream_ask *said = (struct stream_ask *)ask;
    (void)stored;
    assert(ask->ran);
    if (said->ignored)
        return;
    said->stream->credit = said->credit;
    said->stream->has_byte_credit = said->bytes > 0;
    said->stream->bytes = said->bytes;
    trace_add(ask->world->trace, "g%d, stream %" PRIu64 ", gives credit %" PRId64 ", bytes %" PRId64, said->stream->grader,
              said->stream->number, said->credit, said->bytes);
}

static void stream_gives_credit(struct stream *stream, int64_t credit, int64_t bytes)
{
    struct stream_ask *said = stream_ask_new(stream, credit_run, credit_told);
    said->credit = credit;
    said->bytes = bytes;
    world_ask(&said->ask);
}

static enum status drain_run(struct ask *ask, struct queues *queues)
{
    struct stream_ask *said = (struct stream_ask *)ask;
    said->ignored = !stream_is_open(said->stream);
    if (!said->ignored)
        work_session_drain(queues, said->stream->session);
    return STATUS_OK;
}

static void drain_told(struct ask *ask, bool stored)
{
    struct stream_ask *said = (struct stream_ask *)ask;
    (void)stored;
    assert(ask->ran);
    if (said->ignored)
        return;
    said->stream->draining = true;
    trace_add(ask->world->trace, "g%d, stream %" PRIu64 ", drains", said->stream->grader, said->stream->number);
}

static enum status end_run(struct ask *ask, struct queues *queues)
{
    struct stream *stream = ((struct stream_ask *)ask)->stream;
    if (stream->session)
        work_session_abandon(queues, stream->session);
    stream_end(stream);
    return STATUS_OK;
}

static void end_told(struct ask *ask, bool stored)
{
    struct stream_ask *said = (struct stream_ask *)ask;
    (void)stored;
    assert(ask->ran); /* whatever becomes of the batch, the stream is gone */
    trace_add(ask->world->trace, "g%d, stream %" PRIu64 ", is gone", said->stream->grader, said->stream->number);
}

static void stream_goes(struct stream *stream)
{
    world_ask(&stream_ask_new(stream, end_run, end_told)->ask);
}

/* ---- what the queue tells ---- */

static void stream_on_grant(struct stream *stream, const struct grant *grant)
{
    struct simulation *simulation = stream->simulation;
    struct model_grant granted = {
        .id = grant->submission_id,
        .attempt = grant->attempt,
        .grader = stream->grader,
        .instance = stream->instance,
        .limit = stream->slots < simulation->world.config->service.grader_leases_max
                     ? stream->slots
                     : simulation->world.config->service.grader_leases_max,
    };
    char body[32] = "";
    memcpy(granted.key, grant->lease_key, sizeof granted.key);
    memcpy(body, grant->content.body, grant->content.body_length < sizeof body ? grant->content.body_length : 0);
    (void)sscanf(body, "%" SCNu64, &granted.body);
    trace_add(&simulation->trace, "g%d, stream %" PRIu64 ", is granted %" PRId64 ", attempt %" PRId64, stream->grader,
              stream->number, granted.id, granted.attempt);
    if (stream->credit <= 0 || (stream->has_byte_credit && stream->bytes <= 0) || stream->draining)
        trace_break(&simulation->trace, PROMISE_CREDIT, "g%d is granted %" PRId64 " beyond its credit", stream->grader,
                    granted.id);
    if (stream->quiet_until_ms > simulation->world.now_ms)
        trace_break(&simulation->trace, PROMISE_CREDIT, "g%d is granted %" PRId64 " although it is to be left alone",
                    stream->grader, granted.id);
    stream->credit--;
    stream->bytes -= (int64_t)grant->content.body_length;
    model_granted(&simulation->model, &granted);
    if (simulation->calm)
        grader_does(simulation, granted.id, granted.key);
}

static void stream_notify(struct grader_link *link, const struct grader_notice *notice)
{
    struct stream *stream = (struct stream *)link;
    struct simulation *simulation = stream->simulation;
    switch (notice->kind) {
    case GRADER_NOTICE_GRANT:
        stream_on_grant(stream, notice->grant);
        break;
    case GRADER_NOTICE_LOST:
        trace_add(&simulation->trace, "g%d hears that %" PRId64 " is lost: %d", stream->grader, notice->submission_id,
                  (int)notice->reason);
        model_lost(&simulation->model, notice->submission_id, notice->lease_key, notice->reason);
        break;
    case GRADER_NOTICE_QUIET:
        trace_add(&simulation->trace, "g%d hears that it is left alone for %" PRId64 " ms", stream->grader,
                  notice->duration_ms);
        if (notice->queue[0] == '\0')
            stream->quiet_until_ms = simulation->world.now_ms + notice->duration_ms;
        break;
    case GRADER_NOTICE_PING:
        if (!stream->silent)
            world_ask(&stream_ask_new(stream, pong_run, nothing_told)->ask);
        break;
    case GRADER_NOTICE_FINISH:
        trace_add(&simulation->trace, "g%d, stream %" PRIu64 ", is ended: %s", stream->grader, stream->number,
                  status_name(notice->status));
        stream_end(stream);
        break;
    default:
        break;
    }
}

/* ---- Hello ---- */

static enum status hello_run(struct ask *ask, struct queues *queues)
{
    struct stream_ask *said = (struct stream_ask *)ask;
    struct stream *stream = said->stream;
    char grader[16], instance[16];
    char *names[SIMULATION_QUEUES];
    snprintf(grader, sizeof grader, "g%d", stream->grader);
    snprintf(instance, sizeof instance, "%d", stream->instance);
    for (size_t at = 0; at < SIMULATION_QUEUES; at++)
        names[at] = queues->config->queues[at].name;
    struct label labels[SKILLS_COUNT];
    const struct work_hello hello = {
        .grader = grader,
        .instance = instance,
        .queues = names,
        .queue_count = SIMULATION_QUEUES,
        .slots = stream->slots,
        .labels = skills_labels(skills_of(stream->grader), labels),
        .held = said->held,
        .held_count = said->held_count,
    };
    for (size_t at = 0; at < said->held_count; at++)
        said->held[at].key = said->keys[at];
    return work_session_open(queues, &stream->link, &hello, said->answers, &stream->session, &ask->error);
}

static void hello_told(struct ask *ask, bool stored)
{
    struct stream_ask *said = (struct stream_ask *)ask;
    struct stream *stream = said->stream;
    struct simulation *simulation = stream->simulation;
    if (!stored) { /* no session without its commit: the grader connects again. But the service has heard what it holds. */
        trace_add(&simulation->trace, "g%d, stream %" PRIu64 ", cannot connect with %zu leases", stream->grader, stream->number,
                  said->held_count);
        for (size_t at = 0; ask->ran && at < said->held_count; at++)
            model_claimed(&simulation->model, said->held[at], stream->grader, stream->instance);
        stream_goes(stream);
        return;
    }
    trace_add(&simulation->trace, "g%d, stream %" PRIu64 ", instance %d, connects with %" PRId64 " slots and %zu leases: %s",
              stream->grader, stream->number, stream->instance, stream->slots, said->held_count, status_name(ask->status));
    if (ask->status != STATUS_OK) {
        trace_break(&simulation->trace, PROMISE_ANSWER, "g%d cannot connect: %s", stream->grader, ask->error.text);
        return;
    }
    stream->welcome = true;
    model_instance(&simulation->model, stream->grader, stream->instance);
    for (size_t at = 0; at < said->held_count; at++) {
        trace_add(&simulation->trace, "g%d holds %" PRId64 ": %s", stream->grader, said->held[at].submission_id,
                  said->answers[at].kept ? "kept" : "lost");
        model_resumed(&simulation->model, said->held[at], stream->grader, stream->instance, &said->answers[at]);
    }
}

/* Mostly what it holds, sometimes what it lost long ago, or what somebody else has. */
static void hello_name_leases(struct simulation *simulation, struct stream_ask *said)
{
    const struct model *model = &simulation->model;
    for (size_t at = 0; at < MODEL_RECENT && said->held_count < HELD_MAX; at++) {
        const struct model_recent *recent = &model->recent[at];
        struct model_submission *submission = recent->id != 0 ? model_find(model, recent->id) : NULL;
        const struct model_lease *lease = submission ? model_find_lease(submission, recent->key) : NULL;
        bool foreign = simulation_roll(simulation, 40) == 0;
        if (!lease || (lease->grader != said->stream->grader && !foreign))
            continue;
        memcpy(said->keys[said->held_count], recent->key, sizeof recent->key);
        said->held[said->held_count] = (struct lease_name){.submission_id = recent->id, .key = said->keys[said->held_count]};
        said->held_count++;
    }
}

static struct stream *stream_opens(struct simulation *simulation, int grader, int64_t slots)
{
    struct stream *stream = MEMORY_NEW(struct stream);
    stream->link.notify = stream_notify;
    stream->simulation = simulation;
    stream->references = 1;
    stream->grader = grader;
    stream->instance = simulation->instances[grader];
    stream->number = ++simulation->stream_count;
    stream->slots = slots;
    list_append(&simulation->streams, &stream->node);
    simulation->current[grader] = stream;
    struct stream_ask *said = stream_ask_new(stream, hello_run, hello_told);
    if (simulation_roll(simulation, 2))
        hello_name_leases(simulation, said);
    world_ask(&said->ask);
    return stream;
}

/* ---- steps ---- */

void grader_connects(struct simulation *simulation)
{
    int grader = (int)simulation_roll(simulation, MODEL_GRADERS);
    struct stream *before = simulation->current[grader];
    /* The program may have been started anew; the older stream may not have been noticed to be gone. */
    simulation->instances[grader] += simulation_roll(simulation, 3) == 0;
    if (before && simulation_roll(simulation, 2))
        stream_goes(before);
    struct stream *stream = stream_opens(simulation, grader, simulation_roll(simulation, SLOTS_MAX) + 1);
    if (simulation_roll(simulation, 4))
        stream_gives_credit(stream, simulation_roll(simulation, SLOTS_MAX), 0);
}

static struct stream *some_stream(struct simulation *simulation)
{
    return simulation->current[simulation_roll(simulation, MODEL_GRADERS)];
}

void grader_vanishes(struct simulation *simulation)
{
    struct stream *stream = some_stream(simulation);
    if (stream)
        stream_goes(stream);
}

void grader_gives_credit(struct simulation *simulation)
{
    struct stream *stream = some_stream(simulation);
    if (stream)
        stream_gives_credit(stream, simulation_roll(simulation, SLOTS_MAX + 1), simulation_roll(simulation, 6) == 0 ? 4 : 0);
}

void grader_drains(struct simulation *simulation)
{
    struct stream *stream = some_stream(simulation);
    if (stream)
        world_ask(&stream_ask_new(stream, drain_run, drain_told)->ask);
}

void grader_falls_silent(struct simulation *simulation)
{
    struct stream *stream = some_stream(simulation);
    if (stream)
        stream->silent = simulation_roll(simulation, SILENCE) == 0;
}

void grader_is_there(struct simulation *simulation, int grader)
{
    struct stream *stream = simulation->current[grader];
    if (!stream || stream->draining || stream->silent) {
        if (stream)
            stream_goes(stream);
        simulation->instances[grader]++;
        stream = stream_opens(simulation, grader, SLOTS_MAX);
    }
    stream_gives_credit(stream, SLOTS_MAX, 0);
}
