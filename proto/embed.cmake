# SPDX-License-Identifier: Apache-2.0
# Turns the file INPUT into the C array xqueue_descriptor_set in OUTPUT.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
file(WRITE ${OUTPUT} "#include \"proto/descriptor_set.h\"\nconst unsigned char xqueue_descriptor_set[] = {\n${hex}};\nconst unsigned long xqueue_descriptor_set_size = sizeof xqueue_descriptor_set;\n")
