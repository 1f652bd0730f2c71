/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/roles.h"

#include <string.h>

static const struct {
    const char *word;
    Xqueue__V1__Role role;
} words_of[ROLES_MAX] = {
    {"submit", XQUEUE__V1__ROLE__ROLE_SUBMIT},
    {"grade", XQUEUE__V1__ROLE__ROLE_GRADE},
    {"deliver", XQUEUE__V1__ROLE__ROLE_DELIVER},
    {"admin", XQUEUE__V1__ROLE__ROLE_ADMIN},
};

static void add(struct roles *roles, Xqueue__V1__Role role)
{
    for (size_t at = 0; at < roles->count; at++) {
        if (roles->grants[at].role == role)
            return;
    }
    Xqueue__V1__RoleGrant *grant = &roles->grants[roles->count++];
    xqueue__v1__role_grant__init(grant);
    grant->role = role;
}

enum status roles_add(struct roles *roles, const char *words, struct error *error)
{
    static const char separators[] = ", ";
    for (words += strspn(words, separators); *words != '\0'; words += strspn(words, separators)) {
        size_t length = strcspn(words, separators);
        size_t at = 0;
        while (at < ROLES_MAX && (strlen(words_of[at].word) != length || memcmp(words, words_of[at].word, length) != 0))
            at++;
        if (at == ROLES_MAX)
            return error_set(error, STATUS_INVALID, NULL, "'%.*s' is not a role: submit, grade, deliver, admin",
                             length < ROLES_TEXT_MAX ? (int)length : ROLES_TEXT_MAX, words);
        add(roles, words_of[at].role);
        words += length;
    }
    return STATUS_OK;
}

void roles_give(struct roles *roles, Xqueue__V1__User *user)
{
    for (size_t at = 0; at < roles->count; at++)
        roles->pointers[at] = &roles->grants[at];
    user->n_grants = roles->count;
    user->grants = roles->pointers;
}

const char *roles_word(Xqueue__V1__Role role)
{
    for (size_t at = 0; at < ROLES_MAX; at++) {
        if (words_of[at].role == role)
            return words_of[at].word;
    }
    return "unknown";
}
