# SPDX-License-Identifier: Apache-2.0
# Turns the SQL file INPUT into the C text NAME in OUTPUT.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
file(WRITE ${OUTPUT} "#include \"service/store/store_internal.h\"\nconst char ${NAME}[] = {\n${hex}0};\n")
