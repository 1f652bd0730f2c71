/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/faulty_vfs.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#include <sqlite3.h>

/* SQLite allocates szOsFile bytes for it: the real file follows behind. */
struct faulty_file {
    sqlite3_file base;
    sqlite3_file *real;
};

static struct {
    sqlite3_vfs *real;
    sqlite3_vfs vfs;
    _Atomic enum faulty_fault fault;
    atomic_int left; /* writes, syncs or reads that still work */
    atomic_bool failed;
} faulty;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct faulty_file *)file)->real;
}

static bool fails_now(enum faulty_fault fault)
{
    if (faulty.fault != fault)
        return false;
    if (faulty.left > 0 && --faulty.left > 0)
        return false;
    faulty.failed = true;
    return true;
}

/* ---- files ---- */

static int file_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int file_read(sqlite3_file *file, void *out, int length, sqlite3_int64 offset)
{
    if (fails_now(FAULTY_READ_ERROR)) {
        errno = EIO;
        return SQLITE_IOERR_READ;
    }
    return real_of(file)->pMethods->xRead(real_of(file), out, length, offset);
}

static int file_write(sqlite3_file *file, const void *bytes, int length, sqlite3_int64 offset)
{
    // What SQLite's own file system answers for each: only ENOSPC is SQLITE_FULL there.
    if (fails_now(FAULTY_WRITE_FULL)) {
        errno = ENOSPC;
        return SQLITE_FULL;
    }
    if (fails_now(FAULTY_WRITE_QUOTA)) {
        errno = EDQUOT;
        return SQLITE_IOERR_WRITE;
    }
    if (fails_now(FAULTY_WRITE_ERROR)) {
        errno = EIO;
        return SQLITE_IOERR_WRITE;
    }
    return real_of(file)->pMethods->xWrite(real_of(file), bytes, length, offset);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int file_sync(sqlite3_file *file, int flags)
{
    if (fails_now(FAULTY_SYNC_ERROR)) {
        errno = EIO;
        return SQLITE_IOERR_FSYNC;
    }
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out_size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), out_size);
}

static int file_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int file_check_lock(sqlite3_file *file, int *out_locked)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out_locked);
}

static int file_control(sqlite3_file *file, int operation, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int file_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int file_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int file_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), region, size, extend, out);
}

static int file_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int file_shm_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

/* Version 2: with shared memory for the log, without memory-mapped reading, which would pass by. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* ---- the file system ---- */

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    (void)vfs;
    struct faulty_file *faulty_file = (struct faulty_file *)file;
    faulty_file->real = (sqlite3_file *)(faulty_file + 1);
    int code = faulty.real->xOpen(faulty.real, name, faulty_file->real, flags, out_flags);
    // Without methods SQLite does not close it.
    file->pMethods = code == SQLITE_OK ? &methods : NULL;
    return code;
}

void faulty_vfs_install(void)
{
    assert(!faulty.real);
    faulty.real = sqlite3_vfs_find(NULL);
    assert(faulty.real);
    // Everything but opening is the real one's: its functions look at nothing of the vfs that differs here.
    faulty.vfs = *faulty.real;
    faulty.vfs.pNext = NULL;
    faulty.vfs.zName = "faulty";
    faulty.vfs.szOsFile = (int)sizeof(struct faulty_file) + faulty.real->szOsFile;
    faulty.vfs.xOpen = open_file;
    faulty_vfs_heal();
    int code = sqlite3_vfs_register(&faulty.vfs, 1);
    assert(code == SQLITE_OK);
}

void faulty_vfs_remove(void)
{
    (void)sqlite3_vfs_unregister(&faulty.vfs); // always OK
    (void)sqlite3_vfs_register(faulty.real, 1);
    faulty.real = NULL;
}

void faulty_vfs_fail(enum faulty_fault fault, int nth)
{
    assert(nth >= 1);
    faulty.left = nth;
    faulty.failed = false;
    faulty.fault = fault;
}

void faulty_vfs_heal(void)
{
    faulty.fault = FAULTY_NOTHING;
}

bool faulty_vfs_has_failed(void)
{
    return faulty.failed;
}
