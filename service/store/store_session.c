/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Login sessions.
 */
#include "service/store/store_internal.h"

enum status store_insert_session(struct store *store, const struct store_session *session)
{
    struct query query = query_start(store, STATEMENT_INSERT_SESSION);
    query_bind_bytes(&query, session->token_digest, sizeof session->token_digest);
    query_bind_bytes(&query, session->credential_digest, sizeof session->credential_digest);
    query_bind_text(&query, session->user);
    query_bind_int(&query, session->expires_at_ms);
    return query_run(&query, NULL);
}

enum status store_delete_session(struct store *store, const uint8_t token_digest[SECRET_DIGEST_BYTES])
{
    struct query query = query_start(store, STATEMENT_DELETE_SESSION);
    query_bind_bytes(&query, token_digest, SECRET_DIGEST_BYTES);
    return query_run(&query, NULL);
}

enum status store_delete_expired_sessions(struct store *store, int64_t now_ms)
{
    struct query query = query_start(store, STATEMENT_DELETE_EXPIRED_SESSIONS);
    query_bind_int(&query, now_ms);
    return query_run(&query, NULL);
}

enum status store_delete_sessions_of_user(struct store *store, const char *user)
{
    struct query query = query_start(store, STATEMENT_DELETE_SESSIONS_OF_USER);
    query_bind_text(&query, user);
    return query_run(&query, NULL);
}

enum status store_renew_sessions_of_user(struct store *store, const char *user,
                                         const uint8_t credential_digest[SECRET_DIGEST_BYTES])
{
    struct query query = query_start(store, STATEMENT_RENEW_SESSIONS_OF_USER);
    query_bind_bytes(&query, credential_digest, SECRET_DIGEST_BYTES);
    query_bind_text(&query, user);
    return query_run(&query, NULL);
}

enum status store_visit_sessions(struct store *store, void (*visit)(void *context, const struct store_session *session),
                                 void *context)
{
    struct query query = query_start(store, STATEMENT_VISIT_SESSIONS);
    enum status status = query_row(&query);
    for (; status == STATUS_OK; status = query_row(&query)) {
        struct store_session session;
        query_bytes(&query, session.token_digest, sizeof session.token_digest);
        query_bytes(&query, session.credential_digest, sizeof session.credential_digest);
        query_text(&query, session.user, sizeof session.user);
        session.expires_at_ms = query_int(&query);
        if (!query.damage)
            visit(context, &session);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
