#!/bin/sh
# A Chromium for the browser tests, from the system's own packages. Nothing happens where one is present.
set -eu
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if ! command -v apt-get >/dev/null 2>&1; then
    echo "The browser tests need Chromium on the PATH; install it with this system's package manager." >&2
    exit 1
fi
run=
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then run=sudo; else
        echo "The browser tests need Chromium: run 'apt-get install chromium' as root, then try again." >&2
        exit 1
    fi
fi
echo "Installing Chromium for the browser tests ..."
$run apt-get update -qq
DEBIAN_FRONTEND=noninteractive $run apt-get install -y -qq --no-install-recommends chromium >/dev/null
