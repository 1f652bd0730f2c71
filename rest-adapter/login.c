/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/login.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include "rest-adapter/core_login.h"
#include "rest-adapter/http_form.h"

enum { USER_BYTES_MAX = 150, SET_COOKIE_BYTES_MAX = 1024 };

static void set_cookies(struct endpoint *endpoint, const struct core_session *session)
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

/* A session that came along lives on when it is the same user's, and ends when it is another's; if the login succeeds. */
static void log_in(struct endpoint *endpoint, struct span user, struct span password)
{
    const struct core_login login = {
        .user = user.bytes, .password = password.bytes, .peer = endpoint->client, .replaces = endpoint->session};
    struct core_session session = {.token = ""};
    struct error error = {0};
    enum status status = core_login_open(endpoint->adapter->core, endpoint->adapter->config, &login, &session, &error);

    if (status != STATUS_OK) {
        endpoint_fail(endpoint, status, &error, (struct span){0});
        return;
    }
    set_cookies(endpoint, &session);
    memory_wipe(&session, sizeof(session));
    http_reply_header(endpoint->reply, "Vary", "Cookie");
    endpoint_say(endpoint, LEGACY_LOGGED_IN, (struct span){0});
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
    struct error error = {0};
    enum status status = STATUS_OK;

    if (endpoint->session[0] != '\0') {
        status = core_login_close(endpoint->adapter->core, endpoint->session, &error);
    }
    if (status == STATUS_OK && endpoint->has_basic) {
        status = basic_sessions_end(endpoint->adapter->basic, &endpoint->basic, endpoint->client, &error);
    }
    if (status != STATUS_OK) {
        endpoint_fail(endpoint, status, &error, (struct span){0});
        return;
    }
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
