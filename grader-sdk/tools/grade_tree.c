/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/grade_tree.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum {
    TEXT_MAX = 4096,
    NAME_BYTES = 64, /* of "PID/task/TID/children" */
    PIDS_MIN = 64,
    STOP_PASSES_MAX = 100,
    PIDS_MAX = 1 << 17, /* more are not looked at: far above the greatest limit of processes */
    DECIMAL = 10,
    MS_PER_SECOND = 1000,
    STAT_FIELDS_BEFORE_TIMES = 12, /* behind the name, before utime */
    STAT_TIMES = 4,                /* utime, stime, cutime, cstime */
    STAT_TIMES_OF_CHILDREN = 2,    /* of them the last ones */
};

/* Pids to be looked at; those below next have been. */
struct walk {
    int proc;
    pid_t *pids;
    size_t count, room, next;
    bool has_failed;
};

static void add_pid(struct walk *walk, pid_t pid)
{
    if (walk->count == PIDS_MAX)
        return;
    if (walk->count == walk->room) {
        size_t room = walk->room ? walk->room * 2 : PIDS_MIN;
        pid_t *grown = realloc(walk->pids, room * sizeof(*grown));
        if (!grown) {
            walk->has_failed = true;
            return;
        }
        walk->pids = grown;
        walk->room = room;
    }
    walk->pids[walk->count++] = pid;
}

/* The beginning of PID/NAME. False: it is gone, or not for us. */
static bool read_text(const struct walk *walk, pid_t pid, const char *name, char text[TEXT_MAX])
{
    char path[NAME_BYTES];
    (void)snprintf(path, sizeof(path), "%d/%s", (int)pid, name);
    int file = openat(walk->proc, path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t got = read(file, text, TEXT_MAX - 1);
    (void)close(file);
    if (got <= 0)
        return false;
    text[got] = '\0';
    return true;
}

/* The number behind a name at the beginning of a line ("\nThreads:"); 0 where there is none. */
static uint64_t number_of(const char *text, const char *name)
{
    const char *found = strstr(text, name);
    return found ? strtoull(found + strlen(name), NULL, DECIMAL) : 0;
}

static void add_children_of_thread(struct walk *walk, pid_t pid, pid_t thread)
{
    char path[NAME_BYTES];
    int child = 0;
    (void)snprintf(path, sizeof(path), "%d/task/%d/children", (int)pid, (int)thread);
    int descriptor = openat(walk->proc, path, O_RDONLY | O_CLOEXEC);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "r") : NULL;
    if (!file)
        return;                             // it has ended
    while (fscanf(file, "%d", &child) == 1) // NOLINT(cert-err34-c): the kernel writes numbers
        add_pid(walk, child);
    (void)fclose(file);
}

static DIR *open_threads(const struct walk *walk, pid_t pid)
{
    char path[NAME_BYTES];
    (void)snprintf(path, sizeof(path), "%d/task", (int)pid);
    int descriptor = openat(walk->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return descriptor >= 0 ? fdopendir(descriptor) : NULL;
}

/* The number of the next one; 0: no more. */
static pid_t next_thread(DIR *threads)
{
    const struct dirent *entry = readdir(threads);
    while (entry && !isdigit((unsigned char)entry->d_name[0]))
        entry = readdir(threads);
    return entry ? (pid_t)strtol(entry->d_name, NULL, DECIMAL) : 0;
}

static void add_children(struct walk *walk, pid_t pid, uint64_t thread_count)
{
    if (thread_count <= 1) {
        add_children_of_thread(walk, pid, pid);
        return;
    }
    DIR *threads = open_threads(walk, pid);
    if (!threads)
        return; // it has ended
    for (pid_t thread = next_thread(threads); thread; thread = next_thread(threads))
        add_children_of_thread(walk, pid, thread);
    (void)closedir(threads);
}

/* Of a process whose first thread has ended the others know the memory. The one to ask; its status is in text then. */
static pid_t find_owner_of_memory(const struct walk *walk, pid_t pid, char status[TEXT_MAX])
{
    DIR *threads = strstr(status, "\nRssAnon:") ? NULL : open_threads(walk, pid);
    pid_t owner = pid;
    if (!threads)
        return pid;
    for (pid_t thread = next_thread(threads); thread && owner == pid; thread = next_thread(threads)) {
        if (read_text(walk, thread, "status", status) && strstr(status, "\nRssAnon:"))
            owner = thread;
    }
    (void)closedir(threads);
    return owner;
}

static uint64_t memory_of(const struct walk *walk, pid_t pid, enum grade_tree_care care, char status[TEXT_MAX])
{
    char rollup[TEXT_MAX];
    pid = find_owner_of_memory(walk, pid, status);
    if (care == GRADE_TREE_EXACT && read_text(walk, pid, "smaps_rollup", rollup) && strstr(rollup, "\nPss_Anon:"))
        return number_of(rollup, "\nPss_Anon:") + number_of(rollup, "\nPss_Shmem:") + number_of(rollup, "\nSwapPss:");
    return number_of(status, "\nRssAnon:") + number_of(status, "\nRssShmem:") + number_of(status, "\nVmSwap:");
}

/* The caller's own time is not the tree's, only that of its children. */
static uint64_t cpu_of(const struct walk *walk, pid_t pid, bool is_caller)
{
    char text[TEXT_MAX];
    uint64_t ticks = 0;
    if (!read_text(walk, pid, "stat", text))
        return 0;
    const char *at = strrchr(text, ')'); // a name may hold anything
    for (int i = 0; at && i < STAT_FIELDS_BEFORE_TIMES; i++)
        at = strchr(at + 1, ' ');
    for (int i = 0; at && i < STAT_TIMES; i++) {
        char *end = NULL;
        uint64_t time = strtoull(at, &end, DECIMAL);
        ticks += is_caller && i < STAT_TIMES - STAT_TIMES_OF_CHILDREN ? 0 : time;
        at = end;
    }
    return ticks * MS_PER_SECOND / (uint64_t)sysconf(_SC_CLK_TCK);
}

/* The caller's number as this /proc counts. */
static bool add_caller(struct walk *walk)
{
    char text[NAME_BYTES];
    ssize_t length = readlinkat(walk->proc, "self", text, sizeof(text) - 1);
    if (length <= 0)
        return false;
    text[length] = '\0';
    add_pid(walk, (pid_t)strtol(text, NULL, DECIMAL));
    return true;
}

/* The next one that lives, with its status and its children found; 0: no more. */
static pid_t next_process(struct walk *walk, char status[TEXT_MAX])
{
    while (walk->next < walk->count && !walk->has_failed) {
        pid_t pid = walk->pids[walk->next++];
        if (read_text(walk, pid, "status", status)) {
            add_children(walk, pid, number_of(status, "\nThreads:"));
            return pid;
        }
    }
    return 0;
}

static bool end_walk(struct walk *walk)
{
    free(walk->pids);
    if (walk->has_failed)
        errno = ENOMEM;
    return !walk->has_failed;
}

bool grade_tree_look(int proc, enum grade_tree_care care, struct grade_tree_use *out_use)
{
    struct walk walk = {.proc = proc};
    struct grade_tree_use use = {.tasks = 0};
    char status[TEXT_MAX];
    if (!add_caller(&walk))
        return false;
    for (pid_t pid = next_process(&walk, status); pid; pid = next_process(&walk, status)) {
        bool is_caller = pid == walk.pids[0];
        use.cpu_ms += cpu_of(&walk, pid, is_caller);
        use.tasks += is_caller ? 0 : number_of(status, "\nThreads:");
        use.memory_kib += is_caller ? 0 : memory_of(&walk, pid, care, status);
    }
    if (!end_walk(&walk))
        return false;
    *out_use = use;
    return true;
}

/* out_running: how many could still have done something before. */
static bool signal_all(int proc, int number, size_t *out_running)
{
    struct walk walk = {.proc = proc};
    char status[TEXT_MAX];
    *out_running = 0;
    if (!add_caller(&walk))
        return false;
    for (pid_t pid = next_process(&walk, status); pid; pid = next_process(&walk, status)) {
        const char *state = strstr(status, "\nState:\t");
        if (pid == walk.pids[0])
            continue;
        *out_running += state && !strchr("TtZX", state[sizeof("\nState:\t") - 1]);
        (void)kill(pid, number);
    }
    return end_walk(&walk);
}

bool grade_tree_kill(int proc)
{
    size_t running = 1;
    // One that waits for a child in the kernel may never be seen stopped.
    for (int i = 0; i < STOP_PASSES_MAX && running > 0; i++) {
        if (!signal_all(proc, SIGSTOP, &running))
            return false;
    }
    return signal_all(proc, SIGKILL, &running);
}
