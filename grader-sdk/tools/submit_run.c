/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/submit_run.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/secret.h"
#include "grader-sdk/tools/submit_attachments.h"
#include "grader-sdk/tools/submit_outcome.h"
#include "grader-sdk/tools/submit_say.h"

enum { BACKOFF_MS_FIRST = 100, BACKOFF_MS_LONGEST = 5000 };

static int64_t now(void)
{
    return clock_now_ms(clock_system());
}

static int fail(enum status status, const struct error *error)
{
    struct submit_outcome outcome = {.end = SUBMIT_END_FAILED, .status = status, .error = *error};
    char text[SUBMIT_ERROR_TEXT_MAX];
    return submit_fail(submit_outcome_exit(&outcome, false), "%s", submit_error_text(status, error, text));
}

int submit_run_init(struct submit_run *run, const struct submit_options *options)
{
    struct error error = {0};
    *run = (struct submit_run){.options = options};
    enum status status = submit_input_read_text("header", options->header, SUBMIT_HEADER_BYTES_MAX, &run->header, &error);
    if (status == STATUS_OK)
        status = submit_input_read_text("payload", options->payload, SUBMIT_BODY_BYTES_MAX, &run->payload, &error);
    if (status == STATUS_OK && options->file_count > 0)
        status = submit_attachments_create(options->files, options->file_count, &run->attachments, &error);
    if (status == STATUS_OK)
        status = connection_open(&options->connect, &run->connection, &error);
    if (status != STATUS_OK)
        return fail(status, &error);
    run->was_reached = !connection_options_need_no_login(&options->connect);
    if (!run->attachments)
        return 0;
    struct submit_tries tries;
    submit_tries_init(&tries, run);
    status = submit_attachments_upload(run->attachments, &tries, &error);
    if (tries.is_late)
        return submit_fail(SUBMIT_EXIT_TIMEOUT, "the attached files did not go up in time; nothing was submitted");
    return status == STATUS_OK ? 0 : fail(status, &error);
}

void submit_run_finish(struct submit_run *run)
{
    connection_close(run->connection);
    submit_attachments_destroy(run->attachments);
    submit_input_finish(&run->header);
    submit_input_finish(&run->payload);
}

bool submit_run_is_lost(const struct submit_run *run)
{
    int64_t since_ms = run->lost_since_ms;
    return since_ms > 0 && (!run->was_reached || now() - since_ms >= run->options->reconnect_ms);
}

/* ---- tries ---- */

void submit_tries_init(struct submit_tries *tries, struct submit_run *run)
{
    uint64_t seed = 0;
    secret_random(&seed, sizeof seed);
    *tries = (struct submit_tries){.run = run, .until_ms = CLOCK_NEVER};
    backoff_init(&tries->backoff, BACKOFF_MS_FIRST, BACKOFF_MS_LONGEST, seed);
    if (run->options->timeout_ms > 0)
        tries->until_ms = clock_add_ms(now(), run->options->timeout_ms);
}

void submit_tries_reset(struct submit_tries *tries)
{
    backoff_reset(&tries->backoff);
    tries->run->was_reached = true;
    tries->run->lost_since_ms = 0;
}

static bool is_lost(enum status status)
{
    return status == STATUS_UNAVAILABLE || status == STATUS_TIMEOUT || status == STATUS_CANCELED;
}

/* false, for the caller to return. */
static bool is_late(struct submit_tries *tries, enum status *status, struct error *error)
{
    tries->is_late = true;
    *status = error_set(error, STATUS_TIMEOUT, NULL, "no result in time");
    return false;
}

static void tell(struct submit_tries *tries, enum status status, const struct error *error)
{
    char text[SUBMIT_ERROR_TEXT_MAX];
    if (tries->on_wait)
        tries->on_wait(tries->context, submit_error_text(status, error, text));
}

bool submit_tries_again(struct submit_tries *tries, enum status *status, struct error *error)
{
    struct submit_run *run = tries->run;
    if (connection_is_canceled(run->connection)) {
        *status = error_set(error, STATUS_CANCELED, NULL, "interrupted");
        return false;
    }
    if (tries->until_ms != CLOCK_NEVER && now() >= tries->until_ms)
        return is_late(tries, status, error);
    if (is_lost(*status)) {
        int64_t none = 0;
        (void)atomic_compare_exchange_strong(&run->lost_since_ms, &none, now());
        if (submit_run_is_lost(run))
            return false;
    } else {
        run->was_reached = true;
        run->lost_since_ms = 0;
        if (*status != STATUS_FULL || error->retry_after_ms <= 0)
            return false;
    }
    int64_t backoff_ms = backoff_next_ms(&tries->backoff);
    int64_t pause_ms = error->retry_after_ms > backoff_ms ? error->retry_after_ms : backoff_ms;
    int64_t left_ms = tries->until_ms == CLOCK_NEVER ? CLOCK_NEVER : tries->until_ms - now();
    bool is_too_late = pause_ms >= left_ms;
    tell(tries, *status, error);
    if (!connection_pause(run->connection, is_too_late ? left_ms : pause_ms)) {
        *status = error_set(error, STATUS_CANCELED, NULL, "interrupted");
        return false;
    }
    if (is_too_late)
        return is_late(tries, status, error);
    return true;
}
