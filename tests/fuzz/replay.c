/* replay.c: runs a fuzz target over its corpus, and over mutations of it, where libFuzzer is not linked.
 *
 *     fuzz_NAME DIRECTORY [MUTATIONS [SEED]]
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 20 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t random_state;

/* xorshift64* (Vigna 2016): the same seed gives the same run. */
static uint64_t
next_random(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 2685821657736338717u;
}

static size_t
mutate(uint8_t *data, size_t size)
{
    for (uint64_t edits = 1 + next_random() % 4; edits > 0 && size > 0; edits--) {
        size_t at = (size_t)(next_random() % size);
        switch (next_random() % 4) {
        case 0:
            data[at] = (uint8_t)next_random();
            break;
        case 1:
            data[at] ^= (uint8_t)(1u << (next_random() % 8));
            break;
        case 2:
            data[at] = 0xff;
            break;
        default:
            size = at;
            break;
        }
    }
    return size;
}

/* The target gets an allocation of exactly `size`, so that a read past the end is seen. */
static void
run(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1);
    if (exact == NULL)
        abort();
    memcpy(exact, data, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static int
replay(const char *path, unsigned long mutations)
{
    static uint8_t original[FILE_MAX], changed[FILE_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size_t size = fread(original, 1, sizeof original, file);
    (void)fclose(file);
    run(original, size);
    for (unsigned long i = 0; i < mutations; i++) {
        memcpy(changed, original, size);
        run(changed, mutate(changed, size));
    }
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: %s DIRECTORY [MUTATIONS [SEED]]\n", argv[0]);
        return 2;
    }
    unsigned long mutations = argc > 2 ? strtoul(argv[2], NULL, 10) : 500;
    random_state = argc > 3 ? strtoull(argv[3], NULL, 10) : 20261121;
    (void)printf("seed %" PRIu64 ", %lu mutations of each file\n", random_state, mutations);
    DIR *dir = opendir(argv[1]);
    if (dir == NULL) {
        perror(argv[1]);
        return 1;
    }
    int failed = 0;
    unsigned files = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        failed |= replay(path, mutations);
        files++;
    }
    (void)closedir(dir);
    (void)printf("%u files\n", files);
    if (files == 0)
        (void)fprintf(stderr, "%s: the corpus is empty\n", argv[1]);
    return files == 0 ? 1 : failed;
}
