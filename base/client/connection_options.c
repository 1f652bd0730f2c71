/* SPDX-License-Identifier: Apache-2.0 */
#include "base/client/connection_options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* name NULL: no option, a variable only. */
static const struct {
    const char *name, *variable;
    size_t offset;
} fields[] = {
    {"address", "XQUEUE_ADDRESS", offsetof(struct connection_options, address)},
    {"user", "XQUEUE_USER", offsetof(struct connection_options, user)},
    {NULL, "XQUEUE_PASSWORD", offsetof(struct connection_options, password)},
    {"password-file", NULL, offsetof(struct connection_options, password_file)},
    {NULL, "XQUEUE_TOKEN", offsetof(struct connection_options, token)},
    {"token-file", NULL, offsetof(struct connection_options, token_file)},
    {"ca-file", "XQUEUE_CA_FILE", offsetof(struct connection_options, tls.ca_file)},
    {"certificate-file", "XQUEUE_CERTIFICATE_FILE", offsetof(struct connection_options, tls.certificate_file)},
    {"key-file", "XQUEUE_KEY_FILE", offsetof(struct connection_options, tls.key_file)},
    {"server-name", "XQUEUE_SERVER_NAME", offsetof(struct connection_options, tls.server_name)},
};
enum { FIELD_COUNT = sizeof fields / sizeof *fields };

static const char *variable(const char *name)
{
    const char *value = getenv(name); // NOLINT(concurrency-mt-unsafe): before other threads start
    return value && *value != '\0' ? value : NULL;
}

static const char **field_at(struct connection_options *options, size_t at)
{
    return (const char **)(void *)((char *)options + fields[at].offset);
}

void connection_options_init(struct connection_options *options, const char *program)
{
    *options = (struct connection_options){.program = program, .timeout_ms = CONNECTION_TIMEOUT_MS_DEFAULT};
    for (size_t at = 0; at < FIELD_COUNT; at++) {
        if (fields[at].variable)
            *field_at(options, at) = variable(fields[at].variable);
    }
}

const char **connection_options_field(struct connection_options *options, const char *name)
{
    for (size_t at = 0; at < FIELD_COUNT; at++) {
        if (fields[at].name && strcmp(fields[at].name, name) == 0)
            return field_at(options, at);
    }
    return NULL;
}

void connection_options_settle(struct connection_options *options)
{
    if (options->password_file)
        options->password = NULL;
    else if (!options->password)
        options->password_file = variable("XQUEUE_PASSWORD_FILE");
    if (options->token_file)
        options->token = NULL;
    else if (!options->token)
        options->token_file = variable("XQUEUE_TOKEN_FILE");
}

bool connection_options_need_no_login(const struct connection_options *options)
{
    bool has_token = options->token || options->token_file;
    return has_token || (!options->user && !options->password && options->tls.certificate_file);
}

bool connection_options_are_complete(const struct connection_options *options)
{
    return connection_options_need_no_login(options) || (options->user && (options->password || options->password_file));
}
