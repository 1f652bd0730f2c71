-- SPDX-License-Identifier: Apache-2.0
-- Version 8: submissions that are graded once more, and how far that has come.

-- One row for each time that an administrator had many graded once more; the newest 1,000 are kept, and all that are not over.
CREATE TABLE regrade (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    begun_at_ms INTEGER NOT NULL,
    total INTEGER NOT NULL,
    graded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    CHECK (graded >= 0 AND failed >= 0 AND graded + failed <= total)
) STRICT;

-- One row for each submission whose new result is awaited.
CREATE TABLE regraded (
    submission_id INTEGER PRIMARY KEY REFERENCES submission (id) ON DELETE CASCADE,
    regrade_id INTEGER NOT NULL REFERENCES regrade (id)
) STRICT;
CREATE INDEX regraded_by_regrade ON regraded (regrade_id);
