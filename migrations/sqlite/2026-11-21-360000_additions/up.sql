-- Ids of tasks that were added to a campaign after its first ones: `reserved` consecutive ids for the tasks from
-- `first_index`. Some may not be in use yet.
CREATE TABLE task_range (
  campaign_id BIGINT NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
  first_index BIGINT NOT NULL,
  first_task_id BIGINT NOT NULL,
  reserved BIGINT NOT NULL CHECK (reserved > 0),
  PRIMARY KEY (campaign_id, first_index)
);

-- Parameters that do not follow the campaign's own in `parameter_chunk`: those of the tasks from `first_index`, or,
-- without one, of an addition that is still arriving. Their chunks begin at 1 100 000 000 times `id`.
CREATE TABLE addition (
  id BIGINT PRIMARY KEY NOT NULL,
  campaign_id BIGINT NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
  first_index BIGINT
);
CREATE INDEX addition_campaign ON addition (campaign_id);
INSERT INTO sequence (name, next) VALUES ('addition', 1);

-- Requests that were carried out under a key of the caller's, so that the same one again does nothing.
CREATE TABLE idempotency (
  owner TEXT NOT NULL,
  key TEXT NOT NULL,
  digest TEXT NOT NULL,
  campaign_id BIGINT NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
  answer TEXT NOT NULL,
  done_at BIGINT NOT NULL,
  PRIMARY KEY (owner, key)
);
CREATE INDEX idempotency_done ON idempotency (done_at);
