DROP TABLE idempotency;
DELETE FROM parameter_chunk WHERE first_index >= 1100000000;
DELETE FROM sequence WHERE name = 'addition';
DROP TABLE addition;
DROP TABLE task_range;
