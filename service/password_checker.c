/* SPDX-License-Identifier: Apache-2.0 */
#include "service/password_checker.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

struct password_checker {
    struct access *access; /* immutable */
    pthread_t threads[PASSWORD_CHECKER_THREADS_MAX];
    size_t thread_count; /* immutable after start */

    /* guarded by mutex */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct list waiting;
    struct list running;
    size_t joined_count; /* in both */
    uint64_t turn;       /* of the check that was begun last */
    bool stopping;
};

#define CHECK_OF(node_) LIST_OWNER((node_), struct password_check, node)

/* ---- under the mutex ---- */

static bool is_same_guess(const struct password_check *a, const struct password_check *b)
{
    return !a->wants_hash && !b->wants_hash && strcmp(a->user, b->user) == 0 &&
           memcmp(a->who.digest, b->who.digest, sizeof a->who.digest) == 0;
}

static bool is_same_address(const struct password_check *a, const struct password_check *b)
{
    return a->who.address_length == b->who.address_length && memcmp(a->who.address, b->who.address, a->who.address_length) == 0;
}

static struct password_check *find_same(const struct list *list, const struct password_check *check)
{
    for (struct list_node *node = list_first(list); node; node = list_next(list, node)) {
        if (is_same_guess(CHECK_OF(node), check)) {
            return CHECK_OF(node);
        }
    }
    return NULL;
}

/* Every address has a place in each turn. */
static uint64_t checker_turn_for(const struct password_checker *checker, const struct password_check *check)
{
    uint64_t turn = checker->turn;
    for (struct list_node *node = list_first(&checker->waiting); node; node = list_next(&checker->waiting, node)) {
        if (is_same_address(CHECK_OF(node), check) && CHECK_OF(node)->turn >= turn) {
            turn = CHECK_OF(node)->turn + 1;
        }
    }
    for (struct list_node *node = list_first(&checker->running); node; node = list_next(&checker->running, node)) {
        if (is_same_address(CHECK_OF(node), check) && CHECK_OF(node)->turn >= turn) {
            turn = CHECK_OF(node)->turn + 1;
        }
    }
    return turn;
}

/* The first of those with the lowest turn; NULL: nobody waits. */
static struct password_check *checker_first(const struct password_checker *checker)
{
    struct password_check *first = NULL;
    for (struct list_node *node = list_first(&checker->waiting); node; node = list_next(&checker->waiting, node)) {
        if (!first || CHECK_OF(node)->turn < first->turn) {
            first = CHECK_OF(node);
        }
    }
    return first;
}

/* The last of those with the highest turn that may lose their place; NULL: there is none. */
static struct password_check *checker_last(const struct password_checker *checker)
{
    struct password_check *last = NULL;
    for (struct list_node *node = list_first(&checker->waiting); node; node = list_next(&checker->waiting, node)) {
        if (!CHECK_OF(node)->wants_hash && (!last || CHECK_OF(node)->turn >= last->turn)) {
            last = CHECK_OF(node);
        }
    }
    return last;
}

static enum status checker_join(struct password_checker *checker, struct password_check *first, struct password_check *check)
{
    if (checker->joined_count >= PASSWORD_CHECKER_JOINED_MAX) {
        return STATUS_FULL;
    }
    memory_wipe(check->password, sizeof check->password); /* the other one's will do */
    list_append(&first->joined, &check->node);
    checker->joined_count++;
    return STATUS_OK;
}

/* out_loser: who lost his place, or NULL. */
static enum status checker_queue(struct password_checker *checker, struct password_check *check,
                                 struct password_check **out_loser)
{
    struct password_check *same = find_same(&checker->running, check);
    if (!same) {
        same = find_same(&checker->waiting, check);
    }
    if (same) {
        return checker_join(checker, same, check);
    }
    check->turn = checker_turn_for(checker, check);
    if (checker->waiting.count >= PASSWORD_CHECKER_WAITING_MAX) {
        struct password_check *last = checker_last(checker);
        if (!last || last->turn <= check->turn) {
            return STATUS_FULL;
        }
        list_remove(&checker->waiting, &last->node);
        checker->joined_count -= last->joined.count;
        *out_loser = last;
    }
    list_append(&checker->waiting, &check->node);
    pthread_cond_signal(&checker->changed);
    return STATUS_OK;
}

/* ---- a check's end ---- */

static void password_check_tell(struct password_check *check, enum login_outcome outcome)
{
    check->outcome = outcome;
    check->on_checked(check, outcome == LOGIN_SUCCEEDED);
}

/* The check and those that joined it are their owners' again, with the first answer. */
static void password_check_end(struct password_check *check, enum login_outcome outcome)
{
    uint8_t credential[SECRET_DIGEST_BYTES];
    struct list joined;
    struct list_node *node = NULL;
    list_init(&joined);
    list_move_all(&check->joined, &joined);
    memory_wipe(check->password, sizeof check->password);
    memcpy(credential, check->credential, sizeof credential);
    password_check_tell(check, outcome); /* it may be gone after this */
    while ((node = list_take_first(&joined)) != NULL) {
        memcpy(CHECK_OF(node)->credential, credential, sizeof credential);
        password_check_tell(CHECK_OF(node), outcome);
    }
}

/* NULL: time to end. */
static struct password_check *password_checker_next(struct password_checker *checker, bool *out_stopping)
{
    pthread_mutex_lock(&checker->mutex);
    while (list_is_empty(&checker->waiting) && !checker->stopping) {
        pthread_cond_wait(&checker->changed, &checker->mutex);
    }
    struct password_check *check = checker_first(checker);
    if (check) {
        checker->turn = check->turn;
        list_remove(&checker->waiting, &check->node);
        list_append(&checker->running, &check->node);
    }
    *out_stopping = checker->stopping;
    pthread_mutex_unlock(&checker->mutex);
    return check;
}

static void password_checker_finish(struct password_checker *checker, struct password_check *check, enum login_outcome outcome)
{
    pthread_mutex_lock(&checker->mutex);
    list_remove(&checker->running, &check->node);
    checker->joined_count -= check->joined.count;
    pthread_mutex_unlock(&checker->mutex);
    password_check_end(check, outcome);
}

static bool password_checker_check(struct password_checker *checker, struct password_check *check)
{
    bool is_of_somebody_new = check->wants_hash && check->user[0] == '\0';
    bool matches =
        !is_of_somebody_new && access_password_matches(checker->access, check->user, check->password, check->credential);
    if (check->wants_hash && !matches &&
        secret_password_hash(check->password, SECRET_ROUNDS_DEFAULT, check->hash) != STATUS_OK) {
        check->hash[0] = '\0'; /* too long, which whoever asks has checked */
    }
    return matches;
}

static void *password_checker_main(void *argument)
{
    struct password_checker *checker = argument;
    struct password_check *check = NULL;
    bool stopping = false;
    pthread_setname_np(pthread_self(), "passwords");
    while ((check = password_checker_next(checker, &stopping)) != NULL) {
        enum login_outcome outcome = LOGIN_UNCHECKED;
        if (!stopping) {
            outcome = password_checker_check(checker, check) ? LOGIN_SUCCEEDED : LOGIN_FAILED;
        }
        password_checker_finish(checker, check, outcome);
    }
    return NULL;
}

/* ---- life ---- */

size_t password_checker_thread_count(long processors)
{
    long count = processors - 1;
    return count < 1 ? 1 : count > PASSWORD_CHECKER_THREADS_MAX ? PASSWORD_CHECKER_THREADS_MAX : (size_t)count;
}

struct password_checker *password_checker_create(struct access *access)
{
    struct password_checker *checker = MEMORY_NEW(struct password_checker);
    size_t wanted = password_checker_thread_count(sysconf(_SC_NPROCESSORS_ONLN));
    checker->access = access;
    pthread_mutex_init(&checker->mutex, NULL);
    pthread_cond_init(&checker->changed, NULL);
    list_init(&checker->waiting);
    list_init(&checker->running);
    while (checker->thread_count < wanted &&
           pthread_create(&checker->threads[checker->thread_count], NULL, password_checker_main, checker) == 0) {
        checker->thread_count++;
    }
    if (checker->thread_count < wanted) {
        password_checker_destroy(checker);
        return NULL;
    }
    return checker;
}

enum status password_checker_submit(struct password_checker *checker, struct password_check *check)
{
    struct password_check *loser = NULL;
    list_init(&check->joined);
    pthread_mutex_lock(&checker->mutex);
    enum status status = checker->stopping ? STATUS_FULL : checker_queue(checker, check, &loser);
    pthread_mutex_unlock(&checker->mutex);
    if (loser) {
        password_check_end(loser, LOGIN_UNCHECKED);
    }
    return status;
}

void password_checker_destroy(struct password_checker *checker)
{
    if (!checker) {
        return;
    }
    pthread_mutex_lock(&checker->mutex);
    checker->stopping = true;
    pthread_cond_broadcast(&checker->changed);
    pthread_mutex_unlock(&checker->mutex);
    for (size_t at = 0; at < checker->thread_count; at++) {
        pthread_join(checker->threads[at], NULL);
    }
    pthread_cond_destroy(&checker->changed);
    pthread_mutex_destroy(&checker->mutex);
    memory_free(checker);
}
