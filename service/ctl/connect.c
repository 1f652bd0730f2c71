/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/connect.h"

#include "base/config.h"
#include "base/memory.h"

static const struct config_user *find_admin(const struct config *config)
{
    for (size_t at = 0; at < config->user_count; at++) {
        const struct config_user *user = &config->users[at];
        if ((user->roles & CONFIG_ROLE_ADMIN) && user->password[0] != '\0')
            return user;
    }
    return NULL;
}

/* Says who comes; the texts are the configuration's. */
static enum status complete(struct connection_options *options, const struct config *config, struct error *error)
{
    if (connection_options_are_complete(options))
        return STATUS_OK;
    if (options->password || options->password_file)
        return error_set(error, STATUS_INVALID, NULL, "a password is given, but no user (--user, XQUEUE_USER)");
    const struct config_user *user = options->user ? config_find_user(config, options->user) : find_admin(config);
    if (!user && options->user)
        return error_set(error, STATUS_NOT_FOUND, NULL, "no password for '%.60s': it is not in %.100s; give --password-file",
                         options->user, config->file);
    if (!user)
        return error_set(error, STATUS_NOT_FOUND, NULL,
                         "%.100s has no user with the role admin whose password you may read; give --user and --password-file",
                         config->file);
    if (user->password[0] == '\0')
        return error_set(error, STATUS_NOT_FOUND, NULL,
                         "the password of '%.60s' in %.100s cannot be read; give --password-file", user->name, config->file);
    options->user = user->name;
    options->password = user->password;
    return STATUS_OK;
}

static enum status open_with(const struct connect_options *options, const struct config *config,
                             struct connection **out_connection, struct error *error)
{
    struct connection_options completed = options->given;
    char *address = completed.address ? NULL : config_core_address(config);
    if (address)
        completed.address = address;
    enum status status = complete(&completed, config, error);
    if (status == STATUS_OK)
        status = connection_open(&completed, out_connection, error);
    memory_free(address);
    return status;
}

enum status connect_open(const struct connect_options *options, struct connection **out_connection, struct error *error)
{
    if (options->given.address && connection_options_are_complete(&options->given) && !options->config_is_given)
        return connection_open(&options->given, out_connection, error);
    struct config *config = NULL;
    struct error config_error = {0};
    enum status status = config_load_as_client(options->config_file, &config, &config_error);
    if (status != STATUS_OK && !options->config_is_given)
        return error_set(error, status, NULL, "give --address, --user and --password-file, or --config: %s", config_error.text);
    if (status != STATUS_OK) {
        *error = config_error;
        return status;
    }
    status = open_with(options, config, out_connection, error);
    config_destroy(config);
    return status;
}
