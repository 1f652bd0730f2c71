/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/endpoint.h"

#include <string.h>

#include "base/memory.h"
#include "base/url.h"
#include "rest-adapter/client_address.h"
#include "rest-adapter/http_form.h"
#include "xqueue/v1/sessions.pb-c.h"

enum { LOCATION_BYTES_MAX = HTTP_REPLY_HEAD_BYTES_MAX, RETRY_TEXT_MAX = 24, SET_COOKIE_BYTES_MAX = 512 };

/* Has it the form of a token? Anything else would not even pass as a header of the call. */
static bool is_token(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    return text[strspn(text, letters)] == '\0';
}

void endpoint_init(struct endpoint *endpoint, const struct adapter *adapter, const struct http_request *request,
                   struct http_reply *reply)
{
    *endpoint = (struct endpoint){.adapter = adapter, .request = request, .reply = reply};
    client_address(&adapter->config->rest, request, endpoint->client);
    endpoint->cookie = cookie_find(span_of(http_request_header(request, "Cookie")), COOKIE_SESSION, endpoint->session);
    if (!is_token(endpoint->session)) {
        endpoint->session[0] = '\0';
    }
    endpoint->session_from = endpoint->session[0] != '\0' ? ENDPOINT_SESSION_COOKIE : ENDPOINT_SESSION_NONE;
    endpoint->has_basic = basic_credentials_read(span_of(http_request_header(request, "Authorization")), &endpoint->basic);
}

void endpoint_finish(struct endpoint *endpoint)
{
    memory_wipe(endpoint->session, sizeof(endpoint->session));
    memory_wipe(&endpoint->basic, sizeof(endpoint->basic));
}

/* STATUS_UNAUTHENTICATED: no credentials, or wrong ones. */
static enum status open_basic_session(struct endpoint *endpoint, struct error *error)
{
    char token[SECRET_KEY_TEXT_MAX];
    enum status status = STATUS_UNAUTHENTICATED;

    if (endpoint->has_basic) {
        status = basic_sessions_get(endpoint->adapter->basic, &endpoint->basic, endpoint->client, token, error);
    }
    if (status == STATUS_OK) {
        (void)text_copy(endpoint->session, sizeof(endpoint->session), token);
        endpoint->session_from = ENDPOINT_SESSION_BASIC;
        memory_wipe(token, sizeof(token));
    }
    return status;
}

bool endpoint_has_session(struct endpoint *endpoint)
{
    struct error error = {0};
    enum status status = endpoint->session[0] != '\0' ? STATUS_OK : open_basic_session(endpoint, &error);

    if (status == STATUS_UNAUTHENTICATED) {
        endpoint_send_to_login(endpoint);
    } else if (status != STATUS_OK) {
        endpoint_fail(endpoint, status, &error, (struct span){0});
    }
    return status == STATUS_OK;
}

enum status endpoint_call(struct endpoint *endpoint, const struct rpc_client_method *method, const ProtobufCMessage *request,
                          struct rpc_message **out_reply, struct error *error)
{
    struct core_client *core = endpoint->adapter->core;
    struct error basic_error = {0};
    enum status opened = STATUS_OK;
    enum status status = core_client_call(core, method, request, endpoint->session, out_reply, error);

    if (status != STATUS_UNAUTHENTICATED || !endpoint->has_basic) {
        return status;
    }
    if (endpoint->session_from == ENDPOINT_SESSION_BASIC) {
        basic_sessions_forget(endpoint->adapter->basic, endpoint->session);
    }
    opened = open_basic_session(endpoint, &basic_error);
    if (opened == STATUS_OK) {
        status = core_client_call(core, method, request, endpoint->session, out_reply, error);
    } else if (opened != STATUS_UNAUTHENTICATED) {
        *error = basic_error;
        status = opened;
    }
    return status;
}

bool endpoint_is_logged_in(struct endpoint *endpoint)
{
    static const struct rpc_client_method method = {"/xqueue.v1.Sessions/WhoAmI", &xqueue__v1__who_am_iresponse__descriptor};
    Xqueue__V1__WhoAmIRequest request = XQUEUE__V1__WHO_AM_IREQUEST__INIT;
    struct rpc_message *reply = NULL;
    struct error error = {0};
    enum status status = endpoint_call(endpoint, &method, &request.base, &reply, &error);

    if (status != STATUS_OK) {
        endpoint_fail(endpoint, status, &error, (struct span){0});
        return false;
    }
    rpc_message_free(reply);
    return true;
}

static void set_content_type(struct endpoint *endpoint)
{
    http_reply_header(endpoint->reply, "Content-Type", LEGACY_REPLY_CONTENT_TYPE);
}

void endpoint_say(struct endpoint *endpoint, enum legacy_text text, struct span name)
{
    set_content_type(endpoint);
    legacy_reply_say(&endpoint->reply->body, text, name);
}

void endpoint_fail(struct endpoint *endpoint, enum status status, const struct error *error, struct span queue)
{
    struct legacy_failure failure = legacy_reply_failure(&endpoint->reply->body, status, error, queue);
    struct text seconds;

    if (failure.http_status == 302) {
        endpoint_send_to_login(endpoint);
        return;
    }
    endpoint->reply->status = failure.http_status;
    set_content_type(endpoint);
    if (failure.retry_after_s > 0) {
        text_init(&seconds, RETRY_TEXT_MAX);
        text_append_format(&seconds, "%lld", (long long)failure.retry_after_s);
        http_reply_header(endpoint->reply, "Retry-After", seconds.bytes);
        text_finish(&seconds);
    }
}

void endpoint_send_to_login(struct endpoint *endpoint)
{
    struct text location;

    text_init(&location, LOCATION_BYTES_MAX);
    url_append_login_redirect(&location, ENDPOINT_LOGIN_PATH, span_of(endpoint->request->path),
                              span_of(endpoint->request->query));
    endpoint->reply->status = 302;
    set_content_type(endpoint);
    http_reply_header(endpoint->reply, "Location", location.bytes);
    text_finish(&location);
    if (endpoint->cookie != COOKIE_ABSENT) {
        endpoint_delete_session_cookie(endpoint);
    }
}

void endpoint_delete_session_cookie(struct endpoint *endpoint)
{
    struct text cookie;

    text_init(&cookie, SET_COOKIE_BYTES_MAX);
    cookie_append_session_deletion(&cookie);
    http_reply_header(endpoint->reply, "Set-Cookie", cookie.bytes);
    text_finish(&cookie);
}

bool endpoint_read_form(struct endpoint *endpoint, const struct form_file_sink *sink, struct form *form)
{
    struct error error = {0};
    enum status status = http_form_read(endpoint->request, &endpoint->adapter->config->rest, sink, form, &error);

    if (status == STATUS_OK) {
        return true;
    }
    if (status == STATUS_CANCELED) {
        http_reply_page(endpoint->reply, 400);
        endpoint->reply->close = true;
    } else {
        endpoint_fail(endpoint, status, &error, (struct span){0});
    }
    return false;
}

struct span endpoint_query(const struct endpoint *endpoint, const char *name, struct form *form)
{
    struct form_limits limits = {.fields_max = HTTP_REQUEST_HEAD_BYTES_MAX, .bytes_max = HTTP_REQUEST_HEAD_BYTES_MAX};
    struct error error;

    form_init(form, &limits);
    form->charset = charset_of(span_of(http_request_header(endpoint->request, "Content-Type")));
    if (endpoint->request->query == NULL ||
        form_parse_urlencoded(form, span_of(endpoint->request->query), &error) != STATUS_OK) {
        return (struct span){0}; // only the first: what fits into a head fits into the limits
    }
    return form_get(form, name);
}

enum status endpoint_check_body(struct span body, struct error *error)
{
    if (body.length > ENDPOINT_BODY_BYTES_MAX) {
        return error_set(error, STATUS_INVALID, "BODY_TOO_LARGE", "xqueue_body is longer than %d bytes",
                         ENDPOINT_BODY_BYTES_MAX);
    }
    return STATUS_OK;
}

bool endpoint_is_queue_name(struct span name)
{
    return strlen(name.bytes) == name.length && text_is_name(name.bytes, CONFIG_NAME_BYTES_MAX);
}
