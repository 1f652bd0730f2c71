-- SPDX-License-Identifier: Apache-2.0
-- Version 3: what was taken over from another service's database, so that taking it over again changes nothing.

-- Which submissions came, under the ids that they had there. Rows stay when the submissions are gone. digest: of what cannot
-- change of a submission, so that the same id of yet another database is told apart.
CREATE TABLE imported_submission (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL CHECK (length(digest) = 32)
) STRICT;

-- The ids that belong to the other service: we gave none of them, nor ever will.
CREATE TABLE imported_range (
    first_id INTEGER PRIMARY KEY,
    last_id INTEGER NOT NULL CHECK (last_id >= first_id)
) STRICT;

CREATE TABLE imported_user (
    name TEXT PRIMARY KEY CHECK (name <> '')
) STRICT, WITHOUT ROWID;
