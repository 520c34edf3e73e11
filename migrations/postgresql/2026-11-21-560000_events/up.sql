-- What an event is, what to do about it, what led to it, its first example where the message is the last one, how often
-- it came back soon after it was closed, and who closed it and why.
ALTER TABLE event ADD COLUMN class TEXT NOT NULL DEFAULT 'log';
ALTER TABLE event ADD COLUMN advice TEXT NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN cause_id BIGINT;
ALTER TABLE event ADD COLUMN first_message TEXT;
ALTER TABLE event ADD COLUMN reopened BIGINT NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN closed_by TEXT COLLATE "C";
ALTER TABLE event ADD COLUMN closed_why TEXT;
UPDATE event SET class = 'cluster' WHERE cluster IS NOT NULL;
UPDATE event SET class = 'campaign' WHERE campaign_id IS NOT NULL;
UPDATE event SET closed_by = 'cigri' WHERE closed_at IS NOT NULL;
CREATE INDEX event_scope ON event (scope, code);
CREATE INDEX event_closed ON event (closed_at);
