#!/bin/sh
# install: `check_install.sh BUILD` installs that tree into a folder of its own, and builds and runs programs against what
# is there, as a user would with pkg-config. Nothing of the source tree but the programs is used.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
warnings="-Wall -Wextra -Wpedantic -Werror"

DESTDIR=$scratch meson install -C "$build" --no-rebuild > "$scratch/install.log"
pc=$(find "$scratch" -name seqrec.pc)
prefix=$scratch$(sed -n 's/^prefix=//p' "$pc")
libdir=$(dirname "$(dirname "$pc")")
export PKG_CONFIG_PATH="${pc%/*}" LD_LIBRARY_PATH="$libdir"
flags() {
    pkg-config --define-variable=prefix="$prefix" "$@" seqrec
}
say() {
    echo "install: $*"
}

for file in "$prefix/include/seqrec.h" "$prefix/include/seqrec/core.h" "$libdir/libseqrec.a" "$libdir/libseqrec.so" "$libdir/libseqrec.so.1" \
    "$libdir/libseqrec.so.1.0.0" "$prefix/bin/seqrec" "$prefix/share/man/man1/seqrec.1"; do
    [ -e "$file" ] || { say "${file#"$scratch"} was not installed" >&2; exit 1; }
done
objdump -p "$libdir/libseqrec.so" | grep -q 'SONAME *libseqrec.so.1$'
# Nothing that was installed may remember where it was built.
if objdump -p "$libdir/libseqrec.so" "$prefix/bin/seqrec" | grep -E 'R(UN)?PATH'; then exit 1; fi
! grep -rF "$root" "$pc" "$prefix/include" || exit 1
say "files, SONAME and paths are as they should be"

cd "$scratch"
consumer=$root/tests/install/consumer
if [ -e /usr/include/seqrec.h ] || [ -e /usr/local/include/seqrec.h ]; then
    say "another seqrec.h is installed on this system: the compile without pkg-config is not tried"
elif cc "$consumer.c" -o without 2> /dev/null; then
    say "a program compiled without pkg-config's flags: the test would prove nothing" >&2
    exit 1
fi

cc -std=c11 $warnings "$consumer.c" $(flags --cflags --libs) -o dynamic
./dynamic
objdump -p dynamic | grep -q 'NEEDED *libseqrec.so.1$'
# Only our own library is needed to link: what it uses is its own business.
! flags --libs | grep -E 'blis|jansson' || exit 1
say "C program, shared library"

cc -std=c11 $warnings "$consumer.c" $(flags --cflags --libs --static) -static -o static
env -u LD_LIBRARY_PATH ./static
say "C program, everything static"

mkdir archive
cp "$libdir/libseqrec.a" archive/
cc -std=c11 $warnings "$consumer.c" -Larchive $(flags --cflags --libs --static | sed "s|-L$libdir||") -o mixed
env -u LD_LIBRARY_PATH ./mixed
say "C program, static libseqrec, shared BLIS"

c++ -std=c++17 $warnings "$consumer.cpp" $(flags --cflags --libs) -o cpp
./cpp
say "C++ program"

if [ -e "$libdir/libseqrec-ann.so" ]; then
    objdump -p "$libdir/libseqrec-ann.so" | grep -q 'SONAME *libseqrec-ann.so.1$'
    if objdump -p "$libdir/libseqrec-ann.so" | grep -E 'R(UN)?PATH'; then exit 1; fi
    ann=$(pkg-config --define-variable=prefix="$prefix" --cflags --libs seqrec-ann)
    cc -std=c11 $warnings "${consumer}_ann.c" $ann $(flags --libs) -o ann
    ./ann
    if objdump -p "$libdir/libseqrec.so" | grep 'NEEDED *libstdc'; then exit 1; fi
    say "C program, libseqrec-ann"
fi

"$prefix/bin/seqrec" --help > help.txt
[ -s help.txt ]
say "the installed program runs"

# The README's lines, as they stand there but for a pkg-config that knows where this prefix really is.
mkdir tools
printf '#!/bin/sh\nexec %s --define-variable=prefix=%s "$@"\n' "$(command -v pkg-config)" "$prefix" > tools/pkg-config
chmod +x tools/pkg-config
ln -s "$root/examples" examples
awk '/^## / { here = /Install and link/ } here && /^(cc|c\+\+) /' "$root/README.md" > readme-lines
[ "$(wc -l < readme-lines)" -ge 3 ] || { say "README.md has no three lines that compile" >&2; exit 1; }
PATH="$scratch/tools:$PATH" sh -eu readme-lines
./quickstart > /dev/null
env -u LD_LIBRARY_PATH ./quickstart-static > /dev/null
./hello > /dev/null
say "the README's lines compile"

# The examples say in their first lines how they are compiled; here it is done. What playlist.c is to be told, others do not read:
# three accepted, the fourth skipped, a word that is nothing, an item of the listener's own, and the end.
printf '\na\na\ns\nnone\n7\n' > answers.txt
for example in "$root"/examples/*.c "$root"/examples/*.cpp; do
    [ -e "$example" ] || continue
    name=$(basename "$example")
    mkdir "run-$name"
    case $name in
        *.cpp) c++ -std=c++17 -O2 $warnings "$example" $(flags --cflags --libs) -pthread -o "run-$name/program" ;;
        *) cc -std=c17 -O2 $warnings "$example" $(flags --cflags --libs) -lm -pthread -o "run-$name/program" ;;
    esac
    (cd "run-$name" && ./program < ../answers.txt > output.txt 2>&1) || { say "$name failed:" >&2; tail -n 20 "run-$name/output.txt" >&2; exit 1; }
    say "example $name"
done
grep -q '^3 accepted, 1 skipped, 1 of your own$' run-playlist.c/output.txt || { say "playlist.c did not take the answers" >&2; exit 1; }

DESTDIR=$scratch ninja -C "$build" uninstall > "$scratch/uninstall.log"
left=$(find "$prefix" ! -type d 2> /dev/null || true)
[ -z "$left" ] || { say "uninstall left: $left" >&2; exit 1; }
say "uninstall leaves nothing"
