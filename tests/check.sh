#!/bin/sh
# tests: rules that need no test program. `check.sh all`, or any of: layers banned symbols header names style size
# docs.
# Prints what breaks a rule, as file:line where there is one, and exits 1 then.
set -u
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build}
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT

layers="base tensor position attention layer sampler loss optim data model serve eval train api"

# Reads lines that break the rule named; none is good.
rule() {
    cat > "$scratch/lines"
    [ -s "$scratch/lines" ] || return 0
    echo "check: $1:"
    sed 's/^/    /' "$scratch/lines"
    : > "$scratch/broken"
}

# Every file of the project, also outside git.
project_files() {
    git ls-files -co --exclude-standard 2>/dev/null |
        while IFS= read -r file; do [ ! -f "$file" ] || printf '%s\n' "$file"; done > "$scratch/files"
    [ -s "$scratch/files" ] ||
        find . -path ./.git -prune -o -path './build*' -prune -o -type f -print | sed 's|^\./||' > "$scratch/files"
    cat "$scratch/files"
}

library_files() {
    find lib -name '*.[ch]' | sort
}

# "file:line:code" of a C file, comments and the insides of strings taken out.
code_of() {
    awk '{
        line = $0; out = ""
        while (line != "") {
            if (comment) {
                end = index(line, "*/")
                if (!end) break
                line = substr(line, end + 2); comment = 0
            } else if (match(line, /^"([^"\\]|\\.)*"/)) { out = out "\"\""; line = substr(line, RLENGTH + 1) }
            else if (match(line, /^\047([^\047\\]|\\.)*\047/)) { out = out "0"; line = substr(line, RLENGTH + 1) }
            else if (substr(line, 1, 2) == "//") break
            else if (substr(line, 1, 2) == "/*") { comment = 1; line = substr(line, 3) }
            else { out = out substr(line, 1, 1); line = substr(line, 2) }
        }
        if (out ~ /[^ ]/) print FILENAME ":" FNR ":" out
    }' "$1"
}

library_code() {
    [ -s "$scratch/code" ] || library_files | while read -r file; do code_of "$file"; done > "$scratch/code"
    cat "$scratch/code"
}

# A file includes headers of its own folder, of folders to its left, and seqrec.h.
check_layers() {
    library_files | xargs grep -nE "^ *# *include *(\"|<($(echo "$layers" | tr ' ' '|'))/)" /dev/null | awk -v order="$layers" '
        BEGIN { n = split(order, names, " "); for (i = 1; i <= n; i++) rank[names[i]] = i }
        {
            split($0, place, ":"); split(place[1], from, "/")
            header = $0; sub(/^[^"<]*["<]/, "", header); sub(/[">].*/, "", header)
            if (header == "seqrec.h") next
            if (split(header, to, "/") != 2 || !(to[1] in rank)) print place[1] ":" place[2] ": " header " is not layer/file.h"
            else if (!(from[2] in rank)) print place[1] ": no layer is called " from[2]
            else if (rank[to[1]] > rank[from[2]]) print place[1] ":" place[2] ": " from[2] " may not include " header
        }' | rule "layers (order: $layers)"
}

# calls NAMES: where library code outside the files matching $2 calls one of them.
calls() {
    library_code | grep -vE "^(${2:-none}):" | grep -E "(^|[^A-Za-z0-9_.>])($1) *\\("
}

check_banned() {
    calls '_?exit|_Exit|quick_exit|atexit|abort|assert|__builtin_trap|raise|kill|signal|sigaction|longjmp|fork|vfork|exec[lv]p?e?|system|popen' |
        rule "ends or changes the host's process"
    calls 'v?f?w?printf|v?dprintf|f?puts|f?putc|putchar|fwrite|perror|psignal|syslog' | rule "prints"
    library_code | grep -E '[^A-Za-z0-9_](stdout|stderr|environ)[^A-Za-z0-9_]' | rule "the host's streams or environment"
    calls 's?rand|random|srandom|drand48|rand_r' | rule "random numbers that are not from the counter generator"
    calls 'getenv|secure_getenv|setenv|unsetenv|putenv|clearenv|setlocale|fesetround' | rule "reads or writes the environment or the locale"
    grep -rnE '[^A-Za-z0-9_]umask *\(' lib | rule "sets the process's umask, also for the host's other threads"
    # text.c hands strtod digits and an exponent only, which every locale reads alike.
    calls 'strto[df]|strtold|atof|f?scanf|sscanf' 'lib/base/text\.c' | rule "reads numbers as the process's locale writes them"
    calls 'cblas_[a-z0-9_]+|[sd]gemm_|bli_thread_set_num_threads|bli_finalize' | rule "BLAS symbols or state a host may share"
    calls 'malloc|calloc|realloc|reallocarray|free|strn?dup|v?asprintf|aligned_alloc|posix_memalign|memalign|getline|getdelim' \
        'lib/base/memory\.c' | rule "allocates outside lib/base/memory.c"
    library_code | grep -E '# *include *[<"]blis' | cut -d: -f1 | sort -u | sed 1d | rule "blis.h in more than one file"
    library_code | grep -vE '^lib/tensor/' | grep -E '# *include *[<"]blis|[^A-Za-z0-9_]bli_[a-z]' | rule "BLIS outside lib/tensor"
    library_code | grep -vE '^lib/base/' | grep -E 'pthread_|# *include *<(pthread|threads)\.h>' | rule "threads outside lib/base"
    project_files | grep -E '(^|/)(meson\.build|Makefile)$|\.(c|h|cpp|sh)$' | grep -vx 'tests/check.sh' |
        xargs grep -nE -- '-ffast-math|-Ofast|-funsafe-math|-fassociative-math|-freciprocal-math|-ffinite-math|"(no-)?(fast|unsafe|associative|finite)-math|"Ofast"|float_control|fp (contract|reassociate)' /dev/null |
        grep -vE '(meson\.build|Makefile|\.sh):[0-9]+: *#' |
        rule "fast-math (it changes the floating-point state of the host)"
}

# "NODE name" of every function of the headers, of the map, and of the shared library. What core.h has is promised.
header_symbols() {
    awk '/^SEQREC_API/ { pending = "" ; open = 1 }
        open {
            pending = pending " " $0
            if (match(pending, /seqrec_[a-z0-9_]+\(/)) {
                print (FILENAME ~ /core\.h$/ ? "SEQREC_1.0" : "SEQREC_EXPERIMENTAL"), substr(pending, RSTART, RLENGTH - 1); open = 0
            }
        }' include/seqrec/*.h | sort
}

map_symbols() {
    awk '/^[A-Z]/ { node = $1 } /^ *[a-z][a-z0-9_]*;$/ { gsub(/[ ;]/, ""); print node, $0 }' abi/seqrec.map | sort
}

library_symbols() {
    nm -D --defined-only "$1" | awk '$2 != "A" { n = split($3, part, "@"); print (n > 1 ? part[n] : "unversioned"), part[1] }' | sort
}

# differ A B: lines of one list only.
differ() {
    diff "$1" "$2" | sed -n 's/^< /only in the first: /p; s/^> /only in the second: /p'
}

# What every object takes from outside the library, beside what tests/needed_symbols.txt lets it take; a compiler's own helpers are let be,
# and what it has under other names where sources are fortified (__snprintf_chk, __open64_2) is what it stands for.
check_needed() {
    nm "$1" 2>/dev/null | awk '/\.o:$/ { object = $1; sub(/(\.c)?\.o:$/, "", object) } NF == 2 && $1 ~ /^[Uwv]$/ { print object, $2 }' |
        grep -vE ' (sq_|seqrec_|_GLOBAL_OFFSET_TABLE_$|__cpu_|__popcount|__aarch64_|__stack_chk_|__tls_get_addr|__(asan|ubsan|tsan|gcov|llvm)_)' |
        sed -E 's/ __([a-z0-9]+)_chk$/ \1/; s/ __(open|open64|openat|openat64)_2$/ \1/' > "$scratch/needed"
    awk 'NR == FNR { if ($0 !~ /^#/) for (i = 2; i <= NF; i++) { count[$i]++; who[$i, count[$i]] = $1 } next }
        {
            for (good = i = 0; i++ < count[$2] && !good;) good = $1 ~ ("^(" who[$2, i] ")$")
            if (!good) print $1 " needs " $2
        }' tests/needed_symbols.txt "$scratch/needed"
}

# The same of libseqrec-ann, where it is built.
check_ann_symbols() {
    awk '/^SEQREC_API/ { open = 1 } open && match($0, /seqrec_ann_[a-z]+\(/) { print "SEQREC_ANN_EXPERIMENTAL", substr($0, RSTART, RLENGTH - 1); open = 0 }' \
        include/seqrec_ann.h | sort > "$scratch/ann_header"
    awk '/^[A-Z]/ { node = $1 } /^ *[a-z][a-z0-9_]*;$/ { gsub(/[ ;]/, ""); print node, $0 }' abi/seqrec_ann.map | sort > "$scratch/ann_map"
    differ "$scratch/ann_header" "$scratch/ann_map" | rule "include/seqrec_ann.h and abi/seqrec_ann.map do not name the same functions"
    ann=$BUILD/lib/libseqrec-ann.so
    [ -f "$ann" ] || return 0
    library_symbols "$ann" > "$scratch/ann_exported"
    differ "$scratch/ann_map" "$scratch/ann_exported" | rule "abi/seqrec_ann.map and the exports of $ann differ"
    nm -D --undefined-only "$ann" | awk '{ sub(/@.*/, "", $2); print $2 }' |
        grep -xE '_?exit|_Exit|abort|__assert_fail|raise|getenv|secure_getenv|setlocale|s?rand|fork|system|v?f?printf|f?puts|f?putc|fwrite|perror|std(out|err)|_ZSt4c(out|err|log)' |
        rule "libseqrec-ann prints, ends the process, or reads the environment"
    objdump -p "$BUILD/lib/libseqrec.so" | grep -E 'NEEDED.*(libstdc|seqrec-ann)' | rule "libseqrec depends on C++"
}

check_symbols() {
    check_ann_symbols
    shared=$BUILD/lib/libseqrec.so
    static=$BUILD/lib/libseqrec.a
    header_symbols > "$scratch/header"
    map_symbols > "$scratch/map"
    differ "$scratch/header" "$scratch/map" | rule "include/seqrec/ and abi/seqrec.map do not name the same functions"
    if [ ! -f "$shared" ] || [ ! -f "$static" ]; then
        echo "$shared and $static are not built" | rule symbols
        return
    fi
    library_symbols "$shared" > "$scratch/exported"
    differ "$scratch/map" "$scratch/exported" | rule "abi/seqrec.map and the exports of $shared differ"
    nm -D --defined-only "$shared" | grep -E '^[0-9a-f]+ [BbCDdGgSsVv] ' | rule "exported data that can be written"
    nm -g --defined-only "$static" 2>/dev/null | awk 'NF == 3 && $3 !~ /^(seqrec_|sq_)/ { print $3 }' |
        rule "globals of $static without seqrec_ or sq_"
    nm -A --defined-only "$static" 2>/dev/null | awk '$NF ~ /^seqrec_/ && $(NF - 1) ~ /^[A-Z]$/ && $0 !~ /:api_[a-z_]+(\.c)?\.o:/' |
        rule "public functions outside lib/api"
    check_needed "$static" | rule "what tests/needed_symbols.txt does not let an object need"
    objdump -h "$static" | grep -E '\.(init_array|preinit_array|ctors|fini_array|dtors)' | rule "code that runs when the library is loaded or unloaded"
    objdump -h "$static" | awk '/\.o: / { file = $1 }
        $2 ~ /^\.(data|bss|tdata|tbss)/ && $2 !~ /^\.data\.rel\.ro/ && $3 !~ /^0+$/ { print file, $2 }' | rule "global state that can be written"
    objdump -t "$static" | awk '/\.o: / { file = $1 } $4 == "*COM*" { print file, $NF }' | rule "global state that can be written"
}

# compiles COMPILER STANDARD FILE: FILE alone, as the compiler's language says.
compiles() {
    "$1" "-std=$2" -Iinclude -Ilib -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wno-psabi -Werror -fsyntax-only "$3" 2>&1 | head -n 5
}

# public_header NAME: compiles it alone in every language it is in.
public_header() {
    echo "#include \"$1\"" | tee "$scratch/alone.c" > "$scratch/alone.cpp"
    {
        for standard in c11 c17; do
            for compiler in gcc clang; do
                if command -v $compiler >/dev/null; then compiles $compiler $standard "$scratch/alone.c"; fi
            done
        done
        for compiler in g++ clang++; do
            if command -v $compiler >/dev/null; then compiles $compiler c++17 "$scratch/alone.cpp"; fi
        done
    } | rule "include/$1 does not compile alone"
}

check_header() {
    for file in include/*.h include/*/*.h; do public_header "${file#include/}"; done
    for file in include/seqrec/*.h; do
        grep -qxF "#include \"${file#include/}\"" include/seqrec.h || echo "$file"
    done | rule "a part that include/seqrec.h does not include"
    library_files | grep '\.h$' | while read -r file; do
        echo "#include \"${file#lib/}\"" > "$scratch/alone.c"
        compiles cc c11 "$scratch/alone.c"
    done | rule "a header of lib/ does not compile alone"
    for file in include/*.h include/*/*.h; do
        code_of $file | grep -vE ':[0-9]+: *#' |
            grep -E '(^|[^A-Za-z0-9_])(bool|_Bool|int|long|short|unsigned|signed|wchar_t|time_t|off_t|ssize_t|FILE)([^A-Za-z0-9_]|$)|typedef +enum|enum +[a-z_]+ +[a-z*]|[a-z0-9_] *: *[0-9]+ *;'
    done |
        rule "a type in a public header whose width or layout is not fixed"
}

check_names() {
    project_files | grep -E '\.(c|h|cpp|hpp|py|sh)$' | sed 's|.*/||' | sort | uniq -d |
        grep -vxE '__init__\.py|main\.c|run\.sh' | rule "file names used twice"
    project_files | grep -E '\.(c|h|cpp|hpp)$' | while read -r file; do
        line=$(head -n 1 "$file")
        case $file in
            lib/*) layer=${file#lib/}; start="/* ${layer%%/*}: " ;;
            *) start="/* " ;;
        esac
        case $line in
            "$start"[!\ ]*) ;;
            //\ *) case $file in *.cpp) ;; *) echo "$file:1: starts with //" ;; esac ;;
            *) echo "$file:1: does not start with '$start' and a role" ;;
        esac
    done | rule "line 1 says what the file is"
    project_files | grep -E '\.(sh|py)$' | while read -r file; do
        sed -n '1,2p' "$file" | grep -qE '^(# [A-Za-z]|""")' || echo "$file: lines 1 and 2 do not say what it is"
    done | rule "scripts say what they are"
}

check_style() {
    project_files | grep -E '(^|/)(Makefile|meson\.build|meson_options\.txt)$|\.(c|h|cpp|hpp|sh|py|md|map|ini|scd)$|^\.ci/' > "$scratch/text"
    tab=$(printf '\t')
    grep -vE '(^|/)Makefile$|\.scd$' "$scratch/text" | xargs grep -nE "$tab" /dev/null | rule "tabs"
    xargs grep -nE '[ ]+$' /dev/null < "$scratch/text" | rule "blanks at the end of a line"
    xargs grep -n "$(printf '\r')" /dev/null < "$scratch/text" | rule "carriage returns"
    while read -r file; do
        [ -z "$(tail -c 1 "$file")" ] || echo "$file"
    done < "$scratch/text" | rule "no newline at the end of the file"
    grep -vx 'tests/check.sh' "$scratch/text" | xargs grep -nE '/(work|root|home)/[A-Za-z]' /dev/null | rule "paths of one machine"
    grep -vx 'tests/check.sh' "$scratch/text" | xargs grep -nwE 'TODO|FIXME|XXX|HACK' /dev/null | rule "unfinished by its own words"
}

check_size() {
    library_files | xargs awk 'FNR == 1 && NR > 1 && lines > 900 { print name ": " lines " lines" } { name = FILENAME; lines = FNR }
        END { if (lines > 900) print name ": " lines " lines" }' | rule "files of more than 900 lines"
    library_files | xargs awk '/^{/ { start = FNR } /^}/ && start { if (FNR - start > 110) print FILENAME ":" start ": " FNR - start " lines"
        start = 0 }' | rule "functions of more than 110 lines"
}

pages() {
    project_files | grep -E '\.md$'
}

# "page:line:word" of what stands in backquotes or in blocks of commands.
page_words() {
    pages | xargs awk '
        FNR == 1 { block = 0 }
        /^ *```/ { block = !block; next }
        block { n = split($0, words, /[ \t;&|()<>]+/); for (i = 1; i <= n; i++) print FILENAME ":" FNR ":" words[i]; next }
        { line = $0; while (match(line, /`[^`]*`/)) { print FILENAME ":" FNR ":" substr(line, RSTART + 1, RLENGTH - 2)
            line = substr(line, RSTART + RLENGTH) } }'
}

# page:line of LINK when no file is there; links to other sites and inside the page are left alone.
check_links() {
    pages | while read -r page; do
        grep -noE '\]\([^)#]+' "$page" | grep -vE '\]\([a-z]+:' | sed 's/^\([0-9]*\):](/\1 /' | while read -r line link; do
            [ -e "$(dirname "$page")/$link" ] || echo "$page:$line: $link"
        done
    done | rule "links of the pages that lead nowhere"
}

check_docs() {
    project_files | grep '^docs/experiments/.*\.jsonl$' | xargs grep -nobE '"/[A-Za-z]' /dev/null | head -n 5 | rule "paths of a machine in the lines of experiments"
    awk '/^```c$/ { on = 1; next } /^```$/ && on { exit } on' README.md > "$scratch/program.c"
    diff "$scratch/program.c" examples/quickstart.c | rule "the program of README.md is not examples/quickstart.c"
    if [ -x "$BUILD/seqrec" ]; then
        "$BUILD/seqrec" options --markdown | diff docs/OPTIONS.md - | rule "docs/OPTIONS.md is not what 'make options' writes"
    else
        echo "$BUILD/seqrec is not built" | rule docs
    fi
    sed -n '/^| preset /,$s/^| `\([a-z0-9-]*\)`.*/\1/p' docs/OPTIONS.md > "$scratch/presets"
    [ -s "$scratch/presets" ] || echo "docs/OPTIONS.md: no preset is found" | rule docs
    while read -r preset; do
        grep -qF "*$preset*" docs/seqrec.1.scd || echo "docs/seqrec.1.scd: $preset"
        grep -qF "\`$preset\`" README.md || echo "README.md: $preset"
    done < "$scratch/presets" | rule "presets that a page does not name"
    check_links
    page_words | grep -E '^[^:]*:[0-9]+:(lib|include|tests|examples|docs|abi|\.ci)/[A-Za-z0-9_./-]*$' | grep -v 'NAME' |
        while IFS=: read -r page line path; do [ -e "$path" ] || echo "$page:$line: $path"; done |
        rule "files that the pages name and that are not there"
    pages | xargs grep -noE '(`|^ *)make [a-z][a-z-]*' /dev/null | sed 's/`//; s/: *make /:make /' |
        while IFS=: read -r page line target; do
            grep -qE "^${target#make }:" Makefile || echo "$page:$line: $target"
        done | rule "make targets that the pages name and that the Makefile lacks"
    awk '/^\/\*\*/ { comment = ""; inside = 1 }
        inside { comment = comment $0 }
        /\*\// { inside = 0 }
        /^SEQREC_API/ {
            if (comment == "") print FILENAME ":" FNR ": has no comment of its own"
            else if (comment !~ /(Rule|[.:]) +[RWCS]( on each)?(, and W on the model[^.]*)?\. *\*\// && comment !~ /Rule W on the model\. *\*\//) print FILENAME ":" FNR ": its comment does not end with its thread rule"
        }
        /;$/ && !inside { comment = "" }' include/*.h include/*/*.h | rule "functions of a public header and their comments"
}

[ $# -gt 0 ] || set -- all
for name; do
    case $name in
        all) check_layers; check_banned; check_header; check_names; check_style; check_size; check_docs; check_symbols ;;
        layers|banned|header|names|style|size|docs|symbols) "check_$name" ;;
        *) echo "check: no check is called $name" >&2; exit 2 ;;
    esac
done
[ ! -e "$scratch/broken" ] || exit 1
echo "check: fine: $*"
