/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fetches of files share with the link: its channel, the credentials that the service took last, and who is to be woken
 * when a lease is lost. A session may end while the Work stream goes on; then a fetch makes one of its own, for all that
 * follow.
 *
 * Threading: set_token and lost on the link thread, everything else on any (lock). Lives as long as the link.
 */
#ifndef GRADER_SDK_SRC_FILE_ACCESS_H
#define GRADER_SDK_SRC_FILE_ACCESS_H

#include <pthread.h>

#include "base/list.h"
#include "grader-sdk/src/work_link.h"

struct file_access {
    const struct work_link_options *with; /* borrowed */

    pthread_mutex_t renewing; /* held by the one that asks for another token; taken before mutex */

    pthread_mutex_t mutex;
    /* guarded by mutex */
    struct list waiters; /* struct file_waiter.node */
    char token[SETTINGS_TOKEN_MAX];
};

/* Somebody who fetches a file of a submission and waits on changed, with the access's mutex. */
struct file_waiter {
    struct list_node node;
    const struct xqueue_submission *submission; /* borrowed */
    pthread_cond_t changed;
};

/* with is borrowed for the access's life. */
void file_access_init(struct file_access *access, const struct work_link_options *with);
/* No waiter is left. */
void file_access_finish(struct file_access *access);

void file_access_enter(struct file_access *access, struct file_waiter *waiter, const struct xqueue_submission *submission);
void file_access_leave(struct file_access *access, struct file_waiter *waiter);

/* The lease of the submission is lost: those who fetch for it look at it anew. */
void file_access_lost(struct file_access *access, const struct xqueue_submission *submission);

/* What the link goes with; "": nothing. */
void file_access_set_token(struct file_access *access, const char *token);
/* out: SETTINGS_TOKEN_MAX bytes, to be wiped after use; "": without credentials. */
void file_access_token(struct file_access *access, char *out);
/*
 * The service has refused this token: reads the token anew or logs in, unless somebody else has done so meanwhile. Blocks, at
 * most timing->login_timeout_ms. STATUS_UNAUTHENTICATED: there is nothing else to be tried; else what the login failed with.
 */
enum status file_access_renew(struct file_access *access, const char *refused, struct error *error) STATUS_CHECKED;

#endif
