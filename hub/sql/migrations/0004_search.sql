-- What operators search messages by: Bloom filters, one for every 128 pages. A tree per column cost more than the
-- messages themselves, because subjects come in no order and every one dirtied a page of its own. A filter is made when
-- its pages are full (autosummarize, or at the latest the next vacuum); pages without one yet are read.
DROP INDEX hub.message_subject, hub.message_business_key, hub.message_correlation;
CREATE INDEX message_subject ON hub.message
    USING brin (subject uuid_bloom_ops (n_distinct_per_range = 1600)) WITH (pages_per_range = 128, autosummarize = on);
CREATE INDEX message_business_key ON hub.message
    USING brin (business_key text_bloom_ops (n_distinct_per_range = 1600)) WITH (pages_per_range = 128, autosummarize = on);
CREATE INDEX message_correlation ON hub.message
    USING brin (correlation_id uuid_bloom_ops (n_distinct_per_range = 1600)) WITH (pages_per_range = 128, autosummarize = on);
