/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A foreign client in a process of its own: tests/support/rpc_peer.py.
 *
 * Threading: the test's thread.
 */
#ifndef TESTS_SUPPORT_RPC_PEER_H
#define TESTS_SUPPORT_RPC_PEER_H

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/rpc_world.h"

struct peer {
    pid_t pid;
    int input;  /* its standard input */
    int output; /* its standard output */
};

static inline void peer_start(struct peer *peer, const struct world *world, const char *act)
{
    char script[] = __FILE__; /* .../rpc_peer.h: the script lies beside this header */
    script[sizeof(script) - 2] = 'p';
    char path[sizeof(script) + 1];
    (void)snprintf(path, sizeof(path), "%sy", script);
    char interpreter[] = "/usr/bin/python3"; /* the system's, which has grpcio */
    char address[WORLD_TEXT_MAX];
    char act_copy[WORLD_TEXT_MAX];
    (void)snprintf(address, sizeof(address), "%s", world->address);
    (void)snprintf(act_copy, sizeof(act_copy), "%s", act);
    char *arguments[] = {interpreter, path, address, act_copy, NULL};
    int input[2];
    int output[2];
    posix_spawn_file_actions_t actions;
    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO), 0);
    assert_int_equal(posix_spawn(&peer->pid, interpreter, &actions, NULL, arguments, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(input[0]);
    (void)close(output[1]);
    peer->input = input[1];
    peer->output = output[0];
}

/* Lets it go on from where it waits, and reads what it has to say until it ends. */
static inline void peer_wait(struct peer *peer, char out_text[WORLD_TEXT_MAX])
{
    size_t length = 0;
    ssize_t got = 1;
    int outcome = -1;
    (void)close(peer->input);
    while (got > 0) {
        got = read(peer->output, out_text + length, WORLD_TEXT_MAX - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    out_text[length] = '\0';
    (void)close(peer->output);
    assert_int_equal(waitpid(peer->pid, &outcome, 0), peer->pid);
}

/* Runs act to its end: "CODE details". */
static inline void peer_run(const struct world *world, const char *act, char out_text[WORLD_TEXT_MAX])
{
    struct peer peer;
    peer_start(&peer, world, act);
    peer_wait(&peer, out_text);
}

#endif
