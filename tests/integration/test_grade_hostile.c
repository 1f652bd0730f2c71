/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support PkgConfig::JANSSON */
/* What no grader wants to run, each graded by one xqueue-grade next to an honest submission: it ends as it should, the honest
 * one gets its result, and nothing is left behind, in memory, among processes or on the disk. As root, and as nobody. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "tests/support/grade_talk.h"
#include "tests/support/run_command.h"

#define NOBODY "65534"

enum {
    OPTIONS_MAX = 60,
    ATTACK_MAX = 2048,
    ATTACKS_MAX = 24,
    NAME_BYTES = 64,
    NOBODY_ID = 65534,
    DISK_MIB = 16,
    LEFT_OPEN = 200,           /* a descriptor that whoever starts xqueue-grade has forgotten */
    TOOL_MEMORY_KIB = 1 << 17, /* of xqueue-grade itself, with room for sanitizers */
};

/* Hears what reaches the loopback and the abstract name. */
struct listeners {
    int tcp, udp, abstract, path;
    int tcp_port, udp_port;
    char abstract_name[NAME_BYTES];
    char path_name[RUNNING_SERVICE_TEXT_MAX];
};

struct world {
    struct conversation *talk;
    struct running_program *grader;
    struct listeners listeners;
    char mark[NAME_BYTES];                  /* in the command line of all that the grader runs */
    char scratch[RUNNING_SERVICE_TEXT_MAX]; /* the grader's own scratch folders are in it */
    char open[RUNNING_SERVICE_TEXT_MAX];    /* a folder that everybody may write to */
    char secret[RUNNING_SERVICE_TEXT_MAX];
    int count; /* of attacks so far */
    bool is_sandboxed;
};

/* ---- the world ---- */

static int listens(int family, int kind, const void *address, socklen_t length)
{
    const int listener = socket(family, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(listener >= 0);
    assert_int_equal(bind(listener, address, length), 0);
    assert_true(kind == SOCK_DGRAM || listen(listener, 1) == 0);
    return listener;
}

static int port_of(int listener)
{
    struct sockaddr_in address = {.sin_port = 0};
    socklen_t length = sizeof(address);

    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

static void listeners_open(struct world *world)
{
    const struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un abstract = {.sun_family = AF_UNIX};
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct listeners *all = &world->listeners;

    all->tcp = listens(AF_INET, SOCK_STREAM, &loopback, sizeof(loopback));
    all->udp = listens(AF_INET, SOCK_DGRAM, &loopback, sizeof(loopback));
    all->tcp_port = port_of(all->tcp);
    all->udp_port = port_of(all->udp);
    (void)snprintf(all->abstract_name, sizeof(all->abstract_name), "%s", world->mark);
    memcpy(abstract.sun_path + 1, all->abstract_name, strlen(all->abstract_name));
    all->abstract = listens(AF_UNIX, SOCK_STREAM, &abstract,
                            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(all->abstract_name)));
    running_service_path(&world->talk->service, "socket", all->path_name);
    (void)snprintf(path.sun_path, sizeof(path.sun_path), "%.107s", all->path_name);
    all->path = listens(AF_UNIX, SOCK_STREAM, &path, sizeof(path));
    assert_int_equal(chmod(all->path_name, 0777), 0);
}

static void listeners_close(struct listeners *all)
{
    (void)close(all->tcp);
    (void)close(all->udp);
    (void)close(all->abstract);
    (void)close(all->path);
}

/* Nobody has come, nothing has arrived. */
static void listeners_hear_nothing(const struct listeners *all)
{
    char byte;

    assert_true(accept(all->tcp, NULL, NULL) < 0 && errno == EAGAIN);
    assert_true(accept(all->abstract, NULL, NULL) < 0 && errno == EAGAIN);
    assert_true(accept(all->path, NULL, NULL) < 0 && errno == EAGAIN);
    assert_true(recv(all->udp, &byte, 1, 0) < 0 && errno == EAGAIN);
}

/* Anybody may read it: what keeps programs from it is the sandbox alone. */
static void write_secret(struct world *world, const char *name, const char *text)
{
    FILE *file = fopen(running_service_path(&world->talk->service, name, world->secret), "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(world->secret, 0644), 0);
}

static void world_set_up(struct world *world, struct conversation *talk, const char *name)
{
    memset(world, 0, sizeof(*world));
    world->talk = talk;
    (void)snprintf(world->mark, sizeof(world->mark), "hostile-%d-%s", (int)getpid(), name);
    running_service_path(&talk->service, "scratch", world->scratch);
    // Beside the program: what is in /tmp a sandbox does not show at all.
    (void)snprintf(world->open, sizeof(world->open), "%s-%s", HOSTILE_PROGRAM, world->mark);
    assert_int_equal(chmod(talk->service.folder, 0711), 0);
    assert_int_equal(mkdir(world->scratch, 0755), 0);
    assert_int_equal(chmod(world->scratch, 0777), 0);
    assert_int_equal(mkdir(world->open, 0755), 0);
    assert_int_equal(chmod(world->open, 0777), 0);
    write_secret(world, "password", "grader\n");
    listeners_open(world);
}

/* As root "nobody" starts the tool itself as nobody. Its log tells what it has got. */
static void world_starts(struct world *world, const char *sandbox, bool as_nobody)
{
    static const char *const user[] = {"/usr/bin/setpriv", "--reuid",     NOBODY, "--regid", NOBODY,
                                       "--clear-groups",   "--pdeathsig", "KILL", NULL};
    char program[RUNNING_SERVICE_TEXT_MAX];
    char address[NAME_BYTES];
    char name[NAME_BYTES * 2];
    char password[RUNNING_SERVICE_TEXT_MAX * 2];
    const char *const options[] = {running_service_program("xqueue-grade", program),
                                   "--address",
                                   address,
                                   "--queue",
                                   "calm",
                                   "--slots",
                                   "2",
                                   "--time-limit",
                                   "8",
                                   "--cpu-limit",
                                   "2",
                                   "--memory-mb",
                                   "128",
                                   "--processes",
                                   "60",
                                   "--disk-mb",
                                   "16",
                                   "--output-kb",
                                   "64",
                                   "--at-limit",
                                   "wrong",
                                   "--input",
                                   "raw",
                                   "--folder",
                                   world->scratch,
                                   "--sandbox",
                                   sandbox,
                                   "--",
                                   HOSTILE_PROGRAM,
                                   world->mark,
                                   NULL};
    const char *const environment[] = {"XQUEUE_USER=grader", password, name, RUNNING_PROGRAM_LITTLE_KEPT, NULL};
    const char *arguments[OPTIONS_MAX];
    size_t count = 0;

    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", world->talk->service.core_port);
    (void)snprintf(name, sizeof(name), "XQUEUE_GRADER=%s", world->mark);
    (void)snprintf(password, sizeof(password), "XQUEUE_PASSWORD_FILE=%s", world->secret);
    for (size_t i = 0; as_nobody && user[i] != NULL; i++) {
        arguments[count++] = user[i];
    }
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        arguments[count++] = options[i];
    }
    const struct running_program_options start = {.arguments = arguments, .environment = environment};
    const int forgotten = open(world->secret, O_RDONLY | O_CLOEXEC);
    assert_int_equal(dup2(forgotten, LEFT_OPEN), LEFT_OPEN);
    world->grader = running_program_start(&start);
    (void)close(LEFT_OPEN);
    (void)close(forgotten);
    if (!running_program_await(world->grader, "sandbox: ", 1)) {
        running_program_dump(world->grader);
        fail_msg("xqueue-grade does not start");
    }
    world->is_sandboxed = running_program_count(world->grader, "sandbox: namespaces") == 1;
}

/* ---- what is left behind ---- */

/* Processes with the mark in their command lines, but for the tool itself. */
static int processes_left(const struct world *world)
{
    int count = 0;
    DIR *processes = opendir("/proc");

    assert_non_null(processes);
    for (const struct dirent *entry = readdir(processes); entry != NULL; entry = readdir(processes)) {
        char path[RUNNING_SERVICE_TEXT_MAX * 2];
        char line[ATTACK_MAX];
        (void)snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
        FILE *file = isdigit((unsigned char)entry->d_name[0]) ? fopen(path, "re") : NULL;
        if (file != NULL) {
            const size_t length = fread(line, 1, sizeof(line), file);
            count += memmem(line, length, world->mark, strlen(world->mark)) != NULL &&
                     atoi(entry->d_name) != running_program_pid(world->grader);
            (void)fclose(file);
        }
    }
    (void)closedir(processes);
    return count;
}

static int entries_in(const char *folder)
{
    int count = 0;
    DIR *entries = opendir(folder);

    assert_non_null(entries);
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(entries);
    return count;
}

/* The scratch folder of each submission goes a moment after its answer. */
static void await_empty_scratch(const struct world *world)
{
    const int64_t deadline_us = clock_monotonic_us() + INT64_C(1000) * CONVERSATION_PATIENCE_MS;
    char command[ATTACK_MAX];

    (void)snprintf(command, sizeof(command), "test $(ls -A %s/* | wc -l) = 0", world->scratch);
    while (system(command) != 0) { // NOLINT(cert-env33-c,concurrency-mt-unsafe): a test
        assert_true(clock_monotonic_us() < deadline_us);
    }
}

static long memory_of_tool_kib(const struct world *world)
{
    char path[NAME_BYTES];
    char line[RUNNING_SERVICE_TEXT_MAX];
    long kib = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)running_program_pid(world->grader));
    FILE *file = fopen(path, "re");

    assert_non_null(file);
    while (kib == 0 && fgets(line, sizeof(line), file) != NULL) {
        kib = strncmp(line, "VmHWM:", 6) == 0 ? strtol(line + 6, NULL, 10) : 0;
    }
    (void)fclose(file);
    assert_true(kib > 0);
    return kib;
}

static void nothing_is_left(struct world *world)
{
    const int left = processes_left(world);

    if (left != 0) {
        running_program_dump(world->grader);
        fail_msg("%d processes are left", left);
    }
    assert_true(memory_of_tool_kib(world) < TOOL_MEMORY_KIB);
    await_empty_scratch(world);
}

static void world_ends(struct world *world)
{
    char written[RUNNING_SERVICE_TEXT_MAX * 2];

    grader_ends(world->grader, SIGTERM, 0);
    assert_int_equal(entries_in(world->scratch), 0);
    (void)snprintf(written, sizeof(written), "%s/x", world->open);
    (void)unlink(written);
    (void)rmdir(world->open);
    listeners_close(&world->listeners);
}

/* ---- attacks ---- */

/* Both take the two slots. Which ends first is not said. */
static void attack_fails(struct world *world, const char *what, bool is_correct, const char *in_message)
{
    char hostile[NAME_BYTES];
    char honest[NAME_BYTES];

    (void)snprintf(hostile, sizeof(hostile), "/%d-%.20s", world->count, what);
    *strchrnul(hostile, ' ') = '\0';
    (void)snprintf(honest, sizeof(honest), "/honest-%d", world->count);
    student_submits(world->talk, "calm", hostile, what);
    student_submits(world->talk, "calm", honest, "honest 41");

    lms_hears_grade(world->talk, honest, true, "42");
    lms_hears_grade(world->talk, hostile, is_correct, in_message);
    nothing_is_left(world);
    world->count++;
}

/* What limits alone must stop. */
static void greed_fails(struct world *world)
{
    attack_fails(world, "fork-bomb", false, "stopped");
    attack_fails(world, "hog 2000", true, "");
    attack_fails(world, "spread-hog 50 20", false, "used more than 128 MiB of memory");
    attack_fails(world, "sharing 40", true, "shared");
    attack_fails(world, "burn 1", false, "used more than 2 s of processor time");
    attack_fails(world, "burn 8", false, "used more than 2 s of processor time");
    attack_fails(world, "flood 1", false, "wrote more than 64 KiB");
    attack_fails(world, "flood 2", false, "stopped");
    attack_fails(world, "flood 3", false, "stopped");
    attack_fails(world, "linger", false, "took more than 8 s");
    attack_fails(world, "rummage", true, "");
}

static void reaching_out_fails(struct world *world)
{
    const struct listeners *all = &world->listeners;
    char what[ATTACK_MAX];

    (void)snprintf(what, sizeof(what), "reach %d %d %d %s %s", all->tcp_port, all->udp_port, world->talk->service.core_port,
                   all->abstract_name, all->path_name);
    attack_fails(world, what, true, "");
    listeners_hear_nothing(all);
}

static void writing_outside_fails(struct world *world)
{
    static const char *const places[] = {"/tmp", "/var/tmp", "/dev/shm"};
    char what[ATTACK_MAX];
    char path[RUNNING_SERVICE_TEXT_MAX];

    (void)snprintf(what, sizeof(what), "scribble %s/x %s /etc/x /sys/kernel/x /proc/sys/kernel/hostname", world->open,
                   HOSTILE_PROGRAM);
    attack_fails(world, what, true, "");
    assert_int_equal(entries_in(world->open), 0);
    // These succeed, and are gone: they were the program's own.
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", places[i], world->mark);
        (void)snprintf(what, sizeof(what), "scribble %s", path);
        attack_fails(world, what, false, path);
        assert_int_not_equal(access(path, F_OK), 0);
    }
}

/* One submission that looks for the folder of the other, for secrets and for open descriptors. */
static void prying_fails(struct world *world)
{
    char what[ATTACK_MAX];

    (void)snprintf(what, sizeof(what), "pry %s /proc/%d/environ /proc/1/environ", world->secret,
                   (int)running_program_pid(world->grader));
    attack_fails(world, what, true, "");
}

/* It got no more than the bound, over all that it may write to. */
static void filling_the_disk_fails(struct world *world)
{
    char path[NAME_BYTES];

    (void)snprintf(path, sizeof(path), "/%d-fill", world->count);
    attack_fails(world, "fill", true, " MiB");
    json_t *grade = json_loads(lms_hears(world->talk, path, 0)->result, 0, NULL);
    assert_in_range(atoi(json_string_value(json_object_get(grade, "msg"))), 1, DISK_MIB);
    json_decref(grade);
}

static void hostile_submissions_harm_nobody(struct conversation *talk, const char *name, bool as_nobody)
{
    struct world world;

    world_set_up(&world, talk, name);
    world_starts(&world, "auto", as_nobody);
    if (!world.is_sandboxed) {
        world_ends(&world);
        (void)fprintf(stderr, "NOT TESTED: this machine gives no namespaces\n");
        skip();
    }
    greed_fails(&world);
    reaching_out_fails(&world);
    writing_outside_fails(&world);
    prying_fails(&world);
    attack_fails(&world, "attack", true, "");
    attack_fails(&world, "nest", true, "");
    filling_the_disk_fails(&world);
    world_ends(&world);
}

static void greedy_submissions_are_stopped_without_a_sandbox(struct conversation *talk)
{
    struct world world;
    char what[ATTACK_MAX];

    world_set_up(&world, talk, "open");
    world_starts(&world, "none", false);
    assert_false(world.is_sandboxed);
    greed_fails(&world);
    // The same attacks succeed where nothing is shut: so it is the sandbox that stops them elsewhere.
    (void)snprintf(what, sizeof(what), "scribble %s/x", world.open);
    attack_fails(&world, what, false, world.open);
    (void)snprintf(what, sizeof(what), "pry %s", world.secret);
    attack_fails(&world, what, false, world.secret);
    (void)snprintf(what, sizeof(what), "reach %d %d %d %s %s", world.listeners.tcp_port, world.listeners.udp_port,
                   talk->service.core_port, world.listeners.abstract_name, world.listeners.path_name);
    attack_fails(&world, what, false, "tcp udp core abstract path");
    world_ends(&world);
}

/* The tool as nobody is of interest to root alone; and he must be able to run it. */
static void needs_nobody(void)
{
    char program[RUNNING_SERVICE_TEXT_MAX];
    const char *const arguments[] = {"/usr/bin/setpriv",
                                     "--reuid",
                                     NOBODY,
                                     "--regid",
                                     NOBODY,
                                     "--clear-groups",
                                     running_service_program("xqueue-grade", program),
                                     "--version",
                                     NULL};
    struct run_command command = {.pid = 0};

    if (geteuid() != 0) {
        skip(); // the other tests have shown it
    }
    run_command_start(&command, arguments, NULL, NULL);
    run_command_wait(&command);
    const bool can_run = command.exit_code == 0;
    run_command_finish(&command);
    if (!can_run) {
        (void)fprintf(stderr, "NOT TESTED: nobody cannot run %s\n", program);
        skip();
    }
}

static void hostile_submissions_harm_nobody_in_a_sandbox(void **state)
{
    hostile_submissions_harm_nobody(*state, "shut", false);
}

static void hostile_submissions_harm_nobody_in_a_sandbox_without_privilege(void **state)
{
    needs_nobody();
    hostile_submissions_harm_nobody(*state, "shut-nobody", true);
}

static void limits_hold_without_a_sandbox(void **state)
{
    greedy_submissions_are_stopped_without_a_sandbox(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hostile_submissions_harm_nobody_in_a_sandbox, conversation_set_up,
                                        conversation_tear_down),
        cmocka_unit_test_setup_teardown(hostile_submissions_harm_nobody_in_a_sandbox_without_privilege, conversation_set_up,
                                        conversation_tear_down),
        cmocka_unit_test_setup_teardown(limits_hold_without_a_sandbox, conversation_set_up, conversation_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
