"""Account-based travel: media that are tapped, rides charged afterwards."""
