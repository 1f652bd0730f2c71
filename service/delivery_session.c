/* SPDX-License-Identifier: Apache-2.0 */
#include "service/delivery_session.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

/* ---- what is on its way ---- */

static struct delivery_name *session_find(struct delivery_session *session, int64_t submission_id)
{
    for (size_t i = 0; i < session->held_count; i++) {
        if (session->held[i].submission_id == submission_id) {
            return &session->held[i];
        }
    }
    return NULL;
}

void delivery_session_sent(struct delivery_session *session, const struct store_delivery *row)
{
    /* The same one again, after its lease ran out: the courier still has to answer once. */
    struct delivery_name *name = session_find(session, row->submission_id);
    if (!name) {
        assert(session->held_count < session->credit + DELIVERY_SESSION_HELD_MAX);
        name = &session->held[session->held_count++];
        name->submission_id = row->submission_id;
    }
    memcpy(name->key, row->lease_key, sizeof name->key);
}

void delivery_session_answered(struct queues *queues, struct delivery_session *session, int64_t submission_id, const char *key)
{
    struct delivery_name *name = session_find(session, submission_id);
    if (name && strcmp(name->key, key) == 0) {
        *name = session->held[--session->held_count];
        queues_unpark(queues, session->command);
    }
}

/* ---- opening ---- */

static void session_replace_older(struct queues *queues, const struct delivery_session *session)
{
    struct list_node *node = NULL;
    for (node = list_first(&queues->delivery_sessions); node; node = list_next(&queues->delivery_sessions, node)) {
        struct delivery_session *other = LIST_OWNER(node, struct delivery_session, node);
        if (strcmp(other->channel, session->channel) == 0 && strcmp(other->courier, session->courier) == 0) {
            other->replaced = true;
            queues_unpark(queues, other->command);
        }
    }
}

static bool greeting_names(const struct delivery_greeting *greeting, const struct store_delivery *row)
{
    for (size_t i = 0; i < greeting->held_count; i++) {
        if (greeting->held[i].submission_id == row->submission_id && strcmp(greeting->held[i].key, row->lease_key) == 0) {
            return true;
        }
    }
    return false;
}

/* What is in flight to this instance came from an earlier stream of it: the courier has it, or it was lost on the way. */
static enum status session_resume(struct queues *queues, struct delivery_session *session,
                                  const struct delivery_greeting *greeting)
{
    const struct store_holder holder = {session->courier, session->instance, session->channel};
    struct store_delivery row = {.submission_id = 0};
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        status = store_next_in_flight_delivery(queues->store, &holder, row.submission_id, &row);
        status = queues_stored(queues, status);
        if (status == STATUS_OK && greeting_names(greeting, &row)) {
            status = delivering_renew(queues, &row);
            delivery_session_sent(session, &row);
        } else if (status == STATUS_OK) {
            status = delivering_take_back(queues, &row);
        }
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status delivery_session_open(struct queues *queues, struct delivery_session *session,
                                  const struct delivery_greeting *greeting, struct error *error)
{
    assert(greeting->credit >= 1 && greeting->credit <= DELIVERY_SESSION_CREDIT_MAX);
    assert(greeting->held_count <= DELIVERY_SESSION_HELD_MAX);
    if (queues->stopping) {
        return error_set(error, STATUS_UNAVAILABLE, "DRAINING", "the service is stopping");
    }
    text_copy(session->courier, sizeof session->courier, greeting->courier);
    text_copy(session->instance, sizeof session->instance, greeting->instance);
    text_copy(session->channel, sizeof session->channel, greeting->channel);
    session->credit = greeting->credit;
    session->held = memory_allocate_array(greeting->credit + DELIVERY_SESSION_HELD_MAX, sizeof *session->held);
    session_replace_older(queues, session);
    delivery_session_heard(queues, session);
    list_append(&queues->delivery_sessions, &session->node);
    enum status status = session_resume(queues, session, greeting);
    if (status != STATUS_OK) {
        delivery_session_close(queues, session);
        return error_set(error, status, NULL, "the deliveries could not be read");
    }
    return STATUS_OK;
}

void delivery_session_close(struct queues *queues, struct delivery_session *session)
{
    list_remove(&queues->delivery_sessions, &session->node);
    memory_free(session->held);
    session->held = NULL;
    session->held_count = 0;
}

/* ---- while it lasts ---- */

enum status delivery_session_lease(struct queues *queues, struct delivery_session *session, struct delivery_lease *out_leases,
                                   size_t *out_count)
{
    *out_count = 0;
    if (session->held_count >= session->credit) {
        return STATUS_OK;
    }
    size_t room = session->credit - session->held_count;
    const struct delivery_order order = {
        .courier = session->courier,
        .instance = session->instance,
        .channel = session->channel,
        .rights = session->rights,
        .max = room < DELIVERY_SESSION_LEASES_MAX ? room : DELIVERY_SESSION_LEASES_MAX,
        .bytes_max = DELIVERY_SESSION_BYTES,
    };
    return delivering_lease(queues, &order, out_leases, out_count);
}

enum status delivery_session_give_back(struct queues *queues, struct delivery_session *session)
{
    enum status status = STATUS_OK;
    while (session->held_count > 0 && status == STATUS_OK) {
        const struct delivery_name *name = &session->held[--session->held_count];
        struct store_delivery row;
        status = queues_stored(queues, store_find_delivery(queues->store, name->submission_id, &row));
        if (status == STATUS_OK && row.state == DELIVERY_IN_FLIGHT && strcmp(row.lease_key, name->key) == 0) {
            status = delivering_take_back(queues, &row);
        }
        status = status == STATUS_NOT_FOUND ? STATUS_OK : status; /* purged meanwhile */
    }
    return status;
}

void delivery_session_heard(struct queues *queues, struct delivery_session *session)
{
    session->pings_lost = 0;
    session->ping_at_ms = clock_add_ms(queues->now_ms, queues->config->service.ping_period_ms);
}

bool delivery_session_pings(struct queues *queues, struct delivery_session *session)
{
    if (queues->now_ms < session->ping_at_ms) {
        return false;
    }
    session->ping_number++;
    session->pings_lost++;
    session->ping_at_ms = clock_add_ms(queues->now_ms, queues->config->service.ping_period_ms);
    return true;
}

bool delivery_session_is_silent(const struct delivery_session *session)
{
    return session->pings_lost > DELIVERY_SESSION_PINGS_LOST_MAX;
}
