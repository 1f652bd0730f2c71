/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "base/certificate.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/rpc/rpc_tls_internal.h"

enum { FILES = 3 };

/* What tells one state of the files from another. */
struct stamp {
    struct {
        ino_t inode;
        off_t size;
        struct timespec changed;
    } files[FILES];
};

struct pems {
    char *chain; /* owned */
    char *key;
    char *authorities; /* NULL: none */
    int64_t expires_at_ms;
};

struct rpc_tls {
    char *paths[FILES]; /* owned; chain, key, authorities ("": none). Immutable */
    enum rpc_tls_clients clients;

    pthread_mutex_t lock;
    /* guarded by lock */
    struct pems pems;
    struct stamp tried; /* the state of the files that was read last, whether that went well or not */
    uint64_t version;   /* of pems, from 1 */
    uint64_t given;     /* the version that the C core has */
};

static bool has_authorities(const struct rpc_tls *tls)
{
    return tls->paths[2][0] != '\0';
}

static struct stamp look(const struct rpc_tls *tls)
{
    struct stamp stamp;
    memset(&stamp, 0, sizeof stamp);
    for (size_t i = 0; i < FILES; i++) {
        struct stat info;
        if (tls->paths[i][0] == '\0' || stat(tls->paths[i], &info) != 0) {
            continue;
        }
        stamp.files[i].inode = info.st_ino;
        stamp.files[i].size = info.st_size;
        stamp.files[i].changed = info.st_mtim;
    }
    return stamp;
}

static bool stamps_are_equal(const struct stamp *a, const struct stamp *b)
{
    bool equal = true;
    for (size_t i = 0; i < FILES; i++) {
        equal = equal && a->files[i].inode == b->files[i].inode && a->files[i].size == b->files[i].size &&
                a->files[i].changed.tv_sec == b->files[i].changed.tv_sec &&
                a->files[i].changed.tv_nsec == b->files[i].changed.tv_nsec;
    }
    return equal;
}

static void pems_finish(struct pems *pems)
{
    certificate_free_pem(pems->chain);
    certificate_free_pem(pems->key);
    certificate_free_pem(pems->authorities);
    *pems = (struct pems){0};
}

static enum status pems_read(const struct rpc_tls *tls, struct pems *out_pems, struct error *error)
{
    struct pems pems = {0};
    enum status status = certificate_read_pem(tls->paths[0], false, &pems.chain, error);
    if (status == STATUS_OK) {
        status = certificate_read_pem(tls->paths[1], true, &pems.key, error);
    }
    if (status == STATUS_OK) {
        status = certificate_check_pair(pems.chain, pems.key, &pems.expires_at_ms, error);
    }
    if (status == STATUS_OK && has_authorities(tls)) {
        status = certificate_read_pem(tls->paths[2], false, &pems.authorities, error);
    }
    if (status == STATUS_OK && has_authorities(tls)) {
        status = certificate_check_authorities(pems.authorities, error);
    }
    if (status == STATUS_OK) {
        *out_pems = pems;
    } else {
        pems_finish(&pems);
    }
    return status;
}

/* Lock held. A chain that does not fit its key may be a change that is half done: the next look is for the whole of it. */
static enum status load(struct rpc_tls *tls, struct error *error)
{
    struct pems pems;
    tls->tried = look(tls);
    enum status status = pems_read(tls, &pems, error);
    if (status != STATUS_OK) {
        return status;
    }
    pems_finish(&tls->pems);
    tls->pems = pems;
    tls->version++;
    if (pems.expires_at_ms <= clock_now_ms(clock_system())) {
        log_event(LOG_WARN, "certificate_expired", LOG_TEXT("file", tls->paths[0]), LOG_TEXT("text", "clients will refuse it"));
    }
    return STATUS_OK;
}

/* Lock held. */
static void load_again(struct rpc_tls *tls)
{
    struct error error = {0};
    if (load(tls, &error) == STATUS_OK) {
        log_event(LOG_INFO, "certificate_loaded", LOG_TEXT("file", tls->paths[0]));
    } else {
        log_event(LOG_ERROR, "certificate_refused", LOG_TEXT("file", tls->paths[0]), LOG_TEXT("text", error.text),
                  LOG_TEXT("action", "the one before stays in use"));
    }
}

void rpc_tls_reload(struct rpc_tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    load_again(tls);
    pthread_mutex_unlock(&tls->lock);
}

enum status rpc_tls_create(const struct rpc_tls_listener *options, struct rpc_tls **out_tls, struct error *error)
{
    struct rpc_tls *tls = MEMORY_NEW(struct rpc_tls);
    tls->paths[0] = memory_copy_text(options->certificate_file);
    tls->paths[1] = memory_copy_text(options->key_file);
    tls->paths[2] = memory_copy_text(options->client_ca_file ? options->client_ca_file : "");
    tls->clients = has_authorities(tls) ? options->clients : RPC_TLS_CLIENTS_OFF;
    pthread_mutex_init(&tls->lock, NULL);
    enum status status = load(tls, error);
    if (status != STATUS_OK) {
        rpc_tls_destroy(tls);
        return status;
    }
    *out_tls = tls;
    return STATUS_OK;
}

void rpc_tls_destroy(struct rpc_tls *tls)
{
    if (!tls) {
        return;
    }
    pems_finish(&tls->pems);
    for (size_t i = 0; i < FILES; i++) {
        memory_free(tls->paths[i]);
    }
    pthread_mutex_destroy(&tls->lock);
    memory_free(tls);
}

/* Lock held. The C core wants authorities also where no client is asked: then the own chain does no harm. */
static grpc_ssl_server_certificate_config *make_config(const struct rpc_tls *tls)
{
    grpc_ssl_pem_key_cert_pair pair = {.private_key = tls->pems.key, .cert_chain = tls->pems.chain};
    const char *authorities = tls->pems.authorities ? tls->pems.authorities : tls->pems.chain;
    return grpc_ssl_server_certificate_config_create(authorities, &pair, 1);
}

/* Called once when a port is bound, and before each handshake. */
static grpc_ssl_certificate_config_reload_status fetch(void *context, grpc_ssl_server_certificate_config **out_config)
{
    struct rpc_tls *tls = context;
    grpc_ssl_certificate_config_reload_status outcome = GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    pthread_mutex_lock(&tls->lock);
    struct stamp now = look(tls);
    if (!stamps_are_equal(&now, &tls->tried)) {
        load_again(tls);
    }
    if (tls->given != tls->version) {
        *out_config = make_config(tls);
        tls->given = tls->version;
        outcome = GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
    }
    pthread_mutex_unlock(&tls->lock);
    return outcome;
}

grpc_server_credentials *rpc_tls_server_credentials(struct rpc_tls *tls)
{
    static const grpc_ssl_client_certificate_request_type requests[] = {
        [RPC_TLS_CLIENTS_OFF] = GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
        [RPC_TLS_CLIENTS_OPTIONAL] = GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY,
        [RPC_TLS_CLIENTS_REQUIRED] = GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY,
    };
    grpc_ssl_server_credentials_options *options =
        grpc_ssl_server_credentials_create_options_using_config_fetcher(requests[tls->clients], fetch, tls);
    assert(options != NULL);
    return grpc_ssl_server_credentials_create_with_options(options); /* takes the options */
}
