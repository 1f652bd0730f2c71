/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/config_syntax.h"
#include "base/memory.h"

#define HTTP_PREFIX  "http://"
#define FILES_SUFFIX ".files"

static void complete_files(struct config_service *service)
{
    if (service->files[0] == '\0') {
        size_t size = strlen(service->database) + strlen(FILES_SUFFIX) + 1;
        memory_free(service->files);
        service->files = memory_allocate(size);
        (void)snprintf(service->files, size, "%s%s", service->database, FILES_SUFFIX);
    }
}

void config_complete(struct config *config)
{
    struct config_rest *rest = &config->rest;
    complete_files(&config->service);
    if (rest->core[0] == '\0') {
        memory_free(rest->core);
        rest->core = config_core_address(config);
    }
    if (rest->file_keep_ms < 0) // not given
        rest->file_keep_ms = rest->media_url[0] == '\0' ? rest->file_url_ms : 0;
    if (rest->public_url[0] == '\0') {
        size_t size = strlen(HTTP_PREFIX) + strlen(rest->listen.items[0]) + 1;
        memory_free(rest->public_url);
        rest->public_url = memory_allocate(size);
        (void)snprintf(rest->public_url, size, "%s%s", HTTP_PREFIX, rest->listen.items[0]);
    }
}

struct check {
    const struct config_reader *reader;
    const struct config_node *root;
    const struct config *config;
};

/* The line of key in section, or of what is there of the way to it. */
static size_t line_of(const struct check *check, const char *section, const char *key)
{
    const struct config_node *outer = config_tree_find(check->root, section);
    const struct config_node *inner = config_tree_find(outer, key);
    if (inner)
        return inner->line;
    return outer ? outer->line : check->root->line;
}

#define CHECK_FAIL(check_, line_, ...) config_tree_fail((check_)->reader->error, (check_)->reader->name, (line_), __VA_ARGS__)

static enum status check_plaintext(const struct check *check)
{
    const struct config_service *service = &check->config->service;
    for (size_t at = 0; at < service->listen.count && !service->allow_plaintext; at++) {
        const char *listener = service->listen.items[at];
        if (!config_is_loopback(listener))
            return CHECK_FAIL(check, line_of(check, "service", "listen"),
                              "service.listen: '%.60s' is reachable from other machines, without TLS: move it to service.tls, "
                              "or say service.allow_plaintext: true",
                              listener);
    }
    return STATUS_OK;
}

static enum status check_one_tls(const struct check *check, const struct config_tls *tls, size_t line)
{
    if (tls->listen.count == 0 || tls->certificate_file[0] == '\0' || tls->key_file[0] == '\0')
        return CHECK_FAIL(check, line, "service.tls: an entry needs listen, certificate_file and key_file");
    bool wants_clients = tls->client_certificates != CONFIG_CLIENTS_OFF;
    if (wants_clients != (tls->client_ca_file[0] != '\0'))
        return CHECK_FAIL(check, line,
                          "service.tls: client_ca_file and client_certificates (optional or required) go together");
    return STATUS_OK;
}

static enum status check_listeners(const struct check *check)
{
    const struct config_service *service = &check->config->service;
    const struct config_node *list = config_tree_find(config_tree_find(check->root, "service"), "tls");
    size_t count = service->listen.count;
    for (size_t at = 0; at < service->tls_count; at++) {
        enum status status = check_one_tls(check, &service->tls[at], list->items[at].line);
        if (status != STATUS_OK)
            return status;
        count += service->tls[at].listen.count;
    }
    if (count < 1 || count > CONFIG_LISTENERS_MAX)
        return CHECK_FAIL(check, line_of(check, "service", "listen"),
                          "service.listen: must have 1 to %d entries, with those of service.tls, not %zu", CONFIG_LISTENERS_MAX,
                          count);
    return STATUS_OK;
}

static enum status check_times(const struct check *check)
{
    const struct config_service *service = &check->config->service;
    const struct config_delivery *delivery = &check->config->delivery;
    const struct config_callbacks *callbacks = &check->config->callbacks;
    if (service->grader_quiet_ms_max < service->grader_quiet_ms)
        return CHECK_FAIL(check, line_of(check, "service", "grader_quiet_ms_max"),
                          "service.grader_quiet_ms_max is less than grader_quiet_ms (%" PRId64 ")", service->grader_quiet_ms);
    if (delivery->retry_delay_ms_max < delivery->retry_delay_ms)
        return CHECK_FAIL(check, line_of(check, "delivery", "retry_delay_ms_max"),
                          "delivery.retry_delay_ms_max is less than retry_delay_ms (%" PRId64 ")", delivery->retry_delay_ms);
    if (callbacks->timeout_ms + callbacks->connect_timeout_ms > delivery->lease_ms)
        return CHECK_FAIL(check, line_of(check, "callbacks", "timeout_ms"),
                          "callbacks.timeout_ms + connect_timeout_ms (%" PRId64 ") is more than delivery.lease_ms (%" PRId64
                          ")",
                          callbacks->timeout_ms + callbacks->connect_timeout_ms, delivery->lease_ms);
    return STATUS_OK;
}

static enum status check_spool(const struct check *check)
{
    const struct config_rest *rest = &check->config->rest;
    if (rest->spool_bytes_max < rest->file_bytes_max + rest->form_bytes_max)
        return CHECK_FAIL(check, line_of(check, "rest", "spool_bytes_max"),
                          "rest.spool_bytes_max (%" PRId64 ") is less than file_bytes_max + form_bytes_max (%" PRId64 ")",
                          rest->spool_bytes_max, rest->file_bytes_max + rest->form_bytes_max);
    return STATUS_OK;
}

static enum status check_queues(const struct check *check)
{
    const struct config *config = check->config;
    const struct config_node *nodes = config_tree_find(check->root, CONFIG_QUEUES_KEY);
    if (config->queue_count == 0)
        return CHECK_FAIL(check, line_of(check, CONFIG_QUEUES_KEY, ""), "queues: at least one queue is needed");
    for (size_t at = 0; at < config->queue_count; at++) {
        const struct config_queue *queue = &config->queues[at];
        char fault[CONFIG_FAULT_MAX];
        if (config_queue_fault(queue, fault))
            return CHECK_FAIL(check, nodes->items[at].line, "queues.%.60s: %s", queue->name, fault);
    }
    return STATUS_OK;
}

static enum status check_queue_roles(const struct check *check, const struct config_user *user, const struct config_node *node)
{
    const struct config_node *list = config_tree_find(node, "queue_roles");
    size_t queues = 0;
    for (size_t at = 0; at < user->queue_roles_count; at++) {
        const struct config_queue_roles *some = &user->queue_roles[at];
        if (some->roles == 0 || some->queues.count == 0)
            return CHECK_FAIL(check, list->items[at].line, "users.%.60s.queue_roles: an entry needs roles and queues",
                              user->name);
        queues += some->queues.count;
    }
    if (queues > CONFIG_USER_QUEUES_MAX)
        return CHECK_FAIL(check, list->line, "users.%.60s.queue_roles: at most %d queues, not %zu", user->name,
                          CONFIG_USER_QUEUES_MAX, queues);
    return STATUS_OK;
}

static enum status check_users(const struct check *check)
{
    const struct config *config = check->config;
    const struct config_node *nodes = config_tree_find(check->root, CONFIG_USERS_KEY);
    for (size_t at = 0; at < config->user_count; at++) {
        const struct config_user *user = &config->users[at];
        if (user->roles == 0 && user->queue_roles_count == 0)
            return CHECK_FAIL(check, nodes->items[at].line,
                              "users.%.60s: roles is required: a list of submit, grade, deliver, admin", user->name);
        enum status status = check_queue_roles(check, user, &nodes->items[at]);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static const struct config_queue *first_pushed(const struct config *config)
{
    for (size_t at = 0; at < config->queue_count; at++) {
        if (config->queues[at].push_url[0] != '\0')
            return &config->queues[at];
    }
    return NULL;
}

static enum status check_rest_user(const struct check *check)
{
    const char *name = check->config->rest.user;
    if (*name == '\0')
        return STATUS_OK;
    size_t line = line_of(check, "rest", "user");
    const struct config_user *user = config_find_user(check->config, name);
    if (!user)
        return CHECK_FAIL(check, line, "rest.user: there is no user '%.60s'", name);
    if (!(user->roles & CONFIG_ROLE_DELIVER))
        return CHECK_FAIL(check, line, "rest.user: '%.60s' lacks the role deliver", name);
    const struct config_queue *pushed = first_pushed(check->config);
    if (pushed && !(user->roles & CONFIG_ROLE_GRADE))
        return CHECK_FAIL(check, line, "rest.user: '%.60s' lacks the role grade, which the push_url of queue '%.60s' needs",
                          name, pushed->name);
    bool has_other = check->config->rest.token_file[0] != '\0';
    if (user->password[0] == '\0' && !has_other && !check->reader->is_client)
        return CHECK_FAIL(
            check, line,
            "rest.user: '%.60s' needs its password in a file or in the environment, not as a hash, or a token_file", name);
    return STATUS_OK;
}

enum status config_check(const struct config_reader *reader, const struct config_node *root, const struct config *config)
{
    static enum status (*const checks[])(const struct check *) = {check_listeners, check_plaintext, check_times,    check_spool,
                                                                  check_queues,    check_users,     check_rest_user};
    const struct check check = {.reader = reader, .root = root, .config = config};
    enum status status = STATUS_OK;
    for (size_t at = 0; at < sizeof checks / sizeof *checks && status == STATUS_OK; at++)
        status = checks[at](&check);
    return status;
}
