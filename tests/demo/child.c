/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/demo/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

enum { EXIT_NOT_EXECUTED = 127, TAIL_BYTES_MAX = 16384, STILL_RUNS = -1 };

struct child {
    char *program;  // owned
    char *log_file; // owned
    pid_t pid;
    int ended;           // a pidfd: readable when it has ended
    int stop_descriptor; // borrowed, or -1
    int log;             // for reading
    int log_changes;     // inotify on the log
    off_t log_start;     // where this run's lines begin
    int exit_code;       // STILL_RUNS, or as child_stop tells
};

bool child_path_beside(const char *program, char out[CHILD_PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", out, CHILD_PATH_MAX - 1);
    if (length <= 0) {
        return false;
    }
    out[length] = '\0';
    char *name = strrchr(out, '/') + 1;
    return text_copy(name, CHILD_PATH_MAX - (size_t)(name - out), program);
}

/* ---- starting ---- */

/* What the child needs between fork and exec, where nothing may be allocated any more. */
struct launch {
    char path[CHILD_PATH_MAX];
    char *arguments[CHILD_ARGUMENTS_MAX + 2];
    char *environment[CHILD_ENVIRONMENT_MAX];
    int log;
    pid_t parent;
};

static void launch_prepare(struct launch *launch, const struct child_options *options)
{
    size_t count = 0;
    launch->arguments[0] = launch->path;
    for (size_t i = 0; options->arguments[i] && i < CHILD_ARGUMENTS_MAX; i++) {
        launch->arguments[i + 1] = (char *)(uintptr_t)options->arguments[i];
    }
    /* The first of a name counts. */
    for (size_t i = 0; options->environment && options->environment[i] && count < CHILD_ENVIRONMENT_MAX - 1; i++) {
        launch->environment[count++] = (char *)(uintptr_t)options->environment[i];
    }
    for (size_t i = 0; environ[i] && count < CHILD_ENVIRONMENT_MAX - 1; i++) {
        launch->environment[count++] = environ[i];
    }
    launch->parent = getpid();
}

/* In the child: only what is safe between fork and exec. */
static void launch_execute(const struct launch *launch)
{
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    bool ready = getppid() == launch->parent && setpgid(0, 0) == 0 && dup2(launch->log, STDOUT_FILENO) >= 0 &&
                 dup2(launch->log, STDERR_FILENO) >= 0;
    if (ready) {
        execve(launch->path, launch->arguments, launch->environment);
    }
    _exit(EXIT_NOT_EXECUTED);
}

static void child_close(struct child *child)
{
    int descriptors[] = {child->ended, child->log, child->log_changes};
    for (size_t i = 0; i < sizeof descriptors / sizeof descriptors[0]; i++) {
        if (descriptors[i] >= 0) {
            close(descriptors[i]);
        }
    }
    memory_free(child->program);
    memory_free(child->log_file);
    memory_free(child);
}

/* Opens the log for both sides; the child's descriptor in *out_log. */
static enum status open_log(struct child *child, int *out_log, struct error *error)
{
    int log = open(child->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    child->log = open(child->log_file, O_RDONLY | O_CLOEXEC);
    child->log_changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (log < 0 || child->log < 0 || child->log_changes < 0 ||
        inotify_add_watch(child->log_changes, child->log_file, IN_MODIFY) < 0) {
        int cause = errno;
        if (log >= 0) {
            close(log);
        }
        return error_set(error, STATUS_NOT_FOUND, NULL, "the log %s: %s", child->log_file, strerror(cause));
    }
    child->log_start = lseek(log, 0, SEEK_END);
    *out_log = log;
    return STATUS_OK;
}

static enum status launch_child(struct child *child, struct launch *launch, struct error *error)
{
    child->pid = fork();
    if (child->pid == 0) {
        launch_execute(launch);
    }
    if (child->pid < 0) {
        return error_set(error, STATUS_UNAVAILABLE, NULL, "fork: %s", strerror(errno));
    }
    child->exit_code = STILL_RUNS;
    child->ended = pidfd_open(child->pid, 0);
    if (child->ended < 0) {
        return error_set(error, STATUS_UNAVAILABLE, NULL, "pidfd_open: %s", strerror(errno));
    }
    return STATUS_OK;
}

enum status child_start(const struct child_options *options, struct child **out_child, struct error *error)
{
    struct launch launch = {0};
    if (!child_path_beside(options->program, launch.path) || access(launch.path, X_OK) != 0) {
        return error_set(error, STATUS_NOT_FOUND, NULL, "no program %s", launch.path);
    }
    struct child *child = MEMORY_NEW(struct child);
    *child = (struct child){.program = memory_copy_text(options->program),
                            .log_file = memory_copy_text(options->log_file),
                            .ended = -1,
                            .stop_descriptor = options->stop_descriptor,
                            .log = -1,
                            .log_changes = -1,
                            .exit_code = EXIT_NOT_EXECUTED};
    launch_prepare(&launch, options);
    enum status status = open_log(child, &launch.log, error);
    if (status == STATUS_OK) {
        status = launch_child(child, &launch, error);
        close(launch.log);
    }
    if (status != STATUS_OK) {
        child_destroy(child);
        return status;
    }
    *out_child = child;
    return STATUS_OK;
}

/* ---- the log ---- */

/* Looks through the whole lines from *position on, and moves it behind them. */
static bool find_line(struct child *child, const char *part, off_t *position, char out_line[CHILD_LINE_MAX])
{
    char bytes[CHILD_LINE_MAX];
    ssize_t length;
    while ((length = pread(child->log, bytes, sizeof bytes - 1, *position)) > 0) {
        bytes[length] = '\0';
        char *end = strchr(bytes, '\n');
        if (!end && length < (ssize_t)sizeof bytes - 1) {
            return false; // not yet whole
        }
        if (end) {
            *end = '\0';
        }
        *position += (off_t)strlen(bytes) + (end ? 1 : 0);
        if (strstr(bytes, part)) {
            (void)text_copy(out_line, CHILD_LINE_MAX, bytes);
            return true;
        }
    }
    return false;
}

static void forget_changes(int log_changes)
{
    char events[4096];
    while (read(log_changes, events, sizeof events) > 0) {
    }
}

enum status child_await_line(struct child *child, const char *part, int64_t timeout_ms, char out_line[CHILD_LINE_MAX],
                             struct error *error)
{
    int64_t deadline_ms = clock_now_ms(clock_system()) + timeout_ms;
    off_t position = child->log_start;
    bool over = false;
    for (;;) {
        forget_changes(child->log_changes);
        if (find_line(child, part, &position, out_line)) {
            return STATUS_OK;
        }
        if (over) {
            return error_set(error, STATUS_WRONG_STATE, NULL, "%s ended", child->program);
        }
        int64_t left_ms = deadline_ms - clock_now_ms(clock_system());
        struct pollfd sources[] = {{.fd = child->log_changes, .events = POLLIN},
                                   {.fd = child->ended, .events = POLLIN},
                                   {.fd = child->stop_descriptor, .events = POLLIN}};
        if (left_ms <= 0 || (poll(sources, 3, (int)left_ms) == 0)) {
            return error_set(error, STATUS_TIMEOUT, NULL, "%s did not say '%s' within %lld ms", child->program, part,
                             (long long)timeout_ms);
        }
        if (sources[2].revents != 0) {
            return error_set(error, STATUS_CANCELED, NULL, "interrupted");
        }
        over = sources[1].revents != 0;
    }
}

void child_line_value(const char *line, const char *key, char *out, size_t capacity)
{
    size_t length = strlen(key);
    out[0] = '\0';
    for (const char *at = line; at; at = strchr(at, ' ')) {
        at += *at == ' ' ? 1 : 0;
        if (strncmp(at, key, length) == 0 && at[length] == '=') {
            const char *value = at + length + 1;
            bool quoted = *value == '"';
            value += quoted ? 1 : 0;
            size_t size = strcspn(value, quoted ? "\"" : " \n");
            (void)snprintf(out, capacity, "%.*s", (int)size, value);
            return;
        }
    }
}

void child_print_tail(const struct child *child, size_t lines, FILE *stream)
{
    char bytes[TAIL_BYTES_MAX + 1];
    off_t size = lseek(child->log, 0, SEEK_END);
    off_t from = size > child->log_start + TAIL_BYTES_MAX ? size - TAIL_BYTES_MAX : child->log_start;
    ssize_t length = pread(child->log, bytes, TAIL_BYTES_MAX, from);
    bytes[length > 0 ? length : 0] = '\0';
    const char *start = bytes + strlen(bytes);
    for (size_t count = 0; start > bytes; start--) {
        count += start[-1] == '\n' ? 1 : 0;
        if (count > lines) {
            break;
        }
    }
    while (*start != '\0') {
        size_t line = strcspn(start, "\n");
        (void)fprintf(stream, "  %.*s\n", (int)line, start);
        start += line + (start[line] == '\n' ? 1 : 0);
    }
}

/* ---- ending ---- */

static int exit_code_of(int outcome)
{
    return WIFEXITED(outcome) ? WEXITSTATUS(outcome) : CHILD_SIGNAL_BASE + WTERMSIG(outcome);
}

/* false: it still runs after timeout_ms (-1: waits for ever). */
static bool await_end(struct child *child, int64_t timeout_ms)
{
    if (child->exit_code == STILL_RUNS) {
        int outcome = 0;
        struct pollfd ended = {.fd = child->ended, .events = POLLIN};
        int64_t deadline_ms = clock_now_ms(clock_system()) + timeout_ms;
        int count;
        do {
            int64_t left_ms = deadline_ms - clock_now_ms(clock_system());
            count = poll(&ended, 1, timeout_ms < 0 ? -1 : (int)(left_ms > 0 ? left_ms : 0));
        } while (count < 0 && errno == EINTR);
        if (count == 0) {
            return false;
        }
        while (waitpid(child->pid, &outcome, 0) < 0 && errno == EINTR) {
        }
        child->exit_code = exit_code_of(outcome);
    }
    return true;
}

enum status child_stop(struct child *child, int64_t timeout_ms, int *out_exit_code)
{
    enum status status = STATUS_OK;
    if (child->exit_code == STILL_RUNS) {
        (void)kill(child->pid, SIGTERM);
        if (!await_end(child, timeout_ms)) {
            status = STATUS_TIMEOUT;
            (void)kill(child->pid, SIGKILL);
            (void)await_end(child, -1);
        }
    }
    *out_exit_code = child->exit_code;
    return status;
}

int child_descriptor(const struct child *child)
{
    return child->ended;
}

pid_t child_process(const struct child *child)
{
    return child->pid;
}

const char *child_program(const struct child *child)
{
    return child->program;
}

const char *child_log_file(const struct child *child)
{
    return child->log_file;
}

void child_destroy(struct child *child)
{
    if (!child) {
        return;
    }
    if (child->exit_code == STILL_RUNS) {
        (void)kill(child->pid, SIGKILL);
        (void)(child->ended >= 0 ? await_end(child, -1) : waitpid(child->pid, NULL, 0) >= 0);
    }
    child_close(child);
}
