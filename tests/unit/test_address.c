/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/address.h"

static void every_address_has_one_spelling(void **state)
{
    static const struct {
        const char *text;
        const char *spelling;
    } pairs[] = {
        {"192.0.2.7", "192.0.2.7"},
        {"2001:DB8:0:0::7", "2001:db8::7"},
        {"[2001:db8::7]", "2001:db8::7"},
        {"fe80::7%eth0", "fe80::7"},
        {"[fe80::7%25]", "fe80::7"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"[::ffff:c000:207]", "192.0.2.7"},
        {"::", "::"},
        {"0.0.0.0", "0.0.0.0"},
    };
    struct address address;
    char out[ADDRESS_TEXT_MAX];
    (void)state;
    for (size_t at = 0; at < sizeof pairs / sizeof *pairs; at++) {
        assert_true(address_parse(pairs[at].text, &address));
        assert_string_equal(address_write(&address, out), pairs[at].spelling);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "x",
        "192.0.2",
        "192.0.2.7.",
        "192.0.2.7 ",
        " 192.0.2.7",
        "192.0.2.256",
        "[192.0.2.7]",
        "[::1",
        "::1]",
        "[]",
        "[",
        "[::1]:80",
        "::1%",
        "1.2.3.4%eth0",
        "1.2.3.4:80",
        "127.1",
        "::1,::2",
        "0x7f.0.0.1",
        "2001:db8::7/64",
        "a.example.org",
    };
    struct address address;
    (void)state;
    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++)
        assert_false(address_parse(wrong[at], &address));

    char long_zone[200] = "fe80::1%";
    memset(long_zone + strlen(long_zone), 'a', sizeof long_zone - strlen(long_zone) - 1);
    long_zone[sizeof long_zone - 1] = '\0';
    assert_false(address_parse(long_zone, &address));
}

static bool holds(const char *network_text, const char *address_text)
{
    struct address_network network;
    struct address address;
    assert_true(address_network_parse(network_text, &network));
    assert_true(address_parse(address_text, &address));
    return address_network_holds(&network, &address);
}

static void a_network_holds_its_addresses_and_no_others(void **state)
{
    (void)state;
    assert_true(holds("10.0.0.0/8", "10.255.255.255"));
    assert_false(holds("10.0.0.0/8", "11.0.0.0"));
    assert_true(holds("192.0.2.128/25", "192.0.2.128"));
    assert_false(holds("192.0.2.128/25", "192.0.2.127"));
    assert_true(holds("127.0.0.1", "127.0.0.1"));
    assert_true(holds("127.0.0.1", "::ffff:127.0.0.1"));
    assert_false(holds("127.0.0.1", "127.0.0.2"));
    assert_true(holds("fd00::/8", "fdff::1"));
    assert_false(holds("fd00::/8", "fe00::1"));
    assert_true(holds("::1", "::1"));
    assert_true(holds("0.0.0.0/0", "198.51.100.1"));
    assert_false(holds("0.0.0.0/0", "::1"));
    assert_false(holds("::/0", "127.0.0.1"));
}

static void a_network_that_says_something_else_than_it_means_is_refused(void **state)
{
    static const char *const wrong[] = {"",           "/8",           "10.0.0.0/",   "10.0.0.0/33", "10.0.0.0/-1",
                                        "10.0.0.1/8", "10.0.0.0/8/8", "10.0.0.0/ 8", "fd00::/129",  "fd00::1/8",
                                        "10/8"};
    struct address_network network;
    (void)state;
    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++)
        assert_false(address_network_parse(wrong[at], &network));
}

static void cutting_keeps_the_first_bits(void **state)
{
    struct address address;
    char out[ADDRESS_TEXT_MAX];
    (void)state;
    assert_true(address_parse("2001:db8:1:2:3:4:5:6", &address));
    address_cut(&address, 64);
    assert_string_equal(address_write(&address, out), "2001:db8:1:2::");
    address_cut(&address, 33);
    assert_string_equal(address_write(&address, out), "2001:db8::");
    address_cut(&address, 0);
    assert_string_equal(address_write(&address, out), "::");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_address_has_one_spelling),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_network_holds_its_addresses_and_no_others),
        cmocka_unit_test(a_network_that_says_something_else_than_it_means_is_refused),
        cmocka_unit_test(cutting_keeps_the_first_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
