DROP TABLE gate_test;
ALTER TABLE cluster DROP COLUMN ids_since;
DROP TABLE remote_job;
DROP INDEX job_wish;
ALTER TABLE job DROP COLUMN wish;
ALTER TABLE job DROP COLUMN missing_since;
