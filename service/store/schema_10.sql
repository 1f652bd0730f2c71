-- SPDX-License-Identifier: Apache-2.0
-- Version 10: tokens of programs.

-- Users may be of the configuration. roles and queue_roles: as of a user, to which the token is cut; both none: all that the user may.
CREATE TABLE token (
    id TEXT PRIMARY KEY CHECK (id <> ''),
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    user TEXT NOT NULL,
    label TEXT NOT NULL,
    roles INTEGER NOT NULL CHECK (roles BETWEEN 0 AND 15),
    queue_roles TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    used_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX token_user ON token (user);
