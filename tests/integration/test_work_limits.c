/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_test_support PkgConfig::SQLITE */
/* What is too much for one grader, one connection or the service, and what is said then. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "tests/support/conversation.h"

#define STATE(name_) XQUEUE__V1__SUBMISSION_STATE__SUBMISSION_STATE_##name_
#define ACK(name_)   XQUEUE__V1__ACK_OUTCOME__ACK_OUTCOME_##name_
#define ITEM(name_)  XQUEUE__V1__ACK_ITEM__ACK_ITEM_##name_
#define SAYS(name_)  XQUEUE__V1__SERVER_MESSAGE__KIND_##name_

/* ---- one grader ---- */

static void credit_in_bytes_is_absolute_and_ends_with_what_was_granted(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 0);
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Credit credit = XQUEUE__V1__CREDIT__INIT;

    for (int i = 0; i < 4; i++) {
        student_submits(talk, "calm", NULL, "ten bytes.");
    }
    credit.submissions = 10;
    credit.body_bytes = 15; /* the second one uses up more than there is left */
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_CREDIT;
    message.credit = &credit;
    assert_true(scripted_grader_say(grader, &message));
    (void)grader_receives(grader);
    const struct core_lease second = grader_receives(grader);
    grader_completes(grader, &second, "done"); /* gives nothing back */
    assert_true(scripted_grader_ping(grader));
    assert_false(scripted_grader_has(grader, SAYS(GRANT)));
    credit.body_bytes = 1;
    assert_true(scripted_grader_say(grader, &message));
    (void)grader_receives(grader);
    assert_true(scripted_grader_ping(grader));

    assert_false(scripted_grader_has(grader, SAYS(GRANT)));
    scripted_grader_close(grader);
}

static void stream_call_and_rest_share_one_order_and_a_grader_has_one_count_over_all(void **state)
{
    const struct running_service_options options = {.service = "  grader_leases_max: 1\n"};
    struct conversation *talk = conversation_start(&options);
    struct core_caller *caller = core_caller_open(talk->service.core, "grader");
    struct rest_client poller;
    struct rest_pulled pulled;
    struct core_lease called;
    struct core_lease none;
    uint64_t ids[4];

    (void)state;
    rest_client_init(&poller, talk->service.rest_port, "grader");
    assert_int_equal(rest_client_login(&poller), 0);
    for (size_t i = 0; i < 4; i++) {
        const char body[] = {(char)('1' + i), '\0'};
        ids[i] = student_submits(talk, "calm", NULL, body);
    }
    assert_true(rest_client_pull(&poller, "calm", &pulled));
    assert_string_equal(pulled.body, "1");
    assert_int_equal(core_take_lease(caller, "calm", "by call", 0, &called), STATUS_OK);
    assert_string_equal(called.body, "2");
    struct scripted_grader *grader = grader_connects(talk, "by stream", "calm", 1);
    const struct core_lease streamed = grader_receives(grader);
    assert_string_equal(streamed.body, "3");

    const struct core_view view = admin_sees(talk, ids[0]); /* whom a poller is taken for: its address */
    assert_int_equal(core_take_lease(caller, "calm", view.grader, 0, &none), STATUS_OK);
    assert_int_equal(none.id, 0);
    assert_int_equal(core_take_lease(caller, "calm", "by stream", 0, &none), STATUS_OK);
    assert_int_equal(none.id, 0);
    assert_int_equal(rest_client_put(&poller, pulled.header, "done"), 0);
    assert_int_equal(core_take_lease(caller, "calm", view.grader, 0, &called), STATUS_OK);
    assert_string_equal(called.body, "4");
    struct rest_pulled more;
    student_submits(talk, "calm", NULL, "5");
    assert_false(rest_client_pull(&poller, "calm", &more)); /* it holds one, by the other way */

    assert_int_equal(poller.return_code, 1);
    rest_pulled_finish(&pulled);
    rest_client_finish(&poller);
    scripted_grader_close(grader);
    core_caller_close(caller);
    assert_true(conversation_finish(talk));
}

static Xqueue__V1__AckOutcome releases(struct scripted_grader *grader, const struct core_lease *lease, int64_t delay_ms)
{
    char key[CORE_KEY_MAX];
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__ReleaseRequest release = XQUEUE__V1__RELEASE_REQUEST__INIT;
    Xqueue__V1__LeaseRef ref = XQUEUE__V1__LEASE_REF__INIT;

    (void)snprintf(key, sizeof key, "%s", lease->key);
    ref.submission_id = lease->id;
    ref.lease_key = key;
    release.lease = &ref;
    release.delay_ms = delay_ms;
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_RELEASE;
    message.release = &release;
    assert_true(scripted_grader_say(grader, &message));
    return scripted_grader_await_ack(grader, lease, ITEM(RELEASE));
}

static void a_release_may_ask_for_a_pause_but_not_for_a_negative_one(void **state)
{
    struct conversation *talk = *state;
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 1);

    const uint64_t id = student_submits(talk, "calm", NULL, "body");
    const struct core_lease lease = grader_receives(grader);
    assert_int_equal(releases(grader, &lease, -1), ACK(INVALID));
    assert_int_equal(admin_sees(talk, id).state, STATE(LEASED));
    assert_int_equal(releases(grader, &lease, 3600000), ACK(OK));

    assert_int_equal(admin_sees(talk, id).state, STATE(DELAYED));
    assert_int_equal(admin_sees(talk, id).failures, 0);
    scripted_grader_close(grader);
}

static void a_grader_that_never_reads_is_sent_away_and_learns_why(void **state)
{
    struct conversation *talk = *state;
    char address[RUNNING_SERVICE_TEXT_MAX];
    char work[RUNNING_SERVICE_TEXT_MAX];
    const char *const arguments[] = {"/usr/bin/python3",
                                     XQUEUE_SOURCE_DIR "/tests/integration/python/slow_reader.py",
                                     address,
                                     XQUEUE_SOURCE_DIR "/proto",
                                     XQUEUE_STANDARD_PROTOS,
                                     running_service_path(&talk->service, "modules", work),
                                     NULL};
    const struct running_program_options options = {.arguments = arguments};

    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", talk->service.core_port);
    (void)mkdir(work, 0700);
    struct running_program *client = running_program_start(&options);
    assert_true(running_program_await(talk->service.xqueued, "event=slow_reader", 1));
    running_program_signal(client, SIGUSR1);
    assert_true(running_program_ends_saying(client, "fine"));

    struct scripted_grader *other = grader_connects(talk, "g", "calm", 1); /* the service goes on */
    student_submits(talk, "calm", NULL, "body");
    assert_int_not_equal(grader_receives(other).id, 0);
    scripted_grader_close(other);
}

/* ---- one connection ---- */

enum { FRAME_HEAD = 9, FRAME_GOAWAY = 7, ENHANCE_YOUR_CALM = 11, PINGS_MAX = 100, GOAWAY_BYTES_MAX = 256 };

static int connects(const struct conversation *talk)
{
    const struct timeval patience = {.tv_sec = 20};
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)talk->service.core_port),
                                        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(client >= 0);
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(client, (const struct sockaddr *)&address, sizeof address), 0);
    return client;
}

static bool reads(int client, uint8_t *bytes, size_t length)
{
    return recv(client, bytes, length, MSG_WAITALL) == (ssize_t)length;
}

/* The error code of the GOAWAY that comes; -1: the connection ended without one. */
static int64_t goes_away_with(int client)
{
    uint8_t head[FRAME_HEAD];
    uint8_t payload[16 * 1024];

    while (reads(client, head, sizeof head)) {
        const size_t length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (length > sizeof payload || !reads(client, payload, length)) {
            break;
        }
        if (head[3] == FRAME_GOAWAY) {
            return (int64_t)payload[4] << 24 | payload[5] << 16 | payload[6] << 8 | payload[7];
        }
    }
    return -1;
}

static void a_connection_that_pings_without_end_is_closed(void **state)
{
    struct conversation *talk = *state;
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"; /* and empty SETTINGS */
    static const uint8_t ping[FRAME_HEAD + 8] = {0, 0, 8, 6};
    const int client = connects(talk);

    assert_int_equal(send(client, preface, sizeof preface - 1, MSG_NOSIGNAL), sizeof preface - 1);
    for (int i = 0; i < PINGS_MAX && send(client, ping, sizeof ping, MSG_NOSIGNAL) == (ssize_t)sizeof ping; i++) {
    }

    assert_int_equal(goes_away_with(client), ENHANCE_YOUR_CALM);
    (void)close(client);
    (void)student_submits(talk, "calm", NULL, "body"); /* others notice nothing */
}

/* ---- the service ---- */

enum { ROUND = 250 };

/* Calls that nobody waits for one by one. */
struct crowd {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by mutex */
    int64_t begun;
    int64_t ended;
    int64_t busy;    /* UNAVAILABLE ENGINE_BUSY with a pause to wait */
    int64_t strange; /* neither that nor NOT_FOUND */
};

static void on_reply(void *context, enum status status, struct rpc_message *reply, const struct error *error)
{
    struct crowd *crowd = context;
    const bool is_busy = status == STATUS_UNAVAILABLE && strcmp(error->reason, "ENGINE_BUSY") == 0 && error->retry_after_ms > 0;

    rpc_message_free(reply);
    pthread_mutex_lock(&crowd->mutex);
    crowd->ended++;
    crowd->busy += is_busy;
    crowd->strange += !is_busy && status != STATUS_NOT_FOUND;
    pthread_cond_signal(&crowd->changed);
    pthread_mutex_unlock(&crowd->mutex);
}

static void crowd_asks(struct crowd *crowd, struct core_caller *caller, int count)
{
    static const struct rpc_client_method get = {"/xqueue.v1.Submissions/Get", &xqueue__v1__get_response__descriptor};
    const struct rpc_call_options options = {.bearer = core_caller_token(caller), .timeout_ms = 60000};
    Xqueue__V1__GetRequest request = XQUEUE__V1__GET_REQUEST__INIT;

    request.submission_id = 999999;
    for (int i = 0; i < count; i++) {
        pthread_mutex_lock(&crowd->mutex);
        crowd->begun++;
        pthread_mutex_unlock(&crowd->mutex);
        assert_int_equal(rpc_channel_start(core_caller_channel(caller), &get, &request.base, &options, on_reply, crowd),
                         STATUS_OK);
    }
}

/* Until all have ended; false: not within the patience. */
static bool crowd_ends(struct crowd *crowd)
{
    struct timespec deadline;

    assert_int_equal(clock_gettime(CLOCK_REALTIME, &deadline), 0);
    deadline.tv_sec += 60;
    pthread_mutex_lock(&crowd->mutex);
    while (crowd->ended < crowd->begun && pthread_cond_timedwait(&crowd->changed, &crowd->mutex, &deadline) == 0) {
    }
    const bool all = crowd->ended == crowd->begun;
    pthread_mutex_unlock(&crowd->mutex);
    return all;
}

static int64_t crowd_busy(struct crowd *crowd)
{
    pthread_mutex_lock(&crowd->mutex);
    const int64_t busy = crowd->busy;
    pthread_mutex_unlock(&crowd->mutex);
    return busy;
}

/* Another program writes to the database: the engine waits, and so does who asks it. */
static sqlite3 *holds_up_the_engine(const struct conversation *talk)
{
    char path[RUNNING_SERVICE_TEXT_MAX];
    sqlite3 *database = NULL;

    assert_int_equal(sqlite3_open(running_service_path(&talk->service, "xqueue.db", path), &database), SQLITE_OK);
    (void)sqlite3_busy_timeout(database, 10000);
    assert_int_equal(sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return database;
}

static void an_engine_that_is_held_up_refuses_what_is_too_much_and_recovers(void **state)
{
    const struct running_service_options options = {.service = "  commands_max: 100\n"};
    struct conversation *talk = conversation_start_core(&options);
    struct scripted_grader *grader = grader_connects(talk, "g", "calm", 1);
    struct crowd crowd = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    Xqueue__V1__GraderMessage message = XQUEUE__V1__GRADER_MESSAGE__INIT;
    Xqueue__V1__Ping ping = XQUEUE__V1__PING__INIT;
    struct error error = {.reason = ""};
    enum status status = STATUS_OK;

    (void)state;
    const uint64_t id = student_submits(talk, "calm", NULL, "body");
    const struct core_lease held = grader_receives(grader);
    sqlite3 *database = holds_up_the_engine(talk);
    for (int64_t rounds = 0; rounds < 40 && crowd_busy(&crowd) == 0; rounds++) {
        crowd_asks(&crowd, talk->student, ROUND);
    }
    message.kind_case = XQUEUE__V1__GRADER_MESSAGE__KIND_PING;
    message.ping = &ping;
    while (scripted_grader_say(grader, &message)) { /* on the stream just so */
        crowd_asks(&crowd, talk->student, 1);
    }
    assert_true(scripted_grader_await_end(grader, &status, &error));
    assert_int_equal(status, STATUS_UNAVAILABLE);
    assert_string_equal(error.reason, "ENGINE_BUSY");
    assert_int_equal(sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);

    assert_true(crowd_ends(&crowd));
    assert_true(crowd.busy > 0);
    assert_int_equal(crowd.strange, 0);
    scripted_grader_close(grader);
    grader = scripted_grader_open(talk->service.core, "grader");
    const struct scripted_hello hello = {.grader = "g", .queue = "calm", .held = &held, .held_count = 1};
    assert_true(scripted_grader_start(grader, &hello, 1)); /* what it holds is kept */
    grader_completes(grader, &held, "in the end");
    assert_int_equal(admin_sees(talk, id).attempt, 1);
    scripted_grader_close(grader);
    assert_true(conversation_finish(talk));
}

#define WITH_CORE(test_) cmocka_unit_test_setup_teardown(test_, conversation_set_up_core, conversation_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CORE(credit_in_bytes_is_absolute_and_ends_with_what_was_granted),
        cmocka_unit_test(stream_call_and_rest_share_one_order_and_a_grader_has_one_count_over_all),
        WITH_CORE(a_release_may_ask_for_a_pause_but_not_for_a_negative_one),
        WITH_CORE(a_grader_that_never_reads_is_sent_away_and_learns_why),
        WITH_CORE(a_connection_that_pings_without_end_is_closed),
        cmocka_unit_test(an_engine_that_is_held_up_refuses_what_is_too_much_and_recovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
