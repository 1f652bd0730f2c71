/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/demo/journey.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "tests/demo/core_view.h"
#include "tests/demo/lms_client.h"
#include "tests/demo/solutions.h"
#include "tests/support/fake_lms.h"

enum { UNKNOWN_MS = -1, US_PER_MS = 1000, MESSAGE_SHOWN_MAX = 150 };

/* One submission on its way. Times are milliseconds since the first was handed in; UNKNOWN_MS: not seen. */
struct traveller {
    const struct solution *solution;
    uint64_t id;
    char path[SOLUTIONS_TEXT_MAX];
    char header[SOLUTIONS_TEXT_MAX];
    int64_t submitted_ms;
    int64_t granted_ms;
    int64_t graded_ms;
    int64_t callback_ms;
    int64_t delivered_ms;
    bool is_over; /* the core will not grade it any more */
    struct core_view_state state;
    const struct fake_lms_callback *callback; /* borrowed from the LMS; NULL: has not come */
    struct grade grade;
};

struct journey {
    struct installation *installation;
    const struct paint *paint;
    int stop_descriptor;
    struct fake_lms *lms;
    struct lms_client *client;
    struct core_view *view;
    int64_t started_us;      // monotonic
    int64_t started_wall_ms; // the same moment
    size_t callbacks_seen;
    struct traveller travellers[SOLUTIONS];
};

/* ---- handing in ---- */

static enum status hand_in(struct journey *journey, size_t index, struct error *error)
{
    struct traveller *traveller = &journey->travellers[index];
    char url[FAKE_LMS_URL_MAX];
    char body[SOLUTIONS_TEXT_MAX];
    char key[SECRET_KEY_TEXT_MAX];
    *traveller = (struct traveller){.solution = &solutions[index],
                                    .id = index + 1, // the database is fresh; checked with the header
                                    .granted_ms = UNKNOWN_MS,
                                    .graded_ms = UNKNOWN_MS,
                                    .callback_ms = UNKNOWN_MS,
                                    .delivered_ms = UNKNOWN_MS};
    secret_key(key);
    solution_callback_path(traveller->solution, traveller->path);
    solution_header(fake_lms_url(journey->lms, traveller->path, url), key, traveller->header);
    solution_body(traveller->solution, body);
    return lms_client_submit(journey->client, traveller->header, body, error);
}

static enum status hand_in_all(struct journey *journey, struct error *error)
{
    const struct paint *paint = journey->paint;
    enum status status = STATUS_OK;
    printf("\n%sThe LMS hands in three solutions of \"" SOLUTIONS_PROBLEM "\"%s\n", paint->bold, paint->off);
    journey->started_us = clock_monotonic_us();
    journey->started_wall_ms = clock_wall_ms();
    for (size_t i = 0; status == STATUS_OK && i < SOLUTIONS; i++) {
        status = hand_in(journey, i, error);
    }
    return status;
}

/* ---- watching ---- */

/* What the core says now. Granting is only seen while it lasts. */
static enum status look_at_core(struct journey *journey, struct traveller *traveller, struct error *error)
{
    struct core_view_state *state = &traveller->state;
    enum status status = core_view_get(journey->view, traveller->id, state, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (strcmp(state->header, traveller->header) != 0) {
        return error_set(error, STATUS_DATA_LOSS, NULL, "submission %llu has another header than was handed in",
                         (unsigned long long)traveller->id);
    }
    traveller->submitted_ms = state->submitted_at_ms - journey->started_wall_ms;
    traveller->is_over = state->is_over;
    if (state->is_leased) {
        traveller->granted_ms = state->state_at_ms - journey->started_wall_ms;
    }
    if (state->is_graded) {
        traveller->graded_ms = state->state_at_ms - journey->started_wall_ms;
    }
    if (state->is_delivered) {
        traveller->delivered_ms = state->delivered_at_ms - journey->started_wall_ms;
    }
    return STATUS_OK;
}

static void take_callback(struct journey *journey, const struct fake_lms_callback *callback)
{
    for (size_t i = 0; i < SOLUTIONS; i++) {
        struct traveller *traveller = &journey->travellers[i];
        if (strcmp(traveller->path, callback->path) == 0 && !traveller->callback) {
            traveller->callback = callback;
            traveller->callback_ms = (callback->at_us - journey->started_us) / US_PER_MS;
            if (callback->result) {
                traveller->grade = grade_read(callback->result, callback->result_length);
            }
        }
    }
}

static bool has_arrived(const struct traveller *traveller)
{
    return (traveller->callback && traveller->delivered_ms != UNKNOWN_MS) || traveller->is_over;
}

/* A program of ours that has ended, or NULL. */
static const char *gone_program(const struct journey *journey)
{
    for (size_t i = 0; i < INSTALLATION_PROGRAMS; i++) {
        const struct child *program = journey->installation->programs[i];
        struct pollfd ended = {.fd = child_descriptor(program), .events = POLLIN};
        if (poll(&ended, 1, 0) > 0) {
            return child_program(program);
        }
    }
    return NULL;
}

/* Looks at everything once. *out_all_arrived: nothing more will happen. */
static enum status look(struct journey *journey, bool *out_all_arrived, struct error *error)
{
    struct pollfd stop = {.fd = journey->stop_descriptor, .events = POLLIN};
    const char *gone = gone_program(journey);
    const struct fake_lms_callback *callback;
    enum status status = STATUS_OK;
    bool all_arrived = true;
    if (poll(&stop, 1, 0) > 0) {
        return error_set(error, STATUS_CANCELED, NULL, "interrupted");
    }
    if (gone) {
        return error_set(error, STATUS_UNAVAILABLE, NULL, "%s has ended", gone);
    }
    while ((callback = fake_lms_callback(journey->lms, journey->callbacks_seen))) {
        take_callback(journey, callback);
        journey->callbacks_seen++;
    }
    for (size_t i = 0; status == STATUS_OK && i < SOLUTIONS; i++) {
        if (!has_arrived(&journey->travellers[i])) {
            status = look_at_core(journey, &journey->travellers[i], error);
        }
        all_arrived = all_arrived && has_arrived(&journey->travellers[i]);
    }
    *out_all_arrived = all_arrived;
    return status;
}

static enum status watch(struct journey *journey, struct error *error)
{
    int64_t deadline_us = journey->started_us + (int64_t)JOURNEY_DEADLINE_MS * US_PER_MS;
    bool all_arrived = false;
    enum status status = look(journey, &all_arrived, error);
    while (status == STATUS_OK && !all_arrived) {
        if (clock_monotonic_us() > deadline_us) {
            return error_set(error, STATUS_TIMEOUT, NULL, "not all results came within %d ms", JOURNEY_DEADLINE_MS);
        }
        (void)fake_lms_wait_for(journey->lms, journey->callbacks_seen + 1, JOURNEY_LOOK_MS);
        status = look(journey, &all_arrived, error);
    }
    return status;
}

/* ---- telling ---- */

static void print_time(int64_t time_ms, const char *what)
{
    if (time_ms == UNKNOWN_MS) {
        printf("             %s\n", what);
    } else {
        printf("  %+6lld ms  %s\n", (long long)time_ms, what);
    }
}

/* The first thing that is not as it should be, or NULL. */
static const char *fault_of(const struct journey *journey, const struct traveller *traveller)
{
    const struct solution *solution = traveller->solution;
    const struct fake_lms_callback *callback = traveller->callback;
    if (!callback) {
        return traveller->is_over ? "the service gave it up" : "no callback came";
    }
    if (!callback->header || strcmp(callback->header, traveller->header) != 0) {
        return "the callback's header is not the one that was handed in";
    }
    if (fake_lms_count_path(journey->lms, traveller->path) != 1) {
        return "more than one callback came";
    }
    if (!traveller->grade.is_grade) {
        return "the callback's body is no grade";
    }
    if (traveller->grade.is_correct != solution->is_right) {
        return solution->is_right ? "it should be correct" : "it should not be correct";
    }
    if (!strstr(traveller->grade.message, solution->message)) {
        return "the grader's message says something else";
    }
    return traveller->delivered_ms == UNKNOWN_MS ? "its delivery was not recorded" : NULL;
}

static bool tell(const struct journey *journey, const struct traveller *traveller)
{
    const struct paint *paint = journey->paint;
    const char *fault = fault_of(journey, traveller);
    char granted[CORE_VIEW_NAME_MAX + 64];
    (void)snprintf(granted, sizeof granted, "granted to %s, attempt %u", traveller->state.grader, traveller->state.attempt);
    printf("\n%ssubmission %llu, %s%s\n", paint->bold, (unsigned long long)traveller->id, traveller->solution->name,
           paint->off);
    print_time(traveller->submitted_ms, "submitted, on disk");
    print_time(traveller->granted_ms, traveller->granted_ms == UNKNOWN_MS ? "never seen with a grader" : granted);
    print_time(traveller->graded_ms, traveller->graded_ms == UNKNOWN_MS ? "not graded" : "graded, on disk");
    print_time(traveller->callback_ms, traveller->callback ? "callback at the LMS" : "no callback");
    print_time(traveller->delivered_ms, traveller->delivered_ms == UNKNOWN_MS ? "not delivered" : "delivered, on disk");
    if (traveller->grade.is_grade) {
        const char *message = traveller->grade.message;
        size_t shown = text_utf8_cut(message, strlen(message), MESSAGE_SHOWN_MAX);
        printf("             correct: %s, score: %.2f\n             %s%.*s%s%s\n",
               traveller->grade.is_correct ? "true" : "false", traveller->grade.score, paint->dim, (int)shown, message,
               message[shown] != '\0' ? " ..." : "", paint->off);
    }
    if (!fault) {
        printf("             %sas it should be%s\n", paint->good, paint->off);
    } else {
        printf("             %sWRONG: %s%s %s\n", paint->bad, fault, paint->off, traveller->state.message);
    }
    return !fault;
}

static bool tell_all(const struct journey *journey)
{
    bool as_expected = true;
    for (size_t i = 0; i < SOLUTIONS; i++) {
        as_expected = tell(journey, &journey->travellers[i]) && as_expected;
    }
    printf("\n");
    return as_expected;
}

/* ---- all of it ---- */

static enum status open_ends(struct journey *journey, struct error *error)
{
    const struct installation *installation = journey->installation;
    const struct lms_client_options options = {.address = installation->rest_address,
                                               .user = INSTALLATION_LMS_USER,
                                               .password = installation->lms_password,
                                               .transcript = stdout};
    journey->lms = fake_lms_start(0);
    journey->client = lms_client_create(&options);
    if (!journey->client) {
        return error_set(error, STATUS_NO_MEMORY, NULL, "libcurl has no memory");
    }
    return core_view_open(installation->core_address, INSTALLATION_LMS_USER, installation->lms_password, &journey->view, error);
}

enum status journey_make(struct installation *installation, const struct paint *paint, int stop_descriptor,
                         bool *out_as_expected, struct error *error)
{
    struct journey *journey = MEMORY_NEW(struct journey);
    journey->installation = installation;
    journey->paint = paint;
    journey->stop_descriptor = stop_descriptor;
    enum status status = open_ends(journey, error);
    if (status == STATUS_OK) {
        status = hand_in_all(journey, error);
    }
    if (status == STATUS_OK) {
        status = watch(journey, error);
        *out_as_expected = tell_all(journey) && status == STATUS_OK;
    }
    core_view_close(journey->view);
    lms_client_destroy(journey->client);
    fake_lms_destroy(journey->lms);
    memory_free(journey);
    return status;
}
