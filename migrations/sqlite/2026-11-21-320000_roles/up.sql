-- What a submission's jobs are: tasks, tasks of the campaign's sample, or one step (a prologue or an epilogue). A step's
-- job has a negative task index and is in no counter.
ALTER TABLE submission ADD COLUMN role TEXT NOT NULL DEFAULT 'tasks'
  CHECK (role IN ('tasks', 'test', 'prologue', 'epilogue'));

-- How far a campaign is with its sample.
ALTER TABLE campaign ADD COLUMN stage TEXT NOT NULL DEFAULT 'open' CHECK (stage IN ('testing', 'tested', 'open'));
