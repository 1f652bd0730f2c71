/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random keys, digests and password hashes: all that we use of OpenSSL's libcrypto.
 *
 * Threading: any thread.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    SECRET_KEY_TEXT_MAX = 33,    /* 128 random bits as 32 lower-case hex digits, and a NUL */
    SECRET_BEARER_TEXT_MAX = 69, /* "xqt_", 256 random bits as 64 lower-case hex digits, and a NUL */
    SECRET_DIGEST_BYTES = 32,    /* SHA-256 */
    SECRET_PASSWORD_BYTES_MAX = 1024,
    SECRET_HASH_TEXT_MAX = 256, /* a password hash in Django's text form, and a NUL */
    SECRET_ROUNDS_MAX = 10000000,
    SECRET_ROUNDS_DEFAULT = 1000000,
    SECRET_STRETCH_ROUNDS = 100000,
};

/* A fresh lease key, delivery key or the like. Aborts the process when the system has no randomness. */
void secret_key(char out[SECRET_KEY_TEXT_MAX]);

/* A fresh session token: 32 characters of [a-z0-9] (165 bits), and a NUL. */
void secret_token(char out[SECRET_KEY_TEXT_MAX]);

/* A fresh token for a program, to be known for one wherever it turns up. */
void secret_bearer(char out[SECRET_BEARER_TEXT_MAX]);

/* Random bytes from the system. Aborts when there are none. */
void secret_random(void *out, size_t length);

void secret_digest(const void *bytes, size_t length, uint8_t out[SECRET_DIGEST_BYTES]);

/* HMAC-SHA256 of bytes. Compare with text_equal_secret. */
void secret_sign(const void *key, size_t key_length, const void *bytes, size_t length, uint8_t out[SECRET_DIGEST_BYTES]);

/* secret_digest of bytes that come piece by piece. finish writes the digest and frees the stream; destroy frees an unfinished
 * one.
 */
struct secret_digest_stream;
struct secret_digest_stream *secret_digest_stream_create(void);
struct secret_digest_stream *secret_digest_stream_try_create(void); /* for code that must not abort its host; NULL: no memory */
void secret_digest_stream_add(struct secret_digest_stream *stream, const void *bytes, size_t length);
void secret_digest_stream_finish(struct secret_digest_stream *stream, uint8_t out[SECRET_DIGEST_BYTES]);
void secret_digest_stream_destroy(struct secret_digest_stream *stream); /* NULL is fine */

/* Is hash a text form that secret_password_matches understands: "pbkdf2_sha256$ROUNDS$SALT$BASE64" or pbkdf2_sha1? */
bool secret_hash_is_valid(const char *hash);

/*
 * Hashes password as "pbkdf2_sha256$rounds$salt$base64" with a fresh 128-bit salt (Django's form).
 * rounds: 1 to SECRET_ROUNDS_MAX. STATUS_INVALID when password is longer than SECRET_PASSWORD_BYTES_MAX.
 */
enum status secret_password_hash(const char *password, int rounds, char out[SECRET_HASH_TEXT_MAX]) STATUS_CHECKED;

/* Takes as long as the hash's rounds say (about 0.3 s at the default): never on an engine or poller thread. Constant time in
 * the outcome. */
bool secret_password_matches(const char *password, const char *hash);

/*
 * What a check against hash costs, in rounds of pbkdf2_sha256: its rounds, or what as many rounds of another algorithm take on
 * this machine (measured once, some 20 ms). 0: hash is not valid.
 */
int64_t secret_hash_cost(const char *hash);

/*
 * secret_password_matches that takes the time of cost rounds of pbkdf2_sha256, or of the hash's own when that is more: so that
 * the time does not tell whose hash it was, nor whether there is one. hash NULL: none, false. cost: 0 to
 * SECRET_ROUNDS_MAX * 2.
 */
bool secret_password_matches_at_cost(const char *password, const char *hash, int64_t cost);

/*
 * A digest of a password that is slow to guess from (PBKDF2-SHA256, SECRET_STRETCH_ROUNDS, about 30 ms): to notice that a
 * password changed, not to log in with. Same input, same output.
 */
void secret_stretch(const char *password, const void *salt, size_t salt_length, uint8_t out[SECRET_DIGEST_BYTES]);

#endif
