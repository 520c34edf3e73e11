-- What to do about it, as the event says: messages repeat it. What waits already is told without.
ALTER TABLE notice ADD COLUMN advice TEXT NOT NULL DEFAULT '';
