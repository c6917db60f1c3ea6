/* assets.h: report.css and report.js as bytes, made at build time by embed.cmake. */
#ifndef CLI_REPORT_ASSETS_H
#define CLI_REPORT_ASSETS_H

#include <stddef.h>

extern const unsigned char cli_report_css[], cli_report_js[];
extern const size_t cli_report_css_size, cli_report_js_size;

#endif
