"""What customers owe for travel already made: charged, gathered, collected, or given up."""
