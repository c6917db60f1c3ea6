#include "common/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *text;
    fc_code code;
    fc_exit status;
} errors[] = {
#define X(name, text, code, status) [FC_ERR_##name] = {text, FC_CODE_##code, FC_EXIT_##status},
    FC_ERRORS(X)
#undef X
};

static const struct {
    const char *name;
    fc_err err;
} codes[] = {
    [FC_CODE_OK] = {"OK", FC_ERR_OK},
    [FC_CODE_CANCELLED] = {"CANCELLED", FC_ERR_CANCELLED},
    [FC_CODE_UNKNOWN] = {"UNKNOWN", FC_ERR_INTERNAL},
    [FC_CODE_INVALID_ARGUMENT] = {"INVALID_ARGUMENT", FC_ERR_INVALID},
    [FC_CODE_DEADLINE_EXCEEDED] = {"DEADLINE_EXCEEDED", FC_ERR_TIMEOUT},
    [FC_CODE_NOT_FOUND] = {"NOT_FOUND", FC_ERR_NOT_FOUND},
    [FC_CODE_ALREADY_EXISTS] = {"ALREADY_EXISTS", FC_ERR_EXISTS},
    [FC_CODE_PERMISSION_DENIED] = {"PERMISSION_DENIED", FC_ERR_DENIED},
    [FC_CODE_RESOURCE_EXHAUSTED] = {"RESOURCE_EXHAUSTED", FC_ERR_LIMIT},
    [FC_CODE_FAILED_PRECONDITION] = {"FAILED_PRECONDITION", FC_ERR_STATE},
    [FC_CODE_ABORTED] = {"ABORTED", FC_ERR_PARTIAL},
    [FC_CODE_OUT_OF_RANGE] = {"OUT_OF_RANGE", FC_ERR_RANGE},
    [FC_CODE_UNIMPLEMENTED] = {"UNIMPLEMENTED", FC_ERR_UNSUPPORTED},
    [FC_CODE_INTERNAL] = {"INTERNAL", FC_ERR_INTERNAL},
    [FC_CODE_UNAVAILABLE] = {"UNAVAILABLE", FC_ERR_UNAVAILABLE},
    [FC_CODE_DATA_LOSS] = {"DATA_LOSS", FC_ERR_CORRUPT},
    [FC_CODE_UNAUTHENTICATED] = {"UNAUTHENTICATED", FC_ERR_UNAUTHENTICATED},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *
fc_err_text(fc_err err)
{
    return (size_t)err < COUNT(errors) ? errors[err].text : "unknown error";
}

fc_code
fc_err_code(fc_err err)
{
    return (size_t)err < COUNT(errors) ? errors[err].code : FC_CODE_UNKNOWN;
}

fc_exit
fc_err_exit(fc_err err)
{
    return (size_t)err < COUNT(errors) ? errors[err].status : FC_EXIT_ERROR;
}

const char *
fc_code_name(fc_code code)
{
    return (size_t)code < COUNT(codes) ? codes[code].name : "UNKNOWN";
}

fc_err
fc_err_from_code(fc_code code)
{
    return (size_t)code < COUNT(codes) ? codes[code].err : FC_ERR_INTERNAL;
}

fc_err
fc_err_from_errno(int os_errno)
{
    switch (os_errno) {
    case 0:
        return FC_ERR_OK;
    case ENOSPC:
    case EDQUOT:
        return FC_ERR_NO_SPACE;
    case ENOENT:
        return FC_ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
        return FC_ERR_DENIED;
    case EEXIST:
        return FC_ERR_EXISTS;
    default:
        return FC_ERR_IO;
    }
}

static void
fail_text(fc_fail *fail, fc_err err, const char *field, const char *format, va_list args)
{
    memset(fail, 0, sizeof *fail);
    fail->err = err;
    (void)snprintf(fail->field, sizeof fail->field, "%s", field);
    (void)vsnprintf(fail->text, sizeof fail->text, format, args);
}

fc_err
fc_fail_set(fc_fail *fail, fc_err err, const char *format, ...)
{
    if (fail != NULL) {
        va_list args;
        va_start(args, format);
        fail_text(fail, err, "", format, args);
        va_end(args);
    }
    return err;
}

fc_err
fc_fail_field(fc_fail *fail, fc_err err, const char *field, const char *format, ...)
{
    if (fail != NULL) {
        va_list args;
        va_start(args, format);
        fail_text(fail, err, field, format, args);
        va_end(args);
    }
    return err;
}

fc_err
fc_fail_errno(fc_fail *fail, int os_errno, const char *format, ...)
{
    fc_err err = fc_err_from_errno(os_errno);
    if (fail != NULL) {
        va_list args;
        va_start(args, format);
        fail_text(fail, err, "", format, args);
        va_end(args);
        fail->os_errno = os_errno;
        size_t used = strlen(fail->text);
        (void)snprintf(fail->text + used, sizeof fail->text - used, ": %s", strerror(os_errno));
    }
    return err;
}

fc_err
fc_fail_copy(fc_fail *to, const fc_fail *from)
{
    if (to != NULL)
        *to = *from;
    return from->err;
}
