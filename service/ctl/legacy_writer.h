/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration that an import plan becomes: YAML with a comment on each value that says where it came from, and all notes
 * at its end. Holds no secret, only the paths of their files.
 *
 * Threading: pure.
 */
#ifndef SERVICE_CTL_LEGACY_WRITER_H
#define SERVICE_CTL_LEGACY_WRITER_H

#include "base/text.h"
#include "service/ctl/legacy_plan.h"

enum { LEGACY_CONFIG_BYTES_MAX = 1024 * 1024 }; /* CONFIG_FILE_BYTES_MAX */

/* Appends the whole file; text_status of out tells whether it fits. secrets_folder: an absolute path, or "passwords". */
void legacy_writer_write(const struct legacy_plan *plan, const char *secrets_folder, struct text *out);

#endif
