/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/legacy_settings.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/config.h"
#include "base/config_schema.h"
#include "base/config_syntax.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"

#define ROLES_OF_ALL "submit, grade" // the original lets each user do both

enum { USER_NAME_BYTES_MAX = 150, MS_PER_SECOND = 1000, MS_PER_MINUTE = 60000, PATH_BYTES_MAX = 4096 };

struct setting;
typedef void take_setting(struct legacy_plan *plan, const struct setting *setting, struct legacy_origin origin,
                          const struct config_node *node);

struct setting {
    const char *name; /* with a final '*': all that begin so */
    take_setting *take;
    const char *why;                      /* IGNORE: what to say */
    size_t offset;                        /* NUMBER, TEXT: in struct legacy_plan */
    int64_t scale;                        /* NUMBER: from the original's unit to ours */
    int64_t plus;                         /* NUMBER: added */
    const struct config_section *section; /* NUMBER: this and key say what it becomes, and its bounds */
    const char *key;
};

/* ---- kinds of settings ---- */

static void take_nothing(struct legacy_plan *plan, const struct setting *setting, struct legacy_origin origin,
                         const struct config_node *node)
{
    legacy_plan_note(plan, origin, node->key, "%s", setting->why);
}

static void take_number(struct legacy_plan *plan, const struct setting *setting, struct legacy_origin origin,
                        const struct config_node *node)
{
    struct legacy_number *number = (struct legacy_number *)(void *)((char *)plan + setting->offset);
    int64_t value = 0;
    // Far beyond all bounds, and far from overflow.
    if (node->kind != CONFIG_NODE_TEXT ||
        text_to_scaled(node->text, setting->scale, -(INT64_C(1) << 60), INT64_C(1) << 60, &value) != STATUS_OK) {
        legacy_plan_note(plan, origin, node->key, "is not a number");
        return;
    }
    const struct config_key *key = legacy_plan_key(setting->section, setting->key);
    if (!key) {
        legacy_plan_note(plan, origin, node->key, "has no counterpart in this version (%s.%s)", setting->section->name,
                         setting->key);
        return;
    }
    value += setting->plus;
    int64_t bounded = value < key->min ? key->min : value > key->max ? key->max : value;
    if (bounded != value)
        legacy_plan_note(plan, origin, node->key,
                         "would be %" PRId64 " here, which has to be between %" PRId64 " and %" PRId64 ": %" PRId64 " is taken",
                         value, key->min, key->max, bounded);
    *number = (struct legacy_number){true, bounded, origin};
}

static void take_text(struct legacy_plan *plan, const struct setting *setting, struct legacy_origin origin,
                      const struct config_node *node)
{
    struct legacy_text *text = (struct legacy_text *)(void *)((char *)plan + setting->offset);
    if (node->kind == CONFIG_NODE_NULL || (node->kind == CONFIG_NODE_TEXT && node->text[0] == '\0'))
        return;
    if (node->kind == CONFIG_NODE_TEXT && text_is_name(node->text, PATH_BYTES_MAX))
        legacy_text_set(text, origin, node->text);
    else
        legacy_plan_note(plan, origin, node->key, "is not a text, too long, or has control characters");
}

/* ---- settings with a form of their own ---- */

/* The URL without "user:password@", in the caller's memory. */
static bool without_user(const char *url, char *out)
{
    const char *host = strstr(url, "://");
    strcpy(out, url); // NOLINT(clang-analyzer-security.insecureAPI.strcpy): out is as long
    if (!host)
        return false;
    host += strlen("://");
    const char *end = host + strcspn(host, "/?#");
    const char *at = end;
    while (at > host && *at != '@')
        at--;
    if (*at != '@')
        return false;
    memmove(out + (host - url), at + 1, strlen(at + 1) + 1);
    return true;
}

static void take_queue(struct legacy_plan *plan, struct legacy_origin origin, const struct config_node *node)
{
    if (!text_is_name(node->key, CONFIG_NAME_BYTES_MAX)) {
        legacy_plan_note(plan, origin, "XQUEUES", "queue '%.60s': a name has 1 to %d bytes and no control characters; left out",
                         node->key, CONFIG_NAME_BYTES_MAX);
        return;
    }
    if (node->kind == CONFIG_NODE_LIST || node->kind == CONFIG_NODE_MAP) {
        legacy_plan_note(plan, origin, "XQUEUES", "queue '%.60s': is neither null nor a URL; left out", node->key);
        return;
    }
    if (node->kind == CONFIG_NODE_NULL || node->text[0] == '\0') {
        legacy_plan_add_queue(plan, origin, node->key, "");
        return;
    }
    char *url = memory_allocate(strlen(node->text) + 1);
    if (without_user(node->text, url))
        legacy_plan_note(plan, origin, "XQUEUES",
                         "queue '%.60s': the URL of its grader has a user and password, which are left out: put them into "
                         "callbacks.basic_auth",
                         node->key);
    const char *fault = legacy_plan_text_fault(&config_section_queue, "push_url", url);
    if (fault)
        legacy_plan_note(plan, origin, "XQUEUES", "queue '%.60s': the URL of its grader %s; taken over as one that is pulled",
                         node->key, fault);
    legacy_plan_add_queue(plan, origin, node->key, fault ? "" : url);
    memory_free(url);
}

static void take_queues(struct legacy_plan *plan, const struct setting *setting, struct legacy_origin origin,
                        const struct config_node *node)
{
    (void)setting;
    if (node->kind != CONFIG_NODE_MAP) {
        legacy_plan_note(plan, origin, node->key, "is not a map of queues");
        return;
    }
    for (size_t at = 0; at < plan->queue_count; at++) { // of an earlier file
        memory_free(plan->queues[at].name);
        memory_free(plan->queues[at].push_url);
    }
    plan->queue_count = 0;
    for (size_t at = 0; at < node->count && at < CONFIG_QUEUES_MAX; at++)
        take_queue(plan, (struct legacy_origin){origin.file, node->items[at].line}, &node->items[at]);
}

/* Why this password cannot be the first line of a file, or NULL. */
static const char *password_fault(const struct config_node *node)
{
    if (node->kind != CONFIG_NODE_TEXT || node->text[0] == '\0')
        return "has no password";
    if (strlen(node->text) > SECRET_PASSWORD_BYTES_MAX)
        return "has a password of more than 1024 bytes";
    return strpbrk(node->text, "\r\n") ? "has a password of several lines" : NULL;
}

static void take_user(struct legacy_plan *plan, struct legacy_origin origin, const struct config_node *node)
{
    const char *fault = password_fault(node);
    if (!text_is_name(node->key, USER_NAME_BYTES_MAX))
        fault = "has a name that is empty, longer than 150 bytes, or has control characters";
    for (size_t at = 0; at < plan->user_count && !fault; at++) {
        if (strcmp(plan->users[at].name, node->key) == 0)
            fault = "is in two files; the first one counts";
    }
    if (fault)
        legacy_plan_note(plan, origin, "USERS", "'%.60s' %s; left out", node->key, fault);
    else
        legacy_plan_add_user(plan, origin, node->key, ROLES_OF_ALL, memory_copy_text(node->text));
}

static void take_users(struct legacy_plan *plan, const struct setting *setting, struct legacy_origin origin,
                       const struct config_node *node)
{
    (void)setting;
    if (node->kind == CONFIG_NODE_NULL)
        return;
    if (node->kind != CONFIG_NODE_MAP) {
        legacy_plan_note(plan, origin, node->key, "is not a map of names to passwords");
        return;
    }
    // Two of the users that the configuration can have are ours.
    for (size_t at = 0; at < node->count && plan->user_count < CONFIG_USERS_MAX - 2; at++)
        take_user(plan, (struct legacy_origin){origin.file, node->items[at].line}, &node->items[at]);
}

/* [user, password] */
static void take_basic(struct legacy_plan *plan, const struct setting *setting, struct legacy_origin origin,
                       const struct config_node *node)
{
    (void)setting;
    if (node->kind == CONFIG_NODE_NULL)
        return;
    bool is_pair = node->kind == CONFIG_NODE_LIST && node->count == 2 && node->items[0].kind == CONFIG_NODE_TEXT &&
                   node->items[1].kind == CONFIG_NODE_TEXT;
    if (!is_pair || node->items[0].text[0] == '\0' || strchr(node->items[0].text, ':') || password_fault(&node->items[1]) ||
        !text_is_name(node->items[0].text, USER_NAME_BYTES_MAX)) {
        legacy_plan_note(plan, origin, node->key, "is not a list of a user (without ':') and a password of one line");
        return;
    }
    legacy_text_set(&plan->basic_user, origin, node->items[0].text);
    legacy_text_set(&plan->basic_password, origin, node->items[1].text);
}

static void take_media_url(struct legacy_plan *plan, const struct setting *setting, struct legacy_origin origin,
                           const struct config_node *node)
{
    (void)setting;
    if (node->kind == CONFIG_NODE_NULL || (node->kind == CONFIG_NODE_TEXT && node->text[0] == '\0'))
        return;
    const char *fault = node->kind == CONFIG_NODE_TEXT ? config_check_url(node->text) : "is not a text";
    if (!fault)
        fault = legacy_plan_text_fault(&config_section_rest, "media_url", node->text);
    if (fault)
        legacy_plan_note(plan, origin, node->key,
                         "is no whole URL that a grader could fetch: xqueue-rest serves the files itself (rest.public_url)");
    else
        legacy_text_set(&plan->media_url, origin, node->text);
}

static void take_media_root(struct legacy_plan *plan, const struct setting *setting, struct legacy_origin origin,
                            const struct config_node *node)
{
    if (node->kind == CONFIG_NODE_TEXT && node->text[0] != '\0' && node->text[0] != '/')
        legacy_plan_note(plan, origin, node->key, "is a relative path: set rest.files by hand if the files shall stay there");
    else
        take_text(plan, setting, origin, node);
}

/* Both forms of Django: a name of a class, or a map whose "default" has a BACKEND. */
static void take_storages(struct legacy_plan *plan, const struct setting *setting, struct legacy_origin origin,
                          const struct config_node *node)
{
    const struct config_node *backend = config_tree_find(config_tree_find(node, "default"), "BACKEND");
    (void)setting;
    if (backend && backend->text)
        legacy_text_set(&plan->storage, origin, backend->text);
    else
        legacy_plan_note(plan, origin, node->key, "does not say where files are kept");
}

static void take_metrics(struct legacy_plan *plan, const struct setting *setting, struct legacy_origin origin,
                         const struct config_node *node)
{
    (void)setting;
    legacy_plan_note(
        plan, origin, node->key,
        "no numbers are sent to CloudWatch: `xqueuectl count --json` prints them, for a script that compares them with "
        "the thresholds");
    const struct config_node *thresholds = config_tree_find(node, "thresholds");
    const struct config_node *fallback = config_tree_find(node, "default_threshold");
    int64_t number = 0;
    if (fallback && fallback->text && text_to_scaled(fallback->text, 1, 0, INT64_MAX / 2, &number) == STATUS_OK)
        legacy_plan_note(plan, origin, node->key, "default_threshold was %" PRId64, number);
    for (size_t at = 0; thresholds && thresholds->kind == CONFIG_NODE_MAP && at < thresholds->count; at++) {
        const struct config_node *one = &thresholds->items[at];
        if (one->text && text_to_scaled(one->text, 1, 0, INT64_MAX / 2, &number) == STATUS_OK)
            legacy_plan_note(plan, origin, node->key, "the threshold of queue '%.60s' was %" PRId64, one->key, number);
    }
}

/* ---- the table ---- */

#define IGNORE(name_, why_)                                  \
    {                                                        \
        .name = (name_), .take = take_nothing, .why = (why_) \
    }
#define NUMBER(name_, field_, scale_, section_, key_)                                                            \
    {                                                                                                            \
        .name = (name_), .take = take_number, .offset = offsetof(struct legacy_plan, field_), .scale = (scale_), \
        .section = &(section_), .key = (key_)                                                                    \
    }
#define TEXT(name_, field_)                                                                \
    {                                                                                      \
        .name = (name_), .take = take_text, .offset = offsetof(struct legacy_plan, field_) \
    }

#define WHY_LOG   "not needed: both programs log to standard error (section log)"
#define WHY_FRAME "belongs to the web framework of the original"
#define WHY_PROXY "is the business of the reverse proxy before xqueue-rest"

static const struct setting settings[] = {
    {.name = "XQUEUES", .take = take_queues},
    {.name = "USERS", .take = take_users},
    NUMBER("SUBMISSION_PROCESSING_DELAY", lease_ms, MS_PER_MINUTE, config_section_queue, "lease_ms"),
    {// The original gives up when there were more failures than that, xqueued when there were as many as attempts_max.
     .name = "MAX_NUMBER_OF_FAILURES",
     .take = take_number,
     .offset = offsetof(struct legacy_plan, attempts_max),
     .scale = 1,
     .plus = 1,
     .section = &config_section_queue,
     .key = "attempts_max"},
    NUMBER("REQUESTS_TIMEOUT", request_timeout_ms, MS_PER_SECOND, config_section_callbacks, "connect_timeout_ms"),
    NUMBER("GRADING_TIMEOUT", push_timeout_ms, MS_PER_SECOND, config_section_queue, "push_timeout_ms"),
    IGNORE("CONSUMER_DELAY", "no longer needed: submissions are pushed to their grader as soon as they come"),
    {.name = "REQUESTS_BASIC_AUTH", .take = take_basic},
    TEXT("UPLOAD_BUCKET", bucket),
    TEXT("AWS_STORAGE_BUCKET_NAME", bucket),
    TEXT("UPLOAD_PATH_PREFIX", prefix),
    NUMBER("UPLOAD_URL_EXPIRE", url_ms, MS_PER_SECOND, config_section_rest, "file_url_ms"),
    TEXT("AWS_ACCESS_KEY_ID", access_key),
    TEXT("AWS_SECRET_ACCESS_KEY", s3_secret),
    TEXT("AWS_S3_ACCESS_KEY_ID", access_key),
    TEXT("AWS_S3_SECRET_ACCESS_KEY", s3_secret),
    TEXT("AWS_S3_ENDPOINT_URL", endpoint),
    TEXT("AWS_S3_REGION_NAME", region),
    TEXT("DEFAULT_FILE_STORAGE", storage),
    {.name = "STORAGES", .take = take_storages},
    {.name = "MEDIA_URL", .take = take_media_url},
    {.name = "MEDIA_ROOT", .take = take_media_root, .offset = offsetof(struct legacy_plan, files)},
    NUMBER("SESSION_COOKIE_AGE", session_ms, MS_PER_SECOND, config_section_service, "session_ms"),
    IGNORE("SESSION_COOKIE_SECURE", "cookies have no Secure attribute here; a proxy with TLS can add it"),
    IGNORE("SESSION_*", "sessions are kept by xqueued in its database; only their length can be set (service.session_ms)"),
    {.name = "CLOUDWATCH_QUEUE_COUNT_METRIC*", .take = take_metrics},
    IGNORE("DATABASES", "not taken over: submissions and users come along with `xqueuectl import-db`"),
    IGNORE("DATABASE_ROUTERS", WHY_FRAME),
    IGNORE("LOGGING", WHY_LOG),
    IGNORE("LOGGING_ENV", WHY_LOG),
    IGNORE("LOG_DIR", WHY_LOG),
    IGNORE("LOCAL_LOGLEVEL", WHY_LOG),
    IGNORE("SYSLOG_*", WHY_LOG),
    IGNORE("SERVICE_VARIANT", WHY_FRAME),
    IGNORE("SECRET_KEY", "not needed: sessions are random keys in the database"),
    IGNORE("ALLOWED_HOSTS", WHY_PROXY),
    IGNORE("CSRF_*", "the csrftoken of the original is kept as it is; nothing to set"),
    IGNORE("CORS_*", WHY_PROXY),
    IGNORE("SECURE_*", WHY_PROXY),
    IGNORE("USE_X_FORWARDED_*", "rest.trusted_proxies names the proxies whose X-Real-IP is believed"),
    IGNORE("AWS_*", "rest.s3 has no such key"),
    IGNORE("NEWRELIC_*", "no numbers are sent to New Relic: `xqueuectl count --json` prints them"),
    IGNORE("RABBIT_*", "no broker is needed"),
    IGNORE("XQUEUE_WORKERS_PER_QUEUE", "no workers are needed: xqueue-rest pushes many submissions at once"),
    IGNORE("WORKERS_PER_QUEUE", "no workers are needed: xqueue-rest pushes many submissions at once"),
    IGNORE("LOGIN_URL", "is always /xqueue/login/"),
    IGNORE("LOGIN_REDIRECT_URL", WHY_FRAME),
    IGNORE("TIME_ZONE", "times are UTC"),
    IGNORE("USE_TZ", "times are UTC"),
    IGNORE("USE_*", WHY_FRAME),
    IGNORE("LANGUAGE_CODE", WHY_FRAME),
    IGNORE("SITE_*", WHY_FRAME),
    IGNORE("DEBUG*", WHY_FRAME),
    IGNORE("TEMPLATE*", WHY_FRAME),
    IGNORE("INSTALLED_APPS", WHY_FRAME),
    IGNORE("MIDDLEWARE*", WHY_FRAME),
    IGNORE("ROOT_URLCONF", WHY_FRAME),
    IGNORE("WSGI_APPLICATION", WHY_FRAME),
    IGNORE("STATIC*", WHY_FRAME),
    IGNORE("CACHES", WHY_FRAME),
    IGNORE("EMAIL_*", "no mail is sent"),
    IGNORE("DEFAULT_FROM_EMAIL", "no mail is sent"),
    IGNORE("SERVER_EMAIL", "no mail is sent"),
    IGNORE("ADMINS", "no mail is sent"),
    IGNORE("MANAGERS", "no mail is sent"),
    IGNORE("AUTH*", WHY_FRAME),
    IGNORE("PASSWORD_HASHERS", "Django's PBKDF2 hashes are verified; new ones are pbkdf2_sha256 with 1,000,000 rounds"),
    IGNORE("DEFAULT_AUTO_FIELD", WHY_FRAME),
    IGNORE("CONFIG_*", WHY_FRAME),
};

static const struct setting *find_setting(const char *name)
{
    for (size_t at = 0; at < sizeof settings / sizeof *settings; at++) {
        const char *pattern = settings[at].name;
        size_t length = strlen(pattern);
        bool is_prefix = pattern[length - 1] == '*';
        if (is_prefix ? strncmp(name, pattern, length - 1) == 0 : strcmp(name, pattern) == 0)
            return &settings[at];
    }
    return NULL;
}

void legacy_settings_take(struct legacy_plan *plan, const char *file, const struct config_node *setting)
{
    static const struct setting unknown = {.why = "is not known, and not taken over"};
    const struct legacy_origin origin = {file, setting->line};
    const struct setting *known = find_setting(setting->key);
    if (known)
        known->take(plan, known, origin, setting);
    else
        take_nothing(plan, &unknown, origin, setting);
}
