/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"

enum {
    KEY_BYTES = 16,
    BEARER_BYTES = 32,
    SALT_BYTES = 16,
    DERIVED_BYTES_MAX = 32,
    /* EVP_EncodeBlock writes four characters for each three bytes, and a NUL. */
    DERIVED_TEXT_MAX = (DERIVED_BYTES_MAX + 2) / 3 * 4 + 1,
};

/* The password hashes of Django that we know. */
static const struct algorithm {
    const char *name;
    const EVP_MD *(*digest)(void);
    size_t bytes;
} algorithms[] = {
    {"pbkdf2_sha256", EVP_sha256, 32},
    {"pbkdf2_sha1", EVP_sha1, 20},
};

/* Going on without the library would mean guessable keys or accepted passwords. */
static void require(int succeeded, const char *what)
{
    if (succeeded == 1)
        return;
    log_event(LOG_ERROR, "crypto_failed", LOG_TEXT("text", what));
    abort();
}

void secret_random(void *out, size_t length)
{
    uint8_t *byte = out;
    while (length > 0) {
        int chunk = length > INT_MAX ? INT_MAX : (int)length;
        require(RAND_bytes(byte, chunk), "RAND_bytes");
        byte += chunk;
        length -= (size_t)chunk;
    }
}

void secret_key(char out[SECRET_KEY_TEXT_MAX])
{
    uint8_t bytes[KEY_BYTES];
    secret_random(bytes, sizeof bytes);
    text_hex(out, bytes, sizeof bytes);
    memory_wipe(bytes, sizeof bytes);
}

void secret_bearer(char out[SECRET_BEARER_TEXT_MAX])
{
    static const char prefix[] = "xqt_";
    uint8_t bytes[BEARER_BYTES];
    secret_random(bytes, sizeof bytes);
    memcpy(out, prefix, sizeof prefix - 1);
    text_hex(out + sizeof prefix - 1, bytes, sizeof bytes);
    memory_wipe(bytes, sizeof bytes);
}

void secret_token(char out[SECRET_KEY_TEXT_MAX])
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    enum { LETTERS = sizeof alphabet - 1, FAIR_MAX = 256 / LETTERS * LETTERS, TOKEN_LENGTH = SECRET_KEY_TEXT_MAX - 1 };
    uint8_t bytes[TOKEN_LENGTH];
    size_t length = 0;
    while (length < TOKEN_LENGTH) {
        secret_random(bytes, sizeof bytes);
        for (size_t at = 0; at < sizeof bytes && length < TOKEN_LENGTH; at++) {
            // The rest of the byte's range would make some letters likelier.
            if (bytes[at] < FAIR_MAX)
                out[length++] = alphabet[bytes[at] % LETTERS];
        }
    }
    out[length] = '\0';
    memory_wipe(bytes, sizeof bytes);
}

void secret_digest(const void *bytes, size_t length, uint8_t out[SECRET_DIGEST_BYTES])
{
    require(EVP_Digest(length ? bytes : "", length, out, NULL, EVP_sha256(), NULL), "EVP_Digest");
}

void secret_sign(const void *key, size_t key_length, const void *bytes, size_t length, uint8_t out[SECRET_DIGEST_BYTES])
{
    assert(key_length > 0 && key_length <= INT_MAX);
    require(HMAC(EVP_sha256(), key, (int)key_length, length ? bytes : "", length, out, NULL) != NULL, "HMAC");
}

struct secret_digest_stream {
    EVP_MD_CTX *context; /* owned */
};

struct secret_digest_stream *secret_digest_stream_try_create(void)
{
    struct secret_digest_stream *stream = MEMORY_TRY_NEW(struct secret_digest_stream);
    if (stream == NULL)
        return NULL;
    stream->context = EVP_MD_CTX_new();
    if (stream->context == NULL || !EVP_DigestInit_ex(stream->context, EVP_sha256(), NULL)) {
        secret_digest_stream_destroy(stream);
        return NULL;
    }
    return stream;
}

struct secret_digest_stream *secret_digest_stream_create(void)
{
    struct secret_digest_stream *stream = secret_digest_stream_try_create();
    require(stream != NULL, "a digest");
    return stream;
}

void secret_digest_stream_add(struct secret_digest_stream *stream, const void *bytes, size_t length)
{
    require(EVP_DigestUpdate(stream->context, bytes, length), "EVP_DigestUpdate");
}

void secret_digest_stream_finish(struct secret_digest_stream *stream, uint8_t out[SECRET_DIGEST_BYTES])
{
    require(EVP_DigestFinal_ex(stream->context, out, NULL), "EVP_DigestFinal_ex");
    secret_digest_stream_destroy(stream);
}

void secret_digest_stream_destroy(struct secret_digest_stream *stream)
{
    if (stream == NULL)
        return;
    EVP_MD_CTX_free(stream->context);
    memory_free(stream);
}

/* A password hash taken apart; the pointers lead into its text. */
struct parts {
    const struct algorithm *algorithm;
    int rounds;
    const char *salt;
    size_t salt_length;
    const char *derived; /* base64 of algorithm->bytes bytes */
};

static const struct algorithm *find_algorithm(const char *name, size_t length)
{
    for (size_t at = 0; at < sizeof algorithms / sizeof *algorithms; at++) {
        if (strlen(algorithms[at].name) == length && memcmp(algorithms[at].name, name, length) == 0)
            return &algorithms[at];
    }
    return NULL;
}

static bool parse_rounds(const char *digits, size_t length, int *out)
{
    char copy[16];
    int64_t rounds = 0;
    if (length >= sizeof copy)
        return false;
    memcpy(copy, digits, length);
    copy[length] = '\0';
    if (text_to_int64(copy, 1, SECRET_ROUNDS_MAX, &rounds) != STATUS_OK)
        return false;
    *out = (int)rounds;
    return true;
}

/* Both digests leave exactly one '=' (32 and 20 are two more than a multiple of three). */
static bool is_base64_of(const char *text, size_t bytes)
{
    size_t length = strlen(text);
    size_t letters = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    return length == (bytes + 2) / 3 * 4 && letters == length - 1 && text[letters] == '=';
}

static bool parse_hash(const char *hash, struct parts *out)
{
    if (strnlen(hash, SECRET_HASH_TEXT_MAX) == SECRET_HASH_TEXT_MAX)
        return false;
    const char *name_end = strchr(hash, '$');
    const char *rounds_end = name_end ? strchr(name_end + 1, '$') : NULL;
    const char *salt_end = rounds_end ? strchr(rounds_end + 1, '$') : NULL;
    if (!salt_end || salt_end == rounds_end + 1)
        return false;
    struct parts parts = {
        .algorithm = find_algorithm(hash, (size_t)(name_end - hash)),
        .salt = rounds_end + 1,
        .salt_length = (size_t)(salt_end - rounds_end) - 1,
        .derived = salt_end + 1,
    };
    if (!parts.algorithm || !parse_rounds(name_end + 1, (size_t)(rounds_end - name_end) - 1, &parts.rounds) ||
        !is_base64_of(parts.derived, parts.algorithm->bytes))
        return false;
    *out = parts;
    return true;
}

bool secret_hash_is_valid(const char *hash)
{
    struct parts parts;
    return parse_hash(hash, &parts);
}

static void derive(const char *password, const struct parts *parts, char out[DERIVED_TEXT_MAX])
{
    unsigned char derived[DERIVED_BYTES_MAX];
    int bytes = (int)parts->algorithm->bytes;
    require(PKCS5_PBKDF2_HMAC(password, (int)strlen(password), (const unsigned char *)parts->salt, (int)parts->salt_length,
                              parts->rounds, parts->algorithm->digest(), bytes, derived),
            "PKCS5_PBKDF2_HMAC");
    (void)EVP_EncodeBlock((unsigned char *)out, derived, bytes);
    memory_wipe(derived, sizeof derived);
}

static bool is_too_long(const char *password)
{
    return strnlen(password, SECRET_PASSWORD_BYTES_MAX + 1) > SECRET_PASSWORD_BYTES_MAX;
}

enum status secret_password_hash(const char *password, int rounds, char out[SECRET_HASH_TEXT_MAX])
{
    assert(rounds >= 1 && rounds <= SECRET_ROUNDS_MAX);
    if (is_too_long(password))
        return STATUS_INVALID;
    uint8_t salt[SALT_BYTES];
    char salt_text[2 * SALT_BYTES + 1];
    secret_random(salt, sizeof salt);
    text_hex(salt_text, salt, sizeof salt);
    struct parts parts = {.algorithm = &algorithms[0], .rounds = rounds, .salt = salt_text, .salt_length = strlen(salt_text)};
    char derived[DERIVED_TEXT_MAX];
    derive(password, &parts, derived);
    (void)snprintf(out, SECRET_HASH_TEXT_MAX, "%s$%d$%s$%s", parts.algorithm->name, rounds, salt_text, derived);
    return STATUS_OK;
}

bool secret_password_matches(const char *password, const char *hash)
{
    struct parts parts;
    if (is_too_long(password) || !parse_hash(hash, &parts))
        return false;
    char derived[DERIVED_TEXT_MAX];
    derive(password, &parts, derived);
    bool matches = text_equal_secret(derived, strlen(derived), parts.derived, strlen(parts.derived));
    memory_wipe(derived, sizeof derived);
    return matches;
}

/* ---- what a check costs ---- */

enum { MEASURED_ROUNDS = 4000, MEASUREMENTS = 8 };
enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms };
static pthread_once_t measured = PTHREAD_ONCE_INIT;
static int64_t measured_ns[ALGORITHMS]; /* guarded by measured */

/* How long MEASURED_ROUNDS take, in nanoseconds of this thread. */
static int64_t measure(const struct algorithm *algorithm)
{
    struct timespec from;
    struct timespec to;
    struct parts parts = {.algorithm = algorithm, .rounds = MEASURED_ROUNDS, .salt = "measure", .salt_length = 7};
    char derived[DERIVED_TEXT_MAX];
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    derive("measure", &parts, derived);
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    int64_t ns = (to.tv_sec - from.tv_sec) * INT64_C(1000000000) + (to.tv_nsec - from.tv_nsec);
    return ns > 0 ? ns : 1;
}

/* In turn, so that a machine which is busy is so for all; the best of some is what counts. */
static void measure_all(void)
{
    for (int i = 0; i < MEASUREMENTS; i++) {
        for (size_t at = 0; at < ALGORITHMS; at++) {
            int64_t ns = measure(&algorithms[at]);
            measured_ns[at] = i == 0 || ns < measured_ns[at] ? ns : measured_ns[at];
        }
    }
}

static int64_t cost_of(const struct parts *parts)
{
    if (parts->algorithm == &algorithms[0])
        return parts->rounds;
    (void)pthread_once(&measured, measure_all);
    return parts->rounds * measured_ns[parts->algorithm - algorithms] / measured_ns[0] + 1;
}

int64_t secret_hash_cost(const char *hash)
{
    struct parts parts;
    return parse_hash(hash, &parts) ? cost_of(&parts) : 0;
}

static void spend(const char *password, int64_t cost)
{
    struct parts parts = {.algorithm = &algorithms[0], .rounds = (int)cost, .salt = "spent", .salt_length = 5};
    char derived[DERIVED_TEXT_MAX];
    if (cost <= 0)
        return;
    derive(password, &parts, derived);
    memory_wipe(derived, sizeof derived);
}

bool secret_password_matches_at_cost(const char *password, const char *hash, int64_t cost)
{
    assert(cost >= 0 && cost <= 2 * (int64_t)SECRET_ROUNDS_MAX);
    struct parts parts;
    if (is_too_long(password))
        return false;
    bool has_hash = hash && parse_hash(hash, &parts);
    bool matches = has_hash && secret_password_matches(password, hash);
    spend(password, has_hash ? cost - cost_of(&parts) : cost);
    return matches;
}

void secret_stretch(const char *password, const void *salt, size_t salt_length, uint8_t out[SECRET_DIGEST_BYTES])
{
    require(PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, (int)salt_length, SECRET_STRETCH_ROUNDS, EVP_sha256(),
                              SECRET_DIGEST_BYTES, out) == 1,
            "PKCS5_PBKDF2_HMAC");
}
