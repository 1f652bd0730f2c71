/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rights as the contract has them: one RoleGrant for each role of each queue.
 *
 * Threading: pure.
 */
#ifndef SERVICE_METHODS_ROLE_GRANTS_H
#define SERVICE_METHODS_ROLE_GRANTS_H

#include "service/rules/rights.h"
#include "xqueue/v1/sessions.pb-c.h"

/* Grants of a reply. */
struct role_grants {
    Xqueue__V1__RoleGrant **pointers; /* owned: what a message's field is set to */
    size_t count;
    Xqueue__V1__RoleGrant *grants; /* owned */
};

/* rights: borrowed for as long as out_grants. */
void role_grants_fill(struct role_grants *out_grants, const struct rights *rights);
void role_grants_finish(struct role_grants *grants);

/* What a request grants, as rights that are the caller's, to be freed with rights_finish. Or the fault, and *out_rights none.
 */
const char *role_grants_read(Xqueue__V1__RoleGrant *const *grants, size_t count, struct rights *out_rights);

#endif
