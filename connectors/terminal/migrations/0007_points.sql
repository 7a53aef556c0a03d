-- A terminal that is both (ア) and (イ). Sessions that are there already begin again to use points.
ALTER TABLE counter_session ADD COLUMN point_use_too boolean NOT NULL DEFAULT false;
