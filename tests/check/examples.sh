#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: examples.sh ROOT STAGE OUT CC CXX
# Builds graders as the documents say, against the copy that install.sh has put into STAGE, into OUT/programs: each compiler
# command of the documents as it stands there, the project of the examples, and what else a user may do. Fails also when one is
# linked with another libxqueue-grader than it should. integration.test_installed runs them all.
set -euo pipefail
root=$1
stage=$2
out=$3
cc=$4
cxx=$5
examples=$root/grader-sdk/examples
library=$(dirname "$(find "$stage" -name libxqueue-grader.so)")

rm -rf "$out"
mkdir -p "$out/programs" "$out/archive" "$out/newer" "$out/path"
# The documents' commands say cc and c++, and mean the machine's; here they are those that built the library.
ln -s "$(command -v "$cc")" "$out/path/cc"
ln -s "$(command -v "$cxx")" "$out/path/c++"
export PATH=$out/path:$PATH
export PKG_CONFIG_PATH=$library/pkgconfig
export LD_RUN_PATH=$library # the linker's: programs find the library where it is staged

# links WANTED PROGRAM: shared or static, and nothing of ours that is missing
links() {
    local found=static
    if [[ $(ldd "$2") == *"libxqueue-grader.so"*" => $library/"* ]]; then found=shared; fi
    if [ "$found" != "$1" ]; then
        echo "$2: linked with the $found library, not the $1 one"
        exit 1
    fi
}

# command_line NAME WANTED LINE: a line of a document, run where the sources lie
command_line() {
    echo "$3"
    local folder=$out/commands/$1 product
    mkdir -p "$folder"
    cp "$examples"/*_grader.c* "$examples"/*_test.c "$folder"
    (cd "$folder" && sh -ec "$3")
    product=$(find "$folder" -type f -executable)
    if [[ $3 == *xqueue-grader-mock* ]]; then # a test, not a grader: run with the smallest one, built by the same document
        "$product" "$out/programs/${1%-*}-1"
        return
    fi
    links "$2" "$product"
    cp "$product" "$out/programs/$1"
}

for document in README.md grader-sdk/README.md docs/writing-a-grader.md; do
    count=0
    while IFS= read -r line; do
        count=$((count + 1))
        wanted=shared
        if [[ $line == *xqueue-grader-static* ]]; then wanted=static; fi
        command_line "${document//\//-}-$count" $wanted "$line"
    done < <(grep -E '^(cc|c\+\+) ' "$root/$document")
    if [ $count = 0 ]; then
        echo "$document: says no more how to build a grader"
        exit 1
    fi
done

strict=(-Wall -Wextra -Wpedantic -Werror)
read -ra shared < <(pkg-config --cflags --libs xqueue-grader)
"$cxx" -std=c++11 "${strict[@]}" "$examples/word_grader.cpp" "${shared[@]}" -o "$out/programs/word_grader"
links shared "$out/programs/word_grader"
"$cc" -std=c11 -D_GNU_SOURCE "${strict[@]}" -I"$root" "$examples"/course_*.c "${shared[@]}" -ljansson -o "$out/programs/course_grader"
links shared "$out/programs/course_grader"

# --static names what the archive needs; the linker takes that where there is no shared library.
cp "$library/libxqueue-grader.a" "$out/archive"
read -ra archive < <(pkg-config --static --define-variable=libdir="$out/archive" --cflags --libs xqueue-grader)
"$cc" -std=c11 "${strict[@]}" "$examples/hello_grader.c" "${archive[@]}" -o "$out/programs/hello_grader-archive"
links static "$out/programs/hello_grader-archive"

cmake -S "$examples/project" -B "$out/project" -DCMAKE_PREFIX_PATH="$stage/usr" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_CXX_COMPILER="$cxx" >"$out/project.log"
cmake --build "$out/project" >>"$out/project.log" || { cat "$out/project.log"; exit 1; }
ctest --test-dir "$out/project" --no-tests=error --output-on-failure >>"$out/project.log" || { cat "$out/project.log"; exit 1; }
for program in hello_grader hello_grader_static word_grader; do
    if [[ $program == *_static ]]; then links static "$out/project/$program"; else links shared "$out/project/$program"; fi
    cp "$out/project/$program" "$out/programs/project-$program"
done

# Built against the header of a library that does not exist yet: must notice when it starts.
cp -r "$stage/usr/include" "$out/newer/include"
sed -i 's/^\(#define XQUEUE_VERSION_PATCH *\)\([0-9]*\)/\1 (\2 + 1)/' "$out/newer/include/xqueue/grader.h"
"$cxx" -std=c++11 "${strict[@]}" -I"$out/newer/include" "$examples/word_grader.cpp" "${shared[@]}" -o "$out/newer/word_grader"

header=$(sed -n 's/^#define XQUEUE_VERSION_\(MAJOR\|MINOR\|PATCH\) *//p' "$stage/usr/include/xqueue/grader.h" | paste -sd.)
for package in xqueue-grader xqueue-grader-static; do
    if [ "$(pkg-config --modversion $package)" != "$header" ]; then
        echo "pkg-config says version $(pkg-config --modversion $package) of $package, the header $header"
        exit 1
    fi
done
