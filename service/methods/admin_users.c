/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/administering.h"
#include "service/methods/contract.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "xqueue/v1/admin.pb-c.h"

enum { USER_BUSY_RETRY_MS = 1000, USER_ROLES = 4 };

/* A role of the contract is the number of its bit, from 1. */
static_assert(CONFIG_ROLE_SUBMIT == 1 << (XQUEUE__V1__ROLE__ROLE_SUBMIT - 1), "roles have the same order");
static_assert(CONFIG_ROLE_GRADE == 1 << (XQUEUE__V1__ROLE__ROLE_GRADE - 1), "roles have the same order");
static_assert(CONFIG_ROLE_DELIVER == 1 << (XQUEUE__V1__ROLE__ROLE_DELIVER - 1), "roles have the same order");
static_assert(CONFIG_ROLE_ADMIN == 1 << (XQUEUE__V1__ROLE__ROLE_ADMIN - 1), "roles have the same order");
static_assert(USER_ROLES == (int)XQUEUE__V1__ROLE__ROLE_ADMIN, "all roles");

/* CreateUser and UpdateUser: the password is hashed on its own thread first, when it came as such. */
struct user_method {
    struct method_command base;
    struct password_check check;
    const Xqueue__V1__User *user; /* of the request */
    unsigned roles;
    bool keep_sessions;
    char password_hash[SECRET_HASH_TEXT_MAX]; /* "": the password stays */
    struct store_user stored;                 /* as it is after the change */
};

/* What came, from either request. */
struct user_request {
    const Xqueue__V1__User *user;
    char *password;
    const char *password_hash;
    bool is_new;
};

/* ---- what the request must be ---- */

/* The reason why the roles cannot be given, or NULL. */
static const char *user_roles(const Xqueue__V1__User *user, unsigned *out_roles, const char **out_text)
{
    unsigned roles = 0;
    for (size_t i = 0; i < user->n_grants; i++) {
        const Xqueue__V1__RoleGrant *grant = user->grants[i];
        if (grant->queue[0] != '\0') {
            *out_text = "roles are for all queues: leave the queue of a RoleGrant empty";
            return "ROLE_WITH_QUEUE";
        }
        if (grant->role < XQUEUE__V1__ROLE__ROLE_SUBMIT || grant->role > XQUEUE__V1__ROLE__ROLE_ADMIN) {
            *out_text = "a RoleGrant has a role that is none";
            return "USER_INVALID";
        }
        roles |= 1U << (grant->role - 1);
    }
    *out_roles = roles;
    return NULL;
}

/* The first thing that is wrong, or NULL. */
static const char *user_fault(const struct user_request *request)
{
    bool has_password = request->password[0] != '\0';
    bool has_hash = request->password_hash[0] != '\0';
    const struct {
        bool ok;
        const char *text;
    } checks[] = {
        {request->user != NULL && text_is_name(request->user->name, STORE_USER_MAX - 1),
         "user.name is 1 to 150 bytes without control characters"},
        {strlen(request->password) <= SECRET_PASSWORD_BYTES_MAX, "password has at most 1,024 bytes"},
        {!has_password || !has_hash, "password or password_hash, not both"},
        {!request->is_new || has_password || has_hash, "a new user needs a password or a password_hash"},
        {!has_hash || secret_hash_is_valid(request->password_hash),
         "password_hash is not a form that is known: pbkdf2_sha256$ROUNDS$SALT$BASE64 is one"},
        {request->user == NULL || !request->is_new || request->user->n_grants > 0, "a new user needs a role"},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (!checks[i].ok) {
            return checks[i].text;
        }
    }
    return NULL;
}

static bool user_is_configured(struct rpc_server_call *call, struct rpc_message *message, const char *name)
{
    if (!access_is_configured(method_service(call)->access, name)) {
        return false;
    }
    struct error error;
    enum status status = error_set(&error, STATUS_WRONG_STATE, "USER_CONFIGURED",
                                   "user '%s' is one of the configuration file, and changed there", name);
    rpc_server_call_finish(call, status, &error);
    rpc_message_free(message);
    return true;
}

/* False: the call has been answered, and message freed. */
static bool user_may_be(struct rpc_server_call *call, struct rpc_message *message, const struct user_request *request,
                        unsigned *out_roles)
{
    const char *text = user_fault(request);
    const char *reason = "USER_INVALID";
    if (!text) {
        reason = user_roles(request->user, out_roles, &text);
    }
    if (text) {
        memory_wipe(request->password, strlen(request->password));
        method_refuse(call, message, reason, text);
        return false;
    }
    return !user_is_configured(call, message, request->user->name);
}

/* ---- the way ---- */

static void user_on_hashed(struct password_check *check, bool matches)
{
    struct user_method *user = LIST_OWNER(check, struct user_method, check);
    if (!matches && check->hash[0] == '\0') {
        struct error error;
        enum status status = error_set(&error, STATUS_UNAVAILABLE, "DRAINING", "the service is stopping");
        method_fail(&user->base, status, &error);
        return;
    }
    memcpy(user->password_hash, check->hash, sizeof user->password_hash);
    method_submit(&user->base);
}

static void user_hash(struct user_method *user, const char *of_user, char *password)
{
    text_copy(user->check.user, sizeof user->check.user, of_user);
    text_copy(user->check.password, sizeof user->check.password, password);
    memory_wipe(password, strlen(password));
    user->check.wants_hash = true;
    user->check.on_checked = user_on_hashed;
    if (password_checker_submit(method_service(user->base.call)->passwords, &user->check) != STATUS_OK) {
        struct error error;
        enum status status = error_set(&error, STATUS_FULL, "LOGIN_BUSY", "too many passwords are waiting to be hashed");
        error.retry_after_ms = USER_BUSY_RETRY_MS;
        method_fail(&user->base, status, &error);
    }
}

static void user_start(struct user_method *user, const struct user_request *request)
{
    user->user = request->user;
    if (request->password[0] != '\0') {
        user_hash(user, request->is_new ? "" : request->user->name, request->password);
        return;
    }
    text_copy(user->password_hash, sizeof user->password_hash, request->password_hash);
    method_submit(&user->base);
}

static void user_finish(struct method_command *method)
{
    struct user_method *user = (struct user_method *)method;
    memory_wipe(&user->check, sizeof user->check);
}

/* ---- answers ---- */

/* A User message and what it points to. */
struct user_message {
    Xqueue__V1__User user;
    Xqueue__V1__RoleGrant grants[USER_ROLES];
    Xqueue__V1__RoleGrant *pointers[USER_ROLES];
};

static void user_message_fill(struct user_message *message, const struct access_user_view *view)
{
    xqueue__v1__user__init(&message->user);
    message->user.name = contract_text(view->name);
    message->user.configured = view->configured;
    message->user.created_at_ms = view->created_at_ms;
    message->user.grants = message->pointers;
    for (unsigned role = XQUEUE__V1__ROLE__ROLE_SUBMIT; role <= XQUEUE__V1__ROLE__ROLE_ADMIN; role++) {
        if (view->roles & 1U << (role - 1)) {
            Xqueue__V1__RoleGrant *grant = &message->grants[message->user.n_grants];
            xqueue__v1__role_grant__init(grant);
            grant->role = (Xqueue__V1__Role)role;
            message->pointers[message->user.n_grants++] = grant;
        }
    }
}

static void user_reply(struct method_command *method, const char *event)
{
    const struct user_method *user = (const struct user_method *)method;
    access_put_user(method_service(method->call)->access, &user->stored, user->keep_sessions);
    log_event(LOG_INFO, event, LOG_TEXT("user", user->stored.name), LOG_TEXT("by", method_identity(method->call)->user));
    struct access_user_view view = {.roles = user->stored.roles, .created_at_ms = user->stored.created_at_ms};
    struct user_message message;
    text_copy(view.name, sizeof view.name, user->stored.name);
    user_message_fill(&message, &view);
    rpc_server_call_reply(method->call, &message.user.base);
}

/* ---- CreateUser ---- */

static enum status create_user_perform(struct method_command *method, struct queues *queues)
{
    struct user_method *user = (struct user_method *)method;
    user->stored = (struct store_user){.roles = user->roles, .created_at_ms = queues->now_ms};
    text_copy(user->stored.name, sizeof user->stored.name, user->user->name);
    memcpy(user->stored.password_hash, user->password_hash, sizeof user->stored.password_hash);
    return administering_create_user(queues, &user->stored, &method->error);
}

static void create_user_reply(struct method_command *method)
{
    user_reply(method, "user_created");
}

static const struct method_steps create_user_steps = {
    .size = sizeof(struct user_method),
    .perform = create_user_perform,
    .reply = create_user_reply,
    .finish = user_finish,
};

static void on_create_user(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__CreateUserRequest *from = (const Xqueue__V1__CreateUserRequest *)rpc_message_body(message);
    struct user_request request = {from->user, from->password, from->password_hash, true};
    unsigned roles = 0;
    if (user_may_be(call, message, &request, &roles)) {
        struct user_method *user = (struct user_method *)method_create(call, message, &create_user_steps);
        user->roles = roles;
        user_start(user, &request);
    }
}

/* ---- UpdateUser ---- */

static enum status update_user_perform(struct method_command *method, struct queues *queues)
{
    struct user_method *user = (struct user_method *)method;
    struct user_change change = {
        .name = user->user->name,
        .roles = user->roles,
        .password_hash = user->password_hash,
        .keep_sessions = user->keep_sessions,
    };
    access_digest_hash(user->password_hash, change.credential);
    return administering_update_user(queues, &change, &user->stored, &method->error);
}

static void update_user_reply(struct method_command *method)
{
    user_reply(method, "user_changed");
}

static const struct method_steps update_user_steps = {
    .size = sizeof(struct user_method),
    .perform = update_user_perform,
    .reply = update_user_reply,
    .finish = user_finish,
};

static void on_update_user(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__UpdateUserRequest *from = (const Xqueue__V1__UpdateUserRequest *)rpc_message_body(message);
    struct user_request request = {from->user, from->password, from->password_hash, false};
    unsigned roles = 0;
    if (user_may_be(call, message, &request, &roles)) {
        struct user_method *user = (struct user_method *)method_create(call, message, &update_user_steps);
        user->roles = roles;
        user->keep_sessions = from->keep_sessions;
        user_start(user, &request);
    }
}

/* ---- DeleteUser ---- */

static enum status delete_user_perform(struct method_command *method, struct queues *queues)
{
    const Xqueue__V1__DeleteUserRequest *request = (const Xqueue__V1__DeleteUserRequest *)rpc_message_body(method->message);
    return administering_delete_user(queues, request->user, &method->error);
}

static void delete_user_reply(struct method_command *method)
{
    const Xqueue__V1__DeleteUserRequest *request = (const Xqueue__V1__DeleteUserRequest *)rpc_message_body(method->message);
    access_remove_user(method_service(method->call)->access, request->user);
    log_event(LOG_INFO, "user_deleted", LOG_TEXT("user", request->user), LOG_TEXT("by", method_identity(method->call)->user));
    Xqueue__V1__DeleteUserResponse reply = XQUEUE__V1__DELETE_USER_RESPONSE__INIT;
    rpc_server_call_reply(method->call, &reply.base);
}

static const struct method_steps delete_user_steps = {
    .size = sizeof(struct method_command), .perform = delete_user_perform, .reply = delete_user_reply};

static void on_delete_user(struct rpc_server_call *call, struct rpc_message *message)
{
    const Xqueue__V1__DeleteUserRequest *request = (const Xqueue__V1__DeleteUserRequest *)rpc_message_body(message);
    if (!text_is_name(request->user, STORE_USER_MAX - 1)) {
        method_refuse(call, message, "USER_INVALID", "user is 1 to 150 bytes without control characters");
        return;
    }
    if (!user_is_configured(call, message, request->user)) {
        method_start(call, message, &delete_user_steps);
    }
}

/* ---- ListUsers ---- */

static void on_list_users(struct rpc_server_call *call, struct rpc_message *message)
{
    struct access_user_view *views = NULL;
    size_t count = access_list_users(method_service(call)->access, &views);
    struct user_message *users = memory_allocate_array(count, sizeof *users);
    Xqueue__V1__User **pointers = memory_allocate_array(count, sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        user_message_fill(&users[i], &views[i]);
        pointers[i] = &users[i].user;
    }
    Xqueue__V1__ListUsersResponse reply = XQUEUE__V1__LIST_USERS_RESPONSE__INIT;
    reply.users = pointers;
    reply.n_users = count;
    rpc_server_call_reply(call, &reply.base);
    memory_free(pointers);
    memory_free(users);
    memory_free(views);
    rpc_message_free(message);
}

const struct rpc_method admin_users_methods[] = {
    {.path = "/xqueue.v1.Admin/CreateUser",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__create_user_request__descriptor,
     .on_message = on_create_user,
     .role = METHOD_ADMIN},
    {.path = "/xqueue.v1.Admin/UpdateUser",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__update_user_request__descriptor,
     .on_message = on_update_user,
     .role = METHOD_ADMIN},
    {.path = "/xqueue.v1.Admin/DeleteUser",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__delete_user_request__descriptor,
     .on_message = on_delete_user,
     .role = METHOD_ADMIN},
    {.path = "/xqueue.v1.Admin/ListUsers",
     .kind = RPC_UNARY,
     .request = &xqueue__v1__list_users_request__descriptor,
     .on_message = on_list_users,
     .role = METHOD_ADMIN},
    {0},
};
