/* golden_write.c: writes the golden messages of a release, once: golden-write DIRECTORY. See
 * docs/protocol.md. */
#include "golden.h"

#include "common/base/buf.h"
#include "common/base/file.h"
#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CASES_MAX = 256 };

static bool
write_file(int dir_fd, const char *name, const fc_buf *bytes)
{
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && fc_file_write_all(fd, fc_buf_bytes(bytes), fc_buf_size(bytes)) == FC_OK;
    if (!ok)
        (void)fprintf(stderr, "golden-write: %s: %s\n", name,
                      errno == EEXIST ? "is there already: what a release wrote is never written again"
                                      : strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool
write_all(int dir_fd)
{
    golden_case cases[CASES_MAX];
    size_t count = golden_cases(cases, CASES_MAX);
    fc_strings lines = {0};
    fc_buf bytes = {0};
    golden_list(&lines);
    for (size_t i = 0; i < lines.count; i++) {
        fc_buf_append(&bytes, lines.items[i], strlen(lines.items[i]));
        fc_buf_append(&bytes, "\n", 1);
    }
    bool ok = count <= CASES_MAX && write_file(dir_fd, "fields.txt", &bytes);
    for (size_t i = 0; i < count && ok; i++) {
        char name[GOLDEN_NAME_SIZE], file[GOLDEN_NAME_SIZE + 4];
        golden_name(&cases[i], name);
        (void)snprintf(file, sizeof file, "%s.bin", name);
        ProtobufCMessage *message = golden_make(&cases[i], &lines);
        fc_buf_clear(&bytes);
        golden_pack(message, &bytes);
        protobuf_c_message_free_unpacked(message, NULL);
        ok = write_file(dir_fd, file, &bytes);
    }
    fc_buf_fini(&bytes);
    fc_strings_fini(&lines);
    return ok;
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "Usage: golden-write DIRECTORY\n");
        return 2;
    }
    if (mkdir(argv[1], 0755) != 0 && errno != EEXIST) {
        (void)fprintf(stderr, "golden-write: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    int dir_fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = dir_fd >= 0 && write_all(dir_fd);
    if (dir_fd >= 0)
        close(dir_fd);
    return ok ? 0 : 1;
}
