-- Where so much failed that nothing is sent for a while: on a cluster ('cluster'), of a campaign there ('campaign'), on a
-- node of it ('node', with its name). Closed ones stay until they have been closed for long: how often one opened counts.
CREATE TABLE breaker (
  cluster TEXT NOT NULL,
  kind TEXT NOT NULL,
  campaign_id BIGINT NOT NULL,
  node TEXT NOT NULL,
  state TEXT NOT NULL,
  state_at BIGINT NOT NULL,
  streak BIGINT NOT NULL CHECK (streak >= 0),
  changed_at BIGINT NOT NULL,
  failures BIGINT NOT NULL,
  ends BIGINT NOT NULL,
  mostly TEXT NOT NULL,
  PRIMARY KEY (cluster, kind, campaign_id, node)
);
