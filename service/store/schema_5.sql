-- SPDX-License-Identifier: Apache-2.0
-- Version 5: roles for single queues.

-- queue_roles: a line "ROLES QUEUE" for each queue; roles, here and there, are the bits of enum config_role.
CREATE TABLE user_with_queues (
    name TEXT PRIMARY KEY CHECK (name <> ''),
    password_hash TEXT NOT NULL CHECK (password_hash <> ''),
    roles INTEGER NOT NULL CHECK (roles BETWEEN 0 AND 15),
    queue_roles TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    CHECK (roles <> 0 OR queue_roles <> '')
) STRICT, WITHOUT ROWID;
INSERT INTO user_with_queues SELECT name, password_hash, roles, '', created_at_ms FROM user;
DROP TABLE user;
ALTER TABLE user_with_queues RENAME TO user;

-- A courier of some queues looks for each of them, whatever waits in others.
CREATE INDEX delivery_pending_queue ON delivery (queue_id, channel, due_at_ms) WHERE state = 'PENDING';
