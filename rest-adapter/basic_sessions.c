/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/basic_sessions.h"

#include <pthread.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/text.h"

/*
 *   LOGGING_IN --core says yes--> OPEN --time, full, told so--> (gone, its session ended at the core)
 *        \------core says no----> REFUSED --time, full--> (gone)
 */
enum entry_state { ENTRY_LOGGING_IN, ENTRY_OPEN, ENTRY_REFUSED };

struct entry {
    struct map_node node; /* in the order of the logins */
    uint8_t digest[SECRET_DIGEST_BYTES];
    enum entry_state state;
    int64_t until_ms;
    char token[SECRET_KEY_TEXT_MAX]; /* OPEN */
    enum status status;              /* REFUSED */
    struct error error;
    struct list_node leaving; /* on its way to be ended at the core */
};

struct basic_sessions {
    struct core_client *core;    /* borrowed */
    const struct config *config; /* borrowed */
    uint8_t key[SECRET_DIGEST_BYTES];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    struct map entries; /* by digest */
};

struct basic_sessions *basic_sessions_create(struct core_client *core, const struct config *config)
{
    struct basic_sessions *sessions = MEMORY_NEW(struct basic_sessions);
    sessions->core = core;
    sessions->config = config;
    secret_random(sessions->key, sizeof(sessions->key));
    pthread_mutex_init(&sessions->lock, NULL);
    clock_condition_init(&sessions->changed);
    map_init(&sessions->entries);
    return sessions;
}

static void digest_guess(const struct basic_sessions *sessions, const struct basic_credentials *credentials, const char *peer,
                         uint8_t out[SECRET_DIGEST_BYTES])
{
    struct {
        struct basic_credentials credentials;
        char peer[ADDRESS_TEXT_MAX];
    } guess;
    memset(&guess, 0, sizeof(guess)); // what stands behind the NULs counts, too
    (void)text_copy(guess.credentials.user, sizeof(guess.credentials.user), credentials->user);
    (void)text_copy(guess.credentials.password, sizeof(guess.credentials.password), credentials->password);
    (void)text_copy(guess.peer, sizeof(guess.peer), peer);
    secret_sign(sessions->key, sizeof(sessions->key), &guess, sizeof(guess), out);
    memory_wipe(&guess, sizeof(guess));
}

/* ---- lock held ---- */

static struct entry *find(struct basic_sessions *sessions, const uint8_t digest[SECRET_DIGEST_BYTES])
{
    struct map_node *node = map_find(&sessions->entries, digest, SECRET_DIGEST_BYTES);
    return node ? MAP_OWNER(node, struct entry, node) : NULL;
}

static void take_out(struct basic_sessions *sessions, struct entry *entry, struct list *leaving)
{
    map_remove(&sessions->entries, &entry->node);
    list_append(leaving, &entry->leaving);
}

/* Those that ran out, and the oldest when there is no room. A login that runs is never among them. */
static void make_room(struct basic_sessions *sessions, int64_t now_ms, struct list *leaving)
{
    struct map_node *next = NULL;
    for (struct map_node *node = map_first(&sessions->entries); node; node = next) {
        struct entry *entry = MAP_OWNER(node, struct entry, node);
        next = map_next(&sessions->entries, node);
        bool is_over = entry->until_ms <= now_ms || map_count(&sessions->entries) >= BASIC_SESSIONS_MAX;
        if (entry->state != ENTRY_LOGGING_IN && is_over)
            take_out(sessions, entry, leaving);
    }
}

static struct entry *add(struct basic_sessions *sessions, const uint8_t digest[SECRET_DIGEST_BYTES])
{
    struct entry *entry = MEMORY_NEW(struct entry);
    memcpy(entry->digest, digest, sizeof(entry->digest));
    entry->state = ENTRY_LOGGING_IN;
    map_put(&sessions->entries, &entry->node, entry->digest, sizeof(entry->digest));
    return entry;
}

static void settle(struct entry *entry, enum status status, const struct core_session *session, const struct error *error)
{
    int64_t now_ms = clock_now_ms(clock_system());
    bool is_slowed = status == STATUS_FULL && strcmp(error->reason, "LOGIN_SLOWED") == 0;
    if (status == STATUS_OK) {
        int64_t keep_ms = session->expires_in_ms < BASIC_SESSIONS_KEEP_MS ? session->expires_in_ms : BASIC_SESSIONS_KEEP_MS;
        entry->state = ENTRY_OPEN;
        entry->until_ms = clock_add_ms(now_ms, keep_ms);
        (void)text_copy(entry->token, sizeof(entry->token), session->token);
        return;
    }
    entry->state = ENTRY_REFUSED;
    entry->status = status;
    entry->error = *error;
    entry->until_ms = now_ms + BASIC_SESSIONS_FAILED_MS;
    if (status == STATUS_UNAUTHENTICATED) {
        entry->until_ms = now_ms + BASIC_SESSIONS_REFUSED_MS;
    } else if (is_slowed) {
        int64_t wait_ms = error->retry_after_ms < BASIC_SESSIONS_REFUSED_MS ? error->retry_after_ms : BASIC_SESSIONS_REFUSED_MS;
        entry->status = STATUS_UNAUTHENTICATED;
        entry->until_ms = now_ms + wait_ms;
    }
}

static enum status answer(const struct entry *entry, char out_token[SECRET_KEY_TEXT_MAX], struct error *error)
{
    if (entry->state == ENTRY_OPEN) {
        memcpy(out_token, entry->token, SECRET_KEY_TEXT_MAX);
        return STATUS_OK;
    }
    if (error)
        *error = entry->error;
    return entry->status;
}

/* ---- lock not held ---- */

static enum status end_entry(struct basic_sessions *sessions, struct entry *entry, struct error *error)
{
    enum status status = STATUS_OK;
    if (entry->state == ENTRY_OPEN)
        status = core_login_close(sessions->core, entry->token, error);
    memory_wipe(entry, sizeof(*entry));
    memory_free(entry);
    return status;
}

/* A session that cannot be ended now ends by itself in some days. */
static void end_all(struct basic_sessions *sessions, struct list *leaving, int64_t until_ms)
{
    struct list_node *node = NULL;
    while ((node = list_take_first(leaving)) != NULL) {
        struct entry *entry = LIST_OWNER(node, struct entry, leaving);
        if (clock_now_ms(clock_system()) >= until_ms)
            entry->state = ENTRY_REFUSED;
        enum status status = end_entry(sessions, entry, NULL);
        if (status != STATUS_OK)
            log_event(LOG_DEBUG, "basic_logout_failed", LOG_TEXT("status", status_name(status)));
    }
}

enum status basic_sessions_get(struct basic_sessions *sessions, const struct basic_credentials *credentials, const char *peer,
                               char out_token[SECRET_KEY_TEXT_MAX], struct error *error)
{
    const struct core_login login = {
        .user = credentials->user, .password = credentials->password, .peer = peer, .replaces = ""};
    struct core_session session = {.token = ""};
    struct error login_error = {0};
    struct list leaving;
    uint8_t digest[SECRET_DIGEST_BYTES];
    list_init(&leaving);
    digest_guess(sessions, credentials, peer, digest);

    pthread_mutex_lock(&sessions->lock);
    make_room(sessions, clock_now_ms(clock_system()), &leaving);
    struct entry *entry = find(sessions, digest);
    bool is_ours = entry == NULL;
    if (is_ours)
        entry = add(sessions, digest);
    if (is_ours) {
        pthread_mutex_unlock(&sessions->lock);
        end_all(sessions, &leaving, CLOCK_NEVER);
        enum status status = core_login_open(sessions->core, sessions->config, &login, &session, &login_error);
        pthread_mutex_lock(&sessions->lock);
        settle(entry, status, &session, &login_error);
        pthread_cond_broadcast(&sessions->changed);
    }
    while (entry && entry->state == ENTRY_LOGGING_IN) {
        clock_wait_until(clock_system(), &sessions->changed, &sessions->lock, CLOCK_NEVER);
        entry = find(sessions, digest);
    }
    enum status status = entry ? answer(entry, out_token, error) : STATUS_UNAUTHENTICATED;
    pthread_mutex_unlock(&sessions->lock);
    end_all(sessions, &leaving, CLOCK_NEVER);
    memory_wipe(&session, sizeof(session));
    return status;
}

void basic_sessions_forget(struct basic_sessions *sessions, const char *token)
{
    pthread_mutex_lock(&sessions->lock);
    for (struct map_node *node = map_first(&sessions->entries); node; node = map_next(&sessions->entries, node)) {
        struct entry *entry = MAP_OWNER(node, struct entry, node);
        if (entry->state == ENTRY_OPEN && strcmp(entry->token, token) == 0) {
            map_remove(&sessions->entries, &entry->node);
            memory_wipe(entry, sizeof(*entry));
            memory_free(entry);
            break;
        }
    }
    pthread_mutex_unlock(&sessions->lock);
}

enum status basic_sessions_end(struct basic_sessions *sessions, const struct basic_credentials *credentials, const char *peer,
                               struct error *error)
{
    uint8_t digest[SECRET_DIGEST_BYTES];
    digest_guess(sessions, credentials, peer, digest);
    pthread_mutex_lock(&sessions->lock);
    struct entry *entry = find(sessions, digest);
    bool is_open = entry && entry->state == ENTRY_OPEN;
    if (is_open)
        map_remove(&sessions->entries, &entry->node);
    pthread_mutex_unlock(&sessions->lock);
    return is_open ? end_entry(sessions, entry, error) : STATUS_OK;
}

void basic_sessions_destroy(struct basic_sessions *sessions)
{
    if (!sessions)
        return;
    struct list leaving;
    struct map_node *node = NULL;
    list_init(&leaving);
    while ((node = map_first(&sessions->entries)) != NULL)
        take_out(sessions, MAP_OWNER(node, struct entry, node), &leaving);
    end_all(sessions, &leaving, clock_now_ms(clock_system()) + BASIC_SESSIONS_STOP_MS);
    map_finish(&sessions->entries);
    pthread_cond_destroy(&sessions->changed);
    pthread_mutex_destroy(&sessions->lock);
    memory_wipe(sessions->key, sizeof(sessions->key));
    memory_free(sessions);
}
