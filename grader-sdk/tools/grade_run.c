/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/grade_run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OWN_PROGRAM "/proc/self/exe"

enum {
    MS_PER_SECOND = 1000,
    NS_PER_MS = 1000000,
    KIB = 1024,
    LOOK_MS = 100,          /* how often must_stop is asked */
    END_PATIENCE_MS = 5000, /* how long the keeper may need to end a tree */
    CHUNK_BYTES = 4096,
};

/* The pipes, by the descriptor of the child that writes into them. */
enum { PIPE_OUTPUT, PIPE_COMPLAINT, PIPE_PROGRESS, PIPE_REPORT, PIPE_COUNT };
_Static_assert(PIPE_REPORT + STDOUT_FILENO == (int)GRADE_CHILD_REPORT, "the pipes follow one another");

/* What one run holds; descriptors are -1 when closed. */
struct process {
    pid_t pid;
    int pid_descriptor;
    int pipes[PIPE_COUNT]; /* our ends */
    size_t output_max;
    char line[GRADE_RUN_PROGRESS_MAX + 1]; /* of progress, so far */
    size_t line_length;
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

static void close_all(int *descriptors)
{
    for (size_t i = 0; i < PIPE_COUNT; i++)
        close_descriptor(&descriptors[i]);
}

static void complain(struct grade_run *run, const char *what, int error)
{
    (void)snprintf(run->complaint, sizeof(run->complaint), "%s: %s", what, strerrordesc_np(error));
    run->complaint_length = strlen(run->complaint);
}

/* ---- the start ---- */

static int add_files(posix_spawn_file_actions_t *files, const char *input, const int ends[PIPE_COUNT])
{
    int failed = posix_spawn_file_actions_addopen(files, STDIN_FILENO, input, O_RDONLY, 0);
    for (int i = 0; i < PIPE_COUNT && !failed; i++)
        failed = posix_spawn_file_actions_adddup2(files, ends[i], STDOUT_FILENO + i);
    return failed;
}

static int add_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int failed = posix_spawnattr_setsigmask(attributes, &none);
    failed = failed ? failed : posix_spawnattr_setsigdefault(attributes, &all);
    return failed ? failed
                  : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int spawn(struct process *process, const struct grade_run *run, const int ends[PIPE_COUNT])
{
    char numbers[GRADE_LIMIT_COUNT][GRADE_CHILD_NUMBER_MAX];
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    size_t words = 0;
    while (run->plan.command[words])
        words++;
    char **arguments = calloc(GRADE_CHILD_FIXED_ARGUMENTS + words + 1, sizeof(*arguments));
    if (!arguments)
        return ENOMEM;
    grade_child_arguments(&run->plan, numbers, arguments);
    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawnattr_init(&attributes);
    int failed = add_files(&files, run->input, ends);
    failed = failed ? failed : add_attributes(&attributes);
    failed = failed ? failed : posix_spawn(&process->pid, OWN_PROGRAM, &files, &attributes, arguments, run->plan.environment);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&files);
    free(arguments);
    return failed;
}

/* A pipe whose reading end is ours and does not block. Its ends are above those that the child gets, so that none of them is
 * overwritten before it is copied. */
static bool make_pipe(int *out_read, int *out_write)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    *out_read = ends[0];
    *out_write = fcntl(ends[1], F_DUPFD_CLOEXEC, GRADE_CHILD_REPORT + 1);
    int error = errno;
    (void)close(ends[1]);
    errno = error;
    return *out_write >= 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
}

static bool start(struct process *process, struct grade_run *run)
{
    int ends[PIPE_COUNT] = {-1, -1, -1, -1};
    bool is_made = true;
    for (size_t i = 0; i < PIPE_COUNT && is_made; i++)
        is_made = make_pipe(&process->pipes[i], &ends[i]);
    int failed = is_made ? spawn(process, run, ends) : errno;
    close_all(ends);
    if (failed) {
        complain(run, "cannot start a process", failed);
        return false;
    }
    process->pid_descriptor = pidfd_open(process->pid, 0);
    if (process->pid_descriptor < 0)
        complain(run, "cannot watch a process", errno);
    return true;
}

/* ---- what it says ---- */

/* False: more than it may say, or no memory for it. */
static bool keep_output(struct process *process, struct grade_run *run, const char *bytes, size_t length)
{
    if (length > process->output_max - run->output_length)
        return false;
    char *grown = realloc(run->output, run->output_length + length);
    if (!grown)
        return false;
    run->output = grown;
    memcpy(run->output + run->output_length, bytes, length);
    run->output_length += length;
    return true;
}

static void keep_complaint(struct grade_run *run, const char *bytes, size_t length)
{
    if (length > GRADE_RUN_COMPLAINT_MAX) {
        bytes += length - GRADE_RUN_COMPLAINT_MAX;
        length = GRADE_RUN_COMPLAINT_MAX;
    }
    size_t old = run->complaint_length;
    size_t kept = old + length > GRADE_RUN_COMPLAINT_MAX ? GRADE_RUN_COMPLAINT_MAX - length : old;
    memmove(run->complaint, run->complaint + old - kept, kept);
    memcpy(run->complaint + kept, bytes, length);
    run->complaint_length = kept + length;
}

static void keep_progress(struct process *process, struct grade_run *run, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != '\n') {
            if (process->line_length <= GRADE_RUN_PROGRESS_MAX)
                process->line[process->line_length++] = bytes[i];
            continue;
        }
        if (process->line_length <= GRADE_RUN_PROGRESS_MAX) {
            process->line[process->line_length] = '\0';
            run->on_progress(run->context, process->line);
        }
        process->line_length = 0;
    }
}

/* A part of what is there; closes the pipe at its end. False: too much output. */
static bool read_some(struct process *process, struct grade_run *run, size_t which)
{
    char bytes[CHUNK_BYTES];
    ssize_t got = read(process->pipes[which], bytes, sizeof(bytes));
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0) {
        close_descriptor(&process->pipes[which]);
        return true;
    }
    if (which == PIPE_OUTPUT)
        return keep_output(process, run, bytes, (size_t)got);
    if (which == PIPE_COMPLAINT)
        keep_complaint(run, bytes, (size_t)got);
    else
        keep_progress(process, run, bytes, (size_t)got);
    return true;
}

/* ---- while it runs ---- */

/* What is in the pipes when all that could write is gone. False: too much output. */
static bool read_rest(struct process *process, struct grade_run *run)
{
    for (size_t i = 0; i < PIPE_REPORT; i++) {
        struct pollfd waiting = {.fd = process->pipes[i], .events = POLLIN};
        while (process->pipes[i] >= 0 && poll(&waiting, 1, 0) > 0) {
            if (!read_some(process, run, i))
                return false;
        }
    }
    return true;
}

static enum grade_run_outcome watch(struct process *process, struct grade_run *run)
{
    int64_t end_ms = now_ms() + (int64_t)run->plan.limits.value[GRADE_LIMIT_WALL] * MS_PER_SECOND;
    for (;;) {
        struct pollfd waiting[PIPE_REPORT + 1] = {{.fd = process->pid_descriptor, .events = POLLIN}};
        int64_t left_ms = end_ms - now_ms();
        if (left_ms <= 0)
            return GRADE_RUN_OUT_OF_TIME;
        if (run->must_stop(run->context))
            return GRADE_RUN_STOPPED;
        for (size_t i = 0; i < PIPE_REPORT; i++)
            waiting[i + 1] = (struct pollfd){.fd = process->pipes[i], .events = POLLIN};
        if (poll(waiting, PIPE_REPORT + 1, (int)(left_ms < LOOK_MS ? left_ms : LOOK_MS)) <= 0)
            continue;
        for (size_t i = 0; i < PIPE_REPORT; i++) {
            if (waiting[i + 1].revents != 0 && !read_some(process, run, i))
                return GRADE_RUN_TOO_MUCH_OUTPUT;
        }
        if (waiting[0].revents != 0)
            return read_rest(process, run) ? GRADE_RUN_ENDED : GRADE_RUN_TOO_MUCH_OUTPUT;
    }
}

/* Tells the keeper to end the tree, and, if it does not, ends the keeper, which ends a sandbox as well. */
static void end_and_reap(const struct process *process)
{
    struct pollfd ended = {.fd = process->pid_descriptor, .events = POLLIN};
    (void)kill(process->pid, SIGTERM);
    if (process->pid_descriptor < 0 || poll(&ended, 1, END_PATIENCE_MS) <= 0)
        (void)kill(process->pid, SIGKILL);
    while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

/* What the keeper reported about a run that ended by itself. */
static enum grade_run_outcome judge(const struct process *process, struct grade_run *run)
{
    struct grade_child_report report;
    if (read(process->pipes[PIPE_REPORT], &report, sizeof(report)) != (ssize_t)sizeof(report)) {
        (void)snprintf(run->complaint, sizeof(run->complaint), "its keeper was killed");
        run->complaint_length = strlen(run->complaint);
        return GRADE_RUN_BROKEN;
    }
    if (report.end == GRADE_CHILD_OVER) {
        run->limit = report.limit;
        return GRADE_RUN_OVER;
    }
    if (report.end == GRADE_CHILD_BROKEN) {
        (void)snprintf(run->complaint, sizeof(run->complaint), "%s", report.text);
        run->complaint_length = strlen(run->complaint);
        return GRADE_RUN_BROKEN;
    }
    run->exit_code = WIFEXITED(report.status) ? WEXITSTATUS(report.status) : -1;
    run->signal = WIFSIGNALED(report.status) ? WTERMSIG(report.status) : 0;
    return run->signal ? GRADE_RUN_KILLED : GRADE_RUN_ENDED;
}

enum grade_run_outcome grade_run(struct grade_run *run)
{
    struct process process = {.pid_descriptor = -1,
                              .pipes = {-1, -1, -1, -1},
                              .output_max = (size_t)run->plan.limits.value[GRADE_LIMIT_OUTPUT] * KIB};
    enum grade_run_outcome outcome = GRADE_RUN_BROKEN;
    run->output = NULL;
    run->output_length = 0;
    run->complaint_length = 0;
    if (start(&process, run)) {
        if (process.pid_descriptor >= 0)
            outcome = watch(&process, run);
        end_and_reap(&process);
        if (outcome == GRADE_RUN_ENDED)
            outcome = judge(&process, run);
    }
    run->complaint[run->complaint_length] = '\0';
    close_descriptor(&process.pid_descriptor);
    close_all(process.pipes);
    return outcome;
}
