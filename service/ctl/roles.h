/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roles as words, and users as xqueued knows them.
 *
 * Threading: main thread only.
 */
#ifndef SERVICE_CTL_ROLES_H
#define SERVICE_CTL_ROLES_H

#include <stdbool.h>
#include <stddef.h>

#include "service/ctl/command.h"
#include "xqueue/v1/admin.pb-c.h"

enum { ROLES_MAX = 4, ROLES_TEXT_MAX = 64 };

/* The grants of a request, each for all queues. */
struct roles {
    Xqueue__V1__RoleGrant grants[ROLES_MAX];
    Xqueue__V1__RoleGrant *pointers[ROLES_MAX];
    size_t count;
};

/* Adds the words of "submit,grade" (comma or blank between), each once. STATUS_INVALID with the word in error. */
enum status roles_add(struct roles *roles, const char *words, struct error *error) STATUS_CHECKED;

/* Makes the user of a request have these roles. roles must stay where it is. */
void roles_give(struct roles *roles, Xqueue__V1__User *user);

/* The word of a role; "unknown" for one of a later version. */
const char *roles_word(Xqueue__V1__Role role);

#endif
