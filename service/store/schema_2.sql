-- SPDX-License-Identifier: Apache-2.0
-- Version 2: users that administrators made, and indexes for what administrators look for.

-- Roles are the bits of enum config_role.
CREATE TABLE user (
    name TEXT PRIMARY KEY CHECK (name <> ''),
    password_hash TEXT NOT NULL CHECK (password_hash <> ''),
    roles INTEGER NOT NULL CHECK (roles BETWEEN 1 AND 15),
    created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- All sessions of one user end together.
CREATE INDEX login_session_user ON login_session (user);

-- What waits for a person. These are rare moves, so this costs nothing while all goes well.
CREATE INDEX submission_dead ON submission (queue_id) WHERE state = 'DEAD';
CREATE INDEX submission_ungradable ON submission (queue_id) WHERE state = 'UNGRADABLE';
CREATE INDEX delivery_undeliverable ON delivery (queue_id) WHERE state = 'UNDELIVERABLE';
