#include "cli/answers.h"

#include <string.h>

fc_err
cli_answers_gather(cli_session *session, cli_request request, cli_answers *answers, fc_fail *fail)
{
    request.user = answers;
    fc_err err = cli_session_call(session, &request, fail);
    return err == FC_OK && answers->err != FC_OK ? fc_fail_copy(fail, &answers->fail) : err;
}

fc_err
cli_answers_gather_one(cli_session *session, cli_request request, cli_answers *answers, fc_fail *fail)
{
    fc_err err = cli_answers_gather(session, request, answers, fail);
    if (err == FC_OK && answers->count != 1)
        err = fc_fail_set(fail, FC_ERR_PROTOCOL, "the coordinator answered with %zu messages for one",
                          answers->count);
    return err;
}

fc_err
cli_answers_name(const char *text, const char *what, char ret_name[FC_NAME_MAX + 1], fc_fail *fail)
{
    if (!fc_name_check(text))
        return fc_fail_set(fail, FC_ERR_PROTOCOL, "the coordinator sent %s that is no name: \"%.80s\"", what,
                           text);
    (void)strcpy(ret_name, text);
    return FC_OK;
}

fc_err
cli_answers_names(const cli_word *words, size_t count, fc_fail *fail)
{
    fc_err err = FC_OK;
    for (size_t i = 0; i < count && err == FC_OK; i++)
        if (*words[i].text != '\0' || !words[i].may_be_empty)
            err = cli_answers_name(words[i].text, words[i].what, words[i].to, fail);
    return err;
}
