/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/demo/lms_client.h"

#include <curl/curl.h>
#include <jansson.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { URL_MAX = 512, FORM_BYTES_MAX = 1 << 20, CONTENT_MAX = 512, HTTP_OK = 200 };

struct lms_client {
    CURL *curl;
    char *address;
    char *user;
    char *password;
    FILE *transcript;
    struct text reply;
};

/* What came back: {"return_code": 0, "content": "..."} */
struct answer {
    long http_status;
    long redirects;
    int return_code;
    char content[CONTENT_MAX];
};

struct field {
    const char *name;
    const char *value;
};

struct lms_client *lms_client_create(const struct lms_client_options *options)
{
    CURL *curl = curl_easy_init();
    if (!curl) {
        return NULL;
    }
    struct lms_client *client = MEMORY_NEW(struct lms_client);
    *client = (struct lms_client){.curl = curl,
                                  .address = memory_copy_text(options->address),
                                  .user = memory_copy_text(options->user),
                                  .password = memory_copy_text(options->password),
                                  .transcript = options->transcript};
    text_init(&client->reply, LMS_CLIENT_REPLY_BYTES_MAX);
    return client;
}

void lms_client_destroy(struct lms_client *client)
{
    if (!client) {
        return;
    }
    curl_easy_cleanup(client->curl);
    memory_wipe(client->password, strlen(client->password));
    memory_free(client->address);
    memory_free(client->user);
    memory_free(client->password);
    text_finish(&client->reply);
    memory_free(client);
}

/* ---- one exchange ---- */

static size_t on_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct text *reply = context;
    text_append(reply, bytes, size * count);
    return reply->failed ? 0 : size * count;
}

static void form_append(struct text *form, CURL *curl, struct field field)
{
    char *value = curl_easy_escape(curl, field.value, 0);
    text_append_format(form, "%s%s=", form->length > 0 ? "&" : "", field.name);
    text_append_string(form, value ? value : "");
    form->failed = form->failed || !value;
    curl_free(value);
}

static enum status read_answer(struct lms_client *client, struct answer *out, struct error *error)
{
    json_t *root = json_loadb(client->reply.bytes, client->reply.length, 0, NULL);
    json_t *content = NULL;
    int matched = root ? json_unpack(root, "{s:i, s:o}", "return_code", &out->return_code, "content", &content) : -1;
    if (out->http_status != HTTP_OK || matched != 0 || !json_is_string(content)) {
        json_decref(root);
        return error_set(error, STATUS_UNAVAILABLE, NULL, "xqueue-rest answered %ld: %.100s", out->http_status,
                         client->reply.bytes);
    }
    (void)text_copy(out->content, sizeof out->content, json_string_value(content));
    json_decref(root);
    return STATUS_OK;
}

static CURLcode perform(struct lms_client *client, const char *url, const char *form)
{
    CURL *curl = client->curl;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_COOKIEFILE, "");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)LMS_CLIENT_CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)LMS_CLIENT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &client->reply);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, form);
    return curl_easy_perform(curl);
}

static enum status post(struct lms_client *client, const char *path, const struct field fields[2], struct answer *out_answer,
                        struct error *error)
{
    char url[URL_MAX];
    struct text form;
    struct answer answer = {0};
    text_init(&form, FORM_BYTES_MAX);
    form_append(&form, client->curl, fields[0]);
    form_append(&form, client->curl, fields[1]);
    (void)snprintf(url, sizeof url, "http://%s%s", client->address, path);
    text_clear(&client->reply);
    CURLcode code = form.failed ? CURLE_OUT_OF_MEMORY : perform(client, url, form.bytes);
    text_finish(&form);
    if (code != CURLE_OK) {
        return error_set(error, STATUS_UNAVAILABLE, NULL, "POST %s: %s", url, curl_easy_strerror(code));
    }
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &answer.http_status);
    curl_easy_getinfo(client->curl, CURLINFO_REDIRECT_COUNT, &answer.redirects);
    enum status status = read_answer(client, &answer, error);
    if (status == STATUS_OK) {
        (void)fprintf(client->transcript, "  POST %-16s -> %s%ld, return_code %d, \"%s\"\n", path,
                      answer.redirects > 0 ? "302 to /xqueue/login/ -> " : "", answer.http_status, answer.return_code,
                      answer.content);
        *out_answer = answer;
    }
    return status;
}

/* ---- as an LMS does ---- */

static enum status log_in(struct lms_client *client, struct error *error)
{
    const struct field fields[2] = {{"username", client->user}, {"password", client->password}};
    struct answer answer = {0};
    enum status status = post(client, "/xqueue/login/", fields, &answer, error);
    if (status == STATUS_OK && answer.return_code != 0) {
        status = error_set(error, STATUS_DENIED, NULL, "the login was refused: %s", answer.content);
    }
    return status;
}

enum status lms_client_submit(struct lms_client *client, const char *header, const char *body, struct error *error)
{
    const struct field fields[2] = {{"xqueue_header", header}, {"xqueue_body", body}};
    struct answer answer = {0};
    enum status status = post(client, "/xqueue/submit/", fields, &answer, error);
    if (status == STATUS_OK && answer.return_code != 0 && strcmp(answer.content, "login_required") == 0) {
        status = log_in(client, error);
        if (status == STATUS_OK) {
            status = post(client, "/xqueue/submit/", fields, &answer, error);
        }
    }
    if (status == STATUS_OK && answer.return_code != 0) {
        status = error_set(error, STATUS_INVALID, NULL, "the submission was refused: %s", answer.content);
    }
    return status;
}
