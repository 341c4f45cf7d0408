#!/bin/sh
# Compiles each named AppleScript with Apple's own compiler and says which do not compile. Needs macOS.
set -eu
if ! command -v osacompile > /dev/null; then
    echo "compile-scripts: there is no osacompile here; it needs macOS" >&2
    exit 2
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
broken=0
for file in "$@"; do
    if osacompile -o "$folder/compiled.scpt" "$file"; then
        echo "compiles: $file"
    else
        echo "does not compile: $file" >&2
        broken=$((broken + 1))
    fi
done
echo "$# scripts, $broken broken"
[ "$broken" -eq 0 ]
