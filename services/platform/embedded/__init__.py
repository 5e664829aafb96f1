"""Real servers that need no installing: PostgreSQL and Redis, started by us in a folder of ours.

`postgres.EmbeddedPostgres` holds the truth when `DATABASE_URL` is not given; `redis.EmbeddedRedis` serves
tests and many-process runs. Both are the real programs, run directly: see README.md for the traps.
"""
