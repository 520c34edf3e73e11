ALTER TABLE token DROP COLUMN renewed_at;
ALTER TABLE token DROP COLUMN renewal;
ALTER TABLE token DROP COLUMN issued_at;
DROP TABLE grid_usage;
DROP TABLE account;
