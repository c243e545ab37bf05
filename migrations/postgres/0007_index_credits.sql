-- Events that follow from a recommendation: their context holds a credit.
create index events_by_credit on events (occurred_at_ms) where context like '%"credit":{"scenario"%';
