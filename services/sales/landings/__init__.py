"""Who was put ashore elsewhere: the fare to there is kept, the rest goes back."""
