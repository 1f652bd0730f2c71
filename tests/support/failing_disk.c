/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that fails on order, for a program that a test starts: loaded with LD_PRELOAD, it stands before the C library's calls
 * that write to files. Orders are files in the folder $XQUEUE_TEST_DISK, and hold while they exist:
 *
 *   full, broken                  writes to regular files fail with ENOSPC, with EIO; "broken" also fails their fsync
 *   full-fsync, broken-fsync      only fsync of regular files fails
 *   full-rename, broken-rename    renameat fails
 *   broken-folder                 fsync of folders fails
 *
 * Threading: any thread.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { PATH_BYTES_MAX = 512 };

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t offset);

static bool is_ordered(const char *what)
{
    const char *folder = getenv("XQUEUE_TEST_DISK");
    char path[PATH_BYTES_MAX];
    int before = errno;

    (void)snprintf(path, sizeof(path), "%s/%s", folder != NULL ? folder : "", what);
    const bool result = folder != NULL && access(path, F_OK) == 0;
    errno = before;
    return result;
}

/* 0, or the error that a write to file must give now. */
static int failure(int file)
{
    struct stat facts;

    if (fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        return 0;
    }
    if (is_ordered("broken")) {
        return EIO;
    }
    return is_ordered("full") ? ENOSPC : 0;
}

/* The same for an fsync. */
static int sync_failure(int file)
{
    struct stat facts;

    if (fstat(file, &facts) == 0 && S_ISDIR(facts.st_mode)) {
        return is_ordered("broken-folder") ? EIO : 0;
    }
    if (failure(file) == EIO || is_ordered("broken-fsync")) {
        return EIO;
    }
    return is_ordered("full-fsync") ? ENOSPC : 0;
}

EXPORT ssize_t write(int file, const void *bytes, size_t length)
{
    static ssize_t (*real)(int, const void *, size_t);

    *(void **)&real = dlsym(RTLD_NEXT, "write");
    errno = failure(file);
    return errno != 0 ? -1 : real(file, bytes, length);
}

EXPORT ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);

    *(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
    errno = failure(file);
    return errno != 0 ? -1 : real(file, bytes, length, offset);
}

EXPORT ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset)
{
    return pwrite64(file, bytes, length, offset);
}

EXPORT int fsync(int file)
{
    static int (*real)(int);

    *(void **)&real = dlsym(RTLD_NEXT, "fsync");
    errno = sync_failure(file);
    return errno != 0 ? -1 : real(file);
}

EXPORT int fdatasync(int file)
{
    static int (*real)(int);

    *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    errno = sync_failure(file);
    return errno != 0 ? -1 : real(file);
}

EXPORT int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    static int (*real)(int, const char *, int, const char *);

    *(void **)&real = dlsym(RTLD_NEXT, "renameat");
    if (is_ordered("broken-rename") || is_ordered("full-rename")) {
        errno = is_ordered("broken-rename") ? EIO : ENOSPC;
        return -1;
    }
    return real(from_folder, from, to_folder, to);
}
