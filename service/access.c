/* SPDX-License-Identifier: Apache-2.0 */
#include "service/access.h"

#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/text.h"

struct open_session {
    struct store_session stored;
    const struct config_user *user; /* borrowed from the configuration */
    struct map_node by_token;
};

struct access {
    const struct config *config; /* immutable */
    struct clock *clock;
    uint8_t (*credential_digests)[SECRET_DIGEST_BYTES]; /* of each user; immutable */
    char dummy_hash[SECRET_HASH_TEXT_MAX];              /* checked for users that do not exist; immutable */

    /* guarded by mutex */
    pthread_mutex_t mutex;
    struct map sessions; /* by token digest; in the order of their opening, so those that ran out stand first */
};

static int hash_rounds(const char *hash)
{
    const char *rounds = strchr(hash, '$');
    char digits[16] = "";
    int64_t number = 0;
    size_t length = rounds ? strcspn(rounds + 1, "$") : 0;
    if (length == 0 || length >= sizeof digits) {
        return 0;
    }
    memcpy(digits, rounds + 1, length);
    return text_to_int64(digits, 1, SECRET_ROUNDS_MAX, &number) == STATUS_OK ? (int)number : 0;
}

/* A password that nobody has, hashed as expensively as the most expensive user's. */
static void access_make_dummy(struct access *access)
{
    int rounds = ACCESS_PLAIN_ROUNDS;
    for (size_t i = 0; i < access->config->user_count; i++) {
        int users_rounds = hash_rounds(access->config->users[i].password_hash);
        rounds = users_rounds > rounds ? users_rounds : rounds;
    }
    char token[SECRET_KEY_TEXT_MAX];
    secret_token(token);
    if (secret_password_hash(token, rounds, access->dummy_hash) != STATUS_OK) {
        access->dummy_hash[0] = '\0';
    }
    memory_wipe(token, sizeof token);
}

static void access_digest_credential(const struct config_user *user, const uint8_t store_identity[16],
                                     uint8_t out[SECRET_DIGEST_BYTES])
{
    if (user->password[0] != '\0') {
        secret_stretch(user->password, store_identity, 16, out);
    } else {
        secret_digest(user->password_hash, strlen(user->password_hash), out);
    }
}

struct access *access_create(const struct config *config, struct clock *clock, const uint8_t store_identity[16])
{
    struct access *access = MEMORY_NEW(struct access);
    access->config = config;
    access->clock = clock;
    access->credential_digests = memory_allocate_array(config->user_count, sizeof *access->credential_digests);
    for (size_t i = 0; i < config->user_count; i++) {
        access_digest_credential(&config->users[i], store_identity, access->credential_digests[i]);
    }
    access_make_dummy(access);
    pthread_mutex_init(&access->mutex, NULL);
    map_init(&access->sessions);
    return access;
}

static void access_forget(struct access *access, struct open_session *session)
{
    map_remove(&access->sessions, &session->by_token);
    memory_free(session);
}

void access_destroy(struct access *access)
{
    if (!access) {
        return;
    }
    struct map_node *node = NULL;
    while ((node = map_first(&access->sessions)) != NULL) {
        access_forget(access, MAP_OWNER(node, struct open_session, by_token));
    }
    map_finish(&access->sessions);
    pthread_mutex_destroy(&access->mutex);
    memory_free(access->credential_digests);
    memory_free(access);
}

/* ---- sessions ---- */

static const uint8_t *access_credential_digest(const struct access *access, const struct config_user *user)
{
    return access->credential_digests[user - access->config->users];
}

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
        access_forget(access, first);
    }
}

void access_open_session(struct access *access, const struct store_session *stored)
{
    const struct config_user *user = config_find_user(access->config, stored->user);
    if (!user) {
        return;
    }
    struct open_session *session = MEMORY_NEW(struct open_session);
    session->stored = *stored;
    session->user = user;
    int64_t now_ms = clock_now_ms(access->clock);
    pthread_mutex_lock(&access->mutex);
    access_forget_expired(access, now_ms);
    map_put(&access->sessions, &session->by_token, session->stored.token_digest, SECRET_DIGEST_BYTES);
    pthread_mutex_unlock(&access->mutex);
}

void access_close_session(struct access *access, const uint8_t token_digest[SECRET_DIGEST_BYTES])
{
    pthread_mutex_lock(&access->mutex);
    struct open_session *session = access_find(access, token_digest);
    if (session) {
        access_forget(access, session);
    }
    pthread_mutex_unlock(&access->mutex);
}

/* What access_load has to delete: sessions of users who are gone or changed their password. */
struct session_sieve {
    struct access *access;
    uint8_t (*stale)[SECRET_DIGEST_BYTES];
    size_t stale_count;
};

static void access_sieve(void *context, const struct store_session *session)
{
    struct session_sieve *sieve = context;
    const struct config_user *user = config_find_user(sieve->access->config, session->user);
    bool valid =
        user && memcmp(access_credential_digest(sieve->access, user), session->credential_digest, SECRET_DIGEST_BYTES) == 0;
    if (valid) {
        access_open_session(sieve->access, session);
        return;
    }
    sieve->stale = memory_resize(sieve->stale, (sieve->stale_count + 1) * sizeof *sieve->stale);
    memcpy(sieve->stale[sieve->stale_count++], session->token_digest, SECRET_DIGEST_BYTES);
}

enum status access_load(struct access *access, struct store *store)
{
    struct session_sieve sieve = {.access = access};
    enum status status = store_begin(store);
    if (status == STATUS_OK) {
        status = store_delete_expired_sessions(store, clock_now_ms(access->clock));
    }
    if (status == STATUS_OK) {
        status = store_visit_sessions(store, access_sieve, &sieve);
    }
    for (size_t i = 0; i < sieve.stale_count && status == STATUS_OK; i++) {
        status = store_delete_session(store, sieve.stale[i]);
    }
    if (status == STATUS_OK) {
        status = store_commit(store);
    }
    if (status != STATUS_OK) {
        store_rollback(store);
    } else if (sieve.stale_count > 0) {
        log_event(LOG_INFO, "sessions_ended", LOG_INT("count", (int64_t)sieve.stale_count),
                  LOG_TEXT("text", "their users are gone or have another password"));
    }
    memory_free(sieve.stale);
    return status;
}

enum status access_make_session(struct access *access, const char *user_name, struct store_session *out_session,
                                char out_token[SECRET_KEY_TEXT_MAX])
{
    const struct config_user *user = config_find_user(access->config, user_name);
    if (!user) {
        return STATUS_NOT_FOUND;
    }
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
    text_copy(session.user, sizeof session.user, user->name);
    memcpy(session.credential_digest, access_credential_digest(access, user), SECRET_DIGEST_BYTES);
    *out_session = session;
    return STATUS_OK;
}

/* ---- checks ---- */

enum status access_authorise(struct access *access, const char *token, unsigned roles, struct identity *out_identity,
                             struct error *error)
{
    if (!token) {
        return error_set(error, STATUS_UNAUTHENTICATED, "CREDENTIALS_MISSING",
                         "this call needs one 'authorization: Bearer' token");
    }
    struct identity identity = {0};
    secret_digest(token, strlen(token), identity.token_digest);
    int64_t now_ms = clock_now_ms(access->clock);
    pthread_mutex_lock(&access->mutex);
    struct open_session *session = access_find(access, identity.token_digest);
    bool valid = session && session->stored.expires_at_ms > now_ms;
    if (valid) {
        text_copy(identity.user, sizeof identity.user, session->user->name);
        identity.roles = session->user->roles;
        identity.expires_at_ms = session->stored.expires_at_ms;
    }
    pthread_mutex_unlock(&access->mutex);
    if (!valid) {
        return error_set(error, STATUS_UNAUTHENTICATED, "SESSION_OVER", "the session is over or never was; log in");
    }
    if ((identity.roles & roles) == 0) {
        return error_set(error, STATUS_DENIED, "ROLE_MISSING", "user '%s' does not have the role that this call needs",
                         identity.user);
    }
    *out_identity = identity;
    return STATUS_OK;
}

bool access_password_matches(const struct access *access, const char *user_name, const char *password)
{
    const struct config_user *user = config_find_user(access->config, user_name);
    if (user && user->password_hash[0] != '\0') {
        return secret_password_matches(password, user->password_hash);
    }
    /* Without a hash of the user's own the time is spent all the same, so that it does not tell who exists. */
    bool matches = secret_password_matches(password, access->dummy_hash);
    if (user && user->password[0] != '\0') {
        matches = text_equal_secret(user->password, strlen(user->password), password, strlen(password));
    }
    return matches;
}
