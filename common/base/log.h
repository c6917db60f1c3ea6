/* log.h: one line per decision, on stderr, with the syslog priority that systemd understands (sd-daemon(3)).
 *
 * Only programs' own modules log; libraries return errors. Any thread may call fc_log.
 */
#ifndef FC_BASE_LOG_H
#define FC_BASE_LOG_H

typedef enum fc_log_level {
    FC_LOG_ERROR = 3,
    FC_LOG_WARNING = 4,
    FC_LOG_NOTICE = 5,
    FC_LOG_INFO = 6,
    FC_LOG_DEBUG = 7,
} fc_log_level;

/* program: borrowed for ever (a literal). Messages above `level` are not written. */
void
fc_log_open(const char *program, fc_log_level level);
/* "error" … "debug" -> level; -1 when unknown. */
int
fc_log_level_parse(const char *text);
void
fc_log(fc_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
