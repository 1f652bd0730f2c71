/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz harness over inputs that are already known: the empty input, then every file of the folder given as argument.
 * So a corpus is an ordinary test with any compiler. A folder without a file is a failure: such a test would show nothing.
 *
 * Threading: one thread.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    REPLAY_PATH_BYTES_MAX = 4096,
    REPLAY_INPUT_BYTES_MAX = 16 * 1024 * 1024,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Runs the harness on an exact heap copy, so that a sanitizer sees each byte read past its end. */
static void replay_stream(FILE *file, size_t size)
{
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (data == NULL || fread(data, 1, size, file) != size) {
        fprintf(stderr, "cannot read %zu bytes\n", size);
        exit(EXIT_FAILURE);
    }

    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
}

/* Returns true when path was a regular file and was replayed. */
static bool replay_file(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
        return false;
    }
    if (status.st_size > REPLAY_INPUT_BYTES_MAX) {
        fprintf(stderr, "%s: larger than %d bytes\n", path, REPLAY_INPUT_BYTES_MAX);
        exit(EXIT_FAILURE);
    }
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(EXIT_FAILURE);
    }

    printf("%s\n", path);
    fflush(stdout); // names the culprit when the harness crashes
    replay_stream(file, (size_t)status.st_size);
    fclose(file);
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return EXIT_FAILURE;
    }
    const uint8_t nothing = 0;
    (void)LLVMFuzzerTestOneInput(&nothing, 0);

    struct dirent **entries = NULL;
    int count = scandir(argv[1], &entries, NULL, alphasort);
    if (count < 0) {
        fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
        return EXIT_FAILURE;
    }
    int replayed = 0;
    for (int i = 0; i < count; i++) {
        char path[REPLAY_PATH_BYTES_MAX];
        int length = snprintf(path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
        free(entries[i]);
        if (length < 0 || (size_t)length >= sizeof path) {
            fprintf(stderr, "%s: path too long\n", argv[1]);
            return EXIT_FAILURE;
        }
        replayed += replay_file(path);
    }
    free(entries);
    printf("%d inputs replayed\n", replayed);
    return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
