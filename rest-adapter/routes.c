/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/routes.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "rest-adapter/file_endpoint.h"
#include "rest-adapter/form_reader.h"
#include "rest-adapter/grader_endpoints.h"
#include "rest-adapter/lms_endpoints.h"
#include "rest-adapter/login.h"

enum { LOCATION_BYTES_MAX = HTTP_REPLY_HEAD_BYTES_MAX };

static const struct route {
    const char *path;
    bool is_csrf_checked;
    bool needs_session;
    bool varies;     /* by cookie, always; login/ says it only after a success */
    bool takes_form; /* reads the body of a POST */
    void (*serve)(struct endpoint *endpoint);
} routes[] = {
    {"/xqueue/login/", false, false, false, true, login_serve},
    {"/xqueue/logout/", false, false, true, false, logout_serve},
    {"/xqueue/status/", true, false, false, false, status_serve},
    {"/xqueue/submit/", false, true, true, true, submit_serve},
    {"/xqueue/get_queuelen/", true, true, true, false, get_queuelen_serve},
    {"/xqueue/get_submission/", true, true, true, false, get_submission_serve},
    {"/xqueue/put_result/", false, true, true, true, put_result_serve},
};

static const struct route files_route = {FILE_LINK_PATH, false, false, false, false, file_serve};

static const struct route *find_route(const char *path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (strcmp(path, routes[i].path) == 0) {
            return &routes[i];
        }
    }
    return strncmp(path, FILE_LINK_PATH, strlen(FILE_LINK_PATH)) == 0 ? &files_route : NULL;
}

static bool is_route_without_slash(const char *path)
{
    size_t length = strlen(path);

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (strlen(routes[i].path) == length + 1 && memcmp(routes[i].path, path, length) == 0) {
            return true;
        }
    }
    return false;
}

/* Relative, and the query byte for byte. The path is one of ours: nothing in it needs encoding. */
static void redirect_to_slash(const struct http_request *request, struct http_reply *reply)
{
    struct text location;

    text_init(&location, LOCATION_BYTES_MAX);
    text_append_format(&location, "%s/", request->path);
    if (request->query != NULL && request->query[0] != '\0') {
        text_append_string(&location, "?");
        text_append_string(&location, request->query);
    }
    reply->status = 301;
    http_reply_header(reply, "Content-Type", LEGACY_REPLY_CONTENT_TYPE);
    http_reply_header(reply, "Location", location.bytes);
    text_finish(&location);
}

static bool is_safe(enum http_method method)
{
    return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_OPTIONS || method == HTTP_TRACE;
}

static void serve_route(const struct route *route, struct endpoint *endpoint)
{
    if (route->is_csrf_checked && !is_safe(endpoint->request->method) && !login_has_csrf_token(endpoint->request)) {
        http_reply_page(endpoint->reply, 403);
        return;
    }
    if (route->varies) {
        http_reply_header(endpoint->reply, "Vary", "Cookie");
    }
    if (route->needs_session && !endpoint_has_session(endpoint)) {
        return;
    }
    route->serve(endpoint);
}

void routes_serve(void *adapter, const struct http_request *request, struct http_reply *reply)
{
    const struct route *route = find_route(request->path);
    const char *host = http_request_header(request, "Host");
    int64_t started_us = clock_monotonic_us();
    struct endpoint endpoint;

    if (host != NULL && !http_host_is_valid(host)) {
        http_reply_page(reply, 400);
    } else if (route != NULL) {
        endpoint_init(&endpoint, adapter, request, reply);
        serve_route(route, &endpoint);
        endpoint_finish(&endpoint);
    } else if (is_route_without_slash(request->path)) {
        redirect_to_slash(request, reply);
    } else {
        http_reply_page(reply, 404);
    }
    // the route, not the path: those of files are secrets
    log_event(LOG_DEBUG, "request", LOG_TEXT("route", route != NULL ? route->path : "none"), LOG_INT("status", reply->status),
              LOG_INT("us", clock_monotonic_us() - started_us));
}

bool routes_want_body(void *adapter, enum http_method method, const char *path, struct span content_type)
{
    const struct route *route = find_route(path);

    (void)adapter;
    return method == HTTP_POST && route != NULL && route->takes_form && form_reader_takes(content_type);
}
