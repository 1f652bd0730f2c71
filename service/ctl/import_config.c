/* SPDX-License-Identifier: Apache-2.0 */
/* `xqueuectl import-config`: an original's configuration becomes ours. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/config_syntax.h"
#include "base/memory.h"
#include "base/text.h"
#include "service/ctl/commands.h"
#include "service/ctl/input_file.h"
#include "service/ctl/legacy_plan.h"
#include "service/ctl/legacy_secrets.h"
#include "service/ctl/legacy_writer.h"
#include "service/ctl/report.h"

#define DRY_RUN_FOLDER "passwords"

enum { CONFIG_MODE = 0644 };

static enum status read_files(const struct command_call *call, struct legacy_plan *plan, struct error *error)
{
    enum status status = STATUS_OK;
    for (size_t at = 0; at < call->operand_count && status == STATUS_OK; at++) {
        struct config_node *root = NULL;
        const char *file = call->operands[at];
        status = input_file_read_tree(file, &root, error);
        if (status == STATUS_OK && root->kind == CONFIG_NODE_MAP)
            legacy_plan_take(plan, file, root);
        else if (status == STATUS_OK && root->kind != CONFIG_NODE_NULL)
            status =
                error_set(error, STATUS_INVALID, NULL,
                          "%.150s: is not a map of settings; settings that are Python have to be written as YAML first", file);
        input_file_free_tree(root);
    }
    return status;
}

static enum status read_origins(const struct command_call *call, struct legacy_plan *plan, struct error *error)
{
    const struct command_value *given = command_option(call, "lms-origin");
    for (size_t at = 0; at < given->count; at++) {
        const char *fault = config_check_origin(given->texts[at]);
        if (fault)
            return error_set(error, STATUS_INVALID, NULL, "--lms-origin: '%.100s' %s", given->texts[at], fault);
    }
    plan->lms_origins = given->texts;
    plan->lms_origin_count = given->count;
    return STATUS_OK;
}

static enum status find_folder(const struct command_call *call, const struct legacy_plan *plan, char out[LEGACY_PATH_MAX],
                               struct error *error)
{
    const char *folder = command_text(call, "secrets-dir");
    if (folder)
        return legacy_secrets_folder(folder, out, error);
    (void)text_copy(out, LEGACY_PATH_MAX, DRY_RUN_FOLDER);
    if (command_flag(call, "dry-run"))
        return STATUS_OK;
    return error_set(
        error, STATUS_INVALID, NULL,
        "give --secrets-dir DIR: there are %zu passwords, and they go into files there, not into the configuration",
        plan->secret_count);
}

/* What we wrote must be right: values are bounded and checked one by one, this sees whether they go together. */
static enum status check(const struct text *text, struct error *error)
{
    struct config *config = NULL;
    struct error fault = {0};
    enum status status = text_status(text);
    if (status != STATUS_OK)
        return error_set(error, status, NULL, "the configuration would be larger than %d bytes", LEGACY_CONFIG_BYTES_MAX);
    status = config_parse_as_client("result", "", text->bytes, text->length, &config, &fault);
    config_destroy(config);
    return status == STATUS_OK ? STATUS_OK : error_set(error, status, NULL, "the result is not right: %s", fault.text);
}

static enum status write_output(const struct command_call *call, const struct text *text, struct error *error)
{
    const char *path = command_text(call, "output");
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (command_flag(call, "force") ? O_TRUNC : O_EXCL);
    int file = open(path, flags, CONFIG_MODE);
    if (file < 0)
        return error_set(error, STATUS_EXISTS, NULL, "%.150s: %s%s", path, strerror(errno),
                         errno == EEXIST ? " (--force writes over it)" : "");
    size_t done = 0;
    while (done < text->length) {
        ssize_t written = write(file, text->bytes + done, text->length - done);
        if (written < 0 && errno != EINTR)
            break;
        done += written > 0 ? (size_t)written : 0;
    }
    bool is_whole = done == text->length && fsync(file) == 0;
    int fault = errno;
    if (close(file) == 0 && is_whole)
        return STATUS_OK;
    return error_set(error, STATUS_UNAVAILABLE, NULL, "%.150s: %s", path, strerror(is_whole ? errno : fault));
}

/* On standard error, one line each, whatever is printed on the other. */
static void tell_notes(const struct legacy_plan *plan)
{
    for (size_t at = 0; at < plan->note_count; at++) {
        const struct legacy_note *note = &plan->notes[at];
        if (note->origin.file)
            (void)command_fail(COMMAND_EXIT_OK, "%s:%zu: %s: %s", note->origin.file, note->origin.line, note->key, note->text);
        else
            (void)command_fail(COMMAND_EXIT_OK, "%s: %s", note->key, note->text);
    }
}

static void report(const struct command_call *call, const struct legacy_plan *plan, const struct text *text)
{
    const char *output = command_text(call, "output");
    bool is_printed = !output || command_flag(call, "dry-run");
    if (!call->json && is_printed)
        (void)fwrite(text->bytes, 1, text->length, stdout);
    else if (!call->json)
        (void)printf("%s: %zu queues, %zu users, %zu files of secrets; %zu notes\n", output, plan->queue_count,
                     plan->user_count, plan->secret_count, plan->note_count);
    if (!call->json)
        return;
    json_t *notes = json_array();
    for (size_t at = 0; at < plan->note_count; at++) {
        const struct legacy_note *note = &plan->notes[at];
        json_array_append_new(notes, json_pack("{s:o, s:I, s:o, s:o}", "file",
                                               note->origin.file ? report_json_text(note->origin.file) : json_null(), "line",
                                               (json_int_t)note->origin.line, "key", report_json_text(note->key), "text",
                                               report_json_text(note->text)));
    }
    report_json(json_pack("{s:I, s:I, s:I, s:b, s:o, s:o}", "queues", (json_int_t)plan->queue_count, "users",
                          (json_int_t)plan->user_count, "secrets", (json_int_t)plan->secret_count, "dry_run",
                          (int)command_flag(call, "dry-run"), "notes", notes, "config",
                          is_printed ? report_json_text(text->bytes) : json_null()));
}

/* Secrets first: a configuration that names files which are not there is worse than files that nobody names. */
static enum status write_all(const struct command_call *call, const struct legacy_plan *plan, const char *folder,
                             const struct text *text, struct error *error)
{
    const char *output = command_text(call, "output");
    if (command_flag(call, "dry-run"))
        return STATUS_OK;
    if (output && !command_flag(call, "force") && access(output, F_OK) == 0)
        return error_set(error, STATUS_EXISTS, NULL, "%.150s is there already (--force writes over it)", output);
    enum status status = legacy_secrets_write(plan, folder, error);
    return status == STATUS_OK && output ? write_output(call, text, error) : status;
}

static int run(struct command_call *call)
{
    struct error error = {0};
    struct legacy_plan plan = {.lms_origins = NULL};
    struct text text;
    char folder[LEGACY_PATH_MAX];
    text_init(&text, LEGACY_CONFIG_BYTES_MAX);
    enum status status = read_origins(call, &plan, &error);
    if (status == STATUS_OK)
        status = read_files(call, &plan, &error);
    if (status == STATUS_OK) {
        legacy_plan_complete(&plan);
        status = find_folder(call, &plan, folder, &error);
    }
    if (status == STATUS_OK) {
        legacy_writer_write(&plan, folder, &text);
        status = check(&text, &error);
    }
    if (status == STATUS_OK)
        status = write_all(call, &plan, folder, &text, &error);
    if (status == STATUS_OK) {
        tell_notes(&plan);
        report(call, &plan, &text);
    }
    text_finish(&text);
    legacy_plan_finish(&plan);
    return status == STATUS_OK ? COMMAND_EXIT_OK : command_fail_status(status, &error);
}

static const struct command_option options[] = {
    {.name = "output",
     .letter = 'o',
     .value = "FILE",
     .help = "where the configuration goes; else to standard output",
     .kind = COMMAND_OPTION_TEXT},
    {.name = "secrets-dir",
     .value = "DIR",
     .help = "where passwords go, one file each, for the group of DIR; made if it is not there",
     .kind = COMMAND_OPTION_TEXT},
    {.name = "lms-origin",
     .value = "URL",
     .help = "'https://lms.example.org', which gets REQUESTS_BASIC_AUTH; may be repeated",
     .kind = COMMAND_OPTION_TEXTS},
    {.name = "force", .help = "write over FILE; never over a secret", .kind = COMMAND_OPTION_FLAG},
    {.name = "dry-run", .help = "print the configuration, write nothing", .kind = COMMAND_OPTION_FLAG},
};

const struct command command_import_config = {
    .name = "import-config",
    .operands = "LEGACY.YML...",
    .help = "makes xqueue.yml out of the original's configuration",
    .details = "Reads the YAML (or JSON) file that XQUEUE_CFG names for the original; of several, later ones count more. What\n"
               "cannot be taken over is listed on standard error and in comments of the result. Passwords are never printed.\n"
               "New are a user for xqueue-rest and one with the role admin, each with a password of its own.",
    COMMAND_OPTIONS(options),
    .operands_min = 1,
    .operands_max = LEGACY_FILES_MAX,
    .is_offline = true,
    .run = run,
};
