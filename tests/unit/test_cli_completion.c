/* Completion scripts, run by the shells that they are for. */
#include "cli/completion.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];
static char output[8192];

static void
write_script(void (*make)(fc_buf *text))
{
    fc_buf text = {0};
    strcpy(path, "/tmp/fc-completion-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    make(&text);
    assert_int_equal(write(fd, fc_buf_bytes(&text), fc_buf_size(&text)), (ssize_t)fc_buf_size(&text));
    (void)close(fd);
    fc_buf_fini(&text);
}

/* What bash offers when `words` (the last one being typed) stand on the line. */
static const char *
offers(const char *words, int current)
{
    char *line =
        fc_sprintf("bash -c 'compopt() { :; }; source %s; COMP_WORDS=(%s); COMP_CWORD=%d; _fleetcap; echo \" "
                   "${COMPREPLY[*]} \"' 2>&1",
                   path, words, current);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    assert_int_equal(pclose(pipe), 0);
    free(line);
    return output;
}

static void
bash_offers_groups_commands_options_and_values(void **state)
{
    (void)state;
    write_script(cli_completion_bash);
    assert_non_null(strstr(offers("fleetcap \"\"", 1), " capture "));
    assert_non_null(strstr(offers("fleetcap \"\"", 1), " compare "));
    assert_string_equal(offers("fleetcap capt", 1), " capture \n");
    assert_non_null(strstr(offers("fleetcap capture \"\"", 2), " create "));
    assert_null(strstr(offers("fleetcap capture \"\"", 2), " issue "));
    assert_string_equal(offers("fleetcap capture create --time", 3), " --time-limit --timeout \n");
    assert_string_equal(offers("fleetcap version --output j", 3), " json \n");
    assert_string_equal(offers("fleetcap capture wait dns --for \"\"", 5), " running stopped \n");
    assert_string_equal(offers("fleetcap compare dns --htm", 3), " --html \n");
    assert_string_equal(offers("fleetcap tok", 1), " token \n");
    assert_non_null(strstr(offers("fleetcap token \"\"", 2), " create list revoke "));
    assert_non_null(strstr(offers("fleetcap enrolment \"\"", 2), " list approve deny "));
    assert_string_equal(offers("fleetcap instance rem", 2), " remove \n");
    assert_string_equal(offers("fleetcap token create --app", 3), " --approval \n");
    assert_string_equal(offers("fleetcap instance remove web-1 --fo", 4), " --force \n");
    (void)unlink(path);
}

/* Every option of every command is offered, and nothing else. */
static void
bash_offers_every_option_of_the_table(void **state)
{
    (void)state;
    write_script(cli_completion_bash);
    for (size_t i = 0; i < cli_command_count; i++) {
        const cli_command *command = &cli_commands[i];
        bool group = strchr(command->path, ' ') != NULL;
        char *words = fc_sprintf("fleetcap %s --", command->path);
        const char *offered = offers(words, group ? 3 : 2);
        for (const cli_option_id *id = command->options; *id != CLI_OPTION_NONE; id++) {
            char *option = fc_sprintf(" --%s ", cli_options[*id].name);
            if (strstr(offered, option) == NULL)
                fail_msg("%s:%s is not offered", command->path, option);
            free(option);
        }
        free(words);
    }
    (void)unlink(path);
}

static void
zsh_takes_its_script(void **state)
{
    (void)state;
    write_script(cli_completion_zsh);
    char *line = fc_sprintf("zsh -f -c 'autoload -Uz compinit && compinit -D -u && source %s && "
                            "print ${_comps[fleetcap]} && whence -w _fleetcap' 2>&1",
                            path);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    assert_int_equal(pclose(pipe), 0);
    assert_string_equal(output, "_fleetcap\n_fleetcap: function\n");
    free(line);
    (void)unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bash_offers_groups_commands_options_and_values),
        cmocka_unit_test(bash_offers_every_option_of_the_table),
        cmocka_unit_test(zsh_takes_its_script),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
