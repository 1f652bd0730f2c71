/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The REST adapter inside a test, without courier: a scripted core, the real client of it, the real HTTP server with the real
 * routes on a free port, a folder of files that is removed at the end. One rig at a time.
 *
 * Threading: the test's thread.
 */
#ifndef TESTS_SUPPORT_REST_RIG_H
#define TESTS_SUPPORT_REST_RIG_H

#include <stddef.h>

#include "base/config.h"
#include "rest-adapter/endpoint.h"
#include "rest-adapter/http_server.h"
#include "tests/support/http_talk.h"
#include "tests/support/scripted_core.h"

#define REST_RIG_SESSION "Cookie: sessionid=" SCRIPTED_CORE_TOKEN "\r\n"

struct rest_rig {
    struct config config; /* may be changed before the next request */
    struct scripted_core *core;
    struct adapter adapter;
    struct http_server *server;
    int port;
    struct http_answer answer; /* of the last request */
    char folder[64];
};

void rest_rig_start(struct rest_rig *rig);
void rest_rig_stop(struct rest_rig *rig);

/* The core goes away, and comes back on its port. */
void rest_rig_stop_core(struct rest_rig *rig);
void rest_rig_resume_core(struct rest_rig *rig);

/* One request on a connection of its own. extra: header lines, each with CRLF. Returns the status; the rest is in rig->answer.
 */
int rest_rig_ask(struct rest_rig *rig, const char *method, const char *target, const char *extra);

/* POST of an urlencoded form in the session. */
int rest_rig_post(struct rest_rig *rig, const char *target, const char *form);

/* The same with other header lines and a counted body. */
int rest_rig_post_body(struct rest_rig *rig, const char *target, const char *extra, const char *body, size_t length);

/* The value of a header of the last answer, or "" when there is none; valid until the next call. */
const char *rest_rig_header(struct rest_rig *rig, const char *name, size_t index);

/* How many files lie in the folder and below. */
size_t rest_rig_count_files(const struct rest_rig *rig);

#endif
