/* token.h: the token that the options ask for. Pure. */
#ifndef CLI_TOKEN_H
#define CLI_TOKEN_H

#include "cli/command.h"
#include "cli/rpc_admission.h"

/* Of `token create`. The texts are borrowed from args. FC_ERR_INVALID names the option, its value and why
 * not. */
FC_MUST_USE fc_err
cli_token_wish_from_args(const cli_args *args, cli_token_wish *ret_wish, fc_fail *fail);
/* "valid", "expired", "used up", "revoked". */
const char *
cli_token_state(const cli_token *token, fc_wall now);
/* The id that `token revoke` was given: itself, or the whole token, of which only the id is taken. */
FC_MUST_USE fc_err
cli_token_id(const char *text, char ret_id[FC_TOKEN_ID_LENGTH + 1], fc_fail *fail);

/* What to say when `name` is not among the scale sets (`what`) that are known: a name misspelt, perhaps. NULL
 * when it is, or when none is. Owned. */
char *
cli_token_place_note(const fc_strings *known, const char *what, const char *name);

#endif
