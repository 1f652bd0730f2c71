/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/grade_sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX = 128, INODES_MAX = 16384, FILE_MODE = 0600 };

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
    return write_text("/proc/self/setgroups", "deny") && map_id("/proc/self/uid_map", user) &&
           map_id("/proc/self/gid_map", group);
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
    *out_doing = "cannot hide the password file";
    return !is_there(plan->hidden_file) || mount("/dev/null", plan->hidden_file, NULL, MS_BIND, NULL) == 0;
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

bool grade_sandbox_furnish(const struct grade_child_plan *plan, const char **out_doing)
{
    uint64_t disk_mib = plan->limits.value[GRADE_LIMIT_DISK];
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
    if (!mount_memory(plan->place, disk_mib, 0) || (is_there("/dev/shm") && !mount_memory("/dev/shm", disk_mib, MS_NOEXEC)))
        return false;
    *out_doing = "cannot fill the scratch folder";
    return copy_files(folder, plan->place);
}
