-- Every posting is looked up here, and most are of somebody who wants no mail: then the table itself is not read.
CREATE INDEX recipient_who_chose ON recipient (citizen_id) INCLUDE (on_grant, on_expiry)
    WHERE state = 'ok' AND (on_grant OR on_expiry);
