#!/bin/sh
# The training image's entry point: gives root up for the owner of the mounted checkpoints, so that on Linux new
# files belong to whoever owns the checkout. Folders that Docker made for a mount (root's) are handed over first.
set -eu
uid=$(stat -c %u checkpoints)
gid=$(stat -c %g checkpoints)
for folder in runs data; do
    if [ -d "$folder" ] && [ -w "$folder" ]; then chown "$uid:$gid" "$folder"; fi
done
exec setpriv --reuid="$uid" --regid="$gid" --clear-groups python -m training "$@"
