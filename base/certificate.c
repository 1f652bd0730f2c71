/* SPDX-License-Identifier: Apache-2.0 */
#include "base/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/memory.h"

#define MS_PER_SECOND 1000

/* ---- files ---- */

static enum status check_file(const struct stat *info, const char *path, bool is_secret, struct error *error)
{
    if (!S_ISREG(info->st_mode))
        return error_set(error, STATUS_INVALID, "CERTIFICATE", "%.150s: not a regular file", path);
    if (info->st_size > CERTIFICATE_PEM_BYTES_MAX)
        return error_set(error, STATUS_INVALID, "CERTIFICATE", "%.150s: larger than %d bytes", path, CERTIFICATE_PEM_BYTES_MAX);
    if (is_secret && (info->st_mode & S_IRWXO))
        return error_set(error, STATUS_INVALID, "CERTIFICATE", "%.150s: a private key that everybody may read: chmod o= it",
                         path);
    return STATUS_OK;
}

/* Up to capacity bytes, or -1 with errno. */
static ssize_t read_all(int file, char *out, size_t capacity)
{
    size_t length = 0;
    while (length < capacity) {
        ssize_t got = read(file, out + length, capacity - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

static enum status read_open_file(int file, const char *path, bool is_secret, char **out_pem, struct error *error)
{
    struct stat info;
    if (fstat(file, &info) != 0)
        return error_set(error, STATUS_NOT_FOUND, "CERTIFICATE", "%.150s: %s", path, strerror(errno));
    enum status status = check_file(&info, path, is_secret, error);
    if (status != STATUS_OK)
        return status;
    char *pem = memory_try_allocate(CERTIFICATE_PEM_BYTES_MAX + 1);
    if (!pem)
        return error_set(error, STATUS_NO_MEMORY, "CERTIFICATE", "out of memory");
    ssize_t length = read_all(file, pem, CERTIFICATE_PEM_BYTES_MAX);
    if (length < 0)
        status = error_set(error, STATUS_NOT_FOUND, "CERTIFICATE", "%.150s: %s", path, strerror(errno));
    else if (strlen(pem) != (size_t)length) // the memory comes zeroed
        status = error_set(error, STATUS_INVALID, "CERTIFICATE", "%.150s: not a text", path);
    if (status == STATUS_OK)
        *out_pem = pem;
    else
        certificate_free_pem(pem);
    return status;
}

enum status certificate_read_pem(const char *path, bool is_secret, char **out_pem, struct error *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return error_set(error, STATUS_NOT_FOUND, "CERTIFICATE", "%.150s: %s", path, strerror(errno));
    enum status status = read_open_file(file, path, is_secret, out_pem, error);
    (void)close(file);
    return status;
}

void certificate_free_pem(char *pem)
{
    if (pem)
        memory_wipe(pem, strlen(pem));
    memory_free(pem);
}

/* ---- texts ---- */

/* Without it the library would ask at the terminal. */
static int no_passphrase(char *out, int capacity, int is_writing, void *context)
{
    (void)out;
    (void)capacity;
    (void)is_writing;
    (void)context;
    return -1;
}

static X509 *read_certificate(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return certificate;
}

static EVP_PKEY *read_key(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

static int64_t expiry_of(const X509 *certificate)
{
    struct tm at;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &at) != 1)
        return 0;
    return (int64_t)timegm(&at) * MS_PER_SECOND;
}

enum status certificate_check_pair(const char *chain_pem, const char *key_pem, int64_t *out_expires_at_ms, struct error *error)
{
    enum status status = STATUS_OK;
    X509 *certificate = read_certificate(chain_pem);
    EVP_PKEY *key = read_key(key_pem);
    if (!certificate)
        status = error_set(error, STATUS_INVALID, "CERTIFICATE", "there is no certificate in the certificate file");
    else if (!key)
        status =
            error_set(error, STATUS_INVALID, "CERTIFICATE", "there is no private key without a passphrase in the key file");
    else if (X509_check_private_key(certificate, key) != 1)
        status = error_set(error, STATUS_INVALID, "CERTIFICATE", "the private key is not that of the first certificate");
    else
        *out_expires_at_ms = expiry_of(certificate);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return status;
}

enum status certificate_check_authorities(const char *pem, struct error *error)
{
    X509 *certificate = read_certificate(pem);
    if (!certificate)
        return error_set(error, STATUS_INVALID, "CERTIFICATE", "there is no certificate in the file of authorities");
    X509_free(certificate);
    return STATUS_OK;
}
