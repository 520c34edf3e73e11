DROP INDEX event_closed;
DROP INDEX event_scope;
ALTER TABLE event DROP COLUMN closed_why;
ALTER TABLE event DROP COLUMN closed_by;
ALTER TABLE event DROP COLUMN reopened;
ALTER TABLE event DROP COLUMN first_message;
ALTER TABLE event DROP COLUMN cause_id;
ALTER TABLE event DROP COLUMN advice;
ALTER TABLE event DROP COLUMN class;
