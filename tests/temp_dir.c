#include "tests/temp_dir.h"

#include "common/base/mem.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "/fleetcap-XXXXXX"

enum { OPEN_DIRECTORIES = 16 }; /* deeper ones are opened again on the way */

static char entered[TEMP_DIR_BYTES];

void
temp_dir_make(char ret_dir[TEMP_DIR_BYTES])
{
    const char *in = getenv("TMPDIR");
    if (in == NULL || in[0] != '/' || strlen(in) + sizeof NAME > TEMP_DIR_BYTES)
        in = "/tmp";
    (void)snprintf(ret_dir, TEMP_DIR_BYTES, "%s" NAME, in);
    if (mkdtemp(ret_dir) == NULL) {
        perror(ret_dir);
        exit(EXIT_FAILURE);
    }
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

int
temp_dir_remove(const char *dir)
{
    return nftw(dir, remove_one, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS);
}

int
temp_dir_run(const char *dir, const char *command, char *ret_output, size_t size)
{
    char *line = fc_sprintf("cd '%s' && { %s; } 2>&1", dir, command);
    FILE *pipe = popen(line, "r");
    if (pipe == NULL) {
        perror(line);
        exit(EXIT_FAILURE);
    }
    free(line);
    ret_output[fread(ret_output, 1, size - 1, pipe)] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int
temp_dir_enter(void **state)
{
    (void)state;
    temp_dir_make(entered);
    return chdir(entered);
}

int
temp_dir_leave(void **state)
{
    (void)state;
    return chdir("/") == 0 ? temp_dir_remove(entered) : -1;
}
