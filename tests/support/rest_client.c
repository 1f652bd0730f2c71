/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/rest_client.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BOUNDARY "----b0undary-0f-a-test"

enum { FORM_BYTES_MAX = 16 * 1024 * 1024, HEAD_BYTES_MAX = 16 * 1024 };

void rest_client_init(struct rest_client *client, int port, const char *user)
{
    *client = (struct rest_client){.port = port, .user = user, .password = user};
}

void rest_client_finish(struct rest_client *client)
{
    free(client->content);
    http_answer_finish(&client->answer);
}

/* ---- one request ---- */

static bool open_talk(struct http_talk *talk, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    talk->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    text_init(&talk->input, HTTP_TALK_BYTES_MAX);
    return talk->socket >= 0 && connect(talk->socket, (const struct sockaddr *)&address, sizeof(address)) == 0;
}

static void take_cookie(const char *line, const char *name, char out[REST_CLIENT_COOKIE_MAX])
{
    size_t length = strlen(name);

    if (strncmp(line, name, length) == 0 && line[length] == '=') {
        const char *value = line + length + 1;
        (void)snprintf(out, REST_CLIENT_COOKIE_MAX, "%.*s", (int)strcspn(value, ";\r\""), value);
    }
}

static void take_cookies(struct rest_client *client)
{
    char line[1024];

    for (size_t i = 0; http_answer_header(&client->answer, "Set-Cookie", i, line, sizeof(line)); i++) {
        take_cookie(line, "sessionid", client->session);
        take_cookie(line, "csrftoken", client->csrf);
    }
}

static void read_reply(struct rest_client *client)
{
    json_t *reply = json_loadb(client->answer.body.bytes, client->answer.body.length, 0, NULL);
    json_t *code = json_object_get(reply, "return_code");
    json_t *content = json_object_get(reply, "content");

    if (json_is_integer(code) && json_is_string(content)) {
        client->content = strdup(json_string_value(content));
    } else if (json_is_integer(code) && json_is_integer(content)) {
        client->content = json_dumps(content, JSON_ENCODE_ANY);
    }
    client->return_code = client->content != NULL ? (int)json_integer_value(code) : -1;
    json_decref(reply);
}

static void append_head(const struct rest_client *client, struct text *head, const char *extra)
{
    text_append_string(head, "Host: xqueue.example.org\r\nUser-Agent: test\r\nConnection: close\r\n");
    text_append_string(head, extra);
    if (client->session[0] != '\0') {
        text_append_format(head, "Cookie: sessionid=%s; csrftoken=%s\r\n", client->session, client->csrf);
    }
}

int rest_client_ask(struct rest_client *client, const char *method, const char *target, const char *extra,
                    const struct text *body)
{
    struct http_talk talk;
    struct text head;

    http_answer_finish(&client->answer);
    free(client->content);
    client->content = NULL;
    client->return_code = -1;
    text_init(&head, HEAD_BYTES_MAX);
    text_append_format(&head, "%s %s HTTP/1.1\r\n", method, target);
    append_head(client, &head, extra);
    if (body != NULL) {
        text_append_format(&head, "Content-Length: %zu\r\n", body->length);
    }
    text_append_string(&head, "\r\n");
    if (open_talk(&talk, client->port)) {
        // an answer may come before all is sent, and then sending fails
        bool is_sent = http_talk_send(&talk, head.bytes, head.length);
        (void)(is_sent && body != NULL && http_talk_send(&talk, body->bytes, body->length));
        if (http_talk_receive(&talk, false, &client->answer) != 0) {
            take_cookies(client);
            read_reply(client);
        }
    }
    http_talk_close(&talk);
    text_finish(&head);
    return client->answer.status;
}

int rest_client_get(struct rest_client *client, const char *target)
{
    return rest_client_ask(client, "GET", target, "", NULL);
}

/* ---- forms ---- */

void rest_form_append(struct text *form, const char *name, const char *value)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~";

    text_append_format(form, "%s%s=", form->length > 0 ? "&" : "", name);
    for (const char *at = value; *at != '\0'; at++) {
        if (strchr(plain, *at) != NULL) {
            text_append_char(form, *at);
        } else {
            text_append_format(form, "%%%02X", (unsigned)(unsigned char)*at);
        }
    }
}

static int post_with_type(struct rest_client *client, const char *target, const char *type, const struct text *body)
{
    char extra[REST_CLIENT_TEXT_MAX * 2];

    (void)snprintf(extra, sizeof(extra), "Content-Type: %s\r\nX-CSRFToken: %s\r\n", type, client->csrf);
    return rest_client_ask(client, "POST", target, extra, body);
}

int rest_client_login(struct rest_client *client)
{
    struct text form;

    (void)rest_client_get(client, "/xqueue/login/");
    text_init(&form, FORM_BYTES_MAX);
    rest_form_append(&form, "username", client->user);
    rest_form_append(&form, "password", client->password);
    (void)post_with_type(client, "/xqueue/login/", "application/x-www-form-urlencoded", &form);
    text_finish(&form);
    client->logins++;
    return client->return_code;
}

/* requests follows: the form is lost on the way, and the end is "login_required". Then log in, and once more. */
static int post_as_client(struct rest_client *client, const char *target, const char *type, const struct text *body)
{
    char location[1024];
    int status = post_with_type(client, target, type, body);

    if (status != 302 || !http_answer_header(&client->answer, "Location", 0, location, sizeof(location))) {
        return status;
    }
    (void)rest_client_get(client, location);
    if (client->content == NULL || strcmp(client->content, "login_required") != 0 || rest_client_login(client) != 0) {
        return client->answer.status;
    }
    return post_with_type(client, target, type, body);
}

int rest_client_post(struct rest_client *client, const char *target, const struct text *form)
{
    return post_as_client(client, target, "application/x-www-form-urlencoded", form);
}

/* ---- the LMS ---- */

void rest_submission_header(const struct rest_submission *submission, struct text *out)
{
    text_append_format(out, "{\"lms_callback_url\": \"%s\", \"lms_key\": \"%s\", \"queue_name\": \"%s\"}",
                       submission->callback_url, submission->key != NULL ? submission->key : "k", submission->queue);
}

static void append_part(struct text *form, const char *disposition, const char *bytes)
{
    text_append_format(form, "--" BOUNDARY "\r\nContent-Disposition: form-data; %s\r\n\r\n", disposition);
    text_append_string(form, bytes);
    text_append_string(form, "\r\n");
}

int rest_client_submit(struct rest_client *client, const struct rest_submission *submission)
{
    char disposition[REST_CLIENT_TEXT_MAX];
    struct text header;
    struct text form;
    int status = 0;

    text_init(&header, HEAD_BYTES_MAX);
    text_init(&form, FORM_BYTES_MAX);
    rest_submission_header(submission, &header);
    if (submission->file_field == NULL) {
        rest_form_append(&form, "xqueue_header", header.bytes);
        rest_form_append(&form, "xqueue_body", submission->body);
        status = rest_client_post(client, "/xqueue/submit/", &form);
    } else {
        append_part(&form, "name=\"xqueue_header\"", header.bytes);
        append_part(&form, "name=\"xqueue_body\"", submission->body);
        (void)snprintf(disposition, sizeof(disposition), "name=\"%s\"; filename=\"%s\"", submission->file_field,
                       submission->file_name);
        append_part(&form, disposition, submission->file_bytes);
        text_append_string(&form, "--" BOUNDARY "--\r\n");
        status = post_as_client(client, "/xqueue/submit/", "multipart/form-data; boundary=" BOUNDARY, &form);
    }
    text_finish(&form);
    text_finish(&header);
    return status;
}

/* ---- the poller ---- */

static void ask_about(struct rest_client *client, const char *endpoint, const char *queue)
{
    char target[REST_CLIENT_TEXT_MAX];

    (void)snprintf(target, sizeof(target), "/xqueue/%s/?queue_name=%s", endpoint, queue);
    if (rest_client_get(client, target) == 302 && rest_client_login(client) == 0) {
        (void)rest_client_get(client, target);
    }
}

static char *take_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text != NULL ? strdup(text) : NULL;
}

bool rest_client_pull(struct rest_client *client, const char *queue, struct rest_pulled *out_pulled)
{
    json_t *content = NULL;

    ask_about(client, "get_submission", queue);
    if (client->return_code != 0) {
        return false;
    }
    content = json_loads(client->content, 0, NULL);
    *out_pulled = (struct rest_pulled){.header = take_text(content, "xqueue_header"),
                                       .body = take_text(content, "xqueue_body"),
                                       .files = take_text(content, "xqueue_files")};
    json_decref(content);
    return out_pulled->header != NULL && out_pulled->body != NULL && out_pulled->files != NULL;
}

void rest_pulled_finish(struct rest_pulled *pulled)
{
    free(pulled->header);
    free(pulled->body);
    free(pulled->files);
}

int rest_client_put(struct rest_client *client, const char *header, const char *body)
{
    struct text form;

    text_init(&form, FORM_BYTES_MAX);
    rest_form_append(&form, "xqueue_header", header);
    rest_form_append(&form, "xqueue_body", body);
    (void)rest_client_post(client, "/xqueue/put_result/", &form);
    text_finish(&form);
    return client->return_code;
}

long rest_client_queue_length(struct rest_client *client, const char *queue)
{
    ask_about(client, "get_queuelen", queue);
    return client->return_code == 0 ? strtol(client->content, NULL, 10) : -1;
}
