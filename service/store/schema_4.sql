-- SPDX-License-Identifier: Apache-2.0
-- Version 4: a submitter's own submissions, newest first, without walking over those of others.

CREATE INDEX content_submitter ON content (submitter);
