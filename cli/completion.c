#include "cli/completion.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ---- what an option's value can be ---- */

typedef enum value_kind { VALUE_NONE, VALUE_WORDS, VALUE_FILE, VALUE_DIRECTORY, VALUE_OTHER } value_kind;

/* "table|json|tsv" is a choice; FILE and DIR are in the file system. */
static value_kind
kind_of_value(const cli_option *option)
{
    if (option->argument == NULL)
        return VALUE_NONE;
    if (strcmp(option->argument, "DIR") == 0)
        return VALUE_DIRECTORY;
    if (strstr(option->argument, "FILE") != NULL && strchr(option->argument, ':') == NULL)
        return VALUE_FILE;
    for (const char *c = option->argument; *c != '\0'; c++)
        if (*c != '|' && (*c < 'a' || *c > 'z'))
            return VALUE_OTHER;
    return VALUE_WORDS;
}

static void
put_choices(fc_buf *text, const char *argument)
{
    for (const char *c = argument; *c != '\0'; c++)
        fc_buf_printf(text, "%c", *c == '|' ? ' ' : *c);
}

/* Calls `each` for every option of a command: its own, the connection's, everyone's. */
static void
each_option(const cli_command *command, void (*each)(fc_buf *text, cli_option_id id), fc_buf *text)
{
    const cli_option_id *lists[] = {command->options, command->connects ? cli_connection_options : NULL,
                                    cli_common_options};
    for (size_t i = 0; i < FC_COUNT(lists); i++)
        for (const cli_option_id *id = lists[i]; id != NULL && *id != CLI_OPTION_NONE; id++)
            each(text, *id);
}

/* ---- bash ---- */

static const char bash_head[] = "# Completion of fleetcap for bash(1), made by `fleetcap completion bash`.\n"
                                "_fleetcap()\n"
                                "{\n"
                                "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - "
                                "1]} command='' candidates='' i\n"
                                "    for ((i = 1; i < COMP_CWORD && i < 3; i++)); do\n"
                                "        [[ ${COMP_WORDS[i]} != -* ]] || break\n"
                                "        command+=${command:+ }${COMP_WORDS[i]}\n"
                                "    done\n";

static const char bash_foot[] = "    # shellcheck disable=SC2207 # words without blanks\n"
                                "    COMPREPLY=($(compgen -W \"$candidates\" -- \"$word\"))\n"
                                "    [[ ${#COMPREPLY[@]} -gt 0 || $word == -* ]] || compopt -o default\n"
                                "}\n"
                                "complete -F _fleetcap fleetcap\n";

static void
bash_value(fc_buf *text, const cli_option *option)
{
    value_kind kind = kind_of_value(option);
    if (kind == VALUE_NONE)
        return;
    if (option->letter != 0)
        fc_buf_printf(text, "    --%s | -%c) ", option->name, option->letter);
    else
        fc_buf_printf(text, "    --%s) ", option->name);
    if (kind == VALUE_WORDS) {
        fc_buf_printf(text, "candidates='");
        put_choices(text, option->argument);
        fc_buf_printf(text, "' ;;\n");
    } else if (kind == VALUE_OTHER) {
        fc_buf_printf(text, "return ;;\n");
    } else {
        fc_buf_printf(text, "compopt -o %s; return ;;\n", kind == VALUE_FILE ? "default" : "dirnames");
    }
}

static void
bash_option(fc_buf *text, cli_option_id id)
{
    fc_buf_printf(text, " --%s", cli_options[id].name);
}

/* The same name may stand for two options of different commands: their values are of one kind. */
static bool
is_first_of_its_name(size_t id)
{
    for (size_t i = 1; i < id; i++)
        if (strcmp(cli_options[i].name, cli_options[id].name) == 0)
            return false;
    return true;
}

static void
bash_words(fc_buf *text, const char *group)
{
    size_t length = strlen(group);
    for (size_t i = 0; i < cli_command_count; i++) {
        const char *path = cli_commands[i].path;
        if (length == 0 && strchr(path, ' ') == NULL)
            fc_buf_printf(text, " %s", path);
        else if (length > 0 && strncmp(path, group, length) == 0 && path[length] == ' ')
            fc_buf_printf(text, " %s", path + length + 1);
    }
}

void
cli_completion_bash(fc_buf *text)
{
    fc_buf_printf(text, "%s    case $previous in\n", bash_head);
    for (size_t id = 1; id < CLI_OPTION_COUNT; id++)
        if (is_first_of_its_name(id))
            bash_value(text, &cli_options[id]);
    fc_buf_printf(text, "    *)\n        case $command in\n        '') candidates='");
    for (size_t i = 0; i < cli_group_count; i++)
        fc_buf_printf(text, "%s%s", i > 0 ? " " : "", cli_groups[i].name);
    bash_words(text, "");
    fc_buf_printf(text, " --help' ;;\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        bool whole = strchr(cli_commands[i].path, ' ') != NULL;
        fc_buf_printf(text, "        '%s'%s) candidates='", cli_commands[i].path, whole ? "" : "*");
        each_option(&cli_commands[i], bash_option, text);
        fc_buf_printf(text, "' ;;\n");
    }
    for (size_t i = 0; i < cli_group_count; i++) {
        fc_buf_printf(text, "        '%s') candidates='", cli_groups[i].name);
        bash_words(text, cli_groups[i].name);
        fc_buf_printf(text, " --help' ;;\n");
    }
    fc_buf_printf(text, "        esac\n        ;;\n    esac\n%s", bash_foot);
}

/* ---- zsh ---- */

/* Text inside of '[…]' and between colons inside of single quotes. */
static void
put_zsh(fc_buf *text, const char *plain)
{
    for (const char *c = plain; *c != '\0'; c++) {
        if (*c == '\'')
            fc_buf_printf(text, "'\\''");
        else if (strchr("[]:\\", *c) != NULL)
            fc_buf_printf(text, "\\%c", *c);
        else
            fc_buf_printf(text, "%c", *c);
    }
}

static void
zsh_option(fc_buf *text, cli_option_id id)
{
    const cli_option *option = &cli_options[id];
    fc_buf_printf(text, " \\\n        '%s--%s", option->many ? "*" : "", option->name);
    fc_buf_printf(text, "[");
    put_zsh(text, option->help);
    fc_buf_printf(text, "]");
    value_kind kind = kind_of_value(option);
    if (kind != VALUE_NONE) {
        fc_buf_printf(text, ":");
        put_zsh(text, kind == VALUE_WORDS ? "value" : option->argument);
        fc_buf_printf(text, ":");
    }
    if (kind == VALUE_WORDS) {
        fc_buf_printf(text, "(");
        put_choices(text, option->argument);
        fc_buf_printf(text, ")");
    } else if (kind == VALUE_FILE || kind == VALUE_DIRECTORY) {
        fc_buf_printf(text, "_files%s", kind == VALUE_DIRECTORY ? " -/" : "");
    }
    fc_buf_printf(text, "'");
}

static void
zsh_word(fc_buf *text, const char *word, const char *summary)
{
    fc_buf_printf(text, " \\\n        '%s:", word);
    put_zsh(text, summary);
    fc_buf_printf(text, "'");
}

/* The commands of a group, or with "" the groups and the commands in none. */
static void
zsh_words(fc_buf *text, const char *group)
{
    size_t length = strlen(group);
    for (size_t i = 0; length == 0 && i < cli_group_count; i++)
        zsh_word(text, cli_groups[i].name, cli_groups[i].summary);
    for (size_t i = 0; i < cli_command_count; i++) {
        const char *path = cli_commands[i].path;
        if (length == 0 && strchr(path, ' ') == NULL)
            zsh_word(text, path, cli_commands[i].summary);
        else if (length > 0 && strncmp(path, group, length) == 0 && path[length] == ' ')
            zsh_word(text, path + length + 1, cli_commands[i].summary);
    }
}

void
cli_completion_zsh(fc_buf *text)
{
    fc_buf_printf(text, "#compdef fleetcap\n"
                        "# Completion of fleetcap for zsh(1), made by `fleetcap completion zsh`.\n"
                        "_fleetcap_words() { local -a found=(\"$@\"); _describe command found; }\n"
                        "_fleetcap()\n{\n    case \"$CURRENT ${words[2]}\" in\n    '2 '*) _fleetcap_words");
    zsh_words(text, "");
    fc_buf_printf(text, "; return ;;\n");
    for (size_t i = 0; i < cli_group_count; i++) {
        fc_buf_printf(text, "    '3 %s') _fleetcap_words", cli_groups[i].name);
        zsh_words(text, cli_groups[i].name);
        fc_buf_printf(text, "; return ;;\n");
    }
    fc_buf_printf(text, "    esac\n    case \"${words[2]} ${words[3]}\" in\n");
    for (size_t i = 0; i < cli_command_count; i++) {
        bool whole = strchr(cli_commands[i].path, ' ') != NULL;
        fc_buf_printf(text, whole ? "    '%s') _arguments" : "    '%s '*) _arguments", cli_commands[i].path);
        each_option(&cli_commands[i], zsh_option, text);
        fc_buf_printf(text, " \\\n        '*:file:_files' ;;\n");
    }
    fc_buf_printf(text, "    esac\n}\n[[ ${funcstack[1]} != _fleetcap ]] || _fleetcap \"$@\"\n"
                        "(( ! ${+functions[compdef]} )) || compdef _fleetcap fleetcap\n");
}
