-- From a generation on, a campaign's tasks ask for something else than its file says: a user retried them so.
CREATE TABLE retry_override (
  campaign_id BIGINT NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
  generation_from INTEGER NOT NULL,
  ask TEXT NOT NULL,
  PRIMARY KEY (campaign_id, generation_from)
);
-- What failed is found without reading what did not; so is the highest generation.
CREATE INDEX job_unlucky ON job (campaign_id, task_index) WHERE state IN ('failed', 'cancelled');
CREATE INDEX job_retried ON job (campaign_id, generation) WHERE generation > 1;
