/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clients of the legacy interface, with their exact sequences: the LMS (submit; sent to the login page, log in, submit
 * once more) and the poller (login, get_submission, put_result). A cookie jar, a connection for each request; a server that is
 * away is an HTTP status of 0, not a failure of the test.
 *
 * Threading: one client belongs to one thread at a time.
 */
#ifndef TESTS_SUPPORT_REST_CLIENT_H
#define TESTS_SUPPORT_REST_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/support/http_talk.h"

enum { REST_CLIENT_TEXT_MAX = 256, REST_CLIENT_COOKIE_MAX = 128 };

struct rest_client {
    int port;
    const char *user;     /* borrowed */
    const char *password; /* borrowed */
    char session[REST_CLIENT_COOKIE_MAX];
    char csrf[REST_CLIENT_COOKIE_MAX];
    int logins; /* how often it logged in */

    /* of the last request */
    struct http_answer answer; /* raw; its status is 0 when there was none */
    int return_code;           /* -1: the body is no legacy reply */
    char *content;             /* a text as it is, a number in decimal; NULL without a legacy reply; owned */
};

/* user's password is his name. */
void rest_client_init(struct rest_client *client, int port, const char *user);
void rest_client_finish(struct rest_client *client);

/* One request with the cookies. extra: header lines, each with CRLF. body NULL: none. Returns the HTTP status. */
int rest_client_ask(struct rest_client *client, const char *method, const char *target, const char *extra,
                    const struct text *body);
int rest_client_get(struct rest_client *client, const char *target);

/* GET login/, then POST login/ as both clients do. Returns return_code. */
int rest_client_login(struct rest_client *client);

/* Appends name=value, percent-encoded, with "&" before all but the first. */
void rest_form_append(struct text *form, const char *name, const char *value);
/* POST of an urlencoded form; logs in and repeats once when it is sent to the login page. Returns the HTTP status. */
int rest_client_post(struct rest_client *client, const char *target, const struct text *form);

struct rest_submission {
    const char *queue;
    const char *callback_url;
    const char *key; /* lms_key; NULL: "k" */
    const char *body;
    /* An uploaded file: then the form is multipart. NULL: none. */
    const char *file_field;
    const char *file_name;
    const char *file_bytes;
};
/* What the LMS sends as xqueue_header, byte for byte. */
void rest_submission_header(const struct rest_submission *submission, struct text *out);
/* As the LMS does it. Returns the HTTP status. */
int rest_client_submit(struct rest_client *client, const struct rest_submission *submission);

/* What get_submission handed out. Free with rest_pulled_finish. */
struct rest_pulled {
    char *header; /* the text of xqueue_header, to be sent back as it is */
    char *body;
    char *files; /* JSON */
};
/* false: nothing; why stands in client->content. */
bool rest_client_pull(struct rest_client *client, const char *queue, struct rest_pulled *out_pulled);
void rest_pulled_finish(struct rest_pulled *pulled);
/* Returns return_code. */
int rest_client_put(struct rest_client *client, const char *header, const char *body);
/* -1: an error. */
long rest_client_queue_length(struct rest_client *client, const char *queue);

#endif
