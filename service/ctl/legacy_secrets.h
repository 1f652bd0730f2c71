/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of secrets that `import-config` writes: one for each, never over another one.
 *
 * Threading: main thread only.
 */
#ifndef SERVICE_CTL_LEGACY_SECRETS_H
#define SERVICE_CTL_LEGACY_SECRETS_H

#include <stddef.h>

#include "base/status.h"
#include "service/ctl/legacy_plan.h"

enum { LEGACY_PATH_MAX = 4096 };

/*
 * Where the files will lie, as an absolute path: folder must be there, or can be made below one that is. out: as long as
 * LEGACY_PATH_MAX. STATUS_NOT_FOUND with text.
 */
enum status legacy_secrets_folder(const char *folder, char out[LEGACY_PATH_MAX], struct error *error) STATUS_CHECKED;

/*
 * Makes folder (mode 0750) unless it is there, and writes every secret of the plan into a file of mode 0640 that belongs to the
 * folder's group (0600 when it cannot be given to that group). A file that is there and has the same secret, or one where the
 * plan would make it up, is left alone; with another secret: STATUS_EXISTS, and it is untouched. Errors: STATUS_UNAVAILABLE
 * with text; what was written until then stays.
 */
enum status legacy_secrets_write(const struct legacy_plan *plan, const char *folder, struct error *error) STATUS_CHECKED;

#endif
