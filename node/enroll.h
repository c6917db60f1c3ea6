/* enroll.h: the command `fleetcap-node enroll`: gives this machine a certificate of the fleet's. */
#ifndef ND_ENROLL_H
#define ND_ENROLL_H

#include "common/base/err.h"

/* argv[0] is the word "enroll". Returns the exit status. The token is overwritten in argv and in the
 * environment. */
fc_exit
nd_enroll_main(int argc, char **argv);

#endif
