/* SPDX-License-Identifier: Apache-2.0 */
#include <xqueue/v1/sessions.pb-c.h>

#include "base/memory.h"
#include "base/text.h"
#include "grader-sdk/src/work_link_internal.h"

static const struct rpc_client_method login_method = {.path = "/xqueue.v1.Sessions/Login",
                                                      .reply = &xqueue__v1__login_response__descriptor};

/* RPC loop. */
static void on_reply(void *context, enum status status, struct rpc_message *reply, const struct error *error)
{
    inbox_post_login(context, status, reply, error);
}

static enum status start(struct work_link *link, char *password)
{
    Xqueue__V1__LoginRequest request = XQUEUE__V1__LOGIN_REQUEST__INIT;
    request.user = link->with.settings->user;
    request.password = password;
    struct rpc_call_options options = {.timeout_ms = link->with.timing->login_timeout_ms};
    return rpc_channel_start(link->with.channel, &login_method, &request.base, &options, on_reply, link->with.inbox);
}

void link_login_start(struct work_link *link)
{
    char password[XQUEUE_PASSWORD_BYTES_MAX + 1];
    struct error error = {0};
    enum status status = settings_password(link->with.settings, password, &error);
    if (status == STATUS_OK) {
        status = start(link, password);
        memory_wipe(password, sizeof(password));
        if (status != STATUS_OK)
            (void)error_set(&error, status, NULL, "the login cannot be started: %s", status_name(status));
    }
    if (status == STATUS_OK)
        link_move(link, LINK_LOGIN);
    else
        link_attempt_failed(link, status, &error);
}

void link_token_open(struct work_link *link)
{
    struct error error = {0};
    _Static_assert(sizeof(link->token) >= SETTINGS_TOKEN_MAX, "a token has room");
    enum status status = settings_token(link->with.settings, link->token, &error);
    if (status != STATUS_OK) {
        link->token[0] = '\0';
        link_attempt_failed(link, status, &error);
        return;
    }
    link->token_is_fresh = true;
    link_open_stream(link);
}

void link_login_done(struct work_link *link, struct inbox_outcome *outcome)
{
    enum status status = outcome->status;
    if (status == STATUS_OK) {
        const Xqueue__V1__LoginResponse *reply = (const Xqueue__V1__LoginResponse *)rpc_message_body(outcome->reply);
        if (!reply->token[0] || !text_copy(link->token, sizeof(link->token), reply->token))
            status = error_set(&outcome->error, STATUS_INTERNAL, NULL, "the service's token is empty or too long");
    }
    rpc_message_free(outcome->reply);
    if (status != STATUS_OK || link->over) {
        link->token[0] = '\0';
        link_attempt_failed(link, status, &outcome->error);
        return;
    }
    link->token_is_fresh = true;
    link_open_stream(link);
}
