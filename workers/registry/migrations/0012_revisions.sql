-- Whoever keeps what the registry said of somebody hears of changes in any order: one that failed comes again after later
-- ones. So each change is numbered where it is made, under the row's lock.
ALTER TABLE citizen ADD COLUMN mail_revision int NOT NULL DEFAULT 0;
COMMENT ON COLUMN citizen.mail_revision IS 'changes of mail address and mail choices so far';

ALTER TABLE scheme ADD COLUMN revision int NOT NULL DEFAULT 1;
COMMENT ON COLUMN scheme.revision IS 'its first name and rule are 1, each change is one more';
