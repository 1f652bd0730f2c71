/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `import-config` makes of an original's configuration before anything is written: queues, users, secrets and single
 * values, each with the line that it came from, and notes about all that was not taken over as it stands.
 *
 * Secrets are values that go into files of their own; legacy_plan_finish wipes them.
 *
 * Threading: main thread only.
 */
#ifndef SERVICE_CTL_LEGACY_PLAN_H
#define SERVICE_CTL_LEGACY_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/config_schema.h"
#include "base/config_tree.h"
#include "base/url.h"

enum {
    LEGACY_FILES_MAX = 8,
    LEGACY_SECRETS_MAX = 10200, /* users and a few more */
    LEGACY_NOTES_MAX = 12000,
    LEGACY_ORIGINS_MAX = 100,     /* as many as a configuration may have credentials for */
    LEGACY_SECRET_NAME_MAX = 128, /* bytes of a file name of ours including the final NUL */
};

/* Where something stands. file is borrowed from argv; NULL: it is ours, or a default of the original. */
struct legacy_origin {
    const char *file;
    size_t line;
};

struct legacy_number {
    bool given;
    int64_t value;
    struct legacy_origin origin;
};

struct legacy_text {
    char *value; /* owned; NULL: not given */
    struct legacy_origin origin;
};

struct legacy_queue {
    char *name;     /* owned */
    char *push_url; /* owned; "" = pulled */
    struct legacy_origin origin;
};

/* Becomes the file NAME in the folder of secrets. */
struct legacy_secret {
    char name[LEGACY_SECRET_NAME_MAX];
    char *value; /* owned; NULL: made up when it is written, or kept when it is there */
};

struct legacy_user {
    char *name;        /* owned */
    const char *roles; /* "submit, grade" */
    size_t secret;     /* index */
    struct legacy_origin origin;
};

/* Something that is not taken over as it stands. */
struct legacy_note {
    struct legacy_origin origin;
    char *key;  /* owned */
    char *text; /* owned */
};

struct legacy_plan {
    const char *const *lms_origins; /* borrowed: where the LMS is, as the caller says */
    size_t lms_origin_count;
    struct legacy_queue *queues; /* owned, as the other arrays */
    size_t queue_count;
    struct legacy_user *users;
    size_t user_count;
    struct legacy_secret *secrets;
    size_t secret_count;
    struct legacy_note *notes;
    size_t note_count;
    /* ms or counts, in the bounds of our keys */
    struct legacy_number lease_ms, attempts_max, push_timeout_ms, session_ms, request_timeout_ms, url_ms;
    struct legacy_text media_url, files;
    struct legacy_text bucket, prefix, endpoint, region, access_key, storage;
    struct legacy_text s3_secret, basic_user, basic_password; /* moved to secrets by legacy_plan_complete */
    size_t s3_secret_index, basic_index;                      /* of those */
    bool has_s3, has_basic;                                   /* what they are for is complete */
    char (*basic_origins)[URL_ORIGIN_MAX];                    /* owned: who gets basic_user and its password, each once */
    size_t basic_origin_count;
    const char *rest_user; /* name of the courier; of users */
};

/* Takes what one file says; of files that say the same the last one counts. */
void legacy_plan_take(struct legacy_plan *plan, const char *file, const struct config_node *root);

/* After the last file: defaults of the original, the courier and an administrator, secrets, what does not go together. */
void legacy_plan_complete(struct legacy_plan *plan);

void legacy_plan_finish(struct legacy_plan *plan);

/* Notes what is not taken over. key and text are copied; what would be more than LEGACY_NOTES_MAX is counted in the last one.
 */
void legacy_plan_note(struct legacy_plan *plan, struct legacy_origin origin, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A new secret whose file is called like name; value is taken, NULL: to be made up. Its index. */
size_t legacy_plan_add_secret(struct legacy_plan *plan, const char *name, char *value);

void legacy_plan_add_queue(struct legacy_plan *plan, struct legacy_origin origin, const char *name, const char *push_url);
void legacy_plan_add_user(struct legacy_plan *plan, struct legacy_origin origin, const char *name, const char *roles,
                          char *password);

/* The row of a key of the configuration, with its bounds; NULL: this version does not have it. */
const struct config_key *legacy_plan_key(const struct config_section *section, const char *name);

/* What is wrong with text as a value of the key, which this version has, or NULL. Static storage. */
const char *legacy_plan_text_fault(const struct config_section *section, const char *name, const char *text);

/* Replaces a text by a copy. */
void legacy_text_set(struct legacy_text *text, struct legacy_origin origin, const char *value);

#endif
