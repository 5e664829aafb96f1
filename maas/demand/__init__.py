"""What travellers ask for, counted so that no one can be seen."""
