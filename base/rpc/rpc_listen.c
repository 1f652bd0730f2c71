/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <grpc/grpc_security.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/rpc/rpc_server_internal.h"
#include "base/text.h"

#define UNIX_PREFIX "unix:"

enum {
    PORT_MAX = 65535,
    HOST_TEXT_MAX = INET6_ADDRSTRLEN,
    SOCKET_FILE_MODE = 0660, /* peers are told apart by the right to open the file */
};

static enum status bad_address(const char *address, struct error *error)
{
    return error_set(error, STATUS_INVALID, "LISTENER", "'%s' is not unix:/PATH, IPV4:PORT or [IPV6]:PORT", address);
}

static bool is_host(const char *text, size_t length)
{
    char host[HOST_TEXT_MAX];
    struct in6_addr parsed;
    const bool bracketed = length > 2 && text[0] == '[' && text[length - 1] == ']';
    if (bracketed) {
        text++;
        length -= 2;
    }
    if (length == 0 || length >= sizeof(host)) {
        return false;
    }
    memcpy(host, text, length);
    host[length] = '\0';
    return inet_pton(bracketed ? AF_INET6 : AF_INET, host, &parsed) == 1;
}

/*
 * Numeric addresses only: a name may stand for several addresses, and the C core is content when it can bind one of them.
 * The port's range is checked here because the C core cuts it to 16 bits.
 */
static bool parse_tcp(const char *address, int64_t *out_port)
{
    const char *colon = strrchr(address, ':');
    return colon != NULL && is_host(address, (size_t)(colon - address)) &&
           text_to_int64(colon + 1, 0, PORT_MAX, out_port) == STATUS_OK;
}

static int add_port(grpc_server *server, const char *address, struct rpc_tls *tls)
{
    grpc_server_credentials *credentials =
        tls != NULL ? rpc_tls_server_credentials(tls) : grpc_insecure_server_credentials_create();
    const int port = grpc_server_add_http2_port(server, address, credentials);
    grpc_server_credentials_release(credentials);
    return port;
}

static enum status bind_tcp(grpc_server *server, const char *address, struct rpc_tls *tls, int *out_port, struct error *error)
{
    int64_t wanted = 0;
    if (!parse_tcp(address, &wanted)) {
        return bad_address(address, error);
    }
    const int port = add_port(server, address, tls);
    if (port == 0 || (wanted != 0 && port != wanted)) {
        return error_set(error, STATUS_UNAVAILABLE, "LISTENER", "cannot listen on %s: taken, not here, or not permitted",
                         address);
    }
    *out_port = port;
    return STATUS_OK;
}

/* Does somebody accept there? A full backlog (EAGAIN) is somebody too; so is one whom we may not reach (EACCES). */
static bool somebody_answers(const struct sockaddr_un *address, struct error *error)
{
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        (void)error_set(error, STATUS_UNAVAILABLE, "LISTENER", "no socket: %s", strerror(errno));
        return true;
    }
    const int outcome = connect(descriptor, (const struct sockaddr *)address, sizeof(*address));
    const int reason = outcome == 0 ? 0 : errno;
    (void)close(descriptor);
    if (reason == ECONNREFUSED || reason == ENOENT) {
        return false;
    }
    (void)error_set(error, STATUS_UNAVAILABLE, "LISTENER", "unix:%s belongs to a running server", address->sun_path);
    return true;
}

/* The C core removes whatever socket file is there, also that of a living server; so look first. */
static enum status clear_path(const struct sockaddr_un *address, struct error *error)
{
    struct stat found;
    if (lstat(address->sun_path, &found) != 0) {
        return STATUS_OK; /* nothing there, or bind will say what is wrong */
    }
    if (!S_ISSOCK(found.st_mode)) {
        return error_set(error, STATUS_UNAVAILABLE, "LISTENER", "%s is there and is no socket", address->sun_path);
    }
    if (somebody_answers(address, error)) {
        return STATUS_UNAVAILABLE;
    }
    if (unlink(address->sun_path) != 0 && errno != ENOENT) {
        return error_set(error, STATUS_UNAVAILABLE, "LISTENER", "cannot remove the old socket %s: %s", address->sun_path,
                         strerror(errno));
    }
    return STATUS_OK;
}

static enum status bind_unix(grpc_server *server, const char *address, int *out_port, struct error *error)
{
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    const char *path = address + strlen(UNIX_PREFIX);
    if (path[0] != '/' || !text_copy(place.sun_path, sizeof(place.sun_path), path)) {
        return error_set(error, STATUS_INVALID, "LISTENER", "'%s' is not unix:/PATH of at most %d bytes", address,
                         (int)sizeof(place.sun_path) - 1);
    }
    const enum status status = clear_path(&place, error);
    if (status != STATUS_OK) {
        return status;
    }
    const int port = add_port(server, address, NULL);
    if (port == 0) {
        return error_set(error, STATUS_UNAVAILABLE, "LISTENER", "cannot listen on %s", address);
    }
    if (chmod(path, SOCKET_FILE_MODE) != 0) {
        return error_set(error, STATUS_UNAVAILABLE, "LISTENER", "cannot protect %s: %s", path, strerror(errno));
    }
    *out_port = port;
    return STATUS_OK;
}

enum status rpc_listen_bind(grpc_server *server, const char *address, struct rpc_tls *tls, int *out_port, struct error *error)
{
    const bool is_unix = strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
    if (is_unix && tls != NULL) {
        return error_set(error, STATUS_INVALID, "LISTENER", "%s: TLS is for addresses of a network", address);
    }
    if (is_unix) {
        return bind_unix(server, address, out_port, error);
    }
    return bind_tcp(server, address, tls, out_port, error);
}
