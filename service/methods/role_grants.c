/* SPDX-License-Identifier: Apache-2.0 */
#include "service/methods/role_grants.h"

#include <assert.h>

#include "base/config.h"
#include "base/memory.h"
#include "service/methods/contract.h"

enum { ROLES = 4 };

/* A role of the contract is the number of its bit, from 1. */
static_assert(CONFIG_ROLE_SUBMIT == 1 << (XQUEUE__V1__ROLE__ROLE_SUBMIT - 1), "roles have the same order");
static_assert(CONFIG_ROLE_GRADE == 1 << (XQUEUE__V1__ROLE__ROLE_GRADE - 1), "roles have the same order");
static_assert(CONFIG_ROLE_DELIVER == 1 << (XQUEUE__V1__ROLE__ROLE_DELIVER - 1), "roles have the same order");
static_assert(CONFIG_ROLE_ADMIN == 1 << (XQUEUE__V1__ROLE__ROLE_ADMIN - 1), "roles have the same order");
static_assert(ROLES == (int)XQUEUE__V1__ROLE__ROLE_ADMIN, "all roles");

static void fill_queue(struct role_grants *grants, const char *queue, unsigned roles)
{
    for (unsigned role = XQUEUE__V1__ROLE__ROLE_SUBMIT; role <= XQUEUE__V1__ROLE__ROLE_ADMIN; role++) {
        if (roles & 1U << (role - 1)) {
            Xqueue__V1__RoleGrant *grant = &grants->grants[grants->count];
            xqueue__v1__role_grant__init(grant);
            grant->role = (Xqueue__V1__Role)role;
            grant->queue = contract_text(queue);
            grants->pointers[grants->count++] = grant;
        }
    }
}

void role_grants_fill(struct role_grants *out_grants, const struct rights *rights)
{
    size_t most = (rights->count + 1) * ROLES;
    *out_grants = (struct role_grants){
        .grants = memory_allocate_array(most, sizeof *out_grants->grants),
        .pointers = memory_allocate_array(most, sizeof(void *)),
    };
    fill_queue(out_grants, "", rights->everywhere);
    for (size_t i = 0; i < rights->count; i++) {
        fill_queue(out_grants, rights->queues[i].queue, rights->queues[i].roles);
    }
}

void role_grants_finish(struct role_grants *grants)
{
    memory_free(grants->grants);
    memory_free(grants->pointers);
    *grants = (struct role_grants){0};
}

static const char *read_one(const Xqueue__V1__RoleGrant *grant, struct rights *rights)
{
    if (grant->role < XQUEUE__V1__ROLE__ROLE_SUBMIT || grant->role > XQUEUE__V1__ROLE__ROLE_ADMIN) {
        return "a RoleGrant has a role that is none";
    }
    switch (rights_add(rights, grant->queue, 1U << (grant->role - 1))) {
    case STATUS_OK:
        return NULL;
    case STATUS_FULL:
        return "roles for at most 1,000 queues";
    default:
        return "the queue of a RoleGrant is empty, or 1 to 128 bytes without control characters";
    }
}

const char *role_grants_read(Xqueue__V1__RoleGrant *const *grants, size_t count, struct rights *out_rights)
{
    const char *fault = NULL;
    *out_rights = (struct rights){0};
    for (size_t i = 0; i < count && !fault; i++) {
        fault = read_one(grants[i], out_rights);
    }
    if (fault) {
        rights_finish(out_rights);
    }
    return fault;
}
