/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support */
/* Many clients at one instant: what the original hands out, retires or delivers twice, and this must not. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/legacy_talk.h"

#define URLENCODED "Content-Type: application/x-www-form-urlencoded\r\n"
#define STATE(n)   XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##n
#define DONE       XQUEUE__V1__DELIVERY_STATE__DELIVERY_STATE_DELIVERED

enum { CLIENTS = 8, WAITING = 40, ROUNDS = 10, FORM_MAX = 2048, EXTRA_MAX = 1024, ID_MAX = 10000 };

/* One client: waits for the others, asks `times` times, and keeps the last answer. */
struct client {
    pthread_t thread;
    pthread_barrier_t *start;
    int port;
    const char *cookies;
    const char *method;
    const char *target;
    char form[FORM_MAX]; /* "": none */
    int times;
    unsigned char *seen; /* ID_MAX counters of this client, or NULL */
    struct http_answer answer;
};

static void *run_client(void *data)
{
    static const char id_before[] = "submission_id\\\\\\\": ";
    struct client *client = data;
    char extra[EXTRA_MAX];
    struct http_ask ask = {.port = client->port, .method = client->method, .target = client->target, .extra = extra};

    (void)snprintf(extra, sizeof(extra), "%s%s", client->cookies, URLENCODED);
    if (client->form[0] != '\0') {
        ask.body = client->form;
        ask.body_length = strlen(client->form);
    }
    (void)pthread_barrier_wait(client->start);
    for (int i = 0; i < client->times; i++) {
        (void)http_talk_once(&ask, &client->answer);
        const char *id = client->answer.status != 0 ? strstr(client->answer.body.bytes, id_before) : NULL;
        if (client->seen != NULL && id != NULL) {
            client->seen[strtoul(id + sizeof(id_before) - 1, NULL, 10) % ID_MAX]++;
        }
    }
    return NULL;
}

static void client_init(struct client *client, const struct legacy_world *world, const char *target)
{
    *client = (struct client){
        .port = world->talk->service.rest_port, .cookies = world->cookies, .method = "GET", .target = target, .times = 1};
}

static void make_form(struct client *client, const char *header, const char *body)
{
    const struct legacy_field fields[] = {{.name = "xqueue_header", .value = header}, {.name = "xqueue_body", .value = body}};
    struct text form;

    text_init(&form, FORM_MAX - 1);
    legacy_encode(LEGACY_URLENCODED, fields, 2, &form);
    assert_false(form.failed);
    memcpy(client->form, form.bytes, form.length + 1);
    text_finish(&form);
    client->method = "POST";
}

static void make_submit(struct client *client, struct legacy_world *world, const char *queue, const char *path,
                        const char *body)
{
    struct text header;

    client_init(client, world, "/xqueue/submit/");
    make_form(client, legacy_header(world, queue, path, &header), body);
    text_finish(&header);
}

static void make_put(struct client *client, struct legacy_world *world, const struct legacy_pulled *pulled, const char *body)
{
    char header[FORM_MAX];

    client_init(client, world, "/xqueue/put_result/");
    (void)snprintf(header, sizeof(header), "{\"submission_id\": %llu, \"submission_key\": \"%s\"}", pulled->id, pulled->key);
    make_form(client, header, body);
}

static void run(struct client *clients, unsigned count)
{
    pthread_barrier_t start;

    assert_int_equal(pthread_barrier_init(&start, NULL, count), 0);
    for (unsigned i = 0; i < count; i++) {
        clients[i].start = &start;
        assert_int_equal(pthread_create(&clients[i].thread, NULL, run_client, &clients[i]), 0);
    }
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(pthread_join(clients[i].thread, NULL), 0);
    }
    (void)pthread_barrier_destroy(&start);
}

static void finish(struct client *clients, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        http_answer_finish(&clients[i].answer);
        free(clients[i].seen);
    }
}

static bool says(const struct client *client, const char *reply)
{
    return client->answer.status == 200 && strcmp(client->answer.body.bytes, reply) == 0;
}

static void no_two_pullers_get_the_same_submission(void **state)
{
    struct legacy_world *world = *state;
    struct client clients[CLIENTS];
    char path[64];
    size_t pulled = 0;

    for (unsigned i = 0; i < WAITING; i++) {
        (void)snprintf(path, sizeof(path), "/pool/%u", i);
        legacy_submit(world, "\"pool\"", path, "b", i + 1);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        client_init(&clients[i], world, "/xqueue/get_submission/?queue_name=pool");
        clients[i].times = WAITING / CLIENTS + 1; // more than there are
        clients[i].seen = calloc(ID_MAX, 1);
        assert_non_null(clients[i].seen);
    }
    run(clients, CLIENTS);

    for (size_t id = 0; id < ID_MAX; id++) {
        unsigned holders = 0;
        for (unsigned i = 0; i < CLIENTS; i++) {
            holders += clients[i].seen[id];
        }
        assert_true(holders <= 1);
        pulled += holders;
    }
    assert_int_equal(pulled, WAITING);
    assert_int_equal(legacy_length(world, "pool"), 0);
    finish(clients, CLIENTS);
}

static void parallel_results_are_all_acknowledged_and_delivered_once(void **state)
{
    struct legacy_world *world = *state;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct client clients[CLIENTS];
        struct legacy_pulled pulled;
        char path[64];

        (void)snprintf(path, sizeof(path), "/results/%u", round);
        legacy_submit(world, "\"calm\"", path, "b", 1);
        assert_true(legacy_pull(world, "calm", &pulled));
        for (unsigned i = 0; i < CLIENTS; i++) {
            make_put(&clients[i], world, &pulled, "the result");
        }
        run(clients, CLIENTS);
        for (unsigned i = 0; i < CLIENTS; i++) {
            assert_true(says(&clients[i], LEGACY_GOOD("")));
        }
        assert_true(core_await_delivery(world->talk->admin, pulled.id, DONE));
        assert_int_equal(fake_lms_count_path(world->talk->lms, path), 1);
        assert_int_equal(legacy_length(world, "calm"), 0);
        finish(clients, CLIENTS);
        legacy_pulled_finish(&pulled);
    }
}

static void parallel_submits_with_one_callback_leave_one(void **state)
{
    struct legacy_world *world = *state;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct client clients[CLIENTS];
        char path[64];

        (void)snprintf(path, sizeof(path), "/one/%u", round);
        for (unsigned i = 0; i < CLIENTS; i++) {
            make_submit(&clients[i], world, "\"zeta\"", path, "b");
        }
        run(clients, CLIENTS);
        for (unsigned i = 0; i < CLIENTS; i++) {
            assert_int_equal(clients[i].answer.status, 200);
            assert_memory_equal(clients[i].answer.body.bytes, "{\"return_code\": 0", 17);
        }
        assert_int_equal(legacy_length(world, "zeta"), round + 1);
        finish(clients, CLIENTS);
    }
}

/* What this client pulled; without content. */
static struct legacy_pulled pulled_by(const struct client *client)
{
    static const char id_before[] = "submission_id\\\\\\\": ";
    static const char key_before[] = "submission_key\\\\\\\": \\\\\\\"";
    const char *id = strstr(client->answer.body.bytes, id_before);
    const char *key = strstr(client->answer.body.bytes, key_before);
    struct legacy_pulled pulled = {.id = 0};

    assert_non_null(id);
    assert_non_null(key);
    pulled.id = strtoull(id + sizeof(id_before) - 1, NULL, 10);
    memcpy(pulled.key, key + sizeof(key_before) - 1, LEGACY_KEY_BYTES);
    return pulled;
}

static void a_pull_beside_a_resubmission_leaves_one_alive(void **state)
{
    struct legacy_world *world = *state;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct client clients[2];
        char path[64];

        (void)snprintf(path, sizeof(path), "/beside/%u", round);
        legacy_submit(world, "\"alpha\"", path, "old", 1);
        client_init(&clients[0], world, "/xqueue/get_submission/?queue_name=alpha");
        make_submit(&clients[1], world, "\"alpha\"", path, "new");
        run(clients, 2);

        bool pulled_new = strstr(clients[0].answer.body.bytes, "\\\"xqueue_body\\\": \\\"new\\\"") != NULL;
        bool pulled_old = strstr(clients[0].answer.body.bytes, "\\\"xqueue_body\\\": \\\"old\\\"") != NULL;
        assert_true(pulled_new || pulled_old);
        // the old one, pulled or not, is dead: what can still be pulled is the new one, unless it is pulled already
        assert_int_equal(legacy_length(world, "alpha"), pulled_new ? 0 : 1);
        struct legacy_pulled first = pulled_by(&clients[0]);
        legacy_put_pulled(world, &first, pulled_new ? "for the new one" : "for the old one");
        legacy_expect(world, path, 200, LEGACY_GOOD("")); // that for the old one, too, but it goes nowhere
        if (!pulled_new) {
            struct legacy_pulled rest;
            assert_true(legacy_pull(world, "alpha", &rest));
            assert_non_null(strstr(rest.content, "\"xqueue_body\": \"new\""));
            legacy_put_pulled(world, &rest, "for the new one");
            legacy_pulled_finish(&rest);
        }
        assert_string_equal(lms_hears(world->talk, path, 0)->result, "for the new one");
        assert_int_equal(fake_lms_count_path(world->talk->lms, path), 1);
        finish(clients, 2);
    }
}

static void a_late_result_beside_a_pull_is_either_taken_or_too_late(void **state)
{
    struct legacy_world *world = *state;

    for (unsigned round = 0; round < ROUNDS / 2; round++) {
        struct client clients[2];
        struct legacy_pulled first;
        char path[64];

        (void)snprintf(path, sizeof(path), "/late/%u", round);
        legacy_submit(world, "\"turn\"", path, "b", 1);
        assert_true(legacy_pull(world, "turn", &first));
        assert_true(core_await_state(world->talk->admin, first.id, STATE(READY)));
        make_put(&clients[0], world, &first, "late");
        client_init(&clients[1], world, "/xqueue/get_submission/?queue_name=turn");
        run(clients, 2);

        bool is_taken = says(&clients[0], LEGACY_GOOD(""));
        bool is_late = says(&clients[0], LEGACY_BAD("Incorrect key for submission"));
        bool is_pulled = strncmp(clients[1].answer.body.bytes, "{\"return_code\": 0", 17) == 0;
        assert_true(is_taken ? !is_pulled : is_late && is_pulled);
        if (is_taken) {
            assert_true(core_await_delivery(world->talk->admin, first.id, DONE));
            assert_int_equal(legacy_length(world, "turn"), 0); // delivered, and never comes back
        } else {
            struct legacy_pulled again;
            assert_true(core_await_state(world->talk->admin, first.id, STATE(READY)));
            assert_true(legacy_pull(world, "turn", &again));
            legacy_put_pulled(world, &again, "r");
            legacy_expect(world, path, 200, LEGACY_GOOD(""));
            legacy_pulled_finish(&again);
        }
        finish(clients, 2);
        legacy_pulled_finish(&first);
    }
}

static void slow_lms_block_no_other_client(void **state)
{
    static const struct fake_lms_script hang = {.kind = FAKE_LMS_HANG, .http_status = 200};
    struct legacy_world *world = *state;
    struct legacy_pulled pulled[CLIENTS];

    for (unsigned i = 0; i < CLIENTS; i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "/slow/%u", i);
        fake_lms_script_path(world->talk->lms, path, &hang);
        legacy_submit(world, "\"calm\"", path, "b", 1);
        assert_true(legacy_pull(world, "calm", &pulled[i]));
        legacy_put_pulled(world, &pulled[i], "r");
        legacy_expect(world, path, 200, LEGACY_GOOD(""));
    }
    // all of them hang, and everything else is answered
    assert_true(fake_lms_wait_for_path(world->talk->lms, "/slow/0", 1, CONVERSATION_PATIENCE_MS));
    legacy_submit(world, "\"calm\"", "/slow/0", "again, while its callback hangs", 1);
    assert_int_equal(legacy_length(world, "calm"), 1);
    fake_lms_release(world->talk->lms);
    for (unsigned i = 0; i < CLIENTS; i++) {
        legacy_pulled_finish(&pulled[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_pullers_get_the_same_submission),
        cmocka_unit_test(parallel_results_are_all_acknowledged_and_delivered_once),
        cmocka_unit_test(parallel_submits_with_one_callback_leave_one),
        cmocka_unit_test(a_pull_beside_a_resubmission_leaves_one_alive),
        cmocka_unit_test(a_late_result_beside_a_pull_is_either_taken_or_too_late),
        cmocka_unit_test(slow_lms_block_no_other_client),
    };
    return cmocka_run_group_tests(tests, legacy_set_up, legacy_tear_down);
}
