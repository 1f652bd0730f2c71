/* SPDX-License-Identifier: Apache-2.0 */
#include "rest-adapter/link_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "rest-adapter/folder_store.h"

#define NAME ".key"

enum { DIGITS = 2 * FILE_LINK_SECRET_BYTES, FILE_BYTES = DIGITS + 1, READ_BYTES_MAX = 2 * FILE_BYTES };

static enum status cannot(struct error *error, const char *what)
{
    return error_set(error, STATUS_UNAVAILABLE, NULL, "cannot %s the key of file links (%s in the folder of files): %s", what,
                     NAME, strerrordesc_np(errno));
}

static int value_of(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = digit != '\0' ? strchr(digits, digit) : NULL;

    return found != NULL ? (int)(found - digits) : -1;
}

/* text: DIGITS of them, and nothing else but a newline. */
static bool parse(const char *text, size_t length, struct file_link_secret *out_secret)
{
    if (length != FILE_BYTES || text[DIGITS] != '\n') {
        return false;
    }
    for (size_t i = 0; i < FILE_LINK_SECRET_BYTES; i++) {
        int high = value_of(text[2 * i]);
        int low = value_of(text[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        out_secret->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* STATUS_NOT_FOUND: there is no file. */
static enum status read_secret(int folder, struct file_link_secret *out_secret, struct error *error)
{
    char text[READ_BYTES_MAX];
    int descriptor = openat(folder, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    enum status status = STATUS_OK;

    if (descriptor < 0) {
        return errno == ENOENT ? STATUS_NOT_FOUND : cannot(error, "read");
    }
    ssize_t count = read(descriptor, text, sizeof(text));
    if (count < 0) {
        status = cannot(error, "read");
    } else if (!parse(text, (size_t)count, out_secret)) {
        status = error_set(error, STATUS_INVALID, NULL,
                           "%s in the folder of files is not %d hex digits; remove it to get a new one (links end then)", NAME,
                           DIGITS);
    }
    close(descriptor);
    memory_wipe(text, sizeof(text));
    return status;
}

static bool write_secret(int descriptor)
{
    struct file_link_secret secret;
    char text[FILE_BYTES + 1];

    secret_random(secret.bytes, sizeof(secret.bytes));
    text_hex(text, secret.bytes, sizeof(secret.bytes));
    text[DIGITS] = '\n';
    errno = EIO; // of a short write
    bool is_written = write(descriptor, text, FILE_BYTES) == FILE_BYTES && fsync(descriptor) == 0;
    memory_wipe(text, sizeof(text));
    memory_wipe(&secret, sizeof(secret));
    return is_written;
}

/* link() gives the name to a whole file, and only to the first one. */
static enum status make_secret(int folder, int incoming, struct error *error)
{
    char name[SECRET_KEY_TEXT_MAX];
    enum status status = STATUS_OK;
    int descriptor = -1;

    secret_key(name);
    descriptor = openat(incoming, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return cannot(error, "make");
    }
    if (!write_secret(descriptor) || (linkat(incoming, name, folder, NAME, 0) != 0 && errno != EEXIST)) {
        status = cannot(error, "make");
    }
    close(descriptor);
    (void)unlinkat(incoming, name, 0);
    return status;
}

enum status link_secret_load(int folder, int incoming, struct file_link_secret *out_secret, struct error *error)
{
    enum status status = read_secret(folder, out_secret, error);

    if (status == STATUS_NOT_FOUND) {
        status = make_secret(folder, incoming, error);
        if (status == STATUS_OK) {
            status = read_secret(folder, out_secret, error);
        }
    }
    // whoever made it may not have come to this yet
    return status == STATUS_OK && !folder_store_sync(folder, ".") ? cannot(error, "sync") : status;
}
