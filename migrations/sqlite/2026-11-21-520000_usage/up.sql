-- What jobs had of clusters, by the day (UTC, counted from the epoch) on which they ended: core-milliseconds, and numbers
-- of jobs. Kept for good; jobs that ended before this table was made are in no account.
CREATE TABLE account (
  campaign_id BIGINT NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
  cluster TEXT NOT NULL,
  day BIGINT NOT NULL,
  useful_ms BIGINT NOT NULL,
  lost_ms BIGINT NOT NULL,
  failed_ms BIGINT NOT NULL,
  cancelled_ms BIGINT NOT NULL,
  done BIGINT NOT NULL,
  killed BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  cancelled BIGINT NOT NULL,
  guessed BIGINT NOT NULL,
  untimed BIGINT NOT NULL,
  PRIMARY KEY (campaign_id, cluster, day)
);
CREATE INDEX account_day ON account (day);

-- Samples of clusters, in their resources. A cluster that did not answer has none: a gap, not zeros.
CREATE TABLE grid_usage (
  cluster TEXT NOT NULL,
  at BIGINT NOT NULL,
  total BIGINT NOT NULL,
  used BIGINT NOT NULL,
  ours BIGINT NOT NULL,
  unavailable BIGINT NOT NULL,
  PRIMARY KEY (cluster, at)
);
CREATE INDEX grid_usage_at ON grid_usage (at);

-- When a token was issued, whether the server asks for a new one by itself (needed, always, never), and when it last did.
ALTER TABLE token ADD COLUMN issued_at BIGINT;
ALTER TABLE token ADD COLUMN renewal TEXT NOT NULL DEFAULT 'needed';
ALTER TABLE token ADD COLUMN renewed_at BIGINT;
