/* manual: prints a manual page that is made from the programs' own tables (roff, man(7)): run at build time.
 */
#include "cli/command.h"
#include "cli/context.h"
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "coordinator/config.h"
#include "node/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text of a page: what roff would take for its own is escaped, and each sentence begins a line. */
static void
put(fc_buf *page, const char *text)
{
    bool at_start = true;
    for (const char *c = text; *c != '\0'; c++) {
        if (at_start && (*c == '.' || *c == '\''))
            fc_buf_printf(page, "\\&");
        at_start = *c == '\n';
        if (*c == '\\')
            fc_buf_printf(page, "\\(rs");
        else if (*c == '-')
            fc_buf_printf(page, "\\-");
        else
            fc_buf_printf(page, "%c", *c);
    }
}

static void
put_head(fc_buf *page, const char *name, const char *section, const char *summary)
{
    fc_buf_printf(page, ".TH %s %s " FC_MANUAL_DATE " \"fleetcap " FC_VERSION "\" \"fleetcap\"\n.SH NAME\n",
                  name, section);
    put(page, name);
    fc_buf_printf(page, " \\- ");
    put(page, summary);
    fc_buf_printf(page, "\n");
}

/* ---- fleetcap(1) ---- */

static void
put_option(fc_buf *page, cli_option_id id)
{
    const cli_option *option = &cli_options[id];
    fc_buf_printf(page, ".TP\n");
    if (option->letter != 0)
        fc_buf_printf(page, "\\fB\\-%c\\fR, ", option->letter);
    fc_buf_printf(page, "\\fB\\-\\-");
    put(page, option->name);
    fc_buf_printf(page, "\\fR");
    if (option->argument != NULL) {
        fc_buf_printf(page, " \\fI");
        put(page, option->argument);
        fc_buf_printf(page, "\\fR");
    }
    fc_buf_printf(page, "\n");
    put(page, option->help);
    fc_buf_printf(page, "%s\n", option->many ? "; may be repeated" : "");
}

static void
put_options(fc_buf *page, const cli_option_id *list)
{
    for (; list != NULL && *list != CLI_OPTION_NONE; list++)
        put_option(page, *list);
}

static void
put_command(fc_buf *page, const cli_command *command)
{
    fc_buf_printf(page, ".SS \"fleetcap ");
    put(page, command->path);
    fc_buf_printf(page, "%s", *command->operands != '\0' ? " " : "");
    put(page, command->operands);
    fc_buf_printf(page, "\"\n");
    put(page, command->summary);
    fc_buf_printf(page, ".\n");
    if (command->text != NULL) {
        fc_buf_printf(page, ".PP\n");
        put(page, command->text);
        fc_buf_printf(page, "\n");
    }
    put_options(page, command->options);
    if (command->examples != NULL) {
        fc_buf_printf(page, ".PP\n.RS\n.nf\n");
        put(page, command->examples);
        fc_buf_printf(page, "\n.fi\n.RE\n");
    }
}

static void
put_cli(fc_buf *page)
{
    put_head(page, "fleetcap", "1", "packet captures on whole scale sets");
    fc_buf_printf(page,
                  ".SH SYNOPSIS\n.B fleetcap\n.I COMMAND\n[\\fIOPERAND\\fR\\&...] [\\fIOPTION\\fR\\&...]\n"
                  ".SH DESCRIPTION\nfleetcap fans one capture definition out to many instances, shows what "
                  "each of them does "
                  "with it,\ngathers the files, and compares the instances side by side.\n.SH COMMANDS\n");
    for (size_t i = 0; i < cli_command_count; i++)
        put_command(page, &cli_commands[i]);
    fc_buf_printf(page, ".SH \"OPTIONS OF EVERY COMMAND\"\n");
    put_options(page, cli_common_options);
    fc_buf_printf(page, ".SH \"OPTIONS OF COMMANDS THAT CONNECT\"\n");
    put_options(page, cli_connection_options);
    fc_buf_printf(
        page, ".SH ENVIRONMENT\n"
              ".B FLEETCAP_CONTEXT\nnames the context to use; each value of it has a variable of its own:\n"
              ".BR FLEETCAP_COORDINATOR ,\n.BR FLEETCAP_CA ,\n.BR FLEETCAP_CERT ,\n.BR FLEETCAP_KEY ,\n"
              ".BR FLEETCAP_SERVER_NAME .\n.B NO_COLOR\nturns colour off.\n"
              ".SH FILES\n.TP\n.I $XDG_CONFIG_HOME/fleetcap/config.yaml\nThe contexts,\n"
              ".BR fleetcap\\-config.yaml (5).\n"
              ".SH \"EXIT STATUS\"\n0 done, 1 error, 2 wrong usage, 3 not found, 4 some instances did and "
              "some did not,\n"
              "5 unreachable or timed out, 6 denied, 7 conflict.\n"
              ".SH \"SEE ALSO\"\n.BR fleetcap\\-config.yaml (5),\n.BR fleetcap\\-definition (5),\n"
              ".BR fleetcap\\-coordinator (8),\n.BR fleetcap\\-node (8)\n");
}

/* ---- fleetcap-config.yaml(5) ---- */

/* What each value of a context is: cli_value_sources has its option and its variable. */
static const char *const value_texts[CLI_VALUE_COUNT] = {
    [CLI_VALUE_COORDINATOR] = "The coordinator's address, host:port.",
    [CLI_VALUE_CA] = "PEM file of the fleet's CA.",
    [CLI_VALUE_CERTIFICATE] = "PEM file of the operator's certificate.",
    [CLI_VALUE_KEY] = "PEM file of its key.",
    [CLI_VALUE_SERVER_NAME] =
        "The name in the coordinator's certificate, when it is not the host of its address.",
    [CLI_VALUE_FLEET] = "The fleet's name: a coordinator of another one is refused.",
};

static void
put_value(fc_buf *page, const cli_value_source *source, const char *text)
{
    fc_buf_printf(page, ".TP\n\\fB");
    put(page, source->key);
    fc_buf_printf(page, "\\fR\n");
    put(page, text);
    if (source->option != CLI_OPTION_NONE) {
        fc_buf_printf(page, "\n\\fB\\-\\-");
        put(page, cli_options[source->option].name);
        fc_buf_printf(page, "\\fR, else \\fB%s\\fR, goes before it.", source->environment);
    }
    fc_buf_printf(page, "\n");
}

static void
put_contexts(fc_buf *page)
{
    put_head(page, "fleetcap-config.yaml", "5", "how fleetcap(1) reaches which fleet");
    fc_buf_printf(
        page, ".SH DESCRIPTION\n.I $XDG_CONFIG_HOME/fleetcap/config.yaml\n(else\n.IR "
              "~/.config/fleetcap/config.yaml )\n"
              "is a YAML map with the keys\n.B current\nand\n.BR contexts .\n"
              "A context says how one fleet is reached.\n.B fleetcap context set\nwrites them,\n"
              ".B fleetcap context use\nchooses one.\n"
              "Which one counts:\n.BR \\-\\-context ,\nthen\n.BR FLEETCAP_CONTEXT ,\nthen\n.BR current .\n"
              "Relative paths are relative to the file's directory.\n.SH \"KEYS OF A CONTEXT\"\n");
    for (size_t i = 0; i < CLI_VALUE_COUNT; i++)
        put_value(page, &cli_value_sources[i], value_texts[i]);
    fc_buf_printf(
        page, ".SH EXAMPLE\n.nf\ncurrent: prod\ncontexts:\n  prod:\n    coordinator: fleetcap.example:7443\n"
              "    ca: ca.crt\n    certificate: operator\\-alice.crt\n    key: operator\\-alice.key\n"
              "    fleet: acme\n.fi\n.SH \"SEE ALSO\"\n.BR fleetcap (1)\n");
}

/* ---- configuration files ---- */

static const char *
kind_text(fc_config_kind kind)
{
    static const char *const texts[] = {
        [FC_CONFIG_STRING] = "text",      [FC_CONFIG_NAME] = "name",     [FC_CONFIG_U64] = "number",
        [FC_CONFIG_SIZE] = "size",        [FC_CONFIG_DURATION] = "time", [FC_CONFIG_BOOL] = "yes or no",
        [FC_CONFIG_TREE] = "list or map",
    };
    return texts[kind];
}

static void
put_config(fc_buf *page, const char *program, const char *file, const fc_config_key *keys, size_t count)
{
    char *name = fc_sprintf("%s.yaml", program), *summary = fc_sprintf("configuration of %s(8)", program);
    put_head(page, name, "5", summary);
    fc_buf_printf(
        page,
        ".SH DESCRIPTION\nA YAML map.\nA key that is not known, and a value that cannot be meant, is refused "
        "with a "
        "sentence.\nSizes are written as 100MB or 100MiB, times as 200ms, 90s, 15m, 5h or 2d.\n.SH KEYS\n");
    for (size_t i = 0; i < count; i++) {
        fc_buf_printf(page, ".TP\n\\fB");
        put(page, keys[i].name);
        fc_buf_printf(page, "\\fR (%s%s", kind_text(keys[i].kind), keys[i].required ? ", required" : "");
        if (keys[i].default_text != NULL) {
            fc_buf_printf(page, ", default ");
            put(page, keys[i].default_text);
        }
        fc_buf_printf(page, ")\n");
        put(page, keys[i].help);
        fc_buf_printf(page, ".\n");
    }
    fc_buf_printf(page, ".SH FILES\n.I %s\n.SH \"SEE ALSO\"\n.BR ", file);
    put(page, program);
    fc_buf_printf(page, " (8)\n");
    free(name);
    free(summary);
}

int
main(int argc, char **argv)
{
    fc_buf page = {0};
    const char *wanted = argc == 2 ? argv[1] : "";
    if (strcmp(wanted, "fleetcap.1") == 0)
        put_cli(&page);
    else if (strcmp(wanted, "fleetcap-config.yaml.5") == 0)
        put_contexts(&page);
    else if (strcmp(wanted, "fleetcap-node.yaml.5") == 0)
        put_config(&page, "fleetcap-node", "/etc/fleetcap/node.yaml", nd_config_keys, nd_config_key_count);
    else if (strcmp(wanted, "fleetcap-coordinator.yaml.5") == 0)
        put_config(&page, "fleetcap-coordinator", "/etc/fleetcap/coordinator.yaml", co_config_keys,
                   co_config_key_count);
    else
        return FC_EXIT_USAGE;
    (void)fputs(fc_buf_text(&page), stdout);
    fc_buf_fini(&page);
    return FC_EXIT_OK;
}
