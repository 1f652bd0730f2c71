-- SPDX-License-Identifier: Apache-2.0
-- Version 4: what is looked for often is found without a walk.

-- A submitter's own submissions, newest first.
CREATE INDEX content_submitter ON content (submitter);
-- Whether any submission names an uploaded file.
CREATE INDEX file_named ON file (file_id) WHERE file_id <> '';
