/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl hash-password`: what goes into users.NAME.password_hash. */
#include <stdio.h>

#include "base/secret.h"
#include "service/ctl/commands.h"
#include "service/ctl/password.h"
#include "service/ctl/report.h"

static int run(struct command_call *call)
{
    char *password = NULL;
    char hash[SECRET_HASH_TEXT_MAX];
    struct error error = {0};
    enum status status = password_read(call->operand_count > 0 ? call->operands[0] : NULL, &password, &error);
    if (status != STATUS_OK)
        return command_fail_status(status, &error);
    status = secret_password_hash(password, (int)command_number(call, "rounds"), hash);
    password_free(password);
    if (status != STATUS_OK)
        return command_fail(COMMAND_EXIT_FAILED, "the password cannot be hashed: %s", status_name(status));
    if (call->json)
        report_json(json_pack("{s:s}", "password_hash", hash));
    else
        (void)printf("%s\n", hash);
    return COMMAND_EXIT_OK;
}

static const struct command_option options[] = {
    {.name = "rounds",
     .value = "N",
     .help = "of PBKDF2-SHA256; 1000000, and not less",
     .kind = COMMAND_OPTION_NUMBER,
     .min = SECRET_ROUNDS_DEFAULT,
     .max = SECRET_ROUNDS_MAX,
     .fallback = SECRET_ROUNDS_DEFAULT},
};

const struct command command_hash_password = {
    .name = "hash-password",
    .operands = "[FILE]",
    .help = "prints the hash of a password, for users.NAME.password_hash",
    .details = "The password is the first line of FILE, or of standard input. At a terminal it is asked for and not shown.",
    COMMAND_OPTIONS(options),
    .operands_max = 1,
    .is_offline = true,
    .run = run,
};
