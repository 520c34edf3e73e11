DROP INDEX failure_task;
ALTER TABLE progress DROP COLUMN failures_from;
ALTER TABLE submission DROP COLUMN level;
DROP INDEX returned_task_level;
DROP INDEX returned_task_delayed;
ALTER TABLE returned_task DROP COLUMN level;
ALTER TABLE returned_task DROP COLUMN not_before;
