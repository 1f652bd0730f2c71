/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/src/login.h"

#include <xqueue/v1/sessions.pb-c.h>

#include "base/memory.h"
#include "base/text.h"

static const struct rpc_client_method login_method = {.path = "/xqueue.v1.Sessions/Login",
                                                      .reply = &xqueue__v1__login_response__descriptor};

/* password: XQUEUE_PASSWORD_BYTES_MAX + 1, to be wiped. */
static enum status fill(const struct settings *settings, char *password, Xqueue__V1__LoginRequest *out_request,
                        struct error *error)
{
    enum status status = settings_password(settings, password, error);
    *out_request = (Xqueue__V1__LoginRequest)XQUEUE__V1__LOGIN_REQUEST__INIT;
    out_request->user = settings->user;
    out_request->password = password;
    return status;
}

enum status login_start(const struct work_link_options *with, rpc_client_on_reply *on_reply, void *context, struct error *error)
{
    char password[XQUEUE_PASSWORD_BYTES_MAX + 1] = "";
    Xqueue__V1__LoginRequest request;
    enum status status = fill(with->settings, password, &request, error);
    if (status == STATUS_OK) {
        struct rpc_call_options options = {.timeout_ms = with->timing->login_timeout_ms};
        status = rpc_channel_start(with->channel, &login_method, &request.base, &options, on_reply, context);
        if (status != STATUS_OK)
            (void)error_set(error, status, NULL, "the login cannot be started: %s", status_name(status));
    }
    memory_wipe(password, sizeof(password));
    return status;
}

enum status login_call(const struct work_link_options *with, struct rpc_message **out_reply, struct error *error)
{
    char password[XQUEUE_PASSWORD_BYTES_MAX + 1] = "";
    Xqueue__V1__LoginRequest request;
    enum status status = fill(with->settings, password, &request, error);
    if (status == STATUS_OK) {
        struct rpc_call_options options = {.timeout_ms = with->timing->login_timeout_ms};
        status = rpc_channel_call(with->channel, &login_method, &request.base, &options, out_reply, error);
    }
    memory_wipe(password, sizeof(password));
    return status;
}

enum status login_read(const struct rpc_message *reply, char *out, struct error *error)
{
    const Xqueue__V1__LoginResponse *body = (const Xqueue__V1__LoginResponse *)rpc_message_body(reply);
    if (body->token[0] && text_copy(out, SETTINGS_TOKEN_MAX, body->token))
        return STATUS_OK;
    return error_set(error, STATUS_INTERNAL, NULL, "the service's token is empty or too long");
}
