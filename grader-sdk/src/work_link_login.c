/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/src/login.h"
#include "grader-sdk/src/work_link_internal.h"

_Static_assert(LINK_TOKEN_BYTES_MAX + 1 == SETTINGS_TOKEN_MAX, "every token has room");

/* RPC loop. */
static void on_reply(void *context, enum status status, struct rpc_message *reply, const struct error *error)
{
    inbox_post_login(context, status, reply, error);
}

void link_login_start(struct work_link *link)
{
    struct error error = {0};
    enum status status = login_start(&link->with, on_reply, link->with.inbox, &error);
    if (status == STATUS_OK)
        link_move(link, LINK_LOGIN);
    else
        link_attempt_failed(link, status, &error);
}

void link_token_open(struct work_link *link)
{
    struct error error = {0};
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
    if (status == STATUS_OK)
        status = login_read(outcome->reply, link->token, &outcome->error);
    rpc_message_free(outcome->reply);
    if (status != STATUS_OK || link->over) {
        link->token[0] = '\0';
        link_attempt_failed(link, status, &outcome->error);
        return;
    }
    link->token_is_fresh = true;
    link_open_stream(link);
}
