#include "cli/command.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WORD_MAX = 64, CANDIDATES_MAX = 128 };

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t
cli_word_distance(const char *a, const char *b)
{
    /* Optimal string alignment (restricted Damerau-Levenshtein), three rows at a time. */
    size_t rows[3][WORD_MAX + 1];
    size_t a_length = strnlen(a, WORD_MAX), b_length = strnlen(b, WORD_MAX);
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(least(above[j] + 1, row[j - 1] + 1), replaced);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

const char *
cli_word_nearest(const char *word, const char *const *candidates, size_t count)
{
    size_t length = strlen(word);
    if (length == 0 || length > WORD_MAX)
        return NULL;
    size_t best = SIZE_MAX;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t distance = cli_word_distance(word, candidates[i]);
        /* "cap" for "capture", "limit" for "time-limit": what was typed is part of the word. */
        if (length >= 3 && strstr(candidates[i], word) != NULL)
            distance = least(distance, 2);
        if (distance < best) {
            best = distance;
            nearest = candidates[i];
        }
    }
    size_t allowed = length <= 3 ? 1 : length <= 6 ? 2 : 3;
    return best <= allowed ? nearest : NULL;
}

/* ---- looking things up in the tables ---- */

static bool
listed(const cli_option_id *list, cli_option_id id)
{
    for (; list != NULL && *list != CLI_OPTION_NONE; list++)
        if (*list == id)
            return true;
    return false;
}

bool
cli_command_takes(const cli_command *command, cli_option_id id)
{
    if (listed(cli_common_options, id))
        return true;
    if (command == NULL)
        return listed(cli_connection_options, id);
    return (command->connects && listed(cli_connection_options, id)) || listed(command->options, id);
}

static cli_option_id
option_by_name(const cli_command *command, const char *name, size_t length)
{
    for (int id = CLI_OPTION_NONE + 1; id < CLI_OPTION_COUNT; id++)
        if (cli_command_takes(command, (cli_option_id)id) && strlen(cli_options[id].name) == length &&
            memcmp(cli_options[id].name, name, length) == 0)
            return (cli_option_id)id;
    return CLI_OPTION_NONE;
}

static cli_option_id
option_by_letter(const cli_command *command, char letter)
{
    for (int id = CLI_OPTION_NONE + 1; id < CLI_OPTION_COUNT; id++)
        if (cli_options[id].letter == letter && cli_command_takes(command, (cli_option_id)id))
            return (cli_option_id)id;
    return CLI_OPTION_NONE;
}

/* How the user would ask for the help that lists what is allowed here. */
static char *
help_hint(const cli_args *args)
{
    if (args->command != NULL)
        return fc_sprintf("fleetcap %s --help", args->command->path);
    if (args->group != NULL)
        return fc_sprintf("fleetcap %s --help", args->group);
    return fc_strdup("fleetcap --help");
}

static fc_err
unknown_option(const cli_args *args, const char *word, size_t length, fc_fail *fail)
{
    const char *names[CLI_OPTION_COUNT];
    size_t count = 0;
    for (int id = CLI_OPTION_NONE + 1; id < CLI_OPTION_COUNT; id++)
        if (cli_command_takes(args->command, (cli_option_id)id))
            names[count++] = cli_options[id].name;
    char *typed = fc_strndup(word, length);
    char *hint = help_hint(args);
    const char *nearest = strncmp(typed, "--", 2) == 0 ? cli_word_nearest(typed + 2, names, count) : NULL;
    fc_err err;
    if (args->command == NULL)
        err = fc_fail_set(fail, FC_ERR_INVALID, "option %s is not known before the command: see %s", typed,
                          hint);
    else if (nearest != NULL)
        err = fc_fail_set(fail, FC_ERR_INVALID, "%s has no option %s: did you mean --%s?",
                          args->command->path, typed, nearest);
    else
        err = fc_fail_set(fail, FC_ERR_INVALID, "%s has no option %s: see %s", args->command->path, typed,
                          hint);
    free(typed);
    free(hint);
    return err;
}

static fc_err
unknown_word(const cli_args *args, const char *word, const char *const *names, size_t count, fc_fail *fail)
{
    const char *prefix = args->group != NULL ? args->group : "fleetcap";
    const char *nearest = cli_word_nearest(word, names, count);
    if (nearest != NULL)
        return fc_fail_set(fail, FC_ERR_INVALID, "%s has no command \"%s\": did you mean \"%s\"?", prefix,
                           word, nearest);
    char *hint = help_hint(args);
    fc_err err = fc_fail_set(fail, FC_ERR_INVALID, "%s has no command \"%s\": see %s", prefix, word, hint);
    free(hint);
    return err;
}

/* ---- commands ---- */

static const cli_command *
command_find(const char *group, const char *word)
{
    size_t length = group != NULL ? strlen(group) : 0;
    for (size_t i = 0; i < cli_command_count; i++) {
        const char *path = cli_commands[i].path;
        if (group == NULL ? strcmp(path, word) == 0
                          : strncmp(path, group, length) == 0 && path[length] == ' ' &&
                                strcmp(path + length + 1, word) == 0)
            return &cli_commands[i];
    }
    return NULL;
}

static const cli_group *
group_find(const char *word)
{
    for (size_t i = 0; i < cli_group_count; i++)
        if (strcmp(cli_groups[i].name, word) == 0)
            return &cli_groups[i];
    return NULL;
}

/* The words that may stand here: groups and one-word commands, or the verbs of a group. */
static size_t
words_here(const char *group, const char *ret_names[CANDIDATES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; group == NULL && i < cli_group_count; i++)
        ret_names[count++] = cli_groups[i].name;
    size_t length = group != NULL ? strlen(group) : 0;
    for (size_t i = 0; i < cli_command_count && count < CANDIDATES_MAX; i++) {
        const char *path = cli_commands[i].path;
        if (group == NULL && strchr(path, ' ') == NULL)
            ret_names[count++] = path;
        else if (group != NULL && strncmp(path, group, length) == 0 && path[length] == ' ')
            ret_names[count++] = path + length + 1;
    }
    return count;
}

/* One word of the command's path. */
static fc_err
take_command_word(cli_args *args, const char *word, fc_fail *fail)
{
    args->command = command_find(args->group, word);
    if (args->command != NULL)
        return FC_OK;
    const cli_group *group = args->group == NULL ? group_find(word) : NULL;
    if (group != NULL) {
        args->group = group->name;
        return FC_OK;
    }
    const char *names[CANDIDATES_MAX];
    size_t count = words_here(args->group, names);
    return unknown_word(args, word, names, count, fail);
}

static fc_err
command_missing(const cli_args *args, fc_fail *fail)
{
    const char *names[CANDIDATES_MAX];
    size_t count = words_here(args->group, names);
    fc_buf text = {0};
    for (size_t i = 0; i < count; i++)
        fc_buf_printf(&text, "%s%s", i == 0 ? "" : i + 1 == count ? " or " : ", ", names[i]);
    fc_err err =
        fc_fail_set(fail, FC_ERR_INVALID, "%s%sneeds a command: %s", args->group != NULL ? args->group : "",
                    args->group != NULL ? " " : "fleetcap ", fc_buf_text(&text));
    fc_buf_fini(&text);
    return err;
}

/* ---- options ---- */

static fc_err
value_missing(cli_option_id id, fc_fail *fail)
{
    return fc_fail_set(fail, FC_ERR_INVALID, "option --%s needs a value: --%s %s", cli_options[id].name,
                       cli_options[id].name, cli_options[id].argument);
}

/* The value of option `id`: what is attached to it, or the next word. */
static fc_err
take_value(cli_args *args, cli_option_id id, const char *attached, const char *const *words, size_t count,
           size_t *at, fc_fail *fail)
{
    const char *value = attached;
    if (value == NULL) {
        /* A following "--option" is a forgotten value; a value that looks like one is written --name=--value.
         */
        if (*at + 1 >= count || strncmp(words[*at + 1], "--", 2) == 0)
            return value_missing(id, fail);
        value = words[++*at];
    }
    fc_strings_add(&args->given[id], value);
    return FC_OK;
}

static fc_err
take_long(cli_args *args, const char *const *words, size_t count, size_t *at, fc_fail *fail)
{
    const char *name = words[*at] + 2;
    size_t length = strcspn(name, "=");
    const char *attached = name[length] == '=' ? name + length + 1 : NULL;
    cli_option_id id = option_by_name(args->command, name, length);
    if (id == CLI_OPTION_NONE)
        return unknown_option(args, words[*at], length + 2, fail);
    if (cli_options[id].argument != NULL)
        return take_value(args, id, attached, words, count, at, fail);
    if (attached != NULL)
        return fc_fail_set(fail, FC_ERR_INVALID, "option --%s takes no value, but was given \"%s\"",
                           cli_options[id].name, attached);
    fc_strings_add(&args->given[id], "");
    return FC_OK;
}

static fc_err
take_letters(cli_args *args, const char *const *words, size_t count, size_t *at, fc_fail *fail)
{
    for (const char *letter = words[*at] + 1; *letter != '\0'; letter++) {
        cli_option_id id = option_by_letter(args->command, *letter);
        if (id == CLI_OPTION_NONE)
            return unknown_option(args, words[*at], strlen(words[*at]), fail);
        if (cli_options[id].argument != NULL)
            return take_value(args, id, letter[1] != '\0' ? letter + 1 : NULL, words, count, at, fail);
        fc_strings_add(&args->given[id], "");
    }
    return FC_OK;
}

static fc_err
check_operands(const cli_args *args, fc_fail *fail)
{
    const cli_command *command = args->command;
    size_t count = args->operands.count;
    if (count < (size_t)command->operands_min)
        return fc_fail_set(fail, FC_ERR_INVALID, "%s needs %s: see fleetcap %s --help", command->path,
                           command->operands, command->path);
    if (command->operands_max < 0 || count <= (size_t)command->operands_max)
        return FC_OK;
    const char *extra = args->operands.items[command->operands_max];
    if (command->operands_max == 0)
        return fc_fail_set(fail, FC_ERR_INVALID, "%s takes no operand, but was given \"%s\"", command->path,
                           extra);
    return fc_fail_set(fail, FC_ERR_INVALID, "%s takes only %s, but was given \"%s\" as well", command->path,
                       command->operands, extra);
}

/* --help wins over everything else that may be wrong with the line; the words before it say what about. */
static bool
asks_for_help(cli_args *args, const char *const *words, size_t count, fc_err *ret_err, fc_fail *fail)
{
    size_t start = count > 0 && strcmp(words[0], "help") == 0 ? 1 : 0;
    bool asked = start == 1;
    for (size_t i = 0; i < count && strcmp(words[i], "--") != 0; i++)
        asked = asked || strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0;
    if (!asked)
        return false;
    args->help = true;
    *ret_err = FC_OK;
    for (size_t i = start; i < count && args->command == NULL && *ret_err == FC_OK; i++)
        if (words[i][0] != '-')
            *ret_err = take_command_word(args, words[i], fail);
    return true;
}

fc_err
cli_args_parse(const char *const *words, size_t count, cli_args *ret_args, fc_fail *fail)
{
    cli_args *args = ret_args;
    fc_err err = FC_OK;
    if (asks_for_help(args, words, count, &err, fail))
        return err;
    if (count == 1 && strcmp(words[0], "--version") == 0) {
        args->command = command_find(NULL, "version");
        return FC_OK;
    }
    bool only_operands = false;
    for (size_t i = 0; i < count && err == FC_OK; i++) {
        const char *word = words[i];
        if (!only_operands && strcmp(word, "--") == 0)
            only_operands = true;
        else if (!only_operands && strncmp(word, "--", 2) == 0)
            err = take_long(args, words, count, &i, fail);
        else if (!only_operands && word[0] == '-' && word[1] != '\0')
            err = take_letters(args, words, count, &i, fail);
        else if (args->command == NULL)
            err = take_command_word(args, word, fail);
        else
            fc_strings_add(&args->operands, word);
    }
    if (err == FC_OK && args->command == NULL)
        err = command_missing(args, fail);
    /* Given before the command, an option of the connection may not fit the command that followed. */
    for (int id = CLI_OPTION_NONE + 1; err == FC_OK && id < CLI_OPTION_COUNT; id++)
        if (args->given[id].count > 0 && !cli_command_takes(args->command, (cli_option_id)id))
            err = fc_fail_set(fail, FC_ERR_INVALID, "%s has no option --%s", args->command->path,
                              cli_options[id].name);
    return err == FC_OK ? check_operands(args, fail) : err;
}

void
cli_args_fini(cli_args *args)
{
    fc_strings_fini(&args->operands);
    for (int id = 0; id < CLI_OPTION_COUNT; id++)
        fc_strings_fini(&args->given[id]);
    memset(args, 0, sizeof *args);
}

/* ---- values ---- */

bool
cli_args_has(const cli_args *args, cli_option_id id)
{
    return args->given[id].count > 0;
}

const char *
cli_args_text(const cli_args *args, cli_option_id id)
{
    size_t count = args->given[id].count;
    return count > 0 ? args->given[id].items[count - 1] : NULL;
}

void
cli_args_list(const cli_args *args, cli_option_id id, fc_strings *list)
{
    for (size_t i = 0; i < args->given[id].count; i++) {
        char *copy = fc_strdup(args->given[id].items[i]);
        char *rest = copy;
        for (char *item; (item = strsep(&rest, ",")) != NULL;) {
            while (*item == ' ')
                item++;
            size_t length = strlen(item);
            while (length > 0 && item[length - 1] == ' ')
                item[--length] = '\0';
            if (length > 0)
                fc_strings_add(list, item);
        }
        free(copy);
    }
}

fc_err
cli_args_size(const cli_args *args, cli_option_id id, uint64_t *ret_bytes, fc_fail *fail)
{
    const char *text = cli_args_text(args, id);
    if (text == NULL)
        return FC_OK;
    fc_err err = fc_size_parse(text, ret_bytes);
    if (err == FC_ERR_RANGE)
        return fc_fail_set(fail, FC_ERR_INVALID, "--%s \"%s\" is more bytes than can be counted",
                           cli_options[id].name, text);
    if (err != FC_OK)
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "--%s \"%s\" is not a size: write bytes, or 100kB, 100MiB, 1GiB",
                           cli_options[id].name, text);
    return FC_OK;
}

fc_err
cli_args_duration(const cli_args *args, cli_option_id id, uint64_t *ret_ms, fc_fail *fail)
{
    const char *text = cli_args_text(args, id);
    if (text == NULL)
        return FC_OK;
    if (fc_duration_parse(text, ret_ms) != FC_OK)
        return fc_fail_set(fail, FC_ERR_INVALID,
                           "--%s \"%s\" is not a time: write seconds, or 90s, 15m, 5h, 2d",
                           cli_options[id].name, text);
    return FC_OK;
}

fc_err
cli_args_number(const cli_args *args, cli_option_id id, uint64_t min, uint64_t max, uint64_t *ret_value,
                fc_fail *fail)
{
    const char *text = cli_args_text(args, id);
    if (text == NULL)
        return FC_OK;
    uint64_t value = 0;
    if (fc_u64_parse(text, max, &value) != FC_OK || value < min)
        return fc_fail_set(fail, FC_ERR_INVALID, "--%s \"%s\" is not a number from %llu to %llu",
                           cli_options[id].name, text, (unsigned long long)min, (unsigned long long)max);
    *ret_value = value;
    return FC_OK;
}
