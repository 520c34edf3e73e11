DROP INDEX event_untold;
ALTER TABLE event DROP COLUMN told;
DROP TABLE notice;
DROP TABLE muted;
DELETE FROM sequence WHERE name = 'subscription';
DROP TABLE subscription;
