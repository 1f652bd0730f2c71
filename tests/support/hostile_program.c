/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no grader wants to run: standard input says what it tries ("burn 4"), and what it prints as a result says what it got.
 * "honest N" is what everybody else hands in.
 *
 * It harms nobody even where nothing stops it: all of its processes end after ALARM_S, none takes more than its own bound of
 * memory, what it writes has a bound, and it kills all that it can only as long as it is shut into a namespace of processes.
 *
 * Threading: one thread in each of its processes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ALARM_S = 20,
    OWN_MEMORY_BYTES = 1 << 30,
    INPUT_BYTES = 4096,
    PATH_BYTES = 512,
    MIB = 1 << 20,
    FILL_MIB_MAX = 128,
    FILL_FILES = 64,
    PROGRESS = 3,
    PAGE_BYTES = 4096,
    PASSES = 1000,
    LOOK_DESCRIPTORS = 256,
    LOOK_PIDS = 4096,
};

static time_t end_s; /* of all that descends from the first process */

static void be_bounded(void)
{
    const struct rlimit memory = {.rlim_cur = OWN_MEMORY_BYTES, .rlim_max = OWN_MEMORY_BYTES};
    const time_t now_s = time(NULL);

    end_s = end_s == 0 ? now_s + ALARM_S : end_s;
    if (now_s >= end_s) {
        _exit(1);
    }
    (void)alarm((unsigned)(end_s - now_s)); // no child inherits it: each asks for its own
    (void)setrlimit(RLIMIT_AS, &memory);
}

static _Noreturn void wait_for_ever(void)
{
    for (;;) {
        (void)pause();
    }
}

/* In the child: true. */
static bool split(void)
{
    const bool is_child = fork() == 0;

    if (is_child) {
        be_bounded();
    }
    return is_child;
}

static void say(const char *verdict, const char *message)
{
    (void)printf("{\"correct\": %s, \"msg\": \"%s\"}", verdict, message);
}

static void add(char got[INPUT_BYTES], const char *what)
{
    const size_t length = strlen(got);

    (void)snprintf(got + length, INPUT_BYTES - length, "%s ", what);
}

/* Correct when nothing was got. */
static void say_got(const char *got)
{
    say(got[0] == '\0' ? "true" : "false", got);
}

static void honest(char *number)
{
    char line[PATH_BYTES] = "";
    int status = -1;
    FILE *file = fopen("work", "we+");

    if (split()) {
        _exit(file == NULL || fprintf(file, "%d", atoi(number) + 1) <= 0 || fflush(file) != 0);
    }
    (void)wait(&status);
    if (status != 0 || file == NULL || fseek(file, 0, SEEK_SET) != 0 || fgets(line, sizeof(line), file) == NULL) {
        exit(75);
    }
    say("true", line);
}

/* ---- what takes too much ---- */

static void fork_bomb(char *rest)
{
    (void)rest;
    for (;;) {
        (void)split();
    }
}

static char *touched; /* the last piece */

static bool touch(size_t bytes, int kind)
{
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        return false;
    }
    memset(memory, 1, bytes);
    touched = memory;
    return true;
}

static void hog(char *rest)
{
    const size_t bytes = (size_t)atoi(rest) * MIB;

    say_got(touch(bytes, MAP_PRIVATE) ? "memory" : "");
}

/* "PROCESSES MIB": each takes as much. */
static void spread_hog(char *rest)
{
    const size_t bytes = (size_t)atoi(strchr(rest, ' ')) * MIB;

    for (int left = atoi(rest); left > 0; left--) {
        if (split()) {
            (void)touch(bytes, MAP_PRIVATE);
            wait_for_ever();
        }
    }
    wait_for_ever();
}

/* Memory that no process has among its own: files that nobody has mapped. */
static void hidden_hog(char *rest)
{
    static char block[MIB];
    int mib = 0;

    for (int files = 0; files < atoi(rest); files++) {
        const int file = memfd_create("hidden", 0);
        for (int i = 0; i < 4 && write(file, block, sizeof(block)) == (ssize_t)sizeof(block); i++) {
            mib++;
        }
    }
    say_got(mib > 0 ? "hidden memory" : "");
}

/* Processes share what was there before they were: that is no hog. */
static void sharing(char *rest)
{
    const size_t bytes = (size_t)atoi(rest) * MIB;
    const bool is_there = touch(bytes, MAP_PRIVATE);
    uint64_t sum = 0;
    int status = 0;

    for (int i = 0; i < 8; i++) {
        if (split()) {
            for (size_t at = 0; is_there && at < PASSES * bytes; at += PAGE_BYTES) {
                sum += (unsigned char)touched[at % bytes];
            }
            _exit(sum == 0);
        }
    }
    while (wait(&status) > 0) {
    }
    say(is_there ? "true" : "false", "shared");
}

static void burn(char *rest)
{
    (void)signal(SIGXCPU, SIG_IGN);
    for (int left = atoi(rest); left > 1; left--) {
        if (split()) {
            break;
        }
    }
    for (;;) {
    }
}

static void flood(char *descriptor)
{
    static const char line[] = "1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n";

    for (;;) {
        if (write(atoi(descriptor), line, sizeof(line) - 1) < 0) {
            _exit(1);
        }
    }
}

static void fill(char *rest)
{
    static const char *const places[] = {".", "/tmp", "/var/tmp", "/dev/shm"};
    static char block[MIB];
    char message[PATH_BYTES];
    int mib = 0;

    (void)rest;
    for (size_t place = 0; place < sizeof(places) / sizeof(places[0]); place++) {
        for (int i = 0; i < FILL_FILES && mib < FILL_MIB_MAX; i++) {
            char path[PATH_BYTES];
            (void)snprintf(path, sizeof(path), "%s/hostile-%d-%d", places[place], (int)getpid(), i);
            const int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
            mib += file >= 0 && write(file, block, sizeof(block)) == (ssize_t)sizeof(block);
            if (file >= 0) {
                (void)close(file);
            }
        }
    }
    (void)snprintf(message, sizeof(message), "%d MiB", mib);
    say("true", message);
}

/* ---- what does not want to end ---- */

static void linger(char *rest)
{
    (void)rest;
    for (int number = 1; number < NSIG; number++) {
        (void)signal(number, SIG_IGN);
    }
    be_bounded();
    (void)signal(SIGALRM, SIG_DFL);
    // Twice removed, without a terminal, a session and open files in common.
    if (split()) {
        (void)setsid();
        if (split()) {
            (void)setsid();
            for (int i = 0; i < LOOK_DESCRIPTORS; i++) {
                (void)close(i);
            }
        }
    }
    wait_for_ever();
}

/* ---- what reaches out ---- */

static bool reaches(int family, int kind, const void *address, socklen_t length)
{
    const int peer = socket(family, kind | SOCK_CLOEXEC, 0);
    const bool is_reached = peer >= 0 && connect(peer, address, length) == 0 && send(peer, "x", 1, MSG_NOSIGNAL) == 1;

    if (peer >= 0) {
        (void)close(peer);
    }
    return is_reached;
}

/* "TCP-PORT UDP-PORT CORE-PORT ABSTRACT-NAME PATH" */
static void reach(char *rest)
{
    static const char *const names[] = {"tcp", "udp", "core"};
    char got[INPUT_BYTES] = "";
    char *at = rest;

    for (int i = 0; i < 3; i++) {
        const struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)strtol(at, &at, 10))};
        if (reaches(AF_INET, i == 1 ? SOCK_DGRAM : SOCK_STREAM, &address, sizeof(address))) {
            add(got, names[i]);
        }
    }
    const char *name = strtok(at, " ");
    const char *path = strtok(NULL, " ");
    struct sockaddr_un abstract = {.sun_family = AF_UNIX};
    struct sockaddr_un socket = {.sun_family = AF_UNIX};
    (void)snprintf(abstract.sun_path + 1, sizeof(abstract.sun_path) - 1, "%s", name);
    (void)snprintf(socket.sun_path, sizeof(socket.sun_path), "%s", path);
    if (reaches(AF_UNIX, SOCK_STREAM, &abstract, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)))) {
        add(got, "abstract");
    }
    if (reaches(AF_UNIX, SOCK_STREAM, &socket, sizeof(socket))) {
        add(got, "path");
    }
    say_got(got);
}

/* Paths of files to be made or written to. */
static void scribble(char *rest)
{
    char got[INPUT_BYTES] = "";

    for (const char *path = strtok(rest, " "); path != NULL; path = strtok(NULL, " ")) {
        const int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (file >= 0 && write(file, "\n", 1) == 1) {
            add(got, path);
        }
        if (file >= 0) {
            (void)close(file);
        }
    }
    say_got(got);
}

static void pry(char *rest)
{
    char got[INPUT_BYTES] = "";

    for (const char *path = strtok(rest, " "); path != NULL; path = strtok(NULL, " ")) {
        char byte;
        const int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file >= 0 && read(file, &byte, 1) == 1) {
            add(got, path);
        }
        if (file >= 0) {
            (void)close(file);
        }
    }
    say_got(got);
}

/* Other processes: stops, reads, kills them. */
static void attack(char *rest)
{
    char got[INPUT_BYTES] = "";
    int traced = 0;

    (void)rest;
    if (getppid() != 1) {
        say("false", "not shut in: nothing tried");
        return;
    }
    for (pid_t pid = 1; pid < LOOK_PIDS; pid++) {
        traced += pid != getpid() && ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0;
    }
    if (traced > 0) {
        add(got, "traced");
    }
    (void)kill(1, SIGKILL);
    (void)kill(1, SIGSTOP);
    (void)kill(1, SIGTERM);
    if (kill(-1, SIGKILL) == 0) {
        add(got, "killed"); // there is nobody but the first one
    }
    say_got(got);
}

/* What was left open for it beside the three and progress. */
static void rummage(char *rest)
{
    char got[INPUT_BYTES] = "";

    (void)rest;
    for (int i = PROGRESS + 1; i < LOOK_DESCRIPTORS; i++) {
        if (fcntl(i, F_GETFD) >= 0) {
            (void)snprintf(got, sizeof(got), "descriptor %d", i);
        }
    }
    say_got(got);
}

/* In namespaces of its own it would be root, and mount memory without a bound. */
static void nest(char *rest)
{
    (void)rest;
    say_got(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 ? "namespace" : "");
}

int main(void)
{
    static const struct {
        const char *word;
        void (*act)(char *rest);
    } acts[] = {{"honest", honest},
                {"fork-bomb", fork_bomb},
                {"hog", hog},
                {"spread-hog", spread_hog},
                {"hidden-hog", hidden_hog},
                {"sharing", sharing},
                {"burn", burn},
                {"flood", flood},
                {"fill", fill},
                {"linger", linger},
                {"reach", reach},
                {"scribble", scribble},
                {"pry", pry},
                {"attack", attack},
                {"rummage", rummage},
                {"nest", nest}};
    char input[INPUT_BYTES] = "";
    const size_t length = fread(input, 1, sizeof(input) - 1, stdin);

    input[length] = '\0';
    be_bounded();
    char *rest = strchr(input, ' ');
    if (rest != NULL) {
        *rest++ = '\0';
    }
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        if (strcmp(acts[i].word, input) == 0) {
            acts[i].act(rest != NULL ? rest : input);
            return EXIT_SUCCESS;
        }
    }
    return 65;
}
