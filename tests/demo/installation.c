/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/demo/installation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

enum { TAIL_LINES = 25, NUMBER_TEXT_MAX = 16, CONFIGURATION_BYTES_MAX = 16384 };

#define GRADER_NAME "course-grader"

static const char *const program_names[INSTALLATION_PROGRAMS] = {
    [INSTALLATION_CORE] = "xqueued", [INSTALLATION_REST] = "xqueue-rest", [INSTALLATION_GRADER] = "course_grader"};

static const char configuration_format[] = "# Written anew at each start.\n"
                                           "log:\n"
                                           "  level: info\n"
                                           "service:\n"
                                           "  listen: [%s]\n"
                                           "  database: xqueue.db\n"
                                           "rest:\n"
                                           "  listen: [\"127.0.0.1:%d\"]\n"
                                           "  core: \"%s\"\n"
                                           "  user: courier\n"
                                           "  files: files\n"
                                           "queues:\n"
                                           "  " INSTALLATION_QUEUE ":\n"
                                           "users:\n"
                                           "  " INSTALLATION_LMS_USER ": {password_file: passwords/lms, roles: [submit]}\n"
                                           "  grader: {password_file: passwords/grader, roles: [grade]}\n"
                                           "  courier: {password_file: passwords/courier, roles: [deliver]}\n";

/* ---- files ---- */

/* The path of name in the folder. Both have bounded lengths, and the sum fits. */
static const char *path_of(const struct installation *installation, const char *name, char out[CHILD_PATH_MAX])
{
    (void)snprintf(out, CHILD_PATH_MAX, "%s/%s", installation->folder, name);
    return out;
}

static enum status make_folder(const struct installation *installation, const char *name, struct error *error)
{
    char path[CHILD_PATH_MAX];
    if (mkdir(path_of(installation, name, path), 0700) != 0 && errno != EEXIST) {
        return error_set(error, STATUS_UNAVAILABLE, NULL, "the folder %s: %s", path, strerror(errno));
    }
    return STATUS_OK;
}

static enum status write_file(const struct installation *installation, const char *name, const char *bytes, struct error *error)
{
    char path[CHILD_PATH_MAX];
    FILE *file = fopen(path_of(installation, name, path), "we");
    bool written = file && fchmod(fileno(file), 0600) == 0 && fputs(bytes, file) >= 0;
    if (file) {
        written = fclose(file) == 0 && written;
    }
    return written ? STATUS_OK : error_set(error, STATUS_UNAVAILABLE, NULL, "the file %s: %s", path, strerror(errno));
}

/* A user's password: that of an earlier run, or a new one. */
static enum status provide_password(const struct installation *installation, const char *name, char out[SECRET_KEY_TEXT_MAX],
                                    struct error *error)
{
    char path[CHILD_PATH_MAX];
    FILE *file = fopen(path_of(installation, name, path), "re");
    out[0] = '\0';
    if (file) {
        if (fgets(out, SECRET_KEY_TEXT_MAX, file)) {
            out[strcspn(out, "\n")] = '\0';
        }
        (void)fclose(file);
    }
    if (out[0] != '\0') {
        return STATUS_OK;
    }
    secret_token(out);
    return write_file(installation, name, out, error);
}

static enum status write_configuration(struct installation *installation, const struct installation_options *options,
                                       struct error *error)
{
    char bytes[CONFIGURATION_BYTES_MAX];
    char listeners[CHILD_PATH_MAX + 64];
    char core[CHILD_PATH_MAX + 64];
    if (options->core_port == 0) {
        (void)snprintf(core, sizeof core, "unix:%s/core.sock", installation->folder);
        (void)snprintf(listeners, sizeof listeners, "\"127.0.0.1:0\", \"%.*s\"", CHILD_PATH_MAX, core);
    } else {
        (void)snprintf(core, sizeof core, "127.0.0.1:%d", options->core_port);
        (void)snprintf(listeners, sizeof listeners, "\"%.*s\"", CHILD_PATH_MAX, core);
    }
    (void)snprintf(bytes, sizeof bytes, configuration_format, listeners, options->rest_port, core);
    return write_file(installation, "xqueue.yml", bytes, error);
}

static enum status write_all(struct installation *installation, const struct installation_options *options, struct error *error)
{
    static const char *const folders[] = {".", "passwords", "logs"};
    char unused[SECRET_KEY_TEXT_MAX];
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < sizeof folders / sizeof folders[0]; i++) {
        status = make_folder(installation, folders[i], error);
    }
    if (status == STATUS_OK) {
        status = provide_password(installation, "passwords/lms", installation->lms_password, error);
    }
    if (status == STATUS_OK) {
        status = provide_password(installation, "passwords/grader", unused, error);
    }
    if (status == STATUS_OK) {
        status = provide_password(installation, "passwords/courier", unused, error);
    }
    return status == STATUS_OK ? write_configuration(installation, options, error) : status;
}

/* ---- programs ---- */

static enum status start_program(struct installation *installation, enum installation_program program,
                                 const struct child_options *given, struct error *error)
{
    char name[64];
    char log[CHILD_PATH_MAX];
    struct child_options options = *given;
    (void)snprintf(name, sizeof name, "logs/%s.log", program_names[program]);
    options.program = program_names[program];
    options.log_file = path_of(installation, name, log);
    return child_start(&options, &installation->programs[program], error);
}

/* One of the two programs that read the configuration. */
static enum status start_configured(struct installation *installation, enum installation_program program, int stop_descriptor,
                                    struct error *error)
{
    char file[CHILD_PATH_MAX];
    const char *const arguments[] = {"--config", path_of(installation, "xqueue.yml", file), NULL};
    const struct child_options options = {.arguments = arguments, .stop_descriptor = stop_descriptor};
    return start_program(installation, program, &options, error);
}

/* Waits until it is ready, and learns where it listens. */
static enum status await_ready(struct installation *installation, enum installation_program program,
                               char out_address[INSTALLATION_ADDRESS_MAX], struct error *error)
{
    char line[CHILD_LINE_MAX];
    enum status status = child_await_line(installation->programs[program], " event=ready ", INSTALLATION_START_MS, line, error);
    if (status == STATUS_OK) {
        child_line_value(line, "listen", out_address, INSTALLATION_ADDRESS_MAX);
    }
    return status;
}

static enum status start_grader(struct installation *installation, const struct installation_options *options,
                                struct error *error)
{
    char slots[NUMBER_TEXT_MAX];
    char time_limit[NUMBER_TEXT_MAX];
    char password_file[CHILD_PATH_MAX];
    char password[CHILD_PATH_MAX + 32];
    (void)snprintf(slots, sizeof slots, "%d", options->grader_slots);
    (void)snprintf(time_limit, sizeof time_limit, "%d", options->grader_time_limit_s);
    (void)snprintf(password, sizeof password, "XQUEUE_PASSWORD_FILE=%s",
                   path_of(installation, "passwords/grader", password_file));
    const char *const arguments[] = {"--address",
                                     installation->core_address,
                                     "--queue",
                                     INSTALLATION_QUEUE,
                                     "--course",
                                     options->course,
                                     "--slots",
                                     slots,
                                     "--time-limit",
                                     time_limit,
                                     NULL};
    const char *const environment[] = {"XQUEUE_USER=grader", "XQUEUE_GRADER=" GRADER_NAME, password, NULL};
    const struct child_options grader = {
        .arguments = arguments, .environment = environment, .stop_descriptor = options->stop_descriptor};
    return start_program(installation, INSTALLATION_GRADER, &grader, error);
}

enum status installation_start(struct installation *installation, const struct installation_options *options,
                               struct error *error)
{
    char line[CHILD_LINE_MAX];
    *installation = (struct installation){0};
    if (!text_copy(installation->folder, sizeof installation->folder, options->folder)) {
        return error_set(error, STATUS_INVALID, NULL, "the folder's path is too long");
    }
    enum status status = write_all(installation, options, error);
    if (status == STATUS_OK) {
        status = start_configured(installation, INSTALLATION_CORE, options->stop_descriptor, error);
    }
    if (status == STATUS_OK) {
        status = await_ready(installation, INSTALLATION_CORE, installation->core_address, error);
    }
    if (status == STATUS_OK) {
        status = start_grader(installation, options, error);
    }
    if (status == STATUS_OK) {
        status = start_configured(installation, INSTALLATION_REST, options->stop_descriptor, error);
    }
    if (status == STATUS_OK) {
        status = await_ready(installation, INSTALLATION_REST, installation->rest_address, error);
    }
    if (status == STATUS_OK) {
        status = child_await_line(installation->programs[INSTALLATION_CORE], " event=grader_connected ", INSTALLATION_START_MS,
                                  line, error);
    }
    return status;
}

bool installation_stop(struct installation *installation, FILE *stream)
{
    bool in_order = true;
    (void)fprintf(stream, "stopping:");
    for (int i = INSTALLATION_PROGRAMS - 1; i >= 0; i--) {
        struct child *program = installation->programs[i];
        int exit_code = EXIT_SUCCESS;
        if (!program) {
            continue;
        }
        bool in_time = child_stop(program, INSTALLATION_STOP_MS, &exit_code) == STATUS_OK;
        in_order = in_order && in_time && exit_code == EXIT_SUCCESS;
        (void)fprintf(stream, " %s ended with %d%s%s", child_program(program), exit_code,
                      in_time ? "" : " (it did not react and was killed)", i > 0 ? "," : "");
        (void)fflush(stream);
    }
    (void)fprintf(stream, "\n");
    return in_order;
}

void installation_print_logs(const struct installation *installation, FILE *stream)
{
    for (size_t i = 0; i < INSTALLATION_PROGRAMS; i++) {
        if (installation->programs[i]) {
            (void)fprintf(stream, "the end of %s:\n", child_log_file(installation->programs[i]));
            child_print_tail(installation->programs[i], TAIL_LINES, stream);
        }
    }
}

void installation_destroy(struct installation *installation)
{
    for (int i = INSTALLATION_PROGRAMS - 1; i >= 0; i--) {
        child_destroy(installation->programs[i]);
        installation->programs[i] = NULL;
    }
}
