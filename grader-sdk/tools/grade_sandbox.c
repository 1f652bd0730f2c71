/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/grade_sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 128, INODES_MAX = 16384, FILE_MODE = 0600, FOLDER_MODE = 0700 };

static bool write_text(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    bool is_written = write(file, text, strlen(text)) == (ssize_t)strlen(text);
    int error = errno;
    (void)close(file);
    errno = error;
    return is_written;
}

/* The same number inside as outside. */
static bool map_id(const char *path, unsigned id)
{
    char line[TEXT_MAX];
    (void)snprintf(line, sizeof(line), "%u %u 1", id, id);
    return write_text(path, line);
}

bool grade_sandbox_enter(const struct grade_child_plan *plan, const char **out_doing)
{
    int kinds = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
    unsigned user = geteuid();
    unsigned group = getegid();
    *out_doing = "cannot make namespaces";
    if (unshare(plan->has_network ? kinds : kinds | CLONE_NEWNET) != 0)
        return false;
    *out_doing = "cannot map users into the namespace";
    if (!write_text("/proc/self/setgroups", "deny") || !map_id("/proc/self/uid_map", user) ||
        !map_id("/proc/self/gid_map", group))
        return false;
    *out_doing = "cannot forbid further namespaces";
    // In them a program could mount memory without a bound. A container whose /proc/sys is read-only has none either, or
    // lets the bound of all memory stand alone.
    return plan->has_namespaces || write_text("/proc/sys/user/max_user_namespaces", "0") || errno == EROFS;
}

static bool mount_memory(const char *place, uint64_t mib, unsigned long flags)
{
    char options[TEXT_MAX];
    (void)snprintf(options, sizeof(options), "size=%" PRIu64 "m,nr_inodes=%d,mode=0700", mib, INODES_MAX);
    return mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV | flags, options) == 0;
}

/* A folder or file that this system lacks needs no cover. */
static bool is_there(const char *path)
{
    return path[0] && access(path, F_OK) == 0;
}

static bool cover(const struct grade_child_plan *plan, const char **out_doing)
{
    *out_doing = "cannot cover /proc";
    // In a container that masks parts of its own /proc the kernel refuses a fresh one: then none is seen.
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0 && !mount_memory("/proc", 1, MS_RDONLY))
        return false;
    *out_doing = "cannot cover /run";
    if (!plan->has_network && is_there("/run") && // with a network, /run has what names are resolved by
        !mount_memory("/run", 1, MS_RDONLY))
        return false;
    *out_doing = "cannot hide a file with a secret";
    for (size_t i = 0; i < GRADE_CHILD_HIDDEN_MAX; i++) {
        if (is_there(plan->hidden[i]) && mount("/dev/null", plan->hidden[i], NULL, MS_BIND, NULL) != 0)
            return false;
    }
    return true;
}

static bool make_read_only(void)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
    return mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attributes, sizeof(attributes)) == 0;
}

static bool copy_file(int from_folder, int to_folder, const char *name)
{
    int from = openat(from_folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int to = openat(to_folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    struct stat about;
    bool is_copied = from >= 0 && to >= 0 && fstat(from, &about) == 0;
    for (off_t at = 0; is_copied && at < about.st_size;)
        is_copied = sendfile(to, from, &at, (size_t)(about.st_size - at)) > 0;
    if (from >= 0)
        (void)close(from);
    if (to >= 0)
        (void)close(to);
    return is_copied;
}

/* Takes folder. */
static bool copy_files(int folder, const char *place)
{
    int to = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *files = fdopendir(folder);
    bool is_copied = to >= 0 && files;
    for (const struct dirent *entry = is_copied ? readdir(files) : NULL; entry && is_copied; entry = readdir(files))
        is_copied = entry->d_type != DT_REG || copy_file(folder, to, entry->d_name);
    if (files)
        (void)closedir(files);
    if (to >= 0)
        (void)close(to);
    return is_copied;
}

/* ---- what can be written to: three folders of one memory, which has one bound ---- */

enum part { PART_SCRATCH, PART_TMP, PART_SHM, PART_COUNT };

struct parts {
    int trees[PART_COUNT]; /* mounts without a place as yet */
};

static bool make_parts(const char *place, uint64_t mib, struct parts *parts)
{
    static const char *const names[PART_COUNT] = {"scratch", "tmp", "shm"};
    char path[PATH_MAX];
    if (!mount_memory(place, mib, 0))
        return false;
    for (int i = 0; i < PART_COUNT; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", place, names[i]);
        if (mkdir(path, FOLDER_MODE) != 0)
            return false;
        parts->trees[i] = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (parts->trees[i] < 0)
            return false;
    }
    return umount2(place, MNT_DETACH) == 0;
}

static bool is_beneath(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && path[length] == '/';
}

/* Where a program lies in /tmp itself, or what it is told to read, /tmp stays as it is. */
static bool is_needed(const struct grade_child_plan *plan, const char *folder)
{
    for (char *const *word = plan->command; *word; word++) {
        if (is_beneath(*word, folder))
            return true;
    }
    return false;
}

static bool put(int tree, const char *place)
{
    return move_mount(tree, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

/* Puts an empty one over folder, and makes the scratch folder's place in it again, where that is beneath. */
static bool put_tmp(const struct grade_child_plan *plan, const struct parts *parts, const char *folder)
{
    struct stat about;
    char path[PATH_MAX];
    int tree = -1;
    if (lstat(folder, &about) != 0 || !S_ISDIR(about.st_mode) || is_needed(plan, folder))
        return true;
    tree = open_tree(parts->trees[PART_TMP], "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    bool is_put = tree >= 0 && put(tree, folder);
    if (tree >= 0)
        (void)close(tree);
    if (!is_put || !is_beneath(plan->place, folder))
        return is_put;
    (void)snprintf(path, sizeof(path), "%s", plan->place);
    for (char *end = strchr(path + strlen(folder) + 1, '/'); end; end = strchr(end + 1, '/')) {
        *end = '\0';
        if (mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST)
            return false;
        *end = '/';
    }
    return mkdir(path, FOLDER_MODE) == 0;
}

static bool put_parts(const struct grade_child_plan *plan, const struct parts *parts)
{
    bool is_put = put_tmp(plan, parts, "/tmp") && put_tmp(plan, parts, "/var/tmp") &&
                  put(parts->trees[PART_SCRATCH], plan->place) &&
                  (!is_there("/dev/shm") || put(parts->trees[PART_SHM], "/dev/shm"));
    int error = errno;
    for (int i = 0; i < PART_COUNT; i++)
        (void)close(parts->trees[i]);
    errno = error;
    return is_put;
}

bool grade_sandbox_furnish(const struct grade_child_plan *plan, const char **out_doing)
{
    uint64_t disk_mib = plan->limits.value[GRADE_LIMIT_DISK];
    struct parts parts;
    *out_doing = "cannot open the scratch folder";
    int folder = open(plan->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return false;
    *out_doing = "cannot take the mounts apart from the system's";
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || !cover(plan, out_doing))
        return false;
    *out_doing = "cannot make the file system read-only";
    if (!make_read_only())
        return false;
    *out_doing = "cannot mount the scratch folder";
    if (!make_parts(plan->place, disk_mib, &parts) || !put_parts(plan, &parts))
        return false;
    *out_doing = "cannot fill the scratch folder";
    return copy_files(folder, plan->place);
}
