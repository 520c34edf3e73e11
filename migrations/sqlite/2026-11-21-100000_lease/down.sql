ALTER TABLE instance DROP COLUMN key_check;
DROP TABLE lease;
