-- What an admin changed at run time, beside what the configuration says: a JSON merge patch over `limits`, whose older
-- forms are not read any more (the configuration is written here at each start).
ALTER TABLE cluster ADD COLUMN changes TEXT NOT NULL DEFAULT '{}';
UPDATE cluster SET limits = '{}';

-- Who changed what of a cluster. `before` and `after`: the settings concerned, as JSON.
CREATE TABLE audit (
  id BIGINT PRIMARY KEY NOT NULL,
  at BIGINT NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL,
  cluster TEXT,
  before TEXT NOT NULL,
  after TEXT NOT NULL
);
CREATE INDEX audit_cluster ON audit (cluster, id);
INSERT INTO sequence (name, next) VALUES ('audit', 1), ('decision', 1);

-- Every term of the decision, and what the plan started from, as JSON.
ALTER TABLE decision ADD COLUMN terms TEXT NOT NULL DEFAULT '[]';
ALTER TABLE decision ADD COLUMN inputs TEXT NOT NULL DEFAULT '{}';

-- Decisions that differed from the one before, for a while.
CREATE TABLE decision_log (
  id BIGINT PRIMARY KEY NOT NULL,
  campaign_id BIGINT NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
  cluster TEXT NOT NULL,
  decided_at BIGINT NOT NULL,
  allowed BIGINT NOT NULL,
  bound_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  terms TEXT NOT NULL,
  inputs TEXT NOT NULL
);
CREATE INDEX decision_log_campaign ON decision_log (campaign_id, cluster, id);
CREATE INDEX decision_log_time ON decision_log (decided_at);

-- What each user had of a cluster lately: a mean number of live jobs, older times counting less.
CREATE TABLE usage_share (
  cluster TEXT NOT NULL,
  owner TEXT NOT NULL,
  jobs DOUBLE NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (cluster, owner)
);

-- What a submission's jobs ask for and are accounted to. No shape: written before this was kept.
ALTER TABLE submission ADD COLUMN shape TEXT;
ALTER TABLE submission ADD COLUMN project TEXT;
CREATE INDEX submission_other ON submission (cluster) WHERE role <> 'tasks';

-- The last submissions of a campaign to a cluster came to nothing: abandoned ones in a row, and these with those whose
-- gate got no answer.
CREATE TABLE setback (
  campaign_id BIGINT NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
  cluster TEXT NOT NULL,
  abandoned BIGINT NOT NULL,
  unanswered BIGINT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (campaign_id, cluster)
);

-- Filled from the submissions so far: counted from the last one back to the first that came to something.
INSERT INTO setback (campaign_id, cluster, abandoned, unanswered, at)
SELECT campaign_id, cluster,
  SUM(CASE WHEN others = 0 THEN 1 ELSE 0 END),
  COUNT(*),
  MAX(changed_at)
FROM (
  SELECT campaign_id, cluster, changed_at,
    SUM(CASE WHEN state = 'abandoned' THEN 0 ELSE 1 END) OVER back AS others,
    SUM(CASE WHEN state = 'abandoned' OR reason LIKE 'its gate got no usable answer%' THEN 0 ELSE 1 END) OVER back
      AS answers
  FROM submission
  WHERE state NOT IN ('intent', 'unknown')
  WINDOW back AS (PARTITION BY campaign_id, cluster ORDER BY id DESC ROWS UNBOUNDED PRECEDING)
) AS latest
WHERE answers = 0
GROUP BY campaign_id, cluster;

-- The clusters that a task failed on, a JSON list: of a task in the bag, and of one that was taken out of it for a job.
UPDATE returned_task SET avoid_cluster = json_array(avoid_cluster) WHERE avoid_cluster IS NOT NULL;
ALTER TABLE returned_task RENAME COLUMN avoid_cluster TO failed_on;
CREATE INDEX returned_task_failed ON returned_task (campaign_id, failed_on) WHERE failed_on IS NOT NULL;
ALTER TABLE job ADD COLUMN failed_on TEXT;
