/* How a call ended: made, and turned into and from a failure. */
#include "common/rpc/rpc.h"

#include <stdarg.h>
#include <stdio.h>

const fc_rpc_status fc_rpc_ok = {.code = FC_CODE_OK};

fc_rpc_status
fc_rpc_status_from_fail(const fc_fail *fail)
{
    fc_rpc_status status = {.code = fc_err_code(fail->err)};
    (void)snprintf(status.message, sizeof status.message, "%s",
                   fail->text[0] != '\0' ? fail->text : fc_err_text(fail->err));
    (void)snprintf(status.field, sizeof status.field, "%s", fail->field);
    return status;
}

fc_rpc_status
fc_rpc_status_make(fc_code code, const char *format, ...)
{
    fc_rpc_status status = {.code = code};
    va_list args;
    va_start(args, format);
    (void)vsnprintf(status.message, sizeof status.message, format, args);
    va_end(args);
    return status;
}

fc_err
fc_rpc_status_fail(const fc_rpc_status *status, fc_fail *fail)
{
    const char *text = status->message[0] != '\0' ? status->message : fc_code_name(status->code);
    return fc_fail_field(fail, fc_err_from_code(status->code), status->field, "%s", text);
}
