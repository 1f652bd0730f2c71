/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_server_test_support */
/*
 * Tokens of programs over gRPC: made, used, cut to a part of what their user may, revoked, run out.
 */
#include <xqueue/v1/admin.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "service/access.h"
#include "tests/support/server_fixture.h"

#define METHOD(service_, name_, reply_) \
    static const struct rpc_client_method name_ = {"/xqueue.v1." service_, &xqueue__v1__##reply_##__descriptor}
#define BODY(type_, message_) ((const Xqueue__V1__##type_ *)rpc_message_body(message_))
#define ROLE(role_)           XQUEUE__V1__ROLE__ROLE_##role_
#define SERVER(kind_)         XQUEUE__V1__SERVER_MESSAGE__KIND_##kind_

METHOD("Admin/CreateToken", create_token, create_token_response);
METHOD("Admin/RevokeToken", revoke_token, revoke_token_response);
METHOD("Admin/ListTokens", list_tokens, list_tokens_response);
METHOD("Admin/CreateUser", create_user, user);
METHOD("Admin/UpdateUser", update_user, user);
METHOD("Admin/DeleteUser", delete_user, delete_user_response);
METHOD("Sessions/WhoAmI", who_am_i, who_am_iresponse);
METHOD("Graders/Lease", lease, lease_response);

enum { ID_BYTES = 16, TOKEN_BYTES = 68, MINUTE_MS = 60000, HOUR_MS = 3600000 };

static char grader[] = "grader";
static char local[] = "local";
static char nina[] = "nina";
static char secret[] = "secret";
static char small[] = "small";
static char demo[] = "demo";

struct made {
    char text[80]; /* "=TOKEN", as server_calls takes it */
    char id[32];
};

struct wish {
    char *user;
    int64_t expires_after_ms;
    unsigned role; /* 0: no grants */
    char *queue;   /* NULL: all */
};

static enum status creates(struct server_fixture *server, const char *who, struct wish wish, struct made *out_made)
{
    Xqueue__V1__RoleGrant grant = XQUEUE__V1__ROLE_GRANT__INIT;
    Xqueue__V1__RoleGrant *grants[] = {&grant};
    Xqueue__V1__CreateTokenRequest request = XQUEUE__V1__CREATE_TOKEN_REQUEST__INIT;
    static char label[] = "for the test";
    struct rpc_message *reply = NULL;
    request.user = wish.user;
    request.label = label;
    request.expires_after_ms = wish.expires_after_ms;
    request.grants = grants;
    request.n_grants = wish.role ? 1 : 0;
    grant.role = (Xqueue__V1__Role)wish.role;
    if (wish.queue)
        grant.queue = wish.queue;
    enum status status = server_calls(server, who, &create_token, &request.base, &reply);
    if (status == STATUS_OK && out_made) {
        snprintf(out_made->text, sizeof out_made->text, "=%s", BODY(CreateTokenResponse, reply)->token);
        snprintf(out_made->id, sizeof out_made->id, "%s", BODY(CreateTokenResponse, reply)->info->token_id);
    }
    rpc_message_free(reply);
    return status;
}

static struct made made(struct server_fixture *server, struct wish wish)
{
    struct made token = {"", ""};
    assert_int_equal(creates(server, "admin", wish, &token), STATUS_OK);
    return token;
}

static enum status revokes(struct server_fixture *server, char *id)
{
    Xqueue__V1__RevokeTokenRequest request = XQUEUE__V1__REVOKE_TOKEN_REQUEST__INIT;
    request.token_id = id;
    return server_calls(server, "admin", &revoke_token, &request.base, NULL);
}

static enum status polls(struct server_fixture *server, const char *who, char *queue)
{
    Xqueue__V1__LeaseRequest request = XQUEUE__V1__LEASE_REQUEST__INIT;
    request.queue = queue;
    request.grader = grader;
    return server_calls(server, who, &lease, &request.base, NULL);
}

static void nina_is_added(struct server_fixture *server, unsigned role)
{
    Xqueue__V1__RoleGrant grant = XQUEUE__V1__ROLE_GRANT__INIT;
    Xqueue__V1__RoleGrant *grants[] = {&grant};
    Xqueue__V1__User user = XQUEUE__V1__USER__INIT;
    Xqueue__V1__CreateUserRequest request = XQUEUE__V1__CREATE_USER_REQUEST__INIT;
    grant.role = (Xqueue__V1__Role)role;
    user.name = nina;
    user.grants = grants;
    user.n_grants = 1;
    request.user = &user;
    request.password = secret;
    assert_int_equal(server_calls(server, "admin", &create_user, &request.base, NULL), STATUS_OK);
}

static void nina_is_changed(struct server_fixture *server, unsigned role, const char *password)
{
    char text[32];
    Xqueue__V1__RoleGrant grant = XQUEUE__V1__ROLE_GRANT__INIT;
    Xqueue__V1__RoleGrant *grants[] = {&grant};
    Xqueue__V1__User user = XQUEUE__V1__USER__INIT;
    Xqueue__V1__UpdateUserRequest request = XQUEUE__V1__UPDATE_USER_REQUEST__INIT;
    snprintf(text, sizeof text, "%s", password);
    grant.role = (Xqueue__V1__Role)role;
    user.name = nina;
    user.grants = grants;
    user.n_grants = role ? 1 : 0;
    request.user = &user;
    request.password = text;
    assert_int_equal(server_calls(server, "admin", &update_user, &request.base, NULL), STATUS_OK);
}

static void nina_is_deleted(struct server_fixture *server)
{
    Xqueue__V1__DeleteUserRequest request = XQUEUE__V1__DELETE_USER_REQUEST__INIT;
    request.user = nina;
    assert_int_equal(server_calls(server, "admin", &delete_user, &request.base, NULL), STATUS_OK);
}

static void a_token_is_its_user_without_a_password(void **state)
{
    struct server_fixture *server = *state;
    const Xqueue__V1__WhoAmIRequest request = XQUEUE__V1__WHO_AM_IREQUEST__INIT;
    struct rpc_message *reply = NULL;
    struct made token = made(server, (struct wish){.user = grader});

    assert_int_equal(strlen(token.id), ID_BYTES);
    assert_int_equal(strlen(token.text), 1 + TOKEN_BYTES);
    assert_memory_equal(token.text, "=xqt_", 5);
    assert_int_equal(polls(server, token.text, demo), STATUS_OK);
    assert_int_equal(server_calls(server, token.text, &who_am_i, &request.base, &reply), STATUS_OK);
    assert_string_equal(BODY(WhoAmIResponse, reply)->user, "grader");
    assert_int_equal(BODY(WhoAmIResponse, reply)->n_roles, 1);
    assert_int_equal(BODY(WhoAmIResponse, reply)->expires_in_ms, 0);
    rpc_message_free(reply);
}

static void it_survives_a_restart_and_a_new_password(void **state)
{
    struct server_fixture *server = *state;
    nina_is_added(server, ROLE(GRADE));
    struct made token = made(server, (struct wish){.user = nina});

    nina_is_changed(server, 0, "another");
    assert_int_equal(polls(server, token.text, demo), STATUS_OK);
    server_fixture_stop(server);
    server_fixture_start(server);

    assert_int_equal(polls(server, token.text, demo), STATUS_OK);
}

static void it_may_be_less_than_its_user(void **state)
{
    struct server_fixture *server = *state;
    struct made token = made(server, (struct wish){.user = grader, .role = ROLE(GRADE), .queue = small});

    assert_int_equal(polls(server, token.text, small), STATUS_OK);
    assert_int_equal(polls(server, token.text, demo), STATUS_DENIED);
    assert_string_equal(server->error.reason, "ROLE_MISSING");
}

static void it_is_never_more_than_its_user(void **state)
{
    struct server_fixture *server = *state;
    assert_int_equal(creates(server, "admin", (struct wish){.user = grader, .role = ROLE(SUBMIT)}, NULL), STATUS_INVALID);
    assert_int_equal(creates(server, "admin", (struct wish){.user = local, .role = ROLE(GRADE)}, NULL), STATUS_INVALID);
    assert_string_equal(server->error.reason, "TOKEN_INVALID");
    nina_is_added(server, ROLE(GRADE));
    struct made token = made(server, (struct wish){.user = nina, .role = ROLE(GRADE)});
    struct made whole = made(server, (struct wish){.user = nina});

    nina_is_changed(server, ROLE(SUBMIT), "");

    assert_int_equal(polls(server, token.text, demo), STATUS_DENIED);
    assert_int_equal(polls(server, whole.text, demo), STATUS_DENIED);
    nina_is_changed(server, ROLE(GRADE), "");
    assert_int_equal(polls(server, token.text, demo), STATUS_OK);
}

static void a_revoked_token_is_over_at_once(void **state)
{
    struct server_fixture *server = *state;
    struct made token = made(server, (struct wish){.user = grader});
    struct made other = made(server, (struct wish){.user = grader});
    struct grader_stream *stream = grader_opens(server, token.text);
    grader_says_hello(stream, "g", "1", NULL);
    grader_awaits(stream, SERVER(WELCOME));
    struct grader_stream *others = grader_opens(server, other.text);
    grader_says_hello(others, "h", "1", NULL);
    grader_awaits(others, SERVER(WELCOME));

    assert_int_equal(revokes(server, token.id), STATUS_OK);

    assert_int_equal(polls(server, token.text, demo), STATUS_UNAUTHENTICATED);
    assert_string_equal(server->error.reason, "SESSION_OVER");
    grader_says_credit(stream, 1);
    assert_int_equal(stream_awaits_end(stream), STATUS_UNAUTHENTICATED);
    stream_closes(stream);
    grader_says_credit(others, 1);
    uint64_t id = lms_hands_in(server, "x");
    assert_int_equal(grader_awaits(others, SERVER(GRANT))->grant->submission->id, id);
    stream_closes(others);
    assert_int_equal(revokes(server, token.id), STATUS_NOT_FOUND);
    server_fixture_stop(server);
    server_fixture_start(server);
    assert_int_equal(polls(server, token.text, demo), STATUS_UNAUTHENTICATED);
}

static void a_token_runs_out(void **state)
{
    struct server_fixture *server = *state;
    struct made token = made(server, (struct wish){.user = grader, .expires_after_ms = HOUR_MS});
    struct grader_stream *stream = grader_opens(server, token.text);
    grader_says_hello(stream, "g", "1", NULL);
    grader_awaits(stream, SERVER(WELCOME));

    fake_clock_advance(server->clock, HOUR_MS - 1);
    assert_int_equal(polls(server, token.text, demo), STATUS_OK);
    fake_clock_advance(server->clock, 1);

    assert_int_equal(polls(server, token.text, demo), STATUS_UNAUTHENTICATED);
    grader_says_credit(stream, 1);
    assert_int_equal(stream_awaits_end(stream), STATUS_UNAUTHENTICATED);
    stream_closes(stream);
}

static void tokens_die_with_their_user(void **state)
{
    struct server_fixture *server = *state;
    nina_is_added(server, ROLE(GRADE));
    struct made token = made(server, (struct wish){.user = nina});

    nina_is_deleted(server);

    assert_int_equal(polls(server, token.text, demo), STATUS_UNAUTHENTICATED);
    nina_is_added(server, ROLE(GRADE));
    assert_int_equal(polls(server, token.text, demo), STATUS_UNAUTHENTICATED);
    server_fixture_stop(server);
    server_fixture_start(server);
    assert_int_equal(polls(server, token.text, demo), STATUS_UNAUTHENTICATED);
}

/* The one token listed for user. */
static int64_t used_at_ms(struct server_fixture *server, char *user)
{
    struct rpc_message *reply = NULL;
    Xqueue__V1__ListTokensRequest request = XQUEUE__V1__LIST_TOKENS_REQUEST__INIT;
    request.user = user;
    assert_int_equal(server_calls(server, "admin", &list_tokens, &request.base, &reply), STATUS_OK);
    assert_int_equal(BODY(ListTokensResponse, reply)->n_tokens, 1);
    int64_t at_ms = BODY(ListTokensResponse, reply)->tokens[0]->used_at_ms;
    rpc_message_free(reply);
    return at_ms;
}

static void the_last_use_is_listed_and_written_once_in_a_minute(void **state)
{
    struct server_fixture *server = *state;
    struct made token = made(server, (struct wish){.user = grader});
    assert_int_equal(used_at_ms(server, grader), 0);

    assert_int_equal(polls(server, token.text, demo), STATUS_OK);
    int64_t first_ms = used_at_ms(server, grader);
    assert_int_equal(first_ms, SERVER_FIXTURE_START_MS);
    fake_clock_advance(server->clock, MINUTE_MS - 1);
    assert_int_equal(polls(server, token.text, demo), STATUS_OK);
    assert_int_equal(used_at_ms(server, grader), first_ms + MINUTE_MS - 1);

    server_fixture_stop(server);
    server_fixture_start(server);
    assert_int_equal(used_at_ms(server, grader), first_ms);
}

static void they_are_listed_without_the_token(void **state)
{
    struct server_fixture *server = *state;
    const Xqueue__V1__ListTokensRequest all = XQUEUE__V1__LIST_TOKENS_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    struct made token = made(server, (struct wish){.user = local, .role = ROLE(GRADE), .queue = small, .expires_after_ms = 5});
    made(server, (struct wish){.user = grader});

    assert_int_equal(server_calls(server, "admin", &list_tokens, &all.base, &reply), STATUS_OK);

    assert_int_equal(BODY(ListTokensResponse, reply)->n_tokens, 2);
    for (size_t at = 0; at < 2; at++) {
        const Xqueue__V1__TokenInfo *info = BODY(ListTokensResponse, reply)->tokens[at];
        assert_string_equal(info->label, "for the test");
        assert_int_equal(info->created_at_ms, SERVER_FIXTURE_START_MS);
        if (strcmp(info->token_id, token.id) != 0)
            continue;
        assert_string_equal(info->user, "local");
        assert_int_equal(info->expires_at_ms, SERVER_FIXTURE_START_MS + 5);
        assert_int_equal(info->n_grants, 1);
        assert_int_equal(info->grants[0]->role, ROLE(GRADE));
        assert_string_equal(info->grants[0]->queue, "small");
    }
    rpc_message_free(reply);
}

static void what_is_wrong_is_told(void **state)
{
    static char nobody[] = "nobody";
    static char nothing[] = "";
    struct server_fixture *server = *state;

    assert_int_equal(creates(server, "admin", (struct wish){.user = nobody}, NULL), STATUS_NOT_FOUND);
    assert_string_equal(server->error.reason, "USER_NOT_FOUND");
    assert_int_equal(creates(server, "admin", (struct wish){.user = nothing}, NULL), STATUS_INVALID);
    assert_string_equal(server->error.reason, "TOKEN_INVALID");
    assert_int_equal(creates(server, "admin", (struct wish){.user = grader, .expires_after_ms = -1}, NULL), STATUS_INVALID);
    assert_int_equal(creates(server, "admin", (struct wish){.user = grader, .role = 9}, NULL), STATUS_INVALID);
    assert_int_equal(creates(server, "grader", (struct wish){.user = grader}, NULL), STATUS_DENIED);
    assert_int_equal(revokes(server, nobody), STATUS_NOT_FOUND);
    assert_string_equal(server->error.reason, "TOKEN_NOT_FOUND");
    assert_int_equal(revokes(server, nothing), STATUS_INVALID);
    for (int i = 0; i < ACCESS_TOKENS_PER_USER_MAX; i++)
        made(server, (struct wish){.user = grader});
    assert_int_equal(creates(server, "admin", (struct wish){.user = grader}, NULL), STATUS_FULL);
    assert_string_equal(server->error.reason, "TOKENS_FULL");
    assert_int_equal(creates(server, "admin", (struct wish){.user = local}, NULL), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, server_fixture_setup, server_fixture_teardown)
        TEST(a_token_is_its_user_without_a_password),
        TEST(it_survives_a_restart_and_a_new_password),
        TEST(it_may_be_less_than_its_user),
        TEST(it_is_never_more_than_its_user),
        TEST(a_revoked_token_is_over_at_once),
        TEST(a_token_runs_out),
        TEST(tokens_die_with_their_user),
        TEST(the_last_use_is_listed_and_written_once_in_a_minute),
        TEST(they_are_listed_without_the_token),
        TEST(what_is_wrong_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
