/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "grader-sdk/mock/mock_rules.h"
#include "grader-sdk/mock/mock_session_internal.h"

enum { SLOTS_MAX = 10000, HELD_MAX = 10000 };

/* What is wrong with it; NULL: nothing. */
static const char *fault_of(const Xqueue__V1__Hello *hello)
{
    if (!text_is_name(hello->grader, MOCK_NAME_MAX - 1))
        return "Hello.grader is no name of 1 to 128 bytes";
    if (!text_is_name(hello->instance, MOCK_INSTANCE_MAX - 1))
        return "Hello.instance is no name of 1 to 64 bytes";
    if (hello->n_queues < 1 || hello->n_queues > XQUEUE_QUEUES_MAX)
        return "Hello.queues are not 1 to 100";
    for (size_t i = 0; i < hello->n_queues; i++)
        if (!text_is_name(hello->queues[i], MOCK_NAME_MAX - 1))
            return "one of Hello.queues is no name of 1 to 128 bytes";
    if (hello->slots < 1 || hello->slots > SLOTS_MAX)
        return "Hello.slots are not 1 to 10,000";
    if (hello->n_labels > XQUEUE_LABELS_MAX)
        return "Hello.labels are more than 32";
    return hello->n_held > HELD_MAX ? "Hello.held are more than 10,000" : NULL;
}

static void keep(struct mock_session *session, const Xqueue__V1__Hello *hello)
{
    (void)text_copy(session->grader, sizeof(session->grader), hello->grader);
    (void)text_copy(session->instance, sizeof(session->instance), hello->instance);
    session->slots = hello->slots;
    session->queue_count = hello->n_queues;
    session->queues = memory_allocate_array(hello->n_queues, sizeof(char *));
    for (size_t i = 0; i < hello->n_queues; i++)
        session->queues[i] = memory_copy_text(hello->queues[i]);
    session->label_count = hello->n_labels;
    session->labels = memory_allocate_array(hello->n_labels, sizeof(struct mock_label));
    for (size_t i = 0; i < hello->n_labels; i++)
        session->labels[i] =
            (struct mock_label){memory_copy_text(hello->labels[i]->key), memory_copy_text(hello->labels[i]->value)};
}

/* An older stream of the same grader ends, and what another start of it held is taken back. */
static void replace_older(struct xqueue_mock *mock, const struct mock_session *session)
{
    struct error error;
    (void)error_set(&error, STATUS_STALE, "SESSION_REPLACED", "the grader has come again");
    for (struct list_node *node = list_first(&mock->sessions); node; node = list_next(&mock->sessions, node)) {
        struct mock_session *older = LIST_OWNER(node, struct mock_session, node);
        if (older != session && mock_session_is_live(older) && strcmp(older->grader, session->grader) == 0)
            mock_session_end(older, STATUS_STALE, &error);
    }
    for (struct mock_submission *at = mock_next(mock, NULL); at; at = mock_next(mock, at))
        if (at->state == XQUEUE_MOCK_STATE_LEASED && strcmp(at->grader, session->grader) == 0 &&
            strcmp(at->lease.instance, session->instance) != 0)
            mock_rules_take(mock, at, XQUEUE_LOST_EXPIRED, mock_session_tell_lost);
}

static void send_welcome(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__Hello *hello)
{
    char name[] = "mock";
    Xqueue__V1__LeaseRef **kept = memory_allocate_array(hello->n_held, sizeof(Xqueue__V1__LeaseRef *));
    Xqueue__V1__LeaseLost **lost = memory_allocate_array(hello->n_held, sizeof(Xqueue__V1__LeaseLost *));
    Xqueue__V1__LeaseLost *reasons = memory_allocate_array(hello->n_held, sizeof(*reasons));
    Xqueue__V1__Welcome welcome = XQUEUE__V1__WELCOME__INIT;
    for (size_t i = 0; i < hello->n_held; i++) {
        Xqueue__V1__LeaseRef *ref = hello->held[i];
        struct mock_submission *submission = mock_rules_held(mock, ref->submission_id, ref->lease_key);
        if (submission) {
            submission->lease.is_accepted = true;
            mock_rules_renew(mock, submission);
            kept[welcome.n_kept++] = ref;
        } else {
            Xqueue__V1__LeaseLost *reason = &reasons[welcome.n_lost];
            xqueue__v1__lease_lost__init(reason);
            reason->lease = ref;
            reason->reason = (Xqueue__V1__LostReason)mock_rules_why_lost(mock, ref->submission_id, ref->lease_key);
            lost[welcome.n_lost++] = reason;
        }
    }
    welcome.session = name;
    welcome.kept = kept;
    welcome.lost = lost;
    welcome.ping_period_ms = mock->options.ping_period_ms;
    welcome.lease_ms = mock->options.lease_ms;
    welcome.result_bytes_max = mock->options.result_bytes_max;
    welcome.leases_max = hello->slots;
    mock_session_sent(session, mock_wire_welcome(session->call, &welcome));
    memory_free(kept);
    memory_free(lost);
    memory_free(reasons);
}

void mock_session_hello(struct xqueue_mock *mock, struct mock_session *session, const Xqueue__V1__Hello *hello)
{
    const char *fault = fault_of(hello);
    mock_count_event(mock, NULL, XQUEUE_MOCK_HELLO);
    if (fault || mock->refusal.count > 0)
        mock_count_event(mock, NULL, XQUEUE_MOCK_HELLO_REFUSED);
    if (fault) {
        mock_session_breach(session, "HELLO_INVALID", fault);
    } else if (mock->refusal.count > 0) {
        mock->refusal.count--;
        mock_session_end(session, mock->refusal.status, &mock->refusal.error);
    } else {
        keep(session, hello);
        replace_older(mock, session);
        session->is_welcome = true;
        session->ping_at_ms = clock_now_ms(clock_system()) + mock->options.ping_period_ms;
        send_welcome(mock, session, hello);
        mock_count_event(mock, NULL, XQUEUE_MOCK_WELCOME);
    }
}
