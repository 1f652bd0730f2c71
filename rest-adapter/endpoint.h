/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all endpoints of the legacy interface share: who asks, calling the core in that session, and answering in the legacy
 * way.
 *
 * A session is the core's: its token is the value of the cookie, and whether it still holds is only known once the core has
 * answered a call with it. So whoever answers without such a call asks endpoint_is_logged_in first.
 *
 * Threading: an endpoint belongs to the thread that serves the request; struct adapter is immutable.
 */
#ifndef REST_ADAPTER_ENDPOINT_H
#define REST_ADAPTER_ENDPOINT_H

#include <stdbool.h>

#include "base/address.h"
#include "base/config.h"
#include "rest-adapter/basic_sessions.h"
#include "rest-adapter/cookie.h"
#include "rest-adapter/core_client.h"
#include "rest-adapter/files.h"
#include "rest-adapter/form.h"
#include "rest-adapter/http_message.h"
#include "rest-adapter/legacy_reply.h"

#define ENDPOINT_LOGIN_PATH "/xqueue/login/"

/* All borrowed; they outlive the HTTP server. */
struct adapter {
    const struct config *config;
    struct core_client *core;
    struct files *files;
    struct basic_sessions *basic;
};

/* Where the session's token is from. */
enum endpoint_session {
    ENDPOINT_SESSION_NONE,
    ENDPOINT_SESSION_COOKIE,
    ENDPOINT_SESSION_BASIC, /* opened for the HTTP Basic credentials that came along */
};

/* One request on its way through. */
struct endpoint {
    const struct adapter *adapter;
    const struct http_request *request;
    struct http_reply *reply;
    enum cookie_search cookie;                /* of the session */
    char session[COOKIE_VALUE_BYTES_MAX + 1]; /* the token, "" = none */
    enum endpoint_session session_from;
    char client[ADDRESS_TEXT_MAX]; /* who asks: the peer, or whom a trusted proxy names */
    bool has_basic;                /* are there usable credentials? */
    struct basic_credentials basic;
};

/* Looks at the cookies, at the peer and at HTTP Basic credentials. */
void endpoint_init(struct endpoint *endpoint, const struct adapter *adapter, const struct http_request *request,
                   struct http_reply *reply);

/* Wipes what is secret. */
void endpoint_finish(struct endpoint *endpoint);

/*
 * May what needs a session go on? Without a session cookie the HTTP Basic credentials open one. false: the reply is made.
 */
bool endpoint_has_session(struct endpoint *endpoint);

/*
 * One call in the client's session; as core_client_call. When the session is over and there are HTTP Basic credentials, it is
 * repeated once in a session of theirs: a cookie that holds wins, credentials that are wrong change nothing.
 */
enum status endpoint_call(struct endpoint *endpoint, const struct rpc_client_method *method, const ProtobufCMessage *request,
                          struct rpc_message **out_reply, struct error *error) STATUS_CHECKED;

/* Asks the core whether the session holds. false: the reply is made (to the login page, or the core is away). */
bool endpoint_is_logged_in(struct endpoint *endpoint);

/* The reply: a text of the interface. name: for those with a name, else absent. */
void endpoint_say(struct endpoint *endpoint, enum legacy_text text, struct span name);

/* The reply to a failure, by the one table of legacy_reply.h. queue: for "Queue '...' not found"; may be absent. */
void endpoint_fail(struct endpoint *endpoint, enum status status, const struct error *error, struct span queue);

/* The reply: 302 to the login page; a session cookie that came is deleted. */
void endpoint_send_to_login(struct endpoint *endpoint);

/* Adds the Set-Cookie that deletes the session's cookie. */
void endpoint_delete_session_cookie(struct endpoint *endpoint);

/* Reads the request's form. false: the reply is made. form: initialised; to be finished in any case. */
bool endpoint_read_form(struct endpoint *endpoint, const struct form_file_sink *sink, struct form *form);

/*
 * The value of a query parameter, the last if there are several. absent (bytes NULL): there is none. form: initialised by
 * this, to be finished by the caller, and owner of the value.
 */
struct span endpoint_query(const struct endpoint *endpoint, const char *name, struct form *form);

enum { ENDPOINT_BODY_BYTES_MAX = 3145728 }; /* the contract's bound of a body and of a result */

/* STATUS_INVALID: xqueue_body, which grows when bad bytes in it are replaced, is longer than the contract lets it be. */
enum status endpoint_check_body(struct span body, struct error *error) STATUS_CHECKED;

/* Can a queue have this name at all? Else there is no use in asking the core. */
bool endpoint_is_queue_name(struct span name);

#endif
