/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/running_program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

enum { ENVIRONMENT_MAX = 256, DUMP_BYTES = 16000, EXIT_NOT_EXECUTED = 127 };

struct running_program {
    pid_t pid;
    int log;
    int exited; // readable when the program has ended
    pthread_t reader;
    pthread_t waiter;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    struct text lines; /* all of the log so far */
    bool log_ended;
    bool reaped; /* the pid may belong to somebody else now */
    int outcome;
};

static void give_up(const char *what)
{
    perror(what);
    abort();
}

/* ---- starting ---- */

/* In the child, between fork and exec: only what is safe there. */
static void child_limit(int resource, uint64_t most)
{
    const struct rlimit limit = {.rlim_cur = most, .rlim_max = most};

    if (most != 0 && setrlimit(resource, &limit) != 0) {
        _exit(EXIT_NOT_EXECUTED);
    }
}

static void child_execute(const struct running_program_options *options, char **environment, int log, pid_t parent)
{
    sigset_t none;

    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(log, STDERR_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0) {
        _exit(EXIT_NOT_EXECUTED);
    }
    if (options->file_bytes_max != 0) {
        const struct rlimit limit = {.rlim_cur = options->file_bytes_max, .rlim_max = RLIM_INFINITY};
        (void)signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0) {
            _exit(EXIT_NOT_EXECUTED);
        }
    }
    child_limit(RLIMIT_NOFILE, options->descriptors_max);
    execve(options->arguments[0], (char *const *)(uintptr_t)options->arguments, environment);
    _exit(EXIT_NOT_EXECUTED);
}

/* The test's own environment behind the added variables: the first of a name counts. */
static void join_environment(const char *const *added, char *out[ENVIRONMENT_MAX])
{
    size_t count = 0;

    for (size_t i = 0; added != NULL && added[i] != NULL && count < ENVIRONMENT_MAX - 1; i++) {
        out[count++] = (char *)(uintptr_t)added[i];
    }
    for (size_t i = 0; environ[i] != NULL && count < ENVIRONMENT_MAX - 1; i++) {
        out[count++] = environ[i];
    }
    out[count] = NULL;
}

/* Takes what is there; false when there will be no more. */
static bool read_some(struct running_program *program)
{
    char bytes[16384];
    ssize_t got = read(program->log, bytes, sizeof(bytes));

    if (got > 0) {
        pthread_mutex_lock(&program->mutex);
        text_append(&program->lines, bytes, (size_t)got);
        pthread_cond_broadcast(&program->changed);
        pthread_mutex_unlock(&program->mutex);
    }
    return got > 0 || (got < 0 && errno == EINTR);
}

/* Until the program has ended and all that it said is read. Children of its own may hold the pipe open for longer. */
static void *read_log(void *context)
{
    struct running_program *program = context;
    struct pollfd sources[] = {{.fd = program->log, .events = POLLIN}, {.fd = program->exited, .events = POLLIN}};

    do {
        (void)poll(sources, 2, -1);
    } while ((sources[0].revents == 0 && sources[1].revents == 0) || (sources[0].revents != 0 && read_some(program)));
    pthread_mutex_lock(&program->mutex);
    program->log_ended = true;
    pthread_cond_broadcast(&program->changed);
    pthread_mutex_unlock(&program->mutex);
    return NULL;
}

static void *await_exit(void *context)
{
    struct running_program *program = context;
    siginfo_t information;
    int outcome = 0;

    while (waitid(P_PID, (id_t)program->pid, &information, WEXITED | WNOWAIT) != 0) {
        if (errno != EINTR) {
            give_up("waitid");
        }
    }
    pthread_mutex_lock(&program->mutex);
    if (waitpid(program->pid, &outcome, 0) != program->pid) {
        give_up("waitpid");
    }
    program->reaped = true;
    program->outcome = WIFEXITED(outcome) ? WEXITSTATUS(outcome) : -WTERMSIG(outcome);
    pthread_cond_broadcast(&program->changed);
    pthread_mutex_unlock(&program->mutex);
    (void)eventfd_write(program->exited, 1);
    return NULL;
}

struct running_program *running_program_start(const struct running_program_options *options)
{
    struct running_program *program = MEMORY_NEW(struct running_program);
    char *environment[ENVIRONMENT_MAX];
    pid_t parent = getpid();
    int ends[2];

    program->exited = eventfd(0, EFD_CLOEXEC);
    if (program->exited < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        give_up("pipe");
    }
    join_environment(options->environment, environment);
    program->log = ends[0];
    text_init(&program->lines, RUNNING_PROGRAM_LOG_BYTES_MAX);
    pthread_mutex_init(&program->mutex, NULL);
    clock_condition_init(&program->changed);
    program->pid = fork();
    if (program->pid < 0) {
        give_up("fork");
    }
    if (program->pid == 0) {
        child_execute(options, environment, ends[1], parent);
    }
    (void)close(ends[1]);
    if (pthread_create(&program->reader, NULL, read_log, program) != 0 ||
        pthread_create(&program->waiter, NULL, await_exit, program) != 0) {
        give_up("pthread_create");
    }
    return program;
}

/* ---- listening ---- */

static const char *line_end(const char *line)
{
    return line + strcspn(line, "\n");
}

/* How many whole lines contain part; *out_last (may be NULL) is the start of the last of them. mutex held. */
static size_t count_lines(const struct running_program *program, const char *part, const char **out_last)
{
    const char *at = program->lines.bytes;
    size_t count = 0;

    while ((at = strstr(at, part)) != NULL) {
        const char *end = line_end(at);
        if (*end == '\0') {
            break; // not yet whole
        }
        while (out_last != NULL && at > program->lines.bytes && at[-1] != '\n') {
            at--;
        }
        if (out_last != NULL) {
            *out_last = at;
        }
        count++;
        at = end;
    }
    return count;
}

bool running_program_await(struct running_program *program, const char *part, size_t count)
{
    int64_t deadline_ms = clock_now_ms(clock_system()) + RUNNING_PROGRAM_PATIENCE_MS;
    bool is_there = false;
    bool is_late = false;

    pthread_mutex_lock(&program->mutex);
    while (!(is_there = count_lines(program, part, NULL) >= count) && !program->log_ended && !is_late) {
        is_late = !clock_wait_until(clock_system(), &program->changed, &program->mutex, deadline_ms);
    }
    pthread_mutex_unlock(&program->mutex);
    if (!is_there) {
        (void)fprintf(stderr, "no line with '%s' (%zu times):\n", part, count);
        running_program_dump(program);
    }
    return is_there;
}

size_t running_program_count(struct running_program *program, const char *part)
{
    pthread_mutex_lock(&program->mutex);
    size_t count = count_lines(program, part, NULL);
    pthread_mutex_unlock(&program->mutex);
    return count;
}

static bool copy_value(const char *line, const char *key, char *out, size_t capacity)
{
    size_t length = strlen(key);

    for (const char *at = line; at < line_end(line); at++) {
        if ((at == line || at[-1] == ' ') && strncmp(at, key, length) == 0 && at[length] == '=') {
            const char *value = at + length + 1;
            const char *stops = *value == '"' ? "\"\n" : " \n";
            value += *value == '"' ? 1 : 0;
            (void)snprintf(out, capacity, "%.*s", (int)strcspn(value, stops), value);
            return true;
        }
    }
    return false;
}

bool running_program_value(struct running_program *program, const char *part, const char *key, char *out, size_t capacity)
{
    const char *line = NULL;
    bool is_there = false;

    pthread_mutex_lock(&program->mutex);
    is_there = count_lines(program, part, &line) > 0 && copy_value(line, key, out, capacity);
    pthread_mutex_unlock(&program->mutex);
    return is_there;
}

void running_program_dump(struct running_program *program)
{
    pthread_mutex_lock(&program->mutex);
    size_t skipped = program->lines.length > DUMP_BYTES ? program->lines.length - DUMP_BYTES : 0;
    (void)fprintf(stderr, "---- log of process %d ----\n%s----\n", (int)program->pid, program->lines.bytes + skipped);
    pthread_mutex_unlock(&program->mutex);
}

/* ---- ending ---- */

void running_program_signal(struct running_program *program, int number)
{
    pthread_mutex_lock(&program->mutex);
    if (!program->reaped) {
        (void)kill(program->pid, number);
    }
    pthread_mutex_unlock(&program->mutex);
}

int running_program_wait(struct running_program *program)
{
    int64_t deadline_ms = clock_now_ms(clock_system()) + RUNNING_PROGRAM_PATIENCE_MS;
    bool is_late = false;

    pthread_mutex_lock(&program->mutex);
    while (!(program->reaped && program->log_ended) && !is_late) {
        is_late = !clock_wait_until(clock_system(), &program->changed, &program->mutex, deadline_ms);
    }
    int outcome = program->reaped ? program->outcome : RUNNING_PROGRAM_STILL_RUNS;
    pthread_mutex_unlock(&program->mutex);
    return outcome;
}

bool running_program_is_clean(struct running_program *program)
{
    static const char *const complaints[] = {"ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer",
                                             "runtime error:", "Assertion `"};
    bool is_clean = true;

    for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++) {
        is_clean = is_clean && running_program_count(program, complaints[i]) == 0;
    }
    if (!is_clean) {
        (void)fprintf(stderr, "%s\n", program->lines.bytes);
    }
    return is_clean;
}

pid_t running_program_pid(const struct running_program *program)
{
    return program->pid;
}

void running_program_destroy(struct running_program *program)
{
    if (program == NULL) {
        return;
    }
    running_program_signal(program, SIGKILL);
    (void)pthread_join(program->waiter, NULL);
    (void)pthread_join(program->reader, NULL);
    (void)close(program->log);
    (void)close(program->exited);
    pthread_cond_destroy(&program->changed);
    pthread_mutex_destroy(&program->mutex);
    text_finish(&program->lines);
    memory_free(program);
}

bool running_program_ends_saying(struct running_program *program, const char *text)
{
    const bool is_fine = running_program_wait(program) == 0 && running_program_count(program, text) == 1;

    if (!is_fine) {
        running_program_dump(program);
    }
    running_program_destroy(program);
    return is_fine;
}
