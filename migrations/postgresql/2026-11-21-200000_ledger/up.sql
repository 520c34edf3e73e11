-- A job that its cluster does not show: since when (milliseconds). A job that its owner wants dead: 'cancel' ends its
-- task, 'again' sends the task back to the bag.
ALTER TABLE job ADD COLUMN missing_since BIGINT;
ALTER TABLE job ADD COLUMN wish TEXT COLLATE "C" CHECK (wish IN ('cancel', 'again'));
CREATE INDEX job_wish ON job (submission_id) WHERE wish IS NOT NULL;

-- Remote ids that a job had before OAR submitted it again by itself: the same attempt, under a new id.
CREATE TABLE remote_job (
  job_id BIGINT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
  hop BIGINT NOT NULL,
  remote_id BIGINT NOT NULL,
  PRIMARY KEY (job_id, hop)
);

-- The highest remote id known when the submission was written down: its own are above.
ALTER TABLE submission ADD COLUMN watermark BIGINT NOT NULL DEFAULT 0;

-- Remote ids from before this moment say nothing: the cluster's database was reset since.
ALTER TABLE cluster ADD COLUMN ids_since BIGINT NOT NULL DEFAULT 0;

-- Whether a shut gate really stops jobs on the cluster.
CREATE TABLE gate_test (
  cluster TEXT COLLATE "C" PRIMARY KEY NOT NULL,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('posted', 'works', 'fails')),
  name TEXT COLLATE "C" NOT NULL,
  owner TEXT COLLATE "C" NOT NULL,
  gate_id BIGINT,
  job_id BIGINT,
  control_id BIGINT,
  posted_at BIGINT NOT NULL
);
