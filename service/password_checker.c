/* SPDX-License-Identifier: Apache-2.0 */
#include "service/password_checker.h"

#include <pthread.h>

#include "base/memory.h"

struct password_checker {
    struct access *access; /* immutable */
    pthread_t thread;

    /* guarded by mutex */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct list waiting;
    bool stopping;
};

/* NULL: time to end. */
static struct password_check *password_checker_next(struct password_checker *checker, bool *out_stopping)
{
    pthread_mutex_lock(&checker->mutex);
    while (list_is_empty(&checker->waiting) && !checker->stopping) {
        pthread_cond_wait(&checker->changed, &checker->mutex);
    }
    struct list_node *node = list_take_first(&checker->waiting);
    *out_stopping = checker->stopping;
    pthread_mutex_unlock(&checker->mutex);
    return node ? LIST_OWNER(node, struct password_check, node) : NULL;
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
        bool matches = !stopping && password_checker_check(checker, check);
        memory_wipe(check->password, sizeof check->password);
        check->on_checked(check, matches);
    }
    return NULL;
}

struct password_checker *password_checker_create(struct access *access)
{
    struct password_checker *checker = MEMORY_NEW(struct password_checker);
    checker->access = access;
    pthread_mutex_init(&checker->mutex, NULL);
    pthread_cond_init(&checker->changed, NULL);
    list_init(&checker->waiting);
    if (pthread_create(&checker->thread, NULL, password_checker_main, checker) != 0) {
        pthread_cond_destroy(&checker->changed);
        pthread_mutex_destroy(&checker->mutex);
        memory_free(checker);
        return NULL;
    }
    return checker;
}

enum status password_checker_submit(struct password_checker *checker, struct password_check *check)
{
    enum status status = STATUS_FULL;
    pthread_mutex_lock(&checker->mutex);
    if (checker->waiting.count < PASSWORD_CHECKER_WAITING_MAX && !checker->stopping) {
        list_append(&checker->waiting, &check->node);
        pthread_cond_signal(&checker->changed);
        status = STATUS_OK;
    }
    pthread_mutex_unlock(&checker->mutex);
    return status;
}

void password_checker_destroy(struct password_checker *checker)
{
    if (!checker) {
        return;
    }
    pthread_mutex_lock(&checker->mutex);
    checker->stopping = true;
    pthread_cond_signal(&checker->changed);
    pthread_mutex_unlock(&checker->mutex);
    pthread_join(checker->thread, NULL);
    pthread_cond_destroy(&checker->changed);
    pthread_mutex_destroy(&checker->mutex);
    memory_free(checker);
}
