/* SPDX-License-Identifier: Apache-2.0 */
/* links: xqueue_rest ssl crypto */
/*
 * Whom a callback trusts. The LMS here speaks TLS with a certificate for 127.0.0.1 that it signed itself, made when the test
 * starts.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/memory.h"
#include "rest-adapter/http_client.h"

enum { PATIENCE_MS = 20000, REQUEST_BYTES_MAX = 4096, VALID_SECONDS = 3600, FILE_MAX = 64 };

struct fixture {
    SSL_CTX *tls;
    EVP_PKEY *key;
    X509 *certificate;
    char ca_file[FILE_MAX]; /* the certificate as PEM */
    int listener;
    int port;
    pthread_t thread;
    struct config_callbacks callbacks;
    struct http_client *client;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    struct http_client_result result;
    bool done;
    size_t requests; /* that came through a completed handshake */
};

/* ---- the LMS ---- */

static void serve(struct fixture *fixture, int socket)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    char request[REQUEST_BYTES_MAX];
    SSL *tls = SSL_new(fixture->tls);
    SSL_set_fd(tls, socket);
    if (SSL_accept(tls) == 1 && SSL_read(tls, request, sizeof(request)) > 0) {
        pthread_mutex_lock(&fixture->lock);
        fixture->requests++;
        pthread_mutex_unlock(&fixture->lock);
        (void)SSL_write(tls, reply, sizeof(reply) - 1);
        (void)SSL_shutdown(tls);
    }
    SSL_free(tls);
    close(socket);
}

static void *lms_main(void *argument)
{
    struct fixture *fixture = argument;
    sigset_t broken_pipe; // OpenSSL writes to whom has hung up already
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
    for (int socket = accept(fixture->listener, NULL, NULL); socket >= 0; socket = accept(fixture->listener, NULL, NULL))
        serve(fixture, socket);
    return NULL;
}

static void sign_itself(struct fixture *fixture)
{
    fixture->key = EVP_EC_gen("P-256");
    fixture->certificate = X509_new();
    X509 *certificate = fixture->certificate;
    assert_non_null(fixture->key);
    assert_int_equal(X509_set_version(certificate, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), VALID_SECONDS));
    assert_int_equal(X509_set_pubkey(certificate, fixture->key), 1);
    X509_NAME *name = X509_get_subject_name(certificate);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"lms", -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(certificate, name), 1);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    X509_EXTENSION *authority = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    assert_int_equal(X509_add_ext(certificate, names, -1), 1);
    assert_int_equal(X509_add_ext(certificate, authority, -1), 1);
    X509_EXTENSION_free(names);
    X509_EXTENSION_free(authority);
    assert_true(X509_sign(certificate, fixture->key, EVP_sha256()) > 0);
}

static void write_ca_file(struct fixture *fixture)
{
    (void)snprintf(fixture->ca_file, sizeof(fixture->ca_file), "/tmp/xqueue-test-ca-XXXXXX");
    int descriptor = mkstemp(fixture->ca_file);
    assert_true(descriptor >= 0);
    FILE *file = fdopen(descriptor, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, fixture->certificate), 1);
    assert_int_equal(fclose(file), 0);
}

static void lms_starts(struct fixture *fixture)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    sign_itself(fixture);
    write_ca_file(fixture);
    fixture->tls = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(fixture->tls, fixture->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(fixture->tls, fixture->key), 1);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fixture->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fixture->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fixture->listener, 8), 0);
    assert_int_equal(getsockname(fixture->listener, (struct sockaddr *)&address, &length), 0);
    fixture->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&fixture->thread, NULL, lms_main, fixture), 0);
}

static int set_up(void **state)
{
    struct fixture *fixture = MEMORY_NEW(struct fixture);
    pthread_mutex_init(&fixture->lock, NULL);
    clock_condition_init(&fixture->changed);
    fixture->callbacks = (struct config_callbacks){.parallel_max = 4,
                                                   .per_origin_max = 4,
                                                   .connect_timeout_ms = 5000,
                                                   .timeout_ms = 5000,
                                                   .reply_bytes_max = 65536,
                                                   .ca_file = (char *)""};
    lms_starts(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    http_client_destroy(fixture->client);
    shutdown(fixture->listener, SHUT_RDWR);
    pthread_join(fixture->thread, NULL);
    close(fixture->listener);
    SSL_CTX_free(fixture->tls);
    X509_free(fixture->certificate);
    EVP_PKEY_free(fixture->key);
    (void)unlink(fixture->ca_file);
    pthread_cond_destroy(&fixture->changed);
    pthread_mutex_destroy(&fixture->lock);
    memory_free(fixture);
    return 0;
}

/* ---- the callback ---- */

static struct http_client_options options_of(const struct fixture *fixture)
{
    return (struct http_client_options){
        .callbacks = &fixture->callbacks, .trust = HTTP_CLIENT_TRUST_CALLBACK, .parallel_max = 4, .per_origin_max = 4};
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
    char url[128];
    struct http_client_options options = options_of(fixture);
    int64_t deadline_ms = clock_now_ms(clock_system()) + PATIENCE_MS;
    bool in_time = true;
    (void)snprintf(url, sizeof(url), "https://%s:%d/x", host, fixture->port);
    struct http_client_request request = {.method = HTTP_CLIENT_POST,
                                          .url = url,
                                          .body = memory_copy_text("a=b"),
                                          .body_length = 3,
                                          .limits = {.connect_timeout_ms = 5000, .timeout_ms = 5000, .reply_bytes_max = 65536}};
    fixture->done = false;
    assert_int_equal(http_client_create(&options, &fixture->client, NULL), STATUS_OK);
    assert_int_equal(http_client_start(fixture->client, &request, on_done, fixture, NULL), STATUS_OK);
    pthread_mutex_lock(&fixture->lock);
    while (in_time && !fixture->done)
        in_time = clock_wait_until(clock_system(), &fixture->changed, &fixture->lock, deadline_ms);
    assert_true(fixture->done);
    struct http_client_result result = fixture->result;
    pthread_mutex_unlock(&fixture->lock);
    return result;
}

static size_t requests_of(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->lock);
    size_t requests = fixture->requests;
    pthread_mutex_unlock(&fixture->lock);
    return requests;
}

static void an_unknown_certificate_gets_no_request(void **state)
{
    struct fixture *fixture = *state;

    struct http_client_result result = post_to(fixture, "127.0.0.1");

    assert_int_equal(result.status, STATUS_UNAVAILABLE);
    assert_non_null(strstr(result.text, "certificate"));
    assert_int_equal(requests_of(fixture), 0);
}

static void a_certificate_of_the_configured_authority_is_trusted(void **state)
{
    struct fixture *fixture = *state;
    fixture->callbacks.ca_file = fixture->ca_file;

    assert_int_equal(post_to(fixture, "127.0.0.1").status, STATUS_OK);

    assert_int_equal(requests_of(fixture), 1);
}

static void a_certificate_for_another_host_gets_no_request(void **state)
{
    struct fixture *fixture = *state;
    fixture->callbacks.ca_file = fixture->ca_file;

    assert_int_equal(post_to(fixture, "localhost").status, STATUS_UNAVAILABLE);

    assert_int_equal(requests_of(fixture), 0);
}

static void an_insecure_origin_is_trusted_and_no_other(void **state)
{
    struct fixture *fixture = *state;
    char origin[64];
    char *insecure[] = {origin};
    (void)snprintf(origin, sizeof(origin), "https://127.0.0.1:%d", fixture->port);
    fixture->callbacks.insecure_origins = (struct config_texts){insecure, 1};

    assert_int_equal(post_to(fixture, "127.0.0.1").status, STATUS_OK);
    http_client_destroy(fixture->client);
    assert_int_equal(post_to(fixture, "localhost").status, STATUS_UNAVAILABLE);

    assert_int_equal(requests_of(fixture), 1);
}

static void an_authority_file_that_cannot_be_read_is_an_error_at_start(void **state)
{
    struct fixture *fixture = *state;
    struct error error = {0};
    struct http_client_options options = options_of(fixture);
    fixture->callbacks.ca_file = (char *)"/does/not/exist.pem";

    assert_int_equal(http_client_create(&options, &fixture->client, &error), STATUS_INVALID);

    assert_non_null(strstr(error.text, "/does/not/exist.pem"));
    assert_null(fixture->client);
}

#define CASE(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_unknown_certificate_gets_no_request),
        CASE(a_certificate_of_the_configured_authority_is_trusted),
        CASE(a_certificate_for_another_host_gets_no_request),
        CASE(an_insecure_origin_is_trusted_and_no_other),
        CASE(an_authority_file_that_cannot_be_read_is_an_error_at_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
