-- Who is told of events, how, and from which severity on. `admins`: also of what concerns clusters and the service.
-- `secret` signs a webhook's messages and is sealed; `retry_at` (epoch milliseconds): not before.
CREATE TABLE subscription (
  id BIGINT PRIMARY KEY NOT NULL,
  owner TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  identity TEXT COLLATE "C" NOT NULL,
  severity TEXT NOT NULL,
  digest_h BIGINT,
  admins BOOLEAN NOT NULL,
  secret BYTEA,
  created_at BIGINT NOT NULL,
  tries BIGINT NOT NULL DEFAULT 0,
  retry_at BIGINT NOT NULL DEFAULT 0,
  last_error TEXT
);
CREATE UNIQUE INDEX subscription_identity ON subscription (owner, kind, identity);
INSERT INTO sequence (name, next) VALUES ('subscription', 1);

-- Campaigns of which a user does not want to be told.
CREATE TABLE muted (
  owner TEXT COLLATE "C" NOT NULL,
  campaign_id BIGINT NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
  PRIMARY KEY (owner, campaign_id)
);

-- What each subscription is told: one row per campaign or cluster and code. `waiting`: how often it happened and was not
-- told yet, since `first_at`; told when it is due.
CREATE TABLE notice (
  subscription_id BIGINT NOT NULL REFERENCES subscription (id) ON DELETE CASCADE,
  topic TEXT COLLATE "C" NOT NULL,
  code TEXT NOT NULL,
  severity TEXT NOT NULL,
  campaign_id BIGINT,
  cluster TEXT COLLATE "C",
  title TEXT NOT NULL,
  message TEXT NOT NULL,
  waiting BIGINT NOT NULL CHECK (waiting >= 0),
  first_at BIGINT NOT NULL,
  last_at BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  sent_at BIGINT,
  PRIMARY KEY (subscription_id, topic)
);
CREATE INDEX notice_due ON notice (due_at) WHERE waiting > 0;

-- How many of an event's occurrences went into notices: what is above that cannot be missed, and is counted once. What
-- happened before this was kept is told to nobody.
ALTER TABLE event ADD COLUMN told BIGINT NOT NULL DEFAULT 0;
UPDATE event SET told = occurrences;
CREATE INDEX event_untold ON event (id) WHERE told < occurrences;
