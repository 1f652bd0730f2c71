/* SPDX-License-Identifier: Apache-2.0 */
#include "service/ctl/legacy_secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config_password.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"

enum { FOLDER_MODE = 0750, SHARED_MODE = 0640, OWN_MODE = 0600, LINE_BYTES_MAX = SECRET_PASSWORD_BYTES_MAX + 2 };

enum status legacy_secrets_folder(const char *folder, char out[LEGACY_PATH_MAX], struct error *error)
{
    char real[PATH_MAX];
    char parent[LEGACY_PATH_MAX];
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    if (length == 0 || length >= sizeof parent)
        return error_set(error, STATUS_INVALID, NULL, "--secrets-dir: not a path");
    (void)snprintf(parent, sizeof parent, "%.*s", (int)length, folder);
    if (realpath(parent, real)) {
        if (text_copy(out, LEGACY_PATH_MAX, real))
            return STATUS_OK;
        return error_set(error, STATUS_INVALID, NULL, "--secrets-dir: too long");
    }
    // Not there yet: then below a folder that is.
    char *slash = strrchr(parent, '/');
    const char *name = slash ? slash + 1 : parent;
    const char *above = !slash ? "." : slash == parent ? "/" : parent;
    char own_name[NAME_MAX + 1];
    if (!text_copy(own_name, sizeof own_name, name))
        return error_set(error, STATUS_INVALID, NULL, "--secrets-dir: too long");
    if (slash)
        *slash = '\0';
    if (errno != ENOENT || !realpath(*above ? above : "/", real))
        return error_set(error, STATUS_NOT_FOUND, NULL, "%.150s: %s", folder, strerror(errno));
    int written = snprintf(out, LEGACY_PATH_MAX, "%s/%s", strcmp(real, "/") == 0 ? "" : real, own_name);
    return written < LEGACY_PATH_MAX ? STATUS_OK : error_set(error, STATUS_INVALID, NULL, "--secrets-dir: too long");
}

static enum status fail(const char *path, struct error *error)
{
    return error_set(error, STATUS_UNAVAILABLE, NULL, "%.150s: %s", path, strerror(errno));
}

/* Is it there already, and right? STATUS_NOT_FOUND: it is not there. */
static enum status look(const struct legacy_secret *secret, const char *path, struct error *error)
{
    struct stat facts;
    char *there = NULL;
    if (lstat(path, &facts) != 0)
        return errno == ENOENT ? STATUS_NOT_FOUND : fail(path, error);
    const char *fault = config_password_read(path, &there);
    bool is_right = !fault && (!secret->value || text_equal_secret(there, strlen(there), secret->value, strlen(secret->value)));
    if (there)
        memory_wipe(there, strlen(there));
    memory_free(there);
    if (fault)
        return error_set(error, STATUS_EXISTS, NULL, "%.150s: %s", path, fault);
    if (is_right)
        return STATUS_OK;
    return error_set(error, STATUS_EXISTS, NULL, "%.150s is there and has another secret: remove it, or choose another folder",
                     path);
}

static enum status write_line(int file, const char *path, const char *secret, struct error *error)
{
    char line[LINE_BYTES_MAX];
    size_t length = (size_t)snprintf(line, sizeof line, "%s\n", secret);
    size_t done = 0;
    while (done < length) {
        ssize_t written = write(file, line + done, length - done);
        if (written < 0 && errno != EINTR)
            break;
        done += written > 0 ? (size_t)written : 0;
    }
    memory_wipe(line, sizeof line);
    return done == length && fsync(file) == 0 ? STATUS_OK : fail(path, error);
}

/* Readable by the folder's group, who are those that the folder is for; by the owner alone where that cannot be. */
static enum status set_mode(int file, const char *path, gid_t group, struct error *error)
{
    struct stat facts;
    if (fstat(file, &facts) != 0)
        return fail(path, error);
    bool is_shared = facts.st_gid == group || fchown(file, (uid_t)-1, group) == 0;
    return fchmod(file, is_shared ? SHARED_MODE : OWN_MODE) == 0 ? STATUS_OK : fail(path, error);
}

static enum status write_one(const struct legacy_secret *secret, const char *folder, gid_t group, struct error *error)
{
    char path[LEGACY_PATH_MAX + LEGACY_SECRET_NAME_MAX + 1];
    char made_up[SECRET_KEY_TEXT_MAX] = "";
    (void)snprintf(path, sizeof path, "%s/%s", folder, secret->name);
    enum status status = look(secret, path, error);
    if (status != STATUS_NOT_FOUND)
        return status;
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, OWN_MODE);
    if (file < 0)
        return fail(path, error);
    if (!secret->value)
        secret_token(made_up);
    status = write_line(file, path, secret->value ? secret->value : made_up, error);
    memory_wipe(made_up, sizeof made_up);
    if (status == STATUS_OK)
        status = set_mode(file, path, group, error);
    if (close(file) != 0 && status == STATUS_OK)
        status = fail(path, error);
    if (status != STATUS_OK)
        (void)unlink(path); // half a secret is none
    return status;
}

enum status legacy_secrets_write(const struct legacy_plan *plan, const char *folder, struct error *error)
{
    struct stat facts;
    enum status status = STATUS_OK;
    if (mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST)
        return fail(folder, error);
    if (stat(folder, &facts) != 0)
        return fail(folder, error);
    for (size_t at = 0; at < plan->secret_count && status == STATUS_OK; at++)
        status = write_one(&plan->secrets[at], folder, facts.st_gid, error);
    return status;
}
