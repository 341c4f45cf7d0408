#!/bin/sh
# Install OpenBLAS where MLX would fall back on the reference BLAS: a Debian or Ubuntu Linux, as root or with sudo that
# asks for no password. Anything else is told what to do and goes on without: everything works, only slower.
[ "$(uname -s)" = Linux ] || exit 0
ldconfig -p 2>/dev/null | grep -q 'libopenblas\.so' && exit 0
if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then
        run=""
    elif sudo -n true 2>/dev/null; then
        run="sudo -n"
    else
        echo "OpenBLAS is missing: 'sudo apt-get install libopenblas0-pthread' makes planning several times faster."
        exit 0
    fi
    $run apt-get update -qq >/dev/null 2>&1
    $run apt-get install -y -qq libopenblas0-pthread >/dev/null 2>&1 || echo "OpenBLAS could not be installed; going on without."
else
    echo "OpenBLAS is missing: install it with your package manager to make planning several times faster."
fi
exit 0
