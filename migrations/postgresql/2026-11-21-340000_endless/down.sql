DROP INDEX campaign_bag;
ALTER TABLE campaign DROP COLUMN bag;
