-- Of a MyKey ID that was revoked only keyed hashes are kept, of a card number that has ended no serial number.
UPDATE citizen SET mykey_sealed = '', name_sealed = '', mail_sealed = '' WHERE revoked_at IS NOT NULL;
COMMENT ON COLUMN citizen.mykey_sealed IS 'empty, as name and mail, once the MyKey ID is revoked';

UPDATE service_id SET serial_sealed = NULL WHERE ended_at IS NOT NULL AND serial_sealed IS NOT NULL;
COMMENT ON COLUMN service_id.serial_sealed IS
  'serial number of the signature certificate, only where the citizen asked for address-change notice, until the link ends';
