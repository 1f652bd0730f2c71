/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file system for SQLite that works until it is told to fail: the n-th write, sync or read from now, and from then on all of
 * them until it is healed. Underneath is the real one, so what was written before is really on disk.
 *
 * Threading: installed and removed by the test's thread, while nobody has a file open; the rest any thread. One at a time for
 * the whole process.
 */
#ifndef TESTS_SUPPORT_FAULTY_VFS_H
#define TESTS_SUPPORT_FAULTY_VFS_H

#include <stdbool.h>

enum faulty_fault {
    FAULTY_NOTHING,
    FAULTY_WRITE_FULL,  /* a write finds no space */
    FAULTY_WRITE_QUOTA, /* the same, for the user alone */
    FAULTY_WRITE_ERROR, /* a write fails with an I/O error */
    FAULTY_SYNC_ERROR,  /* a sync fails with an I/O error */
    FAULTY_READ_ERROR,  /* a read fails with an I/O error */
};

/* Makes it SQLite's default file system; the stores opened from then on use it. */
void faulty_vfs_install(void);
void faulty_vfs_remove(void); /* with no store open */

/* fault happens at the nth (from 1) write, sync or read from now, and at all later ones. */
void faulty_vfs_fail(enum faulty_fault fault, int nth);
void faulty_vfs_heal(void);
bool faulty_vfs_has_failed(void); /* since the last faulty_vfs_fail */

#endif
