-- A task that failed may wait for its next try until a moment (epoch milliseconds; 0: no longer), and ask for more then:
-- a level of its campaign's escalation.
ALTER TABLE returned_task ADD COLUMN not_before BIGINT NOT NULL DEFAULT 0;
ALTER TABLE returned_task ADD COLUMN level INTEGER NOT NULL DEFAULT 0;
CREATE INDEX returned_task_delayed ON returned_task (campaign_id, failed_on, not_before) WHERE not_before > 0;
CREATE INDEX returned_task_level ON returned_task (campaign_id, level) WHERE level > 0;
ALTER TABLE submission ADD COLUMN level INTEGER NOT NULL DEFAULT 0;

-- Failures for good at which its owner let the campaign go on.
ALTER TABLE progress ADD COLUMN failures_from BIGINT NOT NULL DEFAULT 0;

-- The failures of one task.
CREATE INDEX failure_task ON failure (campaign_id, task_index);
