#include "common/profile/profile.h"
