/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/administering.h"
#include "service/methods/contract.h"
#include "service/methods/method.h"
#include "service/methods/methods.h"
#include "service/methods/role_grants.h"
#include "xqueue/v1/admin.pb-c.h"

enum { USER_BUSY_RETRY_MS = 1000 };

/* CreateUser and UpdateUser: the password is hashed on its own thread first, when it came as such. */
struct user_method {
    struct method_command base;
    struct password_check check;
    const Xqueue__V1__User *user; /* of the request */
    struct rights rights;         /* owned; none: they stay */
    bool keep_sessions;
    char password_hash[SECRET_HASH_TEXT_MAX]; /* "": the password stays */
    struct store_user stored;                 /* owned: as it is after the change */
};

/* What came, from either request. */
struct user_request {
    const Xqueue__V1__User *user;
    char *password;
    const char *password_hash;
    bool is_new;
};

/* ---- what the request must be ---- */

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

/* False: the call has been answered, and message freed. Else *out_rights is the caller's. */
static bool user_may_be(struct rpc_server_call *call, struct rpc_message *message, const struct user_request *request,
                        struct rights *out_rights)
{
    const char *text = user_fault(request);
    if (!text) {
        text = role_grants_read(request->user->grants, request->user->n_grants, out_rights);
    }
    if (text) {
        memory_wipe(request->password, strlen(request->password));
        method_refuse(call, message, "USER_INVALID", text);
        return false;
    }
    if (user_is_configured(call, message, request->user->name)) {
        rights_finish(out_rights);
        return false;
    }
    return true;
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
    rights_finish(&user->rights);
    store_user_finish(&user->stored);
}

/* ---- answers ---- */

/* A User message and what it points to. */
struct user_message {
    Xqueue__V1__User user;
    struct role_grants grants;
};

/* view: borrowed for as long as message, which is to be freed with user_message_finish. */
static void user_message_fill(struct user_message *message, const struct access_user_view *view)
{
    xqueue__v1__user__init(&message->user);
    message->user.name = contract_text(view->name);
    message->user.configured = view->configured;
    message->user.created_at_ms = view->created_at_ms;
    role_grants_fill(&message->grants, &view->rights);
    message->user.grants = message->grants.pointers;
    message->user.n_grants = message->grants.count;
}

static void user_message_finish(struct user_message *message)
{
    role_grants_finish(&message->grants);
}

static void user_reply(struct method_command *method, const char *event)
{
    const struct user_method *user = (const struct user_method *)method;
    access_put_user(method_service(method->call)->access, &user->stored, user->keep_sessions);
    log_event(LOG_INFO, event, LOG_TEXT("user", user->stored.name), LOG_TEXT("by", method_identity(method->call)->user));
    struct access_user_view view = {.rights = user->stored.rights, .created_at_ms = user->stored.created_at_ms};
    struct user_message message;
    text_copy(view.name, sizeof view.name, user->stored.name);
    user_message_fill(&message, &view);
    rpc_server_call_reply(method->call, &message.user.base);
    user_message_finish(&message);
}

/* ---- CreateUser ---- */

static enum status create_user_perform(struct method_command *method, struct queues *queues)
{
    struct user_method *user = (struct user_method *)method;
    user->stored = (struct store_user){.created_at_ms = queues->now_ms};
    rights_copy(&user->stored.rights, &user->rights);
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
    struct rights rights;
    if (user_may_be(call, message, &request, &rights)) {
        struct user_method *user = (struct user_method *)method_create(call, message, &create_user_steps);
        user->rights = rights;
        user_start(user, &request);
    }
}

/* ---- UpdateUser ---- */

static enum status update_user_perform(struct method_command *method, struct queues *queues)
{
    struct user_method *user = (struct user_method *)method;
    struct user_change change = {
        .name = user->user->name,
        .rights = rights_anywhere(&user->rights) != 0 ? &user->rights : NULL,
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
    struct rights rights;
    if (user_may_be(call, message, &request, &rights)) {
        struct user_method *user = (struct user_method *)method_create(call, message, &update_user_steps);
        user->rights = rights;
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
    for (size_t i = 0; i < count; i++) {
        user_message_finish(&users[i]);
    }
    memory_free(pointers);
    memory_free(users);
    access_free_users(views, count);
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
