/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roles as words: "submit,grade" for all queues, "grade:cs101" for one.
 *
 * Threading: main thread only.
 */
#ifndef SERVICE_CTL_ROLES_H
#define SERVICE_CTL_ROLES_H

#include <stddef.h>

#include <jansson.h>

#include "base/status.h"
#include "xqueue/v1/sessions.pb-c.h"

enum { ROLES_TEXT_MAX = 64 };

/* The grants of a request. Zeroed: none. */
struct roles {
    Xqueue__V1__RoleGrant **grants; /* owned, with what they point to: what a message's field is set to */
    size_t count;
};

void roles_finish(struct roles *roles); /* frees; zeroed is fine */

/* Adds "ROLES" or "ROLES:QUEUE", where ROLES are words with commas or blanks between them. STATUS_INVALID with the word in
 * error. */
enum status roles_add(struct roles *roles, const char *text, struct error *error) STATUS_CHECKED;

/* The word of a role; "unknown" for one of a later version. */
const char *roles_word(Xqueue__V1__Role role);

/* Grants as roles_add takes them, with blanks between. Free with memory_free. */
char *roles_text(Xqueue__V1__RoleGrant *const *grants, size_t count);

/* Sets of object: "roles", words of those for all queues, and "queue_roles", a list of {"queue", "role"}. */
void roles_set_json(json_t *object, Xqueue__V1__RoleGrant *const *grants, size_t count);

#endif
