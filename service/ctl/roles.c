/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/roles.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "service/ctl/report.h"

enum { ROLES = 4, TEXT_BYTES_MAX = 1024 * 1024 };

static const struct {
    const char *word;
    Xqueue__V1__Role role;
} words_of[ROLES] = {
    {"submit", XQUEUE__V1__ROLE__ROLE_SUBMIT},
    {"grade", XQUEUE__V1__ROLE__ROLE_GRADE},
    {"deliver", XQUEUE__V1__ROLE__ROLE_DELIVER},
    {"admin", XQUEUE__V1__ROLE__ROLE_ADMIN},
};

void roles_finish(struct roles *roles)
{
    for (size_t at = 0; at < roles->count; at++) {
        memory_free(roles->grants[at]->queue);
        memory_free(roles->grants[at]);
    }
    memory_free(roles->grants);
    *roles = (struct roles){0};
}

static void add(struct roles *roles, Xqueue__V1__Role role, const char *queue)
{
    for (size_t at = 0; at < roles->count; at++) {
        if (roles->grants[at]->role == role && strcmp(roles->grants[at]->queue, queue) == 0)
            return;
    }
    Xqueue__V1__RoleGrant *grant = MEMORY_NEW(Xqueue__V1__RoleGrant);
    xqueue__v1__role_grant__init(grant);
    grant->role = role;
    grant->queue = memory_copy_text(queue);
    roles->grants = memory_resize(roles->grants, (roles->count + 1) * sizeof(void *));
    roles->grants[roles->count++] = grant;
}

enum status roles_add(struct roles *roles, const char *text, struct error *error)
{
    static const char separators[] = ", ";
    size_t words_length = strcspn(text, ":");
    const char *end = text + words_length;
    const char *queue = *end == ':' ? end + 1 : "";
    if (*end == ':' && *queue == '\0')
        return error_set(error, STATUS_INVALID, NULL, "'%.*s' names no queue after ':'", ROLES_TEXT_MAX, text);
    for (text += strspn(text, separators); text < end; text += strspn(text, separators)) {
        size_t length = strcspn(text, ", :");
        size_t at = 0;
        while (at < ROLES && (strlen(words_of[at].word) != length || memcmp(text, words_of[at].word, length) != 0))
            at++;
        if (at == ROLES)
            return error_set(error, STATUS_INVALID, NULL, "'%.*s' is not a role: submit, grade, deliver, admin",
                             length < ROLES_TEXT_MAX ? (int)length : ROLES_TEXT_MAX, text);
        add(roles, words_of[at].role, queue);
        text += length;
    }
    return STATUS_OK;
}

const char *roles_word(Xqueue__V1__Role role)
{
    for (size_t at = 0; at < ROLES; at++) {
        if (words_of[at].role == role)
            return words_of[at].word;
    }
    return "unknown";
}

char *roles_text(Xqueue__V1__RoleGrant *const *grants, size_t count)
{
    struct text text;
    text_init(&text, TEXT_BYTES_MAX);
    for (size_t at = 0; at < count; at++) {
        bool same_queue = at > 0 && strcmp(grants[at]->queue, grants[at - 1]->queue) == 0;
        bool last_of_queue = at + 1 == count || strcmp(grants[at]->queue, grants[at + 1]->queue) != 0;
        bool ends = last_of_queue && grants[at]->queue[0] != '\0';
        text_append_format(&text, "%s%s%s%s",
                           at == 0      ? ""
                           : same_queue ? ","
                                        : " ",
                           roles_word(grants[at]->role), ends ? ":" : "", ends ? grants[at]->queue : "");
    }
    char *words = text_take(&text, NULL);
    text_finish(&text);
    return words;
}

void roles_set_json(json_t *object, Xqueue__V1__RoleGrant *const *grants, size_t count)
{
    json_t *words = json_array();
    json_t *queue_roles = json_array();
    for (size_t at = 0; at < count; at++) {
        const char *word = roles_word(grants[at]->role);
        if (grants[at]->queue[0] == '\0')
            (void)json_array_append_new(words, json_string(word));
        else
            (void)json_array_append_new(queue_roles,
                                        json_pack("{s:o, s:s}", "queue", report_json_text(grants[at]->queue), "role", word));
    }
    (void)json_object_set_new(object, "roles", words);
    (void)json_object_set_new(object, "queue_roles", queue_roles);
}
