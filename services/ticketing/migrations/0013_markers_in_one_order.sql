-- Markers are taken in the order of media and found by their place: nothing asks for them by time.
drop index medium_due_at;
