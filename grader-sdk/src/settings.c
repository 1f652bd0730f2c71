/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/src/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "grader-sdk/src/report.h"

#define ADDRESS_DEFAULT "127.0.0.1:8041"

enum {
    LABEL_BYTES_MAX = 64,
    HOST_BYTES_MAX = 48,  /* of a default grader id */
    QUEUE_BYTES_MAX = 48, /* likewise; both and a process id stay below XQUEUE_NAME_BYTES_MAX */
};

/* What settings are made from; error is the caller's. */
struct source {
    const struct xqueue_grader_options *options;
    struct settings *settings;
    struct xqueue_error *error;
};

static enum xqueue_status no_memory(struct source *source)
{
    return report_error(source->error, XQUEUE_STATUS_NO_MEMORY, true, NULL, "out of memory");
}

static enum xqueue_status invalid(struct source *source, const char *what)
{
    return report_error(source->error, XQUEUE_STATUS_INVALID, true, NULL, "%s", what);
}

/* The option, else the variable, else the default; NULL when there is none of them. Borrowed. */
static const char *choose(const char *option, const char *variable, const char *otherwise)
{
    if (option && option[0])
        return option;
    const char *value = getenv(variable); // NOLINT(concurrency-mt-unsafe): the header tells the host
    return value && value[0] ? value : otherwise;
}

static enum xqueue_status copy_into(struct source *source, const char *text, char **out)
{
    *out = memory_try_copy_text(text);
    return *out || !text ? XQUEUE_STATUS_OK : no_memory(source);
}

static enum xqueue_status add_queue(struct source *source, const char *name, size_t length)
{
    struct settings *settings = source->settings;
    if (settings->queue_count >= XQUEUE_QUEUES_MAX)
        return invalid(source, "more than 100 queues");
    char *copy = memory_try_allocate(length + 1);
    if (!copy)
        return no_memory(source);
    memcpy(copy, name, length);
    settings->queues[settings->queue_count++] = copy;
    if (!text_is_name(copy, XQUEUE_NAME_BYTES_MAX))
        return invalid(source, "a queue's name must be 1 to 128 bytes of UTF-8 without control characters");
    return XQUEUE_STATUS_OK;
}

static enum xqueue_status split_queues(struct source *source, const char *names)
{
    while (*names) {
        size_t length = strcspn(names, ",");
        if (length > 0) {
            enum xqueue_status status = add_queue(source, names, length);
            if (status != XQUEUE_STATUS_OK)
                return status;
        }
        names += length;
        names += *names == ',';
    }
    return XQUEUE_STATUS_OK;
}

static enum xqueue_status take_queues(struct source *source)
{
    const struct xqueue_grader_options *options = source->options;
    enum xqueue_status status = XQUEUE_STATUS_OK;
    source->settings->queues = memory_try_allocate(XQUEUE_QUEUES_MAX * sizeof(char *));
    if (!source->settings->queues)
        return no_memory(source);
    for (size_t i = 0; i < options->queue_count && status == XQUEUE_STATUS_OK; i++) {
        const char *name = options->queues && options->queues[i] ? options->queues[i] : "";
        status = add_queue(source, name, strnlen(name, XQUEUE_NAME_BYTES_MAX + 1));
    }
    if (options->queue_count == 0)
        status = split_queues(source, choose(NULL, "XQUEUE_QUEUES", ""));
    if (status == XQUEUE_STATUS_OK && source->settings->queue_count == 0)
        return invalid(source, "no queues given (option queues, or XQUEUE_QUEUES)");
    return status;
}

/* After the queues. */
static enum xqueue_status take_names(struct source *source)
{
    struct settings *settings = source->settings;
    enum xqueue_status status =
        copy_into(source, choose(source->options->address, "XQUEUE_ADDRESS", ADDRESS_DEFAULT), &settings->address);
    if (status != XQUEUE_STATUS_OK)
        return status;
    const char *grader = choose(source->options->grader, "XQUEUE_GRADER", NULL);
    char made[XQUEUE_NAME_BYTES_MAX + 1];
    if (!grader) {
        char host[HOST_NAME_MAX + 1] = "";
        if (gethostname(host, sizeof(host) - 1) != 0 || !text_is_name(host, HOST_NAME_MAX))
            (void)text_copy(host, sizeof(host), "host");
        char queue[QUEUE_BYTES_MAX + 1];
        (void)text_copy(queue, sizeof(queue), settings->queues[0]);
        (void)snprintf(made, sizeof(made), "%.*s:%s:%ld", HOST_BYTES_MAX, host, queue, (long)getpid());
        grader = made;
    }
    if (!text_is_name(grader, XQUEUE_NAME_BYTES_MAX))
        return invalid(source, "the grader id must be 1 to 128 bytes of UTF-8 without control characters");
    return copy_into(source, grader, &settings->grader);
}

static enum xqueue_status take_slots(struct source *source)
{
    int64_t slots = source->options->slots;
    if (slots == 0) {
        const char *text = choose(NULL, "XQUEUE_SLOTS", "1");
        if (text_to_int64(text, 1, XQUEUE_SLOTS_MAX, &slots) != STATUS_OK)
            return invalid(source, "XQUEUE_SLOTS must be a number from 1 to 1000");
    }
    if (slots > XQUEUE_SLOTS_MAX)
        return invalid(source, "slots must be 1 to 1000");
    source->settings->slots = (unsigned)slots;
    return XQUEUE_STATUS_OK;
}

static enum xqueue_status take_drain(struct source *source)
{
    int64_t timeout_ms = source->options->drain_timeout_ms;
    const char *text = choose(NULL, "XQUEUE_DRAIN_TIMEOUT_MS", "0");
    if (timeout_ms == 0 && text_to_int64(text, 0, INT64_MAX, &timeout_ms) != STATUS_OK)
        return invalid(source, "XQUEUE_DRAIN_TIMEOUT_MS must be a number, 0 or more");
    if (timeout_ms < 0)
        return invalid(source, "drain_timeout_ms is negative");
    source->settings->drain_timeout_ms = timeout_ms;
    return XQUEUE_STATUS_OK;
}

static bool is_bounded(const char *text, size_t bytes_max)
{
    return strlen(text) <= bytes_max && text_is_utf8(text, strlen(text));
}

/* Before the login. */
static enum xqueue_status take_token(struct source *source)
{
    const struct xqueue_grader_options *options = source->options;
    bool in_options = (options->token && options->token[0]) || (options->token_file && options->token_file[0]);
    const char *token = in_options ? options->token : choose(NULL, "XQUEUE_TOKEN", NULL);
    const char *file = in_options ? options->token_file : choose(NULL, "XQUEUE_TOKEN_FILE", NULL);
    if (token && file)
        return invalid(source, "both a token and a token file are given");
    if (token && strlen(token) >= SETTINGS_TOKEN_MAX)
        return invalid(source, "the token must be up to 512 bytes");
    enum xqueue_status status = copy_into(source, token, &source->settings->token);
    return status == XQUEUE_STATUS_OK ? copy_into(source, file, &source->settings->token_file) : status;
}

static enum xqueue_status take_tls(struct source *source)
{
    const struct xqueue_grader_options *options = source->options;
    struct settings *settings = source->settings;
    const struct {
        const char *text;
        char **out;
    } texts[] = {
        {choose(options->ca_file, "XQUEUE_CA_FILE", NULL), &settings->ca_file},
        {choose(options->certificate_file, "XQUEUE_CERTIFICATE_FILE", NULL), &settings->certificate_file},
        {choose(options->key_file, "XQUEUE_KEY_FILE", NULL), &settings->key_file},
        {choose(options->server_name, "XQUEUE_SERVER_NAME", NULL), &settings->server_name},
    };
    enum xqueue_status status = XQUEUE_STATUS_OK;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && status == XQUEUE_STATUS_OK; i++)
        status = copy_into(source, texts[i].text, texts[i].out);
    return status;
}

static enum xqueue_status take_login(struct source *source)
{
    const struct xqueue_grader_options *options = source->options;
    struct settings *settings = source->settings;
    const char *user = choose(options->user, "XQUEUE_USER", NULL);
    if (user && settings_have_token(settings))
        return invalid(source, "a user and a token are given: one of them");
    if (!user)
        return XQUEUE_STATUS_OK;
    bool in_options = (options->password && options->password[0]) || (options->password_file && options->password_file[0]);
    const char *password = in_options ? options->password : choose(NULL, "XQUEUE_PASSWORD", NULL);
    const char *file = in_options ? options->password_file : choose(NULL, "XQUEUE_PASSWORD_FILE", NULL);
    if (!password == !file)
        return invalid(source,
                       file ? "both a password and a password file are given" : "a user needs a password or a password file");
    if (!text_is_name(user, XQUEUE_USER_BYTES_MAX))
        return invalid(source, "the user must be 1 to 150 bytes of UTF-8 without control characters");
    if (password && !is_bounded(password, XQUEUE_PASSWORD_BYTES_MAX))
        return invalid(source, "the password must be up to 1024 bytes of UTF-8");
    enum xqueue_status status = copy_into(source, user, &settings->user);
    if (status == XQUEUE_STATUS_OK)
        status = copy_into(source, password, &settings->password);
    if (status == XQUEUE_STATUS_OK)
        status = copy_into(source, file, &settings->password_file);
    return status;
}

static enum xqueue_status add_label(struct source *source, const struct xqueue_label *label)
{
    struct settings *settings = source->settings;
    if (settings->label_count >= XQUEUE_LABELS_MAX)
        return invalid(source, "more than 32 labels");
    if (!label->key || !label->value || !text_is_name(label->key, LABEL_BYTES_MAX) ||
        !is_bounded(label->value, LABEL_BYTES_MAX))
        return invalid(source, "a label's key and value must be up to 64 bytes of UTF-8");
    struct xqueue_label copy = {memory_try_copy_text(label->key), memory_try_copy_text(label->value)};
    settings->labels[settings->label_count++] = copy;
    return copy.key && copy.value ? XQUEUE_STATUS_OK : no_memory(source);
}

/* One "KEY=VALUE" of the variable, without what follows it. */
static enum xqueue_status add_label_text(struct source *source, const char *text, size_t length)
{
    char copy[2 * LABEL_BYTES_MAX + 2];
    const char *equals = memchr(text, '=', length);
    if (!equals || length >= sizeof(copy))
        return invalid(source, "XQUEUE_LABELS must be KEY=VALUE, of up to 64 bytes each, separated by commas");
    memcpy(copy, text, length);
    copy[length] = '\0';
    copy[equals - text] = '\0';
    return add_label(source, &(struct xqueue_label){.key = copy, .value = copy + (equals - text) + 1});
}

static enum xqueue_status split_labels(struct source *source, const char *labels)
{
    enum xqueue_status status = XQUEUE_STATUS_OK;
    while (*labels && status == XQUEUE_STATUS_OK) {
        size_t length = strcspn(labels, ",");
        if (length > 0)
            status = add_label_text(source, labels, length);
        labels += length;
        labels += *labels == ',';
    }
    return status;
}

static enum xqueue_status take_labels(struct source *source)
{
    const struct xqueue_grader_options *options = source->options;
    const char *text = choose(NULL, "XQUEUE_LABELS", "");
    if (options->label_count > 0 && !options->labels)
        return invalid(source, "label_count is given, and no labels");
    if (options->label_count == 0 && !text[0])
        return XQUEUE_STATUS_OK;
    source->settings->labels = memory_try_allocate(XQUEUE_LABELS_MAX * sizeof(struct xqueue_label));
    if (!source->settings->labels)
        return no_memory(source);
    enum xqueue_status status = XQUEUE_STATUS_OK;
    for (size_t i = 0; i < options->label_count && status == XQUEUE_STATUS_OK; i++)
        status = add_label(source, &options->labels[i]);
    return options->label_count > 0 ? status : split_labels(source, text);
}

enum xqueue_status settings_create(const struct xqueue_grader_options *options, struct settings **out_settings,
                                   struct xqueue_error *error)
{
    static enum xqueue_status (*const steps[])(struct source *) = {take_queues, take_names, take_slots, take_drain,
                                                                   take_token,  take_tls,   take_login, take_labels};
    struct source source = {.options = options, .settings = MEMORY_TRY_NEW(struct settings), .error = error};
    if (!source.settings)
        return no_memory(&source);
    source.settings->handler = options->handler;
    source.settings->on_lost = options->on_lost;
    source.settings->context = options->context;
    source.settings->report_lost = options->report_lost;
    enum xqueue_status status = XQUEUE_STATUS_OK;
    if (options->handler && options->report_lost)
        status = invalid(&source, "report_lost is for graders without a handler");
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && status == XQUEUE_STATUS_OK; i++)
        status = steps[i](&source);
    if (status != XQUEUE_STATUS_OK)
        settings_destroy(source.settings);
    else
        *out_settings = source.settings;
    return status;
}

/* Members of public structs are const for the host; these copies are ours to free. */
static void free_text(const char *text)
{
    memory_free((void *)(uintptr_t)text);
}

void settings_destroy(struct settings *settings)
{
    if (!settings)
        return;
    for (size_t i = 0; i < settings->queue_count; i++)
        memory_free(settings->queues[i]);
    for (size_t i = 0; i < settings->label_count; i++) {
        free_text(settings->labels[i].key);
        free_text(settings->labels[i].value);
    }
    if (settings->password)
        memory_wipe(settings->password, strlen(settings->password));
    memory_free(settings->queues);
    memory_free(settings->labels);
    memory_free(settings->address);
    memory_free(settings->grader);
    memory_free(settings->user);
    memory_free(settings->password);
    memory_free(settings->password_file);
    if (settings->token)
        memory_wipe(settings->token, strlen(settings->token));
    memory_free(settings->token);
    memory_free(settings->token_file);
    memory_free(settings->ca_file);
    memory_free(settings->certificate_file);
    memory_free(settings->key_file);
    memory_free(settings->server_name);
    memory_free(settings);
}

/* Reads up to capacity bytes; -1 with errno. */
static ssize_t read_start(const char *path, char *out, size_t capacity)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (descriptor < 0)
        return -1;
    size_t length = 0;
    ssize_t got = 1;
    while (length < capacity && got != 0) {
        got = read(descriptor, out + length, capacity - length);
        if (got < 0 && errno != EINTR)
            break;
        if (got > 0)
            length += (size_t)got;
    }
    int reason = errno;
    (void)close(descriptor);
    errno = reason;
    return got < 0 ? -1 : (ssize_t)length;
}

/* The first line of the file, of up to capacity - 1 bytes. what: it is called in the error. */
static enum status read_line(const char *path, const char *what, char *out, size_t capacity, struct error *error)
{
    ssize_t length = read_start(path, out, capacity);
    if (length < 0) {
        char why[ERROR_TEXT_MAX / 2];
        return error_set(error, STATUS_INVALID, NULL, "%s file %s: %s", what, path, strerror_r(errno, why, sizeof(why)));
    }
    size_t line = 0;
    while (line < (size_t)length && out[line] != '\n' && out[line] != '\r')
        line++;
    if (line == 0 || line >= capacity || memchr(out, '\0', line) || !text_is_utf8(out, line)) {
        memory_wipe(out, capacity);
        return error_set(error, STATUS_INVALID, NULL, "%s file %s: the first line must be 1 to %zu bytes of UTF-8", what, path,
                         capacity - 1);
    }
    out[line] = '\0';
    return STATUS_OK;
}

enum status settings_password(const struct settings *settings, char *out, struct error *error)
{
    if (!settings->password)
        return read_line(settings->password_file, "password", out, XQUEUE_PASSWORD_BYTES_MAX + 1, error);
    (void)text_copy(out, XQUEUE_PASSWORD_BYTES_MAX + 1, settings->password);
    return STATUS_OK;
}

bool settings_have_token(const struct settings *settings)
{
    return settings->token || settings->token_file;
}

/* What may follow "Bearer " in a header. */
static bool is_token(const char *text)
{
    const char *at = text;
    while (*at > ' ' && *at <= '~')
        at++;
    return *at == '\0' && at > text;
}

enum status settings_token(const struct settings *settings, char *out, struct error *error)
{
    enum status status = STATUS_OK;
    if (settings->token)
        (void)text_copy(out, SETTINGS_TOKEN_MAX, settings->token);
    else
        status = read_line(settings->token_file, "token", out, SETTINGS_TOKEN_MAX, error);
    if (status != STATUS_OK || is_token(out))
        return status;
    memory_wipe(out, SETTINGS_TOKEN_MAX);
    return error_set(error, STATUS_INVALID, NULL, "%s%s: blanks and special characters are in no token",
                     settings->token ? "the token" : "token file ", settings->token ? "" : settings->token_file);
}
