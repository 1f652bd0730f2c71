/* SPDX-License-Identifier: Apache-2.0 */
#include "service/methods/work_rights.h"

#include "service/methods/contract.h"

/* Before the session looks for them, so that nobody learns which queues there are. */
static enum status check_hello(struct rpc_server_call *call, const Xqueue__V1__Hello *hello, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < hello->n_queues && i < WORK_SESSION_QUEUES_MAX && status == STATUS_OK; i++) {
        status = method_check_queue(call, METHOD_GRADE, hello->queues[i], error);
    }
    return status;
}

/* What a session would be granted in a queue that its user has lost is not his any more. */
static enum status check_places(struct rpc_server_call *call, const struct work_session *session, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < session->place_count && status == STATUS_OK; i++) {
        status = method_check_queue(call, METHOD_GRADE, session->places[i].queue->settings->name, error);
    }
    return status;
}

/* A lease that is none is for what follows to refuse. */
static enum status check_lease(struct rpc_server_call *call, struct queues *queues, const Xqueue__V1__LeaseRef *ref,
                               struct error *error)
{
    struct lease_name lease;
    if (!contract_lease_name(ref, &lease)) {
        return STATUS_OK;
    }
    return method_check_submission(call, queues, METHOD_GRADE, lease.submission_id, error);
}

static enum status check_heartbeat(struct rpc_server_call *call, struct queues *queues, const Xqueue__V1__Heartbeat *heartbeat,
                                   struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < heartbeat->n_leases && i < WORK_SESSION_HELD_MAX && status == STATUS_OK; i++) {
        status = check_lease(call, queues, heartbeat->leases[i]->lease, error);
    }
    return status;
}

static enum status check_leases(struct rpc_server_call *call, struct queues *queues, const Xqueue__V1__GraderMessage *message,
                                struct error *error)
{
    switch (message->kind_case) {
    case XQUEUE__V1__GRADER_MESSAGE__KIND_ACCEPT:
        return check_lease(call, queues, message->accept->lease, error);
    case XQUEUE__V1__GRADER_MESSAGE__KIND_REJECT:
        return check_lease(call, queues, message->reject->lease, error);
    case XQUEUE__V1__GRADER_MESSAGE__KIND_HEARTBEAT:
        return check_heartbeat(call, queues, message->heartbeat, error);
    case XQUEUE__V1__GRADER_MESSAGE__KIND_COMPLETE:
        return check_lease(call, queues, message->complete->lease, error);
    case XQUEUE__V1__GRADER_MESSAGE__KIND_FAIL:
        return check_lease(call, queues, message->fail->lease, error);
    case XQUEUE__V1__GRADER_MESSAGE__KIND_RELEASE:
        return check_lease(call, queues, message->release->lease, error);
    default:
        return STATUS_OK;
    }
}

enum status work_rights_check(struct rpc_server_call *call, struct queues *queues, const struct work_session *session,
                              const Xqueue__V1__GraderMessage *message, struct error *error)
{
    if (method_has_role_everywhere(call, METHOD_GRADE)) {
        return STATUS_OK;
    }
    if (message->kind_case == XQUEUE__V1__GRADER_MESSAGE__KIND_HELLO) {
        return check_hello(call, message->hello, error);
    }
    enum status status = session ? check_places(call, session, error) : STATUS_OK;
    return status == STATUS_OK ? check_leases(call, queues, message, error) : status;
}
