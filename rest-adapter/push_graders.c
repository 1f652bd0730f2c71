/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/push_graders.h"

#include "base/clock.h"
#include "base/memory.h"
#include "rest-adapter/http_client.h"
#include "rest-adapter/push_grader.h"

struct push_graders {
    struct http_client *http; /* owned; NULL: no queue is pushed */
    struct push_grader **items;
    size_t count;
    bool draining;
    bool stopped;
};

/* Of all queues that are pushed. */
struct totals {
    size_t queues;
    int64_t slots;
};

static bool is_pushed(const struct config_queue *queue)
{
    return queue->push_url[0] != '\0';
}

static struct totals add_up(const struct config *config)
{
    struct totals totals = {0};
    for (size_t i = 0; i < config->queue_count; i++) {
        if (is_pushed(&config->queues[i])) {
            totals.queues++;
            totals.slots += config->queues[i].push_parallel_max;
        }
    }
    return totals;
}

int64_t push_graders_descriptors(const struct config *config)
{
    struct totals totals = add_up(config);
    return totals.slots + PUSH_GRADERS_DESCRIPTORS * (int64_t)totals.queues;
}

static enum status start_all(struct push_graders *graders, const struct config *config, struct files *files,
                             struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < config->queue_count && status == STATUS_OK; i++) {
        const struct push_grader_options options = {
            .config = config, .queue = &config->queues[i], .files = files, .http = graders->http};
        if (!is_pushed(options.queue))
            continue;
        status = push_grader_create(&options, &graders->items[graders->count], error);
        if (status == STATUS_OK)
            graders->count++;
    }
    return status;
}

enum status push_graders_create(const struct config *config, struct files *files, struct push_graders **out_graders,
                                struct error *error)
{
    struct totals totals = add_up(config);
    struct push_graders *graders = MEMORY_NEW(struct push_graders);
    enum status status = STATUS_OK;
    if (totals.queues > 0) {
        // Several queues may have one grader: their slots are its limit, not a common one.
        const struct http_client_options options = {.callbacks = &config->callbacks,
                                                    .trust = HTTP_CLIENT_TRUST_CONFIGURED,
                                                    .parallel_max = totals.slots,
                                                    .per_origin_max = totals.slots};
        status = http_client_create(&options, &graders->http, error);
    }
    if (status == STATUS_OK) {
        graders->items = memory_allocate_array(totals.queues, sizeof(struct push_grader *));
        status = start_all(graders, config, files, error);
    }
    if (status != STATUS_OK) {
        push_graders_destroy(graders);
        return status;
    }
    *out_graders = graders;
    return STATUS_OK;
}

static void stop_each(struct push_graders *graders)
{
    for (size_t i = 0; i < graders->count; i++)
        push_grader_stop(graders->items[i]);
}

void push_graders_drain(struct push_graders *graders)
{
    if (!graders->draining)
        stop_each(graders);
    graders->draining = true;
}

static bool wait_for_all(struct push_graders *graders, int64_t timeout_ms)
{
    int64_t deadline_ms = clock_add_ms(clock_now_ms(clock_system()), timeout_ms);
    bool all = true;
    for (size_t i = 0; i < graders->count; i++)
        all = push_grader_wait(graders->items[i], deadline_ms) && all;
    return all;
}

void push_graders_stop(struct push_graders *graders, int64_t grace_ms)
{
    if (graders->stopped)
        return;
    graders->stopped = true;
    push_graders_drain(graders);
    if (wait_for_all(graders, grace_ms))
        return;
    http_client_cancel_all(graders->http); // their slots hand the submissions back
    if (!wait_for_all(graders, PUSH_GRADERS_GIVE_BACK_MS))
        stop_each(graders); // the service is away: do not wait for its word
}

void push_graders_destroy(struct push_graders *graders)
{
    if (!graders)
        return;
    push_graders_stop(graders, 0);
    for (size_t i = 0; i < graders->count; i++)
        push_grader_destroy(graders->items[i]);
    http_client_destroy(graders->http);
    memory_free(graders->items);
    memory_free(graders);
}
