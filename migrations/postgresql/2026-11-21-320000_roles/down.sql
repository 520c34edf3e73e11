-- An earlier program knows no steps: their jobs would be tasks that no campaign has.
DELETE FROM remote_job WHERE job_id IN (SELECT id FROM job WHERE task_index < 0);
DELETE FROM job WHERE task_index < 0;
DELETE FROM submission WHERE role IN ('prologue', 'epilogue');
ALTER TABLE campaign DROP COLUMN stage;
ALTER TABLE submission DROP COLUMN role;
