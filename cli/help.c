#include "cli/help.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { HELP_COLUMN = 34, SUMMARY_COLUMN = 22, EDGE = 79 };

/* Bytes that continue a UTF-8 character take no column. */
static size_t
columns(const char *text)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

/* Appends `text` from column `at` on, wrapped between `left` and EDGE. */
static void
wrap(fc_buf *page, size_t at, size_t left, const char *text)
{
    if (at > 0 && at + 1 > left) {
        fc_buf_printf(page, "\n");
        at = 0;
    }
    fc_buf_printf(page, "%*s", (int)(left - at), "");
    at = left;
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        char *word = fc_strndup(text, length);
        if (at > left && at + 1 + columns(word) > EDGE) {
            fc_buf_printf(page, "\n%*s", (int)left, "");
            at = left;
        }
        fc_buf_printf(page, "%s%s", at > left ? " " : "", word);
        at += columns(word) + (at > left);
        free(word);
        text += length + (text[length] == ' ');
    }
    fc_buf_printf(page, "\n");
}

static void
option_line(fc_buf *page, cli_option_id id)
{
    const cli_option *option = &cli_options[id];
    char letter[] = {'-', option->letter, ',', ' ', '\0'};
    char *head =
        fc_sprintf("  %s--%s%s%s", option->letter != 0 ? letter : "    ", option->name,
                   option->argument != NULL ? " " : "", option->argument != NULL ? option->argument : "");
    fc_buf_printf(page, "%s", head);
    char *help = fc_sprintf("%s%s", option->help, option->many ? "; may be repeated" : "");
    wrap(page, columns(head), HELP_COLUMN, help);
    free(help);
    free(head);
}

static void
option_section(fc_buf *page, const char *title, const cli_option_id *list)
{
    if (list == NULL || *list == CLI_OPTION_NONE)
        return;
    fc_buf_printf(page, "\n%s:\n", title);
    for (; *list != CLI_OPTION_NONE; list++)
        option_line(page, *list);
}

static void
indented(fc_buf *page, const char *lines)
{
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        fc_buf_printf(page, "  %.*s\n", (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
}

static void
command_page(const cli_command *command, fc_buf *page)
{
    fc_buf_printf(page, "fleetcap %s: %s\n\nUsage: fleetcap %s%s%s [OPTION…]\n", command->path,
                  command->summary, command->path, *command->operands != '\0' ? " " : "", command->operands);
    if (command->text != NULL) {
        fc_buf_printf(page, "\n");
        /* Each line of the text is a paragraph of its own; long ones are wrapped for 80 columns. */
        char *copy = fc_strdup(command->text);
        for (char *at = copy; (at = strchr(at, '\n')) != NULL; at++)
            if (at > copy && at[-1] != '.')
                *at = ' ';
        char *rest = copy;
        for (char *line; (line = strsep(&rest, "\n")) != NULL;)
            wrap(page, 0, 0, line);
        free(copy);
    }
    option_section(page, "Options", command->options);
    if (command->connects)
        option_section(page, "Connection", cli_connection_options);
    option_section(page, "Every command", cli_common_options);
    if (command->examples != NULL) {
        fc_buf_printf(page, "\nExamples:\n");
        indented(page, command->examples);
    }
}

static void
command_lines(const char *group, fc_buf *page)
{
    size_t length = group != NULL ? strlen(group) : 0;
    for (size_t i = 0; i < cli_command_count; i++) {
        const char *path = cli_commands[i].path;
        bool here = group == NULL ? strchr(path, ' ') == NULL
                                  : strncmp(path, group, length) == 0 && path[length] == ' ';
        if (!here)
            continue;
        fc_buf_printf(page, "  %s", path);
        wrap(page, 2 + strlen(path), SUMMARY_COLUMN, cli_commands[i].summary);
    }
}

static void
overview(fc_buf *page)
{
    fc_buf_printf(page, "fleetcap: packet captures on whole scale sets\n\n"
                        "Usage: fleetcap COMMAND [OPERAND…] [OPTION…]\n");
    for (size_t i = 0; i < cli_group_count; i++) {
        fc_buf_printf(page, "\n%s: %s\n", cli_groups[i].name, cli_groups[i].summary);
        command_lines(cli_groups[i].name, page);
    }
    fc_buf_printf(page, "\n");
    command_lines(NULL, page);
    fc_buf_printf(page, "\nfleetcap COMMAND --help shows a command's options and examples.\n"
                        "\nExit status: 0 done, 1 error, 2 wrong usage, 3 not found, 4 some instances\n"
                        "did and some did not, 5 unreachable or timed out, 6 denied, 7 conflict.\n");
}

void
cli_help_page(const cli_args *args, fc_buf *text)
{
    if (args->command != NULL)
        command_page(args->command, text);
    else if (args->group != NULL) {
        fc_buf_printf(text, "Usage: fleetcap %s COMMAND [OPERAND…] [OPTION…]\n\n", args->group);
        command_lines(args->group, text);
    } else
        overview(text);
}
