/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest xqueue_test_support */
/*
 * Names that resolve to addresses where no callback may go. The resolver is outside of us, so it is the one thing that is
 * replaced here: libcurl finds this program's getaddrinfo before the C library's.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "rest-adapter/http_client.h"
#include "tests/support/fake_lms.h"

enum { PATIENCE_MS = 20000 };

/* What the replaced resolver knows: a name and its addresses, each IPv4 or IPv6. */
static const struct {
    const char *name;
    const char *addresses[2];
} names[] = {
    {"metadata.test", {"169.254.169.254"}}, {"mapped.test", {"::ffff:169.254.169.254"}},     {"multicast.test", {"239.1.2.3"}},
    {"unspecified.test", {"0.0.0.0"}},      {"both.test", {"169.254.169.254", "127.0.0.1"}},
};

/* One block, as the C library makes it, so that its freeaddrinfo can free it. */
static struct addrinfo *address_info(const char *address, uint16_t port, struct addrinfo *next)
{
    struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in6));
    if (!info)
        abort();
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)(void *)(info + 1);
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)(void *)(info + 1);
    info->ai_addr = (struct sockaddr *)(void *)(info + 1);
    info->ai_socktype = SOCK_STREAM;
    info->ai_protocol = IPPROTO_TCP;
    info->ai_next = next;
    if (inet_pton(AF_INET, address, &ipv4->sin_addr) == 1) {
        info->ai_family = ipv4->sin_family = AF_INET;
        info->ai_addrlen = sizeof(*ipv4);
        ipv4->sin_port = htons(port);
    } else if (inet_pton(AF_INET6, address, &ipv6->sin6_addr) == 1) {
        info->ai_family = ipv6->sin6_family = AF_INET6;
        info->ai_addrlen = sizeof(*ipv6);
        ipv6->sin6_port = htons(port);
    } else {
        abort();
    }
    return info;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                                                       struct addrinfo **out)
{
    typedef int resolver(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    for (size_t i = 0; node && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].name, node) != 0)
            continue;
        uint16_t port = service ? (uint16_t)strtoul(service, NULL, 10) : 0;
        struct addrinfo *second = names[i].addresses[1] ? address_info(names[i].addresses[1], port, NULL) : NULL;
        *out = address_info(names[i].addresses[0], port, second);
        return 0;
    }
    resolver *next = NULL;
    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    return next(node, service, hints, out);
}

struct fixture {
    struct config_callbacks callbacks;
    struct http_client *client;
    struct fake_lms *lms;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct http_client_result result;
    bool done;
};

static int set_up(void **state)
{
    struct fixture *fixture = MEMORY_NEW(struct fixture);
    fixture->callbacks = (struct config_callbacks){.parallel_max = 4,
                                                   .per_origin_max = 4,
                                                   .connect_timeout_ms = 2000,
                                                   .timeout_ms = 5000,
                                                   .reply_bytes_max = 65536,
                                                   .ca_file = (char *)""};
    pthread_mutex_init(&fixture->lock, NULL);
    clock_condition_init(&fixture->changed);
    fixture->lms = fake_lms_start(0);
    struct http_client_options options = {
        .callbacks = &fixture->callbacks, .trust = HTTP_CLIENT_TRUST_CALLBACK, .parallel_max = 4, .per_origin_max = 4};
    assert_int_equal(http_client_create(&options, &fixture->client, NULL), STATUS_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    http_client_destroy(fixture->client);
    fake_lms_destroy(fixture->lms);
    pthread_cond_destroy(&fixture->changed);
    pthread_mutex_destroy(&fixture->lock);
    memory_free(fixture);
    return 0;
}

static void on_done(void *context, const struct http_client_result *result)
{
    struct fixture *fixture = context;
    pthread_mutex_lock(&fixture->lock);
    fixture->result = *result;
    fixture->done = true;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

static struct http_client_result post_to(struct fixture *fixture, const char *host)
{
    char url[FAKE_LMS_URL_MAX];
    int64_t deadline_ms = clock_now_ms(clock_system()) + PATIENCE_MS;
    bool in_time = true;
    (void)snprintf(url, sizeof(url), "http://%s:%d/x", host, fake_lms_port(fixture->lms));
    struct http_client_request request = {.method = HTTP_CLIENT_POST,
                                          .url = url,
                                          .body = memory_copy_text("a=b"),
                                          .body_length = 3,
                                          .limits = {.connect_timeout_ms = 5000, .timeout_ms = 5000, .reply_bytes_max = 65536}};
    fixture->done = false;
    assert_int_equal(http_client_start(fixture->client, &request, on_done, fixture, NULL), STATUS_OK);
    pthread_mutex_lock(&fixture->lock);
    while (in_time && !fixture->done)
        in_time = clock_wait_until(clock_system(), &fixture->changed, &fixture->lock, deadline_ms);
    assert_true(fixture->done);
    pthread_mutex_unlock(&fixture->lock);
    return fixture->result;
}

static void a_name_of_a_forbidden_address_is_not_connected_to(void **state)
{
    static const char *const hosts[] = {"metadata.test", "mapped.test", "multicast.test", "unspecified.test"};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct http_client_result result = post_to(fixture, hosts[i]);
        assert_int_equal(result.status, STATUS_UNAVAILABLE);
        assert_string_equal(result.text, "the host's address is one that callbacks never go to");
    }
    assert_int_equal(fake_lms_count(fixture->lms), 0); // 0.0.0.0 would have reached it
}

static void the_allowed_one_of_two_addresses_is_used(void **state)
{
    struct fixture *fixture = *state;

    struct http_client_result result = post_to(fixture, "both.test");

    assert_int_equal(result.status, STATUS_OK);
    assert_int_equal(fake_lms_count(fixture->lms), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_name_of_a_forbidden_address_is_not_connected_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_allowed_one_of_two_addresses_is_used, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
