/* capture_check.h: what the system tests of capture expect of every end, by capinfos' word. For cmocka tests.
 */
#ifndef TESTS_SYSTEM_CAPTURE_CHECK_H
#define TESTS_SYSTEM_CAPTURE_CHECK_H

#include "capture_rig.h"

enum { RIG_END_TIMEOUT_MS = 60000, RIG_PATIENCE_S = 120 };

extern rig_net net; /* the test's own namespaces, made by rig_set_up */

int
rig_set_up(void **state);
int
rig_tear_down(void **state);
/* Reads what the helper says until that holds, at most RIG_PATIENCE_S. */
void
rig_check_until(rig_helper *helper, bool (*holds)(const rig_helper *helper, uint64_t wanted),
                uint64_t wanted);
/* So many packets are in the files, by its own word. */
bool
rig_has_written(const rig_helper *helper, uint64_t wanted);
/* The process ended well, nothing is unaccounted for, and each sealed segment is what it says. Returns the
 * packets that are in files. */
uint64_t
rig_check_end(rig_helper *helper);
/* The same after a stop by command. */
void
rig_stop_and_check(rig_helper *helper);

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)

#endif
