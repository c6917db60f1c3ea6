/* report.h: a comparison as one self-contained HTML page.
 *
 * No network, no external fonts: it opens from a mail attachment, and everything can be read without scripts
 * (the charts are SVG made here). A small script adds copying and sorting. Every text of a packet or a peer
 * is escaped. At most CLI_REPORT_SIZE_MAX bytes for 1,000 instances.
 *
 * report.c puts the page together; html.c escapes; findings.c, matrix.c,
 * charts.c, waterfall.c and provenance.c make the sections; report.css and report.js are
 * compiled in.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "common/base/buf.h"
#include "common/compare/compare.h"

#include <stddef.h>
#include <stdint.h>

enum { CLI_REPORT_SIZE_MAX = 5 << 20 };

/* A capture file that the comparison is drawn from. */
typedef struct cli_report_file {
    size_t instance;     /* index into the comparison's instances */
    const char *name;    /* borrowed */
    uint64_t size_bytes; /* 0 = not known */
    const char *sha256;  /* borrowed; hexadecimal; NULL = not known */
} cli_report_file;

/* Everything is borrowed for the call. {0} but comparison is legal: what is not known is left out. */
typedef struct cli_report {
    const fc_comparison *comparison;
    const char *capture_name; /* NULL: files alone */
    const char *capture_uid;  /* NULL = none */
    const char *definition;   /* the capture's definition as text (YAML or JSON); NULL = none */
    const char *filter;       /* the compiled filter; NULL: the profiles' own */
    const char *command;      /* the command line that made this; NULL = not shown */
    int64_t created_ns;       /* when the capture was created, Unix time; 0 = not known */
    int64_t generated_ns;     /* when this page is made */
    const cli_report_file *files;
    size_t file_count;
} cli_report;

/* Appends the page. */
void
cli_report_make(fc_buf *page, const cli_report *report);

#endif
