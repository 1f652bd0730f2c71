/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_server_test_support xqueue_store_test_support */
/*
 * Users that administrators make over gRPC: they log in, change, end, and survive a restart.
 */
#include <xqueue/v1/admin.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/server_fixture.h"

#define METHOD(service_, name_, reply_) \
    static const struct rpc_client_method name_ = {"/xqueue.v1." service_, &xqueue__v1__##reply_##__descriptor}

METHOD("Admin/CreateUser", create, user);
METHOD("Admin/UpdateUser", update, user);
METHOD("Admin/DeleteUser", delete, delete_user_response);
METHOD("Admin/ListUsers", list, list_users_response);
METHOD("Sessions/Login", login, login_response);
METHOD("Sessions/WhoAmI", who_am_i, who_am_iresponse);

/* What a test says of a user. NULL texts: left out. */
struct wish {
    const char *name;
    const char *password;
    const char *password_hash;
    unsigned role; /* 0: none */
    const char *role_queue;
    bool keep_sessions;
};

static char *text_of(const char *text)
{
    return (char *)(uintptr_t)(text ? text : "");
}

/* A User message of a wish. */
struct user_message {
    Xqueue__V1__User user;
    Xqueue__V1__RoleGrant grant;
    Xqueue__V1__RoleGrant *grants[1];
};

static void fill(struct user_message *message, const struct wish *wish)
{
    xqueue__v1__user__init(&message->user);
    xqueue__v1__role_grant__init(&message->grant);
    message->user.name = text_of(wish->name);
    message->grant.role = (Xqueue__V1__Role)wish->role;
    message->grant.queue = text_of(wish->role_queue);
    message->grants[0] = &message->grant;
    message->user.grants = message->grants;
    message->user.n_grants = wish->role ? 1 : 0;
}

static enum status creates(struct server_fixture *server, const char *who, struct wish wish)
{
    struct user_message message;
    Xqueue__V1__CreateUserRequest request = XQUEUE__V1__CREATE_USER_REQUEST__INIT;
    fill(&message, &wish);
    request.user = &message.user;
    request.password = text_of(wish.password);
    request.password_hash = text_of(wish.password_hash);
    return server_calls(server, who, &create, &request.base, NULL);
}

static enum status updates(struct server_fixture *server, struct wish wish)
{
    struct user_message message;
    Xqueue__V1__UpdateUserRequest request = XQUEUE__V1__UPDATE_USER_REQUEST__INIT;
    fill(&message, &wish);
    request.user = &message.user;
    request.password = text_of(wish.password);
    request.password_hash = text_of(wish.password_hash);
    request.keep_sessions = wish.keep_sessions;
    return server_calls(server, "admin", &update, &request.base, NULL);
}

static enum status deletes(struct server_fixture *server, const char *name)
{
    Xqueue__V1__DeleteUserRequest request = XQUEUE__V1__DELETE_USER_REQUEST__INIT;
    request.user = text_of(name);
    return server_calls(server, "admin", &delete, &request.base, NULL);
}

struct token {
    char text[64]; /* "=TOKEN", as server_calls takes it; "" when the login failed */
};

static struct token logs_in(struct server_fixture *server, const char *name, const char *password)
{
    Xqueue__V1__LoginRequest request = XQUEUE__V1__LOGIN_REQUEST__INIT;
    struct token token = {""};
    struct rpc_message *reply = NULL;
    request.user = text_of(name);
    request.password = text_of(password);
    if (server_calls(server, NULL, &login, &request.base, &reply) == STATUS_OK) {
        const Xqueue__V1__LoginResponse *body = (const Xqueue__V1__LoginResponse *)rpc_message_body(reply);
        snprintf(token.text, sizeof token.text, "=%s", body->token);
    }
    rpc_message_free(reply);
    return token;
}

static bool is_logged_in(struct server_fixture *server, const struct token *token)
{
    const Xqueue__V1__WhoAmIRequest request = XQUEUE__V1__WHO_AM_IREQUEST__INIT;
    return server_calls(server, token->text, &who_am_i, &request.base, NULL) == STATUS_OK;
}

static const struct wish nina = {.name = "nina", .password = "apple", .role = XQUEUE__V1__ROLE__ROLE_SUBMIT};

static void a_new_user_logs_in_and_survives_a_restart(void **state)
{
    struct server_fixture *server = *state;
    assert_int_equal(creates(server, "admin", nina), STATUS_OK);
    struct token token = logs_in(server, "nina", "apple");
    assert_true(is_logged_in(server, &token));
    assert_string_equal(logs_in(server, "nina", "pear").text, "");

    server_fixture_stop(server);
    server_fixture_start(server);

    assert_true(is_logged_in(server, &token));
    assert_string_not_equal(logs_in(server, "nina", "apple").text, "");
}

static void a_hash_of_another_system_is_taken_as_it_is(void **state)
{
    struct server_fixture *server = *state;
    struct wish wish = {.name = "nina", .password_hash = "pbkdf2_sha1$1$salt$8", .role = XQUEUE__V1__ROLE__ROLE_GRADE};
    assert_int_equal(creates(server, "admin", wish), STATUS_INVALID);
    char hash[SECRET_HASH_TEXT_MAX];
    assert_int_equal(secret_password_hash("apple", 3, hash), STATUS_OK);
    wish.password_hash = hash;

    assert_int_equal(creates(server, "admin", wish), STATUS_OK);

    assert_string_not_equal(logs_in(server, "nina", "apple").text, "");
}

static void only_administrators_make_users(void **state)
{
    static const char *const others[] = {"lms", "grader", "courier"};
    struct server_fixture *server = *state;

    for (size_t at = 0; at < sizeof others / sizeof others[0]; at++)
        assert_int_equal(creates(server, others[at], nina), STATUS_DENIED);
    assert_int_equal(creates(server, NULL, nina), STATUS_UNAUTHENTICATED);

    assert_string_equal(logs_in(server, "nina", "apple").text, "");
}

static void check_refusal(struct server_fixture *server, enum status status, enum status expected, const char *reason)
{
    assert_int_equal(status, expected);
    assert_string_equal(server->error.reason, reason);
}

static void what_is_wrong_is_told(void **state)
{
    static char long_name[152];
    static char long_password[SECRET_PASSWORD_BYTES_MAX + 2];
    struct server_fixture *server = *state;
    const unsigned role = XQUEUE__V1__ROLE__ROLE_SUBMIT;
    memset(long_name, 'n', sizeof long_name - 1);
    memset(long_password, 'p', sizeof long_password - 1);
    const struct {
        struct wish wish;
        const char *reason;
    } wrong[] = {
        {{.password = "p", .role = role}, "USER_INVALID"},
        {{.name = long_name, .password = "p", .role = role}, "USER_INVALID"},
        {{.name = "a\nb", .password = "p", .role = role}, "USER_INVALID"},
        {{.name = "n", .role = role}, "USER_INVALID"},
        {{.name = "n", .password = long_password, .role = role}, "USER_INVALID"},
        {{.name = "n", .password = "p", .password_hash = server->password_hash, .role = role}, "USER_INVALID"},
        {{.name = "n", .password_hash = "md5$1$x$y", .role = role}, "USER_INVALID"},
        {{.name = "n", .password = "p"}, "USER_INVALID"},
        {{.name = "n", .password = "p", .role = 5}, "USER_INVALID"},
        {{.name = "n", .password = "p", .role = role, .role_queue = "a\nb"}, "USER_INVALID"},
        {{.name = "n", .password = "p", .role = 5, .role_queue = "demo"}, "USER_INVALID"},
    };
    const Xqueue__V1__CreateUserRequest nobody = XQUEUE__V1__CREATE_USER_REQUEST__INIT;

    for (size_t at = 0; at < sizeof wrong / sizeof wrong[0]; at++)
        check_refusal(server, creates(server, "admin", wrong[at].wish), STATUS_INVALID, wrong[at].reason);
    check_refusal(server, server_calls(server, "admin", &create, &nobody.base, NULL), STATUS_INVALID, "USER_INVALID");
    check_refusal(server, updates(server, (struct wish){.name = "nobody"}), STATUS_NOT_FOUND, "USER_NOT_FOUND");
    check_refusal(server, updates(server, (struct wish){.name = "nobody", .password = "p"}), STATUS_NOT_FOUND,
                  "USER_NOT_FOUND");
    check_refusal(server, deletes(server, "nobody"), STATUS_NOT_FOUND, "USER_NOT_FOUND");
    check_refusal(server, deletes(server, ""), STATUS_INVALID, "USER_INVALID");
}

static void users_of_the_configuration_are_changed_there(void **state)
{
    struct server_fixture *server = *state;
    struct wish wish = nina;
    wish.name = "lms";

    check_refusal(server, creates(server, "admin", wish), STATUS_WRONG_STATE, "USER_CONFIGURED");
    check_refusal(server, updates(server, wish), STATUS_WRONG_STATE, "USER_CONFIGURED");
    check_refusal(server, deletes(server, "lms"), STATUS_WRONG_STATE, "USER_CONFIGURED");

    assert_string_not_equal(logs_in(server, "lms", "secret").text, "");
}

static void a_name_is_given_once(void **state)
{
    struct server_fixture *server = *state;
    struct wish again = nina;
    again.password = "pear";
    assert_int_equal(creates(server, "admin", nina), STATUS_OK);

    check_refusal(server, creates(server, "admin", again), STATUS_EXISTS, "USER_EXISTS");

    assert_string_equal(logs_in(server, "nina", "pear").text, "");
}

static void another_password_ends_sessions_and_the_same_one_does_not(void **state)
{
    struct server_fixture *server = *state;
    assert_int_equal(creates(server, "admin", nina), STATUS_OK);
    struct token first = logs_in(server, "nina", "apple");

    assert_int_equal(updates(server, (struct wish){.name = "nina", .password = "apple"}), STATUS_OK);
    assert_true(is_logged_in(server, &first));
    assert_int_equal(updates(server, (struct wish){.name = "nina", .password = "pear", .keep_sessions = true}), STATUS_OK);
    assert_true(is_logged_in(server, &first));
    server_fixture_stop(server);
    server_fixture_start(server);
    assert_true(is_logged_in(server, &first));
    assert_string_equal(logs_in(server, "nina", "apple").text, "");
    struct token second = logs_in(server, "nina", "pear");
    assert_int_equal(updates(server, (struct wish){.name = "nina", .password = "plum"}), STATUS_OK);
    assert_false(is_logged_in(server, &first));
    assert_false(is_logged_in(server, &second));
    server_fixture_stop(server);
    server_fixture_start(server);

    assert_false(is_logged_in(server, &second));
    assert_string_not_equal(logs_in(server, "nina", "plum").text, "");
}

static void roles_change_without_the_password(void **state)
{
    struct server_fixture *server = *state;
    const Xqueue__V1__ListUsersRequest request = XQUEUE__V1__LIST_USERS_REQUEST__INIT;
    assert_int_equal(creates(server, "admin", nina), STATUS_OK);
    struct token token = logs_in(server, "nina", "apple");
    assert_int_equal(server_calls(server, token.text, &list, &request.base, NULL), STATUS_DENIED);

    assert_int_equal(updates(server, (struct wish){.name = "nina", .role = XQUEUE__V1__ROLE__ROLE_ADMIN}), STATUS_OK);

    assert_int_equal(server_calls(server, token.text, &list, &request.base, NULL), STATUS_OK);
}

static void a_deleted_user_is_out(void **state)
{
    struct server_fixture *server = *state;
    assert_int_equal(creates(server, "admin", nina), STATUS_OK);
    struct token token = logs_in(server, "nina", "apple");

    assert_int_equal(deletes(server, "nina"), STATUS_OK);

    assert_false(is_logged_in(server, &token));
    assert_string_equal(logs_in(server, "nina", "apple").text, "");
    server_fixture_stop(server);
    server_fixture_start(server);
    assert_false(is_logged_in(server, &token));
    assert_string_equal(logs_in(server, "nina", "apple").text, "");
}

static void a_deleted_grader_is_granted_nothing_more(void **state)
{
    struct server_fixture *server = *state;
    struct wish gina = {.name = "gina", .password = "secret", .role = XQUEUE__V1__ROLE__ROLE_GRADE};
    assert_int_equal(creates(server, "admin", gina), STATUS_OK);
    struct grader_stream *grader = grader_opens(server, "gina");
    grader_says_hello(grader, "g", "1", NULL);
    grader_awaits(grader, XQUEUE__V1__SERVER_MESSAGE__KIND_WELCOME);

    assert_int_equal(deletes(server, "gina"), STATUS_OK);
    grader_says_credit(grader, 1);

    assert_int_equal(stream_awaits_end(grader), STATUS_UNAUTHENTICATED);
    assert_string_equal(grader->error.reason, "SESSION_OVER");
    stream_closes(grader);
}

static void users_are_listed_with_roles_and_without_secrets(void **state)
{
    struct server_fixture *server = *state;
    const Xqueue__V1__ListUsersRequest request = XQUEUE__V1__LIST_USERS_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    assert_int_equal(creates(server, "admin", nina), STATUS_OK);

    assert_int_equal(server_calls(server, "admin", &list, &request.base, &reply), STATUS_OK);

    static const char *const names[] = {"admin", "courier", "grader", "lms", "local", "nina", "other"};
    const Xqueue__V1__ListUsersResponse *body = (const Xqueue__V1__ListUsersResponse *)rpc_message_body(reply);
    assert_int_equal(body->n_users, sizeof names / sizeof names[0]);
    for (size_t at = 0; at < body->n_users; at++) {
        const Xqueue__V1__User *user = body->users[at];
        assert_string_equal(user->name, names[at]);
        assert_int_equal(user->configured, strcmp(user->name, "nina") != 0);
        assert_int_equal(user->created_at_ms, user->configured ? 0 : SERVER_FIXTURE_START_MS);
        bool is_local = strcmp(user->name, "local") == 0;
        assert_int_equal(user->n_grants, is_local ? 4 : 1);
        assert_string_equal(user->grants[0]->queue, is_local ? "small" : "");
    }
    assert_int_equal(body->users[0]->grants[0]->role, XQUEUE__V1__ROLE__ROLE_ADMIN);
    assert_int_equal(body->users[5]->grants[0]->role, XQUEUE__V1__ROLE__ROLE_SUBMIT);
    rpc_message_free(reply);
}

/* ---- a full disk ---- */

/* Only while the engine sleeps; the clock's lock hands the change over to it. */
static void disk_is_full(struct server_fixture *server, bool full)
{
    fake_clock_await_waiter(server->clock, 1);
    if (full)
        faulty_vfs_fail(FAULTY_WRITE_FULL, 1);
    else
        faulty_vfs_heal();
    fake_clock_advance(server->clock, 0);
}

static enum status calls_on_a_full_disk(struct server_fixture *server, const struct rpc_client_method *method,
                                        const ProtobufCMessage *request)
{
    char token[64] = "=";
    strncat(token, server_token(server, "admin"), sizeof token - 2);
    disk_is_full(server, true);
    enum status status = server_calls(server, token, method, request, NULL);
    disk_is_full(server, false);
    return status;
}

static void nothing_is_in_force_that_was_not_stored(void **state)
{
    struct server_fixture *server = *state;
    struct user_message message;
    Xqueue__V1__CreateUserRequest request = XQUEUE__V1__CREATE_USER_REQUEST__INIT;
    Xqueue__V1__UpdateUserRequest change = XQUEUE__V1__UPDATE_USER_REQUEST__INIT;
    Xqueue__V1__DeleteUserRequest end = XQUEUE__V1__DELETE_USER_REQUEST__INIT;
    fill(&message, &nina);
    request.user = change.user = &message.user;
    request.password_hash = text_of(server->password_hash);
    change.password = text_of("pear");
    end.user = text_of("nina");

    assert_int_equal(calls_on_a_full_disk(server, &create, &request.base), STATUS_UNAVAILABLE);
    assert_string_equal(server->error.reason, "STORAGE_FULL");
    assert_string_equal(logs_in(server, "nina", "secret").text, "");
    assert_int_equal(server_calls(server, "admin", &create, &request.base, NULL), STATUS_OK);
    struct token token = logs_in(server, "nina", "secret");
    assert_int_equal(calls_on_a_full_disk(server, &update, &change.base), STATUS_UNAVAILABLE);
    assert_true(is_logged_in(server, &token));
    assert_int_equal(calls_on_a_full_disk(server, &delete, &end.base), STATUS_UNAVAILABLE);
    assert_true(is_logged_in(server, &token));

    assert_string_not_equal(logs_in(server, "nina", "secret").text, "");
}

static int set_up(void **state)
{
    faulty_vfs_install();
    int failed = server_fixture_setup(state);
    log_configure("test", LOG_ERROR + 1, LOG_LOGFMT); /* the failures are wanted */
    return failed;
}

static int tear_down(void **state)
{
    int failed = server_fixture_teardown(state);
    faulty_vfs_remove();
    return failed;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
        TEST(a_new_user_logs_in_and_survives_a_restart),
        TEST(a_hash_of_another_system_is_taken_as_it_is),
        TEST(only_administrators_make_users),
        TEST(what_is_wrong_is_told),
        TEST(users_of_the_configuration_are_changed_there),
        TEST(a_name_is_given_once),
        TEST(another_password_ends_sessions_and_the_same_one_does_not),
        TEST(roles_change_without_the_password),
        TEST(a_deleted_user_is_out),
        TEST(a_deleted_grader_is_granted_nothing_more),
        TEST(users_are_listed_with_roles_and_without_secrets),
        TEST(nothing_is_in_force_that_was_not_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
