-- Where a merge's file was dropped before it was dropped elsewhere or under another name: its street may answer it there.
CREATE TABLE former_file (
  merge_id uuid NOT NULL REFERENCES merge,
  destination text NOT NULL,
  file_name text COLLATE "C" NOT NULL,
  PRIMARY KEY (destination, file_name, merge_id)
);

GRANT SELECT, INSERT ON former_file TO mykey_street;
