/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include "base/certificate.h"
#include "base/rpc/rpc_tls_internal.h"

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

struct channel_pems {
    char *authorities; /* owned; NULL: the system's */
    char *chain;
    char *key;
};

static void channel_pems_finish(struct channel_pems *pems)
{
    certificate_free_pem(pems->authorities);
    certificate_free_pem(pems->chain);
    certificate_free_pem(pems->key);
}

static enum status read_pair(const struct rpc_tls_channel *tls, struct channel_pems *pems, struct error *error)
{
    int64_t expires_at_ms = 0;
    if (is_given(tls->certificate_file) != is_given(tls->key_file)) {
        return error_set(error, STATUS_INVALID, "CERTIFICATE", "a certificate file and a key file go together");
    }
    if (!is_given(tls->certificate_file)) {
        return STATUS_OK;
    }
    enum status status = certificate_read_pem(tls->certificate_file, false, &pems->chain, error);
    if (status == STATUS_OK) {
        status = certificate_read_pem(tls->key_file, true, &pems->key, error);
    }
    return status == STATUS_OK ? certificate_check_pair(pems->chain, pems->key, &expires_at_ms, error) : status;
}

static enum status read_authorities(const struct rpc_tls_channel *tls, struct channel_pems *pems, struct error *error)
{
    if (!is_given(tls->ca_file)) {
        return STATUS_OK;
    }
    enum status status = certificate_read_pem(tls->ca_file, false, &pems->authorities, error);
    return status == STATUS_OK ? certificate_check_authorities(pems->authorities, error) : status;
}

enum status rpc_tls_channel_credentials(const struct rpc_tls_channel *tls, grpc_channel_credentials **out_credentials,
                                        struct error *error)
{
    static const struct rpc_tls_channel nothing = {.ca_file = NULL};
    struct channel_pems pems = {.authorities = NULL};
    tls = tls ? tls : &nothing;
    enum status status = read_authorities(tls, &pems, error);
    if (status == STATUS_OK) {
        status = read_pair(tls, &pems, error);
    }
    if (status == STATUS_OK) {
        grpc_ssl_pem_key_cert_pair pair = {.private_key = pems.key, .cert_chain = pems.chain};
        *out_credentials = grpc_ssl_credentials_create_ex(pems.authorities, pems.key ? &pair : NULL, NULL, NULL);
        status = *out_credentials ? STATUS_OK : error_set(error, STATUS_NO_MEMORY, "CERTIFICATE", "no credentials");
    }
    channel_pems_finish(&pems);
    return status;
}

enum status rpc_tls_check_channel(const char *address, const struct rpc_tls_channel *tls, struct error *error)
{
    if (strncmp(address, RPC_TLS_SCHEME, strlen(RPC_TLS_SCHEME)) == 0) {
        grpc_channel_credentials *credentials = NULL;
        enum status status = rpc_tls_channel_credentials(tls, &credentials, error);
        if (status == STATUS_OK) {
            grpc_channel_credentials_release(credentials);
        }
        return status;
    }
    if (tls &&
        (is_given(tls->ca_file) || is_given(tls->certificate_file) || is_given(tls->key_file) || is_given(tls->server_name))) {
        return error_set(error, STATUS_INVALID, "CERTIFICATE",
                         "certificates and a server name are for addresses with TLS: " RPC_TLS_SCHEME "HOST:PORT, not '%.60s'",
                         address);
    }
    return STATUS_OK;
}
