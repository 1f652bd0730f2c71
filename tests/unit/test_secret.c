/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/secret.h"
#include "base/text.h"

/* Made with Python's hashlib, as Django does. */
#define HASH_SHA256 "pbkdf2_sha256$1000$seasalt2$ABPNVLVV1vRC5OnBCpgwRvsTOJaXds28OSzNig3GR2M="
#define HASH_SHA1   "pbkdf2_sha1$7$pepper$aXk9eUmnng7a1rAOOWkXnC+8+KA="
#define HASH_EMPTY  "pbkdf2_sha256$1$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc="

static void keys_and_tokens_have_their_alphabet_and_differ(void **state)
{
    (void)state;
    char key[SECRET_KEY_TEXT_MAX];
    char other_key[SECRET_KEY_TEXT_MAX];
    char token[SECRET_KEY_TEXT_MAX];
    char other_token[SECRET_KEY_TEXT_MAX];

    secret_key(key);
    secret_key(other_key);
    secret_token(token);
    secret_token(other_token);

    assert_int_equal(strlen(key), 32);
    assert_int_equal(strspn(key, "0123456789abcdef"), 32);
    assert_string_not_equal(key, other_key);
    assert_int_equal(strlen(token), 32);
    assert_int_equal(strspn(token, "0123456789abcdefghijklmnopqrstuvwxyz"), 32);
    assert_string_not_equal(token, other_token);
}

static void a_digest_is_sha256(void **state)
{
    (void)state;
    uint8_t digest[SECRET_DIGEST_BYTES];
    char hex[2 * SECRET_DIGEST_BYTES + 1];

    secret_digest("abc", 3, digest);
    text_hex(hex, digest, sizeof digest);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

    secret_digest(NULL, 0, digest);
    text_hex(hex, digest, sizeof digest);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void a_signature_is_hmac_sha256(void **state)
{
    static const char bytes[] = "what do ya want for nothing?"; // RFC 4231, test case 2
    uint8_t signature[SECRET_DIGEST_BYTES];
    char hex[2 * sizeof signature + 1];

    (void)state;
    secret_sign("Jefe", 4, bytes, strlen(bytes), signature);
    text_hex(hex, signature, sizeof signature);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void a_digest_of_pieces_is_that_of_the_whole(void **state)
{
    (void)state;
    uint8_t whole[SECRET_DIGEST_BYTES];
    uint8_t pieces[SECRET_DIGEST_BYTES];
    secret_digest("abc", 3, whole);

    struct secret_digest_stream *stream = secret_digest_stream_create();
    secret_digest_stream_add(stream, "a", 1);
    secret_digest_stream_add(stream, "", 0);
    secret_digest_stream_add(stream, "bc", 2);
    secret_digest_stream_finish(stream, pieces);

    assert_memory_equal(pieces, whole, sizeof whole);
    secret_digest_stream_destroy(secret_digest_stream_create());
    secret_digest_stream_destroy(NULL);
}

static void a_stretched_password_is_pbkdf2(void **state)
{
    (void)state;
    uint8_t digest[SECRET_DIGEST_BYTES];
    char hex[2 * SECRET_DIGEST_BYTES + 1];

    secret_stretch("pw", "salt", 4, digest);

    text_hex(hex, digest, sizeof digest);
    assert_string_equal(hex, "efc91758dce6821c58952fed9cd42ea1e62204e0213d7612bf6d4a3c5fb8ea1d"); // from Python's hashlib
}

static void hashes_of_django_are_understood(void **state)
{
    (void)state;

    assert_true(secret_password_matches("l\xc3\xa8tmein", HASH_SHA256));
    assert_true(secret_password_matches("secret", HASH_SHA1));
    assert_true(secret_password_matches("", HASH_EMPTY));
    assert_false(secret_password_matches("letmein", HASH_SHA256));
    assert_false(secret_password_matches("secret ", HASH_SHA1));
    assert_false(secret_password_matches("", HASH_SHA1));
}

static void hashes_that_python_made_match(void **state)
{
    (void)state;
    /* hashlib.pbkdf2_hmac and base64, as Django's PBKDF2PasswordHasher and PBKDF2SHA1PasswordHasher use them. */
    static const struct {
        const char *password;
        const char *hash;
    } made[] = {
        {"l\303\250tmein", "pbkdf2_sha256$260$seasalt2$hGs41SecHVHHxLzy7sntHAL8VeXFw2kVLzSPg3HMZF8="},
        {"ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp"
         "ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp",
         "pbkdf2_sha256$1000$Zx9$UdRiWZ3bZUpxBmOFj/OiEdKOs+oqat08l+8cWxwrhkY="},
        {"secret", "pbkdf2_sha1$720$0123456789012345678901$p2yWZsK1ExT9XcMK7bVcrJglr6E="},
        {"\346\227\245\346\234\254\350\252\236",
         "pbkdf2_sha256$1$s\303\244lz.+/=$seUYaCfdY8/dBQcqOtl4D7/n9qHavcLYV+Cdg+sQhOY="},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "pbkdf2_sha1$2$a b$ZjCc4D25yFdEwKRFcgHNnokmt6w="},
        {"pbkdf2", "pbkdf2_sha256$3$"
                   "sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss"
                   "sssssssssssssssssssssssssssssssssssssssssss$UjNOIf75SNnkUsI7Y9Qrq0RhKkIw0h99xiJ7O1JxE2s="},
    };

    for (size_t at = 0; at < sizeof made / sizeof *made; at++) {
        size_t next = (at + 1) % (sizeof made / sizeof *made);
        assert_true(secret_hash_is_valid(made[at].hash));
        assert_true(secret_password_matches(made[at].password, made[at].hash));
        assert_false(secret_password_matches(made[next].password, made[at].hash));
    }
}

static void the_cost_of_a_hash_is_that_of_its_rounds(void **state)
{
    (void)state;
    assert_int_equal(secret_hash_cost(HASH_EMPTY), 1);
    assert_int_equal(secret_hash_cost("pbkdf2_sha256$1000000$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc="), 1000000);
    assert_int_equal(secret_hash_cost("nonsense"), 0);
    assert_in_range(secret_hash_cost("pbkdf2_sha1$100000$x$t8Ul0UfGmVGzYqVjhwMeo9USWxQ="), 10000, 1000000);
}

enum { CHECK_COST = 20000 };

/* How long one check takes, in microseconds of this thread. */
static int64_t time_check(const char *hash)
{
    struct timespec from;
    struct timespec to;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    assert_false(secret_password_matches_at_cost("wrong", hash, CHECK_COST));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    return (to.tv_sec - from.tv_sec) * INT64_C(1000000) + (to.tv_nsec - from.tv_nsec) / 1000;
}

/* Both in turn, so that a machine which is busy is so for both; the best of some is what counts. */
static bool takes_as_long_as_none(const char *hash)
{
    enum { CHECKS = 50 };
    int64_t none_us = INT64_MAX;
    int64_t hash_us = INT64_MAX;
    for (int i = 0; i < CHECKS; i++) {
        int64_t one_us = time_check(NULL);
        int64_t other_us = time_check(hash);
        none_us = one_us < none_us ? one_us : none_us;
        hash_us = other_us < hash_us ? other_us : hash_us;
        if (i >= 4 && hash_us > none_us * 7 / 10 && hash_us < none_us * 14 / 10)
            return true;
    }
    return false;
}

static void a_check_takes_as_long_whatever_the_hash(void **state)
{
    (void)state;
    static const char *const hashes[] = {
        "pbkdf2_sha256$20000$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=",
        "pbkdf2_sha256$1$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=",
        "pbkdf2_sha256$12345$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=",
        "pbkdf2_sha1$15000$x$t8Ul0UfGmVGzYqVjhwMeo9USWxQ=",
    };
    for (size_t at = 0; at < sizeof hashes / sizeof *hashes; at++) {
        assert_true(secret_hash_is_valid(hashes[at]));
        assert_true(takes_as_long_as_none(hashes[at]));
    }
    assert_true(secret_password_matches_at_cost("", HASH_EMPTY, 1000));
    assert_true(secret_password_matches_at_cost("", HASH_EMPTY, 0));
    assert_false(secret_password_matches_at_cost("", NULL, 1));
}

static void a_fresh_hash_matches_its_password_only(void **state)
{
    (void)state;
    char hash[SECRET_HASH_TEXT_MAX];
    char again[SECRET_HASH_TEXT_MAX];

    assert_int_equal(secret_password_hash("tr0ub4dor", 10, hash), STATUS_OK);
    assert_int_equal(secret_password_hash("tr0ub4dor", 10, again), STATUS_OK);

    assert_memory_equal(hash, "pbkdf2_sha256$10$", 17);
    assert_true(secret_hash_is_valid(hash));
    assert_string_not_equal(hash, again);
    assert_true(secret_password_matches("tr0ub4dor", hash));
    assert_false(secret_password_matches("tr0ub4dor&3", hash));
}

static void damaged_hashes_are_invalid_and_match_nothing(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "$",
        "$$$",
        "secret",
        "!unusable",
        "md5$salt$d41d8cd98f00b204e9800998ecf8427e",
        "bcrypt$1$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=",
        "pbkdf2_sha25$1$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=",
        "pbkdf2_sha256$0$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=",
        "pbkdf2_sha256$-1$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=",
        "pbkdf2_sha256$10000001$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=",
        "pbkdf2_sha256$99999999999999999999$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=",
        "pbkdf2_sha256$$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=",
        "pbkdf2_sha256$1$$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=",
        "pbkdf2_sha256$1$x$",
        "pbkdf2_sha256$1$x",
        "pbkdf2_sha256$1$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc",
        "pbkdf2_sha256$1$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzx==",
        "pbkdf2_sha256$1$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=$",
        "pbkdf2_sha256$1$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1 3gaWy8rzxc=",
        "pbkdf2_sha1$1$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=",
    };

    for (size_t at = 0; at < sizeof wrong / sizeof *wrong; at++) {
        assert_false(secret_hash_is_valid(wrong[at]));
        assert_false(secret_password_matches("", wrong[at]));
    }
    assert_true(secret_hash_is_valid(HASH_EMPTY));
}

static void lengths_are_limited(void **state)
{
    (void)state;
    char password[SECRET_PASSWORD_BYTES_MAX + 2];
    char hash[SECRET_HASH_TEXT_MAX];
    char long_hash[SECRET_HASH_TEXT_MAX + 100];
    memset(password, 'x', sizeof password);
    password[SECRET_PASSWORD_BYTES_MAX + 1] = '\0';
    char salt[SECRET_HASH_TEXT_MAX];
    memset(salt, 's', sizeof salt);
    salt[sizeof salt - 1] = '\0';
    (void)snprintf(long_hash, sizeof long_hash, "pbkdf2_sha256$1$%s$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=", salt);

    assert_int_equal(secret_password_hash(password, 1, hash), STATUS_INVALID);
    password[SECRET_PASSWORD_BYTES_MAX] = '\0';
    assert_int_equal(secret_password_hash(password, 1, hash), STATUS_OK);
    assert_true(secret_password_matches(password, hash));
    password[SECRET_PASSWORD_BYTES_MAX] = 'x';
    assert_false(secret_password_matches(password, hash));
    assert_false(secret_hash_is_valid(long_hash));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_tokens_have_their_alphabet_and_differ),
        cmocka_unit_test(a_digest_is_sha256),
        cmocka_unit_test(a_signature_is_hmac_sha256),
        cmocka_unit_test(a_digest_of_pieces_is_that_of_the_whole),
        cmocka_unit_test(a_stretched_password_is_pbkdf2),
        cmocka_unit_test(hashes_of_django_are_understood),
        cmocka_unit_test(hashes_that_python_made_match),
        cmocka_unit_test(the_cost_of_a_hash_is_that_of_its_rounds),
        cmocka_unit_test(a_check_takes_as_long_whatever_the_hash),
        cmocka_unit_test(a_fresh_hash_matches_its_password_only),
        cmocka_unit_test(damaged_hashes_are_invalid_and_match_nothing),
        cmocka_unit_test(lengths_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
