-- SPDX-License-Identifier: Apache-2.0
-- Version 6: which graders a submission has taken down with it, so that poison is told from one bad grader.

CREATE TABLE lost_grader (
    submission_id INTEGER NOT NULL REFERENCES submission (id) ON DELETE CASCADE,
    grader TEXT NOT NULL CHECK (grader <> ''),
    PRIMARY KEY (submission_id, grader)
) STRICT, WITHOUT ROWID;
