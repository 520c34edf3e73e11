DROP INDEX returned_task_level;
DROP INDEX returned_task_delayed;
CREATE INDEX returned_task_delayed ON returned_task (campaign_id, failed_on, not_before) WHERE not_before > 0;
CREATE INDEX returned_task_level ON returned_task (campaign_id, level) WHERE level > 0;
