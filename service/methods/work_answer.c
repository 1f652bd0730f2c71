/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"
#include "service/methods/contract.h"
#include "service/methods/work_sender.h"
#include "service/methods/work_stream_internal.h"
#include "service/work_session.h"

static void work_send_ack(struct work_command *work, Xqueue__V1__LeaseRef *lease, Xqueue__V1__AckItem item)
{
    struct work_verdict verdict = {.item = item, .status = work->status, .already = work->already, .error = &work->error};
    work_sender_ack(work->stream->call, lease, &verdict);
}

static void work_send_welcome(struct work_command *work)
{
    const struct service *service = work->stream->service;
    size_t count = work_message(work)->hello->n_held;
    Xqueue__V1__LeaseRef *refs = memory_allocate_array(count, sizeof *refs);
    Xqueue__V1__LeaseRef **kept = memory_allocate_array(count, sizeof(void *));
    Xqueue__V1__LeaseLost *losses = memory_allocate_array(count, sizeof *losses);
    Xqueue__V1__LeaseLost **lost = memory_allocate_array(count, sizeof(void *));
    Xqueue__V1__Welcome welcome = XQUEUE__V1__WELCOME__INIT;
    for (size_t i = 0; i < count; i++) {
        refs[i] = work_sender_lease_ref(work->held_names[i].submission_id, work->held_names[i].key);
        if (work->held[i].kept) {
            kept[welcome.n_kept++] = &refs[i];
        } else {
            xqueue__v1__lease_lost__init(&losses[i]);
            losses[i].lease = &refs[i];
            losses[i].reason = (Xqueue__V1__LostReason)work->held[i].reason;
            lost[welcome.n_lost++] = &losses[i];
        }
    }
    char session[SECRET_KEY_TEXT_MAX];
    secret_key(session);
    welcome.session = session;
    welcome.kept = kept;
    welcome.lost = lost;
    welcome.ping_period_ms = service->config->service.ping_period_ms;
    welcome.lease_ms = work_session_lease_ms(work->stream->session);
    welcome.result_bytes_max = GRADING_RESULT_BYTES_MAX;
    welcome.leases_max = (uint32_t)work->stream->session->grader->leases_max;
    Xqueue__V1__ServerMessage message = XQUEUE__V1__SERVER_MESSAGE__INIT;
    message.kind_case = XQUEUE__V1__SERVER_MESSAGE__KIND_WELCOME;
    message.welcome = &welcome;
    method_send(work->stream->call, &message.base);
    memory_free(refs);
    memory_free(kept);
    memory_free(losses);
    memory_free(lost);
}

/* Says what a heartbeat did not do: leases that are lost, and those that will run out before a full lease length. */
static void work_answer_heartbeat(struct work_command *work)
{
    const Xqueue__V1__Heartbeat *heartbeat = work_message(work)->heartbeat;
    for (size_t i = 0; i < heartbeat->n_leases && work->expires_in_ms; i++) {
        struct lease_name lease;
        int64_t expires_in_ms = work->expires_in_ms[i];
        if (!contract_lease_name(heartbeat->leases[i]->lease, &lease) || expires_in_ms == 0) {
            continue;
        }
        if (expires_in_ms < 0) {
            work_sender_lost(work->stream->call, lease.submission_id, lease.key, (enum lost_reason)(-expires_in_ms));
            continue;
        }
        Xqueue__V1__LeaseRef ref = work_sender_lease_ref(lease.submission_id, lease.key);
        Xqueue__V1__LeaseStatus status = XQUEUE__V1__LEASE_STATUS__INIT;
        Xqueue__V1__ServerMessage message = XQUEUE__V1__SERVER_MESSAGE__INIT;
        status.lease = &ref;
        status.expires_in_ms = expires_in_ms;
        message.kind_case = XQUEUE__V1__SERVER_MESSAGE__KIND_LEASE_STATUS;
        message.lease_status = &status;
        method_send(work->stream->call, &message.base);
    }
}

void work_answer(struct work_command *work)
{
    const Xqueue__V1__GraderMessage *message = work_message(work);
    switch (message->kind_case) {
    case XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO:
        if (work->stream->session) { /* not gone again within the batch */
            work_send_welcome(work);
        }
        break;
    case XQUEUE__V1__GRADER_MESSAGE__KIND_ACCEPT:
        if (work->status != STATUS_OK) {
            work_send_ack(work, message->accept->lease, XQUEUE__V1__ACK_ITEM__ACK_ITEM_ACCEPT);
        }
        break;
    case XQUEUE__V1__GRADER_MESSAGE__KIND_REJECT:
        work_send_ack(work, message->reject->lease, XQUEUE__V1__ACK_ITEM__ACK_ITEM_REJECT);
        break;
    case XQUEUE__V1__GRADER_MESSAGE__KIND_HEARTBEAT:
        if (work->status == STATUS_OK) { /* else it came to nothing: the next one counts */
            work_answer_heartbeat(work);
        }
        break;
    case XQUEUE__V1__GRADER_MESSAGE__KIND_COMPLETE:
        work_send_ack(work, message->complete->lease, XQUEUE__V1__ACK_ITEM__ACK_ITEM_COMPLETE);
        break;
    case XQUEUE__V1__GRADER_MESSAGE__KIND_FAIL:
        work_send_ack(work, message->fail->lease, XQUEUE__V1__ACK_ITEM__ACK_ITEM_FAIL);
        break;
    case XQUEUE__V1__GRADER_MESSAGE__KIND_RELEASE:
        work_send_ack(work, message->release->lease, XQUEUE__V1__ACK_ITEM__ACK_ITEM_RELEASE);
        break;
    case XQUEUE__V1__GRADER_MESSAGE__KIND_PING:
        work_sender_pong(work->stream->call, message->ping->number);
        break;
    default:
        break;
    }
}
