/* SPDX-License-Identifier: Apache-2.0 */
#include "service/access.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/access_internal.h"

/* ---- users ---- */

void access_digest_hash(const char *password_hash, uint8_t out_credential[SECRET_DIGEST_BYTES])
{
    secret_digest(password_hash, strlen(password_hash), out_credential);
}

/* mutex held, or nobody else there yet, as in all that follow. */
struct user *access_find_user(const struct access *access, const char *name)
{
    struct map_node *node = map_find(&access->users, name, strlen(name));
    return node ? MAP_OWNER(node, struct user, by_name) : NULL;
}

static struct user *access_add_user(struct access *access, const char *name)
{
    struct user *user = MEMORY_NEW(struct user);
    text_copy(user->name, sizeof user->name, name);
    user->era = ++access->eras;
    list_init(&user->sessions);
    list_init(&user->tokens);
    map_put(&access->users, &user->by_name, user->name, strlen(user->name));
    return user;
}

static void access_set_hash(struct user *user, const char *password_hash)
{
    text_copy(user->password_hash, sizeof user->password_hash, password_hash);
    user->cost = secret_hash_cost(password_hash);
    access_digest_hash(password_hash, user->credential);
}

/* After any change of users or hashes. */
static void access_update_cost(struct access *access)
{
    access->cost = ACCESS_PLAIN_ROUNDS;
    for (struct map_node *node = map_first(&access->users); node; node = map_next(&access->users, node)) {
        const struct user *user = MAP_OWNER(node, struct user, by_name);
        access->cost = user->cost > access->cost ? user->cost : access->cost;
    }
}

static void access_set_configured_rights(struct rights *rights, const struct config_user *configured)
{
    rights->everywhere = configured->roles;
    for (size_t i = 0; i < configured->queue_roles_count; i++) {
        const struct config_queue_roles *some = &configured->queue_roles[i];
        for (size_t k = 0; k < some->queues.count; k++) {
            enum status status = rights_add(rights, some->queues.items[k], some->roles);
            assert(status == STATUS_OK); /* the configuration has been checked */
        }
    }
}

static void access_add_configured(struct access *access, const struct config_user *configured, const uint8_t store_identity[16])
{
    struct user *user = access_add_user(access, configured->name);
    user->configured = configured;
    access_set_configured_rights(&user->rights, configured);
    if (configured->no_password) {
        return; /* no session has the credential of zeros */
    }
    if (configured->password[0] != '\0') {
        secret_stretch(configured->password, store_identity, 16, user->credential);
    } else {
        access_set_hash(user, configured->password_hash);
    }
}

struct access *access_create(const struct config *config, struct clock *clock, const uint8_t store_identity[16])
{
    struct access *access = MEMORY_NEW(struct access);
    access->config = config;
    access->clock = clock;
    pthread_mutex_init(&access->mutex, NULL);
    map_init(&access->users);
    map_init(&access->sessions);
    map_init(&access->tokens);
    map_init(&access->token_ids);
    for (size_t i = 0; i < config->user_count; i++) {
        access_add_configured(access, &config->users[i], store_identity);
    }
    access_update_cost(access);
    return access;
}

static void access_forget_session(struct access *access, struct open_session *session)
{
    map_remove(&access->sessions, &session->by_token);
    list_remove(&session->user->sessions, &session->of_user);
    memory_free(session);
}

static void access_end_sessions(struct access *access, struct user *user)
{
    struct list_node *node = NULL;
    user->era = ++access->eras;
    while ((node = list_first(&user->sessions)) != NULL) {
        access_forget_session(access, LIST_OWNER(node, struct open_session, of_user));
    }
}

static void access_forget_user(struct access *access, struct user *user)
{
    access_end_sessions(access, user);
    access_forget_tokens(access, user);
    map_remove(&access->users, &user->by_name);
    memory_wipe(user->password_hash, sizeof user->password_hash);
    rights_finish(&user->rights);
    memory_free(user);
}

void access_destroy(struct access *access)
{
    if (!access) {
        return;
    }
    struct map_node *node = NULL;
    while ((node = map_first(&access->users)) != NULL) {
        access_forget_user(access, MAP_OWNER(node, struct user, by_name));
    }
    map_finish(&access->users);
    map_finish(&access->sessions);
    map_finish(&access->tokens);
    map_finish(&access->token_ids);
    pthread_mutex_destroy(&access->mutex);
    memory_free(access);
}

bool access_knows_user(struct access *access, const char *name)
{
    pthread_mutex_lock(&access->mutex);
    bool is_known = access_find_user(access, name) != NULL;
    pthread_mutex_unlock(&access->mutex);
    return is_known;
}

bool access_is_configured(const struct access *access, const char *name)
{
    return config_find_user(access->config, name) != NULL;
}

static void access_put_unlocked(struct access *access, const struct store_user *stored, bool keep_sessions)
{
    struct user *user = access_find_user(access, stored->name);
    if (user && user->configured) {
        return;
    }
    user = user ? user : access_add_user(access, stored->name);
    rights_finish(&user->rights);
    rights_copy(&user->rights, &stored->rights);
    user->created_at_ms = stored->created_at_ms;
    bool has_changed = strcmp(user->password_hash, stored->password_hash) != 0;
    access_set_hash(user, stored->password_hash);
    if (has_changed && !keep_sessions) {
        access_end_sessions(access, user);
    }
}

void access_put_user(struct access *access, const struct store_user *stored, bool keep_sessions)
{
    pthread_mutex_lock(&access->mutex);
    access_put_unlocked(access, stored, keep_sessions);
    access_update_cost(access);
    pthread_mutex_unlock(&access->mutex);
}

void access_remove_user(struct access *access, const char *name)
{
    pthread_mutex_lock(&access->mutex);
    struct user *user = access_find_user(access, name);
    if (user && !user->configured) {
        access_forget_user(access, user);
        access_update_cost(access);
    }
    pthread_mutex_unlock(&access->mutex);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct access_user_view *)a)->name, ((const struct access_user_view *)b)->name);
}

size_t access_list_users(struct access *access, struct access_user_view **out_users)
{
    size_t count = 0;
    pthread_mutex_lock(&access->mutex);
    struct access_user_view *views = memory_allocate_array(map_count(&access->users), sizeof *views);
    for (struct map_node *node = map_first(&access->users); node; node = map_next(&access->users, node)) {
        const struct user *user = MAP_OWNER(node, struct user, by_name);
        struct access_user_view *view = &views[count++];
        text_copy(view->name, sizeof view->name, user->name);
        rights_copy(&view->rights, &user->rights);
        view->configured = user->configured != NULL;
        view->created_at_ms = user->created_at_ms;
    }
    pthread_mutex_unlock(&access->mutex);
    qsort(views, count, sizeof *views, compare_names);
    *out_users = views;
    return count;
}

void access_free_users(struct access_user_view *users, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rights_finish(&users[i].rights);
    }
    memory_free(users);
}

/* ---- sessions ---- */

/* mutex held. */
static struct open_session *access_find(struct access *access, const uint8_t token_digest[SECRET_DIGEST_BYTES])
{
    struct map_node *node = map_find(&access->sessions, token_digest, SECRET_DIGEST_BYTES);
    return node ? MAP_OWNER(node, struct open_session, by_token) : NULL;
}

/* mutex held. */
static void access_forget_expired(struct access *access, int64_t now_ms)
{
    struct map_node *node = NULL;
    while ((node = map_first(&access->sessions)) != NULL) {
        struct open_session *first = MAP_OWNER(node, struct open_session, by_token);
        if (first->stored.expires_at_ms > now_ms) {
            return;
        }
        access_forget_session(access, first);
    }
}

/* mutex held. */
static enum status access_open_unlocked(struct access *access, const struct store_session *stored, int64_t now_ms)
{
    access_forget_expired(access, now_ms);
    struct user *user = access_find_user(access, stored->user);
    if (!user || memcmp(user->credential, stored->credential_digest, SECRET_DIGEST_BYTES) != 0) {
        return STATUS_UNAUTHENTICATED;
    }
    struct open_session *before = access_find(access, stored->token_digest);
    if (before) {
        access_forget_session(access, before); /* its time is counted anew */
    }
    struct open_session *session = MEMORY_NEW(struct open_session);
    session->stored = *stored;
    session->user = user;
    list_append(&user->sessions, &session->of_user);
    map_put(&access->sessions, &session->by_token, session->stored.token_digest, SECRET_DIGEST_BYTES);
    return STATUS_OK;
}

enum status access_open_session(struct access *access, const struct store_session *stored)
{
    int64_t now_ms = clock_now_ms(access->clock);
    pthread_mutex_lock(&access->mutex);
    enum status status = access_open_unlocked(access, stored, now_ms);
    pthread_mutex_unlock(&access->mutex);
    return status;
}

void access_close_session(struct access *access, const uint8_t token_digest[SECRET_DIGEST_BYTES])
{
    pthread_mutex_lock(&access->mutex);
    struct open_session *session = access_find(access, token_digest);
    if (session) {
        access_forget_session(access, session);
    }
    pthread_mutex_unlock(&access->mutex);
}

/* What access_load has to delete: sessions of users who are gone or changed their password. */
struct session_sieve {
    struct access *access;
    uint8_t (*stale)[SECRET_DIGEST_BYTES];
    size_t stale_count;
    char (*tokens)[STORE_TOKEN_ID_MAX]; /* of users who are gone, or run out */
    size_t token_count;
};

static void access_load_user(void *context, const struct store_user *user)
{
    access_put_unlocked(context, user, false);
}

static void access_sieve(void *context, const struct store_session *session)
{
    struct session_sieve *sieve = context;
    if (access_open_session(sieve->access, session) == STATUS_OK) {
        return;
    }
    sieve->stale = memory_resize(sieve->stale, (sieve->stale_count + 1) * sizeof *sieve->stale);
    memcpy(sieve->stale[sieve->stale_count++], session->token_digest, SECRET_DIGEST_BYTES);
}

static void access_sieve_token(void *context, const struct store_token *token)
{
    struct session_sieve *sieve = context;
    if (access_put_token(sieve->access, token)) {
        return;
    }
    sieve->tokens = memory_resize(sieve->tokens, (sieve->token_count + 1) * sizeof *sieve->tokens);
    memcpy(sieve->tokens[sieve->token_count++], token->id, STORE_TOKEN_ID_MAX);
}

static enum status access_load_tokens(struct store *store, struct session_sieve *sieve)
{
    enum status status = store_visit_tokens(store, access_sieve_token, sieve);
    for (size_t i = 0; i < sieve->token_count && status == STATUS_OK; i++) {
        status = store_delete_token(store, sieve->tokens[i]);
    }
    return status;
}

static enum status access_load_sessions(struct store *store, struct session_sieve *sieve)
{
    enum status status = store_delete_expired_sessions(store, clock_now_ms(sieve->access->clock));
    if (status == STATUS_OK) {
        status = store_visit_sessions(store, access_sieve, sieve);
    }
    for (size_t i = 0; i < sieve->stale_count && status == STATUS_OK; i++) {
        status = store_delete_session(store, sieve->stale[i]);
    }
    return status;
}

enum status access_load(struct access *access, struct store *store)
{
    struct session_sieve sieve = {.access = access};
    enum status status = store_begin(store);
    if (status == STATUS_OK) {
        status = store_visit_users(store, access_load_user, access);
    }
    access_update_cost(access);
    if (status == STATUS_OK) {
        status = access_load_sessions(store, &sieve);
    }
    if (status == STATUS_OK) {
        status = access_load_tokens(store, &sieve);
    }
    if (status == STATUS_OK) {
        status = store_commit(store);
    }
    if (status != STATUS_OK) {
        store_rollback(store);
    } else if (sieve.stale_count + sieve.token_count > 0) {
        log_event(LOG_INFO, "sessions_ended", LOG_INT("count", (int64_t)sieve.stale_count),
                  LOG_INT("tokens", (int64_t)sieve.token_count),
                  LOG_TEXT("text", "their users are gone or have another password, or their time was over"));
    }
    memory_free(sieve.stale);
    memory_free(sieve.tokens);
    return status;
}

enum status access_make_session(struct access *access, const char *user, const uint8_t credential[SECRET_DIGEST_BYTES],
                                struct store_session *out_session, char out_token[SECRET_KEY_TEXT_MAX])
{
    int64_t now_ms = clock_now_ms(access->clock);
    pthread_mutex_lock(&access->mutex);
    if (map_count(&access->sessions) >= ACCESS_SESSIONS_MAX) {
        access_forget_expired(access, now_ms);
    }
    bool full = map_count(&access->sessions) >= ACCESS_SESSIONS_MAX;
    pthread_mutex_unlock(&access->mutex);
    if (full) {
        return STATUS_FULL;
    }
    struct store_session session = {
        .expires_at_ms = clock_add_ms(now_ms, access->config->service.session_ms),
    };
    secret_token(out_token);
    secret_digest(out_token, strlen(out_token), session.token_digest);
    text_copy(session.user, sizeof session.user, user);
    memcpy(session.credential_digest, credential, SECRET_DIGEST_BYTES);
    *out_session = session;
    return STATUS_OK;
}

bool access_renew_session(struct access *access, const char *token, const struct store_session *fresh,
                          struct store_session *out_session, bool *out_same_user)
{
    uint8_t token_digest[SECRET_DIGEST_BYTES];
    int64_t now_ms = clock_now_ms(access->clock);
    secret_digest(token, strlen(token), token_digest);
    pthread_mutex_lock(&access->mutex);
    const struct open_session *session = access_find(access, token_digest);
    bool is_alive = session && session->stored.expires_at_ms > now_ms;
    if (is_alive) {
        *out_session = session->stored;
        *out_same_user = strcmp(session->stored.user, fresh->user) == 0;
    }
    pthread_mutex_unlock(&access->mutex);
    if (is_alive && *out_same_user) {
        out_session->expires_at_ms = fresh->expires_at_ms;
        memcpy(out_session->credential_digest, fresh->credential_digest, SECRET_DIGEST_BYTES);
    }
    return is_alive;
}

/* ---- checks ---- */

/* Whose token it is, in force now. mutex held. */
static bool access_recognise(struct access *access, struct identity *identity, int64_t now_ms)
{
    const struct user *user = NULL;
    const struct open_session *session = access_find(access, identity->token_digest);
    struct open_token *token = NULL;
    if (session && session->stored.expires_at_ms > now_ms) {
        user = session->user;
        identity->roles = rights_anywhere(&user->rights);
        identity->expires_at_ms = session->stored.expires_at_ms;
    } else if ((token = access_find_token(access, identity->token_digest, now_ms)) != NULL) {
        struct rights rights;
        user = token->user;
        access_token_rights(token, &rights);
        identity->roles = rights_anywhere(&rights);
        rights_finish(&rights);
        identity->expires_at_ms = token->stored.expires_at_ms;
        text_copy(identity->token_id, sizeof identity->token_id, token->stored.id);
        token->stored.used_at_ms = now_ms;
    } else {
        return false;
    }
    text_copy(identity->user, sizeof identity->user, user->name);
    identity->user_era = user->era;
    return true;
}

enum status access_authorise(struct access *access, const char *token, unsigned roles, struct identity *out_identity,
                             struct error *error)
{
    if (!token) {
        return error_set(error, STATUS_UNAUTHENTICATED, "CREDENTIALS_MISSING",
                         "this call needs one 'authorization: Bearer' token, or a client certificate");
    }
    struct identity identity = {0};
    secret_digest(token, strlen(token), identity.token_digest);
    int64_t now_ms = clock_now_ms(access->clock);
    pthread_mutex_lock(&access->mutex);
    bool valid = access_recognise(access, &identity, now_ms);
    pthread_mutex_unlock(&access->mutex);
    if (!valid) {
        return error_set(error, STATUS_UNAUTHENTICATED, "SESSION_OVER",
                         "the session or token is over, was revoked, or never was; log in");
    }
    if ((identity.roles & roles) == 0) {
        return error_set(error, STATUS_DENIED, "ROLE_MISSING", "user '%s' does not have the role that this call needs",
                         identity.user);
    }
    *out_identity = identity;
    return STATUS_OK;
}

enum status access_authorise_certificate(struct access *access, const char *name, unsigned roles, struct identity *out_identity,
                                         struct error *error)
{
    struct identity identity = {0};
    pthread_mutex_lock(&access->mutex);
    const struct user *user = access_find_user(access, name);
    if (user) {
        text_copy(identity.user, sizeof identity.user, user->name);
        identity.roles = rights_anywhere(&user->rights);
        identity.user_era = user->era;
    }
    pthread_mutex_unlock(&access->mutex);
    if (!user) {
        return error_set(error, STATUS_UNAUTHENTICATED, "CERTIFICATE_UNKNOWN",
                         "there is no user '%.150s', whom the certificate names", name);
    }
    if ((identity.roles & roles) == 0) {
        return error_set(error, STATUS_DENIED, "ROLE_MISSING", "user '%s' does not have the role that this call needs",
                         identity.user);
    }
    *out_identity = identity;
    return STATUS_OK;
}

/* Whom identity stands for now. user NULL: for nobody any more. */
struct standing {
    const struct user *user;
    const struct open_token *token; /* NULL: it is no token's */
};

/* mutex held. */
static struct standing access_standing(const struct access *access, const struct identity *identity, int64_t now_ms)
{
    if (identity->token_id[0] == '\0') {
        const struct user *user = access_find_user(access, identity->user);
        return (struct standing){.user = user && user->era == identity->user_era ? user : NULL};
    }
    const struct open_token *token = access_find_token(access, identity->token_digest, now_ms);
    return (struct standing){.user = token ? token->user : NULL, .token = token};
}

bool access_goes_on(struct access *access, const struct identity *identity)
{
    int64_t now_ms = clock_now_ms(access->clock);
    pthread_mutex_lock(&access->mutex);
    bool goes_on = access_standing(access, identity, now_ms).user != NULL;
    pthread_mutex_unlock(&access->mutex);
    return goes_on;
}

void access_read_rights(struct access *access, const struct identity *identity, struct rights *out_rights)
{
    int64_t now_ms = clock_now_ms(access->clock);
    *out_rights = (struct rights){0};
    pthread_mutex_lock(&access->mutex);
    struct standing standing = access_standing(access, identity, now_ms);
    if (standing.token) {
        access_token_rights(standing.token, out_rights);
    } else if (standing.user) {
        rights_copy(out_rights, &standing.user->rights);
    }
    pthread_mutex_unlock(&access->mutex);
}

unsigned access_roles_for(struct access *access, const struct identity *identity, const char *queue)
{
    unsigned roles = 0;
    int64_t now_ms = clock_now_ms(access->clock);
    pthread_mutex_lock(&access->mutex);
    struct standing standing = access_standing(access, identity, now_ms);
    if (standing.token) {
        roles = access_token_roles_for(standing.token, queue);
    } else if (standing.user) {
        roles = rights_for(&standing.user->rights, queue);
    }
    pthread_mutex_unlock(&access->mutex);
    return roles;
}

bool access_password_matches(struct access *access, const char *name, const char *password,
                             uint8_t out_credential[SECRET_DIGEST_BYTES])
{
    struct user user = {.cost = 0};
    pthread_mutex_lock(&access->mutex);
    int64_t cost = access->cost;
    const struct user *found = access_find_user(access, name);
    if (found) {
        user = *found; /* may change while the time passes */
    }
    pthread_mutex_unlock(&access->mutex);
    /* The same time for everybody, whether he exists or not: what his own hash does not cost is spent in vain. */
    const char *hash = user.password_hash[0] != '\0' ? user.password_hash : NULL;
    bool matches = secret_password_matches_at_cost(password, hash, cost);
    if (!hash && user.configured && user.configured->password[0] != '\0') {
        const char *right = user.configured->password;
        matches = text_equal_secret(right, strlen(right), password, strlen(password));
    }
    if (matches) {
        memcpy(out_credential, user.credential, SECRET_DIGEST_BYTES);
    }
    memory_wipe(&user, sizeof user);
    return matches;
}
