/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config_password.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"

#define VARIABLE_PREFIX "XQUEUE_PASSWORD_"

enum {
    VARIABLE_BYTES_MAX = 256,
    LINE_END_BYTES = 2, /* "\r\n" */
};

/* Reads the start of a file; the read bytes, or -1 with errno. Only regular files: a pipe or device might never end. */
static ssize_t read_start(const char *path, char *out, size_t capacity, mode_t *out_mode)
{
    struct stat info;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return -1;
    ssize_t length = -1;
    if (fstat(file, &info) == 0) {
        if (S_ISREG(info.st_mode))
            length = read(file, out, capacity);
        else
            errno = EINVAL;
    }
    int fault = errno;
    (void)close(file);
    errno = fault;
    *out_mode = length >= 0 ? info.st_mode : 0;
    return length;
}

/* What is wrong with the first line of bytes as a password, or NULL. The line ends with a NUL then. */
static const char *take_first_line(char *bytes, size_t length)
{
    size_t end = 0;
    while (end < length && bytes[end] != '\n')
        end++;
    if (end < length && end > 0 && bytes[end - 1] == '\r')
        end--;
    if (end == 0)
        return "the first line is empty";
    if (end > SECRET_PASSWORD_BYTES_MAX)
        return "the first line is longer than 1024 bytes";
    bytes[end] = '\0';
    return strlen(bytes) == end ? NULL : "the first line contains a NUL character";
}

const char *config_password_read(const char *path, char **out_password)
{
    char bytes[SECRET_PASSWORD_BYTES_MAX + LINE_END_BYTES + 1];
    mode_t mode = 0;
    ssize_t length = read_start(path, bytes, sizeof bytes - 1, &mode);
    const char *fault = length < 0 ? strerror(errno) : take_first_line(bytes, (size_t)length);
    if (!fault) {
        *out_password = memory_copy_text(bytes);
        if (mode & S_IRWXO)
            log_event(LOG_WARN, "password_file_open_to_all", LOG_TEXT("file", path));
    }
    memory_wipe(bytes, sizeof bytes);
    return fault;
}

/* Replaces *password by the first line of the file at path. */
static enum status read_password(const struct config_reader *reader, size_t line, const char *path, char **password)
{
    char *read = NULL;
    const char *fault = config_password_read(path, &read);
    if (fault && reader->is_client)
        return STATUS_OK;
    if (fault)
        return config_tree_fail(reader->error, reader->name, line, "password_file '%.100s': %s", path, fault);
    memory_free(*password);
    *password = read;
    return STATUS_OK;
}

static void variable_of(const char *user, char out[VARIABLE_BYTES_MAX])
{
    (void)snprintf(out, VARIABLE_BYTES_MAX, "%s%s", VARIABLE_PREFIX, user);
    for (char *at = out; *at != '\0'; at++) {
        // By hand, because the locale shall not count.
        if (*at >= 'a' && *at <= 'z')
            *at = (char)(*at - 'a' + 'A');
        else if (!((*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9')))
            *at = '_';
    }
}

/* Two users such as a-b and a_b have the same variable: it would let each in with the other's password. */
static enum status refuse_shared_variable(const struct config_reader *reader, size_t line, const struct config *config,
                                          const struct config_user *user, const char *variable)
{
    char other[VARIABLE_BYTES_MAX];
    for (const struct config_user *earlier = config->users; earlier < user; earlier++) {
        variable_of(earlier->name, other);
        if (strcmp(other, variable) == 0)
            return config_tree_fail(reader->error, reader->name, line, "users '%.50s' and '%.50s' share the variable %.60s",
                                    earlier->name, user->name, variable);
    }
    return STATUS_OK;
}

/* An empty variable counts as not set. */
static enum status fill_user(const struct config_reader *reader, size_t line, const struct config *config,
                             struct config_user *user)
{
    char variable[VARIABLE_BYTES_MAX];
    variable_of(user->name, variable);
    const char *given = getenv(variable);
    if (given && *given != '\0') {
        if (strlen(given) > SECRET_PASSWORD_BYTES_MAX)
            return config_tree_fail(reader->error, reader->name, line, "%.100s is longer than %d bytes", variable,
                                    SECRET_PASSWORD_BYTES_MAX);
        memory_free(user->password);
        user->password = memory_copy_text(given);
        user->password_hash[0] = '\0';
        user->password_file[0] = '\0';
        return refuse_shared_variable(reader, line, config, user, variable);
    }
    bool has_hash = user->password_hash[0] != '\0';
    bool has_file = user->password_file[0] != '\0';
    if (user->no_password && !has_hash && !has_file)
        return STATUS_OK;
    if (has_hash == has_file || user->no_password)
        return config_tree_fail(
            reader->error, reader->name, line,
            "users.%.60s: needs exactly one of password_hash, password_file, no_password and the variable %.80s", user->name,
            variable);
    return has_file ? read_password(reader, line, user->password_file, &user->password) : STATUS_OK;
}

static enum status fill_basic_auth(const struct config_reader *reader, const struct config_node *list,
                                   struct config_callbacks *callbacks)
{
    enum status status = STATUS_OK;
    for (size_t at = 0; at < callbacks->basic_auth_count && status == STATUS_OK; at++) {
        struct config_basic_auth *auth = &callbacks->basic_auth[at];
        size_t line = list->items[at].line;
        auth->password = memory_copy_text("");
        if (auth->origin[0] == '\0' || auth->user[0] == '\0' || auth->password_file[0] == '\0')
            status = config_tree_fail(reader->error, reader->name, line,
                                      "callbacks.basic_auth: needs all of origin, user and password_file");
        else if (strchr(auth->user, ':'))
            status = config_tree_fail(reader->error, reader->name, line, "callbacks.basic_auth: ':' in the user name");
        else
            status = read_password(reader, line, auth->password_file, &auth->password);
    }
    return status;
}

static enum status fill_s3(const struct config_reader *reader, const struct config_node *node, struct config_s3 *s3)
{
    size_t line = node ? node->line : 1;
    s3->secret_key = memory_copy_text("");
    if (s3->endpoint[0] == '\0')
        return STATUS_OK;
    if (s3->bucket[0] == '\0' || s3->access_key[0] == '\0' || s3->secret_key_file[0] == '\0')
        return config_tree_fail(reader->error, reader->name, line,
                                "rest.s3: needs all of bucket, access_key and secret_key_file");
    return read_password(reader, line, s3->secret_key_file, &s3->secret_key);
}

enum status config_fill_passwords(const struct config_reader *reader, const struct config_node *root, struct config *config)
{
    enum status status = STATUS_OK;
    const struct config_node *users = config_tree_find(root, CONFIG_USERS_KEY);
    for (size_t at = 0; at < config->user_count && status == STATUS_OK; at++)
        status = fill_user(reader, users->items[at].line, config, &config->users[at]);
    if (status != STATUS_OK)
        return status;
    const struct config_node *callbacks = config_tree_find(root, config_section_callbacks.name);
    status = fill_basic_auth(reader, config_tree_find(callbacks, "basic_auth"), &config->callbacks);
    if (status != STATUS_OK)
        return status;
    const struct config_node *rest = config_tree_find(root, config_section_rest.name);
    return fill_s3(reader, config_tree_find(rest, "s3"), &config->rest.s3);
}
