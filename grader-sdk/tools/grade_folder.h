/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scratch folders: one of the running xqueue-grade, and in it one for each submission.
 *
 * Threading: any thread; open and close of the outer one before and after the others.
 */
#ifndef GRADER_SDK_TOOLS_GRADE_FOLDER_H
#define GRADER_SDK_TOOLS_GRADE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

enum { GRADE_FOLDER_PATH_MAX = 3072 };

/* Makes PARENT/xqueue-grade-XXXXXX and writes its absolute path. False: errno. */
bool grade_folder_make_outer(const char *parent, char out_path[GRADE_FOLDER_PATH_MAX]);

/* Makes a fresh one in it. False: errno. */
bool grade_folder_make(const char *outer, char out_path[GRADE_FOLDER_PATH_MAX]);

/* Makes a file in it. False: errno. */
bool grade_folder_write(const char *folder, const char *name, const void *bytes, size_t length);

/* Gives it to the user that programs run as, where that is another one. False: errno. */
bool grade_folder_give(const char *folder);

/* Removes it with all that is in it. False: something could not be removed. */
bool grade_folder_remove(const char *folder);

#endif
