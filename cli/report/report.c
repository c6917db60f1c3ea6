#include "cli/report/report.h"

#include "cli/report/assets.h"
#include "cli/report/html.h"
#include "cli/report/view.h"

#include <errno.h>
#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <string.h>

/* The page may run one script, this one, and load nothing: whatever else got into it would do nothing. */
static void
put_policy(fc_buf *out)
{
    uint8_t digest[32];
    unsigned char text[48];
    size_t length = 0;
    if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), cli_report_js, cli_report_js_size, digest) !=
            0 ||
        mbedtls_base64_encode(text, sizeof text, &length, digest, sizeof digest) != 0)
        length = 0;
    text[length] = '\0';
    cli_html(out,
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
             "style-src 'unsafe-inline'; script-src 'sha256-%s'; base-uri 'none'; form-action 'none'\">\n",
             (const char *)text);
}

static void
put_head(fc_buf *out, const cli_report *report)
{
    cli_html(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    put_policy(out);
    cli_html(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                  "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" "
                  "content=\"no-referrer\">\n"
                  "<title>");
    if (report->capture_name != NULL)
        cli_html(out, "%s: ", report->capture_name);
    cli_html(out, "%s</title>\n<style>\n", report->comparison->verdict);
    fc_buf_append(out, cli_report_css, cli_report_css_size);
    cli_html(out, "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the verdict</a>\n");
}

/* Links to the sections that are there. */
static void
put_navigation(fc_buf *out, fc_buf *body)
{
    static const struct {
        const char *id, *title;
    } sections[] = {
        {"groups", "Outliers"},       {"findings", "Findings"}, {"time", "Over time"},
        {"waterfall", "Stages"},      {"matrix", "Fleet"},      {"context", "Context"},
        {"provenance", "Provenance"},
    };
    const char *text = fc_buf_text(body);
    cli_html(out, "<nav aria-label=\"Sections\"><ul>");
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        char mark[64];
        (void)snprintf(mark, sizeof mark, "<h2 id=\"%s\">", sections[i].id);
        if (strstr(text, mark) != NULL)
            cli_html(out, "<li><a href=\"#%s\">%s</a></li>", sections[i].id, sections[i].title);
    }
    cli_html(out, "</ul></nav>\n");
}

static void
put_header(fc_buf *out, const cli_report *report)
{
    cli_html(out, "<header><span class=\"mark\">fleetcap</span> <span>%s</span> <span class=\"muted\">",
             report->capture_name != NULL ? report->capture_name : "comparison of files");
    cli_html_time(out, report->generated_ns);
    cli_html(out, "</span></header>\n");
}

void
cli_report_make(fc_buf *page, const cli_report *report)
{
    cli_report_view view;
    fc_buf body = {0};
    cli_report_view_init(&view, report);
    cli_report_groups(&body, &view);
    cli_report_findings(&body, &view);
    cli_report_charts(&body, &view);
    cli_report_waterfall(&body, &view);
    cli_report_matrix(&body, &view);
    cli_report_context(&body, &view);
    cli_report_provenance(&body, &view);

    put_head(page, report);
    put_header(page, report);
    cli_html(page, "<main id=\"main\">\n");
    cli_report_verdict(page, &view);
    put_navigation(page, &body);
    fc_buf_append(page, fc_buf_bytes(&body), fc_buf_size(&body));
    cli_html(page, "</main>\n<p class=\"status\" role=\"status\" aria-live=\"polite\"></p>\n<script>");
    fc_buf_append(page, cli_report_js, cli_report_js_size);
    cli_html(page, "</script>\n</body>\n</html>\n");

    fc_buf_fini(&body);
    cli_report_view_fini(&view);
}
