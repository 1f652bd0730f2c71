/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody may do: roles for all queues, and roles for single queues. Roles are bits of enum config_role.
 *
 * Threading: pure.
 */
#ifndef SERVICE_RULES_RIGHTS_H
#define SERVICE_RULES_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum {
    RIGHTS_QUEUES_MAX = 1000,    /* single queues of one user or token */
    RIGHTS_QUEUE_NAME_MAX = 129, /* with a NUL */
    RIGHTS_ALL_ROLES = 15,
};

struct queue_right {
    char queue[RIGHTS_QUEUE_NAME_MAX];
    unsigned roles;
};

/* Zeroed: none. */
struct rights {
    unsigned everywhere;        /* roles for all queues */
    struct queue_right *queues; /* owned; by name, each with a role */
    size_t count;
};

void rights_finish(struct rights *rights); /* none afterwards */
/* *to: another's copy, to be freed with rights_finish; what it held before is not freed. */
void rights_copy(struct rights *to, const struct rights *from);

/* More roles for queue ("" = for all). STATUS_FULL: RIGHTS_QUEUES_MAX; STATUS_INVALID: no name, or no role. */
enum status rights_add(struct rights *rights, const char *queue, unsigned roles) STATUS_CHECKED;

/* The roles for queue; "": those for all queues. */
unsigned rights_for(const struct rights *rights, const char *queue);
/* The roles for one queue at least. */
unsigned rights_anywhere(const struct rights *rights);
/* Does whole contain all of part? */
bool rights_cover(const struct rights *whole, const struct rights *part);

/* The rights for single queues as text, "ROLES QUEUE" and a line feed each; "" for none. Free with memory_free. */
char *rights_write_queues(const struct rights *rights);
/* Adds what rights_write_queues wrote. STATUS_INVALID: it is something else. */
enum status rights_read_queues(struct rights *rights, const char *text) STATUS_CHECKED;

#endif
