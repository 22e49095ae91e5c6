-- source:           public.green_trips
-- event time:       lpep_pickup_datetime
-- window:           tumbling 1 hour
-- watermark:        1 hour                      -- a trip comes at most an hour after a later one, or it is late
-- allowed lateness: 0 hours
-- late rows:        count                       -- a late trip is counted, and its window is then revised
-- future rows:      set aside after 1 day       -- the data has trips of years to come
-- emit:             on update
-- idle after:       10 seconds
-- publish:          trips-by-zone

/* Trips, earnings and the last ride of each hour and zone in which at least ten trips began. docs/windows.md explains it. */
select
  pu_location_id as zone,
  count(*) as trips,
  max(lpep_dropoff_datetime) as last_ride,
  sum(total_amount) as earnings
from green_trips
group by zone
having count(*) >= 10;

-- view
select
  w.*,
  z.zone as zone_name,
  z.borough
from windows w
left join public.taxi_zones z on z.location_id = w.zone;
