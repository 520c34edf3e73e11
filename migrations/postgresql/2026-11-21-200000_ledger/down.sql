DROP TABLE gate_test;
ALTER TABLE cluster DROP COLUMN ids_since;
ALTER TABLE submission DROP COLUMN watermark;
DROP TABLE remote_job;
DROP INDEX job_wish;
ALTER TABLE job DROP COLUMN wish;
ALTER TABLE job DROP COLUMN missing_since;
