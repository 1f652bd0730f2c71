/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/grade_child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "grader-sdk/tools/grade_processes.h"
#include "grader-sdk/tools/grade_sandbox.h"
#include "grader-sdk/tools/grade_tree.h"

enum {
    ARGUMENT_SANDBOX = 2,
    ARGUMENT_NETWORK,
    ARGUMENT_NAMESPACES,
    ARGUMENT_FOLDER,
    ARGUMENT_PLACE,
    ARGUMENT_HIDDEN,
    ARGUMENT_LIMITS = ARGUMENT_HIDDEN + GRADE_CHILD_HIDDEN_MAX,
    ARGUMENT_COMMAND = ARGUMENT_LIMITS + GRADE_LIMIT_COUNT,
    DECIMAL = 10,
    OWN_PROCESSES = 2,  /* keeper and first process, which count among those of a namespace */
    CPU_GRACE_S = 1,    /* the kernel's own limit of a process stands behind that of all together */
    LOOK_EVERY_MS = 50, /* how often the keeper looks at what all use together */
    NS_PER_MS = 1000000,
    MS_PER_SECOND = 1000,
    KIB_PER_MIB = 1024,
};

#define MIB UINT64_C(1048576)

_Static_assert(ARGUMENT_COMMAND == (int)GRADE_CHILD_FIXED_ARGUMENTS, "as the header promises");

/* ---- the arguments ---- */

static char *borrow(const char *text)
{
    return (char *)(uintptr_t)text; // argv lacks the const; nobody writes to it
}

void grade_child_arguments(const struct grade_child_plan *plan, char numbers[GRADE_LIMIT_COUNT][GRADE_CHILD_NUMBER_MAX],
                           char **arguments)
{
    size_t count = 0;
    arguments[count++] = borrow("xqueue-grade");
    arguments[count++] = borrow(GRADE_CHILD_OPTION);
    arguments[count++] = borrow(plan->is_sandboxed ? "sandbox" : "");
    arguments[count++] = borrow(plan->has_network ? "network" : "");
    arguments[count++] = borrow(plan->has_namespaces ? "namespaces" : "");
    arguments[count++] = borrow(plan->folder);
    arguments[count++] = borrow(plan->place);
    for (size_t i = 0; i < GRADE_CHILD_HIDDEN_MAX; i++)
        arguments[count++] = borrow(plan->hidden[i]);
    for (size_t i = 0; i < GRADE_LIMIT_COUNT; i++) {
        (void)snprintf(numbers[i], sizeof(numbers[i]), "%" PRIu64, plan->limits.value[i]);
        arguments[count++] = numbers[i];
    }
    for (char *const *word = plan->command; *word; word++)
        arguments[count++] = *word;
    arguments[count] = NULL;
}

static bool read_plan(struct grade_child_plan *plan, int argc, char **argv, char **environment)
{
    if (argc < ARGUMENT_COMMAND)
        return false;
    plan->is_sandboxed = argv[ARGUMENT_SANDBOX][0] != '\0';
    plan->has_network = argv[ARGUMENT_NETWORK][0] != '\0';
    plan->has_namespaces = argv[ARGUMENT_NAMESPACES][0] != '\0';
    plan->folder = argv[ARGUMENT_FOLDER];
    plan->place = argv[ARGUMENT_PLACE];
    for (size_t i = 0; i < GRADE_CHILD_HIDDEN_MAX; i++)
        plan->hidden[i] = argv[(size_t)ARGUMENT_HIDDEN + i];
    for (size_t i = 0; i < GRADE_LIMIT_COUNT; i++)
        plan->limits.value[i] = strtoull(argv[(size_t)ARGUMENT_LIMITS + i], NULL, DECIMAL);
    plan->command = &argv[ARGUMENT_COMMAND];
    plan->environment = environment;
    return true;
}

/* ---- the report ---- */

static void report(const struct grade_child_report *said)
{
    ssize_t written = write(GRADE_CHILD_REPORT, said, sizeof(*said));
    if (written != (ssize_t)sizeof(*said))
        _exit(EXIT_FAILURE); // nobody listens any more
}

static void report_broken(const char *doing)
{
    struct grade_child_report said = {.end = GRADE_CHILD_BROKEN};
    (void)snprintf(said.text, sizeof(said.text), "%s: %s", doing, strerrordesc_np(errno));
    report(&said);
}

/* ---- the program ---- */

static bool set_limit(__rlimit_resource_t what, uint64_t value)
{
    struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
    return setrlimit(what, &limit) == 0;
}

static bool set_limits(const struct grade_child_plan *plan)
{
    const uint64_t *value = plan->limits.value;
    // Without a namespace the kernel counts all processes of the user.
    uint64_t others = plan->is_sandboxed ? OWN_PROCESSES : grade_processes_of_user(geteuid());
    return set_limit(RLIMIT_CPU, value[GRADE_LIMIT_CPU] + CPU_GRACE_S) &&
           set_limit(RLIMIT_AS, value[GRADE_LIMIT_MEMORY] * MIB) && set_limit(RLIMIT_FSIZE, value[GRADE_LIMIT_FILE] * MIB) &&
           set_limit(RLIMIT_NOFILE, value[GRADE_LIMIT_FILES]) &&
           set_limit(RLIMIT_NPROC, value[GRADE_LIMIT_PROCESSES] + others) && set_limit(RLIMIT_CORE, 0);
}

static _Noreturn void become_program(const struct grade_child_plan *plan)
{
    sigset_t none;
    (void)sigemptyset(&none);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        report_broken("cannot give up privileges");
    else if (chdir(plan->place) != 0)
        report_broken("cannot enter the scratch folder");
    else if (!set_limits(plan))
        report_broken("cannot set the limits");
    else if (!plan->command[0])
        _exit(EXIT_SUCCESS);
    else {
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)execve(plan->command[0], plan->command, plan->environment);
        report_broken(plan->command[0]);
    }
    _exit(EXIT_FAILURE);
}

/* Of what ended, main_status tells how; the rest is reaped by the way. */
static bool has_ended(pid_t main, int *main_status)
{
    int status = 0;
    for (;;) {
        pid_t ended = waitpid(-1, &status, WNOHANG);
        if (ended <= 0)
            return false;
        if (ended == main) {
            *main_status = status;
            return true;
        }
    }
}

static void report_end(int status)
{
    struct grade_child_report said = {.end = GRADE_CHILD_ENDED, .status = status};
    report(&said);
}

/* ---- the first process of a namespace ---- */

/* When it ends, the kernel kills all that are left in the namespace. */
static _Noreturn void be_first(const struct grade_child_plan *plan, const sigset_t *wanted)
{
    const char *doing = "cannot tie the sandbox to its keeper";
    int status = 0;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || !grade_sandbox_furnish(plan, &doing)) {
        report_broken(doing);
        _exit(EXIT_FAILURE);
    }
    pid_t program = fork();
    if (program == 0)
        become_program(plan);
    if (program < 0) {
        report_broken("cannot fork");
        _exit(EXIT_FAILURE);
    }
    while (!has_ended(program, &status))
        (void)sigwaitinfo(wanted, NULL); // a SIGTERM from inside says nothing
    report_end(status);
    _exit(EXIT_SUCCESS);
}

/* ---- the keeper ---- */

/* Programs of a grader that runs as root run as nobody. */
static bool become_nobody(void)
{
    if (geteuid() != 0)
        return true;
    return setgroups(0, NULL) == 0 && setresgid(GRADE_CHILD_NOBODY, GRADE_CHILD_NOBODY, GRADE_CHILD_NOBODY) == 0 &&
           setresuid(GRADE_CHILD_NOBODY, GRADE_CHILD_NOBODY, GRADE_CHILD_NOBODY) == 0 &&
           prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0; // else /proc/self stays root's
}

/* When memory runs out, this goes first. It may always be raised; where it cannot, nothing is lost. */
static void offer_to_the_oom_killer(void)
{
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return;
    if (write(file, "1000", 4) != 4)
        (void)fputs("xqueue-grade: cannot raise oom_score_adj\n", stderr);
    (void)close(file);
}

/* SIGTERM when xqueue-grade dies; it may have died before that was asked for. */
static bool follow_grader(void)
{
    struct pollfd listener = {.fd = GRADE_CHILD_REPORT};
    return prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && poll(&listener, 1, 0) == 0;
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_SECOND + now.tv_nsec / NS_PER_MS;
}

/* Does it say that all together use more than they may? */
static bool is_too_much(const struct grade_limits *limits, const struct grade_tree_use *use, enum grade_limit *out_limit)
{
    const struct {
        enum grade_limit limit;
        uint64_t used, most;
    } bounds[] = {
        {GRADE_LIMIT_MEMORY, use->memory_kib, limits->value[GRADE_LIMIT_MEMORY] * KIB_PER_MIB},
        {GRADE_LIMIT_CPU, use->cpu_ms, limits->value[GRADE_LIMIT_CPU] * MS_PER_SECOND},
        {GRADE_LIMIT_PROCESSES, use->tasks, limits->value[GRADE_LIMIT_PROCESSES] + OWN_PROCESSES},
    };
    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        if (bounds[i].used > bounds[i].most) {
            *out_limit = bounds[i].limit;
            return true;
        }
    }
    return false;
}

/* A look that finds too much is followed by one that counts shared memory once. */
static bool is_over(const struct grade_child_plan *plan, int proc, enum grade_limit *out_limit)
{
    struct grade_tree_use use;
    return grade_tree_look(proc, GRADE_TREE_ROUGH, &use) && is_too_much(&plan->limits, &use, out_limit) &&
           grade_tree_look(proc, GRADE_TREE_EXACT, &use) && is_too_much(&plan->limits, &use, out_limit);
}

/* Until the child has ended, all together use too much, or SIGTERM comes: then it is broken, and nobody wants to know. */
static struct grade_child_report await_end(const struct grade_child_plan *plan, int proc, pid_t child, const sigset_t *wanted)
{
    static const struct timespec period = {.tv_nsec = LOOK_EVERY_MS * (long)NS_PER_MS};
    struct grade_child_report said = {.end = GRADE_CHILD_BROKEN};
    int64_t look_at_ms = now_ms() + LOOK_EVERY_MS;
    for (;;) {
        if (has_ended(child, &said.status)) {
            said.end = GRADE_CHILD_ENDED;
            return said;
        }
        if (sigtimedwait(wanted, NULL, &period) == SIGTERM)
            return said;
        if (now_ms() < look_at_ms)
            continue; // a child has ended, which may be one of very many
        if (is_over(plan, proc, &said.limit)) {
            said.end = GRADE_CHILD_OVER;
            return said;
        }
        look_at_ms = now_ms() + LOOK_EVERY_MS;
    }
}

static void keep(const struct grade_child_plan *plan, int proc, pid_t child, const sigset_t *wanted)
{
    struct grade_child_report said = await_end(plan, proc, child, wanted);
    if (!plan->is_sandboxed) {
        (void)grade_tree_kill(proc); // what it has missed comes next
        grade_processes_kill_children();
    } else if (said.end != GRADE_CHILD_ENDED) {
        (void)kill(child, SIGKILL);
        // Its end is reaped only after all of the namespace.
        while (waitpid(child, &said.status, 0) < 0 && errno == EINTR) {
        }
    }
    // In a sandbox the first process has reported the end of the program.
    if (said.end == GRADE_CHILD_OVER || (said.end == GRADE_CHILD_ENDED && !plan->is_sandboxed))
        report(&said);
}

static bool prepare(const struct grade_child_plan *plan, const char **out_doing)
{
    *out_doing = "cannot become nobody";
    if (!become_nobody())
        return false;
    *out_doing = "xqueue-grade is gone";
    if (!follow_grader())
        return false;
    if (plan->is_sandboxed)
        return grade_sandbox_enter(plan, out_doing);
    *out_doing = "cannot become a subreaper";
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0;
}

int grade_child_main(int argc, char **argv, char **environment)
{
    struct grade_child_plan plan = {.folder = NULL};
    const char *doing = NULL;
    sigset_t wanted;
    if (!read_plan(&plan, argc, argv, environment) || fcntl(GRADE_CHILD_REPORT, F_SETFD, FD_CLOEXEC) != 0) {
        (void)fprintf(stderr, "xqueue-grade: %s is for xqueue-grade itself\n", GRADE_CHILD_OPTION);
        return EXIT_FAILURE;
    }
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGCHLD);
    (void)sigaddset(&wanted, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &wanted, NULL);
    offer_to_the_oom_killer();
    (void)close_range(GRADE_CHILD_REPORT + 1, UINT_MAX, 0); // what the starter of xqueue-grade left open
    int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0)
        doing = "cannot open /proc";
    if (proc < 0 || !prepare(&plan, &doing)) {
        report_broken(doing);
        return EXIT_FAILURE;
    }
    pid_t child = fork();
    if (child == 0 && plan.is_sandboxed)
        be_first(&plan, &wanted);
    if (child == 0)
        become_program(&plan);
    if (child < 0) {
        report_broken("cannot fork");
        return EXIT_FAILURE;
    }
    // What the program writes to must end with it.
    for (int descriptor = STDIN_FILENO; descriptor <= GRADE_CHILD_PROGRESS; descriptor++)
        (void)close(descriptor);
    keep(&plan, proc, child, &wanted);
    return EXIT_SUCCESS;
}
