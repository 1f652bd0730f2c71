/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/legacy_plan.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/ctl/legacy_settings.h"

#define S3_REGION "us-east-1"

enum { ENDPOINT_BYTES_MAX = 4200, NOTE_BYTES_MAX = 512, KEY_BYTES_MAX = 128, SECRET_STEM_MAX = 100 };

static const struct legacy_origin ours = {.file = NULL};

void legacy_plan_note(struct legacy_plan *plan, struct legacy_origin origin, const char *key, const char *format, ...)
{
    char text[NOTE_BYTES_MAX];
    va_list arguments;
    if (plan->note_count >= LEGACY_NOTES_MAX) // no file of the original comes near it
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    plan->notes = memory_resize(plan->notes, (plan->note_count + 1) * sizeof *plan->notes);
    plan->notes[plan->note_count++] = (struct legacy_note){origin, memory_copy_text(key), memory_copy_text(text)};
}

void legacy_text_set(struct legacy_text *text, struct legacy_origin origin, const char *value)
{
    if (text->value)
        memory_wipe(text->value, strlen(text->value));
    memory_free(text->value);
    text->value = memory_copy_text(value);
    text->origin = origin;
}

const struct config_key *legacy_plan_key(const struct config_section *section, const char *name)
{
    for (size_t at = 0; at < section->key_count; at++) {
        if (strcmp(section->keys[at].name, name) == 0)
            return &section->keys[at];
    }
    return NULL;
}

const char *legacy_plan_text_fault(const struct config_section *section, const char *name, const char *text)
{
    const struct config_key *key = legacy_plan_key(section, name);
    assert(key);
    if (!text_is_name(text, (size_t)key->max))
        return "is too long or has control characters";
    return key->check ? key->check(text) : NULL;
}

static bool has_secret(const struct legacy_plan *plan, const char *name)
{
    for (size_t at = 0; at < plan->secret_count; at++) {
        if (strcmp(plan->secrets[at].name, name) == 0)
            return true;
    }
    return false;
}

/* A file name that no name from outside can lead astray. */
static void make_stem(const char *name, char out[SECRET_STEM_MAX])
{
    size_t length = 0;
    for (; name[length] != '\0' && length < SECRET_STEM_MAX - 1; length++) {
        char byte = name[length];
        bool is_fine = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                       byte == '-' || (byte == '.' && length > 0);
        out[length] = is_fine ? byte : '_';
    }
    out[length] = '\0';
}

size_t legacy_plan_add_secret(struct legacy_plan *plan, const char *name, char *value)
{
    char stem[SECRET_STEM_MAX];
    struct legacy_secret secret = {.value = value};
    assert(plan->secret_count < LEGACY_SECRETS_MAX);
    make_stem(name, stem);
    (void)snprintf(secret.name, sizeof secret.name, "%s", stem);
    // The count makes it likely to be free at once, however many names look the same as a file name.
    for (size_t number = plan->secret_count + 1; has_secret(plan, secret.name); number++)
        (void)snprintf(secret.name, sizeof secret.name, "%s-%zu", stem, number);
    plan->secrets = memory_resize(plan->secrets, (plan->secret_count + 1) * sizeof *plan->secrets);
    plan->secrets[plan->secret_count] = secret;
    return plan->secret_count++;
}

void legacy_plan_add_queue(struct legacy_plan *plan, struct legacy_origin origin, const char *name, const char *push_url)
{
    plan->queues = memory_resize(plan->queues, (plan->queue_count + 1) * sizeof *plan->queues);
    plan->queues[plan->queue_count++] = (struct legacy_queue){memory_copy_text(name), memory_copy_text(push_url), origin};
}

void legacy_plan_add_user(struct legacy_plan *plan, struct legacy_origin origin, const char *name, const char *roles,
                          char *password)
{
    size_t secret = legacy_plan_add_secret(plan, name, password);
    plan->users = memory_resize(plan->users, (plan->user_count + 1) * sizeof *plan->users);
    plan->users[plan->user_count++] = (struct legacy_user){memory_copy_text(name), roles, secret, origin};
}

void legacy_plan_take(struct legacy_plan *plan, const char *file, const struct config_node *root)
{
    for (size_t at = 0; at < root->count; at++) {
        const struct config_node *setting = &root->items[at];
        struct legacy_origin origin = {file, setting->line};
        if (setting->is_repeated)
            legacy_plan_note(plan, origin, setting->key, "is given more than once; the last one counts, as for the original");
        legacy_settings_take(plan, file, setting);
    }
}

/* ---- completion ---- */

static bool has_user(const struct legacy_plan *plan, const char *name)
{
    for (size_t at = 0; at < plan->user_count; at++) {
        if (strcmp(plan->users[at].name, name) == 0)
            return true;
    }
    return false;
}

/* A user of ours, under the first name that is free. */
static const char *add_own_user(struct legacy_plan *plan, const char *const *names, const char *roles)
{
    while (has_user(plan, *names) && names[1])
        names++;
    legacy_plan_add_user(plan, ours, *names, roles, NULL);
    return *names;
}

static void complete_queues(struct legacy_plan *plan)
{
    if (plan->queue_count > 0)
        return;
    legacy_plan_note(plan, ours, "XQUEUES", "has no queue that can be taken over; test-pull is the original's default");
    legacy_plan_add_queue(plan, ours, "test-pull", "");
}

/* Amazon's own, unless there is another one; and names without the slashes that S3 would take for a part of them. */
static void complete_s3_texts(struct legacy_plan *plan)
{
    char endpoint[ENDPOINT_BYTES_MAX];
    const char *region = plan->region.value ? plan->region.value : S3_REGION;
    struct legacy_text *const bare[] = {&plan->prefix, &plan->endpoint};
    (void)snprintf(endpoint, sizeof endpoint, "https://s3.%s.amazonaws.com", region);
    if (!plan->endpoint.value)
        legacy_text_set(&plan->endpoint, plan->region.value ? plan->region.origin : plan->bucket.origin, endpoint);
    for (size_t at = 0; at < sizeof bare / sizeof(void *); at++) {
        char *text = bare[at]->value;
        size_t start = text ? strspn(text, "/") : 0;
        size_t length = text ? strlen(text + start) : 0;
        while (length > 0 && text[start + length - 1] == '/')
            length--;
        if (text)
            memmove(text, text + start, length);
        if (text)
            text[length] = '\0';
    }
}

/* Is there an S3 that this version can use? What cannot be is noted. */
static bool check_s3(struct legacy_plan *plan)
{
    const struct config_key *row = legacy_plan_key(&config_section_rest, "s3");
    const struct {
        const char *name;
        const struct legacy_text *text;
    } texts[] = {{"endpoint", &plan->endpoint},
                 {"region", &plan->region},
                 {"bucket", &plan->bucket},
                 {"prefix", &plan->prefix},
                 {"access_key", &plan->access_key}};
    if (!row) {
        legacy_plan_note(plan, plan->bucket.origin, "UPLOAD_BUCKET",
                         "this version does not keep files in S3: they go into rest.files");
        return false;
    }
    for (size_t at = 0; at < sizeof texts / sizeof *texts; at++) {
        const char *value = texts[at].text->value;
        const char *fault = value ? legacy_plan_text_fault(row->record, texts[at].name, value) : NULL;
        if (!fault)
            continue;
        legacy_plan_note(plan, texts[at].text->origin, "UPLOAD_BUCKET",
                         "files go into rest.files until rest.s3 is made by hand: its %s %s", texts[at].name, fault);
        return false;
    }
    return true;
}

static void complete_s3(struct legacy_plan *plan)
{
    const char *storage = plan->storage.value;
    bool is_s3 = storage && (strstr(storage, "s3") || strstr(storage, "S3"));
    bool has_keys = plan->access_key.value && plan->s3_secret.value;
    if (!plan->bucket.value)
        return;
    if (storage && !is_s3) {
        legacy_plan_note(plan, plan->bucket.origin, "UPLOAD_BUCKET", "is not used: files are not kept in S3 (%.100s)", storage);
        return;
    }
    if (!has_keys && !is_s3) {
        legacy_plan_note(
            plan, plan->bucket.origin, "UPLOAD_BUCKET",
            "nothing says that files are kept in S3 (DEFAULT_FILE_STORAGE, AWS_ACCESS_KEY_ID): they go into rest.files");
        return;
    }
    if (!has_keys) {
        legacy_plan_note(
            plan, plan->bucket.origin, "UPLOAD_BUCKET",
            "S3 needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as roles of machines are not supported: complete "
            "rest.s3 by hand; until then files go into rest.files");
        return;
    }
    complete_s3_texts(plan);
    if (!check_s3(plan))
        return;
    plan->has_s3 = true;
    plan->s3_secret_index = legacy_plan_add_secret(plan, "s3-secret-key", plan->s3_secret.value);
    plan->s3_secret.value = NULL;
}

static void add_basic_origin(struct legacy_plan *plan, struct legacy_origin where, const char *url)
{
    char origin[URL_ORIGIN_MAX];
    if (url_origin(span_of(url), origin, NULL) != STATUS_OK)
        return;
    for (size_t at = 0; at < plan->basic_origin_count; at++) {
        if (strcmp(plan->basic_origins[at], origin) == 0)
            return;
    }
    if (plan->basic_origin_count == LEGACY_ORIGINS_MAX)
        legacy_plan_note(plan, where, "REQUESTS_BASIC_AUTH", "goes to %d origins at most; '%.200s' is one more and gets none",
                         LEGACY_ORIGINS_MAX, origin);
    else
        memcpy(plan->basic_origins[plan->basic_origin_count++], origin, sizeof origin);
}

/* The LMS first, then the graders that are pushed to. */
static void find_basic_origins(struct legacy_plan *plan)
{
    plan->basic_origins = memory_allocate_array(LEGACY_ORIGINS_MAX, sizeof *plan->basic_origins);
    for (size_t at = 0; at < plan->lms_origin_count; at++)
        add_basic_origin(plan, plan->basic_user.origin, plan->lms_origins[at]);
    for (size_t at = 0; at < plan->queue_count; at++) {
        if (plan->queues[at].push_url[0] != '\0')
            add_basic_origin(plan, plan->queues[at].origin, plan->queues[at].push_url);
    }
}

static void complete_basic(struct legacy_plan *plan)
{
    if (!plan->basic_user.value)
        return;
    if (plan->lms_origin_count == 0)
        legacy_plan_note(
            plan, plan->basic_user.origin, "REQUESTS_BASIC_AUTH",
            "the original sends it wherever a submission says, here it goes to the LMS alone: say where that is with "
            "--lms-origin https://lms.example.org (no LMS gets it now)");
    find_basic_origins(plan);
    if (plan->basic_origin_count == 0)
        return;
    plan->has_basic = true;
    plan->basic_index = legacy_plan_add_secret(plan, "basic-auth", plan->basic_password.value);
    plan->basic_password.value = NULL;
}

void legacy_plan_complete(struct legacy_plan *plan)
{
    static const char *const couriers[] = {"courier", "xqueue-courier", "xqueue-courier-of-results", NULL};
    static const char *const admins[] = {"admin", "xqueue-admin", "xqueue-admin-of-queues", NULL};
    complete_queues(plan);
    if (plan->user_count == 0)
        legacy_plan_note(plan, ours, "USERS",
                         "is not given: users of the database come along with `xqueuectl import-db`, others are "
                         "made with `xqueuectl users add`");
    complete_s3(plan);
    complete_basic(plan);
    plan->rest_user = add_own_user(plan, couriers, "deliver, grade");
    (void)add_own_user(plan, admins, "admin");
}

static void finish_text(struct legacy_text *text)
{
    legacy_text_set(text, ours, NULL);
}

void legacy_plan_finish(struct legacy_plan *plan)
{
    struct legacy_text *const texts[] = {&plan->media_url, &plan->files,      &plan->bucket,        &plan->prefix,
                                         &plan->endpoint,  &plan->region,     &plan->access_key,    &plan->storage,
                                         &plan->s3_secret, &plan->basic_user, &plan->basic_password};
    for (size_t at = 0; at < sizeof texts / sizeof(void *); at++)
        finish_text(texts[at]);
    for (size_t at = 0; at < plan->queue_count; at++) {
        memory_free(plan->queues[at].name);
        memory_free(plan->queues[at].push_url);
    }
    for (size_t at = 0; at < plan->user_count; at++)
        memory_free(plan->users[at].name);
    for (size_t at = 0; at < plan->secret_count; at++) {
        if (plan->secrets[at].value)
            memory_wipe(plan->secrets[at].value, strlen(plan->secrets[at].value));
        memory_free(plan->secrets[at].value);
    }
    for (size_t at = 0; at < plan->note_count; at++) {
        memory_free(plan->notes[at].key);
        memory_free(plan->notes[at].text);
    }
    memory_free(plan->basic_origins);
    memory_free(plan->queues);
    memory_free(plan->users);
    memory_free(plan->secrets);
    memory_free(plan->notes);
}
