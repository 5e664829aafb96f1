"""Find journeys: a compiled timetable, streets as footpaths, and the searches over them."""
