/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/methods/contract.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "xqueue/v1/sessions.pb-c.h"

enum { LOGIN_BUSY_RETRY_MS = 1000 };

/* ---- Login: password checker, then engine, then in force ---- */

struct login {
    struct password_check check;
    struct engine_command command;
    struct rpc_server_call *call; /* counted */
    struct store_session session;
    char token[SECRET_KEY_TEXT_MAX];
    enum status stored;
};

static void login_free(struct login *login)
{
    memory_wipe(login->token, sizeof login->token);
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
    struct error error;
    enum status status = error_set(&error, STATUS_UNAUTHENTICATED, "WRONG_CREDENTIALS", "wrong user name or password");
    log_event(LOG_WARN, "login_refused", LOG_TEXT("user", login->check.user),
              LOG_TEXT("peer", rpc_server_call_peer(login->call)));
    login_fail(login, status, &error);
}

static enum engine_step login_run(struct engine_command *command, struct queues *queues)
{
    struct login *login = LIST_OWNER(command, struct login, command);
    login->stored = queues_stored(queues, store_delete_expired_sessions(queues->store, queues->now_ms));
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

static void login_on_checked(struct password_check *check, bool matches)
{
    struct login *login = LIST_OWNER(check, struct login, check);
    struct service *service = method_service(login->call);
    if (!matches) {
        login_refuse(login);
        return;
    }
    if (access_make_session(service->access, check->user, check->credential, &login->session, login->token) != STATUS_OK) {
        login_busy(login, "too many sessions are open");
        return;
    }
    login->command.run = login_run;
    login->command.done = login_done;
    if (engine_submit(service->engine, &login->command) != STATUS_OK) {
        login_busy(login, "too many calls are waiting");
    }
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
    login->check.on_checked = login_on_checked;
    memory_wipe(request->password, strlen(request->password));
    rpc_message_free(message);
    if (password_checker_submit(method_service(call)->passwords, &login->check) != STATUS_OK) {
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
    static const struct {
        unsigned role;
        Xqueue__V1__Role name;
    } names[] = {
        {CONFIG_ROLE_SUBMIT, XQUEUE__V1__ROLE__ROLE_SUBMIT},
        {CONFIG_ROLE_GRADE, XQUEUE__V1__ROLE__ROLE_GRADE},
        {CONFIG_ROLE_DELIVER, XQUEUE__V1__ROLE__ROLE_DELIVER},
        {CONFIG_ROLE_ADMIN, XQUEUE__V1__ROLE__ROLE_ADMIN},
    };
    const struct identity *identity = method_identity(call);
    Xqueue__V1__Role roles[sizeof names / sizeof names[0]];
    Xqueue__V1__WhoAmIResponse reply = XQUEUE__V1__WHO_AM_IRESPONSE__INIT;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (identity->roles & names[i].role) {
            roles[reply.n_roles++] = names[i].name;
        }
    }
    reply.user = contract_text(identity->user);
    reply.roles = roles;
    reply.expires_in_ms = identity->expires_at_ms - clock_now_ms(method_service(call)->clock);
    rpc_server_call_reply(call, &reply.base);
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
