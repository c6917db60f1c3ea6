/* command.h: the command line's grammar as data, and its parser.
 *
 * commands.c holds two tables: every option once (its name means the same everywhere), and every command with
 * the options it takes. The parser, the help pages and the "did you mean" sentences all read them; nothing
 * else knows a command's name.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "common/base/err.h"
#include "common/model/definition.h"

#include <stdbool.h>
#include <stddef.h>

struct cli_run;

typedef enum cli_option_id {
    CLI_OPTION_NONE = 0, /* ends a command's list */
    CLI_HELP,
    CLI_OUTPUT,
    CLI_QUIET,
    CLI_COLOR,
    CLI_CONTEXT,
    CLI_COORDINATOR,
    CLI_CA,
    CLI_CERT,
    CLI_KEY,
    CLI_SERVER_NAME,
    CLI_TIMEOUT,
    CLI_NAME,
    CLI_FILE,
    CLI_SCALE_SET,
    CLI_REGION,
    CLI_ZONE,
    CLI_INCLUDE,
    CLI_EXCLUDE,
    CLI_SELECTOR,
    CLI_FILTER,
    CLI_FILTERS,
    CLI_RAW_FILTER,
    CLI_CAPTURE_SIZE,
    CLI_BYTES_PER_PACKET,
    CLI_CAPTURE_LIMIT,
    CLI_TIME_LIMIT,
    CLI_PACKET_LIMIT,
    CLI_RING,
    CLI_INTERFACE,
    CLI_INCLUDE_OWN_TRAFFIC,
    CLI_REASON,
    CLI_OWNER,
    CLI_INCIDENT,
    CLI_DELETE_AFTER,
    CLI_TAG,
    CLI_DRY_RUN,
    CLI_NO_WAIT,
    CLI_YES,
    CLI_ACTIVE,
    CLI_ALL,
    CLI_INSTANCE,
    CLI_STOP,
    CLI_DELETE_FILES,
    CLI_FOR,
    CLI_DOWNLOAD_DIR,
    CLI_PARALLEL,
    CLI_CONVERSATIONS,
    CLI_QUESTIONS,
    CLI_LOCAL,
    CLI_SAVE_PROFILE,
    CLI_HEALTHY,
    CLI_SUSPECT,
    CLI_HTML,
    CLI_EVERYTHING,
    CLI_FAIL_ON,
    CLI_FROM,
    CLI_TO,
    CLI_LOSSLESS,
    CLI_KEEP_DIR,
    CLI_PKI_DIR,
    CLI_FLEET,
    CLI_OUT,
    CLI_DNS,
    CLI_DAYS,
    CLI_BIND_SCALE_SET,
    CLI_BIND_REGION,
    CLI_USES,
    CLI_TTL,
    CLI_APPROVAL,
    CLI_ALL_PAST,
    CLI_FORCE,
    CLI_OPTION_COUNT
} cli_option_id;

typedef struct cli_option {
    const char *name;     /* without the dashes */
    char letter;          /* 0 = none */
    const char *argument; /* what help calls its value; NULL = a switch */
    bool many;            /* may be repeated; otherwise the last one counts */
    const char *help;
} cli_option;

typedef struct cli_command {
    const char *path;     /* "capture create" */
    const char *operands; /* as the synopsis shows them: "NAME" */
    int operands_min;
    int operands_max;             /* -1 = any number */
    bool connects;                /* takes the options of a connection */
    const char *summary;          /* one line */
    const char *text;             /* more for its help page; NULL = none */
    const char *examples;         /* lines; NULL = none */
    const cli_option_id *options; /* beside the common ones; ends with CLI_OPTION_NONE */
    fc_err (*run)(struct cli_run *run, fc_fail *fail);
} cli_command;

typedef struct cli_group {
    const char *name;
    const char *summary;
} cli_group;

extern const cli_option cli_options[CLI_OPTION_COUNT];
extern const cli_option_id cli_common_options[];     /* of every command */
extern const cli_option_id cli_connection_options[]; /* of those that connect */
extern const cli_group cli_groups[];
extern const size_t cli_group_count;
extern const cli_command cli_commands[];
extern const size_t cli_command_count;

/* What was typed. {0} is empty; finish with cli_args_fini, also after a failure. */
typedef struct cli_args {
    const cli_command *command; /* borrowed from cli_commands; NULL only with help */
    const char *group;          /* borrowed; with help for a whole group */
    bool help;
    fc_strings operands;
    fc_strings given[CLI_OPTION_COUNT]; /* values; "" for a switch */
} cli_args;

/* words: argv without the program's name. FC_ERR_INVALID with the nearest known word in the sentence. */
FC_MUST_USE fc_err
cli_args_parse(const char *const *words, size_t count, cli_args *ret_args, fc_fail *fail);
void
cli_args_fini(cli_args *args);

bool
cli_args_has(const cli_args *args, cli_option_id id);
/* The last value; NULL when not given. Borrowed. */
const char *
cli_args_text(const cli_args *args, cli_option_id id);
/* All values, each split at commas, appended to *list. */
void
cli_args_list(const cli_args *args, cli_option_id id, fc_strings *list);
/* The value as a size, a duration in milliseconds, a number up to max; *ret is untouched when not given. */
FC_MUST_USE fc_err
cli_args_size(const cli_args *args, cli_option_id id, uint64_t *ret_bytes, fc_fail *fail);
FC_MUST_USE fc_err
cli_args_duration(const cli_args *args, cli_option_id id, uint64_t *ret_ms, fc_fail *fail);
FC_MUST_USE fc_err
cli_args_number(const cli_args *args, cli_option_id id, uint64_t min, uint64_t max, uint64_t *ret_value,
                fc_fail *fail);

bool
cli_command_takes(const cli_command *command, cli_option_id id);
/* How many single-character edits (insert, delete, replace, swap neighbours) lie between two words. */
size_t
cli_word_distance(const char *a, const char *b);
/* The candidate nearest to word, or NULL when none is near enough to have been meant. */
const char *
cli_word_nearest(const char *word, const char *const *candidates, size_t count);

#endif
