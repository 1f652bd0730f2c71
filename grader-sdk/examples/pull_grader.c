/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A grader that owns its loop: one thread, one poll(2) for the service, for signals and for the commands that grade.
 *
 *     XQUEUE_QUEUES=cs101 XQUEUE_SLOTS=4 pull_grader 'diff -q - /srv/expected.txt'
 *
 * For each submission the command is run by the shell with the body as standard input; exit code 0 is right, any other wrong. A
 * command whose submission is lost is killed. SIGTERM finishes what is running, a second one hands it back. There are no limits
 * and there is no sandbox: see course_grader.c, or xqueue-grade.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xqueue/grader.h>

extern char **environ;

/* A command that runs, and the submission that it grades; unused: pid 0. */
struct job {
    pid_t pid;
    struct xqueue_submission *submission;
};

struct loop {
    const char *command;
    struct xqueue_grader *grader;
    int signals; /* descriptor */
    struct job jobs[XQUEUE_SLOTS_MAX + 1];
};

/* ---- commands ---- */

/* A file without a name that holds the body, to be read from its start; -1: there is none. */
static int body_file(const struct xqueue_submission *submission)
{
    size_t length;
    const char *body = xqueue_submission_body(submission, &length);
    int file = memfd_create("body", MFD_CLOEXEC);
    ssize_t written = 0;
    for (size_t done = 0; file >= 0 && done < length && written >= 0; done += written > 0 ? (size_t)written : 0)
        written = write(file, body + done, length - done);
    if (file >= 0 && written >= 0 && lseek(file, 0, SEEK_SET) == 0)
        return file;
    if (file >= 0)
        (void)close(file);
    return -1;
}

/* 0, or the errno of what failed. The command leads a process group, and has the signals that it expects. */
static int spawn(const char *command, int input, pid_t *out_pid)
{
    char *const arguments[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    (void)sigemptyset(&none);
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed)
        return failed;
    failed = posix_spawnattr_init(&attributes);
    if (!failed) {
        failed = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        (void)posix_spawnattr_setpgroup(&attributes, 0);
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
        if (!failed)
            failed = posix_spawn(out_pid, "/bin/sh", &actions, &attributes, arguments, environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static struct job *find_job(struct loop *loop, pid_t pid, const struct xqueue_submission *submission)
{
    for (size_t i = 0; i < sizeof(loop->jobs) / sizeof(loop->jobs[0]); i++)
        if (loop->jobs[i].pid == pid && (!submission || loop->jobs[i].submission == submission))
            return &loop->jobs[i];
    return NULL;
}

static void begin(struct loop *loop, struct xqueue_submission *submission)
{
    struct job *job = find_job(loop, 0, NULL);
    int input = body_file(submission);
    int failed = input < 0 || !job ? EAGAIN : spawn(loop->command, input, &job->pid);
    if (input >= 0)
        (void)close(input);
    if (!failed) {
        job->submission = submission;
        return;
    }
    (void)xqueue_submission_fail(submission, XQUEUE_FAIL_TRANSIENT, "the command cannot be started", 1000);
    xqueue_submission_close(submission);
}

/* Its answer is refused when the lease is lost, which is no news to us. */
static void finish(struct job *job, int outcome)
{
    static const char right[] = "{\"correct\": true, \"score\": 1, \"msg\": \"<p>Right.</p>\"}";
    static const char wrong[] = "{\"correct\": false, \"score\": 0, \"msg\": \"<p>Wrong.</p>\"}";
    if (!WIFEXITED(outcome)) {
        (void)fprintf(stderr, "pull_grader: the command was killed\n");
        (void)xqueue_submission_fail(job->submission, XQUEUE_FAIL_TRANSIENT, "the command was killed", 0);
    } else if (WEXITSTATUS(outcome) == 0) {
        (void)xqueue_submission_complete(job->submission, right, sizeof(right) - 1);
    } else {
        (void)xqueue_submission_complete(job->submission, wrong, sizeof(wrong) - 1);
    }
    xqueue_submission_close(job->submission);
    *job = (struct job){0};
}

static void kill_lost(struct loop *loop)
{
    for (size_t i = 0; i < sizeof(loop->jobs) / sizeof(loop->jobs[0]); i++)
        if (loop->jobs[i].pid && xqueue_submission_is_lost(loop->jobs[i].submission))
            (void)kill(-loop->jobs[i].pid, SIGKILL);
}

/* ---- the loop ---- */

static void on_signals(struct loop *loop)
{
    struct signalfd_siginfo info;
    while (read(loop->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        if (info.ssi_signo != SIGCHLD)
            xqueue_grader_stop(loop->grader);
    pid_t pid;
    int outcome;
    while ((pid = waitpid(-1, &outcome, WNOHANG)) > 0) {
        struct job *job = find_job(loop, pid, NULL);
        if (job)
            finish(job, outcome);
    }
}

/* All that there is now. false: the end, *out_status says how. */
static bool on_news(struct loop *loop, enum xqueue_status *out_status, struct xqueue_error *error)
{
    for (;;) {
        struct xqueue_submission *submission;
        *out_status = xqueue_grader_next(loop->grader, 0, &submission, error);
        if (*out_status == XQUEUE_STATUS_TIMEOUT)
            return true;
        if (!submission)
            return false;
        if (*out_status == XQUEUE_STATUS_LOST)
            kill_lost(loop);
        else
            begin(loop, submission);
    }
}

static enum xqueue_status run(struct loop *loop, struct xqueue_error *error)
{
    enum xqueue_status status = xqueue_grader_start(loop->grader, error);
    if (status != XQUEUE_STATUS_OK)
        return status;
    struct pollfd wait[] = {{.fd = xqueue_grader_descriptor(loop->grader), .events = POLLIN},
                            {.fd = loop->signals, .events = POLLIN}};
    do {
        if (poll(wait, 2, -1) < 0)
            continue;
        if (wait[1].revents)
            on_signals(loop);
    } while (on_news(loop, &status, error));
    kill_lost(loop); // what the end has left; init reaps it
    return status;
}

static void on_log(void *context, enum xqueue_log_level level, const char *text)
{
    (void)context;
    (void)level;
    (void)fprintf(stderr, "pull_grader: %s\n", text);
}

int main(int argc, char **argv)
{
    static struct loop loop;
    struct xqueue_grader_options options;
    struct xqueue_error error = {0};
    if (argc != 2)
        return fprintf(stderr, "usage: pull_grader COMMAND\n"), 2;
    loop.command = argv[1];
    sigset_t ours;
    (void)sigemptyset(&ours);
    (void)sigaddset(&ours, SIGTERM);
    (void)sigaddset(&ours, SIGINT);
    (void)sigaddset(&ours, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &ours, NULL);
    loop.signals = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
    if (loop.signals < 0)
        return perror("signalfd"), 1;
    xqueue_grader_options_init(&options); // no handler: we take submissions ourselves
    options.report_lost = true;
    options.log = on_log;
    enum xqueue_status status = xqueue_grader_create(&options, &loop.grader, &error);
    if (status == XQUEUE_STATUS_OK)
        status = run(&loop, &error);
    if (status != XQUEUE_STATUS_OK)
        (void)fprintf(stderr, "pull_grader: %s\n", error.text);
    xqueue_grader_destroy(loop.grader);
    return status == XQUEUE_STATUS_OK ? 0 : 1;
}
