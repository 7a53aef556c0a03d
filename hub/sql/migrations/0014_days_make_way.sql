-- Whoever waits for a table that a dump reads has everybody else wait behind it. A day has a fortnight of time.
ALTER FUNCTION hub.make_days(date, date) SET lock_timeout = '500ms';
ALTER FUNCTION hub.drop_day(date) SET lock_timeout = '500ms';
