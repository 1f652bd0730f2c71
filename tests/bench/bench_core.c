/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/bench_core.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/text.h"
#include "xqueue/v1/sessions.pb-c.h"

enum {
    FILE_BYTES_MAX = 4096,
    OPEN_FILES_MAX = 16,
    TAIL_LINES = 20,
    BYTES_PER_KB = 1024,
    STAT_TIME_FIELD = 14, // utime in /proc/PID/stat, counted from 1; stime is the next
    US_PER_SECOND = 1000000,
};

static const char configuration[] = "service:\n"
                                    "  listen: [\"127.0.0.1:0\", \"unix:%s/core.sock\"]\n"
                                    "  streams_per_user_max: 100000\n" /* the idle graders, and one that works */
                                    "  database: \"%s/xqueue.db\"\n"
                                    "  grader_leases_max: 10000\n"
                                    "queues:\n"
                                    "  " BENCH_CORE_QUEUE ":\n"
                                    "  " BENCH_CORE_IDLE_QUEUE ":\n"
                                    "users:\n"
                                    "  submitter: {password_file: password, roles: [submit]}\n"
                                    "  grader: {password_file: password, roles: [grade]}\n";

static enum status write_file(const char *folder, const char *name, const char *bytes, struct error *error)
{
    char path[CHILD_PATH_MAX + 32];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    bool written = file && fchmod(fileno(file), 0600) == 0 && fputs(bytes, file) >= 0;
    written = file && fclose(file) == 0 && written;
    return written ? STATUS_OK : error_set(error, STATUS_UNAVAILABLE, NULL, "%s: %s", path, strerror(errno));
}

static enum status make_folders(struct bench_core *core, const char *parent, const char *password, struct error *error)
{
    char bytes[FILE_BYTES_MAX + CHILD_PATH_MAX];
    (void)snprintf(core->folder, sizeof core->folder, "/tmp/xqueue-bench-XXXXXX");
    (void)snprintf(core->database_folder, sizeof core->database_folder, "%s/xqueue-bench-XXXXXX", parent);
    if (!mkdtemp(core->folder)) {
        core->folder[0] = '\0';
        core->database_folder[0] = '\0';
        return error_set(error, STATUS_UNAVAILABLE, NULL, "no folder in /tmp: %s", strerror(errno));
    }
    if (!mkdtemp(core->database_folder)) {
        core->database_folder[0] = '\0';
        return error_set(error, STATUS_UNAVAILABLE, NULL, "no folder in %s: %s", parent, strerror(errno));
    }
    (void)snprintf(bytes, sizeof bytes, configuration, core->folder, core->database_folder);
    enum status status = write_file(core->folder, "xqueue.yml", bytes, error);
    return status == STATUS_OK ? write_file(core->folder, "password", password, error) : status;
}

static enum status start_process(struct bench_core *core, struct error *error)
{
    char file[CHILD_PATH_MAX + 32];
    char log[CHILD_PATH_MAX + 32];
    char line[CHILD_LINE_MAX];
    (void)snprintf(file, sizeof file, "%s/xqueue.yml", core->folder);
    (void)snprintf(log, sizeof log, "%s/xqueued.log", core->folder);
    const char *const arguments[] = {"--config", file, NULL};
    struct child_options options = {.program = "xqueued", .arguments = arguments, .log_file = log, .stop_descriptor = -1};
    enum status status = child_start(&options, &core->process, error);
    if (status == STATUS_OK) {
        status = child_await_line(core->process, "event=ready", BENCH_CORE_PATIENCE_MS, line, error);
    }
    if (status == STATUS_OK) {
        child_line_value(line, "listen", core->tcp_address, sizeof core->tcp_address);
        (void)snprintf(core->unix_address, sizeof core->unix_address, "unix:%.100s/core.sock", core->folder);
    }
    return status;
}

static enum status log_in(struct rpc_channel *channel, const char *user, const char *password,
                          char out_token[BENCH_CORE_TOKEN_MAX], struct error *error)
{
    static const struct rpc_client_method method = {"/xqueue.v1.Sessions/Login", &xqueue__v1__login_response__descriptor};
    const struct rpc_call_options options = {.timeout_ms = BENCH_CORE_PATIENCE_MS, .wait_for_ready = 1};
    Xqueue__V1__LoginRequest request = XQUEUE__V1__LOGIN_REQUEST__INIT;
    struct rpc_message *reply = NULL;
    request.user = (char *)(uintptr_t)user;
    request.password = (char *)(uintptr_t)password;
    enum status status = rpc_channel_call(channel, &method, &request.base, &options, &reply, error);
    if (status == STATUS_OK) {
        const Xqueue__V1__LoginResponse *response = (const void *)rpc_message_body(reply);
        (void)text_copy(out_token, BENCH_CORE_TOKEN_MAX, response->token);
        rpc_message_free(reply);
    }
    return status;
}

enum status bench_core_start(struct bench_core *core, const char *parent, struct error *error)
{
    char password[SECRET_KEY_TEXT_MAX];
    struct rpc_channel *channel = NULL;
    *core = (struct bench_core){0};
    secret_key(password);
    enum status status = make_folders(core, parent, password, error);
    if (status == STATUS_OK) {
        status = start_process(core, error);
    }
    if (status == STATUS_OK) {
        core->loop = rpc_loop_create("bench");
        status = core->loop ? bench_core_connect(core, false, &channel, error)
                            : error_set(error, STATUS_UNAVAILABLE, NULL, "no thread for RPC");
    }
    if (status == STATUS_OK) {
        status = log_in(channel, "submitter", password, core->submitter_token, error);
    }
    if (status == STATUS_OK) {
        status = log_in(channel, "grader", password, core->grader_token, error);
    }
    rpc_channel_destroy(channel);
    return status;
}

static int remove_entry(const char *path, const struct stat *about, int flag, struct FTW *where)
{
    (void)about;
    (void)flag;
    (void)where;
    return remove(path);
}

static void remove_folder(const char *folder)
{
    if (folder[0] != '\0') {
        (void)nftw(folder, remove_entry, OPEN_FILES_MAX, FTW_DEPTH | FTW_PHYS);
    }
}

bool bench_core_stop(struct bench_core *core)
{
    int exit_code = EXIT_SUCCESS;
    bool in_time = true;
    rpc_loop_destroy(core->loop);
    if (core->process) {
        in_time = child_stop(core->process, BENCH_CORE_PATIENCE_MS, &exit_code) == STATUS_OK;
    }
    if (!in_time || exit_code != EXIT_SUCCESS) {
        (void)fprintf(stderr, "xqueued ended with %d, its log:\n", exit_code);
        child_print_tail(core->process, TAIL_LINES, stderr);
    }
    child_destroy(core->process);
    remove_folder(core->folder);
    remove_folder(core->database_folder);
    *core = (struct bench_core){0};
    return in_time && exit_code == EXIT_SUCCESS;
}

enum status bench_core_connect(struct bench_core *core, bool over_unix, struct rpc_channel **out_channel, struct error *error)
{
    const struct rpc_channel_options options = {.address = over_unix ? core->unix_address : core->tcp_address};
    enum status status = rpc_channel_create(core->loop, &options, out_channel);
    return status == STATUS_OK ? status : error_set(error, status, NULL, "no channel to %s", options.address);
}

/* ---- /proc ---- */

static bool read_proc(const struct bench_core *core, const char *name, char out[FILE_BYTES_MAX])
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)child_process(core->process), name);
    FILE *file = fopen(path, "re");
    if (!file) {
        return false;
    }
    size_t length = fread(out, 1, FILE_BYTES_MAX - 1, file);
    out[length] = '\0';
    (void)fclose(file);
    return length > 0;
}

/* The number behind name in /proc/PID/status, in bytes. */
static int64_t status_bytes(const char *status, const char *name)
{
    const char *at = strstr(status, name);
    return at ? strtoll(at + strlen(name), NULL, 10) * BYTES_PER_KB : 0;
}

/* utime + stime. The name before them, in parentheses, may hold blanks. */
static int64_t stat_processor_us(const char *stat)
{
    const char *at = strrchr(stat, ')');
    for (int field = 2; at && field < STAT_TIME_FIELD; field++) {
        at = strchr(at + 1, ' ');
    }
    if (!at) {
        return 0;
    }
    char *end = NULL;
    int64_t ticks = strtoll(at, &end, 10);
    ticks += strtoll(end, NULL, 10);
    return ticks * US_PER_SECOND / sysconf(_SC_CLK_TCK);
}

enum status bench_core_usage(const struct bench_core *core, struct bench_core_usage *out_usage)
{
    char status[FILE_BYTES_MAX];
    char stat[FILE_BYTES_MAX];
    if (!read_proc(core, "status", status) || !read_proc(core, "stat", stat)) {
        return STATUS_UNAVAILABLE;
    }
    *out_usage = (struct bench_core_usage){
        .resident_bytes = status_bytes(status, "VmRSS:"),
        .resident_bytes_peak = status_bytes(status, "VmHWM:"),
        .processor_us = stat_processor_us(stat),
    };
    return STATUS_OK;
}
