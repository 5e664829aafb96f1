"""The settlement service: agreements, runs, statements and bank files."""
