/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <inttypes.h>

#include "base/memory.h"
#include "grader-sdk/src/work_link_internal.h"

static struct xqueue_submission *owner_of(struct list_node *node)
{
    return node ? LIST_OWNER(node, struct xqueue_submission, lease_node) : NULL;
}

static struct xqueue_submission *first_lease(const struct work_link *link)
{
    return owner_of(list_first(&link->leases));
}

static struct xqueue_submission *next_lease(const struct work_link *link, const struct xqueue_submission *submission)
{
    return owner_of(list_next(&link->leases, &submission->lease_node));
}

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

static const char *lost_name(enum xqueue_lost lost)
{
    static const char *const names[] = {"not lost",
                                        "expired",
                                        "given to another grader or finished",
                                        "superseded",
                                        "canceled",
                                        "hard limit reached",
                                        "not accepted in time",
                                        "taken by an administrator",
                                        "stopped"};
    return (size_t)lost < sizeof(names) / sizeof(names[0]) ? names[lost] : "unknown reason";
}

/* ---- states of an answer ---- */

static bool is_unsettled(const struct xqueue_submission *submission)
{
    return submission->answer_state != ANSWER_STATE_NONE && submission->answer_state != ANSWER_STATE_SETTLED;
}

static void unsend(struct work_link *link, struct xqueue_submission *submission)
{
    assert(submission->answer_state == ANSWER_STATE_SENT);
    assert(link->stream.unconfirmed_bytes >= submission->answer.length);
    link->stream.unconfirmed_bytes -= submission->answer.length;
    submission->answer_state = ANSWER_STATE_WAITING;
}

/* The only way to SETTLED. */
static void settle(struct work_link *link, struct xqueue_submission *submission)
{
    if (submission->answer_state == ANSWER_STATE_SENT)
        unsend(link, submission);
    submission->answer_state = ANSWER_STATE_SETTLED;
    memory_free(submission->answer.bytes);
    submission->answer.bytes = NULL;
}

static void free_if_done(struct work_link *link, struct xqueue_submission *submission)
{
    if (submission->in_hands || submission->answer_state != ANSWER_STATE_SETTLED)
        return;
    list_remove(&link->leases, &submission->lease_node);
    submission_destroy(submission);
}

/* Does an answer that was given still go out, now that the lease is lost? One that was sent before and not confirmed may
 * be the very reason why the lease has ended: the service knows. */
static bool goes_out(const struct xqueue_submission *submission, enum xqueue_lost lost)
{
    return submission_lost_takes_result(lost) || (lost == XQUEUE_LOST_STALE && submission->was_sent);
}

/* ---- the life of a lease ---- */

unsigned link_free_slots(const struct work_link *link)
{
    unsigned slots = link->with.settings->slots;
    size_t free_slots = link->in_hands < slots ? slots - link->in_hands : 0;
    size_t room = (size_t)slots * LINK_LEASES_PER_SLOT_MAX;
    room = room > link->leases.count ? room - link->leases.count : 0;
    return (unsigned)(free_slots < room ? free_slots : room);
}

bool link_has_room(const struct work_link *link)
{
    size_t busy = 0;
    for (const struct xqueue_submission *at = first_lease(link); at; at = next_lease(link, at))
        busy += at->in_hands && at->answer_state == ANSWER_STATE_NONE;
    size_t slots = link->with.settings->slots;
    return busy < slots && link->leases.count < slots * LINK_LEASES_PER_SLOT_MAX;
}

struct xqueue_submission *link_find_lease(const struct work_link *link, const Xqueue__V1__LeaseRef *lease)
{
    struct xqueue_submission *submission = first_lease(link);
    while (submission && !wire_is_lease(lease, submission))
        submission = next_lease(link, submission);
    return submission;
}

void link_lease_add(struct work_link *link, struct xqueue_submission *submission)
{
    assert(link_has_room(link));
    submission->in_hands = true;
    link->in_hands++;
    list_append(&link->leases, &submission->lease_node);
    struct link_stream *stream = &link->stream;
    if (submission->lease_ms > 0 && submission->lease_ms < stream->lease_ms)
        stream->lease_ms = submission->lease_ms < LINK_LEASE_MS_MIN ? LINK_LEASE_MS_MIN : submission->lease_ms;
    int64_t beat_at_ms = link_now_ms(link) + stream->lease_ms / LINK_BEATS_PER_LEASE;
    stream->beat_at_ms = link->leases.count > 1 ? earlier(stream->beat_at_ms, beat_at_ms) : beat_at_ms;
    handout_give(link->with.handout, submission);
}

void link_lease_answered(struct work_link *link, struct xqueue_submission *submission)
{
    enum xqueue_lost lost = xqueue_submission_lost_reason(submission);
    if (submission->answer_state != ANSWER_STATE_NONE)
        return; // given up by us in the same moment
    submission->answer_state = ANSWER_STATE_WAITING;
    if (goes_out(submission, lost))
        return;
    report_line(link->with.report, XQUEUE_LOG_WARN, "submission %" PRIu64 ": its answer is dropped, the lease is lost: %s",
                submission->id, lost_name(lost));
    settle(link, submission);
}

static void put_down(struct work_link *link, struct xqueue_submission *submission)
{
    assert(submission->in_hands && link->in_hands > 0);
    submission->in_hands = false;
    link->in_hands--;
}

void link_lease_returned(struct work_link *link, struct xqueue_submission *submission)
{
    put_down(link, submission);
    if (submission->answer_state == ANSWER_STATE_NONE)
        settle(link, submission); // lost, and returned without an answer
    free_if_done(link, submission);
}

/* True: nobody has begun with it, and nobody will. */
static bool take_back(struct work_link *link, struct xqueue_submission *submission)
{
    if (!submission->in_hands || !handout_take_back(link->with.handout, submission))
        return false;
    put_down(link, submission);
    return true;
}

/* Whoever holds it. */
static void tell_lost(struct work_link *link, struct xqueue_submission *submission, enum xqueue_lost lost)
{
    atomic_store(&submission->lost, (int)lost);
    file_access_lost(&link->access, submission);
    if (!submission->in_hands)
        return;
    if (link->with.settings->on_lost)
        link->with.settings->on_lost(submission, link->with.settings->context);
    handout_tell_lost(link->with.handout, submission);
}

void link_lease_lost(struct work_link *link, struct xqueue_submission *submission, enum xqueue_lost lost)
{
    if (xqueue_submission_is_lost(submission))
        return;
    bool is_unseen = take_back(link, submission);
    bool has_answer = is_unsettled(submission);
    bool dropped = has_answer && !goes_out(submission, lost);
    if (submission->answer_state != ANSWER_STATE_SETTLED)
        report_line(link->with.report, XQUEUE_LOG_WARN, "submission %" PRIu64 ": lease lost: %s%s", submission->id,
                    lost_name(lost), dropped ? "; its answer is dropped" : "");
    tell_lost(link, submission, lost);
    if (dropped || is_unseen)
        settle(link, submission);
    free_if_done(link, submission);
}

void link_lease_acked(struct work_link *link, struct xqueue_submission *submission, const Xqueue__V1__Ack *ack)
{
    const struct report *report = link->with.report;
    if (submission->answer_state != ANSWER_STATE_SENT)
        return;
    switch (ack->outcome) {
    case XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_RETRY:
        unsend(link, submission);
        submission->answer_state = ANSWER_STATE_DELAYED;
        int64_t delay_ms = ack->retry_after_ms > LINK_RETRY_MS_MIN ? ack->retry_after_ms : LINK_RETRY_MS_MIN;
        submission->retry_at_ms = clock_add_ms(link_now_ms(link), delay_ms);
        report_line(report, XQUEUE_LOG_DEBUG, "submission %" PRIu64 ": to be answered again: %s", submission->id, ack->reason);
        return;
    case XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_OK:
    case XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_ALREADY:
        report_line(report, XQUEUE_LOG_DEBUG, "submission %" PRIu64 ": answer confirmed", submission->id);
        break;
    case XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_STALE:
        report_line(report, XQUEUE_LOG_WARN, "submission %" PRIu64 ": the answer came too late: %s %s", submission->id,
                    ack->reason, ack->message);
        break;
    default:
        report_line(report, XQUEUE_LOG_ERROR, "submission %" PRIu64 ": the answer was refused: %s %s", submission->id,
                    ack->reason, ack->message);
    }
    settle(link, submission);
    free_if_done(link, submission);
}

/* ---- all leases ---- */

static bool is_held(const struct xqueue_submission *submission)
{
    return !xqueue_submission_is_lost(submission) && submission->answer_state != ANSWER_STATE_SETTLED;
}

static bool matters(const struct xqueue_submission *submission)
{
    if (submission->answer_state == ANSWER_STATE_NONE)
        return submission_lost_takes_result(xqueue_submission_lost_reason(submission));
    return submission->answer_state != ANSWER_STATE_SETTLED;
}

bool link_leases_matter(const struct work_link *link)
{
    for (const struct xqueue_submission *at = first_lease(link); at; at = next_lease(link, at))
        if (matters(at))
            return true;
    return false;
}

static bool has_news(struct xqueue_submission *submission)
{
    pthread_mutex_lock(&submission->inbox->mutex);
    bool is_new = submission->progress.is_new;
    pthread_mutex_unlock(&submission->inbox->mutex);
    return is_new;
}

enum status link_leases_held(const struct work_link *link, bool only_news, struct wire_leases *out_leases)
{
    struct xqueue_submission **items = memory_try_allocate(link->leases.count * sizeof(struct xqueue_submission *));
    if (!items)
        return STATUS_NO_MEMORY;
    size_t count = 0;
    for (struct xqueue_submission *at = first_lease(link); at; at = next_lease(link, at))
        if (is_held(at) && (!only_news || has_news(at)))
            items[count++] = at;
    *out_leases = (struct wire_leases){.items = items, .count = count};
    return STATUS_OK;
}

void link_leases_unsend(struct work_link *link)
{
    for (struct xqueue_submission *at = first_lease(link); at; at = next_lease(link, at))
        if (at->answer_state == ANSWER_STATE_SENT)
            unsend(link, at);
}

/* Closes the submission to answers; true when there was no answer. Its answered_node, if any, is in the inbox or was taken.
 */
static bool take_answer_right(struct xqueue_submission *submission)
{
    pthread_mutex_lock(&submission->inbox->mutex);
    bool was_free = !submission->answered;
    submission->answered = true;
    if (was_free)
        submission->answer.kind = ANSWER_RELEASE;
    pthread_mutex_unlock(&submission->inbox->mutex);
    return was_free;
}

void link_leases_take_back(struct work_link *link)
{
    for (struct xqueue_submission *at = first_lease(link); at; at = next_lease(link, at)) {
        if (!take_back(link, at))
            continue;
        (void)take_answer_right(at);
        at->answer_state = ANSWER_STATE_WAITING;
    }
}

void link_leases_hand_back(struct work_link *link)
{
    for (struct xqueue_submission *at = first_lease(link); at; at = next_lease(link, at)) {
        if (at->answer_state != ANSWER_STATE_NONE || !take_answer_right(at))
            continue;
        at->answer_state = ANSWER_STATE_WAITING;
        if (xqueue_submission_is_lost(at))
            settle(link, at);
        else
            tell_lost(link, at, XQUEUE_LOST_STOPPED);
    }
}

void link_leases_give_up(struct work_link *link)
{
    struct xqueue_submission *next;
    for (struct xqueue_submission *at = first_lease(link); at; at = next) {
        next = next_lease(link, at);
        if (is_unsettled(at) && at->answer.kind != ANSWER_RELEASE)
            report_line(link->with.report, XQUEUE_LOG_WARN, "submission %" PRIu64 ": its answer was not confirmed", at->id);
        (void)take_back(link, at);
        (void)take_answer_right(at);
        settle(link, at);
        if (!xqueue_submission_is_lost(at))
            tell_lost(link, at, XQUEUE_LOST_STOPPED);
        free_if_done(link, at);
    }
}

/* ---- what is due ---- */

/* May the answer go now, as far as its own time and the bytes on their way are concerned? */
static bool may_send(const struct work_link *link, const struct xqueue_submission *submission, int64_t now_ms)
{
    bool is_due = submission->answer_state == ANSWER_STATE_WAITING ||
                  (submission->answer_state == ANSWER_STATE_DELAYED && submission->retry_at_ms <= now_ms);
    size_t bytes = link->stream.unconfirmed_bytes;
    return is_due && (bytes == 0 || bytes + submission->answer.length <= LINK_ANSWER_BYTES_UNCONFIRMED_MAX);
}

static int64_t send_answers(struct work_link *link, int64_t now_ms)
{
    int64_t due_ms = CLOCK_NEVER;
    for (struct xqueue_submission *at = first_lease(link); at && link->state == LINK_WORKING; at = next_lease(link, at)) {
        if (may_send(link, at, now_ms)) {
            enum status status = wire_send_answer(link->stream.rpc, at);
            link_sent(link, status);
            if (status == STATUS_OK) {
                at->answer_state = ANSWER_STATE_SENT;
                at->was_sent = true;
                link->stream.unconfirmed_bytes += at->answer.length;
            }
        } else if (at->answer_state == ANSWER_STATE_DELAYED) {
            due_ms = earlier(due_ms, at->retry_at_ms);
        }
    }
    return due_ms;
}

static void send_beat(struct work_link *link, bool only_news)
{
    struct wire_leases leases = {0};
    enum status status = link_leases_held(link, only_news, &leases);
    if (status == STATUS_OK && leases.count > 0)
        status = wire_send_heartbeat(link->stream.rpc, &leases);
    memory_free(leases.items);
    link_sent(link, status);
}

static int64_t beat(struct work_link *link, int64_t now_ms)
{
    struct link_stream *stream = &link->stream;
    if (stream->beat_at_ms <= now_ms) {
        send_beat(link, false);
        stream->beat_at_ms = now_ms + stream->lease_ms / LINK_BEATS_PER_LEASE;
        stream->beaten_at_ms = now_ms;
        stream->note_at_ms = CLOCK_NEVER;
    } else if (stream->note_at_ms <= now_ms) {
        send_beat(link, true);
        stream->beaten_at_ms = now_ms;
        stream->note_at_ms = CLOCK_NEVER;
    }
    // Without leases there is nothing to renew; a grant sets the time anew.
    return list_is_empty(&link->leases) ? CLOCK_NEVER : earlier(stream->beat_at_ms, stream->note_at_ms);
}

int64_t link_leases_tick(struct work_link *link, int64_t now_ms)
{
    int64_t due_ms = send_answers(link, now_ms);
    if (link->state == LINK_WORKING)
        due_ms = earlier(due_ms, beat(link, now_ms));
    return due_ms;
}
