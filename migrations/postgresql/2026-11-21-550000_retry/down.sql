DROP INDEX job_retried;
DROP INDEX job_unlucky;
DROP TABLE retry_override;
