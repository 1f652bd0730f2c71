/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest_formats */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "rest-adapter/file_link.h"

#define KEY "0123456789abcdef0123456789abcdef"

enum { EXPIRES_S = 2000000000 };

static const struct file_link_secret secret = {.bytes = {1, 2, 3}};

static const char *shelf_of(const char *queue)
{
    static char shelf[FILE_SHELF_MAX];

    file_shelf_of(span_of(queue), shelf);
    return shelf;
}

static void a_shelf_is_the_queues_name_where_that_is_safe(void **state)
{
    char longest[129];
    char shelf[FILE_SHELF_MAX];

    (void)state;
    assert_string_equal(shelf_of("cs 101 (\xC3\xA9)"), "cs 101 (\xC3\xA9)");
    assert_string_equal(shelf_of("a.b"), "a.b");
    assert_string_equal(shelf_of("a/b"), "a%2Fb");
    assert_string_equal(shelf_of("a%2Fb"), "a%252Fb");
    assert_string_equal(shelf_of("."), "%2E");
    assert_string_equal(shelf_of(".."), "%2E.");
    assert_string_equal(shelf_of(".key"), "%2Ekey");
    memset(longest, '/', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_ptr_equal(strstr(shelf_of(longest), "%sha256-"), shelf_of(longest));
    (void)snprintf(shelf, sizeof(shelf), "%s", shelf_of(longest));
    longest[0] = 'a';
    assert_string_not_equal(shelf_of(longest), shelf);
    memset(longest, 'a', sizeof(longest) - 1);
    assert_string_equal(shelf_of(longest), longest);
}

/* Signs place, lets change edit the link, and checks it at now_s. */
static enum status check(const char *place, void (*change)(char *path, char *query), int64_t now_s)
{
    char path[512];
    char out[FILE_PLACE_MAX] = "";
    struct text link;

    text_init(&link, 4096);
    file_link_append(&link, &secret, place, EXPIRES_S);
    char *query = strchr(link.bytes, '?') + 1;
    (void)snprintf(path, sizeof(path), FILE_LINK_PATH "%s", place);
    if (change != NULL) {
        change(path, query);
    }
    enum status status = file_link_check(&secret, path, query, now_s, out);
    assert_string_equal(out, status == STATUS_OK ? place : "");
    text_finish(&link);
    return status;
}

static void another_key(char *path, char *query)
{
    (void)query;
    path[strlen(path) - 1] = 'e';
}

static void another_queue(char *path, char *query)
{
    (void)query;
    path[strlen(FILE_LINK_PATH)] = 'r';
}

static void later(char *path, char *query)
{
    (void)path;
    query[strlen("expires=")] = '3';
}

static void last_digit(char *path, char *query)
{
    (void)path;
    query[strlen(query) - 1] ^= 1;
}

static void cut_short(char *path, char *query)
{
    (void)path;
    query[strlen(query) - 1] = '\0';
}

static void no_signature(char *path, char *query)
{
    (void)path;
    *strchr(query, '&') = '\0';
}

static void nothing(char *path, char *query)
{
    (void)path;
    query[0] = '\0';
}

static void a_link_is_good_until_it_expires_and_only_as_it_was_made(void **state)
{
    static void (*const changes[])(char *, char *) = {another_key, another_queue, later,  last_digit,
                                                      cut_short,   no_signature,  nothing};

    (void)state;
    assert_int_equal(check("q/" KEY, NULL, 0), STATUS_OK);
    assert_int_equal(check("a b%2F\xC3\xA9/" KEY, NULL, EXPIRES_S - 1), STATUS_OK);
    assert_int_equal(check("q/" KEY, NULL, EXPIRES_S), STATUS_DENIED);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        assert_int_equal(check("q/" KEY, changes[i], 0), STATUS_DENIED);
    }
}

static void another_secret_makes_no_links(void **state)
{
    static const struct file_link_secret other = {.bytes = {1, 2, 4}};
    char out[FILE_PLACE_MAX];
    struct text link;

    (void)state;
    text_init(&link, 4096);
    file_link_append(&link, &other, "q/" KEY, EXPIRES_S);
    assert_int_equal(file_link_check(&secret, FILE_LINK_PATH "q/" KEY, strchr(link.bytes, '?') + 1, 0, out), STATUS_DENIED);
    text_finish(&link);
}

static void a_link_is_an_ordinary_hmac(void **state)
{
    struct text link;

    (void)state;
    text_init(&link, 4096);
    file_link_append(&link, &secret, "my queue/" KEY, EXPIRES_S);
    // hmac.new(bytes([1, 2, 3] + [0] * 29), b"xqueue file link 1\nmy queue/...\n2000000000", "sha256") of Python
    assert_string_equal(link.bytes,
                        "/xqueue/files/my%20queue/" KEY
                        "?expires=2000000000&signature=b96ef438127ebcc055d9e0fe863a440c33d59a6c628e6c45ff2a1635804da984");
    text_finish(&link);
}

static void other_parameters_do_no_harm(void **state)
{
    char query[512];
    char out[FILE_PLACE_MAX];
    struct text link;

    (void)state;
    text_init(&link, 4096);
    file_link_append(&link, &secret, "q/" KEY, EXPIRES_S);
    (void)snprintf(query, sizeof(query), "a=b&%s&c", strchr(link.bytes, '?') + 1);
    assert_int_equal(file_link_check(&secret, FILE_LINK_PATH "q/" KEY, query, 0, out), STATUS_OK);
    assert_int_equal(file_link_check(&secret, FILE_LINK_PATH "q/" KEY, NULL, 0, out), STATUS_DENIED);
    text_finish(&link);
}

static void other_paths_are_no_links(void **state)
{
    static const char *const paths[] = {
        "",
        "/",
        FILE_LINK_PATH,
        FILE_LINK_PATH "q",
        FILE_LINK_PATH "q/",
        FILE_LINK_PATH KEY,
        FILE_LINK_PATH "/" KEY,
        FILE_LINK_PATH "q/r/" KEY,
        FILE_LINK_PATH "q//" KEY,
        FILE_LINK_PATH "../" KEY,
        FILE_LINK_PATH ".incoming/" KEY,
        FILE_LINK_PATH "q/0123456789ABCDEF0123456789ABCDEF",
        FILE_LINK_PATH "q/0123456789abcdef0123456789abcde",
        FILE_LINK_PATH "q/0123456789abcdef0123456789abcde.",
        FILE_LINK_PATH "q/" KEY "0",
        FILE_LINK_PATH "q/../../../../../../../etc/passwd",
        "/xqueue/other/q/" KEY,
    };
    char out[FILE_PLACE_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(file_link_check(&secret, paths[i], "expires=2000000000&signature=0", 0, out), STATUS_NOT_FOUND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shelf_is_the_queues_name_where_that_is_safe),
        cmocka_unit_test(a_link_is_good_until_it_expires_and_only_as_it_was_made),
        cmocka_unit_test(another_secret_makes_no_links),
        cmocka_unit_test(a_link_is_an_ordinary_hmac),
        cmocka_unit_test(other_parameters_do_no_harm),
        cmocka_unit_test(other_paths_are_no_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
