/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/address.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/methods/contract.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "service/methods/role_grants.h"
#include "xqueue/v1/sessions.pb-c.h"

enum { LOGIN_BUSY_RETRY_MS = 1000, LOGIN_TOKEN_BYTES_MAX = 64 };

/* ---- Login: guard, then password checker, then engine, then in force ---- */

struct login {
    struct password_check check;
    struct engine_command command;
    struct rpc_server_call *call;   /* counted */
    char address[ADDRESS_TEXT_MAX]; /* whose guess it is; "" = nobody's in particular */
    struct store_session session;
    char token[SECRET_KEY_TEXT_MAX];
    char replaces[LOGIN_TOKEN_BYTES_MAX + 1]; /* the token that the caller came with; "" = none */
    bool has_former;
    struct store_session former; /* of that token: it ends, or lives on as session */
    enum status stored;
};

static void login_free(struct login *login)
{
    memory_wipe(login->token, sizeof login->token);
    memory_wipe(login->replaces, sizeof login->replaces);
    memory_wipe(login->check.password, sizeof login->check.password);
    rpc_server_call_release(login->call);
    memory_free(login);
}

static void login_fail(struct login *login, enum status status, const struct error *error)
{
    rpc_server_call_finish(login->call, status, error);
    login_free(login);
}

static void login_busy(struct login *login, const char *text)
{
    struct error error;
    enum status status = error_set(&error, STATUS_FULL, "LOGIN_BUSY", "%s", text);
    error.retry_after_ms = LOGIN_BUSY_RETRY_MS;
    login_fail(login, status, &error);
}

static void login_refuse(struct login *login)
{
    const struct login_try *who = &login->check.who;
    struct error error;
    enum status status = error_set(&error, STATUS_UNAUTHENTICATED, "WRONG_CREDENTIALS", "wrong user name or password");
    /* A name that nobody has may be a password in the wrong field. */
    log_event(LOG_WARN, "login_refused", LOG_TEXT("user", who->is_known ? who->user : ""), LOG_TEXT("peer", login->address));
    login_fail(login, status, &error);
}

static enum engine_step login_run(struct engine_command *command, struct queues *queues)
{
    struct login *login = LIST_OWNER(command, struct login, command);
    login->stored = queues_stored(queues, store_delete_expired_sessions(queues->store, queues->now_ms));
    if (login->stored == STATUS_OK && login->has_former) {
        login->stored = queues_stored(queues, store_delete_session(queues->store, login->former.token_digest));
    }
    if (login->stored == STATUS_OK) {
        login->stored = queues_stored(queues, store_insert_session(queues->store, &login->session));
    }
    return ENGINE_DONE;
}

static void login_done(struct engine_command *command, enum status committed, const struct error *error)
{
    struct login *login = LIST_OWNER(command, struct login, command);
    struct service *service = method_service(login->call);
    if (committed != STATUS_OK || login->stored != STATUS_OK) {
        login_fail(login, committed != STATUS_OK ? committed : login->stored, error);
        return;
    }
    bool lives_on = memcmp(login->former.token_digest, login->session.token_digest, SECRET_DIGEST_BYTES) == 0;
    if (login->has_former && !lives_on) {
        access_close_session(service->access, login->former.token_digest);
    }
    if (access_open_session(service->access, &login->session) != STATUS_OK) {
        login_refuse(login); /* changed while the password was being checked */
        return;
    }
    Xqueue__V1__LoginResponse reply = XQUEUE__V1__LOGIN_RESPONSE__INIT;
    reply.token = login->token;
    reply.expires_in_ms = login->session.expires_at_ms - clock_now_ms(service->clock);
    rpc_server_call_reply(login->call, &reply.base);
    login_free(login);
}

/* The session that the caller came with lives on when it is his; else it ends. */
static void login_settle_former(struct login *login)
{
    struct service *service = method_service(login->call);
    bool same_user = false;
    login->has_former = login->replaces[0] != '\0' &&
                        access_renew_session(service->access, login->replaces, &login->session, &login->former, &same_user);
    if (login->has_former && same_user) {
        login->session = login->former;
        text_copy(login->token, sizeof login->token, login->replaces);
    }
}

static void login_on_checked(struct password_check *check, bool matches)
{
    struct login *login = LIST_OWNER(check, struct login, check);
    struct service *service = method_service(login->call);
    login_guard_leave(service->guard, &check->who, check->outcome);
    if (check->outcome == LOGIN_UNCHECKED) {
        login_busy(login, "too many logins are waiting");
        return;
    }
    if (!matches) {
        login_refuse(login);
        return;
    }
    if (access_make_session(service->access, check->user, check->credential, &login->session, login->token) != STATUS_OK) {
        login_busy(login, "too many sessions are open");
        return;
    }
    login_settle_former(login);
    login->command.run = login_run;
    login->command.done = login_done;
    if (engine_submit(service->engine, &login->command) != STATUS_OK) {
        login_busy(login, "too many calls are waiting");
    }
}

/* The other end of a connection as gRPC has it: "ipv4:127.0.0.1:34438", "ipv6:%5B::1%5D:34438", "unix:". */
static void connection_address(const char *peer, char out[ADDRESS_TEXT_MAX])
{
    static const char brackets[] = "%5B";
    struct address address;
    char text[2 * ADDRESS_TEXT_MAX] = "";
    const char *from = strchr(peer, ':');
    const char *to = from ? strrchr(peer, ':') : NULL;
    out[0] = '\0';
    if (!from || to <= from) {
        return;
    }
    from++;
    if (strncasecmp(from, brackets, strlen(brackets)) == 0 && to - from > 2 * (ptrdiff_t)strlen(brackets)) {
        from += strlen(brackets);
        to -= strlen(brackets);
    }
    if ((size_t)(to - from) >= sizeof text) {
        return;
    }
    memcpy(text, from, (size_t)(to - from));
    if (address_parse(text, &address)) {
        (void)address_write(&address, out);
    }
}

/* Whose guess it is: that of a person behind a gateway, if the gateway may say so, else that of the other end. */
static void login_address(struct rpc_server_call *call, const char *behind_gateway, char out[ADDRESS_TEXT_MAX])
{
    const struct identity *caller = rpc_server_call_identity(call);
    struct address address;
    if (caller && method_has_role_everywhere(call, METHOD_DELIVER) && address_parse(behind_gateway, &address)) {
        (void)address_write(&address, out);
        return;
    }
    connection_address(rpc_server_call_peer(call), out);
}

/* One guess has one digest, which says nothing to who does not have the key. */
static void digest_guess(const struct service *service, const Xqueue__V1__LoginRequest *request,
                         uint8_t out[SECRET_DIGEST_BYTES])
{
    char guess[STORE_USER_MAX + SECRET_PASSWORD_BYTES_MAX + 1];
    size_t user_length = strlen(request->user) + 1; /* the NUL keeps the two apart */
    size_t password_length = strlen(request->password);
    memcpy(guess, request->user, user_length);
    memcpy(guess + user_length, request->password, password_length);
    secret_sign(service->login_key, sizeof service->login_key, guess, user_length + password_length, out);
    memory_wipe(guess, sizeof guess);
}

/* false: the call is answered. */
static bool login_enter(struct login *login, const Xqueue__V1__LoginRequest *request)
{
    const struct service *service = method_service(login->call);
    uint8_t digest[SECRET_DIGEST_BYTES];
    struct error error;
    digest_guess(service, request, digest);
    login_address(login->call, request->peer, login->address);
    struct login_question question = {.user = request->user,
                                      .is_known = access_knows_user(service->access, request->user),
                                      .address = login->address,
                                      .digest = digest};
    enum status status = login_guard_enter(service->guard, &question, &login->check.who, &error);
    if (status != STATUS_OK) {
        login_fail(login, status, &error);
    }
    return status == STATUS_OK;
}

/* A gateway whose own session is over is told, so that it comes again as itself: else all its guests would count as one. */
static bool is_gateway_unknown(const struct rpc_server_call *call, const Xqueue__V1__LoginRequest *request)
{
    const struct identity *caller = rpc_server_call_identity(call);
    return request->peer[0] != '\0' && caller && caller->roles == 0;
}

static void on_login(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__LoginRequest *request = (const Xqueue__V1__LoginRequest *)rpc_message_body(message);
    if (!text_is_name(request->user, STORE_USER_MAX - 1) || strlen(request->password) > SECRET_PASSWORD_BYTES_MAX) {
        method_refuse(call, message, "LOGIN_INVALID", "user is 1 to 150 bytes, password has at most 1,024");
        return;
    }
    struct login *login = MEMORY_NEW(struct login);
    login->call = call;
    rpc_server_call_keep(call);
    text_copy(login->check.user, sizeof login->check.user, request->user);
    text_copy(login->check.password, sizeof login->check.password, request->password);
    if (strlen(request->replaces) <= LOGIN_TOKEN_BYTES_MAX) {
        text_copy(login->replaces, sizeof login->replaces, request->replaces);
    }
    login->check.on_checked = login_on_checked;
    bool gateway_unknown = is_gateway_unknown(call, request);
    bool may_try = !gateway_unknown && login_enter(login, request);
    memory_wipe(request->password, strlen(request->password));
    rpc_message_free(message);
    if (gateway_unknown) {
        struct error error;
        enum status status =
            error_set(&error, STATUS_UNAUTHENTICATED, "SESSION_OVER", "the session is over or never was; log in");
        login_fail(login, status, &error);
    } else if (may_try && password_checker_submit(method_service(call)->passwords, &login->check) != STATUS_OK) {
        login_guard_leave(method_service(call)->guard, &login->check.who, LOGIN_UNCHECKED);
        login_busy(login, "too many logins are waiting");
    }
}

/* ---- Logout ---- */

struct logout_method {
    struct method_command base;
};

static enum status logout_perform(struct method_command *method, struct queues *queues)
{
    return queues_stored(queues, store_delete_session(queues->store, method_identity(method->call)->token_digest));
}

static void logout_reply(struct method_command *method)
{
    access_close_session(method_service(method->call)->access, method_identity(method->call)->token_digest);
    Xqueue__V1__LogoutResponse reply = XQUEUE__V1__LOGOUT_RESPONSE__INIT;
    rpc_server_call_reply(method->call, &reply.base);
}

static const struct method_steps logout_steps = {
    .size = sizeof(struct logout_method), .perform = logout_perform, .reply = logout_reply};

static void on_logout(struct rpc_server_call *call, struct rpc_message *message)
{
    method_start(call, message, &logout_steps);
}

/* ---- WhoAmI ---- */

static void on_who_am_i(struct rpc_server_call *call, struct rpc_message *message)
{
    const struct identity *identity = method_identity(call);
    Xqueue__V1__Role roles[XQUEUE__V1__ROLE__ROLE_ADMIN];
    Xqueue__V1__WhoAmIResponse reply = XQUEUE__V1__WHO_AM_IRESPONSE__INIT;
    struct role_grants grants;
    struct rights rights;
    access_read_rights(method_service(call)->access, identity, &rights);
    role_grants_fill(&grants, &rights);
    for (unsigned role = XQUEUE__V1__ROLE__ROLE_SUBMIT; role <= XQUEUE__V1__ROLE__ROLE_ADMIN; role++) {
        if (rights.everywhere & 1U << (role - 1)) {
            roles[reply.n_roles++] = (Xqueue__V1__Role)role;
        }
    }
    reply.user = contract_text(identity->user);
    reply.roles = roles;
    reply.grants = grants.pointers;
    reply.n_grants = grants.count;
    if (identity->expires_at_ms > 0) {
        reply.expires_in_ms = identity->expires_at_ms - clock_now_ms(method_service(call)->clock);
    }
    rpc_server_call_reply(call, &reply.base);
    role_grants_finish(&grants);
    rights_finish(&rights);
    rpc_message_free(message);
}

const struct rpc_method sessions_methods[] = {
    {.path = "/xqueue.v1.Sessions/Login",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__login_request__descriptor,
     .on_message = on_login,
     .role = METHOD_OPEN},
    {.path = "/xqueue.v1.Sessions/Logout",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__logout_request__descriptor,
     .on_message = on_logout,
     .role = METHOD_ANYBODY},
    {.path = "/xqueue.v1.Sessions/WhoAmI",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__who_am_irequest__descriptor,
     .on_message = on_who_am_i,
     .role = METHOD_ANYBODY},
    {0},
};
