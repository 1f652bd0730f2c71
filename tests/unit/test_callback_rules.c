/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest xqueue_rest_formats */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rest-adapter/callback_rules.h"

static enum status check(const char *entry, const char *url)
{
    char *items[] = {(char *)entry};
    struct config_callbacks callbacks = {.allow = {items, entry ? 1 : 0}};
    struct error error = {0};
    enum status status = callback_rules_check(&callbacks, url, &error);
    if (status == STATUS_DENIED)
        assert_string_equal(error.reason, "CALLBACK_REFUSED");
    if (status == STATUS_INVALID)
        assert_string_equal(error.reason, "URL_INVALID");
    assert_int_equal(callback_rules_check(&callbacks, url, NULL), status);
    return status;
}

static void an_empty_list_allows_every_usable_url(void **state)
{
    (void)state;

    assert_int_equal(check(NULL, "https://lms.example.org/courses/x/xqueue/1/score_update"), STATUS_OK);
    assert_int_equal(check(NULL, "http://127.0.0.1:8000/"), STATUS_OK);
    assert_int_equal(check(NULL, "http://[::1]:8000/"), STATUS_OK);
    assert_int_equal(check(NULL, "http://10.0.0.7/"), STATUS_OK);
    assert_int_equal(check(NULL, "http://user:word@lms.example.org/"), STATUS_OK);
}

static void an_unusable_url_is_invalid(void **state)
{
    static const char *const urls[] = {"",
                                       "lms.example.org/x",
                                       "ftp://lms.example.org/",
                                       "http://",
                                       "http:///x",
                                       "http://lms:99999/",
                                       "http://l ms/",
                                       "http://lms/\n",
                                       "file:///etc/passwd"};
    (void)state;

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        assert_int_equal(check(NULL, urls[i]), STATUS_INVALID);
}

static void an_origin_allows_its_scheme_host_and_port_alone(void **state)
{
    (void)state;

    assert_int_equal(check("https://lms.example.org", "https://LMS.example.org/x"), STATUS_OK);
    assert_int_equal(check("https://lms.example.org", "https://lms.example.org:443/x"), STATUS_OK);
    assert_int_equal(check("https://lms.example.org:443", "https://lms.example.org/x"), STATUS_OK);
    assert_int_equal(check("https://lms.example.org", "http://lms.example.org/x"), STATUS_DENIED);
    assert_int_equal(check("https://lms.example.org", "https://lms.example.org:8443/x"), STATUS_DENIED);
    assert_int_equal(check("https://lms.example.org", "https://lms.example.org.evil.net/x"), STATUS_DENIED);
    assert_int_equal(check("https://lms.example.org", "https://lms.example.org@evil.net/x"), STATUS_DENIED);
    assert_int_equal(check("http://10.0.0.7:8000", "http://10.0.0.7:8000/x"), STATUS_OK);
}

static void a_host_allows_every_scheme_and_port(void **state)
{
    (void)state;

    assert_int_equal(check("lms.example.org", "http://lms.example.org:8000/x"), STATUS_OK);
    assert_int_equal(check("LMS.Example.Org", "https://lms.example.org/x"), STATUS_OK);
    assert_int_equal(check("lms.example.org", "https://a.lms.example.org/x"), STATUS_DENIED);
    assert_int_equal(check("lms.example.org", "https://xlms.example.org/x"), STATUS_DENIED);
    assert_int_equal(check("10.0.0.7", "http://10.0.0.8/"), STATUS_DENIED);
    assert_int_equal(check("::1", "http://[::1]/"), STATUS_OK);
    assert_int_equal(check("[::1]", "http://[::1]/"), STATUS_OK);
}

static void a_star_allows_what_is_below_the_domain(void **state)
{
    (void)state;

    assert_int_equal(check("*.example.org", "https://lms.example.org/x"), STATUS_OK);
    assert_int_equal(check("*.example.org", "https://a.b.Example.org/x"), STATUS_OK);
    assert_int_equal(check("*.example.org", "https://example.org/x"), STATUS_DENIED);
    assert_int_equal(check("*.example.org", "https://badexample.org/x"), STATUS_DENIED);
    assert_int_equal(check("*.example.org", "https://example.org.net/x"), STATUS_DENIED);
}

static void addresses_that_are_never_allowed_are_refused_in_every_spelling(void **state)
{
    static const char *const hosts[] = {
        "169.254.169.254",
        "169.254.169.254.",
        "169.254.0.1",
        "2852039166",
        "0xa9.0xfe.0xa9.0xfe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "0.0.0.0",
        "0",
        "224.0.0.1",
        "255.255.255.255",
        "100.100.100.200",
        "192.0.0.192",
        "[fe80::1]",
        "[ff02::1]",
        "[::]",
        "[fd00:ec2::254]",
        "[::ffff:0.0.0.0]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::169.254.169.254]",
        "[2002:a9fe:a9fe::]",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        char url[128];
        (void)snprintf(url, sizeof(url), "http://%s/latest/meta-data", hosts[i]);
        if (check(NULL, url) == STATUS_OK)
            fail_msg("%s is allowed", url);
    }
    assert_int_equal(check("169.254.169.254", "http://169.254.169.254/"), STATUS_DENIED);
}

static bool address_is_allowed(const char *text)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1)
        return callback_rules_address_is_allowed((const struct sockaddr *)&ipv4);
    assert_int_equal(inet_pton(AF_INET6, text, &ipv6.sin6_addr), 1);
    return callback_rules_address_is_allowed((const struct sockaddr *)&ipv6);
}

static void an_address_is_checked_as_it_is_connected_to(void **state)
{
    static const char *const refused[] = {"169.254.169.254",
                                          "0.1.2.3",
                                          "239.1.1.1",
                                          "240.0.0.1",
                                          "::",
                                          "fe80::1",
                                          "febf::1",
                                          "ff0e::1",
                                          "::ffff:169.254.1.1",
                                          "::169.254.1.1",
                                          "::ffff:0:169.254.1.1",
                                          "fd00:ec2::254"};
    static const char *const allowed[] = {"127.0.0.1",   "10.1.2.3",        "192.168.1.1", "169.253.1.1",
                                          "169.255.1.1", "223.255.255.255", "1.0.0.0",     "::1",
                                          "fd00::1",     "fec0::1",         "2001:db8::1", "::ffff:127.0.0.1"};
    (void)state;

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (address_is_allowed(refused[i]))
            fail_msg("%s is allowed", refused[i]);
    }
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        if (!address_is_allowed(allowed[i]))
            fail_msg("%s is refused", allowed[i]);
    }
    assert_false(callback_rules_address_is_allowed(&(struct sockaddr){.sa_family = AF_UNIX}));
}

static void credentials_and_trust_belong_to_one_origin(void **state)
{
    struct config_basic_auth auth = {.origin = (char *)"https://LMS.example.org:443/", .user = (char *)"u"};
    char *insecure[] = {(char *)"https://test.example.org"};
    struct config_callbacks callbacks = {.basic_auth = &auth, .basic_auth_count = 1, .insecure_origins = {insecure, 1}};
    (void)state;

    assert_ptr_equal(callback_rules_basic_auth(&callbacks, "https://lms.example.org"), &auth);
    assert_null(callback_rules_basic_auth(&callbacks, "http://lms.example.org"));
    assert_true(callback_rules_is_insecure(&callbacks, "https://test.example.org"));
    assert_false(callback_rules_is_insecure(&callbacks, "https://lms.example.org"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_list_allows_every_usable_url),
        cmocka_unit_test(an_unusable_url_is_invalid),
        cmocka_unit_test(an_origin_allows_its_scheme_host_and_port_alone),
        cmocka_unit_test(a_host_allows_every_scheme_and_port),
        cmocka_unit_test(a_star_allows_what_is_below_the_domain),
        cmocka_unit_test(addresses_that_are_never_allowed_are_refused_in_every_spelling),
        cmocka_unit_test(an_address_is_checked_as_it_is_connected_to),
        cmocka_unit_test(credentials_and_trust_belong_to_one_origin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
