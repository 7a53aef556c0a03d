-- Indexes that begin with the partition were taken for the way to a contra account's name as long as there were few
-- accounts: then every batch read all those of its partition, and compared each with every name.
ALTER TABLE ledger.contra DROP CONSTRAINT contra_pkey, ADD PRIMARY KEY (name, partition);
DROP INDEX ledger.contra_account;
CREATE UNIQUE INDEX contra_account ON ledger.contra (account, partition);
