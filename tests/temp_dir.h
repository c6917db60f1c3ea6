/* temp_dir.h: a directory of the test's own, made anew and removed with all that is in it. */
#ifndef FC_TESTS_TEMP_DIR_H
#define FC_TESTS_TEMP_DIR_H

#include <stddef.h>

enum { TEMP_DIR_BYTES = 64 }; /* of a path, with its end */

/* Makes one that only we may enter: in $TMPDIR, or in /tmp if that is not set, relative or too long. Where
 * none can be made no test can run: ends the program with a sentence. */
void
temp_dir_make(char ret_dir[TEMP_DIR_BYTES]);
/* This or any other, with all that is in it: links, but not what they point at. 0, or -1 with errno. */
int
temp_dir_remove(const char *dir);

/* Runs a shell command there. What it says, on both of its outputs, is in ret_output: a string, cut to the
 * size in bytes. Its exit status, or -1 when it did not exit. Without a shell no test can run: ends the
 * program with a sentence. */
int
temp_dir_run(const char *dir, const char *command, char *ret_output, size_t size);

/* cmocka's set-up and tear-down of a test that only wants its working directory to be new. */
int
temp_dir_enter(void **state);
int
temp_dir_leave(void **state);

#endif
