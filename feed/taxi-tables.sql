-- The tables of the green taxi trips and of the zones they refer to. Both statements change nothing if the tables
-- exist.
create table if not exists public.taxi_zones (
  location_id integer primary key,
  borough text,
  zone text,
  service_zone text
);

create table if not exists public.green_trips (
  trip_id bigint generated always as identity primary key,
  vendor_id integer,
  lpep_pickup_datetime timestamp,
  lpep_dropoff_datetime timestamp,
  store_and_fwd_flag text,
  ratecode_id bigint,
  pu_location_id integer,
  do_location_id integer,
  passenger_count bigint,
  trip_distance double precision,
  fare_amount numeric(10, 2),
  extra numeric(10, 2),
  mta_tax numeric(10, 2),
  tip_amount numeric(10, 2),
  tolls_amount numeric(10, 2),
  ehail_fee numeric(10, 2),
  improvement_surcharge numeric(10, 2),
  total_amount numeric(10, 2),
  payment_type bigint,
  trip_type bigint,
  congestion_surcharge numeric(10, 2)
);
