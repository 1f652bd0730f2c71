/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/login.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "rest-adapter/http_form.h"
#include "xqueue/v1/sessions.pb-c.h"

enum { USER_BYTES_MAX = 150, SET_COOKIE_BYTES_MAX = 1024 };

static const struct rpc_client_method login_method = {"/xqueue.v1.Sessions/Login", &xqueue__v1__login_response__descriptor};
static const struct rpc_client_method logout_method = {"/xqueue.v1.Sessions/Logout", &xqueue__v1__logout_response__descriptor};

static void set_cookies(struct endpoint *endpoint, const Xqueue__V1__LoginResponse *session)
{
    char csrf_token[SECRET_KEY_TEXT_MAX];
    struct text cookie;

    text_init(&cookie, SET_COOKIE_BYTES_MAX);
    // rounded up: what the core took to answer shall not show in Max-Age
    cookie_append_session(&cookie, session->token, clock_wall_ms(), (session->expires_in_ms + 999) / 1000);
    http_reply_header(endpoint->reply, "Set-Cookie", cookie.bytes);
    text_clear(&cookie);
    secret_token(csrf_token);
    cookie_append_csrf(&cookie, csrf_token, clock_wall_ms());
    http_reply_header(endpoint->reply, "Set-Cookie", cookie.bytes);
    text_finish(&cookie);
}

static bool is_usable(struct span text, size_t bytes_max)
{
    return text.length > 0 && text.length <= bytes_max && strlen(text.bytes) == text.length;
}

/*
 * Asked as the adapter itself, so that the core believes whose guesses these are. That the adapter cannot log in is not the
 * client's fault: it is told to come back later.
 */
static enum status ask_core(struct endpoint *endpoint, const ProtobufCMessage *request, struct rpc_message **out_reply,
                            struct error *error)
{
    static struct log_once refused;
    struct core_client *core = endpoint->adapter->core;
    enum status status = core_client_login_own(core, error);

    if (status == STATUS_UNAUTHENTICATED) {
        if (log_once_enter(&refused)) {
            log_event(LOG_ERROR, "own_login_refused", LOG_TEXT("user", endpoint->adapter->config->rest.user));
        }
        return error_set(error, STATUS_UNAVAILABLE, NULL, "the adapter cannot log in to the queue");
    }
    if (status == STATUS_OK) {
        (void)log_once_leave(&refused);
        status = core_client_call_own(core, &login_method, request, endpoint->adapter->config->rest.core_timeout_ms, out_reply,
                                      error);
    }
    return status;
}

static void log_in(struct endpoint *endpoint, struct span user, struct span password)
{
    Xqueue__V1__LoginRequest request = XQUEUE__V1__LOGIN_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    struct error error = {0};
    enum status status = STATUS_OK;

    request.user = (char *)user.bytes;
    request.password = (char *)password.bytes;
    request.peer = endpoint->client;
    status = ask_core(endpoint, &request.base, &reply, &error);
    if (status != STATUS_OK) {
        endpoint_fail(endpoint, status, &error, (struct span){0});
        return;
    }
    set_cookies(endpoint, (const Xqueue__V1__LoginResponse *)(const void *)rpc_message_body(reply));
    http_reply_header(endpoint->reply, "Vary", "Cookie");
    endpoint_say(endpoint, LEGACY_LOGGED_IN, (struct span){0});
    rpc_message_free(reply);
}

void login_serve(struct endpoint *endpoint)
{
    struct form_limits limits = http_form_limits(&endpoint->adapter->config->rest);
    struct span password;
    struct span user;
    struct form form;

    if (endpoint->request->method != HTTP_POST) {
        endpoint_say(endpoint, LEGACY_LOGIN_REQUIRED, (struct span){0});
        return;
    }
    form_init(&form, &limits);
    if (endpoint_read_form(endpoint, NULL, &form)) {
        user = form_get(&form, "username");
        password = form_get(&form, "password");
        if (user.bytes == NULL || password.bytes == NULL) {
            endpoint_say(endpoint, LEGACY_LOGIN_INSUFFICIENT, (struct span){0});
        } else if (!is_usable(user, USER_BYTES_MAX) || !is_usable(password, SECRET_PASSWORD_BYTES_MAX)) {
            endpoint_say(endpoint, LEGACY_LOGIN_INCORRECT, (struct span){0});
        } else {
            log_in(endpoint, user, password);
        }
    }
    form_finish(&form);
}

void logout_serve(struct endpoint *endpoint)
{
    Xqueue__V1__LogoutRequest request = XQUEUE__V1__LOGOUT_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    struct error error = {0};
    enum status status = STATUS_UNAUTHENTICATED;

    if (endpoint->session[0] != '\0') {
        status = endpoint_call(endpoint, &logout_method, &request.base, &reply, &error);
    }
    if (status != STATUS_OK && status != STATUS_UNAUTHENTICATED) { // that would be: no session any more, as wished
        endpoint_fail(endpoint, status, &error, (struct span){0});
        return;
    }
    rpc_message_free(reply);
    if (endpoint->cookie != COOKIE_ABSENT) {
        endpoint_delete_session_cookie(endpoint);
    }
    endpoint_say(endpoint, LEGACY_GOODBYE, (struct span){0});
}

void status_serve(struct endpoint *endpoint)
{
    endpoint_say(endpoint, LEGACY_STATUS_OK, (struct span){0});
}

bool login_has_csrf_token(const struct http_request *request)
{
    const char *claimed = http_request_header(request, "X-CSRFToken");
    char expected[COOKIE_VALUE_BYTES_MAX + 1];

    if (claimed == NULL ||
        cookie_find(span_of(http_request_header(request, "Cookie")), COOKIE_CSRF, expected) != COOKIE_FOUND) {
        return false;
    }
    return expected[0] != '\0' && text_equal_secret(claimed, strlen(claimed), expected, strlen(expected));
}
