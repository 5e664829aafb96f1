#!/bin/sh
# Find a Python that can carry us, then let bootstrap/environment.py do the rest.
# Usage: sh bootstrap/environment.sh core|test|lock
set -eu
cd "$(dirname "$0")/.."

fit='import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] < (3, 15)))'
whole='import ensurepip, venv'
bare=''
for name in ${MAAS_PYTHON:-python3.11 python3.12 python3.13 python3.14 python3}; do
    command -v "$name" >/dev/null 2>&1 || continue
    "$name" -c "$fit" 2>/dev/null || continue
    if "$name" -c "$whole" 2>/dev/null; then
        exec "$name" bootstrap/environment.py "$@"
    fi
    bare=$name
done

if [ -n "$bare" ]; then
    echo "make: $bare has no venv module. Install it: apt-get install python3-venv" >&2
else
    echo "make: Python 3.11 to 3.14 is needed. Install it: apt-get install python3 python3-venv" >&2
    echo "      (or name one: MAAS_PYTHON=/path/to/python3 make ...)" >&2
fi
exit 1
