/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_server_test_support */
/*
 * Every method of the contract against every role: who may call it, and that what is not built says so.
 */
#include <xqueue/v1/admin.pb-c.h>
#include <xqueue/v1/files.pb-c.h>
#include <xqueue/v1/server.pb-c.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "service/methods/methods.h"
#include "tests/support/server_fixture.h"

/* Roles as letters: s(ubmit), g(rade), d(eliver), a(dmin); "" = everybody, without credentials too. '-' after them: not built.
 */
static const struct {
    const char *path;
    const char *roles;
} expected[] = {
    {"/xqueue.v1.Submissions/Submit", "s"},
    {"/xqueue.v1.Submissions/Get", "sa"},
    {"/xqueue.v1.Submissions/GetQueue", "sgda"},
    {"/xqueue.v1.Submissions/ListQueues", "sgda"},
    {"/xqueue.v1.Submissions/List", "sa"},
    {"/xqueue.v1.Submissions/Cancel", "sa"},
    {"/xqueue.v1.Submissions/Watch", "sa"},
    {"/xqueue.v1.Graders/Work", "g"},
    {"/xqueue.v1.Graders/Lease", "g"},
    {"/xqueue.v1.Graders/Extend", "g"},
    {"/xqueue.v1.Graders/Complete", "g"},
    {"/xqueue.v1.Graders/Fail", "g"},
    {"/xqueue.v1.Graders/Release", "g"},
    {"/xqueue.v1.Graders/Report", "g"},
    {"/xqueue.v1.Deliveries/Lease", "d"},
    {"/xqueue.v1.Deliveries/Acknowledge", "d"},
    {"/xqueue.v1.Deliveries/Fail", "d"},
    {"/xqueue.v1.Deliveries/Stream", "d"},
    {"/xqueue.v1.Files/Upload", "s"},
    {"/xqueue.v1.Files/Fetch", "sg"},
    {"/xqueue.v1.Admin/CreateQueue", "a"},
    {"/xqueue.v1.Admin/UpdateQueue", "a"},
    {"/xqueue.v1.Admin/PauseQueue", "a"},
    {"/xqueue.v1.Admin/DrainQueue", "a"},
    {"/xqueue.v1.Admin/DeleteQueue", "a"},
    {"/xqueue.v1.Admin/ListQueueSettings", "a"},
    {"/xqueue.v1.Admin/GetStatistics", "a"},
    {"/xqueue.v1.Admin/WatchStatistics", "a"},
    {"/xqueue.v1.Admin/Search", "a"},
    {"/xqueue.v1.Admin/Requeue", "a"},
    {"/xqueue.v1.Admin/Retire", "a"},
    {"/xqueue.v1.Admin/Purge", "a"},
    {"/xqueue.v1.Admin/Regrade", "a"},
    {"/xqueue.v1.Admin/RequeueDeliveries", "a"},
    {"/xqueue.v1.Admin/WatchBulk", "a"},
    {"/xqueue.v1.Admin/ListGraders", "a"},
    {"/xqueue.v1.Admin/CreateUser", "a"},
    {"/xqueue.v1.Admin/UpdateUser", "a"},
    {"/xqueue.v1.Admin/DeleteUser", "a"},
    {"/xqueue.v1.Admin/ListUsers", "a"},
    {"/xqueue.v1.Admin/CreateToken", "a"},
    {"/xqueue.v1.Admin/RevokeToken", "a"},
    {"/xqueue.v1.Admin/ListTokens", "a"},
    {"/xqueue.v1.Admin/Backup", "a"},
    {"/xqueue.v1.Sessions/Login", ""},
    {"/xqueue.v1.Sessions/Logout", "sgda"},
    {"/xqueue.v1.Sessions/WhoAmI", "sgda"},
    {"/xqueue.v1.Server/GetServerInfo", ""},
    {"/grpc.health.v1.Health/Check", ""},
    {"/grpc.health.v1.Health/Watch", ""},
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", ""},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", ""},
};

enum { EXPECTED = sizeof expected / sizeof expected[0], CALLERS = 6 };

static const struct {
    const char *user;
    char role; /* 0: none */
} callers[CALLERS] = {
    {"lms", 's'}, {"grader", 'g'}, {"courier", 'd'}, {"admin", 'a'}, {NULL, 0}, {"=nobodystokennobodystokennobodyst", 0},
};

static const struct rpc_method *find(const struct rpc_method *methods, const char *path)
{
    while (methods->path && strcmp(methods->path, path) != 0)
        methods++;
    return methods->path ? methods : NULL;
}

/* What an empty request of the caller is answered, whatever the kind of the method. STATUS_OK: something came. */
static enum status ask(struct server_fixture *server, const char *user, const struct rpc_method *method)
{
    const Xqueue__V1__LogoutRequest empty = XQUEUE__V1__LOGOUT_REQUEST__INIT;
    const struct rpc_client_method client = {method->path, &xqueue__v1__logout_response__descriptor};
    if (method->kind == RPC_UNARY)
        return server_calls(server, user, &client, &empty.base, NULL);
    struct grader_stream *stream = stream_opens(server, user, &client);
    enum status sent = rpc_client_stream_send(stream->stream, &empty.base);
    assert_true(sent == STATUS_OK || sent == STATUS_CANCELED); /* refused already */
    rpc_client_stream_half_close(stream->stream);
    enum status status = stream_awaits(stream) ? STATUS_OK : stream->status;
    server->error = stream->error;
    stream_closes(stream);
    return status;
}

static void check(struct server_fixture *server, const struct rpc_method *method, size_t caller, const char *roles)
{
    enum status status = ask(server, callers[caller].user, method);
    bool open = roles[0] == '\0';
    bool allowed = open || (callers[caller].role && strchr(roles, callers[caller].role));
    enum status refusal = callers[caller].role ? STATUS_DENIED : STATUS_UNAUTHENTICATED;
    const char *reason = callers[caller].role ? "ROLE_MISSING" : callers[caller].user ? "SESSION_OVER" : "CREDENTIALS_MISSING";
    bool right = allowed ? status != STATUS_DENIED && status != STATUS_UNAUTHENTICATED &&
                               (status == STATUS_UNIMPLEMENTED) == (strchr(roles, '-') != NULL)
                         : status == refusal && strcmp(server->error.reason, reason) == 0;
    if (!right)
        fail_msg("%s called by %s: %s %s %s", method->path, callers[caller].user ? callers[caller].user : "nobody",
                 status_name(status), server->error.reason, server->error.text);
}

static void every_method_is_for_its_roles_only(void **state)
{
    struct server_fixture *server = *state;
    struct rpc_method *methods = methods_join();
    for (size_t at = 0; at < EXPECTED; at++) {
        const struct rpc_method *method = find(methods, expected[at].path);
        assert_non_null(method);
        for (size_t caller = 0; caller < CALLERS; caller++)
            check(server, method, caller, expected[at].roles);
    }
    memory_free(methods);
}

static void no_method_is_served_that_this_test_does_not_know(void **state)
{
    (void)state;
    struct rpc_method *methods = methods_join();
    size_t count = 0;
    while (methods[count].path)
        count++;
    memory_free(methods);

    assert_int_equal(count, EXPECTED);
}

static void every_method_of_the_contract_is_served(void **state)
{
    static const ProtobufCServiceDescriptor *const services[] = {
        &xqueue__v1__submissions__descriptor, &xqueue__v1__graders__descriptor, &xqueue__v1__deliveries__descriptor,
        &xqueue__v1__files__descriptor,       &xqueue__v1__admin__descriptor,   &xqueue__v1__sessions__descriptor,
        &xqueue__v1__server__descriptor,
    };
    (void)state;
    struct rpc_method *methods = methods_join();
    for (size_t at = 0; at < sizeof services / sizeof services[0]; at++) {
        for (unsigned rpc = 0; rpc < services[at]->n_methods; rpc++) {
            char path[128];
            snprintf(path, sizeof path, "/%s/%s", services[at]->name, services[at]->methods[rpc].name);
            if (!find(methods, path))
                fail_msg("%s is not served", path);
        }
    }
    memory_free(methods);
}

static void an_unknown_method_is_unimplemented(void **state)
{
    struct server_fixture *server = *state;
    const struct rpc_method unknown = {.path = "/xqueue.v1.Submissions/Explode"};

    assert_int_equal(ask(server, "lms", &unknown), STATUS_UNIMPLEMENTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, server_fixture_setup, server_fixture_teardown)
        TEST(every_method_is_for_its_roles_only),
        cmocka_unit_test(no_method_is_served_that_this_test_does_not_know),
        cmocka_unit_test(every_method_of_the_contract_is_served),
        TEST(an_unknown_method_is_unimplemented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
