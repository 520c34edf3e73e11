DROP TABLE runner;
DROP TABLE pace;
ALTER TABLE submission DROP COLUMN results;
ALTER TABLE submission DROP COLUMN remote_count;
ALTER TABLE job DROP COLUMN slot;
