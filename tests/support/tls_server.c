/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/tls_server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/memory.h"

enum { REQUEST_BYTES_MAX = 4096, VALID_SECONDS = 3600, FILE_MAX = 64 };

struct tls_server {
    SSL_CTX *tls;
    EVP_PKEY *key;
    X509 *certificate;
    char ca_file[FILE_MAX];
    int listener;
    int port;
    pthread_t thread;
    pthread_mutex_t lock;
    size_t requests; /* guarded by lock */
};

/* ---- its thread ---- */

static void serve(struct tls_server *server, int socket)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    char request[REQUEST_BYTES_MAX];
    SSL *tls = SSL_new(server->tls);
    SSL_set_fd(tls, socket);
    if (SSL_accept(tls) == 1 && SSL_read(tls, request, sizeof(request)) > 0) {
        pthread_mutex_lock(&server->lock);
        server->requests++;
        pthread_mutex_unlock(&server->lock);
        (void)SSL_write(tls, reply, sizeof(reply) - 1);
        (void)SSL_shutdown(tls);
    }
    SSL_free(tls);
    close(socket);
}

static void *thread_main(void *argument)
{
    struct tls_server *server = argument;
    sigset_t broken_pipe; // OpenSSL writes to whom has hung up already
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
    for (int socket = accept(server->listener, NULL, NULL); socket >= 0; socket = accept(server->listener, NULL, NULL))
        serve(server, socket);
    return NULL;
}

/* ---- start and end ---- */

static void sign_itself(struct tls_server *server)
{
    server->key = EVP_EC_gen("P-256");
    server->certificate = X509_new();
    X509 *certificate = server->certificate;
    assert_non_null(server->key);
    assert_int_equal(X509_set_version(certificate, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), VALID_SECONDS));
    assert_int_equal(X509_set_pubkey(certificate, server->key), 1);
    X509_NAME *name = X509_get_subject_name(certificate);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"lms", -1, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(certificate, name), 1);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    X509_EXTENSION *authority = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
    assert_int_equal(X509_add_ext(certificate, names, -1), 1);
    assert_int_equal(X509_add_ext(certificate, authority, -1), 1);
    X509_EXTENSION_free(names);
    X509_EXTENSION_free(authority);
    assert_true(X509_sign(certificate, server->key, EVP_sha256()) > 0);
}

static void write_ca_file(struct tls_server *server)
{
    (void)snprintf(server->ca_file, sizeof(server->ca_file), "/tmp/xqueue-test-ca-XXXXXX");
    int descriptor = mkstemp(server->ca_file);
    assert_true(descriptor >= 0);
    FILE *file = fdopen(descriptor, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, server->certificate), 1);
    assert_int_equal(fclose(file), 0);
}

struct tls_server *tls_server_start(void)
{
    struct tls_server *server = MEMORY_NEW(struct tls_server);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    pthread_mutex_init(&server->lock, NULL);
    sign_itself(server);
    write_ca_file(server);
    server->tls = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(server->tls, server->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(server->tls, server->key), 1);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, thread_main, server), 0);
    return server;
}

void tls_server_destroy(struct tls_server *server)
{
    if (!server)
        return;
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    SSL_CTX_free(server->tls);
    X509_free(server->certificate);
    EVP_PKEY_free(server->key);
    (void)unlink(server->ca_file);
    pthread_mutex_destroy(&server->lock);
    memory_free(server);
}

int tls_server_port(const struct tls_server *server)
{
    return server->port;
}

char *tls_server_ca_file(struct tls_server *server)
{
    return server->ca_file;
}

size_t tls_server_requests(struct tls_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t requests = server->requests;
    pthread_mutex_unlock(&server->lock);
    return requests;
}
