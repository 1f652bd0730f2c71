/* SPDX-License-Identifier: Apache-2.0 */
#include "grader-sdk/tools/grade_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "grader-sdk/tools/grade_child.h"

enum { FOLDERS_OPEN_MAX = 8, FILE_MODE = 0600, OUTER_MODE = 0711 };

static bool make(const char *parent, const char *beginning, char out_path[GRADE_FOLDER_PATH_MAX])
{
    int length = snprintf(out_path, GRADE_FOLDER_PATH_MAX, "%s/%sXXXXXX", parent, beginning);
    if (length < 0 || length >= GRADE_FOLDER_PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    return mkdtemp(out_path) != NULL;
}

bool grade_folder_make_outer(const char *parent, char out_path[GRADE_FOLDER_PATH_MAX])
{
    char absolute[PATH_MAX];
    // Programs may run as somebody else, who must get through to his own folder.
    return realpath(parent, absolute) && make(absolute, "xqueue-grade-", out_path) && chmod(out_path, OUTER_MODE) == 0;
}

bool grade_folder_make(const char *outer, char out_path[GRADE_FOLDER_PATH_MAX])
{
    return make(outer, "", out_path);
}

bool grade_folder_write(const char *folder, const char *name, const void *bytes, size_t length)
{
    char path[PATH_MAX];
    size_t done = 0;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    ssize_t written = 0;
    while (file >= 0 && done < length) {
        written = write(file, (const char *)bytes + done, length - done);
        if (written < 0 && errno != EINTR)
            break;
        done += written > 0 ? (size_t)written : 0;
    }
    return file >= 0 && close(file) == 0 && done == length;
}

bool grade_folder_give(const char *folder)
{
    if (geteuid() != 0)
        return true;
    DIR *files = opendir(folder);
    if (!files)
        return false;
    bool is_given = true;
    for (const struct dirent *entry = readdir(files); entry && is_given; entry = readdir(files))
        is_given = entry->d_type != DT_REG ||
                   fchownat(dirfd(files), entry->d_name, GRADE_CHILD_NOBODY, GRADE_CHILD_NOBODY, AT_SYMLINK_NOFOLLOW) == 0;
    is_given = is_given && fchown(dirfd(files), GRADE_CHILD_NOBODY, GRADE_CHILD_NOBODY) == 0;
    (void)closedir(files);
    return is_given;
}

static int remove_entry(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    (void)remove(path);
    return 0;
}

bool grade_folder_remove(const char *folder)
{
    (void)nftw(folder, remove_entry, FOLDERS_OPEN_MAX, FTW_DEPTH | FTW_PHYS);
    return access(folder, F_OK) != 0;
}
