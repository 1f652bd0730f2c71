/* SPDX-License-Identifier: Apache-2.0 */
#include "service/selection.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* ---- places as text: the walk and its keys, with dots between ---- */

struct selection_place selection_start(void)
{
    return (struct selection_place){.walk = STORE_WALK_ALL, .at = store_walk_start()};
}

void selection_write_place(const struct selection_place *place, char out[SELECTION_TOKEN_MAX])
{
    int length = snprintf(out, SELECTION_TOKEN_MAX, "%d", (int)place->walk);
    for (int i = 0; i < STORE_PLACE_KEYS; i++) {
        length += snprintf(out + length, SELECTION_TOKEN_MAX - (size_t)length, ".%" PRId64, place->at.keys[i]);
    }
}

/* The number that text begins with, up to a dot or the end; *text goes on behind it. */
static bool selection_read_number(const char **text, int64_t *out)
{
    char digits[24];
    size_t length = strcspn(*text, ".");
    if (length >= sizeof digits) {
        return false;
    }
    memcpy(digits, *text, length);
    digits[length] = '\0';
    *text += length;
    *text += **text == '.';
    return text_to_int64(digits, INT64_MIN, INT64_MAX, out) == STATUS_OK;
}

bool selection_read_place(const char *text, struct selection_place *out_place)
{
    struct selection_place place = selection_start();
    int64_t walk = 0;
    if (text[0] == '\0') {
        *out_place = place;
        return true;
    }
    if (!selection_read_number(&text, &walk) || walk < STORE_WALK_ALL || walk >= STORE_WALK_END) {
        return false;
    }
    place.walk = (enum store_walk)walk;
    for (int i = 0; i < STORE_PLACE_KEYS; i++) {
        if (!selection_read_number(&text, &place.at.keys[i])) {
            return false;
        }
    }
    if (text[0] != '\0') {
        return false;
    }
    *out_place = place;
    return true;
}

/* ---- the way ---- */

enum status selection_resolve(struct queues *queues, struct selection *selection, struct error *error)
{
    selection->queue_id = 0;
    if (selection->queue[0] == '\0') {
        return STATUS_OK;
    }
    enum status status = queues_stored(queues, store_find_queue(queues->store, selection->queue, &selection->queue_id));
    if (status == STATUS_NOT_FOUND) {
        return error_set(error, status, "QUEUE_NOT_FOUND", "there never was a queue named '%.128s'", selection->queue);
    }
    return status;
}

/* States that have a walk of their own. */
static const struct {
    enum submission_state state;
    enum store_walk walk;
} state_walks[] = {
    {SUBMISSION_DELAYED, STORE_WALK_DELAYED},       {SUBMISSION_READY, STORE_WALK_READY},
    {SUBMISSION_LEASED, STORE_WALK_LEASED},         {SUBMISSION_DEAD, STORE_WALK_DEAD},
    {SUBMISSION_UNGRADABLE, STORE_WALK_UNGRADABLE},
};

/* The walks that come by all that can match, as bits: those of the states, or the one by all. */
static unsigned selection_walks(const struct selection *selection)
{
    if (selection->states == 0 || selection->delivery_states == 0) {
        return 0;
    }
    if (selection->id_count > 0) {
        return 1U << STORE_WALK_ALL;
    }
    if (selection->delivery_states == 1U << DELIVERY_UNDELIVERABLE) {
        return 1U << STORE_WALK_UNDELIVERABLE;
    }
    unsigned walks = 0;
    unsigned left = selection->states;
    for (size_t i = 0; i < sizeof state_walks / sizeof state_walks[0]; i++) {
        if (left & 1U << state_walks[i].state) {
            left &= ~(1U << state_walks[i].state);
            walks |= 1U << state_walks[i].walk;
        }
    }
    return left == 0 ? walks : 1U << STORE_WALK_ALL;
}

/* The first of the ids after the place, if there is such a submission; ids of none are passed over. */
static enum status selection_next_id(struct queues *queues, const struct selection *selection, struct store_place *at,
                                     struct store_submission *out_row)
{
    for (size_t i = 0; i < selection->id_count; i++) {
        if (selection->ids[i] <= at->keys[0]) {
            continue;
        }
        enum status status = store_find_submission(queues->store, selection->ids[i], out_row);
        at->keys[0] = selection->ids[i];
        if (status != STATUS_NOT_FOUND) {
            return status;
        }
    }
    return STATUS_NOT_FOUND;
}

static enum status selection_step(struct queues *queues, const struct selection *selection, struct selection_place *place,
                                  struct store_submission *out_row)
{
    unsigned walks = selection_walks(selection);
    enum status status = STATUS_NOT_FOUND;
    while (status == STATUS_NOT_FOUND && walks >> place->walk != 0) {
        if (walks & 1U << place->walk && selection->id_count > 0) {
            status = selection_next_id(queues, selection, &place->at, out_row);
        } else if (walks & 1U << place->walk) {
            status = store_walk_next(queues->store, place->walk, selection->queue_id, &place->at, out_row);
        }
        if (status == STATUS_NOT_FOUND) {
            place->walk++;
            place->at = store_walk_start();
        }
    }
    return queues_stored(queues, status);
}

/* ---- what fits ---- */

static bool selection_fits_row(const struct selection *selection, const struct store_submission *row)
{
    return (selection->queue_id == 0 || row->queue_id == selection->queue_id) && selection->states & 1U << row->state &&
           row->submitted_at_ms >= selection->submitted_from_ms && row->submitted_at_ms <= selection->submitted_until_ms &&
           row->failures >= selection->failures_min &&
           (selection->grader[0] == '\0' || strcmp(row->grader, selection->grader) == 0) &&
           (selection->message_contains[0] == '\0' || strstr(row->message, selection->message_contains) != NULL);
}

static enum status selection_fits_delivery(struct queues *queues, const struct selection *selection, int64_t id, bool *out_fits)
{
    struct store_delivery delivery = {.state = DELIVERY_NONE};
    if (selection->delivery_states == SELECTION_ALL_DELIVERIES) {
        *out_fits = true;
        return STATUS_OK;
    }
    enum status status = queues_stored(queues, store_find_delivery(queues->store, id, &delivery));
    if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
        *out_fits = (selection->delivery_states & 1U << delivery.state) != 0;
        return STATUS_OK;
    }
    return status;
}

static enum status selection_fits_fairness_key(struct queues *queues, const struct selection *selection, int64_t id,
                                               bool *out_fits)
{
    char key[STORE_NAME_MAX];
    if (selection->fairness_key[0] == '\0') {
        *out_fits = true;
        return STATUS_OK;
    }
    enum status status = queues_stored(queues, store_find_fairness_key(queues->store, id, key));
    if (status == STATUS_OK) {
        *out_fits = strcmp(key, selection->fairness_key) == 0;
    }
    return status;
}

enum status selection_next(struct queues *queues, const struct selection *selection, struct selection_place *place,
                           struct store_submission *out_row, bool *out_matches)
{
    enum status status = selection_step(queues, selection, place, out_row);
    if (status != STATUS_OK) {
        return status;
    }
    bool fits = selection_fits_row(selection, out_row);
    if (fits) {
        status = selection_fits_delivery(queues, selection, out_row->id, &fits);
    }
    if (status == STATUS_OK && fits) {
        status = selection_fits_fairness_key(queues, selection, out_row->id, &fits);
    }
    *out_matches = fits;
    return status;
}
