-- What a process says is wrong with the way to other processes, such as "the broker cannot be reached"; written by itself.
ALTER TABLE hub.process ADD COLUMN complaint text;
