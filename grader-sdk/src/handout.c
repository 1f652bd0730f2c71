/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/src/handout.h"

#include <assert.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "grader-sdk/src/report.h"
#include "grader-sdk/src/submission.h"

enum status handout_init(struct handout *handout, const struct handout_options *options)
{
    handout->with = *options;
    handout->descriptor = options->for_host ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    pthread_mutex_init(&handout->mutex, NULL);
    clock_condition_init(&handout->changed);
    for (int place = HANDOUT_NOWHERE; place < HANDOUT_PLACE_COUNT; place++)
        list_init(&handout->places[place]);
    return handout->descriptor < 0 && options->for_host ? STATUS_UNAVAILABLE : STATUS_OK;
}

void handout_finish(struct handout *handout)
{
    for (int place = HANDOUT_NOWHERE; place < HANDOUT_PLACE_COUNT; place++)
        assert(list_is_empty(&handout->places[place]));
    if (handout->descriptor >= 0)
        (void)close(handout->descriptor);
    pthread_cond_destroy(&handout->changed);
    pthread_mutex_destroy(&handout->mutex);
}

static struct list *at(struct handout *handout, enum handout_place place)
{
    return &handout->places[place];
}

static bool has_news(struct handout *handout)
{
    return handout->has_ended || !list_is_empty(at(handout, HANDOUT_WAITING)) || !list_is_empty(at(handout, HANDOUT_UNTOLD));
}

static void begin(struct handout *handout)
{
    pthread_mutex_lock(&handout->mutex);
}

/* The counter of the descriptor is 1 or 0, as there is something to take or not. */
static void end(struct handout *handout)
{
    bool is_readable = has_news(handout);
    if (handout->descriptor >= 0 && is_readable != handout->is_readable) {
        uint64_t count = 1;
        // Neither blocks nor fails, unless the host reads or writes what it was asked to poll only.
        ssize_t done =
            is_readable ? write(handout->descriptor, &count, sizeof(count)) : read(handout->descriptor, &count, sizeof(count));
        (void)done;
        handout->is_readable = is_readable;
    }
    pthread_mutex_unlock(&handout->mutex);
}

/* The only writer of a submission's place. The lock is held. */
static void move(struct handout *handout, struct xqueue_submission *submission, enum handout_place place)
{
    static const bool moves[HANDOUT_PLACE_COUNT][HANDOUT_PLACE_COUNT] = {
        [HANDOUT_NOWHERE] = {[HANDOUT_WAITING] = true},
        [HANDOUT_WAITING] = {[HANDOUT_NOWHERE] = true, [HANDOUT_HELD] = true},
        [HANDOUT_HELD] = {[HANDOUT_NOWHERE] = true, [HANDOUT_UNTOLD] = true},
        [HANDOUT_UNTOLD] = {[HANDOUT_NOWHERE] = true, [HANDOUT_HELD] = true},
    };
    assert(moves[submission->place][place]);
    list_remove(at(handout, submission->place), &submission->handout_node);
    submission->place = place;
    if (place != HANDOUT_NOWHERE)
        list_append(at(handout, place), &submission->handout_node);
}

/* ---- for the link ---- */

void handout_give(struct handout *handout, struct xqueue_submission *submission)
{
    begin(handout);
    assert(!handout->has_ended);
    submission->handout = handout;
    move(handout, submission, HANDOUT_WAITING);
    pthread_cond_signal(&handout->changed);
    end(handout);
}

bool handout_take_back(struct handout *handout, struct xqueue_submission *submission)
{
    begin(handout);
    bool is_waiting = submission->place == HANDOUT_WAITING;
    if (is_waiting)
        move(handout, submission, HANDOUT_NOWHERE);
    end(handout);
    return is_waiting;
}

void handout_tell_lost(struct handout *handout, struct xqueue_submission *submission)
{
    begin(handout);
    if (handout->with.tells_lost && submission->place == HANDOUT_HELD) {
        move(handout, submission, HANDOUT_UNTOLD);
        pthread_cond_signal(&handout->changed);
    }
    end(handout);
}

void handout_end(struct handout *handout, const struct xqueue_error *outcome)
{
    begin(handout);
    assert(list_is_empty(at(handout, HANDOUT_WAITING)));
    if (!handout->has_ended)
        handout->outcome = *outcome;
    handout->has_ended = true;
    pthread_cond_broadcast(&handout->changed);
    end(handout);
}

/* ---- for who grades ---- */

static struct xqueue_submission *first(struct handout *handout, enum handout_place place)
{
    struct list_node *node = list_first(at(handout, place));
    return node ? LIST_OWNER(node, struct xqueue_submission, handout_node) : NULL;
}

/* Losses first: who holds something should stop working on it before beginning with something else. */
static enum handout_news take(struct handout *handout, struct xqueue_submission **out_submission)
{
    enum handout_news news = HANDOUT_LOST;
    struct xqueue_submission *submission = first(handout, HANDOUT_UNTOLD);
    if (!submission) {
        news = HANDOUT_SUBMISSION;
        submission = first(handout, HANDOUT_WAITING);
    }
    if (!submission)
        return handout->has_ended ? HANDOUT_END : HANDOUT_NOTHING;
    move(handout, submission, HANDOUT_HELD);
    *out_submission = submission;
    return news;
}

enum handout_news handout_take(struct handout *handout, struct clock *clock, int64_t deadline_ms,
                               struct xqueue_submission **out_submission)
{
    begin(handout);
    while (!has_news(handout) && clock_wait_until(clock, &handout->changed, &handout->mutex, deadline_ms)) {
    }
    enum handout_news news = take(handout, out_submission);
    end(handout);
    return news;
}

void handout_close(struct handout *handout, struct xqueue_submission *submission)
{
    struct inbox *inbox = submission->inbox;
    begin(handout);
    move(handout, submission, HANDOUT_NOWHERE); // from here on the host hears no more of it
    end(handout);
    submission_answer_missing(submission);
    inbox_post_returned(inbox, submission);
}

void handout_close_all(struct handout *handout)
{
    static const enum handout_place held[] = {HANDOUT_HELD, HANDOUT_UNTOLD};
    struct xqueue_submission *submission;
    for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
        do {
            begin(handout);
            submission = first(handout, held[i]);
            end(handout);
            if (submission)
                handout_close(handout, submission);
        } while (submission);
    }
}

enum xqueue_status handout_outcome(struct handout *handout, struct xqueue_error *error)
{
    pthread_mutex_lock(&handout->mutex);
    bool has_ended = handout->has_ended;
    struct xqueue_error outcome = handout->outcome;
    pthread_mutex_unlock(&handout->mutex);
    if (!has_ended)
        return report_error(error, XQUEUE_STATUS_WRONG_STATE, false, NULL, "this grader has not ended");
    if (error && outcome.status != XQUEUE_STATUS_OK)
        *error = outcome;
    return outcome.status;
}
