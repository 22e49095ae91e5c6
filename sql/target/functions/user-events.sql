-- The latest state of the users whose events come straight from producers.

-- One row per user.
create or replace view tidemark.latest_user_state as
select id, name, age, event_order, run, ts, more
from tidemark_rows.user_state
where live;
