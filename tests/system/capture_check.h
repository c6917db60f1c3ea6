/* capture_check.h: what the system tests of capture expect of every end, by capinfos' word. For cmocka tests.
 */
#ifndef TESTS_SYSTEM_CAPTURE_CHECK_H
#define TESTS_SYSTEM_CAPTURE_CHECK_H

#include "capture_rig.h"

enum { RIG_END_TIMEOUT_MS = 20000 };

extern rig_net net; /* the test's own namespaces, made by rig_set_up */

int
rig_set_up(void **state);
int
rig_tear_down(void **state);
/* The process ended well, nothing is unaccounted for, and each sealed segment is what it says. Returns the
 * packets that are in files. */
uint64_t
rig_check_end(rig_helper *helper);
/* The same after a stop by command. */
void
rig_stop_and_check(rig_helper *helper);

#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)

#endif
