-- Taps that a device let through and that were refused here: few, and looked at by clerks.
create index tap_contested on tap (received_at)
    where accepted_offline and ticket_ref is not null and verdict <> 'accepted';
