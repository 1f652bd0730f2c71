/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/examples/course_run.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "grader-sdk/examples/course_child.h"

#define OWN_PROGRAM "/proc/self/exe"

enum {
    MS_PER_SECOND = 1000,
    NS_PER_MS = 1000000,
    LOOK_MS = 100, /* how often to look whether the lease is lost */
    DROP_BYTES = 4096,
    NUMBER_MAX = 24,
    FOLDERS_OPEN_MAX = 8,
    ARGUMENTS_MAX = PROBLEM_ARGS_MAX + 8,
    FILE_MODE = 0600,
    OUTPUT_COUNT = CHILD_DESCRIPTOR, /* descriptors 1 to CHILD_DESCRIPTOR of the child */
};

/* What one run holds; descriptors are -1 when closed. */
struct process {
    char folder[PATH_MAX];
    pid_t pid;
    int pid_descriptor;
    int output;
    int complaint;
    int broken; /* gets a byte when the program could not be started */
};

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_SECOND + now.tv_nsec / NS_PER_MS;
}

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0)
        (void)close(*descriptor);
    *descriptor = -1;
}

/* ---- the folder ---- */

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    (void)remove(path);
    return 0;
}

static void remove_folder(const char *folder)
{
    (void)nftw(folder, remove_entry, FOLDERS_OPEN_MAX, FTW_DEPTH | FTW_PHYS);
}

static bool write_file(const char *folder, const char *name, const char *text)
{
    char path[PATH_MAX + NAME_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    size_t length = strlen(text);
    bool is_written = descriptor >= 0 && write(descriptor, text, length) == (ssize_t)length;
    close_descriptor(&descriptor);
    return is_written;
}

static bool make_folder(struct process *process, const struct run *run)
{
    const char *parent = getenv("TMPDIR"); // NOLINT(concurrency-mt-unsafe): nobody here changes the environment
    int length = snprintf(process->folder, sizeof(process->folder), "%s/course-XXXXXX", parent && parent[0] ? parent : "/tmp");
    if (length < 0 || (size_t)length >= sizeof(process->folder) || !mkdtemp(process->folder)) {
        process->folder[0] = '\0';
        return false;
    }
    return write_file(process->folder, run->task->language->file, run->task->solution) &&
           write_file(process->folder, ".input", run->test->input);
}

/* ---- the start ---- */

/* A pipe whose reading end is ours and does not block. */
static bool make_pipe(int *out_read, int *out_write)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    *out_read = ends[0];
    *out_write = ends[1];
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
}

/* outputs: what becomes its standard output, its standard error and CHILD_DESCRIPTOR. */
static int spawn(struct process *process, char **arguments, const int outputs[OUTPUT_COUNT])
{
    char input[PATH_MAX + NAME_MAX];
    char *const environment[] = {NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    (void)snprintf(input, sizeof(input), "%s/.input", process->folder);
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawnattr_init(&attributes);
    int failed = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, input, O_RDONLY, 0);
    for (int i = 0; i < OUTPUT_COUNT && !failed; i++)
        failed = posix_spawn_file_actions_adddup2(&files, outputs[i], STDOUT_FILENO + i);
    failed = failed ? failed : posix_spawnattr_setsigmask(&attributes, &none);
    failed = failed ? failed : posix_spawnattr_setsigdefault(&attributes, &all);
    failed =
        failed ? failed
               : posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    failed = failed ? failed : posix_spawn(&process->pid, OWN_PROGRAM, &files, &attributes, arguments, environment);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&files);
    return failed;
}

static char *borrow(const char *text)
{
    return (char *)(uintptr_t)text; // argv lacks the const; nobody writes to it
}

static bool start(struct process *process, const struct run *run)
{
    const struct language *language = run->task->language;
    char seconds[NUMBER_MAX];
    char *arguments[ARGUMENTS_MAX] = {borrow("course_grader"), borrow(CHILD_OPTION), process->folder, seconds};
    size_t count = 4;
    (void)snprintf(seconds, sizeof(seconds), "%" PRId64, run->time_limit_ms / MS_PER_SECOND + 1);
    arguments[count++] = borrow(language->interpreter);
    if (language->option)
        arguments[count++] = borrow(language->option);
    arguments[count++] = borrow(language->file);
    for (size_t i = 0; i < run->test->arg_count; i++)
        arguments[count++] = borrow(run->test->args[i]);

    int outputs[OUTPUT_COUNT] = {-1, -1, -1};
    bool is_started = make_pipe(&process->output, &outputs[0]) && make_pipe(&process->complaint, &outputs[1]) &&
                      make_pipe(&process->broken, &outputs[2]) && spawn(process, arguments, outputs) == 0;
    for (int i = 0; i < OUTPUT_COUNT; i++)
        close_descriptor(&outputs[i]);
    if (is_started)
        process->pid_descriptor = pidfd_open(process->pid, 0);
    return is_started;
}

/* ---- while it runs ---- */

/* Reads what is there. False: more than fits. The descriptor is closed at the end of the data. */
static bool read_some(int *descriptor, char *out, size_t capacity, size_t *length)
{
    char dropped[DROP_BYTES];
    while (*descriptor >= 0) {
        bool is_full = *length == capacity;
        ssize_t got = read(*descriptor, is_full ? dropped : out + *length, is_full ? sizeof(dropped) : capacity - *length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return true;
        if (got <= 0)
            close_descriptor(descriptor);
        else if (is_full)
            return false;
        else
            *length += (size_t)got;
    }
    return true;
}

/* False: too much output. */
static bool read_all(struct process *process, struct run *run)
{
    bool fits = read_some(&process->output, run->output, RUN_OUTPUT_BYTES_MAX, &run->output_length);
    while (!read_some(&process->complaint, run->complaint, RUN_COMPLAINT_BYTES_MAX, &run->complaint_length)) {
    }
    return fits;
}

/* Waits for its end, its output or the next look. True: it has ended. */
static bool wait_some(const struct process *process, int64_t wait_ms)
{
    struct pollfd waiting[] = {
        {.fd = process->pid_descriptor, .events = POLLIN},
        {.fd = process->output, .events = POLLIN},
        {.fd = process->complaint, .events = POLLIN},
    };
    int ready = poll(waiting, sizeof(waiting) / sizeof(waiting[0]), (int)(wait_ms < LOOK_MS ? wait_ms : LOOK_MS));
    return ready > 0 && (waiting[0].revents & POLLIN) != 0;
}

static enum run_outcome watch(struct process *process, struct run *run)
{
    int64_t end_ms = now_ms() + run->time_limit_ms;
    bool has_ended = false;
    while (!has_ended) {
        int64_t left_ms = end_ms - now_ms();
        if (left_ms <= 0)
            return RUN_OUT_OF_TIME;
        if (xqueue_submission_is_lost(run->submission))
            return RUN_LOST;
        has_ended = wait_some(process, left_ms);
        if (!read_all(process, run))
            return RUN_TOO_MUCH_OUTPUT;
    }
    return RUN_ENDED;
}

/* The group, not only its first process: what it started in the background would live on. */
static int kill_and_reap(const struct process *process)
{
    int status = 0;
    (void)kill(-process->pid, SIGKILL);
    while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

static enum run_outcome run_started(struct process *process, struct run *run)
{
    enum run_outcome outcome = process->pid_descriptor >= 0 ? watch(process, run) : RUN_BROKEN;
    int status = kill_and_reap(process);
    if (outcome == RUN_ENDED && !WIFEXITED(status))
        outcome = RUN_KILLED;
    if (outcome == RUN_ENDED)
        run->exit_code = WEXITSTATUS(status);
    char mark;
    bool is_broken = read(process->broken, &mark, sizeof(mark)) > 0;
    return is_broken ? RUN_BROKEN : outcome;
}

enum run_outcome run_program(struct run *run)
{
    struct process process = {.pid = -1, .pid_descriptor = -1, .output = -1, .complaint = -1, .broken = -1};
    enum run_outcome outcome = RUN_BROKEN;
    run->output_length = 0;
    run->complaint_length = 0;
    if (make_folder(&process, run) && start(&process, run))
        outcome = run_started(&process, run);
    run->output[run->output_length] = '\0';
    run->complaint[run->complaint_length] = '\0';
    close_descriptor(&process.pid_descriptor);
    close_descriptor(&process.output);
    close_descriptor(&process.complaint);
    close_descriptor(&process.broken);
    if (process.folder[0])
        remove_folder(process.folder);
    return outcome;
}
