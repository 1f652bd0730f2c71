/* SPDX-License-Identifier: Apache-2.0 */
#include "service/login_guard.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "base/address.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/text.h"

enum { IPV6_BITS_OF_A_HOUSEHOLD = 64, DOUBLINGS_MAX = 16, MINUTE_MS = 60 * 1000, MS_PER_S = 1000 };

enum kind {
    KIND_FAMILIAR, /* pairs that have succeeded */
    KIND_PAIR,
    KIND_MADE_UP_PAIR, /* of a user that does not exist */
    KIND_USER,
    KIND_MADE_UP_USER,
    KIND_ADDRESS,
    KIND_COUNT
};

static const struct rule {
    const char *name; /* in the log */
    int free;
    int64_t forget_ms; /* after it was touched last */
} rules[KIND_COUNT] = {
    [KIND_FAMILIAR] = {"familiar user and address", LOGIN_GUARD_PAIR_FREE, LOGIN_GUARD_FAMILIAR_MS},
    [KIND_PAIR] = {"user and address", LOGIN_GUARD_PAIR_FREE, LOGIN_GUARD_QUIET_MS},
    [KIND_MADE_UP_PAIR] = {"unknown user and address", LOGIN_GUARD_PAIR_FREE, LOGIN_GUARD_QUIET_MS},
    [KIND_USER] = {"user", LOGIN_GUARD_SUM_FREE, LOGIN_GUARD_QUIET_MS},
    [KIND_MADE_UP_USER] = {"unknown user", LOGIN_GUARD_SUM_FREE, LOGIN_GUARD_QUIET_MS},
    [KIND_ADDRESS] = {"address", LOGIN_GUARD_SUM_FREE, LOGIN_GUARD_QUIET_MS},
};

/* An address (its length first) and a user; either may be empty. */
struct key {
    uint8_t bytes[1 + LOGIN_GUARD_ADDRESS_BYTES + STORE_USER_MAX];
    size_t length;
};

struct record {
    struct map_node node; /* in the order of touching */
    struct key key;
    enum kind kind;
    int failures;          /* those that are not decided yet included */
    int summed;            /* of them, also counted in the sums; pairs only */
    int64_t touched_ms;    /* last booked */
    int64_t wait_until_ms; /* no try before */
    bool is_announced;     /* the log knows that it is slowed */
    /* The latest guess of a pair, and how many tries of just this guess run. */
    int running;
    uint8_t digest[SECRET_DIGEST_BYTES];
};

struct login_guard {
    struct clock *clock; /* immutable */
    pthread_mutex_t mutex;
    /* guarded by mutex */
    struct map tables[KIND_COUNT];
    int64_t lines_since_ms;
    int lines;
    int64_t lines_dropped;
};

/* ---- the log: when slowing starts and ends, never a password; a name that nobody has may be one ---- */

/* May one more line be written? */
static bool guard_may_log(struct login_guard *guard, int64_t now_ms)
{
    if (now_ms - guard->lines_since_ms >= MINUTE_MS) {
        if (guard->lines_dropped > 0)
            log_event(LOG_WARN, "login_slowing_lines_dropped", LOG_INT("count", guard->lines_dropped));
        guard->lines_since_ms = now_ms;
        guard->lines = 0;
        guard->lines_dropped = 0;
    }
    if (guard->lines < LOGIN_GUARD_LINES_MAX) {
        guard->lines++;
        return true;
    }
    guard->lines_dropped++;
    return false;
}

static void guard_log(struct login_guard *guard, const struct record *record, const char *event, int64_t now_ms)
{
    static const bool shows_user[KIND_COUNT] = {[KIND_FAMILIAR] = true, [KIND_PAIR] = true, [KIND_USER] = true};
    const struct key *key = &record->key;
    char user[STORE_USER_MAX] = "";
    char peer[ADDRESS_TEXT_MAX] = "";
    size_t address_length = key->bytes[0];
    if (!guard_may_log(guard, now_ms))
        return;
    if (shows_user[record->kind])
        memcpy(user, key->bytes + 1 + address_length, key->length - 1 - address_length);
    if (address_length > 0) {
        struct address address = {.is_ipv6 = key->bytes[1] != 0};
        memcpy(address.bytes, key->bytes + 2, sizeof address.bytes);
        (void)address_write(&address, peer);
    }
    log_event(LOG_WARN, event, LOG_TEXT("what", rules[record->kind].name), LOG_TEXT("user", user), LOG_TEXT("peer", peer),
              LOG_INT("failures", record->failures));
}

static void guard_announce(struct login_guard *guard, struct record *record, int64_t now_ms)
{
    if (record && !record->is_announced && record->failures >= rules[record->kind].free) {
        record->is_announced = true;
        guard_log(guard, record, "login_slowed", now_ms);
    }
}

static void guard_end_slowing(struct login_guard *guard, struct record *record, int64_t now_ms)
{
    if (record->is_announced)
        guard_log(guard, record, "login_slowing_ended", now_ms);
    record->is_announced = false;
}

/* ---- records ---- */

static struct key make_key(const struct login_try *login_try, bool has_address, bool has_user)
{
    struct key key = {.length = 1};
    if (has_address) {
        key.bytes[0] = (uint8_t)login_try->address_length;
        memcpy(key.bytes + 1, login_try->address, login_try->address_length);
        key.length += login_try->address_length;
    }
    if (has_user) {
        size_t length = strlen(login_try->user);
        memcpy(key.bytes + key.length, login_try->user, length);
        key.length += length;
    }
    return key;
}

static struct record *guard_find(struct login_guard *guard, enum kind kind, const struct key *key)
{
    struct map_node *node = map_find(&guard->tables[kind], key->bytes, key->length);
    return node ? MAP_OWNER(node, struct record, node) : NULL;
}

static void guard_forget(struct login_guard *guard, struct record *record, int64_t now_ms)
{
    guard_end_slowing(guard, record, now_ms);
    map_remove(&guard->tables[record->kind], &record->node);
    memory_free(record);
}

static struct record *guard_make(struct login_guard *guard, enum kind kind, const struct key *key, int64_t now_ms)
{
    struct map *table = &guard->tables[kind];
    if (map_count(table) >= LOGIN_GUARD_RECORDS_MAX)
        guard_forget(guard, MAP_OWNER(map_first(table), struct record, node), now_ms);
    struct record *record = MEMORY_NEW(struct record);
    record->key = *key;
    record->kind = kind;
    record->touched_ms = now_ms;
    map_put(table, &record->node, record->key.bytes, record->key.length);
    return record;
}

/* Records stand in the order of touching. */
static void guard_forget_quiet(struct login_guard *guard, int64_t now_ms)
{
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        struct map_node *node = NULL;
        while ((node = map_first(&guard->tables[kind])) != NULL) {
            struct record *first = MAP_OWNER(node, struct record, node);
            if (clock_add_ms(first->touched_ms, rules[kind].forget_ms) > now_ms)
                break;
            guard_forget(guard, first, now_ms);
        }
    }
}

static void record_set_failures(struct record *record, int failures, int64_t now_ms)
{
    int beyond = failures - rules[record->kind].free;
    int64_t delay_ms = INT64_C(0);
    record->failures = failures;
    if (beyond >= 0) {
        delay_ms = (int64_t)LOGIN_GUARD_DELAY_MS << (beyond < DOUBLINGS_MAX ? beyond : DOUBLINGS_MAX);
        delay_ms = delay_ms < LOGIN_GUARD_DELAY_MS_MAX ? delay_ms : LOGIN_GUARD_DELAY_MS_MAX;
    }
    record->wait_until_ms = clock_add_ms(now_ms, delay_ms);
}

static void guard_book(struct login_guard *guard, struct record *record, int64_t now_ms)
{
    struct map *table = &guard->tables[record->kind];
    record_set_failures(record, record->failures + 1, now_ms);
    record->touched_ms = now_ms;
    map_remove(table, &record->node);
    map_put(table, &record->node, record->key.bytes, record->key.length);
}

/* Takes failures back: the wait that they caused ends with them. */
static void guard_unbook(struct login_guard *guard, struct record *record, int count, int64_t now_ms)
{
    if (!record || count <= 0)
        return;
    record_set_failures(record, record->failures > count ? record->failures - count : 0, record->touched_ms);
    if (record->failures < rules[record->kind].free)
        guard_end_slowing(guard, record, now_ms);
}

/* ---- a try ---- */

/* The records that judge a try; NULL: there is none (yet). */
struct judges {
    struct key pair_key;
    struct key user_key;
    struct key address_key;
    bool is_familiar;
    struct record *pair;
    struct record *user;
    struct record *address;
};

static enum kind pair_kind(const struct login_try *login_try)
{
    return login_try->is_known ? KIND_PAIR : KIND_MADE_UP_PAIR;
}

static enum kind user_kind(const struct login_try *login_try)
{
    return login_try->is_known ? KIND_USER : KIND_MADE_UP_USER;
}

static void guard_find_judges(struct login_guard *guard, const struct login_try *login_try, struct judges *out)
{
    *out = (struct judges){
        .pair_key = make_key(login_try, true, true),
        .user_key = make_key(login_try, false, true),
        .address_key = make_key(login_try, true, false),
    };
    out->pair = guard_find(guard, KIND_FAMILIAR, &out->pair_key);
    out->is_familiar = out->pair != NULL;
    if (out->is_familiar)
        return;
    out->pair = guard_find(guard, pair_kind(login_try), &out->pair_key);
    out->user = guard_find(guard, user_kind(login_try), &out->user_key);
    if (login_try->address_length > 0)
        out->address = guard_find(guard, KIND_ADDRESS, &out->address_key);
}

static int64_t later_wait(const struct record *record, int64_t wait_until_ms)
{
    return record && record->wait_until_ms > wait_until_ms ? record->wait_until_ms : wait_until_ms;
}

static struct record *guard_book_sum(struct login_guard *guard, struct record *record, enum kind kind, const struct key *key,
                                     int64_t now_ms)
{
    if (!record)
        record = guard_make(guard, kind, key, now_ms);
    guard_book(guard, record, now_ms);
    return record;
}

static void guard_book_try(struct login_guard *guard, struct login_try *login_try, struct judges *judges, int64_t now_ms)
{
    if (!judges->pair)
        judges->pair = guard_make(guard, pair_kind(login_try), &judges->pair_key, now_ms);
    struct record *pair = judges->pair;
    guard_book(guard, pair, now_ms);
    pair->running = 1;
    memcpy(pair->digest, login_try->digest, sizeof pair->digest);
    login_try->is_booked = true;
    if (judges->is_familiar || pair->summed >= LOGIN_GUARD_PAIR_FREE)
        return;
    pair->summed++;
    login_try->is_summed = true;
    guard_book_sum(guard, judges->user, user_kind(login_try), &judges->user_key, now_ms);
    if (login_try->address_length > 0)
        guard_book_sum(guard, judges->address, KIND_ADDRESS, &judges->address_key, now_ms);
}

/* Waits that concern nobody any more: a familiar pair stays, its failures are forgotten. */
static void guard_calm(struct login_guard *guard, struct record *pair, int64_t now_ms)
{
    if (pair && pair->failures > 0 && clock_add_ms(pair->touched_ms, LOGIN_GUARD_QUIET_MS) <= now_ms)
        guard_unbook(guard, pair, pair->failures, now_ms);
}

static enum status guard_judge(struct login_guard *guard, struct login_try *login_try, struct error *error)
{
    int64_t now_ms = clock_now_ms(guard->clock);
    struct judges judges;
    guard_forget_quiet(guard, now_ms);
    guard_find_judges(guard, login_try, &judges);
    guard_calm(guard, judges.pair, now_ms);
    if (judges.pair && judges.pair->running > 0 &&
        memcmp(judges.pair->digest, login_try->digest, sizeof login_try->digest) == 0) {
        judges.pair->running++;
        return STATUS_OK;
    }
    int64_t wait_until_ms = later_wait(judges.pair, later_wait(judges.user, later_wait(judges.address, now_ms)));
    if (wait_until_ms > now_ms) {
        int64_t wait_ms = wait_until_ms - now_ms;
        int64_t wait_s = (wait_ms - 1) / MS_PER_S + 1;
        enum status status =
            error_set(error, STATUS_FULL, "LOGIN_SLOWED", "too many failed logins, try again in %" PRId64 " s", wait_s);
        error->retry_after_ms = wait_ms;
        return status;
    }
    guard_book_try(guard, login_try, &judges, now_ms);
    return STATUS_OK;
}

/* Anything that is no address counts as none. */
static void read_address(const char *text, struct login_try *out)
{
    struct address address;
    if (!address_parse(text, &address))
        return;
    if (address.is_ipv6)
        address_cut(&address, IPV6_BITS_OF_A_HOUSEHOLD);
    out->address[0] = address.is_ipv6;
    memcpy(out->address + 1, address.bytes, sizeof address.bytes);
    out->address_length = 1 + sizeof address.bytes;
}

enum status login_guard_enter(struct login_guard *guard, const struct login_question *question, struct login_try *out_try,
                              struct error *error)
{
    struct login_try login_try = {.is_known = question->is_known};
    text_copy(login_try.user, sizeof login_try.user, question->user);
    memcpy(login_try.digest, question->digest, sizeof login_try.digest);
    read_address(question->address, &login_try);
    pthread_mutex_lock(&guard->mutex);
    enum status status = guard_judge(guard, &login_try, error);
    pthread_mutex_unlock(&guard->mutex);
    if (status == STATUS_OK)
        *out_try = login_try;
    return status;
}

static void guard_succeed(struct login_guard *guard, const struct login_try *login_try, struct judges *judges, int64_t now_ms)
{
    struct record *pair = judges->pair;
    if (judges->is_familiar) {
        guard_unbook(guard, pair, pair->failures, now_ms);
        return;
    }
    if (pair) {
        guard_unbook(guard, judges->user, pair->summed, now_ms);
        guard_unbook(guard, judges->address, pair->summed, now_ms);
        guard_forget(guard, pair, now_ms);
    }
    if (login_try->is_known)
        (void)guard_make(guard, KIND_FAMILIAR, &judges->pair_key, now_ms);
}

static void guard_take_back(struct login_guard *guard, const struct login_try *login_try, struct judges *judges, int64_t now_ms)
{
    if (!login_try->is_booked || !judges->pair)
        return;
    guard_unbook(guard, judges->pair, 1, now_ms);
    if (login_try->is_summed && judges->pair->summed > 0) {
        judges->pair->summed--;
        guard_unbook(guard, judges->user, 1, now_ms);
        guard_unbook(guard, judges->address, 1, now_ms);
    }
}

void login_guard_leave(struct login_guard *guard, const struct login_try *login_try, enum login_outcome outcome)
{
    struct judges judges;
    pthread_mutex_lock(&guard->mutex);
    int64_t now_ms = clock_now_ms(guard->clock);
    guard_find_judges(guard, login_try, &judges);
    bool is_latest = judges.pair && judges.pair->running > 0 &&
                     memcmp(judges.pair->digest, login_try->digest, sizeof login_try->digest) == 0;
    if (is_latest)
        judges.pair->running--;
    switch (outcome) {
    case LOGIN_SUCCEEDED:
        guard_succeed(guard, login_try, &judges, now_ms);
        break;
    case LOGIN_UNCHECKED:
        guard_take_back(guard, login_try, &judges, now_ms);
        break;
    case LOGIN_FAILED:
        guard_announce(guard, judges.pair, now_ms);
        guard_announce(guard, judges.user, now_ms);
        guard_announce(guard, judges.address, now_ms);
        break;
    }
    pthread_mutex_unlock(&guard->mutex);
}

/* ---- life ---- */

struct login_guard *login_guard_create(struct clock *clock)
{
    struct login_guard *guard = MEMORY_NEW(struct login_guard);
    guard->clock = clock;
    pthread_mutex_init(&guard->mutex, NULL);
    for (int kind = 0; kind < KIND_COUNT; kind++)
        map_init(&guard->tables[kind]);
    guard->lines_since_ms = clock_now_ms(clock);
    return guard;
}

void login_guard_destroy(struct login_guard *guard)
{
    if (!guard)
        return;
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        struct map_node *node = NULL;
        while ((node = map_first(&guard->tables[kind])) != NULL) {
            map_remove(&guard->tables[kind], node);
            memory_free(MAP_OWNER(node, struct record, node));
        }
        map_finish(&guard->tables[kind]);
    }
    pthread_mutex_destroy(&guard->mutex);
    memory_free(guard);
}

size_t login_guard_count(struct login_guard *guard)
{
    size_t count = 0;
    pthread_mutex_lock(&guard->mutex);
    for (int kind = 0; kind < KIND_COUNT; kind++)
        count += map_count(&guard->tables[kind]);
    pthread_mutex_unlock(&guard->mutex);
    return count;
}
