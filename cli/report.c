#include "cli/report.h"

#include <errno.h>

fc_err
cli_report_write(FILE *out, const cli_report *report, fc_fail *fail)
{
    (void)fprintf(out, "<!doctype html>\n<html lang=\"en\"><head><meta "
                       "charset=\"utf-8\"><title>fleetcap</title></head><body>\n");
    (void)fprintf(out, "<p>%zu instances compared</p></body></html>\n", report->comparison->instance_count);
    if (fflush(out) != 0 || ferror(out))
        return fc_fail_errno(fail, errno, "the report cannot be written");
    return FC_OK;
}
