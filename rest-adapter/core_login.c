/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/core_login.h"

#include "base/log.h"
#include "base/text.h"
#include "xqueue/v1/sessions.pb-c.h"

static const struct rpc_client_method login_method = {"/xqueue.v1.Sessions/Login", &xqueue__v1__login_response__descriptor};
static const struct rpc_client_method logout_method = {"/xqueue.v1.Sessions/Logout", &xqueue__v1__logout_response__descriptor};

static enum status ask_core(struct core_client *core, const struct config *config, const ProtobufCMessage *request,
                            struct rpc_message **out_reply, struct error *error)
{
    static struct log_once refused;
    enum status status = core_client_login_own(core, error);
    if (status == STATUS_UNAUTHENTICATED) {
        if (log_once_enter(&refused))
            log_event(LOG_ERROR, "own_login_refused", LOG_TEXT("user", config->rest.user));
        return error_set(error, STATUS_UNAVAILABLE, NULL, "the adapter cannot log in to the queue");
    }
    if (status != STATUS_OK)
        return status;
    (void)log_once_leave(&refused);
    return core_client_call_own(core, &login_method, request, config->rest.core_timeout_ms, out_reply, error);
}

enum status core_login_open(struct core_client *core, const struct config *config, const struct core_login *login,
                            struct core_session *out_session, struct error *error)
{
    Xqueue__V1__LoginRequest request = XQUEUE__V1__LOGIN_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    request.user = (char *)login->user;
    request.password = (char *)login->password;
    request.peer = (char *)login->peer;
    request.replaces = (char *)login->replaces;
    enum status status = ask_core(core, config, &request.base, &reply, error);
    if (status != STATUS_OK)
        return status;
    const Xqueue__V1__LoginResponse *session = (const Xqueue__V1__LoginResponse *)(const void *)rpc_message_body(reply);
    out_session->expires_in_ms = session->expires_in_ms;
    if (session->token[0] == '\0' || !text_copy(out_session->token, sizeof(out_session->token), session->token))
        status = error_set(error, STATUS_INTERNAL, NULL, "the core answered a login without a usable token");
    rpc_message_free(reply);
    return status;
}

enum status core_login_close(struct core_client *core, const char *token, struct error *error)
{
    Xqueue__V1__LogoutRequest request = XQUEUE__V1__LOGOUT_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    enum status status = core_client_call(core, &logout_method, &request.base, token, &reply, error);
    if (status == STATUS_UNAUTHENTICATED)
        return STATUS_OK;
    if (status == STATUS_OK)
        rpc_message_free(reply);
    return status;
}
