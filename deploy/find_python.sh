#!/bin/sh
# Prints the first Python 3.11 or 3.12 that can make a virtual environment.
for name in python3.11 python3.12 python3 python; do
    if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null
    then
        echo "$name"
        exit 0
    fi
done
echo "Prospero needs Python 3.11 or 3.12 with venv (on Debian and Ubuntu: apt install python3-venv)" >&2
exit 1
