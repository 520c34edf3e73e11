-- A round reads only tasks that wait now, not those that waited once; and the levels of a campaign, not its tasks.
DROP INDEX returned_task_delayed;
DROP INDEX returned_task_level;
CREATE INDEX returned_task_delayed ON returned_task (campaign_id, not_before, failed_on) WHERE not_before <> 0;
CREATE INDEX returned_task_level ON returned_task (campaign_id, level, not_before) WHERE level <> 0;
