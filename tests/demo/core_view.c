/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/demo/core_view.h"

#include <stdint.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/rpc/rpc_client_call.h"
#include "base/secret.h"
#include "base/text.h"
#include "xqueue/v1/sessions.pb-c.h"
#include "xqueue/v1/submissions.pb-c.h"

struct core_view {
    struct rpc_loop *loop;
    struct rpc_channel *channel;
    char token[SECRET_KEY_TEXT_MAX];
};

static enum status log_in(struct core_view *view, const char *user, const char *password, struct error *error)
{
    static const struct rpc_client_method method = {"/xqueue.v1.Sessions/Login", &xqueue__v1__login_response__descriptor};
    const struct rpc_call_options options = {.timeout_ms = CORE_VIEW_TIMEOUT_MS, .wait_for_ready = 1};
    Xqueue__V1__LoginRequest request = XQUEUE__V1__LOGIN_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    request.user = (char *)(uintptr_t)user;
    request.password = (char *)(uintptr_t)password;
    enum status status = rpc_channel_call(view->channel, &method, &request.base, &options, &reply, error);
    if (status == STATUS_OK) {
        const Xqueue__V1__LoginResponse *response = (const void *)rpc_message_body(reply);
        (void)text_copy(view->token, sizeof view->token, response->token);
        rpc_message_free(reply);
    }
    return status;
}

enum status core_view_open(const char *address, const char *user, const char *password, struct core_view **out_view,
                           struct error *error)
{
    const struct rpc_channel_options options = {.address = address};
    struct core_view *view = MEMORY_NEW(struct core_view);
    view->loop = rpc_loop_create("core-view");
    enum status status = view->loop ? rpc_channel_create(view->loop, &options, &view->channel) : STATUS_NO_MEMORY;
    if (status == STATUS_OK) {
        status = log_in(view, user, password, error);
    } else {
        status = error_set(error, status, NULL, "no channel to %s", address);
    }
    if (status != STATUS_OK) {
        core_view_close(view);
        return status;
    }
    *out_view = view;
    return STATUS_OK;
}

void core_view_close(struct core_view *view)
{
    if (view) {
        rpc_channel_destroy(view->channel);
        rpc_loop_destroy(view->loop);
        memory_wipe(view->token, sizeof view->token);
        memory_free(view);
    }
}

static void read_state(const Xqueue__V1__GetResponse *response, struct core_view_state *out_state)
{
    Xqueue__V1__SubmissionState state = response->state;
    *out_state = (struct core_view_state){
        .is_leased = state == XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_LEASED,
        .is_graded = state == XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_GRADED,
        .is_over = state >= XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_DEAD,
        .is_delivered = response->delivery_state == XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_DELIVERED,
        .attempt = response->attempt,
        .submitted_at_ms = response->submitted_at_ms,
        .state_at_ms = response->state_at_ms,
        .delivered_at_ms = response->delivered_at_ms,
    };
    (void)text_copy(out_state->grader, sizeof out_state->grader, response->grader);
    (void)text_copy(out_state->message, sizeof out_state->message, response->message);
    const Xqueue__V1__Submission *submission = response->submission;
    if (submission) {
        (void)snprintf(out_state->header, sizeof out_state->header, "%.*s", (int)submission->header.len,
                       (const char *)submission->header.data);
    }
}

enum status core_view_get(struct core_view *view, uint64_t submission_id, struct core_view_state *out_state,
                          struct error *error)
{
    static const struct rpc_client_method method = {"/xqueue.v1.Submissions/Get", &xqueue__v1__get_response__descriptor};
    const struct rpc_call_options options = {.bearer = view->token, .timeout_ms = CORE_VIEW_TIMEOUT_MS, .wait_for_ready = 1};
    Xqueue__V1__GetRequest request = XQUEUE__V1__GET_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    request.submission_id = submission_id;
    request.with_submission = true;
    enum status status = rpc_channel_call(view->channel, &method, &request.base, &options, &reply, error);
    if (status == STATUS_OK) {
        read_state((const void *)rpc_message_body(reply), out_state);
        rpc_message_free(reply);
    }
    return status;
}
