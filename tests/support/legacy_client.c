/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/legacy_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { URL_BYTES_MAX = 2048, REPLY_BYTES_MAX = 16 * 1024 * 1024, FORM_BYTES_MAX = 1024, TIMEOUT_S = 30, VALUE_MAX = 256 };

struct legacy_client {
    struct legacy_client_options options;
    CURL *curl;
    struct text head;
    struct text body;
    char cookie[VALUE_MAX];
    int logins;
    int connections;
};

static void require(CURLcode code, const char *what)
{
    if (code != CURLE_OK) {
        (void)fprintf(stderr, "legacy_client: %s: %s\n", what, curl_easy_strerror(code));
        abort();
    }
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct text *text = context;
    text_append(text, bytes, size * count);
    return text->failed ? 0 : size * count;
}

struct legacy_client *legacy_client_create(const struct legacy_client_options *options)
{
    struct legacy_client *client = MEMORY_NEW(struct legacy_client);
    client->options = *options;
    client->curl = curl_easy_init();
    if (!client->curl)
        abort();
    text_init(&client->head, REPLY_BYTES_MAX);
    text_init(&client->body, REPLY_BYTES_MAX);
    require(curl_easy_setopt(client->curl, CURLOPT_COOKIEFILE, ""), "cookies"); // in memory
    require(curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, on_bytes), "body");
    require(curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &client->body), "body");
    require(curl_easy_setopt(client->curl, CURLOPT_HEADERFUNCTION, on_bytes), "head");
    require(curl_easy_setopt(client->curl, CURLOPT_HEADERDATA, &client->head), "head");
    require(curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L), "signals");
    require(curl_easy_setopt(client->curl, CURLOPT_NOPROXY, "*"), "proxy");
    require(curl_easy_setopt(client->curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S), "timeout");
    if (options->basic) {
        require(curl_easy_setopt(client->curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC), "basic");
        require(curl_easy_setopt(client->curl, CURLOPT_USERPWD, options->basic), "basic");
    }
    return client;
}

void legacy_client_destroy(struct legacy_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    text_finish(&client->head);
    text_finish(&client->body);
    memory_free(client);
}

int legacy_client_logins(const struct legacy_client *client)
{
    return client->logins;
}

int legacy_client_connections(const struct legacy_client *client)
{
    return client->connections;
}

const char *legacy_client_body(const struct legacy_client *client)
{
    return client->body.bytes;
}

const char *legacy_client_headers(const struct legacy_client *client)
{
    return client->head.bytes;
}

const char *legacy_client_cookie(struct legacy_client *client, const char *name)
{
    struct curl_slist *cookies = NULL;
    client->cookie[0] = '\0';
    require(curl_easy_getinfo(client->curl, CURLINFO_COOKIELIST, &cookies), "cookies");
    for (const struct curl_slist *at = cookies; at; at = at->next) {
        // domain, subdomains, path, secure, expiry, name, value; tabs between
        const char *value = strrchr(at->data, '\t');
        size_t length = strlen(name);
        bool is_it = value && (size_t)(value - at->data) > length && value[-(ptrdiff_t)length - 1] == '\t' &&
                     strncmp(value - length, name, length) == 0;
        if (is_it)
            (void)text_copy(client->cookie, sizeof(client->cookie), value + 1);
    }
    curl_slist_free_all(cookies);
    return client->cookie;
}

/* extra: owned by the caller. */
static int ask(struct legacy_client *client, const char *target, const char *form, struct curl_slist *extra)
{
    char url[URL_BYTES_MAX];
    long status = 0;
    long connections = 0;
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", client->options.port, target);
    text_clear(&client->head);
    text_clear(&client->body);
    require(curl_easy_setopt(client->curl, CURLOPT_URL, url), "url");
    require(curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, extra), "headers");
    if (form)
        require(curl_easy_setopt(client->curl, CURLOPT_COPYPOSTFIELDS, form), "form");
    else
        require(curl_easy_setopt(client->curl, CURLOPT_HTTPGET, 1L), "get");
    if (curl_easy_perform(client->curl) == CURLE_OK)
        require(curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status), "status");
    require(curl_easy_getinfo(client->curl, CURLINFO_NUM_CONNECTS, &connections), "connections");
    client->connections += (int)connections;
    return (int)status;
}

int legacy_client_ask(struct legacy_client *client, const char *target, const char *form)
{
    return ask(client, target, form, NULL);
}

static bool says(const struct legacy_client *client, const char *reply)
{
    return strcmp(client->body.bytes, reply) == 0;
}

static int post_login(struct legacy_client *client, struct curl_slist *extra)
{
    char form[FORM_BYTES_MAX];
    char *user = curl_easy_escape(client->curl, client->options.user, 0);
    char *password = curl_easy_escape(client->curl, client->options.password, 0);
    (void)snprintf(form, sizeof(form), "username=%s&password=%s", user, password);
    curl_free(user);
    curl_free(password);
    client->logins++;
    return ask(client, "/xqueue/login/", form, extra);
}

/* ---- the LMS ---- */

/* requests turns the POST into a GET at a 302, and the form is lost. */
static int post_and_follow(struct legacy_client *client, const char *target, const char *form)
{
    char *location = NULL;
    int status = ask(client, target, form, NULL);
    if (status == 302) {
        require(curl_easy_getinfo(client->curl, CURLINFO_REDIRECT_URL, &location), "location");
        const char *path = location ? strstr(location, "/xqueue/") : NULL;
        if (!path)
            return status;
        char copy[URL_BYTES_MAX];
        (void)text_copy(copy, sizeof(copy), path);
        status = ask(client, copy, NULL, NULL);
    }
    return status;
}

int legacy_lms_submit(struct legacy_client *client, const char *form)
{
    int status = post_and_follow(client, "/xqueue/submit/", form);
    if (status != 200 || !says(client, "{\"return_code\": 1, \"content\": \"login_required\"}"))
        return status;
    status = post_login(client, NULL);
    if (status != 200 || !says(client, "{\"return_code\": 0, \"content\": \"Logged in\"}"))
        return status;
    return post_and_follow(client, "/xqueue/submit/", form);
}

/* ---- the poller ---- */

/* What it sends with everything once it has been at login/. */
static struct curl_slist *poller_headers(struct legacy_client *client)
{
    char line[VALUE_MAX * 2];
    const char *csrf = legacy_client_cookie(client, "csrftoken");
    (void)snprintf(line, sizeof(line), "Referer: http://127.0.0.1:%d/xqueue/login/", client->options.port);
    struct curl_slist *headers = curl_slist_append(NULL, line);
    if (csrf[0] != '\0') {
        (void)snprintf(line, sizeof(line), "X-CSRFToken: %s", csrf);
        headers = curl_slist_append(headers, line);
    }
    return headers;
}

static int poller_ask(struct legacy_client *client, const char *target, const char *form)
{
    struct curl_slist *headers = poller_headers(client);
    int status = ask(client, target, form, headers);
    curl_slist_free_all(headers);
    return status;
}

bool legacy_poller_login(struct legacy_client *client)
{
    (void)ask(client, "/xqueue/login/", NULL, NULL);
    struct curl_slist *headers = poller_headers(client);
    int status = post_login(client, headers);
    curl_slist_free_all(headers);
    return status == 200 && says(client, "{\"return_code\": 0, \"content\": \"Logged in\"}");
}

int legacy_poller_ask(struct legacy_client *client, const char *target, const char *form)
{
    int status = poller_ask(client, target, form);
    bool needs_login = status == 301 || status == 302 || status == 401 || status == 403;
    if (needs_login && legacy_poller_login(client))
        status = poller_ask(client, target, form);
    return status;
}
