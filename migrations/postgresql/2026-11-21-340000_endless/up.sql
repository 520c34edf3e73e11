-- The bag of an endless campaign: 'open', or why it was closed; null for campaigns whose number of tasks is known.
ALTER TABLE campaign ADD COLUMN bag TEXT
  CHECK (bag IN ('open', 'until', 'successes', 'exhausted', 'cancelled'));
CREATE INDEX campaign_bag ON campaign (id) WHERE bag = 'open';
