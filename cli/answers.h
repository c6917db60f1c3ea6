/* answers.h: what the coordinator answers to a call, gathered message by message, and the words in it
 * checked.
 *
 * The first message that cannot be understood ends the call, with its own sentence.
 */
#ifndef CLI_ANSWERS_H
#define CLI_ANSWERS_H

#include "cli/session.h"
#include "common/base/err.h"
#include "common/base/text.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct cli_answers {
    void *into;   /* borrowed: what `each` of the request gathers them into */
    size_t count; /* of the messages, where `each` counts them */
    fc_err err;   /* of the message that could not be understood */
    fc_fail fail;
} cli_answers;

/* Makes the call; `each` gets answers as its user. */
FC_MUST_USE fc_err
cli_answers_gather(cli_session *session, cli_request request, cli_answers *answers, fc_fail *fail);
/* The same for a call with one answer, which must have come; `each` counts. */
FC_MUST_USE fc_err
cli_answers_gather_one(cli_session *session, cli_request request, cli_answers *answers, fc_fail *fail);

/* Copies a word that must be a name; FC_ERR_PROTOCOL says what was none ("an instance"). */
FC_MUST_USE fc_err
cli_answers_name(const char *text, const char *what, char ret_name[FC_NAME_MAX + 1], fc_fail *fail);

typedef struct cli_word {
    const char *text, *what;
    bool may_be_empty; /* then it is not copied */
    char *to;          /* FC_NAME_MAX + 1 */
} cli_word;
FC_MUST_USE fc_err
cli_answers_names(const cli_word *words, size_t count, fc_fail *fail);

#endif
