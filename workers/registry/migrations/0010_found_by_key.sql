-- A serial that is to be forgotten, and what an operation has taken away, are found without reading all card numbers.
CREATE INDEX service_id_serial ON service_id (citizen_id) WHERE serial_sealed IS NOT NULL;
CREATE INDEX service_id_removed ON service_id (ended_operation_id) WHERE ending = 'removed';
