/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/src/file_access.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "grader-sdk/src/login.h"

void file_access_init(struct file_access *access, const struct work_link_options *with)
{
    access->with = with;
    pthread_mutex_init(&access->renewing, NULL);
    pthread_mutex_init(&access->mutex, NULL);
    list_init(&access->waiters);
    access->token[0] = '\0';
}

void file_access_finish(struct file_access *access)
{
    assert(list_is_empty(&access->waiters));
    memory_wipe(access->token, sizeof(access->token));
    pthread_mutex_destroy(&access->mutex);
    pthread_mutex_destroy(&access->renewing);
}

void file_access_enter(struct file_access *access, struct file_waiter *waiter, const struct xqueue_submission *submission)
{
    waiter->submission = submission;
    clock_condition_init(&waiter->changed);
    pthread_mutex_lock(&access->mutex);
    list_append(&access->waiters, &waiter->node);
    pthread_mutex_unlock(&access->mutex);
}

void file_access_leave(struct file_access *access, struct file_waiter *waiter)
{
    pthread_mutex_lock(&access->mutex);
    list_remove(&access->waiters, &waiter->node);
    pthread_mutex_unlock(&access->mutex);
    pthread_cond_destroy(&waiter->changed);
}

void file_access_lost(struct file_access *access, const struct xqueue_submission *submission)
{
    pthread_mutex_lock(&access->mutex);
    for (struct list_node *node = list_first(&access->waiters); node; node = list_next(&access->waiters, node)) {
        struct file_waiter *waiter = LIST_OWNER(node, struct file_waiter, node);
        if (waiter->submission == submission)
            pthread_cond_signal(&waiter->changed);
    }
    pthread_mutex_unlock(&access->mutex);
}

/* ---- credentials ---- */

void file_access_set_token(struct file_access *access, const char *token)
{
    pthread_mutex_lock(&access->mutex);
    (void)text_copy(access->token, sizeof(access->token), token);
    pthread_mutex_unlock(&access->mutex);
}

void file_access_token(struct file_access *access, char *out)
{
    pthread_mutex_lock(&access->mutex);
    (void)text_copy(out, SETTINGS_TOKEN_MAX, access->token);
    pthread_mutex_unlock(&access->mutex);
}

/* out: SETTINGS_TOKEN_MAX bytes. */
static enum status log_in(const struct work_link_options *with, char *out, struct error *error)
{
    struct rpc_message *reply = NULL;
    enum status status = login_call(with, &reply, error);
    if (status == STATUS_OK)
        status = login_read(reply, out, error);
    rpc_message_free(reply);
    return status;
}

/* Another token than the refused one, into out. */
static enum status find_token(const struct work_link_options *with, const char *refused, char *out, struct error *error)
{
    if (with->settings->user)
        return log_in(with, out, error);
    if (!settings_have_token(with->settings))
        return STATUS_UNAUTHENTICATED;
    enum status status = settings_token(with->settings, out, error);
    return status == STATUS_OK && strcmp(out, refused) == 0 ? STATUS_UNAUTHENTICATED : status;
}

enum status file_access_renew(struct file_access *access, const char *refused, struct error *error)
{
    char token[SETTINGS_TOKEN_MAX];
    enum status status = STATUS_OK;
    pthread_mutex_lock(&access->renewing);
    file_access_token(access, token);
    if (strcmp(token, refused) == 0)
        status = find_token(access->with, refused, token, error);
    if (status == STATUS_OK)
        file_access_set_token(access, token);
    pthread_mutex_unlock(&access->renewing);
    memory_wipe(token, sizeof(token));
    return status;
}
