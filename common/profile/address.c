#include "common/profile/address.h"
