-- Attempts that failed, with what kind of trouble, where, and in which words; preempted ones are not kept.
CREATE TABLE failure (
  job_id BIGINT PRIMARY KEY NOT NULL REFERENCES job (id) ON DELETE CASCADE,
  campaign_id BIGINT NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
  cluster TEXT NOT NULL,
  task_index BIGINT NOT NULL,
  generation INTEGER NOT NULL,
  is_final BOOLEAN NOT NULL,
  class TEXT NOT NULL,
  exit_code INTEGER,
  node TEXT,
  signature TEXT,
  at BIGINT NOT NULL
);
CREATE INDEX failure_campaign ON failure (campaign_id, class);
