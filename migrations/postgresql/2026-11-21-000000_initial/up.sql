-- Times are milliseconds since the epoch (UTC). Ids come from `sequence`, so that they are known before the insert.
-- Names are ordered and compared by their bytes, as SQLite does.

CREATE TABLE sequence (
  name TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  next BIGINT NOT NULL
);
INSERT INTO sequence (name, next) VALUES
  ('campaign', 1), ('task', 1), ('submission', 1), ('job', 1), ('event', 1);

-- Which database this is: part of every remote name.
CREATE TABLE instance (
  one INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
  name TEXT COLLATE "C" NOT NULL
);

CREATE TABLE cluster (
  name TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('oar3', 'local')),
  url TEXT NOT NULL,
  limits TEXT NOT NULL,
  watermark BIGINT NOT NULL DEFAULT 0,
  last_round_at BIGINT
);

CREATE TABLE token (
  owner TEXT COLLATE "C" NOT NULL,
  cluster TEXT COLLATE "C" NOT NULL,
  login TEXT COLLATE "C" NOT NULL,
  secret BYTEA NOT NULL,
  expires_at BIGINT,
  PRIMARY KEY (owner, cluster)
);

CREATE TABLE campaign (
  id BIGINT PRIMARY KEY NOT NULL,
  owner TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('receiving', 'active', 'paused', 'finished', 'cancelled')),
  jdl TEXT NOT NULL,
  spec TEXT NOT NULL,
  counted BOOLEAN NOT NULL,
  first_task_id BIGINT NOT NULL,
  task_count BIGINT NOT NULL,
  origin_path TEXT COLLATE "C",
  origin_digest TEXT,
  submitted_at BIGINT NOT NULL,
  finished_at BIGINT
);
CREATE INDEX campaign_state ON campaign (state);
CREATE INDEX campaign_origin ON campaign (origin_path) WHERE origin_path IS NOT NULL;

-- The bag's cursor and the counters, apart from the campaign's texts because they change every round.
-- task_count = pending + live + done + failed + cancelled, always.
CREATE TABLE progress (
  campaign_id BIGINT PRIMARY KEY NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
  next_index BIGINT NOT NULL,
  pending BIGINT NOT NULL CHECK (pending >= 0),
  live BIGINT NOT NULL CHECK (live >= 0),
  running BIGINT NOT NULL CHECK (running >= 0),
  done BIGINT NOT NULL,
  failed BIGINT NOT NULL CHECK (failed >= 0),
  cancelled BIGINT NOT NULL,
  kills BIGINT NOT NULL
);

-- 1 000 parameters a row, joined by newlines; nothing for campaigns whose parameters are computed.
CREATE TABLE parameter_chunk (
  campaign_id BIGINT NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
  first_index BIGINT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (campaign_id, first_index)
);

-- Tasks that came back to the bag. `place`: 1 before the tasks never tried, 0 after them.
CREATE TABLE returned_task (
  campaign_id BIGINT NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
  task_index BIGINT NOT NULL,
  generation INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  place INTEGER NOT NULL,
  avoid_cluster TEXT COLLATE "C",
  PRIMARY KEY (campaign_id, task_index)
);

CREATE TABLE submission (
  id BIGINT PRIMARY KEY NOT NULL,
  campaign_id BIGINT NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
  cluster TEXT COLLATE "C" NOT NULL,
  owner TEXT COLLATE "C" NOT NULL,
  remote_user TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('intent', 'unknown', 'submitted', 'open', 'closed', 'refused', 'abandoned')),
  name TEXT COLLATE "C" NOT NULL UNIQUE,
  gate_id BIGINT,
  array_id BIGINT,
  directory TEXT NOT NULL,
  job_count BIGINT NOT NULL,
  -- What the last look saw: unchanged counts mean that nothing has to be listed again.
  seen_waiting BIGINT NOT NULL DEFAULT -1,
  seen_final BIGINT NOT NULL DEFAULT -1,
  reason TEXT,
  created_at BIGINT NOT NULL,
  changed_at BIGINT NOT NULL
);
CREATE INDEX submission_unsettled ON submission (cluster) WHERE state IN ('intent', 'unknown', 'submitted', 'open');
CREATE INDEX submission_campaign ON submission (campaign_id);

CREATE TABLE job (
  id BIGINT PRIMARY KEY NOT NULL,
  submission_id BIGINT NOT NULL REFERENCES submission (id) ON DELETE CASCADE,
  array_index BIGINT NOT NULL,
  campaign_id BIGINT NOT NULL,
  task_index BIGINT NOT NULL,
  generation INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN
    ('launching', 'submitted', 'running', 'unknown', 'done', 'failed', 'killed', 'returned', 'cancelled')),
  remote_id BIGINT,
  exit_code INTEGER,
  cause TEXT,
  detail TEXT,
  started_at BIGINT,
  stopped_at BIGINT
);
CREATE INDEX job_submission ON job (submission_id);
CREATE INDEX job_task ON job (campaign_id, task_index);
-- The database itself refuses two live jobs, or two successes, of one task generation.
CREATE UNIQUE INDEX job_one_live ON job (campaign_id, task_index)
  WHERE state IN ('launching', 'submitted', 'running', 'unknown');
CREATE UNIQUE INDEX job_one_success ON job (campaign_id, task_index, generation) WHERE state = 'done';

-- An open event with `holds` stops submissions in its scope until it is closed.
CREATE TABLE event (
  id BIGINT PRIMARY KEY NOT NULL,
  code TEXT COLLATE "C" NOT NULL,
  severity TEXT NOT NULL,
  -- campaign, cluster and owner in one text: the key under which repetitions are counted.
  scope TEXT COLLATE "C" NOT NULL,
  campaign_id BIGINT,
  cluster TEXT COLLATE "C",
  owner TEXT COLLATE "C",
  message TEXT NOT NULL,
  holds BOOLEAN NOT NULL,
  occurrences BIGINT NOT NULL,
  opened_at BIGINT NOT NULL,
  last_at BIGINT NOT NULL,
  closed_at BIGINT
);
CREATE UNIQUE INDEX event_open ON event (code, scope) WHERE closed_at IS NULL;
CREATE INDEX event_campaign ON event (campaign_id);

-- The last round's decision per campaign and cluster: the answer to "why is nothing sent?".
CREATE TABLE decision (
  campaign_id BIGINT NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
  cluster TEXT COLLATE "C" NOT NULL,
  decided_at BIGINT NOT NULL,
  allowed BIGINT NOT NULL,
  bound_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (campaign_id, cluster)
);
