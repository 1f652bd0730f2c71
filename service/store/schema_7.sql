-- SPDX-License-Identifier: Apache-2.0
-- Version 7: queues that administrators made, and which queues are paused or draining.

-- Of every queue, whoever made it.
ALTER TABLE queue ADD COLUMN paused INTEGER NOT NULL DEFAULT 0 CHECK (paused = 0 OR paused = 1);
ALTER TABLE queue ADD COLUMN draining INTEGER NOT NULL DEFAULT 0 CHECK (draining = 0 OR draining = 1);

-- One row for each queue that an administrator made. Those of the configuration have their settings there. When a queue is deleted
-- its row goes, while its name stays in queue for the finished submissions that it leaves behind.
CREATE TABLE queue_settings (
    queue_id INTEGER PRIMARY KEY REFERENCES queue (id),
    lease_ms INTEGER NOT NULL,
    hard_limit_ms INTEGER NOT NULL,
    accept_within_ms INTEGER NOT NULL,
    attempts_max INTEGER NOT NULL,
    poison_graders_max INTEGER NOT NULL,
    retry_delay_ms INTEGER NOT NULL,
    retry_delay_ms_max INTEGER NOT NULL,
    ready_max INTEGER NOT NULL,
    body_bytes_max INTEGER NOT NULL
) STRICT;
