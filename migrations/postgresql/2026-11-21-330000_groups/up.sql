-- A remote job may run several tasks: each has a job row of its own, in its place (`slot`, from 0), and the rows share
-- array index and remote id.
ALTER TABLE job ADD COLUMN slot INTEGER NOT NULL DEFAULT 0;

-- Remote jobs of the submission. Where the results of grouped tasks are: 'here' below the working directory, 'home'
-- below the home directory; NULL where each task is a remote job.
ALTER TABLE submission ADD COLUMN remote_count BIGINT NOT NULL DEFAULT 0;
UPDATE submission SET remote_count = job_count;
ALTER TABLE submission ADD COLUMN results TEXT CHECK (results IN ('here', 'home'));

-- What was seen of a campaign's grouped tasks on a cluster. Times are milliseconds.
CREATE TABLE pace (
  campaign_id BIGINT NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
  cluster TEXT NOT NULL,
  tasks BIGINT NOT NULL,
  busy_ms BIGINT NOT NULL,
  jobs BIGINT NOT NULL,
  job_ms BIGINT NOT NULL,
  kills BIGINT NOT NULL,
  PRIMARY KEY (campaign_id, cluster)
);

-- The script that runs groups, in a user's home on a cluster: which one was seen to work there, and how often one was
-- found missing.
CREATE TABLE runner (
  login TEXT NOT NULL,
  cluster TEXT NOT NULL,
  name TEXT,
  misses BIGINT NOT NULL,
  PRIMARY KEY (login, cluster)
);
